/**
 * Counts what the engine does, by watching its steps: rounds and why they changed, how long each part
 * of a decision takes, who is missing, late or lying.
 */

import type { Effect, Event, State } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { type Metrics, STEP_SECONDS } from './metrics.ts'
import type { Clock, ConsensusObserver } from './ports.ts'

/** Parts of a height, in order; each lasts from the one before it. */
type Part = 'proposed' | 'checked' | 'prepared' | 'committed' | 'appended'

/** Why a round was entered that is not the height's first. */
type RoundReason =
  | 'timeout'
  | 'block refused'
  | 'round changes of others'
  | 'proposal of a later round'
  | 'restart'

export function createConsensusMetrics(
  metrics: Metrics,
  clock: Pick<Clock, 'elapsed'>,
): ConsensusObserver {
  const steps = metrics.histograms(
    'vellum_consensus_step_seconds',
    'Time of each part of a decision, from the one before it.',
    { label: 'step', buckets: STEP_SECONDS },
  )
  const decisions = metrics.histogram(
    'vellum_consensus_decision_seconds',
    'Time from the first round of a height to its decision.',
    STEP_SECONDS,
  )
  const rounds = metrics.counters(
    'vellum_consensus_round_changes_total',
    'Rounds entered after the first of a height, by reason.',
    'reason',
  )
  const decided = metrics.counter(
    'vellum_consensus_decided_total',
    'Heights decided by messages of consensus at this node.',
  )
  const imported = metrics.counter(
    'vellum_sync_blocks_total',
    'Blocks that came sealed from peers instead.',
  )
  const missing = metrics.counters(
    'vellum_consensus_missing_total',
    'Decided heights at which nothing had come from a validator before the next was decided.',
    'validator',
  )
  const late = metrics.counters(
    'vellum_consensus_late_votes_total',
    'Prepares and commits that came after their round or height.',
    'validator',
  )
  const equivocations = metrics.counters(
    'vellum_consensus_equivocations_total',
    'Proven contradictions.',
    'validator',
  )
  const rejected = metrics.counters(
    'vellum_consensus_rejected_total',
    'Messages that were not taken, by reason.',
    'reason',
  )

  let before: State | undefined
  let partBeganAt = 0
  let heightBeganAt = 0
  /** Validators of whom something of this height, and of the one before it, has come. */
  let spoke = new Set<Address>()
  let spokeBefore = new Set<Address>()
  /** True if the height before was decided here: then whoever said nothing was missing. */
  let wasDecidedBefore = false

  function part(name: Part): void {
    const now = clock.elapsed()
    steps(name).observe((now - partBeganAt) / 1_000)
    partBeganAt = now
  }

  function watchSpeech(event: Event, state: State): void {
    if (event.type !== 'message') return
    const { author, payload } = event.message
    if (!state.validators.includes(author)) return
    if (payload.height === state.height) spoke.add(author)
    if (payload.height === state.height - 1) spokeBefore.add(author)
  }

  function watchRound(event: Event, last: Seen, state: State): void {
    if (state.round === undefined || state.round === last.round) return
    partBeganAt = clock.elapsed()
    if (last.round === undefined) heightBeganAt = partBeganAt
    if (state.round > 0) rounds(reasonOf(event)).add()
  }

  function watchParts(last: Seen, state: State): void {
    if (last.checking === undefined && state.checking !== undefined) part('proposed')
    if (last.accepted === undefined && state.accepted !== undefined) {
      // Our own proposal is executed already.
      if (last.checking === undefined) part('proposed')
      part('checked')
    }
    if (last.own.commit === undefined && state.own.commit !== undefined) part('prepared')
    if (!last.isDecided && state.isDecided) {
      part('committed')
      decisions.observe((partBeganAt - heightBeganAt) / 1_000)
      decided.add()
      uponDecision(state)
    }
  }

  /** Whoever has said nothing at the height before this one by now, was not there. */
  function uponDecision({ validators }: State): void {
    if (!wasDecidedBefore) return
    for (const each of validators) if (!spokeBefore.has(each)) missing(each).add()
  }

  function watchEffects(event: Event, effects: readonly Effect[], state: State): void {
    for (const effect of effects) {
      if (effect.type === 'evidence') equivocations(effect.first.author).add()
      if (effect.type !== 'reject') continue
      rejected(effect.reason).add()
      if (effect.reason !== 'late' || event.type !== 'message') continue
      const { kind } = event.message
      if (kind !== 'prepare' && kind !== 'commit') continue
      late(state.validators.includes(effect.author) ? effect.author : 'other').add()
    }
  }

  return {
    stepped: (event, effects, state) => {
      const last = before ?? state
      before = state
      if (state.height !== last.height) {
        if (last.isDecided) part('appended')
        else imported.add(state.height - last.height)
        wasDecidedBefore = last.isDecided
        spokeBefore = spoke
        spoke = new Set()
      }
      // A node speaks to itself without messages.
      for (const each of [state.own.proposal, state.own.prepare, state.own.roundChange]) {
        if (each !== undefined) spoke.add(each.author)
      }
      watchSpeech(event, state)
      const isSameHeight = state.height === last.height
      watchRound(event, isSameHeight ? last : NOTHING, state)
      watchParts(isSameHeight && state.round === last.round ? last : NOTHING, state)
      if (effects.length > 0) watchEffects(event, effects, state)
    },
  }
}

type Seen = Pick<State, 'round' | 'checking' | 'accepted' | 'isDecided' | 'own'>

/** A height in which nothing has happened. */
const NOTHING: Seen = {
  round: undefined,
  checking: undefined,
  accepted: undefined,
  isDecided: false,
  own: {},
}

function reasonOf(event: Event): RoundReason {
  switch (event.type) {
    case 'blockChecked':
      return 'block refused'
    case 'message':
      return event.message.kind === 'proposal'
        ? 'proposal of a later round'
        : 'round changes of others'
    case 'newHead':
      return 'restart'
    default:
      return 'timeout'
  }
}
