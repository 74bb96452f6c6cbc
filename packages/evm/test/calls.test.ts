/** Frames: calls, creations, delegation, what they cost, return and undo. */

import { expect, test } from 'vitest'
import {
  type Address,
  bytesToHex,
  create2Address,
  createAddress,
  delegateOf,
  delegationTo,
  EvmError,
  hexToBytes,
  keccak256Hex,
} from '../src/index.ts'
import {
  CALLER,
  CONTRACT,
  callOf,
  createStage,
  gasOf,
  OTHER,
  push,
  RETURN_TOP,
  slot,
  wordOf,
} from './stage.ts'

const REVERT_ALL = `${push(0)}${push(0)}fd`

test('CALL: recursion to the depth limit ends by itself, 1,025 frames deep', () => {
  // Counts frames in storage: SSTORE(0, SLOAD(0) + 1), then calls itself with all gas.
  const code = `0x${push(0)}54${push(1)}01${push(0)}55${callOf('f1', CONTRACT)}00`
  const stage = createStage({ [CONTRACT]: { code } })
  const outcome = stage.run({ gas: 2n ** 63n })
  expect(outcome.status).toBe('success')
  expect(stage.world.storage(CONTRACT, slot(0))).toBe(1025n)
})

test('CALL: at most all but one 64th of the gas goes along', () => {
  const callee = `0x5a${RETURN_TOP}`
  const code = `0x${push(32)}${push(0)}${push(0)}${push(0)}${push(0)}${push(BigInt(OTHER))}5af1505b${push(0)}51${RETURN_TOP}`
  const outcome = createStage({ [CONTRACT]: { code }, [OTHER]: { code: callee } }).run({
    gas: 100_000n,
  })
  // Seven pushes and GAS: 20 gas; cold call 2,600 and memory 3; then GAS in the callee: 2.
  const left = 100_000n - 20n - 2_600n - 3n
  expect(BigInt(bytesToHex(outcome.output))).toBe(left - left / 64n - 2n)
})

test('CALL: a revert undoes storage, events and refunds of the callee, and only of it', () => {
  const callee = `0x${push(1)}${push(0)}55${push(0)}${push(0)}a0${push(0)}${push(1)}55${REVERT_ALL}`
  const code = `0x${push(7)}${push(0)}55${callOf('f1', OTHER)}00`
  const stage = createStage({
    [CONTRACT]: { code },
    [OTHER]: { code: callee, storage: { [slot(1)]: 5n } },
  })
  const outcome = stage.open()
  expect(outcome.status).toBe('success')
  expect(outcome.gasRefund).toBe(0n)
  expect(stage.world.storage(CONTRACT, slot(0))).toBe(7n)
  expect(stage.world.storage(OTHER, slot(0))).toBe(0n)
  expect(stage.world.storage(OTHER, slot(1))).toBe(5n)
  expect(stage.world.logs()).toEqual([])
  // The slots that the callee touched are cold again, the callee itself is not.
  expect(stage.world.isWarmSlot(OTHER, slot(0))).toBe(false)
  expect(stage.world.isWarmAddress(OTHER)).toBe(true)
})

test('CALL: value moves, and comes back with a revert', () => {
  const paying = `0x${callOf('f1', OTHER, '5a', 5)}00`
  const kept = createStage({ [CONTRACT]: { code: paying, balance: 9n } })
  kept.run()
  expect([kept.world.balance(CONTRACT), kept.world.balance(OTHER)]).toEqual([4n, 5n])

  const refused = createStage({
    [CONTRACT]: { code: paying, balance: 9n },
    [OTHER]: { code: `0x${REVERT_ALL}` },
  })
  refused.run()
  expect([refused.world.balance(CONTRACT), refused.world.balance(OTHER)]).toEqual([9n, 0n])
})

test('CALL: with more value than the balance fails, and its gas comes back', () => {
  const accounts = { [OTHER]: { nonce: 1n } }
  expect(wordOf(callOf('f1', OTHER, push(50_000), 1), 'osaka', accounts)).toBe(0n)
  // 7 pushes, cold account 2,600, value 9,000, less the stipend that was never spent.
  expect(gasOf(callOf('f1', OTHER, push(50_000), 1), 'osaka', accounts)).toBe(
    21n + 11_600n - 2_300n,
  )
})

test('DELEGATECALL: runs on the storage, address, caller and value of its caller', () => {
  const callee = `0x30${push(0)}5533${push(1)}5534${push(2)}55`
  const code = `0x${callOf('f4', OTHER)}00`
  const stage = createStage({ [CONTRACT]: { code }, [OTHER]: { code: callee } })
  stage.run({ value: 11n })
  const words = (address: Address): bigint[] =>
    [0, 1, 2].map((each) => stage.world.storage(address, slot(each)))
  expect(words(CONTRACT)).toEqual([BigInt(CONTRACT), BigInt(CALLER), 11n])
  expect(words(OTHER)).toEqual([0n, 0n, 0n])
})

test('STATICCALL: every change of state halts the callee', () => {
  const changes: Readonly<Record<string, string>> = {
    SSTORE: `${push(1)}${push(1)}55`,
    TSTORE: `${push(1)}${push(1)}5d`,
    LOG0: `${push(0)}${push(0)}a0`,
    CREATE: `${push(0)}${push(0)}${push(0)}f0`,
    CREATE2: `${push(0)}${push(0)}${push(0)}${push(0)}f5`,
    SELFDESTRUCT: `${push(0)}ff`,
    'CALL with value': callOf('f1', CALLER, '5a', 1),
  }
  for (const [name, change] of Object.entries(changes)) {
    const accounts = { [OTHER]: { code: `0x${change}00`, balance: 5n } }
    expect(`${name} ${wordOf(callOf('fa', OTHER, push(100_000)), 'osaka', accounts)}`).toBe(
      `${name} 0`,
    )
    // And through a further, plain call.
    const between = '0x00000000000000000000000000000000000000ee'
    const chain = { ...accounts, [between]: { code: `0x${callOf('f1', OTHER)}${RETURN_TOP}` } }
    const code = `${push(32)}${push(0)}${push(0)}${push(0)}${push(BigInt(between))}5afa50${push(0)}51`
    expect(`${name} ${wordOf(code, 'osaka', chain)}`).toBe(`${name} 0`)
  }
})

test('RETURNDATACOPY: what a call returned survives growth of memory over where it lay', () => {
  // The callee returns 32 bytes of 0xab...; the caller then touches memory far above.
  const callee = `0x7f${'ab'.repeat(32)}${RETURN_TOP}`
  const code = `${callOf('fa', OTHER)}50${push(1)}${push(100_000)}52${push(32)}${push(0)}${push(64)}3e${push(64)}51`
  expect(wordOf(code, 'osaka', { [OTHER]: { code: callee } })).toBe(BigInt(`0x${'ab'.repeat(32)}`))
})

test('RETURNDATACOPY: past the end halts, unlike other copies', () => {
  const code = `0x${push(1)}${push(0)}${push(0)}3e00`
  expect(createStage({ [CONTRACT]: { code } }).run().status).toBe('returnDataOutOfBounds')
  expect(gasOf(`${push(1)}${push(0)}${push(0)}37`)).toBe(9n + 3n + 3n + 3n)
})

test('memory: of a callee begins as zeros wherever an earlier frame wrote', () => {
  // The first callee fills memory; the second reads it.
  const filling = `0x7f${'ff'.repeat(32)}${push(0)}52${push(0)}${push(0)}f3`
  const reading = '0x00000000000000000000000000000000000000ef' as Address
  const code = `${callOf('fa', OTHER)}50${push(32)}${push(0)}${push(0)}${push(0)}${push(BigInt(reading))}5afa50${push(0)}51`
  const accounts = {
    [OTHER]: { code: filling },
    [reading]: { code: `0x${push(0)}51${RETURN_TOP}` },
  }
  expect(wordOf(code, 'osaka', accounts)).toBe(0n)
})

test('KECCAK256: of 64 bytes is right the first and every other time, for zeros too', () => {
  const hash = `${push(64)}${push(0)}20`
  for (const [first, second] of [
    [0n, 0n],
    [0n, 1n],
    [1n, 0n],
    [2n ** 255n, 7n],
  ] as const) {
    const words = [first, second].map((word) => word.toString(16).padStart(64, '0')).join('')
    const expected = BigInt(keccak256Hex(hexToBytes(`0x${words}`)))
    const stores = `${push(first)}${push(0)}52${push(second)}${push(32)}52`
    for (let i = 0; i < 3; i++) expect(wordOf(stores + hash)).toBe(expected)
    expect(wordOf(`${stores}${hash}50${hash}`)).toBe(expected)
  }
})

const INIT_RETURNING_STOP = '6001600c60003960016000f300'

test('CREATE: stores code, starts at nonce 1, raises the creator nonce and pushes the address', () => {
  const store = `${push(BigInt(`0x${INIT_RETURNING_STOP}`))}${push(0)}52`
  const code = `0x${store}${push(13)}${push(19)}${push(4)}f0${RETURN_TOP}`
  const stage = createStage({ [CONTRACT]: { code, nonce: 5n, balance: 10n } })
  const outcome = stage.run()
  const created = createAddress(CONTRACT, 5n)
  expect(BigInt(bytesToHex(outcome.output))).toBe(BigInt(created))
  expect(stage.world.code(created)).toEqual(Uint8Array.of(0))
  expect(stage.world.nonce(created)).toBe(1n)
  expect(stage.world.balance(created)).toBe(4n)
  expect(stage.world.nonce(CONTRACT)).toBe(6n)
})

test('CREATE2: lands at the address of EIP-1014, and a second time fails', () => {
  const store = `${push(BigInt(`0x${INIT_RETURNING_STOP}`))}${push(0)}52`
  const create = `${push(9)}${push(13)}${push(19)}${push(0)}f5`
  const code = `0x${store}${create}${create}50${RETURN_TOP}`
  const stage = createStage({ [CONTRACT]: { code } })
  const outcome = stage.run()
  const created = create2Address(CONTRACT, slot(9), hexToBytes(`0x${INIT_RETURNING_STOP}`))
  expect(BigInt(bytesToHex(outcome.output))).toBe(BigInt(created))
  const again = createStage({ [CONTRACT]: { code: `0x${store}${create}50${create}${RETURN_TOP}` } })
  expect(BigInt(bytesToHex(again.run().output))).toBe(0n)
})

test('create2Address: equals the examples of EIP-1014', () => {
  expect(
    create2Address(
      '0xdeadbeef00000000000000000000000000000000',
      '0x000000000000000000000000feed000000000000000000000000000000000000',
      Uint8Array.of(0),
    ),
  ).toBe('0xd04116cdd17bebe565eb2422f2497e06cc1c9833')
  expect(
    create2Address(
      '0x00000000000000000000000000000000deadbeef',
      '0x00000000000000000000000000000000000000000000000000000000cafebabe',
      hexToBytes('0xdeadbeef'),
    ),
  ).toBe('0x60f3f640a8508fc6a86d45df051962668e1e8ac7')
})

test('createAddress: is the end of the hash of RLP for small, byte-sized and large nonces', () => {
  const sender = '0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0'
  // The contracts of that account: nonces 0 to 2 are known from the yellow paper's examples.
  expect(createAddress(sender, 0n)).toBe('0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d')
  expect(createAddress(sender, 1n)).toBe('0x343c43a37d37dff08ae8c4a11544c718abb4fcf8')
  expect(createAddress(sender, 2n)).toBe('0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91')
  const rlp = (hex: string): string => `0x${keccak256Hex(hexToBytes(hex)).slice(26)}`
  expect(createAddress(sender, 0x80n)).toBe(rlp(`0xd794${sender.slice(2)}8180`))
  expect(createAddress(sender, 2n ** 64n - 2n)).toBe(
    rlp(`0xde94${sender.slice(2)}88fffffffffffffffe`),
  )
})

test('creation by a transaction: uses the nonce before it was raised, and returns the code', () => {
  const stage = createStage({})
  const outcome = stage.run({ to: undefined, data: hexToBytes(`0x${INIT_RETURNING_STOP}`) })
  expect(outcome.status).toBe('success')
  expect(outcome.created).toBe(createAddress(CALLER, 0n))
  expect(outcome.output).toEqual(Uint8Array.of(0))
})

test('creation: collides with nonce, code or storage, and then takes all gas', () => {
  const address = createAddress(CALLER, 0n)
  const data = hexToBytes(`0x${INIT_RETURNING_STOP}`)
  for (const account of [{ nonce: 1n }, { code: '0x00' }, { storage: { [slot(0)]: 1n } }]) {
    const outcome = createStage({ [address]: account }).run({ to: undefined, data })
    expect(outcome).toMatchObject({ status: 'createCollision', gasLeft: 0n, created: undefined })
  }
  const outcome = createStage({ [address]: { balance: 3n } }).run({ to: undefined, data })
  expect(outcome.status).toBe('success')
})

test('creation: code that begins with 0xef or is over 24,576 bytes is refused', () => {
  const returning = (size: number, first: number): Uint8Array =>
    hexToBytes(`0x${push(first)}${push(0)}53${push(size)}${push(0)}f3`)
  const run = (size: number, first: number): string =>
    createStage({}).run({ to: undefined, data: returning(size, first), gas: 10_000_000n }).status
  expect(run(1, 0xef)).toBe('invalidCodePrefix')
  expect(run(24_576, 1)).toBe('success')
  expect(run(24_577, 1)).toBe('codeSizeLimit')
})

test('CREATE: init code over 49,152 bytes halts from Shanghai on', () => {
  const code = (size: number): string => `0x${push(size)}${push(0)}${push(0)}f0${RETURN_TOP}`
  const run = (size: number, fork: 'paris' | 'shanghai'): string =>
    createStage({ [CONTRACT]: { code: code(size) } }, fork).run().status
  expect(run(49_152, 'shanghai')).toBe('success')
  expect(run(49_153, 'shanghai')).toBe('initCodeSizeLimit')
  expect(run(49_153, 'paris')).toBe('success')
})

test('SELFDESTRUCT: before Cancun the account goes; after, only its balance does', () => {
  const accounts = { [CONTRACT]: { code: `0x${push(BigInt(OTHER))}ff`, balance: 8n, nonce: 1n } }
  const before = createStage(accounts, 'shanghai')
  before.run()
  expect(before.world.exists(CONTRACT)).toBe(false)
  expect(before.world.balance(OTHER)).toBe(8n)
  const after = createStage(accounts, 'cancun')
  after.run()
  expect(after.world.exists(CONTRACT)).toBe(true)
  expect(after.world.balance(CONTRACT)).toBe(0n)
  expect(after.world.balance(OTHER)).toBe(8n)
})

test('SELFDESTRUCT: of what the same transaction created removes it, under every fork', () => {
  const data = hexToBytes(`0x${push(BigInt(OTHER))}ff`)
  for (const fork of ['london', 'cancun', 'osaka'] as const) {
    const stage = createStage({}, fork)
    stage.run({ to: undefined, data, value: 3n })
    expect(stage.world.exists(createAddress(CALLER, 0n))).toBe(false)
    expect(stage.world.balance(OTHER)).toBe(3n)
  }
})

test('delegation: the code runs on the delegating account, and both accesses are charged', () => {
  const code = bytesToHex(delegationTo(OTHER))
  const accounts = {
    [OTHER]: { code: `0x${push(9)}${push(0)}5530${RETURN_TOP}` },
    [CONTRACT]: { code },
  }
  const stage = createStage(accounts, 'prague')
  const outcome = stage.run()
  expect(BigInt(bytesToHex(outcome.output))).toBe(BigInt(CONTRACT))
  expect(stage.world.storage(CONTRACT, slot(0))).toBe(9n)
  expect(stage.world.storage(OTHER, slot(0))).toBe(0n)

  const plain = '0x00000000000000000000000000000000000000e1' as Address
  const delegating = {
    [plain]: { code: bytesToHex(delegationTo(OTHER)) },
    [OTHER]: { code: '0x00' },
  }
  expect(gasOf(callOf('fa', plain, push(0)), 'prague', delegating)).toBe(18n + 2_600n + 2_600n)
  // Before Prague the same bytes are code, whose first is invalid.
  expect(wordOf(callOf('fa', plain, push(9_000)), 'cancun', delegating)).toBe(0n)
})

test('delegation: to a precompile runs no code, and to itself halts', () => {
  const plain = '0x00000000000000000000000000000000000000e1' as Address
  const toPrecompile = {
    [plain]: { code: bytesToHex(delegationTo('0x0000000000000000000000000000000000000002')) },
  }
  const call = `${callOf('fa', plain)}503d`
  expect(wordOf(call, 'prague', toPrecompile)).toBe(0n)
  const toItself = { [plain]: { code: bytesToHex(delegationTo(plain)) } }
  expect(wordOf(callOf('fa', plain, push(9_000)), 'prague', toItself)).toBe(0n)
})

test('delegateOf: knows a designator by its size and prefix only', () => {
  expect(delegateOf(delegationTo(OTHER))).toBe(OTHER)
  expect(delegateOf(delegationTo(OTHER).subarray(0, 22))).toBeUndefined()
  expect(delegateOf(hexToBytes(`0xef0101${'00'.repeat(20)}`))).toBeUndefined()
  expect(delegateOf(new Uint8Array(0))).toBeUndefined()
})

test('gas: of one less than what a program needs halts it, and with exactly enough it succeeds', () => {
  const code = `${push(1)}${push(0)}55${push(5)}${push(0)}54${push(64)}${push(0)}20${push(3)}0a5050`
  const needed = gasOf(code)
  const stage = (): ReturnType<typeof createStage> =>
    createStage({ [CONTRACT]: { code: `0x${code}` } })
  expect(stage().run({ gas: needed }).gasLeft).toBe(0n)
  expect(stage().run({ gas: needed }).status).toBe('success')
  for (let less = 1n; less < 200n; less += 7n) {
    expect(stage().run({ gas: needed - less })).toMatchObject({ status: 'outOfGas', gasLeft: 0n })
  }
})

test('gas: limits up to 2^64 - 1 are exact', () => {
  const outcome = createStage({ [CONTRACT]: { code: `0x5a${RETURN_TOP}` } }).run({
    gas: 2n ** 64n - 1n,
  })
  expect(BigInt(bytesToHex(outcome.output))).toBe(2n ** 64n - 1n - 2n)
  expect(outcome.gasLeft).toBe(2n ** 64n - 1n - 2n - 15n)
})

test('call: gas or value out of range is refused', () => {
  const stage = createStage({ [CONTRACT]: { code: '0x00' } })
  for (const message of [{ gas: -1n }, { gas: 2n ** 64n }, { value: -1n }, { value: 2n ** 256n }]) {
    expect(() => stage.run(message)).toThrow(
      expect.objectContaining({ code: 'EVM_ARGUMENT_INVALID' }),
    )
  }
})

test('memory: past a gibibyte throws a coded error and leaves the world as it was', () => {
  const code = `0x${push(1)}${push(0)}55${push(1)}${push(2n ** 31n)}52`
  const stage = createStage({ [CONTRACT]: { code } })
  expect(() => stage.open({ gas: 2n ** 63n })).toThrow(EvmError)
  expect(() => stage.open({ gas: 2n ** 63n })).toThrow(
    expect.objectContaining({ code: 'EVM_MEMORY_LIMIT' }),
  )
  expect(stage.world.storage(CONTRACT, slot(0))).toBe(0n)
  // With an honest limit it is only out of gas.
  expect(stage.open({ gas: 30_000_000n }).status).toBe('outOfGas')
})

test('pulse: is asked during an endless loop and may end it', () => {
  let asked = 0
  const pulse = (): void => {
    asked++
    if (asked === 3) throw new Error('time is up')
  }
  const code = `0x${push(1)}${push(0)}555b${push(5)}56`
  const stage = createStage({ [CONTRACT]: { code } }, 'osaka', { pulse })
  expect(() => stage.open({ gas: 2n ** 62n })).toThrow('time is up')
  expect(stage.world.storage(CONTRACT, slot(0))).toBe(0n)
  // The next run has a machine of its own.
  expect(createStage({ [CONTRACT]: { code: '0x00' } }).run().status).toBe('success')
})

test('pulse: is asked as well while opcodes are traced', () => {
  let steps = 0
  const pulse = (): void => {
    throw new Error('time is up')
  }
  const tracer = {
    step: () => {
      steps++
    },
  }
  const stage = createStage({ [CONTRACT]: { code: `0x5b${push(0)}56` } }, 'osaka', {
    pulse,
    tracer,
  })
  expect(() => stage.open({ gas: 2n ** 62n })).toThrow('time is up')
  expect(steps).toBeLessThan(10_000)
})

test('code: an override runs in place of the callee code, and is its code to itself', () => {
  const stage = createStage({ [CONTRACT]: { code: '0xfe' } })
  const outcome = stage.run({ code: hexToBytes(`0x38${RETURN_TOP}`) })
  expect(BigInt(bytesToHex(outcome.output))).toBe(9n)
})

test('environment: each opcode shows its word', () => {
  const words: Readonly<Record<string, bigint>> = {
    '30': BigInt(CONTRACT),
    '32': BigInt(CALLER),
    '33': BigInt(CALLER),
    '34': 0n,
    '3a': 9n,
    '41': 0xcbn,
    '42': 1_700_000_000n,
    '43': 300n,
    '44': BigInt(`0x${'5a'.repeat(32)}`),
    '45': 30_000_000n,
    '46': 1337n,
    '48': 7n,
    '4a': 3n,
    [`${push(0)}49`]: BigInt(`0x01${'ab'.repeat(31)}`),
    [`${push(1)}49`]: 0n,
    [`${push(299)}40`]: BigInt(`0x${'29'.repeat(32)}`),
    [`${push(300)}40`]: 0n,
    [`${push(43)}40`]: 0n,
  }
  for (const [code, value] of Object.entries(words)) {
    expect(`${code} ${wordOf(code)}`).toBe(`${code} ${value}`)
  }
  expect(wordOf('44', 'london')).toBe(131_072n)
})

test('forks: an opcode is invalid before the fork that brought it', () => {
  const since = [
    ['5f', 'paris', 'shanghai'],
    ['4a', 'shanghai', 'cancun'],
    [`${push(0)}49`, 'shanghai', 'cancun'],
    [`${push(0)}5c`, 'shanghai', 'cancun'],
    [`${push(0)}1e`, 'prague', 'osaka'],
  ] as const
  for (const [code, before, from] of since) {
    const run = (fork: typeof before | typeof from): string =>
      createStage({ [CONTRACT]: { code: `0x${code}00` } }, fork).run().status
    expect([code, run(before), run(from)]).toEqual([code, 'invalidOpcode', 'success'])
  }
})

test('halts: each has its reason, also where a block was checked as a whole', () => {
  const reasons: Readonly<Record<string, string>> = {
    fe: 'invalidOpcode',
    '0c': 'invalidOpcode',
    [`${push(1)}01`]: 'stackUnderflow',
    [`${push(1)}8100`]: 'stackUnderflow',
    [`5b${push(1)}${push(0)}56`]: 'stackOverflow',
    [`${push(3)}56`]: 'invalidJump',
    // A JUMPDEST byte within a PUSH is none.
    [`${push(4)}56615b5b`]: 'invalidJump',
    [`${push(1)}${push(2n ** 255n)}57`]: 'invalidJump',
  }
  for (const [code, status] of Object.entries(reasons)) {
    const outcome = createStage({ [CONTRACT]: { code: `0x${code}` } }).run()
    expect([code, outcome.status, outcome.gasLeft]).toEqual([code, status, 0n])
  }
})

test('blocks: a stack of exactly 1,024 words fits, one more overflows, however the block is long', () => {
  const run = (code: string): string =>
    createStage({ [CONTRACT]: { code: `0x${code}00` } }).run({ gas: 10_000_000n }).status
  expect(run(push(1).repeat(1024))).toBe('success')
  expect(run(push(1).repeat(1025))).toBe('stackOverflow')
  expect(run(push(1).repeat(5000))).toBe('stackOverflow')
  // The same over several blocks, and the way back.
  expect(run(`${push(1).repeat(512)}5b${push(1).repeat(512)}5b${'50'.repeat(1024)}`)).toBe(
    'success',
  )
  expect(run(`${push(1).repeat(512)}5b${push(1).repeat(513)}`)).toBe('stackOverflow')
  expect(run(`${push(1).repeat(1024)}5b${'50'.repeat(1025)}`)).toBe('stackUnderflow')
  expect(run('50'.repeat(2000))).toBe('stackUnderflow')
})

test('blocks: code whose static gas passes 2^31 in one block still runs to its last unit of gas', () => {
  // LOG0 costs 375 and more: 5,800,000 of them, in one block, as only an override can be.
  const count = 5_800_000
  const code = new Uint8Array(count * 3 + 1)
  for (let i = 0; i < count; i++) code.set([0x3d, 0x3d, 0xa0], i * 3)
  // More than the sum has over 2^31, which a sum cut to 31 bits would take for enough.
  const outcome = createStage({ [CONTRACT]: {} }).run({ code, gas: 60_000_000n })
  expect(outcome).toMatchObject({ status: 'outOfGas', gasLeft: 0n })
  const short = code.slice(0, 3000)
  const full = createStage({ [CONTRACT]: {} }).run({ code: short, gas: 379n * 1000n + 100n })
  expect(full).toMatchObject({ status: 'success', gasLeft: 100n })
})

test('code: more contracts in one transaction than stay analysed are run all the same', () => {
  // 180 contracts of the largest size, each returning its own number from the end of its code.
  const accounts: Record<Address, { code: string }> = {}
  const calls: string[] = []
  for (let i = 1; i <= 180; i++) {
    const address = `0x${(0x10000 + i).toString(16).padStart(40, '0')}` as Address
    const tail = `${push(i)}${RETURN_TOP}`
    const filler = '5b'.repeat(24_576 - tail.length / 2 - 2)
    accounts[address] = { code: `0x${push(i % 256)}${filler}${tail}` }
    const call = `${push(32)}${push(0)}${push(0)}${push(0)}${push(BigInt(address))}5afa50`
    calls.push(`${call}${push(0)}51${push(32)}5101${push(32)}52`)
  }
  const code = `0x${calls.join('')}${push(32)}51${RETURN_TOP}`
  const stage = createStage({ ...accounts, [CONTRACT]: { code } })
  for (let i = 0; i < 2; i++) {
    const outcome = stage.run({ gas: 30_000_000n })
    expect(BigInt(bytesToHex(outcome.output))).toBe((180n * 181n) / 2n)
  }
})
