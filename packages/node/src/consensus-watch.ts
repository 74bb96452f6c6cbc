/**
 * What the engine's state does not say: when things happened. Who was heard of last, since when the
 * round lasts. Told after each step; bounded by the validator set.
 */

import type { Event, State } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import type { Clock } from './ports.ts'

export interface ConsensusWatch {
  stepped(event: Event, state: State): void
  /** Elapsed time, ms, at which the validator's own last message came from itself. */
  heardAt(validator: Address): number | undefined
  /** Elapsed time, ms, at which the round, or before the first one the height, began. */
  roundBeganAt(): number
}

export function createConsensusWatch(clock: Pick<Clock, 'elapsed'>): ConsensusWatch {
  const heard = new Map<Address, number>()
  let beganAt = clock.elapsed()
  let height = -1
  let round: number | undefined
  return {
    stepped: (event, state) => {
      if (event.type === 'message') {
        const { author } = event.message
        // What is passed on says nothing of whether its author is there now.
        if (author === event.from && state.validators.includes(author)) {
          heard.set(author, clock.elapsed())
        }
      }
      if (state.height === height && state.round === round) return
      if (state.height !== height) {
        for (const each of heard.keys()) if (!state.validators.includes(each)) heard.delete(each)
      }
      height = state.height
      round = state.round
      beganAt = clock.elapsed()
    },
    heardAt: (validator) => heard.get(validator),
    roundBeganAt: () => beganAt,
  }
}
