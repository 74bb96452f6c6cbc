/**
 * The ommers of a block of a foreign chain from before the merge: who they may be. Their proof of
 * work is not checked, as that of the blocks is not.
 *
 * Spec: yellow paper 11.1 (ommer validation).
 */

import type { Hash } from '@vellum/evm'
import type { Block, Header } from './block.ts'
import type { SealedHeader } from './chain.ts'
import type { Verdict } from './seal.ts'
import type { UnrecoveredTransaction } from './transaction.ts'

/** What is known of the chain that a block goes on. */
export interface Ancestry {
  header(number: number): SealedHeader | undefined
  ommers(number: number): readonly Header[]
  hash(header: Header): Hash
  /** Is this header a legal child of that one, whatever the chain goes on with? */
  verifyChild(header: Header, parent: Header): Verdict
}

const OMMERS_MAX = 2
/** Blocks from an ommer to the one that names it. */
const GENERATIONS_MAX = 6

const OK: Verdict = { ok: true }
const no = (reason: string): Verdict => ({ ok: false, reason })

/** @returns why the block may not name these ommers */
export function verifyOmmers(
  { header, ommers }: Block<UnrecoveredTransaction>,
  ancestry: Ancestry,
): Verdict {
  if (ommers.length === 0) return OK
  if (ommers.length > OMMERS_MAX) return no('more than two ommers')
  const taken = new Set<Hash>()
  for (let age = 1; age <= GENERATIONS_MAX; age++) {
    const ancestor = ancestry.header(header.number - age)
    if (ancestor === undefined) break
    taken.add(ancestor.hash)
    for (const named of ancestry.ommers(header.number - age)) taken.add(ancestry.hash(named))
  }
  for (const ommer of ommers) {
    const age = header.number - ommer.number
    if (age < 1 || age > GENERATIONS_MAX) return no('an ommer is too old')
    const hash = ancestry.hash(ommer)
    if (taken.has(hash)) return no('an ommer is an ancestor, or was named before')
    taken.add(hash)
    const parent = ancestry.header(ommer.number - 1)
    if (parent?.hash !== ommer.parentHash) return no('an ommer is no child of an ancestor')
    const verdict = ancestry.verifyChild(ommer, parent.header)
    if (!verdict.ok) return no(`an ommer is no legal header: ${verdict.reason}`)
  }
  return OK
}
