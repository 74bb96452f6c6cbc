/**
 * What one fuzz case runs: accounts with generated programs, and messages to them. Programs are made of
 * statements that leave the stack usable, so that they reach deep; garbage is mixed in on purpose.
 */

import { type Address, bytesToHex, delegationTo, type Fork, isAtLeast } from '@vellum/evm'
import type { Prng } from './prng.ts'

export interface Scenario {
  readonly fork: Fork
  readonly accounts: readonly ScenarioAccount[]
  readonly messages: readonly ScenarioMessage[]
}

export interface ScenarioAccount {
  readonly address: Address
  readonly nonce: bigint
  readonly balance: bigint
  readonly code: Uint8Array
  readonly storage: readonly (readonly [slot: bigint, value: bigint])[]
}

export interface ScenarioMessage {
  /** undefined: a creation with `data` as init code. */
  readonly to: Address | undefined
  readonly value: bigint
  readonly data: Uint8Array
  readonly gas: bigint
}

export const SENDER: Address = '0x1000000000000000000000000000000000000001'
export const COINBASE: Address = '0x2000000000000000000000000000000000000002'
const CONTRACTS: readonly Address[] = [
  '0x00000000000000000000000000000000000c0de0',
  '0x00000000000000000000000000000000000c0de1',
  '0x00000000000000000000000000000000000c0de2',
  '0x00000000000000000000000000000000000c0de3',
]
const DELEGATED: Address = '0xde1e9a7ed0000000000000000000000000000007'
const PLAIN: Address = '0xab1e000000000000000000000000000000000008'
const NOBODY: Address = '0x0b0d100000000000000000000000000000000009'
/** Precompiles but for those of curves, which are slow on both sides and tested elsewhere. */
const PRECOMPILES: readonly number[] = [1, 2, 3, 4, 5, 9, 2, 3, 4]

const INTERESTING: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  31n,
  32n,
  33n,
  255n,
  256n,
  257n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n,
  2n ** 96n + 1n,
  2n ** 127n,
  2n ** 128n - 1n,
  2n ** 128n,
  2n ** 160n - 1n,
  2n ** 192n - 1n,
  2n ** 255n - 1n,
  2n ** 255n,
  2n ** 256n - 2n,
  2n ** 256n - 1n,
]

export function generateScenario(prng: Prng, fork: Fork): Scenario {
  const accounts: ScenarioAccount[] = [
    account(SENDER, { nonce: 7n, balance: 10n ** 20n }),
    account(PLAIN, { balance: 1000n }),
  ]
  for (const address of CONTRACTS) {
    accounts.push(
      account(address, {
        nonce: 1n,
        balance: BigInt(prng.below(5)) * 7n,
        code: generateProgram(prng, fork, 1 + prng.below(40), 2),
        storage: [0n, 1n, 2n]
          .filter(() => prng.oneIn(2))
          .map((slot) => [slot, BigInt(1 + prng.below(2))] as const),
      }),
    )
  }
  if (isAtLeast(fork, 'prague')) {
    const target = prng.oneIn(6) ? addressOfNumber(4) : prng.pick([...CONTRACTS, NOBODY, DELEGATED])
    const code = delegationTo(target)
    accounts.push(account(DELEGATED, { nonce: 1n, balance: 50n, code }))
  }
  const messages = Array.from({ length: 1 + prng.below(3) }, () => generateMessage(prng, fork))
  return { fork, accounts, messages }
}

function account(
  address: Address,
  { nonce = 0n, balance = 0n, code = new Uint8Array(0), storage = [] }: Partial<ScenarioAccount>,
): ScenarioAccount {
  return { address, nonce, balance, code, storage }
}

function generateMessage(prng: Prng, fork: Fork): ScenarioMessage {
  const gas = BigInt(prng.pick([30_000, 100_000, 300_000, 1_000_000, 1_000_000]) + prng.below(1000))
  const value = BigInt(prng.pick([0, 0, 0, 1, 5]))
  if (prng.oneIn(8)) {
    return { to: undefined, value, data: generateInitCode(prng, fork, 1), gas }
  }
  const to = prng.oneIn(12) ? prng.pick(targets(fork)) : prng.pick(CONTRACTS)
  return { to, value, data: prng.bytes(prng.below(100)), gas }
}

function targets(fork: Fork): Address[] {
  const all = [...CONTRACTS, ...CONTRACTS, PLAIN, NOBODY, SENDER, COINBASE]
  if (isAtLeast(fork, 'prague')) all.push(DELEGATED, DELEGATED)
  return all
}

function addressOfNumber(number: number): Address {
  return `0x${number.toString(16).padStart(40, '0')}` as Address
}

const BINARY = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0a, 0x0b, 0x10, 0x11, 0x12, 0x13, 0x14, 0x16, 0x17,
  0x18, 0x1a, 0x1b, 0x1c, 0x1d,
]
const NULLARY = [
  0x30, 0x32, 0x33, 0x34, 0x36, 0x38, 0x3a, 0x3d, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
  0x58, 0x59, 0x5a,
]

/** Opcodes that are not there from the beginning, as far as programs without them would end at once. */
const SINCE: Readonly<Record<number, Fork>> = {
  27: 'constantinople',
  28: 'constantinople',
  29: 'constantinople',
  61: 'byzantium',
  62: 'byzantium',
  63: 'constantinople',
  70: 'istanbul',
  71: 'istanbul',
  72: 'london',
  244: 'homestead',
  245: 'constantinople',
  250: 'byzantium',
  253: 'byzantium',
}

/** Gas for calls: before EIP-150 a frame ends that names more than it has. */
const CALL_GAS_EARLY: readonly number[] = [0, 0, 700, 2300, 5000, 30_000]
const CALL_GAS: readonly number[] = [0, 700, 2300, 5000, 30_000, 200_000, 10 ** 9]

/** Words that statements leave for later ones. */
const HEIGHT_MAX = 14

/** Code of some statements. `depth` bounds programs within programs. */
export function generateProgram(
  prng: Prng,
  fork: Fork,
  statements: number,
  depth: number,
): Uint8Array {
  const code: number[] = []
  const data: { at: number; bytes: Uint8Array }[] = []
  let height = 0

  const known = (ops: readonly number[]): number[] =>
    ops.filter((op) => isAtLeast(fork, SINCE[op] ?? 'frontier'))
  const isEarly = !isAtLeast(fork, 'tangerineWhistle')
  const emit = (...bytes: number[]): void => void code.push(...bytes)
  const pushBytes = (bytes: Uint8Array | readonly number[]): void =>
    emit(0x5f + bytes.length, ...bytes)
  const push = (value: bigint | number): void => {
    let digits = value.toString(16)
    if (digits.length % 2 === 1) digits = `0${digits}`
    pushBytes(digits.match(/../g)!.map((pair) => Number.parseInt(pair, 16)))
  }
  const pushAddress = (address: Address): void => push(BigInt(address))
  const pushAny = (): void => {
    switch (prng.below(6)) {
      case 0:
      case 1:
        push(prng.pick(INTERESTING))
        break
      case 2:
        pushBytes(prng.bytes(1 + prng.below(32)))
        break
      case 3:
        pushAddress(prng.pick(targets(fork)))
        break
      default:
        push(prng.below(70))
    }
  }
  const pushOffset = (): void => {
    if (prng.oneIn(60)) push(prng.pick(INTERESTING))
    else if (prng.oneIn(12)) push(prng.below(5000))
    else push(prng.below(200))
  }
  const pushSize = (): void => {
    if (prng.oneIn(80)) push(prng.pick(INTERESTING))
    else push(prng.pick([0, 0, 1, 4, 31, 32, 33, 64, prng.below(300)]))
  }
  const pushTarget = (): void => {
    if (prng.oneIn(8)) push(prng.pick(PRECOMPILES))
    else if (prng.oneIn(30)) pushAny()
    else pushAddress(prng.pick(targets(fork)))
  }
  const pushSlot = (): void => push(prng.oneIn(10) ? prng.pick(INTERESTING) : prng.below(4))

  const call = (): void => {
    const kind = prng.pick(known([0xf1, 0xf1, 0xf1, 0xf2, 0xf4, 0xfa, 0xfa]))
    pushSize()
    pushOffset()
    pushSize()
    pushOffset()
    if (kind === 0xf1 || kind === 0xf2) push(prng.pick([0, 0, 0, 1, 3, 1000]))
    pushTarget()
    if (prng.oneIn(isEarly ? 20 : 3)) emit(0x5a)
    else push(prng.pick(isEarly ? CALL_GAS_EARLY : CALL_GAS))
    emit(kind)
    height++
  }
  const create = (): void => {
    const kind = prng.pick(known([0xf0, 0xf5]))
    const init =
      depth > 0 && !prng.oneIn(6) ? generateInitCode(prng, fork, depth - 1) : prng.bytes(8)
    // CODECOPY of bytes that are appended behind the program; the offset is patched in.
    const memoryAt = prng.below(64)
    emit(0x61, init.length >> 8, init.length & 255)
    data.push({ at: code.length + 1, bytes: init })
    emit(0x61, 0, 0)
    push(memoryAt)
    emit(0x39)
    if (kind === 0xf5) push(prng.below(2))
    emit(0x61, init.length >> 8, init.length & 255)
    push(memoryAt)
    push(prng.pick([0, 0, 1]))
    emit(kind)
    height++
    // Call what was made, keeping its address.
    if (prng.oneIn(2)) {
      for (let i = 0; i < 5; i++) push(0)
      emit(0x85)
      if (isEarly) push(20_000)
      else emit(0x5a)
      emit(0xf1, 0x50)
    }
  }
  const log = (): void => {
    const topics = prng.below(5)
    for (let i = 0; i < topics; i++) pushAny()
    pushSize()
    pushOffset()
    emit(0xa0 + topics)
  }
  const store = (op: number): void => {
    if (height > 0 && prng.oneIn(3)) {
      height--
    } else if (prng.oneIn(4)) {
      pushAny()
    } else {
      push(prng.below(3))
    }
    pushSlot()
    emit(op)
  }
  const copyToMemory = (): void => {
    const op = prng.pick([0x37, 0x39, 0x3c, isAtLeast(fork, 'cancun') ? 0x5e : 0x37])
    pushSize()
    pushOffset()
    pushOffset()
    if (op === 0x3c) pushTarget()
    emit(op)
  }
  const copyReturned = (): void => {
    if (!isAtLeast(fork, 'byzantium')) return
    if (prng.oneIn(4)) pushSize()
    else emit(0x3d)
    push(prng.oneIn(6) ? 1 : 0)
    pushOffset()
    emit(0x3e)
  }
  /** A label behind what `body` emits, jumped to if a word is not zero. */
  const skip = (body: () => void): void => {
    if (prng.oneIn(2)) emit(0x36)
    else pushAny()
    emit(0x61)
    const at = code.length
    emit(0, 0, 0x57)
    const before = height
    body()
    while (height > before) {
      emit(0x50)
      height--
    }
    while (height < before) {
      push(1)
      height++
    }
    code[at] = code.length >> 8
    code[at + 1] = code.length & 255
    emit(0x5b)
  }
  const loop = (body: () => void): void => {
    push(1 + prng.below(5))
    const label = code.length
    emit(0x5b)
    const before = height
    // The counter must stay where it is: nothing below may be taken.
    height = 0
    body()
    while (height > 0) {
      emit(0x50)
      height--
    }
    height = before
    push(1)
    emit(0x90, 0x03, 0x80, 0x61, label >> 8, label & 255, 0x57, 0x50)
  }
  const garbage = (): void => {
    switch (prng.below(6)) {
      case 0:
        emit(prng.below(256))
        break
      case 1:
        emit(0x80 + prng.below(32))
        break
      case 2:
        push(prng.below(code.length + 10))
        emit(0x56)
        break
      case 3:
        emit(0x50, 0x50, 0x50)
        break
      case 4:
        emit(...prng.bytes(prng.below(6)))
        break
      default:
        emit(0x60 + prng.below(32))
    }
  }

  const statement = (nesting: number): void => {
    while (height > HEIGHT_MAX) {
      emit(0x50)
      height--
    }
    switch (prng.below(nesting > 0 ? 26 : 23)) {
      case 0:
      case 1:
      case 2:
        while (height < 2) {
          pushAny()
          height++
        }
        if (prng.oneIn(2)) {
          pushAny()
          height++
        }
        emit(prng.pick(known(BINARY)))
        height--
        break
      case 3:
        for (let i = 0; i < 3; i++) pushAny()
        emit(prng.pick([0x08, 0x09]))
        height++
        break
      case 4:
        pushAny()
        emit(prng.pick([0x15, 0x19, isAtLeast(fork, 'osaka') ? 0x1e : 0x19, 0x35]))
        height++
        break
      case 5:
        emit(prng.pick(known(NULLARY)))
        height++
        break
      case 6:
        if (isAtLeast(fork, 'cancun')) {
          if (prng.oneIn(2)) emit(0x4a)
          else {
            push(prng.below(3))
            emit(0x49)
          }
        } else emit(0x42)
        height++
        break
      case 7:
        if (height > 0) {
          emit(0x80 + prng.below(height))
          height++
        } else {
          pushAny()
          height++
        }
        break
      case 8:
        if (height > 1) emit(0x90 + prng.below(height - 1))
        break
      case 9:
        pushAny()
        pushOffset()
        emit(prng.pick([0x52, 0x52, 0x53]))
        break
      case 10:
        pushOffset()
        emit(0x51)
        height++
        break
      case 11:
        pushSize()
        pushOffset()
        emit(0x20)
        height++
        break
      case 12:
        copyToMemory()
        break
      case 13:
        copyReturned()
        break
      case 14:
        pushSlot()
        emit(isAtLeast(fork, 'cancun') && prng.oneIn(4) ? 0x5c : 0x54)
        height++
        break
      case 15:
      case 16:
        store(isAtLeast(fork, 'cancun') && prng.oneIn(4) ? 0x5d : 0x55)
        break
      case 17:
        pushTarget()
        emit(prng.pick(known([0x31, 0x3b, 0x3f])))
        height++
        break
      case 18:
        log()
        break
      case 19:
      case 20:
        call()
        break
      case 21:
        if (prng.oneIn(2)) create()
        else {
          push(prng.below(1100))
          emit(0x40)
          height++
        }
        break
      case 22:
        if (prng.oneIn(6)) garbage()
        else if (isAtLeast(fork, 'shanghai')) {
          emit(0x5f)
          height++
        }
        break
      case 23:
      case 24:
        skip(() => statement(nesting - 1))
        break
      default:
        loop(() => statement(nesting - 1))
    }
  }

  for (let i = 0; i < statements; i++) statement(2)
  switch (prng.below(9)) {
    case 0:
      pushTarget()
      emit(0xff)
      break
    case 1:
      pushSize()
      pushOffset()
      emit(0xfd)
      break
    case 2:
      emit(0x00)
      break
    case 3:
      emit(0xfe)
      break
    default:
      pushSize()
      pushOffset()
      emit(0xf3)
  }
  for (const { at, bytes } of data) {
    code[at] = code.length >> 8
    code[at + 1] = code.length & 255
    emit(...bytes)
  }
  return Uint8Array.from(code)
}

/** Init code: some statements, then the return of a program, or anything. */
function generateInitCode(prng: Prng, fork: Fork, depth: number): Uint8Array {
  if (prng.oneIn(8)) return generateProgram(prng, fork, 1 + prng.below(6), depth)
  const runtime = prng.oneIn(10)
    ? Uint8Array.of(0xef, 1, 2)
    : generateProgram(prng, fork, 1 + prng.below(10), depth)
  const size = runtime.length
  const prefix: number[] = []
  if (prng.oneIn(3)) prefix.push(0x60, prng.below(3), 0x60, prng.below(3), 0x55)
  // PUSH2 size, PUSH2 offset, PUSH1 0, CODECOPY, PUSH2 size, PUSH1 0, RETURN
  const offset = prefix.length + 15
  return Uint8Array.from([
    ...prefix,
    ...[0x61, size >> 8, size & 255, 0x61, offset >> 8, offset & 255, 0x60, 0, 0x39],
    ...[0x61, size >> 8, size & 255, 0x60, 0, 0xf3],
    ...runtime,
  ])
}

/** Text from which a person can rebuild the case. */
export function describeScenario({ fork, accounts, messages }: Scenario): string {
  const lines = [`fork ${fork}`]
  for (const { address, nonce, balance, code, storage } of accounts) {
    const slots = storage.map(([slot, value]) => `${slot}=${value}`).join(' ')
    lines.push(`account ${address} nonce ${nonce} balance ${balance} storage [${slots}]`)
    lines.push(`  code ${bytesToHex(code)}`)
  }
  for (const { to, value, data, gas } of messages) {
    lines.push(`message to ${to ?? 'creation'} value ${value} gas ${gas} data ${bytesToHex(data)}`)
  }
  return lines.join('\n')
}
