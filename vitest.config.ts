import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configDefaults, defineConfig } from 'vitest/config'

/** Third-party cases, beside the repository. Tests that stand on them whole are named here. */
const COLLECTION = fileURLToPath(new URL('../shared/conformance', import.meta.url))
const NEEDS_COLLECTION = [
  'packages/rpc/test/compat.test.ts',
  'packages/rpc/test/methods.test.ts',
  'packages/rpc/test/subscriptions.test.ts',
  'tests/fuzz-rpc.test.ts',
]
const left = existsSync(COLLECTION) ? [] : NEEDS_COLLECTION
if (left.length > 0) {
  console.warn(`no third-party cases at ../shared/conformance: left out are ${left.join(', ')}`)
}

export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    exclude: [...configDefaults.exclude, ...left],
    include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
    // Real processes and disks are started here; two cores run them side by side.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    reporters: ['default', './tests/closing-line.ts'],
  },
})
