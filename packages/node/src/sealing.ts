/** Which rules seal a chain, by its genesis; and the signer of a key. */

import {
  createQbftScheme,
  type MessageDomain,
  type QbftScheme,
  type RecoverAuthor,
} from '@vellum/consensus'
import { type Address, hasBytesAt, hexToBytes } from '@vellum/evm'
import {
  addressOfPublicKey,
  type Chain,
  decodeExtraData,
  FOREIGN,
  type Genesis,
  type SealScheme,
  type Secp256k1,
} from '@vellum/ledger'
import { NodeError } from './error.ts'
import type { Signer } from './ports.ts'

/**
 * The scheme of the chain: QBFT for a genesis that says so; for any other, blocks are named by their
 * plain hash, no seal is checked, and this node makes none.
 * @throws NodeError NODE_CONFIG_INVALID for a QBFT genesis that names no validator
 */
export function schemeOf(genesis: Genesis, crypto: Secp256k1): SealScheme {
  return qbftSchemeOf(genesis, crypto) ?? FOREIGN
}

/** undefined for a genesis without QBFT. @throws as `schemeOf` */
export function qbftSchemeOf(genesis: Genesis, crypto: Secp256k1): QbftScheme | undefined {
  if (genesis.qbft === undefined) return undefined
  if (decodeExtraData(genesis.extraData).validators.length === 0) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      'the genesis names no validator in extraData: nobody could make its first block',
    )
  }
  return createQbftScheme({
    config: genesis.qbft,
    recover: recoverSeal(crypto),
  })
}

/** Who made a signature of 65 bytes: r, s, y parity. */
export function recoverSeal(crypto: Secp256k1): RecoverAuthor {
  return (hash, seal) => crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64] ?? 2)
}

/** Signers remembered: a prepare comes again in certificates. */
const KNOWN_SIGNERS = 4_096
/** A hash and a signature. */
const KNOWN_BYTES = 97

/**
 * `recoverSeal` for messages: a signature is looked at once, in however many certificates it comes. There
 * is one place for those that have the same two bytes of s, and the last one has it.
 */
export function rememberSigners(crypto: Secp256k1): RecoverAuthor {
  const signers = new Array<Address | undefined>(KNOWN_SIGNERS).fill(undefined)
  const known = new Uint8Array(KNOWN_SIGNERS * KNOWN_BYTES)
  const recover = recoverSeal(crypto)
  return (hash, signature) => {
    const place = (signature[33]! | (signature[34]! << 8)) % KNOWN_SIGNERS
    const at = place * KNOWN_BYTES
    const found = signers[place]
    if (
      found !== undefined &&
      hasBytesAt(known, at, hash) &&
      hasBytesAt(known, at + 32, signature)
    ) {
      return found
    }
    const signer = recover(hash, signature)
    if (signer !== undefined) {
      known.set(hash, at)
      known.set(signature, at + 32)
      signers[place] = signer
    }
    return signer
  }
}

/** What the chain's messages are signed with, if its genesis asks for it. */
export function messageDomainOf({
  genesis,
  hashAt,
}: Pick<Chain, 'genesis' | 'hashAt'>): MessageDomain {
  return genesis.chainDomain ? hexToBytes(hashAt(genesis.number)!) : undefined
}

/** Signs in this process. @param key the validator's private key, 32 bytes */
export function signerOf(key: Uint8Array, crypto: Secp256k1): Signer {
  return {
    address: addressOfPublicKey(crypto.publicKey(key)),
    sign: (hash) => crypto.signBytes(hash, key),
  }
}
