/**
 * Engines that talk to each other by hand: nothing is delivered, built, checked or timed before the
 * test says so. Signatures are keyed hashes, so that a test of four validators takes a millisecond.
 */

import { type Address, bytesToHex, concatBytes, hexToBytes, keccak256 } from '@vellum/evm'
import { decodeExtraData, genesisHeader, type Header, parseGenesis, qbftHash } from '@vellum/ledger'
import {
  type ConsensusSettings,
  decodeMessage,
  type Effect,
  type Env,
  type Event,
  encodeMessage,
  initialState,
  type Message,
  type ProposedBlock,
  proposalFields,
  proposedBlock,
  type State,
  step,
  type VoteRecord,
} from '../src/index.ts'

export const SETTINGS: ConsensusSettings = {
  requestTimeoutMs: 1_000,
  requestTimeoutMaxMs: 60_000,
  blockPeriodSeconds: 0,
  heartbeatMs: 60_000,
  encoding: 'three items',
}

/** Ascending: 0x01…, 0x02…, and so on. */
export function validatorsOf(count: number): Address[] {
  return Array.from({ length: count }, (_, i) => {
    const first = (i + 1).toString(16).padStart(2, '0')
    return `0x${first}${'00'.repeat(19)}` as const
  })
}

/** 65 bytes: the author, and a hash of it and what is signed; nobody else makes it in a test. */
export function signAs(author: Address, hash: Uint8Array): Uint8Array {
  const mark = keccak256(concatBytes(hexToBytes(author), hash))
  return concatBytes(hexToBytes(author), mark, new Uint8Array(13))
}

export function recover(hash: Uint8Array, signature: Uint8Array): Address | undefined {
  const author = bytesToHex(signature.subarray(0, 20))
  return bytesToHex(signAs(author, hash)) === bytesToHex(signature) ? author : undefined
}

export const GENESIS: Header = genesisHeader(
  parseGenesis({
    config: { chainId: 7, londonBlock: 0, qbft: {} },
    alloc: {},
    difficulty: '0x1',
    gasLimit: '0x1c9c380',
  }),
  `0x${'00'.repeat(32)}`,
)
const EMPTY_BODY = Uint8Array.of(0xc2, 0xc0, 0xc0)

export interface BlockFacts {
  readonly parent: Header
  readonly proposer: Address
  readonly validators: readonly Address[]
  readonly round?: number
  /** Tells blocks of one proposer apart. */
  readonly gasUsed?: bigint
}

export function makeBlock({
  parent,
  proposer,
  validators,
  round = 0,
  gasUsed = 0n,
}: BlockFacts): ProposedBlock {
  const fields = proposalFields({ proposer, validators, round, vote: undefined })
  const header: Header = {
    ...parent,
    ...fields,
    number: parent.number + 1,
    parentHash: qbftHash(parent),
    timestamp: parent.timestamp + 1,
    gasUsed,
  }
  return proposedBlock(header, EMPTY_BODY)
}

export interface Engine {
  readonly self: Address | undefined
  state: State
  /** The head's header: what blocks are built on. */
  head: Header
  /** Everything that steps have asked for, in order. */
  readonly effects: Effect[]
  /** What is on its disk. */
  records: VoteRecord[]
  /** Blocks that it has committed. */
  readonly decided: Header[]
}

export interface Engines {
  readonly validators: readonly Address[]
  readonly all: Engine[]
  /** Messages sent and not delivered yet. */
  readonly wire: { readonly from: Address; readonly to: Address; readonly message: Message }[]
  step(engine: Engine, event: Event): readonly Effect[]
  /** Fires a timer of the engine's height and round. */
  fire(engine: Engine, timer: 'block' | 'heartbeat' | 'round' | 'resend'): readonly Effect[]
  /** Work for everybody, and the block timers fire. */
  begin(engines?: readonly Engine[]): void
  /** Delivers until nothing is under way; `pass` drops what it answers false for. */
  deliver(pass?: (from: Address, to: Address, message: Message) => boolean): void
  /** Forgets what is under way. */
  drop(): void
  /** What every chain says of a block. */
  isValid: (block: ProposedBlock) => boolean
  /** The engine hears of a head, its own unless said otherwise. */
  hear(engine: Engine, head?: Header): readonly Effect[]
  /** The process ends and begins anew with what is on its disk. */
  restart(engine: Engine, options?: { readonly isForgetful?: boolean }): void
}

export interface EnginesOptions {
  readonly settings?: Partial<ConsensusSettings>
  readonly followers?: number
  /** True: a decided block is not written, and no head follows it. */
  readonly isHolding?: boolean
}

export function createEngines(count: number, options: EnginesOptions = {}): Engines {
  const validators = validatorsOf(count)
  const settings = { ...SETTINGS, ...options.settings }
  const wire: Engines['wire'] = []
  const follower: readonly undefined[] = Array.from({ length: options.followers ?? 0 })
  const all = [...validators, ...follower].map(
    (self): Engine => ({
      self,
      state: initialState(),
      head: GENESIS,
      effects: [],
      records: [],
      decided: [],
    }),
  )
  const envOf = (self: Address | undefined): Env => ({
    self,
    settings,
    sign: (hash) => signAs(self!, hash),
    signMessage: (hash) => signAs(self!, hash),
    recover,
  })

  function newHead(engine: Engine, records: readonly VoteRecord[] = []): Event {
    const { number, coinbase, timestamp } = engine.head
    return {
      type: 'newHead',
      at: 1_000_000,
      head: { height: number, hash: qbftHash(engine.head), proposer: coinbase, timestamp },
      validators,
      restMs: 0,
      ...(records.length > 0 && { records }),
    }
  }

  function apply(engine: Engine, event: Event): readonly Effect[] {
    const transition = step(engine.state, event, envOf(engine.self))
    engine.state = transition.state
    engine.effects.push(...transition.effects)
    for (const effect of transition.effects) perform(engine, effect)
    return transition.effects
  }

  function perform(engine: Engine, effect: Effect): void {
    const from = engine.self!
    switch (effect.type) {
      case 'persist':
        engine.records.push(effect.record)
        return
      case 'send':
      case 'relay':
        for (const to of effect.to) {
          // Over the wire and back: what a peer gets was decoded, and its authors recovered.
          wire.push({ from, to, message: decodeMessage(encodeMessage(effect.message), recover) })
        }
        return
      case 'buildBlock': {
        const { height, round } = effect
        const block = makeBlock({ parent: engine.head, proposer: from, validators, round })
        apply(engine, { type: 'blockBuilt', height, round, block })
        return
      }
      case 'checkBlock': {
        const { height, round, block } = effect
        const verdict = engines.isValid(block)
          ? ({ ok: true } as const)
          : ({ ok: false, reason: 'not valid' } as const)
        apply(engine, { type: 'blockChecked', height, round, digest: block.digest, verdict })
        return
      }
      case 'commit':
        if (options.isHolding === true) return
        engine.head = effect.block.header
        engine.decided.push(effect.block.header)
        apply(engine, newHead(engine))
        return
      default:
        return
    }
  }

  const engines: Engines = {
    validators,
    all,
    wire,
    step: apply,
    isValid: () => true,
    fire: (engine, timer) => {
      const { height, round } = engine.state
      return apply(engine, { type: 'timeout', timer, height, round: round ?? 0 })
    },
    begin: (some = all) => {
      for (const engine of some) {
        apply(engine, { type: 'work' })
        engines.fire(engine, 'block')
      }
    },
    deliver: (pass = () => true) => {
      for (let i = 0; wire.length > 0; i++) {
        if (i > 100_000) throw new Error('messages without end')
        const { from, to, message } = wire.shift()!
        const engine = all.find(({ self }) => self === to)
        if (engine && pass(from, to, message)) apply(engine, { type: 'message', from, message })
      }
    },
    drop: () => {
      wire.length = 0
    },
    hear: (engine, head = engine.head) => {
      engine.head = head
      return apply(engine, newHead(engine))
    },
    restart: (engine, { isForgetful = false } = {}) => {
      engine.state = initialState(isForgetful ? 'unknown' : undefined)
      if (isForgetful) engine.records = []
      const height = engine.head.number + 1
      apply(
        engine,
        newHead(
          engine,
          engine.records.filter((each) => each.height >= height),
        ),
      )
    },
  }
  for (const engine of all) apply(engine, newHead(engine))
  return engines
}

/** Seals in a committed header. */
export function sealCount(effects: readonly Effect[]): number {
  const commit = effects.find(({ type }) => type === 'commit')
  return commit?.type === 'commit' ? commit.seals.length : 0
}

/** Round that a header was decided in. */
export function roundIn(header: Header): number {
  return decodeExtraData(header.extraData).round
}
