/** Identities on side chains: where one is open, and which side chain has applied what happened to it. */

import { TypedDataEncoder, type TypedDataField } from 'ethers'
import { type KeyHolder, signDigest } from '../key.ts'
import {
  type ChainReader,
  type ChainWriter,
  CONTRACT_ADDRESSES,
  type Done,
  waitFor,
} from './contracts.ts'
import { IDENTITY_STATES, type IdentityState } from './registrar.ts'

const PRESENCE_STATES = ['none', 'open', 'closing'] as const

/** An identity on one side chain, as the main chain knows it. */
export interface Presence {
  readonly state: (typeof PRESENCE_STATES)[number]
  /** Version of the last claim that was sent; 0: none. */
  readonly claimed: bigint
  /** Version of the last one that the side chain has proven to have applied. */
  readonly applied: bigint
  /** What it applied: for `suspended` and `cancelled`, to every licence of the holder there. */
  readonly appliedState: IdentityState
  /** The last claim came to nothing: `resend`. */
  readonly isUndelivered: boolean
  readonly nonce: number
}

/** The main chain's word on presences. */
export interface PresenceDirectory {
  presenceOf(identity: string, chainId: bigint): Promise<Presence>
  /** Ids of the side chains on which it is open. */
  chainsOf(identity: string): Promise<bigint[]>
  /** Waits until the side chain has proven that it has applied the last claim. */
  whenApplied(identity: string, chainId: bigint): Promise<Presence>
}

/** By the identity's owner, its registrar or a supervising authority. */
export interface PresenceOffice {
  open(identity: string, chainId: bigint): Promise<Done>
  /** Refused by the side chain while licences are in force or suspended there. */
  close(identity: string, chainId: bigint): Promise<Done>
  /** By anybody: what the owner signed. */
  bring(wish: SignedPresence): Promise<Done>
  /** By anybody: a claim that came to nothing. */
  resend(identity: string, chainId: bigint): Promise<Done>
}

/** What an owner wants, to be brought by anybody. */
export interface PresenceWish {
  readonly identity: string
  readonly chainId: bigint
  readonly open: boolean
  /** Of `presenceOf`. */
  readonly nonce: number
  /** Last second at which it may be brought. */
  readonly deadline: number
}

export interface SignedPresence extends PresenceWish {
  readonly signature: string
}

const PRESENCE: TypedDataField[] = [
  { name: 'identity', type: 'address' },
  { name: 'chainId', type: 'uint64' },
  { name: 'open', type: 'bool' },
  { name: 'nonce', type: 'uint32' },
  { name: 'deadline', type: 'uint64' },
]

/** @param main reads the main chain */
export function createPresenceDirectory(main: ChainReader): PresenceDirectory {
  async function presenceOf(identity: string, chainId: bigint): Promise<Presence> {
    const [p] = await main.ask('identityPeg', 'presenceOf', [identity, chainId])
    return {
      state: PRESENCE_STATES[Number(p.state)]!,
      claimed: p.claimed,
      applied: p.applied,
      appliedState: IDENTITY_STATES[Number(p.appliedStatus)]!,
      isUndelivered: p.undelivered,
      nonce: Number(p.nonce),
    }
  }
  return {
    presenceOf,
    chainsOf: async (identity) => [
      ...((await main.ask('identityPeg', 'chainsOf', [identity]))[0] as bigint[]),
    ],
    whenApplied: (identity, chainId) =>
      waitFor(
        main.provider,
        async () => {
          const presence = await presenceOf(identity, chainId)
          return presence.applied === presence.claimed ? presence : undefined
        },
        `chain ${chainId} has not applied the last change of ${identity} yet: does a relayer run?`,
      ),
  }
}

/** @param main sends on the main chain */
export function createPresenceOffice(main: ChainWriter): PresenceOffice {
  const send = (method: string, ...args: unknown[]): Promise<Done> =>
    main.send('identityPeg', method, args)
  return {
    open: (identity, chainId) => send('open', identity, chainId),
    close: (identity, chainId) => send('close', identity, chainId),
    bring: ({ identity, chainId, open, deadline, signature }) =>
      send('bring', identity, chainId, open, deadline, signature),
    resend: (identity, chainId) => send('resend', identity, chainId),
  }
}

/** Signs with the identity's key of today. @param mainChainId where it is brought */
export async function signPresence(
  mainChainId: bigint,
  wish: PresenceWish,
  key: KeyHolder,
): Promise<SignedPresence> {
  const domain = {
    name: 'Vellum Identity Peg',
    version: '1',
    chainId: mainChainId,
    verifyingContract: CONTRACT_ADDRESSES.identityPeg,
  }
  const hash = TypedDataEncoder.hash(domain, { Presence: PRESENCE }, wish)
  return { ...wish, signature: await signDigest(hash, key) }
}

/**
 * The chain that identities belong to: the main chain of a side chain, and of any other the chain itself.
 * Identifiers of persons and organisations name it (`did:ethr`).
 * @param chainId of the chain that is asked
 */
export async function mainChainIdOf(chain: ChainReader, chainId: bigint): Promise<bigint> {
  // Credit has a bridge on side chains alone.
  const [bridge] = await chain.ask('serviceCredit', 'bridge', [])
  if (BigInt(bridge) === 0n) return chainId
  return (await chain.ask('creditPeg', 'mainChainId', []))[0] as bigint
}
