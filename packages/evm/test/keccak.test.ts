import { keccak_256 } from '@noble/hashes/sha3.js'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  bytesToHex,
  hashHexInto,
  keccak256,
  keccak256Hex,
  keccak256OfInput,
  keccakInput,
} from '../src/index.ts'

test('keccak256: of nothing is the hash that accounts without code have', () => {
  expect(keccak256Hex(new Uint8Array(0))).toBe(
    '0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470',
  )
})

test('keccak256: equals an independent implementation at every length around the block size', () => {
  for (let size = 0; size < 600; size++) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 255)
    expect(bytesToHex(keccak256(bytes))).toBe(bytesToHex(keccak_256(bytes)))
  }
})

test('keccak256: equals an independent implementation for inputs beyond its buffer', () => {
  for (const size of [54_399, 54_400, 54_401, 54_536, 108_800, 200_003]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => (i * 7) & 255)
    expect(bytesToHex(keccak256(bytes))).toBe(bytesToHex(keccak_256(bytes)))
  }
})

test('keccak256: equals an independent implementation for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => {
      expect(bytesToHex(keccak256(bytes))).toBe(bytesToHex(keccak_256(bytes)))
    }),
  )
})

test('keccak256: each digest is its own array', () => {
  const first = keccak256(new Uint8Array(1))
  const before = bytesToHex(first)
  keccak256(new Uint8Array(2))
  expect(bytesToHex(first)).toBe(before)
})

test('hashHexInto and keccak256OfInput are keccak256 of the same bytes', () => {
  for (const size of [0, 1, 20, 32, 135, 136, 137, 600]) {
    const bytes = Uint8Array.from({ length: size }, (_, i) => i * 7)
    const out = new Uint8Array(40)
    hashHexInto(bytesToHex(bytes), out, 3)
    expect(out).toEqual(Uint8Array.of(0, 0, 0, ...keccak256(bytes), 0, 0, 0, 0, 0))
    keccakInput.set(bytes)
    expect(keccak256OfInput(size)).toEqual(keccak256(bytes))
  }
})
