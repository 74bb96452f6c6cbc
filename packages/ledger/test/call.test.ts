import {
  type AccountRecord,
  type Address,
  bigIntToBytes,
  bytesToBigInt,
  bytesToHex,
  concatBytes,
  createAddress,
  type Hash,
  hexToBytes,
  keccak256Hex,
  NO_BYTES,
} from '@vellum/evm'
import { describe, expect, it } from 'vitest'
import {
  type CallRequest,
  createSecp256k1,
  createSimulator,
  EMPTY_ROOT,
  genesisHeader,
  keccakHeaderHash,
  LedgerError,
  parseGenesis,
  revertReason,
  type SimulationQuery,
  type SimulatorPorts,
  type StateView,
} from '../src/index.ts'
import { blockRules } from '../src/rules.ts'

const SENDER: Address = '0x00000000000000000000000000000000000000a1'
const CONTRACT: Address = '0x00000000000000000000000000000000000000c1'
const OTHER: Address = '0x00000000000000000000000000000000000000c2'
const ETHER = 10n ** 18n

interface Account {
  readonly nonce?: bigint
  readonly balance?: bigint
  readonly code?: string
  readonly storage?: Readonly<Record<string, bigint>>
}

const slotOf = (slot: bigint): Hash => bytesToHex(bigIntToBytes(slot, 32))

/** A state held in plain objects. */
function stateOf(accounts: Readonly<Record<Address, Account>>): StateView {
  const codeOf = (address: Address): Uint8Array => hexToBytes(`0x${accounts[address]?.code ?? ''}`)
  const codes = new Map(
    Object.keys(accounts).map((address) => {
      const code = codeOf(address as Address)
      return [keccak256Hex(code), code] as const
    }),
  )
  const account = (address: Address): AccountRecord | undefined => {
    const found = accounts[address]
    if (found === undefined) return undefined
    const { nonce = 0n, balance = 0n } = found
    return { nonce, balance, codeHash: keccak256Hex(codeOf(address)) }
  }
  const storage = (address: Address, slot: Hash): bigint =>
    accounts[address]?.storage?.[String(BigInt(slot))] ?? 0n
  return {
    root: EMPTY_ROOT,
    account: (address) => {
      const found = account(address)
      return found && { ...found, storageRoot: EMPTY_ROOT }
    },
    storage,
    code: codeOf,
    reader: {
      account,
      storage,
      hasStorage: (address) => Object.keys(accounts[address]?.storage ?? {}).length > 0,
      code: (hash) => codes.get(hash) ?? NO_BYTES,
    },
    prove: () => {
      throw new Error('nothing is proved here')
    },
    rootAfter: () => EMPTY_ROOT,
  }
}

function simulate(
  accounts: Readonly<Record<Address, Account>>,
  ports: Partial<SimulatorPorts> = {},
  fork: 'prague' | 'osaka' = 'prague',
): {
  call: (request: CallRequest, more?: Partial<SimulationQuery>) => unknown
  estimate: (request: CallRequest, more?: Partial<SimulationQuery>) => unknown
  list: (request: CallRequest) => unknown
} {
  const genesis = parseGenesis({
    config: {
      chainId: 7,
      homesteadBlock: 0,
      londonBlock: 0,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      ...(fork === 'osaka' ? { osakaTime: 0 } : {}),
      terminalTotalDifficulty: 0,
    },
    gasLimit: '0x3938700',
    difficulty: '0x0',
    timestamp: '0x64',
    baseFeePerGas: '0x7',
    coinbase: '0x00000000000000000000000000000000000000f1',
    alloc: {},
  })
  const header = genesisHeader(genesis, EMPTY_ROOT)
  const simulator = createSimulator({
    header: (number) => (number === 0 ? { header, hash: keccakHeaderHash(header) } : undefined),
    block: () => undefined,
    stateAt: () => stateOf(accounts),
    rulesAt: (number, timestamp) => blockRules(genesis, number, timestamp),
    crypto: createSecp256k1(),
    nowMs: () => 0,
    ...ports,
  })
  const query = (request: CallRequest, more: Partial<SimulationQuery> = {}): SimulationQuery => ({
    request,
    number: 0,
    stateOverrides: undefined,
    blockOverrides: undefined,
    ...more,
  })
  return {
    call: (request, more) => simulator.call(query(request, more)),
    estimate: (request, more) => simulator.estimateGas(query(request, more)),
    list: (request) => simulator.createAccessList(query(request)),
  }
}

/** Code that returns the word which the given code leaves on the stack. */
const returning = (code: string): string => `${code}5f5260205ff3`
/** What a call answered, as a number. */
const wordOf = (outcome: unknown): bigint => {
  expect(outcome).toMatchObject({ status: 'success' })
  return bytesToBigInt((outcome as { output: Uint8Array }).output)
}
const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof LedgerError) return error.code
    throw error
  }
  return 'none'
}

describe('calls', () => {
  it.each([
    ['the caller', '33', BigInt(SENDER)],
    ['a price of nothing', '3a', 0n],
    ['a base fee of nothing, as it could not be paid', '48', 0n],
    ['the block’s coinbase', '41', 0xf1n],
    ['the block’s time', '42', 100n],
    ['the chain', '46', 7n],
    ['the value', '34', 5n],
    ['storage', '60015454', 9n],
    ['the balance of the sender less the value', '3331', ETHER - 5n],
  ])('see %s', (_, code, expected) => {
    const { call } = simulate({
      [SENDER]: { balance: ETHER },
      [CONTRACT]: { code: returning(code), storage: { 1: 2n, 2: 9n } },
    })
    expect(wordOf(call({ from: SENDER, to: CONTRACT, value: 5n }))).toBe(expected)
  })

  it('pay the fee that they name', () => {
    const { call } = simulate({
      [SENDER]: { balance: ETHER },
      [CONTRACT]: { code: returning('3331') },
    })
    const request = {
      from: SENDER,
      to: CONTRACT,
      gas: 100_000n,
      maxFeePerGas: 100n,
      maxPriorityFeePerGas: 3n,
    }
    expect(wordOf(call(request))).toBe(ETHER - 100_000n * 10n)
  })

  it('need no nonce, and create with the state’s', () => {
    const { call } = simulate({ [SENDER]: { nonce: 5n, balance: ETHER } })
    const init = '0x305f5260205ff3'
    const outcome = call({ from: SENDER, data: hexToBytes(init), nonce: 99n })
    expect(wordOf(outcome)).toBe(BigInt(createAddress(SENDER, 5n)))
  })

  it('may use the cap, and no more whatever they name', () => {
    const { call } = simulate({ [CONTRACT]: { code: returning('5a') } })
    const left = wordOf(call({ to: CONTRACT }))
    expect(left).toBe(60_000_000n - 21_000n - 2n)
    expect(wordOf(call({ to: CONTRACT, gas: 10n ** 12n }))).toBe(left)
  })

  it.each([
    ['LEDGER_INSUFFICIENT_FUNDS', { from: SENDER, to: CONTRACT, value: 1n }],
    ['LEDGER_INSUFFICIENT_FUNDS', { from: SENDER, to: CONTRACT, gas: 50_000n, gasPrice: 7n }],
    ['LEDGER_FEE_TOO_LOW', { from: SENDER, to: CONTRACT, gasPrice: 6n }],
    ['LEDGER_INTRINSIC_GAS', { from: SENDER, to: CONTRACT, gas: 20_999n }],
    ['LEDGER_INITCODE_SIZE', { from: SENDER, data: new Uint8Array(49_153) }],
  ])('do not start: %s', (code, request) => {
    const { call } = simulate({ [CONTRACT]: { code: '00' } })
    expect(codeOf(() => call(request))).toBe(code)
  })

  it('tell a revert with its data, and a halt in words', () => {
    const { call } = simulate({
      [CONTRACT]: { code: '602a5f5260205ffd' },
      [OTHER]: { code: 'fe' },
    })
    expect(call({ to: CONTRACT })).toMatchObject({
      status: 'reverted',
      output: bigIntToBytes(42n, 32),
    })
    expect(call({ to: OTHER })).toMatchObject({ status: 'failed', reason: 'invalid opcode' })
  })

  it('are given up when time is over', () => {
    let nowMs = 0
    const { call, estimate } = simulate(
      { [CONTRACT]: { code: '5b5f56' } },
      {
        nowMs: () => {
          nowMs += 3_000
          return nowMs
        },
      },
    )
    const aborted = { status: 'failed', reason: 'execution aborted (timeout)' }
    expect(call({ to: CONTRACT })).toMatchObject(aborted)
    expect(estimate({ to: CONTRACT })).toEqual(aborted)
  })

  it('refuse a block that is not there', () => {
    expect(codeOf(() => simulate({}).call({}, { number: 1 }))).toBe('LEDGER_BLOCK_UNKNOWN')
  })
})

describe('overrides', () => {
  const accounts = {
    [SENDER]: { balance: 3n },
    [CONTRACT]: { code: returning('60015460025401'), storage: { 1: 10n, 2: 5n } },
  }
  const state = (override: object, address: Address = CONTRACT): Partial<SimulationQuery> => ({
    stateOverrides: new Map([[address, override]]),
  })

  it.each([
    ['nothing', {}, 15n],
    ['single slots', { stateDiff: new Map([[slotOf(1n), 100n]]) }, 105n],
    ['the whole storage', { state: new Map([[slotOf(1n), 100n]]) }, 100n],
    ['the code', { code: hexToBytes(`0x${returning('6063')}`) }, 99n],
    ['the balance', { balance: 77n, code: hexToBytes(`0x${returning('47')}`) }, 77n],
  ])('replace %s', (_, override, expected) => {
    expect(wordOf(simulate(accounts).call({ to: CONTRACT }, state(override)))).toBe(expected)
  })

  it('leave no trace', () => {
    const { call } = simulate(accounts)
    call({ to: CONTRACT }, state({ state: new Map() }))
    expect(wordOf(call({ to: CONTRACT }))).toBe(15n)
  })

  it('replace a native contract by code, or move it', () => {
    const { call } = simulate(accounts)
    const identity: Address = '0x0000000000000000000000000000000000000004'
    const data = bigIntToBytes(42n, 32)
    expect(wordOf(call({ to: identity, data }))).toBe(42n)
    const code = hexToBytes(`0x${returning('6063')}`)
    const replaced = state({ code }, identity)
    expect(wordOf(call({ to: identity, data }, replaced))).toBe(99n)
    const moved = state({ movePrecompileTo: OTHER, code }, identity)
    expect(wordOf(call({ to: OTHER, data }, moved))).toBe(42n)
    expect(wordOf(call({ to: identity, data }, moved))).toBe(99n)
    expect(codeOf(() => call({}, state({ movePrecompileTo: OTHER })))).toBe(
      'LEDGER_OVERRIDE_INVALID',
    )
  })

  it.each([
    ['43', { number: 1_000n }, 1_000n],
    ['42', { time: 5_000n }, 5_000n],
    ['45', { gasLimit: 99_000_000n }, 99_000_000n],
    ['41', { feeRecipient: OTHER }, BigInt(OTHER)],
    ['44', { prevRandao: slotOf(8n) }, 8n],
  ])('replace what opcode 0x%s sees of the block', (code, blockOverrides, expected) => {
    const { call } = simulate({ [CONTRACT]: { code: returning(code) } })
    expect(wordOf(call({ to: CONTRACT }, { blockOverrides }))).toBe(expected)
  })
})

describe('estimates', () => {
  it('are 21,000 for a transfer', () => {
    expect(
      simulate({ [SENDER]: { balance: 1n } }).estimate({ from: SENDER, to: OTHER, value: 1n }),
    ).toEqual({ status: 'success', gas: 21_000n })
  })

  /** Calls OTHER with all gas; reverts if that fails. OTHER burns a lot. */
  const forwarding = `5f5f5f5f5f73${OTHER.slice(2)}5af16022575f5ffd5b00`
  const burning = Array.from(
    { length: 20 },
    (_, i) => `600160${(i + 1).toString(16).padStart(2, '0')}55`,
  ).join('')

  it('leave enough for an inner call, which gets 63/64 of what is left', () => {
    const accounts = { [CONTRACT]: { code: forwarding }, [OTHER]: { code: `${burning}00` } }
    const { call, estimate } = simulate(accounts)
    const outcome = estimate({ to: CONTRACT }) as { status: string; gas: bigint }
    expect(outcome.status).toBe('success')
    expect(call({ to: CONTRACT, gas: outcome.gas })).toMatchObject({ status: 'success' })
    const { gasUsed } = call({ to: CONTRACT }) as { gasUsed: bigint }
    // What was used is not enough: the part that was held back was needed.
    expect(call({ to: CONTRACT, gas: gasUsed })).toMatchObject({ status: 'reverted' })
    expect(outcome.gas).toBeGreaterThan(gasUsed)
    expect(outcome.gas).toBeLessThan((gasUsed * 110n) / 100n)
  })

  it('leave enough for what is given back at the end', () => {
    const clearing = Array.from({ length: 5 }, (_, i) => `5f600${i + 1}55`).join('')
    const storage = { 1: 1n, 2: 1n, 3: 1n, 4: 1n, 5: 1n }
    const { call, estimate } = simulate({ [CONTRACT]: { code: clearing, storage } })
    const { gas } = estimate({ to: CONTRACT }) as { gas: bigint }
    const { gasUsed } = call({ to: CONTRACT }) as { gasUsed: bigint }
    expect(gas).toBeGreaterThan(gasUsed)
    expect(call({ to: CONTRACT, gas })).toMatchObject({ status: 'success' })
  })

  it('tell why there is none', () => {
    const { estimate } = simulate({
      [CONTRACT]: { code: '602a5f5260205ffd' },
      [OTHER]: { code: '5b5f56' },
    })
    expect(estimate({ to: CONTRACT })).toMatchObject({ status: 'reverted' })
    expect(estimate({ to: OTHER, gas: 100_000n })).toEqual({
      status: 'failed',
      reason: 'gas required exceeds allowance (100000)',
    })
  })

  it('keep to what the sender can pay', () => {
    const { estimate } = simulate({
      [SENDER]: { balance: 30_000n * 10n },
      [CONTRACT]: { code: '5b5f56' },
    })
    expect(estimate({ from: SENDER, to: CONTRACT, gasPrice: 10n })).toEqual({
      status: 'failed',
      reason: 'gas required exceeds allowance (30000)',
    })
    expect(
      codeOf(() => estimate({ from: SENDER, to: OTHER, gasPrice: 10n, value: 300_000n })),
    ).toBe('LEDGER_INSUFFICIENT_FUNDS')
  })

  it('keep to the gas of one transaction from Osaka on', () => {
    const accounts = { [CONTRACT]: { code: '5b5f56' } }
    expect(simulate(accounts, {}, 'osaka').estimate({ to: CONTRACT })).toEqual({
      status: 'failed',
      reason: 'gas required exceeds allowance (16777216)',
    })
    expect(simulate(accounts).estimate({ to: CONTRACT })).toEqual({
      status: 'failed',
      reason: 'gas required exceeds allowance (60000000)',
    })
  })
})

describe('access lists', () => {
  it('name slots and foreign accounts, also of a run that reverts', () => {
    const balance = `73${OTHER.slice(2)}3150`
    const { list } = simulate({ [CONTRACT]: { code: `6001545060025450${balance}5f5ffd` } })
    expect(list({ from: SENDER, to: CONTRACT })).toMatchObject({
      accessList: [
        { address: CONTRACT, storageKeys: [slotOf(1n), slotOf(2n)] },
        { address: OTHER, storageKeys: [] },
      ],
      failure: 'execution reverted',
    })
  })

  it('name nothing that is warm anyway', () => {
    const touch = (address: string): string => `73${address.slice(2)}3150`
    const free = [SENDER, CONTRACT, `0x${'0'.repeat(39)}1`, `0x${'0'.repeat(38)}f1`]
    const { list } = simulate({ [CONTRACT]: { code: `${free.map(touch).join('')}00` } })
    expect(list({ from: SENDER, to: CONTRACT })).toMatchObject({
      accessList: [],
      failure: undefined,
    })
  })

  it('follow a program that looks elsewhere once it is cheaper', () => {
    // Reads slot (gas used by reading slot 1) / 1000: another one once slot 1 is listed.
    const code = '5a600154505a90036103e890045450'
    const { list } = simulate({ [CONTRACT]: { code: `${code}00` } })
    const { accessList } = list({ from: SENDER, to: CONTRACT }) as {
      accessList: { storageKeys: Hash[] }[]
    }
    expect(accessList[0]!.storageKeys).toEqual([slotOf(1n), slotOf(2n), slotOf(0n)])
  })
})

describe('revertReason', () => {
  const error = (text: Uint8Array, size = BigInt(text.length), offset = 32n): Uint8Array =>
    concatBytes(hexToBytes('0x08c379a0'), bigIntToBytes(offset, 32), bigIntToBytes(size, 32), text)
  const panic = (code: bigint): Uint8Array =>
    concatBytes(hexToBytes('0x4e487b71'), bigIntToBytes(code, 32))
  const utf8 = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'utf8'))

  it.each([
    ['words', error(utf8('user error')), 'user error'],
    ['no words', error(NO_BYTES), ''],
    ['words in Chinese', error(utf8('證照已撤銷')), '證照已撤銷'],
    ['bytes that are not UTF-8', error(Uint8Array.of(0xff, 0x41)), 'ÿA'],
    ['a panic', panic(0x11n), 'arithmetic underflow or overflow'],
    ['an unknown panic', panic(0x99n), 'unknown panic code: 0x99'],
    ['another error', hexToBytes(`0x12345678${'00'.repeat(64)}`), undefined],
    ['nothing', NO_BYTES, undefined],
    ['a string that is cut off', error(utf8('ab'), 3n), undefined],
    ['a string elsewhere', error(utf8('ab'), 2n, 2n ** 255n), undefined],
    ['a size beyond all memory', error(utf8('ab'), 2n ** 256n - 1n), undefined],
  ])('reads %s', (_, output, expected) => {
    expect(revertReason(output)).toBe(expected)
  })
})
