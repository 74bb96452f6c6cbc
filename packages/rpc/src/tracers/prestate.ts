/**
 * `prestateTracer` of go-ethereum: the accounts that a transaction touched, as they were before it,
 * and in diff mode what it changed in them.
 */

import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  createAddress,
  delegateOf,
  equalBytes,
  type Fork,
  type FrameStart,
  type Halt,
  type Hash,
  isAtLeast,
  keccak256Hex,
  type Step,
  type World,
} from '@vellum/evm'
import { data, hex, quantity } from '../format.ts'
import { type JsonText, jsonObject } from '../json.ts'
import type { Recorder, Room } from './recorder.ts'

export interface PrestateOptions {
  /** What changed, before and after, in place of all that was touched. */
  readonly isDiff: boolean
  readonly isCodeShown: boolean
  readonly isStorageShown: boolean
  /** Accounts too that were empty before. */
  readonly isEmptyShown: boolean
}

interface Found {
  readonly balance: bigint
  readonly nonce: bigint
  readonly code: Uint8Array
  readonly storage: Map<Hash, bigint>
}

const ACCOUNT_CHARS = 200
const SLOT_CHARS = 140

export function createPrestate(options: PrestateOptions, room: Room): Recorder {
  const before = new Map<Address, Found>()
  const created = new Set<Address>()
  const destroyed = new Set<Address>()
  /** What the opcode at hand made us look at for the first time. */
  let undo: (() => void)[] = []
  let world: World
  let fork: Fork
  let text: JsonText = '{}'

  function lookAt(address: Address): Found {
    const known = before.get(address)
    if (known !== undefined) return known
    const found: Found = {
      balance: world.balance(address),
      nonce: world.nonce(address),
      code: world.code(address),
      storage: new Map(),
    }
    room.take(ACCOUNT_CHARS + (options.isCodeShown ? 2 * found.code.length : 0))
    before.set(address, found)
    undo.push(() => before.delete(address))
    return found
  }

  /** The account, and that whose code it runs (EIP-7702). */
  function lookAtCallee(address: Address): void {
    const delegate = delegateOf(lookAt(address).code)
    if (delegate !== undefined && isAtLeast(fork, 'prague')) lookAt(delegate)
  }

  function lookAtSlot(address: Address, slot: bigint): void {
    const { storage } = lookAt(address)
    const name: Hash = `0x${slot.toString(16).padStart(64, '0')}`
    if (!options.isStorageShown || storage.has(name)) return
    room.take(SLOT_CHARS)
    storage.set(name, world.storage(address, name))
    undo.push(() => storage.delete(name))
  }

  function step(current: Step): void {
    undo = []
    const { op, stackSize, address } = current
    switch (op) {
      case 0x54: // SLOAD
      case 0x55: // SSTORE
        if (stackSize >= 1) lookAtSlot(address, current.stackAt(0))
        break
      case 0x31: // BALANCE
      case 0x3b: // EXTCODESIZE
      case 0x3c: // EXTCODECOPY
      case 0x3f: // EXTCODEHASH
        if (stackSize >= 1) lookAt(addressOf(current.stackAt(0)))
        break
      case 0xff: // SELFDESTRUCT
        if (stackSize < 1) break
        lookAt(addressOf(current.stackAt(0)))
        if (!isAtLeast(fork, 'cancun') || created.has(address)) {
          destroyed.add(address)
          undo.push(() => destroyed.delete(address))
        }
        break
      case 0xf1: // CALL
      case 0xf2: // CALLCODE
      case 0xf4: // DELEGATECALL
      case 0xfa: // STATICCALL
        if (stackSize >= 5) lookAtCallee(addressOf(current.stackAt(1)))
        break
    }
  }

  /** An opcode that could not be paid for has touched nothing. */
  function stepEnd(_gasCost: bigint, halt: Halt | undefined): void {
    if (halt === 'outOfGas') for (const each of undo) each()
  }

  function enter({ type, to }: FrameStart): void {
    if (type === 'CREATE' || type === 'CREATE2') lookAtCreated(to)
  }

  function lookAtCreated(address: Address): void {
    lookAt(address)
    created.add(address)
  }

  /** What the transaction changed; undefined: nothing. A destroyed account has no `post`. */
  function changesOf(
    address: Address,
    found: Found,
  ): { readonly pre: JsonText; readonly post: JsonText | undefined } | undefined {
    const slots = [...found.storage]
    if (destroyed.has(address)) {
      const storage = new Map(slots.filter(([, value]) => value !== 0n))
      return { pre: formatFound({ ...found, storage }), post: undefined }
    }
    const after: [string, JsonText][] = []
    const balance = world.balance(address)
    const nonce = world.nonce(address)
    const code = world.code(address)
    if (balance !== found.balance) after.push(['balance', quantity(balance)])
    if (nonce !== found.nonce) after.push(['nonce', `${nonce}`])
    if (!equalBytes(code, found.code)) {
      after.push(['codeHash', hex(keccak256Hex(code))])
      if (options.isCodeShown) after.push(['code', data(code)])
    }
    const changed = slots
      .map(([slot, value]) => ({ slot, value, now: world.storage(address, slot) }))
      .filter(({ value, now }) => value !== now)
    const slotsAfter = changed.filter(({ now }) => now !== 0n)
    if (slotsAfter.length > 0) {
      after.push(['storage', formatSlots(new Map(slotsAfter.map(({ slot, now }) => [slot, now])))])
    }
    if (after.length === 0 && changed.length === 0) return undefined
    const storage = new Map(
      changed.filter(({ value }) => value !== 0n).map(({ slot, value }) => [slot, value]),
    )
    return { pre: formatFound({ ...found, storage }), post: jsonObject(after) }
  }

  function formatFound({ balance, nonce, code, storage }: Found): JsonText {
    const members: [string, JsonText][] = [['balance', quantity(balance)]]
    if (code.length > 0) {
      if (options.isCodeShown) members.push(['code', data(code)])
      members.push(['codeHash', hex(keccak256Hex(code))])
    }
    if (nonce > 0n) members.push(['nonce', `${nonce}`])
    if (storage.size > 0) members.push(['storage', formatSlots(storage)])
    return jsonObject(members)
  }

  function isShown({ balance, nonce, code }: Found): boolean {
    return options.isEmptyShown || balance > 0n || nonce > 0n || code.length > 0
  }

  return {
    start(transaction) {
      const { sender, to, coinbase } = transaction
      world = transaction.world
      fork = transaction.fork
      lookAt(sender)
      if (to === undefined) lookAtCreated(createAddress(sender, world.nonce(sender)))
      else lookAtCallee(to)
      lookAt(coinbase)
      for (const authority of transaction.authorities()) lookAt(authority)
      return { step, stepEnd, enter }
    },
    end() {
      if (!options.isDiff) {
        const shown = [...before].filter(([, found]) => isShown(found))
        text = jsonObject(shown.map(([address, found]) => [address, formatFound(found)]))
        return
      }
      const pre: [string, JsonText][] = []
      const post: [string, JsonText][] = []
      for (const [address, found] of before) {
        const changes = changesOf(address, found)
        if (changes === undefined) continue
        if (isShown(found)) pre.push([address, changes.pre])
        if (changes.post !== undefined) post.push([address, changes.post])
      }
      text = `{"post":${jsonObject(post)},"pre":${jsonObject(pre)}}`
    },
    result: () => text,
  }
}

const ADDRESS_MASK = (1n << 160n) - 1n

function addressOf(word: bigint): Address {
  return bytesToHex(bigIntToBytes(word & ADDRESS_MASK, 20))
}

function formatSlots(slots: ReadonlyMap<Hash, bigint>): JsonText {
  return jsonObject(
    [...slots].map(([slot, value]) => [slot, `"0x${value.toString(16).padStart(64, '0')}"`]),
  )
}
