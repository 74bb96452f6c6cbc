/** A spread-out sample of every conformance suite; `pnpm conformance` runs them whole. */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { runSuite } from './conformance/suite.ts'
import { SUITES } from './conformance/suites.ts'

const path = fileURLToPath(new URL('../../shared/conformance', import.meta.url))

// The collection lies beside the repository and is not part of it.
describe.skipIf(!existsSync(path))('conformance', () => {
  test.for(SUITES)('$name: we agree with every sampled case', async (suite) => {
    const { sample } = suite
    const report = await runSuite(suite, { path, fork: undefined, sample, filter: undefined })
    expect(report.failed).toEqual([])
    expect(report.passed).toBeGreaterThan(0)
  })
})
