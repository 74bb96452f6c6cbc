/** Golden vectors of docs/protocol: another implementation has to give the same. */

import { hexlify, sha256, toUtf8Bytes } from 'ethers'
import { expect, test } from 'vitest'
import {
  CODE_DICTIONARY,
  commitmentOf,
  commitmentOfRoot,
  createSubjectRing,
  decodeProof,
  encodeProof,
  identifierDigest,
  leafHash,
  presentationSeed,
  rootOf,
  type StatusLeaf,
  tagOf,
} from '../src/index.ts'
import { DATA, keyOf, secretOf } from './samples.ts'
import { sealedHeader, validatorKeys } from './sealed-chain.ts'

const leaf: StatusLeaf = {
  number: 5,
  identifier: identifierDigest(DATA.identifier),
  status: 'InForce',
  version: 1,
  holder: keyOf(2).address,
  content: `0x${'11'.repeat(32)}`,
  validFrom: 1_772_294_400,
  validUntil: 2_087_913_600,
  statusTime: 1_790_000_000,
}
const siblings = [new Uint8Array(32).fill(0xaa), undefined, new Uint8Array(32).fill(0xbb)]

test('the dictionary of codes', () => {
  expect(sha256(toUtf8Bytes(CODE_DICTIONARY))).toMatchInlineSnapshot(
    `"0x7833a5fcb557f22bddfe6f4e792e9cc238014b729d7ea30c66e7bee65e87b762"`,
  )
})

test('digest of an identifier', () => {
  expect(identifierDigest(DATA.identifier)).toMatchInlineSnapshot(
    `"0x8521aeeaa1b62fd9f746a4916b126bfc555f3591b78c793897ef9f772f3a14e3"`,
  )
})

test('subject tag', () => {
  const ring = createSubjectRing([{ version: 1, secret: secretOf(7) }])
  const document = { type: 'citizen number', number: '34052419800101001X' } as const
  expect(ring.tag(document)).toMatchInlineSnapshot(
    `"0x37c1bd1101717816332da4ea9d88ec128f7f7fa9b2dd958bb2f0c6544e287243"`,
  )
})

test('seed, tag and commitment of a presentation', () => {
  const seed = presentationSeed(secretOf(9), 3)
  expect(hexlify(seed)).toMatchInlineSnapshot(`"0x70ff3ed6eee2b3c5f20c739d9622b922"`)
  expect(tagOf(seed)).toMatchInlineSnapshot(
    `"0x587d1a1ae72df28a1e5ed7884c05e2a35dabdacadf07e1f2318475eb4138c2ac"`,
  )
  expect(commitmentOf({ seed, chainId: 20_261n, number: 5n })).toMatchInlineSnapshot(
    `"0x1ef6a4282ba102d2d92d27c66002c9e11e7e5abd16b4790e25efec28c7470cb9"`,
  )
})

test('leaf, root and commitment of a status tree', () => {
  expect(hexlify(leafHash(leaf))).toMatchInlineSnapshot(
    `"0x75687f459a536f0d771cb15bd8c090776eeda6bab9d647080f73b4b19cbf97c9"`,
  )
  const root = rootOf(leaf, { siblings })
  expect(hexlify(root)).toMatchInlineSnapshot(
    `"0xed61413338f42cde8161a0c405b8565be35b3ed28035241f36237d7c9000c29c"`,
  )
  const registry = '0x0000000000000000000000000000000000005606'
  expect(hexlify(commitmentOfRoot({ chainId: 20_261n, registry, root }))).toMatchInlineSnapshot(
    `"0x768717fd058615026293a8fa61dd8c18fa260ce6c9fca5348a8ae816a75d1fd2"`,
  )
})

test('a status proof, byte by byte', () => {
  const path = { siblings }
  const header = sealedHeader({ keys: validatorKeys(1), root: rootOf(leaf, path) })
  const proof = encodeProof({ header, leaf, path })
  expect(hexlify(proof)).toMatchInlineSnapshot(
    `"0x01058521aeeaa1b62fd9f746a4916b126bfc555f3591b78c793897ef9f772f3a14e301015050a4f4b3f9338c3472dcc01a87c76a144b3c9c111111111111111111111111111111111111111111111111111111111111111180a28ccd068091cce30780f7c4d50600000005aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbba1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a100b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4240007000a004a0055009500d80123016e01ae01b101f101fc023c028702ca031503550358039803e3042e047104bc04fc05070547058a05d50618066306a306ae06ee0731077c07c787ad4b80c6868f018eeb960afbf6c4d5061500000001829cae166d26576b20b11b6a8e3319e601d1de73aa7a2940376d28617f04de4a653863dd571118889fb14604fe552100ede299b32e6d322dbc08de8aa2bf92fa01"`,
  )
  expect(decodeProof(proof).leaf).toEqual(leaf)
})
