/** What a client may say of a simulated call, and of the state and block that it is to meet. */

import { type Address, equalBytes, type Hash } from '@vellum/evm'
import type {
  AccountOverride,
  BlockOverrides,
  CallRequest,
  StateOverrides,
  Withdrawal,
} from '@vellum/ledger'
import { invalidParams } from './error.ts'
import type { RpcLimits } from './limits.ts'
import {
  listOf,
  member,
  parseAddress,
  parseBytes,
  parseHash,
  parseRecord,
  parseSlot,
  parseUint64,
  parseUint256,
  quantityOf,
  withPlace,
} from './parse.ts'

export function parseCallRequest(value: unknown, limits: RpcLimits, chainId: bigint): CallRequest {
  const record = parseRecord(value)
  const wantedChain = member(record, 'chainId', parseUint256)
  if (wantedChain !== undefined && wantedChain !== chainId) {
    throw invalidParams(`chainId does not match node's (have=${wantedChain}, want=${chainId})`)
  }
  const gasPrice = member(record, 'gasPrice', parseUint256)
  const maxFeePerGas = member(record, 'maxFeePerGas', parseUint256)
  const maxPriorityFeePerGas = member(record, 'maxPriorityFeePerGas', parseUint256)
  if (gasPrice !== undefined && (maxFeePerGas ?? maxPriorityFeePerGas) !== undefined) {
    throw invalidParams('both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified')
  }
  if (maxFeePerGas !== undefined && (maxPriorityFeePerGas ?? 0n) > maxFeePerGas) {
    throw invalidParams('maxFeePerGas is less than maxPriorityFeePerGas')
  }
  const hashes = listOf(parseHash, limits.storageKeysMax)
  return present<CallRequest>({
    from: member(record, 'from', parseAddress),
    to: member(record, 'to', parseAddress),
    gas: member(record, 'gas', parseUint64),
    gasPrice,
    maxFeePerGas,
    maxPriorityFeePerGas,
    value: member(record, 'value', parseUint256),
    data: parseInput(record),
    nonce: member(record, 'nonce', parseUint64),
    accessList: member(
      record,
      'accessList',
      listOf((entry) => parseAccess(entry, limits), limits.storageKeysMax),
    ),
    maxFeePerBlobGas: member(record, 'maxFeePerBlobGas', parseUint256),
    blobVersionedHashes: member(record, 'blobVersionedHashes', hashes),
    authorizationList: member(
      record,
      'authorizationList',
      listOf(parseAuthorization, limits.storageKeysMax),
    ),
  })
}

/** `input`, or by its older name `data`. */
function parseInput(record: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  const input = member(record, 'input', parseBytes)
  const older = member(record, 'data', parseBytes)
  if (input !== undefined && older !== undefined && !equalBytes(input, older)) {
    throw invalidParams(
      'both "data" and "input" are set and not equal. Please use "input" to pass transaction call data',
    )
  }
  return input ?? older
}

function parseAccess(
  value: unknown,
  limits: RpcLimits,
): { readonly address: Address; readonly storageKeys: readonly Hash[] } {
  const record = parseRecord(value)
  const address = member(record, 'address', parseAddress)
  if (address === undefined) throw invalidParams('address is missing')
  const storageKeys = member(record, 'storageKeys', listOf(parseHash, limits.storageKeysMax)) ?? []
  return { address, storageKeys }
}

function parseAuthorization(value: unknown): NonNullable<CallRequest['authorizationList']>[number] {
  const record = parseRecord(value)
  return {
    chainId: wanted(record, 'chainId', parseUint256),
    address: wanted(record, 'address', parseAddress),
    nonce: wanted(record, 'nonce', parseUint64),
    yParity: Number(wanted(record, 'yParity', quantityOf(8))),
    r: wanted(record, 'r', parseUint256),
    s: wanted(record, 's', parseUint256),
  }
}

export function parseStateOverrides(value: unknown, limits: RpcLimits): StateOverrides {
  const entries = Object.entries(parseRecord(value))
  if (entries.length > limits.overridesMax) {
    throw invalidParams(`too many overrides, want at most ${limits.overridesMax}`)
  }
  const overrides = new Map<Address, AccountOverride>()
  for (const [name, override] of entries) {
    try {
      overrides.set(parseAddress(name), parseAccountOverride(override, limits))
    } catch (error) {
      throw withPlace(error, 'state override')
    }
  }
  return overrides
}

function parseAccountOverride(value: unknown, limits: RpcLimits): AccountOverride {
  const record = parseRecord(value)
  const slots = (entry: unknown): ReadonlyMap<Hash, bigint> => parseSlots(entry, limits)
  const state = member(record, 'state', slots)
  const stateDiff = member(record, 'stateDiff', slots)
  if (state !== undefined && stateDiff !== undefined) {
    throw invalidParams('account has both state and stateDiff')
  }
  return present<AccountOverride>({
    nonce: member(record, 'nonce', parseUint64),
    balance: member(record, 'balance', parseUint256),
    code: member(record, 'code', parseBytes),
    state,
    stateDiff,
    movePrecompileTo: member(record, 'movePrecompileToAddress', parseAddress),
  })
}

function parseSlots(value: unknown, limits: RpcLimits): ReadonlyMap<Hash, bigint> {
  const entries = Object.entries(parseRecord(value))
  if (entries.length > limits.overridesMax) {
    throw invalidParams(`too many slots, want at most ${limits.overridesMax}`)
  }
  return new Map(entries.map(([slot, word]) => [parseSlot(slot), BigInt(parseSlot(word))]))
}

/** Names as go-ethereum has them, with the older ones of each. */
export function parseBlockOverrides(value: unknown, limits: RpcLimits): BlockOverrides {
  const record = parseRecord(value)
  return present<BlockOverrides>({
    number: member(record, 'number', parseUint64),
    time: member(record, 'time', parseUint64),
    gasLimit: member(record, 'gasLimit', parseUint64),
    feeRecipient:
      member(record, 'feeRecipient', parseAddress) ?? member(record, 'coinbase', parseAddress),
    prevRandao: member(record, 'prevRandao', parseHash) ?? member(record, 'random', parseHash),
    difficulty: member(record, 'difficulty', parseUint256),
    baseFeePerGas:
      member(record, 'baseFeePerGas', parseUint256) ?? member(record, 'baseFee', parseUint256),
    blobBaseFee: member(record, 'blobBaseFee', parseUint256),
    parentBeaconBlockRoot: member(record, 'beaconRoot', parseHash),
    withdrawals: member(record, 'withdrawals', listOf(parseWithdrawal, limits.overridesMax)),
  })
}

export function parseWithdrawal(value: unknown): Withdrawal {
  const record = parseRecord(value)
  return {
    index: wanted(record, 'index', parseUint64),
    validatorIndex: wanted(record, 'validatorIndex', parseUint64),
    address: wanted(record, 'address', parseAddress),
    amount: wanted(record, 'amount', parseUint64),
  }
}

/** A member that may not be left out. */
function wanted<T>(
  record: Readonly<Record<string, unknown>>,
  name: string,
  parse: (value: unknown) => T,
): T {
  const found = member(record, name, parse)
  if (found === undefined) throw invalidParams(`${name} is missing`)
  return found
}

/** The object without members that are undefined, for types whose optional members must be absent. */
export function present<T extends object>(object: { [K in keyof T]: T[K] | undefined }): T {
  const kept = Object.entries(object).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as T
}
