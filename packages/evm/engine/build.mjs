/**
 * Compiles the modules that run in WebAssembly and writes each as base64 into the `src` of its
 * package. `pnpm engine` at the root, or `node engine/build.mjs [NAME...]` here. The output depends on
 * the sources and the version of the compiler only; a test compiles them again and compares.
 */

import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const packages = join(dirname(fileURLToPath(import.meta.url)), '../..')

/** Name to source, below the packages, and to initial and maximum memory in pages of 64 KiB. */
export const MODULES = {
  hash: { entry: 'evm/engine/hash.ts', initial: 1, maximum: 1 },
  blake2b: { entry: 'evm/engine/blake2b.ts', initial: 1, maximum: 1 },
  engine: { entry: 'evm/engine/engine.ts', initial: 1056, maximum: 16384 },
  trie: { entry: 'ledger/engine/trie.ts', initial: 8, maximum: 16384 },
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
    '--initialMemory', String(initial),
  ]
  const { error, stderr } = await asc.main(args, {
    readFile: (file) => readFile(join(packages, file), 'utf8').catch(() => null),
    writeFile: (file, data) => void files.set(file, data),
    listFiles: () => [],
  })
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`)
  if (textFile) await writeFile(textFile, files.get('out.wat'))
  return Buffer.from(files.get('out.wasm'))
}

/** Where the generated TypeScript module of a name lies. */
export function generatedFile(name) {
  const [owner] = MODULES[name].entry.split('/')
  return join(packages, owner, 'src', `${name}.generated.ts`)
}

/** Text of the generated TypeScript module. */
export function generatedText(name, wasm) {
  const lines = wasm.toString('base64').match(/.{1,96}/g) ?? []
  const source = MODULES[name].entry.split('/').slice(1).join('/')
  return [
    `/** WebAssembly of ${source}, base64. Made by \`pnpm engine\`: do not edit. */`,
    'export const WASM_BASE64: string =',
    lines.map((line, i) => `  ${i === 0 ? '' : '+ '}'${line}'`).join('\n'),
    '',
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(MODULES)
  for (const name of names) {
    const wasm = await compile(name, process.env.WAT ? `${process.env.WAT}/${name}.wat` : undefined)
    await writeFile(generatedFile(name), generatedText(name, wasm))
    console.log(`${name}: ${wasm.length} bytes`)
  }
}
