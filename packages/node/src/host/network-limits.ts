/** Every size, rate and time that a peer could stretch (docs/limits.md, "Network"). */

import { CONSENSUS_LIMITS } from '@vellum/consensus'
import type { Channel, Question } from '../ports.ts'

/** What refills at a steady pace and can be saved up to a burst. */
export interface Budget {
  readonly perSecond: number
  readonly burst: number
}

export interface ChannelLimits {
  readonly messageBytesMax: number
  /** Messages that one peer may send. */
  readonly messages: Budget
  /** Bytes that one peer may send. */
  readonly bytes: Budget
  /** Messages and bytes that wait for one peer. */
  readonly queueMessagesMax: number
  readonly queueBytesMax: number
}

export interface QuestionLimits {
  readonly requestBytesMax: number
  readonly answerBytesMax: number
  /** Questions of one peer. */
  readonly asked: Budget
  /** Questions to one peer, and of one peer, under way at a time. */
  readonly openMax: number
}

export interface NetworkLimits {
  readonly channels: Readonly<Record<Channel, ChannelLimits>>
  readonly questions: Readonly<Record<Question, QuestionLimits>>
  /** Connections in all, to one peer, and those whose peer is not known yet. */
  readonly connectionsMax: number
  readonly connectionsPerPeerMax: number
  readonly connectionsPendingMax: number
  /** New connections a second of one internet address. */
  readonly connectionsPerSecondMax: number
  /** Peers that one chain may admit beside the fixed list. */
  readonly admittedMax: number
  /** Milliseconds from the first byte of a frame to its last; also until the peer takes one of ours. */
  readonly frameMsMax: number
  /** Milliseconds from a question to the end of its answer. */
  readonly answerMsMax: number
  /** Milliseconds to connect, and to agree on a protocol. */
  readonly dialMsMax: number
  /** Milliseconds before a lost peer is called again: at first, and at most. */
  readonly redialMsMin: number
  readonly redialMsMax: number
  /** Milliseconds before streams of a chain are opened again on a connection that stands, at most. */
  readonly reopenMsMax: number
  /** Milliseconds between signs of life, and without one until a connection is given up. */
  readonly heartbeatMs: number
  readonly silenceMsMax: number
  /** Milliseconds between tellings of all known addresses. */
  readonly addressesMs: number
  /** Addresses of a peer that are kept: its own, and from each of so many others. */
  readonly addressesOwnMax: number
  readonly addressesHeardMax: number
  readonly addressReportersMax: number
  /** Faults: the sum of slight ones, which halves in so many milliseconds, and the count of severe ones. */
  readonly slightFaultsMax: number
  /** How many slight faults a second over a channel's budget is. */
  readonly floodFaults: number
  readonly slightHalfLifeMs: number
  readonly severeFaultsMax: number
  /** Milliseconds for which a peer is refused, and after which severe faults are forgotten. */
  readonly banMs: number
  readonly severeMemoryMs: number
  readonly standingsMax: number
  /** Frames and bytes of the multiplexer, and streams opened, by one connection. */
  readonly muxerFrames: Budget
  readonly muxerBytes: Budget
  readonly muxerStreams: Budget
  readonly muxerStreamsMax: number
  /** Bytes of one stream on their way, and of one frame of the multiplexer. */
  readonly streamWindowBytesMax: number
}

const MEBIBYTE = 1_048_576

export const NETWORK_LIMITS: NetworkLimits = {
  channels: {
    consensus: {
      messageBytesMax: CONSENSUS_LIMITS.messageBytesMax,
      messages: { perSecond: 2_000, burst: 4_000 },
      bytes: { perSecond: 32 * MEBIBYTE, burst: 64 * MEBIBYTE },
      queueMessagesMax: 1_024,
      queueBytesMax: 18 * MEBIBYTE,
    },
    transactions: {
      messageBytesMax: MEBIBYTE,
      messages: { perSecond: 4_000, burst: 8_000 },
      bytes: { perSecond: 16 * MEBIBYTE, burst: 32 * MEBIBYTE },
      queueMessagesMax: 4_096,
      queueBytesMax: 8 * MEBIBYTE,
    },
    head: {
      messageBytesMax: 4_096,
      messages: { perSecond: 50, burst: 200 },
      bytes: { perSecond: 65_536, burst: 262_144 },
      queueMessagesMax: 64,
      queueBytesMax: 262_144,
    },
  },
  questions: {
    status: {
      requestBytesMax: 4_096,
      answerBytesMax: 4_096,
      asked: { perSecond: 10, burst: 50 },
      openMax: 4,
    },
    blocks: {
      requestBytesMax: 4_096,
      answerBytesMax: 8 * MEBIBYTE + 65_536,
      asked: { perSecond: 50, burst: 100 },
      openMax: 4,
    },
    snapshot: {
      requestBytesMax: 4_096,
      answerBytesMax: 8 * MEBIBYTE + 65_536,
      asked: { perSecond: 50, burst: 100 },
      openMax: 4,
    },
  },
  connectionsMax: 64,
  connectionsPerPeerMax: 2,
  connectionsPendingMax: 8,
  connectionsPerSecondMax: 20,
  admittedMax: 4_096,
  frameMsMax: 30_000,
  answerMsMax: 10_000,
  dialMsMax: 5_000,
  redialMsMin: 100,
  redialMsMax: 5_000,
  reopenMsMax: 10_000,
  heartbeatMs: 5_000,
  silenceMsMax: 20_000,
  addressesMs: 30_000,
  addressesOwnMax: 8,
  addressesHeardMax: 2,
  addressReportersMax: 8,
  slightFaultsMax: 100,
  floodFaults: 5,
  slightHalfLifeMs: 60_000,
  severeFaultsMax: 3,
  banMs: 600_000,
  severeMemoryMs: 3_600_000,
  standingsMax: 1_024,
  muxerFrames: { perSecond: 16_000, burst: 64_000 },
  muxerBytes: { perSecond: 128 * MEBIBYTE, burst: 256 * MEBIBYTE },
  muxerStreams: { perSecond: 200, burst: 500 },
  muxerStreamsMax: 256,
  streamWindowBytesMax: MEBIBYTE,
}
