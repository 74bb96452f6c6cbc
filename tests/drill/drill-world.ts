/** A network under load, its links, and the questions that every drill ends with. */

import { setTimeout as delay } from 'node:timers/promises'
import { findForks, findLost } from './agreement.ts'
import { type DrillLoad, type SeenReceipt, startDrillLoad } from './drill-load.ts'
import { createRunningNetwork, type NetworkProcess } from './running-network.ts'
import { openTcpDoor, type TcpDoor } from './tcp-links.ts'

export interface DrillWorld {
  /** Validators first, then those that may become some. */
  readonly nodes: readonly NetworkProcess[]
  readonly validators: number
  readonly load: DrillLoad
  /** Cuts, or heals, all links between one node and others; all others unless they are named. */
  cut(node: NetworkProcess, from?: readonly NetworkProcess[]): void
  heal(): void
  /** The highest head of any node that runs. */
  height(): Promise<number>
  /** Milliseconds until a block above a height. @throws Error if none comes in time */
  waitAbove(height: number): Promise<number>
  /** Resolves when a node has caught up with the highest. @returns milliseconds */
  waitCaughtUp(node: NetworkProcess): Promise<number>
  /** Waits until all running nodes have the same blocks, and compares what came since the last time. */
  compare(): Promise<Comparison>
  /** The same, of everything since the beginning. */
  compareAll(): Promise<Comparison>
  stop(): Promise<void>
}

export interface Comparison {
  /** Receipts seen by clients that a node does not have so. */
  readonly lost: number
  /** Heights at which not all have the same block. */
  readonly forks: number
}

export interface DrillWorldOptions {
  readonly directory: string
  readonly validators: number
  readonly followers: number
  /** Least milliseconds between blocks; undefined: on demand. */
  readonly blockPeriodMs?: number
  /** Seconds of a round; undefined: 2. */
  readonly requestTimeout?: number
  /** As of `RunningNetworkOptions`. */
  readonly checkout?: string
}

const CHAIN_ID = 1337
const POLL_MS = 20
/** Most milliseconds until the next block: with a round of 2 s this is many failed rounds. */
const NEXT_BLOCK_MS_MAX = 90_000
const CATCH_UP_MS_MAX = 120_000

export async function createDrillWorld(options: DrillWorldOptions): Promise<DrillWorld> {
  const network = await createRunningNetwork({ ...options, chainId: CHAIN_ID })
  const { nodes } = network
  const pids = (): number[] => nodes.filter(({ isRunning }) => isRunning).map(({ pid }) => pid)
  const doors = new Map<NetworkProcess, TcpDoor>()
  for (const node of nodes) doors.set(node, await openTcpDoor(node.peerPort, pids))
  for (const node of nodes) {
    node.configure((config) => {
      config.network.bootnodes = config.network.bootnodes.map((location) => {
        for (const [to, { port }] of doors) {
          if (location.includes(`/tcp/${to.peerPort}/`)) {
            return location.replace(`/tcp/${to.peerPort}/`, `/tcp/${port}/`)
          }
        }
        throw new Error(`no door leads to ${location}`)
      })
      // What peers tell one another: they must not find a way around the doors.
      config.network.announce = [`/ip4/127.0.0.1/tcp/${doors.get(node)!.port}`]
    })
  }
  await Promise.all(nodes.map((node) => node.start()))
  const load = startDrillLoad(CHAIN_ID, nodes)
  let compared = 0
  /** Receipts of which a comparison has been made; the map of those seen keeps their order. */
  let receiptsCompared = 0

  const running = (): NetworkProcess[] => nodes.filter(({ isRunning }) => isRunning)

  async function heightOf(node: NetworkProcess): Promise<number> {
    try {
      return Number(await node.call<string>('eth_blockNumber'))
    } catch {
      // It is stopped, or just being killed.
      return -1
    }
  }

  async function height(): Promise<number> {
    return Math.max(...(await Promise.all(running().map(heightOf))))
  }

  async function until(
    condition: () => Promise<boolean>,
    timeMsMax: number,
    what: string,
  ): Promise<number> {
    const startedAt = performance.now()
    while (!(await condition())) {
      if (performance.now() - startedAt > timeMsMax) {
        throw new Error(`${what}: not within ${timeMsMax / 1_000} s`)
      }
      await delay(POLL_MS)
    }
    return performance.now() - startedAt
  }

  /** A receipt that was seen is of a block that some node has: then all have it. */
  async function sameHeight(): Promise<number> {
    const target = await height()
    await until(
      async () => (await Promise.all(running().map(heightOf))).every((each) => each >= target),
      CATCH_UP_MS_MAX,
      'not all nodes have all blocks',
    )
    return target
  }

  async function comparison(
    from: number,
    to: number,
    seen: readonly SeenReceipt[],
  ): Promise<Comparison> {
    const forks = await findForks(running(), from, to)
    const lost = await findLost(running(), seen)
    return { lost: lost.size, forks: forks.length }
  }

  return {
    nodes,
    validators: options.validators,
    load,
    cut: (node, from = nodes) => {
      for (const other of from) {
        if (other === node) continue
        doors.get(node)!.refuse(() => other.pid)
        doors.get(other)!.refuse(() => node.pid)
      }
    },
    heal: () => {
      for (const door of doors.values()) door.admit()
    },
    height,
    waitAbove: (least) =>
      until(async () => (await height()) > least, NEXT_BLOCK_MS_MAX, 'no next block'),
    waitCaughtUp: (node) =>
      until(
        async () => {
          const [own, all] = await Promise.all([heightOf(node), height()])
          return own >= all - 1
        },
        CATCH_UP_MS_MAX,
        `${node.name} does not catch up`,
      ),
    compare: async () => {
      const seen = [...load.seen.values()]
      const fresh = seen.slice(receiptsCompared)
      const target = await sameHeight()
      const found = await comparison(compared + 1, target, fresh)
      compared = target
      receiptsCompared = seen.length
      return found
    },
    compareAll: async () => {
      const seen = [...load.seen.values()]
      return comparison(1, await sameHeight(), seen)
    },
    stop: async () => {
      await load.stop()
      await network.stop()
      await Promise.all([...doors.values()].map((door) => door.close()))
    },
  }
}
