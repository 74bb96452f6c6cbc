import { crc32 } from 'node:zlib'
import { proposalFields, type QbftScheme, quorum, withSeals } from '@vellum/consensus'
import { type Address, bytesToHex } from '@vellum/evm'
import {
  type Block,
  commitHash,
  createMemoryKeyValue,
  encodeBlock,
  encodeHeader,
  type Header,
  type KeyValue,
  KIND,
  keyOf,
  parseGenesis,
} from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { networkGenesis } from '../src/network-genesis.ts'
import { createNode, type VellumNode } from '../src/node.ts'
import { readinessOf } from '../src/node-metrics.ts'
import type { PeerAddress, Signer, Transport, TransportHandlers } from '../src/ports.ts'
import { signerOf } from '../src/sealing.ts'
import { decodeBlocksQuestion, encodeBlocks, encodeHeadNews } from '../src/wire.ts'
import { crypto, silent } from './virtual-node.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

const signersOf = (...keys: number[]): readonly Signer[] =>
  keys
    .map((each) => signerOf(new Uint8Array(32).fill(each), crypto))
    .sort((a, b) => (a.address < b.address ? -1 : 1))
const SIGNERS = signersOf(1, 2, 3, 4)
const VALIDATORS = SIGNERS.map(({ address }) => address)
const [PEER] = VALIDATORS as [Address]

interface World {
  readonly node: VellumNode
  readonly time: VirtualTime
  readonly disk: KeyValue
  /** Weights of faults. */
  readonly faults: string[]
  /** Heights after which blocks were asked for. */
  readonly asked: number[]
  /** What the peer answers, by height. */
  readonly shown: Map<number, Block>
  /** The peer tells its head. */
  tell(header: Header): Promise<void>
}

/** A node that follows, with one peer, which is the test. */
async function createWorld(options: { disk?: KeyValue; hasDomain?: boolean } = {}): Promise<World> {
  const { disk = createMemoryKeyValue(), hasDomain = true } = options
  const time = createVirtualTime()
  const [faults, asked, shown] = [[] as string[], [] as number[], new Map<number, Block>()]
  let handlers: TransportHandlers | undefined
  const transport: Transport = {
    start: (given) => {
      handlers = given
      return Promise.resolve()
    },
    stop: () => Promise.resolve(),
    peers: () => [PEER],
    send: () => true,
    ask: (_peer: PeerAddress, question, body) => {
      if (question !== 'blocks') return new Promise(() => {})
      const { after } = decodeBlocksQuestion(body)
      asked.push(after)
      const block = shown.get(after + 1)
      return Promise.resolve(encodeBlocks(block === undefined ? [] : [encodeBlock(block)]))
    },
    penalise: (_peer, _reason, weight) => void faults.push(weight),
    admit: () => {},
  }
  const json = networkGenesis({
    chainId: 7,
    validators: VALIDATORS,
    blockPeriodMs: 0,
    requestTimeoutSeconds: 1,
    gasLimit: 30_000_000,
    balances: new Map(),
  }) as { config: object }
  const genesis = parseGenesis({
    ...json,
    config: { ...json.config, vellum: { chainDomain: hasDomain } },
  })
  const { blocks, consensus } = parseConfig({})
  const node = await createNode(
    {
      ...{ blocks, consensus, genesis },
      retainedBlocks: undefined,
      signer: undefined,
      clientVersion: 'test',
    },
    {
      ...{ clock: time, timers: time, log: silent, disk, crc32, crypto, transport },
      heads: { found: options.disk && 'unknown', write: () => {} },
      recovery: undefined,
    },
  )
  await node.start()
  await time.advance(0)
  return {
    ...{ node, time, disk, faults, asked, shown },
    tell: async (header) => {
      const news = { height: header.number, hash: node.chain.scheme.hash(header) }
      handlers!.onMessage(PEER, 'head', encodeHeadNews(news))
      await time.advance(0)
    },
  }
}

/** The block after a node's head, empty, in a form of its own. */
function nextBlock({ node: { chain, pool } }: World, timestamp: number): Block {
  const { block } = chain.build(pool, {
    timestamp,
    fields: proposalFields({
      proposer: VALIDATORS[0]!,
      validators: VALIDATORS,
      round: 0,
      vote: undefined,
    }),
    gasLimitTarget: chain.head().header.gasLimit,
  })
  return sealed(block, 3)
}

function sealed(block: Block, seals: number): Block {
  const header = withSeals(block.header, [])
  const hash = commitHash(header)
  return {
    ...block,
    header: withSeals(
      header,
      SIGNERS.slice(0, seals).map(({ sign }) => sign(hash)),
    ),
  }
}

/** By vote, in blocks of all validators in turn: the recipient comes or goes. */
async function vote(world: World, signers: readonly Signer[], recipient: Address): Promise<void> {
  const { chain, pool } = world.node
  const scheme = chain.scheme as QbftScheme
  const setAfter = (): readonly Address[] =>
    scheme.validatorsAfter(chain.head().header.number, (number) => chain.header(number)!.header)
      .validators
  const validators = setAfter()
  const kind = validators.includes(recipient) ? 'drop' : 'add'
  for (const proposer of validators) {
    const { number } = chain.head().header
    const { block } = chain.build(pool, {
      timestamp: 100 + number,
      fields: proposalFields({ proposer, validators, round: 0, vote: { recipient, kind } }),
      gasLimitTarget: chain.head().header.gasLimit,
    })
    const hash = commitHash(block.header)
    const sealing = signers.filter(({ address }) => validators.includes(address))
    const seals = sealing.slice(0, quorum(validators.length)).map(({ sign }) => sign(hash))
    await append(world, { ...block, header: withSeals(block.header, seals) })
    if (setAfter().length !== validators.length) return
  }
  throw new Error('the vote did not carry')
}

/** Two blocks of height 1 that a quorum has sealed; the node has the first. */
async function decided(world: World): Promise<{ ours: Block; theirs: Block }> {
  const [ours, theirs] = [nextBlock(world, 10), nextBlock(world, 11)]
  await append(world, ours)
  return { ours, theirs }
}

async function append({ node, time }: World, block: Block): Promise<void> {
  const done = node.consensus!.runner.importBlock(block)
  await time.advance(0)
  expect(await done).toEqual({ ok: true })
}

function statusOf({
  node,
}: World): ReturnType<NonNullable<typeof node.backend.consensus>['status']> {
  return node.backend.consensus!.status()
}

describe('a second sealed block at a height that is decided', () => {
  test.for([true, false])('stops the chain; headers name it: %s', async (hasDomain) => {
    const world = await createWorld({ hasDomain })
    const { node, faults, asked, shown, tell } = world
    const { ours, theirs } = await decided(world)
    const third = nextBlock(world, 12)
    shown.set(1, theirs)
    await tell(theirs.header)
    expect(asked).toEqual([0])
    const { step, fork, explanation, remedy } = statusOf(world)
    const hash = (block: Block): string => node.chain.scheme.hash(block.header)
    expect(step).toBe('forked')
    expect(fork).toEqual({
      code: 'NODE_CHAIN_FORKED',
      height: 1,
      ours: { hash: hash(ours), header: bytesToHex(encodeHeader(ours.header)) },
      theirs: { hash: hash(theirs), header: bytesToHex(encodeHeader(theirs.header)) },
      sealedBoth: VALIDATORS.slice(0, 3),
    })
    expect(explanation).toContain(hash(theirs))
    expect(remedy).toContain(`vellum accept-fork ${hash(ours)}`)
    // Who shows a fork has done no wrong.
    expect(faults).toEqual([])
    const { ready, reasons } = readinessOf({
      node,
      signer: undefined,
      transport: undefined,
    } as never)
    expect(ready).toBe(false)
    expect(reasons.join()).toContain('NODE_CHAIN_FORKED')
    const verdict = node.consensus!.runner.importBlock(third)
    await world.time.advance(60_000)
    expect(await verdict).toEqual({ ok: false, reason: 'the chain is forked, and stopped' })
    expect(node.chain.hashAt(1)).toBe(hash(ours))
    expect(asked).toEqual([0])
    await node.stop()
  })

  test('is looked for when a peer’s next block stands on another one', async () => {
    const world = await createWorld()
    const other = await createWorld()
    const { ours, theirs } = await decided(world)
    expect(ours).not.toEqual(theirs)
    await append(other, theirs)
    const second = nextBlock(other, 12)
    world.shown.set(1, theirs).set(2, second)
    await world.tell(second.header)
    await world.time.advance(100)
    expect(world.asked.slice(0, 2)).toEqual([1, 0])
    expect(statusOf(world).fork?.height).toBe(1)
    expect(world.faults).toEqual([])
    await Promise.all([world.node.stop(), other.node.stop()])
  })

  test('is found below, where headers do not name their chain', async () => {
    const world = await createWorld({ hasDomain: false })
    const other = await createWorld({ hasDomain: false })
    const { theirs } = await decided(world)
    await append(world, nextBlock(world, 12))
    await append(other, theirs)
    const second = nextBlock(other, 12)
    world.shown.set(1, theirs).set(2, second)
    await world.tell(second.header)
    expect(world.asked).toEqual([1, 0])
    expect(statusOf(world).fork?.height).toBe(1)
    await Promise.all([world.node.stop(), other.node.stop()])
  })

  test('is none without a quorum of seals: who shows it lies', async () => {
    const world = await createWorld()
    const { theirs } = await decided(world)
    world.shown.set(1, sealed(theirs, 2))
    await world.tell(theirs.header)
    expect(world.faults).toEqual(['severe'])
    expect(statusOf(world).fork).toBeNull()
    await append(world, nextBlock(world, 12))
    await world.node.stop()
  })

  test.for([true, false])(
    'is none of another chain of the same validators; named: %s',
    async (hasDomain) => {
      const world = await createWorld({ hasDomain })
      const { theirs } = await decided(world)
      const header: Header = {
        ...theirs.header,
        parentHash: `0x${'ab'.repeat(32)}`,
        ...(hasDomain && { parentBeaconBlockRoot: `0x${'cd'.repeat(32)}` }),
      }
      const foreign = sealed({ ...theirs, header }, 3)
      world.shown.set(1, foreign)
      await world.tell(foreign.header)
      expect(world.asked).toEqual([0])
      expect(world.faults).toEqual(['severe'])
      expect(statusOf(world).fork).toBeNull()
      await world.node.stop()
    },
  )

  test('is none by the keys of validators who were replaced since', async () => {
    const world = await createWorld()
    const { theirs } = await decided(world)
    const signers = [...SIGNERS, ...signersOf(5, 6, 7, 8)]
    for (const { address } of signers.slice(4)) await vote(world, signers, address)
    for (const former of VALIDATORS.slice(0, 3)) await vote(world, signers, former)
    world.shown.set(1, theirs)
    await world.tell(theirs.header)
    expect(world.asked).toEqual([0])
    expect(statusOf(world).fork).toBeNull()
    expect(world.faults).toEqual(['severe'])
    await world.node.stop()
  })

  test('is none if its extra data is none: who shows it lies, and the node goes on', async () => {
    const world = await createWorld()
    const { ours, theirs } = await decided(world)
    const broken = { ...theirs, header: { ...theirs.header, extraData: Uint8Array.of(0xf9, 1) } }
    world.shown.set(1, broken)
    await world.tell(theirs.header)
    expect(world.faults).toEqual(['severe'])
    const verdict = world.node.consensus!.runner.importBlock(broken)
    await world.time.advance(0)
    expect(await verdict).toEqual({ ok: false, reason: expect.stringContaining('RLP') })
    await append(world, nextBlock(world, 12))
    expect(world.node.chain.header(1)?.hash).toBe(world.node.chain.scheme.hash(ours.header))
    expect(statusOf(world).fork).toBeNull()
    await world.node.stop()
  })

  test('is none if the peer cannot show it', async () => {
    const world = await createWorld()
    const { theirs } = await decided(world)
    await world.tell(theirs.header)
    expect(world.faults).toEqual(['severe'])
    expect(statusOf(world).fork).toBeNull()
    await world.node.stop()
  })
})

describe('a chain that is forked', () => {
  async function forked(): Promise<World & { ours: Block; theirs: Block }> {
    const world = await createWorld()
    const blocks = await decided(world)
    world.shown.set(1, blocks.theirs)
    await world.tell(blocks.theirs.header)
    await world.node.stop()
    return { ...world, ...blocks }
  }

  test('stays stopped after a restart, until the operator accepts our block', async () => {
    const { disk, node, ours, theirs } = await forked()
    const [oursHash, theirsHash] = [ours, theirs].map(({ header }) =>
      node.chain.scheme.hash(header),
    )
    const again = await createWorld({ disk })
    expect(statusOf(again)).toMatchObject({ step: 'forked', fork: { height: 1 } })
    // It still knows its validators, so that peers may read from it.
    expect(statusOf(again).validators).toHaveLength(4)
    const third = nextBlock(again, 12)
    const verdict = again.node.consensus!.runner.importBlock(third)
    await again.time.advance(0)
    expect(await verdict).toMatchObject({ ok: false })
    const { forks } = again.node.consensus!
    await expect(forks.accept(theirsHash!)).rejects.toThrow(/not 0x/)
    await forks.accept(oursHash!)
    await again.node.stop()

    const last = await createWorld({ disk })
    expect(statusOf(last).fork).toBeNull()
    // The same fork stops it no more; whoever insists on it is a liar again.
    last.shown.set(1, theirs)
    await last.tell(theirs.header)
    expect(last.faults).toEqual(['severe'])
    await append(last, third)
    // A new one does.
    const { forks: book } = last.node.consensus!
    await expect(book.accept(oursHash!)).rejects.toThrow('not forked')
    const second = sealed({ ...third, header: { ...third.header, timestamp: 13 } }, 4)
    last.shown.set(2, second)
    await last.tell(second.header)
    expect(statusOf(last).fork?.height).toBe(2)
    await last.node.stop()
  })

  test('does not start if the proof is damaged', async () => {
    const { disk } = await forked()
    const key = keyOf(KIND.fork)
    const value = Uint8Array.from(disk.get(key)!)
    value[5]! ^= 1
    await disk.batch([{ key, value }])
    await expect(createWorld({ disk })).rejects.toMatchObject({ code: 'LEDGER_STORE_DAMAGED' })
  })
})
