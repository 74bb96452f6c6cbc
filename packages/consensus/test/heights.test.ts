import type { Address } from '@vellum/evm'
import { qbftHash } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { CONSENSUS_LIMITS, type Effect, type Message, type ProposedBlock } from '../src/index.ts'
import { namesOf } from './effect-names.ts'
import {
  createEngines,
  type Engine,
  type Engines,
  type EnginesOptions,
  GENESIS,
  makeBlock,
} from './engines.ts'
import { commitBy, prepareBy, proposalBy, roundChangeBy } from './messages.ts'

const STRANGER: Address = `0x${'77'.repeat(20)}`

interface World {
  readonly engines: Engines
  /** That of d. */
  readonly engine: Engine
  readonly a: Address
  readonly b: Address
  readonly c: Address
  readonly d: Address
  /** Blocks 1, 2 and 3, made in turns by a, b and c in round 0. */
  readonly blocks: readonly [ProposedBlock, ProposedBlock, ProposedBlock]
  receive(message: Message, from?: Address): readonly Effect[]
}

function world(options?: EnginesOptions): World {
  const engines = createEngines(4, options)
  const { validators } = engines
  const [a, b, c, d] = validators as [Address, Address, Address, Address]
  const first = makeBlock({ parent: GENESIS, proposer: a, validators })
  const second = makeBlock({ parent: first.header, proposer: b, validators })
  const third = makeBlock({ parent: second.header, proposer: c, validators })
  const engine = engines.all[3]!
  return {
    ...{ engines, engine, a, b, c, d, blocks: [first, second, third] },
    receive: (message, from = message.author) =>
      engines.step(engine, { type: 'message', from, message }),
  }
}

/** One of each kind, of a height and round, each by who may say it. */
function allKinds({ a, b, c, blocks }: World, height: number): Message[] {
  const block = blocks[Math.max(0, height - 1)]!
  const proposer = [a, b, c][Math.max(0, height - 1)]!
  return [
    proposalBy(proposer, block, 0, undefined, height),
    prepareBy(c, block, 0, height),
    commitBy(c, block, 0, { height }),
    roundChangeBy(b, 1, undefined, height),
  ]
}

describe('messages of a height that is decided', () => {
  test('of any kind change nothing; who still changes rounds there hears of the head', () => {
    const given = world()
    const { engines, engine, receive, blocks } = given
    engines.hear(engine, blocks[0].header)
    const { state } = engine
    const names = allKinds(given, 1).map((each) => namesOf(receive(each)))
    expect(names).toEqual([
      ['reject: late'],
      ['reject: late'],
      ['reject: late'],
      ['announceHead', 'reject: late'],
    ])
    expect(engine.state).toBe(state)
  })

  test('timers of it change nothing', () => {
    const { engines, engine, blocks } = world()
    engines.hear(engine, blocks[0].header)
    const { state } = engine
    for (const timer of ['block', 'heartbeat', 'round', 'resend'] as const) {
      for (const height of [0, 1, 3]) {
        expect(engines.step(engine, { type: 'timeout', timer, height, round: 0 })).toEqual([])
      }
    }
    expect(engine.state).toBe(state)
  })

  test('blocks that were built or checked for it change nothing', () => {
    const { engines, engine, blocks } = world()
    engines.begin([engine])
    engines.hear(engine, blocks[0].header)
    const { state } = engine
    const [block] = blocks
    engines.step(engine, { type: 'blockBuilt', height: 1, round: 0, block })
    engines.step(engine, {
      type: 'blockChecked',
      height: 1,
      round: 0,
      digest: block.digest,
      verdict: { ok: true },
    })
    expect(engine.state).toBe(state)
  })
})

describe('messages of the next height', () => {
  test('of any kind wait, and tell that blocks are missing; nothing is said', () => {
    const given = world()
    const { engine, receive } = given
    const names = allKinds(given, 2).map((each) => namesOf(receive(each)))
    expect(names).toEqual([['fetchBlocks'], ['fetchBlocks'], ['fetchBlocks'], ['fetchBlocks']])
    expect(engine.state.future.get(2)?.size).toBe(4)
    expect(engine.state.round).toBeUndefined()
  })

  test('count when its head comes', () => {
    const { engines, engine, receive, a, b, c, blocks } = world()
    const [first, second] = blocks
    receive(proposalBy(b, second, 0, undefined, 2))
    for (const author of [a, b, c]) {
      receive(prepareBy(author, second, 0, 2))
      receive(commitBy(author, second, 0, { height: 2 }))
    }
    expect(engine.decided).toEqual([])
    engines.hear(engine, first.header)
    expect(engine.decided.map((each) => qbftHash(each))).toEqual([qbftHash(second.header)])
    expect(engine.state.height).toBe(3)
  })

  test('are taken out for their own height only', () => {
    const { engines, engine, receive, c, blocks } = world()
    const [first, second, third] = blocks
    receive(prepareBy(c, second, 0, 2))
    receive(prepareBy(c, third, 0, 3))
    receive(prepareBy(c, third, 0, 5))
    engines.hear(engine, second.header)
    // Those of height 2 are too late, those of 3 are here, those of 5 still wait.
    expect(engine.state.early.get(0)?.prepares.get(c)?.payload.digest).toBe(third.digest)
    expect([...engine.state.future.keys()]).toEqual([5])
    expect(first.header.number).toBe(1)
  })

  test('whose author is not in our set are not kept, but may mean that we lack blocks', () => {
    const given = world()
    const { engine, receive, blocks } = given
    expect(namesOf(receive(prepareBy(STRANGER, blocks[1], 0, 2)))).toEqual([
      'fetchBlocks',
      'reject: author is not a validator',
    ])
    expect(engine.state.future.size).toBe(0)
  })
})

describe('the window of heights', () => {
  const { heightsAhead, roundsAhead } = CONSENSUS_LIMITS

  test('votes are kept up to its end, and not beyond', () => {
    const { engine, receive, c, blocks } = world()
    for (let height = 2; height <= 1 + heightsAhead; height++) {
      expect(namesOf(receive(prepareBy(c, blocks[0], 0, height)))).toEqual(['fetchBlocks'])
    }
    expect(namesOf(receive(prepareBy(c, blocks[0], 0, 2 + heightsAhead)))).toEqual([
      'fetchBlocks',
      'reject: too far ahead',
    ])
    expect(engine.state.future.size).toBe(heightsAhead)
  })

  test('what holds blocks is kept for the next height alone', () => {
    const { engine, receive, c, blocks } = world()
    const far = proposalBy(c, blocks[2], 0, undefined, 3)
    expect(namesOf(receive(far))).toEqual(['fetchBlocks', 'reject: too far ahead'])
    expect(namesOf(receive(roundChangeBy(c, 1, undefined, 3)))).toContain('reject: too far ahead')
    expect(engine.state.future.size).toBe(0)
  })

  test('of rounds far ahead nothing but the latest round change is kept', () => {
    const { engine, receive, c, blocks } = world()
    expect(namesOf(receive(prepareBy(c, blocks[1], roundsAhead + 1, 2)))).toContain(
      'reject: too far ahead',
    )
    receive(roundChangeBy(c, 5, undefined, 2))
    receive(roundChangeBy(c, 900, undefined, 2))
    expect(namesOf(receive(roundChangeBy(c, 7, undefined, 2)))).toContain('reject: duplicate')
    const kept = [...engine.state.future.get(2)!.values()]
    expect(kept.map(({ message }) => message.payload.round)).toEqual([900])
  })

  test('the first of each author, kind and round is kept', () => {
    const { engine, receive, c, blocks } = world()
    receive(prepareBy(c, blocks[1], 0, 2))
    expect(namesOf(receive(prepareBy(c, blocks[2], 0, 2)))).toContain('reject: duplicate')
    const [kept] = [...engine.state.future.get(2)!.values()]
    expect(kept?.message).toMatchObject({ payload: { digest: blocks[1].digest } })
  })
})

describe('uponNewHead', () => {
  test('sets the block timer and the heartbeat, and no round begins', () => {
    const { engines, engine, blocks } = world()
    expect(namesOf(engines.hear(engine, blocks[0].header))).toEqual([
      'setTimer block',
      'setTimer heartbeat',
    ])
    expect(engine.state).toMatchObject({ height: 2, round: undefined, isTimed: false })
  })

  test('a head again, or an older one, changes nothing', () => {
    const { engines, engine, blocks, a, c, receive } = world()
    engines.hear(engine, blocks[0].header)
    engines.begin([engine])
    receive(prepareBy(c, blocks[1], 0, 2))
    receive(prepareBy(a, blocks[1], 0, 2))
    const { state } = engine
    expect(engines.hear(engine, blocks[0].header)).toEqual([])
    expect(engines.hear(engine, GENESIS)).toEqual([])
    expect(engine.state).toBe(state)
  })

  test('forgets the height before it, whoever made the block', () => {
    const given = world()
    const { engines, engine, blocks, a, b, c, receive } = given
    engines.begin([engine])
    receive(proposalBy(a, blocks[0]))
    for (const author of [a, b, c]) receive(prepareBy(author, blocks[0]))
    expect(engine.state.prepared).toBeDefined()
    engines.hear(engine, makeBlock({ ...blocks[0], ...otherFacts(given) }).header)
    expect(engine.state).toMatchObject({
      height: 2,
      prepared: undefined,
      own: {},
      round: undefined,
    })
    expect(engine.state.pledges.voted.size).toBe(0)
  })

  function otherFacts({ engines: { validators }, b }: World): Parameters<typeof makeBlock>[0] {
    return { parent: GENESIS, proposer: b, validators }
  }

  test('tells nothing to a node that is not of the set', () => {
    const { engines, blocks } = world({ followers: 1 })
    expect(engines.hear(engines.all[4]!, blocks[0].header)).toEqual([])
  })

  const timers: readonly [string, number, number, number][] = [
    ['for what is left of the period', 10_500, 0, 1_500],
    ['for nothing when the period ends now', 12_000, 0, 0],
    ['for nothing when it is over', 40_000, 0, 0],
    ['for no more than a period and a second, with a slow clock', 1_000, 0, 3_000],
    ['for the rest that the node wants, if that is longer', 11_900, 700, 700],
  ]
  test.for(timers)('the block timer waits %s', ([, at, restMs, afterMs]) => {
    const { engines, engine, a } = world({ settings: { blockPeriodSeconds: 2 } })
    const effects = engines.step(engine, {
      type: 'newHead',
      at,
      head: { height: 1, hash: GENESIS.stateRoot, proposer: a, timestamp: 10 },
      validators: engines.validators,
      restMs,
    })
    expect(effects).toEqual([
      { type: 'setTimer', timer: 'block', height: 2, round: 0, afterMs },
      { type: 'setTimer', timer: 'heartbeat', height: 2, round: 0, afterMs: 60_000 },
    ])
  })

  test('without a heartbeat no timer is set for one', () => {
    const { engines, engine, blocks } = world({ settings: { heartbeatMs: 0 } })
    expect(namesOf(engines.hear(engine, blocks[0].header))).toEqual(['setTimer block'])
  })
})

describe('the block timer', () => {
  test('begins round 0 with its timer on all validators when there is work', () => {
    const { engines, engine, a } = world()
    engines.step(engine, { type: 'work' })
    const effects = engines.fire(engine, 'block')
    expect(effects.slice(1)).toEqual([
      { type: 'setTimer', timer: 'round', height: 1, round: 0, afterMs: 1_000 },
    ])
    // The proposer builds besides.
    const proposer = engines.all[0]!
    expect(proposer.self).toBe(a)
    engines.step(proposer, { type: 'work' })
    expect(namesOf(engines.fire(proposer, 'block'))).toContain('buildBlock')
  })

  test('without work it begins nothing, and the heartbeat does', () => {
    const { engines, engine } = world()
    expect(engines.fire(engine, 'block')).toEqual([])
    expect(engine.state.round).toBeUndefined()
    expect(namesOf(engines.fire(engine, 'heartbeat'))).toEqual([
      'setTimer resend',
      'setTimer round',
    ])
  })

  test('in a round that has begun it does nothing', () => {
    const { engines, engine, receive, a, b } = world()
    for (const author of [a, b]) receive(roundChangeBy(author, 2))
    expect(engine.state.round).toBe(2)
    engines.step(engine, { type: 'work' })
    expect(engines.fire(engine, 'block')).toEqual([])
    expect(engines.fire(engine, 'heartbeat')).toEqual([])
    expect(engine.state.round).toBe(2)
  })
})

describe('who is told', () => {
  test('everything goes to all other validators, and to nobody else', () => {
    const { engines } = world({ followers: 1 })
    engines.begin()
    engines.deliver((_from, _to, { kind }) => kind !== 'commit')
    for (const engine of engines.all.slice(0, 4)) engines.fire(engine, 'round')
    for (const { self, effects } of engines.all) {
      const others = engines.validators.filter((each) => each !== self)
      for (const effect of effects) if (effect.type === 'send') expect(effect.to).toEqual(others)
    }
    const said = engines.all.flatMap(({ effects }) => namesOf(effects))
    for (const name of ['send proposal', 'send prepare', 'send commit', 'send roundChange']) {
      expect(said).toContain(name)
    }
  })

  test('of round 0 nothing is passed on: everybody is told by its author', () => {
    const given = world()
    given.engines.begin([given.engine])
    const relayed = allKinds(given, 1)
      .filter(({ payload }) => payload.round === 0)
      .flatMap((each) => namesOf(given.receive(each)))
      .filter((name) => name.startsWith('relay'))
    expect(relayed).toEqual([])
  })

  /** Of round 1, one of each kind. */
  function ofRoundOne({ a, b, c, engines: { validators } }: World): Message[] {
    const block = makeBlock({ parent: GENESIS, proposer: b, validators, round: 1 })
    const roundChanges = [a, b, c].map((each) => roundChangeBy(each, 1))
    return [
      roundChangeBy(b, 1),
      proposalBy(b, block, 1, { roundChanges, prepares: [] }),
      prepareBy(b, block, 1),
      commitBy(b, block, 1),
    ]
  }

  test('of later rounds everything goes on, but not to its author or to who brought it', () => {
    const given = world()
    const { engines, engine, receive, a, c } = given
    engines.begin([engine])
    for (const message of ofRoundOne(given)) {
      const effects = receive(message, c)
      expect(effects).toContainEqual({ type: 'relay', to: [a], message })
    }
  })

  test('once', () => {
    const given = world()
    const { engines, engine, receive, a, c } = given
    engines.begin([engine])
    for (const message of ofRoundOne(given)) {
      receive(message, c)
      expect(namesOf(receive(message, a))).toEqual(['reject: duplicate'])
    }
  })

  test('what is refused is not passed on', () => {
    const { engines, engine, receive, a, blocks } = world()
    engines.begin([engine])
    const unproven = { ...roundChangeBy(a, 1), block: blocks[0] }
    for (const message of [
      roundChangeBy(STRANGER, 1),
      prepareBy(STRANGER, blocks[0], 1),
      unproven,
    ]) {
      const names = namesOf(receive(message, a))
      expect(names).toHaveLength(1)
      expect(names[0]).toMatch(/^reject/)
    }
  })

  test('what is of a decided height is not passed on', () => {
    const { engines, engine, receive, c, blocks } = world()
    engines.hear(engine, blocks[0].header)
    expect(namesOf(receive(prepareBy(c, blocks[0], 1, 1)))).toEqual(['reject: late'])
  })

  test('what waits for its height is passed on when that comes', () => {
    const { engines, engine, receive, a, b, c, blocks } = world()
    const message = prepareBy(c, blocks[1], 1, 2)
    expect(namesOf(receive(message, b))).toEqual(['fetchBlocks'])
    expect(engines.hear(engine, blocks[0].header)).toContainEqual({
      type: 'relay',
      to: [a],
      message,
    })
  })
})

describe('a stranger', () => {
  test('moves nobody, whatever it says', () => {
    const { engines, engine, receive, blocks } = world()
    engines.begin([engine])
    const { state } = engine
    for (const message of [
      proposalBy(STRANGER, blocks[0]),
      prepareBy(STRANGER, blocks[0]),
      commitBy(STRANGER, blocks[0]),
      roundChangeBy(STRANGER, 1),
    ]) {
      expect(namesOf(receive(message))).toEqual(['reject: author is not a validator'])
    }
    expect(engine.state).toBe(state)
  })
})
