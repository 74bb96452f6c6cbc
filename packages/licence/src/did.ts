/** Names of identities: `did:ethr:CHAIN:ADDRESS`, as the public ethr-did-resolver reads them. */

import { getAddress } from 'ethers'

export interface Identity {
  readonly chainId: bigint
  /** With checksum. */
  readonly address: string
}

export function formatDid({ chainId, address }: Identity): string {
  return `did:ethr:0x${chainId.toString(16)}:${getAddress(address)}`
}

/** The identity that a DID names; undefined where it is not of the form that `formatDid` writes. */
export function parseDid(text: unknown): Identity | undefined {
  if (typeof text !== 'string') return undefined
  const match = /^did:ethr:(0x[1-9a-f][0-9a-f]{0,15}):(0x[0-9a-fA-F]{40})$/.exec(text)
  if (match === null) return undefined
  const identity = { chainId: BigInt(match[1]!), address: getAddress(match[2]!.toLowerCase()) }
  return formatDid(identity) === text ? identity : undefined
}
