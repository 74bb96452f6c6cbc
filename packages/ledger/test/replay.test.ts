/** Blocks run once more, and blocks that never were, on a chain that goes on meanwhile. */

import { crc32 } from 'node:zlib'
import {
  type Address,
  createAddress,
  hexToBytes,
  type Step,
  type Tracer,
  type World,
} from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import {
  addressOfPublicKey,
  type Chain,
  createMemoryKeyValue,
  createPool,
  createSecp256k1,
  createSimulator,
  LedgerError,
  openChain,
  type Pool,
  type ReplayPorts,
  type SignedTransaction,
  signTransaction,
  type Transaction,
  type TransactionWatch,
} from '../src/index.ts'
import { createOneSigner, oneSignerGenesis } from './one-signer.ts'

const crypto = createSecp256k1()
const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const addressOf = (n: number): Address => addressOfPublicKey(crypto.publicKey(keyOf(n)))
const VALIDATOR = 9
const sealer = createOneSigner(addressOf(VALIDATOR), keyOf(VALIDATOR), crypto)
/** Adds one to slot 0 each time that it is called, and tells so. */
const COUNTER = '0x6000546001018060005560005260206000a000'

const GENESIS = oneSignerGenesis({
  validator: addressOf(VALIDATOR),
  alloc: Object.fromEntries([1, 2, 3].map((n) => [addressOf(n), { balance: '0x100000' }])),
})
const CONTRACT = createAddress(addressOf(1), 0n)

interface Stage {
  readonly chain: Chain
  readonly ports: ReplayPorts
  /** Appends a block with these transactions. */
  append(...transactions: SignedTransaction[]): Promise<void>
}

async function stage(retainedBlocks?: number): Promise<Stage> {
  const disk = createMemoryKeyValue()
  const chain = await openChain({
    genesis: GENESIS,
    disk,
    crc32,
    scheme: sealer,
    crypto,
    retainedBlocks,
  })
  const pool: Pool = createPool({
    state: () => chain.state(),
    next: () => {
      const { header } = chain.head()
      const rules = chain.rulesAt(header.number + 1, header.timestamp)
      return { rules, gasLimit: header.gasLimit }
    },
  })
  chain.onHead(({ block }) => pool.settle(block.transactions))
  return {
    chain,
    ports: {
      header: chain.header,
      block: chain.block,
      stateAt: chain.stateAt,
      rulesAt: chain.rulesAt,
      crypto,
      nowMs: () => 0,
    },
    append: async (...transactions) => {
      for (const each of transactions) pool.add(each)
      const { header } = chain.head()
      const built = chain.build(pool, {
        timestamp: header.timestamp + 1,
        fields: sealer.fields,
        gasLimitTarget: header.gasLimit,
      })
      expect(built.block.transactions).toHaveLength(transactions.length)
      await chain.append(chain.sealed(built, sealer.seal(built.block.header)))
    },
  }
}

function tx(from: number, nonce: number, fields: Partial<Transaction> = {}): SignedTransaction {
  const transaction: Transaction = {
    type: 2,
    chainId: 7n,
    nonce: BigInt(nonce),
    gasLimit: 200_000n,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    to: CONTRACT,
    value: 0n,
    data: new Uint8Array(0),
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
    ...fields,
  }
  return signTransaction(transaction, keyOf(from), crypto)
}

/** Deploys the counter and calls it, twice in block 2. */
async function counted(retainedBlocks?: number): Promise<Stage> {
  const found = await stage(retainedBlocks)
  const size = (COUNTER.length - 2) / 2
  const init = hexToBytes(
    `0x60${size.toString(16)}600c60003960${size.toString(16)}6000f3${COUNTER.slice(2)}`,
  )
  await found.append(tx(1, 0, { to: undefined, data: init }))
  await found.append(tx(1, 1), tx(2, 0))
  return found
}

/** Notes the value of slot 0 before the transaction and after it, and what was stored. */
function watchCounter(): TransactionWatch & { readonly seen: (bigint | string)[] } {
  const seen: (bigint | string)[] = []
  let world: World
  const slot = `0x${'0'.repeat(64)}` as const
  const tracer: Tracer = {
    step: (step: Step) => {
      if (step.op === 0x55) seen.push(`stores ${step.stackAt(1)}`)
    },
  }
  return {
    seen,
    start: (transaction) => {
      world = transaction.world
      seen.push(world.storage(CONTRACT, slot), `after ${transaction.logsBefore} events`)
      return tracer
    },
    end: ({ halt }) => seen.push(world.storage(CONTRACT, slot), halt),
  }
}

describe('openReplay', () => {
  test('does what the block did, watched or not', async () => {
    const { chain, ports } = await counted()
    const replay = createSimulator(ports).openReplay(2)
    const first = replay.next()
    const watch = watchCounter()
    const second = replay.next(watch)
    const receipts = chain.receipts(2)!
    expect(first.gasUsed).toBe(receipts[0]!.cumulativeGasUsed)
    expect(first.gasUsed + second.gasUsed).toBe(receipts[1]!.cumulativeGasUsed)
    expect(second.logs).toEqual(receipts[1]!.logs)
    expect(watch.seen).toEqual([1n, 'after 1 events', 'stores 2', 2n, 'success'])
  })

  test('goes on while the chain does, and leaves no trace in it', async () => {
    const { chain, ports, append } = await counted()
    const replay = createSimulator(ports).openReplay(2)
    replay.next()
    await append(tx(3, 0), tx(1, 2))
    await chain.flush()
    const before = chain.state().root
    const watch = watchCounter()
    replay.next(watch)
    expect(watch.seen).toEqual([1n, 'after 1 events', 'stores 2', 2n, 'success'])
    expect(chain.state().root).toBe(before)
    expect(chain.state().storage(CONTRACT, `0x${'0'.repeat(64)}`)).toBe(4n)
  })

  test('ends where the state below the block is no longer kept', async () => {
    const { ports, append } = await counted(2)
    const replay = createSimulator(ports).openReplay(2)
    replay.next()
    await append()
    await append()
    await append()
    expect(() => replay.next()).toThrow(expect.objectContaining({ code: 'LEDGER_STATE_PRUNED' }))
    expect(() => createSimulator(ports).openReplay(2)).toThrow(LedgerError)
  })

  test.each([0, 3])('there is no block %i to run', async (number) => {
    const { ports } = await counted()
    expect(() => createSimulator(ports).openReplay(number)).toThrow(
      expect.objectContaining({ code: 'LEDGER_BLOCK_UNKNOWN' }),
    )
  })

  test('what a watch throws ends the transaction and comes out', async () => {
    const { ports } = await counted()
    const replay = createSimulator(ports).openReplay(2)
    const enough = new Error('seen enough')
    const watch: TransactionWatch = {
      start: () => ({
        step: () => {
          throw enough
        },
      }),
      end: () => {},
    }
    expect(() => replay.next(watch)).toThrow(enough)
  })

  test('a transaction that takes too long to watch is given up', async () => {
    const { append, ports } = await counted()
    // Deploys and calls a loop without end.
    const init = hexToBytes('0x635b600056600052600460 1cf3'.replace(' ', ''))
    await append(tx(1, 2, { to: undefined, data: init }))
    await append(tx(1, 3, { to: createAddress(addressOf(1), 2n), gasLimit: 16_000_000n }))
    let nowMs = 0
    const slow = createSimulator({ ...ports, nowMs: () => (nowMs += 10) })
    const watch: TransactionWatch = { start: () => ({ step: () => {} }), end: () => {} }
    expect(() => slow.openReplay(4).next(watch, 5)).toThrow(
      expect.objectContaining({ code: 'LEDGER_SIMULATION_TIME' }),
    )
  })
})

describe('simulateBlocks', () => {
  const query = (calls: number) => ({
    number: 2,
    blocks: Array.from({ length: calls }, () => ({
      overrides: {},
      stateOverrides: undefined,
      calls: [{ from: addressOf(3), to: CONTRACT }],
    })),
    isValidating: false,
    isTracingTransfers: false,
  })

  test('gives the roots that the same blocks of the chain have', async () => {
    const { chain, ports, append } = await counted()
    const simulated = createSimulator(ports).simulateBlocks(query(1)).next()!
    await append(tx(3, 0))
    const { header } = chain.head()
    expect(simulated.block.header).toMatchObject({
      number: 3,
      stateRoot: header.stateRoot,
      receiptsRoot: header.receiptsRoot,
      gasUsed: header.gasUsed,
      baseFeePerGas: 0n,
      requestsHash: header.requestsHash,
    })
  })

  test('stands on its own block while the chain goes on', async () => {
    const { chain, ports, append } = await counted()
    const simulation = createSimulator(ports).simulateBlocks(query(3))
    const topics: unknown[] = []
    for (let made = simulation.next(); made !== undefined; made = simulation.next()) {
      topics.push(made.calls[0]!.halt, made.block.header.number)
      await append(tx(1, chain.head().header.number))
    }
    expect(topics).toEqual(['success', 3, 'success', 4, 'success', 5])
  })

  test('is given up when its time is over, all blocks together', async () => {
    const { ports } = await counted()
    let nowMs = 0
    const slow = createSimulator({ ...ports, nowMs: () => (nowMs += 1_000) })
    const simulation = slow.simulateBlocks(query(50))
    expect(() => {
      while (simulation.next() !== undefined);
    }).toThrow(expect.objectContaining({ code: 'LEDGER_SIMULATION_TIME' }))
  })
})
