/**
 * A relayer of a world: one process on a machine, which does what a node does between its chains: it
 * relays, audits the credit at every block, and brings proofs of lies. It reads the machine's own nodes
 * and hands them its transactions, a while later, in part, or never, as clients of a busy node find it.
 * It dies with its machine, with its nodes, or at one of its steps, and begins anew with nothing.
 */

import type { RecoverAuthor } from '@vellum/consensus'
import type { Secp256k1 } from '@vellum/ledger'
import {
  createMetrics,
  type HubChain,
  type Logger,
  type RelayChain,
  type RelayHub,
  type RelayStep,
  signerOf,
  startRelayHub,
  type VellumNode,
} from '@vellum/node'
import type { Prng } from '../prng.ts'
import { createVirtualProcess, type VirtualProcess } from '../process-gate.ts'
import type { Transcript } from '../transcript.ts'
import type { MachineClock } from '../virtual-clock.ts'
import type { VirtualTime } from '../virtual-time.ts'
import type { Account } from '../world-genesis.ts'
import type { PegChain } from './genesis.ts'
import type { ChainName, RelayerPlan } from './scenario.ts'
import { createTampering } from './tampered-relay.ts'

export interface RelaySite {
  /** Begins as soon as the nodes are there; it begins again whenever they have been away. */
  start(): void
  /** The process dies at once, and stays away. */
  kill(): void
  /** Transactions handed to nodes. */
  readonly sent: number
  /** Times that it died at a step of its own. */
  readonly deaths: number
}

export interface RelaySiteOptions {
  readonly index: number
  readonly plan: RelayerPlan
  readonly account: Account
  /** Main first. */
  readonly chains: readonly PegChain[]
}

export interface RelaySitePorts {
  readonly time: VirtualTime
  /** Of its machine. */
  readonly clock: MachineClock
  readonly prng: Prng
  readonly crypto: Secp256k1
  readonly transcript: Transcript
  /** The machine's node of a chain, while it runs. */
  readonly nodeOf: (chain: PegChain) => VellumNode | undefined
  /** Who signed a seal. */
  readonly recover: RecoverAuthor
  /** Its audit finds the credit of a side chain wrong. */
  readonly onAlarm: (side: ChainName, fault: string) => void
}

/** It looks after its nodes so often, virtual ms. */
const LOOK_MS = 500
/** Time until it is there again after it died at a step, virtual ms. */
const REBIRTH_MS = [200, 5_000] as const
/** An answer of the machine's own node takes up to, virtual ms. */
const ANSWER_MS = 5
/** Part of the questions that a node does not answer, as it is busy. */
const BUSY_PART = 0.003
/** Often enough to be seen in worlds of minutes. */
const RULE = { enabled: true, anchorBlocks: 256, anchorSeconds: 20 }
const NEVER = (): void => {}

export function createRelaySite(options: RelaySiteOptions, ports: RelaySitePorts): RelaySite {
  const { index, plan, account, chains } = options
  const { time, clock, prng, crypto, transcript, nodeOf, recover } = ports
  const name = `r${index}`
  const tamper = createTampering(plan.behaviour, prng.split('tampering'))
  const crashes = prng.split('crashes')
  const answers = prng.split('answers')
  const signer = signerOf(account.key, crypto)
  let isWanted = false
  let notBefore = 0
  let lives = 0
  let sent = 0
  let deaths = 0
  let life: Life | undefined

  function look(): void {
    if (!isWanted) return
    if (life?.nodes.some((node, i) => nodeOf(chains[i]!) !== node)) end('its nodes have gone')
    if (life === undefined && time.now() >= notBefore) begin()
    time.after(LOOK_MS, look)
  }

  function begin(): void {
    const nodes = chains.map(nodeOf)
    // A machine without the main chain, or with nothing beside it, has nothing to relay.
    if (nodes[0] === undefined || nodes.every((node, i) => i === 0 || node === undefined)) return
    const own = createVirtualProcess((later) => void time.after(0, later))
    lives += 1
    transcript.note(name, `begins its ${lives}. life`)
    const served = nodes.flatMap((node, i): HubChain[] => {
      if (node === undefined) return []
      const { backend, chain } = node
      const consensus = plan.accuses ? node.consensus : undefined
      return [{ name: chains[i]!.name, relay: RULE, node: { backend, chain, consensus } }]
    })
    const hub = startRelayHub(
      // They come and go with the whole process.
      { chains: () => served, onAdded: () => NEVER, onRemoved: () => NEVER },
      { signer, seed: prng.split(`life ${lives}`).word() },
      {
        clock,
        timers: clock.timersOf(own),
        log: alarmed(transcript.loggerOf(name)),
        metrics: createMetrics(),
        recover,
        onStep: (step) => pass(own, step),
        through: (chain) => distant(chain, own),
      },
    )
    life = { program: own, nodes, hub }
  }

  /** What nodes log as an error is that the credit does not add up. */
  function alarmed(log: Logger): Logger {
    return {
      ...log,
      error: (message, fields) => {
        log.error(message, fields)
        ports.onAlarm(`${fields?.side}`, `${message}: ${fields?.fault}`)
      },
      child: (module) => alarmed(log.child(module)),
    }
  }

  function end(why: string): void {
    if (life === undefined) return
    transcript.note(name, `ends: ${why}`)
    life.program.kill()
    void life.hub.stop()
    life = undefined
  }

  /** Nothing that a dead process still does reaches anybody (`alive`). */
  function pass(own: VirtualProcess, step: RelayStep): void {
    if (plan.diesAt !== 'any' && plan.diesAt !== step) return
    if (!own.isAlive || !crashes.chance(plan.crashPart)) return
    deaths += 1
    notBefore = time.now() + crashes.between(...REBIRTH_MS)
    end(`dies at: ${step}`)
  }

  function distant(inner: RelayChain, own: VirtualProcess): RelayChain {
    const timers = clock.timersOf(own)
    /** The answer, later, to a process that is alive; or nothing, or that the node is busy. */
    const later = async <T>(ask: () => Promise<T>): Promise<T> => {
      const { promise, resolve, reject } = Promise.withResolvers<T>()
      const isBusy = answers.chance(BUSY_PART)
      timers.after(answers.between(0, ANSWER_MS), () => {
        if (isBusy) reject(new Error('the node is busy'))
        else ask().then(resolve, reject)
      })
      return promise
    }
    return {
      ...inner,
      head: () => later(inner.head),
      onHead: (listener) => inner.onHead((head) => own.enter(() => listener(head))),
      header: (height) => later(() => inner.header(height)),
      read: (calls, height) => later(() => inner.read(calls, height)),
      logs: (query) => later(() => inner.logs(query)),
      prove: (to, slots, height) => later(() => inner.prove(to, slots, height)),
      attempt: (call) => later(() => inner.attempt(call)),
      submit: (call) =>
        later(async () => {
          const landings = tamper(call.data).map((data) => {
            sent += 1
            return inner.submit({ ...call, data })
          })
          const [first] = landings
          // The others land by themselves.
          for (const landing of landings) landing.catch(() => {})
          return first ?? { status: 'dropped', reason: 'withheld' }
        }),
    }
  }

  return {
    start: () => {
      if (isWanted) return
      isWanted = true
      look()
    },
    kill: () => {
      isWanted = false
      end('is stopped')
    },
    get sent() {
      return sent
    },
    get deaths() {
      return deaths
    },
  }
}

interface Life {
  readonly program: VirtualProcess
  /** By chain. */
  readonly nodes: readonly (VellumNode | undefined)[]
  readonly hub: RelayHub
}
