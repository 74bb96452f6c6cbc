/**
 * Cases of `rpc-compat` whose expectation is not what the specification says today, each with its reason. A
 * case that is listed and agrees nevertheless fails, so that the list stays true.
 */

export type Change =
  /** These fields are left out of both sides. */
  | { readonly reason: string; readonly fields: readonly string[] }
  /** This outcome instead. */
  | { readonly reason: string; readonly outcome: Outcome }
  /** These outcomes of a batch instead. */
  | { readonly reason: string; readonly outcomes: readonly Outcome[] }
  /** A result of this form. */
  | { readonly reason: string; readonly pattern: RegExp }

export type Outcome = { readonly result: unknown } | { readonly error: { readonly code: number } }

const TELLS_TIME: Change = {
  reason: 'transactions and logs have told the time of their block since 2025',
  fields: ['blockTimestamp'],
}
export const TOTAL_DIFFICULTY: Change = {
  reason: 'blocks have lost totalDifficulty in 2024, and transactions tell the time of their block',
  fields: ['totalDifficulty', 'blockTimestamp'],
}
const KEY_INVALID: Change = {
  reason: 'parameters of a wrong form have the code -32602 today, as in the suite of `main`',
  outcome: { error: { code: -32_602 } },
}

/** By `chain/method/case`. */
export const CHANGES: Readonly<Record<string, Change>> = {
  'london-genesis/eth_estimateGas/estimate-simple-contract': {
    reason:
      'go-ethereum searched for the least limit then; since 1.13.6 it stops within 1.5 %, as `main` expects',
    outcome: { result: '0x52b0' },
  },
  'london-genesis/eth_feeHistory/fee-history': {
    reason: 'the answer has had prices of blobs since EIP-4844',
    fields: ['baseFeePerBlobGas', 'blobGasUsedRatio'],
  },
  'london-genesis/eth_getBlockByHash/get-block-by-hash': TOTAL_DIFFICULTY,
  'london-genesis/eth_getBlockByNumber/get-block-n': TOTAL_DIFFICULTY,
  'london-genesis/eth_getBlockByNumber/get-genesis': TOTAL_DIFFICULTY,
  'london-genesis/eth_getProof/get-account-proof-with-storage': {
    reason: 'a key that is a number comes back without leading zeros today, as in `main`',
    fields: ['key'],
  },
  'london-genesis/eth_getStorage/get-storage-invalid-key-too-large': KEY_INVALID,
  'london-genesis/eth_getStorage/get-storage-invalid-key': KEY_INVALID,
  'london-genesis/eth_getTransactionByBlockHashAndIndex/get-block-n': TELLS_TIME,
  'london-genesis/eth_getTransactionByBlockNumberAndIndex/get-block-n': TELLS_TIME,
  'london-genesis/eth_getTransactionByHash/get-legacy-tx': TELLS_TIME,
  'cancun-genesis/eth_feeHistory/fee-history': {
    reason: 'half of the blob gas is said to be used in block 2, whose header has blobGasUsed 0',
    outcome: {
      result: {
        oldestBlock: '0x2',
        reward: [['0x1', '0x1']],
        baseFeePerBlobGas: ['0x1', '0x1'],
        baseFeePerGas: ['0x2dbf1f99', '0x281d620d'],
        blobGasUsedRatio: [0],
        gasUsedRatio: [0.007_565_458_319_646_006],
      },
    },
  },
  'cancun-genesis/eth_getBlockByHash/get-block-by-hash': TELLS_TIME,
  'cancun-genesis/eth_getBlockByNumber/get-block-n': TELLS_TIME,
  'cancun-genesis/eth_getBlockByNumber/get-finalized': TELLS_TIME,
  'cancun-genesis/eth_getBlockByNumber/get-latest': TELLS_TIME,
  'cancun-genesis/eth_getBlockByNumber/get-safe': TELLS_TIME,
  'cancun-genesis/eth_getLogs/contract-addr': TELLS_TIME,
  'cancun-genesis/eth_getLogs/no-topics': TELLS_TIME,
  'cancun-genesis/eth_getLogs/topic-exact-match': TELLS_TIME,
  'cancun-genesis/eth_getLogs/topic-wildcard': TELLS_TIME,
  'cancun-genesis/eth_getStorageAt/get-storage-invalid-key-too-large': KEY_INVALID,
  'cancun-genesis/eth_getStorageAt/get-storage-invalid-key': KEY_INVALID,
  'cancun-genesis/eth_getTransactionByBlockHashAndIndex/get-block-n': TELLS_TIME,
  'cancun-genesis/eth_getTransactionByBlockNumberAndIndex/get-block-n': TELLS_TIME,
  'cancun-genesis/eth_getTransactionByHash/get-access-list': TELLS_TIME,
  'cancun-genesis/eth_getTransactionByHash/get-blob-tx': TELLS_TIME,
  'cancun-genesis/eth_getTransactionByHash/get-dynamic-fee': TELLS_TIME,
  'cancun-genesis/eth_getTransactionByHash/get-legacy-create': TELLS_TIME,
  'cancun-genesis/eth_getTransactionByHash/get-legacy-input': TELLS_TIME,
  'cancun-genesis/eth_getTransactionByHash/get-legacy-tx': TELLS_TIME,
  'cancun-genesis/eth_getTransactionReceipt/get-access-list': TELLS_TIME,
  'cancun-genesis/eth_getTransactionReceipt/get-blob-tx': TELLS_TIME,
  'cancun-genesis/eth_getTransactionReceipt/get-dynamic-fee': TELLS_TIME,
}
