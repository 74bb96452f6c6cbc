import { existsSync, readFileSync } from 'node:fs'
import type { Address, Hash } from '@vellum/evm'
import { encodeExtraData, type SealedHeader } from '@vellum/ledger'
import { describe, expect, it } from 'vitest'
import {
  type AnsweredCall,
  type Backend,
  type ConsensusPort,
  type ConsensusStatus,
  createRpc,
  OPERATOR_METHODS,
  type ValidatorVote,
} from '../src/index.ts'
import { testPorts, textBytes } from './compat-chain.ts'

const SHAPES = '../shared/conformance/qbft/vectors/qbft-rpc-shapes.json'

const at = (digit: number): Address => `0x${String(digit).repeat(40)}`
const [A, B, C, D] = [at(1), at(2), at(3), at(4)]
const SET = [A, B, C]
const hashOf = (number: number): Hash => `0x${number.toString(16).padStart(64, '0')}`

/** A header of block `number`, proposed in turns. */
function header(number: number): SealedHeader {
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: SET,
    vote: undefined,
    round: 0,
    seals: [],
  })
  const coinbase = number === 0 ? at(0) : SET[number % 3]!
  return { header: { number, coinbase, extraData }, hash: hashOf(number) } as SealedHeader
}

interface Client {
  answer(method: string, ...params: unknown[]): Promise<Record<string, unknown>>
  ask(method: string, ...params: unknown[]): Promise<unknown>
  readonly proposed: ValidatorVote[]
  readonly calls: AnsweredCall[]
}

/** A chain of so many blocks; the set after its head has `D`, too. */
function client(
  options: {
    readonly height?: number
    readonly operatorMethods?: readonly string[]
    readonly isQbft?: boolean
  } = {},
): Client {
  const height = options.height ?? 300
  const pending = new Map<Address, 'add' | 'drop'>()
  const proposed: ValidatorVote[] = []
  const calls: AnsweredCall[] = []
  const consensus: ConsensusPort = {
    requestTimeoutMs: 2_000,
    validatorsAfter: (number) => (number === height ? [...SET, D] : SET),
    propose: (vote) => {
      proposed.push(vote)
      if (vote.subject === at(9) && !vote.isForced) return { ok: false, reason: 'not live' }
      pending.set(vote.subject, vote.kind)
      return { ok: true }
    },
    discard: (subject) => pending.delete(subject),
    pending: () => pending,
    status: () => ({ step: 'waiting for work', height: height + 1 }) as ConsensusStatus,
  }
  const backend = {
    node: { chainId: 1n },
    chain: {
      head: () => header(height),
      header: (number: number) => (number <= height ? header(number) : undefined),
      numberOf: (hash: Hash) => (BigInt(hash) <= height ? Number(BigInt(hash)) : undefined),
    },
    pool: {},
    simulator: {},
    ...((options.isQbft ?? true) && { consensus }),
  } as unknown as Backend
  const ports = { ...testPorts(), onAnswered: (call: AnsweredCall) => void calls.push(call) }
  const dispatch = createRpc({
    backend,
    ports,
    operatorMethods: options.operatorMethods ?? OPERATOR_METHODS,
  })
  const answer = async (method: string, ...params: unknown[]): Promise<Record<string, unknown>> =>
    JSON.parse(await dispatch(textBytes(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))))
  return {
    answer,
    ask: async (method, ...params) => {
      const { error, result } = await answer(method, ...params)
      expect(error).toBeUndefined()
      return result
    },
    proposed,
    calls,
  }
}

describe('qbft_getValidatorsByBlockNumber', () => {
  it('answers the set of the block, and for pending that of the next', async () => {
    const { ask } = client()
    const method = 'qbft_getValidatorsByBlockNumber'
    for (const block of ['latest', 'earliest', 'finalized', 'safe', '0x5', '12']) {
      expect(await ask(method, block)).toEqual(SET)
    }
    expect(await ask(method, 'pending')).toEqual([...SET, D])
  })

  it('answers null above the head, and refuses what is no block', async () => {
    const { ask, answer } = client({ height: 3 })
    expect(await ask('qbft_getValidatorsByBlockNumber', '0x4')).toBeNull()
    for (const params of [[], ['0x01'], ['later'], [4], ['-1']]) {
      expect(await answer('qbft_getValidatorsByBlockNumber', ...params)).toMatchObject({
        error: { code: -32602 },
      })
    }
  })
})

it('qbft_getValidatorsByBlockHash answers the set of the block, null for an unknown one', async () => {
  const { ask } = client()
  expect(await ask('qbft_getValidatorsByBlockHash', hashOf(7))).toEqual(SET)
  expect(await ask('qbft_getValidatorsByBlockHash', hashOf(999))).toBeNull()
})

describe('qbft_getSignerMetrics', () => {
  it('counts who proposed from a block up to, not including, another', async () => {
    const { ask } = client()
    expect(await ask('qbft_getSignerMetrics', '1', '100')).toEqual([
      { address: A, proposedBlockCount: '0x21', lastProposedBlockNumber: '0x63' },
      { address: B, proposedBlockCount: '0x21', lastProposedBlockNumber: '0x61' },
      { address: C, proposedBlockCount: '0x21', lastProposedBlockNumber: '0x62' },
    ])
  })

  it('looks at a hundred blocks before the head without a range', async () => {
    const { ask } = client()
    const metrics = (await ask('qbft_getSignerMetrics')) as { proposedBlockCount: string }[]
    const counts = metrics.map(({ proposedBlockCount }) => Number(proposedBlockCount))
    expect(counts.reduce((sum, each) => sum + each)).toBe(100)
    expect(await ask('qbft_getSignerMetrics', '0xc8', 'latest')).toEqual(metrics)
  })

  it('names validators that proposed nothing, and not the maker of the genesis block', async () => {
    expect(await client({ height: 2 }).ask('qbft_getSignerMetrics', 'earliest', '0x2')).toEqual([
      { address: A, proposedBlockCount: '0x0', lastProposedBlockNumber: '0x0' },
      { address: B, proposedBlockCount: '0x1', lastProposedBlockNumber: '0x1' },
      { address: C, proposedBlockCount: '0x0', lastProposedBlockNumber: '0x0' },
    ])
    const fresh = (await client({ height: 0 }).ask('qbft_getSignerMetrics')) as unknown[]
    expect(fresh).toHaveLength(4)
  })

  it('ends at the head whatever is asked for', async () => {
    const { ask } = client({ height: 10 })
    expect(await ask('qbft_getSignerMetrics', '0x1', '0xffffff')).toEqual(
      await ask('qbft_getSignerMetrics', '0x1', 'latest'),
    )
  })

  it('takes earliest and pending for the first block and the head', async () => {
    const { ask } = client({ height: 20 })
    const all = await ask('qbft_getSignerMetrics', '0x0', 'latest')
    expect(await ask('qbft_getSignerMetrics', 'earliest', 'pending')).toEqual(all)
  })

  it('refuses bounds that are no blocks', async () => {
    const { answer } = client()
    for (const params of [
      ['later', '0x5'],
      ['0x1', 'later'],
      ['-1', '0x5'],
      ['0x1', 5],
    ]) {
      expect(await answer('qbft_getSignerMetrics', ...params)).toMatchObject({
        error: { code: -32602 },
      })
    }
  })

  it('refuses an empty range and one that is too long', async () => {
    const { answer } = client({ height: 5_000 })
    expect(await answer('qbft_getSignerMetrics', '0x5', '0x5')).toMatchObject({
      error: { code: -32602 },
    })
    expect(await answer('qbft_getSignerMetrics', '0x9999', 'latest')).toMatchObject({
      error: { code: -32602 },
    })
    expect(await answer('qbft_getSignerMetrics', '0x0', '0x3e9')).toMatchObject({
      error: { code: -32005 },
    })
  })
})

it('qbft_getRequestTimeoutSeconds is a plain number', async () => {
  expect(await client().ask('qbft_getRequestTimeoutSeconds')).toBe(2)
})

describe('votes', () => {
  it('are proposed, shown and discarded', async () => {
    const { ask, proposed } = client()
    expect(await ask('qbft_getPendingVotes')).toEqual({})
    expect(await ask('qbft_proposeValidatorVote', D, true)).toBe(true)
    expect(await ask('qbft_proposeValidatorVote', A.slice(2), false)).toBe(true)
    expect(await ask('qbft_getPendingVotes')).toEqual({ [D]: true, [A]: false })
    expect(await ask('qbft_discardValidatorVote', D)).toBe(true)
    expect(await ask('qbft_discardValidatorVote', D)).toBe(true)
    expect(await ask('qbft_getPendingVotes')).toEqual({ [A]: false })
    expect(proposed).toEqual([
      { subject: D, kind: 'add', isForced: false },
      { subject: A, kind: 'drop', isForced: false },
    ])
  })

  it('that the node refuses say why, and are cast if the third parameter insists', async () => {
    const { answer, ask } = client()
    expect(await answer('qbft_proposeValidatorVote', at(9), true)).toMatchObject({
      error: { code: -32000, message: 'vote refused: not live' },
    })
    expect(await ask('qbft_getPendingVotes')).toEqual({})
    expect(await ask('qbft_proposeValidatorVote', at(9), true, true)).toBe(true)
  })

  it('need an address and a choice', async () => {
    const { answer, proposed } = client()
    for (const params of [[], [A], ['0x12', true], [A, 'true'], [A, true, 1], [A, true, true, 1]]) {
      expect(await answer('qbft_proposeValidatorVote', ...params)).toMatchObject({
        error: { code: -32602 },
      })
    }
    expect(proposed).toEqual([])
  })

  it('are discarded by an address and nothing else', async () => {
    const { answer } = client()
    for (const params of [[], ['0x12'], ['validator'], [true], [A, true]]) {
      expect(await answer('qbft_discardValidatorVote', ...params)).toMatchObject({
        error: { code: -32602 },
      })
    }
  })

  it('are not taken where the server does not name the methods; reading goes on', async () => {
    const { answer, ask, proposed } = client({ operatorMethods: [] })
    for (const [method, ...params] of [
      ['qbft_proposeValidatorVote', A, true],
      ['qbft_discardValidatorVote', A],
    ] as const) {
      expect(await answer(method, ...params)).toMatchObject({
        error: { code: -32604, message: 'Method not enabled' },
      })
    }
    expect(proposed).toEqual([])
    expect(await ask('qbft_getPendingVotes')).toEqual({})
  })
})

it('vellum_consensusStatus is what the node finds', async () => {
  expect(await client({ height: 8 }).ask('vellum_consensusStatus')).toEqual({
    step: 'waiting for work',
    height: 9,
  })
})

it('a chain without QBFT knows none of these methods', async () => {
  const { answer, ask } = client({ isQbft: false })
  for (const method of ['qbft_getPendingVotes', 'vellum_consensusStatus', ...OPERATOR_METHODS]) {
    expect(await answer(method)).toMatchObject({ error: { code: -32601 } })
  }
  expect(Object.keys((await ask('rpc_modules')) as object)).not.toContain('qbft')
})

it('each answered call is told, by names that clients cannot make up', async () => {
  const { answer, calls } = client()
  await answer('qbft_getPendingVotes')
  await answer('qbft_getValidatorsByBlockNumber')
  await answer('made_up')
  expect(calls).toEqual([
    { method: 'qbft_getPendingVotes', durationMs: 0, code: undefined },
    { method: 'qbft_getValidatorsByBlockNumber', durationMs: 0, code: -32602 },
    { method: 'unknown', durationMs: 0, code: -32601 },
  ])
})

interface ShapeCase {
  readonly method: string
  readonly request: { readonly params: readonly unknown[] }
  readonly response: { readonly result: unknown }
}

describe.skipIf(!existsSync(SHAPES))('requests and answers as Besu documents them', () => {
  const { cases } = existsSync(SHAPES)
    ? (JSON.parse(readFileSync(SHAPES, 'utf8')) as { cases: ShapeCase[] })
    : { cases: [] }

  it.each(cases)('$method', async ({ method, request, response }) => {
    const { answer, ask } = client()
    await ask('qbft_proposeValidatorVote', A, true)
    // Their block is not in our chain.
    const params =
      method === 'qbft_getValidatorsByBlockHash' ? [hashOf(1)] : (request.params as unknown[])
    const answered = await answer(method, ...params)
    expect(answered).toMatchObject({ jsonrpc: '2.0', id: 1 })
    expect(shapeOf(answered.result)).toEqual(shapeOf(response.result))
  })
})

/** The value with kinds in the place of leaves; of a list its first item, of a map its first entry. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return [shapeOf(value[0])]
  if (typeof value === 'string') return /^0x[0-9a-f]{40}$/.test(value) ? 'address' : 'quantity'
  if (typeof value !== 'object' || value === null) return typeof value
  const entries = Object.entries(value)
  const isMap = entries.every(([key]) => key.startsWith('0x'))
  return isMap
    ? { address: shapeOf(entries[0]?.[1]) }
    : Object.fromEntries(entries.map(([key, each]) => [key, shapeOf(each)]))
}
