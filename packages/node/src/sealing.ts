/** Which rules seal a chain, by its genesis; and the sealer for a key that may. */

import type { Address } from '@vellum/evm'
import {
  addressOfPublicKey,
  createSingleSealer,
  createSingleSealScheme,
  decodeExtraData,
  FOREIGN,
  type Genesis,
  type Sealer,
  type SealScheme,
  type Secp256k1,
} from '@vellum/ledger'
import { NodeError } from './error.ts'

/**
 * The scheme of the chain: one validator's seals for a QBFT genesis; for any other, blocks are named
 * by their plain hash, no seal is checked, and this node makes none.
 * @throws NodeError NODE_CONFIG_INVALID for a genesis with more than one validator
 */
export function schemeOf(genesis: Genesis, crypto: Secp256k1): SealScheme {
  if (genesis.qbft === undefined) return FOREIGN
  return createSingleSealScheme({ validator: validatorOf(genesis), crypto })
}

/**
 * @param key the validator's private key, 32 bytes
 * @throws NodeError NODE_CONFIG_INVALID if this key does not seal this chain
 */
export function sealerOf(genesis: Genesis, key: Uint8Array, crypto: Secp256k1): Sealer {
  if (genesis.qbft === undefined) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      'the genesis has no `config.qbft`: its blocks are made elsewhere; start without --validator',
    )
  }
  const validator = validatorOf(genesis)
  const address = addressOfPublicKey(crypto.publicKey(key))
  if (address !== validator) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `the key of --validator is that of ${address}, but the genesis names ${validator}`,
      { address, validator },
    )
  }
  return createSingleSealer({ validator, crypto, key })
}

/** The chain's only validator. */
export function validatorOf(genesis: Genesis): Address {
  const { validators } = decodeExtraData(genesis.extraData)
  const [validator] = validators
  if (validator === undefined || validators.length > 1) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `the genesis names ${validators.length} validators in extraData; this version runs chains with exactly one`,
      { validators: validators.length },
    )
  }
  return validator
}
