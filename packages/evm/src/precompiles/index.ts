/** The precompiled contracts of each rule set, by address. */

import type { Address } from '../bytes.ts'
import { bigIntToBytes, bytesToHex } from '../bytes.ts'
import type { Fork } from '../fork.ts'
import { isAtLeast } from '../fork.ts'
import { blake2f } from './blake2f.ts'
import {
  g1Add,
  g1MultiScalar,
  g2Add,
  g2MultiScalar,
  mapFp2ToG2,
  mapFpToG1,
  pairing,
} from './bls12-381.ts'
import {
  bn254Add,
  bn254AddByzantium,
  bn254Multiply,
  bn254MultiplyByzantium,
  bn254Pairing,
  bn254PairingByzantium,
} from './bn254.ts'
import { createEcrecover, recoverWithNoble } from './ecrecover.ts'
import { identity, ripemd160, sha256 } from './hashing.ts'
import { pointEvaluation } from './kzg.ts'
import { modexp, modexpByzantium, modexpOsaka } from './modexp.ts'
import { p256Verify } from './p256.ts'
import type { Precompile, RecoverPublicKey } from './precompile.ts'

export type { Precompile, RecoverPublicKey } from './precompile.ts'

export interface PrecompileOptions {
  /** Signature recovery of the host, where it has a faster one than JavaScript's. */
  readonly recover?: RecoverPublicKey
}

/**
 * The precompiled contracts that exist under the rules of a fork, in order of address.
 * Build it once for a chain: it holds no state, and one map serves all calls.
 */
export function precompilesOf(
  fork: Fork,
  options: PrecompileOptions = {},
): ReadonlyMap<Address, Precompile> {
  const contracts: [number, Precompile][] = [
    [0x01, createEcrecover(options.recover ?? recoverWithNoble)],
    [0x02, sha256],
    [0x03, ripemd160],
    [0x04, identity],
  ]
  if (isAtLeast(fork, 'byzantium')) contracts.push(...ofByzantium(fork))
  if (isAtLeast(fork, 'istanbul')) contracts.push([0x09, blake2f])
  if (isAtLeast(fork, 'cancun')) contracts.push([0x0a, pointEvaluation])
  if (isAtLeast(fork, 'prague')) {
    contracts.push(
      [0x0b, g1Add],
      [0x0c, g1MultiScalar],
      [0x0d, g2Add],
      [0x0e, g2MultiScalar],
      [0x0f, pairing],
      [0x10, mapFpToG1],
      [0x11, mapFp2ToG2],
    )
  }
  if (isAtLeast(fork, 'osaka')) contracts.push([0x100, p256Verify])
  return new Map(contracts.map(([number, contract]) => [addressOf(number), contract]))
}

function ofByzantium(fork: Fork): [number, Precompile][] {
  const isCheap = isAtLeast(fork, 'istanbul')
  return [
    [0x05, modexpOf(fork)],
    [0x06, isCheap ? bn254Add : bn254AddByzantium],
    [0x07, isCheap ? bn254Multiply : bn254MultiplyByzantium],
    [0x08, isCheap ? bn254Pairing : bn254PairingByzantium],
  ]
}

function modexpOf(fork: Fork): Precompile {
  if (isAtLeast(fork, 'osaka')) return modexpOsaka
  return isAtLeast(fork, 'berlin') ? modexp : modexpByzantium
}

function addressOf(number: number): Address {
  return bytesToHex(bigIntToBytes(BigInt(number), 20))
}
