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
  byName,
  type Field,
  flag,
  list,
  listOf,
  oneOf,
  optional,
  readSettings,
  section,
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
    /** Vote against validators that are proven to contradict themselves, on any chain of this process. */
    readonly evictEquivocators: boolean
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
  /**
   * Genesis files of side chains that the directory begins with, by name. What was taken off later stays
   * off.
   */
  readonly sideChains: ReadonlyMap<string, string>
  readonly relay: {
    /**
     * Whether this node carries messages between main and the side chains that it serves; undefined: a
     * development network in one process does.
     */
    readonly enabled: boolean | undefined
    /** Blocks after which a chain is told of another's head, if no message brings it. */
    readonly anchorBlocks: number
    /** Seconds after which it is told; a quarter of the light client's trusting period if that is less. */
    readonly anchorSeconds: number
  }
  /** For drills alone. */
  readonly test: {
    /** Milliseconds that this node's clock is ahead of the machine's. */
    readonly clockOffsetMs: number
    /** `STEP:COUNT`: the process ends at once when its relayer comes to that step so many times. */
    readonly relayExit: string | undefined
  }
  readonly logLevel: LogLevel
}

/** What differs for a side chain: `chain.json` in its folder. The rest is as the node has it. */
export interface ChainConfig {
  /** False: it was taken off; its data stay. */
  readonly served: boolean
  readonly state: Partial<NodeConfig['state']>
  readonly blocks: Partial<NodeConfig['blocks']>
  readonly network: {
    /** Peers of this chain that are let in and called for ever, beside those of the node. */
    readonly bootnodes: readonly string[]
  }
  readonly relay: Partial<NodeConfig['relay']>
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

/**
 * Checks what `chain.json` of a side chain says.
 * @throws NodeError NODE_CONFIG_INVALID as `parseConfig`
 */
export function parseChainConfig(raw: unknown): ChainConfig {
  return readSettings(raw, CHAIN_CONFIG, 'chain.json')
}

/** The node's settings, for one of its side chains. @param dataDir the chain's folder */
export function configOfChain(config: NodeConfig, chain: ChainConfig, dataDir: string): NodeConfig {
  return {
    ...config,
    dataDir,
    genesisFile: undefined,
    state: laidOver(config.state, chain.state),
    blocks: laidOver(config.blocks, chain.blocks),
    relay: laidOver(config.relay, chain.relay),
  }
}

function laidOver<T extends object>(base: T, over: Partial<T>): T {
  const given = Object.entries(over).filter(([, value]) => value !== undefined)
  return { ...base, ...(Object.fromEntries(given) as Partial<T>) }
}

const CHECKED: Field<NodeConfig> = (reader) => {
  const config = CONFIG(reader)
  if (config.rpc.tokenRequired && config.rpc.jwtSecretFile === undefined) {
    reader.complaints.push('rpc.tokenRequired needs rpc.jwtSecretFile')
  }
  return config
}

const RETAINED_BLOCKS = whole(64, 10_000_000)
const PERIOD_MS = whole(0, HOUR_MS)
const GATHER_MS = whole(0, 10_000)
const HEARTBEAT_MS = whole(0, 24 * HOUR_MS)
const BUILD_MS = whole(10, 60_000)
/** An anchor makes a block, too: one for each block would never end. */
const ANCHOR_BLOCKS = whole(8, 1_000_000)
const ANCHOR_SECONDS = whole(1, 24 * 3_600)
const GAS_LIMIT = whole(5_000, Number.MAX_SAFE_INTEGER)

const CONFIG: Field<NodeConfig> = section<NodeConfig>({
  dataDir: text('data/dev'),
  genesisFile: optional(text()),
  state: section<NodeConfig['state']>({
    mode: optional(oneOf(STATE_MODES)),
    retainedBlocks: withDefault(1_024, RETAINED_BLOCKS),
  }),
  blocks: section<NodeConfig['blocks']>({
    periodMs: withDefault(0, PERIOD_MS),
    gatherMs: withDefault(300, GATHER_MS),
    heartbeatMs: withDefault(60_000, HEARTBEAT_MS),
    buildMs: withDefault(200, BUILD_MS),
    gasLimit: optional(GAS_LIMIT),
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
    evictEquivocators: withDefault(true, flag()),
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
  sideChains: byName(
    (name) => CHAIN_NAME.test(name) && name !== 'main',
    'names of 1 to 32 of a-z, 0-9 and -, and not `main`',
    text(),
  ),
  relay: section<NodeConfig['relay']>({
    enabled: optional(flag()),
    anchorBlocks: withDefault(256, ANCHOR_BLOCKS),
    anchorSeconds: withDefault(60, ANCHOR_SECONDS),
  }),
  test: section<NodeConfig['test']>({
    clockOffsetMs: withDefault(0, whole(-24 * HOUR_MS, 24 * HOUR_MS)),
    relayExit: optional(text()),
  }),
  logLevel: withDefault<LogLevel>('info', oneOf(LOG_LEVELS)),
})

const CHAIN_CONFIG: Field<ChainConfig> = section<ChainConfig>({
  served: withDefault(true, flag()),
  state: section<Partial<NodeConfig['state']>>({
    mode: optional(oneOf(STATE_MODES)),
    retainedBlocks: optional(RETAINED_BLOCKS),
  }),
  blocks: section<Partial<NodeConfig['blocks']>>({
    periodMs: optional(PERIOD_MS),
    gatherMs: optional(GATHER_MS),
    heartbeatMs: optional(HEARTBEAT_MS),
    buildMs: optional(BUILD_MS),
    gasLimit: optional(GAS_LIMIT),
  }),
  network: section<ChainConfig['network']>({ bootnodes: list() }),
  relay: section<Partial<NodeConfig['relay']>>({
    enabled: optional(flag()),
    anchorBlocks: optional(ANCHOR_BLOCKS),
    anchorSeconds: optional(ANCHOR_SECONDS),
  }),
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
