/** Messages between two chains: what the gateway does with them, and what it refuses. */

import { expect, test } from 'vitest'
import {
  acknowledgement,
  createPegPair,
  delivery,
  follow,
  GATEWAY,
  messageId,
  outcomeOf,
  PROBE,
  relayer,
  sendMessage,
} from './peg-chains.ts'

test('a message is delivered and acknowledged by proof, each once', async () => {
  const { main, side } = await createPegPair()
  const message = await sendMessage(main, side, '0x00c0ffee')
  expect(main.ask(GATEWAY, 'outboxOf', [side.chainId, 1])).toBe(messageId(message))
  const sentAt = await follow(side, main)
  const delivered = await side.send(relayer, GATEWAY, 'deliver', delivery(main, message, sentAt))
  expect(side.ask(PROBE, 'received')).toBe(1n)
  const receivedAt = await follow(main, side)
  const _acknowledged = await main.send(
    relayer,
    GATEWAY,
    'acknowledge',
    acknowledgement(side, message, receivedAt, outcomeOf(delivered)),
  )
  expect(main.ask(PROBE, 'delivered')).toBe(1n)
})
