import type { Address } from '@vellum/evm'
import { qbftHash } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import { initialState, inRound, type Message, step, type VoteRecord } from '../src/index.ts'
import { namesOf } from './effect-names.ts'
import {
  createEngines,
  type Engine,
  type Engines,
  GENESIS,
  makeBlock,
  recover,
  roundIn,
  SETTINGS,
  signAs,
} from './engines.ts'
import { certificateOf, commitBy, prepareBy, proposalBy, roundChangeBy } from './messages.ts'

const receive = (engines: Engines, engine: Engine, message: Message, from = message.author) =>
  engines.step(engine, { type: 'message', from, message })

const blockOf = (engines: Engines, proposer: Address, round = 0, gasUsed = 0n) =>
  makeBlock({ parent: GENESIS, proposer, validators: engines.validators, round, gasUsed })

describe('a height without faults', () => {
  test.for([1, 2, 3, 4, 7, 10])('%i validators decide in round 0, and go on', (count) => {
    const engines = createEngines(count)
    for (let height = 1; height <= 3; height++) {
      engines.begin()
      engines.deliver()
      for (const { decided } of engines.all) {
        expect(decided).toHaveLength(height)
        expect(roundIn(decided.at(-1)!)).toBe(0)
      }
    }
    const names = new Set(engines.all.map(({ head }) => qbftHash(head)))
    expect(names.size).toBe(1)
  })

  test('the proposer writes down what it says, before it says it, in one go', () => {
    const engines = createEngines(4)
    const proposer = engines.all[0]!
    engines.step(proposer, { type: 'work' })
    engines.fire(proposer, 'block')
    expect(namesOf(proposer.effects).slice(2)).toEqual([
      'setTimer resend',
      'setTimer round',
      'buildBlock',
      'persist proposed',
      'persist voted',
      'send proposal',
      'send prepare',
    ])
  })

  test('uponProposal: another validator checks the block, writes its vote down, and prepares', () => {
    const engines = createEngines(4)
    const [proposer, other] = engines.all as [Engine, Engine]
    const before = other.effects.length
    receive(engines, other, proposalBy(proposer.self!, blockOf(engines, proposer.self!)))
    expect(namesOf(other.effects.slice(before))).toEqual([
      'setTimer resend',
      'setTimer round',
      'checkBlock',
      'persist voted',
      'send prepare',
    ])
  })

  test('uponPrepare: sends a commit at the quorum, after the certificate is kept', () => {
    const engines = createEngines(4)
    const [a, b, c] = engines.validators as [Address, Address, Address]
    const engine = engines.all[1]!
    const block = blockOf(engines, a)
    receive(engines, engine, proposalBy(a, block))
    expect(namesOf(receive(engines, engine, prepareBy(a, block)))).toEqual([])
    expect(namesOf(receive(engines, engine, prepareBy(c, block)))).toEqual([
      'persist prepared',
      'send commit',
    ])
    expect(engine.state.prepared?.prepares.map(({ author }) => author)).toEqual([b, a, c])
  })

  test('uponCommit: decides at the quorum, seals sorted by address', () => {
    const engines = createEngines(4)
    const [a, , c, d] = engines.validators as [Address, Address, Address, Address]
    const engine = engines.all[1]!
    const block = blockOf(engines, a)
    receive(engines, engine, proposalBy(a, block))
    receive(engines, engine, commitBy(d, block))
    receive(engines, engine, commitBy(c, block))
    const effects = receive(engines, engine, commitBy(a, block))
    const [commit] = effects
    expect(commit?.type === 'commit' && commit.seals).toEqual(
      [a, c, d].map((each) => commitBy(each, block).payload.seal),
    )
  })

  test('our own commit counts when we are prepared, and not before', () => {
    const engines = createEngines(4)
    const [a, , c] = engines.validators as [Address, Address, Address]
    const engine = engines.all[1]!
    const block = blockOf(engines, a)
    receive(engines, engine, proposalBy(a, block))
    receive(engines, engine, commitBy(c, block))
    receive(engines, engine, commitBy(a, block))
    expect(engine.decided).toHaveLength(0)
    receive(engines, engine, prepareBy(a, block))
    receive(engines, engine, prepareBy(c, block))
    expect(engine.decided).toHaveLength(1)
  })

  test('votes that come before the proposal count when it comes; wrong ones are dropped', () => {
    const engines = createEngines(4)
    const [a, , c, d] = engines.validators as [Address, Address, Address, Address]
    const engine = engines.all[1]!
    const block = blockOf(engines, a)
    const other = blockOf(engines, a, 0, 1n)
    receive(engines, engine, prepareBy(c, block))
    receive(engines, engine, prepareBy(d, other))
    receive(engines, engine, commitBy(d, block, 0, { sealer: c }))
    receive(engines, engine, prepareBy(a, block))
    receive(engines, engine, proposalBy(a, block))
    expect([...engine.state.prepares.keys()].sort()).toEqual(engines.validators.slice(0, 3))
    expect([...engine.state.commits.keys()]).toEqual([engine.self])
    expect(engine.state.prepared?.round).toBe(0)
  })

  test('a validator that is alone writes nothing down: it says nothing to anyone', () => {
    const engines = createEngines(1)
    engines.begin()
    expect(engines.all[0]!.decided).toHaveLength(1)
    expect(engines.all[0]!.records).toEqual([])
  })

  test('a node without a key follows: it neither times nor says anything', () => {
    const engines = createEngines(4, { followers: 1 })
    const follower = engines.all[4]!
    expect(follower.effects).toEqual([])
    receive(
      engines,
      follower,
      prepareBy(engines.validators[0]!, { digest: `0x${'11'.repeat(32)}` }),
    )
    expect(follower.effects).toEqual([])
  })
})

describe('when a round begins', () => {
  test('not before a block may come, and not without work', () => {
    const engines = createEngines(4)
    const engine = engines.all[0]!
    engines.fire(engine, 'block')
    expect(engine.state.round).toBeUndefined()
    engines.step(engine, { type: 'work' })
    expect(engine.state.round).toBe(0)
  })

  test('the heartbeat begins one without work', () => {
    const engines = createEngines(4)
    engines.fire(engines.all[0]!, 'heartbeat')
    expect(engines.all[0]!.state.round).toBe(0)
  })

  test('somebody else’s round change begins it: one validator’s work is everybody’s', () => {
    const engines = createEngines(4)
    const engine = engines.all[0]!
    engines.fire(engine, 'block')
    receive(engines, engine, roundChangeBy(engines.validators[2]!, 1))
    expect(engine.state.round).toBe(0)
    expect(namesOf(engine.effects)).toContain('send proposal')
  })

  test('a proposal begins it before our own block timer', () => {
    const engines = createEngines(4)
    const [a] = engines.validators as [Address]
    receive(engines, engines.all[2]!, proposalBy(a, blockOf(engines, a)))
    expect(engines.all[2]!.state.round).toBe(0)
  })

  test('a slow clock waits one period at most: a quorum has seen the head’s time', () => {
    const engines = createEngines(4, { settings: { blockPeriodSeconds: 2 } })
    const engine = engines.all[0]!
    const effects = engines.step(engine, {
      type: 'newHead',
      at: 1_000,
      head: {
        height: 1,
        hash: `0x${'22'.repeat(32)}`,
        proposer: engines.validators[0]!,
        timestamp: 500,
      },
      validators: engines.validators,
      restMs: 0,
    })
    expect(effects).toContainEqual({
      type: 'setTimer',
      timer: 'block',
      height: 2,
      round: 0,
      afterMs: 3_000,
    })
  })
})

describe('a proposer that does not propose', () => {
  test('uponRoundTimeout: the next one does, in the next round', () => {
    const engines = createEngines(4)
    const [dead, ...alive] = engines.all as [Engine, ...Engine[]]
    engines.begin(alive)
    for (const engine of alive) engines.fire(engine, 'round')
    engines.deliver((_, to) => to !== dead.self)
    for (const { decided } of alive) expect(decided.map(roundIn)).toEqual([1])
    expect(alive[0]!.decided[0]!.coinbase).toBe(engines.validators[1])
  })

  test('f + 1 round changes are followed at once, whatever the own timer says', () => {
    const engines = createEngines(4)
    const engine = engines.all[3]!
    engines.begin([engine])
    receive(engines, engine, roundChangeBy(engines.validators[0]!, 5))
    expect(engine.state.round).toBe(0)
    receive(engines, engine, roundChangeBy(engines.validators[1]!, 7))
    expect(engine.state.round).toBe(5)
    expect(engine.records).toContainEqual({ kind: 'round', height: 1, round: 5 })
  })

  test('nobody runs ahead alone: a round without a quorum has no end', () => {
    const engines = createEngines(4)
    const engine = engines.all[2]!
    engines.begin([engine])
    engines.fire(engine, 'round')
    expect(engine.state).toMatchObject({ round: 1, isTimed: false })
    for (let i = 0; i < 100; i++) engines.fire(engine, 'round')
    expect(engine.state.round).toBe(1)
    receive(engines, engine, roundChangeBy(engines.validators[0]!, 1))
    receive(engines, engine, roundChangeBy(engines.validators[1]!, 1))
    expect(engine.state).toMatchObject({ round: 1, isTimed: true })
    engines.fire(engine, 'round')
    expect(engine.state.round).toBe(2)
  })

  test('a quorum that is spread over rounds comes together', () => {
    const engines = createEngines(4)
    const [, b, c, d] = engines.all as [Engine, Engine, Engine, Engine]
    engines.begin([b, c, d])
    engines.drop()
    receive(engines, b, roundChangeBy(engines.validators[2]!, 3))
    receive(engines, b, roundChangeBy(engines.validators[3]!, 3))
    receive(engines, c, roundChangeBy(engines.validators[0]!, 2))
    receive(engines, c, roundChangeBy(engines.validators[3]!, 2))
    expect([b.state.round, c.state.round, d.state.round]).toEqual([3, 2, 0])
    engines.drop()
    // Each says again what it said last; nobody's timer is needed but that of the lowest.
    for (let i = 0; i < 4 && d.decided.length === 0; i++) {
      for (const engine of [b, c, d]) engines.fire(engine, 'resend')
      engines.deliver((_, to) => to !== engines.validators[0])
      for (const engine of [b, c, d]) {
        if (engine.state.isTimed && d.decided.length === 0) engines.fire(engine, 'round')
      }
      engines.deliver((_, to) => to !== engines.validators[0])
    }
    expect(new Set([b, c, d].map(({ head }) => qbftHash(head))).size).toBe(1)
    expect(d.decided.length).toBeGreaterThan(0)
  })

  test('a block that the chain refuses ends the round at once, and counts against its author', () => {
    const engines = createEngines(4)
    engines.isValid = (block) => block.header.coinbase !== engines.validators[0]
    engines.begin()
    engines.deliver()
    for (const { decided } of engines.all.slice(1)) {
      expect(decided.map(roundIn)).toEqual([1])
      expect(decided[0]!.coinbase).toBe(engines.validators[1])
    }
    expect(engines.all[1]!.effects).toContainEqual({
      type: 'reject',
      from: engines.validators[0],
      author: engines.validators[0],
      reason: 'block is not valid',
    })
  })

  test('a block on another parent is not even looked at', () => {
    const engines = createEngines(4)
    const [a] = engines.validators as [Address]
    const block = blockOf(engines, a)
    const foreign = { ...block, header: { ...block.header, parentHash: GENESIS.stateRoot } }
    const effects = receive(engines, engines.all[2]!, proposalBy(a, foreign))
    expect(namesOf(effects)).toEqual(['reject: block does not fit the proposal'])
  })
})

describe('a prepared block', () => {
  /** All are prepared in round 0, and no commit arrives. */
  function prepared(count = 4): Engines {
    const engines = createEngines(count)
    engines.begin()
    engines.deliver((_from, _to, message) => message.kind !== 'commit')
    for (const { state } of engines.all) expect(state.prepared?.round).toBe(0)
    return engines
  }

  test('is proposed again in the next round, by another proposer, under its own name', () => {
    const engines = prepared()
    const name = qbftHash(engines.all[0]!.state.prepared!.block.header)
    for (const engine of engines.all) engines.fire(engine, 'round')
    engines.deliver()
    for (const { decided } of engines.all) {
      expect(decided.map(roundIn)).toEqual([1])
      expect(qbftHash(decided[0]!)).toBe(name)
      expect(decided[0]!.coinbase).toBe(engines.validators[0])
    }
  })

  test('binds even if only one validator of the quorum knows of it', () => {
    const engines = createEngines(4)
    const [, knowing] = engines.all as [Engine, Engine]
    engines.begin()
    // Prepares reach one validator alone.
    engines.deliver((_from, to, message) => message.kind === 'proposal' || to === knowing.self)
    expect(knowing.state.prepared?.round).toBe(0)
    const name = qbftHash(knowing.state.prepared!.block.header)
    for (const engine of engines.all) engines.fire(engine, 'round')
    engines.deliver()
    for (const { decided } of engines.all) expect(qbftHash(decided[0]!)).toBe(name)
  })

  test('survives a restart, with everything that was said', () => {
    const engines = prepared()
    const before = engines.all.map(({ state }) => state.own)
    for (const engine of engines.all) engines.restart(engine)
    engines.all.forEach(({ state }, i) => {
      expect(state.round).toBe(0)
      expect(state.prepared?.round).toBe(0)
      expect(state.own.prepare).toEqual(before[i]!.prepare)
      expect(state.own.commit).toEqual(before[i]!.commit)
    })
    engines.deliver()
    // The proposal is not repeated after a restart; the certificate is, in the next round.
    for (const engine of engines.all) engines.fire(engine, 'round')
    engines.deliver()
    for (const { decided } of engines.all) expect(decided).toHaveLength(1)
  })

  test('a restart in a later round says the same round change', () => {
    const engines = prepared()
    const engine = engines.all[3]!
    engines.fire(engine, 'round')
    const said = engine.state.own.roundChange
    expect(said?.payload.prepared?.round).toBe(0)
    engines.restart(engine)
    expect(engine.state.round).toBe(1)
    expect(engine.state.own.roundChange).toEqual(said)
  })
})

describe('lies', () => {
  test('a second proposal, prepare or commit for one place is evidence', () => {
    const engines = createEngines(4)
    const [a, , c] = engines.validators as [Address, Address, Address]
    const engine = engines.all[1]!
    const one = blockOf(engines, a)
    const two = blockOf(engines, a, 0, 1n)
    receive(engines, engine, proposalBy(a, one))
    expect(namesOf(receive(engines, engine, proposalBy(a, two)))).toEqual(['evidence'])
    receive(engines, engine, prepareBy(c, one))
    expect(namesOf(receive(engines, engine, prepareBy(c, two)))).toEqual(['evidence'])
    receive(engines, engine, commitBy(c, one))
    expect(namesOf(receive(engines, engine, commitBy(c, two)))).toEqual(['evidence'])
  })

  test('no second vote in a round, whatever is proposed after a restart', () => {
    const engines = createEngines(4)
    const [a] = engines.validators as [Address]
    const engine = engines.all[1]!
    const first = blockOf(engines, a)
    receive(engines, engine, proposalBy(a, first))
    engines.restart(engine)
    const before = engine.effects.length
    receive(engines, engine, proposalBy(a, blockOf(engines, a, 0, 1n)))
    expect(namesOf(engine.effects.slice(before))).not.toContain('send prepare')
    expect(engine.state.own.prepare?.payload.digest).toBe(first.digest)
  })

  test('no commit to a block that was not voted for', () => {
    const engines = createEngines(4)
    const [a, , c, d] = engines.validators as [Address, Address, Address, Address]
    const engine = engines.all[1]!
    receive(engines, engine, proposalBy(a, blockOf(engines, a)))
    engines.restart(engine)
    const other = blockOf(engines, a, 0, 1n)
    receive(engines, engine, proposalBy(a, other))
    for (const each of [a, c, d]) receive(engines, engine, prepareBy(each, other))
    expect(engine.state.own.commit).toBeUndefined()
  })

  test('a validator that lost its votes says nothing until a block above its peers’ is final', () => {
    const engines = createEngines(4)
    const engine = engines.all[0]!
    engines.restart(engine, { isForgetful: true })
    engines.begin()
    expect(engine.state.abstainsThrough).toBe('unknown')
    expect(namesOf(engine.effects)).not.toContain('send proposal')
    engines.step(engine, { type: 'caughtUp', height: 1 })
    const head = (height: number) => ({
      type: 'newHead' as const,
      at: 0,
      head: {
        height,
        hash: GENESIS.stateRoot,
        proposer: engines.validators[0]!,
        timestamp: height,
      },
      validators: engines.validators,
      restMs: 0,
    })
    engines.step(engine, head(1))
    expect(engine.state.abstainsThrough).toBe(1)
    engines.step(engine, head(2))
    expect(engine.state.abstainsThrough).toBeUndefined()
  })

  test('a validator whose database is behind its votes says nothing below their height', () => {
    const engines = createEngines(4)
    const [a, b] = engines.validators as [Address, Address]
    const env = {
      self: b,
      settings: SETTINGS,
      sign: (hash: Uint8Array) => signAs(b, hash),
      signMessage: (hash: Uint8Array) => signAs(b, hash),
      recover,
    }
    const head = (height: number, records: readonly VoteRecord[] = []) => ({
      type: 'newHead' as const,
      at: 0,
      head: { height, hash: GENESIS.stateRoot, proposer: a, timestamp: height },
      validators: engines.validators,
      restMs: 0,
      records,
    })
    const voted = { kind: 'voted', height: 7, round: 0, digest: GENESIS.stateRoot } as const
    let state = initialState(7 - 2)
    for (let height = 0; height < 6; height++) {
      const transition = step(state, head(height), env)
      expect(transition.effects).toEqual([])
      state = transition.state
    }
    const at7 = step(state, head(6, [voted]), env)
    expect(at7.state.abstainsThrough).toBeUndefined()
    expect(at7.state.own.prepare?.payload).toEqual({
      height: 7,
      round: 0,
      digest: GENESIS.stateRoot,
    })
  })

  test('our own vote comes back: what a lost memory said still binds', () => {
    const engines = createEngines(4)
    const [a, b] = engines.validators as [Address, Address]
    const engine = engines.all[1]!
    const first = blockOf(engines, a)
    receive(engines, engine, prepareBy(b, first), engines.validators[2]!)
    receive(engines, engine, proposalBy(a, blockOf(engines, a, 0, 1n)))
    expect(engine.state.own.prepare).toBeUndefined()
  })

  const strangers: readonly [string, (engines: Engines) => [Message, Address?], string][] = [
    [
      'an author outside the set',
      () => [prepareBy(`0x${'99'.repeat(20)}`, { digest: GENESIS.stateRoot })],
      'author is not a validator',
    ],
    [
      'a proposal by another validator',
      (engines) => [proposalBy(engines.validators[2]!, blockOf(engines, engines.validators[2]!))],
      'author is not the proposer',
    ],
    [
      'a fresh block with another’s coinbase',
      (engines) => [proposalBy(engines.validators[0]!, blockOf(engines, engines.validators[2]!))],
      'justification is not valid',
    ],
    [
      'a block of another round',
      (engines) => [
        proposalBy(engines.validators[0]!, blockOf(engines, engines.validators[0]!, 1)),
      ],
      'block does not fit the proposal',
    ],
    [
      'a later round without justification',
      (engines) => [
        proposalBy(engines.validators[1]!, blockOf(engines, engines.validators[1]!, 1), 1),
      ],
      'justification is not valid',
    ],
    [
      'justified by round changes to another round',
      (engines) => [
        proposalBy(engines.validators[1]!, blockOf(engines, engines.validators[1]!, 1), 1, {
          roundChanges: engines.validators.slice(0, 3).map((each) => roundChangeBy(each, 2)),
          prepares: [],
        }),
      ],
      'justification is not valid',
    ],
    [
      'a round change with a certificate of too few prepares',
      (engines) => {
        const [a, , c] = engines.validators as [Address, Address, Address]
        const block = blockOf(engines, a)
        return [roundChangeBy(c, 1, certificateOf([a, c], block, 0))]
      },
      'justification is not valid',
    ],
    [
      'a vote for a round far ahead',
      (engines) => [prepareBy(engines.validators[0]!, { digest: GENESIS.stateRoot }, 900)],
      'too far ahead',
    ],
  ]
  test.for(strangers)('%s is refused', ([, make, reason]) => {
    const engines = createEngines(4)
    const [message, from] = make(engines)
    const effects = receive(engines, engines.all[3]!, message, from)
    expect(namesOf(effects)).toContain(`reject: ${reason}`)
  })

  test('a commit with another’s seal is refused', () => {
    const engines = createEngines(4)
    const [a, , c, d] = engines.validators as [Address, Address, Address, Address]
    const engine = engines.all[1]!
    const block = blockOf(engines, a)
    receive(engines, engine, proposalBy(a, block))
    const effects = receive(engines, engine, commitBy(c, block, 0, { sealer: d }))
    expect(namesOf(effects)).toEqual(['reject: seal is not the author’s'])
  })
})

describe('old and early messages', () => {
  test('a peer that changes rounds at a decided height hears of the head', () => {
    const engines = createEngines(4)
    engines.begin()
    engines.deliver()
    const late = receive(engines, engines.all[0]!, roundChangeBy(engines.validators[3]!, 1))
    expect(late).toContainEqual({ type: 'announceHead', to: engines.validators[3] })
  })

  test('late votes of a decided height change nothing', () => {
    const engines = createEngines(4)
    engines.begin()
    engines.deliver()
    const engine = engines.all[0]!
    const { state } = engine
    const block = engine.decided[0]!
    receive(engines, engine, prepareBy(engines.validators[3]!, { digest: qbftHash(block) }))
    engines.step(engine, { type: 'timeout', timer: 'round', height: 1, round: 0 })
    engines.step(engine, { type: 'timeout', timer: 'block', height: 1, round: 0 })
    expect(engine.state).toBe(state)
  })

  test('a message of the next height waits for it, and tells that blocks are missing', () => {
    const engines = createEngines(4)
    const [behind, ...ahead] = engines.all as [Engine, ...Engine[]]
    engines.begin()
    engines.deliver((_, to) => to !== behind.self)
    engines.begin(ahead)
    engines.deliver()
    expect(behind.effects).toContainEqual(
      expect.objectContaining({ type: 'fetchBlocks', height: 1 }),
    )
    expect(behind.state.future.get(2)?.size).toBeGreaterThan(0)
  })

  test('holds no more of the future than one of each kind, round and author', () => {
    const engines = createEngines(4)
    const engine = engines.all[0]!
    const [, b] = engines.validators as [Address, Address]
    for (let height = 1; height < 200; height++) {
      for (let round = 0; round < 20; round++) {
        receive(engines, engine, prepareBy(b, { digest: GENESIS.stateRoot }, round, height))
      }
    }
    const kept = [...engine.state.future.values()].reduce((sum, { size }) => sum + size, 0)
    expect(kept).toBeLessThanOrEqual(10 * 3)
    expect(engine.state.early.size).toBeLessThanOrEqual(3)
  })

  test('a validator of an earlier round gets what brings it here', () => {
    const engines = createEngines(4)
    const engine = engines.all[3]!
    engines.begin([engine])
    receive(engines, engine, roundChangeBy(engines.validators[0]!, 4))
    receive(engines, engine, roundChangeBy(engines.validators[1]!, 4))
    const effects = receive(engines, engine, roundChangeBy(engines.validators[2]!, 2))
    expect(effects.at(-1)).toMatchObject({ type: 'relay', to: [engines.validators[2]] })
  })

  test('from round 1 on, messages are passed on to those who may not have got them', () => {
    const engines = createEngines(4)
    const [, b, c, d] = engines.validators as [Address, Address, Address, Address]
    const engine = engines.all[0]!
    engines.begin([engine])
    const block = blockOf(engines, engine.self!)
    expect(namesOf(receive(engines, engine, prepareBy(b, block)))).toEqual([])
    const effects = receive(engines, engine, roundChangeBy(b, 1))
    expect(effects).toContainEqual(expect.objectContaining({ type: 'relay', to: [c, d] }))
  })

  test('what may have been lost is said again, to a peer that comes and now and then', () => {
    const engines = createEngines(4)
    const [a, , c] = engines.all as [Engine, Engine, Engine]
    engines.begin([a])
    engines.drop()
    const again = engines.step(a, { type: 'peerUp', peer: c.self! })
    expect(namesOf(again)).toEqual(['send proposal', 'send prepare'])
    expect(again.every((effect) => effect.type === 'send' && effect.to.length === 1)).toBe(true)
    expect(namesOf(engines.fire(a, 'resend'))).toEqual([
      'send proposal',
      'send prepare',
      'setTimer resend',
    ])
  })
})

test('a step changes nothing that it was given', () => {
  const engines = createEngines(4)
  const engine = engines.all[1]!
  const frozen = engine.state
  const text = inspect(frozen)
  const [a] = engines.validators as [Address]
  receive(engines, engine, proposalBy(a, blockOf(engines, a)))
  expect(inspect(frozen)).toBe(text)
})

function inspect(state: unknown): string {
  return JSON.stringify(state, (_, value: unknown) =>
    value instanceof Map ? [...value] : typeof value === 'bigint' ? String(value) : value,
  )
}

test('inRound keeps the name and changes the digest', () => {
  const engines = createEngines(4)
  const block = blockOf(engines, engines.validators[0]!)
  const later = inRound(block, 3)
  expect(later.digest).not.toBe(block.digest)
  expect(qbftHash(later.header)).toBe(qbftHash(block.header))
  expect(inRound(later, 0)).toEqual(block)
})
