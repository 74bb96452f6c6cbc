/**
 * Who may send, deploy and connect: what the `Permissions` contract of a chain has in its storage.
 *
 * The slots are read and the contract is never called, so the rule that held for a block is proven by
 * `eth_getProof` at its parent. A block is judged by the state before it: what it changes itself holds
 * from the next one on.
 */

import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
  keccak256Hex,
} from '@vellum/evm'
import { LedgerError } from './error.ts'

/** Storage of the contract: `docs/protocol/permissions.md`. */
export const PERMISSION_SLOTS = {
  /** `mapping(address => uint256)`: the bits of `PERMISSION`. */
  flags: 0n,
  /** `uint256`: the bits of `PERMISSION` that are asked for; the others everybody has. */
  mode: 1n,
  /** `address[]`: who may connect. */
  nodes: 2n,
} as const

export const PERMISSION = { send: 1n, deploy: 2n } as const

export const PERMISSION_LIMITS = {
  /** Nodes of the list that are read: those beyond are not admitted. */
  nodes: 1_024,
  /** Accounts whose flags at one state are remembered. */
  known: 10_000,
} as const

/** A slot of the contract at one state. */
export type ReadSlot = (slot: Hash) => bigint

/** Judges senders at one state; those that come again are not looked up again. */
export interface Permissions {
  /**
   * @param to undefined for a transaction that creates a contract
   * @throws LedgerError LEDGER_NOT_PERMITTED
   */
  assertMay(sender: Address, to: Address | undefined): void
}

export function readPermissions(read: ReadSlot): Permissions {
  let mode: bigint | undefined
  const known = new Map<Address, bigint>()

  function flagsOf(account: Address): bigint {
    const seen = known.get(account)
    if (seen !== undefined) return seen
    const flags = read(permissionSlot(account))
    if (known.size >= PERMISSION_LIMITS.known) known.clear()
    known.set(account, flags)
    return flags
  }

  return {
    assertMay(sender, to) {
      mode ??= read(slotOf(PERMISSION_SLOTS.mode))
      const asked =
        mode & (to === undefined ? PERMISSION.send | PERMISSION.deploy : PERMISSION.send)
      if (asked === 0n) return
      const lacking = asked & ~flagsOf(sender)
      if (lacking === 0n) return
      const what = (lacking & PERMISSION.send) !== 0n ? 'send transactions' : 'deploy contracts'
      throw new LedgerError('LEDGER_NOT_PERMITTED', `${sender} may not ${what} on this chain`, {
        sender,
      })
    },
  }
}

/** Where the flags of an account lie. */
export function permissionSlot(account: Address): Hash {
  const key = concatBytes(new Uint8Array(12), hexToBytes(account))
  return keccak256Hex(concatBytes(key, bigIntToBytes(PERMISSION_SLOTS.flags, 32)))
}

/** Addresses of the keys of nodes that may connect, in the order of the list. */
export function permittedNodes(read: ReadSlot): Address[] {
  const length = read(slotOf(PERMISSION_SLOTS.nodes))
  const count = length < PERMISSION_LIMITS.nodes ? Number(length) : PERMISSION_LIMITS.nodes
  const first = BigInt(keccak256Hex(bigIntToBytes(PERMISSION_SLOTS.nodes, 32)))
  return Array.from({ length: count }, (_, i) => {
    const word = bigIntToBytes(read(slotOf(first + BigInt(i))), 32)
    return bytesToHex(word.subarray(12))
  })
}

function slotOf(slot: bigint): Hash {
  return bytesToHex(bigIntToBytes(slot & SLOT_MASK, 32))
}

const SLOT_MASK = 2n ** 256n - 1n
