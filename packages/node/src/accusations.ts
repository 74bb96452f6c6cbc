/**
 * What a chain's light client says of validators: who was proven to have contradicted itself on another
 * chain (docs/protocol/light-client.md). That is how proofs travel: a relayer brings them to every chain
 * that trusts the first one, and the nodes there hear of it here.
 */

import { ADDRESSES } from '@vellum/contracts/addresses'
import { type Address, type Hash, keccak256Hex } from '@vellum/evm'
import type { Chain, Receipt } from '@vellum/ledger'

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

/** Hears of accusations from the next block on. Returns the way to stop. */
export function watchAccusations(
  chain: Pick<Chain, 'onHead'>,
  onAccused: (accusation: Accusation) => void,
): () => void {
  return chain.onHead(({ receipts }) => {
    for (const accusation of accusationsIn(receipts)) onAccused(accusation)
  })
}
