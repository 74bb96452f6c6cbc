/** `eth_getProof` answers of a live network: each verifies, and no longer does once it is altered. */

import { type Address, bytesToHex, type Hash, hexToBytes, keccak256Hex } from '@vellum/evm'
import { EMPTY_ROOT, verifyAccountProof, verifyStorageProof } from '@vellum/ledger'
import { expectEqual } from './expect.ts'
import { isRecord, testFiles } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'proofs', sample: 10, cases }

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
      if (!isRecord(test) || !isRecord(test.result) || !('accountProof' in test.result)) continue
      const answer = test.result as unknown as ProofAnswer
      yield { name: `${file} ${test.id}`, run: () => runCase(answer) }
    }
  }
}

function runCase(answer: ProofAnswer): void {
  const proof = answer.accountProof.map(hexToBytes)
  const stateRoot = keccak256Hex(proof[0]!)
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
