/** KeyStoreTests: Web3 secret storage files, opened with their passwords. */

import { hexToBytes } from '@vellum/evm'
import { decryptKeystore } from '@vellum/node'
import { expectEqual } from './expect.ts'
import { isRecord, namedTests } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'keystore', sample: 5, cases }

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const { path: file, name, test } of namedTests(path, 'KeyStoreTests')) {
    if (!isRecord(test) || typeof test.password !== 'string' || typeof test.priv !== 'string') {
      continue
    }
    const { json, password, priv } = test
    yield { name: `${file} ${name}`, run: () => open(json, password, priv) }
  }
}

async function open(json: unknown, password: string, priv: string): Promise<void> {
  const secret = new TextEncoder().encode(password)
  // Published test files are weaker than what we take for validators.
  const key = await decryptKeystore(JSON.stringify(json), secret, { acceptWeak: true })
  expectEqual(key, hexToBytes(`0x${priv}`), 'key')
}
