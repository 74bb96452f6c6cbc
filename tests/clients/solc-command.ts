/**
 * The npm package `solc` behind the command line of the native compiler, as far as Hardhat and Foundry use
 * it: `--version`, and standard JSON from standard input to standard output. Both would download a
 * compiler otherwise.
 */

import { readFileSync } from 'node:fs'
import solc from 'solc'

if (process.argv.includes('--version')) {
  const version = solc.version().replace('Emscripten.clang', 'Linux.g++')
  process.stdout.write(`solc, the solidity compiler commandline interface\nVersion: ${version}\n`)
} else {
  process.stdout.write(solc.compile(readFileSync(0, 'utf8')))
}
