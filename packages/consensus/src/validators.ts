/**
 * Who validates: the set that headers carry, changed by the votes in them, epoch by epoch.
 *
 * A vote counts from the block after the one that carries it. More than half of the set adds or
 * removes. A block whose number is a multiple of the epoch clears all votes, and its own is ignored.
 * Spec: qbft.md §6.1; Besu `VoteTally`, `VoteTallyUpdater`, `EpochManager`.
 */

import type { Address } from '@vellum/evm'
import {
  type Cache,
  createCache,
  decodeExtraData,
  type ExtraData,
  type Header,
} from '@vellum/ledger'
import { voteMajority } from './quorum.ts'

export type Vote = NonNullable<ExtraData['vote']>

/** The set for the next block, and the votes that have not changed it yet. */
export interface ValidatorState {
  /** Ascending. */
  readonly validators: readonly Address[]
  /** Who wants each subject added. */
  readonly adds: Votes
  /** Who wants each subject removed. */
  readonly drops: Votes
}

type Votes = ReadonlyMap<Address, ReadonlySet<Address>>

const NO_VOTES: Votes = new Map()

/** A set without votes: of a genesis or epoch header. */
export function validatorsWithoutVotes(validators: readonly Address[]): ValidatorState {
  return { validators: [...validators].sort(), adds: NO_VOTES, drops: NO_VOTES }
}

/** True for blocks that clear all votes. */
export function isEpochBlock(number: number, epochLength: number): boolean {
  return number % epochLength === 0
}

/** The state after a vote. @param voter coinbase of the block that carries it */
export function afterVote(state: ValidatorState, voter: Address, vote: Vote): ValidatorState {
  const { recipient, kind } = vote
  const votes = {
    adds: withVoter(state.adds, recipient, voter, kind === 'add'),
    drops: withVoter(state.drops, recipient, voter, kind === 'drop'),
  }
  const majority = voteMajority(state.validators.length)
  if ((votes.adds.get(recipient)?.size ?? 0) >= majority) {
    const validators = [...new Set([...state.validators, recipient])].sort()
    return { validators, ...forget(votes, recipient) }
  }
  if ((votes.drops.get(recipient)?.size ?? 0) >= majority) {
    const validators = state.validators.filter((each) => each !== recipient)
    const left = forget(votes, recipient)
    return {
      validators,
      adds: withoutVoter(left.adds, recipient),
      drops: withoutVoter(left.drops, recipient),
    }
  }
  return { validators: state.validators, ...votes }
}

/** The state after a block; `state` is that after its parent. @param extra of the header, if it is decoded already */
export function afterBlock(
  state: ValidatorState,
  header: Header,
  epochLength: number,
  extra: ExtraData = decodeExtraData(header.extraData),
): ValidatorState {
  if (isEpochBlock(header.number, epochLength)) return validatorsWithoutVotes(state.validators)
  const { vote } = extra
  return vote === undefined ? state : afterVote(state, header.coinbase, vote)
}

/** Validator states along one chain, which never turns back. */
export interface ValidatorHistory {
  /**
   * The state after a block, so the set for the next one.
   * @param header reads a header of this chain, by number up to the one asked for
   */
  after(number: number, header: (number: number) => Header): ValidatorState
}

/** States kept, in each of two generations: those near the head, and those of old blocks asked for. */
const CACHED_STATES = 256

/** @param epochLength blocks from one clearing of votes to the next, at least 1 */
export function createValidatorHistory(epochLength: number): ValidatorHistory {
  const known: Cache<number, ValidatorState> = createCache(CACHED_STATES)
  return {
    after: (number, header) => {
      // Back to the last state known, or to the epoch's first block, whose list is authoritative.
      let from = number
      while (known.get(from) === undefined && !isEpochBlock(from, epochLength)) from--
      let state =
        known.get(from) ??
        validatorsWithoutVotes(decodeExtraData(header(from).extraData).validators)
      known.set(from, state)
      for (let each = from + 1; each <= number; each++) {
        state = afterBlock(state, header(each), epochLength)
        known.set(each, state)
      }
      return state
    },
  }
}

function withVoter(votes: Votes, subject: Address, voter: Address, isFor: boolean): Votes {
  const voters = votes.get(subject)
  if (isFor === (voters?.has(voter) ?? false)) return votes
  const changed = new Set(voters)
  if (isFor) changed.add(voter)
  else changed.delete(voter)
  return changed.size === 0 ? without(votes, subject) : new Map(votes).set(subject, changed)
}

function forget(
  { adds, drops }: { adds: Votes; drops: Votes },
  subject: Address,
): { adds: Votes; drops: Votes } {
  return { adds: without(adds, subject), drops: without(drops, subject) }
}

function without(votes: Votes, subject: Address): Votes {
  const left = new Map(votes)
  left.delete(subject)
  return left
}

/** A removed validator's own votes go with it. */
function withoutVoter(votes: Votes, voter: Address): Votes {
  let left = votes
  for (const subject of votes.keys()) left = withVoter(left, subject, voter, false)
  return left
}
