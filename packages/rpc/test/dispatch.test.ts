import { LedgerError } from '@vellum/ledger'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createDispatch, type Dispatch } from '../src/dispatch.ts'
import { RpcError } from '../src/error.ts'
import { readJson } from '../src/json.ts'
import { RPC_LIMITS, type RpcLimits } from '../src/limits.ts'
import { type Method, method } from '../src/method.ts'
import { optional, parseAddress, parseUint64, required } from '../src/parse.ts'
import { textBytes } from './compat-chain.ts'

const ADDRESS = '0x00000000000000000000000000000000000000aa'

function setUp(limits: Partial<RpcLimits> = {}): {
  dispatch: Dispatch
  ask: (body: unknown) => Promise<unknown>
  failures: { error: unknown; method: string }[]
  turns: () => number
} {
  const failures: { error: unknown; method: string }[] = []
  let nowMs = 0
  let turns = 0
  const methods: Method[] = [
    method('test_none', [], () => '"none"'),
    method('test_echo', [required(parseAddress), optional(parseUint64)], (address, number) => {
      return JSON.stringify([address, String(number)])
    }),
    method('test_later', [], () => Promise.resolve('"later"')),
    method('test_long', [required(parseUint64)], (size) => `"${'x'.repeat(Number(size))}"`),
    method('test_slow', [], () => {
      nowMs += 15
      return 'true'
    }),
    method('test_refuse', [], () => {
      throw new LedgerError('LEDGER_NONCE_TOO_LOW', 'words for the log', {
        found: 1n,
        expected: 2n,
      })
    }),
    method('test_revert', [], () =>
      Promise.reject(new RpcError(3, 'execution reverted', '"0x01"')),
    ),
    method('test_mistake', [], () => {
      throw new TypeError('secret /path/of/ours')
    }),
    method('test_damage', [], () => {
      throw new LedgerError('LEDGER_STORE_DAMAGED', 'secret row')
    }),
  ]
  const dispatch = createDispatch({
    methods,
    limits: { ...RPC_LIMITS, ...limits },
    ports: {
      nowMs: () => nowMs,
      nextTurn: () => {
        turns++
        return Promise.resolve()
      },
      onInternalError: (error, name) => failures.push({ error, method: name }),
      setTimer: () => () => {},
    },
  })
  const ask = async (body: unknown): Promise<unknown> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    const answer = await dispatch(textBytes(text))
    return answer === '' ? undefined : JSON.parse(answer)
  }
  return { dispatch, ask, failures, turns: () => turns }
}

const call = (name: string, params?: unknown, id: unknown = 1): object => ({
  jsonrpc: '2.0',
  id,
  method: name,
  params,
})
const failure = (code: number, id: unknown = 1): object => ({
  jsonrpc: '2.0',
  id,
  error: expect.objectContaining({ code }),
})

describe('dispatch: single requests', () => {
  it.each([
    { name: 'calls a method', body: call('test_none'), result: 'none' },
    { name: 'takes null for no parameters', body: call('test_none', null), result: 'none' },
    {
      name: 'leaves out what is optional',
      body: call('test_echo', [ADDRESS]),
      result: [ADDRESS, 'undefined'],
    },
    {
      name: 'takes null for what is optional',
      body: call('test_echo', [ADDRESS, null]),
      result: [ADDRESS, 'undefined'],
    },
    {
      name: 'parses each parameter',
      body: call('test_echo', [ADDRESS.toUpperCase().replace('X', 'x'), '0x10']),
      result: [ADDRESS, '16'],
    },
    { name: 'waits for what comes later', body: call('test_later'), result: 'later' },
  ])('$name', async ({ body, result }) => {
    expect(await setUp().ask(body)).toEqual({ jsonrpc: '2.0', id: 1, result })
  })

  it('answers a synchronous method without a turn of the event loop', () => {
    const answer = setUp().dispatch(textBytes(JSON.stringify(call('test_none'))))
    expect(answer).toBe('{"jsonrpc":"2.0","id":1,"result":"none"}')
  })

  it.each([0, 1, -7, 1.5, 1e21, '', 'a"b\\c\n', 'é', null])('echoes the id %j', async (id) => {
    expect(await setUp().ask(call('test_none', [], id))).toEqual({
      jsonrpc: '2.0',
      id,
      result: 'none',
    })
  })

  it.each([
    { name: 'no JSON', body: '{"jsonrpc":', expected: failure(-32700, null) },
    { name: 'nothing at all', body: '', expected: failure(-32700, null) },
    { name: 'a number', body: '17', expected: failure(-32600, null) },
    { name: 'null', body: 'null', expected: failure(-32600, null) },
    { name: 'no version', body: { id: 1, method: 'test_none' }, expected: failure(-32600) },
    {
      name: 'version 1',
      body: { jsonrpc: '1.0', id: 1, method: 'test_none' },
      expected: failure(-32600),
    },
    { name: 'no method', body: { jsonrpc: '2.0', id: 1 }, expected: failure(-32600) },
    { name: 'a method that is no name', body: call(7 as never), expected: failure(-32600) },
    {
      name: 'an id that is an object',
      body: call('test_none', [], {}),
      expected: failure(-32600, null),
    },
    {
      name: 'an id that is true',
      body: call('test_none', [], true),
      expected: failure(-32600, null),
    },
    {
      name: 'an id beyond all numbers',
      body: '{"jsonrpc":"2.0","id":1e999,"method":"test_none"}',
      expected: failure(-32600, null),
    },
    { name: 'an unknown method', body: call('test_missing'), expected: failure(-32601) },
    { name: 'a name of every object', body: call('constructor'), expected: failure(-32601) },
    { name: 'parameters by name', body: call('test_none', {}), expected: failure(-32602) },
    { name: 'too many parameters', body: call('test_none', [1]), expected: failure(-32602) },
    { name: 'too few parameters', body: call('test_echo', []), expected: failure(-32602) },
    { name: 'a wrong parameter', body: call('test_echo', ['0x1']), expected: failure(-32602) },
    { name: 'a refusal', body: call('test_refuse'), expected: failure(-32000) },
    {
      name: 'a revert',
      body: call('test_revert'),
      expected: {
        jsonrpc: '2.0',
        id: 1,
        error: { code: 3, message: 'execution reverted', data: '0x01' },
      },
    },
    { name: 'a mistake of ours', body: call('test_mistake'), expected: failure(-32603) },
    { name: 'a damaged store', body: call('test_damage'), expected: failure(-32603) },
    {
      name: 'a name twice',
      body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"test_none"}',
      expected: failure(-32600, null),
    },
    {
      name: 'a name twice, once in escapes',
      body: '{"jsonrpc":"2.0","id":1,"\\u0069d":2,"method":"test_none"}',
      expected: failure(-32600, null),
    },
  ])('refuses $name', async ({ body, expected }) => {
    expect(await setUp().ask(body)).toEqual(expected)
  })

  it('refuses bytes that are not UTF-8', async () => {
    const { dispatch } = setUp()
    const body = textBytes(JSON.stringify(call('test_none')))
    body[20] = 0xff
    expect(JSON.parse(await dispatch(body))).toEqual(failure(-32700, null))
  })

  it('says nothing of a mistake of ours to the client, and everything to the node', async () => {
    const { dispatch, failures } = setUp()
    const answer = await dispatch(textBytes(JSON.stringify(call('test_mistake'))))
    expect(answer).not.toContain('secret')
    expect(failures).toEqual([{ error: expect.any(TypeError), method: 'test_mistake' }])
  })

  it('tells facts of a refusal in its own words', async () => {
    const answer = await setUp().dispatch(textBytes(JSON.stringify(call('test_refuse'))))
    expect(answer).toContain('nonce too low: found 1, expected 2')
    expect(answer).not.toContain('words for the log')
  })

  it.each([
    call('test_none', [], undefined),
    call('test_missing', [], undefined),
    call('test_echo', ['0x'], undefined),
    call('test_mistake', [], undefined),
    call('test_later', [], undefined),
  ])('does not answer the notification %j', async (body) => {
    expect(await setUp().ask({ ...body, id: undefined })).toBeUndefined()
  })
})

describe('dispatch: batches', () => {
  it('answers each request but notifications, in order', async () => {
    const body = [
      call('test_later', [], 'a'),
      { jsonrpc: '2.0', method: 'test_none' },
      call('test_none', [], 'b'),
      7,
      call('test_missing', [], 'c'),
    ]
    expect(await setUp().ask(body)).toEqual([
      { jsonrpc: '2.0', id: 'a', result: 'later' },
      { jsonrpc: '2.0', id: 'b', result: 'none' },
      failure(-32600, null),
      failure(-32601, 'c'),
    ])
  })

  it('refuses an empty one', async () => {
    expect(await setUp().ask([])).toEqual(failure(-32600, null))
  })

  it('does not answer one of notifications only', async () => {
    expect(await setUp().ask([{ jsonrpc: '2.0', method: 'test_none' }])).toBeUndefined()
  })

  it('gives others a turn when its own has lasted long', async () => {
    const { ask, turns } = setUp({ turnMsMax: 20 })
    await ask(Array.from({ length: 6 }, () => call('test_slow')))
    expect(turns()).toBe(3)
  })
})

describe('dispatch: limits', () => {
  it('takes a body of the limit and refuses a longer one', async () => {
    const body = JSON.stringify(call('test_none'))
    const { ask } = setUp({ bodyBytesMax: body.length })
    expect(await ask(body)).toHaveProperty('result')
    expect(await ask(`${body} `)).toEqual(failure(-32600, null))
  })

  it('takes a batch of the limit and refuses a longer one', async () => {
    const { ask } = setUp({ batchItemsMax: 3 })
    const batch = [1, 2, 3].map((id) => call('test_none', [], id))
    expect(await ask(batch)).toHaveLength(3)
    expect(await ask([...batch, call('test_none')])).toEqual(failure(-32005, null))
  })

  it('takes nesting of the limit and refuses deeper', async () => {
    const { ask } = setUp({ depthMax: 4 })
    const nested = (depth: number): string =>
      `{"jsonrpc":"2.0","id":1,"method":"test_none","extra":${'['.repeat(depth)}${']'.repeat(depth)}}`
    expect(await ask(nested(3))).toHaveProperty('result')
    expect(await ask(nested(4))).toEqual(failure(-32600, null))
    expect(await ask('['.repeat(500_000) + ']'.repeat(500_000))).toEqual(failure(-32600, null))
  })

  it('refuses an answer that is too long, of a request and of a batch', async () => {
    const { ask } = setUp({ responseCharsMax: 1_000 })
    expect(await ask(call('test_long', ['0x320']))).toHaveProperty('result')
    expect(await ask(call('test_long', ['0x3e8']))).toEqual(failure(-32003))
    const batch = [1, 2, 3].map((id) => call('test_long', ['0x190'], id))
    expect(await ask(batch)).toEqual([
      expect.objectContaining({ id: 1, result: expect.any(String) }),
      expect.objectContaining({ id: 2, result: expect.any(String) }),
      failure(-32003, 3),
    ])
  })

  it('waits for no more requests of a batch at a time than it may', async () => {
    const { ask } = setUp({ batchWaitingMax: 2 })
    const batch = Array.from({ length: 5 }, (_, id) => call('test_later', [], id))
    expect(await ask(batch)).toHaveLength(5)
  })
})

describe('readJson', () => {
  const options = { maxDepth: 6 }

  it('gives what JSON.parse gives for any value', () => {
    fc.assert(
      fc.property(fc.json(options), (text) => {
        expect(readJson(text, 32)).toEqual({ ok: true, value: JSON.parse(text) })
      }),
    )
  })

  it('finds a name that stands twice, wherever and however it is written', () => {
    fc.assert(
      fc.property(fc.string(), fc.json(options), fc.json(options), (name, one, two) => {
        const key = JSON.stringify(name)
        const escaped = `"${Array.from(
          { length: name.length },
          (_, i) => `\\u${name.charCodeAt(i).toString(16).padStart(4, '0')}`,
        ).join('')}"`
        for (const second of [key, escaped]) {
          const text = `[{${key}:${one},"\\"other\\\\":1,${second}:${two}}]`
          expect(readJson(text, 32)).toEqual({ ok: false, fault: 'duplicateKey' })
        }
      }),
    )
  })

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]:,"\\0e-tn ') }), (text) => {
        expect(typeof readJson(text, 4).ok).toBe('boolean')
      }),
      { numRuns: 2_000 },
    )
  })
})
