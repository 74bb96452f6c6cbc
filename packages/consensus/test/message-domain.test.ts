import { keccak256 } from '@vellum/evm'
import { expect, test } from 'vitest'
import {
  decodeMessage,
  encodeMessage,
  recoveryIn,
  signCommit,
  signerIn,
  signPrepare,
  signRoundChange,
} from '../src/index.ts'
import { recover, signAs, validatorsOf } from './engines.ts'

const [author] = validatorsOf(4) as [`0x${string}`]
const sign = (hash: Uint8Array): Uint8Array => signAs(author, hash)
const main = keccak256(Uint8Array.of(1))
const side = keccak256(Uint8Array.of(2))
const at = { height: 7, round: 0, digest: `0x${'11'.repeat(32)}` } as const

const MESSAGES = [
  { kind: 'prepare', said: (own: typeof sign) => signPrepare(at, author, own) },
  {
    kind: 'commit',
    said: (own: typeof sign) => signCommit({ ...at, seal: new Uint8Array(65) }, author, own),
  },
  {
    kind: 'roundChange',
    said: (own: typeof sign) => ({
      kind: 'roundChange' as const,
      ...signRoundChange({ height: 7, round: 1, prepared: undefined }, author, own),
      block: undefined,
      accessList: undefined,
      prepares: [],
    }),
  },
]

test.each(MESSAGES)(
  'a $kind of one chain is its author’s there, and nobody’s on another',
  ({ said }) => {
    const frame = encodeMessage(said(signerIn(main, sign)))

    expect(decodeMessage(frame, recoveryIn(main, recover)).author).toBe(author)
    expect(authorIn(side, frame)).not.toBe(author)
    expect(authorIn(undefined, frame)).not.toBe(author)
  },
)

test('without a domain a message is Besu’s, of any chain', () => {
  const frame = encodeMessage(signPrepare(at, author, signerIn(undefined, sign)))

  expect(decodeMessage(frame, recover).author).toBe(author)
  expect(authorIn(main, frame)).not.toBe(author)
})

/** undefined where the signature is nobody's. */
function authorIn(domain: Uint8Array | undefined, frame: Uint8Array): string | undefined {
  try {
    return decodeMessage(frame, recoveryIn(domain, recover)).author
  } catch {
    return undefined
  }
}
