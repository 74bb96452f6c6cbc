import { describe, expect, it } from 'vitest'
import type { Budget, Caller } from '../src/access.ts'
import { createDispatch, type Dispatch } from '../src/dispatch.ts'
import { RPC_LIMITS } from '../src/limits.ts'
import { method, subscriberMethod } from '../src/method.ts'
import { costOf, isHeavy } from '../src/method-cost.ts'
import { textBytes } from './compat-chain.ts'

const VOTE = 'qbft_proposeValidatorVote'
const NAMES = ['eth_chainId', 'eth_call', 'debug_traceCall', 'debug_getRawBlock', VOTE]

function setUp(options: { operatorMethods?: string[]; operatorCallers?: 'direct' } = {}): {
  dispatch: Dispatch
  /** Code of the error, or `undefined` for a result. */
  codeOf: (method: string, caller?: Caller) => Promise<number | undefined>
} {
  let nowMs = 0
  const dispatch = createDispatch({
    methods: [
      ...NAMES.map((name) => method(name, [], () => 'true')),
      method('eth_slow', [], () => {
        nowMs += 100
        return 'true'
      }),
      subscriberMethod('eth_subscribe', [], () => '"0x1"'),
    ],
    limits: RPC_LIMITS,
    ports: {
      nowMs: () => nowMs,
      nextTurn: () => Promise.resolve(),
      setTimer: () => () => {},
      onInternalError: () => {},
    },
    ...options,
  })
  const codeOf = async (name: string, caller?: Caller): Promise<number | undefined> => {
    const body = textBytes(JSON.stringify({ jsonrpc: '2.0', id: 1, method: name }))
    const answer = JSON.parse(await dispatch(body, caller)) as { error?: { code: number } }
    return answer.error?.code
  }
  return { dispatch, codeOf }
}

/** A budget with so many tokens, which never come back. */
function budgetOf(tokens: number): Budget & { left(): number } {
  let left = tokens
  return {
    hasLeft: () => left > 0,
    take: (count) => {
      left -= count
    },
    waitMs: () => 700,
    left: () => left,
  }
}

describe('guarded methods', () => {
  const token = (...grants: string[]): Caller => ({ grants: new Set(grants) })
  it.each<[string, Parameters<typeof setUp>[0], Caller, Record<string, number | undefined>]>([
    ['are closed to who has no token', {}, {}, { debug_traceCall: -32604, [VOTE]: -32604 }],
    ['leave open methods open', {}, {}, { eth_chainId: undefined }],
    [
      'are open as far as the operator says',
      { operatorMethods: ['debug_traceCall', VOTE] },
      {},
      { debug_traceCall: undefined, debug_getRawBlock: -32604, [VOTE]: undefined },
    ],
    [
      'are open by their namespace',
      { operatorMethods: ['debug'] },
      {},
      { debug_getRawBlock: undefined, [VOTE]: -32604 },
    ],
    [
      'are closed to who comes through a proxy, where only direct callers are meant',
      { operatorMethods: ['debug'], operatorCallers: 'direct' },
      { isForwarded: true },
      { debug_traceCall: -32604, eth_chainId: undefined },
    ],
    [
      'are open to direct callers there',
      { operatorMethods: ['debug'], operatorCallers: 'direct' },
      { isForwarded: false },
      { debug_traceCall: undefined },
    ],
    [
      'are open to a token that names them or their namespace',
      {},
      token(VOTE, 'debug'),
      { [VOTE]: undefined, debug_traceCall: undefined, eth_call: undefined },
    ],
    [
      'are closed to a token that does not',
      {},
      token('debug_traceCall'),
      { debug_getRawBlock: -40100, [VOTE]: -40100, eth_call: undefined },
    ],
    ['are open to a token for everything', {}, token('*'), { [VOTE]: undefined }],
    [
      'are as all methods to a caller that is bound to its token',
      {},
      { ...token('eth_chainId', 'debug'), isBoundToGrants: true },
      { eth_chainId: undefined, debug_traceCall: undefined, eth_call: -40100 },
    ],
  ])('%s', async (_, options, caller, expected) => {
    const { codeOf } = setUp(options)
    for (const [name, code] of Object.entries(expected)) {
      expect([name, await codeOf(name, caller)]).toEqual([name, code])
    }
  })

  it('tell nothing of parameters to who may not call them', async () => {
    const body = textBytes('{"jsonrpc":"2.0","id":1,"method":"debug_traceCall","params":[1,2,3]}')
    expect(JSON.parse(await setUp().dispatch(body))).toMatchObject({ error: { code: -32604 } })
  })
})

describe('budgets', () => {
  it('pay for each call what it costs, and for the time that it takes', async () => {
    const { codeOf } = setUp()
    const budget = budgetOf(1_000)
    await codeOf('eth_chainId', { budget })
    await codeOf('eth_call', { budget })
    await codeOf('eth_unknown', { budget })
    expect(budget.left()).toBeCloseTo(1_000 - 1 - 5 - 1, 1)
    await codeOf('eth_slow', { budget })
    expect(budget.left()).toBeCloseTo(1_000 - 1 - 5 - 1 - 1 - 100 / RPC_LIMITS.msPerToken, 1)
  })

  it.each([
    ['no JSON', '{', 1],
    ['not UTF-8', '\xff', 1],
    ['not a request', '7', 1],
    ['a batch of what are no requests', '[1,2,3]', 3],
    ['a long text', `"${'x'.repeat(1_000_000)}"`, 1 + 1_000_002 / 65_536],
  ])('pay for %s', async (_, text, cost) => {
    const budget = budgetOf(1_000)
    await setUp().dispatch(Buffer.from(text, 'latin1'), { budget })
    expect(1_000 - budget.left()).toBeCloseTo(cost, 1)
  })

  it('refuse calls once they are spent, in a batch as well', async () => {
    const { dispatch } = setUp()
    const calls = [1, 2, 3].map((id) => ({ jsonrpc: '2.0', id, method: 'eth_call' }))
    const caller = { budget: budgetOf(6) }
    expect(JSON.parse(await dispatch(textBytes(JSON.stringify(calls)), caller))).toEqual([
      { jsonrpc: '2.0', id: 1, result: true },
      { jsonrpc: '2.0', id: 2, result: true },
      {
        jsonrpc: '2.0',
        id: 3,
        error: { code: -32005, message: 'rate limit exceeded, try again in 700 ms' },
      },
    ])
  })

  it('are not used for what is refused for want of them', async () => {
    const budget = budgetOf(0)
    expect(await setUp().codeOf('eth_call', { budget })).toBe(-32005)
    expect(budget.left()).toBeCloseTo(0, 1)
  })
})

describe('costOf', () => {
  it('is 1 for what reads a row, more for what may read many or runs code', () => {
    expect([costOf('eth_chainId'), costOf('nothing'), costOf('')]).toEqual([1, 1, 1])
    expect(costOf('eth_getLogs')).toBeGreaterThan(costOf('eth_call'))
    expect(costOf('debug_traceBlockByNumber')).toBeGreaterThan(costOf('eth_call'))
    expect([isHeavy(costOf('eth_call')), isHeavy(costOf('eth_getBalance'))]).toEqual([true, false])
  })
})

it('a method of connections is not there for who cannot be notified', async () => {
  const line = { send: () => {}, onClose: () => {}, cut: () => {} }
  const { codeOf } = setUp()
  expect(await codeOf('eth_subscribe')).toBe(-32601)
  expect(
    await codeOf('eth_subscribe', { subscriber: { line, onAnswered: () => {} } }),
  ).toBeUndefined()
})
