/**
 * The Solidity contract ABI, as far as the peg's contracts need it: words, byte strings, lists and
 * structs. Types are values (`uint64`, `listOf(BYTES)`) that know how to write and to read.
 *
 * Reading is lenient where the ABI is: what a chain's own contract has answered or logged is read, never
 * what decides anything. Offsets and lengths are checked before anything is made of them.
 *
 * Spec: https://docs.soliditylang.org/en/v0.8.37/abi-spec.html
 */

import {
  type Address,
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
  keccak256,
} from '@vellum/evm'
import { SidechainError } from './error.ts'

export interface AbiType<T> {
  /** As it stands in a signature. */
  readonly name: string
  /** Bytes of the head: 32 times its words; undefined: the head is an offset to where the value is. */
  readonly size: number | undefined
  encode(value: T): Uint8Array
  /** @param at where the value begins in `bytes` */
  decode(bytes: Uint8Array, at: number): T
}

type Values<Types extends readonly AbiType<unknown>[]> = {
  -readonly [I in keyof Types]: Types[I] extends AbiType<infer T> ? T : never
}

const WORD = 32
/** Items of a list that are read: no message of ours has more, and each costs memory. */
const LIST_ITEMS_MAX = 4_096

/** @param bits 8 to 256; larger values are refused both ways */
export function uint(bits: number): AbiType<bigint> {
  const limit = 1n << BigInt(bits)
  return {
    name: `uint${bits}`,
    size: WORD,
    encode: (value) => {
      if (value < 0n || value >= limit) throw outOfRange(`uint${bits}`, value)
      return bigIntToBytes(value, WORD)
    },
    decode: (bytes, at) => {
      const value = bytesToBigInt(wordAt(bytes, at))
      if (value >= limit) throw invalid(`a uint${bits} is too large`)
      return value
    },
  }
}

/** An unsigned integer of up to 64 bits that counts: heights, sequences, seconds. A safe integer. */
export function count(bits: number): AbiType<number> {
  const { name, encode, decode } = uint(bits)
  return {
    name,
    size: WORD,
    encode: (value) => {
      if (!Number.isSafeInteger(value)) throw outOfRange(name, value)
      return encode(BigInt(value))
    },
    decode: (bytes, at) => {
      const value = decode(bytes, at)
      if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`a ${name} is no safe integer`)
      return Number(value)
    },
  }
}

export const ADDRESS: AbiType<Address> = {
  name: 'address',
  size: WORD,
  encode: (value) => padLeft(hexToBytes(value), 20),
  decode: (bytes, at) => {
    const word = wordAt(bytes, at)
    if (word.subarray(0, 12).some((byte) => byte !== 0)) throw invalid('an address is too large')
    return bytesToHex(word.subarray(12))
  },
}

export const BYTES32: AbiType<Hash> = {
  name: 'bytes32',
  size: WORD,
  encode: (value) => padLeft(hexToBytes(value), WORD),
  decode: (bytes, at) => bytesToHex(wordAt(bytes, at)),
}

export const BYTES: AbiType<Uint8Array> = {
  name: 'bytes',
  size: undefined,
  encode: (value) => {
    const out = new Uint8Array(WORD + Math.ceil(value.length / WORD) * WORD)
    out.set(bigIntToBytes(BigInt(value.length), WORD))
    out.set(value, WORD)
    return out
  },
  decode: (bytes, at) => {
    const length = lengthAt(bytes, at)
    const from = at + WORD
    if (from + length > bytes.length) throw invalid('a byte string is cut short')
    return bytes.slice(from, from + length)
  },
}

export function listOf<T>(item: AbiType<T>): AbiType<readonly T[]> {
  return {
    name: `${item.name}[]`,
    size: undefined,
    encode: (values) =>
      concatBytes(
        bigIntToBytes(BigInt(values.length), WORD),
        encodeInOrder(values.map((value) => ({ type: item, value }))),
      ),
    decode: (bytes, at) => {
      const length = lengthAt(bytes, at)
      const from = at + WORD
      const headSize = item.size ?? WORD
      if (length > LIST_ITEMS_MAX || from + length * headSize > bytes.length) {
        throw invalid('a list is too long')
      }
      return Array.from({ length }, (_, i) => decodeAt(item, bytes, from, i * headSize))
    },
  }
}

/** A struct, or the arguments of a function: values of several types in order. */
export function tupleOf<const Types extends readonly AbiType<unknown>[]>(
  ...types: Types
): AbiType<Values<Types>> {
  const isStatic = types.every(({ size }) => size !== undefined)
  return {
    name: `(${types.map(({ name }) => name).join(',')})`,
    size: isStatic ? types.reduce((sum, { size }) => sum + size!, 0) : undefined,
    encode: (values) =>
      encodeInOrder(types.map((type, i) => ({ type, value: (values as readonly unknown[])[i] }))),
    decode: (bytes, at) => {
      let head = 0
      return types.map((type) => {
        const value = decodeAt(type, bytes, at, head)
        head += type.size ?? WORD
        return value
      }) as Values<Types>
    },
  }
}

export interface AbiFunction<Args, Result> {
  readonly signature: string
  readonly selector: Uint8Array
  encodeCall(args: Args): Uint8Array
  /** @throws SidechainError if the selector is another one, or the arguments do not decode */
  decodeCall(data: Uint8Array): Args
  /** @throws SidechainError SIDECHAIN_ABI_INVALID */
  decodeResult(output: Uint8Array): Result
}

/** A function of a contract. */
export function abiFunction<Args, Result>(
  name: string,
  args: AbiType<Args>,
  result: AbiType<Result>,
): AbiFunction<Args, Result> {
  const signature = `${name}${args.name}`
  const selector = keccak256(asciiBytes(signature)).slice(0, 4)
  return {
    signature,
    selector,
    encodeCall: (values) => concatBytes(selector, args.encode(values)),
    decodeCall: (data) => {
      if (selector.some((byte, i) => data[i] !== byte)) throw invalid(`no call of ${signature}`)
      return args.decode(data.slice(4), 0)
    },
    decodeResult: (output) => result.decode(output, 0),
  }
}

/** keccak256 of a signature: the first topic of an event. */
export function topicOf(signature: string): Hash {
  return bytesToHex(keccak256(asciiBytes(signature)))
}

/** Bytes of a text of ASCII characters, as signatures are. */
export function asciiBytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0))
}

function encodeInOrder(
  items: readonly { readonly type: AbiType<unknown>; readonly value: unknown }[],
): Uint8Array {
  let tailAt = items.reduce((sum, { type }) => sum + (type.size ?? WORD), 0)
  const heads: Uint8Array[] = []
  const tails: Uint8Array[] = []
  for (const { type, value } of items) {
    const encoded = type.encode(value)
    if (type.size !== undefined) heads.push(encoded)
    else {
      heads.push(bigIntToBytes(BigInt(tailAt), WORD))
      tails.push(encoded)
      tailAt += encoded.length
    }
  }
  return concatBytes(...heads, ...tails)
}

/** @param base where offsets count from @param head where the item's head is, from there */
function decodeAt<T>(type: AbiType<T>, bytes: Uint8Array, base: number, head: number): T {
  return type.decode(bytes, base + (type.size === undefined ? lengthAt(bytes, base + head) : head))
}

/** A length or an offset: below what any input can have. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const value = bytesToBigInt(wordAt(bytes, at))
  if (value > BigInt(bytes.length)) throw invalid('an offset or length leads out of the bytes')
  return Number(value)
}

function wordAt(bytes: Uint8Array, at: number): Uint8Array {
  if (at + WORD > bytes.length) throw invalid('the bytes end too early')
  return bytes.subarray(at, at + WORD)
}

function padLeft(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length !== size) throw outOfRange(`${size} bytes`, bytesToHex(bytes))
  const word = new Uint8Array(WORD)
  word.set(bytes, WORD - size)
  return word
}

function invalid(what: string): SidechainError {
  return new SidechainError('SIDECHAIN_ABI_INVALID', `not what the ABI wants: ${what}`)
}

function outOfRange(type: string, value: bigint | number | string): SidechainError {
  return new SidechainError('SIDECHAIN_OUT_OF_RANGE', `${value} is no ${type}`)
}
