/** Keys of a world, and the genesis block that names its validators. The same for the same seed. */

import { type Address, bytesToHex, keccak256 } from '@vellum/evm'
import {
  addressOfPublicKey,
  encodeExtraData,
  type Genesis,
  parseGenesis,
  QBFT_MIX_HASH,
  type Secp256k1,
} from '@vellum/ledger'
import type { Scenario } from './scenario.ts'
import { EPOCH_MS } from './virtual-time.ts'

export interface Account {
  readonly address: Address
  /** 32 bytes. */
  readonly key: Uint8Array
}

export interface WorldGenesis {
  readonly genesis: Genesis
  /** Of nodes: validators of the genesis block, ascending by address, then spares. */
  readonly nodes: readonly Account[]
  /** Accounts that send transactions. */
  readonly senders: readonly Account[]
}

const CHAIN_ID = 2_027
const SENDERS = 8
const GAS_LIMIT = 30_000_000
const VANITY_BYTES = 32

export function createWorldGenesis(
  scenario: Scenario,
  seed: string,
  crypto: Secp256k1,
): WorldGenesis {
  const accountOf = (name: string): Account => {
    const key = keccak256(new TextEncoder().encode(`${seed}/${name}`))
    return { key, address: addressOfPublicKey(crypto.publicKey(key)) }
  }
  const accounts = (kind: string, count: number): Account[] =>
    Array.from({ length: count }, (_, i) => accountOf(`${kind} ${i}`))
  const validators = accounts('validator', scenario.validators).sort((a, b) =>
    a.address < b.address ? -1 : 1,
  )
  const senders = accounts('sender', SENDERS)
  return {
    genesis: parseGenesis(genesisJson(scenario, validators, senders)),
    nodes: [...validators, ...accounts('spare', scenario.spares)],
    senders,
  }
}

function genesisJson(
  scenario: Scenario,
  validators: readonly Account[],
  senders: readonly Account[],
): object {
  const extraData = encodeExtraData({
    vanity: new Uint8Array(VANITY_BYTES),
    validators: validators.map(({ address }) => address),
    vote: undefined,
    round: 0,
    seals: [],
  })
  const balance = `0x${(10n ** 24n).toString(16)}`
  return {
    config: {
      chainId: CHAIN_ID,
      berlinBlock: 0,
      londonBlock: 0,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      osakaTime: 0,
      zeroBaseFee: true,
      qbft: {
        blockperiodseconds: scenario.blockPeriodSeconds,
        requesttimeoutseconds: scenario.requestTimeoutSeconds,
        epochlength: scenario.epochLength,
      },
    },
    extraData: bytesToHex(extraData),
    mixHash: QBFT_MIX_HASH,
    difficulty: '0x1',
    gasLimit: `0x${GAS_LIMIT.toString(16)}`,
    timestamp: `0x${(EPOCH_MS / 1000).toString(16)}`,
    alloc: Object.fromEntries(senders.map(({ address }) => [address, { balance }])),
  }
}
