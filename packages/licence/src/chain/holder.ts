/** The holder: opens what is offered, answers, keeps, and sees who checked. */

import { ADDRESSES } from '@vellum/contracts'
import { decodeBytes32String, getBytes, TypedDataEncoder, type TypedDataField } from 'ethers'
import { commitmentOf, presentationSeed, tagOf } from '../blinding.ts'
import { unpackCredential } from '../code.ts'
import { contentDigestOf, readCredential } from '../credential.ts'
import { decryptWith, type EnvelopeReference, isReferredTo } from '../envelope.ts'
import { LicenceError } from '../error.ts'
import { type KeyHolder, signDigest } from '../key.ts'
import type { ChainReader, ChainWriter, Done } from './contracts.ts'
import { createLicenceDirectory } from './licences.ts'

/** A holder's answer to an offer, to be brought by anybody. */
export interface SignedAnswer {
  readonly number: bigint
  readonly accepts: boolean
  readonly deadline: number
  readonly signature: string
}

/** An entry of the log, seen by the holder whom it concerns. */
export interface SeenVerification {
  /** Which of the holder's presentations. */
  readonly index: number
  /** Number of the licence; undefined if it was none of those named. */
  readonly licence: bigint | undefined
  /** Credit code of the verifier. */
  readonly verifier: string
  readonly licenceType: string
  readonly purpose: number
  readonly result: number
  readonly detail: Uint8Array
  readonly blockNumber: number
  readonly transactionHash: string
}

const ANSWER: TypedDataField[] = [
  { name: 'number', type: 'uint256' },
  { name: 'content', type: 'bytes32' },
  { name: 'accepts', type: 'bool' },
  { name: 'deadline', type: 'uint64' },
]
const CANCELLATION: TypedDataField[] = [
  { name: 'number', type: 'uint256' },
  { name: 'reason', type: 'uint16' },
  { name: 'deadline', type: 'uint64' },
]
/** Tags of one question for events. */
const TAGS_AT_ONCE = 32

/**
 * Opens a licence that was offered: decrypts it and checks that it is what the chain commits to, of
 * the issuer that signed it, and for this key.
 * @param get gives the bytes that a reference names
 * @throws LicenceError LICENCE_CHAIN_ANSWER if what is there is not what the chain says
 */
export async function openLicence(
  chain: ChainReader,
  number: bigint,
  holder: {
    readonly key: KeyHolder
    readonly privateKey: Uint8Array
    readonly get: (reference: EnvelopeReference) => Promise<Uint8Array>
  },
): Promise<string> {
  const licences = createLicenceDirectory(chain)
  const [envelope, record] = [await licences.envelopeOf(number), await licences.recordOf(number)]
  if (envelope === undefined) throw wrong('there is no credential')
  const ciphertext =
    envelope.place === 'chain' ? envelope.ciphertext : await holder.get(envelope.reference)
  if (envelope.place === 'store' && !isReferredTo(ciphertext, envelope.reference)) {
    throw wrong('the store gave other bytes than were put there')
  }
  const credential = unpackCredential(decryptWith(holder.privateKey, ciphertext))
  const read = readCredential(credential)
  if (!read.ok) throw wrong(read.reason)
  if (contentDigestOf(credential) !== record.content) throw wrong('its contents are others')
  if (read.credential.holder !== record.holder) throw wrong('it is another holder’s')
  return credential
}

/** Signs the answer to an offer. @param answer.content of the licence's record */
export async function signAnswer(
  chainId: bigint,
  answer: {
    readonly number: bigint
    readonly content: string
    readonly accepts: boolean
    readonly deadline: number
  },
  key: KeyHolder,
): Promise<SignedAnswer> {
  const hash = TypedDataEncoder.hash(domainOf(chainId), { Answer: ANSWER }, answer)
  const { content: _, ...rest } = answer
  return { ...rest, signature: await signDigest(hash, key) }
}

/** Brings a holder's answer. */
export function bringAnswer(chain: ChainWriter, answer: SignedAnswer): Promise<Done> {
  const { number, accepts, deadline, signature } = answer
  return chain.send('licenceRegistry', 'answer', [number, accepts, deadline, signature])
}

/** Signs a request to cancel and brings it. */
export async function requestCancellation(
  chain: ChainWriter,
  request: {
    readonly chainId: bigint
    readonly number: bigint
    readonly reason: number
    readonly deadline: number
  },
  key: KeyHolder,
): Promise<Done> {
  const { chainId, ...value } = request
  const hash = TypedDataEncoder.hash(domainOf(chainId), { Cancellation: CANCELLATION }, value)
  const { number, reason, deadline } = value
  const signature = await signDigest(hash, key)
  return chain.send('licenceRegistry', 'bringCancellationRequest', [
    number,
    reason,
    deadline,
    signature,
  ])
}

/**
 * All verifications of a holder's presentations. Nobody without the secret can make this list.
 * @param holder.presentations how many seeds were used, counted from 0
 * @param holder.numbers licences whose commitments are tried
 */
export async function listVerifications(
  chain: ChainReader,
  holder: {
    readonly secret: Uint8Array
    readonly presentations: number
    readonly numbers: readonly bigint[]
    readonly chainId: bigint
  },
): Promise<SeenVerification[]> {
  const { secret, presentations, numbers, chainId } = holder
  const seeds = Array.from({ length: presentations }, (_, i) => presentationSeed(secret, i))
  const indexOf = new Map(seeds.map((seed, i) => [tagOf(seed), i]))
  const tags = [...indexOf.keys()]
  const out: SeenVerification[] = []
  for (let first = 0; first < tags.length; first += TAGS_AT_ONCE) {
    const events = await chain.events({
      of: 'verificationLog',
      name: 'VerificationRecorded',
      topics: [tags.slice(first, first + TAGS_AT_ONCE)],
    })
    for (const { args, blockNumber, transactionHash } of events) {
      const index = indexOf.get(args.tag)!
      const seed = seeds[index]!
      out.push({
        index,
        licence: numbers.find(
          (number) => commitmentOf({ seed, chainId, number }) === args.commitment,
        ),
        verifier: decodeBytes32String(args.verifier),
        licenceType: decodeBytes32String(args.licenceType),
        purpose: Number(args.purpose),
        result: Number(args.result),
        detail: getBytes(args.detail),
        blockNumber,
        transactionHash,
      })
    }
  }
  return out.sort((a, b) => a.blockNumber - b.blockNumber)
}

function domainOf(chainId: bigint): object {
  return {
    name: 'Vellum Licences',
    version: '1',
    chainId,
    verifyingContract: ADDRESSES.licenceRegistry,
  }
}

function wrong(what: string): LicenceError {
  return new LicenceError('LICENCE_CHAIN_ANSWER', `this licence cannot be taken: ${what}`)
}
