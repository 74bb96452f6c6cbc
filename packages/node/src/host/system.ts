/**
 * What this machine offers a node beyond JavaScript: signatures with libsecp256k1.
 *
 * The npm package `secp256k1` falls back to a slow JavaScript curve without a word when the binding
 * does not load, so the binding is loaded by its own file, tried, and reported.
 */

import { createRequire } from 'node:module'
import { bytesToHex, hexToBytes } from '@vellum/evm'
import {
  createSecp256k1,
  type NativeSecp256k1,
  type Secp256k1,
  signatureBytes,
} from '@vellum/ledger'

export interface SystemCrypto {
  readonly crypto: Secp256k1
  /** Why JavaScript signs and recovers; undefined where libsecp256k1 does. */
  readonly fallbackReason: string | undefined
}

/**
 * Signatures on this machine, and why they are slow if they are. Never throws for a missing or
 * faulty binding: JavaScript does the same, forty times slower.
 * @param loadBinding gives the native binding or throws
 */
export function loadSystemCrypto(loadBinding: () => unknown = loadNpmBinding): SystemCrypto {
  try {
    const native = asNative(loadBinding())
    const crypto = createSecp256k1(native)
    const failure = selfTest(crypto)
    if (failure === undefined) return { crypto, fallbackReason: undefined }
    return { crypto: createSecp256k1(), fallbackReason: failure }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { crypto: createSecp256k1(), fallbackReason: `the binding did not load: ${reason}` }
  }
}

function loadNpmBinding(): unknown {
  return createRequire(import.meta.url)('secp256k1/bindings.js')
}

function asNative(binding: unknown): NativeSecp256k1 {
  const functions = ['publicKeyCreate', 'ecdsaSign', 'ecdsaRecover'] as const
  const candidate = binding as Partial<NativeSecp256k1> | null
  for (const name of functions) {
    if (typeof candidate?.[name] !== 'function') throw new Error(`it has no function ${name}`)
  }
  return candidate as NativeSecp256k1
}

/**
 * One signature with a known result, and its way back. A binding built for another processor can
 * load and then compute nonsense; better to learn it here than at the first block.
 */
function selfTest(crypto: Secp256k1): string | undefined {
  const hash = new Uint8Array(32).fill(0x11)
  const key = new Uint8Array(32).fill(0x22)
  const reference = createSecp256k1()
  const expected = reference.sign(hash, key)
  const signature = crypto.sign(hash, key)
  if (
    bytesToHex(signatureBytes(signature)) !== bytesToHex(signatureBytes(expected)) ||
    signature.yParity !== expected.yParity
  ) {
    return 'the binding made a wrong signature'
  }
  const signer = crypto.recover(hash, expected)
  if (signer !== SELF_TEST_SIGNER || signer !== reference.recover(hash, expected)) {
    return 'the binding recovered a wrong signer'
  }
  const unrecoverable = hexToBytes(`0x${'00'.repeat(31)}05${'00'.repeat(31)}01`)
  return crypto.recoverBytes(hash, unrecoverable, 0) === undefined
    ? undefined
    : 'the binding recovered a signer where there is none'
}

/** Address of the private key 0x22...22. */
const SELF_TEST_SIGNER = '0x1563915e194d8cfba1943570603f7606a3115508'
