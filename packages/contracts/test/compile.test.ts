import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { compileContracts } from '../solidity/compile.ts'

const folder = fileURLToPath(new URL('../src/artifacts/', import.meta.url))

/** Half a minute where nothing else runs. */
const COMPILE_MS = 300_000
/** Largest code of a contract (EIP-170). */
const CODE_BYTES_MAX = 24_576

test(
  'the artifacts are what the sources compile to, byte for byte',
  () => {
    const files = compileContracts()
    expect(readdirSync(folder).sort()).toEqual([...files.keys()].sort())
    for (const [name, text] of files) {
      expect(readFileSync(`${folder}${name}`, 'utf8') === text, name).toBe(true)
    }
  },
  COMPILE_MS,
)

test('every contract could also be deployed by a transaction', () => {
  for (const name of readdirSync(folder).filter((each) => each.endsWith('.ts'))) {
    const code = /deployedCode: '0x([0-9a-f]*)'/.exec(readFileSync(`${folder}${name}`, 'utf8'))?.[1]
    expect(code?.length, name).toBeGreaterThan(0)
    expect(code!.length / 2, name).toBeLessThanOrEqual(CODE_BYTES_MAX)
  }
})
