/** The genesis of a new network, as a genesis file says it: all forks to Osaka, no fees, QBFT. */

import {
  ADDRESSES,
  type ChainRole,
  type PredeployOptions,
  predeploys,
  STATUS_LEAVES_SLOT,
} from '@vellum/contracts'
import { type Address, bigIntToBytes, bytesToHex } from '@vellum/evm'
import {
  encodeExtraData,
  type GenesisAccount,
  predeployAccounts,
  QBFT_MIX_HASH,
} from '@vellum/ledger'

export interface NetworkGenesisOptions {
  readonly chainId: number
  /** In any order; at least one. */
  readonly validators: readonly Address[]
  /** Least milliseconds between blocks; from 1,000 on whole seconds. 0: on demand. */
  readonly blockPeriodMs: number
  /** Seconds of the first round; doubled each round. */
  readonly requestTimeoutSeconds: number
  readonly gasLimit: number
  /** Wei of accounts. */
  readonly balances: ReadonlyMap<Address, bigint>
  /** Who governs and takes part in the system contracts; undefined: the chain begins without them. */
  readonly contracts?: PredeployOptions | undefined
  /** Seconds since 1970, of the genesis block. Default 0. Chains of a network with a peg need a real time. */
  readonly timestamp?: number
}

/**
 * @returns to be written as JSON, or given to `parseGenesis`
 * @throws LedgerError LEDGER_GENESIS_INVALID if a contract refuses what it is to begin with
 */
export function networkGenesis(options: NetworkGenesisOptions): object {
  const { chainId, validators, blockPeriodMs, requestTimeoutSeconds, gasLimit, balances } = options
  const { contracts, timestamp = 0 } = options
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    // Lower-case digits sort as the bytes do.
    validators: [...validators].sort(),
    vote: undefined,
    round: 0,
    seals: [],
  })
  const period =
    blockPeriodMs >= 1_000
      ? { blockperiodseconds: Math.ceil(blockPeriodMs / 1_000) }
      : // Under a second a block may have its parent's time: blocks come when there is work.
        { blockperiodseconds: 1, xblockperiodmilliseconds: Math.max(blockPeriodMs, 1) }
  return {
    config: {
      chainId,
      homesteadBlock: 0,
      eip150Block: 0,
      eip155Block: 0,
      eip158Block: 0,
      byzantiumBlock: 0,
      constantinopleBlock: 0,
      petersburgBlock: 0,
      istanbulBlock: 0,
      berlinBlock: 0,
      londonBlock: 0,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      osakaTime: 0,
      zeroBaseFee: true,
      ...(contracts && { vellum: contractRules(contracts.role?.kind ?? 'whole') }),
      qbft: { ...period, epochlength: 30_000, requesttimeoutseconds: requestTimeoutSeconds },
    },
    nonce: '0x0',
    timestamp: `0x${timestamp.toString(16)}`,
    extraData: bytesToHex(extraData),
    gasLimit: `0x${gasLimit.toString(16)}`,
    difficulty: '0x1',
    mixHash: QBFT_MIX_HASH,
    coinbase: '0x0000000000000000000000000000000000000000',
    alloc: Object.fromEntries([
      ...systemAccounts(chainId, contracts, timestamp).map(accountJson),
      ...[...balances].map(([address, wei]) => [address, { balance: `0x${wei.toString(16)}` }]),
    ]),
  }
}

/** What a chain asks of its system contracts, and what its validators sign. */
function contractRules(role: ChainRole['kind']): object {
  const statusTree = {
    contract: ADDRESSES.licenceRegistry,
    slot: `0x${STATUS_LEAVES_SLOT.toString(16)}`,
  }
  return {
    permissionContract: ADDRESSES.permissions,
    // Licences are on side chains where there are any.
    ...(role !== 'main' && { statusTree }),
    // What is signed on one chain of a network says nothing on another.
    ...(role !== 'whole' && { chainDomain: true }),
  }
}

function systemAccounts(
  chainId: number,
  contracts: PredeployOptions | undefined,
  timestamp: number,
): readonly GenesisAccount[] {
  if (contracts === undefined) return []
  // Constructors take a time of 0 for one that was never set.
  const options = {
    fork: 'osaka',
    chainId: BigInt(chainId),
    timestamp: Math.max(timestamp, 1),
  } as const
  return predeployAccounts(predeploys(contracts), options)
}

function accountJson({ address, nonce, code, storage }: GenesisAccount): [Address, object] {
  const slots = [...storage].map(([slot, value]) => [slot, bytesToHex(bigIntToBytes(value, 32))])
  return [
    address,
    {
      balance: '0x0',
      nonce: `0x${nonce.toString(16)}`,
      code: bytesToHex(code),
      storage: Object.fromEntries(slots),
    },
  ]
}
