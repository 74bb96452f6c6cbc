import { ADDRESSES } from '@vellum/contracts/addresses'
import type { Address } from '@vellum/evm'
import type { NewHead, Receipt } from '@vellum/ledger'
import { Interface } from 'ethers'
import { expect, test } from 'vitest'
import { accusationsIn, evictAccused } from '../src/accusations.ts'

const LIAR: Address = '0x00000000000000000000000000000000000000aa'
const events = new Interface([
  'event ValidatorAccused(uint64 indexed chainId, address indexed validator, uint64 height, uint64 round)',
])

/** A block in which a contract says that a validator was accused. */
function receiptsOf(address: Address): readonly Receipt[] {
  const event = events.getEvent('ValidatorAccused')!
  const { topics, data } = events.encodeEventLog(event, [1337n, LIAR, 7n, 0n])
  return [{ logs: [{ address, topics, data }] }] as unknown as readonly Receipt[]
}

test('is what the light client says, and nobody else', () => {
  expect([...accusationsIn(receiptsOf(ADDRESSES.qbftLightClient))]).toEqual([
    { chainId: 1337n, validator: LIAR },
  ])
  expect([...accusationsIn(receiptsOf(ADDRESSES.council))]).toEqual([])
})

function chainOf(name: string) {
  const listeners = new Set<(head: NewHead) => void>()
  const cases: string[] = []
  const chain = {
    onHead: (listener: (head: NewHead) => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const eviction = { accuse: (who: Address, where: string) => cases.push(`${who} on ${where}`) }
  return {
    name,
    cases,
    listeners,
    node: { chain, consensus: { eviction } } as never,
    block: (receipts: readonly Receipt[]) => {
      for (const listener of listeners) listener({ receipts } as NewHead)
    },
  }
}

test('one chain’s accusation is heard on all, also on those that came later, and not of those that left', () => {
  const [main, side] = [chainOf('main'), chainOf('side')]
  const present = [main]
  const added: ((chain: typeof main) => void)[] = []
  const removed: ((chain: typeof main) => void)[] = []
  const stop = evictAccused({
    chains: () => present,
    onAdded: (listener) => {
      added.push(listener)
      return () => {}
    },
    onRemoved: (listener) => {
      removed.push(listener)
      return () => {}
    },
  })
  present.push(side)
  for (const listener of added) listener(side)
  side.block(receiptsOf(ADDRESSES.qbftLightClient))
  expect(main.cases).toEqual([`${LIAR} on chain 1337`])
  expect(side.cases).toEqual(main.cases)

  for (const listener of removed) listener(side)
  expect(side.listeners.size).toBe(0)
  stop()
  expect(main.listeners.size).toBe(0)
})
