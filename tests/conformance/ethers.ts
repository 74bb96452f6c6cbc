/**
 * Cases of ethers.js and viem: keys and addresses, hashes, contract addresses, RLP, signed
 * transactions of types 0 to 2, typed data (EIP-712) and personal messages (EIP-191).
 */

import {
  bytesToHex,
  create2Address,
  createAddress,
  hexToBytes,
  keccak256,
  NO_BYTES,
  type Precompile,
  precompilesOf,
} from '@vellum/evm'
import {
  addressOfPublicKey,
  createSecp256k1,
  decodeRlp,
  decodeTransaction,
  encodeRlp,
  encodeTransaction,
  encodeTypedStruct,
  personalMessageHash,
  type RlpItem,
  recoverSender,
  signatureBytes,
  signingBytes,
  signTransaction,
  type Transaction,
  type TypedDataDomain,
  type TypedDataTypes,
  typedDataHash,
} from '@vellum/ledger'
import { expectEqual } from './expect.ts'
import { isRecord, testFiles } from './files.ts'
import type { Case, CaseOutcome, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'ethers', sample: 200, cases }

const crypto = createSecp256k1()

type Test = Readonly<Record<string, unknown>>

/** How the cases of a file are run, by its name without `.json.gz`. */
const RUNNERS: Readonly<Record<string, (test: Test) => CaseOutcome>> = {
  accounts: runAccount,
  create: runCreations,
  create2: runCreations2,
  hashes: runHashes,
  rlp: runRlp,
  transaction: runTransaction,
  'typed-data': runTypedData,
}

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const { path: file, tests } of testFiles(path, 'ethers')) {
    const run = RUNNERS[file.replace(/\.json(\.gz)?$/, '')]
    if (run === undefined || !Array.isArray(tests)) continue
    for (const test of tests.filter(isRecord)) {
      yield { name: `${file} ${test.name ?? test.sender}`, run: () => run(test) }
    }
  }
  for (const { path: file, tests } of testFiles(path, 'viem')) {
    if (!isRecord(tests) || !Array.isArray(tests.cases)) continue
    for (const test of tests.cases.filter(isRecord)) {
      yield { name: `${file} ${test.id}`, run: () => runPersonalMessage(test) }
    }
  }
}

function runAccount(test: Test): void {
  const publicKey = crypto.publicKey(hexToBytes(textOf(test.privateKey)))
  expectEqual(addressOfPublicKey(publicKey), lower(test.address), 'the address')
}

function runCreations(test: Test): void {
  for (const creation of (test.creates as unknown[]).filter(isRecord)) {
    const nonce = BigInt(creation.nonce as number)
    const address = createAddress(lower(test.sender), nonce)
    expectEqual(address, lower(creation.address), `the address of ${creation.name}`)
  }
}

function runCreations2(test: Test): void {
  for (const creation of (test.creates as unknown[]).filter(isRecord)) {
    const initCode = hexToBytes(textOf(creation.initCode))
    const address = create2Address(lower(test.sender), lower(creation.salt), initCode)
    expectEqual(address, lower(creation.address), `the address of ${creation.name}`)
  }
}

function runHashes(test: Test): void {
  const data = hexToBytes(textOf(test.data))
  expectEqual(bytesToHex(keccak256(data)), test.keccak256, 'keccak256')
  expectEqual(bytesToHex(precompile(2).run(data)!), test.sha256, 'SHA-256')
  const ripemd160 = precompile(3).run(data)!.subarray(12)
  expectEqual(bytesToHex(ripemd160), test.ripemd160, 'RIPEMD-160')
}

function runRlp(test: Test): void {
  const item = rlpItem(test.decoded)
  expectEqual(bytesToHex(encodeRlp(item)), test.encoded, 'the encoding')
  expectEqual(hexTree(decodeRlp(hexToBytes(textOf(test.encoded)))), hexTree(item), 'the decoding')
}

function runTransaction(test: Test): void {
  const fields = test.transaction as Test
  const privateKey = hexToBytes(textOf(test.privateKey))
  const sender = addressOfPublicKey(crypto.publicKey(privateKey))
  const forms: [string, Transaction][] = [
    ['Legacy', legacyTransaction(fields, undefined)],
    ['Eip155', legacyTransaction(fields, chainIdOf(fields))],
    [
      'Berlin',
      { ...legacyTransaction(fields, chainIdOf(fields)), ...accessListOf(fields), type: 1 },
    ],
    ['London', dynamicFeeTransaction(fields)],
  ]
  for (const [form, transaction] of forms) {
    const [unsigned, signed] = [test[`unsigned${form}`], test[`signed${form}`]]
    if (unsigned === undefined || signed === undefined) continue
    // ethers wrote chain 0, its default here, as a byte 0: not canonical RLP, and no chain is 0.
    if (form === 'Eip155' && numberOf(fields.chainId) === 0n) continue
    expectEqual(bytesToHex(signingBytes(transaction)), unsigned, `unsigned${form}`)
    const made = signTransaction(transaction, privateKey, crypto)
    expectEqual(bytesToHex(made.encoded), signed, `signed${form}`)
    const decoded = recoverSender(decodeTransaction(hexToBytes(textOf(signed))), crypto)
    expectEqual(decoded.sender, sender, `the sender of signed${form}`)
    const again = encodeTransaction(decoded, decoded.signature)
    expectEqual(bytesToHex(again), signed, `signed${form} decoded and encoded`)
  }
}

function runTypedData(test: Test): void {
  const types = test.types as TypedDataTypes
  const primaryType = textOf(test.primaryType)
  const encoded = encodeTypedStruct(types, primaryType, test.data)
  expectEqual(bytesToHex(encoded), test.encoded, 'the encoding')
  const domain = test.domain as TypedDataDomain
  const hash = typedDataHash({ domain, types, primaryType, message: test.data })
  expectEqual(bytesToHex(hash), test.digest, 'the digest')
  expectSignature(hash, test)
}

function runPersonalMessage(test: Test): void {
  const message =
    test.raw === undefined
      ? new TextEncoder().encode(textOf(test.message))
      : hexToBytes(textOf(test.raw))
  const hash = personalMessageHash(message)
  if (test.hash !== undefined) expectEqual(bytesToHex(hash), test.hash, 'the hash')
  expectSignature(hash, test)
}

/** The signature of the case, if it has one: made again, and traced back to its key. */
function expectSignature(hash: Uint8Array, test: Test): void {
  if (test.privateKey === undefined || test.signature === undefined) return
  const privateKey = hexToBytes(textOf(test.privateKey))
  const signature = crypto.sign(hash, privateKey)
  const made = bytesToHex(signatureBytes(signature)) + (signature.yParity === 0 ? '1b' : '1c')
  expectEqual(made, test.signature, 'the signature')
  const signer = addressOfPublicKey(crypto.publicKey(privateKey))
  expectEqual(crypto.recover(hash, signature), signer, 'the signer')
}

function legacyTransaction(fields: Test, chainId: bigint | undefined): Transaction {
  const gasPrice = numberOf(fields.gasPrice)
  return {
    type: 0,
    chainId,
    nonce: numberOf(fields.nonce),
    gasLimit: numberOf(fields.gasLimit),
    maxFeePerGas: gasPrice,
    maxPriorityFeePerGas: gasPrice,
    to: typeof fields.to === 'string' ? lower(fields.to) : undefined,
    value: numberOf(fields.value),
    data: typeof fields.data === 'string' ? hexToBytes(fields.data) : NO_BYTES,
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
  }
}

function dynamicFeeTransaction(fields: Test): Transaction {
  return {
    ...legacyTransaction(fields, chainIdOf(fields)),
    ...accessListOf(fields),
    type: 2,
    maxFeePerGas: numberOf(fields.maxFeePerGas),
    maxPriorityFeePerGas: numberOf(fields.maxPriorityFeePerGas),
  }
}

function accessListOf(fields: Test): Pick<Transaction, 'accessList'> {
  const entries = Array.isArray(fields.accessList) ? fields.accessList.filter(isRecord) : []
  return {
    accessList: entries.map(({ address, storageKeys }) => ({
      address: lower(address),
      storageKeys: (storageKeys as unknown[]).map(lower),
    })),
  }
}

/** Typed transactions without a chain id were signed for chain 1. */
function chainIdOf({ chainId }: Test): bigint {
  return chainId === undefined ? 1n : numberOf(chainId)
}

function numberOf(value: unknown): bigint {
  return value === undefined || value === '0x' ? 0n : BigInt(value as string | number)
}

function rlpItem(value: unknown): RlpItem {
  return Array.isArray(value) ? value.map(rlpItem) : hexToBytes(textOf(value))
}

function hexTree(item: RlpItem): unknown {
  return item instanceof Uint8Array ? bytesToHex(item) : item.map(hexTree)
}

function precompile(number: number): Precompile {
  return [...precompilesOf('london').values()][number - 1]!
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') throw new Error(`the case has ${typeof value} where text belongs`)
  return value
}

function lower(value: unknown): `0x${string}` {
  return textOf(value).toLowerCase() as `0x${string}`
}
