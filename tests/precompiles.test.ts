/** Our precompiles against those of an independent machine, on generated input. */

import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import { createEVM, getActivePrecompiles } from '@ethereumjs/evm'
import { bls12_381 } from '@noble/curves/bls12-381.js'
import { bn254 } from '@noble/curves/bn254.js'
import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import {
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  FORKS,
  type Fork,
  precompilesOf,
} from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const HARDFORKS: Readonly<Record<Fork, Hardfork>> = {
  frontier: Hardfork.Chainstart,
  homestead: Hardfork.Homestead,
  tangerineWhistle: Hardfork.TangerineWhistle,
  spuriousDragon: Hardfork.SpuriousDragon,
  byzantium: Hardfork.Byzantium,
  constantinople: Hardfork.Constantinople,
  petersburg: Hardfork.Petersburg,
  istanbul: Hardfork.Istanbul,
  berlin: Hardfork.Berlin,
  london: Hardfork.London,
  paris: Hardfork.Paris,
  shanghai: Hardfork.Shanghai,
  cancun: Hardfork.Cancun,
  prague: Hardfork.Prague,
  osaka: Hardfork.Osaka,
}

const ENOUGH_GAS = 10n ** 30n
const SEED = 20_240_613

/** Gas used and output of both machines; null for a failed call. */
async function compare(fork: Fork, number: number, input: Uint8Array): Promise<void> {
  const address = bytesToHex(bigIntToBytes(BigInt(number), 20))
  const contract = precompilesOf(fork).get(address)!
  const gas = contract.gas(input)
  const output = gas > ENOUGH_GAS ? undefined : contract.run(input)
  const ours = output === undefined ? null : { gas, output: bytesToHex(output) }

  const common = new Common({ chain: Mainnet, hardfork: HARDFORKS[fork] })
  const evm = await createEVM({ common })
  const theirs = await getActivePrecompiles(common).get(address.slice(2))!({
    data: input,
    gasLimit: ENOUGH_GAS,
    common,
    _EVM: evm,
  })
  expect({ fork, number, input: bytesToHex(input), ours }).toEqual({
    fork,
    number,
    input: bytesToHex(input),
    ours:
      theirs.exceptionError === undefined
        ? { gas: theirs.executionGasUsed, output: bytesToHex(theirs.returnValue) }
        : null,
  })
}

async function check(
  fork: Fork,
  number: number,
  inputs: fc.Arbitrary<Uint8Array>,
  numRuns: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(inputs, (input) => compare(fork, number, input)),
    { numRuns, seed: SEED },
  )
}

const bytes = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength })
const word = (value: bigint): Uint8Array => bigIntToBytes(value, 32)

/** Small, large and random numbers of up to `bits` bits. */
const scalar = (bits: number): fc.Arbitrary<bigint> =>
  fc.oneof(
    fc.bigInt({ min: 0n, max: 3n }),
    fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n }),
    fc.bigInt({ min: (1n << BigInt(bits)) - 3n, max: (1n << BigInt(bits)) - 1n }),
  )

/** The input; or with one byte changed, cut, or continued: what a hostile caller would try. */
function spoiled(inputs: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const flipped = fc
    .tuple(inputs, fc.nat(), fc.integer({ min: 1, max: 255 }))
    .map(([input, at, mask]) => {
      const copy = input.slice()
      if (copy.length > 0) copy[at % copy.length]! ^= mask
      return copy
    })
  const cut = fc
    .tuple(inputs, fc.nat())
    .map(([input, at]) => input.slice(0, at % (input.length + 1)))
  const continued = fc.tuple(inputs, bytes(1, 40)).map(([input, more]) => concatBytes(input, more))
  return fc.oneof({ weight: 4, arbitrary: inputs }, flipped, cut, continued)
}

describe('the set of precompiles', () => {
  test.each(FORKS)('%s has the addresses of an independent machine', (fork) => {
    const common = new Common({ chain: Mainnet, hardfork: HARDFORKS[fork] })
    const theirs = [...getActivePrecompiles(common).keys()].map((address) => `0x${address}`)
    expect([...precompilesOf(fork).keys()].sort()).toEqual(theirs.sort())
  })
})

describe('precompiles agree with an independent machine', () => {
  test('ECRECOVER, for signatures of either s, wrong v and spoiled input', async () => {
    const order = secp256k1.Point.Fn.ORDER
    const signed = fc
      .record({
        hash: bytes(32, 32),
        key: fc.bigInt({ min: 1n, max: order - 1n }),
        high: fc.boolean(),
        v: fc.constantFrom(27n, 28n, 27n, 28n, 0n, 1n, 29n, 256n + 27n, (1n << 255n) + 28n),
      })
      .map(({ hash, key, high, v }) => {
        const options = { prehash: false, format: 'compact' } as const
        const signature = secp256k1.sign(hash, word(key), options)
        const { r, s } = secp256k1.Signature.fromBytes(signature)
        return concatBytes(hash, word(v), word(r), word(high ? order - s : s))
      })
    await check('london', 1, spoiled(signed), 100)
    const edge = fc.constantFrom(0n, 1n, order - 1n, order, order + 1n, (1n << 256n) - 1n)
    const edges = fc
      .tuple(bytes(32, 32), fc.constantFrom(27n, 28n), edge, edge)
      .map(([hash, v, r, s]) => concatBytes(hash, word(v), word(r), word(s)))
    await check('london', 1, edges, 80)
  })

  test('SHA256, RIPEMD160 and IDENTITY, for any bytes', async () => {
    for (const number of [2, 3, 4]) await check('london', number, bytes(0, 300), 60)
  })

  test.each(['london', 'osaka'] as const)(
    'MODEXP in %s, for operands of all sizes',
    async (fork) => {
      const size = fc.oneof(
        fc.integer({ min: 0, max: 4 }),
        fc.integer({ min: 0, max: 70 }),
        fc.integer({ min: 0, max: 300 }),
      )
      const operand = size.chain((length) =>
        fc.oneof(
          bytes(length, length),
          fc.constant(new Uint8Array(length)),
          bytes(0, 3).map((tail) => concatBytes(new Uint8Array(length), tail)),
        ),
      )
      const call = fc
        .tuple(operand, operand, operand)
        .map(([base, exponent, modulus]) =>
          concatBytes(
            ...[base, exponent, modulus].map((part) => word(BigInt(part.length))),
            base,
            exponent,
            modulus,
          ),
        )
      await check(fork, 5, call, 250)
      const cutAfterLengths = fc
        .tuple(call, fc.nat())
        .map(([input, at]) => input.slice(0, 96 + (at % (input.length - 95))))
      await check(fork, 5, cutAfterLengths, 100)
      await check(fork, 5, bytes(0, 95), 30)
    },
  )

  test('MODEXP of Osaka bounds each operand to 1024 bytes', async () => {
    for (const [base, exponent, modulus] of [
      [1024n, 1n, 1024n],
      [1025n, 1n, 1n],
      [1n, 1025n, 1n],
      [1n, 1n, 1025n],
      [0n, 1025n, 0n],
      [2n ** 255n, 2n ** 255n, 2n ** 255n],
    ] as const) {
      const input = concatBytes(
        word(base),
        word(exponent),
        word(modulus),
        new Uint8Array(4).fill(7),
      )
      await compare('osaka', 5, input)
    }
  })

  test('BN254 addition and multiplication, for points, infinity and spoiled input', async () => {
    await check(
      'london',
      6,
      spoiled(fc.tuple(bn254G1, bn254G1).map(([a, b]) => concatBytes(a, b))),
      120,
    )
    const opposite = bn254Scalar.map((k) =>
      concatBytes(encodeBn254G1(k), encodeBn254G1(bn254.fields.Fr.ORDER - k)),
    )
    const double = bn254G1.map((point) => concatBytes(point, point))
    await check('london', 6, fc.oneof(opposite, double), 20)
    const order = bn254.fields.Fr.ORDER
    const factor = fc.oneof(scalar(256), fc.constantFrom(order - 1n, order, order + 1n, 2n * order))
    const product = fc.tuple(bn254G1, factor).map(([point, by]) => concatBytes(point, word(by)))
    await check('london', 7, spoiled(product), 80)
  })

  test('BN254 pairing, for products that are and are not 1, and points off the group', async () => {
    const pair = fc.tuple(bn254G1, bn254G2).map(([g1, g2]) => concatBytes(g1, g2))
    const pairs = fc.array(pair, { maxLength: 3 }).map((parts) => concatBytes(...parts))
    await check('london', 8, spoiled(pairs), 40)
    const balanced = fc.tuple(bn254Scalar, bn254Scalar).map(([a, b]) => {
      const order = bn254.fields.Fr.ORDER
      return concatBytes(
        encodeBn254G1((a * b) % order),
        encodeBn254G2(1n),
        encodeBn254G1(order - a),
        encodeBn254G2(b),
      )
    })
    await check('london', 8, balanced, 8)
  })

  test('BLAKE2F, for any state and rounds', async () => {
    const call = fc
      .tuple(fc.integer({ min: 0, max: 300 }), bytes(208, 208), fc.constantFrom(0, 1, 0, 1, 2, 255))
      .map(([rounds, state, final]) =>
        concatBytes(bigIntToBytes(BigInt(rounds), 4), state, Uint8Array.of(final)),
      )
    await check('london', 9, call, 150)
    await check('london', 9, bytes(0, 220), 30)
  })

  test('BLS12-381 additions, also outside the subgroups, and spoiled input', async () => {
    const g1 = fc.oneof({ weight: 3, arbitrary: blsG1 }, blsCurveG1)
    const g2 = fc.oneof({ weight: 3, arbitrary: blsG2 }, blsCurveG2)
    await check('prague', 0x0b, spoiled(fc.tuple(g1, g1).map(([a, b]) => concatBytes(a, b))), 60)
    await check('prague', 0x0d, spoiled(fc.tuple(g2, g2).map(([a, b]) => concatBytes(a, b))), 40)
    await check(
      'prague',
      0x0b,
      g1.map((a) => concatBytes(a, a)),
      10,
    )
    await check(
      'prague',
      0x0d,
      g2.map((a) => concatBytes(a, a)),
      10,
    )
  })

  test('BLS12-381 multi-scalar multiplication, for any number of terms and spoiled input', async () => {
    const order = bls12_381.fields.Fr.ORDER
    const factor = fc.oneof(scalar(256), fc.constantFrom(order - 1n, order, order + 1n))
    const terms = (point: fc.Arbitrary<Uint8Array>, maxLength: number) =>
      fc
        .array(
          fc.tuple(point, factor).map(([p, by]) => concatBytes(p, word(by))),
          { minLength: 0, maxLength },
        )
        .map((parts) => concatBytes(...parts))
    await check('prague', 0x0c, spoiled(terms(blsG1, 12)), 25)
    await check('prague', 0x0e, spoiled(terms(blsG2, 8)), 15)
    await check('prague', 0x0c, terms(blsCurveG1, 2), 6)
    await check('prague', 0x0e, terms(blsCurveG2, 2), 6)
  })

  test('BLS12-381 pairing, for products that are and are not 1, and spoiled input', async () => {
    const pair = fc.tuple(blsG1, blsG2).map(([g1, g2]) => concatBytes(g1, g2))
    const pairs = fc.array(pair, { maxLength: 3 }).map((parts) => concatBytes(...parts))
    await check('prague', 0x0f, spoiled(pairs), 20)
    const balanced = fc.tuple(blsScalar, blsScalar).map(([a, b]) => {
      const order = bls12_381.fields.Fr.ORDER
      return concatBytes(
        encodeBlsG1((a * b) % order),
        encodeBlsG2(1n),
        encodeBlsG1(order - a),
        encodeBlsG2(b),
      )
    })
    await check('prague', 0x0f, balanced, 4)
  })

  test('BLS12-381 maps to the curve, for any element and spoiled input', async () => {
    const p = bls12_381.fields.Fp.ORDER
    const value = fc.oneof(
      fc.bigInt({ min: 0n, max: p - 1n }),
      fc.constantFrom(0n, 1n, p - 1n, p, p + 1n, (1n << 512n) - 1n),
    )
    await check('prague', 0x10, spoiled(value.map(element)), 30)
    const pair = fc.tuple(value, value).map(([a, b]) => concatBytes(element(a), element(b)))
    await check('prague', 0x11, spoiled(pair), 20)
  })

  test('P256VERIFY, for signatures of either s, edge values and spoiled input', async () => {
    const order = p256.Point.Fn.ORDER
    const signed = fc
      .record({
        hash: fc.oneof(bytes(32, 32), fc.constant(new Uint8Array(32))),
        key: fc.bigInt({ min: 1n, max: order - 1n }),
        high: fc.boolean(),
      })
      .map(({ hash, key, high }) => {
        const options = { prehash: false, lowS: true, format: 'compact' } as const
        const { r, s } = p256.Signature.fromBytes(p256.sign(hash, word(key), options))
        const publicKey = p256.getPublicKey(word(key), false).subarray(1)
        return concatBytes(hash, word(r), word(high ? order - s : s), publicKey)
      })
    await check('osaka', 0x100, spoiled(signed), 60)
    const edge = fc.constantFrom(0n, 1n, order - 1n, order, order + 1n)
    const edges = fc
      .tuple(signed, edge, edge)
      .map(([input, r, s]) =>
        concatBytes(input.subarray(0, 32), word(r), word(s), input.subarray(96)),
      )
    await check('osaka', 0x100, edges, 40)
  })
})

const element = (value: bigint): Uint8Array => bigIntToBytes(value, 64)

const blsScalar = fc.bigInt({ min: 1n, max: bls12_381.fields.Fr.ORDER - 1n })
const blsG1 = fc.oneof(
  { weight: 4, arbitrary: blsScalar.map(encodeBlsG1) },
  fc.constant(new Uint8Array(128)),
)
const blsG2 = fc.oneof(
  { weight: 4, arbitrary: blsScalar.map(encodeBlsG2) },
  fc.constant(new Uint8Array(256)),
)

/** Points of the curves, nearly all outside the subgroups: the next x that has one. */
const blsCurveG1 = fc.bigInt({ min: 1n, max: 1n << 200n }).map((start) => {
  const { Fp } = bls12_381.fields
  for (let x = start; ; x++) {
    try {
      return concatBytes(element(x), element(Fp.sqrt(Fp.create(x ** 3n + 4n))))
    } catch {
      // Not a square: the next one.
    }
  }
})
const blsCurveG2 = fc.bigInt({ min: 1n, max: 1n << 200n }).map((start) => {
  const { Fp2 } = bls12_381.fields
  for (let part = start; ; part++) {
    try {
      const x = Fp2.fromBigTuple([part, 3n])
      const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), Fp2.fromBigTuple([4n, 4n])))
      return concatBytes(...[x.c0, x.c1, y.c0, y.c1].map(element))
    } catch {
      // Not a square: the next one.
    }
  }
})

function encodeBlsG1(k: bigint): Uint8Array {
  const { x, y } = bls12_381.G1.Point.BASE.multiplyUnsafe(k).toAffine()
  return concatBytes(element(x), element(y))
}

function encodeBlsG2(k: bigint): Uint8Array {
  const { x, y } = bls12_381.G2.Point.BASE.multiplyUnsafe(k).toAffine()
  return concatBytes(...[x.c0, x.c1, y.c0, y.c1].map(element))
}

const bn254Scalar = fc.bigInt({ min: 1n, max: bn254.fields.Fr.ORDER - 1n })
const bn254G1 = fc.oneof(
  { weight: 4, arbitrary: bn254Scalar.map(encodeBn254G1) },
  fc.constant(new Uint8Array(64)),
)
const bn254G2 = fc.oneof(
  { weight: 4, arbitrary: bn254Scalar.map(encodeBn254G2) },
  fc.constant(new Uint8Array(128)),
)

function encodeBn254G1(k: bigint): Uint8Array {
  const { x, y } = bn254.G1.Point.BASE.multiply(k).toAffine()
  return concatBytes(word(x), word(y))
}

function encodeBn254G2(k: bigint): Uint8Array {
  const { x, y } = bn254.G2.Point.BASE.multiply(k).toAffine()
  return concatBytes(word(x.c1), word(x.c0), word(y.c1), word(y.c0))
}
