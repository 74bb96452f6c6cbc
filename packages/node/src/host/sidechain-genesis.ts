/** The genesis of a side chain for a main chain that runs. */

import { randomInt } from 'node:crypto'
import { ADDRESSES, type Founder, type MainChain, type PredeployOptions } from '@vellum/contracts'
import { type Address, type Hash, type Hex, hexToBytes } from '@vellum/evm'
import { type AbiFunction, ADDRESS, abiFunction, BYTES32, count, tupleOf } from '@vellum/sidechain'
import { parseContracts } from '../contracts-file.ts'
import { NodeError } from '../error.ts'
import { networkGenesis } from '../network-genesis.ts'
import { readJsonFile } from './config-file.ts'
import { ask, councilOf } from './council-calls.ts'
import { systemClock } from './machine.ts'
import type { RpcClient } from './rpc-client.ts'

export interface SideGenesisPlan {
  /** Nodes of main: what the first one says of it, the others must say, too. */
  readonly main: readonly RpcClient[]
  /** undefined: drawn at random. */
  readonly chainId: number | undefined
  /** undefined: those of main. */
  readonly validators: readonly Address[] | undefined
  /** Of who governs and takes part; undefined: the council is main's. */
  readonly contractsFile: string | undefined
  /** Codes of organisations of main that the side chain begins with, beside those of the file. */
  readonly organisations: readonly string[]
  readonly blockPeriodMs: number
  readonly requestTimeoutSeconds: number
  readonly gasLimit: number
  readonly trustingPeriodSeconds: number
  readonly clockDriftSeconds: number
}

/** Ids that nobody has chosen by hand: a transaction of one chain must not be valid on another. */
const CHAIN_ID_MIN = 100_000
const CHAIN_ID_MAX = 2 ** 31
const CODE_CHARS = 18

/** Of OrganisationRegistry.sol. */
export const ORGANISATION: AbiFunction<[Hash], [[Address, number, number, number, number]]> =
  abiFunction(
    'organisation',
    tupleOf(BYTES32),
    // Account, class of verifiers, suspended, time of registration, capacities.
    tupleOf(tupleOf(ADDRESS, count(8), count(8), count(64), count(256))),
  )

/**
 * @returns JSON of a genesis file
 * @throws NodeError NODE_CONFIG_INVALID, NODE_RPC_REFUSED, NODE_UNREACHABLE
 */
export async function makeSideGenesis(plan: SideGenesisPlan): Promise<object> {
  const [main] = plan.main as [RpcClient]
  const known = await mainChainAtHead(plan)
  const founders = await Promise.all(plan.organisations.map((code) => founderOf(main, code)))
  const contracts = await contractsOf(plan, main)
  const validators =
    plan.validators ??
    (await main.call<readonly Address[]>('qbft_getValidatorsByBlockNumber', 'latest'))
  return networkGenesis({
    chainId: plan.chainId ?? randomInt(CHAIN_ID_MIN, CHAIN_ID_MAX),
    validators,
    blockPeriodMs: plan.blockPeriodMs,
    requestTimeoutSeconds: plan.requestTimeoutSeconds,
    gasLimit: plan.gasLimit,
    balances: new Map(),
    timestamp: Math.floor(systemClock.now() / 1_000),
    contracts: {
      ...contracts,
      organisations: [...contracts.organisations, ...founders],
      role: { kind: 'side', main: known },
    },
  })
}

/**
 * Main as its nodes have it: all must name the same block, since the side chain believes what follows from
 * it.
 */
async function mainChainAtHead(plan: SideGenesisPlan): Promise<MainChain> {
  const [main, ...others] = plan.main as [RpcClient, ...RpcClient[]]
  const chainId = BigInt(await main.call<Hex>('eth_chainId'))
  const genesis = await blockHash(main, '0x0')
  const { number, hash } = await main.call<{ number: Hex; hash: Hash }>(
    'eth_getBlockByNumber',
    'latest',
    false,
  )
  for (const other of others) {
    if ((await blockHash(other, '0x0')) !== genesis) {
      throw refused(`${other.url} serves another chain than ${main.url}`)
    }
    const theirs = await blockHash(other, number)
    if (theirs !== undefined && theirs !== hash) {
      throw refused(`${other.url} has another block ${Number(number)} than ${main.url}`)
    }
  }
  const header = await main.call<Hex>('debug_getRawHeader', number)
  const code = await main.call<Hex>('eth_getCode', ADDRESSES.pegGateway, 'latest')
  if (code === '0x') {
    throw refused(
      `the chain of ${main.url} has no peg: begin the network with side chains, or with the role main`,
    )
  }
  return {
    chainId,
    domain: hexToBytes(genesis!),
    sealedHeader: hexToBytes(header),
    trustingPeriodSeconds: plan.trustingPeriodSeconds,
    maxClockDriftSeconds: plan.clockDriftSeconds,
  }
}

export async function blockHash(chain: RpcClient, number: Hex): Promise<Hash | undefined> {
  const block = await chain.call<{ hash: Hash } | null>('eth_getBlockByNumber', number, false)
  return block?.hash
}

async function contractsOf(plan: SideGenesisPlan, main: RpcClient): Promise<PredeployOptions> {
  if (plan.contractsFile === undefined) {
    const { members, threshold, delay } = await councilOf(main)
    return { council: { members, threshold, delaySeconds: delay }, organisations: [] }
  }
  const read = parseContracts(readJsonFile(plan.contractsFile, 'the contracts file'))
  const { credit, ...rest } = read
  if (credit !== undefined && credit.size > 0) {
    throw refused('a side chain begins without credit: it comes from main')
  }
  return rest
}

/** An organisation as it stands on main, by its unified social credit code. */
async function founderOf(main: RpcClient, code: string): Promise<Founder> {
  if (!/^[0-9A-Z]{18}$/.test(code)) {
    throw refused(`${JSON.stringify(code)} is no code of an organisation: ${CODE_CHARS} characters`)
  }
  const word = `0x${Buffer.from(code, 'latin1').toString('hex').padEnd(64, '0')}` as Hash
  const [[account, verifierClass, isSuspended, , capacities]] = await ask(
    main,
    ADDRESSES.organisationRegistry,
    ORGANISATION,
    [word],
  ).catch((cause: unknown) => {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `main knows no organisation ${code}: register it there first`,
      { code },
      { cause },
    )
  })
  if (isSuspended !== 0) throw refused(`the organisation ${code} is suspended on main`)
  return { code, account, verifierClass, capacities }
}

function refused(reason: string): NodeError {
  return new NodeError('NODE_CONFIG_INVALID', reason)
}
