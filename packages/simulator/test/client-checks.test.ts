/** What light clients may say of chains and validators, and what must be reported. */

import { type Address, bigIntToBytes, bytesToHex, type Hash } from '@vellum/evm'
import type { VellumNode } from '@vellum/node'
import { PEG_TOPICS, topicOf } from '@vellum/sidechain'
import { expect, test } from 'vitest'
import type { PegRule } from '../src/peg/checks.ts'
import { createClientChecks } from '../src/peg/client-checks.ts'
import { AT } from '../src/peg/contracts.ts'
import type { PegChain } from '../src/peg/genesis.ts'

const HONEST: Address = `0x${'11'.repeat(20)}`
const LIAR: Address = `0x${'22'.repeat(20)}`
const ACCUSED = topicOf('ValidatorAccused(uint64,address,uint64,uint64)')

const chains = [
  { name: 'main', chainId: 1 },
  { name: 'business', chainId: 2 },
  { name: 'health', chainId: 3 },
] as unknown as [PegChain, PegChain, PegChain]
const [main, business, health] = chains

const word = (value: bigint | number): Hash => bytesToHex(bigIntToBytes(BigInt(value), 32))

function createTale() {
  const rules: PegRule[] = []
  const checks = createClientChecks({
    chains,
    everybody: [HONEST, LIAR],
    byzantine: [{ node: 1, chain: 'business', behaviours: ['double voter'] }],
    isTrusted: () => true,
    checks: { violate: (rule) => void rules.push(rule) },
    note: () => {},
  })
  const say = (on: PegChain, topics: readonly Hash[]): void => {
    const logs = [{ address: AT.qbftLightClient, topics, data: new Uint8Array(0) }]
    const node = { chain: { receipts: () => [{ logs }] } } as unknown as VellumNode
    checks.onBlock(on, node, 1)
  }
  return {
    rules,
    checks,
    freeze: (on: PegChain, of: PegChain) => say(on, [PEG_TOPICS.clientFrozen, word(of.chainId)]),
    accuse: (on: PegChain, of: PegChain, whom: Address) =>
      say(on, [ACCUSED, word(of.chainId), word(BigInt(whom))]),
  }
}

test('main may freeze its client of a chain where somebody lies, and accuse whoever does', () => {
  const { rules, checks, freeze, accuse } = createTale()
  accuse(main, business, LIAR)
  freeze(main, business)
  expect(rules).toEqual([])
  expect([...checks.frozen]).toEqual(['business'])
  expect([...checks.cutOff]).toEqual(['business'])
})

test('F2: a client of a chain where nobody lies is frozen', () => {
  const { rules, checks, freeze } = createTale()
  freeze(health, main)
  expect(rules).toEqual(['F2'])
  expect([...checks.frozen]).toEqual([])
  expect([...checks.cutOff]).toEqual(['health'])
})

test('E1: an honest validator is accused; or a liar, of a chain where they do not lie', () => {
  const { rules, accuse } = createTale()
  accuse(main, business, HONEST)
  accuse(main, health, LIAR)
  expect(rules).toEqual(['E1', 'E1'])
})
