import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Address, bytesToHex, hexToBytes, keccak256 } from '@vellum/evm'
import {
  createSecp256k1,
  type SealedHeader,
  signTransaction,
  type Transaction,
} from '@vellum/ledger'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Backend, createRpc, type RpcLimits } from '../src/index.ts'
import { COMPAT_FOLDER, loadExecutedBackend, testPorts, textBytes } from './compat-chain.ts'

const crypto = createSecp256k1()
/** Emits a log for each call; see `callme.eas` of the suite. */
const EMITTER = '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df'
/** An account that has nothing, and one that the suite's genesis funds and its blocks do not use. */
const POOR_KEY = keccak256(Uint8Array.of(7))
const RICH = '0x0c2c51a0990aee1d73c1228de158688341557508'
const RICH_KEY = readKey(RICH)

let full: Backend
beforeAll(async () => {
  full = await loadExecutedBackend('cancun-genesis')
})

/** The suite's chain as it was when its head was at a height, which moves by hand. */
function chainAt(height: number): { backend: Backend; moveTo: (height: number) => void } {
  let head = height
  const listeners = new Set<(head: SealedHeader) => void>()
  const { chain } = full
  const known = (number: number | undefined): number | undefined =>
    number !== undefined && number <= head ? number : undefined
  const of = <T>(number: number, read: (number: number) => T | undefined): T | undefined =>
    number <= head ? read(number) : undefined
  const backend: Backend = {
    ...full,
    chain: {
      ...chain,
      head: () => chain.header(head)!,
      header: (number) => of(number, chain.header),
      block: (number) => of(number, chain.block),
      receipts: (number) => of(number, chain.receipts),
      numberOf: (hash) => known(chain.numberOf(hash)),
      locate: (hash) => {
        const place = chain.locate(hash)
        return known(place?.number) === undefined ? undefined : place
      },
      onHead: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  }
  return {
    backend,
    moveTo: (to) => {
      head = to
      for (const listener of listeners) listener(chain.header(to)!)
    },
  }
}

interface Client {
  readonly time: { ms: number }
  moveTo(height: number): void
  /** The whole answer. */
  answer(method: string, ...params: unknown[]): Promise<Record<string, unknown>>
  /** The result; fails on an error. */
  ask(method: string, ...params: unknown[]): Promise<unknown>
}

function client(height = 20, limits: Partial<RpcLimits> = {}): Client {
  const { backend, moveTo } = chainAt(height)
  const ports = testPorts()
  const dispatch = createRpc({ backend, ports, limits })
  const answer = async (method: string, ...params: unknown[]): Promise<Record<string, unknown>> =>
    JSON.parse(await dispatch(textBytes(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))))
  const ask = async (method: string, ...params: unknown[]): Promise<unknown> => {
    const { error, result } = await answer(method, ...params)
    expect(error).toBeUndefined()
    return result
  }
  return { time: ports.time, moveTo, answer, ask }
}

/** Heights of the blocks that have logs of the emitter, and how many. */
async function logsByHeight(): Promise<Map<number, number>> {
  const logs = (await client().ask('eth_getLogs', {
    fromBlock: 'earliest',
    toBlock: 'latest',
    address: EMITTER,
  })) as { blockNumber: string }[]
  const counts = new Map<number, number>()
  for (const log of logs) {
    const height = Number(log.blockNumber)
    counts.set(height, (counts.get(height) ?? 0) + 1)
  }
  return counts
}

function signed(
  key: Uint8Array,
  fields: Partial<Transaction>,
): { raw: string; hash: string; sender: Address } {
  const tx = signTransaction(
    {
      type: 2,
      chainId: full.node.chainId,
      nonce: 0n,
      gasLimit: 21_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to: EMITTER,
      value: 0n,
      data: new Uint8Array(0),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
      ...fields,
    },
    key,
    crypto,
  )
  return { raw: bytesToHex(tx.encoded), hash: tx.hash, sender: tx.sender }
}

/** The published test key of an account of the suite. */
function readKey(address: string): Uint8Array {
  const accounts = JSON.parse(
    readFileSync(join(COMPAT_FOLDER, 'main/accounts.json'), 'utf8'),
  ) as Record<string, { key: string }>
  return hexToBytes(accounts[address]!.key)
}

describe('the node about itself', () => {
  it.each([
    ['eth_accounts', []],
    ['eth_syncing', false],
    ['net_listening', true],
    ['net_peerCount', '0x3'],
    ['net_version', '3503995874084926'],
    ['web3_clientVersion', 'vellum/test'],
    ['eth_blockNumber', '0x14'],
    ['rpc_modules', { eth: '1.0', net: '1.0', rpc: '1.0', txpool: '1.0', web3: '1.0' }],
  ])('%s', async (method, expected) => {
    expect(await client().ask(method)).toEqual(expected)
  })

  it('hashes for whoever asks', async () => {
    expect(await client().ask('web3_sha3', '0x')).toBe(
      '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
    )
  })
})

describe('blocks by name', () => {
  it.each(['latest', 'pending', 'safe', 'finalized', '0x14'])('%s is the head', async (name) => {
    expect(await client().ask('eth_getBlockByNumber', name, false)).toMatchObject({
      number: '0x14',
    })
  })

  it('takes a state by number, tag, hash and EIP-1898 object', async () => {
    const node = client()
    const { hash, number } = (await node.ask('eth_getBlockByNumber', '0x3', false)) as {
      hash: string
      number: string
    }
    const [byNumber, ...others] = await Promise.all(
      [number, hash, { blockHash: hash }, { blockNumber: number }].map((block) =>
        node.ask('eth_getBalance', EMITTER, block),
      ),
    )
    expect(others).toEqual([byNumber, byNumber, byNumber])
    expect(byNumber).not.toBe(await node.ask('eth_getBalance', EMITTER, 'latest'))
  })

  it.each(['0x15', `0x${'11'.repeat(32)}`])('knows no state at %s', async (block) => {
    expect(await client().answer('eth_getBalance', EMITTER, block)).toMatchObject({
      error: { code: -32000, message: 'header not found' },
    })
  })

  it('has no uncles and says so', async () => {
    const node = client()
    expect(await node.ask('eth_getUncleCountByBlockNumber', 'latest')).toBe('0x0')
    expect(await node.ask('eth_getUncleByBlockNumberAndIndex', 'latest', '0x0')).toBeNull()
    expect(await node.ask('eth_getUncleCountByBlockNumber', '0xff')).toBeNull()
  })
})

describe('logs', () => {
  it('agree with the receipts of every block', async () => {
    const node = client()
    const logs = (await node.ask('eth_getLogs', { fromBlock: '0x0' })) as unknown[]
    const receipts: { logs: unknown[] }[] = []
    for (let height = 0; height <= 20; height++) {
      receipts.push(
        ...((await node.ask('eth_getBlockReceipts', `0x${height.toString(16)}`)) as never[]),
      )
    }
    expect(logs.length).toBeGreaterThan(10)
    expect(logs).toEqual(receipts.flatMap((receipt) => receipt.logs))
  })

  it('are found by topics: a choice, any, and no more positions than the log has', async () => {
    const node = client()
    const all = (await node.ask('eth_getLogs', { fromBlock: '0x0' })) as { topics: string[] }[]
    const [first, second] = all.find((log) => log.topics.length === 2)!.topics
    const other = `0x${'ee'.repeat(32)}`
    const count = async (topics: unknown[]): Promise<number> =>
      ((await node.ask('eth_getLogs', { fromBlock: '0x0', topics })) as unknown[]).length
    const expected = (fits: (topics: string[]) => boolean): number =>
      all.filter((log) => fits(log.topics)).length
    expect(await count([first])).toBe(expected((topics) => topics[0] === first))
    expect(await count([[other, first]])).toBe(expected((topics) => topics[0] === first))
    expect(await count([null, second])).toBe(expected((topics) => topics[1] === second))
    expect(await count([[], [second!, null]])).toBe(expected((topics) => topics.length >= 2))
    expect(await count([other])).toBe(0)
    expect(await count([null, null, null])).toBe(expected((topics) => topics.length >= 3))
  })

  it.each([
    ['too many questions to the index', { logLookupsMax: 0 }, { address: EMITTER }, -32005],
    ['too many blocks that may fit', { logReadsMax: 2 }, { fromBlock: '0x0' }, -32005],
    ['too many results', { logResultsMax: 3 }, { fromBlock: '0x0' }, -32005],
    ['too many addresses', { logCriteriaMax: 1 }, { address: [EMITTER, EMITTER] }, -32602],
    ['too many topics', {}, { topics: [null, null, null, null, null] }, -32602],
    ['an unknown block', {}, { blockHash: `0x${'11'.repeat(32)}` }, -32000],
    ['a range beyond the head', {}, { fromBlock: '0x1', toBlock: '0x15' }, -32602],
    ['a range that is upside down', {}, { fromBlock: '0x2', toBlock: '0x1' }, -32602],
  ])('are refused for %s', async (_, limits, query, code) => {
    expect(await client(20, limits).answer('eth_getLogs', query)).toMatchObject({ error: { code } })
  })

  it('are the same without an index, for as many blocks as may be looked at', async () => {
    const { searchLogs: _index, ...chain } = full.chain
    const ask = async (fromBlock: string, query: object): Promise<Record<string, unknown>> => {
      const dispatch = createRpc({
        backend: { ...full, chain },
        ports: testPorts(),
        limits: { logBlocksMax: 20 },
      })
      const params = [{ fromBlock, toBlock: '0x14', ...query }]
      const call = { jsonrpc: '2.0', id: 1, method: 'eth_getLogs', params }
      return JSON.parse(await dispatch(textBytes(JSON.stringify(call))))
    }
    for (const query of [{}, { address: EMITTER }, { topics: [null, null, null] }]) {
      const { result } = await ask('0x1', query)
      expect(result).toEqual(
        await client().ask('eth_getLogs', { fromBlock: '0x1', toBlock: '0x14', ...query }),
      )
    }
    expect(await ask('0x0', {})).toMatchObject({ error: { code: -32005 } })
  })
})

describe('filters', () => {
  it('tell each log once, as blocks come', async () => {
    const counts = await logsByHeight()
    const node = client(2)
    const id = await node.ask('eth_newFilter', { address: EMITTER })
    const told = async (): Promise<number> =>
      ((await node.ask('eth_getFilterChanges', id)) as unknown[]).length
    const between = (after: number, to: number): number =>
      [...counts].reduce(
        (sum, [height, count]) => sum + (height > after && height <= to ? count : 0),
        0,
      )
    expect(await told()).toBe(0)
    node.moveTo(9)
    expect(await told()).toBe(between(2, 9))
    expect(await told()).toBe(0)
    node.moveTo(20)
    expect(await told()).toBe(between(9, 20))
    expect(between(2, 20)).toBeGreaterThan(3)
  })

  it('tell no more at a time than a query may span, and the rest the next time', async () => {
    const node = client(0, { logBlocksMax: 8 })
    const id = await node.ask('eth_newFilter', {})
    node.moveTo(20)
    const seen: unknown[] = []
    for (let i = 0; i < 3; i++) {
      seen.push(...((await node.ask('eth_getFilterChanges', id)) as unknown[]))
    }
    expect(seen).toEqual(await client().ask('eth_getLogs', { fromBlock: '0x1' }))
  })

  it('begin and end where their query says', async () => {
    const node = client(0)
    const id = await node.ask('eth_newFilter', { fromBlock: '0x5', toBlock: '0x7' })
    node.moveTo(20)
    expect(await node.ask('eth_getFilterChanges', id)).toEqual(
      await client().ask('eth_getLogs', { fromBlock: '0x5', toBlock: '0x7' }),
    )
  })

  it('tell the whole query again on demand', async () => {
    const node = client()
    const query = { fromBlock: '0x1', toBlock: '0x9' }
    const id = await node.ask('eth_newFilter', query)
    expect(await node.ask('eth_getFilterLogs', id)).toEqual(await node.ask('eth_getLogs', query))
  })

  it('tell the hashes of new blocks', async () => {
    const node = client(17)
    const id = await node.ask('eth_newBlockFilter')
    node.moveTo(20)
    const hashes = [18, 19, 20].map((height) => full.chain.header(height)!.hash)
    expect(await node.ask('eth_getFilterChanges', id)).toEqual(hashes)
    expect(await node.ask('eth_getFilterChanges', id)).toEqual([])
  })

  it('are gone once closed, or when nobody asked for long', async () => {
    const node = client(20, { filterIdleMsMax: 1_000 })
    const closed = await node.ask('eth_newBlockFilter')
    const asked = await node.ask('eth_newBlockFilter')
    const idle = await node.ask('eth_newBlockFilter')
    expect(await node.ask('eth_uninstallFilter', closed)).toBe(true)
    expect(await node.ask('eth_uninstallFilter', closed)).toBe(false)
    node.time.ms = 900
    expect(await node.ask('eth_getFilterChanges', asked)).toEqual([])
    node.time.ms = 1_800
    expect(await node.ask('eth_getFilterChanges', asked)).toEqual([])
    for (const id of [closed, idle]) {
      expect(await node.answer('eth_getFilterChanges', id)).toMatchObject({
        error: { code: -32000, message: 'filter not found' },
      })
    }
  })

  it('are no more than the limit', async () => {
    const node = client(20, { filtersMax: 2, filterIdleMsMax: 10 })
    await node.ask('eth_newBlockFilter')
    await node.ask('eth_newFilter', {})
    expect(await node.answer('eth_newBlockFilter')).toMatchObject({ error: { code: -32005 } })
    node.time.ms = 11
    await node.ask('eth_newBlockFilter')
  })
})

describe('transactions that wait', () => {
  let node: Client
  beforeEach(() => {
    node = client()
  })

  it('are told to filters, shown by hash, counted, and make up the pending nonce', async () => {
    const filter = await node.ask('eth_newPendingTransactionFilter')
    const rich = signed(RICH_KEY, { maxFeePerGas: 10n ** 10n })
    expect(await node.ask('eth_sendRawTransaction', rich.raw)).toBe(rich.hash)
    expect(await node.ask('eth_getFilterChanges', filter)).toEqual([rich.hash])
    expect(await node.ask('eth_getFilterChanges', filter)).toEqual([])
    expect(await node.ask('eth_getTransactionByHash', rich.hash)).toMatchObject({
      hash: rich.hash,
      blockHash: null,
      blockNumber: null,
      transactionIndex: null,
    })
    expect(await node.ask('eth_getTransactionReceipt', rich.hash)).toBeNull()
    expect(await node.ask('eth_getRawTransactionByHash', rich.hash)).toBe(rich.raw)
    expect(await node.ask('txpool_status')).toEqual({ pending: '0x1', queued: '0x0' })
    expect(await node.ask('txpool_content')).toMatchObject({ pending: expect.any(Object) })
    const content = (await node.ask('txpool_content')) as { pending: Record<string, unknown> }
    expect(Object.keys(content.pending).map((name) => name.toLowerCase())).toEqual([rich.sender])
    const inspect = (await node.ask('txpool_inspect')) as {
      pending: Record<string, Record<string, string>>
    }
    const [summary] = Object.values(Object.values(inspect.pending)[0]!)
    expect(summary).toMatch(/: 0 wei \+ 21000 gas × \d+ wei$/)
    const latest = Number(await node.ask('eth_getTransactionCount', rich.sender, 'latest'))
    expect(Number(await node.ask('eth_getTransactionCount', rich.sender, 'pending'))).toBe(
      latest + 1,
    )
    expect(await node.answer('eth_sendRawTransaction', rich.raw)).toMatchObject({
      error: { code: -32000, message: expect.stringContaining('already known') },
    })
  })

  it.each([
    ['another chain', () => signed(POOR_KEY, { chainId: 1n }).raw, 'invalid chain id'],
    ['no money', () => signed(POOR_KEY, { maxFeePerGas: 10n ** 10n }).raw, 'insufficient funds'],
    ['too little gas', () => signed(POOR_KEY, { gasLimit: 20_999n }).raw, 'intrinsic gas too low'],
    ['bytes that are no transaction', () => '0x02c0', 'invalid transaction'],
    ['bytes that are not canonical', () => '0x02f800', 'rlp'],
    ['an unknown type', () => '0x7f00', 'type not supported'],
    ['nothing', () => '0x', 'invalid transaction'],
  ])('are refused for %s, in words that wallets know', async (_, raw, words) => {
    const { error } = await node.answer('eth_sendRawTransaction', raw())
    expect(error).toMatchObject({ code: -32000 })
    expect((error as { message: string }).message).toMatch(new RegExp(words))
  })

  it('are refused before decoding if they are too long', async () => {
    const { error } = await client(20, { transactionBytesMax: 8 }).answer(
      'eth_sendRawTransaction',
      `0x${'00'.repeat(9)}`,
    )
    expect(error).toMatchObject({ code: -32602 })
  })

  it('are waited for until a block has them, or time is up', async () => {
    const included = full.chain.block(9)!.transactions[0]!
    const { backend, moveTo } = chainAt(8)
    const accepting: Backend = { ...backend, pool: { ...full.pool, submit: () => included.hash } }
    const dispatch = createRpc({ backend: accepting, ports: testPorts() })
    const ask = (timeout: unknown): Promise<string> =>
      Promise.resolve(
        dispatch(
          textBytes(
            JSON.stringify({
              jsonrpc: '2.0',
              id: 1,
              method: 'eth_sendRawTransactionSync',
              params: [bytesToHex(included.encoded), timeout],
            }),
          ),
        ),
      )
    expect(JSON.parse(await ask(1))).toMatchObject({ error: { code: 4, data: included.hash } })
    const waiting = ask(10_000)
    await Promise.resolve()
    moveTo(9)
    expect(JSON.parse(await waiting)).toMatchObject({
      result: { transactionHash: included.hash, blockNumber: '0x9' },
    })
  })
})

describe('fees', () => {
  /** The chain with its last block full to a share of its gas limit, in per cent. */
  function filled(percent: bigint, feePerGasMin: bigint): Client['ask'] {
    const { chain } = full
    const head = chain.block(20)!
    const header = { ...head.header, gasUsed: (head.header.gasLimit * percent) / 100n }
    const sealed = { header, hash: `0x${'fe'.repeat(32)}` as const }
    const backend: Backend = {
      ...full,
      pool: { ...full.pool, feePerGasMin: () => feePerGasMin },
      chain: {
        ...chain,
        head: () => sealed,
        header: (number) => (number === 20 ? sealed : chain.header(number)),
        block: (number) => (number === 20 ? { ...head, ...sealed } : chain.block(number)),
      },
    }
    const dispatch = createRpc({ backend, ports: testPorts() })
    return async (method, ...params) => {
      const request = { jsonrpc: '2.0', id: 1, method, params }
      return JSON.parse(await dispatch(textBytes(JSON.stringify(request)))).result
    }
  }

  it('are the least that the pool takes while blocks have room', async () => {
    const next = full.chain.nextFees(full.chain.head().header).baseFeePerGas!
    const ask = client().ask
    expect(await ask('eth_maxPriorityFeePerGas')).toBe('0x0')
    expect(await ask('eth_gasPrice')).toBe(`0x${next.toString(16)}`)
    expect(await filled(89n, next * 100n)('eth_maxPriorityFeePerGas')).not.toBe('0x0')
  })

  it('are what places went for when blocks are full', async () => {
    const head = full.chain.block(20)!
    const base = head.header.baseFeePerGas!
    const tips = head.transactions
      .map((tx) =>
        tx.maxPriorityFeePerGas < tx.maxFeePerGas - base
          ? tx.maxPriorityFeePerGas
          : tx.maxFeePerGas - base,
      )
      .sort((a, b) => Number(a - b))
      .slice(0, 3)
    const expected = tips[Math.floor(((tips.length - 1) * 60) / 100)]!
    expect(expected).toBeGreaterThan(0n)
    expect(await filled(95n, 0n)('eth_maxPriorityFeePerGas')).toBe(`0x${expected.toString(16)}`)
  })

  it('have a history with one price more than blocks, and rewards by percentile', async () => {
    const ask = client().ask
    const history = (await ask('eth_feeHistory', '0x400', 'latest', [0, 50, 100])) as {
      oldestBlock: string
      reward: string[][]
      baseFeePerGas: string[]
      gasUsedRatio: number[]
    }
    expect(history.oldestBlock).toBe('0x0')
    expect(history.baseFeePerGas).toHaveLength(22)
    expect(history.gasUsedRatio).toHaveLength(21)
    for (let height = 0; height <= 20; height++) {
      const { header } = full.chain.header(height)!
      expect(BigInt(history.baseFeePerGas[height]!)).toBe(header.baseFeePerGas)
      expect(history.gasUsedRatio[height]).toBe(Number(header.gasUsed) / Number(header.gasLimit))
      const [low, middle, high] = history.reward[height]!.map(BigInt)
      expect(low! <= middle! && middle! <= high!).toBe(true)
    }
    // The price of each block follows from the block before it, that of the next included.
    for (let height = 0; height <= 20; height++) {
      const next = full.chain.nextFees(full.chain.header(height)!.header).baseFeePerGas!
      expect(BigInt(history.baseFeePerGas[height + 1]!)).toBe(next)
    }
  })

  it.each([
    ['a block beyond the head', ['0x1', '0x15', []], -32000],
    ['a percentile over 100', ['0x1', 'latest', [101]], -32602],
    ['percentiles that fall', ['0x1', 'latest', [50, 40]], -32602],
    ['a percentile that is text', ['0x1', 'latest', ['50']], -32602],
    [
      'too many percentiles',
      ['0x1', 'latest', Array.from({ length: 101 }, (_, i) => i / 2)],
      -32602,
    ],
  ])('have no history for %s', async (_, params, code) => {
    expect(await client().answer('eth_feeHistory', ...params)).toMatchObject({ error: { code } })
  })
})

describe('the pool', () => {
  it('is not shown whole if that would be too long', async () => {
    const rich = signed(RICH_KEY, { nonce: 1n, maxFeePerGas: 10n ** 10n })
    const node = client(20, { responseCharsMax: 300 })
    await node.ask('eth_sendRawTransaction', rich.raw)
    expect(await node.answer('txpool_content')).toMatchObject({ error: { code: -32003 } })
  })
})
