/**
 * The world's tables and journal. Classes, as the machine reads their fields on its hottest paths
 * and V8 must see one shape; the interface and its contract are in `world.ts`.
 */

import type { Address, Hash } from './bytes.ts'
import { NO_BYTES, ZERO_HASH } from './bytes.ts'
import type { Log } from './context.ts'
import { EvmError } from './error.ts'
import type { Fork } from './fork.ts'
import { isAtLeast } from './fork.ts'
import { keccak256Hex } from './keccak.ts'
import {
  type AddressKey,
  addressKey,
  addressOfKey,
  bigIntOfKey,
  hashOfKey,
  type WordKey,
  wordKey,
  wordKeyOfBigInt,
  ZERO_WORD,
} from './key.ts'
import type { Access, Checkpoint, World } from './world.ts'
import type { AccountChange, AccountRecord, WorldChanges, WorldReader } from './world-reader.ts'

export const EMPTY_CODE_HASH: Hash = keccak256Hex(NO_BYTES)

const UINT64_LIMIT = 1n << 64n
const UINT256_LIMIT = 1n << 256n

/** RIPEMD-160. A touch of it outlives a revert, as in block 2,675,119 of the main network. */
const RIPEMD_KEY: AddressKey = addressKey('0x0000000000000000000000000000000000000003')

/** A storage slot. `stamp` and `warmStamp` are numbers of transactions. */
export class Slot {
  readonly account: Account
  readonly key: WordKey
  /** At the start of the block. */
  readonly first: WordKey
  /** At the start of transaction `stamp`. */
  original: WordKey
  current: WordKey
  stamp: number
  warmStamp: number = 0
  private text: Hash | undefined

  constructor(
    account: Account,
    key: WordKey,
    text: Hash | undefined,
    first: WordKey,
    stamp: number,
  ) {
    this.account = account
    this.key = key
    this.text = text
    this.first = first
    this.original = first
    this.current = first
    this.stamp = stamp
  }

  hash(): Hash {
    this.text ??= hashOfKey(this.key)
    return this.text
  }
}

/** An account, existing or not. Stamps are numbers of transactions. */
export class Account {
  readonly key: AddressKey
  readonly address: Address
  readonly first: AccountRecord | undefined
  exists: boolean
  nonce: bigint
  balance: bigint
  codeHash: Hash
  /** undefined: not yet asked for. */
  code: Uint8Array | undefined
  /** undefined: none was asked for, as of most accounts. */
  slots: Map<WordKey, Slot> | undefined = undefined
  transient: Map<WordKey, WordKey> | undefined = undefined
  /** True if the committed storage is no longer this account's. */
  storageCleared: boolean = false
  warmStamp: number = 0
  touchStamp: number = 0
  createStamp: number = 0
  destroyStamp: number = 0

  constructor(key: AddressKey, address: Address, first: AccountRecord | undefined) {
    this.key = key
    this.address = address
    this.first = first
    this.exists = first !== undefined
    this.nonce = first?.nonce ?? 0n
    this.balance = first?.balance ?? 0n
    this.codeHash = first?.codeHash ?? EMPTY_CODE_HASH
    this.code = this.codeHash === EMPTY_CODE_HASH ? NO_BYTES : undefined
  }

  isEmpty(): boolean {
    return this.nonce === 0n && this.balance === 0n && this.codeHash === EMPTY_CODE_HASH
  }
}

type Undo = () => void

// What an entry of the journal restores.
const UNDO_SLOT = 0
const UNDO_WARM_SLOT = 1
const UNDO_WARM = 2
const UNDO_BALANCE = 3
const UNDO_NONCE = 4
const UNDO_EXISTS = 5
const UNDO_TOUCH = 6
const UNDO_CREATE = 7
const UNDO_DESTROY = 8
const UNDO_REFUND = 9
const UNDO_LOG = 10
/** The target is a function: for what is rare. */
const UNDO_CALL = 11

/** A longer journal is dropped after its transaction, and what it refers to with it. */
const JOURNAL_KEPT_ENTRIES = 1024

export class WorldState implements World {
  private readonly reader: WorldReader
  private readonly accounts: Map<AddressKey, Account> = new Map()
  /** The same by their text, as far as they were asked for by it. */
  private readonly byText: Map<Address, Account> = new Map()
  private readonly codes: Map<Hash, Uint8Array> = new Map()
  // The journal: what to restore, of whom, to which value. Kept between transactions, so that it is not
  // grown anew for each.
  private kinds: number[] = []
  private targets: unknown[] = []
  private olds: unknown[] = []
  private entries: number = 0
  private stamp: number = 1
  private refundGas: number = 0
  private events: Log[] = []
  private touched: Account[] = []
  private destroyed: Account[] = []
  private warmAccounts: Account[] = []
  private warmSlots: Slot[] = []
  private transients: Account[] = []

  constructor(reader: WorldReader) {
    this.reader = reader
  }

  // What the machine uses.

  accountOf(key: AddressKey): Account {
    return this.accounts.get(key) ?? this.load(key, addressOfKey(key))
  }

  accountAt(address: Address): Account {
    const known = this.byText.get(address)
    if (known !== undefined) return known
    const key = addressKey(address)
    const account = this.accounts.get(key) ?? this.load(key, address)
    this.byText.set(address, account)
    return account
  }

  codeOf(account: Account): Uint8Array {
    account.code ??= this.codes.get(account.codeHash) ?? this.reader.code(account.codeHash)
    return account.code
  }

  slotOf(account: Account, key: WordKey): Slot {
    let slot = account.slots?.get(key)
    if (slot === undefined) {
      let value = ZERO_WORD
      let hash: Hash | undefined
      if (account.first !== undefined && !account.storageCleared) {
        hash = hashOfKey(key)
        value = wordKeyOfBigInt(this.reader.storage(account.address, hash))
      }
      slot = new Slot(account, key, hash, value, this.stamp)
      account.slots ??= new Map()
      account.slots.set(key, slot)
    } else if (slot.stamp !== this.stamp) {
      slot.stamp = this.stamp
      slot.original = slot.current
    }
    return slot
  }

  writeSlot(slot: Slot, value: WordKey): void {
    this.record(UNDO_SLOT, slot, slot.current)
    slot.current = value
  }

  /** Marks as accessed; true if it was before. */
  warm(account: Account): boolean {
    if (account.warmStamp === this.stamp) return true
    account.warmStamp = this.stamp
    this.warmAccounts.push(account)
    this.record(UNDO_WARM, account, undefined)
    return false
  }

  isWarm(account: Account): boolean {
    return account.warmStamp === this.stamp
  }

  /** Marks as accessed; true if it was before. */
  warmStorage(slot: Slot): boolean {
    if (slot.warmStamp === this.stamp) return true
    slot.warmStamp = this.stamp
    this.warmSlots.push(slot)
    this.record(UNDO_WARM_SLOT, slot, undefined)
    return false
  }

  touch(account: Account): void {
    if (account.touchStamp === this.stamp) return
    account.touchStamp = this.stamp
    this.touched.push(account)
    this.record(UNDO_TOUCH, account, undefined)
  }

  changeBalance(account: Account, balance: bigint): void {
    if (!account.exists) this.bringIntoBeing(account)
    this.touch(account)
    if (balance === account.balance) return
    this.record(UNDO_BALANCE, account, account.balance)
    account.balance = balance
  }

  changeNonce(account: Account, nonce: bigint): void {
    if (!account.exists) this.bringIntoBeing(account)
    this.touch(account)
    this.record(UNDO_NONCE, account, account.nonce)
    account.nonce = nonce
  }

  changeCode(account: Account, code: Uint8Array): void {
    if (!account.exists) this.bringIntoBeing(account)
    this.touch(account)
    const { codeHash: oldHash, code: oldCode } = account
    this.record(
      UNDO_CALL,
      () => {
        account.codeHash = oldHash
        account.code = oldCode
      },
      undefined,
    )
    account.codeHash = code.length === 0 ? EMPTY_CODE_HASH : keccak256Hex(code)
    account.code = code.length === 0 ? NO_BYTES : code.slice()
    if (code.length > 0) this.codes.set(account.codeHash, account.code)
  }

  /** Moves wei from a balance that was checked. */
  transfer(from: Account, to: Account, wei: bigint): void {
    if (wei !== 0n) this.changeBalance(from, from.balance - wei)
    this.changeBalance(to, to.balance + wei)
  }

  /** Makes a contract account at an address without nonce, code and storage. */
  markCreated(account: Account): void {
    if (!account.exists) this.bringIntoBeing(account)
    this.record(UNDO_CREATE, account, account.createStamp)
    account.createStamp = this.stamp
  }

  isCreatedNow(account: Account): boolean {
    return account.createStamp === this.stamp
  }

  /** True if the account goes at the end of the transaction. */
  isDestroyedNow(account: Account): boolean {
    return account.destroyStamp === this.stamp
  }

  /** The account goes at the end of the transaction. */
  markDestroyed(account: Account): void {
    if (account.destroyStamp === this.stamp) return
    this.record(UNDO_DESTROY, account, account.destroyStamp)
    account.destroyStamp = this.stamp
    this.destroyed.push(account)
  }

  /** EIP-684 and EIP-7610: a creation may not land here. */
  isOccupied(account: Account): boolean {
    return (
      account.nonce !== 0n || account.codeHash !== EMPTY_CODE_HASH || this.holdsStorage(account)
    )
  }

  transientValue(account: Account, key: WordKey): WordKey {
    return account.transient?.get(key) ?? ZERO_WORD
  }

  writeTransient(account: Account, key: WordKey, value: WordKey): void {
    if (account.transient === undefined) {
      account.transient = new Map()
      this.transients.push(account)
    }
    const map = account.transient
    const old = map.get(key) ?? ZERO_WORD
    if (old === value) return
    this.record(UNDO_CALL, () => map.set(key, old), undefined)
    map.set(key, value)
  }

  addLog(log: Log): void {
    this.events.push(log)
    this.record(UNDO_LOG, undefined, undefined)
  }

  /** Refund of a gas amount that fits a number. */
  changeRefund(gas: number): void {
    this.record(UNDO_REFUND, undefined, this.refundGas)
    this.refundGas += gas
  }

  refundNumber(): number {
    return this.refundGas
  }

  // World.

  exists(address: Address): boolean {
    return this.accountAt(address).exists
  }

  isEmpty(address: Address): boolean {
    return this.accountAt(address).isEmpty()
  }

  nonce(address: Address): bigint {
    return this.accountAt(address).nonce
  }

  balance(address: Address): bigint {
    return this.accountAt(address).balance
  }

  codeHash(address: Address): Hash {
    const account = this.accountAt(address)
    return account.exists ? account.codeHash : ZERO_HASH
  }

  code(address: Address): Uint8Array {
    return this.codeOf(this.accountAt(address))
  }

  storage(address: Address, slot: Hash): bigint {
    return bigIntOfKey(this.slotOf(this.accountAt(address), wordKey(slot)).current)
  }

  hasStorage(address: Address): boolean {
    return this.holdsStorage(this.accountAt(address))
  }

  transientStorage(address: Address, slot: Hash): bigint {
    return bigIntOfKey(this.transientValue(this.accountAt(address), wordKey(slot)))
  }

  setNonce(address: Address, nonce: bigint): void {
    assertRange('nonce', nonce, UINT64_LIMIT)
    this.changeNonce(this.accountAt(address), nonce)
  }

  setBalance(address: Address, balance: bigint): void {
    assertRange('balance', balance, UINT256_LIMIT)
    this.changeBalance(this.accountAt(address), balance)
  }

  addBalance(address: Address, wei: bigint): void {
    const account = this.accountAt(address)
    assertRange('balance', account.balance + wei, UINT256_LIMIT)
    this.changeBalance(account, account.balance + wei)
  }

  subtractBalance(address: Address, wei: bigint): void {
    const account = this.accountAt(address)
    assertRange('balance', account.balance - wei, UINT256_LIMIT)
    this.changeBalance(account, account.balance - wei)
  }

  setCode(address: Address, code: Uint8Array): void {
    this.changeCode(this.accountAt(address), code)
  }

  setStorage(address: Address, slot: Hash, value: bigint): void {
    assertRange('storage value', value, UINT256_LIMIT)
    const account = this.accountAt(address)
    if (!account.exists) this.bringIntoBeing(account)
    this.touch(account)
    this.writeSlot(this.slotOf(account, wordKey(slot)), wordKeyOfBigInt(value))
  }

  clearStorage(address: Address): void {
    const account = this.accountAt(address)
    const { slots, storageCleared } = account
    this.record(
      UNDO_CALL,
      () => {
        account.slots = slots
        account.storageCleared = storageCleared
      },
      undefined,
    )
    account.slots = undefined
    account.storageCleared = true
  }

  setTransientStorage(address: Address, slot: Hash, value: bigint): void {
    assertRange('storage value', value, UINT256_LIMIT)
    this.writeTransient(this.accountAt(address), wordKey(slot), wordKeyOfBigInt(value))
  }

  warmAddress(address: Address): void {
    this.warm(this.accountAt(address))
  }

  warmSlot(address: Address, slot: Hash): void {
    this.warmStorage(this.slotOf(this.accountAt(address), wordKey(slot)))
  }

  isWarmAddress(address: Address): boolean {
    return this.isWarm(this.accountAt(address))
  }

  isWarmSlot(address: Address, slot: Hash): boolean {
    return this.accountAt(address).slots?.get(wordKey(slot))?.warmStamp === this.stamp
  }

  accesses(): Access[] {
    const slots = new Map<Account, Set<Hash>>()
    for (const account of this.warmAccounts) if (this.isWarm(account)) slots.set(account, new Set())
    for (const slot of this.warmSlots) {
      if (slot.warmStamp !== this.stamp) continue
      const keys = slots.get(slot.account) ?? new Set()
      slots.set(slot.account, keys.add(slot.hash()))
    }
    return Array.from(slots, ([account, keys]) => ({ address: account.address, slots: [...keys] }))
  }

  checkpoint(): Checkpoint {
    return this.entries
  }

  revertTo(checkpoint: Checkpoint): void {
    const { kinds, targets, olds } = this
    for (let i = this.entries - 1; i >= checkpoint; i--) this.undo(kinds[i]!, targets[i], olds[i])
    this.entries = checkpoint
  }

  refund(): bigint {
    return BigInt(this.refundGas)
  }

  addRefund(gas: bigint): void {
    this.changeRefund(Number(gas))
  }

  logs(): Log[] {
    return this.events.slice()
  }

  beginTransaction(): void {
    this.stamp++
    this.forgetJournal()
    this.refundGas = 0
    this.events = []
    this.touched = []
    this.destroyed = []
    this.warmAccounts = []
    this.warmSlots = []
    this.dropTransients()
  }

  endTransaction(fork: Fork): void {
    const onlyCreated = isAtLeast(fork, 'cancun')
    for (const account of this.destroyed) {
      if (account.destroyStamp !== this.stamp) continue
      if (!onlyCreated || this.isCreatedNow(account)) remove(account)
    }
    const removesEmpty = isAtLeast(fork, 'spuriousDragon')
    for (const account of removesEmpty ? this.touched : []) {
      const isTouched = account.touchStamp === this.stamp
      if (isTouched && account.exists && account.isEmpty()) remove(account)
    }
    this.forgetJournal()
    this.dropTransients()
  }

  changes(): WorldChanges {
    const accounts: AccountChange[] = []
    const codes = new Map<Hash, Uint8Array>()
    for (const account of this.accounts.values()) {
      const change = changeOf(account)
      if (change === undefined) continue
      accounts.push(change)
      const codeHash = change.account?.codeHash
      if (codeHash === undefined || codeHash === account.first?.codeHash) continue
      const code = this.codes.get(codeHash)
      if (code !== undefined) codes.set(codeHash, code)
    }
    return { accounts, codes }
  }

  private load(key: AddressKey, address: Address): Account {
    const account = new Account(key, address, this.reader.account(address))
    this.accounts.set(key, account)
    return account
  }

  private bringIntoBeing(account: Account): void {
    this.record(UNDO_EXISTS, account, undefined)
    account.exists = true
  }

  private holdsStorage(account: Account): boolean {
    for (const slot of account.slots?.values() ?? []) if (slot.current !== ZERO_WORD) return true
    if (account.storageCleared || account.first === undefined) return false
    return this.reader.hasStorage(account.address)
  }

  private record(kind: number, target: unknown, old: unknown): void {
    const i = this.entries++
    this.kinds[i] = kind
    this.targets[i] = target
    this.olds[i] = old
  }

  private undo(kind: number, target: unknown, old: unknown): void {
    switch (kind) {
      case UNDO_SLOT:
        ;(target as Slot).current = old as WordKey
        break
      case UNDO_WARM_SLOT:
        ;(target as Slot).warmStamp = 0
        break
      case UNDO_WARM:
        ;(target as Account).warmStamp = 0
        break
      case UNDO_BALANCE:
        ;(target as Account).balance = old as bigint
        break
      case UNDO_NONCE:
        ;(target as Account).nonce = old as bigint
        break
      case UNDO_EXISTS:
        ;(target as Account).exists = false
        break
      case UNDO_TOUCH:
        if ((target as Account).key !== RIPEMD_KEY) (target as Account).touchStamp = 0
        break
      case UNDO_CREATE:
        ;(target as Account).createStamp = old as number
        break
      case UNDO_DESTROY:
        ;(target as Account).destroyStamp = old as number
        break
      case UNDO_REFUND:
        this.refundGas = old as number
        break
      case UNDO_LOG:
        this.events.pop()
        break
      default:
        ;(target as Undo)()
    }
  }

  private forgetJournal(): void {
    this.entries = 0
    if (this.kinds.length <= JOURNAL_KEPT_ENTRIES) return
    this.kinds = []
    this.targets = []
    this.olds = []
  }

  private dropTransients(): void {
    for (const account of this.transients) account.transient = undefined
    this.transients = []
  }
}

function remove(account: Account): void {
  account.exists = false
  account.nonce = 0n
  account.balance = 0n
  account.codeHash = EMPTY_CODE_HASH
  account.code = NO_BYTES
  account.slots = undefined
  account.storageCleared = true
}

const NO_SLOTS: ReadonlyMap<Hash, bigint> = new Map()

function changeOf(account: Account): AccountChange | undefined {
  const { address, first } = account
  if (!account.exists) {
    if (first === undefined) return undefined
    return { address, account: undefined, storageCleared: true, slots: NO_SLOTS }
  }
  const slots = account.slots === undefined ? NO_SLOTS : changedSlots(account.slots)
  // Storage that never was needs no clearing.
  const storageCleared = account.storageCleared && first !== undefined
  const same =
    first !== undefined &&
    first.nonce === account.nonce &&
    first.balance === account.balance &&
    first.codeHash === account.codeHash
  if (same && !storageCleared && slots.size === 0) return undefined
  const { nonce, balance, codeHash } = account
  return { address, account: { nonce, balance, codeHash }, storageCleared, slots }
}

function changedSlots(slots: ReadonlyMap<WordKey, Slot>): ReadonlyMap<Hash, bigint> {
  const changed = new Map<Hash, bigint>()
  for (const slot of slots.values()) {
    if (slot.current !== slot.first) changed.set(slot.hash(), bigIntOfKey(slot.current))
  }
  return changed
}

function assertRange(what: string, value: bigint, limit: bigint): void {
  if (value < 0n || value >= limit) {
    throw new EvmError('EVM_ARGUMENT_INVALID', `${what} ${value} is out of range`)
  }
}
