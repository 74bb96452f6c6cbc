import type { Address } from '@vellum/evm'
import type { Header } from '@vellum/ledger'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  afterBlock,
  afterVote,
  createValidatorHistory,
  isEpochBlock,
  proposalFields,
  type ValidatorState,
  type Vote,
  validatorsWithoutVotes,
} from '../src/index.ts'
import { GENESIS, validatorsOf } from './engines.ts'

const [a, b, c, d, e, f] = validatorsOf(6) as [Address, Address, Address, Address, Address, Address]

interface Cast {
  readonly voter: Address
  readonly recipient: Address
  readonly kind: Vote['kind']
}

const add = (voter: Address, recipient: Address): Cast => ({ voter, recipient, kind: 'add' })
const drop = (voter: Address, recipient: Address): Cast => ({ voter, recipient, kind: 'drop' })

function cast(state: ValidatorState, votes: readonly Cast[]): ValidatorState {
  return votes.reduce((now, { voter, recipient, kind }) => {
    return afterVote(now, voter, { recipient, kind })
  }, state)
}

describe('afterVote', () => {
  const cases: readonly {
    readonly name: string
    readonly from: readonly Address[]
    readonly votes: readonly Cast[]
    readonly to: readonly Address[]
  }[] = [
    {
      name: 'half of the set does not add',
      from: [a, b, c, d],
      votes: [add(a, e), add(b, e)],
      to: [a, b, c, d],
    },
    {
      name: 'more than half of the set adds',
      from: [a, b, c, d],
      votes: [add(a, e), add(b, e), add(c, e)],
      to: [a, b, c, d, e],
    },
    {
      name: 'half of the set does not drop',
      from: [a, b, c, d],
      votes: [drop(a, d), drop(b, d)],
      to: [a, b, c, d],
    },
    {
      name: 'more than half of the set drops',
      from: [a, b, c, d],
      votes: [drop(a, d), drop(b, d), drop(c, d)],
      to: [a, b, c],
    },
    { name: 'alone, one vote is enough', from: [a], votes: [add(a, b)], to: [a, b] },
    { name: 'of two, one vote is not enough', from: [a, b], votes: [add(a, c)], to: [a, b] },
    { name: 'of two, two votes are', from: [a, b], votes: [add(a, c), add(b, c)], to: [a, b, c] },
    {
      name: 'an added address stands in its place, not at the end',
      from: [b, d, f],
      votes: [add(b, c), add(d, c), add(b, a), add(d, a), add(f, a)],
      to: [a, b, c, d, f],
    },
    {
      name: 'a dropped one leaves the others in order',
      from: [a, b, c, d, e],
      votes: [drop(a, c), drop(b, c), drop(d, c)],
      to: [a, b, d, e],
    },
    {
      name: 'the same voter counts once, to add',
      from: [a, b, c, d],
      votes: [add(a, e), add(a, e), add(a, e)],
      to: [a, b, c, d],
    },
    {
      name: 'the same voter counts once, to drop',
      from: [a, b, c, d],
      votes: [drop(a, d), drop(a, d), drop(a, d)],
      to: [a, b, c, d],
    },
    {
      name: 'who changes from add to drop in time no longer counts',
      from: [a, b, c, d],
      votes: [add(a, e), add(b, e), drop(a, e), add(c, e)],
      to: [a, b, c, d],
    },
    {
      name: 'who changes from add to drop too late has added',
      from: [a, b, c, d],
      votes: [add(a, e), add(b, e), add(c, e), drop(a, e)],
      to: [a, b, c, d, e],
    },
    {
      name: 'who changes from drop to add in time no longer counts',
      from: [a, b, c, d],
      votes: [drop(a, d), drop(b, d), add(a, d), drop(c, d)],
      to: [a, b, c, d],
    },
    {
      name: 'who changes from drop to add too late has dropped',
      from: [a, b, c, d],
      votes: [drop(a, d), drop(b, d), drop(c, d), add(a, d)],
      to: [a, b, c],
    },
    {
      name: 'votes about an address are gone once it is added: dropping it starts from nothing',
      from: [a, b, c, d],
      // One early vote to drop e, then e is in; with the old vote two more would drop it of five.
      votes: [drop(d, e), add(a, e), add(b, e), add(c, e), drop(a, e), drop(b, e)],
      to: [a, b, c, d, e],
    },
    {
      name: 'votes about an address are gone once it is dropped: adding it starts from nothing',
      from: [a, b, c, d],
      votes: [add(d, d), drop(a, d), drop(b, d), drop(c, d), add(a, d)],
      to: [a, b, c],
    },
    {
      name: 'the votes of a dropped validator go with it',
      from: [a, b, c, d],
      // d wants e; of the three that are left two votes would be enough with it.
      votes: [add(d, e), drop(a, d), drop(b, d), drop(c, d), add(a, e)],
      to: [a, b, c],
    },
    {
      name: 'several votes go on beside each other',
      from: [a, b, c, d],
      votes: [
        ...[add(a, e), drop(b, a), add(a, f)],
        ...[add(b, e), drop(c, a), add(b, f)],
        ...[add(c, e), drop(d, a)],
      ],
      to: [b, c, d, e],
    },
  ]
  test.for(cases)('$name', ({ from, votes, to }) => {
    expect(cast(validatorsWithoutVotes(from), votes).validators).toEqual(to)
  })

  test('leaves the state that it was given', () => {
    const state = cast(validatorsWithoutVotes([a, b, c]), [add(a, e), drop(b, c)])
    const before = [...state.adds, ...state.drops].map(([subject, voters]) => [subject, ...voters])
    cast(state, [add(b, e), drop(c, c), drop(a, e)])
    const after = [...state.adds, ...state.drops].map(([subject, voters]) => [subject, ...voters])
    expect(after).toEqual(before)
    expect(state.validators).toEqual([a, b, c])
  })

  test('any votes: equals counting them one by one', () => {
    const everybody = validatorsOf(8)
    const vote = fc.record({
      voter: fc.nat(7),
      recipient: fc.constantFrom(...everybody),
      kind: fc.constantFrom('add' as const, 'drop' as const),
    })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 6 }),
        fc.array(fc.oneof({ weight: 30, arbitrary: vote }, fc.constant('epoch' as const)), {
          maxLength: 120,
        }),
        (size, steps) => {
          let state = validatorsWithoutVotes(everybody.slice(0, size))
          const slow = new SlowTally(everybody.slice(0, size))
          for (const step of steps) {
            if (step === 'epoch') {
              state = validatorsWithoutVotes(state.validators)
              slow.votes = []
            } else if (state.validators.length > 0) {
              // Only members make blocks.
              const voter = state.validators[step.voter % state.validators.length]!
              state = afterVote(state, voter, step)
              slow.cast({ ...step, voter })
            }
            expect(state.validators).toEqual([...slow.validators].sort())
            expect(count(state)).toBe(slow.votes.length)
          }
        },
      ),
    )
  })
})

function count({ adds, drops }: ValidatorState): number {
  return [...adds.values(), ...drops.values()].reduce((sum, { size }) => sum + size, 0)
}

/** The rules of the tally in the plainest way: a list of votes, counted anew each time. */
class SlowTally {
  validators: Address[]
  votes: Cast[] = []

  constructor(validators: readonly Address[]) {
    this.validators = [...validators]
  }

  cast(vote: Cast): void {
    const { voter, recipient, kind } = vote
    this.votes = this.votes.filter((each) => each.voter !== voter || each.recipient !== recipient)
    this.votes.push(vote)
    const same = this.votes.filter((each) => each.recipient === recipient && each.kind === kind)
    if (same.length * 2 <= this.validators.length) return
    this.votes = this.votes.filter((each) => each.recipient !== recipient)
    this.validators = this.validators.filter((each) => each !== recipient)
    if (kind === 'add') this.validators.push(recipient)
    else this.votes = this.votes.filter((each) => each.voter !== recipient)
  }
}

const EPOCH = 10

/** Headers from the genesis block on, each with a vote or none, and the set that stands in them. */
function chainOf(
  votes: ReadonlyMap<number, Cast>,
  length: number,
  first: readonly Address[],
): { headers: Header[]; states: ValidatorState[] } {
  const fields = (validators: readonly Address[], made?: Cast) =>
    proposalFields({ proposer: made?.voter ?? first[0]!, validators, round: 0, vote: made })
  const headers: Header[] = [{ ...GENESIS, ...fields(first) }]
  const states = [validatorsWithoutVotes(first)]
  for (let number = 1; number < length; number++) {
    const before = states.at(-1)!
    const header = { ...GENESIS, ...fields(before.validators, votes.get(number)), number }
    headers.push(header)
    states.push(afterBlock(before, header, EPOCH))
  }
  return { headers, states }
}

describe('afterBlock', () => {
  const set = [a, b, c]
  const { headers } = chainOf(new Map([[1, add(a, d)]]), 2, set)

  test('counts the vote of a block for its coinbase, and for the next block on', () => {
    const state = afterBlock(validatorsWithoutVotes(set), headers[1]!, EPOCH)
    expect(state.adds).toEqual(new Map([[d, new Set([a])]]))
    expect(state.validators).toEqual(set)
  })

  test('a block without a vote changes nothing', () => {
    const state = cast(validatorsWithoutVotes(set), [add(a, d)])
    const [, empty] = chainOf(new Map(), 2, set).headers
    expect(afterBlock(state, empty!, EPOCH)).toBe(state)
  })

  test('an epoch clears all votes, to add and to drop, and its own is ignored', () => {
    const state = cast(validatorsWithoutVotes(set), [add(a, d), drop(a, c)])
    const last = afterBlock(state, { ...headers[1]!, number: EPOCH }, EPOCH)
    expect(last).toEqual({ validators: set, adds: new Map(), drops: new Map() })
    expect([0, 1, 9, 10, 11, 20].map((each) => isEpochBlock(each, EPOCH))).toEqual([
      true,
      false,
      false,
      true,
      false,
      true,
    ])
  })
})

describe('the history of a chain', () => {
  const votes = new Map([
    [2, add(a, d)],
    [3, add(b, d)],
    [5, drop(a, b)],
    [6, drop(c, b)],
    [7, drop(d, b)],
    // Forgotten with the epoch, or the next one of three would add.
    [8, add(a, e)],
    [11, add(c, e)],
    [12, add(d, f)],
    [13, add(c, f)],
  ])
  const { headers, states } = chainOf(votes, 25, [a, b, c])
  const read = (number: number): Header => headers[number]!

  test('the first set stands in the genesis block, in any order there', () => {
    const shuffled = { ...GENESIS, ...chainOf(new Map(), 1, [c, a, b]).headers[0]! }
    const history = createValidatorHistory(EPOCH)
    expect(history.after(0, () => shuffled).validators).toEqual([a, b, c])
  })

  test('votes of the blocks since the last epoch make the set', () => {
    const history = createValidatorHistory(EPOCH)
    expect(history.after(2, read).validators).toEqual([a, b, c])
    expect(history.after(3, read).validators).toEqual([a, b, c, d])
    expect(history.after(7, read).validators).toEqual([a, c, d])
    expect(history.after(11, read).validators).toEqual([a, c, d])
    expect(history.after(13, read).validators).toEqual([a, c, d, f])
    expect(history.after(24, read).validators).toEqual([a, c, d, f])
  })

  test('the set of an epoch’s first block is read from it, and no block before it is', () => {
    const history = createValidatorHistory(EPOCH)
    const asked: number[] = []
    const state = history.after(13, (number) => {
      asked.push(number)
      return read(number)
    })
    expect(state).toEqual(states[13])
    expect(asked).toEqual([10, 11, 12, 13])
  })

  test('goes back to the last block that it knows, and no further', () => {
    const history = createValidatorHistory(EPOCH)
    history.after(7, read)
    const asked: number[] = []
    const note = (number: number): Header => {
      asked.push(number)
      return read(number)
    }
    expect(history.after(9, note)).toEqual(states[9])
    expect(asked).toEqual([8, 9])
    expect(history.after(9, note)).toBe(history.after(9, note))
    expect(asked).toEqual([8, 9])
  })

  test('asked in any order, gives the state of each block', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(24), { maxLength: 30 }), (numbers) => {
        const history = createValidatorHistory(EPOCH)
        for (const number of numbers) expect(history.after(number, read)).toEqual(states[number])
      }),
    )
  })

  test('a header that is missing is the reader’s to report', () => {
    const history = createValidatorHistory(EPOCH)
    const missing = (number: number): Header => {
      throw new Error(`no block ${number}`)
    }
    expect(() => history.after(4, missing)).toThrow('no block 0')
  })
})
