/** Compiles a Solidity file with the optimizer on. */

import { readFileSync } from 'node:fs'
import solc from 'solc'

export interface Contract {
  /** Contract ABI, as ethers takes it. */
  readonly abi: readonly object[]
  /** Init code, 0x hex. */
  readonly bytecode: `0x${string}`
  /** Code as deployed, 0x hex: right for contracts without immutables. */
  readonly deployedBytecode: `0x${string}`
}

interface Output {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[]
  readonly contracts: Readonly<
    Record<string, Readonly<Record<string, { abi: object[]; evm: Record<string, Code> }>>>
  >
}

interface Code {
  readonly object: string
}

/**
 * @param name of the contract, and of its file
 * @param folder where the file lies; ends with a slash
 * @throws Error with the compiler's words if it does not compile
 */
export function compile(
  name: string,
  folder: URL = new URL('./contracts/', import.meta.url),
): Contract {
  const file = `${name}.sol`
  const content = readFileSync(new URL(file, folder), 'utf8')
  const input = {
    language: 'Solidity',
    sources: { [file]: { content } },
    settings: {
      optimizer: { enabled: true, runs: 200 },
      evmVersion: 'cancun',
      outputSelection: {
        '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] },
      },
    },
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as Output
  const failure = output.errors?.find(({ severity }) => severity === 'error')
  if (failure !== undefined) throw new Error(failure.formattedMessage)
  const { abi, evm } = output.contracts[file]![name]!
  return {
    abi,
    bytecode: `0x${evm.bytecode!.object}`,
    deployedBytecode: `0x${evm.deployedBytecode!.object}`,
  }
}
