import { type Address, bytesToHex, concatBytes, hexToBytes } from '@vellum/evm'
import {
  decodeRlp,
  encodeRlp,
  encodeRlpList,
  isRefusal,
  type RlpItem,
  rlpScalar,
  splitRlpList,
} from '@vellum/ledger'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  CONSENSUS_LIMITS,
  ConsensusError,
  decodeMessage,
  encodeMessage,
  MESSAGE_CODE,
  type Message,
  outlineOf,
  type ProposedBlock,
  proposedBlock,
  signCommit,
  signPrepare,
  signProposal,
  signRoundChange,
} from '../src/index.ts'
import { GENESIS, makeBlock, recover, signAs, validatorsOf } from './engines.ts'
import { certificateOf, commitBy, prepareBy, proposalBy, roundChangeBy } from './messages.ts'

const validators = validatorsOf(4)
const [a, b, c] = validators as [Address, Address, Address]

const height = fc.nat(Number.MAX_SAFE_INTEGER)
const round = fc.nat(CONSENSUS_LIMITS.roundMax)
const digest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => bytesToHex(bytes))
const author = fc.constantFrom(...validators)
const accessList = fc.option(fc.uint8Array({ maxLength: 40 }).map(encodeRlp), { nil: undefined })

const block: fc.Arbitrary<ProposedBlock> = fc
  .record({
    number: fc.nat(1_000_000),
    timestamp: fc.nat(2 ** 40),
    gasUsed: fc.bigInt({ min: 0n, max: 2n ** 63n }),
    proposer: author,
    round,
    body: fc.array(
      fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 3 }).map((each) => encodeRlp(each)),
      { minLength: 2, maxLength: 3 },
    ),
  })
  .map(({ number, timestamp, gasUsed, proposer, round, body }) => {
    const { header } = makeBlock({ parent: GENESIS, proposer, validators, round, gasUsed })
    return proposedBlock({ ...header, number, timestamp }, encodeRlpList(body))
  })

function signedBy<Facts, Result>(
  facts: fc.Arbitrary<Facts>,
  sign: (facts: Facts, author: Address, sign: (hash: Uint8Array) => Uint8Array) => Result,
): fc.Arbitrary<Result> {
  return fc
    .tuple(facts, author)
    .map(([payload, by]) => sign(payload, by, (hash) => signAs(by, hash)))
}

const prepare = signedBy(fc.record({ height, round, digest }), signPrepare)
const commit = signedBy(
  fc.record({
    height,
    round,
    digest,
    seal: fc.uint8Array({ minLength: 65, maxLength: 65 }),
  }),
  signCommit,
)
const signedRoundChange = signedBy(
  fc.record({
    height,
    round,
    prepared: fc.option(fc.record({ round, digest }), { nil: undefined }),
  }),
  signRoundChange,
)
const prepares = fc.array(
  prepare.map(({ payload, author, signature }) => ({ payload, author, signature })),
  { maxLength: 5 },
)
const proposal = fc
  .tuple(
    signedBy(fc.record({ height, round, block, accessList }), signProposal),
    fc.array(signedRoundChange, { maxLength: 5 }),
    prepares,
  )
  .map(([signed, roundChanges, given]) => ({
    kind: 'proposal' as const,
    ...signed,
    roundChanges,
    prepares: given,
  }))
const roundChange = fc
  .tuple(signedRoundChange, fc.option(block, { nil: undefined }), accessList, prepares)
  .map(([signed, brought, list, given]) => ({
    kind: 'roundChange' as const,
    ...signed,
    block: brought,
    accessList: list,
    prepares: given,
  }))
const message = fc.oneof(prepare, commit, proposal, roundChange) as fc.Arbitrary<Message>

describe('any message', () => {
  test('comes back as it was, its authors recovered, and its bytes as they were', () => {
    fc.assert(
      fc.property(message, (given) => {
        const frame = encodeMessage(given)
        const decoded = decodeMessage(frame, recover)
        expect(decoded).toEqual(given)
        expect(bytesToHex(encodeMessage(decoded))).toBe(bytesToHex(frame))
      }),
    )
  })

  test('has an outline that tells kind, height and round', () => {
    fc.assert(
      fc.property(message, ({ kind, payload, ...rest }) => {
        const frame = encodeMessage({ kind, payload, ...rest } as Message)
        expect(outlineOf(frame)).toEqual({ kind, height: payload.height, round: payload.round })
      }),
    )
  })

  test('is a copy: what happens to the frame afterwards is nothing to it', () => {
    for (const given of EXAMPLES) {
      const frame = encodeMessage(given)
      const decoded = decodeMessage(frame, recover)
      frame.fill(0xee)
      expect(bytesToHex(decoded.signature)).toBe(bytesToHex(given.signature))
      if (decoded.kind === 'commit' && given.kind === 'commit') {
        expect(bytesToHex(decoded.payload.seal)).toBe(bytesToHex(given.payload.seal))
      }
      for (const each of 'prepares' in decoded ? decoded.prepares : []) {
        expect(recover(hexToBytes(GENESIS.stateRoot), each.signature)).toBeUndefined()
        expect(bytesToHex(each.signature).startsWith('0xee')).toBe(false)
      }
    }
  })
})

const prepared = certificateOf(
  [a, b, c],
  makeBlock({ parent: GENESIS, proposer: a, validators }),
  0,
)
const later = makeBlock({ parent: GENESIS, proposer: b, validators, round: 1 })
const justification = {
  roundChanges: [a, b, c].map((each) => roundChangeBy(each, 1, prepared)),
  prepares: prepared.prepares,
}
const EXAMPLES: readonly Message[] = [
  prepareBy(a, later, 1),
  commitBy(b, later, 1),
  proposalBy(b, later, 1, justification),
  proposalBy(a, prepared.block),
  roundChangeBy(c, 1),
  roundChangeBy(c, 1, prepared),
]

/** True if the door has refused in one of the two ways that it may. */
function isRefused(frame: Uint8Array): boolean {
  let decoded: Message
  try {
    outlineOf(frame)
    decoded = decodeMessage(frame, recover)
  } catch (error) {
    if (error instanceof ConsensusError) expect(error.code).toBe('CONSENSUS_MESSAGE_INVALID')
    else expect(isRefusal(error), String(error)).toBe(true)
    return true
  }
  expect(bytesToHex(encodeMessage(decoded))).toBe(bytesToHex(frame))
  return false
}

describe('the door', () => {
  test('arbitrary bytes are refused, never more than that', () => {
    fc.assert(
      fc.property(fc.constantFrom(0x12, 0x13, 0x14, 0x15, 0x16), fc.uint8Array(), (code, bytes) => {
        expect(isRefused(concatBytes(Uint8Array.of(code), bytes))).toBe(true)
        expect(isRefused(bytes)).toBe(true)
      }),
    )
  })

  test('arbitrary lists are refused, never more than that', () => {
    const item: fc.Memo<RlpItem> = fc.memo((depth) =>
      depth <= 1
        ? fc.uint8Array({ maxLength: 70 })
        : fc.oneof(fc.uint8Array({ maxLength: 70 }), fc.array(item(depth - 1), { maxLength: 5 })),
    )
    fc.assert(
      fc.property(fc.constantFrom(0x12, 0x13, 0x14, 0x15), item(5), (code, body) => {
        expect(isRefused(concatBytes(Uint8Array.of(code), encodeRlp(body)))).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  test('a message with bytes changed, cut off, left out or added is refused or canonical', () => {
    const edit = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.nat(3) })
    let refused = 0
    fc.assert(
      fc.property(
        fc.constantFrom(...EXAMPLES),
        fc.array(edit, { minLength: 1 }),
        (given, edits) => {
          let bytes = [...encodeMessage(given)]
          for (const { at, byte, kind } of edits.slice(0, 4)) {
            const place = at % Math.max(1, bytes.length)
            if (kind === 0) bytes[place] = byte
            else if (kind === 1) bytes = bytes.slice(0, place)
            else if (kind === 2) bytes.splice(place, 1)
            else bytes.splice(place, 0, byte)
          }
          if (isRefused(Uint8Array.from(bytes))) refused += 1
        },
      ),
      { numRuns: 400 },
    )
    expect(refused).toBeGreaterThan(100)
  })

  test('a signature stands for its kind, its round and its author alone', () => {
    const { payload, signature } = prepareBy(a, later, 1)
    const raised = { ...payload, round: 2 }
    const foreign = signPrepare(payload, a, (hash) => signAs(b, hash))
    const asked = (given: Message): unknown => decodeMessage(encodeMessage(given), recover)
    const good = { kind: 'prepare', payload, author: a, signature } as const
    expect(asked(good)).toEqual(good)
    expect(() => asked({ ...good, payload: raised })).toThrow('nobody made this signature')
    // Whoever signed is the author, whatever the sender says.
    expect(asked(foreign)).toMatchObject({ author: b })
    const roundChanged = { ...roundChangeBy(a, 1), signature }
    expect(() => asked(roundChanged)).toThrow('nobody made this signature')
  })

  const prepareFrame = encodeMessage(prepareBy(a, later, 1))
  const [payload, signature] = splitRlpList(prepareFrame.subarray(1)) as [Uint8Array, Uint8Array]
  const signedItems = decodeRlp(payload) as RlpItem[]
  const framed = (code: number, ...items: Uint8Array[]): Uint8Array =>
    concatBytes(Uint8Array.of(code), encodeRlpList(items))
  const wrapped = (...items: RlpItem[]): Uint8Array =>
    framed(MESSAGE_CODE.prepare, encodeRlp(items), signature)
  const [h, r, hash] = signedItems as [Uint8Array, Uint8Array, Uint8Array]

  const refusals: readonly [string, Uint8Array, RegExp][] = [
    ['no bytes', new Uint8Array(0), /unknown message code/],
    ['a code below the first', framed(0x11, payload, signature), /unknown message code/],
    ['a code above the last', framed(0x16, payload, signature), /unknown message code/],
    ['a prepare under the code of a commit', framed(0x14, payload, signature), /4 items/],
    ['a prepare under the code of a proposal', framed(0x12, payload, signature), /list|items/],
    ['a prepare under the code of a round change', framed(0x15, payload, signature), /three items/],
    ['a height with a leading zero', wrapped(Uint8Array.of(0, 1), r, hash), /height/],
    ['a round with a leading zero', wrapped(h, Uint8Array.of(0, 1), hash), /round/],
    ['a round that is a list', wrapped(h, [r], hash), /round/],
    [
      'a round above the highest',
      wrapped(h, rlpScalar(CONSENSUS_LIMITS.roundMax + 1), hash),
      /above the highest/,
    ],
    [
      'a height beyond what a number holds',
      wrapped(new Uint8Array(8).fill(255), r, hash),
      /height/,
    ],
    ['a digest of 31 bytes', wrapped(h, r, hash.subarray(1)), /digest/],
    ['an item too many', wrapped(h, r, hash, hash), /3 items/],
    ['an item too few', wrapped(h, r), /3 items/],
    [
      'a signature of 64 bytes',
      framed(MESSAGE_CODE.prepare, payload, encodeRlp(new Uint8Array(64))),
      /signature/,
    ],
    ['bytes after the message', concatBytes(prepareFrame, Uint8Array.of(0)), /./],
    ['a vote that is too long', concatBytes(prepareFrame, new Uint8Array(5_000)), /too long/],
  ]
  test.for(refusals)('%s is refused', ([, frame, words]) => {
    expect(isRefused(frame)).toBe(true)
    expect(() => decodeMessage(frame, recover)).toThrow(words)
  })

  test('the highest round is taken', () => {
    const highest = prepareBy(a, later, CONSENSUS_LIMITS.roundMax)
    expect(decodeMessage(encodeMessage(highest), recover)).toEqual(highest)
  })

  test('more prepares than a chain has validators cost no signature', () => {
    const many = Array.from(
      { length: CONSENSUS_LIMITS.validatorsMax + 1 },
      () => prepared.prepares[0]!,
    )
    let recovered = 0
    const counting = (): Address => {
      recovered += 1
      return a
    }
    for (const given of [
      { ...roundChangeBy(c, 1, prepared), prepares: many },
      proposalBy(b, later, 1, { roundChanges: [], prepares: many }),
    ]) {
      expect(() => decodeMessage(encodeMessage(given), counting)).toThrow(ConsensusError)
    }
    expect(recovered).toBe(0)
  })
})

describe('the two forms', () => {
  const NONE = Uint8Array.of(0x80)

  test('a proposal has an access list as fourth item, which is signed, or three items', () => {
    const old = proposalBy(a, prepared.block)
    const payload = { ...old.payload, accessList: NONE }
    const signed = signProposal(payload, a, (hash) => signAs(a, hash))
    const current = { ...old, ...signed }
    for (const [given, items] of [
      [old, 3],
      [current, 4],
    ] as const) {
      const frame = encodeMessage(given)
      const [outer] = splitRlpList(frame.subarray(1))
      expect(splitRlpList(splitRlpList(outer!)[0]!)).toHaveLength(items)
      expect(decodeMessage(frame, recover)).toEqual(given)
    }
    expect(bytesToHex(current.signature)).not.toBe(bytesToHex(old.signature))
    expect(() => decodeMessage(encodeMessage({ ...old, payload }), recover)).toThrow(ConsensusError)
  })

  test('a round change has one outside its signature, or three items', () => {
    for (const old of [roundChangeBy(c, 1), roundChangeBy(c, 1, prepared)]) {
      const current = { ...old, accessList: NONE }
      for (const [given, items] of [
        [old, 3],
        [current, 4],
      ] as const) {
        const frame = encodeMessage(given)
        expect(splitRlpList(frame.subarray(1))).toHaveLength(items)
        expect(decodeMessage(frame, recover)).toEqual(given)
      }
    }
  })

  test('a claim of nothing is an empty list, and so is the block that is not brought', () => {
    const [signed, brought] = splitRlpList(encodeMessage(roundChangeBy(c, 1)).subarray(1))
    expect(bytesToHex(brought!)).toBe('0xc0')
    expect((decodeRlp(splitRlpList(signed!)[0]!) as RlpItem[])[2]).toEqual([])
  })

  test('height, round and prepared round are numbers without leading zeros, 0 the empty string', () => {
    const [encoded] = splitRlpList(encodeMessage(prepareBy(a, later, 0, 0x0123)).subarray(1))
    expect(bytesToHex(encoded!).slice(0, 12)).toBe('0xe582012380')
    const claim = certificateOf([a, b, c], prepared.block, 0)
    const [signed] = splitRlpList(encodeMessage(roundChangeBy(c, 1, claim)).subarray(1))
    const [, , of] = decodeRlp(splitRlpList(signed!)[0]!) as [unknown, unknown, RlpItem[]]
    expect(of[0]).toEqual(new Uint8Array(0))
  })
})
