/**
 * What a node is told: one schema, checked whole, frozen. Defaults stand here with their units.
 *
 * Only `host/main.ts` reads flags, files and the environment; it hands their union to `parseConfig`.
 */

import type { Address } from '@vellum/evm'
import {
  CHAIN_NAME,
  GUARDED_NAMESPACES,
  isGuarded,
  isProxy,
  RPC_LIMITS,
  type RpcLimits,
  SERVER_LIMITS,
  type ServerLimits,
} from '@vellum/rpc'
import {
  addresses,
  type Field,
  flag,
  list,
  listOf,
  oneOf,
  optional,
  readSettings,
  section,
  shown,
  text,
  whole,
  withDefault,
} from './setting.ts'
import { VALIDATORS_MIN } from './vote-guard.ts'

export interface NodeConfig {
  /** Directory of everything that the node keeps. */
  readonly dataDir: string
  /** Genesis file with which an empty data directory begins; undefined: it must hold a chain. */
  readonly genesisFile: string | undefined
  readonly state: {
    /** Which states are kept; undefined: as the directory was begun, or archive in a new one. */
    readonly mode: StateMode | undefined
    /** In pruned mode, blocks behind the head whose state is kept. */
    readonly retainedBlocks: number
  }
  readonly blocks: {
    /** Least milliseconds from one block to the next; 0: as soon as a transaction waits. */
    readonly periodMs: number
    /** Most milliseconds for which, under load, transactions gather for one block. */
    readonly gatherMs: number
    /** Milliseconds without transactions after which an empty block is made; 0: never. */
    readonly heartbeatMs: number
    /** Milliseconds that filling a block may take: nothing else is answered meanwhile. */
    readonly buildMs: number
    /** Gas limit that blocks move to; undefined keeps that of the genesis block. */
    readonly gasLimit: number | undefined
  }
  readonly sync: {
    /** How a node that begins catches up; undefined: by a snapshot if it is pruned, by blocks if not. */
    readonly mode: SyncMode | undefined
    /** Blocks that the peers must be ahead for a snapshot to be worth while. */
    readonly snapshotDistance: number
  }
  readonly consensus: {
    /** Most milliseconds of a round: the timeout doubles with failed rounds up to it. The same on all nodes. */
    readonly requestTimeoutMaxMs: number
    /** Form in which proposals and round changes are sent; both are read. */
    readonly encoding: 'three items' | 'four items'
  }
  readonly network: {
    /** Whether the node has peers; undefined: `vellum node` has, `vellum start` has none. */
    readonly enabled: boolean | undefined
    /** Where to listen for peers, as multiaddrs; empty: it calls others only. */
    readonly listen: readonly string[]
    /** What peers are told instead of the addresses listened at, for a node behind a translation. */
    readonly announce: readonly string[]
    /** Peers that are let in and called for ever: multiaddrs that end in `/p2p/<id>`. */
    readonly bootnodes: readonly string[]
    /** Addresses of further nodes that are let in; the chain's validators always are. */
    readonly members: readonly Address[]
  }
  /** The chains of this process, of which `/` of the RPC server is the first. One, today. */
  readonly chains: readonly ChainConfig[]
  readonly rpc: {
    readonly host: string
    /** TCP port; 0 lets the system choose. */
    readonly port: number
    /** Values of the Host header that are served beside `localhost` and IP addresses; `*`: any. */
    readonly allowedHosts: readonly string[]
    /** Origins whose pages may call and open WebSockets; empty: none. */
    readonly corsOrigins: readonly string[]
    /**
     * Guarded methods, or namespaces of them, that are served without a token; undefined: all of them
     * where only this machine can reach the server and no tokens are used, none elsewhere.
     */
    readonly operatorMethods: readonly string[] | undefined
    /** Whether connections may become WebSockets. */
    readonly webSockets: boolean
    /** File with the secret of tokens, 32 bytes in hex; undefined: there are none. */
    readonly jwtSecretFile: string | undefined
    /** Nothing is answered without a token. */
    readonly tokenRequired: boolean
    /** Proxies whose X-Forwarded-For is believed: addresses, or networks such as `10.0.0.0/8`. */
    readonly trustedProxies: readonly string[]
    /** Files in PEM; undefined: no TLS. */
    readonly tls: TlsConfig | undefined
    readonly limits: RpcLimits & ServerLimits
  }
  /** GET /metrics, /liveness and /readiness. */
  readonly metrics: {
    readonly enabled: boolean
    readonly host: string
    /** TCP port, 0 lets the system choose; undefined: 9545, or none if that is taken. */
    readonly port: number | undefined
  }
  readonly votes: {
    /** Below this many validators no vote of this node makes the set smaller. */
    readonly validatorsMin: number
  }
  readonly validator: {
    /** Keystore file of the key that seals blocks; undefined: the node makes none. */
    readonly keystore: string | undefined
    /** File whose first line is its password; undefined: it is asked for. */
    readonly passwordFile: string | undefined
    /** File of what the key has voted; undefined: beside the keystore, named after the address. */
    readonly votesFile: string | undefined
    /** Take a keystore whose password can be guessed fast, as those of `--light-keys`. */
    readonly acceptWeakKeystore: boolean
  }
  readonly threads: {
    /**
     * Threads beside the main one that recover signers under load; undefined: one less than
     * processors, at most 2. 0 where several nodes share the processors: a hop costs, too.
     */
    readonly recovery: number | undefined
  }
  /** For drills alone. */
  readonly test: {
    /** Milliseconds that this node's clock is ahead of the machine's. */
    readonly clockOffsetMs: number
  }
  readonly logLevel: LogLevel
}

export interface ChainConfig {
  /** Served at `/chain/<name>`. */
  readonly name: string
}

export interface TlsConfig {
  readonly certificateFile: string
  readonly keyFile: string
  /** Authorities of clients' certificates; given, every client must have one. */
  readonly clientAuthoritiesFile: string | undefined
}

/** `archive` keeps every state, `pruned` those near the head. */
export type StateMode = 'archive' | 'pruned'

/** `full` executes every block, `snapshot` takes over the state of a block near the head. */
export type SyncMode = 'full' | 'snapshot'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

const STATE_MODES: readonly StateMode[] = ['archive', 'pruned']
const SYNC_MODES: readonly SyncMode[] = ['full', 'snapshot']
const LOG_LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug']

const HOUR_MS = 3_600_000

/** Most of those limits for which 1,000 times the default would be too much for the program. */
const LIMITS_MOST: Readonly<Record<string, number>> = {
  bodyBytesMax: 134_217_728,
  headBytesMax: 1_048_576,
  responseCharsMax: 268_435_456,
  depthMax: 256,
  connectionsMax: 65_536,
  webSocketsMax: 65_536,
}
/** Limits that may be 0, which means none. */
const LIMITS_FROM_ZERO: readonly string[] = ['tokensPerSecond']

/**
 * Gas limit of a new network's blocks: large enough for some thousand calls, small enough to execute
 * within two seconds.
 */
export const DEFAULT_GAS_LIMIT = 500_000_000

/** Default of `sync.snapshotDistance`: so many blocks are executed in a few minutes at most. */
export const SNAPSHOT_DISTANCE = 1_024

/**
 * Checks a raw configuration (parsed JSON, flags laid over it) and fills in defaults.
 * @throws NodeError NODE_CONFIG_INVALID naming every wrong field, what it must be, and what it is
 */
export function parseConfig(raw: unknown): NodeConfig {
  return readSettings(raw, CHECKED, 'the configuration')
}

const CHECKED: Field<NodeConfig> = (reader) => {
  const config = CONFIG(reader)
  if (config.rpc.tokenRequired && config.rpc.jwtSecretFile === undefined) {
    reader.complaints.push('rpc.tokenRequired needs rpc.jwtSecretFile')
  }
  return config
}

const CONFIG: Field<NodeConfig> = section<NodeConfig>({
  dataDir: text('data/dev'),
  genesisFile: optional(text()),
  state: section<NodeConfig['state']>({
    mode: optional(oneOf(STATE_MODES)),
    retainedBlocks: withDefault(1_024, whole(64, 10_000_000)),
  }),
  blocks: section<NodeConfig['blocks']>({
    periodMs: withDefault(0, whole(0, HOUR_MS)),
    gatherMs: withDefault(300, whole(0, 10_000)),
    heartbeatMs: withDefault(60_000, whole(0, 24 * HOUR_MS)),
    buildMs: withDefault(200, whole(10, 60_000)),
    gasLimit: optional(whole(5_000, Number.MAX_SAFE_INTEGER)),
  }),
  sync: section<NodeConfig['sync']>({
    mode: optional(oneOf(SYNC_MODES)),
    snapshotDistance: withDefault(SNAPSHOT_DISTANCE, whole(64, 10_000_000)),
  }),
  consensus: section<NodeConfig['consensus']>({
    requestTimeoutMaxMs: withDefault(60_000, whole(100, HOUR_MS)),
    encoding: withDefault('three items', oneOf(['three items', 'four items'] as const)),
  }),
  network: section<NodeConfig['network']>({
    enabled: optional(flag()),
    listen: withDefault(['/ip4/127.0.0.1/tcp/30303'], list()),
    announce: list(),
    bootnodes: list(),
    members: addresses(),
  }),
  chains: chains(),
  rpc: section<NodeConfig['rpc']>({
    host: text('127.0.0.1'),
    port: withDefault(8545, whole(0, 65_535)),
    allowedHosts: list(),
    corsOrigins: list(),
    operatorMethods: optional(guardedMethods()),
    webSockets: withDefault(true, flag()),
    jwtSecretFile: optional(text()),
    tokenRequired: withDefault(false, flag()),
    trustedProxies: proxies(),
    tls: optional(
      section<TlsConfig>({
        certificateFile: text(),
        keyFile: text(),
        clientAuthoritiesFile: optional(text()),
      }),
    ),
    limits: limits({ ...RPC_LIMITS, ...SERVER_LIMITS }),
  }),
  metrics: section<NodeConfig['metrics']>({
    enabled: withDefault(true, flag()),
    host: text('127.0.0.1'),
    port: optional(whole(0, 65_535)),
  }),
  votes: section<NodeConfig['votes']>({
    validatorsMin: withDefault(VALIDATORS_MIN, whole(1, 128)),
  }),
  validator: section<NodeConfig['validator']>({
    keystore: optional(text()),
    passwordFile: optional(text()),
    votesFile: optional(text()),
    acceptWeakKeystore: withDefault(false, flag()),
  }),
  threads: section<NodeConfig['threads']>({
    recovery: optional(whole(0, 16)),
  }),
  test: section<NodeConfig['test']>({
    clockOffsetMs: withDefault(0, whole(-24 * HOUR_MS, 24 * HOUR_MS)),
  }),
  logLevel: withDefault<LogLevel>('info', oneOf(LOG_LEVELS)),
})

function guardedMethods(): Field<readonly string[]> {
  const namespaces = GUARDED_NAMESPACES.join(', ')
  return listOf(
    (name) => isGuarded(name) || GUARDED_NAMESPACES.includes(name),
    `${namespaces} and guarded methods`,
  )
}

function proxies(): Field<readonly string[]> {
  return listOf(isProxy, 'addresses and networks such as 10.0.0.0/8')
}

/** A limit is a whole number from 1 to 1,000 times its default, unless it is named above. */
function limits<T extends { readonly [Name in keyof T]: number }>(defaults: T): Field<T> {
  const fields = Object.entries<number>(defaults).map(([name, value]) => {
    const least = LIMITS_FROM_ZERO.includes(name) ? 0 : 1
    const most = LIMITS_MOST[name] ?? Math.min(value * 1_000, 2 ** 31 - 1)
    return [name, withDefault(value, whole(least, most))]
  })
  return section<T>(Object.fromEntries(fields))
}

function chains(): Field<readonly ChainConfig[]> {
  const chain = section<ChainConfig>({ name: withDefault('main', chainName()) })
  return ({ path, value, complaints }) => {
    if (value === undefined) return [{ name: 'main' }]
    if (Array.isArray(value) && value.length === 1) {
      return value.map((each, i) => chain({ path: `${path}.${i}`, value: each, complaints }))
    }
    complaints.push(`${path} must be a list of one chain, not ${shown(value)}`)
    return []
  }
}

function chainName(): Field<string> {
  return (reader) => {
    const name = text()(reader)
    if (name !== '' && !CHAIN_NAME.test(name)) {
      reader.complaints.push(`${reader.path} must be 1 to 32 of a-z, 0-9 and -, not ${shown(name)}`)
    }
    return name
  }
}
