/**
 * Compiles Solidity for tests: contracts of the tests themselves, and ours with a line of theirs replaced.
 *
 * Without the optimiser's passes, which take most of the time and are nothing to these tests.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import solc from 'solc'

const OURS = new URL('../../packages/contracts/solidity/', import.meta.url)
const TESTS = new URL('solidity/', import.meta.url)
const LIBRARY = '@openzeppelin/contracts/'
const require = createRequire(new URL('compile.ts', OURS))

const SETTINGS = {
  evmVersion: 'osaka',
  viaIR: true,
  optimizer: {
    enabled: true,
    runs: 1,
    details: {
      peephole: true,
      inliner: false,
      jumpdestRemover: true,
      orderLiterals: false,
      deduplicate: false,
      cse: false,
      constantOptimizer: false,
      yul: true,
      yulDetails: { stackAllocation: true, optimizerSteps: 'u:' },
    },
  },
} as const

export interface TestContract {
  readonly abi: readonly object[]
  /** What a deployment runs, without arguments. */
  readonly initCode: string
}

/** A text of a source file, and what stands there instead. It must occur once. */
export interface Replacement {
  readonly file: string
  readonly text: string
  readonly instead: string
}

/**
 * @param contract its file has its name, in the folder of the tests or in ours
 * @throws Error with the compiler's words; or if a text to replace is not there, or there more than once
 */
export function compileForTest(
  contract: string,
  replacements: readonly Replacement[] = [],
): TestContract {
  const left = new Set(replacements)
  const load = (path: string): { contents: string } => {
    let contents = readFileSync(fileOf(path), 'utf8')
    for (const each of replacements.filter(({ file }) => file === path)) {
      const parts = contents.split(each.text)
      if (parts.length !== 2) throw new Error(`${parts.length - 1} times in ${path}: ${each.text}`)
      contents = parts.join(each.instead)
      left.delete(each)
    }
    return { contents }
  }
  const file = `${contract}.sol`
  const input = {
    language: 'Solidity',
    sources: { [file]: { content: load(file).contents } },
    settings: {
      ...SETTINGS,
      outputSelection: { [file]: { [contract]: ['abi', 'evm.bytecode.object'] } },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: load })) as {
    errors?: { severity: string; formattedMessage: string }[]
    contracts?: Record<
      string,
      Record<string, { abi: object[]; evm: { bytecode: { object: string } } }>
    >
  }
  const errors = output.errors?.filter(({ severity }) => severity === 'error') ?? []
  if (errors.length > 0) throw new Error(errors.map((each) => each.formattedMessage).join('\n'))
  for (const each of left) throw new Error(`${each.file} is no part of ${contract}`)
  const { abi, evm } = output.contracts![file]![contract]!
  return { abi, initCode: `0x${evm.bytecode.object}` }
}

function fileOf(path: string): string | URL {
  if (path.startsWith(LIBRARY)) return require.resolve(path)
  return new URL(path, path.endsWith('Probe.sol') ? TESTS : OURS)
}
