/**
 * Besu's tests of its consensus, and what we say to each: the checklist behind
 * `besu-scenarios.test.ts`. The names are those of `besu-scenario-names.json` in the collection.
 */

import type { Answer, Answers, FileAnswers } from './besu/answer.ts'
import { BFT } from './besu/bft.ts'
import { IBFT } from './besu/ibft.ts'
import { QBFT } from './besu/qbft.ts'

export const SCENARIOS: Answers = { ...BFT, ...IBFT, ...QBFT }

/** Where an answer was found: for telling which ones nobody asks for. */
export interface Found {
  readonly answer: Answer
  /** `file name`, `file like` or `file otherwise`. */
  readonly from: string
}

/** The answer to a test of Besu's; undefined if there is none. @param file the whole path */
export function answerTo(file: string, name: string): Found | undefined {
  const key = fileKeyOf(file)
  const answers = key === undefined ? undefined : SCENARIOS[key]
  if (answers === undefined) return undefined
  const own = answers.names?.[name]
  if (own !== undefined) return { answer: own, from: `${key} ${name}` }
  const shared = answers.like === undefined ? undefined : within(SCENARIOS[answers.like], name)
  if (shared !== undefined) return { answer: shared, from: `${key} like` }
  if (answers.otherwise !== undefined)
    return { answer: answers.otherwise, from: `${key} otherwise` }
  return undefined
}

/** Everything that could be the `from` of an answer. */
export function allPlaces(): string[] {
  return Object.entries(SCENARIOS).flatMap(([key, { names, like, otherwise }]) => [
    ...Object.keys(names ?? {}).map((name) => `${key} ${name}`),
    ...(like === undefined ? [] : [`${key} like`]),
    ...(otherwise === undefined ? [] : [`${key} otherwise`]),
  ])
}

/** The one key that ends the path. */
export function fileKeyOf(file: string): string | undefined {
  return Object.keys(SCENARIOS).find((key) => file.endsWith(`/${key}`))
}

function within(answers: FileAnswers | undefined, name: string): Answer | undefined {
  return answers?.names?.[name] ?? answers?.otherwise
}
