/**
 * A licence in the index of the main chain, proven by one of its headers: with the seals of its validators,
 * the path to the index's storage, and the licence's six slots. It is checked with the validator set alone.
 *
 * Spec: docs/protocol/peg.md, "Licences in the index".
 */

import { ADDRESSES } from '@vellum/contracts'
import { concat, decodeBytes32String, getAddress, hexlify, keccak256, toBeHex } from 'ethers'
import { LICENCE_LIMITS } from './config.ts'
import type { Verdict } from './error.ts'
import { readNodeHeader } from './node-header.ts'
import type { TrustedChain } from './offline-proof.ts'
import { NO_DOMAIN, type SealReason, verifySeals } from './sealed-header.ts'
import { LICENCE_STATUSES, type LicenceStatus } from './status-tree.ts'
import { provenStorageRoot, provenWord, type TrieProof } from './trie-proof.ts'

export interface IndexProof {
  /** Of the side chain that has the licence. */
  readonly chainId: bigint
  readonly number: bigint
  /** RLP with seals, of a block of the main chain. */
  readonly header: Uint8Array
  readonly account: TrieProof
  /** Of each slot, from the first. */
  readonly slots: readonly TrieProof[]
}

/** What a side chain has told main's index of a licence. */
export interface ToldLicence {
  readonly chainId: bigint
  readonly number: bigint
  readonly identifier: string
  readonly content: string
  /** 21 characters. */
  readonly licenceType: string
  /** Credit code. */
  readonly issuer: string
  readonly holder: string
  readonly version: number
  readonly validFrom: number
  readonly validUntil: number
  readonly statusTime: number
}

/** What the index says. Times in seconds since 1970. */
export interface ProvenLicence extends ToldLicence {
  /** By record, the identity's status as the side chain last said, and the block's time. */
  readonly status: LicenceStatus
  /** Block of the main chain, and its time. */
  readonly height: number
  readonly time: number
}

export type IndexProofReason =
  | SealReason
  | 'header of another chain'
  | 'height before trust'
  | 'proof too old'
  | 'header from the future'
  | 'account not proven'
  | 'licence not proven'

export const INDEX_SLOTS = 6

/** First of the six slots of a licence. */
export function indexSlotOf(chainId: bigint, number: bigint): bigint {
  const ofChain = keccak256(concat([toBeHex(chainId, 32), toBeHex(0, 32)]))
  return BigInt(keccak256(concat([toBeHex(number, 32), ofChain])))
}

/**
 * @param main validators of the main chain
 * @param rule.now seconds since 1970
 * @param rule.ageMax seconds that the block may be old
 * @throws LicenceError LICENCE_HEADER_UNUSUAL for bytes that are no header of a QBFT chain
 */
export function verifyIndexProof(
  proof: IndexProof,
  main: TrustedChain,
  rule: { readonly now: number; readonly ageMax: number },
): Verdict<{ readonly licence: ProvenLicence }, IndexProofReason> {
  const { chainId, number } = proof
  const { header, seals, commitHash, domain } = readNodeHeader(proof.header)
  if (domain !== (main.domain ?? NO_DOMAIN)) return { ok: false, reason: 'header of another chain' }
  const set = main.validators.findLast(({ from }) => from <= header.number)?.set
  if (set === undefined) return { ok: false, reason: 'height before trust' }
  // Of the trusted set, whatever set the header names.
  const sealed = verifySeals(commitHash, seals, set)
  if (!sealed.ok) return sealed
  if (header.timestamp > rule.now + LICENCE_LIMITS.clockSkewSeconds) {
    return { ok: false, reason: 'header from the future' }
  }
  if (rule.now - header.timestamp > rule.ageMax) return { ok: false, reason: 'proof too old' }
  const index = ADDRESSES.licencePeg
  const root = provenStorageRoot(hexlify(header.stateRoot), index, proof.account)
  if (root === undefined) return { ok: false, reason: 'account not proven' }
  const first = indexSlotOf(chainId, number)
  const words: bigint[] = []
  for (let i = 0; i < INDEX_SLOTS; i++) {
    const word = provenWord(root, first + BigInt(i), proof.slots[i] ?? [])
    if (word === undefined) return { ok: false, reason: 'licence not proven' }
    words.push(word)
  }
  const block = { height: header.number, time: header.timestamp }
  return { ok: true, licence: { chainId, number, ...licenceIn(words, block.time), ...block } }
}

type Contents = Omit<ProvenLicence, 'chainId' | 'number' | 'height' | 'time'>

/** @param words of the six slots @param time of the block */
function licenceIn(words: readonly bigint[], time: number): Contents {
  const [identifier, content, type, issuer, holding, state] = words as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ]
  const validUntil = Number(part(state, 0, 64))
  const own = LICENCE_STATUSES[Number(part(state, 224, 8))] ?? 'None'
  const mark = LICENCE_STATUSES[Number(part(state, 232, 8))] ?? 'None'
  return {
    identifier: toBeHex(identifier, 32),
    content: toBeHex(content, 32),
    licenceType: decodeBytes32String(toBeHex(type, 32)),
    issuer: decodeBytes32String(toBeHex(issuer, 32)),
    holder: getAddress(toBeHex(part(holding, 0, 160), 20)),
    validFrom: Number(part(holding, 160, 64)),
    version: Number(part(holding, 224, 32)),
    validUntil,
    statusTime: Number(part(state, 64, 64)),
    status: outranked(own === 'InForce' && time >= validUntil ? 'Lapsed' : own, mark),
  }
}

/** The identity outranks what is alive. */
function outranked(own: LicenceStatus, mark: LicenceStatus): LicenceStatus {
  const isAlive = own === 'InForce' || own === 'Suspended'
  return isAlive && (mark === 'Suspended' || mark === 'Cancelled') ? mark : own
}

/** Fields are packed from the lowest bit up. */
function part(word: bigint, fromBit: number, bits: number): bigint {
  return (word >> BigInt(fromBit)) & ((1n << BigInt(bits)) - 1n)
}
