/** Calls of the contracts that people, offices and checks of a world make, and what is read from answers. */

import { ADDRESSES } from '@vellum/contracts'
import type { Address, Hash } from '@vellum/evm'
import { ADDRESS, abiFunction, BYTES, BYTES32, listOf, tupleOf, uint } from '@vellum/sidechain'

/** Where contracts stand, as our types have addresses. */
export const AT: Readonly<Record<keyof typeof ADDRESSES, Address>> = ADDRESSES

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

export const COUNCIL = {
  proposalCount: abiFunction('proposalCount', NOTHING, WORD),
  propose: abiFunction('propose', tupleOf(CALLS), WORD),
  execute: abiFunction('execute', tupleOf(uint(256), CALLS), NOTHING),
}

export const ORGANISATIONS = {
  appoint: abiFunction('appoint', tupleOf(BYTES32, BYTES32, U64, U64), NOTHING),
  accredit: abiFunction('accredit', tupleOf(BYTES32, BYTES32, U64, U64), NOTHING),
  isAccredited: abiFunction('isAccredited', tupleOf(BYTES32, BYTES32, U64), WORD),
}

export const CREDIT = {
  approve: abiFunction('approve', tupleOf(ADDRESS, uint(256)), WORD),
  allowance: abiFunction('allowance', tupleOf(ADDRESS, ADDRESS), WORD),
  balanceOf: abiFunction('balanceOf', tupleOf(ADDRESS), WORD),
  totalSupply: abiFunction('totalSupply', NOTHING, WORD),
}

export const BRIDGE = {
  lock: abiFunction('lock', tupleOf(U64, ADDRESS, uint(256), U64), tupleOf(BYTES32)),
  withdraw: abiFunction('withdraw', tupleOf(ADDRESS, uint(256), U64), tupleOf(BYTES32)),
  lockedFor: abiFunction('lockedFor', tupleOf(U64), WORD),
}

export const LIGHT_CLIENT = {
  createClient: abiFunction('createClient', tupleOf(U64, BYTES32, BYTES, U64, U64), NOTHING),
}

export const GATEWAY = {
  openChannel: abiFunction('openChannel', tupleOf(U64), NOTHING),
  setDefaults: abiFunction('setDefaults', tupleOf(U64, U64), NOTHING),
  /** Time to live first. */
  defaults: abiFunction('defaults', NOTHING, WORD),
}

export const IDENTITIES = {
  register: abiFunction('register', tupleOf(STATEMENT, BYTES, BYTES, BYTES), NOTHING),
  statusOf: abiFunction('statusOf', tupleOf(ADDRESS), WORD),
  suspend: abiFunction('suspend', tupleOf(ADDRESS, uint(16)), NOTHING),
  reinstate: abiFunction('reinstate', tupleOf(ADDRESS, uint(16)), NOTHING),
  cancel: abiFunction('cancel', tupleOf(ADDRESS, uint(16)), NOTHING),
  /** Of the mirror. */
  recordOf: abiFunction('recordOf', tupleOf(ADDRESS), MIRRORED),
}

export const IDENTITY_PEG = {
  open: abiFunction('open', tupleOf(ADDRESS, U64), NOTHING),
  resend: abiFunction('resend', tupleOf(ADDRESS, U64), NOTHING),
  presenceOf: abiFunction('presenceOf', tupleOf(ADDRESS, U64), PRESENCE),
  versionOf: abiFunction('versionOf', tupleOf(ADDRESS), WORD),
}

export const LICENCES = {
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

export const LICENCE_INDEX = {
  resend: abiFunction('resend', tupleOf(BYTES32), NOTHING),
}

export const LICENCE_PEG = {
  resend: abiFunction('resend', tupleOf(listOf(U64)), NOTHING),
  isUntold: abiFunction('isUntold', tupleOf(U64), WORD),
}

/** Text as the contracts keep codes: left in a word, zeros behind it. */
export function wordOfCode(text: string): Hash {
  const digits = [...text].map((each) => each.charCodeAt(0).toString(16).padStart(2, '0')).join('')
  return `0x${digits.padEnd(64, '0')}` as Hash
}
