/** Calls of the contracts that people, offices and checks of a world make, and what is read from answers. */

import { ADDRESSES } from '@vellum/contracts'
import type { Address, Hash } from '@vellum/evm'
import {
  type AbiFunction,
  ADDRESS,
  abiFunction,
  BYTES,
  BYTES32,
  listOf,
  tupleOf,
  uint,
} from '@vellum/sidechain'

/** Where contracts stand, as our types have addresses. */
export const AT: Readonly<Record<keyof typeof ADDRESSES, Address>> = ADDRESSES

type Question<Args> = AbiFunction<Args, [bigint]>
type Command<Args> = AbiFunction<Args, []>
type Calls = readonly [Address, Uint8Array][]
type Payload = [bigint, Uint8Array, Hash, bigint]
type Offer = [Hash, Hash, Hash, Address, bigint, bigint, bigint, Payload]
type Statement = [Address, Hash, Hash, Hash, bigint, Hash, Hash, Hash, bigint, bigint]
type Licence = [Hash, Hash, Hash, Hash, Address]
type Presence = [bigint, bigint, bigint, bigint, bigint, bigint]
type Mirrored = [Address, bigint, bigint, bigint, bigint, Hash, Hash]

const NOTHING = tupleOf()
const WORD = tupleOf(uint(256))
const U64 = uint(64)
const CALLS = listOf(tupleOf(ADDRESS, BYTES))
const PAYLOAD = tupleOf(uint(8), BYTES, BYTES32, U64)
const OFFER = tupleOf(BYTES32, BYTES32, BYTES32, ADDRESS, U64, U64, U64, PAYLOAD)
const STATEMENT = tupleOf(
  ADDRESS,
  BYTES32,
  BYTES32,
  BYTES32,
  uint(8),
  BYTES32,
  BYTES32,
  BYTES32,
  U64,
  U64,
)
/** The first words of a licence: identifier, content, type, issuer, holder. */
const LICENCE = tupleOf(BYTES32, BYTES32, BYTES32, BYTES32, ADDRESS)
/** State, undelivered, applied status, nonce, claimed version, applied version. */
const PRESENCE = tupleOf(uint(8), uint(8), uint(8), uint(32), U64, U64)
/** Owner, status, kind, open, version, key. */
const MIRRORED = tupleOf(ADDRESS, uint(8), uint(8), uint(8), U64, BYTES32, BYTES32)

export const COUNCIL: {
  readonly proposalCount: Question<[]>
  readonly propose: Question<[Calls]>
  readonly execute: Command<[bigint, Calls]>
} = {
  proposalCount: abiFunction('proposalCount', NOTHING, WORD),
  propose: abiFunction('propose', tupleOf(CALLS), WORD),
  execute: abiFunction('execute', tupleOf(uint(256), CALLS), NOTHING),
}

export const ORGANISATIONS: {
  readonly appoint: Command<[Hash, Hash, bigint, bigint]>
  readonly accredit: Command<[Hash, Hash, bigint, bigint]>
  readonly isAccredited: Question<[Hash, Hash, bigint]>
} = {
  appoint: abiFunction('appoint', tupleOf(BYTES32, BYTES32, U64, U64), NOTHING),
  accredit: abiFunction('accredit', tupleOf(BYTES32, BYTES32, U64, U64), NOTHING),
  isAccredited: abiFunction('isAccredited', tupleOf(BYTES32, BYTES32, U64), WORD),
}

export const CREDIT: {
  readonly approve: Question<[Address, bigint]>
  readonly allowance: Question<[Address, Address]>
  readonly balanceOf: Question<[Address]>
  readonly totalSupply: Question<[]>
} = {
  approve: abiFunction('approve', tupleOf(ADDRESS, uint(256)), WORD),
  allowance: abiFunction('allowance', tupleOf(ADDRESS, ADDRESS), WORD),
  balanceOf: abiFunction('balanceOf', tupleOf(ADDRESS), WORD),
  totalSupply: abiFunction('totalSupply', NOTHING, WORD),
}

export const BRIDGE: {
  readonly lock: AbiFunction<[bigint, Address, bigint, bigint], [Hash]>
  readonly withdraw: AbiFunction<[Address, bigint, bigint], [Hash]>
  readonly lockedFor: Question<[bigint]>
} = {
  lock: abiFunction('lock', tupleOf(U64, ADDRESS, uint(256), U64), tupleOf(BYTES32)),
  withdraw: abiFunction('withdraw', tupleOf(ADDRESS, uint(256), U64), tupleOf(BYTES32)),
  lockedFor: abiFunction('lockedFor', tupleOf(U64), WORD),
}

export const LIGHT_CLIENT: {
  readonly createClient: Command<[bigint, Hash, Uint8Array, bigint, bigint]>
} = {
  createClient: abiFunction('createClient', tupleOf(U64, BYTES32, BYTES, U64, U64), NOTHING),
}

export const GATEWAY: {
  readonly openChannel: Command<[bigint]>
  readonly setDefaults: Command<[bigint, bigint]>
  readonly defaults: Question<[]>
} = {
  openChannel: abiFunction('openChannel', tupleOf(U64), NOTHING),
  setDefaults: abiFunction('setDefaults', tupleOf(U64, U64), NOTHING),
  /** Time to live first. */
  defaults: abiFunction('defaults', NOTHING, WORD),
}

export const IDENTITIES: {
  readonly register: Command<[Statement, Uint8Array, Uint8Array, Uint8Array]>
  readonly statusOf: Question<[Address]>
  readonly suspend: Command<[Address, bigint]>
  readonly reinstate: Command<[Address, bigint]>
  readonly recordOf: AbiFunction<[Address], Mirrored>
} = {
  register: abiFunction('register', tupleOf(STATEMENT, BYTES, BYTES, BYTES), NOTHING),
  statusOf: abiFunction('statusOf', tupleOf(ADDRESS), WORD),
  suspend: abiFunction('suspend', tupleOf(ADDRESS, uint(16)), NOTHING),
  reinstate: abiFunction('reinstate', tupleOf(ADDRESS, uint(16)), NOTHING),
  /** Of the mirror. */
  recordOf: abiFunction('recordOf', tupleOf(ADDRESS), MIRRORED),
}

export const IDENTITY_PEG: {
  readonly open: Command<[Address, bigint]>
  readonly resend: Command<[Address, bigint]>
  readonly presenceOf: AbiFunction<[Address, bigint], Presence>
} = {
  open: abiFunction('open', tupleOf(ADDRESS, U64), NOTHING),
  resend: abiFunction('resend', tupleOf(ADDRESS, U64), NOTHING),
  presenceOf: abiFunction('presenceOf', tupleOf(ADDRESS, U64), PRESENCE),
}

export const LICENCES: {
  readonly issue: Question<[Offer]>
  readonly accept: Command<[bigint]>
  readonly suspend: Command<[bigint, bigint]>
  readonly lift: Command<[bigint, bigint]>
  readonly revoke: Command<[bigint, bigint]>
  readonly transferOut: Command<[bigint, bigint]>
  readonly licenceCount: Question<[]>
  readonly statusOf: Question<[bigint]>
  readonly licence: AbiFunction<[bigint], Licence>
} = {
  issue: abiFunction('issue', tupleOf(OFFER), WORD),
  accept: abiFunction('accept', tupleOf(uint(256)), NOTHING),
  suspend: abiFunction('suspend', tupleOf(uint(256), uint(16)), NOTHING),
  lift: abiFunction('lift', tupleOf(uint(256), uint(16)), NOTHING),
  revoke: abiFunction('revoke', tupleOf(uint(256), uint(16)), NOTHING),
  transferOut: abiFunction('transferOut', tupleOf(uint(256), U64), NOTHING),
  licenceCount: abiFunction('licenceCount', NOTHING, WORD),
  statusOf: abiFunction('statusOf', tupleOf(uint(256)), WORD),
  licence: abiFunction('licence', tupleOf(uint(256)), LICENCE),
}

export const LICENCE_PEG: {
  readonly resend: Command<[readonly bigint[]]>
  readonly isUntold: Question<[bigint]>
} = {
  resend: abiFunction('resend', tupleOf(listOf(U64)), NOTHING),
  isUntold: abiFunction('isUntold', tupleOf(U64), WORD),
}

/** Text as the contracts keep codes: left in a word, zeros behind it. */
export function wordOfCode(text: string): Hash {
  const digits = [...text].map((each) => each.charCodeAt(0).toString(16).padStart(2, '0')).join('')
  return `0x${digits.padEnd(64, '0')}` as Hash
}
