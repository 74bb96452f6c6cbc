/** ethereum/tests TransactionTests: hash, sender and intrinsic gas, or refusal, for each fork. */

import { FORKS, type Fork, hexToBytes } from '@vellum/evm'
import {
  assertTransactionRules,
  decodeBlockTransaction,
  encodeTransaction,
  intrinsicGas,
  LedgerError,
  recoverSender,
  type SignedTransaction,
} from '@vellum/ledger'
import { curve } from './curve.ts'
import { expectEqual, expectRefusal } from './expect.ts'
import { isRecord, namedTests } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'transactions', sample: 120, cases }

/** The chain of these tests. */
const CHAIN_ID = 1n
const UPSTREAM_NAMES: Readonly<Record<string, Fork>> = {
  EIP150: 'tangerineWhistle',
  EIP158: 'spuriousDragon',
  ConstantinopleFix: 'petersburg',
  Merge: 'paris',
}

function* cases({ path, fork: only }: SuiteOptions): Iterable<Case> {
  for (const { path: file, name, test } of namedTests(path, 'TransactionTests')) {
    if (!isRecord(test) || typeof test.txbytes !== 'string' || !isRecord(test.result)) continue
    const { txbytes } = test
    for (const [upstream, result] of Object.entries(test.result)) {
      const fork = forkNamed(upstream)
      if (fork === undefined || !isRecord(result)) continue
      if (only !== undefined && forkNamed(only) !== fork) continue
      yield { name: `${file} ${name} ${upstream}`, run: () => runCase(txbytes, result, fork) }
    }
  }
}

function runCase(txbytes: string, result: Record<string, unknown>, fork: Fork): void {
  const bytes = hexToBytes(txbytes)
  if (result.exception !== undefined) {
    expectRefusal(() => check(bytes, fork), String(result.exception))
    return
  }
  const transaction = check(bytes, fork)
  expectEqual(transaction.hash, result.hash, 'the hash')
  expectEqual(transaction.sender, result.sender, 'the sender')
  expectEqual(
    intrinsicGas(transaction, fork).intrinsic,
    BigInt(String(result.intrinsicGas)),
    'the intrinsic gas',
  )
  expectEqual(encodeTransaction(transaction, transaction.signature), bytes, 'the encoding')
}

/** All checks that need no state. */
function check(bytes: Uint8Array, fork: Fork): SignedTransaction {
  const transaction = recoverSender(decodeBlockTransaction(bytes), curve)
  if (transaction.chainId !== undefined && transaction.chainId !== CHAIN_ID) {
    throw new LedgerError('LEDGER_CHAIN_ID', 'the transaction is for another chain')
  }
  assertTransactionRules(transaction, fork)
  return transaction
}

function forkNamed(name: string): Fork | undefined {
  return UPSTREAM_NAMES[name] ?? FORKS.find((fork) => fork === name.toLowerCase())
}
