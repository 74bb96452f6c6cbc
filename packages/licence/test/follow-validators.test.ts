import { decodeRlp, encodeRlp, getBytes, type RlpStructuredData, type SigningKey } from 'ethers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  encodeProof,
  type FollowReason,
  followValidators,
  identifierDigest,
  LICENCE_LIMITS,
  LicenceError,
  type StatusLeaf,
  type TrustedChain,
  verifyProof,
} from '../src/index.ts'
import { DATA, keyOf, NOW } from './samples.ts'
import { addressOf, deepPath, sealedHeader, trusted, validatorKeys } from './sealed-chain.ts'

const DAY = 86_400
const RULE = { now: NOW, trustSeconds: 30 * DAY }
const root = new Uint8Array(32).fill(7)
const all = validatorKeys(12)
const byAddress = (keys: readonly SigningKey[]): SigningKey[] =>
  [...keys].sort((a, b) => (addressOf(a) < addressOf(b) ? -1 : 1))
/** Keys of some of the twelve. */
const setOf = (...places: number[]): SigningKey[] => byAddress(places.map((place) => all[place]!))
const T = setOf(0, 1, 2, 3)

function start(keys: readonly SigningKey[], change: Partial<TrustedChain> = {}): TrustedChain {
  const asOf = NOW - 10 * DAY
  return {
    ...trusted(keys),
    validators: [{ from: 100, set: keys.map(addressOf) }],
    asOf,
    ...change,
  }
}

interface Given {
  readonly keys: readonly SigningKey[]
  readonly sealers?: readonly SigningKey[]
  readonly number: number
  readonly change?: NonNullable<Parameters<typeof sealedHeader>[0]['change']>
}

/** Header of a block, a minute for each number before now. */
function headerOf({ keys, sealers = keys, number, change }: Given): Uint8Array {
  const timestamp = NOW - (1_000 - number) * 60
  return sealedHeader({ keys, sealers, root, change: { number, timestamp, ...change } })
}

const follow = (chain: TrustedChain, ...headers: Uint8Array[]) =>
  followValidators(chain, headers, RULE)

const refused = (reason: FollowReason) => ({ ok: false, reason })

describe('validators are followed', () => {
  test('one change after another, until none is left of those at first', () => {
    const sets = [
      setOf(0, 1, 2, 3, 4),
      setOf(1, 2, 3, 4),
      setOf(1, 2, 3, 4, 5),
      setOf(2, 3, 4, 5),
      setOf(2, 3, 4, 5, 6),
      setOf(3, 4, 5, 6),
      setOf(3, 4, 5, 6, 7),
      setOf(4, 5, 6, 7),
    ]
    const headers = sets.map((keys, i) => headerOf({ keys, number: 200 + i * 10 }))
    const followed = follow(start(T), ...headers)
    if (!followed.ok) throw new Error(followed.reason)
    const { chain } = followed
    expect(chain.validators.map(({ from, set }) => [from, set.join()])).toEqual([
      [100, T.map(addressOf).join()],
      ...sets.map((keys, i) => [200 + i * 10, keys.map(addressOf).join()]),
    ])
    expect(chain.asOf).toBe(NOW - (1_000 - 270) * 60)
  })

  test('and proofs are judged by the set of their height: the old one speaks for the new height no more', () => {
    const next = setOf(1, 2, 3, 4)
    const followed = follow(
      start(T),
      headerOf({ keys: setOf(0, 1, 2, 3, 4), number: 200 }),
      headerOf({ keys: next, number: 201 }),
    )
    if (!followed.ok) throw new Error(followed.reason)
    const leaf: StatusLeaf = {
      number: 5,
      identifier: identifierDigest(DATA.identifier),
      status: 'InForce',
      version: 1,
      holder: keyOf(2).address,
      content: `0x${'5a'.repeat(32)}`,
      validFrom: 1,
      validUntil: NOW,
      statusTime: 2,
    }
    const { path, root: treeRoot } = deepPath(leaf)
    const proofAt = (keys: readonly SigningKey[], number: number): Uint8Array =>
      encodeProof({
        header: sealedHeader({ keys, root: treeRoot, change: { number } }),
        leaf,
        path,
      })
    expect(verifyProof(proofAt(next, 300), followed.chain).ok).toBe(true)
    expect(verifyProof(proofAt(T, 150), followed.chain).ok).toBe(true)
    expect(verifyProof(proofAt(T, 300), followed.chain).ok).toBe(false)
    expect(verifyProof(proofAt(next, 150), followed.chain).ok).toBe(false)
  })

  test('a header with the same set changes nothing but how new the trust is', () => {
    const followed = follow(start(T), headerOf({ keys: T, number: 900 }))
    expect(followed).toEqual({ ok: true, chain: { ...start(T), asOf: NOW - 100 * 60 } })
  })

  test('no header at all is no news', () => {
    expect(follow(start(T))).toEqual({ ok: true, chain: start(T) })
  })

  test('several changes at once, while more than f of the trusted have sealed', () => {
    const two = setOf(2, 3, 8, 9)
    expect(follow(start(T), headerOf({ keys: two, number: 200 })).ok).toBe(true)
  })
})

describe('a set is not taken over', () => {
  test('from strangers, however many have sealed', () => {
    const header = headerOf({ keys: setOf(8, 9, 10, 11), number: 200 })
    expect(follow(start(T), header)).toEqual(refused('too few trusted seals'))
  })

  test('with seals of no more than can be faulty: one of four', () => {
    const header = headerOf({ keys: setOf(3, 8, 9, 10), number: 200 })
    expect(follow(start(T), header)).toEqual(refused('too few trusted seals'))
  })

  test('of which trusted validators are members, but have not sealed', () => {
    const keys = setOf(1, 2, 3, 8, 9, 10, 11)
    const header = headerOf({ keys, sealers: setOf(3, 8, 9, 10, 11), number: 200 })
    expect(follow(start(T), header)).toEqual(refused('too few trusted seals'))
  })

  test('without a quorum of itself', () => {
    const few = headerOf({ keys: T, sealers: setOf(0, 1), number: 200 })
    expect(follow(start(T), few)).toEqual(refused('too few seals'))
    const twice = headerOf({ keys: T, sealers: setOf(0, 1, 1), number: 200 })
    expect(follow(start(T), twice)).toEqual(refused('two seals of one validator'))
  })

  test('that is not ascending', () => {
    const header = headerOf({ keys: [...T].reverse(), number: 200 })
    expect(follow(start(T), header)).toEqual(refused('validator set malformed'))
  })

  test('from a block that is not newer, or of an earlier time', () => {
    for (const number of [0, 99, 100]) {
      const keys = setOf(0, 1, 2, 3, 4)
      expect(follow(start(T), headerOf({ keys, number }))).toEqual(refused('header not newer'))
    }
    const early = { timestamp: NOW - 11 * DAY }
    const header = headerOf({ keys: T, number: 200, change: early })
    expect(follow(start(T), header)).toEqual(refused('header not newer'))
    const [a, b] = [200, 201].map((number) => headerOf({ keys: setOf(0, 1, 2), number }))
    expect(follow(start(T), b!, a!)).toEqual(refused('header not newer'))
  })

  test('from the future', () => {
    const late = (seconds: number): Uint8Array =>
      headerOf({ keys: T, number: 200, change: { timestamp: NOW + seconds } })
    expect(follow(start(T), late(LICENCE_LIMITS.clockSkewSeconds)).ok).toBe(true)
    expect(follow(start(T), late(LICENCE_LIMITS.clockSkewSeconds + 1))).toEqual(
      refused('header from the future'),
    )
  })

  test('by a trust that is too old, or of no known age', () => {
    const header = headerOf({ keys: T, number: 200 })
    const asOf = NOW - RULE.trustSeconds
    expect(follow(start(T, { asOf }), header).ok).toBe(true)
    expect(follow(start(T, { asOf: asOf - 1 }), header)).toEqual(refused('trust too old'))
    expect(follow(start(T, { asOf: undefined }), header)).toEqual(refused('trust too old'))
  })

  test('of another chain with the same validators', () => {
    const [own, foreign] = [`0x${'aa'.repeat(32)}`, `0x${'bb'.repeat(32)}`] as const
    const header = headerOf({ keys: T, number: 200, change: { parentBeaconBlockRoot: own } })
    expect(follow(start(T, { domain: own }), header).ok).toBe(true)
    for (const domain of [foreign, undefined]) {
      expect(follow(start(T, { domain }), header)).toEqual(refused('header of another chain'))
    }
    const bare = headerOf({ keys: T, number: 200 })
    expect(follow(start(T, { domain: own }), bare)).toEqual(refused('header of another chain'))
  })

  test('from more headers than the limit', () => {
    const headers = Array.from({ length: LICENCE_LIMITS.followedHeadersMax + 1 }, () => root)
    expect(follow(start(T), ...headers)).toEqual(refused('too many headers'))
  })

  test('with any bit of its header flipped', () => {
    const header = headerOf({ keys: setOf(0, 1, 2, 3, 4), number: 200 })
    expect(follow(start(T), header).ok).toBe(true)
    fc.assert(
      fc.property(fc.nat(header.length * 8 - 1), (bit) => {
        const flipped = header.slice()
        flipped[bit >> 3]! ^= 1 << (bit & 7)
        try {
          return !follow(start(T), flipped).ok
        } catch (error) {
          return error instanceof LicenceError
        }
      }),
      { numRuns: 300 },
    )
  })

  test('from a header with an item of another kind, size or number, however deep', () => {
    const items = decodeRlp(headerOf({ keys: T, number: 200 })) as RlpStructuredData[]
    const extra = decodeRlp(items[12] as string) as RlpStructuredData[]
    const other = fc.constantFrom<RlpStructuredData>(
      '0x',
      '0x00',
      '0x01',
      [],
      ['0x'],
      `0x${'ee'.repeat(65)}`,
    )
    const isRefused = (changed: RlpStructuredData[]): boolean => {
      try {
        return !follow(start(T), getBytes(encodeRlp(changed))).ok
      } catch (error) {
        return error instanceof LicenceError
      }
    }
    const put = (list: readonly RlpStructuredData[], at: number, item: RlpStructuredData) =>
      list.map((each, i) => (i === at ? item : each))
    const outer = fc.property(fc.nat(items.length - 1), other, (at, item) => {
      fc.pre(items[at] !== item)
      return isRefused(put(items, at, item)) && isRefused(items.slice(0, at))
    })
    const inner = fc.property(fc.nat(4), fc.nat(3), other, (at, deeper, item) => {
      const list = extra[at]!
      const changed =
        Array.isArray(list) && list.length > 0 ? put(list, deeper % list.length, item) : item
      fc.pre(JSON.stringify(changed) !== JSON.stringify(list))
      return isRefused(put(items, 12, encodeRlp(put(extra, at, changed))))
    })
    fc.assert(outer)
    fc.assert(inner)
    expect(() => follow(start(T), new Uint8Array(70_000))).toThrow(LicenceError)
  })
})

test('a proof of a chain whose headers name it holds for who knows that name', () => {
  const [own, foreign] = [`0x${'aa'.repeat(32)}`, `0x${'bb'.repeat(32)}`] as const
  const leaf: StatusLeaf = {
    number: 1,
    identifier: identifierDigest(DATA.identifier),
    status: 'InForce',
    version: 1,
    holder: keyOf(2).address,
    content: `0x${'5a'.repeat(32)}`,
    validFrom: 1,
    validUntil: NOW,
    statusTime: 2,
  }
  const { path, root: treeRoot } = deepPath(leaf)
  const change = { parentBeaconBlockRoot: own }
  const proof = encodeProof({
    header: sealedHeader({ keys: T, root: treeRoot, change }),
    leaf,
    path,
  })
  expect(verifyProof(proof, { ...trusted(T), domain: own }).ok).toBe(true)
  for (const chain of [trusted(T), { ...trusted(T), domain: foreign }]) {
    expect(verifyProof(proof, chain)).toEqual({ ok: false, reason: 'not sealed by the validators' })
  }
})
