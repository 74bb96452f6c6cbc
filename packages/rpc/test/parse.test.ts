import { describe, expect, it } from 'vitest'
import { RpcError } from '../src/error.ts'
import {
  parseAddress,
  parseBlock,
  parseBlockNumber,
  parseBytes,
  parseHash,
  parseIndex,
  parseSlot,
  parseUint64,
  parseUint256,
} from '../src/parse.ts'

const HASH = `0x${'ab'.repeat(32)}`

describe('parameters that are taken', () => {
  it.each([
    [parseAddress, `0x${'aB'.repeat(20)}`, `0x${'ab'.repeat(20)}`],
    [parseHash, `0x${'AB'.repeat(32)}`, HASH],
    [parseBytes, '0x', new Uint8Array(0)],
    [parseBytes, '0x00Ff', Uint8Array.of(0, 255)],
    [parseUint64, '0x0', 0n],
    [parseUint64, '0xffffffffffffffff', 2n ** 64n - 1n],
    [parseUint256, `0x${'f'.repeat(64)}`, 2n ** 256n - 1n],
    [parseIndex, '0xffffffffffffffff', Number.MAX_SAFE_INTEGER],
    [parseSlot, '0x', `0x${'0'.repeat(64)}`],
    [parseSlot, '0x1', `0x${'1'.padStart(64, '0')}`],
    [parseSlot, HASH, HASH],
    [parseBlockNumber, 'pending', { type: 'tag', tag: 'pending' }],
    [parseBlockNumber, '0x10', { type: 'number', number: 16 }],
    [parseBlock, HASH, { type: 'hash', hash: HASH }],
    [parseBlock, { blockHash: HASH }, { type: 'hash', hash: HASH }],
    [parseBlock, { blockHash: HASH, requireCanonical: true }, { type: 'hash', hash: HASH }],
    [parseBlock, { blockNumber: '0x2' }, { type: 'number', number: 2 }],
    [parseBlock, { blockNumber: 'latest' }, { type: 'tag', tag: 'latest' }],
  ])('%o takes %j', (parse, value, expected) => {
    expect((parse as (value: unknown) => unknown)(value)).toEqual(expected)
  })
})

describe('parameters that are refused', () => {
  it.each([
    [parseAddress, `0x${'ab'.repeat(19)}`],
    [parseAddress, `0x${'ag'.repeat(20)}`],
    [parseAddress, `${'ab'.repeat(20)}`],
    [parseAddress, 7],
    [parseAddress, null],
    [parseAddress, `0x${'ab'.repeat(20)}\n`],
    [parseHash, `0x${'ab'.repeat(31)}`],
    [parseHash, `0X${'ab'.repeat(32)}`],
    [parseBytes, '0x1'],
    [parseBytes, '12'],
    [parseBytes, ''],
    [parseUint64, '0x'],
    [parseUint64, '0x00'],
    [parseUint64, '0x01'],
    [parseUint64, '10'],
    [parseUint64, '0x-1'],
    [parseUint64, ' 0x1'],
    [parseUint64, 1],
    [parseUint64, '0x10000000000000000'],
    [parseUint256, `0x1${'0'.repeat(64)}`],
    [parseSlot, '0xzz'],
    [parseSlot, `0x${'0'.repeat(65)}`],
    [parseBlockNumber, HASH],
    [parseBlockNumber, 'Latest'],
    [parseBlockNumber, '0x8000000000000000'],
    [parseBlock, {}],
    [parseBlock, []],
    [parseBlock, { blockHash: HASH, blockNumber: '0x1' }],
    [parseBlock, { blockHash: '0x1' }],
    [parseBlock, { blockHash: HASH, requireCanonical: 'yes' }],
  ])('%o refuses %j', (parse, value) => {
    let thrown: unknown
    try {
      ;(parse as (value: unknown) => unknown)(value)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(RpcError)
    expect((thrown as RpcError).code).toBe(-32602)
  })
})
