/**
 * What a chain's rules are and will be, in the form in which operators compare nodes.
 *
 * Spec: EIP-7910 (the configuration of a fork), EIP-6122 (the fork identifier).
 */

import {
  type Address,
  type Fork,
  type Hash,
  hexToBytes,
  isAtLeast,
  precompilesOf,
} from '@vellum/evm'
import {
  BEACON_ROOTS,
  CONSOLIDATION_REQUESTS,
  HISTORY_STORAGE,
  WITHDRAWAL_REQUESTS,
} from './execute-block.ts'
import type { BlobSchedule } from './fees.ts'
import { blobScheduleAt, forkAt } from './fork-schedule.ts'
import type { Genesis } from './genesis.ts'
import type { Crc32 } from './store.ts'

/** The rules from one activation to the next. */
export interface ForkConfig {
  /** Seconds since 1970; 0 for what holds from the genesis block on. */
  readonly activationTime: number
  readonly blobSchedule: BlobSchedule
  /** 4 bytes of hex (EIP-6122). */
  readonly forkId: string
  /** By name, as EIP-7910 has them. */
  readonly precompiles: readonly (readonly [name: string, address: Address])[]
  readonly systemContracts: readonly (readonly [name: string, address: Address])[]
}

export interface ForkConfigs {
  readonly current: ForkConfig
  /** undefined if nothing is planned. */
  readonly next: ForkConfig | undefined
  /** The last one planned; undefined if nothing is. */
  readonly last: ForkConfig | undefined
}

/**
 * The rules at a time, the next ones and the last ones that the genesis plans.
 * @param timestamp of the head, in seconds
 */
export function forkConfigsAt(
  genesis: Genesis,
  genesisHash: Hash,
  timestamp: number,
  crc32: Crc32,
): ForkConfigs {
  const times = activationTimes(genesis)
  const at = (time: number): ForkConfig => configAt(genesis, genesisHash, time, crc32)
  const passed = times.filter((time) => time <= timestamp)
  const planned = times.filter((time) => time > timestamp)
  const [next] = planned
  const last = planned.at(-1)
  return {
    current: at(passed.at(-1) ?? 0),
    next: next === undefined ? undefined : at(next),
    last: last === undefined ? undefined : at(last),
  }
}

type Planned = Pick<Genesis, 'schedule' | 'timestamp'>

/** Times after the genesis at which rules or blob parameters change, ascending. */
function activationTimes({ schedule, timestamp }: Planned): number[] {
  const times = [
    ...schedule.forks.filter(({ by }) => by === 'time').map(({ at }) => at),
    ...schedule.blobs.map(({ at }) => at),
  ]
  return [...new Set(times)].filter((time) => time > timestamp).sort((a, b) => a - b)
}

function configAt(genesis: Genesis, genesisHash: Hash, time: number, crc32: Crc32): ForkConfig {
  const { schedule, depositContract } = genesis
  const fork = forkAt(schedule, Number.MAX_SAFE_INTEGER, Math.max(time, genesis.timestamp))
  const { target, max, baseFeeUpdateFraction } = blobScheduleAt(schedule, time)
  return {
    activationTime: time,
    blobSchedule: { target, max, baseFeeUpdateFraction },
    forkId: forkId(genesisHash, forksUpTo(genesis, time), crc32),
    precompiles: [...precompilesOf(fork).keys()]
      .map((address) => [PRECOMPILE_NAMES.get(Number(address)) ?? address, address] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
    systemContracts: systemContractsOf(fork, depositContract),
  }
}

/** Blocks and then times of the forks that have passed, ascending, each once, without the genesis'. */
function forksUpTo({ schedule, timestamp }: Planned, time: number): number[] {
  const named = [
    ...schedule.forks.filter(({ by }) => by === 'block').map(({ at }) => at),
    ...schedule.idleForks.map(([, at]) => at),
  ]
  const blocks = [...new Set(named)].filter((at) => at > 0).sort((a, b) => a - b)
  return [...blocks, ...activationTimes({ schedule, timestamp }).filter((at) => at <= time)]
}

/** CRC-32 of the genesis hash and the forks, each as 8 bytes, most significant first. */
function forkId(genesisHash: Hash, forks: readonly number[], crc32: Crc32): string {
  const bytes = new Uint8Array(32 + 8 * forks.length)
  bytes.set(hexToBytes(genesisHash))
  const view = new DataView(bytes.buffer)
  for (const [i, at] of forks.entries()) view.setBigUint64(32 + 8 * i, BigInt(at))
  return `0x${crc32(bytes).toString(16).padStart(8, '0')}`
}

const PRECOMPILE_NAMES: ReadonlyMap<number, string> = new Map([
  [0x01, 'ECREC'],
  [0x02, 'SHA256'],
  [0x03, 'RIPEMD160'],
  [0x04, 'ID'],
  [0x05, 'MODEXP'],
  [0x06, 'BN254_ADD'],
  [0x07, 'BN254_MUL'],
  [0x08, 'BN254_PAIRING'],
  [0x09, 'BLAKE2F'],
  [0x0a, 'KZG_POINT_EVALUATION'],
  [0x0b, 'BLS12_G1ADD'],
  [0x0c, 'BLS12_G1MSM'],
  [0x0d, 'BLS12_G2ADD'],
  [0x0e, 'BLS12_G2MSM'],
  [0x0f, 'BLS12_PAIRING_CHECK'],
  [0x10, 'BLS12_MAP_FP_TO_G1'],
  [0x11, 'BLS12_MAP_FP2_TO_G2'],
  [0x100, 'P256VERIFY'],
])

function systemContractsOf(
  fork: Fork,
  depositContract: Address | undefined,
): ForkConfig['systemContracts'] {
  const contracts: [string, Address][] = []
  if (isAtLeast(fork, 'cancun')) contracts.push(['BEACON_ROOTS_ADDRESS', BEACON_ROOTS])
  if (!isAtLeast(fork, 'prague')) return contracts
  contracts.push(['CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS', CONSOLIDATION_REQUESTS])
  if (depositContract !== undefined) contracts.push(['DEPOSIT_CONTRACT_ADDRESS', depositContract])
  contracts.push(['HISTORY_STORAGE_ADDRESS', HISTORY_STORAGE])
  contracts.push(['WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS', WITHDRAWAL_REQUESTS])
  return contracts
}
