/**
 * What makes a block count as sealed, and which hash names it: the seam where consensus plugs in.
 *
 * A chain has one scheme for its whole life. `createSingleSealer` is the chain of one validator:
 * QBFT headers with n = 1, where the quorum is one seal and every block is decided in round 0.
 * `FOREIGN` names blocks by the plain hash of their header and checks no seal: other people's
 * chains, imported for tests and audits.
 */

import {
  type Address,
  bigIntToBytes,
  concatBytes,
  type Hash,
  keccak256,
  keccak256Hex,
} from '@vellum/evm'
import { encodeHeader, type Header } from './block.ts'
import type { Secp256k1 } from './crypto.ts'
import { decodeExtraData, encodeExtraData, VANITY_SIZE } from './extra-data.ts'

export type Verdict<Reason extends string = string> =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: Reason }

/** Header fields that belong to consensus, for a block that is being built. */
export interface ConsensusFields {
  readonly coinbase: Address
  readonly difficulty: bigint
  readonly extraData: Uint8Array
  readonly mixHash: Hash
  readonly nonce: Uint8Array
}

export interface SealScheme {
  /** The name of the block: `parentHash` of the next one, BLOCKHASH, RPC `hash`. */
  hash(header: Header): Hash
  /** Consensus fields and seals of a header, against its parent. Everything else is `validate.ts`. */
  verify(header: Header, parent: Header): Verdict
}

export interface Sealer extends SealScheme {
  /** Consensus fields for a block on top of this parent. */
  fields(parent: Header): ConsensusFields
  /** The header with its seals. */
  seal(header: Header): Header
}

/** keccak256("Istanbul"...): what a QBFT header carries as mix hash. */
export const QBFT_MIX_HASH: Hash =
  '0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365'
const NO_NONCE = new Uint8Array(8)

/** The header as it is hashed: without seals, and in the given round. */
export function withRound(header: Header, round: number): Header {
  const extra = decodeExtraData(header.extraData)
  return { ...header, extraData: encodeExtraData({ ...extra, round, seals: [] }) }
}

/** On-chain hash of a QBFT header: round 0 and no seals, so that all validators agree on it. */
export function qbftHash(header: Header): Hash {
  if (header.number === 0) return keccak256Hex(encodeHeader(header))
  return keccak256Hex(encodeHeader(withRound(header, 0)))
}

/** What a commit seal signs: the round is kept, the seals are not. */
export function commitHash(header: Header): Uint8Array {
  const extra = decodeExtraData(header.extraData)
  return keccak256(encodeHeader({ ...header, extraData: encodeExtraData({ ...extra, seals: [] }) }))
}

/** A chain sealed by nobody we know: imported, hash of the plain header, no seal checked. */
export const FOREIGN: SealScheme = {
  hash: (header) => keccak256Hex(encodeHeader(header)),
  verify: () => ({ ok: true }),
}

export interface SingleSealOptions {
  /** The only validator: named in the genesis block's extra data. */
  readonly validator: Address
  readonly crypto: Secp256k1
}

export type SealReason =
  | 'coinbase is not the validator'
  | 'consensus fields differ from QBFT'
  | 'extra data is not canonical'
  | 'validators differ from the genesis block'
  | 'seal is not the validator’s'

/** Checks blocks of a chain with one validator. */
export function createSingleSealScheme(options: SingleSealOptions): SealScheme {
  const { validator, crypto } = options
  function verify(header: Header): Verdict<SealReason> {
    if (header.coinbase !== validator) return { ok: false, reason: 'coinbase is not the validator' }
    if (
      header.difficulty !== 1n ||
      header.mixHash !== QBFT_MIX_HASH ||
      header.nonce.some((byte) => byte !== 0)
    ) {
      return { ok: false, reason: 'consensus fields differ from QBFT' }
    }
    const extra = decodeExtraData(header.extraData)
    if (extra.round !== 0 || extra.vote !== undefined || extra.seals.length !== 1) {
      return { ok: false, reason: 'extra data is not canonical' }
    }
    if (extra.validators.length !== 1 || extra.validators[0] !== validator) {
      return { ok: false, reason: 'validators differ from the genesis block' }
    }
    const seal = extra.seals[0]!
    const signer = crypto.recoverBytes(commitHash(header), seal.subarray(0, 64), seal[64]!)
    if (signer !== validator) return { ok: false, reason: 'seal is not the validator’s' }
    return { ok: true }
  }
  return { hash: qbftHash, verify }
}

/** Also makes blocks. `key` is the validator's private key, 32 bytes. */
export function createSingleSealer(
  options: SingleSealOptions & { readonly key: Uint8Array },
): Sealer {
  const { validator, crypto, key } = options
  const extraData = encodeExtraData({
    vanity: new Uint8Array(VANITY_SIZE),
    validators: [validator],
    vote: undefined,
    round: 0,
    seals: [],
  })
  const fields = {
    coinbase: validator,
    difficulty: 1n,
    extraData,
    mixHash: QBFT_MIX_HASH,
    nonce: NO_NONCE,
  }
  return {
    ...createSingleSealScheme(options),
    fields: () => fields,
    seal: (header) => {
      const { r, s, yParity } = crypto.sign(commitHash(header), key)
      const seal = concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
      const extra = decodeExtraData(header.extraData)
      return { ...header, extraData: encodeExtraData({ ...extra, seals: [seal] }) }
    },
  }
}
