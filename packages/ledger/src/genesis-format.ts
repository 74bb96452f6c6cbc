/** A genesis in the JSON that go-ethereum and Besu read. */

import { type Address, bytesToHex, type Fork, type Hex } from '@vellum/evm'
import type { Genesis, GenesisAccount, QbftConfig, QbftTransition } from './genesis.ts'

/** Genesis as go-ethereum writes it. */
export type GenesisJson = {
  readonly config: Readonly<Record<string, unknown>>
  readonly alloc: Readonly<Record<Address, Readonly<Record<string, unknown>>>>
} & Readonly<Record<string, unknown>>

/** The key that `formatGenesis` writes for a fork. */
const KEY_OF_FORK: Readonly<Record<Exclude<Fork, 'frontier'>, string>> = {
  homestead: 'homesteadBlock',
  tangerineWhistle: 'eip150Block',
  spuriousDragon: 'eip158Block',
  byzantium: 'byzantiumBlock',
  constantinople: 'constantinopleBlock',
  petersburg: 'petersburgBlock',
  istanbul: 'istanbulBlock',
  berlin: 'berlinBlock',
  london: 'londonBlock',
  paris: 'mergeNetsplitBlock',
  shanghai: 'shanghaiTime',
  cancun: 'cancunTime',
  prague: 'pragueTime',
  osaka: 'osakaTime',
}

/** The genesis in go-ethereum's JSON, numbers as 0x hex; `parseGenesis` gives it back. */
export function formatGenesis(genesis: Genesis): GenesisJson {
  const { schedule, qbft } = genesis
  const config: Record<string, unknown> = { chainId: formatChainId(genesis.chainId) }
  for (const { fork, at } of schedule.forks) {
    if (fork === 'frontier') continue
    // Both halves of one fork; tools look for either.
    if (fork === 'spuriousDragon') config.eip155Block = at
    config[KEY_OF_FORK[fork]] = at
  }
  for (const [key, at] of schedule.idleForks) config[key] = at
  if (schedule.blobs.length > 0) {
    const blobSchedule: Record<string, unknown> = {}
    for (const { name, at, target, max, baseFeeUpdateFraction } of schedule.blobs) {
      blobSchedule[name] = { target, max, baseFeeUpdateFraction: Number(baseFeeUpdateFraction) }
      if (name.startsWith('bpo')) config[`${name}Time`] = at
    }
    config.blobSchedule = blobSchedule
  }
  if (genesis.terminalTotalDifficulty !== undefined) {
    config.terminalTotalDifficulty = quantity(genesis.terminalTotalDifficulty)
  }
  if (genesis.depositContract !== undefined) config.depositContractAddress = genesis.depositContract
  const { permissionContract, statusTree, chainDomain } = genesis
  if (permissionContract !== undefined || statusTree !== undefined || chainDomain) {
    config.vellum = {
      ...(permissionContract && { permissionContract }),
      ...(statusTree && {
        statusTree: { contract: statusTree.contract, slot: quantity(statusTree.slot) },
      }),
      ...(chainDomain && { chainDomain }),
    }
  }
  if (genesis.zeroBaseFee) config.zeroBaseFee = true
  if (qbft !== undefined) {
    config.qbft = formatQbft(qbft)
    if (qbft.transitions.length > 0) {
      config.transitions = { qbft: qbft.transitions.map(formatTransition) }
    }
  }
  return {
    config,
    nonce: bytesToHex(genesis.nonce),
    timestamp: quantity(BigInt(genesis.timestamp)),
    extraData: bytesToHex(genesis.extraData),
    gasLimit: quantity(genesis.gasLimit),
    difficulty: quantity(genesis.difficulty),
    mixHash: genesis.mixHash,
    coinbase: genesis.coinbase,
    alloc: Object.fromEntries(genesis.alloc.map(formatAccount)),
    number: quantity(BigInt(genesis.number)),
    gasUsed: quantity(genesis.gasUsed),
    parentHash: genesis.parentHash,
    ...present('baseFeePerGas', genesis.baseFeePerGas),
    ...present('excessBlobGas', genesis.excessBlobGas),
    ...present('blobGasUsed', genesis.blobGasUsed),
    ...(genesis.parentBeaconBlockRoot === undefined
      ? {}
      : { parentBeaconBlockRoot: genesis.parentBeaconBlockRoot }),
  }
}

function formatQbft(qbft: QbftConfig): Record<string, unknown> {
  return {
    blockperiodseconds: qbft.blockPeriodSeconds,
    emptyblockperiodseconds: qbft.emptyBlockPeriodSeconds,
    ...(qbft.blockPeriodMilliseconds === 0
      ? {}
      : { xblockperiodmilliseconds: qbft.blockPeriodMilliseconds }),
    requesttimeoutseconds: qbft.requestTimeoutSeconds,
    epochlength: qbft.epochLength,
    ...(qbft.validatorContract && { validatorcontractaddress: qbft.validatorContract }),
    ...(qbft.startBlock === 0 ? {} : { startblock: qbft.startBlock }),
    ...(qbft.blockReward === 0n ? {} : { blockreward: qbft.blockReward.toString() }),
    ...(qbft.miningBeneficiary && { miningbeneficiary: qbft.miningBeneficiary }),
  }
}

function formatTransition(transition: QbftTransition): Record<string, unknown> {
  const entries: [string, unknown][] = [
    ['block', transition.block],
    ['blockperiodseconds', transition.blockPeriodSeconds],
    ['emptyblockperiodseconds', transition.emptyBlockPeriodSeconds],
    ['xblockperiodmilliseconds', transition.blockPeriodMilliseconds],
    ['blockreward', transition.blockReward?.toString()],
    ['miningbeneficiary', transition.miningBeneficiary],
    ['validatorselectionmode', transition.validatorSelection],
    ['validatorcontractaddress', transition.validatorContract],
    ['validators', transition.validators],
  ]
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

function formatAccount(account: GenesisAccount): [Address, Record<string, unknown>] {
  const { address, balance, nonce, code, storage } = account
  const fields: Record<string, unknown> = { balance: quantity(balance) }
  if (nonce > 0n) fields.nonce = quantity(nonce)
  if (code.length > 0) fields.code = bytesToHex(code)
  if (storage.size > 0) {
    fields.storage = Object.fromEntries(
      [...storage].map(([slot, value]) => [slot, `0x${value.toString(16).padStart(64, '0')}`]),
    )
  }
  return [address, fields]
}

/** A JSON number where it is exact: that is what other nodes expect of a chain id. */
function formatChainId(chainId: bigint): number | string {
  return chainId <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(chainId) : chainId.toString()
}

function quantity(value: bigint): Hex {
  return `0x${value.toString(16)}`
}

function present(key: string, value: bigint | undefined): Record<string, Hex> {
  return value === undefined ? {} : { [key]: quantity(value) }
}
