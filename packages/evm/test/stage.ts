/** A small stage for programs: accounts by address, one message, and words for writing code. */

import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  createEvm,
  createWorld,
  type EvmOptions,
  type Fork,
  type Hash,
  hexToBytes,
  keccak256Hex,
  type Message,
  type Outcome,
  type World,
  type WorldReader,
  ZERO_HASH,
} from '../src/index.ts'

export const CALLER: Address = '0x00000000000000000000000000000000000000aa'
export const CONTRACT: Address = '0x00000000000000000000000000000000000000cc'
export const OTHER: Address = '0x00000000000000000000000000000000000000dd'
export const COINBASE: Address = '0x00000000000000000000000000000000000000cb'

export interface StageAccount {
  readonly nonce?: bigint
  readonly balance?: bigint
  /** 0x hex. */
  readonly code?: string
  readonly storage?: Readonly<Record<Hash, bigint>>
}

export interface Stage {
  readonly world: World
  /** Runs one transaction to `CONTRACT` unless told otherwise; the transaction ends with it. */
  run(message?: Partial<Message>): Outcome
  /** As `run`, but leaves the transaction open. */
  open(message?: Partial<Message>): Outcome
}

export function readerOf(accounts: Readonly<Record<Address, StageAccount>>): WorldReader {
  const codes = new Map<Hash, Uint8Array>()
  const codeOf = (account: StageAccount): Uint8Array => hexToBytes(account.code ?? '0x')
  for (const account of Object.values(accounts)) {
    codes.set(keccak256Hex(codeOf(account)), codeOf(account))
  }
  return {
    account(address) {
      const account = accounts[address]
      if (account === undefined) return undefined
      const { nonce = 0n, balance = 0n } = account
      return { nonce, balance, codeHash: keccak256Hex(codeOf(account)) }
    },
    storage: (address, slot) => accounts[address]?.storage?.[slot] ?? 0n,
    hasStorage: (address) => Object.keys(accounts[address]?.storage ?? {}).length > 0,
    code(hash) {
      const code = codes.get(hash)
      if (code === undefined) throw new Error(`no code ${hash}`)
      return code
    },
  }
}

export function createStage(
  accounts: Readonly<Record<Address, StageAccount>>,
  fork: Fork = 'osaka',
  options: Partial<EvmOptions> = {},
): Stage {
  const world = createWorld(
    readerOf({ [CALLER]: { nonce: 1n, balance: 10n ** 18n }, ...accounts } as typeof accounts),
  )
  const evm = createEvm({
    fork,
    chainId: 1337n,
    world,
    block: {
      coinbase: COINBASE,
      number: 300,
      timestamp: 1_700_000_000,
      gasLimit: 30_000_000n,
      baseFee: 7n,
      prevRandao: `0x${'5a'.repeat(32)}` as Hash,
      difficulty: 131_072n,
      blobBaseFee: 3n,
      blockHash: (number) => (number === 299 ? (`0x${'29'.repeat(32)}` as Hash) : ZERO_HASH),
    },
    ...options,
  })
  const open = (message: Partial<Message> = {}): Outcome => {
    world.beginTransaction()
    world.warmAddress(CALLER)
    const full: Message = {
      caller: CALLER,
      to: CONTRACT,
      value: 0n,
      data: new Uint8Array(0),
      gas: 1_000_000n,
      ...message,
    }
    if (full.to !== undefined) world.warmAddress(full.to)
    return evm.call(full, {
      origin: CALLER,
      gasPrice: 9n,
      blobVersionedHashes: [`0x01${'ab'.repeat(31)}` as Hash],
    })
  }
  return {
    world,
    open,
    run(message) {
      const outcome = open(message)
      world.endTransaction(fork)
      return outcome
    },
  }
}

/** PUSH of the shortest size; PUSH1 0 for 0. */
export function push(value: bigint | number): string {
  let digits = value.toString(16)
  if (digits.length % 2 === 1) digits = `0${digits}`
  return (0x5f + digits.length / 2).toString(16) + digits
}

/** Returns the word on top of the stack. */
export const RETURN_TOP: string = `${push(0)}52${push(32)}${push(0)}f3`

/** CALL, STATICCALL, ... of an address without input; leaves the result. */
export function callOf(op: 'f1' | 'f2' | 'f4' | 'fa', to: Address, gas = '5a', value = 0): string {
  const head = push(0).repeat(4)
  const paid = op === 'f1' || op === 'f2' ? push(value) : ''
  return `${head}${paid}${push(BigInt(to))}${gas}${op}`
}

/** Runs code that leaves a word, and returns the word. Throws unless it succeeds. */
export function wordOf(code: string, fork: Fork = 'osaka', accounts = {}): bigint {
  const outcome = createStage(
    { ...accounts, [CONTRACT]: { code: `0x${code}${RETURN_TOP}` } },
    fork,
  ).run()
  if (outcome.status !== 'success') throw new Error(outcome.status)
  return BigInt(bytesToHex(outcome.output))
}

/** Gas that code uses. */
export function gasOf(code: string, fork: Fork = 'osaka', accounts = {}): bigint {
  const outcome = createStage({ ...accounts, [CONTRACT]: { code: `0x${code}` } }, fork).run()
  if (outcome.status !== 'success') throw new Error(outcome.status)
  return 1_000_000n - outcome.gasLeft
}

export function slot(number: number): Hash {
  return bytesToHex(bigIntToBytes(BigInt(number), 32))
}
