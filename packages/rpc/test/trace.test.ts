/** debug_trace…: what tracers tell, and that they stay within bounds. */

import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Backend, createRpc, type RpcLimits } from '../src/index.ts'
import {
  COMPAT_FOLDER,
  compatFiles,
  loadExecutedBackend,
  readExchanges,
  testPorts,
  textBytes,
  withoutMessage,
} from './compat-chain.ts'

const SENDER = `0xf1${'0'.repeat(38)}`
const A = `0xa1${'0'.repeat(38)}`
const B = `0xb2${'0'.repeat(38)}`
const MINER = `0xfe${'0'.repeat(38)}`
const COUNTED = { gas: expect.stringMatching(/^0x/), gasUsed: expect.stringMatching(/^0x/) }

let backend: Backend

beforeAll(async () => {
  backend = await loadExecutedBackend('main')
})

interface Asked {
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}

async function ask(
  method: string,
  params: readonly unknown[],
  options: { limits?: Partial<RpcLimits>; ports?: object; operatorMethods?: string[] } = {},
): Promise<Asked> {
  const { limits = {}, ports = {}, operatorMethods = ['debug'] } = options
  const dispatch = createRpc({
    backend,
    ports: { ...testPorts(), ...ports },
    limits,
    operatorMethods,
  })
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  return JSON.parse(await dispatch(textBytes(body))) as Asked
}

/** Two contracts with this code, a sender with money, and nobody else. */
function stage(codeOfA: string, codeOfB = '00'): object {
  return {
    [SENDER]: { balance: '0xde0b6b3a7640000', nonce: '0x5' },
    [A]: { code: `0x${codeOfA}`, balance: '0x64', nonce: '0x1' },
    [B]: { code: `0x${codeOfB}` },
  }
}

async function traceCall(
  config: object,
  stateOverrides: object,
  call: object = { to: A, value: '0x1' },
): Promise<unknown> {
  const { result, error } = await ask('debug_traceCall', [
    { from: SENDER, gas: '0x493e0', ...call },
    'latest',
    { ...config, stateOverrides, blockOverrides: { feeRecipient: MINER } },
  ])
  expect(error).toBeUndefined()
  return result
}

const push = (word: string): string => `7f${word.replace('0x', '').padStart(64, '0')}`
/** Calls an account with 50,000 gas; the answer stays on the stack. */
const call = (to: string, wei = 0): string =>
  `600060006000600060${wei.toString(16).padStart(2, '0')}${push(to)}61c350f1`
const LOG = '60056000a0'
const REVERT = '60006000fd'

describe('debug_trace… and debug_getRaw… answer as go-ethereum on the chain of rpc-compat', () => {
  const files = compatFiles('main').filter(({ method }) => method.startsWith('debug_'))
  it.each(files)('$name', async ({ file }) => {
    const dispatch = createRpc({ backend, ports: testPorts(), operatorMethods: ['debug'] })
    for (const { request, expected } of readExchanges(file)) {
      const answer: unknown = JSON.parse(await dispatch(textBytes(request)))
      // Also where the suite is content with the schema.
      expect(withoutMessage(answer)).toEqual(withoutMessage(expected))
    }
  })
})

it('debug_: is not served to those who may not', async () => {
  const { error } = await ask('debug_traceBlockByNumber', ['0x1'], { operatorMethods: [] })
  expect(error?.code).toBe(-32604)
})

describe('struct logs', () => {
  it('name the slots that were read and written, and what the step could not pay', async () => {
    const code = `${push('0x2')}${push('0x1')}55${push('0x1')}54${push('0x9')}54fe`
    const { structLogs, failed } = (await traceCall({ disableStack: true }, stage(code))) as {
      failed: boolean
      structLogs: { op: string; storage?: object; stack?: unknown; error?: string }[]
    }
    const word = (value: number): string => `0x${value.toString(16).padStart(64, '0')}`
    expect(failed).toBe(true)
    expect(structLogs.filter(({ storage }) => storage).map(({ storage }) => storage)).toEqual([
      { [word(1)]: word(2) },
      { [word(1)]: word(2) },
      { [word(1)]: word(2), [word(9)]: word(0) },
    ])
    expect(structLogs.every(({ stack }) => stack === undefined)).toBe(true)
    expect(structLogs.at(-1)).toMatchObject({ op: 'INVALID', error: 'invalid opcode' })
  })

  it('limit: gives no more entries, and the whole gas', async () => {
    const code = '5b600056'
    const all = (await traceCall({ limit: 3 }, stage(code))) as {
      gas: number
      structLogs: unknown[]
    }
    expect(all.structLogs).toHaveLength(3)
    expect(all.gas).toBe(300_000)
  })

  it('are refused once they would be longer than an answer may be', async () => {
    const { error } = await ask(
      'debug_traceCall',
      [{ to: A, gas: '0x5f5e100' }, 'latest', { stateOverrides: stage('5b600056') }],
      { limits: { responseCharsMax: 10_000 } },
    )
    expect(error?.code).toBe(-32003)
  })
})

describe('callTracer', () => {
  it('nests calls, creations and destructions, with value, output and reasons', async () => {
    // Creates a contract that destroys itself in favour of B, then calls B, which reverts.
    const init = `${push(B)}ff`
    const size = (init.length / 2).toString(16)
    const put = `${push(`0x${init.padEnd(64, '0').slice(0, 64)}`)}600052${push(
      `0x${init.slice(64).padEnd(64, '0')}`,
    )}602052`
    const create = `60${size}60006003f050`
    const result = await traceCall(
      { tracer: 'callTracer' },
      stage(`${put}${create}${call(B)}5060006000f3`, REVERT),
    )
    expect(result).toEqual({
      type: 'CALL',
      from: SENDER,
      to: A,
      value: '0x1',
      gas: '0x493e0',
      gasUsed: COUNTED.gasUsed,
      input: '0x',
      calls: [
        {
          ...COUNTED,
          type: 'CREATE',
          from: A,
          to: expect.stringMatching(/^0x[0-9a-f]{40}$/),
          value: '0x3',
          input: `0x${init}`,
          calls: [
            {
              type: 'SELFDESTRUCT',
              from: expect.stringMatching(/^0x[0-9a-f]{40}$/),
              to: B,
              value: '0x3',
              gas: '0x0',
              gasUsed: '0x0',
              input: '0x',
            },
          ],
        },
        {
          ...COUNTED,
          type: 'CALL',
          from: A,
          to: B,
          value: '0x0',
          input: '0x',
          error: 'execution reverted',
        },
      ],
    })
  })

  it('withLog: tells the events that were not undone, and where among the calls they stand', async () => {
    const codeOfA = `${LOG}${call(B)}50${LOG}`
    const logs = async (codeOfB: string): Promise<unknown> => {
      const config = { tracer: 'callTracer', tracerConfig: { withLog: true } }
      const top = (await traceCall(config, stage(codeOfA, codeOfB))) as {
        logs: { index: string; position: string }[]
        calls: { logs?: { index: string }[] }[]
      }
      return {
        own: top.logs.map(({ index, position }) => `${index} at ${position}`),
        inner: top.calls[0]!.logs?.map(({ index }) => index),
      }
    }
    expect(await logs(LOG)).toEqual({ own: ['0x0 at 0x0', '0x2 at 0x1'], inner: ['0x1'] })
    expect(await logs(LOG + REVERT)).toEqual({
      own: ['0x0 at 0x0', '0x1 at 0x1'],
      inner: undefined,
    })
  })

  it('onlyTopCall: tells of no other', async () => {
    const config = { tracer: 'callTracer', tracerConfig: { onlyTopCall: true } }
    expect(await traceCall(config, stage(call(B)))).not.toHaveProperty('calls')
  })
})

describe('prestateTracer', () => {
  it('shows what the transaction touched, as it was before', async () => {
    const store = `${push('0x7')}${push('0x1')}55`
    const result = await traceCall({ tracer: 'prestateTracer' }, stage(`${store}${call(B, 5)}`))
    expect(result).toEqual({
      [SENDER]: { balance: '0xde0b6b3a7640000', nonce: 5 },
      [A]: {
        balance: '0x64',
        nonce: 1,
        code: expect.stringMatching(/^0x7f/),
        codeHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
        storage: { [`0x${'1'.padStart(64, '0')}`]: `0x${'0'.repeat(64)}` },
      },
      [B]: {
        balance: '0x0',
        code: '0x00',
        codeHash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      },
    })
  })

  it('diffMode: shows what it changed, before and after', async () => {
    const store = `${push('0x7')}${push('0x1')}55`
    const config = { tracer: 'prestateTracer', tracerConfig: { diffMode: true, disableCode: true } }
    const result = await traceCall(config, stage(`${store}${call(B, 5)}`))
    expect(result).toEqual({
      pre: {
        [SENDER]: { balance: '0xde0b6b3a7640000', nonce: 5 },
        [A]: { balance: '0x64', nonce: 1, codeHash: expect.anything() },
        [B]: { balance: '0x0', codeHash: expect.anything() },
      },
      post: {
        [SENDER]: { balance: '0xde0b6b3a763ffff', nonce: 6 },
        [A]: {
          balance: '0x60',
          storage: { [`0x${'1'.padStart(64, '0')}`]: `0x${'7'.padStart(64, '0')}` },
        },
        [B]: { balance: '0x5' },
      },
    })
  })
})

it('4byteTracer: counts functions by the size of their arguments', async () => {
  const withInput = `${push('0x11223344')}600052${'60006000600860186000'}${push(B)}61c350f1`
  const result = await traceCall({ tracer: '4byteTracer' }, stage(withInput))
  expect(result).toEqual({ '0x00000000-4': 1 })
})

it('noopTracer: tells nothing', async () => {
  expect(await traceCall({ tracer: 'noopTracer' }, stage(''))).toEqual({})
})

it.each([
  [{ tracer: '{step: function() {}}' }, 'tracer'],
  [{ timeout: 'soon' }, 'timeout'],
  [{ limit: -1 }, 'limit'],
])('refuses %j', async (config, field) => {
  const { error } = await ask('debug_traceBlockByNumber', ['0x1', config])
  expect(error?.code).toBe(-32602)
  expect(error?.message).toContain(field)
})

describe('time', () => {
  it('others have a turn between two transactions', async () => {
    let turns = 0
    let nowMs = 0
    const ports = {
      nowMs: () => (nowMs += 15),
      nextTurn: () => {
        turns++
        return Promise.resolve()
      },
    }
    const { result } = await ask('debug_traceBlockByNumber', ['0x1'], { ports })
    expect(result).toHaveLength(4)
    expect(turns).toBeGreaterThan(2)
  })

  it('a block that takes too long is given up', async () => {
    let nowMs = 0
    const ports = { nowMs: () => (nowMs += 15) }
    const limits = { traceBlockMsMax: 30 }
    const { error } = await ask('debug_traceBlockByNumber', ['0x1'], { ports, limits })
    expect(error?.code).toBe(-32005)
  })
})

it('a transaction of a later block runs on what those before it left', async () => {
  const file = join(COMPAT_FOLDER, 'main/tests/eth_getTransactionReceipt/get-setcode-tx.io')
  const [exchange] = readExchanges(file)
  const receipt = exchange!.expected.result as { transactionHash: string; gasUsed: string }
  const trace = await ask('debug_traceTransaction', [receipt.transactionHash])
  expect((trace.result as { gas: number }).gas).toBe(Number(receipt.gasUsed))
  const calls = await ask('debug_traceTransaction', [
    receipt.transactionHash,
    { tracer: 'callTracer' },
  ])
  expect((calls.result as { gasUsed: string }).gasUsed).toBe(receipt.gasUsed)
})
