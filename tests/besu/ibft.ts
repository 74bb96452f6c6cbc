/**
 * Answers for consensus/ibft: IBFT 2.0, whose messages this node does not speak. Its situations are
 * those of QBFT nearly everywhere, so they have the answers of the QBFT files.
 */

import {
  type Answers,
  chain,
  codec,
  heights,
  justification,
  REFUSED,
  rounds,
  runner,
  same,
  scheme,
  step,
  vector,
  votes,
} from './answer.ts'

const PREPARES =
  'a proposer of QBFT prepares like the others: IBFT 2.0 took its proposal for its prepare'
const OWN_FORM = 'the encoding of QBFT, which is the one spoken here'
const roundTrip = codec('comes back as it was', OWN_FORM)
const isForm = (name: string) => codec(name, OWN_FORM)
const PROPOSAL_FORM = isForm('a proposal has an access list as fourth item')
const ROUND_CHANGE_FORM = isForm('a round change has one outside its signature, or three items')
const WRONG_CODE = codec('a prepare under the code of a commit')

export const IBFT: Answers = {
  'ibft/tests/FutureHeightTest.java': { like: 'qbft/core/test/FutureHeightTest.java' },
  'ibft/tests/FutureRoundTest.java': { like: 'qbft/core/test/FutureRoundTest.java' },
  'ibft/tests/GossipTest.java': { like: 'qbft/core/test/GossipTest.java' },
  'ibft/tests/LocalNodeIsProposerTest.java': {
    like: 'qbft/core/test/LocalNodeIsProposerTest.java',
  },
  'ibft/tests/LocalNodeNotProposerTest.java': {
    like: 'qbft/core/test/LocalNodeNotProposerTest.java',
    names: {
      basicCase: step(
        'uponProposal: another validator checks the block, writes its vote down, and prepares',
      ),
      prepareFromProposerIsIgnored: votes('that of any validator counts', PREPARES),
    },
  },
  'ibft/tests/ReceivedFutureProposalTest.java': {
    like: 'qbft/core/test/ReceivedFutureProposalTest.java',
  },
  'ibft/tests/RoundChangeTest.java': { like: 'qbft/core/test/RoundChangeTest.java' },
  'ibft/tests/SpuriousBehaviourTest.java': {
    like: 'qbft/core/test/SpuriousBehaviourTest.java',
    names: {
      ...same(
        runner('bytes that are no message are a severe fault of their sender'),
        'badlyFormedRlpDoesNotPreventOngoingIbftOperation',
        'messageWithIllegalMessageCodeAreDiscardedAndDoNotPreventOngoingIbftOperation',
      ),
      preparesWithMisMatchedDigestAreNotRepondedTo: votes('prepare of another block'),
    },
  },
  'ibft/tests/TransitionsTest.java': { like: 'qbft/core/test/TransitionsTest.java' },
  'ibft/tests/round/IbftRoundIntegrationTest.java': {
    like: 'qbft/core/test/round/QbftRoundIntegrationTest.java',
  },
  'ibft/BftBlockHashingTest.java': {
    names: {
      testCalculateHashOfIbft2BlockOnchain: vector('qbft-vectors block 1 round1'),
      testRecoverCommitterAddresses: vector('vectors/headers.json besu-qbft-block-7528'),
      testCalculateDataHashForCommittedSeal: vector('qbft-vectors real header'),
    },
  },
  'ibft/IbftBlockHeaderValidationRulesetFactoryTest.java': {
    like: 'consensus/qbft/QbftBlockHeaderValidationRulesetFactoryTest.java',
    names: {
      bftValidateHeaderFailsOnExtraData: scheme('validators in another order'),
      bftValidateHeaderFailsOnNonce: scheme('nonce'),
      bftValidateHeaderFailsOnOmmers: scheme('an ommers hash'),
    },
  },
  'ibft/IbftExtraDataRLPEncoderTest.java': {
    like: 'consensus/qbft/QbftExtraDataCodecTest.java',
    names: {
      extraDataCanBeEncodedwithoutCommitSealsOrRoundNumber: vector(
        'vectors/extra-data.json besu-without-seals-or-round',
      ),
    },
  },
  'ibft/IbftForksSchedulesFactoryTest.java': {
    like: 'qbft/validator/QbftForksSchedulesFactoryTest.java',
  },
  'ibft/IbftGossipTest.java': {
    otherwise: heights(
      'of later rounds everything goes on, but not to its author or to who brought it',
    ),
  },
  'ibft/IbftProtocolScheduleTest.java': {
    like: 'consensus/qbft/QbftProtocolScheduleTest.java',
    names: { enforcesConfiguredTransactionGasLimit: REFUSED.gasOfTransactions },
  },
  'ibft/blockcreation/BftBlockCreatorTest.java': {
    names: {
      createdBlockPassesValidationRulesAndHasAppropriateHashAndMixHash: chain(
        'what was built can be executed by another node, byte for byte',
      ),
      createdBlockCheckEmptyCustomMiningBeneficiaryReturnsHeaderCoinbase: justification(
        'with a block of another maker is refused',
      ),
    },
    otherwise: REFUSED.beneficiary,
  },
  'ibft/jsonrpc/methods/IbftDiscardValidatorVoteTest.java': {
    like: 'qbft/jsonrpc/methods/QbftDiscardValidatorVoteTest.java',
  },
  'ibft/jsonrpc/methods/IbftGetPendingVotesTest.java': {
    like: 'qbft/jsonrpc/methods/QbftGetPendingVotesTest.java',
  },
  'ibft/jsonrpc/methods/IbftGetSignerMetricsTest.java': {
    like: 'qbft/jsonrpc/methods/QbftGetSignerMetricsTest.java',
  },
  'ibft/jsonrpc/methods/IbftGetValidatorsByBlockHashTest.java': {
    like: 'qbft/jsonrpc/methods/QbftGetValidatorsByBlockHashTest.java',
  },
  'ibft/jsonrpc/methods/IbftGetValidatorsByBlockNumberTest.java': {
    like: 'qbft/jsonrpc/methods/QbftGetValidatorsByBlockNumberTest.java',
  },
  'ibft/jsonrpc/methods/IbftProposeValidatorVoteTest.java': {
    like: 'qbft/jsonrpc/methods/QbftProposeValidatorVoteTest.java',
  },
  'ibft/messagedata/CommitMessageTest.java': {
    names: { createMessageFailsWhenIncorrectMessageCode: WRONG_CODE },
    otherwise: roundTrip,
  },
  'ibft/messagedata/PrepareMessageTest.java': {
    names: { createMessageFailsWhenIncorrectMessageCode: WRONG_CODE },
    otherwise: roundTrip,
  },
  'ibft/messagedata/ProposalMessageTest.java': {
    names: {
      createMessageFailsWhenIncorrectMessageCode: codec('a prepare under the code of a proposal'),
      ...same(
        roundTrip,
        'createMessageFromPrePrepareMessageData',
        'createMessageFromPrePrepareMessage',
        'createMessageFromGenericMessageData',
      ),
    },
    otherwise: PROPOSAL_FORM,
  },
  'ibft/messagedata/RoundChangeMessageTest.java': {
    names: {
      createMessageFailsWhenIncorrectMessageCode: codec(
        'a prepare under the code of a round change',
      ),
      ...same(
        roundTrip,
        'createMessageFromRoundChangeMessageData',
        'createMessageFromRoundChangeMessage',
        'createMessageFromGenericMessageData',
      ),
    },
    otherwise: ROUND_CHANGE_FORM,
  },
  'ibft/payload/CommitPayloadTest.java': { otherwise: roundTrip },
  'ibft/payload/PreparePayloadTest.java': { otherwise: roundTrip },
  'ibft/payload/PreparedCertificateTest.java': { otherwise: roundTrip },
  'ibft/payload/ProposalPayloadTest.java': { otherwise: roundTrip },
  'ibft/payload/RoundChangeCertificateTest.java': { otherwise: roundTrip },
  'ibft/payload/RoundChangePayloadTest.java': {
    names: {
      roundTripRlpWithNoPreparedCertificate: isForm('a claim of nothing is an empty list'),
    },
    otherwise: roundTrip,
  },
  'ibft/protocol/IbftSubProtocolTest.java': {
    like: 'qbft/protocol/Istanbul100SubProtocolTest.java',
  },
  'ibft/statemachine/IbftBlockHeightManagerTest.java': {
    like: 'qbft/core/statemachine/QbftBlockHeightManagerTest.java',
    names: {
      startsABlockTimerOnStartIfLocalNodeIsTheProoserForRound: heights(
        'sets the block timer and the heartbeat, and no round begins',
      ),
      onBlockTimerExpiryProposalMessageIsTransmitted: step(
        'the proposer writes down what it says, before it says it',
      ),
    },
  },
  'ibft/statemachine/IbftControllerTest.java': {
    like: 'qbft/core/statemachine/QbftControllerTest.java',
  },
  'ibft/statemachine/IbftRoundTest.java': {
    like: 'qbft/core/statemachine/QbftRoundTest.java',
    names: {
      sendsAProposalWhenRequested: step('the proposer writes down what it says'),
      singleValidatorImportBlocksImmediatelyOnProposalCreation: votes(
        'a validator that is alone decides its block at once',
      ),
      twoValidatorNetworkSendsPrepareOnProposalReceptionThenSendsCommitOnCommitReceive: votes(
        'of two, each waits for the other’s prepare and then for its commit',
      ),
      localNodeProposesToNetworkOfTwoValidatorsImportsOnReceptionOfCommitFromPeer: votes(
        'of two, the proposer decides with the other’s commit as well',
      ),
      creatingNewBlockNotifiesBlockMiningObservers: chain('listeners hear each head once'),
    },
  },
  'ibft/statemachine/RoundChangeArtifactsTest.java': {
    otherwise: justification('highestPrepared is the claim of the highest round, or none'),
  },
  'ibft/statemachine/RoundChangeManagerTest.java': {
    names: {
      rejectsInvalidRoundChangeMessage: rounds('with a stranger’s prepare'),
      acceptsValidRoundChangeMessage: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      doesntAcceptDuplicateValidRoundChangeMessage: rounds(
        'the same author counts once, however often it says it',
      ),
      becomesReadyAtThreshold: rounds(
        'a quorum lets the proposer of that round propose a new block',
      ),
      doesntReachReadyWhenSuppliedWithDifferentRounds: rounds(
        'to different rounds they make no quorum',
      ),
      discardsRoundPreviousToThatRequested: rounds(
        'to an earlier round than ours it begins nothing',
      ),
      stopsAcceptingMessagesAfterReady: rounds(
        'a quorum lets the proposer of that round propose a new block',
        'a further round change is kept and passed on; no second proposal follows',
      ),
      rejectsRoundChangeMessageWithExcessiveRoundNumber: rounds('above the highest round'),
      roundChangeMessagesWithPreparedCertificateMustHaveSufficientPrepareMessages:
        rounds('with too few prepares'),
    },
  },
  'ibft/statemachine/RoundStateTest.java': {
    like: 'qbft/core/statemachine/RoundStateTest.java',
    names: {
      singleValidatorIsPreparedWithJustProposal: votes(
        'a validator that is alone decides its block at once',
      ),
      prepareMessageIsValidatedAgainstExitingProposal: votes('prepare of another block'),
    },
  },
  'ibft/validation/FutureRoundProposalMessageValidatorTest.java': {
    names: {
      validProposalMatchingCurrentChainHeightPassesValidation: rounds(
        'with a new block and a quorum of round changes it begins that round',
      ),
      proposalTargettingDifferentChainHeightFailsValidation: rounds(
        'a block of another height than the message’s is refused',
      ),
      proposalWhichFailsMessageValidationFailsFutureRoundValidation: rounds(
        'with a block on another parent',
      ),
    },
  },
  'ibft/validation/MessageValidatorTest.java': {
    names: {
      messageValidatorDefersToUnderlyingSignedDataValidator: rounds(
        'that of the proposer is checked and voted for',
      ),
      ifProposalConsistencyChecksFailProposalIsIllegal: rounds(
        'a block that names another round is refused',
      ),
      blockValidationFailureFailsValidation: step(
        'a block that the chain refuses ends the round at once',
      ),
      proposalFailsValidationIfRoundChangeCertificateDoeNotMatchBlock: justification(
        'is refused if it is not the one that was prepared',
      ),
      proposalFailsValidationIfRoundChangeIsNotSelfConsistent: justification(
        'is refused if a claim is of the round to come',
      ),
      proposalForRoundZeroFailsIfItContainsARoundChangeCertificate: rounds(
        'one of round 0 with round changes is refused',
      ),
      proposalForRoundsGreaterThanZeroFailIfNoRoundChangeCertificateAvailable: justification(
        'is refused without round changes',
      ),
    },
  },
  'ibft/validation/ProposalBlockConsistencyValidatorTest.java': {
    names: {
      blockDigestMisMatchWithMessageRoundFails: codec(
        'comes back as it was',
        'a proposal carries no digest beside its block: it is computed of the block',
      ),
      blockDigestMatchesButRoundDiffersFails: rounds('a block that names another round is refused'),
      blockWithMismatchedNumberFails: rounds(
        'a block of another height than the message’s is refused',
      ),
    },
  },
  'ibft/validation/RoundChangeCertificateValidatorTest.java': {
    names: {
      proposalWithEmptyRoundChangeCertificateFails: justification(
        'is refused without round changes',
      ),
      roundChangeMessagesDoNotAllTargetRoundFails: justification(
        'is refused if one is to a lower round',
      ),
      invalidPrepareMessageInOnePrepareCertificateFails: justification(
        'is refused if a prepare names another block',
      ),
      detectsTheSuppliedBlockIsNotInLatestPrepareCertificate: justification(
        'is refused if it is not that of the highest round',
      ),
      correctlyMatchesBlockAgainstLatestInRoundChangeCertificate: justification(
        'is that of the highest round among several',
      ),
      roundChangeCertificateWithTwoRoundChangesFromTheSameAuthorFailsValidation: justification(
        'is refused if an author is there twice beside a quorum',
      ),
    },
    otherwise: justification('highestPrepared is the claim of the highest round, or none'),
  },
  'ibft/validation/RoundChangeMessageValidatorTest.java': {
    otherwise: justification('one with a block and a quorum of prepares is proven'),
  },
  'ibft/validation/RoundChangeSignedDataValidatorTest.java': {
    names: {
      roundChangeSentByNonValidatorFails: rounds('by a stranger'),
      roundChangeContainingNoCertificateIsSuccessful: justification(
        'one that claims nothing needs nothing',
      ),
      roundChangeContainingInvalidProposalFails: justification(
        'another block than was claimed is refused',
        'a certificate of QBFT holds the block and not the proposal that brought it',
      ),
      roundChangeContainingValidProposalButNoPrepareMessagesFails: justification(
        'a claim without prepares is refused',
      ),
      roundChangeInvalidPrepareMessageFromProposerFails: justification(
        'a prepare of another block is refused',
        PREPARES,
      ),
      roundChangeWithDifferentSequenceNumberFails: justification(
        'a block of another height is refused',
      ),
      roundChangeWithProposalFromARoundAheadOfRoundChangeTargetFails: justification(
        'a claim of a round to come is refused',
      ),
      roundChangeWithPastProposalForCurrentHeightIsSuccessful: justification(
        'one with a block and a quorum of prepares is proven',
      ),
      roundChangeWithDuplicatedPreparesFails: justification(
        'one author that stands for two is refused',
      ),
    },
  },
  'ibft/validation/SignedDataValidatorTest.java': {
    names: {
      receivingAPrepareMessageBeforeProposalFails: votes(
        'before a proposal any are kept, and afterwards those of its block',
        'kept until the proposal says which block they must name',
      ),
      receivingACommitMessageBeforeProposalFails: votes(
        'those before the proposal count only with its digest and their author’s seal',
        'kept until the proposal says which block they must name',
      ),
      receivingProposalMessageFromNonProposerFails: rounds('that of another validator is refused'),
      receivingPrepareFromProposerFails: votes('that of any validator counts', PREPARES),
      receivingPrepareFromNonValidatorFails: votes('prepare of a stranger'),
      receivingMessagesWithDifferentRoundIdFromProposalFails: votes(
        'one of the next round or height is not one of this',
      ),
      receivingPrepareNonProposerValidatorWithCorrectRoundIsSuccessful: step(
        'uponPrepare: sends a commit',
      ),
      receivingACommitMessageWithAnInvalidCommitSealFails: votes(
        'commit with another validator’s seal',
      ),
      commitMessageContainingValidSealFromValidatorIsSuccessful: step(
        'uponCommit: decides at the quorum',
      ),
      subsequentProposalHasDifferentSenderFails: rounds('that of another validator is refused'),
      subsequentProposalHasDifferentContentFails: rounds(
        'another one of the same proposer is evidence, and what was accepted stays',
      ),
      subsequentProposalHasIdenticalSenderAndContentIsSuccessful: rounds(
        'the same a second time is nothing new, and what was received stays',
      ),
    },
  },
}
