import { bytesToHex } from '@vellum/evm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { signCommit, signPrepare } from '../src/codec.ts'
import { CONSENSUS_LIMITS, decodeMessage, encodeMessage, outlineOf } from '../src/index.ts'
import { locateVote } from '../src/vote-frame.ts'
import { recover, signAs, validatorsOf } from './engines.ts'

const [author] = validatorsOf(4)
const sign = (hash: Uint8Array): Uint8Array => signAs(author!, hash)
const place = fc.record({
  height: fc.oneof(fc.nat(300), fc.nat(2 ** 40)),
  round: fc.oneof(fc.nat(300), fc.nat(CONSENSUS_LIMITS.roundMax)),
  digest: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytesToHex(bytes)),
})
const frame = fc
  .tuple(place, fc.option(fc.uint8Array({ minLength: 65, maxLength: 65 }), { nil: undefined }))
  .map(([at, seal]) =>
    encodeMessage(
      seal === undefined
        ? signPrepare(at, author!, sign)
        : signCommit({ ...at, seal }, author!, sign),
    ),
  )

test('a vote is found where it stands, whatever its height and round', () => {
  fc.assert(
    fc.property(frame, (bytes) => {
      const found = locateVote(bytes)
      expect(outlineOf(bytes)).toMatchObject({ kind: found!.kind, height: found!.height })
      const { payload } = decodeMessage(bytes, recover)
      expect(payload).toMatchObject({ height: found!.height, round: found!.round })
    }),
  )
})

test('what is read in place is written again as it was, so nothing else is taken for a vote', () => {
  const bent = fc
    .tuple(frame, fc.nat(), fc.nat(7), fc.integer({ min: -2, max: 2 }))
    .map(([bytes, at, bit, more]) => {
      const changed = new Uint8Array(Math.max(0, bytes.length + more))
      changed.set(bytes.subarray(0, changed.length))
      if (at % 4 > 0) changed[at % 48] = changed[at % 48]! ^ (1 << bit)
      return changed
    })
  fc.assert(
    fc.property(bent, (bytes) => {
      if (locateVote(bytes) === undefined) return
      const message = decodeMessage(bytes, () => author!)
      expect(bytesToHex(encodeMessage(message))).toBe(bytesToHex(bytes))
    }),
    { numRuns: 2_000 },
  )
})
