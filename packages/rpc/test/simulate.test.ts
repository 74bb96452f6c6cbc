/** eth_simulateV1: the suite's answers, and what the suite does not ask. */

import { beforeAll, describe, expect, it } from 'vitest'
import { type Backend, createRpc, type RpcLimits } from '../src/index.ts'
import {
  compatFiles,
  loadExecutedBackend,
  readExchanges,
  testPorts,
  textBytes,
  withoutMessage,
} from './compat-chain.ts'

const FROM = `0xf1${'0'.repeat(38)}`
const A = `0xa1${'0'.repeat(38)}`
const B = `0xb2${'0'.repeat(38)}`
/** Half an ether. */
const RICH = { [FROM]: { balance: '0x6f05b59d3b20000' } }

let backend: Backend

beforeAll(async () => {
  backend = await loadExecutedBackend('main')
})

interface Block {
  readonly number: string
  readonly timestamp: string
  readonly parentHash: string
  readonly hash: string
  readonly gasUsed: string
  readonly baseFeePerGas: string
  readonly withdrawals: readonly object[]
  readonly transactions: readonly { readonly type: string; readonly gas: string }[]
  readonly calls: readonly {
    readonly status: string
    readonly returnData: string
    readonly gasUsed: string
    readonly maxUsedGas: string
    readonly logs: readonly { readonly address: string; readonly logIndex: string }[]
    readonly error?: { readonly code: number }
  }[]
}

interface Asked {
  readonly result?: readonly Block[]
  readonly error?: { readonly code: number; readonly message: string }
}

async function ask(
  simulation: object,
  options: { limits?: Partial<RpcLimits>; ports?: object; block?: string } = {},
): Promise<Asked> {
  const { limits = {}, ports = {}, block = 'latest' } = options
  const dispatch = createRpc({ backend, ports: { ...testPorts(), ...ports }, limits })
  const params = [simulation, block]
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_simulateV1', params })
  return JSON.parse(await dispatch(textBytes(body))) as Asked
}

async function simulate(simulation: object): Promise<readonly Block[]> {
  const { result, error } = await ask(simulation)
  expect(error).toBeUndefined()
  return result!
}

async function codeOf(simulation: object): Promise<number | undefined> {
  return (await ask(simulation)).error?.code
}

describe('answers as go-ethereum on the chain of rpc-compat', () => {
  const files = compatFiles('main').filter(({ method }) => method === 'eth_simulateV1')
  it.each(files)('$name', async ({ file }) => {
    const dispatch = createRpc({ backend, ports: testPorts() })
    for (const { request, expected } of readExchanges(file)) {
      const answer: unknown = JSON.parse(await dispatch(textBytes(request)))
      const [found, wanted] = [answer, expected].map(withoutMessage).map(withoutInnerMessages)
      expect(found).toEqual(wanted)
    }
  })
})

/** Errors of calls have words of their own as well. */
function withoutInnerMessages(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
    key === 'error' ? { ...(inner as object), message: undefined } : inner,
  )
}

it('blocks between two numbers are there, each a child of the one before', async () => {
  const blocks = await simulate({
    blockStateCalls: [{ calls: [] }, { blockOverrides: { number: '0x3a' } }],
  })
  expect(blocks.map(({ number }) => Number(number))).toEqual([55, 56, 57, 58])
  for (const [i, block] of blocks.entries()) {
    if (i > 0) expect(block.parentHash).toBe(blocks[i - 1]!.hash)
  }
})

it('a call sees what those before it did, and the chain does not', async () => {
  // Adds one to slot 0 and returns it.
  const code = '0x60005460010180600055600052602060 00f3'.replace(' ', '')
  const call = { from: FROM, to: A }
  const blocks = await simulate({
    blockStateCalls: [
      { stateOverrides: { [A]: { code } }, calls: [call, call] },
      { calls: [call] },
    ],
  })
  const returned = blocks.flatMap(({ calls }) => calls.map(({ returnData }) => Number(returnData)))
  expect(returned).toEqual([1, 2, 3])
  expect(backend.chain.stateAt(54).code(A as `0x${string}`)).toHaveLength(0)
})

it('the gas of a simulation is one budget for all its calls', async () => {
  const loop = { [A]: { code: '0x5b600056' } }
  const blocks = await simulate({
    blockStateCalls: [
      { stateOverrides: loop, calls: [{ to: A, gas: '0x1c9c380' }] },
      { calls: [{ to: A, gas: '0x2faf080' }] },
    ],
    returnFullTransactions: true,
  })
  const gas = blocks.map(({ transactions }) => Number(transactions[0]!.gas))
  expect(gas).toEqual([30_000_000, 20_000_000])
  expect(blocks.flatMap(({ calls }) => calls.map(({ error }) => error?.code))).toEqual([
    -32015, -32015,
  ])
  // Nothing is left after that.
  const more = { blockStateCalls: [{ stateOverrides: loop, calls: [{ to: A }, { to: B }] }] }
  expect(await codeOf(more)).toBe(-38013)
})

it('maxUsedGas: is what was needed before refunds', async () => {
  const clear = {
    code: '0x6000600055',
    stateDiff: { [`0x${'0'.repeat(64)}`]: `0x${'1'.padStart(64, '0')}` },
  }
  const [block] = await simulate({
    blockStateCalls: [{ stateOverrides: { [A]: clear }, calls: [{ to: A }] }],
  })
  const [call] = block!.calls
  expect(Number(call!.maxUsedGas) - Number(call!.gasUsed)).toBe(4_800)
})

it('withdrawals of a block are paid', async () => {
  const withdrawal = { index: '0x1', validatorIndex: '0x2', address: A, amount: '0x3' }
  // Returns the balance of A.
  const code = `0x73${A.slice(2)}3160005260206000f3`
  const blocks = await simulate({
    blockStateCalls: [
      { blockOverrides: { withdrawals: [withdrawal] } },
      { stateOverrides: { [B]: { code } }, calls: [{ to: B }] },
    ],
  })
  expect(blocks[0]!.withdrawals).toEqual([withdrawal])
  expect(BigInt(blocks[1]!.calls[0]!.returnData)).toBe(3_000_000_000n)
})

it('transactions have the type that their fields call for', async () => {
  const fees = { maxFeePerGas: '0x10' }
  const authorization = {
    chainId: '0x0',
    address: B,
    nonce: '0x0',
    yParity: '0x0',
    r: '0x1',
    s: '0x1',
  }
  const [block] = await simulate({
    blockStateCalls: [
      {
        blockOverrides: { baseFeePerGas: '0x1' },
        stateOverrides: RICH,
        calls: [
          { from: FROM, to: A, gasPrice: '0x10', gas: '0xc350' },
          { from: FROM, to: A, ...fees, gas: '0xc350' },
          { from: FROM, to: A, ...fees, gas: '0xc350', authorizationList: [authorization] },
        ],
      },
    ],
    returnFullTransactions: true,
  })
  expect(block!.transactions.map(({ type }) => type)).toEqual(['0x0', '0x2', '0x4'])
})

describe('validation: a call that no transaction could be ends the simulation', () => {
  const validated = (call: object, overrides: object = RICH): object => ({
    blockStateCalls: [
      {
        blockOverrides: { baseFeePerGas: '0x1' },
        stateOverrides: overrides,
        calls: [{ from: FROM, to: A, gas: '0xc350', maxFeePerGas: '0x10', ...call }],
      },
    ],
    validation: true,
  })
  it.each([
    ['nonce too low', { nonce: '0x0' }, { [FROM]: { balance: '0xffffff', nonce: '0x1' } }, -38010],
    ['nonce too high', { nonce: '0x9' }, RICH, -38011],
    ['a fee below the base fee', { maxFeePerGas: '0x0' }, RICH, -38012],
    ['too little gas', { gas: '0x5207' }, RICH, -38013],
    ['no money', {}, { [FROM]: { balance: '0x1' } }, -38014],
    ['more gas than a block has', { gas: '0xbebc201' }, RICH, -38015],
    [
      'init code too long',
      { to: null, input: `0x${'00'.repeat(49_153)}`, gas: '0xffffff' },
      RICH,
      -38025,
    ],
  ])('%s', async (_, call, overrides, code) => {
    expect(await codeOf(validated(call, overrides))).toBe(code)
  })
  it('and one that could be does not', async () => {
    expect(await codeOf(validated({}))).toBeUndefined()
  })
})

it.each([
  ['no blocks', { blockStateCalls: [] }, -32602],
  ['too many blocks', { blockStateCalls: Array.from({ length: 257 }, () => ({})) }, -38026],
  ['a number far away', { blockStateCalls: [{ blockOverrides: { number: '0x137' } }] }, -38026],
  ['a number that is there', { blockStateCalls: [{ blockOverrides: { number: '0x36' } }] }, -38020],
  ['a time that has been', { blockStateCalls: [{ blockOverrides: { time: '0x1' } }] }, -38021],
  [
    'a time beyond all clocks',
    { blockStateCalls: [{ blockOverrides: { time: '0xffffffffffffffff' } }] },
    -38021,
  ],
])('refuses %s', async (_, simulation, code) => {
  expect(await codeOf(simulation)).toBe(code)
})

it('256 blocks are not too many', async () => {
  expect(await simulate({ blockStateCalls: Array.from({ length: 256 }, () => ({})) })).toHaveLength(
    256,
  )
})

describe('bounds', () => {
  const calls = Array.from({ length: 10 }, () => ({ to: A }))
  const simulation = { blockStateCalls: [{ calls }, { calls }] }

  it('of calls in a block', async () => {
    const { error } = await ask(simulation, { limits: { simulatedCallsMax: 9 } })
    expect(error?.code).toBe(-32602)
  })

  it('of the answer', async () => {
    const { error } = await ask(simulation, { limits: { responseCharsMax: 3_000 } })
    expect(error?.code).toBe(-32003)
  })

  it('of the time that others wait', async () => {
    let nowMs = 0
    let turns = 0
    const ports = {
      nowMs: () => (nowMs += 30),
      nextTurn: () => {
        turns++
        return Promise.resolve()
      },
    }
    await ask(simulation, { ports })
    expect(turns).toBeGreaterThanOrEqual(2)
  })
})
