/**
 * Fuzzing of the consensus engine: one validator of four sends what it likes, damaged or well signed,
 * to the others between their own messages. Nothing but a refusal may come of it: no exception, no
 * second vote, no more memory than there are slots, and the height is decided by the honest three.
 */

import {
  ConsensusError,
  decodeMessage,
  encodeMessage,
  type Message,
  type ProposedBlock,
  proposedBlock,
  type RoundChange,
  signCommit,
  signPrepare,
  signProposal,
  signRoundChange,
} from '@vellum/consensus'
import { type Address, bytesToHex, type Hash } from '@vellum/evm'
import { LedgerError, qbftHash } from '@vellum/ledger'
import {
  createEngines,
  type Engine,
  type Engines,
  recover,
  signAs,
} from '../../packages/consensus/test/engines.ts'
import { createSeededRandom, type SeededRandom } from '../seeded-random.ts'

export interface ConsensusFuzzOptions {
  readonly runs: number
  readonly seed: number
}

export interface ConsensusFuzzReport {
  readonly passed: number
  readonly failed: readonly {
    readonly seed: number
    readonly scenario: string
    readonly difference: string
  }[]
  /** What became of the messages. */
  readonly outcomes: ReadonlyMap<string, number>
  /** Most messages that an engine held at one time. */
  readonly heldMax: number
}

/** Hostile messages in one height; then the honest ones must decide. */
const BATCH = 100
const FAILURES_MAX = 5
/** Four validators: slots for each kind of message of this round, those ahead, and heights ahead. */
const HELD_MAX = 4 * (3 + 2 * 2 + 10 * 2 * 3 + 10)

export async function fuzzConsensus(
  { runs, seed }: ConsensusFuzzOptions,
  progress: (done: number) => void,
): Promise<ConsensusFuzzReport> {
  const failed: ConsensusFuzzReport['failed'][number][] = []
  const outcomes = new Map<string, number>()
  let heldMax = 0
  let passed = 0
  for (let done = 0; done < runs && failed.length < FAILURES_MAX; done += BATCH) {
    const count = Math.min(BATCH, runs - done)
    try {
      heldMax = Math.max(heldMax, runHeight(createSeededRandom(seed + done), count, outcomes))
      passed += count
    } catch (error) {
      const { message, stack } = error as Error
      failed.push({ seed: seed + done, scenario: message, difference: stack ?? '' })
    }
    progress(done + count)
    await Promise.resolve()
  }
  return { passed, failed, outcomes, heldMax }
}

function runHeight(random: SeededRandom, count: number, outcomes: Map<string, number>): number {
  const engines = createEngines(4)
  const honest = engines.all.slice(0, 3)
  const liar = engines.validators[3]!
  const corpus = honestFrames()
  let heldMax = 0
  let left = count
  const attack = (): void => {
    for (let i = random.whole(4); i > 0 && left > 0; i--) {
      left -= 1
      const frame =
        random.whole(2) === 0 ? damaged(random.pick(corpus), random) : lie(engines, random)
      const victim = random.pick(honest)
      count1(outcomes, deliver(engines, victim, liar, frame))
      heldMax = Math.max(heldMax, held(victim))
      if (held(victim) > HELD_MAX) throw new Error(`an engine holds ${held(victim)} messages`)
    }
  }
  engines.begin(honest)
  for (let turn = 0; turn < 10_000 && (left > 0 || isUndecided(honest)); turn++) {
    attack()
    const next = engines.wire.shift()
    if (next !== undefined) {
      const engine = honest.find(({ self }) => self === next.to)
      if (engine) engines.step(engine, { type: 'message', from: next.from, message: next.message })
    } else if (isUndecided(honest)) {
      const engine = random.pick(honest)
      engines.fire(engine, engine.state.isTimed && random.whole(4) === 0 ? 'round' : 'resend')
    } else if (left === 0) break
  }
  if (isUndecided(honest)) throw new Error('the honest validators did not decide')
  const names = new Set(honest.map(({ decided }) => qbftHash(decided[0]!)))
  if (names.size > 1) throw new Error('two blocks were decided')
  assertNoSecondVote(honest)
  return heldMax
}

function isUndecided(honest: readonly Engine[]): boolean {
  return honest.some(({ decided }) => decided.length === 0)
}

function deliver(engines: Engines, to: Engine, from: Address, frame: Uint8Array): string {
  let message: Message
  try {
    message = decodeMessage(frame, recover)
  } catch (error) {
    if (error instanceof ConsensusError || error instanceof LedgerError) return 'not decoded'
    throw error
  }
  const effects = engines.step(to, { type: 'message', from, message })
  const rejection = effects.find(({ type }) => type === 'reject')
  return rejection?.type === 'reject' ? rejection.reason : 'taken'
}

function held({ state }: Engine): number {
  let count = state.prepares.size + state.commits.size + state.roundChanges.size
  for (const { prepares, commits } of state.early.values()) count += prepares.size + commits.size
  for (const messages of state.future.values()) count += messages.size
  return count
}

/** What each honest validator has said of one place must be one thing. */
function assertNoSecondVote(honest: readonly Engine[]): void {
  for (const { effects, self } of honest) {
    const said = new Map<string, Hash>()
    for (const effect of effects) {
      if (effect.type !== 'send' || effect.message.author !== self) continue
      const { kind, payload } = effect.message
      if (kind === 'roundChange') continue
      const digest = 'digest' in payload ? payload.digest : payload.block.digest
      const place = `${kind} ${payload.height} ${payload.round}`
      if ((said.get(place) ?? digest) !== digest)
        throw new Error(`${self} said two things: ${place}`)
      said.set(place, digest)
    }
  }
}

function count1(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

let frames: readonly Uint8Array[] | undefined

/** Frames of every kind, as honest validators send them: two rounds with a prepared block. */
function honestFrames(): readonly Uint8Array[] {
  if (frames !== undefined) return frames
  const engines = createEngines(4)
  const found = new Map<string, Uint8Array>()
  const note = (_from: Address, _to: Address, message: Message): boolean => {
    const frame = encodeMessage(message)
    found.set(bytesToHex(frame), frame)
    return message.kind !== 'commit' || message.payload.round > 0
  }
  engines.begin()
  engines.deliver(note)
  for (const engine of engines.all) engines.fire(engine, 'round')
  engines.deliver(note)
  frames = [...found.values()]
  return frames
}

function damaged(frame: Uint8Array, random: SeededRandom): Uint8Array {
  const copy = frame.slice()
  switch (random.whole(5)) {
    case 0:
      for (let i = 0; i <= random.whole(4); i++)
        copy[random.whole(copy.length)]! ^= 1 << random.whole(8)
      return copy
    case 1:
      return copy.subarray(0, random.whole(copy.length))
    case 2: {
      const longer = new Uint8Array(copy.length + 1 + random.whole(64))
      longer.set(copy)
      return longer
    }
    case 3:
      // A length that lies: heads of RLP lists and strings have their high bits set.
      copy[1 + random.whole(Math.min(12, copy.length - 1))] = 0x80 + random.whole(0x80)
      return copy
    default:
      copy[0] = random.whole(256)
      return copy
  }
}

/** A message that the liar has signed properly; what it says may be anything. */
function lie(engines: Engines, random: SeededRandom): Uint8Array {
  const liar = engines.validators[3]!
  const sign = (hash: Uint8Array): Uint8Array => signAs(liar, hash)
  const height = random.pick([1, 1, 1, 1, 2, 3, 9, 50, 0])
  const round = random.pick([0, 0, 1, 1, 2, 3, 5, 900, 1_000])
  const block = someBlock(engines, random)
  const digest = random.pick([block.digest, `0x${'ab'.repeat(32)}` as Hash])
  switch (random.whole(4)) {
    case 0:
      return encodeMessage(signPrepare({ height, round, digest }, liar, sign))
    case 1: {
      const seal = random.pick([sign(new Uint8Array(32)), new Uint8Array(65)])
      return encodeMessage(signCommit({ height, round, digest, seal }, liar, sign))
    }
    case 2:
      return encodeMessage(roundChangeOf(engines, random, { height, round, block }))
    default: {
      const payload = { height, round, block, accessList: undefined }
      const roundChanges = times(random.whole(5), () => {
        const { payload, author, signature } = roundChangeOf(engines, random, {
          height,
          round,
          block,
        })
        return { payload, author, signature }
      })
      const prepares = times(random.whole(5), () =>
        signPrepare({ height, round, digest }, liar, sign),
      )
      const signed = signProposal(payload, liar, sign)
      return encodeMessage({ kind: 'proposal', ...signed, roundChanges, prepares })
    }
  }
}

function roundChangeOf(
  engines: Engines,
  random: SeededRandom,
  { height, round, block }: { height: number; round: number; block: ProposedBlock },
): RoundChange {
  const liar = engines.validators[3]!
  const sign = (hash: Uint8Array): Uint8Array => signAs(liar, hash)
  const claims = random.whole(2) === 0
  const prepared = { round: random.whole(round + 2), digest: block.digest }
  const payload = { height, round, prepared: claims ? prepared : undefined }
  const prepare = signPrepare({ height, ...prepared }, liar, sign)
  return {
    kind: 'roundChange',
    ...signRoundChange(payload, liar, sign),
    block: claims && random.whole(4) > 0 ? block : undefined,
    accessList: undefined,
    prepares: claims ? times(random.whole(5), () => prepare) : [],
  }
}

/** A block that somebody has proposed, or one with a field that is off. */
function someBlock(engines: Engines, random: SeededRandom): ProposedBlock {
  const proposals = engines.all.flatMap(({ state }) => state.accepted?.payload.block ?? [])
  const known = proposals.length > 0 ? random.pick(proposals) : undefined
  const message = decodeMessage(honestFrames().find(([code]) => code === 0x12)!, recover)
  const base = known ?? (message.kind === 'proposal' ? message.payload.block : undefined)!
  const { header, body } = base
  switch (random.whole(5)) {
    case 0:
      return base
    case 1:
      return proposedBlock({ ...header, gasUsed: BigInt(random.whole(1_000)) }, body)
    case 2:
      return proposedBlock({ ...header, number: random.whole(4) }, body)
    case 3:
      return proposedBlock({ ...header, extraData: damaged(header.extraData, random) }, body)
    default:
      return proposedBlock({ ...header, coinbase: engines.validators[random.whole(4)]! }, body)
  }
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make)
}
