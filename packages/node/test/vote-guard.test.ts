import type { Vote } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { describe, expect, it } from 'vitest'
import { VALIDATORS_MIN, type VoteVerdict, verifyVote } from '../src/vote-guard.ts'

/** `a` to `z` as addresses. */
const at = (letter: string): Address => `0x${letter.charCodeAt(0).toString(16).repeat(20)}`
const all = (letters: string): Address[] => [...letters].map(at)

interface Case {
  readonly name: string
  readonly validators: string
  /** Of validators and subjects. */
  readonly live: string
  /** `+x` adds, `-x` drops, `!` forces. */
  readonly vote: string
  readonly pending?: readonly string[]
  readonly validatorsMin?: number
  /** Words of the refusal; undefined: it may be cast. */
  readonly refused?: string
}

const CASES: readonly Case[] = [
  { name: 'adds a live node to a live set', validators: 'abcd', live: 'abcde', vote: '+e' },
  {
    name: 'adds a node that is away while all others are live: 4 of 5 is a quorum',
    validators: 'abcd',
    live: 'abcd',
    vote: '+e',
  },
  {
    name: 'does not add a node that is away while a validator is: 3 of 5 is none',
    validators: 'abcd',
    live: 'abc',
    vote: '+e',
    refused: 'of 5 validators 4 would be needed for a block, and 3 are live; not live: 0x64',
  },
  {
    name: 'adds it if the operator insists',
    validators: 'abcd',
    live: 'abc',
    vote: '+e!',
  },
  {
    name: 'adds a live node while a validator is away: 4 of 5',
    validators: 'abcd',
    live: 'abce',
    vote: '+e',
  },
  {
    name: 'adds a validator to a set of one only if it is live: 2 of 2 are needed',
    validators: 'a',
    live: 'a',
    vote: '+b',
    refused: 'of 2 validators 2 would be needed for a block, and 1 are live',
  },
  { name: 'adds a live validator to a set of one', validators: 'a', live: 'ab', vote: '+b' },
  { name: 'drops a dead validator of five', validators: 'abcde', live: 'abcd', vote: '-e' },
  {
    name: 'drops a live validator while a quorum of the rest is live',
    validators: 'abcdefg',
    live: 'abcde',
    vote: '-a',
  },
  {
    name: 'does not drop a live validator where the rest is no quorum: 3 of 5',
    validators: 'abcdef',
    live: 'abcd',
    vote: '-a',
    refused: 'of 5 validators 4 would be needed for a block, and 3 are live',
  },
  {
    name: 'drops a dead validator even while there is no quorum: that may bring one back',
    validators: 'abcdefg',
    live: 'abcd',
    vote: '-g',
  },
  {
    name: 'does not drop below the least number',
    validators: 'abcd',
    live: 'abcd',
    vote: '-d',
    refused: '3 of 4 validators would be left, fewer than the least of 4',
  },
  {
    name: 'drops below it if the operator insists',
    validators: 'abcd',
    live: 'abcd',
    vote: '-d!',
  },
  {
    name: 'makes a set smaller that is below the least number already',
    validators: 'abc',
    live: 'abc',
    vote: '-c',
  },
  {
    name: 'takes another least number from the configuration',
    validators: 'abcde',
    live: 'abcde',
    vote: '-e',
    validatorsMin: 5,
    refused: 'fewer than the least of 5',
  },
  {
    name: 'never empties the set, whoever insists',
    validators: 'a',
    live: 'a',
    vote: '-a!',
    refused: 'the set would be empty',
  },
  { name: 'takes a vote without effect', validators: 'abcd', live: 'ab', vote: '+a' },
  {
    name: 'counts the votes that are pending: two removals of five leave three',
    validators: 'abcde',
    live: 'abcde',
    vote: '-e',
    pending: ['-d'],
    refused: 'together with the votes that are pending: 3 of 5 validators would be left',
  },
  {
    name: 'replaces what was wanted for the same validator',
    validators: 'abcde',
    live: 'abcde',
    vote: '-e',
    pending: ['+e'],
  },
  {
    name: 'is not held up by a pending vote that was forced, if forced itself',
    validators: 'abcd',
    live: 'abcd',
    vote: '-c!',
    pending: ['-d'],
  },
]

describe('verifyVote', () => {
  it.each(CASES)('$name', (each) => {
    expect(judge(each)).toEqual(
      each.refused === undefined
        ? { ok: true }
        : { ok: false, reason: expect.stringContaining(each.refused) },
    )
  })
})

function judge(each: Case): VoteVerdict {
  const [kind, subject] = parse(each.vote)
  return verifyVote(
    { kind, subject, isForced: each.vote.endsWith('!') },
    {
      validators: all(each.validators),
      live: new Set(all(each.live)),
      pending: new Map((each.pending ?? []).map((text) => [parse(text)[1], parse(text)[0]])),
      validatorsMin: each.validatorsMin ?? VALIDATORS_MIN,
    },
  )
}

function parse(text: string): [Vote['kind'], Address] {
  return [text[0] === '+' ? 'add' : 'drop', at(text[1]!)]
}
