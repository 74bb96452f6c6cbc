/**
 * Sealed headers as a light client of another chain takes them: the rules of `QbftLightClient`, in
 * TypeScript. The relayer asks them before it pays for a transaction; tools and tests as a second opinion.
 *
 * A header has one encoding for its block and its seals. T is the set of the header that is trusted, N the
 * set that the new header names for itself: a quorum of N must have sealed it, and of T enough to
 * include an honest validator. Spec: docs/protocol/light-client.md; qbft.md §3-5.
 */

import { quorum, type RecoverAuthor, sealersOf, verifyCertificate } from '@vellum/consensus'
import { type Address, equalBytes, type Hash, ZERO_ADDRESS, ZERO_HASH } from '@vellum/evm'
import {
  decodeExtraData,
  decodeHeader,
  decodeRlp,
  EMPTY_OMMERS_HASH,
  type ExtraData,
  encodeExtraData,
  encodeHeader,
  type Header,
  LedgerError,
  QBFT_MIX_HASH,
  qbftHash,
  rlpList,
  VANITY_SIZE,
} from '@vellum/ledger'

/** What a light client keeps of a header. */
export interface TrustedHeader {
  readonly height: number
  /** Seconds since 1970. */
  readonly timestamp: number
  /** On-chain hash: without seals, in round 0. */
  readonly hash: Hash
  readonly stateRoot: Hash
  /** From when the trusting period counts: the timestamp, or later for a header that governance gave. */
  readonly since: number
  /** Ascending. */
  readonly validators: readonly Address[]
}

export interface ClientRules {
  /** Seconds from a header's timestamp in which others can be judged by it. */
  readonly trustingPeriodSeconds: number
  /** Seconds that a header's timestamp may be ahead of the block that judges it. */
  readonly maxClockDriftSeconds: number
  /** Items that the chain's headers have, by the header that the client began with. */
  readonly fieldCount: number
  /** Hash of the chain's genesis block, which every header after it names. */
  readonly domain: Hash
}

export interface SealedClientHeader extends TrustedHeader {
  readonly header: Header
  readonly fieldCount: number
}

export type HeaderRefusal =
  | 'not one canonical encoding'
  | 'not a QBFT header'
  | 'another number of fields'
  | 'header of another chain'
  | 'set of validators invalid'
  | 'state root is zero'
  | 'not above the trusted height'
  | 'time runs backwards'
  | 'ahead of the clock'
  | 'trusted header expired'
  | 'too few seals'
  | 'more seals than validators'
  | 'two seals of one validator'
  | 'seal of nobody in the set'
  | 'too few seals of the trusted set'

export type HeaderVerdict =
  | { readonly ok: true; readonly header: SealedClientHeader }
  | { readonly ok: false; readonly reason: HeaderRefusal }

/** Limits of the light client, as its contract has them. */
export const CLIENT_LIMITS = {
  /** Validators of a set that is taken: each costs a signature to be checked. */
  validatorsMax: 128,
} as const

/** Seals of the trusted set that a new header needs: enough to include an honest validator's. */
export function trustedSealsNeeded(size: number): number {
  return Math.floor(size / 3) + 1
}

export interface UpdateQuestion extends ClientRules {
  readonly trusted: TrustedHeader
  /** RLP, with its seals. */
  readonly sealedHeader: Uint8Array
  /** Timestamp of the block that judges it. */
  readonly nowSeconds: number
}

/** Whether a client that trusts one header takes another, and what is in that. */
export function verifyUpdate(question: UpdateQuestion, recover: RecoverAuthor): HeaderVerdict {
  const { trusted, sealedHeader, nowSeconds } = question
  const decoded = decodeSealedHeader(sealedHeader)
  if (!decoded.ok) return decoded
  const next = decoded.header
  if (next.fieldCount !== question.fieldCount) return refused('another number of fields')
  if (next.header.parentBeaconBlockRoot !== question.domain) {
    return refused('header of another chain')
  }
  if (next.height <= trusted.height) return refused('not above the trusted height')
  if (next.timestamp < trusted.timestamp) return refused('time runs backwards')
  if (next.timestamp > nowSeconds + question.maxClockDriftSeconds) {
    return refused('ahead of the clock')
  }
  if (nowSeconds > trusted.since + question.trustingPeriodSeconds) {
    return refused('trusted header expired')
  }
  const certificate = verifyCertificate(next.header, next.validators, recover)
  if (!certificate.ok) return certificate
  const known = sealersOf(next.header, recover).filter(
    (sealer) => sealer !== undefined && trusted.validators.includes(sealer),
  )
  if (known.length < trustedSealsNeeded(trusted.validators.length)) {
    return refused('too few seals of the trusted set')
  }
  return decoded
}

/** The header of its bytes, by itself: form, validators and fields, but no seal is checked. */
export function decodeSealedHeader(bytes: Uint8Array): HeaderVerdict {
  let header: Header
  let extra: ExtraData
  let fieldCount: number
  try {
    header = decodeHeader(bytes)
    extra = decodeExtraData(header.extraData)
    fieldCount = rlpList(decodeRlp(bytes), 'header').length
  } catch (error) {
    if (error instanceof LedgerError) return refused('not one canonical encoding')
    throw error
  }
  const isSame =
    equalBytes(encodeHeader(header), bytes) &&
    equalBytes(encodeExtraData(extra), header.extraData) &&
    extra.vanity.length === VANITY_SIZE
  if (!isSame) return refused('not one canonical encoding')
  if (
    header.difficulty !== 1n ||
    header.mixHash !== QBFT_MIX_HASH ||
    header.ommersHash !== EMPTY_OMMERS_HASH ||
    header.nonce.some((byte) => byte !== 0)
  ) {
    return refused('not a QBFT header')
  }
  const { validators } = extra
  const isAscending = validators.every((each, i) => i === 0 || validators[i - 1]! < each)
  if (
    validators.length === 0 ||
    validators.length > CLIENT_LIMITS.validatorsMax ||
    !isAscending ||
    validators[0] === ZERO_ADDRESS
  ) {
    return refused('set of validators invalid')
  }
  if (header.stateRoot === ZERO_HASH) return refused('state root is zero')
  return {
    ok: true,
    header: {
      header,
      fieldCount,
      height: header.number,
      timestamp: header.timestamp,
      since: header.timestamp,
      hash: qbftHash(header),
      stateRoot: header.stateRoot,
      validators,
    },
  }
}

/**
 * The stored header with no more seals than a client needs, so that the update is cheap: a quorum of the
 * header's own set, those of the trusted set first. The header as it is where these do not suffice.
 */
export function leanHeader(
  sealedHeader: Uint8Array,
  trusted: readonly Address[],
  recover: RecoverAuthor,
): Uint8Array {
  const header = decodeHeader(sealedHeader)
  const extra = decodeExtraData(header.extraData)
  const needed = quorum(extra.validators.length)
  if (extra.seals.length <= needed) return sealedHeader
  const sealers = sealersOf(header, recover)
  const order = extra.seals
    .map((seal, i) => ({ seal, i, isTrusted: trusted.includes(sealers[i] as Address) }))
    .sort((a, b) => Number(b.isTrusted) - Number(a.isTrusted) || a.i - b.i)
  const chosen = order.slice(0, needed)
  if (chosen.filter(({ isTrusted }) => isTrusted).length < trustedSealsNeeded(trusted.length)) {
    return sealedHeader
  }
  const seals = chosen.sort((a, b) => a.i - b.i).map(({ seal }) => seal)
  return encodeHeader({ ...header, extraData: encodeExtraData({ ...extra, seals }) })
}

/**
 * Which header to try next, when the client refuses one: halfway, where too few of the trusted set have sealed
 * it, as sets that changed step by step can be followed step by step. undefined: nothing in between can help.
 */
export function heightBetween(
  trusted: number,
  refusedAt: number,
  reason: HeaderRefusal,
): number | undefined {
  const middle = Math.floor((trusted + refusedAt) / 2)
  return reason === 'too few seals of the trusted set' && middle > trusted ? middle : undefined
}

function refused(reason: HeaderRefusal): { readonly ok: false; readonly reason: HeaderRefusal } {
  return { ok: false, reason }
}
