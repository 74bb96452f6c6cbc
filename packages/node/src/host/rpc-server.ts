/** The RPC server of a node: its chains, who may reach them and with what, as the configuration says. */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ADDRESSES } from '@vellum/contracts/addresses'
import {
  type ChainsPort,
  createRoutes,
  createRpc,
  type Dispatch,
  GUARDED_NAMESPACES,
  OPERATOR_METHODS,
  type RpcServer,
  type ServerTls,
  startServer,
} from '@vellum/rpc'
import type { NodeConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { createLatePegPort } from '../late-peg-port.ts'
import type { Logger } from '../ports.ts'
import type { RelayHub } from '../relay-hub.ts'
import { createAdminPort } from './admin-port.ts'
import { readKeyFile } from './key-files.ts'
import type { LocalNode } from './local-node.ts'
import { systemClock, systemTimers } from './machine.ts'
import { createTokenReader, readTokenSecret } from './rpc-tokens.ts'
import type { ServedChains } from './served-chains.ts'

export interface ServedRpc {
  readonly server: RpcServer
  /** Serves a side chain at `/chain/<name>`. */
  open(chain: LocalNode): void
  /** Ends that. */
  close(name: string): void
}

export interface ServeRpcOptions {
  /** Served at `/`, too. */
  readonly main: LocalNode
  /** For operators; undefined: there is main for ever. */
  readonly chains: (ChainsPort & Pick<ServedChains, 'chains'>) | undefined
  /** The relayer of this process, once there is one. */
  readonly relay?: () => RelayHub | undefined
  readonly config: NodeConfig
  readonly log: Logger
}

/** @throws NodeError NODE_PORT_TAKEN; NODE_FILE_INVALID for a certificate, key or secret */
export async function serveRpc(options: ServeRpcOptions): Promise<ServedRpc> {
  const { main, config } = options
  const { rpc } = config
  const { observation } = main
  const routes = createRoutes([{ name: main.name, dispatch: dispatchOf(main, options) }])
  const secret = rpc.jwtSecretFile === undefined ? undefined : readTokenSecret(rpc.jwtSecretFile)
  const tls = rpc.tls && readTls(rpc.tls)
  try {
    const server = await startServer({
      port: rpc.port,
      address: rpc.host,
      route: routes.at,
      hosts: ['localhost', ...rpc.allowedHosts],
      origins: rpc.corsOrigins,
      webSockets: rpc.webSockets,
      tls,
      trustedProxies: rpc.trustedProxies,
      authenticate: secret && createTokenReader(secret, () => systemClock.now() / 1_000),
      isTokenRequired: rpc.tokenRequired,
      onRefused: observation.onRefused,
      limits: rpc.limits,
    })
    observation.attachRpc(server)
    return {
      server,
      open: (chain) => routes.add({ name: chain.name, dispatch: dispatchOf(chain, options) }),
      close: routes.remove,
    }
  } catch (cause) {
    throw startFailure(rpc, cause)
  }
}

function dispatchOf(chain: LocalNode, options: ServeRpcOptions): Dispatch {
  const { chains, relay, config, log } = options
  const { rpc } = config
  const hasGateway = chain.node.chain.state().code(ADDRESSES.pegGateway).length > 0
  const peg = hasGateway
    ? createLatePegPort(chain, { chains: () => chains?.chains() ?? [chain], relay })
    : undefined
  return createRpc({
    backend: { ...chain.node.backend, admin: createAdminPort(chain, chains), peg },
    ports: {
      nowMs: () => systemClock.elapsed(),
      nextTurn: () => new Promise((turn) => setImmediate(turn)),
      onInternalError: (error, method) => {
        const { message, stack } = error as Error
        log.error('a method failed', { chain: chain.name, method, message, stack })
      },
      randomBytes: (size) => randomBytes(size),
      setTimer: (timeMs, callback) => systemTimers.after(timeMs, callback),
      onAnswered: chain.observation.onAnswered,
      onSubscriptions: chain.watch.onSubscriptions,
    },
    limits: rpc.limits,
    ...operatorRule(rpc),
  })
}

/** Guarded methods without a token: as configured, or for programs of this machine. */
function operatorRule(rpc: NodeConfig['rpc']): {
  operatorMethods: readonly string[]
  operatorCallers: 'everybody' | 'direct'
} {
  if (rpc.operatorMethods !== undefined) {
    return { operatorMethods: rpc.operatorMethods, operatorCallers: 'everybody' }
  }
  const isOpen = isLoopback(rpc.host) && rpc.jwtSecretFile === undefined
  return {
    operatorMethods: isOpen ? [...GUARDED_NAMESPACES, ...OPERATOR_METHODS] : [],
    operatorCallers: 'direct',
  }
}

/** True if only this machine can reach the address. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function readTls(tls: NonNullable<NodeConfig['rpc']['tls']>): ServerTls {
  const { certificateFile, keyFile, clientAuthoritiesFile } = tls
  return {
    certificate: readPem(certificateFile),
    key: readKeyFile(keyFile, 'the key'),
    clientAuthorities: clientAuthoritiesFile && readPem(clientAuthoritiesFile),
  }
}

function readPem(path: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { message } = cause as Error
    throw new NodeError(
      'NODE_FILE_INVALID',
      `${path} cannot be read: ${message}`,
      { path },
      { cause },
    )
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) {
    throw new NodeError('NODE_FILE_INVALID', `${path} holds no certificate in PEM`, { path })
  }
  return text
}

function startFailure({ host, port, tls }: NodeConfig['rpc'], cause: unknown): NodeError {
  const { code, message } = cause as { code?: string; message: string }
  // OpenSSL has its own codes, of which there are many; the system's are those of sockets.
  if (tls !== undefined && code?.startsWith('ERR_')) {
    return new NodeError(
      'NODE_FILE_INVALID',
      `${tls.certificateFile} and ${tls.keyFile} are no certificate and its key: ${message}`,
      { code },
      { cause },
    )
  }
  const where = `${host}:${port}`
  return new NodeError(
    'NODE_PORT_TAKEN',
    code === 'EADDRINUSE'
      ? `${where} is in use by another program; stop that one, or choose another port with --port (0: any free one)`
      : `cannot listen on ${where}: ${message}; choose others with --host and --port`,
    { host, port, code },
    { cause },
  )
}
