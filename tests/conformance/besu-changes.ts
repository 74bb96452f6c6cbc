/**
 * Cases of Besu's JSON-RPC tests that we answer otherwise, each with its reason. Where Besu and go-ethereum
 * differ, the specification's own suite expects what go-ethereum does.
 */

import { type Change, TOTAL_DIFFICULTY } from './rpc-changes.ts'

const errorOf = (code: number): { readonly error: { readonly code: number } } => ({
  error: { code },
})
const NO_BLOCK: Change = {
  reason: 'the state of a block that is not there is an error in rpc-compat, not null',
  outcome: errorOf(-32_000),
}
const FILTER_ID: Change = {
  reason: 'Besu’s tests expect a counter; ids here cannot be guessed',
  pattern: /^0x[0-9a-f]{20,32}$/,
}
const PROOF_KEY: Change = {
  reason: 'Besu shortens the key of a slot; rpc-compat expects 32 bytes to come back as they were',
  fields: ['key'],
}
const UNFUNDED: Change = {
  reason: 'Besu’s test has a pool that takes everything; the sender has no money in this chain',
  outcome: errorOf(-32_000),
}
const UNDECODABLE: Change = {
  reason: 'bytes that are no transaction have the code -32000 in go-ethereum',
  outcome: errorOf(-32_000),
}

const OWN_CODE: Change = {
  reason: 'go-ethereum has -32000 for what Besu has codes of its own',
  outcome: errorOf(-32_000),
}
const LEADING_ZEROS: Change = {
  reason: 'numbers have no leading zeros, as the specification and go-ethereum have it',
  outcome: errorOf(-32_602),
}

/** Everything that a hash is made of is compared but the gas of the calls, which name none. */
const GAS_CAP = {
  reason:
    'Besu’s test runs without a cap on gas; a call that names none has 50 million here, as in go-ethereum',
  fields: ['gas', 'hash', 'blockHash', 'parentHash', 'transactionsRoot', 'transactions'],
}

/** By `chain/file`. */
export const BESU_CHANGES: Readonly<Record<string, Change>> = {
  'eth/eth_call_blob_missing_maxFeePerBlobGas_strict': LEADING_ZEROS,
  'eth/eth_call_blob_without_to': OWN_CODE,
  'eth/eth_call_blob_too_many_blobs': {
    reason: 'a call is no transaction of a block; go-ethereum counts its blobs neither',
    outcome: { result: `0x${'1'.padStart(64, '0')}` },
  },
  'eth/eth_call_gasLimitTooLow_block_8': OWN_CODE,
  'eth/eth_call_gasPriceTooHigh_block_8': {
    reason: '`strict` is Besu’s own: who names a price must have the money, as in go-ethereum',
    outcomes: [errorOf(-32_000), errorOf(-32_000), errorOf(-32_000)],
  },
  'eth/eth_call_valueTooHigh_block_8': {
    reason: 'go-ethereum has -32000 for what Besu has codes of its own',
    outcomes: [errorOf(-32_000)],
  },
  'eth/eth_call_stateOverride_insufficientBalance': LEADING_ZEROS,
  'eth/eth_call_stateOverride_movePrecompileToAddress': {
    reason: 'a remark of the file’s author, which no node answers',
    fields: ['comment'],
  },
  'eth/eth_config': {
    reason: 'in Besu’s test the fork id is that of a chain without forks; ours follows EIP-2124',
    fields: ['forkId'],
  },
  'eth/eth_estimateGas_withPastNonce': {
    reason: 'go-ethereum does not look at the nonce of an estimate',
    outcome: { result: '0x5208' },
  },
  'eth/eth_feeHistory_fieldNamesWithReward': {
    reason:
      'percentiles that do not rise are refused, as the specification has it and go-ethereum does',
    outcome: errorOf(-32_602),
  },
  'eth/eth_getBalance_illegalRangeGreaterThan': NO_BLOCK,
  'eth/eth_getBlockByNumber_complete': TOTAL_DIFFICULTY,
  'eth/eth_getBlockByNumber_hashes': TOTAL_DIFFICULTY,
  'eth/eth_getCode_blockHashNotExist': NO_BLOCK,
  'eth/eth_getCode_illegalRangeGreaterThan': NO_BLOCK,
  'eth/eth_getNewFilter_addressOnly': FILTER_ID,
  'eth/eth_getNewFilter_emptyFilter': FILTER_ID,
  'eth/eth_getNewFilter_topicOnly': FILTER_ID,
  'eth/eth_getNewFilter_validFilterLatestBlock': FILTER_ID,
  'eth/eth_getNewFilter_validFilterWithBlockNumber': FILTER_ID,
  'eth/eth_getProof_blockHash': PROOF_KEY,
  'eth/eth_getProof_blockHashObject': PROOF_KEY,
  'eth/eth_getProof_blockHashObjectCanonical': PROOF_KEY,
  'eth/eth_getProof_blockHashObjectCanonicalFalse': PROOF_KEY,
  'eth/eth_getProof_blockNumber': PROOF_KEY,
  'eth/eth_getProof_blockNumberObject': PROOF_KEY,
  'eth/eth_getProof_illegalRangeGreaterThan': NO_BLOCK,
  'eth/eth_getProof_latest': PROOF_KEY,
  'eth/eth_getProof_pending': PROOF_KEY,
  'eth/eth_getStorageAt_illegalRangeGreaterThan': NO_BLOCK,
  'eth/eth_getTransactionCount_illegalRange': NO_BLOCK,
  'eth/eth_newBlockFilter': FILTER_ID,
  'eth/eth_newPendingTransactionFilter': FILTER_ID,
  'eth/eth_protocolVersion': {
    reason:
      'the method has left the specification; it told a version of the wire protocol of others',
    outcome: errorOf(-32_601),
  },
  'eth/eth_sendRawTransaction_contractCreation': UNFUNDED,
  'eth/eth_sendRawTransaction_invalidByteValueHex': UNDECODABLE,
  'eth/eth_sendRawTransaction_emptyVersionedHashes': OWN_CODE,
  'eth/eth_sendRawTransaction_invalidNonceTooLow': OWN_CODE,
  'eth/eth_sendRawTransaction_invalidRawTransaction': UNDECODABLE,
  'eth/eth_sendRawTransaction_messageCall': UNFUNDED,
  'eth/eth_sendRawTransaction_transferEther': UNFUNDED,
  'eth/eth_sendRawTransaction_unsignedTransaction': UNDECODABLE,
  'eth/net_version': {
    reason: 'Besu’s test sets a network id of 123; here it is the chain id, as the genesis has it',
    outcome: { result: '1' },
  },
  'simulateV1/eth_simulateV1-code-delegation-with-authority': {
    reason: 'an `authority` in place of a signature is Besu’s own',
    outcome: errorOf(-32_602),
  },
  'simulateV1/eth_simulateV1-code-delegation': GAS_CAP,
  'simulateV1/eth_simulateV1-simple': GAS_CAP,
  'simulateV1/eth_simulateV1-trie-log': {
    reason: 'a log of trie changes is Besu’s own; and as above, the gas cap',
    fields: [...GAS_CAP.fields, 'trieLog'],
  },
  'simulateV1/eth_simulateV1_blobs': {
    reason: 'as above; the contract of EIP-2935 keeps the hash of the first block in the second',
    fields: [...GAS_CAP.fields, 'stateRoot'],
  },
}
