/** Runs a scenario on our machine and writes down everything that can be seen of it. */

import {
  type AccountRecord,
  type Address,
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  createEvm,
  createWorld,
  type Hash,
  hexToBytes,
  keccak256Hex,
  type Tracer,
  type WorldReader,
} from '@vellum/evm'
import { COINBASE, type Scenario, SENDER } from './scenario.ts'

/** One line for each fact, comparable as text. */
export type Observation = readonly string[]

export const BLOCK_NUMBER = 1000
export const TIMESTAMP = 1_700_000_000
export const GAS_LIMIT = 30_000_000n
export const BASE_FEE = 7n
export const GAS_PRICE = 10n
export const DIFFICULTY = 131_072n
export const PREV_RANDAO: Hash = `0x${'5a'.repeat(32)}` as Hash
export const BLOB_HASHES: readonly Hash[] = [`0x01${'ab'.repeat(31)}` as Hash]

export function blockHashOf(number: number): Hash {
  return `0x${number.toString(16).padStart(64, '0')}` as Hash
}

function readerOf(scenario: Scenario): WorldReader {
  const accounts = new Map(scenario.accounts.map((account) => [account.address, account]))
  const codes = new Map<Hash, Uint8Array>()
  for (const { code } of scenario.accounts) codes.set(keccak256Hex(code), code)
  return {
    account(address): AccountRecord | undefined {
      const account = accounts.get(address)
      if (account === undefined) return undefined
      const { nonce, balance, code } = account
      return { nonce, balance, codeHash: keccak256Hex(code) }
    },
    storage(address, slot): bigint {
      const number = bytesToBigInt(hexToBytes(slot))
      return accounts.get(address)?.storage.find(([key]) => key === number)?.[1] ?? 0n
    },
    hasStorage: (address) => (accounts.get(address)?.storage.length ?? 0) > 0,
    code: (hash) => codes.get(hash)!,
  }
}

/** @param tracer if given, the machine runs opcode by opcode: the result must be the same */
export function observeOurs(scenario: Scenario, tracer?: Tracer): Observation {
  const { fork } = scenario
  const world = createWorld(readerOf(scenario))
  const evm = createEvm({
    fork,
    chainId: 1n,
    world,
    block: {
      coinbase: COINBASE,
      number: BLOCK_NUMBER,
      timestamp: TIMESTAMP,
      gasLimit: GAS_LIMIT,
      baseFee: BASE_FEE,
      prevRandao: PREV_RANDAO,
      difficulty: DIFFICULTY,
      blobBaseFee: 1n,
      blockHash: blockHashOf,
    },
    ...(tracer === undefined ? {} : { tracer }),
  })
  const facts: string[] = []
  for (const { to, value, data, gas } of scenario.messages) {
    world.beginTransaction()
    world.setNonce(SENDER, world.nonce(SENDER) + 1n)
    world.warmAddress(SENDER)
    world.warmAddress(COINBASE)
    if (to !== undefined) world.warmAddress(to)
    const outcome = evm.call(
      { caller: SENDER, to, value, data, gas },
      { origin: SENDER, gasPrice: GAS_PRICE, blobVersionedHashes: BLOB_HASHES },
    )
    const { status, output } = outcome
    const kind = status === 'success' || status === 'revert' ? status : 'halt'
    facts.push(`status ${kind} gasLeft ${outcome.gasLeft} refund ${outcome.gasRefund}`)
    facts.push(`output ${bytesToHex(output)} created ${outcome.created ?? '-'}`)
    for (const log of world.logs()) {
      facts.push(`log ${log.address} ${log.topics.join(' ')} ${bytesToHex(log.data)}`)
    }
    world.endTransaction(fork)
  }
  return [...facts, ...stateFacts(scenario, world.changes())]
}

function stateFacts(
  scenario: Scenario,
  changes: ReturnType<ReturnType<typeof createWorld>['changes']>,
): string[] {
  const state = new Map<Address, { line: string; slots: Map<string, bigint> }>()
  for (const { address, nonce, balance, code, storage } of scenario.accounts) {
    const slots = new Map(storage.map(([slot, value]) => [slotHex(slot), value]))
    state.set(address, { line: accountFact(address, nonce, balance, keccak256Hex(code)), slots })
  }
  for (const { address, account, storageCleared, slots } of changes.accounts) {
    if (account === undefined) {
      state.delete(address)
      continue
    }
    const { nonce, balance, codeHash } = account
    const merged = new Map(storageCleared ? [] : state.get(address)?.slots)
    for (const [slot, value] of slots) merged.set(slot, value)
    state.set(address, { line: accountFact(address, nonce, balance, codeHash), slots: merged })
  }
  const facts: string[] = []
  for (const [address, { line, slots }] of state) {
    facts.push(line)
    for (const [slot, value] of slots) {
      if (value !== 0n) facts.push(`storage ${address} ${slot} ${value}`)
    }
  }
  return facts.sort()
}

export function accountFact(
  address: string,
  nonce: bigint,
  balance: bigint,
  codeHash: string,
): string {
  return `account ${address} nonce ${nonce} balance ${balance} code ${codeHash}`
}

export function slotHex(slot: bigint): string {
  return bytesToHex(bigIntToBytes(slot, 32))
}
