/**
 * What a chain's light client says of validators: who was proven to have contradicted itself on another
 * chain (docs/protocol/light-client.md). That is how proofs travel: a relayer brings them to every chain
 * that trusts the first one, and the nodes there hear of it here.
 */

import { ADDRESSES } from '@vellum/contracts/addresses'
import { type Address, type Hash, keccak256Hex } from '@vellum/evm'
import type { Receipt } from '@vellum/ledger'
import type { VellumNode } from './node.ts'

export interface Accusation {
  readonly validator: Address
  /** Chain id of the chain on which it has lied. */
  readonly chainId: bigint
}

/** ValidatorAccused(uint64 indexed chainId, address indexed validator, uint64 height, uint64 round) */
const VALIDATOR_ACCUSED: Hash = keccak256Hex(
  new TextEncoder().encode('ValidatorAccused(uint64,address,uint64,uint64)'),
)

/** Accusations in a block's receipts. */
export function* accusationsIn(receipts: readonly Receipt[]): Iterable<Accusation> {
  for (const { logs } of receipts) {
    for (const { address, topics } of logs) {
      if (address !== ADDRESSES.qbftLightClient || topics[0] !== VALIDATOR_ACCUSED) continue
      const [, chainId, validator] = topics
      yield { chainId: BigInt(chainId!), validator: `0x${validator!.slice(26)}` }
    }
  }
}

/** A chain of this process. */
interface AccusingChain {
  readonly node: Pick<VellumNode, 'chain' | 'consensus'>
}

/** The chains of a process, which come and go. */
export interface AccusingChains<Each extends AccusingChain> {
  chains(): readonly Each[]
  onAdded(listener: (chain: Each) => void): () => void
  onRemoved(listener: (chain: Each) => void): () => void
}

/**
 * From the next blocks on, whoever is accused on one chain is voted against on all that it validates.
 * @returns the way to stop
 */
export function evictAccused<Each extends AccusingChain>(served: AccusingChains<Each>): () => void {
  const watched = new Map<VellumNode['chain'], () => void>()

  function accuse({ validator, chainId }: Accusation): void {
    for (const { node } of served.chains()) {
      node.consensus?.eviction?.accuse(validator, `chain ${chainId}`)
    }
  }

  function watch({ node: { chain } }: Each): void {
    const forget = chain.onHead(({ receipts }) => {
      for (const accusation of accusationsIn(receipts)) accuse(accusation)
    })
    watched.set(chain, forget)
  }

  for (const each of served.chains()) watch(each)
  const forgets = [
    served.onAdded(watch),
    served.onRemoved(({ node: { chain } }) => {
      watched.get(chain)?.()
      watched.delete(chain)
    }),
  ]
  return () => {
    for (const forget of [...forgets, ...watched.values()]) forget()
  }
}
