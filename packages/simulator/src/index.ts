export { BEHAVIOUR_NAMES, BEHAVIOURS, type BehaviourName } from './byzantine/catalogue.ts'
export type { AdversaryPorts, Behaviour, Interference, Outgoing } from './byzantine/interference.ts'
export { catalogueScenario } from './catalogue-scenario.ts'
export { createCheapCrypto } from './cheap-crypto.ts'
export { type Checks, createChecks, type Rule, type Violation } from './checks.ts'
export { drawScenario } from './draw-scenario.ts'
export { runMany } from './host/run-many.ts'
export { runPeg, runWorld } from './host/run-world.ts'
export {
  loadPegScenario,
  loadScenario,
  shippedPegScenarios,
  shippedScenarios,
} from './host/scenario-source.ts'
export type { WorldResult, WorldTask } from './host/world-worker.ts'
export {
  type BlockFacts,
  createPegChecks,
  type MessageEvent,
  PEG_RULES,
  type PegChecks,
  type PegRule,
  type PegViolation,
} from './peg/checks.ts'
export { drawPegScenario } from './peg/draw.ts'
export { type PegScenario, RELAY_STEPS } from './peg/scenario.ts'
export { parsePegScenario } from './peg/scenario-file.ts'
export { type PegOutcome, type PegWorldPorts, runPegWorld } from './peg/world.ts'
export { createPrng, type Prng } from './prng.ts'
export { createVirtualProcess, type VirtualProcess } from './process-gate.ts'
export type { Action, NodeIndex, Scenario, Step } from './scenario.ts'
export { parseScenario } from './scenario-file.ts'
export { ScenarioError } from './scenario-reader.ts'
export { createMachineClock, type MachineClock } from './virtual-clock.ts'
export {
  createVirtualDisk,
  type DiskConditions,
  type DiskView,
  GOOD_DISK,
  type VirtualDisk,
} from './virtual-disk.ts'
export {
  CALM,
  createVirtualNetwork,
  NETWORK_LIMITS,
  type NetworkConditions,
  type Penalty,
  type VirtualNetwork,
  type WireMessage,
} from './virtual-network.ts'
export { createVirtualTime, EPOCH_MS, type VirtualTime } from './virtual-time.ts'
export { createWorld, type Outcome, type World, type WorldPorts } from './world.ts'
