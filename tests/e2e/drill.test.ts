/** A sample of `pnpm drill kills`. How long anything takes is for a machine that has nothing else to do. */

import { rmSync } from 'node:fs'
import { afterAll, expect, it } from 'vitest'
import { kills } from '../drill/kills.ts'
import { temporaryDirectory } from './running-node.ts'

const directory = temporaryDirectory()
afterAll(() => rmSync(directory, { recursive: true, force: true }))

it('validators that are killed lose nothing, and never say two things in one place', async () => {
  const sizes = { count: 5, validators: 4, seed: 2 }
  const findings = await kills.run({ directory, sizes, progress: () => {} })
  const missed = findings.filter(({ isMet, found }) => !isMet && !found.endsWith(' ms'))
  expect(missed).toEqual([])
  expect(findings.length).toBeGreaterThan(8)
})
