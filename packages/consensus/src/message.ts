/**
 * What validators say to one another: four kinds, as Besu encodes them. Values of these types have
 * passed the door (`codec.ts`): canonical, in range, and every author recovered from a signature.
 * Spec: qbft.md §8–10.
 */

import type { Address, Hash } from '@vellum/evm'
import type { Header } from '@vellum/ledger'

/** Message codes of `istanbul/100`; also the first item of what is signed. */
export const MESSAGE_CODE = {
  proposal: 0x12,
  prepare: 0x13,
  commit: 0x14,
  roundChange: 0x15,
} as const

export type MessageKind = keyof typeof MESSAGE_CODE

/** A payload with its author's signature: 65 bytes, r (32), s (32), y parity (1). */
export interface Signed<Payload> {
  readonly payload: Payload
  readonly signature: Uint8Array
  readonly author: Address
}

/**
 * A block as it is proposed: its extra data names the round, and has no seals. Until the rules have
 * looked at it (`proposedRound`), it may say anything.
 */
export interface ProposedBlock {
  readonly header: Header
  /** RLP of the body, a list: transactions, ommers, and withdrawals from Shanghai on. */
  readonly body: Uint8Array
  /** Hash of the header as it is, with its round: what prepares and commits name. */
  readonly digest: Hash
}

export interface PreparePayload {
  readonly height: number
  readonly round: number
  readonly digest: Hash
}

export interface CommitPayload {
  readonly height: number
  readonly round: number
  readonly digest: Hash
  /** Signature of the block's commit hash: 65 bytes as above. */
  readonly seal: Uint8Array
}

export interface RoundChangePayload {
  readonly height: number
  /** The round that the author wants to enter. */
  readonly round: number
  /** The block that the author has prepared, of the highest round in which it has. */
  readonly prepared: { readonly round: number; readonly digest: Hash } | undefined
}

export interface ProposalPayload {
  readonly height: number
  readonly round: number
  readonly block: ProposedBlock
  /** The fourth item of Besu 26.1, signed with the rest; undefined in the form of three items. */
  readonly accessList: Uint8Array | undefined
}

export interface Proposal extends Signed<ProposalPayload> {
  readonly kind: 'proposal'
  readonly roundChanges: readonly Signed<RoundChangePayload>[]
  readonly prepares: readonly Signed<PreparePayload>[]
}

export interface Prepare extends Signed<PreparePayload> {
  readonly kind: 'prepare'
}

export interface Commit extends Signed<CommitPayload> {
  readonly kind: 'commit'
}

export interface RoundChange extends Signed<RoundChangePayload> {
  readonly kind: 'roundChange'
  /** The prepared block, with the round in which it was prepared; undefined where nothing was. */
  readonly block: ProposedBlock | undefined
  /** Besu 26.1's third item of four, outside the signature; undefined in the form of three. */
  readonly accessList: Uint8Array | undefined
  readonly prepares: readonly Signed<PreparePayload>[]
}

export type Message = Proposal | Prepare | Commit | RoundChange

/** A block that a quorum has prepared, with the proof. */
export interface PreparedCertificate {
  readonly block: ProposedBlock
  readonly round: number
  readonly prepares: readonly Signed<PreparePayload>[]
}
