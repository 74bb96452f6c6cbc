/** ethereum/tests (and legacytests) GeneralStateTests: root and logs after one transaction. */

import { isRecord, namedTests } from './files.ts'
import { runStateCase, type StateTest, TEST_FORKS } from './state-test.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'state', sample: 1_500, cases }

function* cases({ path, fork: only }: SuiteOptions): Iterable<Case> {
  for (const { path: file, name, test } of namedTests(path, 'GeneralStateTests')) {
    if (!isStateTest(test)) continue
    for (const [fork, posts] of Object.entries(test.post)) {
      const ours = TEST_FORKS[fork]
      if (ours === undefined) continue
      if (only !== undefined && TEST_FORKS[only] !== ours && only !== ours) continue
      for (const [i, post] of posts.entries()) {
        const { data, gas, value } = post.indexes
        yield {
          name: `${file} ${name} ${fork} #${i} d${data} g${gas} v${value}`,
          run: () => runStateCase(test, fork, post),
        }
      }
    }
  }
}

function isStateTest(test: unknown): test is StateTest {
  return isRecord(test) && isRecord(test.post) && isRecord(test.env) && isRecord(test.transaction)
}
