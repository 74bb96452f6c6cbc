/** Each of Besu's tests of its consensus has a test of ours for the same situation, or a reason. */

import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Answer, ReasonAnswer, TestAnswer, VectorAnswer } from './besu/answer.ts'
import { allPlaces, answerTo, fileKeyOf, SCENARIOS } from './besu-scenarios.ts'
import { suite } from './conformance/qbft.ts'
import type { Case } from './conformance/suite.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const COLLECTION = fileURLToPath(new URL('../../shared/conformance', import.meta.url))
const NAMES = `${COLLECTION}/qbft/vectors/besu-scenario-names.json`

interface Scenario {
  readonly file: string
  readonly name: string
}

function readScenarios(): Scenario[] {
  const { tests } = JSON.parse(readFileSync(NAMES, 'utf8')) as { tests: Record<string, string[]> }
  return Object.entries(tests).flatMap(([file, names]) => names.map((name) => ({ file, name })))
}

const isTest = (answer: Answer): answer is TestAnswer => 'test' in answer
const isVector = (answer: Answer): answer is VectorAnswer => 'suite' in answer
const isReason = (answer: Answer): answer is ReasonAnswer => 'reason' in answer

/** The file without its comments: titles stand in code. */
function codeOf(path: string): string {
  const lines = readFileSync(`${ROOT}/${path}`, 'utf8').split('\n')
  return lines.filter((line) => !/^\s*(\/\/|\/?\*)/.test(line)).join('\n')
}

// The collection lies beside the repository and is not part of it.
describe.skipIf(!existsSync(NAMES))('the tests of Besu’s consensus', () => {
  let scenarios: Scenario[] = []
  let answers: Answer[] = []
  beforeAll(() => {
    scenarios = readScenarios()
    answers = scenarios.flatMap(({ file, name }) => answerTo(file, name)?.answer ?? [])
  })

  test('each has an answer', () => {
    const open = scenarios.filter(({ file, name }) => answerTo(file, name) === undefined)
    expect(open).toEqual([])
    expect(scenarios.length).toBeGreaterThan(800)
  })

  test('each file is meant by one key, and each key means one file', () => {
    const files = [...new Set(scenarios.map(({ file }) => file))]
    for (const file of files) {
      expect(Object.keys(SCENARIOS).filter((key) => file.endsWith(`/${key}`))).toEqual([
        fileKeyOf(file),
      ])
    }
    for (const key of Object.keys(SCENARIOS)) {
      expect(files.filter((file) => file.endsWith(`/${key}`))).toHaveLength(1)
    }
  })

  test('no answer is to a question that nobody asks', () => {
    const used = new Set(scenarios.map(({ file, name }) => answerTo(file, name)?.from))
    expect(allPlaces().filter((place) => !used.has(place))).toEqual([])
  })

  test('each test of ours that is named is there', () => {
    const code = new Map<string, string>()
    const missing: string[] = []
    for (const { test: path, name } of answers.filter(isTest)) {
      expect(path).toMatch(/(\.test|-suite)\.ts$/)
      const text = code.get(path) ?? codeOf(path)
      code.set(path, text)
      if (!isTitleIn(text, name)) missing.push(`${path}: ${name}`)
    }
    expect([...new Set(missing)]).toEqual([])
  })

  test('each vector that is named is run, and we agree with it', async () => {
    const named = new Set(answers.filter(isVector).map((each) => each.case))
    const found = new Map<string, Case>()
    for (const each of suite.cases({ path: COLLECTION, fork: undefined })) {
      if (named.has(each.name)) found.set(each.name, each)
    }
    expect([...named].filter((name) => !found.has(name))).toEqual([])
    for (const { name, run } of found.values()) expect(await run(), name).toBeUndefined()
  })

  test('each reason is one, and reasons are few', () => {
    const reasons = answers.filter(isReason)
    for (const { reason } of reasons) expect(reason.length).toBeGreaterThan(40)
    for (const each of answers.filter(isTest)) {
      expect(each.differs?.length ?? Number.POSITIVE_INFINITY).toBeGreaterThan(20)
    }
    const tests = answers.filter(isTest)
    const counts = {
      scenarios: scenarios.length,
      tests: tests.length,
      ofThemDifferent: tests.filter(({ differs }) => differs !== undefined).length,
      vectors: answers.filter(isVector).length,
      reasons: reasons.length,
    }
    console.info('Besu’s scenarios:', JSON.stringify(counts))
    expect(counts.tests + counts.vectors + counts.reasons).toBe(counts.scenarios)
    expect(counts.reasons).toBeLessThan(counts.scenarios / 20)
  })
})

/** True if the words stand within quotation marks on one line. */
function isTitleIn(code: string, words: string): boolean {
  return code.split('\n').some((line) => {
    const at = line.indexOf(words)
    if (at === -1) return false
    const before = line.slice(0, at)
    const after = line.slice(at + words.length)
    return /['"`]/.test(before) && /['"`]/.test(after)
  })
}
