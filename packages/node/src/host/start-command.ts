/** `vellum start`: a node with its RPC server, until it is told to stop or cannot go on. */

import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { bytesToHex } from '@vellum/evm'
import { addressOfPublicKey, decodeExtraData, encodeExtraData, type Genesis } from '@vellum/ledger'
import { createRpc, type RpcServer, startServer } from '@vellum/rpc'
import type { NodeConfig } from '../config.ts'
import { DEV_ACCOUNTS, DEV_CHAIN_ID, devGenesis, devValidatorKey } from '../dev-chain.ts'
import { NodeError } from '../error.ts'
import type { Logger } from '../ports.ts'
import { type CommandPorts, writeGenesisFile } from './chain-commands.ts'
import { genesisPath } from './data-directory.ts'
import { type PasswordSource, readKeyFile, readPassword } from './key-files.ts'
import { decryptKeystore } from './keystore.ts'
import { type LocalNode, openLocalNode, readGenesis } from './local-node.ts'
import { systemClock, systemTimers } from './machine.ts'
import { loadSystemCrypto } from './system.ts'
import { VERSION } from './version.ts'

export interface StartPorts extends CommandPorts {
  /** Descriptor that the validator's password is read from, before files and prompt. */
  readonly passwordDescriptor: number | undefined
}

/**
 * Runs until a signal or a failure.
 * @returns the process's exit code
 */
export async function runNode(ports: StartPorts): Promise<number> {
  const { config, log } = ports
  if (!existsSync(genesisPath(config.dataDir))) await beginDevChain(config.dataDir)
  const { local, isDev, openedMs } = await open(ports)
  let server: RpcServer
  try {
    server = await serve(local, config, log.child('rpc'))
  } catch (error) {
    await local.close()
    throw error
  }
  // Asked for before the banner says that the node is there to be stopped.
  const stopping = stopSignal()
  await local.node.start()
  for (const line of banner(local, { config, server, isDev, openedMs })) ports.print(line)

  const failure = await Promise.race([stopping, local.node.failed])
  if (failure === 'stop') log.info('stopping')
  else {
    log.error('the node cannot go on and stops', { reason: (failure as Error).message })
  }
  await server.stop()
  try {
    await local.close()
  } catch (error) {
    // After a failed disk, closing it may fail as well; the first failure is the news.
    if (failure === 'stop') throw error
  }
  if (failure !== 'stop') throw failure
  return 0
}

/** Apart from `runNode`, which lives as long as the node: a genesis file may be large. */
async function open(
  ports: StartPorts,
): Promise<{ local: LocalNode; isDev: boolean; openedMs: number }> {
  const genesisFile = readGenesis(ports.config.dataDir)
  const isDev = isDevChain(genesisFile.genesis)
  const validatorKey = isDev ? devValidatorKey() : await loadValidatorKey(ports)
  const startedAt = performance.now()
  const local = await openLocalNode({
    ...ports,
    genesisFile,
    ...(validatorKey === undefined ? {} : { validatorKey }),
  })
  return { local, isDev, openedMs: Math.round(performance.now() - startedAt) }
}

/** A new directory without a chain gets the development chain. */
async function beginDevChain(dataDir: string): Promise<void> {
  const { crypto } = loadSystemCrypto()
  const validator = addressOfPublicKey(crypto.publicKey(devValidatorKey()))
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: [validator],
    vote: undefined,
    round: 0,
    seals: [],
  })
  const genesis = devGenesis(bytesToHex(extraData))
  await writeGenesisFile(dataDir, `${JSON.stringify(genesis, undefined, 2)}\n`)
}

/** Whose blocks are sealed by the public key. */
function isDevChain(genesis: Genesis): boolean {
  if (genesis.qbft === undefined || genesis.chainId !== BigInt(DEV_CHAIN_ID)) return false
  const { crypto } = loadSystemCrypto()
  const { validators } = decodeExtraData(genesis.extraData)
  return validators[0] === addressOfPublicKey(crypto.publicKey(devValidatorKey()))
}

async function loadValidatorKey(ports: StartPorts): Promise<Uint8Array | undefined> {
  const { keystore, passwordFile } = ports.config.validator
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
    return await decryptKeystore(text, password)
  } finally {
    password.fill(0)
  }
}

async function serve({ node }: LocalNode, { rpc }: NodeConfig, log: Logger): Promise<RpcServer> {
  const dispatch = createRpc({
    backend: node.backend,
    ports: {
      nowMs: () => systemClock.elapsed(),
      nextTurn: () => new Promise((turn) => setImmediate(turn)),
      onInternalError: (error, method) => {
        const { message, stack } = error as Error
        log.error('a method failed', { method, message, stack })
      },
      randomBytes: (size) => randomBytes(size),
      setTimer: (timeMs, callback) => systemTimers.after(timeMs, callback),
    },
  })
  try {
    return await startServer({
      port: rpc.port,
      address: rpc.host,
      route: (path) => (path === '/' ? dispatch : undefined),
      hosts: ['localhost', ...rpc.allowedHosts],
      origins: rpc.corsOrigins,
    })
  } catch (cause) {
    const { code, message } = cause as { code?: string; message: string }
    const where = `${rpc.host}:${rpc.port}`
    throw new NodeError(
      'NODE_PORT_TAKEN',
      code === 'EADDRINUSE'
        ? `${where} is in use by another program; stop that one, or choose another port with --port (0: any free one)`
        : `cannot listen on ${where}: ${message}; choose others with --host and --port`,
      { host: rpc.host, port: rpc.port, code },
      { cause },
    )
  }
}

/** Resolves at the first signal to stop; the second ends the process at once. */
function stopSignal(): Promise<'stop'> {
  return new Promise((settle) => {
    let isAsked = false
    const onSignal = (): void => {
      if (isAsked) process.exit(130)
      isAsked = true
      settle('stop')
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}

interface BannerFacts {
  readonly config: NodeConfig
  readonly server: RpcServer
  readonly isDev: boolean
  readonly openedMs: number
}

function* banner(local: LocalNode, facts: BannerFacts): Generator<string> {
  const { config, server, isDev, openedMs } = facts
  const { chain } = local.node
  const url = `http://${server.address.includes(':') ? `[${server.address}]` : server.address}:${server.port}`
  const { retainedBlocks } = local
  const states = retainedBlocks === undefined ? 'all kept (archive)' : `last ${retainedBlocks} kept`
  const { periodMs, heartbeatMs } = config.blocks
  const idle = heartbeatMs === 0 ? 'none while idle' : `every ${heartbeatMs / 1000} s while idle`
  const canSeal = isDev || config.validator.keystore !== undefined
  const rhythm = periodMs === 0 ? 'when a transaction waits' : `every ${periodMs} ms under load`
  yield `Vellum ${VERSION}${isDev ? ', development chain' : ''}`
  yield ''
  yield `  RPC         ${url}`
  yield `  chain id    ${chain.genesis.chainId}`
  yield `  head        block ${chain.head().header.number}, ${chain.head().hash}`
  yield `  data        ${resolve(config.dataDir)} (opened and verified in ${openedMs} ms)`
  yield `  states      ${states}`
  yield `  blocks      ${canSeal ? `${rhythm}, ${idle}` : 'none made here: no --validator'}`
  yield `  signatures  ${local.crypto.backend === 'native' ? 'libsecp256k1' : 'JavaScript (slow)'}`
  yield ''
  if (isDev) yield* devLines(url)
  yield 'Stop with Ctrl-C: what was acknowledged is on disk.'
}

function* devLines(url: string): Generator<string> {
  yield 'Development accounts, 10,000 ether each. Their keys are public: never use them, or this'
  yield 'chain, for anything of value.'
  yield ''
  for (const { address, privateKey } of DEV_ACCOUNTS) yield `  ${address}  ${privateKey}`
  const [sender, receiver] = DEV_ACCOUNTS
  yield ''
  yield 'Try it: run `node` in this folder and paste'
  yield ''
  yield "  const { ethers } = await import('ethers')"
  yield `  const wallet = new ethers.Wallet('${sender!.privateKey}', new ethers.JsonRpcProvider('${url}'))`
  yield `  await (await wallet.sendTransaction({ to: '${receiver!.address}', value: 1n })).wait()`
  yield ''
}
