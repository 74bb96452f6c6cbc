/**
 * `vellum sidechain create`, `trial`, `list`: nodes are asked one by one to serve a chain or to end it
 * (`admin_addChain`, `admin_removeChain`), while everything runs: each operator decides for its own. What main
 * knows of a side chain its council decides (sidechain-council.ts).
 */

import { existsSync, writeFileSync } from 'node:fs'
import { ADDRESSES } from '@vellum/contracts'
import type { Address, Hash, Hex } from '@vellum/evm'
import type { ConsensusStatus } from '@vellum/rpc'
import { GATEWAY_CALLS, LIGHT_CLIENT_CALLS } from '@vellum/sidechain'
import { NodeError } from '../error.ts'
import { assertChainName } from './chain-folders.ts'
import { readJsonFile } from './config-file.ts'
import { ask } from './council-calls.ts'
import { createRpcClient, type RpcClient } from './rpc-client.ts'
import { makeSideGenesis } from './sidechain-genesis.ts'

/** Flags of all commands. */
export interface NodesFlags {
  /** RPC servers of nodes. */
  readonly rpc: readonly string[]
  /** File with the secret of their tokens. */
  readonly jwtSecret?: string
}

export interface CreateFlags extends NodesFlags {
  readonly main?: string
  readonly genesis?: string
  readonly out?: string
  readonly chainId?: number
  readonly validators?: readonly Address[]
  readonly contracts?: string
  readonly organisation?: readonly string[]
  readonly bootnode?: readonly string[]
  readonly blockPeriod: number
  readonly requestTimeout: number
  readonly gasLimit: number
  readonly trustingPeriod: number
  readonly clockDrift: number
}

export type Print = (line: string) => void

/** What `admin_chains` tells of each chain. */
interface ChainLine {
  readonly name: string
  readonly state: 'serving' | 'failed' | 'stopped'
  readonly reason: string | null
  readonly chainId: Hex | null
  readonly genesis: Hash | null
  readonly height: Hex | null
  readonly isValidator: boolean
}

/** States of a light client: see `Known`. */
export const CLIENT_NONE = 0
/** Milliseconds in which the validators of a new chain find one another. */
const CONNECT_MS_MAX = 20_000
const POLL_MS = 250
/** Genesis files are sent in one request (rpc `bodyBytesMax`). */
const GENESIS_BYTES_MAX = 1_000_000

/** Makes a side chain and has it served. Main learns nothing of it. @returns its genesis */
export async function createSidechain(
  name: string,
  flags: CreateFlags,
  print: Print,
): Promise<void> {
  assertChainName(name)
  const nodes = clientsOf(flags)
  const genesis = await genesisOf(name, flags, nodes, print)
  const served = await serveEverywhere(
    name,
    { genesis, bootnodes: flags.bootnode ?? [] },
    nodes,
    print,
  )
  if (served.length === 0) {
    throw new NodeError('NODE_RPC_REFUSED', `no node serves ${name}; nothing else was done`, {
      name,
    })
  }
  await tellQuorum(served[0]!.at(name), print)
  const urls = nodes.map(({ url }) => url).join(' ')
  print('')
  print(`${name} is served at ${served.map(({ url }) => `${url}/chain/${name}`).join(', ')}.`)
  print(
    'Main knows nothing of it yet. To let messages pass between them, a member of the council runs',
  )
  print(`  vellum sidechain attach ${name} --rpc ${nodes[0]!.url} --keystore FILE`)
  print(`To throw it away: vellum sidechain trial ${name} --discard --rpc ${urls}`)
}

async function genesisOf(
  name: string,
  flags: CreateFlags,
  nodes: readonly RpcClient[],
  print: Print,
): Promise<object> {
  if (flags.genesis !== undefined) {
    return readJsonFile(flags.genesis, 'the genesis file') as object
  }
  const { out } = flags
  if (out !== undefined && existsSync(out)) {
    throw new NodeError('NODE_FILE_INVALID', `${out} is there already, and is not overwritten`, {
      out,
    })
  }
  const main = flags.main === undefined ? nodes : [createRpcClient(flags.main, flags.jwtSecret)]
  print(`making the genesis of ${name}: main is what ${main.map(({ url }) => url).join(', ')} say`)
  const genesis = await makeSideGenesis({
    main,
    chainId: flags.chainId,
    validators: flags.validators,
    contractsFile: flags.contracts,
    organisations: flags.organisation ?? [],
    blockPeriodMs: flags.blockPeriod,
    requestTimeoutSeconds: flags.requestTimeout,
    gasLimit: flags.gasLimit,
    trustingPeriodSeconds: flags.trustingPeriod,
    clockDriftSeconds: flags.clockDrift,
  })
  if (out !== undefined) {
    writeFileSync(out, `${JSON.stringify(genesis, undefined, 2)}\n`, { flag: 'wx', flush: true })
    print(`genesis file ${out}: nodes that come later are given it with --genesis`)
  }
  return genesis
}

/** @returns the nodes that serve it now */
async function serveEverywhere(
  name: string,
  chain: { readonly genesis: object; readonly bootnodes: readonly string[] },
  nodes: readonly RpcClient[],
  print: Print,
): Promise<readonly RpcClient[]> {
  const request = { name, ...chain }
  const bytes = JSON.stringify(request).length
  if (bytes > GENESIS_BYTES_MAX) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `the genesis file has ${bytes} bytes, and at most ${GENESIS_BYTES_MAX} can be sent: put it into the data directories as chains/${name}/genesis.json, and start the nodes again`,
      { bytes },
    )
  }
  const served: RpcClient[] = []
  for (const node of nodes) {
    try {
      const { genesis, isValidator } = await node.call<ChainLine>('admin_addChain', request)
      print(
        `${node.url} serves ${name}, as ${isValidator ? 'a validator' : 'a follower'}: ${genesis}`,
      )
      served.push(node)
    } catch (error) {
      if (!(error instanceof NodeError)) throw error
      print(error.message)
      process.exitCode = 1
    }
  }
  return served
}

/** Waits until the validators of a new chain are there, and says whether blocks can be made. */
async function tellQuorum(side: RpcClient, print: Print): Promise<void> {
  const deadline = performance.now() + CONNECT_MS_MAX
  for (;;) {
    const { quorum } = await side.call<ConsensusStatus>('vellum_consensusStatus')
    const { live, needed, validators } = quorum
    if (live >= needed) {
      print(`${live} of ${validators} validators are there; a block needs ${needed}`)
      return
    }
    if (performance.now() > deadline) {
      print(
        `only ${live} of ${validators} validators are there, and a block needs ${needed}: have it`,
      )
      print('served by more of them, with --genesis FILE')
      return
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Ends trial chains without a trace: none was ever attached. @throws NodeError if one is */
export async function discardTrial(name: string, flags: NodesFlags, print: Print): Promise<void> {
  assertChainName(name)
  const nodes = clientsOf(flags)
  const known = await sideFacts(nodes[0]!, name)
  if (
    known !== undefined &&
    (await mainKnows(nodes[0]!, known.chainId)).clientStatus !== CLIENT_NONE
  ) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `${name} is attached to main: end it with \`vellum sidechain retire ${name}\``,
      { name },
    )
  }
  await endEverywhere(name, true, nodes, print)
}

/** Prints the chains of nodes, and what main knows of them. */
export async function listSidechains(flags: NodesFlags, print: Print): Promise<void> {
  for (const node of clientsOf(flags)) {
    const chains = await node.call<readonly ChainLine[]>('admin_chains')
    print(node.url)
    for (const { name, state, reason, chainId, height, isValidator } of chains) {
      const role = isValidator ? 'validator' : 'follower'
      const what =
        state === 'serving'
          ? `block ${Number(height)}, ${role}, ${await attachment(node, name, chainId)}`
          : state === 'failed'
            ? `FAILED: ${reason}`
            : 'taken off; its data are kept'
      print(`  ${name.padEnd(20)} ${chainId === null ? '?' : Number(chainId)}  ${what}`)
    }
  }
}

async function attachment(node: RpcClient, name: string, chainId: Hex | null): Promise<string> {
  if (name === 'main' || chainId === null) return 'main'
  try {
    const { clientStatus, channel } = await mainKnows(node, BigInt(chainId))
    if (clientStatus === CLIENT_NONE) return 'not attached'
    const client = ['', 'followed by main', 'FROZEN on main', 'retired'][clientStatus]
    const opened = ['no channel', 'channel open', 'channel PAUSED', 'channel closed'][channel]
    return `${client}, ${opened}`
  } catch (error) {
    if (error instanceof NodeError) return 'main has no peg'
    throw error
  }
}

export async function endEverywhere(
  name: string,
  discard: boolean,
  nodes: readonly RpcClient[],
  print: Print,
): Promise<void> {
  for (const node of nodes) {
    try {
      await node.call('admin_removeChain', name, discard)
      print(
        `${node.url} ${discard ? 'has thrown away' : 'does not serve'} ${name}${discard ? '' : ' any more; its data are kept'}`,
      )
    } catch (error) {
      if (!(error instanceof NodeError)) throw error
      print(error.message)
      process.exitCode = 1
    }
  }
}

export interface Known {
  /** 0 none, 1 active, 2 frozen, 3 closed. */
  readonly clientStatus: number
  /** 0 none, 1 open, 2 paused, 3 closed. */
  readonly channel: number
}

/** What main knows of a side chain; on a chain without the peg: nothing. */
export async function mainKnows(main: RpcClient, chainId: bigint): Promise<Known> {
  const code = await main.call<Hex>('eth_getCode', ADDRESSES.qbftLightClient, 'latest')
  if (code === '0x') return { clientStatus: CLIENT_NONE, channel: 0 }
  const [[clientStatus]] = await ask(main, ADDRESSES.qbftLightClient, LIGHT_CLIENT_CALLS.client, [
    chainId,
  ])
  const [channel] = await ask(main, ADDRESSES.pegGateway, GATEWAY_CALLS.channelOf, [chainId])
  return { clientStatus, channel }
}

/** undefined: the node does not serve it. */
export async function sideFacts(
  node: RpcClient,
  name: string,
): Promise<{ readonly chainId: bigint } | undefined> {
  const chains = await node.call<readonly ChainLine[]>('admin_chains')
  const found = chains.find((each) => each.name === name)
  return found?.chainId == null ? undefined : { chainId: BigInt(found.chainId) }
}

export function clientsOf({ rpc, jwtSecret }: NodesFlags): readonly RpcClient[] {
  return rpc.map((url) => createRpcClient(url, jwtSecret))
}
