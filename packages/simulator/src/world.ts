/**
 * A world: nodes as they run in production (`createNode`) on virtual machines, a scenario that befalls
 * them, and the checks that watch. One seed gives one world, to the bit.
 *
 * First come the faults; meanwhile nothing is asked but safety. Then everything is put right (the
 * adversaries stay), and the chain must go on, and every honest node with it.
 */

import type { Address } from '@vellum/evm'
import { type Chain, type Crc32, decodeExtraData, type Secp256k1 } from '@vellum/ledger'
import { recoverSeal, rememberSigners, signerOf } from '@vellum/node'
import { BEHAVIOURS } from './byzantine/catalogue.ts'
import { type Checks, createChecks, type Violation } from './checks.ts'
import { createIncidents } from './incidents.ts'
import { createMachine, type Machine } from './machine.ts'
import { createMessageReader } from './message-reader.ts'
import { createPrng } from './prng.ts'
import type { Action, NodeIndex, Scenario } from './scenario.ts'
import { createTranscript } from './transcript.ts'
import { createVirtualNetwork } from './virtual-network.ts'
import { createVirtualTime, EPOCH_MS } from './virtual-time.ts'
import { submitTransfer } from './workload.ts'
import { createWorldGenesis } from './world-genesis.ts'

/** What a world needs of the machine that it runs on. */
export interface WorldPorts {
  /** The scheme for this world: `createCheapCrypto()`, or the real one. */
  readonly crypto: Secp256k1
  readonly crc32: Crc32
  /**
   * Calls `step` again and again until it answers false. Whenever it is called but the first time, no
   * promise has anything left to do. Rejects with what it throws.
   */
  readonly drive: (step: () => boolean) => Promise<void>
  /** Gets the lines of the transcript. */
  readonly read?: ((line: string) => void) | undefined
}

export interface Outcome {
  readonly violations: readonly Violation[]
  /** Stands for the whole transcript. */
  readonly digest: string
  /** Highest block when everything was put right, and at the end. */
  readonly heightAtHealing: number
  readonly height: number
  /** Virtual ms from the healing to the next block; undefined: there was none. */
  readonly recoveryMs: number | undefined
  readonly recoveryPeriods: number | undefined
  /** Rounds that failed before blocks were decided, summed over blocks. */
  readonly roundsLost: number
  /** Blocks that one round prepared and a later one decided. */
  readonly carriedOver: number
  readonly virtualSeconds: number
  readonly transactions: number
  readonly messages: number
  /** How often honest nodes had to be started again because they stopped by themselves. */
  readonly failures: number
  /** Processes that were killed, and machines that lost their power, while a node ran. */
  readonly kills: number
  readonly powerCuts: number
  /** Round of each node when everything was put right; -1: it was in none, or there was no node. */
  readonly roundsAtHealing: readonly number[]
  /** Head of each node at the end. */
  readonly heights: readonly number[]
  /** Virtual ms from one block to the next, by honest nodes' first import. */
  readonly intervals: readonly number[]
  /** Proofs of lies that honest nodes hold at the end. */
  readonly evidence: number
  /** Validators of the last block that is decided, by place in the world. */
  readonly validators: readonly NodeIndex[]
}

export interface World {
  /** Runs the whole scenario. Once. */
  run(): Promise<Outcome>
}

/** Nodes do not start all at once. */
const START_SPREAD_MS = 500
/** Highest timeout of a round: part of the bound on recovery. */
const TIMEOUT_MAX_MS = 60_000
/** Block periods that a block may take on average once the first one after the healing is there. */
const PERIODS_EACH = 10

export function createWorld(scenario: Scenario, seed: string, ports: WorldPorts): World {
  const { crypto, crc32, drive } = ports
  const prng = createPrng(seed)
  const time = createVirtualTime()
  const transcript = createTranscript(time, ports.read)
  const network = createVirtualNetwork(time, prng.split('network'))
  const { genesis, nodes, senders } = createWorldGenesis(scenario, seed, crypto)
  const periodMs = 1_000 * scenario.blockPeriodSeconds
  const behavioursOf = (index: NodeIndex) =>
    (scenario.byzantine.find(({ node }) => node === index)?.behaviours ?? []).map(
      (name) => BEHAVIOURS[name],
    )
  const recover = recoverSeal(crypto)
  const readMessage = createMessageReader(rememberSigners(crypto), nodes.length)
  const everybody = nodes.map(({ address }) => address)
  const accomplices = scenario.byzantine.map(({ node }) => nodes[node]!.address)
  const honestOnes = new Set(everybody.filter((each) => !accomplices.includes(each)))
  const places = new Map(everybody.map((address, index) => [address, index]))
  const nameOf = (address: Address): string => `n${places.get(address)}`
  const checks: Checks = createChecks({
    validators: nodes.slice(0, scenario.validators).map(({ address }) => address),
    epochLength: scenario.epochLength,
    isHonest: (node) => honestOnes.has(node),
    recover,
    readMessage,
    now: time.now,
    nameOf,
  })
  const intervals: number[] = []
  let lastBlockAt = time.now()
  let transactions = 0

  network.onWire((wire) => {
    transcript.mark(places.get(wire.from)!, places.get(wire.to)!, wire.bytes.length)
    checks.onWire(wire)
  })
  network.onPenalty((penalty) => {
    const { by, peer, weight, reason } = penalty
    transcript.note(nameOf(by), `blames ${nameOf(peer)} (${weight}): ${reason}`)
    checks.onPenalty(penalty)
  })

  const machines: Machine[] = nodes.map(({ key }, index) =>
    createMachine(
      {
        index,
        signer: signerOf(key, crypto),
        genesis,
        heartbeatMs: scenario.heartbeatMs,
        evictEquivocators: scenario.evictEquivocators,
        behaviours: behavioursOf(index),
      },
      {
        time,
        network,
        prng: prng.split(`node ${index}`),
        crypto,
        crc32,
        transcript,
        readMessage,
        adversary: {
          everybody,
          accomplices,
          requestTimeoutMs: 1_000 * scenario.requestTimeoutSeconds,
          requestTimeoutMaxMs: TIMEOUT_MAX_MS,
        },
        onStart: (machine, node) => {
          if (!machine.isHonest) return
          checks.onStart(machine.address, node.chain)
          watch(machine, node.chain)
        },
        onFailure: (machine, error) => incidents.repair(machine, error),
      },
    ),
  )

  const incidents = createIncidents({
    ...scenario,
    everybody,
    places: machines.map((machine) => [machine]),
    networks: [network],
    time,
    transcript,
    onWipe: ({ address }) => checks.onWipe(address),
  })

  function watch(machine: Machine, chain: Chain): void {
    chain.onHead((head) => {
      const before = checks.height
      checks.onBlock(machine.address, head)
      const { number, extraData } = head.header
      const { round } = decodeExtraData(extraData)
      transcript.note(machine.name, `has block ${number}, round ${round}: ${head.hash}`)
      if (checks.height === before) return
      intervals.push(time.now() - lastBlockAt)
      lastBlockAt = time.now()
    })
  }

  const load = prng.split('load')
  function scheduleTransaction(): void {
    if (scenario.transactionsPerSecond === 0) return
    time.after(load.exponential(1_000 / scenario.transactionsPerSecond), () => {
      const { node } = load.pick(machines)
      if (node !== undefined && submitTransfer(node, senders, load, crypto)) transactions += 1
      scheduleTransaction()
    })
  }

  const runUntil = (end: number, isDone: () => boolean): Promise<void> =>
    drive(() => !isDone() && time.stepUntil(end))

  async function run(): Promise<Outcome> {
    network.setConditions(scenario.network)
    for (const { disk } of machines) disk.setConditions(scenario.disk)
    const starts = prng.split('starts')
    for (const machine of machines) time.after(starts.between(0, START_SPREAD_MS), machine.start)
    for (const { atSeconds, ...action } of scenario.steps) {
      time.at(EPOCH_MS + 1_000 * atSeconds, () => incidents.perform(action as Action))
    }
    scheduleTransaction()
    // A control goes on until agreement itself is broken, whatever was seen before.
    const isBroken = (): boolean =>
      scenario.expect.violations === 'some'
        ? checks.violations.some(({ rule }) => rule === 'S1')
        : checks.violations.length > 0
    await runUntil(EPOCH_MS + 1_000 * scenario.healAfterSeconds, isBroken)
    const heightAtHealing = checks.height
    const failuresBefore = incidents.failures
    const roundsAtHealing = machines.map(({ node }) => node?.consensus?.runner.state().round ?? -1)
    incidents.heal()
    const from = time.now()
    const bound = scenario.expect.recoveryPeriodsMax * periodMs
    await runUntil(from + bound, () => checks.height > heightAtHealing || isBroken())
    const recoveryMs = checks.height > heightAtHealing ? time.now() - from : undefined
    const target = heightAtHealing + scenario.blocksAfterHealing
    const honest = machines.filter(({ isHonest }) => isHonest)
    const headOf = (machine: Machine): number => machine.node?.chain.head().header.number ?? 0
    if (recoveryMs !== undefined) {
      const patience = scenario.blocksAfterHealing * PERIODS_EACH * periodMs + 2 * TIMEOUT_MAX_MS
      await runUntil(
        time.now() + patience,
        () => isBroken() || honest.every((machine) => headOf(machine) >= target),
      )
    }
    const missing: Violation[] = []
    const complain = (rule: Violation['rule'], text: string): void =>
      void missing.push({ rule, at: time.now(), text })
    if (!isBroken()) {
      compareAll(honest)
      if (heightAtHealing < scenario.expect.blocksBeforeHealing) {
        complain('L1', `${heightAtHealing} blocks before the healing, too few`)
      }
      if (recoveryMs === undefined) {
        complain('L1', `no block within ${bound / 1_000} s after the healing`)
      }
      for (const machine of honest) {
        const height = headOf(machine)
        if (recoveryMs !== undefined && height < target) {
          complain(
            'L2',
            `${machine.name} is at ${height}, although it should have got to ${target}`,
          )
        }
      }
      if (incidents.isWrong) complain('L3', 'a node stopped by itself, although its disk was well')
      if (incidents.failures > failuresBefore)
        complain('L3', 'a node stopped by itself after the healing')
    }
    const heights = machines.map(headOf)
    const evidence = honest.reduce(
      (sum, { node }) => sum + (node?.consensus?.evidence.entries.length ?? 0),
      0,
    )
    for (const machine of machines) machine.kill()
    return {
      violations: [...checks.violations, ...missing],
      digest: transcript.digest(),
      heightAtHealing,
      height: checks.height,
      recoveryMs,
      recoveryPeriods: recoveryMs === undefined ? undefined : recoveryMs / periodMs,
      roundsLost: checks.roundsLost,
      carriedOver: checks.carriedOver,
      virtualSeconds: (time.now() - EPOCH_MS) / 1_000,
      transactions,
      messages: network.counts.sent,
      failures: incidents.failures,
      kills: incidents.kills,
      powerCuts: incidents.powerCuts,
      roundsAtHealing,
      heights,
      intervals,
      evidence,
      validators: checks.validators().map((address) => everybody.indexOf(address)),
    }
  }

  function compareAll(honest: readonly Machine[]): void {
    const chains = new Map<Address, Chain>()
    for (const { address, node } of honest) if (node) chains.set(address, node.chain)
    checks.compareChains(chains)
  }

  return { run }
}
