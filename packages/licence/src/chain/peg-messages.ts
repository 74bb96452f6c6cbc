/** What became of a message between chains, as the chain that sent it knows by proof. */

import { type ChainReader, waitFor } from './contracts.ts'

/** `failed` and `expired`: it had no effect, and what it took was given back. */
export type MessageOutcome = 'delivered' | 'failed' | 'expired'

const OUTCOMES = ['none', 'delivered', 'failed', 'expired'] as const

/**
 * @param chain that sent it
 * @param message.id the `sendId` of the event of what sent it
 * @param message.from a block not above the one with its outcome: that in which it was sent
 * @returns undefined: not known yet
 */
export async function outcomeOfMessage(
  chain: ChainReader,
  message: { readonly id: string; readonly from: number },
): Promise<MessageOutcome | undefined> {
  const { id, from } = message
  const topics = [null, null, id]
  const [event] = await chain.events({
    of: 'pegGateway',
    name: 'MessageAcknowledged',
    topics,
    from,
  })
  if (event === undefined) return undefined
  return OUTCOMES[Number(event.args.outcome)] as MessageOutcome
}

/** Waits for the outcome. @throws LicenceError LICENCE_CHAIN_ANSWER if it does not come in time */
export function whenAcknowledged(
  chain: ChainReader,
  message: { readonly id: string; readonly from: number },
): Promise<MessageOutcome> {
  return waitFor(
    chain.provider,
    () => outcomeOfMessage(chain, message),
    `message ${message.id} has no outcome yet: does a relayer run?`,
  )
}
