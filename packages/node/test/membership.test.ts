import { type Address, bigIntToBytes, bytesToHex, type Hash, keccak256Hex } from '@vellum/evm'
import type { StateView } from '@vellum/ledger'
import { expect, test } from 'vitest'
import { createMembership } from '../src/membership.ts'

const CONTRACT: Address = '0x0000000000000000000000000000000000005603'
const [A, B, C] = ['aa', 'bb', 'cc'].map((byte): Address => `0x${byte.repeat(20)}`) as [
  Address,
  Address,
  Address,
]
const slotOf = (slot: bigint): Hash => bytesToHex(bigIntToBytes(slot, 32))
const FIRST = BigInt(keccak256Hex(bigIntToBytes(2n, 32)))

/** A state whose contract lists these nodes, and how often its slots were read. */
function stateWith(nodes: readonly Address[]): { view: StateView; reads: () => number } {
  const slots = new Map<Hash, bigint>([
    [slotOf(2n), BigInt(nodes.length)],
    ...nodes.map((node, i) => [slotOf(FIRST + BigInt(i)), BigInt(node)] as const),
  ])
  let reads = 0
  const view = {
    account: () => ({ storageRoot: keccak256Hex(new TextEncoder().encode(nodes.join())) }),
    storage: (_: Address, slot: Hash) => {
      reads += 1
      return slots.get(slot) ?? 0n
    },
  } as unknown as StateView
  return { view, reads: () => reads }
}

test('validators and listed nodes may connect, each named once', () => {
  const { view } = stateWith([B, C])
  const { members } = createMembership({ state: () => view }, CONTRACT)
  expect(members([A, B])).toEqual([A, B, C])
})

test('the list is read again only when the contract’s storage has changed', () => {
  const first = stateWith([B])
  let current = first
  const { members } = createMembership({ state: () => current.view }, CONTRACT)
  expect(members([A])).toEqual([A, B])
  expect(members([C])).toEqual([C, B])
  expect(first.reads()).toBe(2)
  current = stateWith([])
  expect(members([A])).toEqual([A])
})

test('a chain without the contract admits its validators', () => {
  const { view, reads } = stateWith([B])
  expect(createMembership({ state: () => view }, undefined).members([A])).toEqual([A])
  expect(reads()).toBe(0)
})
