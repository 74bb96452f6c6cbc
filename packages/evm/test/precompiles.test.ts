import { bls12_381 } from '@noble/curves/bls12-381.js'
import { bn254 } from '@noble/curves/bn254.js'
import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { blake2b } from '@noble/hashes/blake2.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { describe, expect, test } from 'vitest'
import {
  type Address,
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  type Fork,
  hexToBytes,
  keccak256,
  NO_BYTES,
  type Precompile,
  precompilesOf,
} from '../src/index.ts'
import { powerModulo } from '../src/precompiles/modexp.ts'

const word = (value: bigint): Uint8Array => bigIntToBytes(value, 32)
const element = (value: bigint): Uint8Array => bigIntToBytes(value, 64)
const ONE = word(1n)

function contract(fork: Fork, number: number): Precompile {
  return precompilesOf(fork).get(`0x${number.toString(16).padStart(40, '0')}` as Address)!
}

describe('precompilesOf', () => {
  test.each<[Fork, number]>([
    ['london', 9],
    ['paris', 9],
    ['shanghai', 9],
    ['cancun', 10],
    ['prague', 17],
    ['osaka', 18],
  ])('%s has %d contracts', (fork, count) => {
    expect(precompilesOf(fork).size).toBe(count)
  })
})

describe('ECRECOVER', () => {
  const key = word(0x1234_5678_9abc_defn)
  const hash = keccak256(hexToBytes('0x68656c6c6f'))
  const [recovery, ...rs] = secp256k1.sign(hash, key, { prehash: false, format: 'recovered' })
  const signature = Uint8Array.from(rs)
  const signer = keccak256(secp256k1.getPublicKey(key, false).subarray(1)).subarray(12)
  const call = (v: bigint): Uint8Array => concatBytes(hash, word(v), signature)
  const recover = contract('london', 1)

  test('gives the address of the signer in a word', () => {
    const output = recover.run(call(27n + BigInt(recovery!)))
    expect(output).toEqual(concatBytes(new Uint8Array(12), signer))
    expect(recover.gas(call(27n))).toBe(3000n)
  })

  test('ignores input after 128 bytes, and takes what is missing for zeros', () => {
    const input = concatBytes(call(27n + BigInt(recovery!)), ONE)
    expect(recover.run(input)).toEqual(concatBytes(new Uint8Array(12), signer))
    expect(recover.run(input.subarray(0, 96))).toEqual(NO_BYTES)
  })

  test('gives nothing for other v, with all 256 bits of it', () => {
    for (const v of [0n, 1n, 26n, 29n, 27n + 256n, 27n + (1n << 248n)]) {
      expect(recover.run(call(v))).toEqual(NO_BYTES)
    }
  })

  test('asks the recovery of the host, where there is one', () => {
    const asked: unknown[] = []
    const map = precompilesOf('london', {
      recover(...call) {
        asked.push(call)
        return undefined
      },
    })
    expect([...map.values()][0]!.run(call(28n))).toEqual(NO_BYTES)
    expect(asked).toEqual([[hash, signature, 1]])
  })
})

describe('hashes and IDENTITY', () => {
  test('SHA256 and RIPEMD160 of nothing and of abc', () => {
    const abc = hexToBytes('0x616263')
    expect(bytesToHex(contract('london', 2).run(abc)!)).toBe(
      '0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
    expect(bytesToHex(contract('london', 3).run(NO_BYTES)!)).toBe(
      '0x0000000000000000000000009c1185a5c5e9fc54612808977ee8f548b2258d31',
    )
  })

  test('cost a base and a price for each word that is begun', () => {
    const prices = [2, 3, 4].map((number) =>
      [0, 1, 32, 33].map((size) => contract('london', number).gas(new Uint8Array(size))),
    )
    expect(prices).toEqual([
      [60n, 72n, 72n, 84n],
      [600n, 720n, 720n, 840n],
      [15n, 18n, 18n, 21n],
    ])
  })

  test('IDENTITY copies, so that its output can be written to', () => {
    const input = Uint8Array.of(1, 2, 3)
    const output = contract('london', 4).run(input)!
    input[0] = 9
    expect(output).toEqual(Uint8Array.of(1, 2, 3))
  })
})

describe('MODEXP', () => {
  const london = contract('london', 5)
  const osaka = contract('osaka', 5)
  const call = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array =>
    concatBytes(
      ...[base, exponent, modulus].map((part) => word(BigInt(part.length))),
      base,
      exponent,
      modulus,
    )
  const P = 2n ** 256n - 2n ** 32n - 977n

  test('computes the examples of EIP-198', () => {
    expect(london.run(call(Uint8Array.of(3), word(P - 1n), word(P)))).toEqual(ONE)
    expect(london.run(call(NO_BYTES, word(P - 1n), word(P)))).toEqual(new Uint8Array(32))
    // Lengths of 0, 32 and 32 with nothing after them but ff...: 0 to the power of 2^256 - 1.
    const short = concatBytes(word(0n), word(32n), word(32n), new Uint8Array(33).fill(0xff))
    expect(london.run(short)).toEqual(new Uint8Array(32))
    // A modulus of which only the first byte, 0x80, was sent: 3^0xffff mod 2^255.
    const cut = concatBytes(word(1n), word(2n), word(32n), hexToBytes('0x03ffff80'))
    expect(bytesToBigInt(london.run(cut)!)).toBe(slowPower(3n, 0xffffn, 2n ** 255n))
  })

  test('takes 0 to the power of 0 for 1, and anything modulo 0 and 1 for 0', () => {
    const zero = new Uint8Array(2)
    expect(london.run(call(zero, zero, Uint8Array.of(0, 7)))).toEqual(Uint8Array.of(0, 1))
    expect(london.run(call(Uint8Array.of(5), zero, zero))).toEqual(zero)
    expect(london.run(call(Uint8Array.of(5), zero, Uint8Array.of(0, 1)))).toEqual(zero)
    expect(london.run(call(Uint8Array.of(5), zero, NO_BYTES))).toEqual(NO_BYTES)
  })

  test('agrees with plain square-and-multiply, whatever the modulus', () => {
    for (let i = 1n; i < 200n; i++) {
      const base = i ** 31n
      const exponent = (i * 0x1_0000_0001n) ** (i % 7n)
      const modulus = (i * 97n) ** (1n + (i % 19n)) + 1n
      const bytes = bigIntToBytes(exponent, 96)
      expect(powerModulo(base, bytes, 0, modulus)).toBe(slowPower(base, exponent, modulus))
      expect(powerModulo(base, bytes, 3, modulus)).toBe(slowPower(base, exponent << 24n, modulus))
    }
  })

  test('is priced by EIP-2565 until Prague, by EIP-7883 from Osaka on', () => {
    const bytes = (size: number): Uint8Array => new Uint8Array(size).fill(0xff)
    const table = [
      // base and modulus, exponent: (words² · steps / 3, at least 200), (2 · words² · steps, at least 500)
      { size: 1, exponent: Uint8Array.of(3), london: 200n, osaka: 500n },
      { size: 32, exponent: bytes(32), london: 1360n, osaka: 4080n },
      { size: 64, exponent: bytes(32), london: 5440n, osaka: 32_640n },
      { size: 64, exponent: bytes(64), london: 10_901n, osaka: 98_176n },
      { size: 1024, exponent: Uint8Array.of(3), london: 5461n, osaka: 32_768n },
      { size: 8, exponent: new Uint8Array(133), london: 269n, osaka: 25_856n },
    ]
    for (const { size, exponent, london: before, osaka: after } of table) {
      const input = call(bytes(size), exponent, bytes(size))
      expect([size, london.gas(input), osaka.gas(input)]).toEqual([size, before, after])
    }
  })

  test('prices operands that nothing could hold beyond any limit, and never throws', () => {
    const max = 2n ** 256n - 1n
    for (const lengths of [
      [max, max, max],
      [max, 0n, 1n],
      [0n, max, 1n],
      [0n, 1n, max],
    ]) {
      const input = concatBytes(...lengths.map(word), Uint8Array.of(2))
      expect(london.gas(input)).toBeGreaterThan(2n ** 200n)
      expect(osaka.gas(input)).toBeGreaterThan(2n ** 200n)
      expect(london.run(input)).toBeUndefined()
      expect(osaka.run(input)).toBeUndefined()
    }
  })

  test('with an empty base and modulus costs little, and from Osaka on fails for a long exponent', () => {
    const input = concatBytes(word(0n), word(2n ** 255n), word(0n))
    expect(london.gas(input)).toBe(200n)
    expect(london.run(input)).toEqual(NO_BYTES)
    expect(osaka.run(input)).toBeUndefined()
  })

  function slowPower(base: bigint, exponent: bigint, modulus: bigint): bigint {
    let power = 1n % modulus
    for (const bit of exponent.toString(2)) {
      power = (power * power) % modulus
      if (bit === '1') power = (power * base) % modulus
    }
    return power
  }
})

describe('BN254', () => {
  const g1 = (k: bigint): Uint8Array => {
    const { x, y } = bn254.G1.Point.BASE.multiplyUnsafe(k).toAffine()
    return concatBytes(word(x), word(y))
  }
  const g2 = (k: bigint): Uint8Array => {
    const { x, y } = bn254.G2.Point.BASE.multiplyUnsafe(k).toAffine()
    return concatBytes(word(x.c1), word(x.c0), word(y.c1), word(y.c0))
  }
  const order = bn254.fields.Fr.ORDER
  const [add, multiply, pairing] = [6, 7, 8].map((number) => contract('london', number))

  test('adds, doubles, and knows infinity', () => {
    expect(add!.run(concatBytes(g1(3n), g1(4n)))).toEqual(g1(7n))
    expect(add!.run(concatBytes(g1(3n), g1(3n)))).toEqual(g1(6n))
    expect(add!.run(concatBytes(g1(3n), g1(order - 3n)))).toEqual(new Uint8Array(64))
    expect(add!.run(g1(3n))).toEqual(g1(3n))
    expect(add!.run(NO_BYTES)).toEqual(new Uint8Array(64))
  })

  test('multiplies by any word', () => {
    expect(multiply!.run(concatBytes(g1(3n), word(5n)))).toEqual(g1(15n))
    expect(multiply!.run(concatBytes(g1(3n), word(order)))).toEqual(new Uint8Array(64))
    expect(multiply!.run(concatBytes(g1(3n), word(order + 2n)))).toEqual(g1(6n))
  })

  test('fails for points off the curve and coordinates not below the modulus', () => {
    const p = bn254.fields.Fp.ORDER
    for (const point of [
      concatBytes(word(1n), word(3n)),
      concatBytes(word(1n + p), word(2n)),
      concatBytes(word(0n), word(p)),
    ]) {
      expect(add!.run(point)).toBeUndefined()
      expect(multiply!.run(point)).toBeUndefined()
      expect(pairing!.run(concatBytes(point, g2(1n)))).toBeUndefined()
    }
  })

  test('pairing refuses a point of G2 whose y is 0', () => {
    const point = new Uint8Array(192)
    point[127] = 1
    expect(pairing!.run(point)).toBeUndefined()
  })

  test('pairing is bilinear, and 1 for no pairs and for infinity', () => {
    const product = concatBytes(g1(6n), g2(7n), g1(order - 2n), g2(21n))
    expect(pairing!.run(product)).toEqual(ONE)
    expect(pairing!.run(concatBytes(g1(6n), g2(7n)))).toEqual(new Uint8Array(32))
    expect(pairing!.run(NO_BYTES)).toEqual(ONE)
    expect(pairing!.run(concatBytes(new Uint8Array(64), g2(7n)))).toEqual(ONE)
    expect(pairing!.gas(product)).toBe(113_000n)
  })

  test('pairing fails for a point of the twist outside the group, even beside infinity', () => {
    const outside = twistPointOutsideGroup()
    expect(pairing!.run(concatBytes(new Uint8Array(64), outside))).toBeUndefined()
    expect(pairing!.run(new Uint8Array(191))).toBeUndefined()
  })

  test('pairing fails for a point off the twist, whatever its coordinates', () => {
    const numbers = [0n, 1n, bn254.fields.Fp.ORDER - 1n]
    for (const x of numbers) {
      for (const y of numbers) {
        if (x === 0n && y === 0n) continue
        const point = concatBytes(word(0n), word(x), word(0n), word(y))
        expect(pairing!.run(concatBytes(g1(1n), point))).toBeUndefined()
      }
    }
  })

  /** The first x = n + 0u with a point: its order divides the large cofactor times the order. */
  function twistPointOutsideGroup(): Uint8Array {
    const { Fp2 } = bn254.fields
    const { b } = bn254.G2.Point.CURVE()
    for (let n = 1n; ; n++) {
      const x = Fp2.fromBigTuple([n, 0n])
      try {
        const y = Fp2.sqrt(Fp2.add(Fp2.mul(Fp2.sqr(x), x), b))
        return concatBytes(word(x.c1), word(x.c0), word(y.c1), word(y.c0))
      } catch {
        // Not a square: the next one.
      }
    }
  }
})

describe('BLAKE2F', () => {
  const compress = contract('london', 9)
  const STATE =
    '48c9bdf267e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5' +
    'd182e6ad7f520e511f6c3e2b8c68059b6bbd41fbabd9831f79217e1319cde05b'
  const call = (rounds: string, final: string): Uint8Array =>
    hexToBytes(`0x${rounds}${STATE}616263${'00'.repeat(125)}03${'00'.repeat(15)}${final}`)

  test.each([
    [
      '00000000',
      '01',
      '08c9bcf367e6096a3ba7ca8485ae67bb2bf894fe72f36e3cf1361d5f3af54fa5d282e6ad7f520e511f6c3e2b8c68059b9442be0454267ce079217e1319cde05b',
    ],
    [
      '0000000c',
      '01',
      'ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923',
    ],
    [
      '0000000c',
      '00',
      '75ab69d3190a562c51aef8d88f1c2775876944407270c42c9844252c26d2875298743e7f6d5ea2f2d3e8d226039cd31b4e426ac4f2d3d666a610c2116fde4735',
    ],
    [
      '00000001',
      '01',
      'b63a380cb2897d521994a85234ee2c181b5f844d2c624c002677e9703449d2fba551b3a8333bcdf5f2f7e08993d53923de3d64fcc68c034e717b9293fed7a421',
    ],
  ])('computes the vectors of EIP-152: rounds %s, final %s', (rounds, final, expected) => {
    expect(bytesToHex(compress.run(call(rounds, final))!)).toBe(`0x${expected}`)
    expect(compress.gas(call(rounds, final))).toBe(BigInt(`0x${rounds}`))
  })

  test('with twelve rounds is BLAKE2b of a message of one block', () => {
    for (let size = 0; size <= 128; size += 8) {
      const message = Uint8Array.from({ length: size }, (_, i) => (i * 31 + size) & 0xff)
      const input = call('0000000c', '01')
      input.fill(0, 68, 212)
      input.set(message, 68)
      input[196] = size
      expect(compress.run(input)).toEqual(blake2b(message))
    }
  })

  test('fails for other lengths and for a final byte that is no boolean', () => {
    const input = call('00000001', '01')
    expect(compress.run(input.subarray(0, 212))).toBeUndefined()
    expect(compress.run(concatBytes(input, ONE))).toBeUndefined()
    expect(compress.run(call('00000001', '02'))).toBeUndefined()
    expect(compress.run(NO_BYTES)).toBeUndefined()
    expect(compress.gas(NO_BYTES)).toBe(0n)
  })

  test('reads its input at any offset in a larger buffer', () => {
    const input = call('0000000c', '01')
    const shifted = concatBytes(new Uint8Array(3), input).subarray(3)
    expect(compress.run(shifted)).toEqual(compress.run(input))
  })
})

describe('POINT_EVALUATION', () => {
  const evaluate = contract('cancun', 10)
  // EIP-4844's example from the reference tests of execution clients.
  const input = hexToBytes(
    '0x01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b' +
      '564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306' +
      '24d25032e67a7e6a4910df5834b8fe70e6bcfeeac0352434196bdf4b2485d5a1' +
      '8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7' +
      '873033e038326e87ed3e1276fd140253fa08e9fc25fb2d9a98527fc22a2c9612fbeafdad446cbc7bcdbdcd780af2c16a',
  )

  test('accepts a true proof, and names blob size and modulus', () => {
    expect(evaluate.gas(input)).toBe(50_000n)
    expect(evaluate.run(input)).toEqual(concatBytes(word(4096n), word(bls12_381.fields.Fr.ORDER)))
  })

  test.each([0, 1, 40, 70, 100, 143, 144, 191])('fails if byte %d is another', (at) => {
    const wrong = input.slice()
    wrong[at]! ^= 1
    expect(evaluate.run(wrong)).toBeUndefined()
  })

  test('fails for other lengths', () => {
    expect(evaluate.run(input.subarray(1))).toBeUndefined()
    expect(evaluate.run(concatBytes(input, ONE))).toBeUndefined()
  })
})

/** The first powers of the secret of the KZG ceremony, times the generator of G1. */
const CEREMONY_G1 = [
  '97f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb',
  'ad3eb50121139aa34db1d545093ac9374ab7bca2c0f3bf28e27c8dcd8fc7cb42d25926fc0c97b336e9f0fb35e5a04c81',
  '8029c8ce0d2dce761a7f29c2df2290850c85bdfaec2955626d7acc8864aeb01fe16c9e156863dc63b6c22553910e27c1',
].map((hex) => bls12_381.G1.Point.fromHex(hex))

describe('POINT_EVALUATION of polynomials whose proofs are known', () => {
  const evaluate = contract('cancun', 10)
  const { Fr } = bls12_381.fields

  /** The KZG commitment to a polynomial, by its coefficients from the constant on. */
  function commitTo(...coefficients: readonly bigint[]): Uint8Array {
    return coefficients
      .map((c, i) => CEREMONY_G1[i]!.multiplyUnsafe(Fr.create(c)))
      .reduce((sum, point) => sum.add(point))
      .toBytes()
  }

  function call(commitment: Uint8Array, z: bigint, y: bigint, proof: Uint8Array): Uint8Array {
    const versionedHash = sha256(commitment)
    versionedHash[0] = 1
    return concatBytes(versionedHash, word(z), word(y), commitment, proof)
  }

  test.each<[string, bigint, bigint, bigint, bigint]>([
    ['0, committed to by infinity', 0n, 0n, 0n, 5n],
    ['a constant, proven by infinity', 7n, 0n, 0n, 5n],
    ['X at 0', 0n, 1n, 0n, 0n],
    ['a line', 3n, Fr.ORDER - 4n, 0n, 1n << 250n],
    ['a square', 11n, 1n << 200n, 3n ** 150n, Fr.ORDER - 1n],
  ])('accepts %s, and no other value, point or proof', (_, a, b, c, z) => {
    const commitment = commitTo(a, b, c)
    const y = Fr.create(a + b * z + c * z * z)
    // For p(X) = a + bX + cX² the quotient (p(X) - p(z)) / (X - z) is b + cz + cX.
    const proof = commitTo(b + c * z, c)
    expect(evaluate.run(call(commitment, z, y, proof))).toBeDefined()
    expect(evaluate.run(call(commitment, z, Fr.create(y + 1n), proof))).toBeUndefined()
    expect(evaluate.run(call(commitment, z, y, commitTo(b + c * z + 1n, c)))).toBeUndefined()
    expect(evaluate.run(call(commitTo(a + 1n, b, c), z, y, proof))).toBeUndefined()
    if (b !== 0n) {
      expect(evaluate.run(call(commitment, Fr.create(z + 1n), y, proof))).toBeUndefined()
    }
  })

  test('fails for z and y that are not below the modulus', () => {
    const [commitment, proof] = [commitTo(7n), commitTo(0n)]
    expect(evaluate.run(call(commitment, 5n, 7n, proof))).toBeDefined()
    expect(evaluate.run(call(commitment, Fr.ORDER + 5n, 7n, proof))).toBeUndefined()
    expect(evaluate.run(call(commitment, 5n, Fr.ORDER + 7n, proof))).toBeUndefined()
  })
})

describe('BLS12-381', () => {
  const { Fp, Fp2, Fr } = bls12_381.fields
  const encode1 = ({ x, y }: { x: bigint; y: bigint }): Uint8Array =>
    concatBytes(element(x), element(y))
  const encode2 = ({ x, y }: { x: typeof Fp2.ZERO; y: typeof Fp2.ZERO }): Uint8Array =>
    concatBytes(element(x.c0), element(x.c1), element(y.c0), element(y.c1))
  const g1 = (k: bigint): Uint8Array =>
    encode1(bls12_381.G1.Point.BASE.multiplyUnsafe(k).toAffine())
  const g2 = (k: bigint): Uint8Array =>
    encode2(bls12_381.G2.Point.BASE.multiplyUnsafe(k).toAffine())
  const prague = (number: number): Precompile => contract('prague', number)

  /** Points of the curves with a small x: almost all points lie outside the subgroups. */
  function outside1(): Uint8Array {
    for (let x = 1n; ; x++) {
      try {
        return encode1({ x, y: Fp.sqrt(Fp.create(x ** 3n + 4n)) })
      } catch {
        // Not a square: the next one.
      }
    }
  }
  function outside2(): Uint8Array {
    for (let n = 1n; ; n++) {
      const x = Fp2.fromBigTuple([n, 1n])
      try {
        const right = Fp2.add(Fp2.mul(Fp2.sqr(x), x), Fp2.fromBigTuple([4n, 4n]))
        return encode2({ x, y: Fp2.sqrt(right) })
      } catch {
        // Not a square: the next one.
      }
    }
  }

  test('adds, doubles, and knows infinity', () => {
    for (const [number, point, size] of [
      [0x0b, g1, 128],
      [0x0d, g2, 256],
    ] as const) {
      const add = prague(number)
      expect(add.run(concatBytes(point(3n), point(4n)))).toEqual(point(7n))
      expect(add.run(concatBytes(point(3n), point(3n)))).toEqual(point(6n))
      const opposite = point(Fr.ORDER - 3n)
      expect(add.run(concatBytes(point(3n), opposite))).toEqual(new Uint8Array(size))
      expect(add.run(concatBytes(point(3n), new Uint8Array(size)))).toEqual(point(3n))
      expect(add.run(point(3n))).toBeUndefined()
    }
  })

  test('additions take any point of the curve, all else only those of the subgroup', () => {
    const [low, high] = [outside1(), outside2()]
    expect(prague(0x0b).run(concatBytes(low, new Uint8Array(128)))).toEqual(low)
    expect(prague(0x0d).run(concatBytes(high, new Uint8Array(256)))).toEqual(high)
    expect(prague(0x0c).run(concatBytes(low, word(0n)))).toBeUndefined()
    expect(prague(0x0e).run(concatBytes(high, word(0n)))).toBeUndefined()
    expect(prague(0x0f).run(concatBytes(low, new Uint8Array(256)))).toBeUndefined()
    expect(prague(0x0f).run(concatBytes(new Uint8Array(128), high))).toBeUndefined()
  })

  test.each([1, 2, 3, 12, 13, 16, 63, 64, 260])('sums %d products as one by one', (count) => {
    const scalars = Array.from({ length: count }, (_, i) => {
      if (i % 5 === 3) return BigInt(i % 2)
      return bytesToBigInt(keccak256(Uint8Array.of(i)))
    })
    const sum = scalars.reduce((total, scalar, i) => total + scalar * BigInt(i % 9), 0n)
    const input1 = concatBytes(...scalars.map((k, i) => concatBytes(g1(BigInt(i % 9)), word(k))))
    expect(prague(0x0c).run(input1)).toEqual(g1(sum % Fr.ORDER))
    if (count > 16) return
    const input2 = concatBytes(...scalars.map((k, i) => concatBytes(g2(BigInt(i % 9)), word(k))))
    expect(prague(0x0e).run(input2)).toEqual(g2(sum % Fr.ORDER))
  })

  test('prices products by the discounts of EIP-2537', () => {
    const [one, two] = [prague(0x0c), prague(0x0e)]
    const prices = [0, 1, 2, 128, 129].map((terms) => [
      one.gas(new Uint8Array(160 * terms)),
      two.gas(new Uint8Array(288 * terms)),
    ])
    expect(prices).toEqual([
      [0n, 0n],
      [12_000n, 22_500n],
      [22_776n, 45_000n],
      [797_184n, 1_509_120n],
      [803_412n, 1_520_910n],
    ])
  })

  test('pairing is bilinear', () => {
    const product = concatBytes(g1(6n), g2(7n), g1(Fr.ORDER - 2n), g2(21n))
    expect(prague(0x0f).run(product)).toEqual(ONE)
    expect(prague(0x0f).run(concatBytes(g1(6n), g2(7n)))).toEqual(new Uint8Array(32))
    expect(prague(0x0f).run(concatBytes(new Uint8Array(128), g2(7n)))).toEqual(ONE)
    expect(prague(0x0f).gas(product)).toBe(102_900n)
  })

  test('fails for input of other lengths, and for none', () => {
    const sizes: [number, number][] = [
      [0x0b, 256],
      [0x0c, 160],
      [0x0d, 512],
      [0x0e, 288],
      [0x0f, 384],
      [0x10, 64],
      [0x11, 128],
    ]
    for (const [number, size] of sizes) {
      expect(prague(number).run(NO_BYTES)).toBeUndefined()
      expect(prague(number).run(new Uint8Array(size - 1))).toBeUndefined()
      expect(prague(number).run(new Uint8Array(size + 1))).toBeUndefined()
      expect(prague(number).run(new Uint8Array(size))).toBeDefined()
    }
  })

  test('fails for elements that are not below the modulus, and points off the curve', () => {
    const p = Fp.ORDER
    const one = g1(1n)
    const highBits = one.slice()
    highBits[0] = 1
    for (const point of [
      concatBytes(element(1n), element(1n)),
      concatBytes(element(p), element(2n)),
      highBits,
    ]) {
      expect(prague(0x0b).run(concatBytes(point, one))).toBeUndefined()
      expect(prague(0x0c).run(concatBytes(point, ONE))).toBeUndefined()
    }
    expect(prague(0x10).run(element(p))).toBeUndefined()
    expect(prague(0x11).run(concatBytes(element(0n), element(p)))).toBeUndefined()
  })

  test('maps elements to points of the subgroups: RFC 9380, J.9.2 and J.10.2', () => {
    // Encoding suites hash a message to one element and map it: the message here is empty.
    const hashed1 =
      0x156c8a6a2c184569d69a76be144b5cdc5141d2d2ca4fe341f011e25e3969c55ad9e9b9ce2eb833c81a908e5fa4ac5f03n
    expect(bytesToHex(prague(0x10).run(element(hashed1))!.subarray(16, 64))).toBe(
      '0x184bb665c37ff561a89ec2122dd343f20e0f4cbcaec84e3c3052ea81d1834e192c426074b02ed3dca4e7676ce4ce48ba',
    )
    const point = prague(0x11).run(concatBytes(element(7n), element(9n)))!
    expect(prague(0x0e).run(concatBytes(point, ONE))).toEqual(point)
  })
})

describe('P256VERIFY', () => {
  const verify = contract('osaka', 0x100)
  const key = word(77n)
  const hash = keccak256(hexToBytes('0x686f6c646572'))
  const options = { prehash: false, lowS: false, format: 'compact' } as const
  const publicKey = p256.getPublicKey(key, false).subarray(1)
  const signature = p256.sign(hash, key, options)
  const input = concatBytes(hash, signature, publicKey)

  test('says 1 for a valid signature, of either s', () => {
    expect(verify.run(input)).toEqual(ONE)
    const order = p256.Point.Fn.ORDER
    const other = word(order - bytesToBigInt(signature.subarray(32)))
    expect(verify.run(concatBytes(hash, signature.subarray(0, 32), other, publicKey))).toEqual(ONE)
    expect(verify.gas(input)).toBe(6900n)
  })

  test.each([0, 33, 70, 96, 159])('says nothing if byte %d is another', (at) => {
    const wrong = input.slice()
    wrong[at]! ^= 1
    expect(verify.run(wrong)).toEqual(NO_BYTES)
  })

  test('says nothing for other lengths, r or s of 0 or the order, and infinity', () => {
    expect(verify.run(input.subarray(1))).toEqual(NO_BYTES)
    expect(verify.run(concatBytes(input, ONE))).toEqual(NO_BYTES)
    for (const bound of [0n, p256.Point.Fn.ORDER]) {
      const [r, s] = [input.slice(), input.slice()]
      r.set(word(bound), 32)
      s.set(word(bound), 64)
      expect(verify.run(r)).toEqual(NO_BYTES)
      expect(verify.run(s)).toEqual(NO_BYTES)
    }
    expect(verify.run(concatBytes(hash, signature, new Uint8Array(64)))).toEqual(NO_BYTES)
  })
})
