/** ethereum/tests BlockchainTests: valid blocks are appended, invalid ones refused without harm. */

import { type BlockTest, configOf, runBlockTest } from './block-test.ts'
import { isRecord, namedTests } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'blocks', sample: 120, cases }

function* cases({ path, fork }: SuiteOptions): Iterable<Case> {
  for (const { path: file, name, test } of namedTests(path, 'BlockchainTests')) {
    if (!isBlockTest(test) || configOf(test.network) === undefined) continue
    if (fork !== undefined && test.network.toLowerCase() !== fork.toLowerCase()) continue
    yield { name: `${file} ${name}`, run: () => runBlockTest(test) }
  }
}

function isBlockTest(test: unknown): test is BlockTest {
  return (
    isRecord(test) && Array.isArray(test.blocks) && isRecord(test.pre) && 'lastblockhash' in test
  )
}
