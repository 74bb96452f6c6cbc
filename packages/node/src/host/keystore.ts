/**
 * Private keys at rest: Web3 Secret Storage, version 3, the format of geth, Besu and ethers.
 *
 * A key derivation function makes 32 bytes of the password: 16 encrypt the key with AES-128-CTR, 16
 * authenticate the ciphertext with keccak256. Here keys are written with scrypt at geth's standard
 * strength; pbkdf2 and other strengths are read. Runs on OpenSSL through `node:crypto`.
 */

import {
  createCipheriv,
  createDecipheriv,
  pbkdf2,
  randomBytes,
  randomUUID,
  type ScryptOptions,
  scrypt,
  timingSafeEqual,
} from 'node:crypto'
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { type Address, bytesToHex, concatBytes, hexToBytes, keccak256 } from '@vellum/evm'
import { NodeError } from '../error.ts'

/** Cost of a guess: geth's standard, 256 MiB and about a second. */
export interface ScryptStrength {
  /** CPU and memory cost, a power of two. Memory is 128 n r bytes. */
  readonly n: number
  readonly r: number
  readonly p: number
}

export const STANDARD_STRENGTH: ScryptStrength = { n: 2 ** 18, r: 8, p: 1 }

/** geth's light strength, 4 MiB and some milliseconds: for keys that guard nothing. */
export const LIGHT_STRENGTH: ScryptStrength = { n: 2 ** 12, r: 8, p: 6 }

export interface DecryptOptions {
  /** Also take files whose password can be guessed fast: scrypt n, or rounds of pbkdf2, under 2^17. */
  readonly acceptWeak?: boolean
}

/** Cost n of scrypt, or rounds of pbkdf2, below which a file counts as weak (reliability.md §3.3). */
const WORK_MIN = 2 ** 17
/** A file decides what opening it costs: bounds of memory and time, four times the standard. */
const SCRYPT_BYTES_MAX = 2 ** 30
const SCRYPT_P_MAX = 16
const PBKDF2_COUNT_MAX = 10_000_000
const FILE_BYTES_MAX = 16_384

/**
 * The text of a keystore file that holds a key.
 * @param key 32 bytes
 */
export async function encryptKeystore(
  key: Uint8Array,
  owner: { readonly address: Address; readonly password: Uint8Array },
  strength: ScryptStrength = STANDARD_STRENGTH,
): Promise<string> {
  const salt = randomBytes(32)
  const iv = randomBytes(16)
  const derived = await scryptOf(owner.password, salt, strength)
  const cipher = createCipheriv('aes-128-ctr', derived.subarray(0, 16), iv)
  const ciphertext = concatBytes(cipher.update(key), cipher.final())
  const mac = keccak256(concatBytes(derived.subarray(16, 32), ciphertext))
  derived.fill(0)
  const digits = (bytes: Uint8Array): string => bytesToHex(bytes).slice(2)
  return `${JSON.stringify(
    {
      address: owner.address.slice(2),
      crypto: {
        cipher: 'aes-128-ctr',
        cipherparams: { iv: digits(iv) },
        ciphertext: digits(ciphertext),
        kdf: 'scrypt',
        kdfparams: { dklen: 32, ...strength, salt: digits(salt) },
        mac: digits(mac),
      },
      id: randomUUID(),
      version: 3,
    },
    undefined,
    2,
  )}\n`
}

/**
 * The 32-byte key in a keystore file. The caller zeroes it after use.
 * @throws NodeError NODE_KEYSTORE_INVALID, NODE_KEYSTORE_WEAK, or NODE_KEYSTORE_PASSWORD
 */
export async function decryptKeystore(
  text: string,
  password: Uint8Array,
  options: DecryptOptions = {},
): Promise<Uint8Array> {
  const file = parseKeystore(text)
  if (!options.acceptWeak && workOf(file.kdf) < WORK_MIN) {
    throw new NodeError(
      'NODE_KEYSTORE_WEAK',
      'the keystore is encrypted so weakly that its password can be guessed; make a new key, or accept it explicitly',
      { work: workOf(file.kdf), least: WORK_MIN },
    )
  }
  const derived =
    file.kdf.name === 'scrypt'
      ? await scryptOf(password, file.kdf.salt, file.kdf)
      : await pbkdf2Of(password, file.kdf)
  try {
    const mac = keccak256(concatBytes(derived.subarray(16, 32), file.ciphertext))
    if (!timingSafeEqual(mac, file.mac)) {
      throw new NodeError('NODE_KEYSTORE_PASSWORD', 'the password does not open this keystore')
    }
    const decipher = createDecipheriv('aes-128-ctr', derived.subarray(0, 16), file.iv)
    return concatBytes(decipher.update(file.ciphertext), decipher.final())
  } finally {
    derived.fill(0)
  }
}

/**
 * The address that a keystore file says it holds; undefined if it does not say.
 * @throws NodeError NODE_KEYSTORE_INVALID
 */
export function keystoreAddress(text: string): Address | undefined {
  return parseKeystore(text).address
}

interface ScryptKdf extends ScryptStrength {
  readonly name: 'scrypt'
  readonly salt: Uint8Array
}

interface Pbkdf2Kdf {
  readonly name: 'pbkdf2'
  readonly count: number
  readonly salt: Uint8Array
}

interface Keystore {
  readonly address: Address | undefined
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
  readonly mac: Uint8Array
  readonly kdf: ScryptKdf | Pbkdf2Kdf
}

function parseKeystore(text: string): Keystore {
  if (text.length > FILE_BYTES_MAX) throw invalid('it is too long')
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw invalid('it is not JSON', cause)
  }
  const root = objectOf(json, 'the file')
  if (root.version !== 3) throw invalid('version must be 3')
  // Some early files spell it with a capital.
  const crypto = objectOf(root.crypto ?? root.Crypto, 'crypto')
  if (crypto.cipher !== 'aes-128-ctr') throw invalid('cipher must be aes-128-ctr')
  const iv = hexOf(objectOf(crypto.cipherparams, 'cipherparams').iv, 'iv', 16)
  const kdfparams = objectOf(crypto.kdfparams, 'kdfparams')
  return {
    address:
      root.address === undefined ? undefined : bytesToHex(hexOf(root.address, 'address', 20)),
    iv,
    ciphertext: hexOf(crypto.ciphertext, 'ciphertext', 32),
    mac: hexOf(crypto.mac, 'mac', 32),
    kdf: parseKdf(crypto.kdf, kdfparams),
  }
}

function parseKdf(name: unknown, params: Record<string, unknown>): ScryptKdf | Pbkdf2Kdf {
  if (params.dklen !== 32) throw invalid('dklen must be 32')
  const salt = hexOf(params.salt, 'salt')
  if (name === 'scrypt') {
    const n = countOf(params.n, 'n', 2 ** 30)
    const r = countOf(params.r, 'r', 1024)
    const p = countOf(params.p, 'p', SCRYPT_P_MAX)
    if (n < 2 || !Number.isInteger(Math.log2(n))) throw invalid('n must be a power of two')
    if (128 * n * r > SCRYPT_BYTES_MAX) throw invalid('n and r ask for over 1 GiB of memory')
    return { name, n, r, p, salt }
  }
  if (name === 'pbkdf2') {
    if (params.prf !== 'hmac-sha256') throw invalid('prf must be hmac-sha256')
    return { name, count: countOf(params.c, 'c', PBKDF2_COUNT_MAX), salt }
  }
  throw invalid('kdf must be scrypt or pbkdf2')
}

function workOf(kdf: ScryptKdf | Pbkdf2Kdf): number {
  return kdf.name === 'scrypt' ? kdf.n : kdf.count
}

function scryptOf(
  password: Uint8Array,
  salt: Uint8Array,
  { n, r, p }: ScryptStrength,
): Promise<Uint8Array> {
  // OpenSSL keeps RFC 7914's bound n < 2^(16 r), some published files do not.
  if (n >= 2 ** (16 * r)) return scryptAsync(password, salt, { N: n, r, p, dkLen: 32 })
  // OpenSSL counts its working memory against `maxmem` too.
  const options: ScryptOptions = { N: n, r, p, maxmem: 128 * n * r + 128 * r * p + (1 << 20) }
  return new Promise((resolve, reject) => {
    scrypt(password, salt, 32, options, (error, key) => (error ? reject(error) : resolve(key)))
  })
}

function pbkdf2Of(password: Uint8Array, { salt, count }: Pbkdf2Kdf): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, count, 32, 'sha256', (error, key) =>
      error ? reject(error) : resolve(key),
    )
  })
}

function objectOf(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} must be an object`)
  }
  return value as Record<string, unknown>
}

function countOf(value: unknown, what: string, max: number): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > max) {
    throw invalid(`${what} must be a whole number from 1 to ${max}`)
  }
  return value
}

function hexOf(value: unknown, what: string, size?: number): Uint8Array {
  if (typeof value !== 'string') throw invalid(`${what} must be hex digits`)
  const text = value.startsWith('0x') ? value : `0x${value}`
  let bytes: Uint8Array
  try {
    bytes = hexToBytes(text)
  } catch (cause) {
    throw invalid(`${what} must be hex digits`, cause)
  }
  if (size !== undefined && bytes.length !== size) throw invalid(`${what} must be ${size} bytes`)
  return bytes
}

function invalid(reason: string, cause?: unknown): NodeError {
  return new NodeError(
    'NODE_KEYSTORE_INVALID',
    `not a keystore of version 3: ${reason}`,
    { reason },
    cause === undefined ? undefined : { cause },
  )
}
