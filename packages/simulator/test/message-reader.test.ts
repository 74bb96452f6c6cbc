/** A frame is read once for all who get it, and no frame is taken for another. */

import { encodeMessage, type RecoverAuthor, signPrepare } from '@vellum/consensus'
import { ZERO_HASH } from '@vellum/evm'
import { recoverSeal, signerOf } from '@vellum/node'
import { expect, test } from 'vitest'
import { createCheapCrypto } from '../src/cheap-crypto.ts'
import { createMessageReader } from '../src/message-reader.ts'

const crypto = createCheapCrypto()
const signer = signerOf(new Uint8Array(32).fill(7), crypto)

function frameOf(height: number): Uint8Array {
  const payload = { height, round: 0, digest: ZERO_HASH }
  return encodeMessage(signPrepare(payload, signer.address, signer.sign))
}

function countingReader() {
  let recoveries = 0
  const recover: RecoverAuthor = (hash, signature) => {
    recoveries += 1
    return recoverSeal(crypto)(hash, signature)
  }
  return { read: createMessageReader(recover, 4), recoveries: () => recoveries }
}

test('all receivers of a frame share one reading of it', () => {
  const { read, recoveries } = countingReader()
  const frame = frameOf(1)
  const message = read(frame)
  expect(message).toMatchObject({ author: signer.address, payload: { height: 1 } })
  expect(read(frame)).toBe(message)
  expect(recoveries()).toBe(1)
})

test('a frame of the same bytes, or of altered ones, is read by itself', () => {
  const { read, recoveries } = countingReader()
  const frame = frameOf(1)
  read(frame)
  expect(read(frame.slice())).toEqual(read(frame))
  expect(recoveries()).toBe(2)
  const altered = frame.slice()
  altered[altered.length - 2]! ^= 1
  expect(() => read(altered)).toThrow('nobody made this signature')
  expect(() => read(altered)).toThrow('nobody made this signature')
  expect(recoveries()).toBe(4)
})

test('frames that nobody sends any more are forgotten', () => {
  const { read, recoveries } = countingReader()
  const first = frameOf(1)
  read(first)
  for (let height = 2; height < 100; height++) read(frameOf(height))
  const before = recoveries()
  read(first)
  expect(recoveries()).toBe(before + 1)
})
