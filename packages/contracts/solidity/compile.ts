/**
 * Compiles the contracts: one compiler, one set of settings, no path or time of the machine in the result.
 *
 * The sources of OpenZeppelin come from its npm package, of the version that the lock file pins.
 */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import solc from 'solc'

/** Contracts that a chain begins with, by the name of their artifact. */
export const CONTRACTS = {
  council: 'Council',
  accessManager: 'ChainAccessManager',
  permissions: 'Permissions',
  organisationRegistry: 'OrganisationRegistry',
  identityRegistry: 'IdentityRegistry',
  licenceRegistry: 'LicenceRegistry',
  verificationLog: 'VerificationLog',
  serviceCredit: 'ServiceCredit',
  tariff: 'Tariff',
  qbftLightClient: 'QbftLightClient',
  pegGateway: 'PegGateway',
  creditVault: 'CreditVault',
  creditPeg: 'CreditPeg',
  identityPeg: 'IdentityPeg',
  identityMirror: 'IdentityMirror',
  licencePeg: 'LicencePeg',
  licenceIndex: 'LicenceIndex',
} as const

export const SETTINGS = {
  evmVersion: 'osaka',
  viaIR: true,
  optimizer: { enabled: true, runs: 1_000 },
  // The hash of the metadata would change with every comment.
  metadata: { bytecodeHash: 'none', appendCBOR: false },
} as const

/** What is asked of each contract that a chain begins with; nothing of those that it is made of. */
const OUTPUTS = ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object', 'storageLayout']

const LIBRARY = '@openzeppelin/contracts/'
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const require = createRequire(import.meta.url)

interface Compiled {
  readonly abi: readonly object[]
  readonly evm: {
    readonly bytecode: { readonly object: string }
    readonly deployedBytecode: { readonly object: string }
  }
  readonly storageLayout: { readonly storage: readonly StorageEntry[] }
}

interface Complaint {
  readonly severity: string
  readonly formattedMessage: string
  readonly sourceLocation?: { readonly file: string }
}

interface StorageEntry {
  readonly label: string
  readonly slot: string
  readonly offset: number
  readonly type: string
}

/**
 * Compiles contracts and what they import.
 * @param contracts by the name of their artifact
 * @returns the text of each generated file, by its path from `src/artifacts`
 * @throws Error with the compiler's words if it complains, also of a warning about a source of ours
 */
export function compileContracts(
  contracts: Readonly<Record<string, string>> = CONTRACTS,
): ReadonlyMap<string, string> {
  const names = Object.values(contracts).map((name) => `${name}.sol`)
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(
      names.sort().map((name) => [name, { content: readFileSync(here(name), 'utf8') }]),
    ),
    settings: {
      ...SETTINGS,
      outputSelection: Object.fromEntries(
        Object.values(contracts).map((name) => [`${name}.sol`, { [name]: OUTPUTS }]),
      ),
    },
  }
  const load = (path: string): { contents: string } => {
    const file = path.startsWith(LIBRARY) ? require.resolve(path) : here(path)
    return { contents: readFileSync(file, 'utf8') }
  }
  const output = JSON.parse(solc.compile(JSON.stringify(input), { import: load })) as {
    errors?: Complaint[]
    contracts?: Record<string, Record<string, Compiled>>
  }
  const complaints = output.errors?.filter(isOurs) ?? []
  if (complaints.length > 0) {
    throw new Error(complaints.map((each) => each.formattedMessage).join('\n'))
  }
  const files = new Map<string, string>()
  const layouts: Record<string, string[]> = {}
  for (const [artifact, contract] of Object.entries(contracts)) {
    const compiled = output.contracts?.[`${contract}.sol`]?.[contract]
    if (compiled === undefined) throw new Error(`${contract} was not compiled`)
    files.set(`${fileNameOf(artifact)}.generated.ts`, artifactText(artifact, contract, compiled))
    layouts[contract] = compiled.storageLayout.storage.map(
      ({ label, slot, offset, type }) =>
        `slot ${slot}, byte ${offset}: ${label} ${plainType(type)}`,
    )
  }
  files.set('storage-layout.json', `${JSON.stringify(layouts, null, 2)}\n`)
  return files
}

/** The library's own words that may be keywords one day are not ours to change. */
function isOurs({ severity, sourceLocation }: Complaint): boolean {
  return severity === 'error' || sourceLocation?.file.startsWith(LIBRARY) !== true
}

/** @returns `licence-registry` for `licenceRegistry` */
export function fileNameOf(artifact: string): string {
  return artifact.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}

/** Numbers of the compiler's syntax tree differ with every source that is added. */
function plainType(type: string): string {
  return type.replace(/\)\d+_/g, ')_').replace(/\)\d+/g, ')')
}

function artifactText(artifact: string, contract: string, compiled: Compiled): string {
  const { abi, evm } = compiled
  const entries = abi.map((entry) => `    ${JSON.stringify(entry)},`).join('\n')
  return [
    `/** ${contract}.sol, compiled by \`pnpm contracts\` (solc ${solc.version()}). */`,
    `export const ${artifact} = {`,
    `  name: '${contract}',`,
    '  abi: [',
    entries,
    '  ],',
    '  /** What a deployment runs, without the arguments of the constructor. */',
    `  initCode: '0x${evm.bytecode.object}',`,
    '  /** What it leaves, with zeros for immutables. */',
    `  deployedCode: '0x${evm.deployedBytecode.object}',`,
    '} as const',
    '',
  ].join('\n')
}
