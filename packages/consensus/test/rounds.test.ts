import type { Address } from '@vellum/evm'
import { qbftHash } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import {
  CONSENSUS_LIMITS,
  inRound,
  type Message,
  type PreparedCertificate,
  type Proposal,
  type ProposedBlock,
} from '../src/index.ts'
import { namesOf } from './effect-names.ts'
import { createEngines, type Engine, type Engines, GENESIS, makeBlock, roundIn } from './engines.ts'
import { certificateOf, commitBy, prepareBy, proposalBy, roundChangeBy } from './messages.ts'

interface Four {
  readonly engines: Engines
  readonly a: Address
  readonly b: Address
  readonly c: Address
  readonly d: Address
  /** The engine of `d`, which proposes in round 3 only. */
  readonly engine: Engine
  /** Everything that follows, also from blocks that are built and checked. */
  receive(message: Message, from?: Address): string[]
  blockBy(proposer: Address, round?: number, gasUsed?: bigint): ProposedBlock
}

/** Four validators: a proposes in round 0, b in round 1, and so on. */
function four(self = 3): Four {
  const engines = createEngines(4)
  const [a, b, c, d] = engines.validators as [Address, Address, Address, Address]
  const engine = engines.all[self]!
  return {
    engines,
    a,
    b,
    c,
    d,
    engine,
    receive: (message, from = message.author) => {
      const before = engine.effects.length
      engines.step(engine, { type: 'message', from, message })
      return namesOf(engine.effects.slice(before))
    },
    blockBy: (proposer, round = 0, gasUsed = 0n) =>
      makeBlock({ parent: GENESIS, proposer, validators: engines.validators, round, gasUsed }),
  }
}

/** b's proposal of a new block in round 1, with this justification for it. */
function secondRound(
  { a, b, c, blockBy }: Four,
  justification: Partial<Pick<Proposal, 'roundChanges' | 'prepares'>> = {},
): Proposal {
  const roundChanges = [a, b, c].map((each) => roundChangeBy(each, 1))
  return proposalBy(b, blockBy(b, 1), 1, { roundChanges, prepares: [], ...justification })
}

const ACCEPTED = ['persist voted', 'send prepare']

describe('uponProposal: in the current round', () => {
  const cases: readonly [string, (four: Four) => Proposal, string[]][] = [
    [
      'that of the proposer is checked and voted for',
      ({ a, blockBy }) => proposalBy(a, blockBy(a)),
      ['checkBlock', ...ACCEPTED],
    ],
    [
      'that of another validator is refused',
      ({ b, blockBy }) => proposalBy(b, blockBy(b)),
      ['reject: author is not the proposer'],
    ],
    [
      'that of a stranger is refused',
      ({ a, blockBy }) => proposalBy(`0x${'77'.repeat(20)}`, blockBy(a)),
      ['reject: author is not a validator'],
    ],
    [
      'one of a height that is decided is refused',
      ({ a, blockBy }) => proposalBy(a, blockBy(a), 0, undefined, 0),
      ['reject: late'],
    ],
    [
      'a block of another height than the message’s is refused',
      ({ a, blockBy, engines: { validators } }) => {
        const parent = blockBy(a).header
        return proposalBy(a, makeBlock({ parent, proposer: a, validators }))
      },
      ['reject: block does not fit the proposal'],
    ],
    [
      'a block that names another round is refused',
      ({ a, blockBy }) => proposalBy(a, blockBy(a, 2)),
      ['reject: block does not fit the proposal'],
    ],
    [
      'one of round 0 with round changes is refused',
      ({ a, c, blockBy }) =>
        proposalBy(a, blockBy(a), 0, { roundChanges: [roundChangeBy(c, 1)], prepares: [] }),
      ['reject: justification is not valid'],
    ],
    [
      'one of round 0 with prepares is refused',
      ({ a, c, blockBy }) =>
        proposalBy(a, blockBy(a), 0, { roundChanges: [], prepares: [prepareBy(c, blockBy(a))] }),
      ['reject: justification is not valid'],
    ],
  ]
  test.for(cases)('%s', ([, make, expected]) => {
    const world = four()
    world.engines.begin([world.engine])
    expect(world.receive(make(world))).toEqual(expected)
  })

  test('the same a second time is nothing new, and what was received stays', () => {
    const { engines, engine, receive, a, c, blockBy } = four()
    engines.begin([engine])
    const block = blockBy(a)
    receive(proposalBy(a, block))
    receive(prepareBy(c, block))
    expect(receive(proposalBy(a, block))).toEqual(['reject: duplicate'])
    expect([...engine.state.prepares.keys()]).toEqual([engine.self, c])
    expect(receive(prepareBy(a, block))).toEqual(['persist prepared', 'send commit'])
  })

  test('another one of the same proposer is evidence, and what was accepted stays', () => {
    const { engines, engine, receive, a, c, blockBy } = four()
    engines.begin([engine])
    const block = blockBy(a)
    receive(proposalBy(a, block))
    receive(prepareBy(c, block))
    expect(receive(proposalBy(a, blockBy(a, 0, 1n)))).toEqual(['evidence'])
    expect(engine.state.accepted?.payload.block.digest).toBe(block.digest)
    expect(receive(prepareBy(a, block))).toEqual(['persist prepared', 'send commit'])
  })

  test('a verdict on another block than the one under check changes nothing', () => {
    const { engines, engine, a, blockBy } = four()
    engines.begin([engine])
    const { state } = engine
    engines.step(engine, {
      type: 'blockChecked',
      height: 1,
      round: 0,
      digest: blockBy(a).digest,
      verdict: { ok: true },
    })
    expect(engine.state).toBe(state)
  })
})

describe('uponProposal: of a later round', () => {
  test('with a new block and a quorum of round changes it begins that round', () => {
    const world = four()
    world.engines.begin([world.engine])
    expect(world.receive(secondRound(world))).toEqual([
      'setTimer resend',
      'setTimer round',
      'checkBlock',
      'relay proposal',
      'persist voted',
      'send prepare',
    ])
    expect(world.engine.state).toMatchObject({ round: 1, isTimed: true })
  })

  test('with a prepared block it begins that round with this block', () => {
    const world = four()
    const { engines, engine, receive, a, b, c, d, blockBy } = world
    engines.begin([engine])
    const claim = certificateOf([a, b, c], blockBy(a), 0)
    const roundChanges = [roundChangeBy(a, 1), roundChangeBy(c, 1, claim), roundChangeBy(d, 1)]
    const block = inRound(claim.block, 1)
    const names = receive(proposalBy(b, block, 1, { roundChanges, prepares: claim.prepares }))
    expect(names).toContain('send prepare')
    expect(engine.state.own.prepare?.payload).toEqual({ height: 1, round: 1, digest: block.digest })
    expect(engine.state.accepted?.payload.block.header.coinbase).toBe(a)
  })

  const refused: readonly [string, (four: Four) => Proposal, string][] = [
    [
      'of a validator that is not its proposer',
      (world) => {
        const { roundChanges } = secondRound(world)
        return proposalBy(world.c, world.blockBy(world.c, 1), 1, { roundChanges, prepares: [] })
      },
      'reject: author is not the proposer',
    ],
    [
      'with too few round changes',
      (world) => secondRound(world, { roundChanges: [roundChangeBy(world.a, 1)] }),
      'reject: justification is not valid',
    ],
    [
      'with prepares that nobody claims',
      (world) => secondRound(world, { prepares: [prepareBy(world.a, world.blockBy(world.a))] }),
      'reject: justification is not valid',
    ],
    [
      'with a prepared block and too few prepares',
      ({ a, b, c, d, blockBy }) => {
        const claim = certificateOf([a, b, c], blockBy(a), 0)
        const roundChanges = [roundChangeBy(a, 1), roundChangeBy(c, 1, claim), roundChangeBy(d, 1)]
        return proposalBy(b, inRound(claim.block, 1), 1, {
          roundChanges,
          prepares: claim.prepares.slice(1),
        })
      },
      'reject: justification is not valid',
    ],
    [
      'with a prepare of another block',
      ({ a, b, c, d, blockBy }) => {
        const claim = certificateOf([a, b, c], blockBy(a), 0)
        const roundChanges = [roundChangeBy(a, 1), roundChangeBy(c, 1, claim), roundChangeBy(d, 1)]
        return proposalBy(b, inRound(claim.block, 1), 1, {
          roundChanges,
          prepares: [...claim.prepares.slice(1), prepareBy(a, blockBy(a, 0, 8n))],
        })
      },
      'reject: justification is not valid',
    ],
    [
      'with a block on another parent',
      (world) => {
        const block = world.blockBy(world.b, 1)
        const header = { ...block.header, parentHash: GENESIS.stateRoot }
        const { roundChanges } = secondRound(world)
        return proposalBy(world.b, { ...block, header }, 1, { roundChanges, prepares: [] })
      },
      'reject: block does not fit the proposal',
    ],
  ]
  test.for(refused)('%s it is refused, and no round begins', ([, make, reason]) => {
    const world = four()
    world.engines.begin([world.engine])
    expect(world.receive(make(world))).toEqual([reason])
    expect(world.engine.state.round).toBe(0)
    expect(world.engine.state.own.prepare).toBeUndefined()
  })

  test('a proposal of an earlier round is late', () => {
    const world = four()
    world.engines.begin([world.engine])
    world.receive(secondRound(world))
    const { a, blockBy, engine } = world
    expect(world.receive(proposalBy(a, blockBy(a)))).toEqual(['reject: late'])
    expect(engine.state.own.prepare?.payload.round).toBe(1)
  })

  test('votes of an earlier round complete nothing once a later one has begun', () => {
    const world = four()
    const { engines, engine, receive, a, b, c, blockBy } = world
    engines.begin([engine])
    const block = blockBy(a)
    receive(proposalBy(a, block))
    receive(prepareBy(a, block))
    receive(secondRound(world))
    for (const author of [b, c]) {
      expect(receive(prepareBy(author, block))).toEqual(['reject: late'])
      expect(receive(commitBy(author, block))).toEqual(['reject: late'])
    }
    expect(engine.state.prepared).toBeUndefined()
    expect(engine.decided).toEqual([])
  })

  test('votes of a later round wait for its proposal, and count with it', () => {
    const world = four()
    const { engines, engine, receive, a, b, c } = world
    engines.begin([engine])
    const proposal = secondRound(world)
    const { block } = proposal.payload
    for (const author of [a, b, c]) {
      expect(receive(prepareBy(author, block, 1))).toEqual(['relay prepare'])
      expect(receive(commitBy(author, block, 1))).toEqual(['relay commit'])
    }
    expect(engine.state.round).toBe(0)
    expect(engine.decided).toEqual([])
    receive(proposal)
    expect(engine.decided.map(roundIn)).toEqual([1])
  })

  test('votes for other blocks of a later round are dropped when its proposal comes', () => {
    const world = four()
    const { engines, engine, receive, a, b, c, blockBy } = world
    engines.begin([engine])
    const proposal = secondRound(world)
    for (const author of [a, b, c]) {
      receive(prepareBy(author, blockBy(b, 1, 4n), 1))
      receive(commitBy(author, blockBy(b, 1, 4n), 1))
    }
    receive(proposal)
    expect([...engine.state.prepares.keys()]).toEqual([engine.self])
    expect(engine.state.commits.size).toBe(0)
    expect(engine.decided).toEqual([])
  })
})

describe('uponRoundTimeout: what the round change claims', () => {
  const claimed = ({ engine }: Four): PreparedCertificate['round'] | undefined =>
    engine.state.own.roundChange?.payload.prepared?.round

  test('nothing, if no proposal has come', () => {
    const world = four()
    world.engines.begin([world.engine])
    const names = namesOf(world.engines.fire(world.engine, 'round'))
    expect(names).toEqual(['persist round', 'setTimer resend', 'send roundChange'])
    expect(world.engine.state.own.roundChange).toMatchObject({
      payload: { height: 1, round: 1, prepared: undefined },
      block: undefined,
      prepares: [],
    })
  })

  test('nothing, if fewer than a quorum have prepared', () => {
    const world = four()
    const { a, blockBy, engine, engines, receive } = world
    engines.begin([engine])
    receive(proposalBy(a, blockBy(a)))
    receive(prepareBy(a, blockBy(a)))
    engines.fire(engine, 'round')
    expect(engine.state.own.roundChange?.payload.round).toBe(1)
    expect(claimed(world)).toBeUndefined()
  })

  test('nothing, if a quorum has prepared something that was not proposed here', () => {
    const world = four()
    const { a, b, c, blockBy, engine, engines, receive } = world
    engines.begin([engine])
    for (const author of [a, b, c]) receive(prepareBy(author, blockBy(a)))
    engines.fire(engine, 'round')
    expect(claimed(world)).toBeUndefined()
  })

  test('the block and its prepares, each author once, if a quorum has', () => {
    const world = four()
    const { a, b, c, d, blockBy, engine, engines, receive } = world
    engines.begin([engine])
    const block = blockBy(a)
    receive(proposalBy(a, block))
    for (const author of [a, a, b, b, c]) receive(prepareBy(author, block))
    engines.fire(engine, 'round')
    const { roundChange } = engine.state.own
    expect(roundChange?.payload.prepared).toEqual({ round: 0, digest: block.digest })
    expect(roundChange?.block).toEqual(block)
    expect(roundChange?.prepares.map(({ author }) => author).sort()).toEqual([a, b, d])
  })

  test('a prepared block is claimed in all later rounds, with the round in which it was', () => {
    const world = four()
    const { a, b, c, blockBy, engine, engines, receive } = world
    engines.begin([engine])
    receive(proposalBy(a, blockBy(a)))
    for (const author of [a, b]) receive(prepareBy(author, blockBy(a)))
    engines.fire(engine, 'round')
    for (const author of [a, b]) receive(roundChangeBy(author, 4))
    expect(engine.state.round).toBe(4)
    expect(claimed(world)).toBe(0)
    expect(receive(roundChangeBy(c, 4))).not.toContain('send proposal')
  })

  test('a timer of another round or height changes nothing', () => {
    const world = four()
    const { engine, engines } = world
    engines.begin([engine])
    const { state } = engine
    for (const [height, round] of [
      [1, 1],
      [0, 0],
      [2, 0],
    ] as const) {
      engines.step(engine, { type: 'timeout', timer: 'round', height, round })
    }
    expect(engine.state).toBe(state)
    engines.fire(engine, 'round')
    engines.step(engine, { type: 'timeout', timer: 'round', height: 1, round: 0 })
    expect(engine.state.round).toBe(1)
  })

  test('the highest round has no next one', () => {
    const { engine, engines, receive, a, b } = four()
    engines.begin([engine])
    receive(roundChangeBy(a, CONSENSUS_LIMITS.roundMax))
    receive(roundChangeBy(b, CONSENSUS_LIMITS.roundMax))
    expect(engine.state).toMatchObject({ round: CONSENSUS_LIMITS.roundMax, isTimed: true })
    expect(engines.fire(engine, 'round')).toEqual([])
    expect(engine.state.round).toBe(CONSENSUS_LIMITS.roundMax)
  })
})

describe('uponRoundChange', () => {
  test('a quorum lets the proposer of that round propose a new block', () => {
    const { engine, engines, receive, a, c, d, b } = four(1)
    engines.begin([engine])
    expect(receive(roundChangeBy(a, 1))).toEqual(['relay roundChange'])
    const names = receive(roundChangeBy(c, 1))
    expect(names).toContain('send roundChange')
    expect(names).toContain('buildBlock')
    const { proposal } = engine.state.own
    expect(proposal?.payload.round).toBe(1)
    expect(proposal?.payload.block.header.coinbase).toBe(b)
    expect(proposal?.roundChanges.map(({ author }) => author).sort()).toEqual([a, b, c])
    expect(proposal?.prepares).toEqual([])
    // Ready already: a further one changes nothing.
    expect(receive(roundChangeBy(d, 1))).toEqual(['relay roundChange'])
    expect(engine.state.own.proposal).toBe(proposal)
  })

  test('what a peer has prepared is proposed again, with its prepares', () => {
    const { engine, engines, receive, a, b, c, blockBy } = four(1)
    engines.begin([engine])
    const claim = certificateOf([a, b, c], blockBy(a), 0)
    receive(roundChangeBy(a, 1))
    receive(roundChangeBy(c, 1, claim))
    const { proposal } = engine.state.own
    expect(proposal?.payload.block).toEqual(inRound(claim.block, 1))
    expect(qbftHash(proposal!.payload.block.header)).toBe(qbftHash(claim.block.header))
    expect(proposal?.prepares).toEqual(claim.prepares)
    expect(engine.effects.map(({ type }) => type)).not.toContain('buildBlock')
  })

  test('of several that were prepared, that of the highest round is proposed again', () => {
    const { engine, engines, receive, a, b, c, d, blockBy } = four(3)
    engines.begin([engine])
    const low = certificateOf([a, b, c], blockBy(a), 0)
    const high = certificateOf([a, b, d], blockBy(c, 2, 3n), 2)
    receive(roundChangeBy(a, 3, low))
    // f + 1: d changes as well, and the three are a quorum.
    receive(roundChangeBy(c, 3, high))
    expect(engine.self).toBe(d)
    expect(engine.state.own.proposal?.payload.block.header.coinbase).toBe(c)
    expect(engine.state.own.proposal?.prepares).toEqual(high.prepares)
  })

  test('nobody else proposes', () => {
    const { engine, engines, receive, a, b } = four(2)
    engines.begin([engine])
    receive(roundChangeBy(a, 1))
    expect(receive(roundChangeBy(b, 1))).not.toContain('buildBlock')
    expect(engine.state.round).toBe(1)
    expect(engine.state.own.proposal).toBeUndefined()
  })

  test('the same author counts once, however often it says it', () => {
    const { engine, engines, receive, c } = four(1)
    engines.begin([engine])
    receive(roundChangeBy(c, 1))
    expect(receive(roundChangeBy(c, 1))).toEqual(['reject: duplicate'])
    expect(receive(roundChangeBy(c, 1))).toEqual(['reject: duplicate'])
    expect(engine.state.round).toBe(0)
  })

  test('the first claim of a round stands; another one is evidence', () => {
    const { engine, engines, receive, a, b, c, blockBy } = four(1)
    engines.begin([engine])
    const claim = certificateOf([a, b, c], blockBy(a), 0)
    receive(roundChangeBy(c, 1, claim))
    expect(receive(roundChangeBy(c, 1))).toEqual(['evidence'])
    expect(engine.state.roundChanges.get(c)?.payload.prepared?.round).toBe(0)
  })

  test('to different rounds they make no quorum', () => {
    const { engine, engines, receive, a, c, d } = four(1)
    engines.begin([engine])
    // One each to 1, 5 and 9; of f + 1 the lowest round above ours is followed, and no further.
    receive(roundChangeBy(a, 1))
    receive(roundChangeBy(c, 5))
    receive(roundChangeBy(d, 9))
    expect(engine.state.round).toBe(5)
    expect(engine.state.own.proposal).toBeUndefined()
  })

  test('the latest of an author replaces its earlier ones, and an earlier one comes too late', () => {
    const { engine, engines, receive, c } = four(1)
    engines.begin([engine])
    receive(roundChangeBy(c, 3))
    expect(receive(roundChangeBy(c, 2))).toEqual(['reject: late'])
    receive(roundChangeBy(c, 6))
    expect(engine.state.roundChanges.get(c)?.payload.round).toBe(6)
  })

  test('to an earlier round than ours it begins nothing', () => {
    const world = four(2)
    const { engine, engines, receive, a, b, d } = world
    engines.begin([engine])
    for (const author of [a, b]) receive(roundChangeBy(author, 5))
    expect(engine.state.round).toBe(5)
    for (const author of [a, b]) {
      // Who seems to be behind is told where we are.
      expect(receive(roundChangeBy(author, 2))).toEqual(['reject: late', 'relay roundChange'])
    }
    receive(roundChangeBy(d, 2))
    expect(engine.state.round).toBe(5)
  })

  const refused: readonly [string, (four: Four) => Message, string][] = [
    ['to round 0', ({ c }) => roundChangeBy(c, 0), 'reject: round out of range'],
    [
      'above the highest round',
      ({ c }) => roundChangeBy(c, CONSENSUS_LIMITS.roundMax + 1),
      'reject: round out of range',
    ],
    [
      'by a stranger',
      () => roundChangeBy(`0x${'77'.repeat(20)}`, 1),
      'reject: author is not a validator',
    ],
    [
      'with too few prepares',
      ({ a, b, c, blockBy }) => roundChangeBy(c, 1, certificateOf([a, b], blockBy(a), 0)),
      'reject: justification is not valid',
    ],
    [
      'with the same prepare twice',
      ({ a, b, c, blockBy }) => roundChangeBy(c, 1, certificateOf([a, b, b], blockBy(a), 0)),
      'reject: justification is not valid',
    ],
    [
      'with a stranger’s prepare',
      ({ a, b, c, blockBy }) =>
        roundChangeBy(c, 1, certificateOf([a, b, `0x${'77'.repeat(20)}`], blockBy(a), 0)),
      'reject: justification is not valid',
    ],
    [
      'that has prepared in the round which it wants',
      ({ a, b, c, blockBy }) => roundChangeBy(c, 1, certificateOf([a, b, c], blockBy(b, 1), 1)),
      'reject: justification is not valid',
    ],
    [
      'that has prepared in a round to come',
      ({ a, b, c, blockBy }) => roundChangeBy(c, 1, certificateOf([a, b, c], blockBy(c, 2), 2)),
      'reject: justification is not valid',
    ],
    [
      'whose block is another than it claims',
      ({ a, b, c, blockBy }) => ({
        ...roundChangeBy(c, 1, certificateOf([a, b, c], blockBy(a), 0)),
        block: blockBy(a, 0, 6n),
      }),
      'reject: justification is not valid',
    ],
    [
      'with a block that it does not claim',
      ({ a, c, blockBy }) => ({ ...roundChangeBy(c, 1), block: blockBy(a) }),
      'reject: justification is not valid',
    ],
  ]
  test.for(refused)('%s is refused, and does not count', ([, make, reason]) => {
    const world = four()
    world.engines.begin([world.engine])
    const names = world.receive(make(world), world.c)
    expect(names).toEqual([reason])
    expect(world.engine.state.roundChanges.size).toBe(0)
  })

  test('a block that the chain refuses is not taken for prepared by being claimed: it is checked', () => {
    const world = four(2)
    const { engine, engines, receive, a, b, c, d, blockBy } = world
    engines.isValid = () => false
    engines.begin([engine])
    const claim = certificateOf([a, b, d], blockBy(a), 0)
    const roundChanges = [roundChangeBy(a, 1, claim), roundChangeBy(b, 1), roundChangeBy(d, 1)]
    const proposal = proposalBy(b, inRound(claim.block, 1), 1, {
      roundChanges,
      prepares: claim.prepares,
    })
    const names = receive(proposal)
    expect(names).toContain('checkBlock')
    expect(names).toContain('reject: block is not valid')
    expect(names).not.toContain('send prepare')
    // Such a round cannot succeed, so the next one begins.
    expect(engine.state.round).toBe(2)
    expect(engine.self).toBe(c)
  })

  test('when more proposers were refused than can be faulty, a round lasts as long as its timer', () => {
    const engines = createEngines(4)
    engines.isValid = () => false
    engines.begin()
    engines.deliver()
    for (const engine of engines.all)
      expect(engine.state).toMatchObject({ round: 2, isTimed: true })
    // Whatever it was has passed: the next proposal is taken.
    engines.isValid = () => true
    for (const engine of engines.all) engines.fire(engine, 'round')
    engines.deliver()
    for (const { decided } of engines.all) expect(decided.map(roundIn)).toEqual([3])
  })
})
