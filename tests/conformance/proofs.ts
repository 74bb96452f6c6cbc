/**
 * `eth_getProof` answers of other nodes, of a live network and of test chains: each verifies, and no
 * longer does once it is altered.
 */

import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Address, bytesToHex, type Hash, hexToBytes, keccak256Hex } from '@vellum/evm'
import {
  decodeBlock,
  EMPTY_ROOT,
  splitRlpSequence,
  verifyAccountProof,
  verifyStorageProof,
} from '@vellum/ledger'
import { expectEqual } from './expect.ts'
import { filesBelow, foldersNamed, isRecord, testFiles } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'proofs', sample: 20, cases }

/** An answer of `eth_getProof` (EIP-1186). */
interface ProofAnswer {
  readonly address: Address
  readonly accountProof: readonly string[]
  readonly balance: string
  readonly nonce: string
  readonly codeHash: Hash
  readonly storageHash: Hash
  readonly storageProof: readonly { key: string; value: string; proof: readonly string[] }[]
}

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const { path: file, tests } of testFiles(path, 'proofs')) {
    if (!isRecord(tests) || !Array.isArray(tests.cases)) continue
    for (const test of tests.cases) {
      if (!isRecord(test) || !isProofAnswer(test.result)) continue
      const answer = test.result
      yield { name: `${file} ${test.id}`, run: () => runCase(answer, undefined) }
    }
  }
  const seen = new Set<string>()
  for (const chain of CHAINS) {
    for (const folder of foldersNamed(path, chain.folder)) {
      // A path inside one chain is found under every name.
      if (seen.has(folder) || !existsSync(join(folder, chain.blocks))) continue
      seen.add(folder)
      const roots = once(() => stateRootsOf(join(folder, chain.blocks)))
      for (const file of filesBelow(folder)) {
        if (!/etProof.*\.(io|json)$/.test(file)) continue
        const name = `${basename(folder)} ${file.slice(folder.length + 1)}`
        for (const answer of answersIn(file)) {
          yield { name, run: () => runCase(answer, roots()) }
        }
      }
    }
  }
}

/** Chains whose JSON-RPC tests have `eth_getProof` answers, and where their blocks are. */
const CHAINS = [
  { folder: 'main', blocks: 'chain.rlp' },
  { folder: 'cancun-genesis', blocks: 'chain.rlp' },
  { folder: 'london-genesis', blocks: 'chain.rlp' },
  { folder: 'besu-jsonrpc', blocks: 'eth-chain/chain.rlp' },
] as const

/** The successful `eth_getProof` answers of a Besu test or of the lines of an `.io` file. */
function answersIn(file: string): ProofAnswer[] {
  const text = readFileSync(file, 'utf8')
  const answers: unknown[] = file.endsWith('.io')
    ? text
        .split('\n')
        .filter((line) => line.startsWith('<< '))
        .map((line) => JSON.parse(line.slice(3)).result)
    : [JSON.parse(text).response?.result]
  return answers.filter(isProofAnswer)
}

function isProofAnswer(value: unknown): value is ProofAnswer {
  return isRecord(value) && Array.isArray(value.accountProof)
}

function stateRootsOf(file: string): ReadonlySet<Hash> {
  const blocks = splitRlpSequence(readFileSync(file)).map(decodeBlock)
  return new Set(blocks.map(({ header }) => header.stateRoot))
}

function once<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** @param roots the state roots of the chain's headers; undefined if the chain is not at hand */
function runCase(answer: ProofAnswer, roots: ReadonlySet<Hash> | undefined): void {
  const proof = answer.accountProof.map(hexToBytes)
  const stateRoot = keccak256Hex(proof[0]!)
  if (roots !== undefined) expectEqual(roots.has(stateRoot), true, 'a header has the state root')
  const address = answer.address.toLowerCase() as Address
  const verdict = verifyAccountProof(stateRoot, address, proof)
  const account = verdict.ok ? verdict.value : undefined
  expectEqual(verdict.ok, true, 'the verdict')
  expectEqual(account?.balance ?? 0n, BigInt(answer.balance), 'the balance')
  expectEqual(account?.nonce ?? 0n, BigInt(answer.nonce), 'the nonce')
  const { storageHash } = answer
  if (account === undefined) {
    // Clients differ in what they say of an account that is not there.
    const isNone = [bytesToHex(new Uint8Array(32)), EMPTY_ROOT].includes(storageHash)
    expectEqual(isNone, true, 'the storage root of no account is empty')
  } else {
    expectEqual(account.codeHash, answer.codeHash, 'the code hash')
    expectEqual(account.storageRoot, storageHash, 'the storage root')
  }
  expectAltered(proof, (altered) => verifyAccountProof(stateRoot, address, altered).ok)
  for (const { key, value, proof: hexes } of answer.storageProof) {
    const slot = `0x${key.slice(2).padStart(64, '0')}` as Hash
    const nodes = hexes.map(hexToBytes)
    const found = verifyStorageProof(storageHash, slot, nodes)
    expectEqual(found, { ok: true, value: BigInt(value) }, `the slot ${key}`)
    expectAltered(nodes, (altered) => verifyStorageProof(storageHash, slot, altered).ok)
  }
}

/** Any altered byte, a missing node and an added one must make the proof fail. */
function expectAltered(
  proof: readonly Uint8Array[],
  verifies: (altered: readonly Uint8Array[]) => boolean,
): void {
  for (const [i, node] of proof.entries()) {
    for (let at = 0; at < node.length; at++) {
      const altered = node.slice()
      altered[at]! ^= 1 << (at & 7)
      expectEqual(
        verifies(proof.with(i, altered)),
        false,
        `verdict with byte ${at} of ${i} altered`,
      )
    }
    expectEqual(verifies(proof.toSpliced(i, 1)), false, `verdict without node ${i}`)
    expectEqual(verifies(proof.toSpliced(i, 0, node)), false, `verdict with node ${i} twice`)
  }
}
