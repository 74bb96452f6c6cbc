/**
 * Serves headers and states to nodes that follow by snapshot.
 *
 * A node that serves is a node at work: questions wait in one line, an answer is cut short when it has
 * taken its time, and after it others have the processor for longer than it took.
 */

import {
  type Chain,
  encodeHeader,
  encodeReceipt,
  isRefusal,
  LedgerError,
  type SnapshotSource,
  type TrieRange,
} from '@vellum/ledger'
import type { Clock, Timers } from './ports.ts'
import {
  decodeSnapshotQuestion,
  encodeEncodedItems,
  encodeRanges,
  encodeSnapshotStatus,
  encodeStrings,
  SNAPSHOT_WIRE_LIMITS,
  type SnapshotQuestion,
  type StateName,
} from './snapshot-wire.ts'

export interface SnapshotServer {
  /** @throws LedgerError LEDGER_RLP_INVALID for a question that is none */
  answer(question: Uint8Array): Promise<Uint8Array>
  stop(): void
}

export interface SnapshotServerPorts {
  readonly chain: Chain
  readonly clock: Clock
  readonly timers: Timers
}

export const SNAPSHOT_SERVER_LIMITS = {
  /** Bytes of one answer, unless the first item alone is larger; receipts of a block are whole. */
  answerBytes: 524_288,
  /** Bytes of receipts of one block; more are not served. */
  receiptsBytesMax: 4_194_304,
  /** Milliseconds of reading for one answer. */
  answerMs: 20,
  /** Milliseconds of rest for each of work. */
  restFactor: 2,
  /** Questions that wait, of all peers; each may have four under way. */
  waitingMax: 32,
  /** States that are open. */
  statesMax: 2,
} as const

const LAST_KEY = new Uint8Array(32).fill(0xff)
const FIRST_KEY = new Uint8Array(32)

export function createSnapshotServer({
  chain,
  clock,
  timers,
}: SnapshotServerPorts): SnapshotServer {
  const limits = SNAPSHOT_SERVER_LIMITS
  /** By height; the one used last comes last. */
  const states = new Map<number, SnapshotSource>()
  /** Ends each pause at once. */
  const pauses = new Set<() => void>()
  let waiting = 0
  let line: Promise<void> = Promise.resolve()
  /** Milliseconds that the answer under way has taken. */
  let worked = 0
  let isStopped = false

  async function answer(bytes: Uint8Array): Promise<Uint8Array> {
    const question = decodeSnapshotQuestion(bytes)
    if (isStopped || waiting >= limits.waitingMax) return encodeSnapshotStatus('busy')
    waiting += 1
    const answered = line.then(() => serve(question))
    // The line goes on, whatever becomes of one answer; its asker learns of it.
    line = answered.then(
      () => rest(),
      () => rest(),
    )
    try {
      return await answered
    } finally {
      waiting -= 1
    }
  }

  function rest(): Promise<void> {
    return isStopped ? Promise.resolve() : pause(worked * limits.restFactor)
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        cancel()
        pauses.delete(end)
        resolve()
      }
      const cancel = timers.after(ms, end)
      pauses.add(end)
    })
  }

  async function serve(question: SnapshotQuestion): Promise<Uint8Array> {
    worked = 0
    if (isStopped) return encodeSnapshotStatus('busy')
    if (question.kind === 'accounts' || question.kind === 'storage') {
      const source = await stateOf(question.state)
      // It may have been pruned while it was opened; from here on nothing is awaited.
      if (source === undefined || !isHeld(question.state)) return encodeSnapshotStatus('unheld')
      return timed(() => encodeRanges(rangesOf(source, question)))
    }
    return timed(() => plainAnswer(question))
  }

  /** Does a piece of work and counts its time. */
  function timed<Result>(work: () => Result): Result {
    const begun = clock.elapsed()
    try {
      return work()
    } finally {
      worked += clock.elapsed() - begun
    }
  }

  function isHeld({ height, root }: StateName): boolean {
    return chain.isStateHeld(height) && chain.header(height)?.header.stateRoot === root
  }

  async function stateOf(name: StateName): Promise<SnapshotSource | undefined> {
    for (const height of states.keys()) if (!chain.isStateHeld(height)) states.delete(height)
    if (!isHeld(name)) return undefined
    const known = states.get(name.height)
    if (known !== undefined) {
      states.delete(name.height)
      states.set(name.height, known)
      return known
    }
    const steps = chain.openSnapshot(name.height)
    for (;;) {
      const step = timed(() => steps.next())
      if (step.done) {
        if (states.size >= limits.statesMax) states.delete(states.keys().next().value!)
        states.set(name.height, step.value)
        return step.value
      }
      await pause(0)
      if (isStopped || !isHeld(name)) return undefined
    }
  }

  function rangesOf(
    source: SnapshotSource,
    question: SnapshotQuestion & { kind: 'accounts' | 'storage' },
  ): TrieRange[] {
    const begun = clock.elapsed()
    let bytesMax: number = limits.answerBytes
    let entriesMax: number = SNAPSHOT_WIRE_LIMITS.entriesMax
    const isLate = (): boolean => clock.elapsed() - begun > limits.answerMs
    if (question.kind === 'accounts') {
      const { from, to } = question
      return [source.accounts({ from, to, bytesMax, entriesMax, isLate })]
    }
    const ranges: TrieRange[] = []
    for (const owner of question.owners) {
      const isFirst = ranges.length === 0
      if (!isFirst && (bytesMax <= 0 || entriesMax <= 0 || isLate())) break
      const from = isFirst ? question.from : FIRST_KEY
      const range = source.storage(owner, { from, to: LAST_KEY, bytesMax, entriesMax, isLate })
      if (range === undefined) break
      ranges.push(range)
      // An end before the last key: what was allowed is used up.
      if (range.end.some((byte) => byte !== 0xff)) break
      entriesMax -= range.entries.length
      for (const [key, value] of range.entries) bytesMax -= key.length + value.length
      for (const node of range.proof) bytesMax -= node.length
    }
    return ranges
  }

  function plainAnswer(
    question: SnapshotQuestion & { kind: 'headers' | 'codes' | 'receipts' },
  ): Uint8Array {
    switch (question.kind) {
      case 'headers':
        return encodeEncodedItems(headersAfter(question.after, question.count))
      case 'codes':
        return encodeStrings(codesOf(question.hashes))
      case 'receipts':
        return receiptsOf(question.number)
    }
  }

  function headersAfter(after: number, count: number): Uint8Array[] {
    const begun = clock.elapsed()
    const headers: Uint8Array[] = []
    const last = after + Math.min(count, SNAPSHOT_WIRE_LIMITS.headersMax)
    let bytes = 0
    for (let number = after + 1; number <= last; number++) {
      const named = chain.header(number)
      if (named === undefined || clock.elapsed() - begun > limits.answerMs) break
      const encoded = encodeHeader(named.header)
      bytes += encoded.length
      if (headers.length > 0 && bytes > limits.answerBytes) break
      headers.push(encoded)
    }
    return headers
  }

  /** As many as fit, in the order of the question, up to the first that is not here. */
  function codesOf(hashes: readonly `0x${string}`[]): Uint8Array[] {
    const codes: Uint8Array[] = []
    let bytes = 0
    for (const hash of hashes) {
      const code = chain.code(hash)
      if (code === undefined) break
      bytes += code.length
      if (codes.length > 0 && bytes > limits.answerBytes) break
      codes.push(code)
    }
    return codes
  }

  function receiptsOf(number: number): Uint8Array {
    try {
      const receipts = chain.receipts(number)?.map(encodeReceipt)
      const size = receipts?.reduce((sum, each) => sum + each.length, 0) ?? 0
      if (receipts === undefined || size > limits.receiptsBytesMax) {
        return encodeSnapshotStatus('unheld')
      }
      return encodeStrings(receipts)
    } catch (error) {
      if (!(error instanceof LedgerError && isRefusal(error))) throw error
      // Below the snapshot that this node itself began with.
      return encodeSnapshotStatus('unheld')
    }
  }

  return {
    answer,
    stop: () => {
      isStopped = true
      for (const end of [...pauses]) end()
      states.clear()
    },
  }
}
