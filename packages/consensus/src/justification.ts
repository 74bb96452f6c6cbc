/**
 * What a proposal or a round change must bring along to be believed. Authors are recovered already.
 * Spec: qbft.md §11; QBFT L1 `isProposalJustification`, `validRoundChange`.
 */

import type { Address, Hash } from '@vellum/evm'
import type {
  PreparePayload,
  Proposal,
  RoundChange,
  RoundChangePayload,
  Signed,
} from './message.ts'
import { inRound, proposedRound } from './proposed-block.ts'
import { quorum } from './quorum.ts'

/** True if the proposal may be made in its round, as far as messages can tell: rules 3 and 4. */
export function isJustified(proposal: Proposal, validators: readonly Address[]): boolean {
  const { payload, author, roundChanges, prepares } = proposal
  const { height, round, block } = payload
  if (round === 0) {
    return roundChanges.length === 0 && prepares.length === 0 && block.header.coinbase === author
  }
  if (!areOfQuorum(roundChanges, validators)) return false
  if (!roundChanges.every(({ payload }) => payload.height === height && payload.round === round)) {
    return false
  }
  if (roundChanges.some(({ payload: { prepared } }) => prepared && prepared.round >= round)) {
    return false
  }
  if (disagree(roundChanges)) return false
  const highest = highestPrepared(roundChanges)
  if (highest === undefined) return prepares.length === 0 && block.header.coinbase === author
  return (
    inRound(block, highest.round).digest === highest.digest &&
    arePreparesOf({ height, ...highest }, prepares, validators)
  )
}

/** True if what a round change claims to have prepared is proven; the block is not executed. */
export function isRoundChangeProven(
  { payload, block, prepares }: RoundChange,
  validators: readonly Address[],
): boolean {
  const { height, round, prepared } = payload
  if (prepared === undefined) return block === undefined && prepares.length === 0
  return (
    block !== undefined &&
    prepared.round < round &&
    block.header.number === height &&
    proposedRound(block.header) === prepared.round &&
    block.digest === prepared.digest &&
    arePreparesOf({ height, ...prepared }, prepares, validators)
  )
}

/** The claim of the highest round among round changes; undefined if nobody has prepared anything. */
export function highestPrepared(
  roundChanges: readonly Signed<RoundChangePayload>[],
): { readonly round: number; readonly digest: Hash } | undefined {
  let highest: RoundChangePayload['prepared']
  for (const { payload } of roundChanges) {
    const { prepared } = payload
    if (prepared && (highest === undefined || prepared.round > highest.round)) highest = prepared
  }
  return highest
}

/** Two claims to have prepared different blocks in one round: one of them is a lie. */
function disagree(roundChanges: readonly Signed<RoundChangePayload>[]): boolean {
  const digests = new Map<number, Hash>()
  return roundChanges.some(({ payload: { prepared } }) => {
    if (prepared === undefined) return false
    const known = digests.get(prepared.round)
    digests.set(prepared.round, prepared.digest)
    return known !== undefined && known !== prepared.digest
  })
}

function arePreparesOf(
  { height, round, digest }: PreparePayload,
  prepares: readonly Signed<PreparePayload>[],
  validators: readonly Address[],
): boolean {
  return (
    areOfQuorum(prepares, validators) &&
    prepares.every(
      ({ payload }) =>
        payload.height === height && payload.round === round && payload.digest === digest,
    )
  )
}

/** Distinct authors, all of the set, at least a quorum. */
function areOfQuorum(
  messages: readonly { readonly author: Address }[],
  validators: readonly Address[],
): boolean {
  const authors = new Set(messages.map(({ author }) => author))
  return (
    authors.size === messages.length &&
    authors.size >= quorum(validators.length) &&
    [...authors].every((author) => validators.includes(author))
  )
}
