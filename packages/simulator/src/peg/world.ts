/**
 * A world of several chains: a main chain, side chains, and relayers between them, on virtual machines
 * of which each may have a node of every chain. Real nodes, real contracts, real relayers; time, network,
 * disks, people and chance are the world's. One seed gives one world, to the bit.
 *
 * First governance attaches the side chains. Then come the faults, while people go on; nothing is asked
 * but that nothing is lost, doubled or invented. Then everything is put right but for those who lie,
 * people rest, and every message must find its end.
 */

import { faultsTolerated, recoveryIn } from '@vellum/consensus'
import { type Address, hexToBytes } from '@vellum/evm'
import { type Chain, decodeExtraData } from '@vellum/ledger'
import { recoverSeal, rememberSigners, signerOf, type VellumNode } from '@vellum/node'
import { type Board, carrier } from '../byzantine/carrier.ts'
import { BEHAVIOURS } from '../byzantine/catalogue.ts'
import type { Behaviour } from '../byzantine/interference.ts'
import { forker } from '../byzantine/two-faced.ts'
import { createChecks } from '../checks.ts'
import { createIncidents } from '../incidents.ts'
import { createMachine, type Machine } from '../machine.ts'
import { createMessageReader } from '../message-reader.ts'
import { createPrng } from '../prng.ts'
import type { Action, NodeIndex } from '../scenario.ts'
import { createTranscript } from '../transcript.ts'
import { createMachineClock } from '../virtual-clock.ts'
import { createVirtualNetwork } from '../virtual-network.ts'
import { createVirtualTime, EPOCH_MS } from '../virtual-time.ts'
import type { WorldPorts } from '../world.ts'
import type { Account } from '../world-genesis.ts'
// from '../world.ts'
import { createPegChecks, type PegViolation } from './checks.ts'
import { createClientChecks } from './client-checks.ts'
import { readFacts } from './facts.ts'
import { found } from './founding.ts'
import { CREDIT_EACH, createPegGenesis, type PegChain } from './genesis.ts'
import { lie } from './liar.ts'
import { createPeople } from './people.ts'
import { createRecordChecks } from './record-checks.ts'
import { createRelaySite, type RelaySite } from './relay-site.ts'
import {
  type ChainName,
  MAIN,
  PEG_ACTIONS,
  type PegAction,
  type PegBehaviourName,
  type PegScenario,
} from './scenario.ts'

export interface PegOutcome {
  readonly violations: readonly PegViolation[]
  /** Stands for the whole transcript. */
  readonly digest: string
  /** Highest block of each chain, main first. */
  readonly heights: readonly number[]
  /** Machines that validate each chain in the end, main first. */
  readonly validators: readonly (readonly NodeIndex[])[]
  readonly sent: number
  readonly delivered: number
  readonly failed: number
  readonly expired: number
  /** Messages that a lying chain never sent, and that were believed: within what was locked for it. */
  readonly forged: number
  /** Licences that came from another chain. */
  readonly arrivals: number
  /** Virtual ms from the sending of a message to its acknowledgement, ascending. */
  readonly latencies: readonly number[]
  /** Virtual ms from the healing until the last message had its outcome; undefined: one never had. */
  readonly settledMs: number | undefined
  /** Transactions that relayers sent. */
  readonly relayed: number
  /** Times that relayers died at one of their steps. */
  readonly relayerDeaths: number
  readonly kills: number
  readonly powerCuts: number
  readonly operations: number
  /** Side chains of which main has frozen its client. */
  readonly frozen: readonly ChainName[]
  /** Side chains whose credit the nodes' own audit has found wrong. */
  readonly alarms: readonly ChainName[]
  readonly virtualSeconds: number
}

const START_SPREAD_MS = 500
/** Governance looks again after, virtual ms. */
const FOUNDING_MS = 1_500
/** Operators look for what was not delivered, virtual ms. */
const TIDY_MS = 20_000
const TIMEOUT_MAX_MS = 60_000

export interface PegWorldPorts extends WorldPorts {
  /** Code in place of that of contracts: a defence less, to see that the checks notice. */
  readonly codes?: ReadonlyMap<Address, Uint8Array> | undefined
}

export async function runPegWorld(
  scenario: PegScenario,
  seed: string,
  { crypto, crc32, drive, read, codes }: PegWorldPorts,
): Promise<PegOutcome> {
  const prng = createPrng(seed)
  const time = createVirtualTime()
  const transcript = createTranscript(time, read)
  const network = await createPegGenesis(scenario, seed, { crypto, crc32, codes })
  const { chains } = network
  const everybody = network.machines.map(({ address }) => address)
  const recover = recoverSeal(crypto)
  const clocks = everybody.map(() => createMachineClock(time))
  const boards = everybody.map((): Board => new Map())
  const places: Machine[][] = everybody.map(() => [])
  const relayers: RelaySite[] = []
  const isTrusted = trustOf(scenario)
  const sideNames = scenario.sides.map(({ name }) => name)
  const pegChecks = createPegChecks({
    sides: sideNames,
    isTrusted,
    supply: CREDIT_EACH * BigInt(network.people.length),
    now: time.now,
  })
  const recordChecks = createRecordChecks({
    chains,
    people: network.people,
    isTrusted,
    checks: pegChecks,
  })
  const clientChecks = createClientChecks({
    ...scenario,
    chains,
    everybody,
    isTrusted,
    checks: pegChecks,
    note: transcript.note,
  })
  /** Height up to which the facts of each chain were read. */
  const readThrough = new Map<ChainName, number>(chains.map(({ name }) => [name, 0]))
  /** Side chains whose credit the nodes' own audit has found wrong. */
  const alarms = new Set<ChainName>()
  let mistake: unknown
  let operations = 0
  let _lies = 0
  let isResting = false

  const homes = chains.map((chain) => createHome(chain))
  const homeOf = (name: ChainName): (typeof homes)[number] =>
    homes.find(({ chain }) => chain.name === name)!

  const incidents = createIncidents({
    ...scenario,
    voteLogs: 'on',
    everybody,
    places,
    networks: homes.map(({ network: each }) => each),
    time,
    transcript,
    onWipe: ({ address, chain }) => homeOf(chain!).checks.onWipe(address),
  })

  /** A chain, and all that is there of it. */
  function createHome(chain: PegChain) {
    const { name, plan } = chain
    const hosts: NodeIndex[] = [...plan.validators, ...plan.observers].sort((a, b) => a - b)
    const addresses = hosts.map((index) => everybody[index]!)
    const liars = scenario.byzantine.filter((each) => each.chain === name)
    const accomplices = liars.map(({ node }) => everybody[node]!)
    const nameOf = (address: Address): string => `n${everybody.indexOf(address)}/${name}`
    const virtual = createVirtualNetwork(time, prng.split(`network ${name}`))
    const domain = hexToBytes(chain.hash)
    const readMessage = createMessageReader(
      recoveryIn(domain, rememberSigners(crypto)),
      hosts.length,
    )
    const checks = createChecks({
      validators: plan.validators.map((index) => everybody[index]!),
      epochLength: chain.genesis.qbft!.epochLength,
      isHonest: (node) => addresses.includes(node) && !accomplices.includes(node),
      recover,
      readMessage,
      now: time.now,
      nameOf,
    })
    virtual.onWire((wire) => {
      transcript.mark(everybody.indexOf(wire.from), everybody.indexOf(wire.to), wire.bytes.length)
      checks.onWire(wire)
    })
    virtual.onPenalty((penalty) => {
      const { by, peer, weight, reason } = penalty
      transcript.note(nameOf(by), `blames ${nameOf(peer)} (${weight}): ${reason}`)
      checks.onPenalty(penalty)
    })
    const machines = hosts.map((index) => {
      const machine = createMachine(
        {
          index,
          chain: name,
          domain,
          signer: signerOf(network.machines[index]!.key, crypto),
          genesis: chain.genesis,
          heartbeatMs: scenario.heartbeatMs,
          evictEquivocators: false,
          behaviours: liars
            .filter(({ node }) => node === index)
            .flatMap(({ behaviours }) =>
              behaviours.map((each) => behaviourOf(each, name, boards[index]!)),
            ),
        },
        {
          time,
          network: virtual,
          clock: clocks[index]!,
          prng: prng.split(`node ${index}/${name}`),
          crypto,
          crc32,
          transcript,
          readMessage,
          adversary: {
            everybody: addresses,
            accomplices,
            requestTimeoutMs: 1_000 * scenario.requestTimeoutSeconds,
            requestTimeoutMaxMs: TIMEOUT_MAX_MS,
          },
          onStart: (started, node) => {
            if (started.isHonest) checks.onStart(started.address, node.chain)
            watch(started, node)
          },
          onFailure: (failed, error) => incidents.repair(failed, error),
        },
      )
      places[index]!.push(machine)
      return machine
    })

    function watch(machine: Machine, node: VellumNode): void {
      readNews(node)
      node.chain.onHead((head) => {
        readNews(node)
        if (!machine.isHonest) return
        checks.onBlock(machine.address, head)
        const { number, extraData } = head.header
        const { round } = decodeExtraData(extraData)
        transcript.note(machine.name, `has block ${number}, round ${round}: ${head.hash}`)
      })
    }

    /** Blocks that no node had before. Whoever lies lies in what it says: what it takes for final, is. */
    function readNews(node: VellumNode): void {
      const { number: head } = node.chain.head().header
      for (let height = readThrough.get(name)! + 1; height <= head; height++) {
        readThrough.set(name, height)
        try {
          pegChecks.onBlock(readFacts(node, chain, chains, height))
          recordChecks.onBlock(chain, node, height)
          clientChecks.onBlock(chain, node, height)
        } catch (error) {
          // A mistake of the checks is none of the node's.
          mistake ??= error
        }
      }
    }

    return { chain, checks, network: virtual, machines, isTrusted: isTrusted(name) }
  }

  /** Somebody's node of a chain, if it runs. */
  const picks = prng.split('picks')
  const nodeOf = (chain: PegChain): VellumNode | undefined => {
    const running = homeOf(chain.name).machines.filter(
      ({ node, isHonest }) => node !== undefined && isHonest,
    )
    return running.length === 0 ? undefined : picks.pick(running).node
  }
  /** The honest node that is furthest. */
  const headNodeOf = (chain: PegChain): VellumNode | undefined =>
    homeOf(chain.name)
      .machines.filter(({ isHonest }) => isHonest)
      .flatMap(({ node }) => node ?? [])
      .sort((a, b) => b.chain.head().header.number - a.chain.head().header.number)[0]
  const people = createPeople(network, nodeOf, prng.split('people'), crypto)

  for (const [index, plan] of scenario.relayers.entries()) {
    relayers.push(
      createRelaySite(
        { index, plan, account: network.relayers[index]!, chains },
        {
          time,
          clock: clocks[plan.node]!,
          prng: prng.split(`relayer ${index}`),
          crypto,
          transcript,
          recover,
          onAlarm: (side, fault) => {
            alarms.add(side)
            if (isTrusted(side)) pegChecks.violate('A1', `${side}: ${fault}`)
          },
          nodeOf: ({ name }) => places[plan.node]!.find(({ chain }) => chain === name)?.node,
        },
      ),
    )
  }
  function perform(action: Action | PegAction): void {
    if (!isPegAction(action)) return incidents.perform(action)
    transcript.note('world', JSON.stringify(action))
    switch (action.do) {
      case 'stop chain':
      case 'start chain':
        for (const machine of homeOf(action.chain).machines) {
          if (!action.nodes.includes(machine.index)) continue
          if (action.do === 'start chain') machine.start()
          else if (machine.isRunning) {
            machine.kill()
            machine.disk.settleAll()
          }
        }
        return
      case 'stop relayers':
      case 'start relayers':
        for (const index of action.relayers) {
          if (action.do === 'stop relayers') relayers[index]!.kill()
          else relayers[index]!.start()
        }
        return
      case 'rest':
        isResting = true
        return
      case 'work':
        isResting = false
        return
      case 'lie':
        return tellLie(action)
    }
  }

  /** Whoever has keys of a side chain, on a node of main and one of the side chain. */
  function tellLie({ chain: name, keys: keysMax, contradicts }: PegAction & { do: 'lie' }): void {
    const [main, ...sides] = chains as [PegChain, ...PegChain[]]
    const side = homeOf(name).chain
    const nodes = { main: headNodeOf(main), side: headNodeOf(side) }
    if (nodes.main === undefined || nodes.side === undefined) return
    const keys = side.plan.validators.slice(0, keysMax).map((index) => network.machines[index]!)
    const others = sides.filter((each) => each !== side)
    const [thief] = network.people as [Account]
    _lies += 1
    void lie(
      { main, side, others, keys, thief, contradicts },
      { main: nodes.main, side: nodes.side },
      { crypto, crc32 },
    )
  }

  const load = prng.split('load')
  function scheduleOperation(): void {
    if (scenario.operationsPerSecond === 0) return
    time.after(load.exponential(1_000 / scenario.operationsPerSecond), () => {
      if (!isResting && people.act()) operations += 1
      scheduleOperation()
    })
  }

  function scheduleFounding(): void {
    time.after(FOUNDING_MS, () => {
      if (!found(network, scenario, nodeOf, crypto)) return scheduleFounding()
      transcript.note('world', 'is founded')
      scheduleOperation()
    })
  }

  function scheduleTidying(): void {
    time.after(TIDY_MS, () => {
      people.tidy()
      scheduleTidying()
    })
  }

  const runUntil = (end: number, isDone: () => boolean): Promise<void> =>
    drive(() => {
      if (mistake !== undefined) throw mistake
      return !isDone() && time.stepUntil(end)
    })

  const violations = (): PegViolation[] => [
    ...pegChecks.violations,
    ...homes.flatMap(({ checks, isTrusted: counts }) => (counts ? checks.violations : [])),
  ]
  const isBroken = (): boolean => scenario.expect.violations.length === 0 && violations().length > 0

  for (const { network: each } of homes) each.setConditions(scenario.network)
  const starts = prng.split('starts')
  for (const { disk, start } of places.flat()) {
    disk.setConditions(scenario.disk)
    time.after(starts.between(0, START_SPREAD_MS), start)
  }
  for (const site of relayers) time.after(starts.between(0, START_SPREAD_MS), site.start)
  for (const { atSeconds, ...action } of scenario.steps) {
    time.at(EPOCH_MS + 1_000 * atSeconds, () => perform(action as Action | PegAction))
  }
  scheduleFounding()
  scheduleTidying()

  await runUntil(EPOCH_MS + 1_000 * scenario.healAfterSeconds, isBroken)
  const failuresBefore = incidents.failures
  incidents.heal()
  isResting = true
  for (const site of relayers) site.start()
  const healedAt = time.now()
  const heightsAtHealing = homes.map(({ checks }) => checks.height)

  const settles = (name: ChainName): boolean => isTrusted(name) && !clientChecks.cutOff.has(name)
  const isOpen = (): boolean =>
    [...pegChecks.messages.values()].some(
      ({ from, to, acknowledged }) => acknowledged === undefined && settles(from) && settles(to),
    )
  /** Where a chain has stopped there may be nothing left to do: then the next heartbeat is waited for. */
  const goesOn = (): boolean =>
    homes.every(
      ({ checks, isTrusted: counts }, i) => !counts || checks.height > heightsAtHealing[i]!,
    )
  // What is done by one message may send another: nothing must be open for a while.
  let quietSince: number | undefined
  let settledMs: number | undefined
  await runUntil(healedAt + 1_000 * scenario.settleSeconds, () => {
    if (isBroken()) return true
    if (isOpen()) quietSince = undefined
    else quietSince ??= time.now()
    return quietSince !== undefined && time.now() - quietSince > 2 * TIDY_MS && goesOn()
  })
  if (quietSince !== undefined) settledMs = quietSince - healedAt

  if (!isBroken()) atEnd()
  const messages = [...pegChecks.messages.values()]
  const outcome: PegOutcome = {
    violations: violations(),
    digest: transcript.digest(),
    heights: homes.map(({ checks }) => checks.height),
    validators: chains.map(validatorsNow),
    sent: messages.length,
    delivered: messages.filter(({ acknowledged }) => acknowledged === 'delivered').length,
    failed: messages.filter(({ acknowledged }) => acknowledged === 'failed').length,
    expired: messages.filter(({ acknowledged }) => acknowledged === 'expired').length,
    forged: pegChecks.forged,
    arrivals: recordChecks.arrivals,
    latencies: messages
      .flatMap(({ sentAt, acknowledgedAt }) => (acknowledgedAt ?? Number.NaN) - sentAt)
      .filter((ms) => !Number.isNaN(ms))
      .sort((a, b) => a - b),
    settledMs,
    relayed: relayers.reduce((sum, { sent }) => sum + sent, 0),
    relayerDeaths: relayers.reduce((sum, { deaths }) => sum + deaths, 0),
    kills: incidents.kills,
    powerCuts: incidents.powerCuts,
    operations,
    frozen: [...clientChecks.frozen],
    alarms: [...alarms],
    virtualSeconds: (time.now() - EPOCH_MS) / 1_000,
  }
  for (const site of relayers) site.kill()
  for (const machine of places.flat()) machine.kill()
  return outcome

  function findFalseProofs(name: ChainName, machines: readonly Machine[]): void {
    const honest = machines.filter(({ isHonest }) => isHonest)
    for (const { node } of honest) {
      for (const { author } of node?.consensus?.evidence.entries ?? []) {
        if (!honest.some(({ address }) => address === author)) continue
        pegChecks.violate(
          'E1',
          `somebody of ${name} holds a proof against ${author}, who is honest`,
        )
      }
    }
  }

  function validatorsNow(chain: PegChain): NodeIndex[] {
    const head = headNodeOf(chain)?.chain.head().header
    if (head === undefined) return []
    return decodeExtraData(head.extraData).validators.map((each) => everybody.indexOf(each))
  }

  function atEnd(): void {
    pegChecks.atEnd(settles)
    recordChecks.atEnd((chain) => (settles(chain.name) ? headNodeOf(chain) : undefined))
    for (const name of scenario.expect.frozen) {
      if (!clientChecks.frozen.has(name)) {
        pegChecks.violate('F1', `main still believes ${name}, which has contradicted itself`)
      }
    }
    for (const [i, { chain, checks, machines, isTrusted: counts }] of homes.entries()) {
      if (!counts) continue
      const held = new Map<Address, Chain>()
      for (const { address, node, isHonest } of machines) {
        if (isHonest && node !== undefined) held.set(address, node.chain)
      }
      checks.compareChains(held)
      findFalseProofs(chain.name, machines)
      if (checks.height > heightsAtHealing[i]!) continue
      pegChecks.violate('L1', `${chain.name} has made no block since everything was put right`)
    }
    if (incidents.isWrong) {
      pegChecks.violate('L3', 'a node stopped by itself, although its disk was well')
    }
    if (incidents.failures > failuresBefore) {
      pegChecks.violate('L3', 'a node stopped by itself after the healing')
    }
  }
}

function behaviourOf(name: PegBehaviourName, chain: ChainName, board: Board): Behaviour {
  if (name === 'forker') return forker
  return name === 'carrier' ? carrier(chain, board) : BEHAVIOURS[name]
}

function isPegAction(action: Action | PegAction): action is PegAction {
  return (PEG_ACTIONS as readonly string[]).includes(action.do)
}

/** A chain is believed of itself unless its keys are in one hand, or too many of its validators lie. */
function trustOf({ main, sides, byzantine }: PegScenario): (name: ChainName) => boolean {
  const lost = new Set<ChainName>()
  for (const { name, validators, faith } of [{ name: MAIN, ...main, faith: 'honest' }, ...sides]) {
    const liars = byzantine.filter(({ chain, node }) => chain === name && validators.includes(node))
    if (faith === 'lying' || liars.length > faultsTolerated(validators.length)) lost.add(name)
  }
  return (name) => !lost.has(name)
}
