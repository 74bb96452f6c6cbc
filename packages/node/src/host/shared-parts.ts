/** What the chains of a process share: key, signatures, peers, threads, and what watches them. */

import { randomBytes } from 'node:crypto'
import { availableParallelism } from 'node:os'
import type { Secp256k1 } from '@vellum/ledger'
import type { NodeConfig } from '../config.ts'
import type { Clock, Logger, Signer, SignerRecovery } from '../ports.ts'
import { signerOf } from '../sealing.ts'
import { createLibp2pHost, type Libp2pHost } from './libp2p-host.ts'
import { shiftedClock, systemTimers } from './machine.ts'
import { loadNodeKey } from './node-key.ts'
import { createObservation, type Observation } from './observation.ts'
import { createRecoveryPool } from './recovery-pool.ts'
import { loadSystemCrypto } from './system.ts'
import { CLIENT_VERSION } from './version.ts'

export interface SharedParts {
  readonly crypto: Secp256k1
  readonly clock: Clock
  readonly recovery: SignerRecovery | undefined
  /** The key that seals blocks; undefined: this node makes none. */
  readonly signer: Signer | undefined
  /** undefined: a node without peers. */
  readonly network: Libp2pHost | undefined
  readonly observation: Observation
  /** To be called when no chain is open any more. */
  close(): Promise<void>
}

export interface SharedPartsOptions {
  readonly config: NodeConfig
  readonly log: Logger
  /** Private key that seals blocks, 32 bytes; undefined: the node makes none. */
  readonly validatorKey?: Uint8Array | undefined
  readonly isNetworked: boolean
}

/** One thread recovers 12,000 signatures a second, more than this one can execute. */
const RECOVERY_THREADS_MAX = 2

/** The data directory must exist. @throws NodeError for a key or addresses that are none */
export async function openSharedParts(options: SharedPartsOptions): Promise<SharedParts> {
  const { config, log, validatorKey } = options
  const { crypto, fallbackReason } = loadSystemCrypto()
  if (fallbackReason !== undefined) {
    log.warn('signatures are computed in JavaScript, forty times slower', { fallbackReason })
  }
  const workers =
    config.threads.recovery ?? Math.min(RECOVERY_THREADS_MAX, availableParallelism() - 1)
  const recovery = workers > 0 ? createRecoveryPool({ workers, helper: crypto }) : undefined
  const clock = shiftedClock(config.test.clockOffsetMs)
  const observation = createObservation(clock, {
    version: CLIENT_VERSION,
    signatures: fallbackReason === undefined ? 'native' : 'JavaScript',
  })
  let network: Libp2pHost | undefined
  try {
    const signer = validatorKey && signerOf(validatorKey, crypto)
    if (options.isNetworked) {
      network = await createLibp2pHost({
        ...config.network,
        key: validatorKey ?? loadNodeKey(config.dataDir, crypto),
        ports: {
          clock,
          timers: systemTimers,
          random: { bytes: (size) => randomBytes(size) },
          log,
        },
      })
    }
    return {
      crypto,
      clock,
      recovery,
      signer,
      network,
      observation,
      close: async () => {
        observation.stop()
        await network?.stop()
        await recovery?.stop()
      },
    }
  } catch (error) {
    await recovery?.stop()
    throw error
  }
}
