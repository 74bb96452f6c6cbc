import type { Address } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import type { Effect, Message, ProposedBlock } from '../src/index.ts'
import { namesOf } from './effect-names.ts'
import {
  createEngines,
  type Engine,
  type Engines,
  GENESIS,
  makeBlock,
  sealCount,
} from './engines.ts'
import { commitBy, prepareBy, proposalBy, roundChangeBy } from './messages.ts'

const STRANGER: Address = `0x${'77'.repeat(20)}`

interface World {
  readonly engines: Engines
  readonly engine: Engine
  readonly block: ProposedBlock
  readonly other: ProposedBlock
  readonly a: Address
  readonly c: Address
  readonly d: Address
  receive(message: Message): readonly Effect[]
}

/** Four validators, and the engine of the second; a proposes, and holds what it is decided upon. */
function world(isProposed = true): World {
  const engines = createEngines(4, { isHolding: true })
  const [a, , c, d] = engines.validators as [Address, Address, Address, Address]
  const engine = engines.all[1]!
  const facts = { parent: GENESIS, proposer: a, validators: engines.validators }
  const block = makeBlock(facts)
  const receive = (message: Message): readonly Effect[] =>
    engines.step(engine, { type: 'message', from: message.author, message })
  engines.begin([engine])
  if (isProposed) receive(proposalBy(a, block))
  return { engines, engine, block, other: makeBlock({ ...facts, gasUsed: 1n }), a, c, d, receive }
}

describe('uponPrepare', () => {
  const refused: readonly [string, (world: World) => Message, string][] = [
    ['prepare of another block', ({ c, other }) => prepareBy(c, other), 'reject: digest differs'],
    [
      'prepare of a stranger',
      ({ block }) => prepareBy(STRANGER, block),
      'reject: author is not a validator',
    ],
    ['prepare of an earlier height', ({ c, block }) => prepareBy(c, block, 0, 0), 'reject: late'],
    ['prepare of a far round', ({ c, block }) => prepareBy(c, block, 3), 'reject: too far ahead'],
  ]
  test.for(refused)('a %s is refused, and counts nowhere', ([, make, reason]) => {
    const given = world()
    expect(namesOf(given.receive(make(given)))).toEqual([reason])
    expect([...given.engine.state.prepares.keys()]).toEqual([given.engine.self])
    expect(given.engine.state.early.size).toBe(0)
  })

  test('one of the next round or height is not one of this', () => {
    const { engine, receive, block, a, c } = world()
    receive(prepareBy(a, block, 1))
    receive(prepareBy(c, block, 0, 2))
    expect([...engine.state.prepares.keys()]).toEqual([engine.self])
    expect(engine.state.own.commit).toBeUndefined()
  })

  test('the same again counts once', () => {
    const { engine, receive, block, c } = world()
    expect(receive(prepareBy(c, block))).toEqual([])
    expect(namesOf(receive(prepareBy(c, block)))).toEqual(['reject: duplicate'])
    expect(engine.state.prepares.size).toBe(2)
    expect(engine.state.own.commit).toBeUndefined()
  })

  test('that of any validator counts, the proposer’s like any other', () => {
    for (const pick of ['a', 'c', 'd'] as const) {
      const given = world()
      given.receive(prepareBy(given.c, given.block))
      given.receive(prepareBy(given.d, given.block))
      given.receive(prepareBy(given[pick], given.block))
      expect(given.engine.state.own.commit?.payload.digest).toBe(given.block.digest)
    }
  })

  test('a commit is said once, however many prepares follow', () => {
    const { receive, block, a, c, d } = world()
    receive(prepareBy(a, block))
    expect(namesOf(receive(prepareBy(c, block)))).toEqual(['persist prepared', 'send commit'])
    expect(receive(prepareBy(d, block))).toEqual([])
  })

  test('before a proposal any are kept, and afterwards those of its block', () => {
    const { engine, receive, block, other, a, c, d } = world(false)
    receive(prepareBy(a, other))
    receive(prepareBy(c, block))
    expect(engine.state.prepared).toBeUndefined()
    receive(proposalBy(a, block))
    expect([...engine.state.prepares.keys()]).toEqual([c, engine.self])
    receive(prepareBy(d, block))
    expect(engine.state.prepared?.prepares.map(({ author }) => author)).toEqual([c, engine.self, d])
  })
})

describe('uponCommit', () => {
  const refused: readonly [string, (world: World) => Message, string][] = [
    ['commit of another block', ({ c, other }) => commitBy(c, other), 'reject: digest differs'],
    [
      'commit of a stranger',
      ({ block }) => commitBy(STRANGER, block),
      'reject: author is not a validator',
    ],
    [
      'commit of an earlier height',
      ({ c, block }) => commitBy(c, block, 0, { height: 0 }),
      'reject: late',
    ],
    ['commit of a far round', ({ c, block }) => commitBy(c, block, 3), 'reject: too far ahead'],
    [
      'commit with another validator’s seal',
      ({ c, d, block }) => commitBy(c, block, 0, { sealer: d }),
      'reject: seal is not the author’s',
    ],
    [
      'commit with a stranger’s seal',
      ({ c, block }) => commitBy(c, block, 0, { sealer: STRANGER }),
      'reject: seal is not the author’s',
    ],
  ]
  test.for(refused)('a %s is refused, and counts nowhere', ([, make, reason]) => {
    const given = world()
    expect(namesOf(given.receive(make(given)))).toEqual([reason])
    expect(given.engine.state.commits.size).toBe(0)
    // Two good ones beside it do not decide.
    given.receive(commitBy(given.a, given.block))
    given.receive(commitBy(given.d, given.block))
    expect(given.engine.state.isDecided).toBe(false)
  })

  test('one of the next round or height is not one of this', () => {
    const { engine, receive, block, a, c, d } = world()
    receive(commitBy(a, block))
    receive(commitBy(c, block, 1))
    receive(commitBy(d, block, 0, { height: 2 }))
    expect([...engine.state.commits.keys()]).toEqual([a])
  })

  test('the same again counts once', () => {
    const { engine, receive, block, a, c } = world()
    receive(commitBy(a, block))
    receive(commitBy(c, block))
    expect(namesOf(receive(commitBy(c, block)))).toEqual(['reject: duplicate'])
    expect(engine.state.isDecided).toBe(false)
  })

  test('a quorum of them before the proposal decides when it comes, once', () => {
    const { engine, receive, block, a, c, d } = world(false)
    for (const author of [a, c, d]) expect(receive(commitBy(author, block))).toEqual([])
    expect(engine.state.isDecided).toBe(false)
    receive(proposalBy(a, block))
    expect(engine.effects.filter(({ type }) => type === 'commit')).toHaveLength(1)
    expect(sealCount(engine.effects)).toBe(3)
    expect(receive(prepareBy(a, block))).toEqual([])
    expect(receive(prepareBy(c, block))).toEqual([])
    expect(engine.effects.filter(({ type }) => type === 'commit')).toHaveLength(1)
  })

  test('those before the proposal count only with its digest and their author’s seal', () => {
    const { engine, receive, block, other, a, c, d } = world(false)
    receive(commitBy(a, other))
    receive(commitBy(c, block, 0, { sealer: d }))
    receive(commitBy(d, block))
    receive(proposalBy(a, block))
    expect([...engine.state.commits.keys()]).toEqual([d])
    expect(engine.state.isDecided).toBe(false)
  })

  test('the seals of a decided block are those of the commits, sorted by author', () => {
    const { receive, block, a, c, d } = world()
    receive(commitBy(d, block))
    receive(commitBy(a, block))
    const effects = receive(commitBy(c, block))
    expect(effects).toEqual([
      {
        type: 'commit',
        block,
        seals: [a, c, d].map((each) => commitBy(each, block).payload.seal),
      },
    ])
  })
})

describe('between the decision and the head that follows from it', () => {
  function decided(): World {
    const given = world()
    const { receive, block, a, c, d, engine } = given
    for (const author of [a, c, d]) receive(commitBy(author, block))
    expect(engine.state.isDecided).toBe(true)
    return given
  }

  test('no timer does anything: nobody leaves a round that has succeeded', () => {
    const { engines, engine } = decided()
    const { state } = engine
    for (const timer of ['round', 'resend', 'block', 'heartbeat'] as const) {
      expect(engines.fire(engine, timer)).toEqual([])
    }
    expect(engine.state).toBe(state)
  })

  test('no message does anything: no commit is said for what is decided', () => {
    const { engine, receive, block, a, c, d } = decided()
    const { state } = engine
    for (const author of [a, c, d]) {
      expect(receive(prepareBy(author, block))).toEqual([])
      expect(receive(commitBy(author, block))).toEqual([])
      expect(receive(roundChangeBy(author, 1))).toEqual([])
    }
    expect(receive(proposalBy(a, block))).toEqual([])
    expect(engine.state).toBe(state)
    expect(engine.state.own.commit).toBeUndefined()
  })

  test('no block that is built or checked late does anything', () => {
    const { engines, engine, block } = decided()
    const { state } = engine
    const at = { height: 1, round: 0 }
    engines.step(engine, { type: 'blockBuilt', ...at, block })
    const verdict = { ok: true } as const
    engines.step(engine, { type: 'blockChecked', ...at, digest: block.digest, verdict })
    expect(engine.state).toBe(state)
  })
})

describe('small sets', () => {
  test('a validator that is alone decides its block at once', () => {
    const engines = createEngines(1, { isHolding: true })
    engines.begin()
    const [engine] = engines.all as [Engine]
    expect(namesOf(engine.effects).slice(2)).toEqual([
      'setTimer resend',
      'setTimer round',
      'buildBlock',
      'commit',
    ])
    expect(sealCount(engine.effects)).toBe(1)
  })

  test('of two, each waits for the other’s prepare and then for its commit', () => {
    const engines = createEngines(2, { isHolding: true })
    const [a] = engines.validators as [Address, Address]
    const engine = engines.all[1]!
    engines.begin([engine])
    const block = makeBlock({ parent: GENESIS, proposer: a, validators: engines.validators })
    const receive = (message: Message): string[] =>
      namesOf(engines.step(engine, { type: 'message', from: a, message }))
    receive(proposalBy(a, block))
    expect(engine.state.own.prepare).toBeDefined()
    expect(engine.state.own.commit).toBeUndefined()
    expect(receive(prepareBy(a, block))).toEqual(['persist prepared', 'send commit'])
    expect(engine.state.isDecided).toBe(false)
    expect(receive(commitBy(a, block))).toEqual(['commit'])
  })

  test('of two, the proposer decides with the other’s commit as well', () => {
    const engines = createEngines(2, { isHolding: true })
    const [a, b] = engines.validators as [Address, Address]
    const engine = engines.all[0]!
    engines.begin([engine])
    const { block } = engine.state.own.proposal!.payload
    const receive = (message: Message): string[] =>
      namesOf(engines.step(engine, { type: 'message', from: b, message }))
    expect(engine.self).toBe(a)
    expect(receive(commitBy(b, block))).toEqual([])
    // Both commits are there once its own is said.
    expect(receive(prepareBy(b, block))).toEqual(['persist prepared', 'send commit', 'commit'])
  })
})

test('a height begins unprepared and undecided', () => {
  const { engine } = world(false)
  expect(engine.state).toMatchObject({
    prepared: undefined,
    accepted: undefined,
    isDecided: false,
    own: {},
  })
  expect(engine.state.prepares.size + engine.state.commits.size).toBe(0)
})
