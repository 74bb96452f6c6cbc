import { beforeAll, describe, expect, it } from 'vitest'
import { createRpc, type Dispatch } from '../src/index.ts'
import {
  compatFiles,
  loadCompatBackend,
  loadExecutedBackend,
  readExchanges,
  testPorts,
  textBytes,
  withoutMessage,
} from './compat-chain.ts'

/** Methods whose answers need no receipts, no older state and no namespace beyond this package's. */
const COVERED = new Set([
  'eth_baseFee',
  'eth_blobBaseFee',
  'eth_blockNumber',
  'eth_call',
  'eth_chainId',
  'eth_createAccessList',
  'eth_estimateGas',
  'eth_getBalance',
  'eth_getBlockByHash',
  'eth_getBlockByNumber',
  'eth_getBlockTransactionCountByHash',
  'eth_getBlockTransactionCountByNumber',
  'eth_getCode',
  'eth_getProof',
  'eth_getStorageAt',
  'eth_getStorageValues',
  'eth_getTransactionByBlockHashAndIndex',
  'eth_getTransactionByBlockNumberAndIndex',
  'eth_getTransactionByHash',
  'eth_getTransactionCount',
  'eth_sendRawTransaction',
  'eth_syncing',
  'net_version',
  'txpool_contentFrom',
])
const PASSED_OVER = new Set([
  // The pool of this node takes no blobs.
  'eth_sendRawTransaction/send-blob-tx',
  // Asks for an older state.
  'eth_getBalance/get-balance-blockhash',
])
/** Cases of the older suite whose answers were other then than the specification has them now. */
const OUTDATED = new Set([
  // Half of the blob gas used, where the block's header says none.
  'eth_feeHistory/fee-history',
  // Today -32602.
  'eth_getStorageAt/get-storage-invalid-key',
  'eth_getStorageAt/get-storage-invalid-key-too-large',
  'eth_sendRawTransaction/send-blob-tx',
])

/** Fields that came after the suite of Cancun: logs and transactions did not tell the time. */
function withoutNewFields(key: string, value: unknown): unknown {
  return key === 'blockTimestamp' ? undefined : value
}

/** Blocks no longer have a total difficulty. */
function withoutDifficulty(expected: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(expected), (key, value: unknown) =>
    key === 'totalDifficulty' ? undefined : value,
  ) as Record<string, unknown>
}

/** Asks all requests of a file and compares the answers. */
async function replay(dispatch: Dispatch, file: string, isOlder = false): Promise<void> {
  for (const { request, expected, isSpecOnly } of readExchanges(file)) {
    const text = await dispatch(textBytes(request))
    const answer: unknown = JSON.parse(text, isOlder ? withoutNewFields : undefined)
    if (isSpecOnly) expect(Object.keys(answer as object)).toEqual(Object.keys(expected))
    else expect(withoutMessage(answer)).toEqual(withoutMessage(withoutDifficulty(expected)))
  }
}

describe('rpc-compat, main: stored blocks and the state of the head', () => {
  let dispatch: Dispatch
  beforeAll(async () => {
    dispatch = createRpc({ backend: await loadCompatBackend(), ports: testPorts() })
  })
  const files = compatFiles('main').filter(
    ({ method, name }) => COVERED.has(method) && !PASSED_OVER.has(name),
  )
  it.each(files)('$name', ({ file }) => replay(dispatch, file))
})

describe('rpc-compat, cancun-genesis: executed block by block', () => {
  let dispatch: Dispatch
  beforeAll(async () => {
    dispatch = createRpc({
      backend: await loadExecutedBackend('cancun-genesis'),
      ports: testPorts(),
    })
  })
  const files = compatFiles('cancun-genesis').filter(
    // The debug namespace is not here.
    ({ method, name }) => !method.startsWith('debug_') && !OUTDATED.has(name),
  )
  it.each(files)('$name', ({ file }) => replay(dispatch, file, true))
})
