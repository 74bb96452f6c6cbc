import { describe, expect, it } from 'vitest'
import type { AdminPort, Backend, ChainFacts, ChainsPort, NewChain } from '../src/backend.ts'
import { createDispatch, type Dispatch } from '../src/dispatch.ts'
import { RPC_LIMITS } from '../src/limits.ts'
import { adminMethods } from '../src/methods/admin.ts'

const SIDE: ChainFacts = {
  name: 'fishing',
  state: 'serving',
  reason: undefined,
  chainId: 133_701n,
  genesisHash: `0x${'ab'.repeat(32)}`,
  height: 7,
  isValidator: true,
}
const SIDE_JSON = {
  name: 'fishing',
  path: '/chain/fishing',
  state: 'serving',
  reason: null,
  chainId: '0x20a45',
  genesis: `0x${'ab'.repeat(32)}`,
  height: '0x7',
  isValidator: true,
}

/** @param asked is told of what the node is asked to do */
function dispatchOver(chains: ChainsPort | undefined, operatorMethods = ['admin']): Dispatch {
  const admin = { chains } as AdminPort
  return createDispatch({
    methods: adminMethods({} as Backend, admin),
    limits: RPC_LIMITS,
    ports: {
      nowMs: () => 0,
      nextTurn: () => Promise.resolve(),
      setTimer: () => () => {},
      onInternalError: (error) => {
        throw error
      },
    },
    operatorMethods,
  })
}

function portOf(asked: unknown[], reason?: string): ChainsPort {
  return {
    all: () => [
      SIDE,
      { ...SIDE, name: 'old', state: 'failed', reason: 'its disk', height: undefined },
    ],
    add: async (chain: NewChain) => {
      asked.push(chain)
      return reason === undefined ? { ok: true, value: SIDE } : { ok: false, reason }
    },
    remove: async (name, discard) => {
      asked.push([name, discard])
      return reason === undefined ? { ok: true, value: undefined } : { ok: false, reason }
    },
  }
}

async function ask(dispatch: Dispatch, method: string, ...params: unknown[]): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const answer = JSON.parse(await dispatch(new TextEncoder().encode(body))) as {
    result?: unknown
    error?: unknown
  }
  return answer.error ?? answer.result
}

describe('chains of the process', () => {
  it('are told of, with why one failed', async () => {
    expect(await ask(dispatchOver(portOf([])), 'admin_chains')).toEqual([
      SIDE_JSON,
      {
        ...SIDE_JSON,
        name: 'old',
        path: '/chain/old',
        state: 'failed',
        reason: 'its disk',
        height: null,
      },
    ])
  })

  it('are added with a genesis and places of peers, or by name alone', async () => {
    const asked: unknown[] = []
    const dispatch = dispatchOver(portOf(asked))
    const genesis = { config: { chainId: 1 }, alloc: {} }
    const chain = { name: 'fishing', genesis, bootnodes: ['/ip4/192.0.2.1/tcp/1/p2p/x'] }
    expect(await ask(dispatch, 'admin_addChain', chain)).toEqual(SIDE_JSON)
    expect(await ask(dispatch, 'admin_addChain', { name: 'fishing' })).toEqual(SIDE_JSON)
    expect(asked).toEqual([chain, { name: 'fishing', genesis: undefined, bootnodes: [] }])
  })

  it('are removed, and their data only if that is said', async () => {
    const asked: unknown[] = []
    const dispatch = dispatchOver(portOf(asked))
    expect(await ask(dispatch, 'admin_removeChain', 'fishing')).toBe(true)
    expect(await ask(dispatch, 'admin_removeChain', 'fishing', true)).toBe(true)
    expect(asked).toEqual([
      ['fishing', false],
      ['fishing', true],
    ])
  })

  it('tell why the node does not want to', async () => {
    const dispatch = dispatchOver(portOf([], 'a chain fishing is served already'))
    const refused = { code: -32_000, message: 'a chain fishing is served already' }
    expect(await ask(dispatch, 'admin_addChain', { name: 'fishing' })).toEqual(refused)
    expect(await ask(dispatch, 'admin_removeChain', 'fishing')).toEqual(refused)
  })

  it.each([
    ['admin_addChain', []],
    ['admin_addChain', ['fishing']],
    ['admin_addChain', [{}]],
    ['admin_addChain', [{ name: 7 }]],
    ['admin_addChain', [{ name: 'x'.repeat(1_025) }]],
    ['admin_addChain', [{ name: 'fishing', genesis: '{}' }]],
    ['admin_addChain', [{ name: 'fishing', bootnodes: 'x' }]],
    ['admin_addChain', [{ name: 'fishing', bootnodes: Array(65).fill('x') }]],
    ['admin_removeChain', []],
    ['admin_removeChain', [['fishing']]],
    ['admin_removeChain', ['fishing', 1]],
  ])('%s refuses %j before the node is asked', async (method, params) => {
    const asked: unknown[] = []
    expect(await ask(dispatchOver(portOf(asked)), method, ...params)).toMatchObject({
      code: -32_602,
    })
    expect(asked).toEqual([])
  })

  it('are for operators alone, and nowhere where there is one chain for ever', async () => {
    const asked: unknown[] = []
    const closed = dispatchOver(portOf(asked), [])
    for (const method of ['admin_chains', 'admin_addChain', 'admin_removeChain']) {
      expect(await ask(closed, method, { name: 'x' })).toMatchObject({ code: -32_604 })
      expect(await ask(dispatchOver(undefined), method)).toMatchObject({ code: -32_601 })
    }
    expect(asked).toEqual([])
  })
})
