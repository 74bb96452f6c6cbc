/**
 * Keys of a network of several chains, and their genesis blocks. A machine has one key, with which it
 * validates all its chains. The same for the same seed.
 */

import { CAPACITIES, type ChainRole, type PredeployOptions } from '@vellum/contracts'
import { type Address, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import {
  addressOfPublicKey,
  type Crc32,
  createMemoryKeyValue,
  encodeHeader,
  type Genesis,
  openChain,
  parseGenesis,
  type Secp256k1,
} from '@vellum/ledger'
import { networkGenesis, qbftSchemeOf } from '@vellum/node'
import { EPOCH_MS } from '../virtual-time.ts'
import type { Account } from '../world-genesis.ts'
import { wordOfCode } from './contracts.ts'
import { type ChainName, type ChainPlan, MAIN, type PegScenario } from './scenario.ts'

export interface PegChain {
  readonly name: ChainName
  readonly chainId: number
  readonly plan: ChainPlan
  readonly genesis: Genesis
  /** Of the genesis block, which all the chain's messages and headers name. */
  readonly hash: Hash
  /** The genesis header as light clients take it. */
  readonly sealedHeader: Uint8Array
}

export type Office = 'council' | 'root' | 'registrar' | 'issuer'

export interface PegGenesis {
  /** Main first. */
  readonly chains: readonly PegChain[]
  /** Keys of machines, ascending by address. */
  readonly machines: readonly Account[]
  readonly offices: Readonly<Record<Office, Account>>
  /** They have credit on the main chain, and get identities. */
  readonly people: readonly Account[]
  readonly relayers: readonly Account[]
}

const MAIN_CHAIN_ID = 1_337
const SIDE_CHAIN_ID = 133_701
const GAS_LIMIT = 60_000_000
const PEOPLE = 4
/** Seconds that a header may be ahead of the other chain's time. */
export const CLOCK_DRIFT_SECONDS = 120
/** Millionths of a credit that each of the people begins with. */
export const CREDIT_EACH = 1_000_000_000n
/** Codes of organisations: examples of the standard. */
export const CODES = {
  root: '11100000000013338W',
  registrar: '11100000000013661B',
  issuer: '11430000006122244L',
} as const
/** Of all licences of the world. */
export const LICENCE_TYPE: Hash = wordOfCode('11100000000013338W011')
/** Credit may move freely: limits of rates have tests of their own. */
const CREDIT_LIMIT = { amount: 10n ** 18n, windowSeconds: 60 }

export async function createPegGenesis(
  scenario: PegScenario,
  seed: string,
  {
    crypto,
    crc32,
    codes,
  }: {
    readonly crypto: Secp256k1
    readonly crc32: Crc32
    readonly codes: ReadonlyMap<Address, Uint8Array> | undefined
  },
): Promise<PegGenesis> {
  const accountOf = (name: string): Account => {
    const key = keccak256(new TextEncoder().encode(`${seed}/${name}`))
    return { key, address: addressOfPublicKey(crypto.publicKey(key)) }
  }
  const accounts = (kind: string, count: number): Account[] =>
    Array.from({ length: count }, (_, i) => accountOf(`${kind} ${i}`))
  const machines = accounts('machine', scenario.machines).sort((a, b) =>
    a.address < b.address ? -1 : 1,
  )
  const people = accounts('person', PEOPLE)
  const offices = {
    council: accountOf('council'),
    root: accountOf('root'),
    registrar: accountOf('registrar'),
    issuer: accountOf('issuer'),
  }
  const contracts: PredeployOptions = {
    council: { members: [offices.council.address], threshold: 1, delaySeconds: 0 },
    organisations: [
      {
        code: CODES.root,
        account: offices.root.address,
        capacities: CAPACITIES.root | CAPACITIES.supervisor,
      },
      {
        code: CODES.registrar,
        account: offices.registrar.address,
        capacities: CAPACITIES.registrar,
      },
      { code: CODES.issuer, account: offices.issuer.address },
    ],
  }

  async function chainOf(
    name: ChainName,
    chainId: number,
    plan: ChainPlan,
    role: Partial<PredeployOptions>,
  ): Promise<PegChain> {
    const written = parseGenesis(
      networkGenesis({
        chainId,
        validators: plan.validators.map((index) => machines[index]!.address),
        blockPeriodMs: 1_000 * scenario.blockPeriodSeconds,
        requestTimeoutSeconds: scenario.requestTimeoutSeconds,
        gasLimit: GAS_LIMIT,
        balances: new Map(),
        timestamp: EPOCH_MS / 1_000,
        contracts: { ...contracts, ...role },
      }),
    )
    const alloc = written.alloc.map((account) => {
      const code = codes?.get(account.address)
      return code === undefined ? account : { ...account, code }
    })
    const genesis = { ...written, alloc }
    const chain = await openChain({
      genesis,
      disk: createMemoryKeyValue(),
      crc32,
      scheme: qbftSchemeOf(genesis, crypto)!,
      crypto,
      retainedBlocks: undefined,
    })
    const { header, hash } = chain.head()
    return { name, chainId, plan, genesis, hash, sealedHeader: encodeHeader(header) }
  }

  const main = await chainOf(MAIN, MAIN_CHAIN_ID, scenario.main, {
    role: { kind: 'main' },
    creditLimit: CREDIT_LIMIT,
    credit: new Map<Address, bigint>(people.map(({ address }) => [address, CREDIT_EACH])),
  })
  const sides: PegChain[] = []
  for (const [i, side] of scenario.sides.entries()) {
    const role: ChainRole = {
      kind: 'side',
      main: {
        chainId: BigInt(MAIN_CHAIN_ID),
        sealedHeader: main.sealedHeader,
        domain: hexToBytes(main.hash),
        trustingPeriodSeconds: scenario.trustingPeriodSeconds,
        maxClockDriftSeconds: CLOCK_DRIFT_SECONDS,
      },
    }
    sides.push(await chainOf(side.name, SIDE_CHAIN_ID + i, side, { role }))
  }
  const relayers = accounts('relayer', scenario.relayers.length)
  return { chains: [main, ...sides], machines, offices, people, relayers }
}
