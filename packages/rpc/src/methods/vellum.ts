/** Questions that only this node answers. */

import type { ConsensusPort } from '../backend.ts'
import { type Method, method } from '../method.ts'

export function vellumMethods(consensus: ConsensusPort): Method[] {
  return [method('vellum_consensusStatus', [], () => JSON.stringify(consensus.status()))]
}
