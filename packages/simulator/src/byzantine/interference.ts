/**
 * How an adversary is made: an honest node whose words are tampered with on their way out, by one
 * behaviour or several. It has its own key, and may replay whatever it has seen; it cannot sign for
 * anybody else (the adversary of the QBFT specification, qbft.md §18).
 */

import type { Message, SignHash } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import type { Channel, Question, Transport } from '@vellum/node'
import type { MessageReader } from '../message-reader.ts'
import type { Prng } from '../prng.ts'

/** What a behaviour may use. */
export interface AdversaryPorts {
  readonly self: Address
  /** Signs messages. */
  readonly sign: SignHash
  /** Signs blocks. */
  readonly seal: SignHash
  readonly readMessage: MessageReader
  readonly prng: Prng
  /** All nodes of the world, in its order. */
  readonly everybody: readonly Address[]
  /** Adversaries of this world, this one included. */
  readonly accomplices: readonly Address[]
  /** The base of round timeouts, ms, and their cap. */
  readonly requestTimeoutMs: number
  readonly requestTimeoutMaxMs: number
  /** Runs later, unless the process has died by then. */
  after(ms: number, run: () => void): void
  /** Sends bytes past all behaviours. */
  say(to: Address, channel: Channel, bytes: Uint8Array): void
}

/** A consensus message that is about to leave. */
export interface Outgoing {
  readonly to: Address
  readonly message: Message
  readonly bytes: Uint8Array
}

/** Parts that a behaviour leaves out stay honest. */
export interface Interference {
  /** What leaves in place of a consensus message: nothing, itself, others. */
  readonly consensus?: (outgoing: Outgoing) => readonly Uint8Array[]
  /** Sees each consensus message that comes in. */
  readonly heard?: (message: Message, bytes: Uint8Array) => void
  /** What leaves in place of a message on another channel. */
  readonly other?: (channel: Channel, bytes: Uint8Array) => readonly Uint8Array[]
  /**
   * What is answered in place of an honest answer.
   * @throws to refuse, which the peer sees
   */
  readonly answer?: (question: Question, honest: Uint8Array, asker: Address) => Promise<Uint8Array>
  /** Called when the node has joined the network. */
  readonly begin?: () => void
}

export type Behaviour = (ports: AdversaryPorts) => Interference

/** The transport of an adversary: an honest one, and the behaviours before it, in order. */
export function tamperedTransport(
  honest: Transport,
  behaviours: readonly Behaviour[],
  ports: Omit<AdversaryPorts, 'say'>,
): Transport {
  const say: AdversaryPorts['say'] = (to, channel, bytes) => void honest.send(to, channel, bytes)
  const interferences = behaviours.map((behaviour, i) =>
    behaviour({ ...ports, prng: ports.prng.split(`behaviour ${i}`), say }),
  )
  function messageOf(bytes: Uint8Array): Message | undefined {
    try {
      return ports.readMessage(bytes)
    } catch {
      // Made by a behaviour before, on purpose.
      return undefined
    }
  }

  function tampered(to: Address, channel: Channel, bytes: Uint8Array): Uint8Array[] {
    let leaving = [bytes]
    for (const { consensus, other } of interferences) {
      leaving = leaving.flatMap((each) => {
        if (channel !== 'consensus') return other ? [...other(channel, each)] : [each]
        const message = consensus && messageOf(each)
        return message ? [...consensus({ to, message, bytes: each })] : [each]
      })
    }
    return leaving
  }

  return {
    ...honest,
    start: async (handlers) => {
      await honest.start({
        ...handlers,
        onMessage: (from, channel, bytes) => {
          if (channel === 'consensus' && interferences.some(({ heard }) => heard)) {
            const message = messageOf(bytes)
            if (message) for (const { heard } of interferences) heard?.(message, bytes)
          }
          handlers.onMessage(from, channel, bytes)
        },
        onQuestion: async (from, question, body) => {
          let answer = await handlers.onQuestion(from, question, body)
          for (const each of interferences) {
            if (each.answer) answer = await each.answer(question, answer, from)
          }
          return answer
        },
      })
      for (const { begin } of interferences) begin?.()
    },
    send: (to, channel, bytes) => {
      for (const each of tampered(to, channel, bytes)) honest.send(to, channel, each)
      return true
    },
  }
}

/** True for what this adversary says itself; false for what it passes on. */
export function isOwn({ self }: AdversaryPorts, { author }: Message): boolean {
  return author === self
}
