/** The issuing authority: offers, renews, changes, suspends, ends. */

import { PAYLOAD_STORES } from '@vellum/contracts'
import { encodeBytes32String, hexlify, toUtf8Bytes } from 'ethers'
import { packCredential } from '../code.ts'
import { contentDigestOf, issueCredential } from '../credential.ts'
import { type Envelope, encryptTo, type PutCiphertext, placeCiphertext } from '../envelope.ts'
import { LicenceError } from '../error.ts'
import type { KeyHolder } from '../key.ts'
import { type LicenceData, validityOf } from '../licence-data.ts'
import { identifierDigest, parseLicenceIdentifier } from '../licence-identifier.ts'
import { type ChainWriter, type Done, eventNamed } from './contracts.ts'

/** A licence on chain, and what the holder gets. */
export interface Issued {
  readonly number: bigint
  /** The SD-JWT with all disclosures. The issuer keeps it as its own rules say. */
  readonly credential: string
  readonly done: Done
}

export interface IssuerOptions {
  readonly chain: ChainWriter
  /** Chain of the identities. */
  readonly chainId: bigint
  /** Key of the account that is accredited. */
  readonly key: KeyHolder
  /** Where ciphertexts go that are too large for the chain. */
  readonly put: PutCiphertext
  /** Bytes that may stand on chain; 1,024 unless told. */
  readonly inlineBytes?: number
}

/** Who is to hold a licence. */
export interface HolderOf {
  /** Name of the identity. */
  readonly identity: string
  /** 64 bytes: its key today. */
  readonly publicKey: Uint8Array
}

export interface Issuer {
  /** @param offer.acceptBy first second at which it is too late */
  offer(offer: {
    readonly data: LicenceData
    readonly holder: HolderOf
    readonly now: number
    readonly acceptBy: number
  }): Promise<Issued>
  /** The successor is in force in the moment in which the predecessor ends. */
  renew(number: bigint, successor: Successor): Promise<Issued>
  change(number: bigint, successor: Successor): Promise<Issued>
  suspend(number: bigint, reason: number): Promise<Done>
  lift(number: bigint, reason: number): Promise<Done>
  cancel(number: bigint, reason: number): Promise<Done>
  revoke(number: bigint, reason: number): Promise<Done>
  /** @param effectiveFrom seconds since 1970, not before its issue; absent: now */
  rescind(number: bigint, reason: number, effectiveFrom?: number): Promise<Done>
  /** Gives a licence to another chain, over the main chain. It comes back if that one does not take it. */
  transferOut(number: bigint, destination: bigint): Promise<Done>
  /**
   * Announces the ciphertext of a licence anew: after it came from another chain, or with another store.
   * @param credential as it was issued @param publicKey 64 bytes: the holder's key today
   */
  supplyPayload(number: bigint, credential: string, publicKey: Uint8Array): Promise<Done>
}

export interface Successor {
  readonly data: LicenceData
  readonly holder: HolderOf
  readonly now: number
}

const NO_HASH = `0x${'00'.repeat(32)}`

export function createIssuer(options: IssuerOptions): Issuer {
  const { chain, chainId, key, put, inlineBytes } = options
  const send = (method: string, ...args: unknown[]): Promise<Done> =>
    chain.send('licenceRegistry', method, args)

  function seal(credential: string, publicKey: Uint8Array): Promise<Envelope> {
    const ciphertext = encryptTo(publicKey, packCredential(credential))
    return placeCiphertext(ciphertext, {
      put,
      ...(inlineBytes === undefined ? {} : { inlineBytes }),
    })
  }

  async function prepare({ data, holder, now }: Successor): Promise<{
    credential: string
    fields: Record<string, unknown>
  }> {
    const credential = await issueCredential({
      data,
      chainId,
      issuer: key,
      holderKey: holder.publicKey,
      holder: holder.identity,
      now,
    })
    const envelope = await seal(credential, holder.publicKey)
    const { from, until } = validityOf(data)
    const fields = {
      identifier: identifierDigest(data.identifier),
      content: contentDigestOf(credential),
      validFrom: from,
      validUntil: until,
      payload: payloadOf(envelope),
    }
    return { credential, fields }
  }

  async function succeed(method: string, number: bigint, successor: Successor): Promise<Issued> {
    const { credential, fields } = await prepare(successor)
    const done = await send(method, number, fields)
    return { credential, done, number: eventNamed(done, 'LicenceNumbered').args.number }
  }

  return {
    offer: async ({ acceptBy, ...licence }) => {
      const { credential, fields } = await prepare(licence)
      const { type } = parseLicenceIdentifier(licence.data.identifier)
      const { identity } = licence.holder
      const offer = {
        ...fields,
        licenceType: encodeBytes32String(type),
        holder: identity,
        acceptBy,
      }
      const done = await send('issue', offer)
      return { credential, done, number: eventNamed(done, 'LicenceNumbered').args.number }
    },
    renew: (number, successor) => succeed('renew', number, successor),
    change: (number, successor) => succeed('change', number, successor),
    suspend: (number, reason) => send('suspend', number, reason),
    lift: (number, reason) => send('lift', number, reason),
    cancel: (number, reason) => send('cancel', number, reason),
    revoke: (number, reason) => send('revoke', number, reason),
    rescind: (number, reason, effectiveFrom = 0) => send('rescind', number, reason, effectiveFrom),
    transferOut: (number, destination) => send('transferOut', number, destination),
    supplyPayload: async (number, credential, publicKey) => {
      const envelope = await seal(credential, publicKey)
      return send('supplyPayload', number, payloadOf(envelope))
    },
  }
}

function payloadOf(envelope: Envelope): Record<string, unknown> {
  if (envelope.place === 'chain') {
    const { ciphertext } = envelope
    return { store: PAYLOAD_STORES.chain, data: hexlify(ciphertext), hash: NO_HASH, length: 0 }
  }
  const { store, locator, hash, length } = envelope.reference
  const code = (PAYLOAD_STORES as Readonly<Record<string, number>>)[store]
  if (code === undefined || code === 0) {
    throw new LicenceError('LICENCE_FIELD_INVALID', `no store is called ${store}`, {
      field: 'store',
    })
  }
  return { store: code, data: hexlify(toUtf8Bytes(locator)), hash, length }
}
