/** Service credit between the main chain and its side chains. Amounts are millionths of a credit. */

import { type ChainReader, type ChainWriter, CONTRACT_ADDRESSES, type Done } from './contracts.ts'

/** What a side chain has, by the main chain's account. */
export interface SideAccount {
  /** Locked, less what came back: its supply, and what is on its way. */
  readonly locked: bigint
  /** What may move now, to it and from it. */
  readonly toSide: bigint
  readonly fromSide: bigint
}

export async function creditOf(chain: ChainReader, account: string): Promise<bigint> {
  return (await chain.ask('serviceCredit', 'balanceOf', [account]))[0] as bigint
}

/** @param main reads the main chain */
export async function sideAccountOf(main: ChainReader, chainId: bigint): Promise<SideAccount> {
  const [locked] = await main.ask('creditVault', 'lockedFor', [chainId])
  const [limit] = await main.ask('creditVault', 'limitOf', [chainId])
  return { locked, toSide: limit.toSideAvailable, fromSide: limit.fromSideAvailable }
}

/**
 * Moves credit of the sender to an account of a side chain. What does not arrive is refunded.
 * @param main sends on the main chain
 * @param move.deadline last second of the side chain's time; absent: as the gateway says
 */
export async function lockCredit(
  main: ChainWriter,
  move: {
    readonly chainId: bigint
    readonly recipient: string
    readonly amount: bigint
    readonly deadline?: number
  },
): Promise<Done> {
  const { chainId, recipient, amount, deadline = 0 } = move
  const vault = CONTRACT_ADDRESSES.creditVault
  const [allowed] = await main.ask('serviceCredit', 'allowance', [main.account, vault])
  if (allowed < amount) await main.send('serviceCredit', 'approve', [vault, amount])
  return main.send('creditVault', 'lock', [chainId, recipient, amount, deadline])
}

/**
 * Moves credit of the sender back to an account of the main chain. What is not released is minted again.
 * @param side sends on the side chain
 * @param move.deadline last second of the main chain's time; absent: as the gateway says
 */
export function withdrawCredit(
  side: ChainWriter,
  move: { readonly recipient: string; readonly amount: bigint; readonly deadline?: number },
): Promise<Done> {
  const { recipient, amount, deadline = 0 } = move
  return side.send('creditPeg', 'withdraw', [recipient, amount, deadline])
}
