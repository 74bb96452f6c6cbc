import { crc32 } from 'node:zlib'
import {
  type Commit,
  decodeMessage,
  encodeMessage,
  type Message,
  type Prepare,
  proposalFields,
  proposedBlock,
  signCommit,
  signPrepare,
  signProposal,
  signRoundChange,
  type VoteRecord,
} from '@vellum/consensus'
import { type Address, bytesToHex, hexToBytes } from '@vellum/evm'
import {
  createMemoryKeyValue,
  encodeExtraData,
  parseGenesis,
  signTransaction,
} from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { createNode, type VellumNode } from '../src/node.ts'
import type {
  CancelTimer,
  Logger,
  PeerAddress,
  Signer,
  Transport,
  TransportHandlers,
} from '../src/ports.ts'
import { signerOf } from '../src/sealing.ts'
import { crypto } from './virtual-node.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

const silent: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

const SIGNERS: readonly Signer[] = [1, 2, 3, 4]
  .map((each) => signerOf(new Uint8Array(32).fill(each), crypto))
  .sort((a, b) => (a.address < b.address ? -1 : 1))
const VALIDATORS = SIGNERS.map(({ address }) => address)
const PAYER = new Uint8Array(32).fill(9)

interface World {
  readonly node: VellumNode
  readonly time: VirtualTime
  /** Messages to any peer, each once. */
  readonly said: Message[]
  readonly faults: {
    readonly peer: PeerAddress
    readonly reason: string
    readonly weight: string
  }[]
  readonly records: VoteRecord[]
  /** While it is pending, nothing is written. */
  disk: Promise<void>
  /** Timers of the node that are set now. */
  timerCount(): number
  hear(from: Address, frame: Uint8Array): Promise<void>
  /** A transaction waits, and time passes. */
  work(): Promise<void>
}

/** One of four validators, and a wire on which nobody is but the test. */
async function createWorld(
  index: number,
  options: { readonly signer?: Signer; readonly isAlone?: boolean } = {},
): Promise<World> {
  const time = createVirtualTime()
  let timers = 0
  const said: Message[] = []
  const faults: World['faults'] = []
  const records: VoteRecord[] = []
  let handlers: TransportHandlers | undefined
  const recover = (hash: Uint8Array, signature: Uint8Array): Address | undefined =>
    crypto.recoverBytes(hash, signature.subarray(0, 64), signature[64]!)
  const others = VALIDATORS.filter((_, i) => i !== index)
  const transport: Transport = {
    start: (given) => {
      handlers = given
      return Promise.resolve()
    },
    stop: () => Promise.resolve(),
    peers: () => others,
    send: (to, channel, frame) => {
      if (channel === 'consensus' && to === others[0]) said.push(decodeMessage(frame, recover))
      return true
    },
    ask: () => Promise.reject(new Error('nobody answers here')),
    penalise: (peer, reason, weight) => void faults.push({ peer, reason, weight }),
    admit: () => {},
  }
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: VALIDATORS,
    vote: undefined,
    round: 0,
    seals: [],
  })
  const genesis = parseGenesis({
    config: { chainId: 7, londonBlock: 0, zeroBaseFee: true, qbft: { blockperiodseconds: 1 } },
    alloc: {},
    difficulty: '0x1',
    gasLimit: '0x1c9c380',
    timestamp: '0x1',
    extraData: bytesToHex(extraData),
  })
  const { blocks, consensus } = parseConfig({})
  const node = await createNode(
    {
      blocks,
      consensus,
      retainedBlocks: undefined,
      genesis,
      signer: options.signer ?? SIGNERS[index]!,
      clientVersion: 'test',
    },
    {
      clock: time,
      timers: {
        after: (ms, run): CancelTimer => {
          timers += 1
          let isOver = false
          const over = (): void => {
            timers -= isOver ? 0 : 1
            isOver = true
          }
          const cancel = time.after(ms, () => {
            over()
            run()
          })
          return () => {
            over()
            cancel()
          }
        },
      },
      log: silent,
      disk: createMemoryKeyValue(),
      heads: { found: undefined, write: () => {} },
      crc32,
      crypto,
      transport: options.isAlone === true ? undefined : transport,
      votes: {
        found: [],
        append: async (added) => {
          await world.disk
          records.push(...added)
        },
        release: () => {},
      },
    },
  )
  const world: World = {
    ...{ node, time, said, faults, records },
    disk: Promise.resolve(),
    timerCount: () => timers,
    hear: (from, frame) => {
      handlers!.onMessage(from, 'consensus', frame)
      return time.advance(0)
    },
    work: async () => {
      const nonce = BigInt(node.chain.head().header.number)
      node.pool.add(transfer(nonce))
      await time.advance(5)
    },
  }
  await node.start()
  await time.advance(0)
  return world
}

function transfer(nonce: bigint): ReturnType<typeof signTransaction> {
  return signTransaction(
    {
      type: 2,
      chainId: 7n,
      nonce,
      gasLimit: 21_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to: VALIDATORS[0]!,
      value: 0n,
      data: new Uint8Array(0),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    PAYER,
    crypto,
  )
}

type Place = Prepare['payload']

const prepareOf = ({ address, sign }: Signer, place: Place): Prepare =>
  signPrepare(place, address, sign)
const commitOf = ({ address, sign }: Signer, place: Place): Commit =>
  signCommit({ ...place, seal: sign(hexToBytes(place.digest)) }, address, sign)

/** The votes of the others for what the node has said it prepares. */
async function agree({ said, hear }: World, signers: readonly Signer[]): Promise<void> {
  const prepare = said.find((each) => each.kind === 'prepare')
  const { height, round, digest } = prepare!.payload
  for (const make of [prepareOf, commitOf]) {
    for (const signer of signers) {
      await hear(signer.address, encodeMessage(make(signer, { height, round, digest })))
    }
  }
}

describe('what peers send', () => {
  test('bytes that are no message are a severe fault of their sender, and the chain goes on', async () => {
    const world = await createWorld(0)
    const { node, faults, said, hear, work } = world
    await work()
    expect(said.map(({ kind }) => kind)).toEqual(['proposal', 'prepare'])
    const place = said[1]!.payload as Place
    const good = encodeMessage(prepareOf(SIGNERS[1]!, place))
    const bad = [
      new Uint8Array(0),
      Uint8Array.of(0x13),
      Uint8Array.of(0x13, 0xc1),
      good.subarray(0, good.length - 1),
      Uint8Array.of(0x16, ...good.subarray(1)),
      Uint8Array.of(0x00, ...good.subarray(1)),
    ]
    for (const frame of bad) await hear(VALIDATORS[1]!, frame)
    expect(faults.map(({ peer, weight }) => [peer, weight])).toEqual(
      bad.map(() => [VALIDATORS[1], 'severe']),
    )
    await agree(world, SIGNERS.slice(1, 3))
    expect(node.chain.head().header.number).toBe(1)
    await node.stop()
  })

  test('who is no validator is not listened to', async () => {
    const world = await createWorld(0)
    const { node, faults, hear, work } = world
    const stranger = signerOf(new Uint8Array(32).fill(77), crypto)
    await work()
    const before = world.said.length
    const payload = { height: 1, round: 3, prepared: undefined }
    const signed = signRoundChange(payload, stranger.address, stranger.sign)
    const rest = { block: undefined, accessList: undefined, prepares: [] }
    const frame = encodeMessage({ kind: 'roundChange', ...signed, ...rest })
    await hear(stranger.address, frame)
    await hear(stranger.address, Uint8Array.of(1, 2, 3))
    expect(faults).toEqual([])
    // Brought by a validator it is looked at, and does not count.
    await hear(VALIDATORS[1]!, frame)
    expect(world.said).toHaveLength(before)
    expect(node.consensus?.runner.state().roundChanges.size).toBe(0)
    await node.stop()
  })

  test('a wrong digest or seal is its author’s fault, and no block comes of it', async () => {
    const world = await createWorld(0)
    const { node, faults, hear, work, said } = world
    await work()
    const place = said[1]!.payload as Place
    const [, one, two, three] = SIGNERS as [Signer, Signer, Signer, Signer]
    const wrong = { ...place, digest: node.chain.head().hash }
    await hear(one.address, encodeMessage(prepareOf(one, wrong)))
    expect(faults.at(-1)).toMatchObject({ peer: one.address, weight: 'slight' })
    const seal = three.sign(hexToBytes(place.digest))
    const borrowed = signCommit({ ...place, seal }, two.address, two.sign)
    await hear(two.address, encodeMessage(borrowed))
    expect(faults.at(-1)).toMatchObject({ peer: two.address, weight: 'severe' })
    await hear(three.address, encodeMessage(prepareOf(three, place)))
    await hear(three.address, encodeMessage(commitOf(three, place)))
    expect(node.chain.head().header.number).toBe(0)
    await node.stop()
  })

  test('a block from beyond the next second is not voted for', async () => {
    const { node, time, said, faults, hear } = await createWorld(1)
    const [proposer] = SIGNERS as [Signer]
    const parent = node.chain.head()
    const blockAt = (timestamp: number): Uint8Array => {
      const fields = proposalFields({
        proposer: proposer.address,
        validators: VALIDATORS,
        round: 0,
        vote: undefined,
      })
      const header = { ...parent.header, ...fields, number: 1, parentHash: parent.hash, timestamp }
      const block = proposedBlock(header, Uint8Array.of(0xc2, 0xc0, 0xc0))
      const payload = { height: 1, round: 0, block, accessList: undefined }
      const signed = signProposal(payload, proposer.address, proposer.sign)
      return encodeMessage({ kind: 'proposal', ...signed, roundChanges: [], prepares: [] })
    }
    await hear(proposer.address, blockAt(Math.floor(time.now() / 1_000) + 2))
    expect(said.map(({ kind }) => kind)).toEqual(['roundChange'])
    expect(faults).toMatchObject([{ peer: proposer.address, reason: 'block is not valid' }])
    await node.stop()
  })
})

describe('what the node says', () => {
  test('ends with it: what was being written when it stopped sets no timer', async () => {
    const world = await createWorld(0)
    const { node, time, said, hear, work, timerCount } = world
    await work()
    const place = said[1]!.payload as Place
    const [, one, two] = SIGNERS as [Signer, Signer, Signer]
    for (const signer of [one, two])
      await hear(signer.address, encodeMessage(commitOf(signer, place)))
    await hear(one.address, encodeMessage(prepareOf(one, place)))
    const { promise, resolve } = Promise.withResolvers<void>()
    world.disk = promise
    await hear(two.address, encodeMessage(prepareOf(two, place)))
    const stopped = node.stop()
    await time.advance(0)
    resolve()
    await stopped
    expect(node.chain.head().header.number).toBe(1)
    expect(timerCount()).toBe(0)
  })

  test('is on disk before it is said', async () => {
    const world = await createWorld(0)
    const { node, time, said, records, work } = world
    const { promise, resolve } = Promise.withResolvers<void>()
    world.disk = promise
    await work()
    expect(said).toEqual([])
    resolve()
    await time.advance(0)
    expect(records.map(({ kind }) => kind)).toEqual(['proposed', 'voted'])
    expect(said.map(({ kind }) => kind)).toEqual(['proposal', 'prepare'])
    await agree(world, SIGNERS.slice(1, 3))
    expect(records.map(({ kind }) => kind)).toEqual(['proposed', 'voted', 'prepared'])
    await node.stop()
  })

  test('ends where the key fails: the node stops, and says why', async () => {
    const failure = new Error('the key is away')
    const [{ address }] = SIGNERS as [Signer]
    const sign = (): never => {
      throw failure
    }
    const { node, said, work, time } = await createWorld(0, { signer: { address, sign } })
    await work()
    expect(await node.failed).toBe(failure)
    expect(said).toEqual([])
    await time.advance(120_000)
    expect(said).toEqual([])
    expect(node.chain.head().header.number).toBe(0)
    await node.stop()
  })

  test('has one timer of each name: a new one replaces it', async () => {
    const { node, work, time, timerCount } = await createWorld(0, { isAlone: true })
    await work()
    // Block, heartbeat, round, and saying again what may have been lost.
    for (let i = 0; i < 100; i++) {
      await time.advance(500)
      expect(timerCount()).toBeLessThanOrEqual(4)
    }
    expect(timerCount()).toBeGreaterThan(0)
    await node.stop()
  })

  test('ends with stop, in the middle of a round, and no timer is left', async () => {
    const { node, said, work, time, timerCount } = await createWorld(0, { isAlone: true })
    await work()
    expect(timerCount()).toBeGreaterThan(0)
    await node.stop()
    await time.advance(120_000)
    expect(timerCount()).toBe(0)
    expect(said).toEqual([])
  })

  test('goes out again with the next block: one decided height follows another', async () => {
    const world = await createWorld(0)
    const { node, said, work, time } = world
    await work()
    await agree(world, SIGNERS.slice(1, 4))
    expect(node.chain.head().header.number).toBe(1)
    said.length = 0
    // At this height the next one proposes; we wait for it in vain, and change the round.
    await time.advance(1_000)
    await work()
    expect(said).toEqual([])
    await time.advance(1_000)
    expect(said.map(({ kind, payload }) => [kind, payload.height, payload.round])).toContainEqual([
      'roundChange',
      2,
      1,
    ])
    await node.stop()
  })
})

test('a block that the chain has is fine to import again, and another at its height is not', async () => {
  const world = await createWorld(0)
  const { node, work } = world
  await work()
  await agree(world, SIGNERS.slice(1, 3))
  const { runner } = node.consensus!
  const block = node.chain.block(1)!
  const importing = [
    runner.importBlock(block),
    runner.importBlock({ ...block, header: { ...block.header, gasUsed: 1n } }),
  ]
  await world.time.advance(0)
  expect(await Promise.all(importing)).toEqual([
    { ok: true },
    { ok: false, reason: 'another block is final at this height' },
  ])
  expect(node.chain.head().header.number).toBe(1)
  await node.stop()
})
