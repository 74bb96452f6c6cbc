/** Proposes blocks that are wrong in one place each. */

import type { ProposedBlock } from '@vellum/consensus'
import { bytesToHex } from '@vellum/evm'
import { decodeExtraData } from '@vellum/ledger'
import type { Prng } from '../prng.ts'
import { altered, proposalOf, withExtra } from './forgery.ts'
import { type Behaviour, isOwn } from './interference.ts'

type Mutation = (block: ProposedBlock, prng: Prng) => ProposedBlock

const MUTATIONS: readonly Mutation[] = [
  (block, prng) => altered(block, { stateRoot: hash(prng) }),
  (block, prng) => altered(block, { transactionsRoot: hash(prng) }),
  (block, prng) => altered(block, { receiptsRoot: hash(prng) }),
  (block, prng) => altered(block, { parentHash: hash(prng) }),
  (block, prng) => altered(block, { coinbase: bytesToHex(prng.bytes(20)) }),
  (block, prng) => altered(block, { mixHash: hash(prng) }),
  (block) => altered(block, { gasUsed: block.header.gasUsed + 1n }),
  (block) => altered(block, { gasLimit: block.header.gasLimit * 2n }),
  (block) => altered(block, { difficulty: 2n }),
  (block) => altered(block, { number: block.header.number + 1 }),
  (block) => altered(block, { timestamp: block.header.timestamp + 3_600 }),
  (block) => altered(block, { timestamp: block.header.timestamp - 3_600 }),
  (block) => altered(block, { nonce: Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 255) }),
  (block, prng) => withExtra(block, { validators: [bytesToHex(prng.bytes(20))] }),
  (block) => withExtra(block, { validators: validatorsOf(block).slice(1) }),
  (block) => withExtra(block, { validators: [...validatorsOf(block)].reverse() }),
  (block) => withExtra(block, { round: decodeExtraData(block.header.extraData).round + 1 }),
  (block) => altered(block, { extraData: new Uint8Array(32) }),
]

export const invalidBlock: Behaviour = (ports) => {
  const drawn = new Map<string, Mutation>()
  return {
    consensus: ({ message, bytes }) => {
      if (message.kind !== 'proposal' || !isOwn(ports, message)) return [bytes]
      const { height, round, block } = message.payload
      // The same for all peers: this is no equivocation.
      const name = `${height}/${round}`
      const mutation = drawn.get(name) ?? ports.prng.pick(MUTATIONS)
      drawn.clear()
      drawn.set(name, mutation)
      return [proposalOf(ports, message, mutation(block, ports.prng.split(name)))]
    },
  }
}

function hash(prng: Prng): `0x${string}` {
  return bytesToHex(prng.bytes(32))
}

function validatorsOf(block: ProposedBlock): readonly `0x${string}`[] {
  return decodeExtraData(block.header.extraData).validators
}
