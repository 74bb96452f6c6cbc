/** Answers for consensus/qbft-core and consensus/qbft. */

import {
  type Answers,
  chain,
  codec,
  genesis,
  heights,
  justification,
  REFUSED,
  reason,
  rhythm,
  rounds,
  rpc,
  runner,
  same,
  scheme,
  seal,
  step,
  sync,
  validators,
  vector,
  votes,
} from './answer.ts'

const ADAPTOR = reason(
  'a Java adaptor between two modules of Besu: the engine here works on the types of the ledger',
)
const WAITING = 'of any kind wait, and tell that blocks are missing'

export const QBFT: Answers = {
  'qbft/core/test/FutureHeightTest.java': {
    names: {
      messagesForFutureHeightAreBufferedUntilChainHeightCatchesUp: heights(
        'count when its head comes',
      ),
      messagesFromPreviousHeightAreDiscarded: heights('of any kind change nothing'),
      multipleNewChainHeadEventsDoesNotRestartCurrentHeightManager: heights(
        'a head again, or an older one, changes nothing',
      ),
      correctMessagesAreExtractedFromFutureHeightBuffer: heights(
        'are taken out for their own height only',
      ),
    },
  },
  'qbft/core/test/FutureRoundTest.java': {
    names: {
      messagesForFutureRoundAreNotActionedUntilRoundIsActive: rounds(
        'votes of a later round wait for its proposal, and count with it',
      ),
      priorRoundsCannotBeCompletedAfterReceptionOfNewRound: rounds(
        'votes of an earlier round complete nothing once a later one has begun',
      ),
    },
  },
  'qbft/core/test/GossipTest.java': {
    names: {
      gossipMessagesToPeers: heights(
        'of later rounds everything goes on',
        'passed on from round 1 on; in round 0 every author tells everybody itself',
      ),
      onlyGossipOnce: heights('once'),
      messageWithUnknownValidatorIsNotGossiped: heights('what is refused is not passed on'),
      messageIsNotGossipedToSenderOrCreator: heights(
        'of later rounds everything goes on, but not to its author or to who brought it',
      ),
      futureMessageIsNotGossipedImmediately: heights(
        'what waits for its height is passed on when that comes',
      ),
      previousHeightMessageIsNotGossiped: heights('what is of a decided height is not passed on'),
      futureMessageGetGossipedLater: heights(
        'what waits for its height is passed on when that comes',
      ),
    },
  },
  'qbft/core/test/LocalNodeIsProposerTest.java': {
    names: {
      basicCase: step('the proposer writes down what it says, before it says it'),
      importsToChainWithoutReceivingPrepareMessages: step(
        'uponCommit: decides at the quorum, seals sorted by address',
        'our own commit is none of the quorum before we are prepared',
      ),
      nodeDoesNotSendRoundChangeIfRoundTimesOutAfterBlockImportButBeforeNewBlock: votes(
        'no timer does anything: nobody leaves a round that has succeeded',
      ),
      nodeDoesNotSendCommitMessageAfterBlockIsImportedAndBeforeNewBlockEvent: votes(
        'no message does anything: no commit is said for what is decided',
      ),
    },
  },
  'qbft/core/test/LocalNodeNotProposerTest.java': {
    names: {
      preparesReceivedFromNonProposerIsValid: votes('that of any validator counts'),
      commitMessagesReceivedBeforePrepareCorrectlyImports: step(
        'our own commit counts when we are prepared, and not before',
      ),
    },
  },
  'qbft/core/test/ReceivedFutureProposalTest.java': {
    names: {
      proposalWithEmptyPrepareCertificatesOfferNewBlock: rounds(
        'with a new block and a quorum of round changes it begins that round',
      ),
      proposalFromIllegalSenderIsDiscardedAndNoPrepareForNewRoundIsSent: rounds(
        'of a validator that is not its proposer',
      ),
      proposalWithPrepareCertificateResultsInNewRoundStartingWithExpectedBlock: rounds(
        'with a prepared block it begins that round with this block',
      ),
      futureProposalWithInsufficientPreparesDoesNotTriggerNextRound: rounds(
        'with a prepared block and too few prepares',
      ),
      futureProposalWithInvalidPrepareDoesNotTriggerNextRound: rounds(
        'with a prepare of another block',
      ),
      proposalMessageForPriorRoundIsNotActioned: rounds('a proposal of an earlier round is late'),
      receiveRoundStateIsNotLostIfASecondProposalMessageIsReceivedForCurrentRound: rounds(
        'the same a second time is nothing new, and what was received stays',
      ),
    },
  },
  'qbft/core/test/RoundChangeTest.java': {
    names: {
      onRoundChangeTimerExpiryEventRoundChangeMessageIsSent: rounds(
        'nothing, if no proposal has come',
      ),
      roundChangeHasEmptyCertificateIfNoPrepareMessagesReceived: rounds(
        'nothing, if no proposal has come',
      ),
      roundChangeHasEmptyCertificateIfInsufficientPreparesAreReceived: rounds(
        'nothing, if fewer than a quorum have prepared',
      ),
      roundChangeHasPopulatedCertificateIfQuorumPrepareMessagesAndProposalAreReceived: rounds(
        'the block and its prepares, each author once, if a quorum has',
      ),
      whenSufficientRoundChangeMessagesAreReceivedForNewRoundLocalNodeCreatesProposalMsg: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      proposalMessageContainsBlockOnWhichPeerPrepared: rounds(
        'what a peer has prepared is proposed again, with its prepares',
      ),
      cannotRoundChangeToAnEarlierRound: rounds('to an earlier round than ours it begins nothing'),
      multipleRoundChangeMessagesFromSamePeerDoesNotTriggerRoundChange: rounds(
        'the same author counts once, however often it says it',
      ),
      subsequentRoundChangeMessagesFromPeerDoNotOverwritePriorMessage: rounds(
        'the first claim of a round stands; another one is evidence',
      ),
      messagesFromPreviousRoundAreDiscardedOnTransitionToFutureRound: rounds(
        'votes of an earlier round complete nothing once a later one has begun',
      ),
      roundChangeExpiryForNonCurrentRoundIsDiscarded: rounds(
        'a timer of another round or height changes nothing',
      ),
      illegallyConstructedRoundChangeMessageIsDiscarded: rounds(
        'whose block is another than it claims',
      ),
      roundChangeUpdatedBlockProposerIsValidAndPrepareIsTransmitted: step(
        'is proposed again in the next round, by another proposer, under its own name',
        'the coinbase stays that of who made the block: it is part of its name',
      ),
    },
  },
  'qbft/core/test/SpuriousBehaviourTest.java': {
    names: {
      ...same(
        runner('bytes that are no message are a severe fault of their sender'),
        'badlyFormedRlpDoesNotPreventOngoingBftOperation',
        'messageWithIllegalMessageCodeAreDiscardedAndDoNotPreventOngoingBftOperation',
      ),
      nonValidatorsCannotTriggerResponses: heights('moves nobody, whatever it says'),
      preparesWithMisMatchedDigestAreNotRespondedTo: votes('prepare of another block'),
      oneCommitSealIsIllegalPreventsImport: votes('commit with another validator’s seal'),
    },
  },
  'qbft/core/test/TransitionsTest.java': { otherwise: REFUSED.transitions },
  'qbft/core/test/ValidatorContractTest.java': { otherwise: REFUSED.contract },
  'qbft/core/test/round/QbftRoundIntegrationTest.java': {
    otherwise: runner(
      'ends where the key fails: the node stops, and says why',
      'a validator whose key fails stops with a clear error instead of following in silence',
    ),
  },
  'qbft/core/messagewrappers/CommitTest.java': { otherwise: codec('comes back as it was') },
  'qbft/core/messagewrappers/PrepareTest.java': { otherwise: codec('comes back as it was') },
  'qbft/core/messagewrappers/ProposalTest.java': {
    names: {
      canRoundTripProposalMessage: codec('comes back as it was'),
      canDecodeProposalMessageFromLegacyNodeWithoutBlockAccessList: vector(
        'qbft-vectors proposal_round1_justified_legacy3',
      ),
    },
    otherwise: codec('a proposal has an access list as fourth item'),
  },
  'qbft/core/messagewrappers/RoundChangeTest.java': {
    names: {
      canRoundTripARoundChangeMessage: codec('comes back as it was'),
      canRoundTripEmptyPreparedRoundAndPreparedList: codec('a claim of nothing is an empty list'),
      canDecodeRoundChangeFromLegacyNodeWithoutBlockAccessList: vector(
        'qbft-vectors roundChange_round1_unprepared_legacy3',
      ),
      canDecodeLegacyRoundChangeWithNonEmptyPrepares: vector(
        'qbft-vectors roundChange_round1_prepared0_legacy3',
      ),
    },
    otherwise: codec('a round change has one outside its signature, or three items'),
  },
  'qbft/core/payload/QbftPayloadTest.java': {
    names: {
      roundAndSequenceAreEncodedAsScalars: codec(
        'height, round and prepared round are numbers without leading zeros',
      ),
      readingConsensusRoundExpectsScalarValues: codec('a round with a leading zero'),
    },
  },
  'qbft/core/statemachine/QbftBlockHeightManagerTest.java': {
    names: {
      ...same(
        heights('sets the block timer and the heartbeat, and no round begins'),
        'startsABlockTimerOnStart',
        'doesNotStartRoundTimerOnStart',
      ),
      onBlockTimerExpiryRoundTimerIsStartedAndProposalMessageIsTransmitted: step(
        'the proposer writes down what it says, before it says it',
      ),
      onBlockTimerExpiryForNonProposerWithPendingTransactionsKeepsRoundTimerRunning: heights(
        'begins round 0 with its timer on all validators when there is work',
      ),
      onBlockTimerExpiryForProposerWithEmptyBlock_ResetsTimerWhenPeriodNotExpired: heights(
        'without work it begins nothing, and the heartbeat does',
        'no empty block is built to be thrown away: a round begins when there is work',
      ),
      onBlockTimerExpiryForProposerWithEmptyBlock_ProducesBlockWhenPeriodExpired: rhythm(
        'makes an empty block each heartbeat while idle',
      ),
      onBlockTimerExpiryForProposerWithNonEmptyBlock_ProducesBlockImmediately: rhythm(
        'makes a block as soon as a transaction waits, and none before',
      ),
      onBlockTimerExpiryDoNothingIfExistingRoundAlreadyStarted: heights(
        'in a round that has begun it does nothing',
      ),
      onRoundChangeReceptionRoundChangeManagerIsInvokedAndNewRoundStarted: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      onRoundTimerExpiryANewRoundIsCreatedWithAnIncrementedRoundNumber: rounds(
        'nothing, if no proposal has come',
      ),
      whenSufficientRoundChangesAreReceivedAProposalMessageIsTransmitted: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      messagesForFutureRoundsAreBufferedAndUsedToPreloadNewRoundWhenItIsStarted: rounds(
        'votes of a later round wait for its proposal, and count with it',
      ),
      messagesForCurrentRoundAreBufferedAndUsedToPreloadRoundWhenItIsStarted: heights(
        'count when its head comes',
      ),
      preparedCertificateIncludedInRoundChangeMessageOnRoundTimeoutExpired: rounds(
        'the block and its prepares, each author once, if a quorum has',
      ),
      illegalFutureRoundProposalDoesNotTriggerNewRound: rounds('with too few round changes'),
      checkOnlyEmptyBlockPeriodSecondsIsInvokedForBlocksWithNoTransactions: rhythm(
        'makes an empty block each heartbeat while idle, counted from the last block',
        'the time to an empty block is the heartbeat of the node, not a setting of the chain',
      ),
      roundChangeTriggeredUponReceivingFPlusOneRoundChanges: step(
        'f + 1 round changes are followed at once, whatever the own timer says',
      ),
    },
  },
  'qbft/core/statemachine/QbftControllerTest.java': {
    names: {
      createsNewBlockHeightManagerWhenStarted: heights(
        'sets the block timer and the heartbeat, and no round begins',
      ),
      ...same(
        heights('count when its head comes'),
        'startsNewBlockHeightManagerAndReplaysFutureMessages',
        'createsNewBlockHeightManagerAndReplaysFutureMessagesOnNewChainHeadEvent',
      ),
      newBlockForCurrentOrPreviousHeightTriggersNoChange: heights(
        'a head again, or an older one, changes nothing',
      ),
      handlesRoundExpiry: rounds('nothing, if no proposal has come'),
      handlesBlockTimerExpiry: heights('begins round 0 with its timer on all validators'),
      proposalForCurrentHeightIsPassedToBlockHeightManager: rounds(
        'that of the proposer is checked and voted for',
      ),
      prepareForCurrentHeightIsPassedToBlockHeightManager: step('uponPrepare: sends a commit'),
      commitForCurrentHeightIsPassedToBlockHeightManager: step('uponCommit: decides at the quorum'),
      roundChangeForCurrentHeightIsPassedToBlockHeightManager: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      ...same(
        heights('of any kind change nothing'),
        'proposalForPastHeightIsDiscarded',
        'prepareForPastHeightIsDiscarded',
        'commitForPastHeightIsDiscarded',
        'roundChangeForPastHeightIsDiscarded',
      ),
      ...same(
        heights('timers of it change nothing'),
        'roundExpiryForPastHeightIsDiscarded',
        'blockTimerForPastHeightIsDiscarded',
        'blockTimerForHeightBelowChainHeadIsDiscarded',
      ),
      blockTimerForAlreadyImportedHeightIsDiscarded: votes(
        'no timer does anything: nobody leaves a round that has succeeded',
      ),
      ...same(
        heights('moves nobody, whatever it says'),
        'proposalForUnknownValidatorIsDiscarded',
        'prepareForUnknownValidatorIsDiscarded',
        'commitForUnknownValidatorIsDiscarded',
        'roundChangeForUnknownValidatorIsDiscarded',
      ),
      ...same(
        heights(WAITING),
        'proposalForFutureHeightIsBuffered',
        'prepareForFutureHeightIsBuffered',
        'commitForFutureHeightIsBuffered',
        'roundChangeForFutureHeightIsBuffered',
      ),
      ...same(
        votes('the same again counts once'),
        'duplicatedMessagesAreNotProcessed',
        'uniqueMessagesAreAddedAsSeen',
      ),
      messagesWhichAreAboveHeightManagerButBelowBlockChainLengthAreDiscarded: votes(
        'no message does anything: no commit is said for what is decided',
        'the engine hears of each block as its head: between the two no message counts',
      ),
      heightManagerCanOnlyBeStartedOnceIfNotStopped: reason(
        'a height begins by its head and by nothing else: there is no manager that could be started twice',
      ),
      heightManagerCanBeRestartedIfStopped: step(
        'survives a restart, with everything that was said',
      ),
    },
  },
  'qbft/core/statemachine/QbftRoundTest.java': {
    names: {
      onConstructionRoundTimerIsStarted: heights(
        'begins round 0 with its timer on all validators when there is work',
      ),
      onReceptionOfValidProposalSendsAPrepareToNetworkPeers: step(
        'uponProposal: another validator checks the block, writes its vote down, and prepares',
      ),
      aProposalWithAnewBlockIsSentUponReceptionOfARoundChangeWithNoCertificate: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      aProposalMessageWithTheSameBlockIsSentUponReceptionOfARoundChangeWithCertificate: rounds(
        'what a peer has prepared is proposed again, with its prepares',
      ),
      creatingNewBlockFromEmptyPreparedCertificateUpdatesInternalState: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      ...same(
        votes('a quorum of them before the proposal decides when it comes, once'),
        'blockIsOnlyImportedOnceWhenCommitsAreReceivedBeforeProposal',
        'blockIsImportedOnlyOnceIfQuorumCommitsAreReceivedPriorToProposal',
      ),
      exceptionDuringNodeKeySigningDoesNotEscape: runner(
        'ends where the key fails: the node stops, and says why',
        'a validator whose key fails stops with a clear error instead of following in silence',
      ),
    },
  },
  'qbft/core/statemachine/RoundStateTest.java': {
    names: {
      defaultRoundIsNotPreparedOrCommittedAndHasNoPreparedCertificate: votes(
        'a height begins unprepared and undecided',
      ),
      ifProposalMessageFailsValidationMethodReturnsFalse: rounds(
        'a block that names another round is refused',
      ),
      singleValidatorRequiresCommitMessageToBeCommitted: votes(
        'a validator that is alone decides its block at once',
      ),
      prepareMessagesCanBeReceivedPriorToProposal: votes(
        'before a proposal any are kept, and afterwards those of its block',
      ),
      invalidPriorPrepareMessagesAreDiscardedUponSubsequentProposal: votes(
        'before a proposal any are kept, and afterwards those of its block',
      ),
      invalidPriorCommitMessagesAreDiscardedUponSubsequentProposal: votes(
        'those before the proposal count only with its digest and their author’s seal',
      ),
      prepareMessageIsValidatedAgainstExistingProposal: votes('prepare of another block'),
      commitSealsAreExtractedFromReceivedMessages: votes(
        'the seals of a decided block are those of the commits, sorted by author',
      ),
      duplicatePreparesAreNotIncludedInRoundChangeMessage: rounds(
        'the block and its prepares, each author once, if a quorum has',
      ),
    },
  },
  'qbft/core/validation/CommitValidatorTest.java': {
    names: {
      commitIsValidIfItMatchesExpectedValues: step('uponCommit: decides at the quorum'),
      commitSignedByANonValidatorFails: votes('commit of a stranger'),
      commitForWrongRoundFails: votes('one of the next round or height is not one of this'),
      commitForWrongSequenceFails: votes('commit of an earlier height'),
      commitWithWrongDigestFails: votes('commit of another block'),
      commitWithMismatchedSealFails: votes('commit with another validator’s seal'),
    },
  },
  'qbft/core/validation/PrepareValidatorTest.java': {
    names: {
      prepareIsValidIfItMatchesExpectedValues: step('uponPrepare: sends a commit'),
      prepareSignedByANonValidatorFails: votes('prepare of a stranger'),
      prepareForWrongRoundFails: votes('one of the next round or height is not one of this'),
      prepareForWrongSequenceFails: votes('prepare of an earlier height'),
      prepareWithWrongDigestFails: votes('prepare of another block'),
    },
  },
  'qbft/core/validation/ProposalPayloadValidatorTest.java': {
    names: {
      validationPassesWhenProposerAndRoundMatchAndBlockIsValid: rounds(
        'that of the proposer is checked and voted for',
      ),
      validationPassesWhenBlockRoundDoesNotMatchProposalRound: rounds(
        'a block that names another round is refused',
        'the round in the block must be the proposal’s, as in the specification',
      ),
      validationFailsWhenBlockFailsValidation: step(
        'a block that the chain refuses ends the round at once, and counts against its author',
      ),
      validationFailsWhenExpectedProposerDoesNotMatchPayloadsAuthor: rounds(
        'that of another validator is refused',
      ),
      validationFailsWhenMessageMismatchesExpectedRound: rounds(
        'a proposal of an earlier round is late',
      ),
      validationFailsWhenMessageMismatchesExpectedHeight: rounds(
        'one of a height that is decided is refused',
      ),
      validationFailsForBlockWithIncorrectHeight: rounds(
        'a block of another height than the message’s is refused',
      ),
    },
  },
  'qbft/core/validation/ProposalValidatorTest.java': {
    names: {
      validationPassesForRoundZeroWithNoPiggybackedPayloads: justification('needs nothing'),
      validationFailsIfBlockIsInvalid: step(
        'a block that the chain refuses ends the round at once',
      ),
      validationFailsIfRoundZeroHasNonEmptyPrepares: justification('with prepares is refused'),
      validationFailsIfRoundZeroHasNonEmptyRoundChanges: justification(
        'with round changes is refused',
      ),
      validationPassesAtNonRoundZeroIfSufficientEmptyRoundChangesMatchTargetRound: justification(
        'needs a quorum of round changes to that round',
      ),
      validationPassesWhenProposerIsUpdatedDuringRoundChangeValidation: rounds(
        'with a prepared block it begins that round with this block',
      ),
      validationFailsAtNonRoundZeroIfInsufficientRoundChangesExist:
        justification('is refused with too few'),
      validationFailsIfPiggybackedRoundChangePayloadIsFromNonValidation: justification(
        'is refused if one of them is no validator’s',
      ),
      validationFailsIfPiggybackedRoundChangePayloadHasDuplicatedAuthors: justification(
        'is refused if one author stands for two',
      ),
      validationFailsIfRoundChangePayloadsTargetADifferentRoundToProposal: justification(
        'is refused if one is to a higher round',
      ),
      validationFailsIfRoundChangePayloadsTargetADifferentHeightToProposal: justification(
        'is refused if one is of another height',
      ),
      validationFailsIfBlockHashInLatestPreparedMetadataDoesNotMatchProposedBlock: justification(
        'is refused if it is not the one that was prepared',
      ),
      validationFailsIfPreparesAreNonEmptyButNoRoundChangeHasPreparedMetadata: justification(
        'is refused with prepares that nobody claims',
      ),
      validationFailsIfPiggybackedPreparePayloadIsFromNonValidator: justification(
        'is refused if a prepare is no validator’s',
      ),
      validationFailsIfPiggybackedPreparePayloadHasDuplicatedAuthors: justification(
        'is refused if one author stands for two prepares',
      ),
      validationFailsIfInsufficientPiggybackedPreparePayloads: justification(
        'is refused with too few prepares',
      ),
      validationFailsIfPreparePayloadsDoNotMatchMetadataInRoundChanges: justification(
        'is refused if a prepare is of another round',
      ),
      validationFailsIfPreparePayloadsDoNotMatchBlockHashInRoundChanges: justification(
        'is refused if a prepare names another block',
      ),
      validationFailsIfTwoRoundChangesArePreparedOnSameRoundDifferentBlock: justification(
        'is refused if two claims of one round name different blocks',
      ),
    },
  },
  'qbft/core/validation/RoundChangeMessageValidatorTest.java': {
    names: {
      roundChangeWithNoPiggyBackedDataIsValid: justification(
        'one that claims nothing needs nothing',
      ),
      roundChangeWithValidPiggyBackDataIsValid: justification(
        'one with a block and a quorum of prepares is proven',
      ),
      roundChangeWithBlockRoundMismatchingPreparesIsValid: justification(
        'a block that names another round than the claim is refused',
        'the block is brought with the round in which it was prepared, so that its digest is the one of the prepares',
      ),
      blockIsInvalidFailsValidation: rounds(
        'a block that the chain refuses is not taken for prepared by being claimed',
        'a prepared block is executed when it is proposed, not with each round change that brings it',
      ),
      invalidEmbeddedPayloadFailsValidation: rounds(
        'that has prepared in the round which it wants',
      ),
      insufficientPiggyBackedPrepareMessagesIsInvalid: justification(
        'too few prepares are refused',
      ),
      prepareFromNonValidatorFails: justification('a prepare of a stranger is refused'),
      validationFailsIfPreparedMetadataContainsDifferentRoundToBlock: justification(
        'a block that names another round than the claim is refused',
      ),
      validationFailsIfPreparesContainsDifferentRoundToBlock: justification(
        'a prepare of another round is refused',
      ),
      validationFailsIfPreparesContainsWrongHeight: justification(
        'a prepare of another height is refused',
      ),
      validationFailsIfPreparesHaveDuplicateAuthors: justification(
        'one author that stands for two is refused',
      ),
      validationFailsIfBlockExistsButNotPreparedMetadata: justification(
        'a block without a claim is refused',
      ),
      validationFailsIfBlockHashDoesNotMatchPreparedMetadata: justification(
        'another block than was claimed is refused',
      ),
    },
  },
  'qbft/core/validation/RoundChangePayloadValidatorTest.java': {
    names: {
      roundChangeIsValidIfItMatchesExpectedValues: justification(
        'one with a block and a quorum of prepares is proven',
      ),
      roundChangePayloadWithMissingPreparedMetadataIsValid: justification(
        'one that claims nothing needs nothing',
      ),
      roundChangePayloadSignedByNonValidatorFails: rounds('by a stranger'),
      roundChangeForFutureHeightFails: heights(WAITING),
      roundChangeForPriorHeightFails: heights('of any kind change nothing'),
      roundChangeWithMatchingTargetAndPrepareFails: rounds(
        'that has prepared in the round which it wants',
      ),
      roundChangeWithPreparedRoundInTheFutureFails: rounds('that has prepared in a round to come'),
      roundChangeWithZeroTargetRoundFails: rounds('to round 0'),
      roundChangeWithExcessiveTargetRoundFails: rounds('above the highest round'),
      roundChangeAtMaxAllowedRoundPasses: rounds('the highest round has no next one'),
    },
  },
  'consensus/qbft/FutureMessageSynchronizerHandlerTest.java': { otherwise: heights(WAITING) },
  'consensus/qbft/MutableQbftConfigOptionsTest.java': {
    names: { getValidatorContractAddressNormalization: REFUSED.contract },
    otherwise: genesis('reads QBFT settings and their transitions'),
  },
  'consensus/qbft/QbftBlockHeaderValidationRulesetFactoryTest.java': {
    names: {
      bftValidateHeaderPasses: scheme('three of four seals are enough'),
      bftValidateHeaderPassesWithBaseFee: chain('what was built can be executed by another node'),
      bftValidateHeaderFailsWhenExtraDataDoesntContainValidatorList: scheme('a validator less'),
      bftValidateHeaderFailsOnCoinbaseData: scheme('a coinbase outside the set'),
      bftValidateHeaderIgnoresNonceValue: scheme(
        'nonce',
        'the nonce is part of the hash, so another one is refused',
      ),
      bftValidateHeaderFailsOnTimestamp: chain(
        'a block that keeps no distance from its parent is refused',
      ),
      bftValidateHeaderFailsOnMixHash: scheme('another mix hash'),
      bftValidateHeaderIgnoresOmmersValue: scheme(
        'an ommers hash',
        'no rule gives ommers a meaning here, so they are refused',
      ),
      bftValidateHeaderFailsOnDifficulty: scheme('a difficulty other than 1'),
      bftValidateHeaderFailsOnAncestor: chain('parent'),
      bftValidateHeaderFailsOnGasUsage: chain('gas used'),
      bftValidateHeaderFailsOnGasLimitRange: chain('gas limit'),
    },
  },
  'consensus/qbft/QbftExtraDataCodecTest.java': {
    names: {
      correctlyCodedRoundConstitutesValidContent: vector(
        'vectors/extra-data.json besu-two-byte-round',
      ),
      incorrectlyEncodedRoundThrowsRlpException: vector(
        'vectors/extra-data.json besu-reject-bare-vote-and-leading-zero-round',
      ),
      ...same(
        vector('vectors/extra-data.json besu-null-vote'),
        'nullVoteAndListConstituteValidContent',
        'emptyVoteAndListIsEncodedCorrectly',
      ),
      ...same(
        seal('encodes and decodes to the same'),
        'emptyListConstituteValidContent',
        'emptyListsAreEncodedAndDecodedCorrectly',
      ),
      ...same(
        vector('vectors/extra-data.json besu-known-raw'),
        'fullyPopulatedDataProducesCorrectlyFormedExtraDataObject',
        'fullyPopulatedDataIsEncodedAndDecodedCorrectly',
        'encodingMatchesKnownRawHexString',
        'decodingOfKnownRawHexStringMatchesKnowExtraDataObject',
      ),
      extraDataCanBeEncodedWithoutCommitSeals: vector('vectors/extra-data.json besu-without-seals'),
      extraDataCanBeEncodedWithoutCommitSealsOrRoundNumber: vector(
        'vectors/extra-data.json besu-without-seals-or-round',
      ),
      incorrectlyStructuredRlpThrowsException: seal('what is not canonical, or has an item more'),
      incorrectVoteTypeThrowsException: vector('vectors/extra-data.json besu-reject-vote-type'),
      emptyExtraDataThrowsException: vector('vectors/extra-data.json besu-reject-empty'),
    },
  },
  'consensus/qbft/QbftProtocolScheduleBuilderTest.java': {
    otherwise: REFUSED.gasOfTransactions,
  },
  'consensus/qbft/QbftProtocolScheduleTest.java': {
    names: {
      contractModeTransitionsCreatesContractModeHeaderValidators: REFUSED.contract,
      blockModeTransitionsCreatesBlockModeHeaderValidators: REFUSED.transitions,
      poaBlockTxsSelectionMaxTimeAppliesWhenShanghaiOrLaterForkIsConfigured: chain(
        'is cut short when time is up',
      ),
    },
  },
  'qbft/adaptor/AdaptorUtilTest.java': { otherwise: ADAPTOR },
  'qbft/adaptor/BftEventHandlerAdaptorTest.java': { otherwise: ADAPTOR },
  'qbft/adaptor/QbftBlockCodecAdaptorTest.java': { otherwise: codec('comes back as it was') },
  'qbft/adaptor/QbftBlockCreatorAdaptorTest.java': {
    names: {
      createsBlockUsingBesuBlockCreator: chain('what was built can be executed by another node'),
      createsSealedBlockWithRoundAndSeals: scheme('seals of another round do not count'),
    },
  },
  'qbft/adaptor/QbftBlockCreatorFactoryAdaptorTest.java': { otherwise: ADAPTOR },
  'qbft/adaptor/QbftBlockHeaderAdaptorTest.java': { otherwise: ADAPTOR },
  'qbft/adaptor/QbftBlockImporterAdaptorTest.java': {
    names: {
      importsBlockSuccessfullyWhenBesuBlockImports: chain(
        'what was built can be executed by another node',
      ),
    },
    otherwise: runner('a block that the chain has is fine to import again'),
  },
  'qbft/adaptor/QbftBlockInterfaceAdaptorTest.java': {
    names: {
      replacesRoundForCommitBlock: seal('seals and round do not change the on-chain hash'),
      replacesRoundOnlyForProposalBlock: step('inRound keeps the name and changes the digest'),
    },
  },
  'qbft/adaptor/QbftBlockValidatorAdaptorTest.java': {
    names: {
      validateSuccessfullyWhenBesuValidatorSuccessful: chain(
        'what was built can be executed by another node',
      ),
      validateFailsWhenBesuValidatorFails: chain('a wrong %s is refused, and harms nothing'),
    },
  },
  'qbft/adaptor/QbftBlockchainAdaptorTest.java': { otherwise: ADAPTOR },
  'qbft/adaptor/QbftProtocolScheduleAdaptorTest.java': { otherwise: ADAPTOR },
  'qbft/adaptor/QbftReceivedMessageEventAdaptorTest.java': { otherwise: ADAPTOR },
  'qbft/adaptor/QbftValidatorModeTransitionLoggerAdaptorTest.java': {
    otherwise: REFUSED.transitions,
  },
  'qbft/adaptor/QbftValidatorProviderAdaptorTest.java': {
    names: {
      returnsValidatorsAfterBlock: scheme('the set is the chain’s'),
      returnsValidatorsForBlock: rpc('answers the set of the block, and for pending'),
    },
  },
  'qbft/blockcreation/QbftBlockCreatorFactoryTest.java': { otherwise: REFUSED.contract },
  'qbft/headervalidationrules/QbftValidatorsValidationRuleTest.java': {
    names: { validationIsDelegatedWhenConstructorFlagIsFalse: scheme('a validator more') },
    otherwise: REFUSED.contract,
  },
  'qbft/jsonrpc/methods/QbftDiscardValidatorVoteTest.java': {
    names: {
      ...same(
        rpc('are discarded by an address and nothing else'),
        'exceptionWhenNoParamsSupplied',
        'exceptionWhenInvalidAddressParameterSupplied',
      ),
      methodNotEnabledWhenNoVoteProvider: rpc('a chain without QBFT knows none of these methods'),
    },
    otherwise: rpc('are proposed, shown and discarded'),
  },
  'qbft/jsonrpc/methods/QbftGetPendingVotesTest.java': {
    otherwise: rpc('are proposed, shown and discarded'),
  },
  'qbft/jsonrpc/methods/QbftGetRequestTimeoutSecondsTest.java': {
    otherwise: rpc('qbft_getRequestTimeoutSeconds is a plain number'),
  },
  'qbft/jsonrpc/methods/QbftGetSignerMetricsTest.java': {
    names: {
      ...same(
        rpc('refuses bounds that are no blocks'),
        'exceptionWhenInvalidStartBlockSupplied',
        'exceptionWhenInvalidEndBlockSupplied',
      ),
      getSignerMetricsWhenNoParams: rpc(
        'looks at a hundred blocks before the head without a range',
      ),
      getSignerMetricsWhenThereAreFewerBlocksThanTheDefaultRange: rpc(
        'names validators that proposed nothing, and not the maker of the genesis block',
      ),
      getSignerMetricsWithLatest: rpc('ends at the head whatever is asked for'),
      ...same(
        rpc('takes earliest and pending for the first block and the head'),
        'getSignerMetricsWithPending',
        'getSignerMetricsWithEarliest',
      ),
    },
    otherwise: rpc('counts who proposed from a block up to, not including, another'),
  },
  'qbft/jsonrpc/methods/QbftGetValidatorsByBlockHashTest.java': {
    otherwise: rpc('qbft_getValidatorsByBlockHash answers the set of the block'),
  },
  'qbft/jsonrpc/methods/QbftGetValidatorsByBlockNumberTest.java': {
    names: { blockParameterIsParameter0: rpc('answers null above the head, and refuses') },
    otherwise: rpc('answers the set of the block, and for pending that of the next'),
  },
  'qbft/jsonrpc/methods/QbftProposeValidatorVoteTest.java': {
    names: {
      ...same(
        rpc('need an address and a choice'),
        'exceptionWhenNoParamsSupplied',
        'exceptionWhenNoAuthSupplied',
        'exceptionWhenNoAddressSupplied',
        'exceptionWhenInvalidBoolParameterSupplied',
      ),
      methodNotEnabledWhenNoVoteProvider: rpc('a chain without QBFT knows none of these methods'),
    },
    otherwise: rpc('are proposed, shown and discarded'),
  },
  'qbft/protocol/Istanbul100SubProtocolTest.java': {
    names: {
      messageSpaceReportsCorrectly: codec('a code above the last'),
      allIbftMessageTypesAreRecognisedAsValidByTheSubProtocol: codec('comes back as it was'),
      invalidMessageTypesAreNotAcceptedByTheSubprotocol: codec('a code below the first'),
    },
  },
  'qbft/sync/QbftPivotSelectorTest.java': {
    names: {
      returnNoSyncRequiredIfOnlyValidatorAndNoPeers: rhythm(
        'makes a block as soon as a transaction waits, and none before',
      ),
    },
    otherwise: sync(
      'asks nobody while nobody is known to be ahead',
      'a node without peers that are ahead is not synchronising: there is nothing to choose',
    ),
  },
  'qbft/validator/ForkingValidatorProviderTest.java': {
    names: {
      usesInitialValidatorProviderWhenNoForks: validators(
        'the first set stands in the genesis block',
      ),
    },
    otherwise: REFUSED.transitions,
  },
  'qbft/validator/QbftForksSchedulesFactoryTest.java': {
    otherwise: REFUSED.transitions,
  },
  'qbft/validator/TransactionValidatorProviderTest.java': { otherwise: REFUSED.contract },
  'qbft/validator/ValidatorContractControllerTest.java': { otherwise: REFUSED.contract },
  'qbft/validator/ValidatorModeTransitionLoggerTest.java': { otherwise: REFUSED.transitions },
}
