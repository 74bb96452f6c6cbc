import { createHash } from 'node:crypto'
import { keccak256 } from 'ethers'
import { expect, test } from 'vitest'
import { findPersonalData } from './personal-data.ts'

const NUMBER = '34052419800101001X'
const NAME = '欧阳明月'
const values = { number: NUMBER, name: NAME }
const noise = (middle: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.alloc(100, 7), middle, Buffer.alloc(100, 9)])
const hash = (algorithm: string, text: string): Buffer =>
  createHash(algorithm).update(text).digest()

test('nothing is found where there is nothing', () => {
  expect(findPersonalData(noise(new Uint8Array(50)), values)).toEqual([])
})

test.for([
  ['as it is', Buffer.from(NUMBER)],
  ['in UTF-16', Buffer.from(NAME, 'utf16le')],
  ['in hex', Buffer.from(Buffer.from(NAME).toString('hex'))],
  ['in base64, alone', Buffer.from(Buffer.from(NUMBER).toString('base64'))],
  ['in base64, after one byte', Buffer.from(Buffer.from(`"${NUMBER}"`).toString('base64'))],
  ['in base64url, after two', Buffer.from(Buffer.from(`:"${NAME}"`).toString('base64url'))],
  ['as sha-256', hash('sha256', NUMBER)],
  ['as sha-1 in hex', Buffer.from(hash('sha1', NUMBER).toString('hex'))],
  ['as md5', hash('md5', NUMBER)],
  ['as keccak-256', Buffer.from(keccak256(Buffer.from(NUMBER)).slice(2), 'hex')],
  ['as half a sha-256', hash('sha256', NUMBER).subarray(0, 16)],
  ['as sha-256 of its small letters', hash('sha256', NUMBER.toLowerCase())],
] as const)('a value is found %s', ([, bytes]) => {
  expect(findPersonalData(noise(bytes), values).length).toBeGreaterThan(0)
})
