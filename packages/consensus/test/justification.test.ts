import type { Address } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  highestPrepared,
  inRound,
  isJustified,
  isRoundChangeProven,
  type PreparedCertificate,
  type Proposal,
  type ProposedBlock,
  quorum,
  type RoundChange,
} from '../src/index.ts'
import { GENESIS, makeBlock, validatorsOf } from './engines.ts'
import { certificateOf, prepareBy, proposalBy, roundChangeBy } from './messages.ts'

const validators = validatorsOf(4)
const [a, b, c, d] = validators as [Address, Address, Address, Address]
const STRANGER = validatorsOf(9)[8]!
const TARGET = 3

const blockBy = (proposer: Address, round: number, gasUsed = 0n): ProposedBlock =>
  makeBlock({ parent: GENESIS, proposer, validators, round, gasUsed })

/** What a and others have prepared in a round: a block of a’s. */
const prepared = (round: number, gasUsed = 0n): PreparedCertificate =>
  certificateOf([a, b, c], blockBy(a, round, gasUsed), round)

/** A proposal of d in the target round, with this justification. */
function proposal(
  block: ProposedBlock,
  roundChanges: readonly RoundChange[],
  prepares: Proposal['prepares'] = [],
): Proposal {
  return proposalBy(d, block, TARGET, { roundChanges, prepares })
}

const fresh = blockBy(d, TARGET)
const unprepared = [a, b, c].map((each) => roundChangeBy(each, TARGET))

describe('isJustified: a proposal of round 0', () => {
  const block = blockBy(a, 0)
  const cases: readonly [string, Proposal, boolean][] = [
    ['needs nothing', proposalBy(a, block), true],
    [
      'with prepares is refused',
      proposalBy(a, block, 0, { roundChanges: [], prepares: prepared(0).prepares }),
      false,
    ],
    [
      'with round changes is refused',
      proposalBy(a, block, 0, { roundChanges: unprepared, prepares: [] }),
      false,
    ],
    ['with a block of another maker is refused', proposalBy(a, blockBy(b, 0)), false],
  ]
  test.for(cases)('%s', ([, message, expected]) => {
    expect(isJustified(message, validators)).toBe(expected)
  })
})

describe('isJustified: a new block in a later round', () => {
  const cases: readonly [string, Proposal, boolean][] = [
    ['needs a quorum of round changes to that round', proposal(fresh, unprepared), true],
    [
      'may have them of everybody',
      proposal(fresh, [...unprepared, roundChangeBy(d, TARGET)]),
      true,
    ],
    ['is refused without round changes', proposal(fresh, []), false],
    ['is refused with too few', proposal(fresh, unprepared.slice(1)), false],
    [
      'is refused if one author stands for two',
      proposal(fresh, [...unprepared.slice(1), roundChangeBy(b, TARGET)]),
      false,
    ],
    [
      'is refused if an author is there twice beside a quorum',
      proposal(fresh, [...unprepared, roundChangeBy(b, TARGET)]),
      false,
    ],
    [
      'is refused if one of them is no validator’s',
      proposal(fresh, [...unprepared.slice(1), roundChangeBy(STRANGER, TARGET)]),
      false,
    ],
    [
      'is refused if one of more than a quorum is no validator’s',
      proposal(fresh, [...unprepared, roundChangeBy(STRANGER, TARGET)]),
      false,
    ],
    [
      'is refused if one is to a lower round',
      proposal(fresh, [...unprepared.slice(1), roundChangeBy(a, TARGET - 1)]),
      false,
    ],
    [
      'is refused if one is to a higher round',
      proposal(fresh, [...unprepared.slice(1), roundChangeBy(a, TARGET + 1)]),
      false,
    ],
    [
      'is refused if one is of another height',
      proposal(fresh, [...unprepared.slice(1), roundChangeBy(a, TARGET, undefined, 2)]),
      false,
    ],
    [
      'is refused with prepares that nobody claims',
      proposal(fresh, unprepared, prepared(1).prepares),
      false,
    ],
    ['is refused if another made the block', proposal(blockBy(a, TARGET), unprepared), false],
  ]
  test.for(cases)('%s', ([, message, expected]) => {
    expect(isJustified(message, validators)).toBe(expected)
  })
})

describe('isJustified: a block that somebody has prepared', () => {
  const lower = prepared(0, 7n)
  const higher = prepared(2)
  const again = inRound(higher.block, TARGET)
  const claims = (...claim: (PreparedCertificate | undefined)[]): RoundChange[] =>
    claim.map((each, i) => roundChangeBy(validators[i]!, TARGET, each))
  const some = claims(undefined, higher, undefined)
  const { prepares } = higher

  const cases: readonly [string, Proposal, boolean][] = [
    ['is proposed again, with its prepares', proposal(again, some, prepares), true],
    [
      'is that of the highest round among several',
      proposal(again, claims(lower, higher, undefined), prepares),
      true,
    ],
    [
      'is refused if it is not that of the highest round',
      proposal(inRound(lower.block, TARGET), claims(lower, higher, undefined), lower.prepares),
      false,
    ],
    ['cannot be passed over for a new one', proposal(fresh, some, prepares), false],
    ['cannot be passed over, prepares or none', proposal(fresh, some), false],
    [
      'is refused if it is not the one that was prepared',
      proposal(inRound(blockBy(a, 2, 1n), TARGET), some, prepares),
      false,
    ],
    ['is refused without prepares', proposal(again, some), false],
    ['is refused with too few prepares', proposal(again, some, prepares.slice(1)), false],
    [
      'is refused if one author stands for two prepares',
      proposal(again, some, [...prepares.slice(1), prepares[1]!]),
      false,
    ],
    [
      'is refused if a prepare is no validator’s',
      proposal(again, some, [...prepares.slice(1), prepareBy(STRANGER, higher.block, 2)]),
      false,
    ],
    [
      'is refused if a prepare is of another round',
      proposal(again, some, [...prepares.slice(1), prepareBy(a, higher.block, 1)]),
      false,
    ],
    [
      'is refused if a prepare names another block',
      proposal(again, some, [...prepares.slice(1), prepareBy(a, lower.block, 2)]),
      false,
    ],
    [
      'is refused if a prepare is of another height',
      proposal(again, some, [...prepares.slice(1), prepareBy(a, higher.block, 2, 2)]),
      false,
    ],
    [
      'is refused if two claims of one round name different blocks',
      proposal(again, claims(prepared(2, 9n), higher, undefined), prepares),
      false,
    ],
    [
      'is refused if two claims differ, though of a lower round than the highest',
      proposal(again, claims(prepared(1), prepared(1, 9n), higher), prepares),
      false,
    ],
    [
      'is refused if a claim is of the round to come',
      proposal(again, claims(prepared(TARGET), undefined, undefined), prepared(TARGET).prepares),
      false,
    ],
  ]
  test.for(cases)('%s', ([, message, expected]) => {
    expect(isJustified(message, validators)).toBe(expected)
  })
})

describe('isRoundChangeProven', () => {
  const certificate = prepared(1)
  const { block, prepares } = certificate
  const good = roundChangeBy(b, TARGET, certificate)
  const none = roundChangeBy(b, TARGET)
  const withPrepares = (changed: RoundChange['prepares']): RoundChange => ({
    ...good,
    prepares: changed,
  })
  /** Claims to have prepared the block in this round, and brings the block as it is. */
  const claiming = (round: number, brought: ProposedBlock): RoundChange =>
    roundChangeBy(b, TARGET, certificateOf([a, b, c], brought, round))

  const cases: readonly [string, RoundChange, boolean][] = [
    ['one that claims nothing needs nothing', none, true],
    ['one with a block and a quorum of prepares is proven', good, true],
    ['everybody’s prepares are fine', withPrepares([...prepares, prepareBy(d, block, 1)]), true],
    ['a claim without its block is refused', { ...good, block: undefined }, false],
    ['a claim without prepares is refused', withPrepares([]), false],
    ['too few prepares are refused', withPrepares(prepares.slice(1)), false],
    [
      'one author that stands for two is refused',
      withPrepares([...prepares.slice(1), prepares[1]!]),
      false,
    ],
    [
      'a prepare of a stranger is refused',
      withPrepares([...prepares.slice(1), prepareBy(STRANGER, block, 1)]),
      false,
    ],
    [
      'a prepare of another round is refused',
      withPrepares([...prepares.slice(1), prepareBy(a, block, 0)]),
      false,
    ],
    [
      'a prepare of another height is refused',
      withPrepares([...prepares.slice(1), prepareBy(a, block, 1, 2)]),
      false,
    ],
    [
      'a prepare of another block is refused',
      withPrepares([...prepares.slice(1), prepareBy(a, blockBy(a, 1, 5n), 1)]),
      false,
    ],
    ['another block than was claimed is refused', { ...good, block: blockBy(a, 1, 5n) }, false],
    ['a block without a claim is refused', { ...none, block }, false],
    ['prepares without a claim are refused', { ...none, prepares }, false],
    ['a claim of the round that it asks for is refused', claiming(TARGET, blockBy(a, 3)), false],
    ['a claim of a round to come is refused', claiming(TARGET + 1, blockBy(a, 4)), false],
    ['a block that names another round than the claim is refused', claiming(2, block), false],
    [
      'a block of another height is refused',
      claiming(1, makeBlock({ parent: block.header, proposer: a, validators, round: 1 })),
      false,
    ],
  ]
  test.for(cases)('%s', ([, message, expected]) => {
    expect(isRoundChangeProven(message, validators)).toBe(expected)
  })
})

test('highestPrepared is the claim of the highest round, or none', () => {
  expect(highestPrepared(unprepared)).toBeUndefined()
  const claims = [undefined, prepared(1), prepared(2), prepared(0)]
  const messages = claims.map((claim, i) => roundChangeBy(validators[i]!, TARGET, claim))
  expect(highestPrepared(messages)).toEqual({ round: 2, digest: prepared(2).block.digest })
})

test('one author fewer than the quorum, or one that is doubled, never justifies', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 25 }), fc.nat(24), (size, lost) => {
      const set = validatorsOf(size)
      const proposer = set[0]!
      const block = makeBlock({ parent: GENESIS, proposer, validators: set, round: TARGET })
      const roundChanges = set.slice(0, quorum(size)).map((each) => roundChangeBy(each, TARGET))
      const justified = (given: readonly RoundChange[]): boolean =>
        isJustified(proposalBy(proposer, block, TARGET, { roundChanges: given, prepares: [] }), set)
      expect(justified(roundChanges)).toBe(true)
      const at = lost % roundChanges.length
      expect(justified(roundChanges.toSpliced(at, 1))).toBe(false)
      expect(justified([...roundChanges, roundChanges[at]!])).toBe(false)
    }),
  )
})
