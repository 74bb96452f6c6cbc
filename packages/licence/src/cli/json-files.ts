/** The files of commands: JSON, bytes in hex. What is read is checked for its shape, field by field. */

import { IDENTITY_KINDS } from '@vellum/contracts'
import { getBytes, hexlify, isHexString } from 'ethers'
import { isObject } from '../bytes.ts'
import { LicenceError } from '../error.ts'
import type {
  CountersignedStatement,
  IdentityKind,
  IdentityStatement,
  SignedStatement,
} from '../identity.ts'
import type { IndexProof } from '../index-proof.ts'
import type { LicenceData } from '../licence-data.ts'
import type { TrustedChain } from '../offline-proof.ts'
import type { DocumentType, PersonDocument, SubjectKey } from '../subject.ts'
import type { TrieProof } from '../trie-proof.ts'
import type { CommandPorts } from './ports.ts'

/** What a registrar reviewed of somebody. */
export interface IdentityRequest {
  /** 64 bytes. */
  readonly publicKey: Uint8Array
  readonly kind: IdentityKind
  readonly document: PersonDocument
  readonly details: Readonly<Record<string, string>>
}

/** A change of key after a loss, on its way from hand to hand. */
export interface RecoveryFile {
  readonly identity: string
  readonly newKey: Uint8Array
  readonly nonce: bigint
  readonly deadline: number
  readonly signatures: Readonly<Partial<Record<'new' | 'registrar' | 'supervisor', string>>>
}

/** What a holder keeps for presentations. The secret alone tells whose an entry of the log is. */
export interface HolderFile {
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** Seeds that were used. */
  readonly presentations: number
}

const IDENTITY_KIND_NAMES = Object.keys(IDENTITY_KINDS) as IdentityKind[]
const DATA_FIELDS = [
  'identifier',
  'typeName',
  'number',
  'issueDate',
  'issuerName',
  'validFrom',
  'region',
  'holderName',
  'holderCode',
  'holderCodeType',
] as const
const STATEMENT_WORDS = [
  'holder',
  'publicKeyX',
  'publicKeyY',
  'subject',
  'registrar',
  'digest',
  'payloadHash',
] as const
const STATEMENT_NUMBERS = ['kind', 'version', 'deadline'] as const

/** Text of a file: bytes as hex, large numbers as digits. */
export function formatJson(value: object): string {
  const plain = (_: string, each: unknown): unknown => {
    if (each instanceof Uint8Array) return hexlify(each)
    return typeof each === 'bigint' ? each.toString() : each
  }
  return `${JSON.stringify(value, plain, 2)}\n`
}

/** Shape alone; `issueCredential` checks what the fields say. */
export function readLicenceData(path: string, ports: CommandPorts): LicenceData {
  const file = readObject(path, ports)
  const fields = textsOf(file, DATA_FIELDS, path)
  const validUntil = file.validUntil === undefined ? undefined : textOf(file, 'validUntil', path)
  const { body = {} } = file
  if (!isObject(body)) throw invalid(path, 'body must be an object')
  return { ...fields, validUntil, body } as LicenceData
}

export function readIdentityRequest(path: string, ports: CommandPorts): IdentityRequest {
  const file = readObject(path, ports)
  const document = objectOf(file, 'document', path)
  const details = objectOf(file, 'details', path)
  const kind = IDENTITY_KIND_NAMES.find((each) => each === file.kind)
  if (kind === undefined) {
    throw invalid(path, `kind must be one of ${IDENTITY_KIND_NAMES.join(', ')}`)
  }
  return {
    publicKey: bytesOf(file, 'publicKey', path),
    kind,
    document: {
      type: textOf(document, 'type', path) as DocumentType,
      number: textOf(document, 'number', path),
    },
    details: textsOf(details, Object.keys(details), path),
  }
}

export function readStatement(path: string, ports: CommandPorts): SignedStatement {
  const file = readObject(path, ports)
  const raw = objectOf(file, 'statement', path)
  const numbers = STATEMENT_NUMBERS.map((name) => [name, numberOf(raw, name, path)])
  const statement = {
    ...textsOf(raw, STATEMENT_WORDS, path),
    ...Object.fromEntries(numbers),
  } as IdentityStatement
  return {
    statement,
    payload: bytesOf(file, 'payload', path),
    registrarSignature: textOf(file, 'registrarSignature', path),
  }
}

export function readCountersigned(path: string, ports: CommandPorts): CountersignedStatement {
  const holderSignature = textOf(readObject(path, ports), 'holderSignature', path)
  return { ...readStatement(path, ports), holderSignature }
}

export function readRecovery(path: string, ports: CommandPorts): RecoveryFile {
  const file = readObject(path, ports)
  const signatures = objectOf(file, 'signatures', path)
  return {
    identity: textOf(file, 'identity', path),
    newKey: bytesOf(file, 'newKey', path),
    nonce: bigOf(file, 'nonce', path),
    deadline: numberOf(file, 'deadline', path),
    signatures: textsOf(signatures, Object.keys(signatures), path),
  }
}

/** Secrets of subject tags: `{ "keys": [{ "version": 1, "secret": "0x…" }] }`. */
export function readSubjectKeys(path: string, ports: CommandPorts): SubjectKey[] {
  const { keys } = readObject(path, ports)
  if (!Array.isArray(keys)) throw invalid(path, 'keys must be a list')
  return keys.map((key: unknown) => {
    if (!isObject(key)) throw invalid(path, 'a key must be an object')
    return { version: numberOf(key, 'version', path), secret: bytesOf(key, 'secret', path) }
  })
}

export function parseHolderFile(text: string, path: string): HolderFile {
  const file = parse(text, path)
  return {
    secret: bytesOf(file, 'secret', path),
    presentations: numberOf(file, 'presentations', path),
  }
}

/** What an offline verifier knows of a chain. Files of before may lack domain and time. */
export function readTrust(path: string, ports: CommandPorts): TrustedChain {
  const file = readObject(path, ports)
  const { validators, domain, asOf } = file
  if (!Array.isArray(validators)) throw invalid(path, 'validators must be a list')
  return {
    chainId: bigOf(file, 'chainId', path),
    registry: textOf(file, 'registry', path),
    ...(domain === undefined ? {} : { domain: textOf(file, 'domain', path) }),
    ...(asOf === undefined ? {} : { asOf: numberOf(file, 'asOf', path) }),
    validators: validators.map((each: unknown) => {
      if (!isObject(each) || !Array.isArray(each.set)) throw invalid(path, 'a set must be a list')
      return { from: numberOf(each, 'from', path), set: each.set.map(String) }
    }),
  }
}

export function readIndexProof(path: string, ports: CommandPorts): IndexProof {
  const file = readObject(path, ports)
  const nodes = (list: unknown): TrieProof => {
    if (!Array.isArray(list) || !list.every((each) => isHexString(each))) {
      throw invalid(path, 'a proof must be a list of hex digits')
    }
    return list.map((each: string) => getBytes(each))
  }
  if (!Array.isArray(file.slots)) throw invalid(path, 'slots must be a list')
  return {
    chainId: bigOf(file, 'chainId', path),
    number: bigOf(file, 'number', path),
    header: bytesOf(file, 'header', path),
    account: nodes(file.account),
    slots: file.slots.map(nodes),
  }
}

function readObject(path: string, ports: CommandPorts): Record<string, unknown> {
  return parse(ports.readText(path), path)
}

function parse(text: string, path: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // The parser's own words would repeat what the file says.
    throw invalid(path, 'it is not JSON')
  }
  if (!isObject(value)) throw invalid(path, 'it is not an object')
  return value
}

function objectOf(of: object, name: string, path: string): Record<string, unknown> {
  const value = (of as Record<string, unknown>)[name]
  if (!isObject(value)) throw invalid(path, `${name} must be an object`)
  return value
}

function textOf(of: object, name: string, path: string): string {
  const value = (of as Record<string, unknown>)[name]
  if (typeof value !== 'string') throw invalid(path, `${name} must be text`)
  return value
}

function textsOf<Name extends string>(
  of: object,
  names: readonly Name[],
  path: string,
): Record<Name, string> {
  const entries = names.map((name) => [name, textOf(of, name, path)])
  return Object.fromEntries(entries) as Record<Name, string>
}

function numberOf(of: object, name: string, path: string): number {
  const value = (of as Record<string, unknown>)[name]
  if (!Number.isSafeInteger(value) || (value as number) < 0) {
    throw invalid(path, `${name} must be a whole number`)
  }
  return value as number
}

function bigOf(of: object, name: string, path: string): bigint {
  const text = textOf(of, name, path)
  if (!/^\d{1,78}$/.test(text)) throw invalid(path, `${name} must be digits in quotes`)
  return BigInt(text)
}

function bytesOf(of: object, name: string, path: string): Uint8Array {
  const text = textOf(of, name, path)
  if (!isHexString(text) || text.length % 2 !== 0) throw invalid(path, `${name} must be hex digits`)
  return getBytes(text)
}

function invalid(path: string, what: string): LicenceError {
  return new LicenceError('LICENCE_FILE_INVALID', `${path}: ${what}`, { path })
}
