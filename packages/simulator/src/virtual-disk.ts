/**
 * What a machine keeps: the chain's database, the votes, the noted head. Writes take their time, and
 * what was not yet confirmed when the power went may be there afterwards or not. Reads may find
 * damage, writes may fail.
 *
 * The state is that of the disk, so that it outlives processes: each process opens its own view.
 */

import type { VoteRecord } from '@vellum/consensus'
import type { Hash } from '@vellum/evm'
import type { KeyRange, KeyValue, Write } from '@vellum/ledger'
import type { HeadWitness, VoteLog } from '@vellum/node'
import type { Prng } from './prng.ts'
import type { VirtualProcess } from './process-gate.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface DiskConditions {
  /** Mean time of a synced write, ms: exponential. */
  readonly syncMs: number
  /** Part of the writes that take up to `slowMs`. */
  readonly slowPart: number
  readonly slowMs: number
  /** Part of the writes that fail: an error of the device, or no space left. */
  readonly writeErrors: number
  /** Part of the values read that come back with a bit flipped, and stay so. */
  readonly readDamage: number
}

export const GOOD_DISK: DiskConditions = {
  syncMs: 1,
  slowPart: 0,
  slowMs: 0,
  writeErrors: 0,
  readDamage: 0,
}

export interface HeadMark {
  readonly height: number
  readonly hash: Hash
}

/** What a process gets of it. */
export interface DiskView {
  readonly disk: KeyValue
  readonly votes: VoteLog
  readonly heads: HeadWitness
}

export interface VirtualDisk {
  open(program: VirtualProcess): DiskView
  setConditions(conditions: DiskConditions): void
  /** The process is gone, the machine stays: what it has written reaches the disk. */
  settleAll(): void
  /**
   * The power is gone: of the batches not confirmed, some of the first are there and the rest are
   * not. The same for votes, where an append may be torn between two of its records, and the noted
   * head may be an older one.
   */
  losePower(): void
  /** An empty disk in its place. `keepsVotes`: the votes lie elsewhere, beside the key. */
  wipe(keepsVotes: boolean): void
  /** The vote file is gone or does not read. The next process finds it `lost`. */
  loseVotes(): void
  /** As if votes had never been written: what a node without a vote log would find. For controls. */
  forgetVotes(): void
  /** True after a write has failed. */
  readonly hasFailed: boolean
}

/** Marks of heads that a loss of power may bring back. */
const MARKS_MAX = 8

interface Waiting {
  /** Makes it part of what is on the disk. */
  readonly apply: () => void
}

interface WaitingAppend extends Waiting {
  readonly records: readonly VoteRecord[]
}

export function createVirtualDisk(time: VirtualTime, prng: Prng): VirtualDisk {
  let values = new Map<string, Uint8Array>()
  let records: VoteRecord[] = []
  let releasedThrough = -1
  let votesState: 'kept' | 'lost' = 'kept'
  let marks: HeadMark[] = []
  /** Of the database and of the vote log: written, not yet confirmed, in order. */
  let batches: Waiting[] = []
  let appends: WaitingAppend[] = []
  let conditions = GOOD_DISK
  let hasFailed = false
  const delays = prng.split('delays')
  const faults = prng.split('faults')

  function syncMs(): number {
    const { syncMs: mean, slowPart, slowMs } = conditions
    if (slowPart > 0 && delays.chance(slowPart)) return delays.between(mean, slowMs)
    return mean === 0 ? 0 : delays.exponential(mean)
  }

  /** Confirms writes of one queue in order, each after its own time. */
  function createQueue<W extends Waiting>(
    program: VirtualProcess,
    waitingOf: () => W[],
  ): (waiting: W) => Promise<void> {
    let lastAt = 0
    return (waiting) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      if (conditions.writeErrors > 0 && faults.chance(conditions.writeErrors)) {
        hasFailed = true
        lastAt = Math.max(lastAt, time.now() + syncMs())
        time.at(lastAt, () =>
          program.enter(() => reject(new Error('ENOSPC: no space left on device, write'))),
        )
        return promise
      }
      waitingOf().push(waiting)
      lastAt = Math.max(lastAt, time.now() + syncMs())
      time.at(lastAt, () => {
        const queue = waitingOf()
        // Gone with the power, or settled already.
        if (queue[0] === waiting) {
          queue.shift()
          waiting.apply()
        }
        program.enter(resolve)
      })
      return promise
    }
  }

  function get(name: string): Uint8Array | undefined {
    const value = values.get(name)
    if (value === undefined || value.length === 0) return value
    if (conditions.readDamage > 0 && faults.chance(conditions.readDamage)) {
      const damaged = value.slice()
      const bit = faults.whole(0, 8 * value.length - 1)
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7))
      values.set(name, damaged)
      return damaged
    }
    return value
  }

  function openDatabase(program: VirtualProcess): KeyValue {
    const enqueue = createQueue(program, () => batches)
    const snapshots = new Set<Map<string, Uint8Array | undefined>>()
    return {
      get: (key) => get(nameOf(key)),
      batch: (writes) => {
        const named = writes.map(({ key, value }: Write) => [nameOf(key), value] as const)
        const apply = (): void => {
          for (const [name, value] of named) {
            for (const former of snapshots) {
              if (!former.has(name)) former.set(name, values.get(name))
            }
            if (value === undefined) values.delete(name)
            else values.set(name, value)
          }
        }
        return enqueue({ apply })
      },
      snapshot: () => {
        const former = new Map<string, Uint8Array | undefined>()
        snapshots.add(former)
        return {
          get: (key) => {
            const name = nameOf(key)
            return former.has(name) ? former.get(name) : get(name)
          },
          close: () => void snapshots.delete(former),
        }
      },
      iterate: async function* (range: KeyRange) {
        const [from, to] = [nameOf(range.from), nameOf(range.to)]
        const names = [...values.keys()].filter((name) => name >= from && name < to).sort()
        if (range.reverse) names.reverse()
        for (const name of names.slice(0, range.limit)) {
          const value = get(name)
          if (value !== undefined) yield [bytesOf(name), value] as const
        }
      },
    }
  }

  function openVotes(program: VirtualProcess): VoteLog {
    const enqueue = createQueue(program, () => appends)
    const found = votesState === 'lost' ? 'lost' : [...records]
    return {
      found,
      append: (added) => enqueue({ records: added, apply: () => keepVotes(added) }),
      release: (height) => {
        releasedThrough = Math.max(releasedThrough, height)
      },
    }
  }

  function keepVotes(added: readonly VoteRecord[]): void {
    if (votesState === 'lost') {
      // A new file takes the place of the one that did not read.
      votesState = 'kept'
      records = []
    }
    records = records.filter(({ height }) => height > releasedThrough)
    records.push(...added)
  }

  function settleAll(): void {
    for (const { apply } of batches) apply()
    for (const { apply } of appends) apply()
    batches = []
    appends = []
  }

  return {
    open: (program) => {
      const found = marks.at(-1)
      return {
        disk: openDatabase(program),
        votes: openVotes(program),
        heads: {
          found,
          write: (mark) => {
            marks = [...marks.slice(1 - MARKS_MAX), mark]
          },
        },
      }
    },
    setConditions: (next) => {
      conditions = next
    },
    settleAll,
    losePower: () => {
      // Later ones never without earlier ones: a log is read up to its first tear.
      for (const { apply } of batches.slice(0, faults.whole(0, batches.length))) apply()
      const whole = faults.whole(0, appends.length)
      for (const { apply } of appends.slice(0, whole)) apply()
      const torn = appends[whole]
      // A lost file is replaced by a whole one, or not at all.
      if (torn !== undefined && votesState === 'kept') {
        keepVotes(torn.records.slice(0, faults.whole(0, torn.records.length - 1)))
      }
      batches = []
      appends = []
      if (marks.length > 1) marks = marks.slice(0, faults.whole(1, marks.length))
    },
    wipe: (keepsVotes) => {
      values = new Map()
      marks = []
      batches = []
      hasFailed = false
      if (keepsVotes) return
      appends = []
      records = []
      releasedThrough = -1
      votesState = 'lost'
    },
    loseVotes: () => {
      records = []
      votesState = 'lost'
    },
    forgetVotes: () => {
      records = []
      appends = []
      votesState = 'kept'
    },
    get hasFailed() {
      return hasFailed
    },
  }
}

/** By the length of a key: its bytes, where text is made of them. An array of numbers takes half as long. */
const keyCodes: number[][] = []

/** Keys as text of one character a byte: they sort as the bytes do. */
function nameOf(key: Uint8Array): string {
  keyCodes[key.length] ??= new Array<number>(key.length).fill(0)
  const codes = keyCodes[key.length]!
  for (let i = 0; i < key.length; i++) codes[i] = key[i]!
  return String.fromCharCode.apply(null, codes)
}

function bytesOf(name: string): Uint8Array {
  return Uint8Array.from(name, (character) => character.charCodeAt(0))
}
