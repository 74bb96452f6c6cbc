/** `vellum node`: a node with its RPC server and its peers, until it is told to stop or cannot go on. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { ADDRESSES } from '@vellum/contracts/addresses'
import { addressOfPublicKey, decodeExtraData, type Genesis } from '@vellum/ledger'
import type { RpcServer } from '@vellum/rpc'
import { evictAccused } from '../accusations.ts'
import type { NodeConfig } from '../config.ts'
import { DEV_CHAIN_ID, devValidatorKey } from '../dev-chain.ts'
import type { RelayHub } from '../relay-hub.ts'
import { type CommandPorts, copyGenesis } from './chain-commands.ts'
import { genesisPath } from './data-directory.ts'
import { devAccountLines } from './dev-lines.ts'
import { type PasswordSource, readKeyFile, readPassword } from './key-files.ts'
import { decryptKeystore } from './keystore.ts'
import { type LocalNode, openLocalChain, readGenesis } from './local-node.ts'
import type { MetricsServer } from './metrics-server.ts'
import { MAIN_CHAIN } from './observation.ts'
import type { RelayStart } from './relay-start.ts'
import { type ServedRpc, serveRpc } from './rpc-server.ts'
import { createServedChains, type ServedChains } from './served-chains.ts'
import { openSharedParts, type SharedParts } from './shared-parts.ts'
import { loadSystemCrypto } from './system.ts'
import { VERSION } from './version.ts'

export interface NodePorts extends CommandPorts {
  /** Descriptor that the validator's password is read from, before files and prompt. */
  readonly passwordDescriptor: number | undefined
  /** True: with peers, unless the configuration says otherwise. */
  readonly isNetworked: boolean
  /** Begin with no votes where they are lost, instead of abstaining. */
  readonly acceptVoteLoss: boolean
  /** Called when the node serves; the node's end waits for it. It never fails. */
  readonly whenReady?: ((ready: Ready) => Promise<void>) | undefined
}

export interface Ready {
  /** Of the RPC server. */
  readonly url: string
  /** Resolves when the node is told to stop. */
  readonly stopping: Promise<unknown>
}

/**
 * Runs until a signal or a failure.
 * @returns the process's exit code
 */
export async function runNode(ports: NodePorts): Promise<number> {
  const { config, log } = ports
  if (config.genesisFile !== undefined && !existsSync(genesisPath(config.dataDir))) {
    await copyGenesis(config.genesisFile, config.dataDir)
  }
  const opened = await open(ports)
  const { shared, local } = opened
  const closeAll = async (): Promise<void> => {
    try {
      await local.close()
    } finally {
      await shared.close()
    }
  }
  let rpc: ServedRpc
  let metrics: MetricsServer | undefined
  const served = createServedChains({
    main: local,
    shared,
    config,
    acceptVoteLoss: ports.acceptVoteLoss,
    log,
    progress: ports.progress,
    door: { open: (chain) => rpc.open(chain), close: (name) => rpc.close(name) },
  })
  const stopEvicting = evictAccused(served)
  try {
    metrics = await shared.observation.serve(config.metrics, log.child('metrics'))
    rpc = await serveRpc({
      main: local,
      chains: served,
      relay: () => relay,
      config,
      log: log.child('rpc'),
    })
  } catch (error) {
    await metrics?.stop()
    await closeAll()
    throw error
  }
  // Asked for before the banner says that the node is there to be stopped.
  const stopping = stopSignal()
  let relay: RelayHub | undefined
  const end = async (): Promise<void> => {
    stopEvicting()
    await rpc.server.stop()
    await metrics?.stop()
    await relay?.stop()
    await served.close()
    await closeAll()
  }
  try {
    await local.node.start()
    await served.openAll()
    relay = await relayOf({ served, shared, config, log })
  } catch (error) {
    await end()
    throw error
  }
  const url = urlOf(config, rpc.server)
  for (const line of banner(opened, served, { config, url })) ports.print(line)

  const ended = Promise.race([stopping, local.node.failed])
  const shown = ports.whenReady?.({ url, stopping: ended })
  const failure = await ended
  await shown
  if (failure === 'stop') log.info('stopping')
  else {
    log.error('the node cannot go on and stops', { reason: (failure as Error).message })
  }
  try {
    await end()
  } catch (error) {
    // After a failed disk, closing it may fail as well; the first failure is the news.
    if (failure === 'stop') throw error
  }
  if (failure !== 'stop') throw failure
  return 0
}

/** undefined on a chain without a gateway, which needs none of that code. */
async function relayOf(start: RelayStart): Promise<RelayHub | undefined> {
  const { chain } = start.served.chains()[0]!.node
  if (chain.state().code(ADDRESSES.pegGateway).length === 0) return undefined
  const { startRelay } = await import('./relay-start.ts')
  return startRelay(start)
}

interface Opened {
  readonly shared: SharedParts
  readonly local: LocalNode
  readonly isDev: boolean
  readonly openedMs: number
}

/** Apart from `runNode`, which lives as long as the node: a genesis file may be large. */
async function open(ports: NodePorts): Promise<Opened> {
  const { config } = ports
  const genesisFile = readGenesis(config.dataDir)
  const isDev = isDevChain(genesisFile.genesis)
  const validatorKey = isDev ? devValidatorKey() : await loadValidatorKey(ports)
  const startedAt = performance.now()
  const isNetworked = config.network.enabled ?? ports.isNetworked
  const shared = await openSharedParts({ config, log: ports.log, validatorKey, isNetworked })
  try {
    const local = await openLocalChain({ ...ports, name: MAIN_CHAIN, genesisFile }, shared)
    return { shared, local, isDev, openedMs: Math.round(performance.now() - startedAt) }
  } catch (error) {
    await shared.close()
    throw error
  }
}

/** Whose blocks are sealed by the public key. */
function isDevChain(genesis: Genesis): boolean {
  if (genesis.qbft === undefined || genesis.chainId !== BigInt(DEV_CHAIN_ID)) return false
  const { crypto } = loadSystemCrypto()
  const { validators } = decodeExtraData(genesis.extraData)
  return validators[0] === addressOfPublicKey(crypto.publicKey(devValidatorKey()))
}

async function loadValidatorKey(ports: NodePorts): Promise<Uint8Array | undefined> {
  const { keystore, passwordFile, acceptWeakKeystore } = ports.config.validator
  if (keystore === undefined) return undefined
  const text = readKeyFile(keystore)
  const source: PasswordSource =
    ports.passwordDescriptor !== undefined
      ? { kind: 'descriptor', descriptor: ports.passwordDescriptor }
      : passwordFile !== undefined
        ? { kind: 'file', path: passwordFile }
        : { kind: 'prompt', question: `password of ${keystore}: ` }
  const password = await readPassword(source)
  try {
    return await decryptKeystore(text, password, { acceptWeak: acceptWeakKeystore })
  } finally {
    password.fill(0)
  }
}

/** Resolves at the first signal to stop; the second ends the process at once. */
export function stopSignal(): Promise<'stop'> {
  return new Promise((settle) => {
    let isAsked = false
    const onSignal = (): void => {
      if (isAsked) process.exit(130)
      isAsked = true
      settle('stop')
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
    // Started by `vellum start`: it must not live on when that one was killed.
    process.once('disconnect', () => settle('stop'))
    process.channel?.unref()
  })
}

interface BannerFacts {
  readonly config: NodeConfig
  /** Of the RPC server. */
  readonly url: string
}

function urlOf({ rpc }: NodeConfig, { address, port }: RpcServer): string {
  const scheme = rpc.tls === undefined ? 'http' : 'https'
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`
}

function* banner(
  { local, isDev, openedMs }: Opened,
  served: ServedChains,
  { config, url }: BannerFacts,
): Generator<string> {
  const { chain } = local.node
  const { retainedBlocks } = local
  const states = retainedBlocks === undefined ? 'all kept (archive)' : `last ${retainedBlocks} kept`
  const { periodMs, heartbeatMs } = config.blocks
  const idle = heartbeatMs === 0 ? 'none while idle' : `every ${heartbeatMs / 1000} s while idle`
  const rhythm = periodMs === 0 ? 'when a transaction waits' : `every ${periodMs} ms under load`
  yield `Vellum ${VERSION}${isDev ? ', development chain' : ''}`
  yield ''
  yield `  RPC         ${url}`
  if (local.network !== undefined) yield `  peer id     ${local.network.peerId}`
  yield* roleLines(local)
  yield `  chain id    ${chain.genesis.chainId}`
  yield `  head        block ${chain.head().header.number}, ${chain.head().hash}`
  yield `  data        ${resolve(config.dataDir)} (opened and verified in ${openedMs} ms)`
  yield `  states      ${states}`
  yield `  blocks      ${makesBlocks(local) ? `${rhythm}, ${idle}` : 'none made here'}`
  yield* chainLines(served)
  yield `  signatures  ${local.crypto.backend === 'native' ? 'libsecp256k1' : 'JavaScript (slow)'}`
  yield ''
  if (isDev) yield* devAccountLines(url)
  yield 'Stop with Ctrl-C: what was acknowledged is on disk.'
}

/** The side chains, if there are any. */
function* chainLines(served: ServedChains): Generator<string> {
  const sides = served.all().filter(({ name }) => name !== MAIN_CHAIN)
  for (const [i, { name, state, reason, chainId, height, isValidator }] of sides.entries()) {
    const heading = i === 0 ? 'side chains' : ''
    const what =
      state === 'serving'
        ? `chain id ${chainId}, block ${height}, ${isValidator ? 'validated here' : 'followed'}`
        : state === 'failed'
          ? `NOT SERVED: ${reason}`
          : 'taken off; its data are kept'
    yield `  ${heading.padEnd(11)} /chain/${name}  ${what}`
  }
}

/** What this node is to its chain, and why it is no more than that. */
function* roleLines({ node, network, votes, address }: LocalNode): Generator<string> {
  if (node.consensus === undefined) {
    yield '  role        serves a chain of another kind'
    return
  }
  const { validators } = node.consensus.runner.state()
  const place = `${validators.length === 1 ? 'the one validator' : `one of ${validators.length} validators`}`
  if (address !== undefined && validators.includes(address)) {
    yield `  role        ${place}, ${address}`
    if (votes?.lostReason !== undefined) {
      yield `              abstains: ${votes.lostReason} (${votes.path}); it votes again when its`
      yield '              peers have gone on without it'
    }
    return
  }
  yield address === undefined
    ? `  role        follower${network === undefined ? '' : `, ${network.address}`}`
    : `  role        follower: ${address} is none of the ${validators.length} validators`
}

function makesBlocks({ node, address }: LocalNode): boolean {
  return (
    address !== undefined && (node.consensus?.runner.state().validators.includes(address) ?? false)
  )
}
