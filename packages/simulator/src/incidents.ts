/**
 * What befalls the machines of a world, and how everything is put right again. A place is what stands
 * at one index: one machine, or, where a network has several chains, a machine's node of each of them.
 * They share the machine's clock, power and wires, and what befalls it befalls all of them.
 */

import type { Address } from '@vellum/evm'
import { isDamage, type Machine } from './machine.ts'
import type { Action, NodeIndex, Scenario } from './scenario.ts'
import type { Transcript } from './transcript.ts'
import { GOOD_DISK } from './virtual-disk.ts'
import { CALM, type VirtualNetwork } from './virtual-network.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface Incidents {
  perform(action: Action): void
  /** Everything is put right but for the adversaries, who stay what they are. */
  heal(): void
  /** What an operator does with a node that has stopped by itself. */
  repair(machine: Machine, error: unknown): void
  /** How often honest nodes had to be started again because they stopped by themselves. */
  readonly failures: number
  /** A node stopped by itself although its disk was well: a mistake of ours. */
  readonly isWrong: boolean
  /** Processes that were killed, and machines that lost their power, while a node ran. */
  readonly kills: number
  readonly powerCuts: number
}

export interface IncidentsOptions extends Pick<Scenario, 'network' | 'disk' | 'voteLogs'> {
  /** Of each place, the same on all its chains. */
  readonly everybody: readonly Address[]
  /** By index; filled before the first of the calls below. */
  readonly places: readonly (readonly Machine[])[]
  /** One for each chain. */
  readonly networks: readonly VirtualNetwork[]
  readonly time: VirtualTime
  readonly transcript: Transcript
  /** The node's database was emptied, or found damaged and given up. */
  readonly onWipe: (machine: Machine) => void
}

/** Virtual ms after which a node that stopped by itself is started again. */
const REPAIR_MS = 2_000

export function createIncidents(options: IncidentsOptions): Incidents {
  const { everybody, places, networks, time, transcript } = options
  const all = everybody.map((_, index) => index)
  const disksNow = all.map(() => options.disk)
  let networkNow = options.network
  let failures = 0
  let isWrong = false
  let kills = 0
  let powerCuts = 0

  const at = (indices: readonly NodeIndex[]): Machine[] =>
    indices.flatMap((index) => places[index]!)

  function repair(machine: Machine, error: unknown): void {
    if (machine.isHonest) failures += 1
    machine.disk.settleAll()
    if (isDamage(error)) wipe(machine, 'kept')
    // An unknown error is one of ours, whatever the disk did.
    else if (!machine.disk.hasFailed && machine.isHonest) isWrong = true
    time.after(REPAIR_MS, machine.start)
  }

  function wipe(machine: Machine, votes: 'kept' | 'lost'): void {
    machine.disk.wipe(votes === 'kept')
    options.onWipe(machine)
  }

  function stop(machine: Machine, isPowerCut: boolean): void {
    if (!machine.isRunning) return
    machine.kill()
    if (isPowerCut) {
      powerCuts += 1
      machine.disk.losePower()
    } else {
      kills += 1
      machine.disk.settleAll()
    }
  }

  function start(machine: Machine): void {
    if (machine.isRunning) return
    if (options.voteLogs === 'off') machine.disk.forgetVotes()
    machine.start()
  }

  function each(from: readonly NodeIndex[], to: readonly NodeIndex[], act: 'cut' | 'mend'): void {
    for (const a of from) {
      for (const b of to) {
        if (a === b) continue
        for (const network of networks) network[act](everybody[a]!, everybody[b]!)
      }
    }
  }

  function perform(action: Action): void {
    transcript.note('world', JSON.stringify(action))
    switch (action.do) {
      case 'kill':
      case 'cut power':
        for (const machine of at(action.nodes)) stop(machine, action.do === 'cut power')
        return
      case 'start':
        for (const machine of at(action.nodes)) start(machine)
        return
      case 'wipe':
        for (const machine of at(action.nodes)) {
          stop(machine, false)
          wipe(machine, action.votes)
          machine.start()
        }
        return
      case 'lose votes':
        for (const machine of at(action.nodes)) {
          stop(machine, false)
          machine.disk.loseVotes()
          machine.start()
        }
        return
      case 'pause':
        for (const machine of at(action.nodes)) machine.pause()
        return
      case 'resume':
        for (const machine of at(action.nodes)) machine.resume()
        return
      case 'cut':
        return each(action.from, action.to, 'cut')
      case 'mend':
        return each(action.from, action.to, 'mend')
      case 'partition': {
        const groupOf = (index: NodeIndex): number =>
          action.groups.findIndex((group) => group.includes(index))
        for (const a of all) {
          const others = all.filter((b) => groupOf(a) === -1 || groupOf(a) !== groupOf(b))
          each([a], others, 'cut')
        }
        return
      }
      case 'ring':
        for (const a of all) {
          const neighbours = [(a + 1) % all.length, (a + all.length - 1) % all.length]
          each(
            [a],
            all.filter((b) => !neighbours.includes(b)),
            'cut',
          )
        }
        return
      case 'mend all':
        for (const network of networks) network.mendAll()
        return
      case 'network': {
        const { do: _, ...changes } = action
        networkNow = { ...networkNow, ...changes }
        for (const network of networks) network.setConditions(networkNow)
        return
      }
      case 'disk': {
        const { do: _, nodes: chosen, ...changes } = action
        for (const index of chosen) {
          disksNow[index] = { ...disksNow[index]!, ...changes }
          for (const { disk } of places[index]!) disk.setConditions(disksNow[index])
        }
        return
      }
      case 'clock':
        for (const { clock } of places.flatMap((machines, index) =>
          // One clock for all nodes of a machine.
          action.nodes.includes(index) ? machines.slice(0, 1) : [],
        )) {
          if (action.jumpMs !== undefined) clock.jump(action.jumpMs)
          if (action.driftPart !== undefined) clock.setDrift(action.driftPart)
          if (action.isFrozen === true) clock.freeze()
        }
        return
      case 'vote': {
        const subject = everybody[action.subject]!
        for (const { node, chain } of at(action.nodes)) {
          if (chain !== action.chain) continue
          if (action.kind === 'none') node?.consensus?.votes.discard(subject)
          else node?.consensus?.votes.propose(subject, action.kind)
        }
        return
      }
    }
  }

  function heal(): void {
    transcript.note('world', 'heals')
    for (const network of networks) {
      network.mendAll()
      network.setConditions(CALM)
    }
    for (const machine of at(all)) {
      machine.clock.correct()
      machine.disk.setConditions(GOOD_DISK)
      machine.resume()
      start(machine)
    }
  }

  return {
    perform,
    heal,
    repair,
    get failures() {
      return failures
    },
    get isWrong() {
      return isWrong
    },
    get kills() {
      return kills
    },
    get powerCuts() {
      return powerCuts
    },
  }
}
