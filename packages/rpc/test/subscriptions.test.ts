import type { Address, Hash } from '@vellum/evm'
import type { Log, SignedTransaction } from '@vellum/ledger'
import { expect, it } from 'vitest'
import type { Line, Subscriber } from '../src/access.ts'
import type { Backend, SyncProgress } from '../src/backend.ts'
import { createRpc } from '../src/index.ts'
import { loadExecutedBackend, testPorts, textBytes } from './compat-chain.ts'

const EXECUTED = await loadExecutedBackend('cancun-genesis')
const HEIGHT = EXECUTED.chain.head().header.number

/** A chain that has come as far as `height`, and can go on. */
function createGrowing(start: number): {
  backend: Backend
  grow: (to: number) => void
  submit: (transaction: SignedTransaction) => void
  setSyncing: (progress: SyncProgress | undefined) => void
  listeners: () => number
  damage: () => void
  /** How often a whole block was read. */
  reads: () => number
} {
  let height = start
  let isDamaged = false
  let reads = 0
  let progress: SyncProgress | undefined
  const heads = new Set<(head: never) => void>()
  const pool = new Set<(transaction: SignedTransaction) => void>()
  const { chain } = EXECUTED
  const backend: Backend = {
    ...EXECUTED,
    node: { ...EXECUTED.node, syncing: () => progress },
    chain: {
      ...chain,
      head: () => chain.header(height)!,
      header: (number) => {
        if (isDamaged) throw new Error('damaged')
        return number <= height ? chain.header(number) : undefined
      },
      block: (number) => {
        reads++
        return chain.block(number)
      },
      onHead: (listener) => {
        heads.add(listener)
        return () => heads.delete(listener)
      },
    },
    pool: {
      ...EXECUTED.pool,
      onTransaction: (listener) => {
        pool.add(listener)
        return () => pool.delete(listener)
      },
    },
  }
  return {
    backend,
    grow: (to) => {
      while (height < to) {
        height++
        for (const listener of heads) listener(chain.header(height) as never)
      }
    },
    submit: (transaction) => {
      for (const listener of pool) listener(transaction)
    },
    setSyncing: (given) => {
      progress = given
    },
    listeners: () => heads.size + pool.size,
    damage: () => {
      isDamaged = true
    },
    reads: () => reads,
  }
}

interface Told {
  readonly method: string
  readonly params: { readonly subscription: string; readonly result: unknown }
}

function setUp(limits: { subscriptionsPerConnectionMax?: number; subscriptionsMax?: number } = {}) {
  const growing = createGrowing(HEIGHT - 5)
  const timers: (() => void)[] = []
  const counts: number[] = []
  const failures: unknown[] = []
  let seed = 0
  const dispatch = createRpc({
    backend: growing.backend,
    limits,
    ports: {
      ...testPorts(),
      randomBytes: (size) => new Uint8Array(size).fill(++seed),
      setTimer: (_, callback) => {
        timers.push(callback)
        return () => {}
      },
      onInternalError: (error) => failures.push(error),
      onSubscriptions: (count) => counts.push(count),
    },
  })
  const connect = () => {
    const told: Told[] = []
    const closers: (() => void)[] = []
    let isCut = false
    const line: Line = {
      send: (text) => void told.push(JSON.parse(text)),
      onClose: (callback) => void closers.push(callback),
      cut: () => {
        isCut = true
      },
    }
    /** Asks; what was told before the answer is thrown away by nobody. */
    const ask = async (method: string, ...params: unknown[]): Promise<unknown> => {
      const answered: (() => void)[] = []
      const subscriber: Subscriber = { line, onAnswered: (call) => void answered.push(call) }
      const body = textBytes(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))
      const { result, error } = JSON.parse(await dispatch(body, { subscriber })) as {
        result?: unknown
        error?: { code: number; message: string }
      }
      for (const callback of answered) callback()
      return error === undefined ? result : error
    }
    return {
      told,
      ask,
      close: () => {
        for (const callback of closers) callback()
      },
      isCut: () => isCut,
    }
  }
  return {
    ...growing,
    dispatch,
    connect,
    counts,
    failures,
    look: () => {
      for (const callback of timers.splice(0)) callback()
    },
  }
}

/** The turns that telling of blocks takes. */
async function settle(): Promise<void> {
  for (let i = 0; i < 100; i++) await Promise.resolve()
}

const blockOf = async (number: number): Promise<Record<string, unknown>> => {
  const dispatch = createRpc({ backend: EXECUTED, ports: testPorts() })
  const params = [`0x${number.toString(16)}`, false]
  const body = { jsonrpc: '2.0', id: 1, method: 'eth_getBlockByNumber', params }
  return JSON.parse(await dispatch(textBytes(JSON.stringify(body)))).result
}

it('newHeads: tells every head after the subscription, in order, as headers', async () => {
  const { connect, grow } = setUp()
  const { ask, told } = connect()
  const id = await ask('eth_subscribe', 'newHeads')
  expect(id).toMatch(/^0x[1-9a-f][0-9a-f]{0,31}$/)
  grow(HEIGHT - 2)
  await settle()
  grow(HEIGHT)
  await settle()
  expect(told.map(({ params }) => Number((params.result as { number: string }).number))).toEqual([
    HEIGHT - 4,
    HEIGHT - 3,
    HEIGHT - 2,
    HEIGHT - 1,
    HEIGHT,
  ])
  const { size, transactions, uncles, withdrawals, ...header } = await blockOf(HEIGHT)
  expect(told[4]).toEqual({
    jsonrpc: '2.0',
    method: 'eth_subscription',
    params: { subscription: id, result: header },
  })
})

it('newHeads: what comes before the client knows the id is not told', async () => {
  const { dispatch, grow } = setUp()
  const told: string[] = []
  const answered: (() => void)[] = []
  const line: Line = { send: (text) => void told.push(text), onClose: () => {}, cut: () => {} }
  const body = '{"jsonrpc":"2.0","id":1,"method":"eth_subscribe","params":["newHeads"]}'
  await dispatch(textBytes(body), {
    subscriber: { line, onAnswered: (call) => void answered.push(call) },
  })
  grow(HEIGHT - 4)
  await settle()
  expect(told).toEqual([])
  for (const callback of answered) callback()
  grow(HEIGHT - 3)
  await settle()
  expect(told.length).toBe(1)
})

/** The first log of the last blocks that have one, and its height. */
function someLog(): { log: Log; height: number } {
  for (let height = HEIGHT; height > 0; height--) {
    for (const { logs } of EXECUTED.chain.receipts(height) ?? []) {
      if (logs[0] !== undefined) return { log: logs[0], height }
    }
  }
  throw new Error('the chain has no logs')
}

it('logs: tells those that fit, as eth_getLogs answers them', async () => {
  const { log, height } = someLog()
  const growing = setUp()
  const dispatch = createRpc({ backend: EXECUTED, ports: testPorts() })
  const blockHash = EXECUTED.chain.header(height)!.hash
  const query = { jsonrpc: '2.0', id: 1, method: 'eth_getLogs', params: [{ blockHash }] }
  const all = JSON.parse(await dispatch(textBytes(JSON.stringify(query)))).result as {
    address: Address
    topics: Hash[]
  }[]
  const start = growing.backend.chain.head().header.number
  expect(height).toBeGreaterThan(start)

  const client = growing.connect()
  const everything = await client.ask('eth_subscribe', 'logs', {})
  const byAddress = await client.ask('eth_subscribe', 'logs', { address: log.address })
  const byTopic = await client.ask('eth_subscribe', 'logs', { topics: [[log.topics[0] ?? null]] })
  const none = await client.ask('eth_subscribe', 'logs', { address: `0x${'99'.repeat(20)}` })
  growing.grow(HEIGHT)
  await settle()
  const of = (id: unknown): unknown[] =>
    client.told
      .filter(({ params }) => params.subscription === id)
      .map(({ params }) => params.result)
      .filter((result) => (result as { blockHash: Hash }).blockHash === blockHash)
  expect(of(everything)).toEqual(all)
  expect(of(byAddress)).toEqual(all.filter(({ address }) => address === log.address))
  expect(of(byTopic).length).toBeGreaterThan(0)
  expect(of(none)).toEqual([])
})

it('newPendingTransactions: tells hashes, and whole transactions to who wants them', async () => {
  const { connect, submit } = setUp()
  const { ask, told } = connect()
  const block = Array.from({ length: HEIGHT }, (_, i) => EXECUTED.chain.block(i)!).find(
    ({ transactions }) => transactions.length > 0,
  )!
  const transaction = block.transactions[0]!
  const hashes = await ask('eth_subscribe', 'newPendingTransactions')
  const whole = await ask('eth_subscribe', 'newPendingTransactions', true)
  submit(transaction)
  expect(told.map(({ params }) => params)).toEqual([
    { subscription: hashes, result: transaction.hash },
    {
      subscription: whole,
      result: expect.objectContaining({
        hash: transaction.hash,
        from: transaction.sender,
        blockHash: null,
      }),
    },
  ])
})

it('syncing: tells when the node falls behind and when it has caught up', async () => {
  const { connect, setSyncing, look } = setUp()
  const { ask, told } = connect()
  await ask('eth_subscribe', 'syncing')
  look()
  expect(told).toEqual([])
  setSyncing({ startingBlock: 1, currentBlock: 2, highestBlock: 300 })
  look()
  look()
  setSyncing(undefined)
  look()
  const status = { startingBlock: '0x1', currentBlock: '0x2', highestBlock: '0x12c' }
  expect(told.map(({ params }) => params.result)).toEqual([{ syncing: true, status }, false])
})

it('eth_unsubscribe ends a subscription of this connection, and no other', async () => {
  const { connect, grow, listeners } = setUp()
  const first = connect()
  const second = connect()
  const id = await first.ask('eth_subscribe', 'newHeads')
  expect(await second.ask('eth_unsubscribe', id)).toMatchObject({ code: -32000 })
  expect(await first.ask('eth_unsubscribe', id)).toBe(true)
  expect(await first.ask('eth_unsubscribe', id)).toMatchObject({
    message: 'subscription not found',
  })
  grow(HEIGHT)
  await settle()
  expect([first.told, listeners()]).toEqual([[], 0])
})

it('a connection that closes takes its subscriptions with it, and nobody listens for nobody', async () => {
  const { connect, listeners, counts } = setUp()
  const { ask, close } = connect()
  for (const topic of ['newHeads', 'logs', 'newPendingTransactions', 'syncing']) {
    await ask('eth_subscribe', topic)
  }
  expect([listeners(), counts.at(-1)]).toEqual([2, 4])
  close()
  expect([listeners(), counts.at(-1)]).toEqual([0, 0])
})

it('limits the subscriptions of a connection, and of all', async () => {
  const { connect } = setUp({ subscriptionsPerConnectionMax: 2, subscriptionsMax: 3 })
  const first = connect()
  const second = connect()
  await first.ask('eth_subscribe', 'newHeads')
  await first.ask('eth_subscribe', 'newHeads')
  expect(await first.ask('eth_subscribe', 'newHeads')).toMatchObject({ code: -32005 })
  expect(await second.ask('eth_subscribe', 'newHeads')).toMatch(/^0x/)
  expect(await second.ask('eth_subscribe', 'newHeads')).toMatchObject({ code: -32005 })
})

it.each([
  [[], -32602],
  [[7], -32602],
  [['other'], -32601],
  [['logs', 7], -32602],
  [['logs', { address: '0x1' }], -32602],
  [['newPendingTransactions', 'yes'], -32602],
])('refuses to subscribe to %j', async (params, code) => {
  expect(
    await setUp()
      .connect()
      .ask('eth_subscribe', ...params),
  ).toMatchObject({ code })
})

it('cuts those whom it cannot tell, and says so', async () => {
  const { connect, grow, damage, failures } = setUp()
  const client = connect()
  await client.ask('eth_subscribe', 'newHeads')
  damage()
  grow(HEIGHT - 4)
  await settle()
  expect([client.isCut(), failures.length]).toEqual([true, 1])
})

it('tells everybody the same, and reads a block once for all of them', async () => {
  const { connect, grow, reads } = setUp()
  const clients = Array.from({ length: 50 }, connect)
  for (const { ask } of clients) {
    await ask('eth_subscribe', 'newHeads')
    await ask('eth_subscribe', 'logs', {})
  }
  grow(HEIGHT)
  await settle()
  const first = clients[0]!.told.map(({ params }) => params.result)
  expect(first.length).toBeGreaterThan(5)
  for (const { told } of clients) {
    expect(told.map(({ params }) => params.result)).toEqual(first)
  }
  expect(reads()).toBeLessThanOrEqual(5)
})
