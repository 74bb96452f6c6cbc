/** Identities on chain: who registers, files and ends them, who changes keys, and who looks them up. */

import { getBytes } from 'ethers'
import { type CountersignedStatement, type KeyChange, wordsOfKey } from '../identity.ts'
import type { PersonDocument, SubjectRing } from '../subject.ts'
import type { ChainReader, ChainWriter, Done } from './contracts.ts'

export const IDENTITY_STATES = ['none', 'registered', 'active', 'suspended', 'cancelled'] as const

export type IdentityState = (typeof IDENTITY_STATES)[number]

/** A key that an identity has or had. */
export interface IdentityKey {
  readonly address: string
  /** 64 bytes. */
  readonly publicKey: Uint8Array
  /** Seconds since 1970; `until` does not belong to it, 0: in use. */
  readonly from: number
  readonly until: number
}

/**
 * Of a chain with an identity registry everything; of a side chain's mirror `stateOf`, `identityOf`, `ownerOf`
 * and `publicKeyOf`: the rest is asked of the main chain.
 */
export interface IdentityDirectory {
  stateOf(identity: string): Promise<IdentityState>
  /** The identity that a key has or had; undefined if none. */
  identityOf(key: string): Promise<string | undefined>
  /** Address of the key in use; undefined: cancelled, or not known here. */
  ownerOf(identity: string): Promise<string | undefined>
  /** 64 bytes of the key in use. */
  publicKeyOf(identity: string): Promise<Uint8Array>
  /** Oldest first. */
  keysOf(identity: string): Promise<IdentityKey[]>
  /** For the next change of key, recovery or objection. */
  nonceOf(identity: string): Promise<bigint>
  versionOf(identity: string): Promise<number>
  /**
   * The identity that a person has, under any key of the ring: undefined for a new user. One that was
   * cancelled counts: ask for its state.
   */
  findPerson(ring: SubjectRing, document: PersonDocument): Promise<string | undefined>
  /** What the registrar told the holder in the newest version, encrypted to the holder. */
  payloadOf(identity: string): Promise<{ payload: Uint8Array; digest: string } | undefined>
}

export interface IdentityOffice {
  /** Brings a countersigned statement of version 1. */
  register(countersigned: CountersignedStatement): Promise<Done>
  /** Brings one of a later version. */
  change(countersigned: CountersignedStatement): Promise<Done>
  /** By a supervising authority. @param filingNumber 32 bytes in hex, not zero */
  file(identity: string, filingNumber: string): Promise<Done>
  addSubject(identity: string, subject: string): Promise<Done>
  suspend(identity: string, reason: number): Promise<Done>
  reinstate(identity: string, reason: number): Promise<Done>
  cancel(identity: string, reason: number): Promise<Done>
  rotate(change: KeyChange, signatures: { old: string; new: string }): Promise<Done>
  requestRecovery(
    change: KeyChange,
    signatures: { registrar: string; supervisor: string; new: string },
  ): Promise<Done>
  object(identity: string, signature: string): Promise<Done>
  completeRecovery(identity: string): Promise<Done>
}

const NOBODY = '0x0000000000000000000000000000000000000000'

export function createIdentityDirectory(chain: ChainReader): IdentityDirectory {
  const ask = (method: string, ...args: unknown[]) => chain.ask('identityRegistry', method, args)
  return {
    stateOf: async (identity) => IDENTITY_STATES[Number((await ask('statusOf', identity))[0])]!,
    identityOf: async (key) => known((await ask('identityOf', key))[0]),
    ownerOf: async (identity) => known((await ask('identityOwner', identity))[0]),
    publicKeyOf: async (identity) => getBytes((await ask('publicKeyOf', identity))[0]),
    keysOf: async (identity) => {
      const [keys] = await ask('keysOf', identity)
      return (keys as Record<'account' | 'x' | 'y' | 'from' | 'until', unknown>[]).map((key) => ({
        address: key.account as string,
        publicKey: getBytes(`${key.x}${String(key.y).slice(2)}`),
        from: Number(key.from),
        until: Number(key.until),
      }))
    },
    nonceOf: async (identity) => (await ask('nonce', identity))[0] as bigint,
    versionOf: async (identity) => Number((await ask('recordOf', identity))[0].version),
    findPerson: async (ring, document) => {
      for (const { tag } of ring.tags(document)) {
        const identity = known((await ask('identityOfSubject', tag))[0])
        if (identity !== undefined) return identity
      }
      return undefined
    },
    payloadOf: async (identity) => {
      const topics = [identity]
      const found = await chain.events({ of: 'identityRegistry', name: 'IdentityPayload', topics })
      const last = found.at(-1)
      if (last === undefined) return undefined
      const [record] = await ask('recordOf', identity)
      return { payload: getBytes(last.args.payload), digest: record.digest as string }
    },
  }
}

function known(address: string): string | undefined {
  return address === NOBODY ? undefined : address
}

export function createIdentityOffice(chain: ChainWriter): IdentityOffice {
  const send = (method: string, ...args: unknown[]): Promise<Done> =>
    chain.send('identityRegistry', method, args)
  const bring = (method: string, signed: CountersignedStatement): Promise<Done> =>
    send(
      method,
      signed.statement,
      signed.registrarSignature,
      signed.holderSignature,
      signed.payload,
    )
  const keyArgs = ({ identity, newKey, deadline }: KeyChange): unknown[] => {
    const { publicKeyX, publicKeyY } = wordsOfKey(newKey)
    return [identity, publicKeyX, publicKeyY, deadline]
  }
  return {
    register: (signed) => bring('register', signed),
    change: (signed) => bring('change', signed),
    file: (identity, filingNumber) => send('file', identity, filingNumber),
    addSubject: (identity, subject) => send('addSubject', identity, subject),
    suspend: (identity, reason) => send('suspend', identity, reason),
    reinstate: (identity, reason) => send('reinstate', identity, reason),
    cancel: (identity, reason) => send('cancel', identity, reason),
    rotate: (change, { old, new: fresh }) => send('rotate', ...keyArgs(change), old, fresh),
    requestRecovery: (change, { registrar, supervisor, new: fresh }) =>
      send('requestRecovery', ...keyArgs(change), registrar, supervisor, fresh),
    object: (identity, signature) => send('object', identity, signature),
    completeRecovery: (identity) => send('completeRecovery', identity),
  }
}
