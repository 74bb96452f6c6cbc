/** Every answer of a chain of our own has the form that the execution-apis specification gives it. */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { DEV_ACCOUNTS } from '@vellum/node'
import {
  type Address,
  createPublicClient,
  createWalletClient,
  defineChain,
  type Hash,
  http,
  type PublicClient,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AnswerSchemas, loadAnswerSchemas } from '../conformance/openrpc.ts'
import { type RunningNode, startNode, temporaryDirectory } from './running-node.ts'

const path = fileURLToPath(new URL('../../../shared/conformance', import.meta.url))

/** Stores its first word of input in slot 0, and emits it. */
const STORING = '0x600c8060095f395ff35f35805f555f5260205fa000'
const WORD = `0x${'7'.padStart(64, '0')}` as const
const NO_HASH: Hash = `0x${'00'.repeat(32)}`
const [SENDER, RECEIVER] = DEV_ACCOUNTS

/** Methods of the specification that a chain of our own does not serve. */
const ABSENT: Readonly<Record<string, string>> = {
  debug_getRawBlockAccessList: 'block access lists come with Amsterdam (EIP-7928)',
  eth_getBlockAccessList: 'block access lists come with Amsterdam (EIP-7928)',
  eth_coinbase: 'no account is paid for blocks; each tells who proposed it',
  eth_sendTransaction: 'the node holds no keys of users',
  eth_sign: 'the node holds no keys of users',
  eth_signTransaction: 'the node holds no keys of users',
}

interface Made {
  readonly contract: Address
  readonly hashes: readonly Hash[]
  readonly height: number
  readonly blockHash: Hash
}

// The schemas lie beside the repository and are not part of it.
describe.skipIf(!existsSync(path))('answers of a chain of our own', () => {
  let node: RunningNode
  let schemas: AnswerSchemas
  let made: Made

  beforeAll(async () => {
    schemas = loadAnswerSchemas(path)
    node = await startNode(temporaryDirectory())
    made = await useChain(node)
  })
  afterAll(async () => void (await node.stop()))

  async function answerOf(method: string, params: readonly unknown[]): Promise<unknown> {
    const response = await fetch(node.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    return response.json()
  }

  it('fit the schemas, for every method that is there', async () => {
    const calls = callsOf(made)
    const filters = {
      eth_newFilter: [{ address: made.contract, fromBlock: '0x0' }],
      eth_newBlockFilter: [],
      eth_newPendingTransactionFilter: [],
    }
    const opened: unknown[] = []
    for (const [method, params] of Object.entries(filters)) {
      const { result } = (await answerOf(method, params)) as { result: unknown }
      expect([method, schemas.mismatch(method, result)]).toEqual([method, undefined])
      opened.push(result)
    }
    const [logs] = opened
    calls.eth_getFilterLogs = [[logs]]
    calls.eth_getFilterChanges = opened.map((id) => [id])
    calls.eth_uninstallFilter = [...opened.map((id) => [id]), ['0x1']]

    const faults: string[] = []
    const absent: string[] = []
    for (const method of schemas.methods) {
      if (method.startsWith('engine_') || Object.hasOwn(filters, method)) continue
      for (const params of calls[method] ?? [[]]) {
        const answer = (await answerOf(method, params)) as { result?: unknown; error?: object }
        if (answer.error !== undefined) {
          const { code } = answer.error as { code: number }
          if (code === -32_601) absent.push(method)
          else faults.push(`${method} ${JSON.stringify(params)}: ${JSON.stringify(answer.error)}`)
          continue
        }
        const mismatch = schemas.mismatch(method, answer.result)
        if (mismatch !== undefined) faults.push(`${method} ${JSON.stringify(params)}: ${mismatch}`)
      }
    }
    expect(faults).toEqual([])
    expect(absent.sort()).toEqual(Object.keys(ABSENT).sort())
  })
})

/** Blocks with transactions of every type that the pool takes, a failure, and some that wait. */
async function useChain({ url }: RunningNode): Promise<Made> {
  const chain = defineChain({
    id: 1337,
    name: 'development chain',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  })
  const client = createPublicClient({ chain, transport: http(url), pollingInterval: 50 })
  const account = privateKeyToAccount(SENDER!.privateKey)
  const wallet = createWalletClient({ chain, transport: http(url), account })
  const receipt = (hash: Hash) => client.waitForTransactionReceipt({ hash })
  const creation = await wallet.sendTransaction({ data: STORING, type: 'legacy', gasPrice: 0n })
  const contract = (await receipt(creation)).contractAddress!
  const fees = { maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }
  const listed = await wallet.sendTransaction({
    to: contract,
    data: WORD,
    type: 'eip2930',
    gasPrice: 0n,
    accessList: [{ address: contract, storageKeys: [NO_HASH] }],
  })
  await receipt(listed)
  const dynamic = await wallet.sendTransaction({ to: contract, data: WORD, ...fees })
  await receipt(dynamic)
  const authorization = await wallet.signAuthorization({
    account,
    contractAddress: contract,
    executor: 'self',
  })
  const delegating = await wallet.sendTransaction({
    to: account.address,
    data: WORD,
    authorizationList: [authorization],
    ...fees,
  })
  await receipt(delegating)
  const starved = await wallet.sendTransaction({ to: contract, data: WORD, gas: 21_500n, ...fees })
  expect((await receipt(starved)).status).toBe('reverted')
  await leaveWaiting(client, url)
  const { number, hash } = await client.getBlock()
  return {
    contract,
    hashes: [creation, listed, dynamic, delegating, starved],
    height: Number(number),
    blockHash: hash,
  }
}

/** A transaction behind a gap. */
async function leaveWaiting(client: PublicClient, url: string): Promise<void> {
  const account = privateKeyToAccount(RECEIVER!.privateKey)
  const wallet = createWalletClient({ transport: http(url), account })
  await wallet.sendTransaction({
    chain: client.chain!,
    to: SENDER!.address,
    nonce: 5,
    gas: 21_000n,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
  })
}

/** Parameters to ask each method with; none for those that are not named. */
function callsOf({ contract, hashes, height, blockHash }: Made): Record<string, unknown[][]> {
  const head = `0x${height.toString(16)}`
  const heights = Array.from({ length: height + 1 }, (_, i) => `0x${i.toString(16)}`)
  const call = { from: SENDER!.address, to: contract, data: WORD }
  const blocks: unknown[][] = [...heights.map((each) => [each]), ['latest'], ['finalized']]
  const byHash = hashes.map((hash) => [hash])
  return {
    debug_getRawBlock: blocks,
    debug_getRawHeader: blocks,
    debug_getRawReceipts: blocks,
    debug_getRawBlockAccessList: [[head]],
    debug_getRawTransaction: byHash,
    debug_traceBlockByHash: [[blockHash]],
    debug_traceBlockByNumber: [[head], [head, { enableMemory: true, enableReturnData: true }]],
    debug_traceTransaction: byHash,
    eth_call: [[call, 'latest'], [call, { blockHash }], [call]],
    eth_createAccessList: [[call, 'latest']],
    eth_estimateGas: [[call], [call, 'latest']],
    eth_feeHistory: [
      ['0x3', 'latest', [10, 50]],
      ['0x1', head, []],
    ],
    eth_fillTransaction: [[call]],
    eth_getBalance: [
      [contract, 'latest'],
      [SENDER!.address, '0x0'],
    ],
    eth_getBlockAccessList: [[head]],
    eth_getBlockByHash: [
      [blockHash, true],
      [blockHash, false],
      [NO_HASH, false],
    ],
    eth_getBlockByNumber: [...blocks, ['0xffffff']].flatMap(([each]) => [
      [each, true],
      [each, false],
    ]),
    eth_getBlockReceipts: [...blocks, ['0xffffff']],
    eth_getBlockTransactionCountByHash: [[blockHash]],
    eth_getBlockTransactionCountByNumber: [[head], ['0xffffff']],
    eth_getCode: [
      [contract, 'latest'],
      [SENDER!.address, 'latest'],
    ],
    eth_getLogs: [[{ fromBlock: '0x0', toBlock: 'latest' }], [{ blockHash }]],
    eth_getProof: [
      [contract, ['0x0', NO_HASH], 'latest'],
      [RECEIVER!.address, [], '0x0'],
    ],
    eth_getStorageAt: [[contract, '0x0', 'latest']],
    eth_getStorageValues: [[{ [contract]: [NO_HASH] }, 'latest']],
    eth_getTransactionByBlockHashAndIndex: [
      [blockHash, '0x0'],
      [blockHash, '0x7'],
    ],
    eth_getTransactionByBlockNumberAndIndex: [[head, '0x0']],
    eth_getTransactionByHash: [...byHash, [NO_HASH]],
    eth_getTransactionCount: [
      [SENDER!.address, 'latest'],
      [SENDER!.address, 'pending'],
    ],
    eth_getTransactionReceipt: [...byHash, [NO_HASH]],
    // Asked above, for each type of transaction.
    eth_sendRawTransaction: [],
    eth_sendTransaction: [[call]],
    eth_sign: [[SENDER!.address, '0x01']],
    eth_signTransaction: [[call]],
    eth_simulateV1: [
      [{ blockStateCalls: [{ calls: [call] }], returnFullTransactions: true }, 'latest'],
      [{ blockStateCalls: [{}, { calls: [call, call] }], traceTransfers: true }, 'latest'],
    ],
    // For chains of other origin: rpc-compat has cases of it.
    testing_buildBlockV1: [],
    txpool_contentFrom: [[RECEIVER!.address], [contract]],
  }
}
