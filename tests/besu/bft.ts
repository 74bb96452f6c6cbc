/** Answers for consensus/common: what IBFT 2.0 and QBFT share in Besu. */

import {
  type Answers,
  chain,
  fees,
  genesis,
  heights,
  host,
  justification,
  mailbox,
  operatorVotes,
  proposer,
  quorum,
  REFUSED,
  reason,
  recoveryPool,
  rhythm,
  rpc,
  runner,
  same,
  scheme,
  seal,
  step,
  sync,
  timeout,
  transport,
  validators,
  vector,
  votes,
} from './answer.ts'

const STICKY = reason(
  'the sticky policy, which QBFT in Besu never uses either: it asks for a change at each block',
)
const NO_TOTALS = step(
  'holds no more of the future than one of each kind, round and author',
  'nothing is counted or evicted: there is one slot for each author, kind and round, and a window',
)
const tally = (name: string) => vector(`vectors/besu-vote-tally.json ${name}`)

export const BFT: Answers = {
  'common/CombinedProtocolScheduleFactoryTest.java': { otherwise: REFUSED.migration },
  'common/ForksScheduleFactoryTest.java': {
    names: {
      throwsErrorIfHasForkForGenesisBlock: REFUSED.transitions,
      throwsErrorIfHasForksWithDuplicateBlock: genesis('config.transitions.qbft[1].block'),
      createsScheduleUsingSpecCreator: REFUSED.transitions,
    },
  },
  'common/ForksScheduleTest.java': {
    names: {
      retrievesLatestForkByTimestamp: genesis('start later forks by time whatever the block'),
    },
    otherwise: genesis('follow the schedule of a chain that crosses every fork'),
  },
  'common/MigratingMiningCoordinatorTest.java': { otherwise: REFUSED.migration },
  'common/MigratingProtocolContextTest.java': { otherwise: REFUSED.migration },
  'common/bft/BaseBftProtocolScheduleBuilderTest.java': {
    names: {
      ensureBlockRewardAndMiningBeneficiaryInProtocolSpecMatchConfig: REFUSED.reward,
      missingMiningBeneficiaryInConfigWillPayCoinbaseInHeader: justification(
        'with a block of another maker is refused',
      ),
      ...same(
        REFUSED.transitions,
        'ensureForksAreRespected_beginWithNonEmptyMiningBeneficiary',
        'ensureForksAreRespected_beginWithEmptyMiningBeneficiary',
        'blockRewardSpecifiedInTransitionCreatesNewMilestone',
      ),
      negativeBlockRewardThrowsException: genesis('config.qbft.blockReward'),
      ...same(
        genesis('config.qbft.epochlength'),
        'zeroEpochLengthThrowsException',
        'negativeEpochLengthThrowsException',
      ),
      ensureNotApplicableWithdrawalsValidatorIsUsed: chain('withdrawals are refused'),
      ensureBlockPeriodInProtocolSpecMatchConfig: chain(
        'a block that keeps no distance from its parent is refused',
      ),
    },
  },
  'common/bft/BaseForksSchedulesFactoryTest.java': {
    names: {
      createsScheduleForJustGenesisConfig: genesis('reads QBFT settings and their transitions'),
      createsScheduleWithInvalidMiningBeneficiary_shouldThrow: genesis(
        'config.qbft.miningbeneficiary',
      ),
    },
    otherwise: REFUSED.transitions,
  },
  'common/bft/BftEventQueueTest.java': {
    names: {
      ...same(mailbox('gives back what was put in, in order, and then nothing'), 'addPoll'),
      queueOrdering: mailbox(
        'our own events go before letters',
        'timers and heads go before messages of peers; each of the two is in order',
      ),
      addSizeLimit: mailbox('of one peer is dropped beyond its limit'),
      doNotAddUntilStarted: rhythm('makes nothing before it is started'),
      supportsStopAndRestart: step(
        'survives a restart, with everything that was said',
        'a node that was stopped is opened anew on its directory',
      ),
      alwaysAddBlockTimerExpiryEvents: mailbox('others and our own events are not'),
    },
  },
  'common/bft/BftHelpersTest.java': {
    names: same(
      quorum('of %i validators %i round changes are followed early'),
      ...[4, 6, 7, 9, 10, 13, 15].map((n) => `calculateRequiredFutureRCQuorum${n}Validator`),
    ),
    otherwise: quorum('a quorum of %i validators is %i'),
  },
  'common/bft/BftProcessorTest.java': {
    names: {
      handlesStopGracefully: runner('ends with stop, in the middle of a round'),
      cleanupExecutorsAfterShutdownNow: recoveryPool(
        'refuses what is at work and what comes after, when stopped',
      ),
      handlesQueueInterruptGracefully: reason(
        'interrupts of a Java thread that waits on a queue: nothing waits here, the mailbox wakes the runner',
      ),
      drainEventsIntoStateMachine: runner('goes out again with the next block'),
    },
  },
  'common/bft/BftRoundExpiryTimeCalculatorTest.java': {
    otherwise: timeout('doubles each round, from the base of round 0'),
  },
  'common/bft/BlockTimerTest.java': {
    names: {
      cancelTimerCancelsWhenNoTimer: rhythm('makes nothing before it is started'),
      startTimerSchedulesCorrectlyWhenExpiryIsInTheFuture: heights(
        'for what is left of the period',
      ),
      startTimerSchedulesCorrectlyOnBlockPeriodTransition: REFUSED.transitions,
      aBlockTimerExpiryEventIsAddedToTheQueueOnExpiry: rhythm('keeps the period where one is set'),
      eventIsImmediatelyAddedToTheQueueIfAbsoluteExpiryIsEqualToNow: heights(
        'for nothing when the period ends now',
      ),
      eventIsImmediatelyAddedToTheQueueIfAbsoluteExpiryIsInThePast: heights(
        'for nothing when it is over',
      ),
      startTimerCancelsExistingTimer: runner('has one timer of each name: a new one replaces it'),
      runningFollowsTheStateOfTheTimer: step(
        'not before a block may come, and not without work',
        'nobody asks whether a timer runs: the state says whether a block is due',
      ),
      checkBlockTimerEmptyAndNonEmptyPeriodSecods: rhythm(
        'makes an empty block each heartbeat while idle',
        'the time to an empty block is the heartbeat; one with transactions comes on demand',
      ),
    },
  },
  'common/bft/EthSynchronizerUpdaterTest.java': {
    names: {
      ethPeerIsMissingResultInNoUpdate: sync('asks nobody while nobody is known to be ahead'),
      chainStateUpdateIsAttemptedIfEthPeerExists: sync('asks a peer that is ahead, once'),
    },
  },
  'common/bft/MessageTrackerTest.java': { otherwise: votes('the same again counts once') },
  'common/bft/RoundTimerTest.java': {
    names: {
      cancelTimerCancelsWhenNoTimer: rhythm('makes nothing before it is started'),
      checkRunnableSubmittedDistributesCorrectEvent: runner('goes out again with the next block'),
      startTimerCancelsExistingTimer: runner('has one timer of each name: a new one replaces it'),
      runningFollowsTheStateOfTheTimer: step('nobody runs ahead alone'),
    },
    otherwise: timeout('doubles each round, from the base of round 0'),
  },
  'common/bft/SizeLimitedMapTest.java': { otherwise: NO_TOTALS },
  'common/bft/TransactionGasLimitOverrideGasLimitCalculatorTest.java': {
    otherwise: REFUSED.gasOfTransactions,
  },
  'common/bft/UniqueMessageMulticasterTest.java': {
    names: {
      passedInDenylistIsPassedToUnderlyingValidator: heights(
        'of later rounds everything goes on, but not to its author or to who brought it',
      ),
    },
    otherwise: heights(
      'once',
      'what a peer said is passed on once; what we said is repeated on purpose while it may be lost',
    ),
  },
  'common/bft/VoteTest.java': { otherwise: rpc('are proposed, shown and discarded') },
  'common/bft/blockcreation/BftMiningCoordinatorTest.java': {
    names: {
      startsMining: rhythm('makes a block as soon as a transaction waits, and none before'),
      ...same(
        rhythm('makes nothing after it is stopped'),
        'stopsMining',
        'stopsMiningWhenIdleAfterHavingBeenStarted',
      ),
      stopsMiningWhenDisabledForMergeTransition: REFUSED.migration,
      restartsMiningAfterStop: step(
        'survives a restart, with everything that was said',
        'a node that was stopped is opened anew on its directory',
      ),
      concurrentStopDoesNotTearDownAStartInProgress: reason(
        'Java threads that start and stop one coordinator at once: one command owns the node here, and stops it once after start',
      ),
      getsMinTransactionGasPrice: fees('are the least that the pool takes while blocks have room'),
      addsNewChainHeadEventWhenNewCanonicalHeadBlockEventReceived: runner(
        'goes out again with the next block',
      ),
      doesntAddNewChainHeadEventWhenNotACanonicalHeadBlockEvent: heights(
        'a head again, or an older one, changes nothing',
      ),
    },
  },
  'common/bft/blockcreation/BftMiningCoordinatorTransitionTest.java': {
    names: {
      stopFromEventThreadHaltsEventProcessingWithoutDeadlock: runner('ends where the key fails'),
      stopReturnsPromptlyWhenEnabledButNeverStarted: rhythm('makes nothing before it is started'),
    },
  },
  'common/bft/blockcreation/ProposerSelectorTest.java': {
    names: {
      ...Object.fromEntries(
        [
          'roundRobinChangesProposerOnRoundZeroOfNextBlock',
          'lastValidatorInListValidatedPreviousBlockSoFirstIsNextProposer',
          'whenProposerSelfRemovesSelectsNextProposerInLineEvenWhenRoundRobin',
        ].map((name) => [name, vector(`vectors/proposer-selection.json ${name}`)]),
      ),
      ...same(
        STICKY,
        'stickyProposerDoesNotChangeOnRoundZeroOfNextBlock',
        'stickyProposerChangesOnSubsequentRoundsAtSameBlockHeight',
      ),
      whenProposerSelfRemovesSelectsNextProposerInLineEvenWhenSticky: proposer(
        'one that has left between two others is followed by the higher of them',
      ),
      proposerSelfRemovesAndHasHighestAddressNewProposerIsFirstInList: proposer(
        'is the first if the one that left was the highest',
      ),
    },
  },
  'common/bft/headervalidationrules/BftCoinbaseValidationRuleTest.java': {
    names: {
      proposerInValidatorListPassesValidation: scheme('three of four seals are enough'),
      proposerNotInValidatorListFailsValidation: scheme('a coinbase outside the set'),
    },
  },
  'common/bft/headervalidationrules/BftCommitSealsValidationRuleTest.java': {
    names: {
      correctlyConstructedHeaderPassesValidation: scheme('three of four seals are enough'),
      insufficientCommitSealsFailsValidation: scheme('two are too few'),
      committerNotInValidatorListFailsValidation: scheme('a stranger’s seal is refused'),
      ratioOfCommittersToValidatorsAffectValidation: scheme(
        'the number of seals that it takes follows the size of the set',
      ),
      headerContainsDuplicateSealsFailsValidation: scheme(
        'one validator’s seal twice does not count as two',
      ),
    },
  },
  'common/bft/headervalidationrules/BftValidatorsValidationRuleTest.java': {
    names: {
      correctlyConstructedHeaderPassesValidation: scheme('three of four seals are enough'),
      validatorsInNonAscendingOrderFailValidation: scheme('validators in another order'),
      mismatchingReportedValidatorsVsLocallyStoredListFailsValidation: scheme('a validator less'),
    },
  },
  'common/bft/headervalidationrules/BftVanityDataValidationRuleTest.java': {
    otherwise: scheme('a vanity of 31 bytes'),
  },
  'common/bft/network/ValidatorPeersTest.java': {
    names: {
      onlyValidatorsAreSentAMessage: heights('everything goes to all other validators'),
      ...same(
        host('two who call each other at once end with one stable connection'),
        'handlesDuplicateConnection',
        'handlesTransientDuplicateConnection',
      ),
      doesntSendToValidatorsWhichAreNotDirectlyConnected: transport(
        'a message to somebody who is away is dropped',
      ),
      onlyValidatorsAreSentAMessageNotInExcludes: heights(
        'of later rounds everything goes on, but not to its author or to who brought it',
      ),
    },
  },
  'common/bft/queries/BftQueryServiceImplTest.java': {
    names: {
      roundNumberFromBlockIsReturned: seal('a real Besu header of round 1'),
      getRoundNumberThrowsIfBlockIsNotOnTheChain: rpc('answers null above the head'),
      getSignersReturnsAddressesOfSignersInBlock: vector(
        'vectors/headers.json besu-qbft-block-7528',
      ),
      getSignersThrowsIfBlockIsNotOnTheChain: rpc('null for an unknown one'),
      consensusMechanismNameReturnedIsSameAsThatPassedDuringCreation: reason(
        'an interface for plug-ins of Besu: this node has none, and one consensus',
      ),
      getValidatorsReturnsAddresses: rpc('answers the set of the block, and for pending'),
    },
  },
  'common/bft/statemachine/FutureMessageBufferTest.java': {
    names: {
      addsFutureMessages: heights('of any kind wait, and tell that blocks are missing'),
      retrieveMessagesOnHeightWithNoMessagesReturnsEmptySet: heights(
        'sets the block timer and the heartbeat, and no round begins',
      ),
      retrieveMessagesDiscardsOldHeights: heights('are taken out for their own height only'),
      doNotAddFutureMessagesWhenBeyondMaxDistanceFromCurrentHeight: heights(
        'votes are kept up to its end, and not beyond',
      ),
      doNotAddMessageLessThanOrEqualToCurrentChainHeight: heights('of any kind change nothing'),
      doNotAddMessagesWhenLimitIsZero: reason(
        'the windows are constants of the protocol (CONSENSUS_LIMITS), not settings that could be 0',
      ),
      doNotMessageWhenMessageHeightIsHighestAndOverLimit: heights(
        'votes are kept up to its end, and not beyond',
      ),
      byteBudgetEvictsMessagesEvenWhenWellUnderCountLimit: heights(
        'what holds blocks is kept for the next height alone',
        'bytes are bounded by what is kept: one block of each author, and votes of 4 KiB at most',
      ),
      triggersHandlerWhenFutureMessageAreAdded: heights(
        'of any kind wait, and tell that blocks are missing',
      ),
    },
    otherwise: NO_TOTALS,
  },
  'common/jsonrpc/AbstractVoteProposerMethodTest.java': {
    names: {
      testConversionFromVoteTypeToBoolean: rpc('are proposed, shown and discarded'),
      methodNotEnabledWhenNoVoteProvider: rpc('a chain without QBFT knows none of these methods'),
    },
  },
  'common/validator/blockbased/ForkingVoteTallyCacheTest.java': {
    names: {
      emptyForkingValidatorMapResultsInValidatorsBeingReadFromPreviousHeader: validators(
        'votes of the blocks since the last epoch make the set',
      ),
      atHeadApiOperatesIdenticallyToUnderlyingApi: scheme('the set is the chain’s'),
    },
    otherwise: REFUSED.transitions,
  },
  'common/validator/blockbased/VoteProposerTest.java': {
    names: {
      emptyProposerReturnsNoVotes: operatorVotes('nothing at first: no vote goes into a block'),
      demoteVotes: operatorVotes('dropping a validator is voted for until it is out'),
      promoteVotes: operatorVotes('adding an address is voted for until it is in'),
      discardVotes: operatorVotes('what is discarded is not voted for any more'),
      getVoteCyclesAllOptions: operatorVotes('several wishes get a block each, in turns'),
      getVoteSkipsInvalidVotes: operatorVotes('wishes without effect are passed over'),
      revokesAuthVotesInTally: operatorVotes(
        'a vote to add a stranger is taken back by wanting it out',
      ),
      ...same(
        operatorVotes('without effect does not keep its opposite back'),
        'revokesDropVotesInTally',
        'revokesAuthVotesInTallyWhenValidatorIsInValidatorList',
      ),
      revokesDropVotesInTallyWhenValidatorIsInValidatorList: operatorVotes(
        'a vote to drop a validator is taken back by wanting it in',
      ),
    },
  },
  'common/validator/blockbased/VoteTallyCacheTest.java': {
    names: {
      exceptionThrownIfNoParentBlockExists: validators(
        'a header that is missing is the reader’s to report',
      ),
      integrationTestingVotesBeingApplied: validators(
        'votes of the blocks since the last epoch make the set',
      ),
    },
    otherwise: validators('goes back to the last block that it knows, and no further'),
  },
  'common/validator/blockbased/VoteTallyTest.java': {
    names: {
      ...Object.fromEntries(
        [
          'validatorsAreNotAddedBeforeRequiredVoteCountReached',
          'validatorAddedToListWhenMoreThanHalfOfProposersVoteToAdd',
          'validatorsAreAddedInCorrectOrder',
          'duplicateVotesFromSameProposerAreIgnored',
          'proposerChangingAddVoteToDropAfterLimitReachedPreservesAddVote',
          'clearVotesAboutAValidatorWhenItIsAdded',
          'resetVotes',
          'resetDropVotes',
          'validatorRemovedFromListWhenMoreThanHalfOfProposersVoteToDrop',
          'validatorsAreInCorrectOrderAfterRemoval',
          'proposerChangingDropVoteToAddBeforeLimitReachedDiscardsDropVote',
          'proposerChangingDropVoteToAddAfterLimitReachedPreservesDropVote',
          'removedValidatorsVotesAreDiscarded',
          'trackMultipleOngoingVotesIndependently',
        ].map((name) => [name, tally(name)]),
      ),
      proposerChangingAddVoteToDropBeforeLimitReachedDiscardsAddVote: validators(
        'who changes from add to drop in time no longer counts',
      ),
      requiresASingleVoteWhenThereIsOnlyOneValidator: validators('alone, one vote is enough'),
      requiresTwoVotesWhenThereAreTwoValidators: validators('of two, one vote is not enough'),
      validatorsAreNotRemovedBeforeRequiredVoteCountReached: validators(
        'half of the set does not drop',
      ),
      duplicateDropVotesFromSameProposerAreIgnored: validators(
        'the same voter counts once, to drop',
      ),
      clearVotesAboutAValidatorWhenItIsDropped: validators(
        'votes about an address are gone once it is dropped',
      ),
    },
  },
  'common/validator/blockbased/VoteTallyUpdaterTest.java': {
    names: {
      voteTallyUpdatedWithAddVote: validators('counts the vote of a block for its coinbase'),
      voteTallyNotUpdatedWhenBlockHasNoVoteSubject: validators(
        'a block without a vote changes nothing',
      ),
      outstandingVotesDiscardedWhenEpochReached: validators('an epoch clears all votes'),
      buildVoteTallyByExtractingValidatorsFromGenesisBlock: validators(
        'the first set stands in the genesis block',
      ),
      buildVoteTallyByExtractingValidatorsFromEpochBlock: validators(
        'the set of an epoch’s first block is read from it',
      ),
      addVotesFromBlocksAfterMostRecentEpoch: validators(
        'votes of the blocks since the last epoch make the set',
      ),
    },
  },
}
