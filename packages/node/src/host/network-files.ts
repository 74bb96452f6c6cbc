/**
 * A new network on the disk: a folder for each node, ready to be carried to its machine.
 *
 * ```
 * start.sh            runs all nodes on this machine
 * genesis.json        for nodes that come later
 * chains/NAME.json    genesis files of side chains
 * node1/config.json   what `vellum node` is given
 *       start.sh      runs this node
 *       genesis.json
 *       chains/NAME.json
 *       password      of the keystore, unless a file was given
 *       keystore/     the validator's key, and what it has voted
 *       data/         the chain; may be deleted, and comes back from the peers
 * ```
 */

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { CONSENSUS_LIMITS } from '@vellum/consensus'
import type { MainChain, PredeployOptions } from '@vellum/contracts'
import { type Address, type Hash, hexToBytes } from '@vellum/evm'
import { addressOfPublicKey, encodeHeader, type SealedHeader } from '@vellum/ledger'
import { CHAIN_NAME } from '@vellum/rpc'
import { NodeError } from '../error.ts'
import { parseGenesisFile } from '../genesis-file.ts'
import { networkGenesis } from '../network-genesis.ts'
import { genesisBlockOf } from './genesis-block.ts'
import { syncDirectory } from './head-file.ts'
import { randomKey, readPassword, saveKey } from './key-files.ts'
import { LIGHT_STRENGTH, STANDARD_STRENGTH } from './keystore.ts'
import { formatPeerLocation, peerIdOfKey } from './peer-identity.ts'
import type { Progress } from './progress.ts'
import { loadSystemCrypto } from './system.ts'
import { beginVotes } from './validator-votes.ts'
import { createVoteFile, voteFilePath } from './vote-file.ts'

export interface NetworkPlan {
  /** Must not exist, or be empty. */
  readonly directory: string
  /** Nodes that the genesis names as validators, at least 1. */
  readonly validators: number
  /** Further nodes with keys of their own, which may be voted in later. */
  readonly followers: number
  readonly chainId: number
  readonly blockPeriodMs: number
  readonly requestTimeoutSeconds: number
  readonly gasLimit: number
  readonly balances: ReadonlyMap<Address, bigint>
  /** As in `networkGenesis`. */
  readonly contracts?: PredeployOptions | undefined
  /** Seconds since 1970 of the genesis blocks. Default 0. */
  readonly timestamp?: number
  /** Side chains, with the same validators; `contracts` has the role `main` then. */
  readonly sides?: readonly SidePlan[]
  /** Where peers reach the nodes: one for all, whose ports are counted up, or one for each. */
  readonly hosts: readonly string[]
  readonly peerPort: number
  readonly rpcPort: number
  /** One password for all keystores; undefined: each gets its own, in a file beside it. */
  readonly passwordFile: string | undefined
  /** Encrypt so weakly that a password can be guessed: for tests, and where keys guard nothing. */
  readonly lightKeys: boolean
  /** The program and arguments that run `vellum` on this machine. */
  readonly program: readonly string[]
}

export interface SidePlan {
  /** See `CHAIN_NAME`; not `main`. */
  readonly name: string
  readonly chainId: number
  /** Of a role `side` for this main chain. */
  readonly contracts: (main: MainChain) => PredeployOptions
}

export interface NetworkNode {
  readonly name: string
  readonly folder: string
  readonly address: Address
  readonly isValidator: boolean
  /** "/ip4/…/tcp/…/p2p/16Uiu2…" */
  readonly location: string
  readonly rpcPort: number
}

/** A node whose key has been made. */
interface Draft extends NetworkNode {
  readonly peerPort: number
  readonly host: string
  readonly keystore: string
  /** Path of main's vote file, as long as this is a draft. */
  readonly votes: string
  readonly passwordFile: string
}

const PORT_MAX = 65_535
/** Nodes that relay messages between chains: one may fail. */
const RELAYERS = 2
/** From a node's RPC port to that of its metrics: 8545 and 9545. */
const METRICS_PORT_STEP = 1_000
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/**
 * Writes everything, or nothing: the folder appears when all of it is there.
 * @throws NodeError NODE_CONFIG_INVALID for a plan that cannot be, NODE_FILE_INVALID for a folder in use
 */
export async function createNetworkFiles(
  plan: NetworkPlan,
  progress: Progress,
): Promise<readonly NetworkNode[]> {
  assertPlan(plan)
  const directory = resolve(plan.directory)
  assertFree(directory)
  mkdirSync(dirname(directory), { recursive: true })
  const draft = mkdtempSync(join(dirname(directory), `.${basename(directory)}-`))
  try {
    const nodes = await writeNodes(plan, draft, progress)
    // An empty folder gives way; one that was filled meanwhile does not.
    renameSync(draft, directory)
    syncDirectory(dirname(directory))
    return nodes.map(({ name, address, isValidator, location, rpcPort }) => {
      const folder = join(directory, name)
      return { name, folder, address, isValidator, location, rpcPort }
    })
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error
  }
}

async function writeNodes(
  plan: NetworkPlan,
  directory: string,
  progress: Progress,
): Promise<readonly Draft[]> {
  const count = plan.validators + plan.followers
  const isMade = progress.count('keys made and encrypted')
  const nodes: Draft[] = []
  for (let i = 0; i < count; i++) {
    nodes.push(await makeNode(plan, directory, i))
    isMade(i + 1, count)
  }
  const validators = nodes.filter(({ isValidator }) => isValidator).map(({ address }) => address)
  const genesis = textOf(networkGenesis({ ...plan, validators }))
  const sides = await sideGenesisFiles({ ...plan, validators }, genesis)
  writeGenesisFiles(directory, genesis, sides)
  for (const node of nodes) {
    const folder = join(directory, node.name)
    writeGenesisFiles(folder, genesis, sides)
    for (const { hash } of sides) beginVotes(node.votes, node.address, hash)
    writeFileSync(join(folder, 'config.json'), textOf(configOf(plan, node, nodes)))
    writeScript(join(folder, 'start.sh'), plan.program, 'node --config "$here/config.json"')
  }
  writeScript(join(directory, 'start.sh'), plan.program, 'start --data-dir "$here"')
  return nodes
}

interface SideGenesis {
  readonly name: string
  /** JSON. */
  readonly genesis: string
  /** Of the genesis block. */
  readonly hash: Hash
}

async function sideGenesisFiles(
  plan: Omit<NetworkPlan, 'validators'> & { readonly validators: readonly Address[] },
  mainGenesis: string,
): Promise<readonly SideGenesis[]> {
  const { sides = [] } = plan
  if (sides.length === 0) return []
  const main = await mainChainOf(mainGenesis)
  const files: SideGenesis[] = []
  for (const { name, chainId, contracts } of sides) {
    const genesis = textOf(networkGenesis({ ...plan, chainId, contracts: contracts(main) }))
    files.push({ name, genesis, hash: (await blockOf(genesis, name)).hash })
  }
  return files
}

/** A chain at its genesis block, as a side chain knows it. @param genesis JSON of its genesis file */
export async function mainChainOf(genesis: string): Promise<MainChain> {
  const { header, hash } = await blockOf(genesis, 'genesis.json')
  const { chainId } = JSON.parse(genesis).config as { chainId: number }
  return { chainId: BigInt(chainId), domain: hexToBytes(hash), sealedHeader: encodeHeader(header) }
}

function blockOf(genesis: string, name: string): Promise<SealedHeader> {
  const { crypto } = loadSystemCrypto()
  return genesisBlockOf(parseGenesisFile(new TextEncoder().encode(genesis), name), crypto)
}

function writeGenesisFiles(folder: string, main: string, sides: readonly SideGenesis[]): void {
  writeFileSync(join(folder, 'genesis.json'), main)
  if (sides.length > 0) mkdirSync(join(folder, 'chains'))
  for (const { name, genesis } of sides) writeFileSync(join(folder, sideFile(name)), genesis)
}

function sideFile(name: string): string {
  return join('chains', `${name}.json`)
}

async function makeNode(plan: NetworkPlan, directory: string, index: number): Promise<Draft> {
  const name = `node${index + 1}`
  const folder = join(directory, name)
  mkdirSync(folder, { mode: 0o700 })
  const { crypto } = loadSystemCrypto()
  const key = randomKey(crypto)
  const address = addressOfPublicKey(crypto.publicKey(key))
  const passwordFile = plan.passwordFile === undefined ? 'password' : resolve(plan.passwordFile)
  if (plan.passwordFile === undefined) {
    writeFileSync(join(folder, 'password'), `${randomBytes(24).toString('base64url')}\n`, {
      mode: 0o600,
    })
  }
  const password = await readPassword({ kind: 'file', path: resolve(folder, passwordFile) })
  const owner = { address, password, createdAtMs: Date.now() }
  const strength = plan.lightKeys ? LIGHT_STRENGTH : STANDARD_STRENGTH
  const path = await saveKey(join(folder, 'keystore'), key, owner, strength)
  const votes = voteFilePath(path, address)
  createVoteFile({ path: votes, validator: address })
  const host = plan.hosts[plan.hosts.length === 1 ? 0 : index]!
  const peerPort = plan.peerPort + (plan.hosts.length === 1 ? index : 0)
  const location = formatPeerLocation(peerIdOfKey(key), host, peerPort)
  key.fill(0)
  password.fill(0)
  return {
    name,
    folder,
    address,
    isValidator: index < plan.validators,
    location,
    rpcPort: plan.rpcPort + (plan.hosts.length === 1 ? index : 0),
    host,
    peerPort,
    keystore: join('keystore', basename(path)),
    votes,
    passwordFile,
  }
}

/** Paths in it are taken from its own folder. */
function configOf(plan: NetworkPlan, node: Draft, nodes: readonly Draft[]): object {
  const isLocal = LOOPBACK.has(node.host)
  const listen = node.host.includes(':')
    ? `/ip6/${isLocal ? '::1' : '::'}`
    : isLocal
      ? '/ip4/127.0.0.1'
      : '/ip4/0.0.0.0'
  return {
    dataDir: 'data',
    genesisFile: 'genesis.json',
    ...(plan.blockPeriodMs > 0 && { blocks: { periodMs: plan.blockPeriodMs } }),
    network: {
      listen: [`${listen}/tcp/${node.peerPort}`],
      ...(!isLocal && { announce: [node.location.replace(/\/p2p\/.*/, '')] }),
      bootnodes: nodes.filter((each) => each !== node).map(({ location }) => location),
    },
    rpc: { host: '127.0.0.1', port: node.rpcPort },
    ...metricsOf(plan, node),
    // Several nodes on one machine keep its processors busy by themselves.
    ...(plan.hosts.length === 1 &&
      availableParallelism() < 2 * nodes.length && { threads: { recovery: 0 } }),
    ...sidesOf(plan, node, nodes),
    validator: {
      keystore: node.keystore,
      passwordFile: node.passwordFile,
      ...(plan.lightKeys && { acceptWeakKeystore: true }),
    },
  }
}

function sidesOf({ sides = [] }: NetworkPlan, node: Draft, nodes: readonly Draft[]): object {
  if (sides.length === 0) return {}
  return {
    sideChains: Object.fromEntries(sides.map(({ name }) => [name, sideFile(name)])),
    ...(nodes.indexOf(node) < RELAYERS && { relay: { enabled: true } }),
  }
}

/** Left out where that port is another node's, or none. */
function metricsOf({ peerPort }: NetworkPlan, node: Draft): object {
  const port = node.rpcPort + METRICS_PORT_STEP
  const isPeers = port >= peerPort && port < peerPort + CONSENSUS_LIMITS.validatorsMax * 2
  return port > PORT_MAX || isPeers ? {} : { metrics: { port } }
}

function writeScript(path: string, program: readonly string[], args: string): void {
  const lines = [
    '#!/bin/sh',
    '# VELLUM: the command that runs `vellum`, where it is not the one that made this file.',
    'here=$(cd "$(dirname "$0")" && pwd)',
    `if [ -n "$VELLUM" ]; then exec $VELLUM ${args} "$@"; fi`,
    `exec ${program.map(quoted).join(' ')} ${args} "$@"`,
  ]
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o755 })
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`
}

function textOf(json: object): string {
  return `${JSON.stringify(json, undefined, 2)}\n`
}

function assertPlan(plan: NetworkPlan): void {
  const { validators, followers, hosts, peerPort, rpcPort, sides = [] } = plan
  const count = validators + followers
  const last = hosts.length === 1 ? count - 1 : 0
  const complaints = [
    validators < 1 && 'a network needs at least 1 validator; from 4 on it bears the loss of one',
    validators > CONSENSUS_LIMITS.validatorsMax &&
      `a chain has at most ${CONSENSUS_LIMITS.validatorsMax} validators`,
    followers > CONSENSUS_LIMITS.validatorsMax &&
      `at most ${CONSENSUS_LIMITS.validatorsMax} followers are made at once`,
    hosts.length !== 1 &&
      hosts.length !== count &&
      `${count} nodes need one host, or ${count}, not ${hosts.length}`,
    (peerPort < 1 || peerPort + last > PORT_MAX) &&
      `ports of peers must be from 1 to ${PORT_MAX}: ${peerPort} to ${peerPort + last} are not`,
    (rpcPort < 1 || rpcPort + last > PORT_MAX) &&
      `ports of RPC must be from 1 to ${PORT_MAX}: ${rpcPort} to ${rpcPort + last} are not`,
    peerPort <= rpcPort + last &&
      rpcPort <= peerPort + last &&
      `ports of peers (${peerPort}…) and of RPC (${rpcPort}…) overlap`,
    new Set([plan.chainId, ...sides.map(({ chainId }) => chainId)]).size <= sides.length &&
      'every chain needs a chain id of its own',
    new Set(sides.map(({ name }) => name)).size < sides.length &&
      'every chain needs a name of its own',
    ...sides.map(
      ({ name }) =>
        (!CHAIN_NAME.test(name) || name === 'main') &&
        `a side chain cannot be called ${JSON.stringify(name)}: 1 to 32 of a-z, 0-9 and -, and not main`,
    ),
    plan.chainId < 1 && 'the chain id must be at least 1',
    plan.requestTimeoutSeconds < 1 && 'the request timeout must be at least 1 second',
    plan.gasLimit < 5_000 && 'the gas limit must be at least 5000',
  ].filter((each) => each !== false)
  if (complaints.length === 0) return
  throw new NodeError('NODE_CONFIG_INVALID', complaints.join('; '), {})
}

function assertFree(directory: string): void {
  let names: string[]
  try {
    names = readdirSync(directory)
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return
    throw new NodeError(
      'NODE_FILE_INVALID',
      `${directory} cannot be used: ${(cause as Error).message}`,
      { directory },
      { cause },
    )
  }
  if (names.length === 0) return
  throw new NodeError(
    'NODE_FILE_INVALID',
    `${directory} is not empty, and nothing in it is overwritten; choose another folder`,
    { directory },
  )
}
