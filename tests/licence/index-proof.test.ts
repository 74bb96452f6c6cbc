/** Proofs of licences in the index of the main chain, as somebody checks them who has its validators alone. */

import type { Address, Hash } from '@vellum/evm'
import {
  type IndexProof,
  indexSlotOf,
  LicenceError,
  provenStorageRoot,
  provenWord,
  type TrustedChain,
  verifyIndexProof,
} from '@vellum/licence'
import { getAddress, getBytes, id, toBeHex } from 'ethers'
import { beforeAll, expect, test } from 'vitest'
import { hexOf, keyOf, type PegChain, sealedBy, withValidators } from '../contracts/peg-chains.ts'
import {
  AT,
  issue,
  openNetwork,
  type PegNetwork,
  SIDE_IDS,
  settle,
} from '../contracts/peg-network.ts'
import { CODES, YEAR } from '../contracts/world.ts'

const [A] = SIDE_IDS
const person = keyOf('person')
let network: PegNetwork
let main: PegChain
let trusted: TrustedChain
let proof: IndexProof
let number: number

beforeAll(async () => {
  network = await openNetwork({ sides: 1 })
  main = network.main
  await settle(network, person)
  await network.carry()
  // So that the index has more than one leaf.
  for (let i = 0; i < 3; i++) number = await issue(network.sides[0]!, person, `licence ${i}`)
  await network.carry()
  trusted = {
    chainId: BigInt(main.chainId),
    registry: AT.licenceRegistry,
    domain: main.domain,
    validators: [{ from: 0, set: main.validators.map(({ address }) => address) }],
  }
  proof = proofAt(main.height())
})

function proofAt(height: number): IndexProof {
  const first = indexSlotOf(BigInt(A), BigInt(number))
  const slots = Array.from({ length: 6 }, (_, i) => toBeHex(first + BigInt(i), 32) as Hash)
  const state = main.chain.stateAt(height)
  const { accountProof, storage } = state.prove(AT.licencePeg as Address, slots)
  return {
    chainId: BigInt(A),
    number: BigInt(number),
    header: getBytes(main.sealedHeader(height)),
    account: accountProof,
    slots: storage.map((each) => each.proof),
  }
}

const rule = (): { now: number; ageMax: number } => ({ now: network.clock.seconds, ageMax: 60 })

/** @returns `accepted`, or why not */
function verdictOf(given: IndexProof, chain: TrustedChain = trusted, at = rule()): string {
  try {
    const verdict = verifyIndexProof(given, chain, at)
    return verdict.ok ? 'accepted' : verdict.reason
  } catch (error) {
    if (error instanceof LicenceError) return error.code
    throw error
  }
}

test('says what the index has of the licence', () => {
  const verdict = verifyIndexProof(proof, trusted, rule())
  expect(verdict).toMatchObject({
    ok: true,
    licence: {
      chainId: BigInt(A),
      number: BigInt(number),
      identifier: id('licence 2'),
      content: id('content of licence 2'),
      licenceType: '11100000000013338W011',
      issuer: CODES.issuer,
      holder: getAddress(person.address),
      version: 1,
      status: 'InForce',
      height: main.height(),
      time: network.clock.seconds,
    },
  })
})

test('says what the identity makes of it, once the side chain has told', async () => {
  await main.send(keyOf('registrar'), AT.identityRegistry, 'suspend', [person.address, 1])
  await network.carry()
  const suspended = verifyIndexProof(proofAt(main.height()), trusted, rule())
  expect(suspended).toMatchObject({ ok: true, licence: { status: 'Suspended' } })
  await main.send(keyOf('registrar'), AT.identityRegistry, 'reinstate', [person.address, 1])
  await network.carry()
  network.clock.seconds += YEAR
  await main.block()
  const lapsed = verifyIndexProof(proofAt(main.height()), trusted, rule())
  expect(lapsed).toMatchObject({ ok: true, licence: { status: 'Lapsed' } })
  proof = proofAt(main.height())
})

/** Each byte with another of its bits flipped. */
function flipped(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (byte, i) => bytes.with(i, byte ^ (1 << (i % 8))))
}

test('a flipped bit in any byte of the header is refused', () => {
  for (const header of flipped(proof.header)) {
    expect(verdictOf({ ...proof, header })).not.toBe('accepted')
  }
})

test('a flipped bit in any byte of a path is refused', () => {
  const root = main.header(main.height()).stateRoot
  const { account, slots } = proof
  const storageRoot = provenStorageRoot(root, AT.licencePeg, account)!
  let flips = 0
  for (const [i, node] of account.entries()) {
    for (const changed of flipped(node)) {
      expect(provenStorageRoot(root, AT.licencePeg, account.with(i, changed))).toBeUndefined()
      flips++
    }
  }
  const first = indexSlotOf(BigInt(A), BigInt(number))
  for (const [i, path] of slots.entries()) {
    const slot = first + BigInt(i)
    expect(provenWord(storageRoot, slot, path)).toBeGreaterThan(0n)
    for (const [j, node] of path.entries()) {
      for (const changed of flipped(node)) {
        expect(provenWord(storageRoot, slot, path.with(j, changed))).toBeUndefined()
        flips++
      }
    }
  }
  expect(flips).toBeGreaterThan(3_000)
})

test('what is missing, too much, or another’s is refused', () => {
  const { account, slots } = proof
  const cases: [string, IndexProof, string][] = [
    ['no account', { ...proof, account: [] }, 'account not proven'],
    ['an account cut short', { ...proof, account: account.slice(0, -1) }, 'account not proven'],
    ['a node too much', { ...proof, account: [...account, account[0]!] }, 'account not proven'],
    ['no slots', { ...proof, slots: [] }, 'licence not proven'],
    ['a slot less', { ...proof, slots: slots.slice(0, -1) }, 'licence not proven'],
    ['slots of another order', { ...proof, slots: slots.toReversed() }, 'licence not proven'],
    ['slots of another licence', { ...proof, number: 0n }, 'licence not proven'],
    ['slots of another chain', { ...proof, chainId: 1n }, 'licence not proven'],
    ['an empty node', { ...proof, account: [new Uint8Array(0)] }, 'account not proven'],
  ]
  for (const [name, given, reason] of cases) expect(verdictOf(given), name).toBe(reason)
  expect(verdictOf({ ...proof, header: new Uint8Array(0) })).toBe('LICENCE_HEADER_UNUSUAL')
})

test('a header of others is refused: of other validators, with too few seals, of another chain, too old', () => {
  const header = main.header(main.height())
  const others = ['a', 'b', 'c', 'd'].map(keyOf)
  const given = (changed: typeof header): IndexProof => ({
    ...proof,
    header: getBytes(hexOf(changed)),
  })
  const byOthers = sealedBy(header, others.slice(0, 3))
  expect(verdictOf(given(byOthers))).toBe('not sealed by the validators')
  expect(verdictOf(given(sealedBy(header, main.validators.slice(0, 2))))).toBe('too few seals')
  const own = withValidators(
    { ...header, beneficiary: others[0]!.address } as typeof header,
    others,
  )
  expect(verdictOf(given(sealedBy(own, others.slice(0, 3))))).not.toBe('accepted')
  const elsewhere = { ...trusted, domain: network.sides[0]!.domain }
  expect(verdictOf(proof, elsewhere)).toBe('header of another chain')
  const { now, ageMax } = rule()
  expect(verdictOf(proof, trusted, { now: now + 61, ageMax })).toBe('proof too old')
  expect(verdictOf(proof, trusted, { now: now - 60, ageMax })).toBe('header from the future')
  const later = { ...trusted, validators: [{ from: main.height() + 1, set: [] }] }
  expect(verdictOf(proof, later)).toBe('height before trust')
})
