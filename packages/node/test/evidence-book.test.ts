import { crc32 } from 'node:zlib'
import { type Message, recoveryIn, signPrepare } from '@vellum/consensus'
import { addressOfPublicKey, createMemoryKeyValue, createStore } from '@vellum/ledger'
import { expect, test } from 'vitest'
import { EVIDENCE_MAX, openEvidenceBook } from '../src/evidence-book.ts'
import { loadSystemCrypto } from '../src/host/system.ts'
import { recoverSeal, signerOf } from '../src/sealing.ts'
import { testKey } from './network-world.ts'
import { silent } from './virtual-node.ts'

const { crypto } = loadSystemCrypto()
const key = testKey('liar')
const author = addressOfPublicKey(crypto.publicKey(key))
const { sign } = signerOf(key, crypto)

function prepare(height: number, digit: string): Message {
  return signPrepare({ height, round: 0, digest: `0x${digit.repeat(64)}` }, author, sign)
}

function open(disk = createMemoryKeyValue()) {
  const failures: unknown[] = []
  const book = openEvidenceBook({
    store: createStore(disk, crc32),
    recover: recoveryIn(undefined, recoverSeal(crypto)),
    log: silent,
    onFailure: (error) => failures.push(error),
  })
  return { book, disk, failures }
}

test('what was proven is there again after a restart', async () => {
  const { book, disk } = open()
  const heard: number[] = []
  book.onAdded(({ first }) => heard.push(first.payload.height))
  expect(book.add(prepare(1, '1'), prepare(1, '2'))).toBeDefined()
  expect(book.add(prepare(1, '1'), prepare(1, '3'))).toBeUndefined()
  expect(book.add(prepare(2, '1'), prepare(2, '2'))).toBeDefined()
  await book.settled()

  const again = open(disk).book
  expect(again.entries).toEqual(book.entries)
  expect(again.entries).toHaveLength(2)
  expect(again.add(prepare(2, '1'), prepare(2, '2'))).toBeUndefined()
  expect(heard).toEqual([1, 2])
})

test('keeps the latest, before a restart and after it', async () => {
  const { book, disk } = open()
  for (let height = 1; height <= EVIDENCE_MAX + 3; height++) {
    book.add(prepare(height, '1'), prepare(height, '2'))
  }
  await book.settled()
  const heights = open(disk).book.entries.map(({ first }) => first.payload.height)
  expect(heights).toEqual(Array.from({ length: EVIDENCE_MAX }, (_, i) => i + 4))
})

test('a damaged entry is left out, and the rest is read', async () => {
  const { book, disk } = open()
  for (const height of [1, 2, 3]) book.add(prepare(height, '1'), prepare(height, '2'))
  await book.settled()
  for await (const [found, bytes] of disk.iterate({
    from: Uint8Array.of(0x65, 1),
    to: Uint8Array.of(0x65, 2),
  })) {
    const value = bytes.slice()
    value[9]! ^= 1
    await disk.batch([{ key: found, value }])
  }
  expect(open(disk).book.entries.map(({ first }) => first.payload.height)).toEqual([1, 3])
})
