/**
 * Gas a second of each precompile on its dearest input for the machine: the slowest one bounds how
 * long a block full of calls to it takes. Run with `node --conditions=source`.
 */

import { bls12_381 } from '@noble/curves/bls12-381.js'
import { bn254 } from '@noble/curves/bn254.js'
import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import {
  type Address,
  bigIntToBytes,
  concatBytes,
  type Fork,
  hexToBytes,
  precompilesOf,
} from '../src/index.ts'

const HASH = new Uint8Array(32).fill(0x5a)
const KEY = bigIntToBytes(0x1234_5678_9abc_def0n ** 4n, 32)
const SCALAR = bls12_381.fields.Fr.ORDER - 12_345n
const BN_SCALAR = bn254.fields.Fr.ORDER - 12_345n

const word = (value: bigint): Uint8Array => bigIntToBytes(value, 32)
const element = (value: bigint): Uint8Array => bigIntToBytes(value, 64)

function repeat(count: number, part: (index: number) => Uint8Array): Uint8Array {
  return concatBytes(...Array.from({ length: count }, (_, i) => part(i)))
}

function blsG1(k: bigint): Uint8Array {
  const { x, y } = bls12_381.G1.Point.BASE.multiply(k).toAffine()
  return concatBytes(element(x), element(y))
}

function blsG2(k: bigint): Uint8Array {
  const { x, y } = bls12_381.G2.Point.BASE.multiply(k).toAffine()
  return concatBytes(element(x.c0), element(x.c1), element(y.c0), element(y.c1))
}

function bnG1(k: bigint): Uint8Array {
  const { x, y } = bn254.G1.Point.BASE.multiply(k).toAffine()
  return concatBytes(word(x), word(y))
}

function bnG2(k: bigint): Uint8Array {
  const { x, y } = bn254.G2.Point.BASE.multiply(k).toAffine()
  return concatBytes(word(x.c1), word(x.c0), word(y.c1), word(y.c0))
}

function modexpInput(size: number, exponent: Uint8Array, evenModulus = false): Uint8Array {
  const base = new Uint8Array(size).fill(0xfe)
  const modulus = new Uint8Array(size).fill(0xff)
  if (evenModulus) modulus[size - 1] = 0xf0
  return concatBytes(
    word(BigInt(size)),
    word(BigInt(exponent.length)),
    word(BigInt(size)),
    base,
    exponent,
    modulus,
  )
}

function ecrecoverInput(): Uint8Array {
  const signature = secp256k1.sign(HASH, KEY, { prehash: false, format: 'recovered' })
  return concatBytes(HASH, word(27n + BigInt(signature[0]!)), signature.subarray(1))
}

function p256Input(): Uint8Array {
  const signature = p256.sign(HASH, KEY, { prehash: false, lowS: false, format: 'compact' })
  return concatBytes(HASH, signature, p256.getPublicKey(KEY, false).subarray(1))
}

function blake2fInput(rounds: number): Uint8Array {
  const input = new Uint8Array(213).fill(0x77)
  input.set(bigIntToBytes(BigInt(rounds), 4))
  input[212] = 1
  return input
}

/** A true proof, from the tests of execution clients. */
const POINT_EVALUATION = hexToBytes(
  '0x01e798154708fe7789429634053cbf9f99b619f9f084048927333fce637f549b564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d3630624d25032e67a7e6a4910df5834b8fe70e6bcfeeac0352434196bdf4b2485d5a18f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7873033e038326e87ed3e1276fd140253fa08e9fc25fb2d9a98527fc22a2c9612fbeafdad446cbc7bcdbdcd780af2c16a',
)

const ones = (count: number): Uint8Array => new Uint8Array(count).fill(0xff)

const CASES: [string, Fork, number, Uint8Array][] = [
  ['ecrecover', 'osaka', 0x01, ecrecoverInput()],
  ['sha256 bytes=32', 'osaka', 0x02, new Uint8Array(32)],
  ['sha256 bytes=100000', 'osaka', 0x02, new Uint8Array(100_000)],
  ['ripemd160 bytes=100000', 'osaka', 0x03, new Uint8Array(100_000)],
  ['identity bytes=0', 'osaka', 0x04, new Uint8Array(0)],
  ['identity bytes=100000', 'osaka', 0x04, new Uint8Array(100_000)],
  ['modexp bytes=1 exponent=64000', 'london', 0x05, modexpInput(1, ones(64_000))],
  ['modexp bytes=8 exponent=4000', 'london', 0x05, modexpInput(8, ones(4000))],
  ['modexp bytes=8 exponent=64000', 'london', 0x05, modexpInput(8, ones(64_000))],
  ['modexp bytes=16 exponent=4000', 'london', 0x05, modexpInput(16, ones(4000))],
  ['modexp bytes=32 exponent=32', 'london', 0x05, modexpInput(32, ones(32))],
  ['modexp bytes=32 exponent=32', 'osaka', 0x05, modexpInput(32, ones(32))],
  ['modexp bytes=64 exponent=64', 'london', 0x05, modexpInput(64, ones(64))],
  ['modexp bytes=192 exponent=1 (3)', 'london', 0x05, modexpInput(192, Uint8Array.of(3))],
  ['modexp bytes=192 exponent=1 (0)', 'london', 0x05, modexpInput(192, Uint8Array.of(0))],
  ['modexp bytes=256 exponent=256', 'london', 0x05, modexpInput(256, ones(256))],
  ['modexp bytes=256 exponent=256 even', 'london', 0x05, modexpInput(256, ones(256), true)],
  ['modexp bytes=1024 exponent=1 (3)', 'london', 0x05, modexpInput(1024, Uint8Array.of(3))],
  ['modexp bytes=1024 exponent=32', 'london', 0x05, modexpInput(1024, ones(32))],
  ['modexp bytes=1024 exponent=1024', 'osaka', 0x05, modexpInput(1024, ones(64))],
  ['bn254 add', 'osaka', 0x06, concatBytes(bnG1(BN_SCALAR), bnG1(7n))],
  ['bn254 multiply', 'osaka', 0x07, concatBytes(bnG1(BN_SCALAR), word(BN_SCALAR - 99n))],
  ['bn254 pairing pairs=0', 'osaka', 0x08, new Uint8Array(0)],
  ['bn254 pairing pairs=1', 'osaka', 0x08, concatBytes(bnG1(BN_SCALAR), bnG2(BN_SCALAR))],
  [
    'bn254 pairing pairs=10',
    'osaka',
    0x08,
    repeat(10, (i) => concatBytes(bnG1(BN_SCALAR), bnG2(BN_SCALAR - BigInt(i)))),
  ],
  ['blake2f rounds=1', 'osaka', 0x09, blake2fInput(1)],
  ['blake2f rounds=12', 'osaka', 0x09, blake2fInput(12)],
  ['blake2f rounds=100000', 'osaka', 0x09, blake2fInput(100_000)],
  ['kzg point evaluation', 'osaka', 0x0a, POINT_EVALUATION],
  ['bls g1 add', 'osaka', 0x0b, concatBytes(blsG1(SCALAR), blsG1(7n))],
  ['bls g2 add', 'osaka', 0x0d, concatBytes(blsG2(SCALAR), blsG2(7n))],
  ...[1, 3, 8, 32, 128, 300].flatMap((count): [string, Fork, number, Uint8Array][] => [
    [
      `bls g1 msm terms=${count}`,
      'osaka',
      0x0c,
      repeat(count, (i) => concatBytes(blsG1(SCALAR - BigInt(i)), word(SCALAR - BigInt(i) ** 20n))),
    ],
    [
      `bls g2 msm terms=${count}`,
      'osaka',
      0x0e,
      repeat(count, (i) => concatBytes(blsG2(SCALAR - BigInt(i)), word(SCALAR - BigInt(i) ** 20n))),
    ],
  ]),
  ['bls pairing pairs=1', 'osaka', 0x0f, concatBytes(blsG1(SCALAR), blsG2(SCALAR))],
  [
    'bls pairing pairs=8',
    'osaka',
    0x0f,
    repeat(8, (i) => concatBytes(blsG1(SCALAR - BigInt(i)), blsG2(SCALAR - BigInt(i)))),
  ],
  ['bls map fp', 'osaka', 0x10, element(SCALAR)],
  ['bls map fp2', 'osaka', 0x11, concatBytes(element(SCALAR), element(SCALAR - 5n))],
  ['p256verify', 'osaka', 0x100, p256Input()],
]

const only = process.argv[2] ?? ''
for (const [name, fork, number, input] of CASES) {
  if (!name.includes(only)) continue
  const address = `0x${number.toString(16).padStart(40, '0')}` as Address
  const contract = precompilesOf(fork).get(address)!
  const gas = Number(contract.gas(input))
  const warmUntil = cpuMs() + 150
  for (let i = 0; i < 3 || (cpuMs() < warmUntil && i < 2000); i++) contract.run(input)
  const start = cpuMs()
  let runs = 0
  do {
    contract.gas(input)
    contract.run(input)
    runs++
  } while (cpuMs() - start < 250)
  const ms = (cpuMs() - start) / runs
  const speed = (gas / ms / 1000).toFixed(2)
  console.log(`${speed.padStart(9)} Mgas/s ${ms.toFixed(4).padStart(10)} ms  ${fork} ${name}`)
}

/** Time on a core, so that other work on the machine counts less. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
