import { describe, expect, test } from 'vitest'
import {
  type CommitPayload,
  decodeEvidence,
  encodeEvidence,
  isContradiction,
  type Message,
  type PreparePayload,
  signCommit,
  signPrepare,
  signRoundChange,
} from '../src/index.ts'
import { recover, signAs, validatorsOf } from './engines.ts'

const [a, b] = validatorsOf(4) as [`0x${string}`, `0x${string}`]
const ONE = `0x${'11'.repeat(32)}` as const
const TWO = `0x${'22'.repeat(32)}` as const
const SEAL = new Uint8Array(65)

const signerOf = (author: `0x${string}`) => (hash: Uint8Array) => signAs(author, hash)
const prepare = (changes: Partial<PreparePayload> = {}, author = a): Message =>
  signPrepare({ height: 7, round: 1, digest: ONE, ...changes }, author, signerOf(author))
const commit = (changes: Partial<CommitPayload> = {}): Message =>
  signCommit({ height: 7, round: 1, digest: ONE, seal: SEAL, ...changes }, a, signerOf(a))
const roundChange = (round: number, digest?: `0x${string}`): Message => ({
  kind: 'roundChange',
  ...signRoundChange(
    { height: 7, round, prepared: digest && { round: 0, digest } },
    a,
    signerOf(a),
  ),
  block: undefined,
  accessList: undefined,
  prepares: [],
})

describe('evidence', () => {
  test.each<[string, Message, Message]>([
    ['two prepares', prepare(), prepare({ digest: TWO })],
    ['two commits', commit(), commit({ digest: TWO })],
    ['round changes with other claims', roundChange(2), roundChange(2, ONE)],
  ])('%s of one place prove a lie, and say so again after a journey', (_, first, second) => {
    expect(isContradiction({ first, second })).toBe(true)
    const frame = encodeEvidence({ first, second })!
    expect(decodeEvidence(frame, recover)).toEqual({ first, second })
  })

  test.each<[string, Message, Message]>([
    ['the same message twice', prepare(), prepare()],
    ['another round', prepare(), prepare({ round: 2, digest: TWO })],
    ['another height', prepare(), prepare({ height: 8, digest: TWO })],
    ['another author', prepare(), prepare({ digest: TWO }, b)],
    ['another kind', prepare(), commit({ digest: TWO })],
    ['another seal of the same block', commit(), commit({ seal: SEAL.map(() => 1) })],
    ['a later round change', roundChange(2), roundChange(3, ONE)],
  ])('%s proves nothing, and is refused', (_, first, second) => {
    expect(isContradiction({ first, second })).toBe(false)
    const frame = encodeEvidence({ first, second })!
    expect(() => decodeEvidence(frame, recover)).toThrow()
  })

  test('with any byte changed it proves nothing of its author', () => {
    const frame = encodeEvidence({ first: prepare(), second: prepare({ digest: TWO }) })!
    for (let at = 0; at < frame.length; at++) {
      const changed = frame.slice()
      changed[at]! ^= 1
      expect(authorIn(changed)).not.toBe(a)
    }
  })
})

function authorIn(frame: Uint8Array): string | undefined {
  try {
    return decodeEvidence(frame, recover).first.author
  } catch {
    return undefined
  }
}
