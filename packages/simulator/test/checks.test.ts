/** Each rule is broken on purpose: a check that cannot fail checks nothing. */

import {
  encodeMessage,
  type ProposedBlock,
  proposedBlock,
  type SignHash,
  signCommit,
  signPrepare,
  signProposal,
} from '@vellum/consensus'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  hexToBytes,
  ZERO_HASH,
} from '@vellum/evm'
import {
  addressOfPublicKey,
  commitHash,
  type ExtraData,
  encodeExtraData,
  genesisHeader,
  type Header,
  parseGenesis,
  QBFT_MIX_HASH,
  qbftHash,
  type SealedHeader,
} from '@vellum/ledger'
import { recoverSeal } from '@vellum/node'
import { beforeEach, describe, expect, test } from 'vitest'
import { createCheapCrypto } from '../src/cheap-crypto.ts'
import { type Checks, createChecks } from '../src/checks.ts'
import { createMessageReader } from '../src/message-reader.ts'
import { createPrng } from '../src/prng.ts'

const crypto = createCheapCrypto()
const prng = createPrng('checks')

interface Validator {
  readonly address: Address
  readonly sign: SignHash
}

const validators: readonly Validator[] = Array.from({ length: 4 }, () => {
  const key = prng.bytes(32)
  const sign: SignHash = (hash) => {
    const { r, s, yParity } = crypto.sign(hash, key)
    return concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
  }
  return { address: addressOfPublicKey(crypto.publicKey(key)), sign }
}).sort((a, b) => (a.address < b.address ? -1 : 1))
const addresses = validators.map(({ address }) => address)
const [first, second] = validators as [Validator, Validator]
/** Not honest. */
const liar = validators[3]!

const template: Header = {
  ...genesisHeader(
    parseGenesis({ config: { chainId: 1, londonBlock: 0 }, difficulty: 1, gasLimit: 1, alloc: {} }),
    ZERO_HASH,
  ),
  mixHash: QBFT_MIX_HASH,
}

function headerOf(
  number: number,
  extra: Partial<ExtraData>,
  changes: Partial<Header> = {},
): Header {
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: addresses,
    vote: undefined,
    round: 0,
    seals: [],
    ...extra,
  })
  return { ...template, number, coinbase: first.address, extraData, ...changes }
}

/** A block with seals of these validators. */
function sealed(header: Header, extra: Partial<ExtraData>, by: readonly Validator[]): SealedHeader {
  const seals = by.map(({ sign }) => sign(commitHash(header)))
  const complete = headerOf(header.number, { ...extra, seals }, header)
  const named = { ...complete, extraData: headerOf(header.number, { ...extra, seals }).extraData }
  return { header: named, hash: qbftHash(named) }
}

function blockAt(
  number: number,
  extra: Partial<ExtraData> = {},
  by: readonly Validator[] = validators.slice(0, 3),
): SealedHeader {
  return sealed(headerOf(number, extra), extra, by)
}

const EMPTY_BODY = Uint8Array.of(0xc2, 0xc0, 0xc0)

function proposed(vanity: number, round: number): ProposedBlock {
  const bytes = new Uint8Array(32)
  bytes[0] = vanity
  return proposedBlock(headerOf(1, { vanity: bytes, round }), EMPTY_BODY)
}

let checks: Checks
const recover = recoverSeal(crypto)

beforeEach(() => {
  checks = createChecks({
    validators: addresses,
    epochLength: 30_000,
    isHonest: (node) => addresses.includes(node) && node !== liar.address,
    recover,
    readMessage: createMessageReader(recover, validators.length),
    now: () => 0,
    nameOf: (node) => `n${addresses.indexOf(node)}`,
  })
})

const rules = (): string[] => checks.violations.map(({ rule }) => rule)

function say(from: Validator, bytes: Uint8Array): void {
  checks.onWire({ from: from.address, to: second.address, channel: 'consensus', bytes })
}

function prepare(by: Validator, digest: `0x${string}`, round = 0, height = 1): Uint8Array {
  return encodeMessage(signPrepare({ height, round, digest }, by.address, by.sign))
}

function commit(by: Validator, digest: `0x${string}`, round = 0): Uint8Array {
  const seal = by.sign(hexToBytes(digest))
  return encodeMessage(signCommit({ height: 1, round, digest, seal }, by.address, by.sign))
}

function proposal(by: Validator, block: ProposedBlock, round: number): Uint8Array {
  const payload = { height: 1, round, block, accessList: undefined }
  return encodeMessage({
    kind: 'proposal',
    ...signProposal(payload, by.address, by.sign),
    roundChanges: [],
    prepares: [],
  })
}

const digest = (byte: number): `0x${string}` => bytesToHex(new Uint8Array(32).fill(byte))

describe('the checks', () => {
  test('find nothing where nothing is wrong', () => {
    for (const { address } of validators.slice(0, 3)) checks.onBlock(address, blockAt(1))
    checks.onBlock(first.address, blockAt(2))
    say(first, prepare(first, digest(1)))
    say(first, prepare(first, digest(1)))
    say(first, prepare(first, digest(2), 1))
    say(first, prepare(first, digest(3), 0, 2))
    expect(rules()).toEqual([])
    expect(checks.height).toBe(2)
  })

  test('S1: two honest nodes hold different blocks', () => {
    checks.onBlock(first.address, blockAt(1))
    checks.onBlock(second.address, blockAt(1, { vanity: new Uint8Array(32).fill(1) }))
    expect(rules()).toEqual(['S1'])
  })

  test('S1 is blind to the round and the seals of a block: they may differ', () => {
    checks.onBlock(first.address, blockAt(1))
    checks.onBlock(second.address, blockAt(1, { round: 3 }, [...validators.slice(1)]))
    expect(rules()).toEqual([])
    expect(checks.roundsLost).toBe(0)
  })

  test('S2: an honest node prepares two blocks in one round, however they travel', () => {
    say(first, prepare(first, digest(1)))
    say(second, prepare(first, digest(2)))
    expect(rules()).toEqual(['S2'])
  })

  test('S2 does not mind what a liar signs', () => {
    say(liar, prepare(liar, digest(1)))
    say(liar, prepare(liar, digest(2)))
    expect(rules()).toEqual([])
  })

  test('S3: an honest node supports another block after a quorum of commits', () => {
    const [one, other] = [proposed(1, 0), proposed(2, 1)]
    say(first, proposal(first, one, 0))
    for (const each of [first, second, liar]) say(each, commit(each, one.digest))
    say(second, proposal(second, other, 1))
    expect(rules()).toEqual(['S3'])
  })

  test('S3 takes the same block in a later round for the same, and needs a whole quorum', () => {
    const [one, again, other] = [proposed(1, 0), proposed(1, 1), proposed(2, 2)]
    say(first, proposal(first, one, 0))
    for (const each of [first, liar]) say(each, commit(each, one.digest))
    say(second, proposal(second, again, 1))
    say(second, proposal(second, other, 2))
    expect(rules()).toEqual([])
    // The third commit comes late: what was said before it counts too.
    say(second, commit(validators[2]!, one.digest))
    expect(rules()).toEqual(['S3'])
  })

  test('S4: rounds and heights of what a node says never fall', () => {
    say(first, prepare(first, digest(1), 2))
    say(first, prepare(first, digest(2), 1))
    expect(rules()).toEqual(['S4'])
    say(second, prepare(second, digest(3), 0, 2))
    say(second, prepare(second, digest(3), 5, 1))
    expect(rules()).toEqual(['S4', 'S4'])
    // Somebody else may pass on what is older.
    say(second, prepare(first, digest(4), 0))
    expect(rules()).toEqual(['S4', 'S4'])
  })

  test.for<readonly [string, readonly Validator[]]>([
    ['too few seals', validators.slice(0, 2)],
    ['a seal twice', [first, second, second]],
    ['a seal of nobody in the set', [first, second, { ...liar, sign: first.sign }]],
  ])('S5: a block with %s', ([, by]) => {
    checks.onBlock(first.address, blockAt(1, {}, by))
    expect(rules()).toEqual(['S5'])
  })

  test('S5: seals of another round', () => {
    const { header } = blockAt(1)
    const other = headerOf(1, {
      round: 1,
      seals: validators.slice(0, 3).map(({ sign }) => sign(commitHash(header))),
    })
    checks.onBlock(first.address, { header: other, hash: qbftHash(other) })
    expect(rules()).toEqual(['S5'])
  })

  test('S6: a header names another set than votes lead to', () => {
    checks.onBlock(first.address, blockAt(1, { validators: addresses.slice(0, 3) }))
    expect(rules()).toEqual(['S6'])
  })

  test('S6 follows the votes', () => {
    const vote = { recipient: `0x${'ff'.repeat(20)}` as Address, kind: 'add' as const }
    for (let number = 1; number <= 3; number++) {
      const { header } = blockAt(number, { vote })
      const voter = { ...header, coinbase: addresses[number]! }
      checks.onBlock(first.address, sealed(voter, { vote }, validators.slice(0, 3)))
    }
    checks.onBlock(
      first.address,
      blockAt(4, { validators: [...addresses, vote.recipient] }, validators),
    )
    expect(rules()).toEqual([])
  })

  test('P1: an honest node takes another for a liar', () => {
    const penalty = { by: first.address, peer: second.address, reason: 'a seal' }
    checks.onPenalty({ ...penalty, weight: 'slight' })
    checks.onPenalty({ ...penalty, peer: liar.address, weight: 'severe' })
    expect(rules()).toEqual([])
    checks.onPenalty({ ...penalty, weight: 'severe' })
    expect(rules()).toEqual(['P1'])
  })
})
