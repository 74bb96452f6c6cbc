/** ethereum/tests BasicTests: keys and addresses, signed transactions, the first genesis block. */

import { bytesToBigInt, bytesToHex, hexToBytes, keccak256, NO_BYTES } from '@vellum/evm'
import {
  decodeBlock,
  decodeRlp,
  decodeTransaction,
  encodeBlock,
  encodeRlp,
  encodeTransaction,
  keccakHeaderHash,
  recoverSender,
  type SignedTransaction,
  signTransaction,
  type Transaction,
} from '@vellum/ledger'
import { addressOfKey, curve } from './curve.ts'
import { expectEqual, expectRefusal } from './expect.ts'
import { isRecord, testFiles } from './files.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'basic', sample: 100, cases }

const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const { path: file, tests } of testFiles(path, 'BasicTests')) {
    if (Array.isArray(tests)) {
      for (const [i, test] of tests.entries()) {
        if (!isRecord(test)) continue
        if ('seed' in test) yield { name: `${file} ${test.seed}`, run: () => runKey(test) }
        else if ('signed' in test) yield { name: `${file} ${i}`, run: () => runSigned(test) }
      }
    } else if (isRecord(tests) && 'genesis_rlp_hex' in tests) {
      yield { name: `${file} genesis`, run: () => runGenesis(tests) }
    }
  }
}

function runKey(test: Record<string, unknown>): void {
  const key = keccak256(new TextEncoder().encode(String(test.seed)))
  expectEqual(bytesToHex(key), `0x${test.key}`, 'the key')
  expectEqual(addressOfKey(key), `0x${test.addr}`, 'the address')
  // Upstream's signature is left out: no hash of the empty text that was ever in use (keccak256,
  // sha256, EIP-191, zeros) recovers upstream's own address from it.
  const hash = keccak256(NO_BYTES)
  expectEqual(curve.recover(hash, curve.sign(hash, key)), `0x${test.addr}`, 'the signer')
}

function runSigned(test: Record<string, unknown>): void {
  const bytes = hexToBytes(`0x${test.signed}`)
  const key = hexToBytes(`0x${test.key}`)
  const items = decodeRlp(bytes) as readonly Uint8Array[]
  // Upstream's unsigned form is the older one: nine items, the signature's empty.
  const unsigned = [...items.slice(0, 6), NO_BYTES, NO_BYTES, NO_BYTES]
  expectEqual(bytesToHex(encodeRlp(unsigned)), `0x${test.unsigned}`, 'the unsigned form')
  let transaction: SignedTransaction
  if (bytesToBigInt(items[8]!) > CURVE_ORDER / 2n) {
    // Older than EIP-2: refused as it stands, so the same fields are signed anew.
    expectRefusal(() => decodeTransaction(bytes), 'a high s')
    transaction = signTransaction(fieldsOf(test), key, curve)
  } else {
    transaction = recoverSender(decodeTransaction(bytes), curve)
    expectEqual(encodeTransaction(transaction, transaction.signature), bytes, 'the encoding')
  }
  expectEqual(transaction.sender, addressOfKey(key), 'the sender')
  const { type, chainId, nonce, gasLimit, maxFeePerGas, to, value, data } = transaction
  const found = { ...fieldsOf(test), type, chainId, nonce, gasLimit, maxFeePerGas, to, value, data }
  expectEqual(found, fieldsOf(test), 'the fields')
}

function fieldsOf(test: Record<string, unknown>): Transaction {
  const gasPrice = BigInt(String(test.gasprice))
  return {
    type: 0,
    chainId: undefined,
    nonce: BigInt(String(test.nonce)),
    gasLimit: BigInt(String(test.startgas)),
    maxFeePerGas: gasPrice,
    maxPriorityFeePerGas: gasPrice,
    to: test.to === '' ? undefined : (`0x${test.to}` as const),
    value: BigInt(String(test.value)),
    data: hexToBytes(`0x${test.data}`),
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
  }
}

function runGenesis(test: Record<string, unknown>): void {
  const bytes = hexToBytes(`0x${test.genesis_rlp_hex}`)
  const block = decodeBlock(bytes)
  expectEqual(keccakHeaderHash(block.header), `0x${test.genesis_hash}`, 'the hash')
  expectEqual(block.header.stateRoot, `0x${test.genesis_state_root}`, 'the state root')
  expectEqual(encodeBlock(block), bytes, 'the encoding')
}
