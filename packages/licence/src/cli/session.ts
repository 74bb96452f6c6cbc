/** A command at work: connected to a node, with a key where it needs one. */

import { hexlify, Wallet } from 'ethers'
import {
  type ChainReader,
  type ChainWriter,
  createChainReader,
  createChainWriter,
  type Done,
} from '../chain/contracts.ts'
import { mainChainIdOf } from '../chain/presence.ts'
import { createKeyHolder, type KeyHolder } from '../key.ts'
import { advising } from './advice.ts'
import { type Connection, connect } from './connection.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'

export interface Reading {
  readonly chain: ChainReader
  readonly chainId: bigint
  /** Chain that identities belong to: that of the names of persons and organisations. */
  mainChainId(): Promise<bigint>
  readonly connection: Connection
  /** Seconds since 1970, by the clock. */
  readonly now: number
  /** Seconds since 1970, of the head. */
  readonly chainTime: number
}

export interface Acting extends Reading {
  readonly chain: ChainWriter
  readonly key: KeyHolder
  readonly privateKey: Uint8Array
}

/** @throws LicenceError LICENCE_NODE_UNREACHABLE */
export async function reading<T>(
  flags: NodeFlags,
  { nowMs }: Pick<CommandPorts, 'nowMs'>,
  run: (session: Reading) => Promise<T>,
): Promise<T> {
  const connection = await connect(flags.rpc)
  try {
    const { provider, chainId } = connection
    const now = Math.floor(nowMs() / 1_000)
    const chainTime = (await provider.getBlock('latest'))?.timestamp ?? now
    const chain = createChainReader(provider)
    const mainChainId = (): Promise<bigint> => mainChainIdOf(chain, chainId)
    return await advising(() => run({ chain, chainId, mainChainId, connection, now, chainTime }))
  } finally {
    connection.close()
  }
}

/** As `reading`, with the key of a keystore. */
export async function acting<T>(
  flags: NodeFlags & KeyFlags,
  ports: CommandPorts,
  run: (session: Acting) => Promise<T>,
): Promise<T> {
  return withKey(flags, ports, (privateKey, key) =>
    reading(flags, ports, (session) => {
      const signer = new Wallet(hexlify(privateKey), session.connection.provider)
      return run({ ...session, chain: createChainWriter(signer), key, privateKey })
    }),
  )
}

/** The key of a keystore, and nothing of a node. Its bytes are zeroed after use. */
export async function withKey<T>(
  flags: KeyFlags,
  ports: CommandPorts,
  run: (privateKey: Uint8Array, key: KeyHolder) => Promise<T>,
): Promise<T> {
  const privateKey = await ports.openKey(flags.key, flags)
  try {
    return await run(privateKey, createKeyHolder(Uint8Array.from(privateKey)))
  } finally {
    privateKey.fill(0)
  }
}

/** Where something that was sent stands now. */
export function placeOf({ blockNumber, transactionHash }: Done): string {
  return `block ${blockNumber}, transaction ${transactionHash}`
}
