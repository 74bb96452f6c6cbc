/** Messages between two chains: what the gateway does with them, and what it refuses. */

import type { Address, Hash } from '@vellum/evm'
import { id, keccak256 } from 'ethers'
import { beforeEach, describe, expect, test } from 'vitest'
import { createSeededRandom } from '../seeded-random.ts'
import {
  acknowledgement,
  attribute,
  CLIENT,
  createPegPair,
  delivery,
  follow,
  GATEWAY,
  governor,
  guardian,
  hexOf,
  MANAGER,
  type Message,
  messageId,
  messageOf,
  OUTCOME,
  outcomeOf,
  type PegChain,
  type PegPair,
  PROBE,
  quorumOf,
  type Result,
  receiptOf,
  refusal,
  relayer,
  SIDE_ID,
  STRANGER,
  sealedBy,
  sendMessage,
  slotOf,
  TIME_TO_LIVE,
  user,
} from './peg-chains.ts'

const ZERO = `0x${'00'.repeat(32)}`
const COUNT = '0x00'
/** What a recipient returns that took a message. */
const ACCEPTED = keccak256(id('receiveMessage(bytes32,bytes,bytes)').slice(0, 10).padEnd(66, '0'))

let pair: PegPair
let main: PegChain
let side: PegChain

beforeEach(async () => {
  pair = await createPegPair()
  main = pair.main
  side = pair.side
})

const names = (result: Result): string[] => result.events.map(({ name }) => name)

/** Proves it to the other chain, which hands it over. */
async function deliver(message: Message): Promise<Result> {
  const height = await follow(side, main)
  return side.send(relayer, GATEWAY, 'deliver', delivery(main, message, height))
}

async function acknowledge(
  message: Message,
  outcome: { outcome: number; returnHash: string },
): Promise<Result> {
  const height = await follow(main, side)
  const args = acknowledgement(side, message, height, outcome)
  return main.send(relayer, GATEWAY, 'acknowledge', args)
}

/** How often the app of a chain was told something. */
const told = (chain: PegChain, what: 'received' | 'delivered' | 'undelivered'): number =>
  Number(chain.ask<bigint>(PROBE, what))

describe('a message', () => {
  test('is committed to, delivered by proof and acknowledged by proof, each once', async () => {
    const message = await sendMessage(main, side, '0x00c0ffee')
    expect(message).toMatchObject({
      version: 1,
      sourceChainId: main.chainId,
      sourceGateway: GATEWAY,
      destinationChainId: side.chainId,
      sequence: 1,
      gasLimit: 200_000n,
      deadline: BigInt(pair.clock.seconds + TIME_TO_LIVE),
      payload: '0x00c0ffee',
    })
    expect(main.ask(GATEWAY, 'outboxOf', [side.chainId, 1])).toBe(messageId(message))
    const received = await deliver(message)
    expect(names(received)).toEqual(['MessageReceived'])
    expect(outcomeOf(received)).toEqual({ outcome: OUTCOME.delivered, returnHash: ACCEPTED })
    expect(told(side, 'received')).toBe(1)
    const receipt = receiptOf(message, OUTCOME.delivered, ACCEPTED)
    expect(side.ask(GATEWAY, 'inboxOf', [main.chainId, 1])).toBe(receipt)
    const acknowledged = await acknowledge(message, outcomeOf(received))
    expect(names(acknowledged)).toEqual(['MessageAcknowledged'])
    expect(told(main, 'delivered')).toBe(1)
    expect(main.ask(GATEWAY, 'outboxOf', [side.chainId, 1])).toBe(ZERO)
    expect(main.ask(GATEWAY, 'acknowledgedThrough', [side.chainId])).toBe(1n)
  })

  test('a second time does nothing, and breaks nobody’s batch', async () => {
    const message = await sendMessage(main, side, COUNT)
    const received = await deliver(message)
    const again = await deliver(message)
    expect(names(again)).toEqual(['AlreadyReceived'])
    expect(again.gasUsed).toBeLessThan(received.gasUsed)
    expect(told(side, 'received')).toBe(1)
    await acknowledge(message, outcomeOf(received))
    expect(names(await acknowledge(message, outcomeOf(received)))).toEqual(['AlreadyAcknowledged'])
    expect(told(main, 'delivered')).toBe(1)
    expect(names(await deliver(message))).toEqual(['AlreadyReceived'])
  })

  test('whose recipient reverts has failed: its effects are undone, its sender is told', async () => {
    const message = await sendMessage(main, side, '0x01abcd')
    const received = await deliver(message)
    const revert = side.interfaces.get(PROBE)!.encodeErrorResult('Refused', ['0xabcd'])
    expect(outcomeOf(received)).toEqual({
      outcome: OUTCOME.failed,
      returnHash: keccak256(revert),
    })
    expect(told(side, 'received')).toBe(0)
    await acknowledge(message, outcomeOf(received))
    expect([told(main, 'delivered'), told(main, 'undelivered')]).toEqual([0, 1])
  })

  test('whose recipient uses up its gas has failed', async () => {
    const message = await sendMessage(main, side, '0x02')
    expect(outcomeOf(await deliver(message)).outcome).toBe(OUTCOME.failed)
  })

  test('whose recipient reverts with a megabyte has failed, and only 256 bytes are hashed', async () => {
    const attributes = [attribute('gasLimit', 3_000_000)]
    const message = await sendMessage(main, side, '0x05', { attributes })
    const received = await deliver(message)
    expect(outcomeOf(received)).toEqual({
      outcome: OUTCOME.failed,
      returnHash: keccak256(`0x${'00'.repeat(256)}`),
    })
    // The megabyte costs its author 2 million, and would cost the relayer as much.
    expect(received.gasUsed).toBeLessThan(2_500_000)
  })

  test('past its deadline is recorded as expired and refunded, and never delivered', async () => {
    const message = await sendMessage(main, side, COUNT)
    const height = await follow(side, main)
    pair.clock.seconds = Number(message.deadline)
    await side.block()
    const args = delivery(main, message, height)
    expect(await refusal(() => side.ask(GATEWAY, 'deliver', args))).toBe('not refused')
    pair.clock.seconds += 1
    const received = await side.send(relayer, GATEWAY, 'deliver', args)
    expect(outcomeOf(received)).toEqual({ outcome: OUTCOME.expired, returnHash: ZERO })
    expect(told(side, 'received')).toBe(0)
    await main.block()
    await acknowledge(message, outcomeOf(received))
    expect([told(main, 'delivered'), told(main, 'undelivered')]).toEqual([0, 1])
    expect(names(await side.send(relayer, GATEWAY, 'deliver', args))).toEqual(['AlreadyReceived'])
  })

  test('delivered in the last second is not refunded later', async () => {
    const message = await sendMessage(main, side, COUNT)
    const height = await follow(side, main)
    pair.clock.seconds = Number(message.deadline)
    const args = delivery(main, message, height)
    const received = await side.send(relayer, GATEWAY, 'deliver', args)
    expect(outcomeOf(received).outcome).toBe(OUTCOME.delivered)
    pair.clock.seconds += 1_000
    await main.block()
    await side.block()
    const expired = { outcome: OUTCOME.expired, returnHash: ZERO }
    await expect(acknowledge(message, expired)).rejects.toThrow('StateProofInvalid')
    await acknowledge(message, outcomeOf(received))
    expect([told(main, 'delivered'), told(main, 'undelivered')]).toEqual([1, 0])
  })

  test('for an app that is none has failed at once', async () => {
    const message = await sendMessage(main, side, COUNT, { recipient: STRANGER })
    const received = await deliver(message)
    expect(outcomeOf(received)).toEqual({ outcome: OUTCOME.failed, returnHash: ZERO })
    await acknowledge(message, outcomeOf(received))
    expect(told(main, 'undelivered')).toBe(1)
  })

  test('whose recipient answers something else leaves nothing behind, and expires', async () => {
    const message = await sendMessage(main, side, '0x03')
    await expect(deliver(message)).rejects.toThrow('RecipientAnswerInvalid')
    expect(told(side, 'received')).toBe(0)
    expect(side.ask(GATEWAY, 'inboxOf', [main.chainId, 1])).toBe(ZERO)
    pair.clock.seconds = Number(message.deadline) + 1
    await side.block()
    expect(outcomeOf(await deliver(message)).outcome).toBe(OUTCOME.expired)
  })

  test('gives its recipient the gas that it asks for, in full, or is not delivered', async () => {
    const attributes = [attribute('gasLimit', 1_000_000)]
    const message = await sendMessage(main, side, COUNT, { attributes })
    const height = await follow(side, main)
    const data = side.data(GATEWAY, 'deliver', delivery(main, message, height))
    const outcomes: (number | string)[] = []
    for (let gas = 300_000; gas <= 1_400_000; gas += 50_000) {
      const attempt = await refusal(() => side.call({ from: relayer, to: GATEWAY, data, gas }))
      outcomes.push(attempt)
    }
    expect(new Set(outcomes)).toEqual(new Set(['GasInsufficient', 'not refused']))
    const [received] = await side.block({ from: relayer, to: GATEWAY, data, gas: 1_400_000 })
    expect(outcomeOf(received!).outcome).toBe(OUTCOME.delivered)
    expect(Number(side.ask<bigint>(PROBE, 'gasGiven'))).toBeGreaterThan(995_000)
  })

  test('is told to its sender when its sender can hear it', async () => {
    const message = await sendMessage(main, side, COUNT)
    const received = await deliver(message)
    await main.send(user, PROBE, 'refuseOutcomes', [true])
    await expect(acknowledge(message, outcomeOf(received))).rejects.toThrow('Refused')
    expect(main.ask(GATEWAY, 'outboxOf', [side.chainId, 1])).toBe(messageId(message))
    await main.send(user, PROBE, 'refuseOutcomes', [false])
    await acknowledge(message, outcomeOf(received))
    expect(told(main, 'delivered')).toBe(1)
  })

  test('names its sender to its recipient by chain and account', async () => {
    await deliver(await sendMessage(main, side, COUNT))
    const chain = main.chainId.toString(16).padStart(4, '0')
    expect(side.ask(PROBE, 'lastSender')).toBe(`0x0001000002${chain}14${PROBE.slice(2)}`)
  })

  test('may be answered while it is delivered', async () => {
    const message = await sendMessage(main, side, '0x0700aa')
    const received = await deliver(message)
    expect(names(received)).toEqual(['MessageSent', 'MessageCommitted', 'MessageReceived'])
    const answer = messageOf(received.events)
    expect(answer).toMatchObject({ sourceChainId: side.chainId, payload: '0x00aa' })
    const height = await follow(main, side)
    await main.send(relayer, GATEWAY, 'deliver', delivery(side, answer, height))
    expect(told(main, 'received')).toBe(1)
  })
})

describe('sending is refused', () => {
  const send = (
    changes: {
      recipient?: string
      payload?: string
      attributes?: string[]
      value?: bigint
      app?: Address
    } = {},
  ): Promise<string> => {
    const chain = side.chainId.toString(16).padStart(6, '0')
    const {
      recipient = `0x0001000003${chain}14${PROBE.slice(2)}`,
      payload = COUNT,
      attributes = [],
      app = PROBE,
    } = changes
    return refusal(() => main.ask(app, 'sendTo', [recipient, payload, attributes]))
  }
  test('to whom is no app', async () => {
    expect(await send()).toBe('not refused')
    expect(await send({ app: STRANGER })).toBe('AppUnknown')
  })
  test('to recipients that are not written in the one way', async () => {
    const [chain, account] = [side.chainId.toString(16).padStart(6, '0'), PROBE.slice(2)]
    const recipients: Record<string, string> = {
      [`0x0001000003${chain}14${account}00`]: 'RecipientInvalid',
      [`0x000100000400${chain}14${account}`]: 'RecipientInvalid',
      [`0x0001000003${chain}13${account.slice(2)}`]: 'RecipientInvalid',
      [`0x0001000003${chain}00`]: 'RecipientInvalid',
      [`0x0001000003${chain}14${'00'.repeat(20)}`]: 'RecipientInvalid',
      [`0x0001000103${chain}14${account}`]: 'RecipientInvalid',
      [`0x0002000003${chain}14${account}`]: 'RecipientInvalid',
      [`0x00010000020539${'14'}${account}`]: 'ChainInvalid',
      [`0x000100000014${account}`]: 'ChainInvalid',
      [`0x000100000901${'00'.repeat(8)}14${account}`]: 'ChainInvalid',
      [`0x00010000020457${'14'}${account}`]: 'ChannelNotOpen',
      '0x': 'RecipientInvalid',
    }
    for (const [recipient, reason] of Object.entries(recipients)) {
      expect([recipient, await send({ recipient })]).toEqual([recipient, reason])
    }
  })
  test('of payloads beyond 16,384 bytes', async () => {
    expect(await send({ payload: `0x${'00'.repeat(16_384)}` })).toBe('not refused')
    expect(await send({ payload: `0x${'00'.repeat(16_385)}` })).toBe('PayloadTooLong')
  })
  test('with attributes that are unknown, malformed, repeated or out of range', async () => {
    const now = pair.clock.seconds
    const later = attribute('deadline', now + 1)
    const attributes: [string[], string][] = [
      [[later, attribute('gasLimit', 10_000_000)], 'not refused'],
      [[attribute('deadline', 2n ** 64n - 1n)], 'not refused'],
      [[attribute('gasLimit', 10_000_001)], 'GasLimitInvalid'],
      [[attribute('gasLimit', 0)], 'GasLimitInvalid'],
      [[attribute('deadline', now)], 'DeadlinePassed'],
      [[later, later], 'AttributeInvalid'],
      [[`${later}00`], 'AttributeInvalid'],
      [[later.slice(0, -2)], 'AttributeInvalid'],
      [[`${later.slice(0, 10)}${'ff'.repeat(32)}`], 'AttributeInvalid'],
      [[`0x12345678${'00'.repeat(32)}`], 'UnsupportedAttribute'],
      [['0x'], 'UnsupportedAttribute'],
    ]
    for (const [list, reason] of attributes) {
      expect(await send({ attributes: list })).toBe(reason)
    }
    const supports = (name: string): boolean =>
      main.ask(GATEWAY, 'supportsAttribute', [name.slice(0, 10)])
    expect(supports(later)).toBe(true)
    expect(supports(attribute('gasLimit', 1))).toBe(true)
    expect(supports('0x12345678')).toBe(false)
  })
})

describe('a channel', () => {
  test('that is paused by a guardian carries nothing, until governance resumes it', async () => {
    const first = await sendMessage(main, side, COUNT)
    const received = await deliver(first)
    const second = await sendMessage(main, side, COUNT)
    await expect(main.send(user, GATEWAY, 'pauseChannel', [SIDE_ID])).rejects.toThrow(
      'AccessManagedUnauthorized',
    )
    await main.send(guardian, GATEWAY, 'pauseChannel', [SIDE_ID])
    await side.send(guardian, GATEWAY, 'pauseChannel', [main.chainId])
    await expect(sendMessage(main, side, COUNT)).rejects.toThrow('ChannelNotOpen')
    await expect(deliver(second)).rejects.toThrow('ChannelNotOpen')
    await expect(acknowledge(first, outcomeOf(received))).rejects.toThrow('ChannelNotOpen')
    await expect(main.send(guardian, GATEWAY, 'resumeChannel', [SIDE_ID])).rejects.toThrow(
      'AccessManagedUnauthorized',
    )
    await main.send(governor, GATEWAY, 'resumeChannel', [SIDE_ID])
    await side.send(governor, GATEWAY, 'resumeChannel', [main.chainId])
    expect(outcomeOf(await deliver(second)).outcome).toBe(OUTCOME.delivered)
    await acknowledge(first, outcomeOf(received))
    expect(told(main, 'delivered')).toBe(1)
  })

  test('that is closed sends nothing, answers that messages have failed, and hears outcomes', async () => {
    const first = await sendMessage(main, side, COUNT)
    const received = await deliver(first)
    const second = await sendMessage(main, side, COUNT)
    await main.send(governor, GATEWAY, 'closeChannel', [SIDE_ID])
    await side.send(governor, GATEWAY, 'closeChannel', [main.chainId])
    await expect(sendMessage(main, side, COUNT)).rejects.toThrow('ChannelNotOpen')
    const refused = await deliver(second)
    expect(outcomeOf(refused)).toEqual({ outcome: OUTCOME.failed, returnHash: ZERO })
    await acknowledge(first, outcomeOf(received))
    await acknowledge(second, outcomeOf(refused))
    expect([told(main, 'delivered'), told(main, 'undelivered')]).toEqual([1, 1])
  })

  test('that is none carries nothing', async () => {
    const message = await sendMessage(main, side, COUNT)
    const stranger: Message = { ...message, sourceChainId: 999 }
    const args = delivery(main, message, 1).with(0, stranger)
    expect(await refusal(() => side.ask(GATEWAY, 'deliver', args))).toBe('ChannelNotOpen')
  })
})

describe('an app that is removed', () => {
  test('sends and gets nothing; outcomes wait until it is registered again', async () => {
    const first = await sendMessage(main, side, COUNT)
    const received = await deliver(first)
    const second = await sendMessage(main, side, COUNT)
    await main.send(governor, GATEWAY, 'removeApp', [PROBE])
    await side.send(governor, GATEWAY, 'removeApp', [PROBE])
    await expect(sendMessage(main, side, COUNT)).rejects.toThrow('AppUnknown')
    expect(outcomeOf(await deliver(second)).outcome).toBe(OUTCOME.failed)
    await expect(acknowledge(first, outcomeOf(received))).rejects.toThrow('AppUnknown')
    await main.send(governor, GATEWAY, 'registerApp', [PROBE])
    await acknowledge(first, outcomeOf(received))
    expect(told(main, 'delivered')).toBe(1)
  })
})

describe('administration', () => {
  test('is for roles of the access manager alone', async () => {
    const calls: [string, unknown[]][] = [
      ['registerApp', [STRANGER]],
      ['removeApp', [PROBE]],
      ['openChannel', [5]],
      ['closeChannel', [SIDE_ID]],
      ['pauseChannel', [SIDE_ID]],
      ['resumeChannel', [SIDE_ID]],
      ['setDefaults', [1, 1]],
    ]
    for (const [method, args] of calls) {
      expect([method, await refusal(() => main.ask(GATEWAY, method, args, user))]).toEqual([
        method,
        'AccessManagedUnauthorized',
      ])
    }
    for (const [method, args] of calls.filter(([name]) => name !== 'pauseChannel')) {
      expect([method, await refusal(() => main.ask(GATEWAY, method, args, guardian))]).toEqual([
        method,
        'AccessManagedUnauthorized',
      ])
    }
  })

  test('cannot make an app of what administers', async () => {
    const register = (app: string): Promise<string> =>
      refusal(() => main.ask(GATEWAY, 'registerApp', [app], governor))
    for (const app of [GATEWAY, CLIENT, MANAGER, `0x${'00'.repeat(20)}`, user.address]) {
      expect([app, await register(app)]).toEqual([app, 'AppInvalid'])
    }
    expect(await register(STRANGER)).toBe('not refused')
  })

  test('keeps defaults within bounds', async () => {
    const set = (timeToLive: number, gas: number): Promise<string> =>
      refusal(() => main.ask(GATEWAY, 'setDefaults', [timeToLive, gas], governor))
    expect(await set(1, 1)).toBe('not refused')
    expect(await set(0, 1)).toBe('TimeToLiveInvalid')
    expect(await set(31_536_001, 1)).toBe('TimeToLiveInvalid')
    expect(await set(1, 0)).toBe('GasLimitInvalid')
    expect(await set(1, 10_000_001)).toBe('GasLimitInvalid')
  })
})

describe('a batch', () => {
  test('updates the client and delivers many, with one proof of the account', async () => {
    const messages: Message[] = []
    for (let i = 0; i < 5; i++) messages.push(await sendMessage(main, side, COUNT))
    const height = main.height()
    const proven = messages.map((message) => delivery(main, message, height))
    const calls = [
      side.data(CLIENT, 'updateClient', [main.chainId, 0, main.sealedHeader(height)]),
      side.data(GATEWAY, 'proveStorageRoot', [main.chainId, height, proven[0]![2]]),
      ...proven.map((args) => side.data(GATEWAY, 'deliver', args.with(2, []))),
    ]
    const result = await side.send(relayer, GATEWAY, 'relay', [calls])
    expect(names(result)).toEqual(['ClientUpdated', ...Array(5).fill('MessageReceived')])
    expect(told(side, 'received')).toBe(5)
    // The root is remembered for one transaction.
    const alone = delivery(main, await sendMessage(main, side, COUNT), height).with(2, [])
    await expect(side.send(relayer, GATEWAY, 'deliver', alone)).rejects.toThrow(
      'AccountProofMissing',
    )
  })

  test('goes on when one call fails, which is undone alone and says why', async () => {
    const messages: Message[] = []
    for (let i = 0; i < 3; i++) messages.push(await sendMessage(main, side, COUNT))
    const height = await follow(side, main)
    const [first, second, third] = messages.map((message) => delivery(main, message, height))
    const wrong = second!.with(3, first![3])
    const calls = [first!, wrong, third!].map((args) => side.data(GATEWAY, 'deliver', args))
    const result = await side.send(relayer, GATEWAY, 'relay', [calls])
    expect(names(result)).toEqual(['MessageReceived', 'CallFailed', 'MessageReceived'])
    const failed = result.events[1]!.args
    expect(failed.index).toBe(1n)
    expect(failed.reason).toMatch(/^0x[0-9a-f]{8}/)
    expect(told(side, 'received')).toBe(2)
  })

  test('calls nothing else', async () => {
    const other = [
      side.data(GATEWAY, 'registerApp', [STRANGER]),
      side.data(GATEWAY, 'relay', [[]]),
      side.data(CLIENT, 'freezeClient', [main.chainId]),
      '0x',
    ]
    for (const call of other) {
      expect(await refusal(() => side.ask(GATEWAY, 'relay', [[call]]))).toBe('CallRefused')
    }
  })

  test('in any order, with repetitions, by two relayers at once, delivers each message once', async () => {
    const random = createSeededRandom(7)
    const messages: Message[] = []
    for (let i = 0; i < 12; i++) {
      messages.push(await sendMessage(main, side, i % 3 === 0 ? '0x01' : COUNT))
    }
    const height = await follow(side, main)
    const calls = messages.map((message) =>
      side.data(GATEWAY, 'deliver', delivery(main, message, height)),
    )
    const drawn = (): string[] => Array.from({ length: 20 }, () => random.pick(calls))
    const seen = new Map<bigint, number>()
    for (let round = 0; round < 6; round++) {
      const results = await side.block(
        ...[relayer, user].map((from) => ({
          from,
          to: GATEWAY,
          data: side.data(GATEWAY, 'relay', [drawn()]),
        })),
      )
      for (const { args } of results.flatMap(({ events }) =>
        events.filter(({ name }) => name === 'MessageReceived'),
      )) {
        seen.set(args.sequence, (seen.get(args.sequence) ?? 0) + 1)
      }
    }
    expect(seen.size).toBe(12)
    expect([...seen.values()].every((count) => count === 1)).toBe(true)
    expect(told(side, 'received')).toBe(8)
    // The acknowledgements, from the last to the first.
    const back = await follow(main, side)
    for (const message of messages.toReversed()) {
      const failed = message.payload === '0x01'
      const revert = main.interfaces.get(PROBE)!.encodeErrorResult('Refused', ['0x'])
      const outcome = failed
        ? { outcome: OUTCOME.failed, returnHash: keccak256(revert) }
        : { outcome: OUTCOME.delivered, returnHash: ACCEPTED }
      await main.send(
        relayer,
        GATEWAY,
        'acknowledge',
        acknowledgement(side, message, back, outcome),
      )
    }
    expect([told(main, 'delivered'), told(main, 'undelivered')]).toEqual([8, 4])
    // Moved on by at most eight with one acknowledgement.
    expect(main.ask(GATEWAY, 'acknowledgedThrough', [SIDE_ID])).toBe(8n)
  })
})

describe('re-entrancy:', () => {
  test('a recipient cannot have its message, or another one, delivered while it runs', async () => {
    const other = await sendMessage(main, side, COUNT)
    const height = await follow(side, main)
    for (const method of ['deliver', 'relay'] as const) {
      const inner = side.data(GATEWAY, 'deliver', delivery(main, other, height))
      const call = method === 'deliver' ? inner : side.data(GATEWAY, 'relay', [[inner]])
      const attributes = [attribute('gasLimit', 3_000_000)]
      const outer = await sendMessage(main, side, `0x04${call.slice(2)}`, { attributes })
      const received = await deliver(outer)
      expect(outcomeOf(received).outcome).toBe(OUTCOME.delivered)
      expect(side.ask(GATEWAY, 'inboxOf', [main.chainId, other.sequence])).toBe(ZERO)
    }
    expect(side.ask(PROBE, 'innerCallSucceeded')).toBe(true)
    expect(names(await deliver(other))).toEqual(['MessageReceived'])
  })
})

/** Proofs of something that is there, but is not what they are shown for (reliability.md P4). */
describe('of 200 drawn proofs each, none is accepted', () => {
  const random = createSeededRandom(11)
  let messages: Message[]
  let sentAt: number
  beforeEach(async () => {
    messages = []
    for (let i = 0; i < 6; i++) messages.push(await sendMessage(main, side, COUNT))
    sentAt = await follow(side, main)
  })
  const classes: Record<string, () => unknown[]> = {
    'for another chain': () => {
      const message = random.pick(messages)
      const other = { ...message, destinationChainId: 1 + random.whole(1_000) }
      return delivery(main, message, sentAt).with(0, other)
    },
    'of another chain': () => {
      const message = random.pick(messages)
      return delivery(main, message, sentAt).with(0, { ...message, sourceChainId: 133_702 })
    },
    'of another account': () => {
      const message = random.pick(messages)
      const account = random.pick([CLIENT, PROBE, MANAGER, user.address])
      return delivery(main, message, sentAt).with(2, main.proof(sentAt, account, ZERO).account)
    },
    'of another gateway': () => {
      const message = random.pick(messages)
      const field = random.pick(['sourceGateway', 'destinationGateway'])
      return delivery(main, message, sentAt).with(0, { ...message, [field]: PROBE })
    },
    'of another message': () => {
      const message = random.pick(messages)
      const other = random.pick(messages.filter(({ sequence }) => sequence !== message.sequence))
      return delivery(main, other, sentAt).with(0, message)
    },
    'of the other mapping': () => {
      const message = random.pick(messages)
      const slot = slotOf(1, side.chainId, message.sequence)
      return delivery(main, message, sentAt).with(3, main.proof(sentAt, GATEWAY, slot).storage)
    },
    'at another height': () => delivery(main, random.pick(messages), sentAt).with(1, 0),
    'with another field': () => {
      const message = random.pick(messages)
      const changed = random.pick<Partial<Message>>([
        { payload: '0x0001' },
        { recipient: STRANGER },
        { sender: STRANGER },
        { deadline: message.deadline + 1n },
        { gasLimit: message.gasLimit - 1n },
        { sequence: message.sequence + 6 },
        { sequence: 0 },
        { version: random.pick([0, 2, 255]) },
      ])
      return delivery(main, message, sentAt).with(0, { ...message, ...changed })
    },
    'with a node left out, twice, or too many': () => {
      const args = delivery(main, random.pick(messages), sentAt)
      const index = 2 + random.whole(2)
      const proof = args[index] as string[]
      const at = random.whole(proof.length)
      return args.with(
        index,
        random.pick([
          proof.toSpliced(at, 1),
          proof.toSpliced(at, 0, proof[at]!),
          [...proof, '0x80'],
        ]),
      )
    },
    'with a byte of a node changed': () => {
      const args = delivery(main, random.pick(messages), sentAt)
      const index = 2 + random.whole(2)
      const proof = args[index] as string[]
      const node = random.whole(proof.length)
      const place = 2 + 2 * random.whole(proof[node]!.length / 2 - 1)
      const byte = Number.parseInt(proof[node]!.slice(place, place + 2), 16)
      const other = ((byte + 1 + random.whole(255)) % 256).toString(16).padStart(2, '0')
      return args.with(
        index,
        proof.with(node, `${proof[node]!.slice(0, place)}${other}${proof[node]!.slice(place + 2)}`),
      )
    },
  }
  for (const [name, draw] of Object.entries(classes)) {
    test(name, async () => {
      for (let i = 0; i < 200; i++) {
        expect(await refusal(() => side.ask(GATEWAY, 'deliver', draw()))).toMatch(
          /^(StateProofInvalid|RlpInvalid|MessageNotForHere|ChannelNotOpen|AccountProofMissing)$/,
        )
      }
      const valid = delivery(main, random.pick(messages), sentAt)
      expect(await refusal(() => side.ask(GATEWAY, 'deliver', valid))).toBe('not refused')
    })
  }
})

describe('an outcome is refused', () => {
  test('that is not the one which the destination recorded', async () => {
    const message = await sendMessage(main, side, COUNT)
    const { returnHash } = outcomeOf(await deliver(message))
    const attempts: [number, string][] = [
      [OUTCOME.failed, returnHash],
      [OUTCOME.expired, ZERO],
      [OUTCOME.delivered, ZERO],
    ]
    for (const [outcome, hash] of attempts) {
      await expect(acknowledge(message, { outcome, returnHash: hash })).rejects.toThrow(
        'StateProofInvalid',
      )
    }
    await expect(acknowledge(message, { outcome: 0, returnHash })).rejects.toThrow('OutcomeInvalid')
  })

  test('of a message that was not sent, or in another form', async () => {
    const message = await sendMessage(main, side, COUNT)
    const outcome = outcomeOf(await deliver(message))
    const attempt = async (changes: Partial<Message>): Promise<string> => {
      const height = side.height()
      const args = acknowledgement(side, message, height, outcome)
      return refusal(() =>
        main.ask(GATEWAY, 'acknowledge', args.with(0, { ...message, ...changes })),
      )
    }
    await follow(main, side)
    expect(await attempt({})).toBe('not refused')
    expect(await attempt({ payload: '0x01' })).toBe('MessageUnknown')
    expect(await attempt({ sequence: 2 })).toBe('MessageUnknown')
    expect(await attempt({ sequence: 0 })).toBe('MessageNotForHere')
    expect(await attempt({ sourceChainId: side.chainId })).toBe('MessageNotForHere')
    expect(await attempt({ destinationChainId: 5 })).toBe('MessageUnknown')
  })
})

test('while the client is frozen nothing is proven, in the same transaction neither', async () => {
  const message = await sendMessage(main, side, COUNT)
  const height = await follow(side, main)
  const args = delivery(main, message, height)
  const contradiction = contradictionOf(main, height)
  const calls = [
    side.data(GATEWAY, 'proveStorageRoot', [main.chainId, height, args[2]]),
    side.data(CLIENT, 'updateClient', [main.chainId, 0, contradiction]),
    side.data(GATEWAY, 'deliver', args.with(2, [])),
  ]
  const result = await side.send(relayer, GATEWAY, 'relay', [calls])
  expect(names(result)).toEqual(['ChainContradicted', 'ClientFrozen', 'CallFailed'])
  expect(told(side, 'received')).toBe(0)
})

/** Another header of that height, sealed by the same validators. */
function contradictionOf(chain: PegChain, height: number): string {
  const other = { ...chain.header(height), stateRoot: `0x${'12'.repeat(32)}` as Hash }
  const { validators } = chain
  return hexOf(sealedBy(other, validators.slice(0, quorumOf(validators.length))))
}
