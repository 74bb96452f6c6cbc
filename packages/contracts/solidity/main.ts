/** `pnpm contracts`: compiles the contracts and writes the artifacts. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { compileContracts } from './compile.ts'

const folder = fileURLToPath(new URL('../src/artifacts/', import.meta.url))
mkdirSync(folder, { recursive: true })
for (const [name, text] of compileContracts()) {
  writeFileSync(`${folder}${name}`, text)
  process.stdout.write(`${name} ${text.length}\n`)
}
