import {
  initialState,
  type Prepare,
  type Proposal,
  type RoundChange,
  type State,
} from '@vellum/consensus'
import type { Address, Hash } from '@vellum/evm'
import type { ConsensusFindings } from '@vellum/rpc'
import { describe, expect, it } from 'vitest'
import { type ConsensusFacts, consensusFindings, HEARD_MS } from '../src/consensus-status.ts'
import { createConsensusWatch } from '../src/consensus-watch.ts'
import { explain, remedyOf, withWords } from '../src/consensus-words.ts'
import type { PeerView } from '../src/network.ts'

const at = (digit: number): Address => `0x${String(digit).repeat(40)}`
const [A, B, C, D] = [at(1), at(2), at(3), at(4)]
const HASH: Hash = `0x${'aa'.repeat(32)}`
const NOW = 1_800_000_000_000
const ELAPSED = 100_000

const HEAD: State['head'] = {
  height: 9,
  hash: HASH,
  proposer: D,
  timestamp: NOW / 1_000 - 30,
}

/** At height 10, four validators, before the first round; this node is `A`. */
function state(fields: Partial<State> = {}): State {
  return { ...initialState(), head: HEAD, height: 10, validators: [A, B, C, D], ...fields }
}

function view(fields: Partial<PeerView> = {}): PeerView {
  return {
    height: 9,
    clientVersion: 'vellum/1',
    clockOffsetMs: 0,
    roundTripMs: 2,
    abstains: false,
    heardAt: ELAPSED - 1_000,
    ...fields,
  }
}

function facts(fields: Partial<ConsensusFacts> = {}): ConsensusFacts {
  return {
    nowMs: NOW,
    elapsedMs: ELAPSED,
    self: A,
    state: state(),
    settings: { requestTimeoutMs: 1_000, requestTimeoutMaxMs: 60_000 },
    connected: [B, C, D],
    views: new Map([B, C, D].map((each) => [each, view()])),
    heardAt: () => undefined,
    roundBeganAt: ELAPSED - 400,
    sync: undefined,
    pool: { ready: 0, queued: 0 },
    headTransactions: 1,
    evidence: 0,
    fork: undefined,
    votes: new Map(),
    ...fields,
  }
}

/** Only author, round and digest are looked at. */
function vote(author: Address): Prepare {
  return {
    kind: 'prepare',
    author,
    signature: new Uint8Array(65),
    payload: { height: 10, round: 0, digest: HASH },
  }
}
const votes = (...authors: Address[]): Map<Address, never> =>
  new Map(authors.map((each) => [each, vote(each) as never]))
const accepted = {
  kind: 'proposal',
  author: B,
  payload: { height: 10, round: 0, block: { digest: HASH } },
} as Proposal
function roundChanges(rounds: Readonly<Record<Address, number>>): State['roundChanges'] {
  return new Map(
    (Object.entries(rounds) as [Address, number][]).map(([author, round]) => [
      author,
      {
        kind: 'roundChange',
        author,
        payload: {
          height: 10,
          round,
          prepared: author === C ? { round: 0, digest: HASH } : undefined,
        },
      } as RoundChange,
    ]),
  )
}

interface StepCase {
  readonly name: string
  readonly facts: Partial<ConsensusFacts>
  readonly expect: Partial<ConsensusFindings>
  readonly explanation: string
}

const STEPS: readonly StepCase[] = [
  {
    name: 'has not been told of the chain',
    facts: { state: initialState() },
    expect: { step: 'starting', proposer: null },
    explanation: 'The node has just started',
  },
  {
    name: 'is behind',
    facts: { sync: { currentBlock: 9, highestBlock: 700 } },
    expect: { step: 'syncing', sync: { currentBlock: 9, highestBlock: 700 } },
    explanation: 'it has block 9, its peers have 700',
  },
  {
    name: 'has no key',
    facts: { self: undefined },
    expect: { step: 'following', self: null, role: 'follower' },
    explanation: 'This node has no validator key',
  },
  {
    name: 'has a key outside the set',
    facts: { self: at(7) },
    expect: { step: 'following', self: at(7), role: 'follower' },
    explanation: `This node’s key ${at(7)} is not in the validator set of block 10`,
  },
  {
    name: 'has lost its votes, and has not reached its peers',
    facts: { state: state({ abstainsThrough: 'unknown' }) },
    expect: { step: 'abstaining', abstainsThrough: 'unknown' },
    explanation: 'record of its votes is lost. It does not vote until',
  },
  {
    name: 'has lost its votes, and knows how long it abstains',
    facts: { state: state({ abstainsThrough: 12 }) },
    expect: { step: 'abstaining', abstainsThrough: 12 },
    explanation: 'votes again after block 12',
  },
  {
    name: 'has nothing to do',
    facts: { state: state({ isDue: true }) },
    expect: { step: 'waiting for work', round: null },
    explanation: 'Nothing waits for a block',
  },
  {
    name: 'has transactions that no block could take',
    facts: { state: state({ isDue: true }), pool: { ready: 3, queued: 0 }, headTransactions: 0 },
    expect: { step: 'waiting for work' },
    explanation: '3 transactions wait, but the last block could take none of them',
  },
  {
    name: 'waits for the time of the next block',
    facts: { state: state({ hasWork: true }) },
    expect: { step: 'waiting for block time' },
    explanation: 'the least time before block 10 has not passed',
  },
  {
    name: 'fills a block',
    facts: { state: state({ round: 0, isTimed: true, isBuilding: true }) },
    expect: { step: 'building the block', round: 0, proposer: A },
    explanation: 'This node proposes block 10, round 0',
  },
  {
    name: 'waits for another’s proposal',
    facts: { state: state({ round: 1, isTimed: true }) },
    expect: {
      step: 'waiting for the proposal',
      proposer: B,
      waitingFor: [B],
      lacking: 1,
      timer: { state: 'running', timeoutMs: 2_000, roundAgeMs: 400 },
    },
    explanation: `block 10, round 1: the proposal of ${B} has not come`,
  },
  {
    name: 'executes a proposal',
    facts: { state: state({ round: 1, isTimed: true, checking: accepted }) },
    expect: { step: 'checking the proposal', waitingFor: [] },
    explanation: `the proposal of ${B} is being executed`,
  },
  {
    name: 'has one prepare too few',
    facts: { state: state({ round: 0, isTimed: true, accepted, prepares: votes(A, B) }) },
    expect: { step: 'waiting for prepares', waitingFor: [C, D], lacking: 1 },
    explanation: `of 3 prepares 1 more of ${C}, ${D} are missing`,
  },
  {
    name: 'is prepared, and has two commits too few',
    facts: {
      state: state({
        round: 0,
        isTimed: true,
        accepted,
        prepares: votes(A, B, C),
        commits: votes(A),
        own: { commit: vote(A) as never },
      }),
    },
    expect: { step: 'waiting for commits', waitingFor: [B, C, D], lacking: 2 },
    explanation: `of 3 commits 2 more of ${B}, ${C}, ${D} are missing`,
  },
  {
    name: 'is in a round that no quorum has reached',
    facts: { state: state({ round: 3, roundChanges: roundChanges({ [A]: 3, [B]: 1, [C]: 4 }) }) },
    expect: {
      step: 'waiting for round changes',
      waitingFor: [B, D],
      lacking: 1,
      timer: { state: 'held', timeoutMs: 8_000, roundAgeMs: 400 },
    },
    explanation: `of 3 validators that must be in this round 1 more of ${B}, ${D} are missing; its timer starts with them`,
  },
  {
    name: 'has decided',
    facts: { state: state({ round: 0, isTimed: true, accepted, isDecided: true }) },
    expect: { step: 'writing the block', waitingFor: [] },
    explanation: 'Block 10 is decided',
  },
]

describe('the step of a node', () => {
  it.each(STEPS)('$name', ({ facts: given, expect: expected, explanation }) => {
    const found = consensusFindings(facts(given))
    expect(found).toMatchObject(expected)
    expect(explain(found, 'en')).toContain(explanation)
    expect(explain(found, 'zh-CN')).toMatch(/[\u4e00-\u9fff].*。$/)
  })

  it('is told in other words for each of these', () => {
    const words = STEPS.map((each) => explain(consensusFindings(facts(each.facts)), 'zh-CN'))
    expect(new Set(words).size).toBe(STEPS.length)
  })
})

describe('validators', () => {
  it('tells of each what it has said at this height and when it was heard of', () => {
    const found = consensusFindings(
      facts({
        state: state({
          round: 2,
          isTimed: true,
          accepted,
          prepares: votes(A, C),
          commits: votes(C),
          roundChanges: roundChanges({ [C]: 2 }),
        }),
        views: new Map([[C, view({ clockOffsetMs: 40, height: 8 })]]),
        connected: [C],
        heardAt: (each) => (each === C ? ELAPSED - 20 : undefined),
      }),
    )
    expect(found.validators.find(({ address }) => address === C)).toEqual({
      address: C,
      isSelf: false,
      isConnected: true,
      isLive: true,
      abstains: false,
      lastHeardMs: 20,
      roundChange: 2,
      prepared: { round: 0, digest: HASH },
      hasPrepared: true,
      hasCommitted: true,
      clockOffsetMs: 40,
      height: 8,
      version: 'vellum/1',
    })
    expect(found.validators.find(({ address }) => address === D)).toMatchObject({
      isConnected: false,
      isLive: false,
      lastHeardMs: null,
      hasPrepared: false,
      clockOffsetMs: null,
      height: null,
    })
  })

  it('does not count one that is connected and has been silent for long', () => {
    const found = consensusFindings(
      facts({
        views: new Map([
          [B, view({ heardAt: ELAPSED - HEARD_MS })],
          [C, view({ heardAt: ELAPSED - HEARD_MS - 1 })],
          [D, view()],
        ]),
      }),
    )
    expect(found.unreachable).toEqual([C])
    expect(found.quorum).toEqual({ validators: 4, faulty: 1, needed: 3, live: 3, missing: 0 })
  })

  it('counts one whose consensus messages come, whenever it told its head', () => {
    const found = consensusFindings(
      facts({ views: new Map(), heardAt: (each) => (each === B ? ELAPSED - 5 : undefined) }),
    )
    expect(found.unreachable).toEqual([C, D])
  })

  it('does not count itself while it abstains', () => {
    const { quorum } = consensusFindings(facts({ state: state({ abstainsThrough: 12 }) }))
    expect(quorum).toMatchObject({ live: 3, missing: 0 })
  })
})

describe('the remedy', () => {
  it('is nothing while all is well', () => {
    const status = withWords(consensusFindings(facts()))
    expect(status.remedy).toBeNull()
  })

  it('is nothing while a quorum is live and the first round goes on', () => {
    const found = consensusFindings(
      facts({ connected: [B, C], state: state({ round: 0, isTimed: true }) }),
    )
    expect(remedyOf(found, 'en')).toBeNull()
  })

  it('names those of whom enough must come back', () => {
    const found = consensusFindings(facts({ connected: [B] }))
    expect(found.quorum.missing).toBe(1)
    expect(remedyOf(found, 'en')).toBe(
      `2 of 4 validators are live and 3 are needed: start or reconnect 1 of ${C}, ${D}.`,
    )
    expect(remedyOf(found, 'zh-CN')).toContain(`以下节点中的 1 个：${C}、${D}`)
  })

  it('names all where all are needed', () => {
    const found = consensusFindings(
      facts({ state: state({ validators: [A, B], head: HEAD }), connected: [] }),
    )
    expect(remedyOf(found, 'en')).toContain(`start or reconnect ${B}.`)
  })

  it('tells who abstains from who is away, and that it passes', () => {
    const found = consensusFindings(
      facts({ state: state({ abstainsThrough: 'unknown' }), connected: [B, C] }),
    )
    expect(found.quorum).toMatchObject({ live: 2, missing: 1 })
    expect(remedyOf(found, 'en')).toBe(
      `2 of 4 validators are live and 3 are needed: start or reconnect ${D}. ${A} lost what they voted, and vote again when the others have made two blocks.`,
    )
  })

  it('is --accept-vote-loss where too many abstain for it to pass', () => {
    const found = consensusFindings(
      facts({
        views: new Map([
          [B, view({ abstains: true })],
          [C, view()],
          [D, view({ abstains: true })],
        ]),
      }),
    )
    expect(found.quorum).toMatchObject({ live: 2, missing: 1 })
    expect(found.unreachable).toEqual([])
    expect(found.validators.filter(({ abstains }) => abstains)).toHaveLength(2)
    expect(remedyOf(found, 'en')).toMatch(
      new RegExp(`are needed\\. ${B}, ${D} lost .* --accept-vote-loss`),
    )
    expect(remedyOf(found, 'zh-CN')).toContain('--accept-vote-loss')
    const alone = consensusFindings(
      facts({ state: state({ abstainsThrough: 'unknown', validators: [A] }) }),
    )
    expect(remedyOf(alone, 'en')).toContain('--accept-vote-loss')
  })

  it('names live validators that say nothing in a later round', () => {
    const found = consensusFindings(
      facts({ state: state({ round: 1, isTimed: true, accepted, prepares: votes(A, B) }) }),
    )
    expect(remedyOf(found, 'en')).toContain(`nothing has come from ${C}, ${D} in this round`)
  })
})

describe('clocks', () => {
  const withOffsets = (offsets: Readonly<Record<Address, number>>): ConsensusFindings =>
    consensusFindings(
      facts({
        views: new Map(
          (Object.entries(offsets) as [Address, number][]).map(([peer, clockOffsetMs]) => [
            peer,
            view({ clockOffsetMs }),
          ]),
        ),
      }),
    )

  it('are compared with the middle of all: one that is wrong is named', () => {
    const found = withOffsets({ [B]: 10, [C]: -4_000, [D]: -20 })
    expect(found.clock).toEqual({
      toleranceMs: 1_000,
      offsetMs: 0,
      beyond: [{ address: C, offsetMs: -4_000 }],
    })
    expect(remedyOf(found, 'en')).toBe(`The clock of ${C} is 4.0 s behind the others: set it.`)
  })

  it('show that our own is wrong where the others agree', () => {
    const found = withOffsets({ [B]: 5_000, [C]: 5_010, [D]: 4_990 })
    expect(found.clock.offsetMs).toBe(-4_990)
    expect(found.clock.beyond).toEqual([{ address: A, offsetMs: -4_990 }])
    expect(remedyOf(found, 'en')).toBe('This node’s clock is 5.0 s behind the others: set it.')
    expect(remedyOf(found, 'zh-CN')).toBe('本节点的时钟比其他节点慢 5.0 秒：请校时。')
  })
})

describe('the watch', () => {
  it('remembers who spoke for itself, and when the round began', () => {
    let now = 0
    const watch = createConsensusWatch({ elapsed: () => now })
    const first = state()
    watch.stepped({ type: 'work' }, first)
    now = 50
    watch.stepped({ type: 'message', from: B, message: vote(B) }, { ...first, round: 0 })
    watch.stepped({ type: 'message', from: B, message: vote(C) }, { ...first, round: 0 })
    now = 80
    watch.stepped({ type: 'message', from: at(9), message: vote(at(9)) }, { ...first, round: 0 })
    expect(watch.heardAt(B)).toBe(50)
    expect(watch.heardAt(C)).toBeUndefined()
    expect(watch.heardAt(at(9))).toBeUndefined()
    expect(watch.roundBeganAt()).toBe(50)
    now = 90
    watch.stepped({ type: 'work' }, { ...first, height: 11, validators: [A, C, D] })
    expect(watch.heardAt(B)).toBeUndefined()
    expect(watch.roundBeganAt()).toBe(90)
  })
})

it('is plain data: the same after a way through JSON', () => {
  const status = withWords(
    consensusFindings(facts({ connected: [B], votes: new Map([[at(7), 'add']]), evidence: 2 })),
  )
  expect(JSON.parse(JSON.stringify(status))).toEqual(status)
  expect(status.votes).toEqual({ [at(7)]: true })
})
