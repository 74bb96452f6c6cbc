/**
 * Online verification: three checks of a presentation against the chain, each with its own reason, and
 * the record that is charged for. What was shown is checked before (`verifyAnswer`,
 * `verifyPresentation`).
 */

import { encodeBytes32String, getAddress, hexlify } from 'ethers'
import { commitmentOf, tagOf } from '../blinding.ts'
import { addressOfKey } from '../key.ts'
import { STATUS_REASONS, type StatusReason } from '../offline.ts'
import type { Presentation } from '../presentation.ts'
import { type ChainReader, type ChainWriter, type Done, eventNamed } from './contracts.ts'
import { createLicenceDirectory } from './licences.ts'
import { createIdentityDirectory } from './registrar.ts'

export type IssuerReason =
  | 'licence unknown'
  | 'contents differ'
  /** Signed with a key that was not the issuing organisation's. */
  | 'signed by another issuer'
  | 'issuer not accredited'

export type HolderReason =
  | 'holder differs'
  | 'identity not active'
  /** The key is or was not the identity's. */
  | 'key of nobody'
  /** The identity has another key today: the licence has to be changed to it. */
  | 'key replaced'

export interface Report {
  /** All three checks went well. */
  readonly ok: boolean
  /** Number of the licence; undefined if the chain has none with that identifier. */
  readonly number: bigint | undefined
  readonly issuer: Check<IssuerReason>
  readonly status: Check<StatusReason | 'licence unknown' | 'not yet valid'>
  readonly holder: Check<HolderReason | 'licence unknown'>
  /** Head of the chain when it was asked. */
  readonly blockNumber: number
}

export type Check<Reason extends string> =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: Reason }

/** `result` of an entry of the log. */
export const RESULTS = { valid: 0, issuer: 1, status: 2, holder: 3 } as const

/** What a verification costs. */
export interface Quote {
  /** Millionths of a credit, as the next. */
  readonly amount: bigint
  /** What the verifier has and has approved to the log. */
  readonly available: bigint
}

/** Checks what a holder has shown, against the chain. */
export async function verifyOnline(chain: ChainReader, shown: Presentation): Promise<Report> {
  const licences = createLicenceDirectory(chain)
  const { credential } = shown
  const blockNumber = await chain.provider.getBlockNumber()
  const number = await licences.numberOf(credential.identifier)
  if (number === undefined) {
    const unknown = { ok: false, reason: 'licence unknown' } as const
    return { ok: false, number, issuer: unknown, status: unknown, holder: unknown, blockNumber }
  }
  const issuer = await checkIssuer(chain, shown, number)
  const status = await checkStatus(chain, shown, number)
  const holder = await checkHolder(chain, shown, number)
  return { ok: issuer.ok && status.ok && holder.ok, number, issuer, status, holder, blockNumber }
}

/** What `recordVerification` will cost: to be asked before anything is disclosed. */
export async function quoteVerification(
  chain: ChainReader,
  what: {
    /** Credit code. */
    readonly verifier: string
    /** 21 characters. */
    readonly licenceType: string
    readonly byteCount: number
  },
): Promise<Quote> {
  const { verifier, licenceType, byteCount } = what
  const codes = [verifier, licenceType].map(encodeBytes32String)
  const [amount, available] = await chain.ask('verificationLog', 'quote', [...codes, byteCount])
  return { amount, available }
}

/** A verification to be recorded. */
export interface VerificationEntry {
  readonly shown: Presentation
  readonly report: Report
  readonly chainId: bigint
  /** Code of the network for what it was for, not 0. */
  readonly purpose: number
  /** Of the data that the verifier got. */
  readonly byteCount: number
  /** Encrypted to the holder, at most 1,024 bytes. */
  readonly detail?: Uint8Array
}

/**
 * Records a verification with its result, and pays for it.
 * @throws LicenceError LICENCE_CHAIN_REFUSED: `CreditInsufficient`, `TagUsed`, `NotVerifier`
 */
export async function recordVerification(
  chain: ChainWriter,
  entry: VerificationEntry,
): Promise<Done & { readonly index: bigint }> {
  const done = await chain.send('verificationLog', 'record', [entryOf(entry)])
  return { ...done, index: eventNamed(done, 'VerificationRecorded').args.index }
}

/**
 * Records several in one transaction, as `recordVerification` would one after another: each has its own
 * index, charge and events. One that is refused refuses all; `createRecorder` finds out which.
 * @param entries 1 to `LICENCE_LIMITS.recordsMax`
 * @throws LicenceError as `recordVerification`, and `EntryCountOutOfRange`
 */
export async function recordVerifications(
  chain: ChainWriter,
  entries: readonly VerificationEntry[],
): Promise<Done & { readonly indexes: readonly bigint[] }> {
  const done = await chain.send('verificationLog', 'recordMany', [entries.map(entryOf)])
  const recorded = done.events.filter(({ name }) => name === 'VerificationRecorded')
  return { ...done, indexes: recorded.map(({ args }) => args.index) }
}

/** As the contract takes it. */
function entryOf(entry: VerificationEntry): object {
  const { shown, report, chainId, purpose, byteCount, detail = new Uint8Array(0) } = entry
  const { seed, credential } = shown
  return {
    licenceType: encodeBytes32String(credential.typeCode),
    commitment: commitmentOf({ seed, chainId, number: report.number ?? NO_LICENCE }),
    tag: tagOf(seed),
    purpose,
    result: resultOf(report),
    byteCount,
    detail: hexlify(detail),
  }
}

/** Stands in commitments for a licence that the chain does not have. */
const NO_LICENCE = 2n ** 256n - 1n

function resultOf({ issuer, status, holder }: Report): number {
  if (!issuer.ok) return RESULTS.issuer
  if (!status.ok) return RESULTS.status
  return holder.ok ? RESULTS.valid : RESULTS.holder
}

async function checkIssuer(
  chain: ChainReader,
  { credential }: Presentation,
  number: bigint,
): Promise<Check<IssuerReason>> {
  const licences = createLicenceDirectory(chain)
  const record = await licences.recordOf(number)
  const isSame =
    record.content === credential.contentDigest &&
    record.licenceType === credential.typeCode &&
    record.validFrom === credential.validity.from &&
    record.validUntil === credential.validity.until
  if (!isSame) return { ok: false, reason: 'contents differ' }
  const code = encodeBytes32String(record.issuer)
  const [account] = await chain.ask('organisationRegistry', 'accountAt', [code, record.issuedAt])
  if (getAddress(account) !== credential.issuer.address) {
    return { ok: false, reason: 'signed by another issuer' }
  }
  if (!(await licences.wasAccredited(number))) {
    return { ok: false, reason: 'issuer not accredited' }
  }
  return { ok: true }
}

async function checkStatus(
  chain: ChainReader,
  { credential }: Presentation,
  number: bigint,
): Promise<Report['status']> {
  const status = await createLicenceDirectory(chain).statusOf(number)
  if (status === 'None') return { ok: false, reason: 'licence unknown' }
  if (status !== 'InForce') return { ok: false, reason: STATUS_REASONS[status] }
  const head = await chain.provider.getBlock('latest')
  const hasBegun = head !== null && head.timestamp >= credential.validity.from
  return hasBegun ? { ok: true } : { ok: false, reason: 'not yet valid' }
}

async function checkHolder(
  chain: ChainReader,
  { credential }: Presentation,
  number: bigint,
): Promise<Report['holder']> {
  const record = await createLicenceDirectory(chain).recordOf(number)
  if (record.holder !== credential.holder) return { ok: false, reason: 'holder differs' }
  const identities = createIdentityDirectory(chain)
  if ((await identities.stateOf(record.holder)) !== 'active') {
    return { ok: false, reason: 'identity not active' }
  }
  const account = addressOfKey(credential.holderKey)
  if ((await identities.identityOf(account)) !== record.holder) {
    return { ok: false, reason: 'key of nobody' }
  }
  const owner = await identities.ownerOf(record.holder)
  return owner === account ? { ok: true } : { ok: false, reason: 'key replaced' }
}
