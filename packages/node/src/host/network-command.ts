/** `vellum network create`. */

import { randomInt } from 'node:crypto'
import { faultsTolerated, quorum } from '@vellum/consensus'
import type { PredeployOptions } from '@vellum/contracts'
import { parseContracts } from '../contracts-file.ts'
import { devBalances } from '../dev-chain.ts'
import { devContracts } from '../dev-genesis.ts'
import { NodeError } from '../error.ts'
import type { CommandPorts } from './chain-commands.ts'
import { readJsonFile } from './config-file.ts'
import { systemClock } from './machine.ts'
import { createNetworkFiles, type NetworkPlan } from './network-files.ts'

/** Flags as commander gives them. */
export interface NetworkFlags {
  readonly validators: number
  readonly followers: number
  readonly out: string
  readonly chainId?: number
  readonly blockPeriod: number
  readonly requestTimeout: number
  readonly gasLimit: number
  readonly host: readonly string[]
  readonly basePort: number
  readonly rpcBasePort: number
  readonly passwordFile?: string
  readonly lightKeys?: boolean
  readonly devAccounts?: boolean
  readonly contracts?: string
  readonly sideChains?: readonly string[]
}

/** Ids that nobody has chosen by hand: a transaction of one chain must not be valid on another. */
const CHAIN_ID_MIN = 100_000
const CHAIN_ID_MAX = 2 ** 31

function contractsOf({ contracts, devAccounts }: NetworkFlags): PredeployOptions | undefined {
  if (contracts === undefined) return devAccounts ? devContracts() : undefined
  return parseContracts(readJsonFile(contracts, 'the contracts file'))
}

/** Chain ids of side chains are main's with two digits behind it. */
const SIDE_CHAIN_IDS = 100

/** What the chains begin with: one with everything on it, or main and side chains. */
function chainsOf(
  flags: NetworkFlags,
  chainId: number,
): Pick<NetworkPlan, 'contracts' | 'timestamp' | 'sides'> {
  const contracts = contractsOf(flags)
  const { sideChains = [] } = flags
  if (sideChains.length === 0) return { contracts }
  if (contracts === undefined) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      'side chains need system contracts: give --contracts, or --dev-accounts',
    )
  }
  const { credit: _, ...withoutCredit } = contracts
  return {
    contracts: { ...contracts, role: { kind: 'main' } },
    timestamp: Math.floor(systemClock.now() / 1_000),
    sides: sideChains.map((name, i) => ({
      name,
      chainId: chainId * SIDE_CHAIN_IDS + i + 1,
      contracts: (main) => ({ ...withoutCredit, role: { kind: 'side', main } }),
    })),
  }
}

/** @throws NodeError as `createNetworkFiles` */
export async function createNetwork(
  flags: NetworkFlags,
  program: readonly string[],
  { progress, print }: Pick<CommandPorts, 'progress' | 'print'>,
): Promise<void> {
  const chainId = flags.chainId ?? randomInt(CHAIN_ID_MIN, CHAIN_ID_MAX)
  const nodes = await createNetworkFiles(
    {
      directory: flags.out,
      validators: flags.validators,
      followers: flags.followers,
      chainId,
      blockPeriodMs: flags.blockPeriod,
      requestTimeoutSeconds: flags.requestTimeout,
      gasLimit: flags.gasLimit,
      balances: flags.devAccounts ? devBalances() : new Map(),
      ...chainsOf(flags, chainId),
      hosts: flags.host,
      peerPort: flags.basePort,
      rpcPort: flags.rpcBasePort,
      passwordFile: flags.passwordFile,
      lightKeys: flags.lightKeys ?? false,
      program,
    },
    progress,
  )
  const { sideChains = [] } = flags
  const chains = sideChains.length === 0 ? '' : `, with ${sideChains.join(' and ')}`
  print(`network of ${flags.validators} validators, chain ${chainId}${chains}, in ${flags.out}`)
  print('')
  for (const { name, address, isValidator, location, rpcPort } of nodes) {
    print(`  ${name}  ${isValidator ? 'validator' : 'follower '}  ${address}  RPC port ${rpcPort}`)
    print(`         ${location}`)
  }
  print('')
  const f = faultsTolerated(flags.validators)
  print(
    f === 0
      ? `Every block needs ${quorum(flags.validators)} of ${flags.validators}: with fewer than 4 validators none may fail.`
      : `A block needs ${quorum(flags.validators)} of ${flags.validators} validators: any ${f} may fail.`,
  )
  if (flags.passwordFile === undefined) {
    print('Each keystore has its own password, in the file `password` beside it: whoever has the')
    print('folder has the key. Keep a copy of both elsewhere.')
  }
  if (sideChains.length > 0) {
    print(
      'Main does not know its side chains yet: when the nodes run, a member of the council runs',
    )
    print(`\`vellum sidechain attach ${sideChains.join(' ')}\`.`)
  }
  if (flags.lightKeys) print('The keystores are encrypted weakly: use them for tests only.')
  if (flags.devAccounts)
    print('Accounts whose keys are public hold ether: use the chain for tests only.')
  print('')
  print(
    `Here: ${flags.out}/start.sh. Elsewhere: carry each folder to its machine, run its start.sh with`,
  )
  print('VELLUM set to the command that runs `vellum` there.')
}
