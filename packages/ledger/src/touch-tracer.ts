/**
 * Notes the accounts and slots that a run touches, also in frames that were undone later: what an
 * access list should name (EIP-2930).
 */

import { type Address, bigIntToBytes, bytesToHex, type Hash, type Tracer } from '@vellum/evm'
import type { AccessListEntry } from './transaction.ts'

export interface TouchTracer {
  readonly tracer: Tracer
  /** All that was touched so far, in order of first touch. */
  accessList(): AccessListEntry[]
}

const ADDRESS_MASK = (1n << 160n) - 1n

/**
 * @param initial what is listed from the start
 * @param free addresses that are never dear, and stand in the list only for the sake of their slots
 */
export function createTouchTracer(
  initial: readonly AccessListEntry[],
  free: ReadonlySet<Address>,
): TouchTracer {
  const touched = new Map<Address, Set<Hash>>()

  function touch(address: Address): Set<Hash> {
    const known = touched.get(address)
    if (known !== undefined) return known
    const slots = new Set<Hash>()
    touched.set(address, slots)
    return slots
  }

  for (const { address, storageKeys } of initial) {
    const slots = touch(address)
    for (const slot of storageKeys) slots.add(slot)
  }

  const tracer: Tracer = {
    step(step) {
      switch (step.op) {
        case 0x54: // SLOAD
        case 0x55: // SSTORE
          if (step.stackSize > 0) touch(step.address).add(wordToHash(step.stackAt(0)))
          break
        case 0x31: // BALANCE
        case 0x3b: // EXTCODESIZE
        case 0x3c: // EXTCODECOPY
        case 0x3f: // EXTCODEHASH
        case 0xff: // SELFDESTRUCT
          if (step.stackSize > 0) touch(wordToAddress(step.stackAt(0)))
          break
        case 0xf1: // CALL
        case 0xf2: // CALLCODE
        case 0xf4: // DELEGATECALL
        case 0xfa: // STATICCALL
          if (step.stackSize > 1) touch(wordToAddress(step.stackAt(1)))
          break
      }
    },
  }

  return {
    tracer,
    accessList: () =>
      [...touched]
        .filter(([address, slots]) => slots.size > 0 || !free.has(address))
        .map(([address, slots]) => ({ address, storageKeys: [...slots] })),
  }
}

function wordToAddress(word: bigint): Address {
  return bytesToHex(bigIntToBytes(word & ADDRESS_MASK, 20))
}

function wordToHash(word: bigint): Hash {
  return bytesToHex(bigIntToBytes(word, 32))
}
