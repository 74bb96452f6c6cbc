import { bytesToHex, keccak256 } from '@vellum/evm'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeRlp, type RlpItem, rlpScalar } from '../src/rlp.ts'
import { createRlpWriter, type RlpWriter } from '../src/rlp-writer.ts'

function write(writer: RlpWriter, item: RlpItem): void {
  if (item instanceof Uint8Array) {
    writer.string(item)
    return
  }
  const end = writer.size()
  for (const part of item.toReversed()) write(writer, part)
  writer.closeList(end)
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 2 }),
  fc.uint8Array({ minLength: 50, maxLength: 60 }),
  fc.uint8Array({ maxLength: 5_000 }),
)
const { tree } = fc.letrec<{ tree: RlpItem }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    bytes,
    fc.array(tie('tree'), { maxLength: 5 }),
  ) as fc.Arbitrary<RlpItem>,
}))

test('writes what encodeRlp encodes, one item after another with the same writer', () => {
  const writer = createRlpWriter()
  const property = fc.property(tree, (item) => {
    write(writer, item)
    expect(writer.take()).toEqual(encodeRlp(item))
  })
  fc.assert(property, { seed: 11, numRuns: 300 })
})

test('writes integers and hex text as their byte strings', () => {
  const writer = createRlpWriter()
  const integer = fc.oneof(
    fc.bigInt({ min: 0n, max: 300n }),
    fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  )
  const property = fc.property(
    integer,
    fc.maxSafeNat(),
    fc.uint8Array({ minLength: 2, maxLength: 60 }),
    (large, small, name) => {
      writer.hex(bytesToHex(name))
      writer.integer(small)
      writer.integer(large)
      writer.closeList(0)
      writer.byte(2)
      const list = encodeRlp([rlpScalar(large), rlpScalar(BigInt(small)), name])
      expect(writer.take()).toEqual(Uint8Array.of(2, ...list))
    },
  )
  fc.assert(property, { seed: 12, numRuns: 500 })
  for (const edge of [0n, 127n, 128n, 2n ** 48n, 2n ** 53n, 2n ** 96n, 2n ** 96n - 1n]) {
    writer.integer(edge)
    expect(writer.take()).toEqual(encodeRlp(rlpScalar(edge)))
  }
})

test('forgets a large item: its buffer does not stay', () => {
  const writer = createRlpWriter()
  const large = new Uint8Array(3 << 20).fill(7)
  writer.string(large)
  expect(writer.take()).toEqual(encodeRlp(large))
  writer.integer(1)
  expect(writer.size()).toBe(1)
  expect(writer.take()).toEqual(Uint8Array.of(1))
})

test('takes over what is encoded already, makes a string of what was written, and hashes it all', () => {
  const writer = createRlpWriter()
  const property = fc.property(tree, fc.uint8Array({ maxLength: 80 }), (item, before) => {
    const encoded = encodeRlp(item)
    const write = (): void => {
      writer.part(
        Uint8Array.of(...before, ...encoded),
        before.length,
        before.length + encoded.length,
      )
      writer.closeString(0)
      writer.string(before)
      writer.closeList(0)
    }
    const whole = encodeRlp([before, encoded])
    write()
    expect(writer.take()).toEqual(whole)
    write()
    expect(writer.hash()).toEqual(keccak256(whole))
    write()
    writer.clear()
    expect([writer.size(), writer.take()]).toEqual([0, new Uint8Array(0)])
  })
  fc.assert(property, { seed: 13, numRuns: 300 })
})
