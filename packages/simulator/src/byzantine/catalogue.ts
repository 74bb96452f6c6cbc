/** All behaviours by their names, as scenarios call them. */

import { badServer } from './bad-server.ts'
import { delayer } from './delayer.ts'
import { doubleVoter } from './double-voter.ts'
import { equivocatingProposer } from './equivocating-proposer.ts'
import { falseClaimer } from './false-claimer.ts'
import { flooder } from './flooder.ts'
import type { Behaviour } from './interference.ts'
import { invalidBlock } from './invalid-block.ts'
import { justificationForger } from './justification-forger.ts'
import { replayer } from './replayer.ts'
import { silent } from './silent.ts'
import { subsetVoter } from './subset-voter.ts'
import { twoFaced } from './two-faced.ts'
import { withholder } from './withholder.ts'
import { wrongDigest } from './wrong-digest.ts'
import { wrongSeal } from './wrong-seal.ts'

export type BehaviourName =
  | 'bad server'
  | 'delayer'
  | 'double voter'
  | 'equivocating proposer'
  | 'false claimer'
  | 'flooder'
  | 'invalid block'
  | 'justification forger'
  | 'replayer'
  | 'silent'
  | 'subset voter'
  | 'two-faced'
  | 'withholder'
  | 'wrong digest'
  | 'wrong seal'

export const BEHAVIOURS: Readonly<Record<BehaviourName, Behaviour>> = {
  'bad server': badServer,
  delayer,
  'double voter': doubleVoter,
  'equivocating proposer': equivocatingProposer,
  'false claimer': falseClaimer,
  flooder,
  'invalid block': invalidBlock,
  'justification forger': justificationForger,
  replayer,
  silent,
  'subset voter': subsetVoter,
  'two-faced': twoFaced,
  withholder,
  'wrong digest': wrongDigest,
  'wrong seal': wrongSeal,
}

export const BEHAVIOUR_NAMES: readonly BehaviourName[] = Object.keys(BEHAVIOURS) as BehaviourName[]
