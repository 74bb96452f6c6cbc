/**
 * Proofs that validators have contradicted themselves (R2.8): two messages, both signed, of which an
 * honest validator sends one. The latest of them, on disk in a ring of records.
 */

import {
  type Contradiction,
  decodeEvidence,
  encodeEvidence,
  type Message,
  type RecoverAuthor,
} from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import {
  decodeRlp,
  encodeRlp,
  KIND,
  keyOf,
  rlpBytes,
  rlpList,
  rlpNumber,
  rlpScalar,
  type Store,
} from '@vellum/ledger'
import type { Logger } from './ports.ts'

export interface Evidence extends Contradiction {
  readonly author: Address
}

export interface EvidenceBook {
  /** Oldest first, at most `EVIDENCE_MAX`. */
  readonly entries: readonly Evidence[]
  /** @returns undefined if this contradiction is known */
  add(first: Message, second: Message): Evidence | undefined
  /** Called after each that is new. Returns the way to stop. */
  onAdded(listener: (evidence: Evidence) => void): () => void
  /** Resolves when nothing is being written any more. */
  settled(): Promise<void>
}

export interface EvidenceBookPorts {
  readonly store: Store
  /** Who signed a message of the chain. */
  readonly recover: RecoverAuthor
  readonly log: Logger
  /** The disk failed. */
  readonly onFailure: (error: unknown) => void
}

/** Contradictions that are kept. */
export const EVIDENCE_MAX = 256

/** Opens the book. What is damaged in it is left out: a proof that is lost is no danger to the chain. */
export function openEvidenceBook(ports: EvidenceBookPorts): EvidenceBook {
  const { store, log } = ports
  const found = readAll(ports)
  const entries = found.map(({ evidence }) => evidence)
  const listeners = new Set<(evidence: Evidence) => void>()
  let sequence = found.length === 0 ? 0 : found.at(-1)!.sequence + 1
  let writing: Promise<void> = Promise.resolve()

  function keep(evidence: Evidence): void {
    const frame = encodeEvidence(evidence)
    const place = sequence++ % EVIDENCE_MAX
    // Of proposals of large blocks this process alone knows.
    if (frame === undefined) return
    const write = store.write(keyOfPlace(place), encodeRlp([rlpScalar(sequence - 1), frame]))
    writing = writing.then(() => store.disk.batch([write])).catch(ports.onFailure)
  }

  return {
    entries,
    add: (first, second) => {
      const { author, kind, payload } = first
      const { height, round } = payload
      if (entries.some((each) => isSamePlace(each, first))) return undefined
      log.error('a validator contradicts itself', { author, kind, height, round })
      const evidence = { author, first, second }
      if (entries.length >= EVIDENCE_MAX) entries.shift()
      entries.push(evidence)
      keep(evidence)
      for (const listener of listeners) listener(evidence)
      return evidence
    },
    onAdded: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    settled: () => writing,
  }
}

function isSamePlace({ author, first }: Evidence, message: Message): boolean {
  return (
    author === message.author &&
    first.kind === message.kind &&
    first.payload.height === message.payload.height &&
    first.payload.round === message.payload.round
  )
}

interface Kept {
  readonly sequence: number
  readonly evidence: Evidence
}

function readAll({ store, recover, log }: EvidenceBookPorts): Kept[] {
  const found: Kept[] = []
  for (let place = 0; place < EVIDENCE_MAX; place++) {
    try {
      const value = store.read(keyOfPlace(place))
      if (value !== undefined) found.push(decode(value, recover))
    } catch (error) {
      log.warn('evidence on disk cannot be read', { place, reason: (error as Error).message })
    }
  }
  return found.sort((a, b) => a.sequence - b.sequence)
}

function decode(value: Uint8Array, recover: RecoverAuthor): Kept {
  const [sequence, frame] = rlpList(decodeRlp(value), 'evidence')
  const contradiction = decodeEvidence(rlpBytes(frame, 'messages'), recover)
  const evidence = { author: contradiction.first.author, ...contradiction }
  return { sequence: rlpNumber(sequence, 'sequence'), evidence }
}

function keyOfPlace(place: number): Uint8Array {
  return keyOf(KIND.evidence, Uint8Array.of(place))
}
