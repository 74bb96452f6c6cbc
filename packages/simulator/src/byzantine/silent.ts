/** Follows the chain and never says a word about it. */

import type { Behaviour } from './interference.ts'

export const silent: Behaviour = () => ({ consensus: () => [], other: () => [] })
