/** What a chain starts from, and the header that it gives. Its JSON: genesis-reader.ts, genesis-format.ts. */

import { type Address, type Fork, type Hash, isAtLeast, ZERO_HASH } from '@vellum/evm'
import { EMPTY_OMMERS_HASH, type Header } from './block.ts'
import { INITIAL_BASE_FEE } from './fees.ts'
import { type ForkSchedule, forkAt } from './fork-schedule.ts'
import { BLOOM_BYTES } from './receipt.ts'
import type { StatusTreePlace } from './status-tree.ts'
import { EMPTY_ROOT } from './trie.ts'

export interface Genesis {
  readonly chainId: bigint
  readonly schedule: ForkSchedule
  /** Total difficulty at which proof of work ends; kept for tools that ask, not used. */
  readonly terminalTotalDifficulty: bigint | undefined
  /** Where deposits are logged (EIP-6110). */
  readonly depositContract: Address | undefined
  /** `config.vellum.permissionContract`: whose storage says who may send, deploy and connect. */
  readonly permissionContract: Address | undefined
  /**
   * `config.vellum.chainDomain`: headers and QBFT messages name the chain, by the hash of its genesis block
   * (docs/protocol/qbft.md).
   */
  readonly chainDomain: boolean
  /** `config.vellum.statusTree`: whose array's root stands in the vanity of every header. */
  readonly statusTree: StatusTreePlace | undefined
  /** Besu's `zeroBaseFee`: the base fee is 0 in every block. */
  readonly zeroBaseFee: boolean
  /** undefined: not a QBFT chain. */
  readonly qbft: QbftConfig | undefined

  readonly number: number
  readonly parentHash: Hash
  readonly coinbase: Address
  readonly difficulty: bigint
  readonly gasLimit: bigint
  readonly gasUsed: bigint
  /** Seconds since 1970. */
  readonly timestamp: number
  readonly extraData: Uint8Array
  readonly mixHash: Hash
  /** 8 bytes. */
  readonly nonce: Uint8Array
  /** undefined: the initial base fee of EIP-1559, if London is active. */
  readonly baseFeePerGas: bigint | undefined
  readonly blobGasUsed: bigint | undefined
  readonly excessBlobGas: bigint | undefined
  readonly parentBeaconBlockRoot: Hash | undefined

  /** Accounts in the order of the file. */
  readonly alloc: readonly GenesisAccount[]
}

export interface GenesisAccount {
  readonly address: Address
  readonly balance: bigint
  readonly nonce: bigint
  readonly code: Uint8Array
  /** Slots that are not zero. */
  readonly storage: ReadonlyMap<Hash, bigint>
}

/** `config.qbft`, with Besu's defaults. */
export interface QbftConfig {
  /** At least 1. */
  readonly blockPeriodSeconds: number
  /** 0: empty blocks come as often as others. */
  readonly emptyBlockPeriodSeconds: number
  /** 0: `blockPeriodSeconds` counts. Besu's experimental `xblockperiodmilliseconds`. */
  readonly blockPeriodMilliseconds: number
  readonly requestTimeoutSeconds: number
  /** Blocks after which votes are forgotten. */
  readonly epochLength: number
  /** undefined: validators stand in the headers. */
  readonly validatorContract: Address | undefined
  /** First block that QBFT seals, on a chain that migrates to it. */
  readonly startBlock: number
  /** Wei a block. */
  readonly blockReward: bigint
  readonly miningBeneficiary: Address | undefined
  /** Ascending by block. */
  readonly transitions: readonly QbftTransition[]
}

/** Settings that change from a block on; undefined inherits. */
export interface QbftTransition {
  readonly block: number
  readonly blockPeriodSeconds: number | undefined
  readonly emptyBlockPeriodSeconds: number | undefined
  readonly blockPeriodMilliseconds: number | undefined
  readonly blockReward: bigint | undefined
  readonly miningBeneficiary: Address | undefined
  readonly validatorSelection: 'blockheader' | 'contract' | undefined
  readonly validatorContract: Address | undefined
  /** Replaces the validators at exactly this block. */
  readonly validators: readonly Address[] | undefined
}

/** sha256 of no bytes: the requests hash of a block without requests (EIP-7685). */
const EMPTY_REQUESTS_HASH: Hash =
  '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

/**
 * The header of the genesis block. Its tail is that of the fork which is active there.
 * @param stateRoot of the state with `alloc`
 */
export function genesisHeader(genesis: Genesis, stateRoot: Hash): Header {
  const fork = forkAt(genesis.schedule, genesis.number, genesis.timestamp)
  const since = <T>(from: Fork, value: T): T | undefined =>
    isAtLeast(fork, from) ? value : undefined
  const baseFee = genesis.zeroBaseFee ? 0n : INITIAL_BASE_FEE
  return {
    parentHash: genesis.parentHash,
    ommersHash: EMPTY_OMMERS_HASH,
    coinbase: genesis.coinbase,
    stateRoot,
    transactionsRoot: EMPTY_ROOT,
    receiptsRoot: EMPTY_ROOT,
    logsBloom: new Uint8Array(BLOOM_BYTES),
    difficulty: genesis.difficulty,
    number: genesis.number,
    gasLimit: genesis.gasLimit,
    gasUsed: genesis.gasUsed,
    timestamp: genesis.timestamp,
    extraData: genesis.extraData,
    mixHash: genesis.mixHash,
    nonce: genesis.nonce,
    baseFeePerGas: since('london', genesis.baseFeePerGas ?? baseFee),
    withdrawalsRoot: since('shanghai', EMPTY_ROOT),
    blobGasUsed: since('cancun', genesis.blobGasUsed ?? 0n),
    excessBlobGas: since('cancun', genesis.excessBlobGas ?? 0n),
    parentBeaconBlockRoot: since('cancun', genesis.parentBeaconBlockRoot ?? ZERO_HASH),
    requestsHash: since('prague', EMPTY_REQUESTS_HASH),
  }
}
