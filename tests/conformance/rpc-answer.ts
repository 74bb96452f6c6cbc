/** Compares an answer with the expected one as hive does: equal in depth, but for the words of errors. */

import { isRecord } from './files.ts'
import type { Change, Outcome } from './rpc-changes.ts'

/** @throws Error at the first place that differs; or if a change is listed which is none */
export function assertAnswer(answer: unknown, expected: unknown, change: Change | undefined): void {
  const difference = differenceAt('', answer, expected)
  if (change === undefined) {
    if (difference !== undefined) throw new Error(difference)
    return
  }
  if (difference === undefined) throw new Error('listed as changed, but it is not')
  const other = otherwise(answer, expected, change)
  if (other !== undefined) throw new Error(other)
}

/** What differs from the answer that the change asks for. */
function otherwise(answer: unknown, expected: unknown, change: Change): string | undefined {
  if ('outcome' in change) return outcomeDifference(answer, expected, change.outcome)
  if ('outcomes' in change) {
    if (!Array.isArray(answer) || !Array.isArray(expected)) return 'no batch is answered'
    if (answer.length !== change.outcomes.length) return `${answer.length} answers in the batch`
    return firstOf(change.outcomes, (outcome, i) =>
      outcomeDifference(answer[i], expected[i], outcome),
    )
  }
  if ('pattern' in change) {
    const result = isRecord(answer) ? String(answer.result) : 'nothing'
    return change.pattern.test(result) ? undefined : `.result: ${result}`
  }
  const without = (value: unknown): unknown => withoutFields(value, change.fields)
  return differenceAt('', without(answer), without(expected))
}

function outcomeDifference(
  answer: unknown,
  expected: unknown,
  outcome: Outcome,
): string | undefined {
  const { id, jsonrpc } = expected as { id: unknown; jsonrpc: unknown }
  return differenceAt('', withoutWords(answer), { id, jsonrpc, ...outcome })
}

/** Where and how two JSON values differ; words of errors do not count where both have them. */
function differenceAt(path: string, found: unknown, expected: unknown): string | undefined {
  if (Array.isArray(found) && Array.isArray(expected)) {
    if (found.length !== expected.length) {
      return `${path}: ${found.length} items, expected ${expected.length}`
    }
    return firstOf(expected, (each, i) => differenceAt(`${path}[${i}]`, found[i], each))
  }
  if (isRecord(found) && isRecord(expected)) {
    const isError = path.endsWith('.error')
    const keys = new Set([...Object.keys(expected), ...Object.keys(found)])
    return firstOf([...keys], (key) =>
      isError && key === 'message' && key in found && key in expected
        ? undefined
        : differenceAt(`${path}.${key}`, found[key], expected[key]),
    )
  }
  if (found === expected) return undefined
  return `${path}: ${shown(found)}, expected ${shown(expected)}`
}

function firstOf<T>(
  items: readonly T[],
  find: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [i, item] of items.entries()) {
    const found = find(item, i)
    if (found !== undefined) return found
  }
  return undefined
}

function withoutWords(answer: unknown): unknown {
  if (!isRecord(answer) || !isRecord(answer.error)) return answer
  const { message: _, ...facts } = answer.error
  return { ...answer, error: facts }
}

const SHOWN_CHARS = 200

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, SHOWN_CHARS)
}

function withoutFields(value: unknown, fields: readonly string[]): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
    fields.includes(key) ? undefined : inner,
  )
}
