/**
 * Headers as nodes give them, in the parts that offline verification knows.
 *
 * Spec: docs/protocol/block-format.md.
 */

import { decodeRlp, encodeRlp, getBytes, hexlify, keccak256, type RlpStructuredData } from 'ethers'
import { LICENCE_LIMITS } from './config.ts'
import { LicenceError } from './error.ts'
import {
  commitHashOf,
  type HeaderContext,
  NO_DOMAIN,
  SEAL_BYTES,
  type VariableHeader,
} from './sealed-header.ts'

/** Place of what names the chain: parentBeaconBlockRoot. */
const DOMAIN_ITEM = 19

export interface NodeHeader extends HeaderContext {
  readonly header: VariableHeader
  readonly seals: readonly Uint8Array[]
  /** What its seals sign. */
  readonly commitHash: string
}

/**
 * Reads the RLP of a header with its seals.
 * @throws LicenceError LICENCE_HEADER_UNUSUAL if the short form cannot say it
 */
export function readNodeHeader(bytes: Uint8Array): NodeHeader {
  if (bytes.length > LICENCE_LIMITS.headerBytesMax) throw unusual('it is too large')
  const items = listOf(decoded(bytes))
  const extra = listOf(decoded(bytesOf(items[12])))
  const validators = listOf(extra[1]).map((each) => hexlify(sized(each, 20)))
  const proposer = validators.indexOf(hexlify(bytesOf(items[2])))
  if (extra.length !== 5 || proposer < 0) throw unusual('its proposer is no validator')
  const header: VariableHeader = {
    parentHash: sized(items[0], 32),
    proposer,
    stateRoot: sized(items[3], 32),
    transactionsRoot: sized(items[4], 32),
    receiptsRoot: sized(items[5], 32),
    logsBloom: sized(items[6], 256),
    number: numberOf(items[8]),
    gasLimit: numberOf(items[9]),
    gasUsed: numberOf(items[10]),
    timestamp: numberOf(items[11]),
    items: items.length,
    baseFee: items.length > 15 ? numberOf(items[15]) : 0,
    round: numberOf(extra[3]),
    vote: voteOf(listOf(extra[2])),
  }
  const unsealed: RlpStructuredData[] = [...items]
  unsealed[12] = encodeRlp([...extra.slice(0, 4), []])
  const context: HeaderContext = {
    vanity: sized(extra[0], 32),
    validators,
    domain: items.length > DOMAIN_ITEM ? hexlify(sized(items[DOMAIN_ITEM], 32)) : NO_DOMAIN,
  }
  const commitHash = keccak256(encodeRlp(unsealed))
  // What the short form leaves out must be what a verifier puts back.
  if (commitHashOf(header, context) !== commitHash) {
    throw unusual('it differs from other headers of QBFT chains')
  }
  const seals = listOf(extra[4]).map((each) => sized(each, SEAL_BYTES))
  return { header, seals, commitHash, ...context }
}

function voteOf(vote: readonly RlpStructuredData[]): VariableHeader['vote'] {
  if (vote.length === 0) return undefined
  const kind = bytesOf(vote[1]).length === 0 ? 'drop' : 'add'
  return { recipient: sized(vote[0], 20), kind }
}

function decoded(bytes: Uint8Array): RlpStructuredData {
  try {
    return decodeRlp(bytes)
  } catch {
    throw unusual('it is no RLP')
  }
}

function listOf(item: RlpStructuredData | undefined): RlpStructuredData[] {
  if (!Array.isArray(item)) throw unusual('an item is no list')
  return item
}

function bytesOf(item: RlpStructuredData | undefined): Uint8Array {
  if (item === undefined || Array.isArray(item)) throw unusual('an item is missing')
  return getBytes(item)
}

function sized(item: RlpStructuredData | undefined, size: number): Uint8Array {
  const bytes = bytesOf(item)
  if (bytes.length !== size) throw unusual('an item has another size')
  return bytes
}

function numberOf(item: RlpStructuredData | undefined): number {
  const bytes = bytesOf(item)
  const value = bytes.length === 0 ? 0 : Number(BigInt(hexlify(bytes)))
  if (!Number.isSafeInteger(value)) throw unusual('a number is too large')
  return value
}

function unusual(what: string): LicenceError {
  return new LicenceError('LICENCE_HEADER_UNUSUAL', `no proof can be made of this header: ${what}`)
}
