/** Licences on chain, read: records, statuses, leaves, and what was encrypted to holders. */

import { PAYLOAD_STORES } from '@vellum/contracts'
import { decodeBytes32String, getBytes, toUtf8String } from 'ethers'
import type { Envelope } from '../envelope.ts'
import { LicenceError } from '../error.ts'
import { identifierDigest } from '../licence-identifier.ts'
import { type NodeProof, proofOfNode } from '../offline-proof.ts'
import { LICENCE_STATUSES, type LicenceStatus, type StatusLeaf } from '../status-tree.ts'
import type { ChainReader } from './contracts.ts'

/** A record of `LicenceRegistry`. Times in seconds since 1970. */
export interface LicenceRecord {
  readonly number: bigint
  readonly identifier: string
  readonly content: string
  /** 21 characters. */
  readonly licenceType: string
  /** Credit code of the issuing authority. */
  readonly issuer: string
  readonly holder: string
  readonly version: number
  readonly validFrom: number
  readonly validUntil: number
  readonly issuedAt: number
  readonly acceptBy: number
  readonly statusTime: number
  readonly reason: number
  /** Numbers of predecessor and successor. */
  readonly previous: bigint | undefined
  readonly next: bigint | undefined
}

export interface LicenceDirectory {
  /** The number of the licence with an identifier; undefined if there is none. */
  numberOf(identifier: string): Promise<bigint | undefined>
  recordOf(number: bigint): Promise<LicenceRecord>
  /** What it is now: by record, time, and the holder's identity. */
  statusOf(number: bigint): Promise<LicenceStatus>
  /** Whether its issuer was accredited when it was issued, as is known now. */
  wasAccredited(number: bigint): Promise<boolean>
  /** Numbers that a holder has in force or suspended. */
  licencesOf(holder: string): Promise<bigint[]>
  leafOf(number: bigint): Promise<StatusLeaf>
  /** Where the credential is, encrypted to its holder. */
  envelopeOf(number: bigint): Promise<Envelope | undefined>
  /** Proof of the leaf at the head, for an offline code. */
  proofOf(number: bigint): Promise<Uint8Array>
  /** Every change of a licence, oldest first: its history for who has to prove it. */
  historyOf(number: bigint): Promise<LicenceChange[]>
}

export interface LicenceChange {
  /** National code, or 101 accept, 102 decline, 103 the holder's identity changed. */
  readonly operation: number
  readonly status: LicenceStatus
  readonly statusTime: number
  readonly reason: number
  readonly blockNumber: number
  readonly transactionHash: string
}

/** What a provider must have besides: calls of methods that are ours. */
interface RawProvider {
  send(method: string, params: unknown[]): Promise<unknown>
}

export function createLicenceDirectory(chain: ChainReader): LicenceDirectory {
  const ask = (method: string, ...args: unknown[]) => chain.ask('licenceRegistry', method, args)

  async function recordOf(number: bigint): Promise<LicenceRecord> {
    const [l] = await ask('licence', number)
    const linked = (value: bigint): bigint | undefined => (value === 0n ? undefined : value - 1n)
    return {
      number,
      identifier: l.identifier,
      content: l.content,
      licenceType: decodeBytes32String(l.licenceType),
      issuer: decodeBytes32String(l.issuer),
      holder: l.holder,
      version: Number(l.version),
      validFrom: Number(l.validFrom),
      validUntil: Number(l.validUntil),
      issuedAt: Number(l.issuedAt),
      acceptBy: Number(l.acceptBy),
      statusTime: Number(l.statusTime),
      reason: Number(l.reason),
      previous: linked(l.previous),
      next: linked(l.next),
    }
  }

  async function changesOf(number: bigint): Promise<(LicenceChange & { leaf: StatusLeaf })[]> {
    const topics = [number]
    const events = await chain.events({ of: 'licenceRegistry', name: 'LicenceChanged', topics })
    return events.map(({ args, blockNumber, transactionHash }) => {
      const status = LICENCE_STATUSES[Number(args.status)]!
      const statusTime = Number(args.statusTime)
      const leaf = {
        number: Number(args.number),
        identifier: args.identifier,
        status,
        version: Number(args.version),
        holder: args.holder,
        content: args.content,
        validFrom: Number(args.validFrom),
        validUntil: Number(args.validUntil),
        statusTime,
      }
      const [operation, reason] = [Number(args.operation), Number(args.reason)]
      return { operation, status, statusTime, reason, blockNumber, transactionHash, leaf }
    })
  }

  async function leafOf(number: bigint): Promise<StatusLeaf> {
    const last = (await changesOf(number)).at(-1)
    if (last === undefined) {
      throw new LicenceError('LICENCE_CHAIN_ANSWER', 'the chain has no such licence')
    }
    return last.leaf
  }

  return {
    numberOf: async (identifier) => {
      const [number, known] = await ask('numberOf', identifierDigest(identifier))
      return known ? number : undefined
    },
    recordOf,
    statusOf: async (number) => LICENCE_STATUSES[Number((await ask('statusOf', number))[0])]!,
    wasAccredited: async (number) => (await ask('wasAccredited', number))[0] as boolean,
    licencesOf: async (holder) => [...((await ask('licencesOf', holder))[0] as bigint[])],
    leafOf,
    envelopeOf: async (number) => {
      const topics = [number]
      const events = await chain.events({ of: 'licenceRegistry', name: 'LicencePayload', topics })
      // It may have been moved to another store since.
      const event = events.at(-1)
      if (event === undefined) return undefined
      const { store, data, hash, length } = event.args
      if (Number(store) === PAYLOAD_STORES.chain)
        return { place: 'chain', ciphertext: getBytes(data) }
      const name = Object.entries(PAYLOAD_STORES).find(([, code]) => code === Number(store))?.[0]
      const locator = toUtf8String(data)
      const reference = { store: name ?? 'unknown', locator, hash, length: Number(length) }
      return { place: 'store', reference }
    },
    proofOf: async (number) => {
      const raw = chain.provider as unknown as Partial<RawProvider>
      if (raw.send === undefined) {
        throw new LicenceError('LICENCE_CHAIN_ANSWER', 'this provider has no raw calls')
      }
      const answer = await raw.send('vellum_getStatusProof', [`0x${number.toString(16)}`])
      return proofOfNode(answer as NodeProof, await leafOf(number))
    },
    historyOf: async (number) => (await changesOf(number)).map(({ leaf: _, ...change }) => change),
  }
}
