import { sha256 } from '@noble/hashes/sha2.js'
import { type Address, bytesToHex, concatBytes, type Hash } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createSecp256k1 } from '../src/crypto.ts'
import { LedgerError } from '../src/error.ts'
import { decodeRlp, encodeRlp, type RlpItem, rlpScalar } from '../src/rlp.ts'
import { type Signature, signatureBytes } from '../src/signature.ts'
import {
  type Authorization,
  authorizationHash,
  decodePooledBlobTransaction,
  decodeTransaction,
  encodeTransaction,
  hasBlobSidecar,
  recoverAuthority,
  recoverSender,
  signTransaction,
  type Transaction,
  type TransactionType,
} from '../src/transaction.ts'
import { assertTransactionRules, intrinsicGas } from '../src/transaction-rules.ts'

const crypto = createSecp256k1()
const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const KEY = new Uint8Array(32).fill(0x46)

const hexOf = (size: number) =>
  fc.uint8Array({ minLength: size, maxLength: size }).map((bytes) => bytesToHex(bytes) as Hash)
const upTo = (bits: bigint) => fc.bigInt({ min: 0n, max: 2n ** bits - 1n })
const accessList = fc.array(
  fc.record({ address: hexOf(20), storageKeys: fc.array(hexOf(32), { maxLength: 3 }) }),
  { maxLength: 3 },
)
const authorization: fc.Arbitrary<Authorization> = fc.record({
  chainId: upTo(256n),
  address: hexOf(20),
  nonce: upTo(64n),
  yParity: fc.nat({ max: 255 }),
  r: upTo(256n),
  s: upTo(256n),
})

const fields = fc.record({
  type: fc.constantFrom<TransactionType>(0, 1, 2, 3, 4),
  chainId: fc.option(upTo(64n), { nil: undefined }),
  nonce: fc.bigInt({ min: 0n, max: 2n ** 64n - 2n }),
  gasLimit: upTo(64n),
  maxFeePerGas: upTo(128n),
  share: fc.nat({ max: 100 }),
  to: fc.option(hexOf(20), { nil: undefined }),
  value: upTo(256n),
  data: fc.uint8Array({ maxLength: 100 }),
  accessList,
  maxFeePerBlobGas: upTo(256n),
  blobVersionedHashes: fc.array(hexOf(32), { maxLength: 3 }),
  authorizationList: fc.array(authorization, { maxLength: 3 }),
})

/** Any transaction that its type can express. */
const transaction: fc.Arbitrary<Transaction> = fields.map(({ share, ...all }) => {
  const { type } = all
  const neutral = '0x1111111111111111111111111111111111111111'
  return {
    ...all,
    chainId: type === 0 ? all.chainId : (all.chainId ?? 1n),
    maxPriorityFeePerGas: type < 2 ? all.maxFeePerGas : (all.maxFeePerGas * BigInt(share)) / 100n,
    to: type < 3 ? all.to : (all.to ?? neutral),
    accessList: type === 0 ? [] : all.accessList,
    maxFeePerBlobGas: type === 3 ? all.maxFeePerBlobGas : 0n,
    blobVersionedHashes: type === 3 ? all.blobVersionedHashes : [],
    authorizationList: type === 4 ? all.authorizationList : [],
  }
})

const signature: fc.Arbitrary<Signature> = fc.record({
  yParity: fc.constantFrom<0 | 1>(0, 1),
  r: fc.bigInt({ min: 1n, max: CURVE_ORDER - 1n }),
  s: fc.bigInt({ min: 1n, max: CURVE_ORDER / 2n }),
})

const SIMPLE: Transaction = {
  type: 2,
  chainId: 7n,
  nonce: 3n,
  gasLimit: 100_000n,
  maxFeePerGas: 20n,
  maxPriorityFeePerGas: 2n,
  to: '0x3535353535353535353535353535353535353535',
  value: 5n,
  data: Uint8Array.of(1, 0, 2),
  accessList: [],
  maxFeePerBlobGas: 0n,
  blobVersionedHashes: [],
  authorizationList: [],
}

/** Bytes of SIMPLE with one of its twelve items replaced. */
function simpleWith(index: number, item: RlpItem): Uint8Array {
  const { encoded } = signTransaction(SIMPLE, KEY, crypto)
  const items = decodeRlp(encoded.subarray(1)) as readonly RlpItem[]
  return concatBytes(Uint8Array.of(2), encodeRlp(items.with(index, item)))
}

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof LedgerError) return error.code
    throw error
  }
  return 'accepted'
}

describe('decodeTransaction', () => {
  test('gives back what was encoded, for every type', () => {
    const property = fc.property(transaction, signature, (tx, sig) => {
      const encoded = encodeTransaction(tx, sig)
      const { hash, encoded: kept, signature: found, ...rest } = decodeTransaction(encoded)
      expect(rest).toEqual(tx)
      expect({ yParity: found.yParity, r: found.r, s: found.s }).toEqual(sig)
      expect(bytesToHex(signatureBytes(found))).toBe(bytesToHex(signatureBytes(sig)))
      expect(kept).toBe(encoded)
      expect(hash).toMatch(/^0x[0-9a-f]{64}$/)
    })
    fc.assert(property, { seed: 1, numRuns: 500 })
  })

  test('refuses arbitrary and altered bytes with a LedgerError, or takes them as canonical', () => {
    const isHandled = (bytes: Uint8Array): void => {
      try {
        const decoded = decodeTransaction(bytes)
        expect(bytesToHex(encodeTransaction(decoded, decoded.signature))).toBe(bytesToHex(bytes))
      } catch (error) {
        expect(error).toBeInstanceOf(LedgerError)
      }
    }
    const noise = fc.tuple(fc.nat({ max: 255 }), fc.uint8Array({ maxLength: 60 }))
    fc.assert(
      fc.property(noise, ([first, rest]) => isHandled(Uint8Array.of(first, ...rest))),
      { seed: 2, numRuns: 3_000 },
    )
    const altered = fc.property(
      transaction,
      signature,
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (tx, sig, at, x) => {
        const encoded = encodeTransaction(tx, sig)
        encoded[at % encoded.length]! ^= x
        isHandled(encoded)
      },
    )
    fc.assert(altered, { seed: 3, numRuns: 2_000 })
  })

  test.for([
    ['a nonce of 2^64 - 1 (EIP-2681)', 1, rlpScalar(2n ** 64n - 1n), 'LEDGER_TRANSACTION_INVALID'],
    ['a priority fee above the fee', 2, rlpScalar(21), 'LEDGER_TRANSACTION_INVALID'],
    ['a gas limit of 2^64', 4, rlpScalar(2n ** 64n), 'LEDGER_RLP_INVALID'],
    ['gas that costs 2^256', 3, rlpScalar(2n ** 255n), 'LEDGER_TRANSACTION_INVALID'],
    ['a recipient of 19 bytes', 5, new Uint8Array(19), 'LEDGER_TRANSACTION_INVALID'],
    ['a value of 2^256', 6, rlpScalar(2n ** 256n), 'LEDGER_RLP_INVALID'],
    ['a value with a leading zero', 6, Uint8Array.of(0, 1), 'LEDGER_RLP_INVALID'],
    ['data that are a list', 7, [], 'LEDGER_RLP_INVALID'],
    ['an access list entry without keys', 8, [[new Uint8Array(20)]], 'LEDGER_TRANSACTION_INVALID'],
    ['a parity of 2', 9, rlpScalar(2), 'LEDGER_SIGNATURE_INVALID'],
    ['r of 0', 10, rlpScalar(0), 'LEDGER_SIGNATURE_INVALID'],
    ['r of the order of the curve', 10, rlpScalar(CURVE_ORDER), 'LEDGER_SIGNATURE_INVALID'],
    [
      's above half the order (EIP-2)',
      11,
      rlpScalar(CURVE_ORDER / 2n + 1n),
      'LEDGER_SIGNATURE_INVALID',
    ],
  ] as const)('refuses %s', ([, index, item, code]) => {
    expect(codeOf(() => decodeTransaction(simpleWith(index, item as RlpItem)))).toBe(code)
  })

  test('refuses types that it does not know, and no bytes at all', () => {
    expect(codeOf(() => decodeTransaction(Uint8Array.of(5, 0xc0)))).toBe(
      'LEDGER_TRANSACTION_TYPE_UNKNOWN',
    )
    expect(codeOf(() => decodeTransaction(Uint8Array.of(0x80)))).toBe(
      'LEDGER_TRANSACTION_TYPE_UNKNOWN',
    )
    expect(codeOf(() => decodeTransaction(new Uint8Array(0)))).toBe('LEDGER_TRANSACTION_INVALID')
  })
})

describe('signTransaction', () => {
  test('matches the example of EIP-155', () => {
    const signed = signTransaction(
      {
        ...SIMPLE,
        type: 0,
        chainId: 1n,
        nonce: 9n,
        gasLimit: 21_000n,
        maxFeePerGas: 20_000_000_000n,
        maxPriorityFeePerGas: 20_000_000_000n,
        value: 10n ** 18n,
        data: new Uint8Array(0),
      },
      KEY,
      crypto,
    )
    expect(bytesToHex(signed.encoded)).toBe(
      '0xf86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0' +
        '28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b' +
        '3800ccf555c9f3dc64214b297fb1966a3b6d83',
    )
    expect(signed.sender).toBe('0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f')
  })

  test('gives a sender that recovers from the bytes alone, whatever the type', () => {
    for (const tx of fc.sample(transaction, { seed: 4, numRuns: 20 })) {
      const signed = signTransaction(tx, KEY, crypto)
      expect(recoverSender(decodeTransaction(signed.encoded), crypto)).toEqual(signed)
      expect(signed.sender).toBe('0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f')
    }
  })

  test('refuses fields out of range', () => {
    const tx = { ...SIMPLE, nonce: 2n ** 64n }
    expect(codeOf(() => signTransaction(tx, KEY, crypto))).toBe('LEDGER_RLP_INVALID')
  })
})

describe('recoverAuthority', () => {
  const unsigned = { chainId: 0n, address: SIMPLE.to as Address, nonce: 1n }

  test('names who signed, and nobody if the signature is out of range', () => {
    const signed = { ...unsigned, ...crypto.sign(authorizationHash(unsigned), KEY) }
    expect(recoverAuthority(signed, crypto)).toBe('0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f')
    expect(recoverAuthority({ ...signed, yParity: 2 }, crypto)).toBeUndefined()
    expect(recoverAuthority({ ...signed, s: CURVE_ORDER - signed.s }, crypto)).toBeUndefined()
    expect(recoverAuthority({ ...signed, r: 0n }, crypto)).toBeUndefined()
    expect(recoverAuthority({ ...signed, nonce: 2n }, crypto)).not.toBe(
      '0x9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f',
    )
  })
})

describe('decodePooledBlobTransaction', () => {
  const blob = new Uint8Array(131_072).fill(3)
  const commitment = new Uint8Array(48).fill(4)
  const proof = new Uint8Array(48).fill(5)
  const hash = sha256(commitment)
  hash[0] = 1
  const signed = signTransaction(
    { ...SIMPLE, type: 3, maxFeePerBlobGas: 9n, blobVersionedHashes: [bytesToHex(hash)] },
    KEY,
    crypto,
  )
  const body = decodeRlp(signed.encoded.subarray(1))
  const wrap = (...rest: readonly RlpItem[]): Uint8Array =>
    concatBytes(Uint8Array.of(3), encodeRlp([body, ...rest]))
  const cells = new Array<Uint8Array>(128).fill(proof)

  test('unwraps both versions to the transaction that a block holds', () => {
    for (const [bytes, version] of [
      [wrap([blob], [commitment], [proof]), 0],
      [wrap(Uint8Array.of(1), [blob], [commitment], cells), 1],
    ] as const) {
      expect(hasBlobSidecar(bytes)).toBe(true)
      const { transaction: found, sidecar } = decodePooledBlobTransaction(bytes, sha256)
      expect(found.hash).toBe(signed.hash)
      expect(found.encoded).toEqual(signed.encoded)
      expect(recoverSender(found, crypto)).toEqual(signed)
      expect(sidecar.version).toBe(version)
      expect(sidecar.proofs.length).toBe(version === 0 ? 1 : 128)
    }
    expect(hasBlobSidecar(signed.encoded)).toBe(false)
    expect(hasBlobSidecar(Uint8Array.of(3))).toBe(false)
    expect(hasBlobSidecar(signTransaction(SIMPLE, KEY, crypto).encoded)).toBe(false)
  })

  test.for([
    ['another commitment', wrap([blob], [proof], [proof])],
    ['a blob too few', wrap([], [commitment], [proof])],
    ['a proof too many', wrap([blob], [commitment], [proof, proof])],
    ['a blob of another size', wrap([blob.subarray(1)], [commitment], [proof])],
    ['another version', wrap(Uint8Array.of(2), [blob], [commitment], cells)],
    ['one proof for 128 cells', wrap(Uint8Array.of(1), [blob], [commitment], [proof])],
    ['an item too few', wrap([blob], [commitment])],
  ] as const)('refuses %s', ([, bytes]) => {
    expect(codeOf(() => decodePooledBlobTransaction(bytes, sha256))).toMatch(/INVALID$/)
  })
})

describe('transaction rules', () => {
  test('intrinsicGas adds what each proposal charges', () => {
    const none = { to: SIMPLE.to, data: new Uint8Array(0), accessList: [], authorizationList: [] }
    expect(intrinsicGas(none, 'london')).toEqual({ intrinsic: 21_000n, floor: 0n })
    // 2 zero bytes at 4 and 3 others at 16 (EIP-2028); floor of 10 a token, 14 tokens (EIP-7623).
    const data = Uint8Array.of(0, 1, 0, 2, 3)
    expect(intrinsicGas({ ...none, data }, 'prague')).toEqual({
      intrinsic: 21_056n,
      floor: 21_140n,
    })
    // Creation, and from Shanghai 2 for each of the two words begun (EIP-3860).
    const code = { ...none, to: undefined, data: new Uint8Array(33) }
    expect(intrinsicGas(code, 'paris').intrinsic).toBe(53_132n)
    expect(intrinsicGas(code, 'shanghai').intrinsic).toBe(53_136n)
    const accessList = [
      { address: `0x${'00'.repeat(20)}` as Address, storageKeys: [bytesToHex(KEY)] },
    ]
    expect(intrinsicGas({ ...none, accessList }, 'london').intrinsic).toBe(25_300n)
    const authorizationList = [
      { chainId: 0n, address: SIMPLE.to as Address, nonce: 0n, yParity: 0, r: 1n, s: 1n },
    ]
    expect(intrinsicGas({ ...none, authorizationList }, 'prague').intrinsic).toBe(46_000n)
  })

  const blobHash = `0x01${'00'.repeat(31)}` as Hash
  const blobs = { ...SIMPLE, type: 3, blobVersionedHashes: [blobHash] } as const
  test.for([
    ['type 3 before Cancun', blobs, 'shanghai', 'LEDGER_TRANSACTION_TYPE_UNSUPPORTED'],
    ['type 3 in Cancun', blobs, 'cancun', 'accepted'],
    ['no blobs', { ...blobs, blobVersionedHashes: [] }, 'cancun', 'LEDGER_TRANSACTION_INVALID'],
    [
      'a hash of another version',
      { ...blobs, blobVersionedHashes: [`0x02${'00'.repeat(31)}`] },
      'cancun',
      'LEDGER_TRANSACTION_INVALID',
    ],
    [
      'seven blobs in Osaka',
      { ...blobs, blobVersionedHashes: new Array(7).fill(blobHash) },
      'osaka',
      'LEDGER_BLOB_LIMIT',
    ],
    [
      'type 4 before Prague',
      { ...SIMPLE, type: 4 },
      'cancun',
      'LEDGER_TRANSACTION_TYPE_UNSUPPORTED',
    ],
    [
      'type 4 without authorizations',
      { ...SIMPLE, type: 4 },
      'prague',
      'LEDGER_TRANSACTION_INVALID',
    ],
    ['2^24 gas in Osaka', { ...SIMPLE, gasLimit: 16_777_216n }, 'osaka', 'accepted'],
    ['more in Osaka', { ...SIMPLE, gasLimit: 16_777_217n }, 'osaka', 'LEDGER_GAS_LIMIT'],
    ['more in Prague', { ...SIMPLE, gasLimit: 16_777_217n }, 'prague', 'accepted'],
    ['too little gas', { ...SIMPLE, gasLimit: 21_035n }, 'london', 'LEDGER_INTRINSIC_GAS'],
    ['just enough gas', { ...SIMPLE, gasLimit: 21_036n }, 'london', 'accepted'],
    ['less than the floor', { ...SIMPLE, gasLimit: 21_089n }, 'prague', 'LEDGER_INTRINSIC_GAS'],
    [
      'initcode of 49,153 bytes',
      { ...SIMPLE, to: undefined, data: new Uint8Array(49_153), gasLimit: 10_000_000n },
      'shanghai',
      'LEDGER_INITCODE_SIZE',
    ],
    [
      'the same in Paris',
      { ...SIMPLE, to: undefined, data: new Uint8Array(49_153), gasLimit: 10_000_000n },
      'paris',
      'accepted',
    ],
  ] as const)('assertTransactionRules: %s', ([, tx, fork, expected]) => {
    expect(codeOf(() => assertTransactionRules(tx as Transaction, fork))).toBe(expected)
  })
})
