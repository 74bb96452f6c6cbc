/**
 * Wycheproof: hostile ECDSA signatures on secp256k1, for both of our backends.
 *
 * We recover keys and never verify against one, so a signature counts as valid if the key of the
 * case recovers from it. The files with plain r and s accept high s, as ECRECOVER does; those of
 * Bitcoin do not, as transactions do since EIP-2. Files of encodings and curves that are not ours
 * (DER alone, Ed25519) concern the libraries of the network layer.
 */

import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { bytesToHex, hexToBytes } from '@vellum/evm'
import {
  addressOfPublicKey,
  createSecp256k1,
  type NativeSecp256k1,
  type Secp256k1,
} from '@vellum/ledger'
import { expectEqual } from './expect.ts'
import { isRecord, testFiles } from './files.ts'
import type { Case, CaseOutcome, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'wycheproof', sample: 150, cases }

const nodePackage = new URL('../../packages/node/package.json', import.meta.url)
const native = createRequire(nodePackage)('secp256k1/bindings.js') as NativeSecp256k1
const BACKENDS = [createSecp256k1(), createSecp256k1(native)]
const FIELD_MODULUS = secp256k1.Point.Fp.ORDER
const ORDER = secp256k1.Point.Fn.ORDER

type IsValid = (crypto: Secp256k1, hash: Uint8Array, signature: Uint8Array) => boolean

interface Key {
  /** 64 bytes: x, then y. */
  readonly publicKey: Uint8Array
}

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const { path: file, tests } of testFiles(path, 'wycheproof')) {
    const isBitcoin = file.includes('secp256k1_sha256_bitcoin')
    if (!isBitcoin && !file.includes('secp256k1_sha256_p1363')) continue
    if (!isRecord(tests) || !Array.isArray(tests.testGroups)) continue
    for (const group of tests.testGroups.filter(isRecord)) {
      const key = keyOf(group)
      const isValid = isBitcoin ? bitcoinCheck(key) : plainCheck(key)
      for (const test of (group.tests as unknown[]).filter(isRecord)) {
        const name = `${file} ${test.tcId} ${test.comment}`
        yield { name, run: () => runCase(test, isValid, isBitcoin) }
      }
    }
  }
}

function runCase(
  test: Readonly<Record<string, unknown>>,
  isValid: IsValid,
  isBitcoin: boolean,
): CaseOutcome {
  const signature = hexToBytes(`0x${test.sig}`)
  const plain = isBitcoin ? plainOfDer(signature) : signature
  const hash = createHash('sha256')
    .update(hexToBytes(`0x${test.msg}`))
    .digest()
  const [found, other] = BACKENDS.map(
    (crypto) => plain !== undefined && isValid(crypto, hash, plain),
  )
  expectEqual(other, found, 'the verdict of the native backend')
  if (test.result === 'valid' && !found && plain !== undefined && mayWrap(plain)) {
    return { skip: 'the nonce point’s x exceeds the order: Ethereum has no parity for it' }
  }
  expectEqual(found, test.result === 'valid', 'the verdict')
}

function plainCheck({ publicKey }: Key): IsValid {
  const expected = bytesToHex(publicKey)
  return (crypto, hash, rs) =>
    ([0, 1] as const).some((parity) => {
      const found = crypto.recoverPublicKey(hash, rs, parity)
      return found !== undefined && bytesToHex(found) === expected
    })
}

function bitcoinCheck({ publicKey }: Key): IsValid {
  const expected = addressOfPublicKey(publicKey)
  return (crypto, hash, rs) =>
    [0, 1].some((parity) => crypto.recoverBytes(hash, rs, parity) === expected)
}

/** r and s of 32 bytes each; undefined if the encoding is not canonical DER. */
function plainOfDer(signature: Uint8Array): Uint8Array | undefined {
  try {
    return secp256k1.Signature.fromBytes(signature, 'der').toBytes('compact')
  } catch {
    return undefined
  }
}

/** True if r is so small that the nonce point's x can have been r plus the order. */
function mayWrap(rs: Uint8Array): boolean {
  return rs.length === 64 && BigInt(bytesToHex(rs.subarray(0, 32))) + ORDER < FIELD_MODULUS
}

function keyOf(group: Readonly<Record<string, unknown>>): Key {
  const { publicKey } = group
  if (!isRecord(publicKey) || typeof publicKey.uncompressed !== 'string') {
    throw new Error('a group of cases has no public key')
  }
  return { publicKey: hexToBytes(`0x${publicKey.uncompressed}`).subarray(1) }
}
