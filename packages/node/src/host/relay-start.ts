/** The relayer of a node, and what else goes on between its chains. Loaded only where there is a gateway. */

import { randomInt } from 'node:crypto'
import type { NodeConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import type { Logger } from '../ports.ts'
import type { RelayStep } from '../relay.ts'
import { type RelayHub, startRelayHub } from '../relay-hub.ts'
import { recoverSeal } from '../sealing.ts'
import { systemTimers } from './machine.ts'
import type { ServedChains } from './served-chains.ts'
import type { SharedParts } from './shared-parts.ts'

export interface RelayStart {
  readonly served: ServedChains
  readonly shared: SharedParts
  readonly config: NodeConfig
  readonly log: Logger
}

/** @throws NodeError NODE_CONFIG_INVALID for a drill's setting that names no step */
export function startRelay({ served, shared, config, log }: RelayStart): RelayHub {
  const { clock, crypto, observation, signer } = shared
  if (signer === undefined && config.relay.enabled === true) {
    log.warn('messages are not relayed: that needs the key of a validator, or `vellum relay`')
  }
  return startRelayHub(
    served,
    { signer, seed: randomInt(1, 2 ** 31) },
    {
      clock,
      timers: systemTimers,
      log: log.child('relay'),
      metrics: observation.metrics,
      recover: recoverSeal(crypto),
      onStep: exitAt(config.test.relayExit),
    },
  )
}

const STEPS: readonly RelayStep[] = [
  'observed',
  'launching',
  'headers planned',
  'proofs built',
  'tried',
  'submitting',
  'landed',
]

/** For drills: ends the process like a machine that loses power, at a step and its count. */
export function exitAt(setting: string | undefined): ((step: RelayStep) => void) | undefined {
  if (setting === undefined) return undefined
  const [name, text] = setting.split(':')
  const step = STEPS.find((each) => each === name)
  let left = Number(text)
  if (step === undefined || !Number.isSafeInteger(left) || left < 1) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `test.relayExit must be a step and a count, such as "submitting:2"; steps are ${STEPS.join(', ')}`,
    )
  }
  return (reached) => {
    if (reached === step && --left === 0) process.kill(process.pid, 'SIGKILL')
  }
}
