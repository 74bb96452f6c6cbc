/** ethereum/tests RLPTests: encoding, decoding, and refusal of what is not canonical. */

import { bytesToHex, hexToBytes } from '@vellum/evm'
import { decodeRlp, encodeRlp, type RlpItem, rlpScalar } from '@vellum/ledger'
import { expectEqual, expectRefusal } from './expect.ts'
import { isRecord, namedTests } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'rlp', sample: 100, cases }

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const { path: file, name, test } of namedTests(path, 'RLPTests')) {
    if (!isRecord(test) || typeof test.out !== 'string' || !('in' in test)) continue
    const { in: input, out } = test
    yield { name: `${file} ${name}`, run: () => runCase(input, bytesOf(out)) }
  }
}

function runCase(input: unknown, encoded: Uint8Array): void {
  if (input === 'INVALID') {
    expectRefusal(() => decodeRlp(encoded), 'not RLP')
    return
  }
  const decoded = decodeRlp(encoded)
  expectEqual(bytesToHex(encodeRlp(decoded)), bytesToHex(encoded), 'the encoding of the decoding')
  if (input === 'VALID') return
  const item = itemOf(input)
  expectEqual(bytesToHex(encodeRlp(item)), bytesToHex(encoded), 'the encoding')
  expectEqual(hexTree(decoded), hexTree(item), 'the decoding')
}

function itemOf(input: unknown): RlpItem {
  if (Array.isArray(input)) return input.map(itemOf)
  if (typeof input === 'number') return rlpScalar(input)
  if (typeof input !== 'string') throw new Error(`unknown kind of input: ${typeof input}`)
  if (input.startsWith('#')) return rlpScalar(BigInt(input.slice(1)))
  return new TextEncoder().encode(input)
}

function hexTree(item: RlpItem): unknown {
  return item instanceof Uint8Array ? bytesToHex(item) : item.map(hexTree)
}

function bytesOf(hex: string): Uint8Array {
  return hexToBytes(hex.startsWith('0x') ? hex : `0x${hex}`)
}
