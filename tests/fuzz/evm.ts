/** Differential fuzzing of the machine: generated scenarios, the same facts as an independent one. */

import { FORKS, type Fork } from '@vellum/evm'
import { type Observation, observeOurs } from './evm-ours.ts'
import { observePeer } from './evm-peer.ts'
import { createPrng } from './prng.ts'
import { describeScenario, generateScenario, type Scenario } from './scenario.ts'

export interface FuzzOptions {
  readonly runs: number
  /** Case i uses seed + i. */
  readonly seed: number
  /** One fork, or all in turn. */
  readonly fork: Fork | undefined
}

export interface FuzzReport {
  readonly passed: number
  readonly failed: readonly FuzzFailure[]
}

export interface FuzzFailure {
  readonly seed: number
  /** The smallest scenario found that still differs, in words. */
  readonly scenario: string
  readonly difference: string
}

const FAILURES_MAX = 5

/** Stops after a few differences. Resolves; never rejects for a difference. */
export async function fuzzEvm(
  options: FuzzOptions,
  progress: (done: number) => void,
): Promise<FuzzReport> {
  const failed: FuzzFailure[] = []
  let passed = 0
  for (let i = 0; i < options.runs && failed.length < FAILURES_MAX; i++) {
    const seed = (options.seed + i) >>> 0
    const prng = createPrng(seed)
    const scenario = generateScenario(prng, options.fork ?? prng.pick(FORKS))
    const difference = await compare(scenario)
    if (difference === undefined) {
      passed++
    } else {
      const smallest = await shrink(scenario)
      const { scenario: text, difference: least } = {
        scenario: describeScenario(smallest),
        difference: (await compare(smallest)) ?? difference,
      }
      failed.push({ seed, scenario: text, difference: least })
    }
    progress(i + 1)
  }
  return { passed, failed }
}

/** What differs between us and the peer, and between our two ways to run; undefined if nothing. */
async function compare(scenario: Scenario): Promise<string | undefined> {
  const ours = observe(scenario, observeOurs)
  const stepped = observe(scenario, (each) => observeOurs(each, { step: () => {} }))
  const inner = differenceOf(ours, stepped, 'blocks', 'steps')
  if (inner !== undefined) return inner
  return differenceOf(ours, await observePeer(scenario), 'ours', 'peer')
}

/** What is thrown is a difference too. */
function observe(scenario: Scenario, by: (scenario: Scenario) => Observation): Observation {
  try {
    return by(scenario)
  } catch (error) {
    return [`threw ${error instanceof Error ? error.stack : error}`]
  }
}

function differenceOf(
  a: Observation,
  b: Observation,
  nameA: string,
  nameB: string,
): string | undefined {
  const length = Math.max(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (a[i] !== b[i]) return `${nameA}: ${a[i] ?? 'nothing'}\n${nameB}: ${b[i] ?? 'nothing'}`
  }
  return undefined
}

/** Drops messages and accounts' code, then cuts code short, as long as a difference remains. */
async function shrink(scenario: Scenario): Promise<Scenario> {
  let best = scenario
  const attempt = async (next: Scenario): Promise<boolean> => {
    if ((await compare(next)) === undefined) return false
    best = next
    return true
  }
  for (let i = best.messages.length - 1; i >= 0 && best.messages.length > 1; i--) {
    await attempt({ ...best, messages: best.messages.filter((_, j) => j !== i) })
  }
  for (let i = 0; i < best.accounts.length; i++) {
    const { code } = best.accounts[i]!
    for (const size of [0, code.length >> 3, code.length >> 2, code.length >> 1]) {
      if (await attempt(withCode(best, i, code.slice(0, size)))) break
    }
    for (let cut = best.accounts[i]!.code.length >> 2; cut >= 1; cut >>= 1) {
      while (best.accounts[i]!.code.length > cut) {
        const now = best.accounts[i]!.code
        if (!(await attempt(withCode(best, i, now.slice(0, now.length - cut))))) break
      }
    }
    // Opcodes in the middle become JUMPDEST, which does nothing.
    for (let at = 0; at < best.accounts[i]!.code.length; at++) {
      if (best.accounts[i]!.code[at] === 0x5b) continue
      const next = best.accounts[i]!.code.slice()
      next[at] = 0x5b
      await attempt(withCode(best, i, next))
    }
  }
  return best
}

function withCode(scenario: Scenario, index: number, code: Uint8Array): Scenario {
  const accounts = scenario.accounts.map((account, i) =>
    i === index ? { ...account, code } : account,
  )
  return { ...scenario, accounts }
}
