/**
 * Making of identities: the registrar says who holds a key (EIP-712 `Identity`), the holder
 * countersigns it with that key (`Countersignature`), and anybody brings both to the chain. Change of
 * keys and recovery are signed likewise. Spec: IdentityRegistry.sol.
 *
 * The payload is for the holder alone. On chain stands `digest`, a commitment to it with a salt of 32
 * bytes: keccak256(salt | payload), so that nobody can try payloads.
 */

import { ADDRESSES, IDENTITY_KINDS } from '@vellum/contracts'
import {
  encodeBytes32String,
  getBytes,
  hexlify,
  keccak256,
  randomBytes,
  TypedDataEncoder,
  type TypedDataField,
} from 'ethers'
import {
  fromBase64Url,
  isObject,
  joinBytes,
  parseObject,
  textOf,
  toBase64Url,
  utf8,
} from './bytes.ts'
import { parseCreditCode } from './credit-code.ts'
import { decryptWith, encryptTo } from './envelope.ts'
import { LicenceError } from './error.ts'
import { addressOfKey, type KeyHolder, signDigest } from './key.ts'

export type IdentityKind = keyof typeof IDENTITY_KINDS

/** What a registrar says of an identity. Times are seconds since 1970. */
export interface IdentityStatement {
  readonly holder: string
  readonly publicKeyX: string
  readonly publicKeyY: string
  readonly subject: string
  readonly kind: number
  readonly registrar: string
  readonly digest: string
  readonly payloadHash: string
  readonly version: number
  readonly deadline: number
}

/** A statement on its way: registrar to holder to chain. */
export interface SignedStatement {
  readonly statement: IdentityStatement
  readonly registrarSignature: string
  /** Encrypted to the holder. */
  readonly payload: Uint8Array
}

export interface CountersignedStatement extends SignedStatement {
  readonly holderSignature: string
}

export interface IdentityOptions {
  readonly chainId: bigint
  /** Key of the registrar's account. */
  readonly registrar: KeyHolder
  /** Credit code of the registrar. */
  readonly registrarCode: string
  /** 64 bytes. */
  readonly holderKey: Uint8Array
  readonly kind: IdentityKind
  /** `SubjectRing.tag` */
  readonly subject: string
  /** What is told to the holder: name, document, whatever the registrar reviewed. Small. */
  readonly details: Readonly<Record<string, string>>
  /** 1 for a new identity, then 2, 3, … */
  readonly version: number
  /** Last second at which it may be brought to the chain. */
  readonly deadline: number
}

/** A new key for an identity. */
export interface KeyChange {
  readonly identity: string
  /** 64 bytes. */
  readonly newKey: Uint8Array
  /** The identity's nonce on chain. */
  readonly nonce: bigint
  readonly deadline: number
}

const IDENTITY: TypedDataField[] = [
  { name: 'holder', type: 'address' },
  { name: 'publicKeyX', type: 'bytes32' },
  { name: 'publicKeyY', type: 'bytes32' },
  { name: 'subject', type: 'bytes32' },
  { name: 'kind', type: 'uint8' },
  { name: 'registrar', type: 'bytes32' },
  { name: 'digest', type: 'bytes32' },
  { name: 'payloadHash', type: 'bytes32' },
  { name: 'version', type: 'uint64' },
  { name: 'deadline', type: 'uint64' },
]
const COUNTERSIGNATURE: TypedDataField[] = [
  { name: 'identity', type: 'Identity' },
  { name: 'registrarSignature', type: 'bytes' },
]
const KEY: TypedDataField[] = [
  { name: 'identity', type: 'address' },
  { name: 'publicKeyX', type: 'bytes32' },
  { name: 'publicKeyY', type: 'bytes32' },
  { name: 'nonce', type: 'uint256' },
  { name: 'deadline', type: 'uint64' },
]
const OBJECTION: TypedDataField[] = [
  { name: 'identity', type: 'address' },
  { name: 'nonce', type: 'uint256' },
]
const SALT_BYTES = 32

/** The registrar's part. @throws LicenceError of the registrar's code or the key */
export async function makeIdentity(options: IdentityOptions): Promise<SignedStatement> {
  const { chainId, registrar, holderKey, kind, subject, details, version, deadline } = options
  const salt = randomBytes(SALT_BYTES)
  const plaintext = utf8(JSON.stringify({ salt: toBase64Url(salt), details }))
  const payload = encryptTo(holderKey, plaintext)
  const statement = {
    holder: addressOfKey(holderKey),
    ...wordsOfKey(holderKey),
    subject,
    kind: IDENTITY_KINDS[kind],
    registrar: encodeBytes32String(parseCreditCode(options.registrarCode)),
    digest: keccak256(joinBytes([salt, plaintext])),
    payloadHash: keccak256(payload),
    version,
    deadline,
  }
  const hash = TypedDataEncoder.hash(domainOf(chainId), { Identity: IDENTITY }, statement)
  return { statement, payload, registrarSignature: await signDigest(hash, registrar) }
}

/**
 * The holder's part: opens the payload, checks that it is what the statement commits to, that the
 * key is the own one, and signs.
 * @throws LicenceError LICENCE_IDENTITY_INVALID, LICENCE_DECRYPTION_FAILED
 */
export async function countersignIdentity(
  signed: SignedStatement,
  holder: { readonly chainId: bigint; readonly key: KeyHolder; readonly privateKey: Uint8Array },
): Promise<CountersignedStatement> {
  const { statement, payload, registrarSignature } = signed
  openIdentity(signed, holder.privateKey)
  if (statement.holder !== holder.key.address || keccak256(payload) !== statement.payloadHash) {
    throw invalid('it is for another key, or its payload was changed')
  }
  const hash = TypedDataEncoder.hash(
    domainOf(holder.chainId),
    { Countersignature: COUNTERSIGNATURE, Identity: IDENTITY },
    { identity: statement, registrarSignature },
  )
  return { ...signed, holderSignature: await signDigest(hash, holder.key) }
}

/**
 * What the registrar wrote into an identity.
 * @throws LicenceError LICENCE_IDENTITY_INVALID if the statement commits to something else
 */
export function openIdentity(
  signed: Pick<SignedStatement, 'payload'> & { readonly statement: { readonly digest: string } },
  privateKey: Uint8Array,
): Readonly<Record<string, string>> {
  const plaintext = decryptWith(privateKey, signed.payload)
  const object = parseObject(textOf(plaintext) ?? '')
  const { salt, details } = object ?? {}
  if (typeof salt !== 'string' || !isObject(details)) throw invalid('its payload is no such thing')
  const salted = joinBytes([base64UrlBytes(salt), plaintext])
  if (keccak256(salted) !== signed.statement.digest) throw invalid('its payload is another one')
  return details as Record<string, string>
}

/** Signs a change of key; both the old and the new one do. */
export function signKeyChange(chainId: bigint, change: KeyChange, key: KeyHolder): Promise<string> {
  return signDigest(
    TypedDataEncoder.hash(domainOf(chainId), { KeyChange: KEY }, keyValue(change)),
    key,
  )
}

/** Signs a recovery: registrar, supervising authority and the new key do. */
export function signRecovery(chainId: bigint, change: KeyChange, key: KeyHolder): Promise<string> {
  return signDigest(
    TypedDataEncoder.hash(domainOf(chainId), { Recovery: KEY }, keyValue(change)),
    key,
  )
}

/** The holder's objection to a recovery. @param nonce the identity's on chain */
export function signObjection(
  chainId: bigint,
  { identity, nonce }: Pick<KeyChange, 'identity' | 'nonce'>,
  key: KeyHolder,
): Promise<string> {
  const hash = TypedDataEncoder.hash(
    domainOf(chainId),
    { Objection: OBJECTION },
    { identity, nonce },
  )
  return signDigest(hash, key)
}

/** x and y of a public key of 64 bytes, as contracts take them. */
export function wordsOfKey(publicKey: Uint8Array): { publicKeyX: string; publicKeyY: string } {
  return {
    publicKeyX: hexlify(publicKey.subarray(0, 32)),
    publicKeyY: hexlify(publicKey.subarray(32, 64)),
  }
}

function keyValue({ newKey, ...rest }: KeyChange): Record<string, unknown> {
  return { ...rest, ...wordsOfKey(newKey) }
}

function domainOf(chainId: bigint): object {
  return {
    name: 'Vellum Identities',
    version: '1',
    chainId,
    verifyingContract: ADDRESSES.identityRegistry,
  }
}

function base64UrlBytes(text: string): Uint8Array {
  return fromBase64Url(text) ?? getBytes('0x')
}

function invalid(what: string): LicenceError {
  return new LicenceError('LICENCE_IDENTITY_INVALID', `not an identity to sign: ${what}`)
}
