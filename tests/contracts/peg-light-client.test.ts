/** The light client: which headers it takes, which it refuses, and what freezes it. */

import { signCommit, signedContent, signPrepare } from '@vellum/consensus'
import { bytesToHex, concatBytes, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import { decodeExtraData, encodeExtraData, type Header, qbftHash } from '@vellum/ledger'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { createSeededRandom } from '../seeded-random.ts'
import {
  CLIENT,
  CLOCK_DRIFT,
  createPegPair,
  follow,
  governor,
  guardian,
  hexOf,
  type Key,
  keyOf,
  MAIN_ID,
  type PegChain,
  type PegPair,
  type Result,
  refusal,
  relayer,
  SIDE_ID,
  sealedBy,
  signatureOf,
  TRUSTING_PERIOD,
  user,
  validatorKeys,
  withValidators,
} from './peg-chains.ts'

const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const STATUS = { active: 1n, frozen: 2n, closed: 3n }
const four = validatorKeys(4, 'main')

let pair: PegPair
let main: PegChain
let side: PegChain

/** A main chain of four validators with five blocks, of which the side chain's client knows the second. */
beforeEach(async () => {
  pair = await createPegPair({ mainValidators: four })
  main = pair.main
  side = pair.side
  while (main.height() < 2) await main.block()
  await follow(side, main)
  while (main.height() < 5) await main.block()
})

const update = (trusted: number, header: Header | string): Promise<Result> =>
  side.send(relayer, CLIENT, 'updateClient', [
    MAIN_ID,
    trusted,
    typeof header === 'string' ? header : hexOf(header),
  ])

/** The same without a block: refused as it would be there. */
const refused = (trusted: number, header: Header | string): Promise<string> =>
  refusal(() =>
    side.ask(CLIENT, 'updateClient', [
      MAIN_ID,
      trusted,
      typeof header === 'string' ? header : hexOf(header),
    ]),
  )

const statusOf = (on = side, chainId = MAIN_ID): bigint =>
  on.ask<{ status: bigint }>(CLIENT, 'client', [chainId]).status

const rootAt = (height: number): Promise<string> =>
  refusal(() => side.ask(CLIENT, 'stateRoot', [MAIN_ID, height]))

/** A real header with other contents, sealed by a quorum or by those named. */
function forged(height: number, changes: Partial<Header>, sealers = four.slice(0, 3)): Header {
  return sealedBy({ ...main.header(height), ...changes }, sealers)
}

describe('a header is accepted', () => {
  test('with the seals of a quorum, and its root is known', async () => {
    const { events } = await update(2, main.header(4))
    expect(events.map(({ name }) => name)).toEqual(['ClientUpdated'])
    expect(side.ask(CLIENT, 'latestHeight', [MAIN_ID])).toBe(4n)
    expect(side.ask(CLIENT, 'stateRoot', [MAIN_ID, 4])).toBe(main.header(4).stateRoot)
    const kept = side.ask<{ blockHash: string; timestamp: bigint }>(CLIENT, 'trustedHeader', [
      MAIN_ID,
      4,
    ])
    expect(kept.blockHash).toBe(main.chain.hashAt(4))
    expect(kept.timestamp).toBe(BigInt(main.header(4).timestamp))
    const members = side.ask<string[]>(CLIENT, 'validatorsAt', [MAIN_ID, 4])
    expect(members.map((each) => each.toLowerCase())).toEqual(four.map(({ address }) => address))
  })

  test('again without any effect, also with other seals and in another round', async () => {
    await update(2, main.header(4))
    const other = sealedBy(main.header(4), [four[3]!, four[1]!, four[0]!])
    expect((await update(2, other)).events).toEqual([])
    const extra = decodeExtraData(main.header(4).extraData)
    const later = { ...main.header(4), extraData: encodeExtraData({ ...extra, round: 3 }) }
    expect(qbftHash(later)).toBe(main.chain.hashAt(4))
    expect((await update(4, sealedBy(later, four))).events).toEqual([])
    expect(statusOf()).toBe(STATUS.active)
  })

  test('with seals in any order, of all validators, in any round', async () => {
    const extra = decodeExtraData(main.header(4).extraData)
    const later = { ...main.header(4), extraData: encodeExtraData({ ...extra, round: 70_000 }) }
    await update(2, sealedBy(later, [four[2]!, four[0]!, four[3]!, four[1]!]))
    expect(side.ask(CLIENT, 'latestHeight', [MAIN_ID])).toBe(4n)
  })

  test('between two that are known', async () => {
    await update(2, main.header(5))
    await update(2, main.header(3))
    await update(2, main.header(4))
    expect(side.ask(CLIENT, 'latestHeight', [MAIN_ID])).toBe(5n)
    for (const height of [2, 3, 4, 5]) {
      expect(side.ask(CLIENT, 'stateRoot', [MAIN_ID, height])).toBe(main.header(height).stateRoot)
    }
    const next = (height: number): bigint =>
      side.ask<{ nextHeight: bigint }>(CLIENT, 'trustedHeader', [MAIN_ID, height]).nextHeight
    expect([0, 2, 3, 4, 5].map(next)).toEqual([2n, 3n, 4n, 5n, 0n])
  })

  test('from a trusted height with 32 kept ones between, not with 33', async () => {
    for (let i = 0; i < 34; i++) await main.block()
    const far = main.height()
    for (let height = 3; height < far - 1; height++) await update(height - 1, main.header(height))
    await side.ask(CLIENT, 'updateClient', [MAIN_ID, far - 34, main.sealedHeader(far)])
    expect(await refused(far - 35, main.header(far))).toBe('TrustedHeightInvalid')
  })

  test('as the first of a client, only by governance, if its hash is the domain or a quorum sealed it', async () => {
    const arguments_ = [900, main.domain, main.sealedHeader(0), TRUSTING_PERIOD, CLOCK_DRIFT]
    const create = (args: unknown[], from: Key = governor): Promise<string> =>
      refusal(() => side.ask(CLIENT, 'createClient', args, from))
    expect(await create(arguments_)).toBe('not refused')
    expect(await create(arguments_, user)).toBe('AccessManagedUnauthorized')
    expect(await create(arguments_, guardian)).toBe('AccessManagedUnauthorized')
    expect(await create(arguments_.with(0, 0))).toBe('ChainInvalid')
    expect(await create(arguments_.with(0, SIDE_ID))).toBe('ChainInvalid')
    expect(await create(arguments_.with(0, MAIN_ID))).toBe('ClientExists')
    expect(await create(arguments_.with(1, `0x${'00'.repeat(32)}`))).toBe('SettingsInvalid')
    expect(await create(arguments_.with(1, side.domain))).toBe('HeaderInvalid')
    expect(await create(arguments_.with(2, hexOf(sealedBy(main.header(0), four))))).toBe(
      'HeaderInvalid',
    )
    expect(await create(arguments_.with(2, main.sealedHeader(4)))).toBe('not refused')
    const unsealed = hexOf(sealedBy(main.header(4), four.slice(0, 2)))
    expect(await create(arguments_.with(2, unsealed))).toBe('SealsInsufficient')
    for (const period of [0, 3_599, 31_536_001]) {
      expect(await create(arguments_.with(3, period))).toBe('SettingsInvalid')
    }
    expect(await create(arguments_.with(4, 3_601))).toBe('SettingsInvalid')
  })
})

describe('a header is refused', () => {
  const cases: Record<string, { header: () => Header | string; reason: string; at?: number }> = {
    'without a seal': { header: () => forged(4, {}, []), reason: 'SealsInsufficient' },
    'with two seals of four validators': {
      header: () => forged(4, {}, four.slice(0, 2)),
      reason: 'SealsInsufficient',
    },
    'with a seal twice': {
      header: () => forged(4, {}, [four[0]!, four[1]!, four[1]!]),
      reason: 'SealInvalid',
    },
    'with a seal of somebody else': {
      header: () => forged(4, {}, [four[0]!, four[1]!, keyOf('other')]),
      reason: 'SealInvalid',
    },
    'with somebody else’s seal beside those of a quorum': {
      header: () => forged(4, {}, [...four.slice(0, 3), keyOf('other')]),
      reason: 'SealInvalid',
    },
    'of the trusted height and a kept one': {
      header: () => main.header(1),
      reason: 'TrustedHeightInvalid',
    },
    'that trusts a height which is not kept': {
      header: () => main.header(5),
      reason: 'HeightUnknown',
      at: 3,
    },
    'that names four validators of which one was trusted': {
      header: () => {
        const keys = [four[0]!, ...validatorKeys(3, 'traitor')].toSorted((a, b) =>
          a.address < b.address ? -1 : 1,
        )
        return sealedBy(withValidators(main.header(4), keys), keys)
      },
      reason: 'TrustInsufficient',
    },
    'that names nobody who was trusted': {
      header: () => {
        const keys = validatorKeys(4, 'traitor')
        return sealedBy(withValidators(main.header(4), keys), keys)
      },
      reason: 'TrustInsufficient',
    },
    'of a chain with the same validators': {
      header: () => forged(4, { parentBeaconBlockRoot: side.domain }),
      reason: 'HeaderInvalid',
    },
    'without the name of its chain': {
      header: () => forged(4, { parentBeaconBlockRoot: `0x${'00'.repeat(32)}` as Hash }),
      reason: 'HeaderInvalid',
    },
    'of another fork': {
      header: () => forged(4, { requestsHash: undefined }),
      reason: 'HeaderInvalid',
    },
    'of height 0': { header: () => forged(1, { number: 0 }), reason: 'TrustedHeightInvalid' },
    'from the future': {
      header: () => forged(4, { timestamp: pair.clock.seconds + CLOCK_DRIFT + 1 }),
      reason: 'HeaderFromFuture',
    },
  }
  for (const [name, { header, reason, at = 2 }] of Object.entries(cases)) {
    test(name, async () => {
      expect(await refused(at, header())).toBe(reason)
    })
  }

  test('a little ahead of this chain’s time it is accepted', async () => {
    const timestamp = pair.clock.seconds + CLOCK_DRIFT
    expect(await refused(2, forged(4, { timestamp }))).toBe('not refused')
  })

  test('with any bit of it changed', async () => {
    const whole = main.sealedHeader(4)
    expect(await refused(2, whole)).toBe('not refused')
    const accepted: number[] = []
    for (let place = 2; place < whole.length; place += 2) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const byte = Number.parseInt(whole.slice(place, place + 2), 16) ^ bit
        const changed = `${whole.slice(0, place)}${byte.toString(16).padStart(2, '0')}${whole.slice(place + 2)}`
        if ((await refused(2, changed)) === 'not refused') accepted.push(place)
      }
    }
    expect(accepted).toEqual([])
  })
})

/** Classes of headers that look right (reliability.md P4), each drawn anew. */
describe('of 200 drawn headers each, none is accepted', () => {
  const random = createSeededRandom(4)
  const shuffled = (keys: readonly Key[]): Key[] =>
    keys
      .map((key) => ({ key, place: random.whole(1_000_000) }))
      .toSorted((a, b) => a.place - b.place)
      .map(({ key }) => key)
  const drawn = (): Header => {
    const header = main.header(3 + random.whole(3))
    const extra = decodeExtraData(header.extraData)
    const round = random.pick([0, 1, 2, 300, 70_000])
    return { ...header, extraData: encodeExtraData({ ...extra, round, seals: [] }) }
  }
  const quorum = (): Key[] => shuffled(four).slice(0, 3)
  const withSeals = (header: Header, seals: readonly Uint8Array[]): Header => {
    const extra = decodeExtraData(header.extraData)
    return { ...header, extraData: encodeExtraData({ ...extra, seals }) }
  }
  const sealsOf = (header: Header): readonly Uint8Array[] => decodeExtraData(header.extraData).seals

  const classes: Record<string, () => Header> = {
    'sealed by an old set': () => {
      const old = validatorKeys(4, `old ${random.whole(1_000)}`)
      return sealedBy(withValidators(drawn(), old), old)
    },
    'sealed by an old set, with one of today’s': () => {
      const old = [...validatorKeys(3, `old ${random.whole(1_000)}`), random.pick(four)]
      const set = old.toSorted((a, b) => (a.address < b.address ? -1 : 1))
      return sealedBy(withValidators(drawn(), set), set)
    },
    'with one seal too few': () => sealedBy(drawn(), quorum().slice(0, 2)),
    'with a seal twice': () => {
      const [a, b] = quorum() as [Key, Key]
      return sealedBy(drawn(), shuffled([a, b, random.pick([a, b])]))
    },
    'with a seal of high s': () => {
      const header = sealedBy(drawn(), quorum())
      const seals = [...sealsOf(header)]
      const index = random.whole(3)
      const seal = seals[index]!
      const s = CURVE_ORDER - BigInt(bytesToHex(seal.slice(32, 64)))
      const twin = hexToBytes(`0x${s.toString(16).padStart(64, '0')}` as Hash)
      seals[index] = concatBytes(seal.slice(0, 32), twin, Uint8Array.of(1 - seal[64]!))
      return withSeals(header, seals)
    },
    'with v of Ethereum': () => {
      const header = sealedBy(drawn(), quorum())
      const seals = sealsOf(header).map((seal) => seal.slice())
      seals[random.whole(3)]![64]! += 27
      return withSeals(header, seals)
    },
    'with seals of another round': () => {
      const header = drawn()
      const extra = decodeExtraData(header.extraData)
      const other = { ...header, extraData: encodeExtraData({ ...extra, round: extra.round + 1 }) }
      return withSeals(header, sealsOf(sealedBy(other, quorum())))
    },
    'with seals over the block hash in a later round': () => {
      const header = drawn()
      const extra = decodeExtraData(header.extraData)
      const round = Math.max(1, extra.round)
      const later = { ...header, extraData: encodeExtraData({ ...extra, round }) }
      const hash = hexToBytes(qbftHash(header))
      return withSeals(
        later,
        quorum().map((key) => signatureOf(hash, key)),
      )
    },
    'of the side chain, with the same validators': () =>
      sealedBy({ ...drawn(), parentBeaconBlockRoot: side.domain }, quorum()),
    'with another state root than was sealed': () => {
      const sealed = sealedBy(drawn(), quorum())
      return { ...sealed, stateRoot: bytesToHex(keccak256(Uint8Array.of(random.whole(256)))) }
    },
  }
  for (const [name, draw] of Object.entries(classes)) {
    test(name, async () => {
      for (let i = 0; i < 200; i++) {
        expect(await refused(2, draw())).toMatch(
          /^(SealInvalid|SealsInsufficient|TrustInsufficient|HeaderInvalid)$/,
        )
      }
      expect(await refused(2, sealedBy(drawn(), quorum()))).toBe('not refused')
    })
  }
})

test('who must have sealed: ceil(2/3) of the named set, and more than a third of the trusted one', async () => {
  const sizes = fc.integer({ min: 1, max: 13 })
  const cases = fc.record({
    trusted: sizes,
    named: sizes,
    common: fc.nat(13),
    sealers: fc.nat(13),
    seed: fc.nat(),
  })
  const drawnCases = fc.sample(cases, { numRuns: 120, seed: 5 })
  let accepted = 0
  for (const [index, { trusted, named, common, sealers, seed }] of drawnCases.entries()) {
    const random = createSeededRandom(seed)
    const before = validatorKeys(trusted, 'before')
    const shared = before.slice(0, Math.min(common, named))
    const after = [...shared, ...validatorKeys(named - shared.length, 'after')].toSorted((a, b) =>
      a.address < b.address ? -1 : 1,
    )
    const seals = after
      .map((key) => ({ key, place: random.whole(1_000_000) }))
      .toSorted((a, b) => a.place - b.place)
      .slice(0, sealers)
      .map(({ key }) => key)
    const first = sealedBy(withValidators(main.header(3), before), before)
    const chainId = 10_000 + index
    const start = [chainId, main.domain, hexOf(first), TRUSTING_PERIOD, CLOCK_DRIFT]
    await side.send(governor, CLIENT, 'createClient', start)
    const next = sealedBy(withValidators(main.header(5), after), seals)
    const outcome = await refusal(() => side.ask(CLIENT, 'updateClient', [chainId, 3, hexOf(next)]))
    const ofTrusted = seals.filter((key) => before.includes(key)).length
    const suffices = 3 * seals.length >= 2 * named && 3 * ofTrusted > trusted
    expect({ trusted, named, seals: seals.length, ofTrusted, outcome }).toEqual({
      trusted,
      named,
      seals: seals.length,
      ofTrusted,
      outcome: suffices
        ? 'not refused'
        : 3 * seals.length < 2 * named
          ? 'SealsInsufficient'
          : 'TrustInsufficient',
    })
    if (suffices) accepted++
  }
  expect(accepted).toBeGreaterThan(15)
  expect(drawnCases.length - accepted).toBeGreaterThan(15)
})

test('after 50 changes, by which all validators are others twice over, it has followed every one', async () => {
  let set = [...four]
  for (let i = 0; i < 50; i++) {
    set = [...set.slice(1), keyOf(`joined ${i}`)]
    main.validators = set.toSorted((a, b) => (a.address < b.address ? -1 : 1))
    pair.clock.seconds += 60
    await main.block()
    await side.block()
    const height = await follow(side, main)
    const members = side.ask<string[]>(CLIENT, 'validatorsAt', [MAIN_ID, height])
    expect(members.map((each) => each.toLowerCase())).toEqual(
      main.validators.map(({ address }) => address),
    )
  }
  expect(side.ask(CLIENT, 'latestHeight', [MAIN_ID])).toBe(BigInt(main.height()))
  // Whoever skips them has too few of those that it knows.
  await main.block()
  expect(await refused(2, main.header(main.height()))).toBe('TrustInsufficient')
})

describe('a client freezes', () => {
  const expectFrozen = async (known: number, contradicting: Header): Promise<void> => {
    expect(statusOf()).toBe(STATUS.frozen)
    const evidence = side.ask<{
      knownHeight: bigint
      knownHash: string
      contradictingHash: string
    }>(CLIENT, 'contradictionOf', [MAIN_ID])
    expect(evidence.knownHeight).toBe(BigInt(known))
    expect(evidence.knownHash).toBe(main.chain.hashAt(known))
    expect(evidence.contradictingHash).toBe(qbftHash(contradicting))
    expect(await rootAt(2)).toBe('ClientNotActive')
    expect(await rootAt(5)).toBe('ClientNotActive')
    expect(await refused(2, main.header(5))).toBe('ClientNotActive')
  }
  const other = bytesToHex(keccak256(Uint8Array.of(1)))

  test('by a second header of a kept height', async () => {
    await update(2, main.header(4))
    const second = forged(4, { stateRoot: other })
    const { events } = await update(2, second)
    expect(events.map(({ name }) => name)).toEqual(['ChainContradicted', 'ClientFrozen'])
    expect(events[0]!.args.sealedHeader).toBe(hexOf(second))
    await expectFrozen(4, second)
  })

  test('by a second header of the trusted height itself', async () => {
    const second = forged(2, { gasUsed: 1n })
    await update(2, second)
    await expectFrozen(2, second)
  })

  test('by a next header on another parent', async () => {
    const second = forged(3, { parentHash: other })
    await update(2, second)
    await expectFrozen(2, second)
  })

  test('by time that runs backwards from the one below', async () => {
    const second = forged(4, { timestamp: main.header(2).timestamp - 1 })
    await update(2, second)
    await expectFrozen(2, second)
  })

  test('by time that runs backwards to the one above', async () => {
    await update(2, main.header(5))
    const second = forged(4, { timestamp: main.header(5).timestamp + 1 })
    await update(2, second)
    await expectFrozen(5, second)
  })

  test('not by a header with too few seals, which is nothing', async () => {
    await update(2, main.header(4))
    expect(await refused(2, forged(4, { stateRoot: other }, four.slice(0, 2)))).toBe(
      'SealsInsufficient',
    )
    expect(statusOf()).toBe(STATUS.active)
  })

  test('not by blocks of one second', async () => {
    const { timestamp } = main.header(2)
    const next = forged(3, { timestamp, parentHash: main.chain.hashAt(2)! })
    await update(2, next)
    expect(statusOf()).toBe(STATUS.active)
  })

  test('by a guardian, who cannot set it going again', async () => {
    await expect(side.send(user, CLIENT, 'freezeClient', [MAIN_ID])).rejects.toThrow(
      'AccessManagedUnauthorized',
    )
    await side.send(guardian, CLIENT, 'freezeClient', [MAIN_ID])
    expect(await rootAt(2)).toBe('ClientNotActive')
    const revive = [MAIN_ID, main.sealedHeader(5)]
    await expect(side.send(guardian, CLIENT, 'reviveClient', revive)).rejects.toThrow(
      'AccessManagedUnauthorized',
    )
    await side.send(governor, CLIENT, 'reviveClient', revive)
    expect(statusOf()).toBe(STATUS.active)
    expect(await rootAt(5)).toBe('not refused')
    // What was known before may have been a lie.
    expect(await rootAt(2)).toBe('HeightUnknown')
    expect(await refused(2, main.header(4))).toBe('HeightUnknown')
  })

  test('and is closed for ever by governance', async () => {
    await side.send(governor, CLIENT, 'closeClient', [MAIN_ID])
    expect(statusOf()).toBe(STATUS.closed)
    expect(await rootAt(2)).toBe('ClientNotActive')
    const revive = [MAIN_ID, main.sealedHeader(5)]
    await expect(side.send(governor, CLIENT, 'reviveClient', revive)).rejects.toThrow(
      'ClientNotActive',
    )
    const create = [MAIN_ID, main.domain, main.sealedHeader(0), TRUSTING_PERIOD, CLOCK_DRIFT]
    await expect(side.send(governor, CLIENT, 'createClient', create)).rejects.toThrow(
      'ClientExists',
    )
  })
})

describe('time', () => {
  test('a client past its trusting period proves nothing and follows nothing', async () => {
    pair.clock.seconds = main.header(2).timestamp + TRUSTING_PERIOD
    await side.block()
    expect(await rootAt(2)).toBe('not refused')
    expect(await refused(2, main.header(5))).toBe('not refused')
    pair.clock.seconds += 1
    await side.block()
    expect(await rootAt(2)).toBe('ClientExpired')
    expect(await refused(2, main.header(5))).toBe('ClientExpired')
    await side.send(governor, CLIENT, 'reviveClient', [MAIN_ID, main.sealedHeader(5)])
    expect(await rootAt(5)).toBe('not refused')
  })

  test('headers too old for proofs are dropped, two with each update, and never the latest', async () => {
    for (const height of [3, 4, 5]) await update(height - 1, main.header(height))
    pair.clock.seconds += TRUSTING_PERIOD - 100
    await main.block()
    await follow(side, main)
    pair.clock.seconds += 200
    await main.block()
    await side.block()
    const kept = (height: number): Promise<string> =>
      refusal(() => side.ask(CLIENT, 'trustedHeader', [MAIN_ID, height]))
    expect(await rootAt(5)).toBe('ClientExpired')
    expect(await kept(0)).toBe('not refused')
    await follow(side, main)
    expect(await Promise.all([0, 2, 3].map(kept))).toEqual([
      'HeightUnknown',
      'HeightUnknown',
      'not refused',
    ])
    await main.block()
    await follow(side, main)
    expect(await Promise.all([3, 4, 5].map(kept))).toEqual([
      'HeightUnknown',
      'HeightUnknown',
      'not refused',
    ])
    expect(side.ask<{ oldestHeight: bigint }>(CLIENT, 'client', [MAIN_ID]).oldestHeight).toBe(5n)
    expect(await rootAt(main.height())).toBe('not refused')
  })
})

test('what was never known is never answered', async () => {
  const asked = (method: string, ...args: unknown[]): Promise<string> =>
    refusal(() => side.ask(CLIENT, method, args))
  expect(await asked('stateRoot', 999, 1)).toBe('ClientUnknown')
  expect(await asked('latestHeight', 999)).toBe('ClientUnknown')
  expect(await asked('updateClient', 999, 0, main.sealedHeader(5))).toBe('ClientUnknown')
  expect(await asked('stateRoot', 0, 0)).toBe('ClientUnknown')
  expect(await rootAt(3)).toBe('HeightUnknown')
  expect(await rootAt(2 ** 40)).toBe('HeightUnknown')
})

describe('two votes of one validator', () => {
  interface Vote {
    readonly content: string
    readonly signature: string
  }
  const digest = (n: number): Hash => bytesToHex(keccak256(Uint8Array.of(n)))
  interface VoteOptions {
    readonly kind?: 'prepare' | 'commit'
    readonly by?: Key
    readonly height?: number
    readonly round?: number
    readonly digest?: Hash
    readonly domain?: Hash
  }
  /** As a validator of that chain signs it. */
  function vote(options: VoteOptions): Vote {
    const { kind = 'prepare', by = four[0]!, height = 9, round = 0 } = options
    const domain = hexToBytes(options.domain ?? main.domain)
    const payload = { height, round, digest: options.digest ?? digest(1) }
    const sign = (hash: Uint8Array): Uint8Array =>
      signatureOf(keccak256(concatBytes(domain, hash)), by)
    const message =
      kind === 'prepare'
        ? signPrepare(payload, by.address, sign)
        : signCommit({ ...payload, seal: new Uint8Array(65).fill(height) }, by.address, sign)
    return {
      content: bytesToHex(signedContent(message)),
      signature: bytesToHex(message.signature),
    }
  }
  const evidence = (first: Vote, second: Vote): unknown[] => [
    MAIN_ID,
    2,
    first.content,
    first.signature,
    second.content,
    second.signature,
  ]

  for (const kind of ['prepare', 'commit'] as const) {
    test(`for different blocks, as ${kind}s, freeze the client and accuse it`, async () => {
      const votes = evidence(vote({ kind, round: 3 }), vote({ kind, round: 3, digest: digest(2) }))
      const { events } = await side.send(user, CLIENT, 'submitEquivocation', votes)
      expect(events.map(({ name }) => name)).toEqual(['ValidatorAccused', 'ClientFrozen'])
      expect(events[0]!.args.validator.toLowerCase()).toBe(four[0]!.address)
      expect(events[0]!.args.height).toBe(9n)
      expect(events[0]!.args.round).toBe(3n)
      expect(statusOf()).toBe(STATUS.frozen)
    })
  }

  test('accuse once; of a frozen client, others too', async () => {
    const first = evidence(vote({}), vote({ digest: digest(2) }))
    await side.send(user, CLIENT, 'submitEquivocation', first)
    const again = evidence(vote({ digest: digest(3) }), vote({ digest: digest(2) }))
    expect((await side.send(user, CLIENT, 'submitEquivocation', again)).events).toEqual([])
    const by = four[1]!
    const other = evidence(vote({ by }), vote({ by, digest: digest(2) }))
    const { events } = await side.send(user, CLIENT, 'submitEquivocation', other)
    expect(events.map(({ name }) => name)).toEqual(['ValidatorAccused'])
    // After it was revived, the old evidence does not freeze it again.
    await side.send(governor, CLIENT, 'reviveClient', [MAIN_ID, main.sealedHeader(5)])
    await side.send(user, CLIENT, 'submitEquivocation', first.with(1, 5))
    expect(statusOf()).toBe(STATUS.active)
  })

  const harmless: Record<string, () => unknown[]> = {
    'for one block': () => evidence(vote({}), vote({})),
    'in different rounds': () => evidence(vote({}), vote({ round: 1, digest: digest(2) })),
    'at different heights': () => evidence(vote({}), vote({ height: 10, digest: digest(2) })),
    'of different kinds': () => evidence(vote({}), vote({ kind: 'commit', digest: digest(2) })),
    'of different validators': () => evidence(vote({}), vote({ by: four[1]!, digest: digest(2) })),
    'of somebody who is no validator': () =>
      evidence(vote({ by: user }), vote({ by: user, digest: digest(2) })),
    'on different chains': () =>
      evidence(vote({}), vote({ domain: side.domain, digest: digest(2) })),
    'on another chain': () =>
      evidence(vote({ domain: side.domain }), vote({ domain: side.domain, digest: digest(2) })),
    'with a byte behind': () => {
      const second = vote({ digest: digest(2) })
      return evidence(vote({}), { ...second, content: `${second.content}00` })
    },
    'with signatures exchanged': () => {
      const [first, second] = [vote({}), vote({ digest: digest(2) })]
      return evidence(
        { ...first, signature: second.signature },
        { ...second, signature: first.signature },
      )
    },
    'with a signature of 64 bytes': () => {
      const second = vote({ digest: digest(2) })
      return evidence(vote({}), { ...second, signature: second.signature.slice(0, -2) })
    },
    'of an unknown client': () => evidence(vote({}), vote({ digest: digest(2) })).with(0, 999),
    'at a height that is not kept': () =>
      evidence(vote({}), vote({ digest: digest(2) })).with(1, 3),
  }
  for (const [name, draw] of Object.entries(harmless)) {
    test(`${name} prove nothing`, async () => {
      expect(await refusal(() => side.ask(CLIENT, 'submitEquivocation', draw()))).toMatch(
        /^(EvidenceInvalid|RlpInvalid|ClientUnknown|HeightUnknown)$/,
      )
    })
  }
})

test('a header with as many validators as there may be is judged for a bounded amount of gas', async () => {
  const many = validatorKeys(124, 'many')
  const set = [...four, ...many].toSorted((a, b) => (a.address < b.address ? -1 : 1))
  const header = sealedBy(withValidators(main.header(4), set), set)
  const { gasUsed } = await update(2, header)
  expect(gasUsed).toBeLessThan(6_000_000)
  expect(side.ask<string[]>(CLIENT, 'validatorsAt', [MAIN_ID, 4])).toHaveLength(128)
})
