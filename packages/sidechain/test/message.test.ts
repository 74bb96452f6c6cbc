import { bytesToHex } from '@vellum/evm'
import { AbiCoder, id as hashOfText, keccak256 } from 'ethers'
import { describe, expect, test } from 'vitest'
import {
  inboxSlot,
  MESSAGE_TYPEHASH,
  messageId,
  outboxSlot,
  type PegMessage,
  receiptCommitment,
} from '../src/index.ts'
import { makeVectors } from './peg-vectors.ts'

const coder = AbiCoder.defaultAbiCoder()

const message: PegMessage = {
  version: 1,
  sourceChainId: 1337n,
  sourceGateway: `0x${'0a'.repeat(20)}`,
  destinationChainId: 133702n,
  destinationGateway: `0x${'0b'.repeat(20)}`,
  sequence: 7,
  sender: `0x${'0c'.repeat(20)}`,
  recipient: `0x${'0d'.repeat(20)}`,
  deadline: 1_900_000_000n,
  gasLimit: 500_000n,
  payload: Uint8Array.of(1, 2, 3),
}

describe('messageId', () => {
  test('is what another implementation of the ABI gives', () => {
    const type =
      'PegMessage(uint8 version,uint64 sourceChainId,address sourceGateway,uint64 destinationChainId,address destinationGateway,uint64 sequence,address sender,address recipient,uint64 deadline,uint64 gasLimit,bytes payload)'
    expect(MESSAGE_TYPEHASH).toBe(hashOfText(type))
    const types = type
      .slice(11, -1)
      .split(',')
      .map((field) => field.split(' ')[0]!)
    const values = [...Object.values(message).slice(0, -1), bytesToHex(message.payload)]
    const encoded = coder.encode(['bytes32', ...types], [MESSAGE_TYPEHASH, ...values])
    expect(messageId(message)).toBe(keccak256(encoded))
  })

  test.each(Object.keys(message) as (keyof PegMessage)[])('another %s is another id', (field) => {
    const value = message[field]
    const other =
      typeof value === 'bigint'
        ? value + 1n
        : typeof value === 'number'
          ? value + 1
          : typeof value === 'string'
            ? `0x${'ee'.repeat(20)}`
            : Uint8Array.of(1, 2, 3, 0)
    expect(messageId({ ...message, [field]: other })).not.toBe(messageId(message))
  })
})

test('slots are where Solidity keeps nested mappings', () => {
  for (const [make, slot] of [
    [outboxSlot, 0],
    [inboxSlot, 1],
  ] as const) {
    const outer = keccak256(coder.encode(['uint64', 'uint256'], [133701, slot]))
    const inner = keccak256(coder.encode(['uint64', 'bytes32'], [9, outer]))
    expect(make(133701n, 9)).toBe(inner)
  }
})

test('a receipt binds message, outcome and answer', () => {
  const id = messageId(message)
  const hash = `0x${'cd'.repeat(32)}` as const
  const encoded = coder.encode(['bytes32', 'uint8', 'bytes32'], [id, 2, hash])
  expect(receiptCommitment(id, 'failed', hash)).toBe(keccak256(encoded))
})

test('the vectors that Solidity is tested with are ours', async () => {
  await expect(`${JSON.stringify(makeVectors(), null, 2)}\n`).toMatchFileSnapshot(
    '../../../tests/vectors/peg.json',
  )
})
