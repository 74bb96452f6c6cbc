/** Identities and licences of several chains, told by nodes that answer what a test says. */

import { IDENTITY_STATUSES, LICENCE_STATUSES } from '@vellum/contracts'
import { type Address, bigIntToBytes, bytesToBigInt, bytesToHex, concatBytes } from '@vellum/evm'
import type { VellumNode } from '@vellum/node'
import { topicOf } from '@vellum/sidechain'
import { expect, test } from 'vitest'
import type { PegRule } from '../src/peg/checks.ts'
import { AT, IDENTITIES, IDENTITY_PEG, LICENCES } from '../src/peg/contracts.ts'
import type { PegChain } from '../src/peg/genesis.ts'
import { createRecordChecks } from '../src/peg/record-checks.ts'

const { active, suspended } = IDENTITY_STATUSES
const { inForce, transferredOut } = LICENCE_STATUSES
const PERSON: Address = `0x${'11'.repeat(20)}`
const word = (value: bigint | number): Uint8Array => bigIntToBytes(BigInt(value), 32)

const chains = [
  { name: 'main', chainId: 1 },
  { name: 'business', chainId: 2 },
  { name: 'health', chainId: 3 },
] as unknown as [PegChain, PegChain, PegChain]
const [main, business, health] = chains

interface State {
  /** Of the person, there. */
  readonly status?: number
  readonly version?: number
  /** Status of each licence; its identifier is its number plus one. */
  readonly licences?: readonly number[]
  /** Version of a claim that main takes for applied on business. */
  readonly applied?: number
  readonly isOpen?: boolean
}

function nodeWith({
  status,
  version = 1,
  licences = [],
  applied,
  isOpen = true,
}: State): VellumNode {
  const answers = (to: Address, data: Uint8Array): Uint8Array | undefined => {
    const is = ({ selector }: { selector: Uint8Array }): boolean =>
      selector.every((byte, i) => data[i] === byte)
    const number = Number(bytesToBigInt(data.subarray(4, 36)) & 0xffffn)
    if (to === AT.identityPeg && is(IDENTITY_PEG.presenceOf)) {
      return concatBytes(word(isOpen ? 1 : 0), ...Array.from({ length: 5 }, () => word(0)))
    }
    if (to === AT.identityRegistry && is(IDENTITIES.statusOf)) return word(status ?? 0)
    if (to === AT.identityRegistry && is(IDENTITIES.recordOf)) {
      if (status === undefined) return undefined
      const rest = [word(1), word(1), word(version), word(0), word(0)]
      return concatBytes(word(BigInt(PERSON)), word(status), ...rest)
    }
    if (to === AT.licenceRegistry && is(LICENCES.licenceCount)) return word(licences.length)
    if (to === AT.licenceRegistry && is(LICENCES.statusOf)) return word(licences[number]!)
    if (to === AT.licenceRegistry && is(LICENCES.licence)) {
      return concatBytes(word(number + 1), word(0), word(0), word(0), word(BigInt(PERSON)))
    }
    throw new Error(`nobody asks ${to} for ${bytesToHex(data.subarray(0, 4))}`)
  }
  const logs =
    applied === undefined
      ? [{ address: AT.licenceRegistry, topics: [], data: new Uint8Array(0) }]
      : [
          {
            address: AT.identityPeg,
            topics: [
              topicOf('ClaimApplied(address,uint64,bytes32,uint64,uint8)'),
              bytesToHex(word(BigInt(PERSON))),
              bytesToHex(word(business.chainId)),
            ],
            data: concatBytes(word(applied), word(suspended)),
          },
        ]
  return {
    chain: { receipts: () => [{ logs }], head: () => ({ header: { number: 1 } }) },
    backend: {
      simulator: {
        call: ({ request: { to, data } }: { request: { to: Address; data: Uint8Array } }) => {
          const output = answers(to, data)
          return output === undefined ? { status: 'reverted' } : { status: 'success', output }
        },
      },
    },
  } as unknown as VellumNode
}

function createTale() {
  const rules: PegRule[] = []
  const checks = createRecordChecks({
    chains,
    people: [{ address: PERSON, key: new Uint8Array(32) }],
    isTrusted: () => true,
    checks: { violate: (rule) => void rules.push(rule) },
  })
  return {
    rules,
    checks,
    block: (chain: PegChain, state: State) => checks.onBlock(chain, nodeWith(state), 1),
  }
}

test('a licence that has left one chain may be in force on another', () => {
  const { rules, block } = createTale()
  block(business, { status: active, licences: [transferredOut] })
  block(health, { status: active, licences: [inForce] })
  expect(rules).toEqual([])
})

test('T1: a licence is in force on two chains', () => {
  const { rules, block } = createTale()
  block(business, { status: active, licences: [inForce] })
  block(health, { status: active, licences: [inForce] })
  expect(rules).toEqual(['T1'])
})

test('I2: a licence is in force although its holder is suspended there', () => {
  const { rules, block } = createTale()
  block(business, { status: suspended, licences: [inForce] })
  expect(rules).toEqual(['I2'])
})

test('I2: main takes a claim for applied that the side chain has not got', () => {
  const { rules, block } = createTale()
  block(business, { status: active, version: 3 })
  block(main, { applied: 3 })
  expect(rules).toEqual([])
  block(main, { applied: 4 })
  expect(rules).toEqual(['I2'])
})

test('I1: in the end a side chain says something else than main', () => {
  const { rules, checks } = createTale()
  const states = new Map([
    [main, { status: suspended }],
    [business, { status: suspended }],
    [health, { status: active }],
  ])
  checks.atEnd((chain) => nodeWith(states.get(chain)!))
  expect(rules).toEqual(['I1'])
})

test('I1 is not asked where an identity is not open, nor of a chain that is lost', () => {
  const { rules, checks } = createTale()
  checks.atEnd(() => nodeWith({ isOpen: false }))
  checks.atEnd((chain) => (chain === main ? nodeWith({ status: active }) : undefined))
  expect(rules).toEqual([])
})
