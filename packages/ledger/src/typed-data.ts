/**
 * Typed structured data, so that a wallet can show what is signed: its hash, as contracts compute
 * it too. Spec: EIP-712.
 */

import { bigIntToBytes, concatBytes, hexToBytes, keccak256, NO_BYTES } from '@vellum/evm'
import { LedgerError } from './error.ts'

export interface TypedDataField {
  readonly name: string
  /** `address`, `bool`, `string`, `bytes`, `bytesN`, `intN`, `uintN`, a struct, or arrays of these. */
  readonly type: string
}

/** Struct types by name; `EIP712Domain` may be there and is ignored: the domain's fields tell it. */
export type TypedDataTypes = Readonly<Record<string, readonly TypedDataField[]>>

/** What binds a signature to one contract of one chain. Absent fields are not part of it. */
export interface TypedDataDomain {
  readonly name?: string
  readonly version?: string
  readonly chainId?: bigint | number | string
  readonly verifyingContract?: string
  readonly salt?: string | Uint8Array
}

/**
 * Values: numbers as bigint, number, or decimal or 0x text; bytes and addresses as 0x text or
 * `Uint8Array`; structs as objects, arrays as arrays.
 */
export interface TypedData {
  readonly domain: TypedDataDomain
  readonly types: TypedDataTypes
  readonly primaryType: string
  readonly message: unknown
}

/** Arrays and structs inside one another: no honest form comes near, and the stack is not endless. */
const DEPTH_MAX = 64

/** In the order in which the specification lists them: a domain's type has those that are present. */
const DOMAIN_FIELDS: readonly TypedDataField[] = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
  { name: 'salt', type: 'bytes32' },
]

/**
 * The 32 bytes to sign: keccak256(0x1901 || hash of the domain || hash of the message).
 * @throws LedgerError LEDGER_TYPED_DATA_INVALID if a value does not fit its type
 */
export function typedDataHash(data: TypedData): Uint8Array {
  const { domain, types, primaryType, message } = data
  const present = DOMAIN_FIELDS.filter(({ name }) => Object.hasOwn(domain, name))
  const domainBytes = encodeTypedStruct({ EIP712Domain: present }, 'EIP712Domain', domain)
  return keccak256(
    concatBytes(
      Uint8Array.of(0x19, 0x01),
      keccak256(domainBytes),
      keccak256(encodeTypedStruct(types, primaryType, message)),
    ),
  )
}

/**
 * `typeHash || encodeData` of a struct: 32 bytes for its type and 32 for each field.
 * @throws LedgerError LEDGER_TYPED_DATA_INVALID if a value does not fit its type
 */
export function encodeTypedStruct(types: TypedDataTypes, name: string, value: unknown): Uint8Array {
  return encodeStruct({ types, typeHashes: new Map() }, name, value, { path: name, depth: 0 })
}

/** The text whose hash names a type: the struct, then all it refers to in alphabetical order. */
export function formatStructType(types: TypedDataTypes, name: string): string {
  const others = new Set<string>()
  const queue = [name]
  for (let type = queue.pop(); type !== undefined; type = queue.pop()) {
    for (const field of fieldsOf(types, type, type)) {
      const inner = field.type.replace(/\[.*$/, '')
      if (!Object.hasOwn(types, inner) || others.has(inner) || inner === name) continue
      others.add(inner)
      queue.push(inner)
    }
  }
  return [name, ...[...others].sort()]
    .map((type) => {
      const fields = fieldsOf(types, type, type).map((field) => `${field.type} ${field.name}`)
      return `${type}(${fields.join(',')})`
    })
    .join('')
}

interface Context {
  readonly types: TypedDataTypes
  /** By struct: the same type can occur in thousands of array elements. */
  readonly typeHashes: Map<string, Uint8Array>
}

interface Place {
  readonly path: string
  readonly depth: number
}

function encodeStruct(context: Context, name: string, value: unknown, place: Place): Uint8Array {
  if (place.depth > DEPTH_MAX) throw invalid(place.path, `is nested over ${DEPTH_MAX} deep`)
  const fields = fieldsOf(context.types, name, place.path)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(place.path, 'must be an object')
  }
  const record = value as Readonly<Record<string, unknown>>
  const parts = fields.map((field) => {
    const path = `${place.path}.${field.name}`
    if (!Object.hasOwn(record, field.name)) throw invalid(path, 'is missing')
    return encodeValue(context, field.type, record[field.name], { path, depth: place.depth + 1 })
  })
  return concatBytes(typeHash(context, name), ...parts)
}

/** The 32 bytes that stand for a value: itself, or the hash of what does not fit. */
function encodeValue(context: Context, type: string, value: unknown, place: Place): Uint8Array {
  if (type.endsWith(']')) return keccak256(encodeArray(context, type, value, place))
  if (Object.hasOwn(context.types, type)) {
    return keccak256(encodeStruct(context, type, value, place))
  }
  return encodeAtom(type, value, place.path)
}

function encodeArray(context: Context, type: string, value: unknown, place: Place): Uint8Array {
  if (place.depth > DEPTH_MAX) throw invalid(place.path, `is nested over ${DEPTH_MAX} deep`)
  const at = type.lastIndexOf('[')
  const size = type.slice(at + 1, -1)
  if (at < 1 || !/^\d*$/.test(size)) throw invalid(place.path, `has the unknown type ${type}`)
  if (!Array.isArray(value)) throw invalid(place.path, 'must be an array')
  if (size !== '' && value.length !== Number(size)) {
    throw invalid(place.path, `must have ${size} elements`)
  }
  const element = type.slice(0, at)
  const parts = value.map((item, i) =>
    encodeValue(context, element, item, { path: `${place.path}[${i}]`, depth: place.depth + 1 }),
  )
  return concatBytes(...parts)
}

function encodeAtom(type: string, value: unknown, path: string): Uint8Array {
  if (type === 'string') return keccak256(utf8(value, path))
  if (type === 'bytes') return keccak256(bytesOf(value, path))
  if (type === 'bool') {
    if (typeof value !== 'boolean') throw invalid(path, 'must be true or false')
    return bigIntToBytes(value ? 1n : 0n, 32)
  }
  if (type === 'address') {
    const bytes = bytesOf(value, path)
    if (bytes.length !== 20) throw invalid(path, 'must be 20 bytes')
    return concatBytes(new Uint8Array(12), bytes)
  }
  const [, kind, digits] = /^(bytes|u?int)(\d{1,3})$/.exec(type) ?? []
  const size = Number(digits)
  if (kind === 'bytes' && size >= 1 && size <= 32) {
    const bytes = bytesOf(value, path)
    if (bytes.length !== size) throw invalid(path, `must be ${size} bytes`)
    return concatBytes(bytes, new Uint8Array(32 - size))
  }
  if (kind !== undefined && kind !== 'bytes' && size >= 8 && size <= 256 && size % 8 === 0) {
    return encodeInteger(kind === 'int', size, value, path)
  }
  throw invalid(path, `has the unknown type ${type}`)
}

function encodeInteger(signed: boolean, bits: number, value: unknown, path: string): Uint8Array {
  const number = integerOf(value, path)
  const fits = signed ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number)
  if (fits !== number) throw invalid(path, `must fit ${signed ? 'int' : 'uint'}${bits}`)
  return bigIntToBytes(BigInt.asUintN(256, number), 32)
}

function integerOf(value: unknown, path: string): bigint {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value)
  if (typeof value === 'string' && /^(-?\d{1,78}|0x[0-9a-fA-F]{1,64})$/.test(value)) {
    return BigInt(value)
  }
  throw invalid(path, 'must be a whole number')
}

function bytesOf(value: unknown, path: string): Uint8Array {
  if (value instanceof Uint8Array) return value
  if (value === '') return NO_BYTES
  try {
    if (typeof value === 'string') return hexToBytes(value)
  } catch (cause) {
    throw invalid(path, 'must be bytes', cause)
  }
  throw invalid(path, 'must be bytes')
}

/** UTF-8 of a text. @throws LedgerError if half of a surrogate pair is missing */
function utf8(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'string') throw invalid(path, 'must be text')
  if (!value.isWellFormed()) throw invalid(path, 'must be well-formed text')
  // The language's own UTF-8: %xx for each byte that is no letter.
  const escaped = encodeURIComponent(value)
  const bytes: number[] = []
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] !== '%') bytes.push(escaped.charCodeAt(i))
    else {
      bytes.push(Number.parseInt(escaped.slice(i + 1, i + 3), 16))
      i += 2
    }
  }
  return Uint8Array.from(bytes)
}

function typeHash(context: Context, name: string): Uint8Array {
  let hash = context.typeHashes.get(name)
  if (hash === undefined) {
    hash = keccak256(utf8(formatStructType(context.types, name), name))
    context.typeHashes.set(name, hash)
  }
  return hash
}

function fieldsOf(types: TypedDataTypes, name: string, path: string): readonly TypedDataField[] {
  if (!Object.hasOwn(types, name)) throw invalid(path, `has the unknown type ${name}`)
  return types[name]!
}

function invalid(path: string, problem: string, cause?: unknown): LedgerError {
  return new LedgerError('LEDGER_TYPED_DATA_INVALID', `${path} ${problem}`, { path }, { cause })
}
