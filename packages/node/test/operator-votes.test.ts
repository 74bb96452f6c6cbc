import {
  afterVote,
  type ValidatorState,
  type Vote,
  validatorsWithoutVotes,
} from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import { createOperatorVotes, type OperatorVotes } from '../src/operator-votes.ts'

const at = (digit: number): Address => `0x${digit.toString(16).repeat(40)}`
const [SELF, OTHER, THIRD, NEW, NEWER] = [at(1), at(2), at(3), at(8), at(9)]
const SET = validatorsWithoutVotes([SELF, OTHER, THIRD])
const EPOCH = 10

/** What goes into our block at a height, in a set that votes may have moved. */
function voteAt(votes: OperatorVotes, height = 1, state: ValidatorState = SET): Vote | undefined {
  return votes.voteFor({ height, proposer: SELF, state })
}

const add = (recipient: Address): Vote => ({ recipient, kind: 'add' })
const drop = (recipient: Address): Vote => ({ recipient, kind: 'drop' })

describe('what the operator wants', () => {
  test('nothing at first: no vote goes into a block', () => {
    const votes = createOperatorVotes(EPOCH)
    expect(voteAt(votes)).toBeUndefined()
    expect(votes.pending().size).toBe(0)
  })

  test('adding an address is voted for until it is in', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(NEW, 'add')
    expect(voteAt(votes)).toEqual(add(NEW))
    expect(voteAt(votes, 2, validatorsWithoutVotes([SELF, OTHER, THIRD, NEW]))).toBeUndefined()
  })

  test('dropping a validator is voted for until it is out', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(THIRD, 'drop')
    expect(voteAt(votes)).toEqual(drop(THIRD))
    expect(voteAt(votes, 2, validatorsWithoutVotes([SELF, OTHER]))).toBeUndefined()
  })

  test('what is discarded is not voted for any more', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(NEW, 'add')
    expect(votes.discard(NEW)).toBe(true)
    expect(votes.discard(NEW)).toBe(false)
    expect(voteAt(votes)).toBeUndefined()
  })

  test('several wishes get a block each, in turns', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(NEW, 'add')
    votes.propose(NEWER, 'add')
    votes.propose(THIRD, 'drop')
    const cast = [1, 2, 3, 4].map((height) => voteAt(votes, height))
    expect(cast).toEqual([add(NEW), add(NEWER), drop(THIRD), add(NEW)])
  })

  test('wishes without effect are passed over: adding a member, dropping a stranger', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(OTHER, 'add')
    votes.propose(NEWER, 'drop')
    votes.propose(NEW, 'add')
    expect([1, 2, 3].map((height) => voteAt(votes, height))).toEqual([add(NEW), add(NEW), add(NEW)])
  })

  test('the last word about an address counts', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(NEW, 'add')
    votes.propose(NEW, 'drop')
    expect([...votes.pending()]).toEqual([[NEW, 'drop']])
    expect(voteAt(votes)).toBeUndefined()
    votes.propose(NEW, 'add')
    expect(voteAt(votes)).toEqual(add(NEW))
  })
})

describe('what the chain has counted already', () => {
  test('is not voted for again', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(NEW, 'add')
    const counted = afterVote(SET, SELF, add(NEW))
    expect(voteAt(votes, 2, counted)).toBeUndefined()
    // Another’s vote is not ours.
    expect(voteAt(votes, 2, afterVote(SET, OTHER, add(NEW)))).toEqual(add(NEW))
  })

  test('a vote to drop a validator is taken back by wanting it in', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(THIRD, 'drop')
    const dropping = afterVote(SET, SELF, drop(THIRD))
    expect(voteAt(votes, 2, dropping)).toBeUndefined()
    votes.propose(THIRD, 'add')
    expect(voteAt(votes, 2, dropping)).toEqual(add(THIRD))
    const revoked = afterVote(dropping, SELF, add(THIRD))
    expect(revoked.drops.size).toBe(0)
    // One vote more to add a member, and it would count for nothing.
    expect(voteAt(votes, 3, afterVote(SET, OTHER, drop(THIRD)))).toBeUndefined()
  })

  test('a vote to add a stranger is taken back by wanting it out', () => {
    const votes = createOperatorVotes(EPOCH)
    const adding = afterVote(SET, SELF, add(NEW))
    votes.propose(NEW, 'drop')
    expect(voteAt(votes, 2, adding)).toEqual(drop(NEW))
    expect(afterVote(adding, SELF, drop(NEW)).adds.size).toBe(0)
    expect(voteAt(votes, 3, afterVote(SET, OTHER, add(NEW)))).toBeUndefined()
  })

  test('without effect does not keep its opposite back', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(NEW, 'add')
    votes.propose(THIRD, 'drop')
    const odd = afterVote(afterVote(SET, SELF, drop(NEW)), SELF, add(THIRD))
    expect([1, 2].map((height) => voteAt(votes, height, odd))).toEqual([add(NEW), drop(THIRD)])
  })

  test('is voted for again after an epoch has cleared it', () => {
    const votes = createOperatorVotes(EPOCH)
    votes.propose(NEW, 'add')
    expect(voteAt(votes, 9, afterVote(SET, SELF, add(NEW)))).toBeUndefined()
    // The vote of an epoch's first block would be ignored.
    expect(voteAt(votes, EPOCH, SET)).toBeUndefined()
    expect(voteAt(votes, 11, SET)).toEqual(add(NEW))
  })
})

test('no more wishes wait than the limit, and a known one may change', () => {
  const votes = createOperatorVotes(EPOCH)
  const subject = (i: number): Address => `0x${i.toString(16).padStart(40, '0')}`
  for (let i = 0; i < 128; i++) votes.propose(subject(i), 'add')
  expect(() => votes.propose(subject(128), 'add')).toThrow(
    expect.objectContaining({ code: 'NODE_VOTE_REFUSED' }),
  )
  votes.propose(subject(5), 'drop')
  votes.discard(subject(6))
  votes.propose(subject(128), 'add')
  expect(votes.pending().size).toBe(128)
})
