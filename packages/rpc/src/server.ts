/**
 * JSON-RPC over HTTP/1.1 and WebSocket, with or without TLS, in front of a dispatch: who may connect, how
 * long, and how many. What is spoken on a connection is in http-connection.ts and web-socket.ts.
 *
 * Written on `node:net`: node's own HTTP server spends several times as long on a small request as
 * the request itself takes. It speaks the little that JSON-RPC needs (POST with a body, keep-alive,
 * pipelining, chunked bodies, 100-continue, CORS, upgrades to WebSocket) and refuses the rest.
 *
 * Limits: connections in all and per address, deadlines for head, request and idleness, budgets for
 * addresses. When all places are taken, whoever has waited longest without a request makes room, so
 * that idle sockets cannot keep clients out.
 */

import { createServer, type Server, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { createServer as createTlsServer, type TLSSocket } from 'node:tls'
import type { RefusalReason } from './access.ts'
import { type Authenticate, type ClientSetting, createClient } from './client.ts'
import { createProxyTrust, isLoopback, plainAddress } from './client-address.ts'
import type { Connection, ServerSetting } from './connection.ts'
import type { Dispatch } from './dispatch.ts'
import { dateLine, plainAnswer } from './http-answer.ts'
import { openHttpConnection } from './http-connection.ts'
import { createRateLimiter } from './rate-limit.ts'
import { SERVER_LIMITS, type ServerLimits } from './server-limits.ts'
import { createWebSocketDoor } from './web-socket.ts'

export interface ServerOptions {
  /** 0 to 65535; 0 takes a free one. */
  readonly port: number
  /** Address to listen at. Default: 127.0.0.1. */
  readonly address?: string
  /** What answers at a path; undefined: 404. */
  readonly route: (path: string) => Dispatch | undefined
  /**
   * Names under which clients may speak to this server, against DNS rebinding; `*` for any. IP addresses
   * are always taken. Default: localhost.
   */
  readonly hosts?: readonly string[]
  /** Origins of web pages that may read answers and open WebSockets; `*` for any. Default: none. */
  readonly origins?: readonly string[]
  /** False: no WebSockets. Default: true. */
  readonly webSockets?: boolean
  /** Certificate and key, both PEM; undefined: no TLS. */
  readonly tls?: ServerTls | undefined
  /** Proxies whose X-Forwarded-For is believed: addresses, or networks such as `10.0.0.0/8`. */
  readonly trustedProxies?: readonly string[]
  /** Reads tokens; undefined: they are not looked at. */
  readonly authenticate?: Authenticate | undefined
  /** True: nothing is answered without a token. Default: false. */
  readonly isTokenRequired?: boolean
  /** Hears of each client that was not served. Must not throw. */
  readonly onRefused?: (reason: RefusalReason) => void
  readonly limits?: Partial<ServerLimits>
}

/** All in PEM. */
export interface ServerTls {
  /** The certificate, and those between it and one that clients know. */
  readonly certificate: string
  readonly key: string
  /** Authorities of clients' certificates; given, every client must have one. */
  readonly clientAuthorities?: string | undefined
}

export interface RpcServer {
  readonly address: string
  readonly port: number
  /** Open connections. */
  readonly connections: number
  /** Of these, WebSockets. */
  readonly webSockets: number
  /** Takes no new requests, lets those under way end, closes. */
  stop(): Promise<void>
}

/** How often deadlines are looked at, in milliseconds. */
const SWEEP_MS = 500
/** Connections that the system keeps for us until we look at them. */
const BACKLOG = 1_024

/**
 * Listens.
 * @throws the error of the socket, such as EADDRINUSE or EACCES, with its `code`; of OpenSSL for
 * certificates and keys that are none; RangeError for proxies that are no addresses
 */
export async function startServer(options: ServerOptions): Promise<RpcServer> {
  const limits: ServerLimits = { ...SERVER_LIMITS, ...options.limits }
  const places = createPlaces(limits)
  const onRefused = options.onRefused ?? (() => {})
  let webSockets = 0
  const setting: ServerSetting = {
    limits,
    route: options.route,
    hosts: new Set((options.hosts ?? ['localhost']).map((host) => host.toLowerCase())),
    origins: new Set(options.origins ?? []),
    takesWebSockets: options.webSockets ?? true,
    hasRoomForWebSocket: () => webSockets < limits.webSocketsMax,
    onRefused,
    dateLine: dateLine(),
    nowMs: performance.now(),
    isStopping: false,
  }
  const clients: ClientSetting = {
    trust: createProxyTrust(options.trustedProxies ?? []),
    limiter: createRateLimiter(limits, () => performance.now()),
    authenticate: options.authenticate,
    isTokenRequired: options.isTokenRequired ?? false,
  }
  const door = createWebSocketDoor(setting)
  const beginTls = options.tls && createTlsEntry(options.tls, limits)

  const server: Server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    const address = plainAddress(socket.remoteAddress ?? '')
    const refusal = refusalOf(address)
    if (refusal !== undefined) {
      onRefused(refusal.status === 429 ? 'address' : 'places')
      // Who has not shaken hands yet could not read why.
      if (beginTls !== undefined) return void socket.destroy()
      return turnAway(socket, plainAnswer(setting, refusal.status, refusal.reason))
    }
    if (beginTls === undefined) return open(socket, address, places.take(waiting(socket, address)))
    const place = places.take(waiting(socket, address))
    socket.on('close', () => place.leave())
    beginTls(socket, (secured) => open(secured, address, place))
  })

  /** Why a new connection is turned away; undefined if it may stay. */
  function refusalOf(address: string): { status: 429 | 503; reason: string } | undefined {
    const isFree = isLoopback(address) || clients.trust.isTrusted(address)
    if (!isFree && places.countOf(address) >= limits.connectionsPerAddressMax) {
      return { status: 429, reason: 'too many connections from this address' }
    }
    if (places.isFull() && !places.makeRoom()) {
      return { status: 503, reason: 'too many connections' }
    }
    return undefined
  }

  /** A connection of which nothing is known yet: its handshake is under way. */
  function waiting(socket: Socket, address: string): Connection {
    const sinceMs = setting.nowMs
    return {
      address,
      waitingSinceMs: () => sinceMs,
      sweep: () => {
        if (setting.nowMs - sinceMs > limits.headMsMax) socket.destroy()
      },
      stop: () => socket.destroy(),
      destroy: () => socket.destroy(),
    }
  }

  function open(socket: Socket, address: string, place: Place): void {
    const client = createClient(address, clients)
    const onUpgrade: Parameters<typeof openHttpConnection>[0]['onUpgrade'] = (upgrade) => {
      webSockets++
      socket.on('close', () => webSockets--)
      door.enter(socket, address, upgrade, (connection) => place.change(connection))
      socket.resume()
    }
    socket.on('close', () => place.leave())
    place.change(openHttpConnection({ socket, client, setting, onUpgrade }))
    if (setting.isStopping) socket.destroy()
  }

  const sweeper = setInterval(() => {
    setting.nowMs = performance.now()
    setting.dateLine = dateLine()
    for (const connection of places.all()) connection.sweep()
  }, SWEEP_MS)
  sweeper.unref()

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.address ?? '127.0.0.1', BACKLOG, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch((error: unknown) => {
    clearInterval(sweeper)
    throw error
  })
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the server has no port')

  return {
    address: bound.address,
    port: bound.port,
    get connections() {
      return places.count
    },
    get webSockets() {
      return webSockets
    },
    stop: () =>
      new Promise((resolve) => {
        setting.isStopping = true
        // The last sockets tell us that they have closed after they have told the server.
        const left = (): void => {
          if (places.count > 0) setImmediate(left)
          else resolve()
        }
        server.close(() => {
          clearInterval(sweeper)
          left()
        })
        for (const connection of places.all()) connection.stop()
      }),
  }
}

/** The right to be connected; what is spoken may change, and the place stays the same. */
interface Place {
  change(connection: Connection): void
  leave(): void
}

interface Places {
  readonly count: number
  all(): Iterable<Connection>
  countOf(address: string): number
  isFull(): boolean
  /** Ends the connection that has waited longest; false if all are being answered. */
  makeRoom(): boolean
  take(connection: Connection): Place
}

function createPlaces(limits: ServerLimits): Places {
  const connections = new Set<Connection>()
  const counts = new Map<string, number>()

  return {
    get count() {
      return connections.size
    },
    all: () => [...connections],
    countOf: (address) => counts.get(address) ?? 0,
    isFull: () => connections.size >= limits.connectionsMax,
    makeRoom() {
      let longest: Connection | undefined
      let since = Number.POSITIVE_INFINITY
      for (const connection of connections) {
        const waiting = connection.waitingSinceMs()
        if (waiting !== undefined && waiting < since) {
          longest = connection
          since = waiting
        }
      }
      if (longest === undefined) return false
      // It is told at once, and its place is free at once, whenever its socket says that it is closed.
      connections.delete(longest)
      longest.destroy()
      return true
    },
    take(connection) {
      const { address } = connection
      let current = connection
      let hasLeft = false
      connections.add(current)
      counts.set(address, (counts.get(address) ?? 0) + 1)
      return {
        change(next) {
          if (hasLeft) return
          connections.delete(current)
          connections.add(next)
          current = next
        },
        leave() {
          if (hasLeft) return
          hasLeft = true
          connections.delete(current)
          const left = (counts.get(address) ?? 1) - 1
          if (left === 0) counts.delete(address)
          else counts.set(address, left)
        },
      }
    },
  }
}

/** Shakes hands with sockets, and hands on those with which that went well. */
function createTlsEntry(
  tls: ServerTls,
  limits: ServerLimits,
): (socket: Socket, onSecured: (secured: TLSSocket) => void) => void {
  const { certificate: cert, key, clientAuthorities } = tls
  const secured = new Map<string, (socket: TLSSocket) => void>()
  const entry = createTlsServer({
    cert,
    key,
    ...(clientAuthorities !== undefined && { ca: clientAuthorities }),
    minVersion: 'TLSv1.2',
    requestCert: clientAuthorities !== undefined,
    rejectUnauthorized: clientAuthorities !== undefined,
    handshakeTimeout: limits.headMsMax,
    allowHalfOpen: true,
    ALPNProtocols: ['http/1.1'],
  })
  // The socket that comes out is another one than that which went in, with the same other end.
  entry.on('secureConnection', (socket) => secured.get(nameOf(socket))?.(socket))
  entry.on('tlsClientError', (_, socket) => socket.destroy())
  return (socket, onSecured) => {
    const name = nameOf(socket)
    secured.set(name, onSecured)
    socket.on('close', () => secured.delete(name))
    entry.emit('connection', socket)
  }
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

function turnAway(socket: Socket, answer: string): void {
  socket.on('error', () => socket.destroy())
  socket.end(answer, 'latin1', () => socket.destroy())
}
