/** `vellum relay`: a relayer as a process of its own, between nodes that it reaches over JSON-RPC. */

import { randomInt } from 'node:crypto'
import type { RecoverAuthor } from '@vellum/consensus'
import type { Hex } from '@vellum/evm'
import { NodeError } from '../error.ts'
import { createMetrics } from '../metrics.ts'
import type { Logger, Signer } from '../ports.ts'
import { createRelayLink, type RelayLink } from '../relay.ts'
import type { RelayChain } from '../relay-chain.ts'
import { registerLinkMetrics } from '../relay-metrics.ts'
import { recoverSeal, signerOf } from '../sealing.ts'
import { type PasswordSource, readKeyFile, readPassword } from './key-files.ts'
import { decryptKeystore } from './keystore.ts'
import { systemClock, systemTimers } from './machine.ts'
import { type MetricsServer, startMetricsServer } from './metrics-server.ts'
import { stopSignal } from './node-command.ts'
import { createHttpRelayChain } from './relay-chain-http.ts'
import { exitAt } from './relay-start.ts'
import { createRpcClient, type RpcClient } from './rpc-client.ts'
import { loadSystemCrypto } from './system.ts'

export interface RelayFlags {
  /** Of a node of the main chain. */
  readonly main: string
  /** NAME=URL each; NAME alone: at /chain/NAME of main's node. */
  readonly side: readonly string[]
  readonly keystore: string
  readonly passwordFile?: string
  readonly passwordFd?: number
  readonly acceptWeakKeystore?: boolean
  readonly jwtSecret?: string
  readonly metricsPort?: number
  readonly anchorBlocks: number
  readonly anchorSeconds: number
  /** For drills. */
  readonly exitAt?: string
}

export interface RelayPorts {
  readonly log: Logger
  print(line: string): void
}

/** Milliseconds between two lines that say how it stands. */
const REPORT_MS = 10_000

/** Runs until it is told to stop. @throws NodeError for a key, a node or a chain that cannot be used */
export async function runRelay(flags: RelayFlags, { log, print }: RelayPorts): Promise<void> {
  const { crypto, fallbackReason } = loadSystemCrypto()
  if (fallbackReason !== undefined)
    log.warn('signatures are computed in JavaScript', { fallbackReason })
  const signer = signerOf(await readKey(flags), crypto)
  const mainClient = createRpcClient(flags.main, flags.jwtSecret)
  const main = await openChain('main', mainClient, signer)
  const sides = await Promise.all(
    flags.side.map((text) => {
      const { name, url } = parseSide(text)
      const client = url === undefined ? mainClient.at(name) : createRpcClient(url, flags.jwtSecret)
      return openChain(name, client, signer)
    }),
  )
  const links = linksOf(flags, main, sides, recoverSeal(crypto), log)
  const metrics = createMetrics()
  registerLinkMetrics(metrics, () => links)
  let server: MetricsServer | undefined
  if (flags.metricsPort !== undefined) {
    server = await startMetricsServer({
      host: '127.0.0.1',
      port: flags.metricsPort,
      metrics: metrics.text,
      failure: () => undefined,
      readiness: () => ({ ready: true, reasons: [] }),
    })
  }
  for (const link of links) link.start()
  print(`relaying as ${signer.address}`)
  for (const { chains } of links) {
    print(`  ${chains[0].name} (${chains[0].chainId}) <-> ${chains[1].name} (${chains[1].chainId})`)
  }
  if (server !== undefined) print(`  metrics  http://127.0.0.1:${server.port}/metrics`)
  const cancelReports = report(links, print)
  await stopSignal()
  print('stopping')
  cancelReports()
  await Promise.all(links.map((link) => link.stop()))
  await server?.stop()
}

function linksOf(
  flags: RelayFlags,
  main: RelayChain,
  sides: readonly RelayChain[],
  recover: RecoverAuthor,
  log: Logger,
): readonly RelayLink[] {
  const settings = {
    anchorBlocks: flags.anchorBlocks,
    anchorMs: flags.anchorSeconds * 1_000,
  }
  const onStep = exitAt(flags.exitAt)
  return sides.map((side) =>
    createRelayLink(
      { chains: [main, side], settings, seed: randomInt(1, 2 ** 31) },
      { clock: systemClock, timers: systemTimers, log: log.child(side.name), recover, onStep },
    ),
  )
}

/** @param text NAME or NAME=URL */
export function parseSide(text: string): { name: string; url: string | undefined } {
  const at = text.indexOf('=')
  const name = at < 0 ? text : text.slice(0, at)
  const url = at < 0 ? undefined : text.slice(at + 1)
  if (!/^[a-z0-9-]{1,32}$/.test(name) || (url !== undefined && !URL.canParse(url))) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `--side wants NAME, or NAME=URL, and got ${JSON.stringify(text)}`,
    )
  }
  return { name, url }
}

async function openChain(name: string, client: RpcClient, signer: Signer): Promise<RelayChain> {
  const chainId = BigInt(await client.call<Hex>('eth_chainId'))
  return createHttpRelayChain({
    name,
    client,
    chainId,
    signer,
    clock: systemClock,
    timers: systemTimers,
  })
}

async function readKey(flags: RelayFlags): Promise<Uint8Array> {
  const text = readKeyFile(flags.keystore)
  const source: PasswordSource =
    flags.passwordFd !== undefined
      ? { kind: 'descriptor', descriptor: flags.passwordFd }
      : flags.passwordFile !== undefined
        ? { kind: 'file', path: flags.passwordFile }
        : { kind: 'prompt', question: `password of ${flags.keystore}: ` }
  const password = await readPassword(source)
  try {
    return await decryptKeystore(text, password, { acceptWeak: flags.acceptWeakKeystore ?? false })
  } finally {
    password.fill(0)
  }
}

/** A line for each direction in which something has changed. */
function report(links: readonly RelayLink[], print: (line: string) => void): () => void {
  const last = new Map<string, string>()
  let cancel = systemTimers.after(REPORT_MS, tell)
  function tell(): void {
    for (const { chains, status } of links) {
      for (const source of [0, 1] as const) {
        const title = `${chains[source].name} > ${chains[source === 0 ? 1 : 0].name}`
        const { doneThrough, undelivered, unacknowledged, client, lastFailure } = status(source)
        const failure = lastFailure === undefined ? '' : `; last failure: ${lastFailure.reason}`
        const line =
          `${title}: ${doneThrough} through, ${undelivered} to be delivered, ` +
          `${unacknowledged} to be acknowledged; client ${client.status} at ${client.latestHeight}${failure}`
        if (last.get(title) !== line) print(line)
        last.set(title, line)
      }
    }
    cancel = systemTimers.after(REPORT_MS, tell)
  }
  return () => cancel()
}
