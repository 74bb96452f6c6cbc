import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { createMemoryKeyValue } from '../src/index.ts'
import {
  createStore,
  heightKey,
  KIND,
  keyOf,
  readHeight,
  SCHEMA_VERSION,
  writeHeight,
} from '../src/store.ts'

const GENESIS = `0x${'11'.repeat(32)}` as const
const HEAD = {
  height: 7,
  hash: `0x${'22'.repeat(32)}`,
  stateRoot: `0x${'33'.repeat(32)}`,
  parentHash: `0x${'44'.repeat(32)}`,
  transactionCount: 12,
} as const

describe('store', () => {
  test('a record comes back as it was written', async () => {
    const disk = createMemoryKeyValue()
    const store = createStore(disk, crc32)
    const key = heightKey(KIND.body, 5)
    await disk.batch([store.write(key, Uint8Array.of(1, 2, 3))])
    expect(store.read(key)).toEqual(Uint8Array.of(1, 2, 3))
    await disk.batch([store.write(key, undefined)])
    expect(store.read(key)).toBeUndefined()
  })

  test('any flipped bit of a stored value, and a value under another key, is damage', async () => {
    const disk = createMemoryKeyValue()
    const store = createStore(disk, crc32)
    const key = keyOf(KIND.code, new Uint8Array(32))
    const { value } = store.write(key, Uint8Array.of(1, 2, 3))
    for (let bit = 0; bit < value!.length * 8; bit++) {
      const flipped = value!.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      await disk.batch([{ key, value: flipped }])
      expect(() => store.read(key)).toThrow(
        expect.objectContaining({ code: 'LEDGER_STORE_DAMAGED' }),
      )
    }
    const other = keyOf(KIND.code, new Uint8Array(32).fill(1))
    await disk.batch([{ key: other, value }])
    expect(() => store.read(other)).toThrow(/checksum/)
  })

  test('a value that is shorter than a checksum is damage', async () => {
    const disk = createMemoryKeyValue()
    const store = createStore(disk, crc32)
    await disk.batch([{ key: keyOf(KIND.meta), value: Uint8Array.of(1) }])
    expect(() => store.meta()).toThrow(/shorter/)
  })

  test('a record that must be there and is not is damage', () => {
    const store = createStore(createMemoryKeyValue(), crc32)
    expect(() => store.mustRead(heightKey(KIND.body, 1), 'body of block 1')).toThrow(
      /body of block 1/,
    )
  })

  test('meta and head records keep every field', async () => {
    const disk = createMemoryKeyValue()
    const store = createStore(disk, crc32)
    expect(store.meta()).toBeUndefined()
    expect(store.head()).toBeUndefined()
    for (const retainedBlocks of [undefined, 0, 128]) {
      const meta = { schemaVersion: SCHEMA_VERSION, genesisHash: GENESIS, retainedBlocks }
      await disk.batch([store.writeMeta(meta), store.writeHead(HEAD)])
      expect(store.meta()).toEqual(meta)
      expect(store.head()).toEqual(HEAD)
    }
  })

  test('a store of another schema version is refused with what to do', async () => {
    const disk = createMemoryKeyValue()
    const store = createStore(disk, crc32)
    const meta = {
      schemaVersion: SCHEMA_VERSION + 1,
      genesisHash: GENESIS,
      retainedBlocks: undefined,
    }
    await disk.batch([store.writeMeta(meta)])
    expect(() => store.meta()).toThrow(
      expect.objectContaining({
        code: 'LEDGER_STORE_SCHEMA',
        message: expect.stringContaining('export'),
      }),
    )
  })

  test('heights of six bytes keep their value and their order', () => {
    const heights = [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 3, 2 ** 48 - 1]
    const bytes = heights.map((height) => {
      const into = new Uint8Array(8)
      writeHeight(into, 1, height)
      expect(readHeight(into, 1)).toBe(height)
      return Buffer.from(into).toString('hex')
    })
    expect([...bytes].sort()).toEqual(bytes)
  })
})
