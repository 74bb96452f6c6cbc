/** Rules older than London, which blocks of other chains begin with. The fuzzer compares them with a peer. */

import { describe, expect, it, test } from 'vitest'
import {
  type Address,
  bytesToHex,
  createAddress,
  type Fork,
  hexToBytes,
  precompilesOf,
} from '../src/index.ts'
import { CALLER, CONTRACT, callOf, createStage, gasOf, OTHER, push, slot } from './stage.ts'

const NOBODY: Address = '0x00000000000000000000000000000000000000ee'
const store = (value: number, at = 0): string => `${push(value)}${push(at)}55`

describe('prices of opcodes', () => {
  // Less the pushes, 3 gas each, and POP.
  it.each<[string, string, number, Partial<Record<Fork, bigint>>]>([
    ['BALANCE', '31', 5, { frontier: 20n, tangerineWhistle: 400n, istanbul: 700n, berlin: 2600n }],
    ['SLOAD', '54', 5, { frontier: 50n, tangerineWhistle: 200n, istanbul: 800n, berlin: 2100n }],
    ['EXTCODESIZE', '3b', 5, { frontier: 20n, homestead: 20n, tangerineWhistle: 700n }],
    ['EXTCODEHASH', '3f', 5, { constantinople: 400n, petersburg: 400n, istanbul: 700n }],
  ])('%s', (_, op, around, prices) => {
    for (const [fork, price] of Object.entries(prices)) {
      const gas = gasOf(`${push(BigInt(OTHER))}${op}50`, fork as Fork)
      expect([fork, gas]).toEqual([fork, price + BigInt(around)])
    }
  })

  it('EXP: a byte of the exponent costs 10, since EIP-160 50', () => {
    const code = `${push(0x1000)}${push(2)}0a50`
    expect(gasOf(code, 'tangerineWhistle')).toBe(6n + 10n + 2n * 10n + 2n)
    expect(gasOf(code, 'spuriousDragon')).toBe(6n + 10n + 2n * 50n + 2n)
  })

  it.each<[string, Fork, Fork]>([
    [`${push(0)}${push(0)}fd`, 'spuriousDragon', 'byzantium'],
    ['3d50', 'spuriousDragon', 'byzantium'],
    [`${callOf('fa', OTHER)}50`, 'spuriousDragon', 'byzantium'],
    [`${callOf('f4', OTHER, push(0))}50`, 'frontier', 'homestead'],
    [`${push(1)}${push(1)}1b50`, 'byzantium', 'constantinople'],
    [`${push(0).repeat(4)}f550`, 'byzantium', 'constantinople'],
    ['4650', 'petersburg', 'istanbul'],
    ['4750', 'petersburg', 'istanbul'],
    ['4850', 'berlin', 'london'],
  ])('%s is undefined in %s and known in %s', (code, before, since) => {
    const outcome = (fork: Fork) => createStage({ [CONTRACT]: { code: `0x${code}` } }, fork).run()
    expect(outcome(before).status).toBe('invalidOpcode')
    expect(outcome(since).status).not.toBe('invalidOpcode')
  })
})

describe('SSTORE', () => {
  const used = (code: string, fork: Fork, held = 0n) => {
    const storage = { [slot(0)]: held }
    const outcome = createStage({ [CONTRACT]: { code: `0x${code}`, storage } }, fork).run()
    return [1_000_000n - outcome.gasLeft, outcome.gasRefund]
  }

  it.each<[Fork, bigint, bigint]>([
    // 0 to 1 to 0, then 6 gas for each pair of pushes.
    ['byzantium', 20_000n + 5_000n, 15_000n],
    ['constantinople', 20_000n + 200n, 19_800n],
    ['petersburg', 20_000n + 5_000n, 15_000n],
    ['istanbul', 20_000n + 800n, 19_200n],
    ['berlin', 22_100n + 100n, 19_900n],
    ['london', 22_100n + 100n, 19_900n],
  ])('%s: a slot set and cleared again costs %i and refunds %i', (fork, gas, refund) => {
    expect(used(`${store(1)}${store(0)}`, fork)).toEqual([gas + 12n, refund])
  })

  it.each<[Fork, bigint, bigint]>([
    ['frontier', 5_000n, 15_000n],
    ['constantinople', 5_000n, 15_000n],
    ['istanbul', 5_000n, 15_000n],
    ['berlin', 5_000n, 15_000n],
    ['london', 5_000n, 4_800n],
  ])(
    '%s: a slot that held something is cleared for %i, with a refund of %i',
    (fork, gas, refund) => {
      expect(used(store(0), fork, 7n)).toEqual([gas + 6n, refund])
    },
  )

  it('with 2,300 gas left it is refused since Istanbul only', () => {
    const code = `0x${store(7)}`
    const storage = { [slot(0)]: 7n }
    const outcome = (fork: Fork, gas: bigint) =>
      createStage({ [CONTRACT]: { code, storage } }, fork).run({ gas }).status
    expect(outcome('constantinople', 2_306n)).toBe('success')
    expect(outcome('istanbul', 2_306n)).toBe('outOfGas')
    expect(outcome('istanbul', 2_307n)).toBe('success')
  })
})

describe('calls', () => {
  it('before EIP-150 the gas that a call names must be there, and all of it goes along', () => {
    const code = (gas: number) => ({
      [CONTRACT]: { code: `0x${callOf('f1', OTHER, push(gas))}50` },
    })
    const other = { [OTHER]: { code: '0x5a00' } }
    const status = (fork: Fork, gas: number) =>
      createStage({ ...code(gas), ...other }, fork).run({ gas: 100_000n }).status
    expect(status('homestead', 100_000)).toBe('outOfGas')
    expect(status('homestead', 99_000)).toBe('success')
    expect(status('tangerineWhistle', 100_000)).toBe('success')
  })

  it('before EIP-161 an account that is called comes into being, for 25,000 gas', () => {
    const code = `${callOf('f1', NOBODY, push(0))}50`
    const plain = gasOf(code, 'spuriousDragon')
    expect(gasOf(code, 'tangerineWhistle')).toBe(plain + 25_000n)
    for (const [fork, exists] of [
      ['tangerineWhistle', true],
      ['spuriousDragon', false],
    ] as const) {
      const stage = createStage({ [CONTRACT]: { code: `0x${code}` } }, fork)
      stage.run()
      expect(stage.world.exists(NOBODY)).toBe(exists)
    }
  })

  it('the surcharge of a first access is there since Berlin', () => {
    const code = `${push(BigInt(OTHER))}3150${push(BigInt(OTHER))}3150`
    expect(gasOf(code, 'istanbul')).toBe(2n * 705n)
    expect(gasOf(code, 'berlin')).toBe(2605n + 105n)
  })
})

describe('creations', () => {
  // Returns 32 zero bytes as the code: 6,400 gas.
  const init = hexToBytes(`0x${push(32)}${push(0)}f3`)
  const created = createAddress(CALLER, 0n)

  it('a contract begins with nonce 0 before EIP-161, with 1 since', () => {
    for (const [fork, nonce] of [
      ['tangerineWhistle', 0n],
      ['spuriousDragon', 1n],
    ] as const) {
      const stage = createStage({}, fork)
      expect(stage.run({ to: undefined, data: init }).created).toBe(created)
      expect([fork, stage.world.nonce(created)]).toEqual([fork, nonce])
    }
  })

  it('what cannot pay for its code is a contract without code in Frontier, and fails since', () => {
    const gas = 6_000n
    const early = createStage({}, 'frontier').run({ to: undefined, data: init, gas })
    expect(early).toMatchObject({ status: 'success', created })
    expect(early.gasLeft).toBe(gas - 9n)
    expect(early.output).toHaveLength(0)
    const later = createStage({}, 'homestead').run({ to: undefined, data: init, gas })
    expect(later).toMatchObject({ status: 'outOfGas', gasLeft: 0n })
  })

  it('the size of code is bounded since EIP-170, its first byte since EIP-3541', () => {
    const large = hexToBytes(`0x${push(24_577)}${push(0)}f3`)
    const prefixed = hexToBytes(`0x${push(0xef)}${push(0)}53${push(1)}${push(0)}f3`)
    const status = (fork: Fork, data: Uint8Array) =>
      createStage({}, fork).run({ to: undefined, data, gas: 6_000_000n }).status
    expect(status('tangerineWhistle', large)).toBe('success')
    expect(status('spuriousDragon', large)).toBe('codeSizeLimit')
    expect(status('berlin', prefixed)).toBe('success')
    expect(status('london', prefixed)).toBe('invalidCodePrefix')
  })
})

test('SELFDESTRUCT: refunds 24,000 once until London, and costs something since EIP-150', () => {
  const code = `0x${push(BigInt(OTHER))}ff`
  const outcome = (fork: Fork) =>
    createStage({ [CONTRACT]: { code, balance: 1n }, [OTHER]: { balance: 1n } }, fork).run()
  expect(outcome('homestead')).toMatchObject({ gasLeft: 1_000_000n - 3n, gasRefund: 24_000n })
  expect(outcome('byzantium')).toMatchObject({ gasLeft: 1_000_000n - 5_003n, gasRefund: 24_000n })
  expect(outcome('london')).toMatchObject({ gasLeft: 1_000_000n - 7_603n, gasRefund: 0n })
})

test('endTransaction: empty accounts stay before EIP-161', () => {
  for (const [fork, exists] of [
    ['tangerineWhistle', true],
    ['spuriousDragon', false],
  ] as const) {
    const stage = createStage({ [CONTRACT]: { code: '0x00' } }, fork)
    stage.open()
    stage.world.addBalance(NOBODY, 0n)
    stage.world.endTransaction(fork)
    expect(stage.world.exists(NOBODY)).toBe(exists)
  }
})

describe('precompiles', () => {
  it('came with Byzantium and Istanbul', () => {
    const last = (fork: Fork): string => [...precompilesOf(fork).keys()].at(-1)!
    expect(last('spuriousDragon')).toBe(`0x${'4'.padStart(40, '0')}`)
    expect(last('petersburg')).toBe(`0x${'8'.padStart(40, '0')}`)
    expect(last('berlin')).toBe(`0x${'9'.padStart(40, '0')}`)
  })

  it.each<[number, Fork, bigint, Fork, bigint]>([
    [6, 'petersburg', 500n, 'istanbul', 150n],
    [7, 'petersburg', 40_000n, 'istanbul', 6_000n],
    [8, 'petersburg', 100_000n, 'istanbul', 45_000n],
  ])('contract %i costs by fork', (number, before, high, since, low) => {
    const address: Address = `0x${number.toString(16).padStart(40, '0')}`
    const gas = (fork: Fork) => precompilesOf(fork).get(address)!.gas(new Uint8Array(0))
    expect([gas(before), gas(since)]).toEqual([high, low])
  })

  it('MODEXP: the examples of EIP-198', () => {
    const contract = precompilesOf('byzantium').get(`0x${'5'.padStart(40, '0')}`)!
    const word = (value: number | bigint): string => value.toString(16).padStart(64, '0')
    const prime = 2n ** 256n - 2n ** 32n - 977n
    const fermat = hexToBytes(
      `0x${word(1)}${word(32)}${word(32)}03${word(prime - 1n)}${word(prime)}`,
    )
    expect(contract.gas(fermat)).toBe(13_056n)
    expect(bytesToHex(contract.run(fermat)!)).toBe(`0x${word(1)}`)
    const zero = hexToBytes(`0x${word(0)}${word(32)}${word(32)}${word(prime - 1n)}${word(prime)}`)
    expect(contract.gas(zero)).toBe(13_056n)
  })
})
