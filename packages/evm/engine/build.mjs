/**
 * Compiles the engine to WebAssembly and writes it as base64 into `src/*.generated.ts`.
 * `node engine/build.mjs`, or `pnpm engine` at the root. The output depends on the sources and the
 * version of the compiler only; a test compiles it again and compares.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const here = dirname(fileURLToPath(import.meta.url))

/** Module name to initial and maximum memory in pages of 64 KiB. */
export const MODULES = {
  hash: { entry: 'hash.ts', initial: 1, maximum: 1, imports: '' },
  engine: { entry: 'engine.ts', initial: 1056, maximum: 16384, imports: 'host' },
}

/** WebAssembly of one module. */
export async function compile(name, textFile) {
  const files = new Map()
  const { entry, initial, maximum } = MODULES[name]
  const args = [
    entry,
    '--outFile', 'out.wasm',
    ...(textFile ? ['--textFile', 'out.wat'] : []),
    '--runtime', 'stub',
    '--use', 'abort=',
    '--noAssert',
    '--optimizeLevel', '3',
    '--shrinkLevel', '0',
    '--converge',
    '--enable', 'simd',
    '--maximumMemory', String(maximum),
    ...(initial > 0 ? ['--initialMemory', String(initial)] : []),
    '--noExportMemory',
  ].filter((arg) => arg !== '--noExportMemory')
  const { error, stderr } = await asc.main(args, {
    readFile: (file, base) => readFile(join(here, file), 'utf8').catch(() => null),
    writeFile: (file, data) => void files.set(file, data),
    listFiles: () => [],
  })
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`)
  if (textFile) await writeFile(textFile, files.get('out.wat'))
  return Buffer.from(files.get('out.wasm'))
}

/** Text of the generated TypeScript module. */
export function generatedText(name, wasm) {
  const lines = wasm.toString('base64').match(/.{1,96}/g) ?? []
  return [
    `/** WebAssembly of engine/${MODULES[name].entry}, base64. Made by \`pnpm engine\`: do not edit. */`,
    'export const WASM_BASE64: string =',
    lines.map((line, i) => `  ${i === 0 ? '' : '+ '}'${line}'`).join('\n'),
    '',
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(MODULES)
  for (const name of names) {
    const wasm = await compile(name, process.env.WAT ? `${process.env.WAT}/${name}.wat` : undefined)
    await writeFile(join(here, '..', 'src', `${name}.generated.ts`), generatedText(name, wasm))
    console.log(`${name}: ${wasm.length} bytes`)
  }
}
