import { bytesToHex, hexToBytes } from '@vellum/evm'
import { AbiCoder, Interface } from 'ethers'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ADDRESS, abiFunction, BYTES, BYTES32, count, listOf, tupleOf, uint } from '../src/abi.ts'
import { SidechainError } from '../src/error.ts'

const coder = AbiCoder.defaultAbiCoder()
const bytes = fc.uint8Array({ maxLength: 100 })
const hexOf = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((each) => bytesToHex(each))

/** Everything that our messages use, nested as they nest it. */
const STRUCT = tupleOf(uint(64), ADDRESS, BYTES, tupleOf(count(8), BYTES32))
const ARGS = tupleOf(STRUCT, listOf(BYTES), listOf(tupleOf(uint(256), ADDRESS)), count(64))
const TYPES = [
  'tuple(uint64,address,bytes,tuple(uint8,bytes32))',
  'bytes[]',
  'tuple(uint256,address)[]',
  'uint64',
]
const values = fc.tuple(
  fc.tuple(
    fc.bigInt(0n, 2n ** 64n - 1n),
    hexOf(20),
    bytes,
    fc.tuple(fc.integer({ min: 0, max: 255 }), hexOf(32)),
  ),
  fc.array(bytes, { maxLength: 5 }),
  fc.array(fc.tuple(fc.bigInt(0n, 2n ** 256n - 1n), hexOf(20)), { maxLength: 4 }),
  fc.maxSafeNat(),
)

describe('the contract ABI', () => {
  test('values are written as ethers writes them, and read back', () => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = ARGS.encode(value)
        expect(bytesToHex(encoded)).toBe(coder.encode(TYPES, value))
        expect(ARGS.decode(encoded, 0)).toEqual(value)
      }),
    )
  })

  test('a function has the selector and the call data that ethers gives it', () => {
    const ours = abiFunction('act', ARGS, tupleOf(uint(8)))
    const theirs = new Interface([`function act(${TYPES.join(',')}) returns (uint8)`])
    expect(bytesToHex(ours.selector)).toBe(theirs.getFunction('act')!.selector)
    fc.assert(
      fc.property(values, (value) => {
        const data = ours.encodeCall(value)
        expect(bytesToHex(data)).toBe(theirs.encodeFunctionData('act', value))
        expect(ours.decodeCall(data)).toEqual(value)
      }),
      { numRuns: 20 },
    )
  })

  test('arbitrary bytes are read or refused with a code, and never anything else', () => {
    fc.assert(
      fc.property(
        values,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
        (v, edits) => {
          const damaged = ARGS.encode(v)
          for (const [at, byte] of edits) damaged[at % damaged.length] = byte
          const cut = damaged.subarray(0, edits.length > 3 ? damaged.length - 7 : damaged.length)
          try {
            ARGS.decode(cut, 0)
          } catch (error) {
            expect(error).toBeInstanceOf(SidechainError)
          }
        },
      ),
    )
  })

  test('a length that leads beyond the bytes costs nothing', () => {
    const list = hexToBytes(`0x${'20'.padStart(64, '0')}${'ffffffff'.padStart(64, '0')}`)
    expect(() => tupleOf(listOf(BYTES)).decode(list, 0)).toThrow(SidechainError)
  })

  test.each([
    ['a uint8 of 256', () => uint(8).encode(256n)],
    ['a negative number', () => uint(64).encode(-1n)],
    ['a fraction', () => count(64).encode(1.5)],
    ['an address of 19 bytes', () => ADDRESS.encode(`0x${'11'.repeat(19)}`)],
  ])('%s is not written', (_, write) => {
    expect(write).toThrow(expect.objectContaining({ code: 'SIDECHAIN_OUT_OF_RANGE' }))
  })
})
