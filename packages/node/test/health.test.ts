import type { Address } from '@vellum/evm'
import { describe, expect, it } from 'vitest'
import { type ReadinessFacts, readiness } from '../src/health.ts'
import { startMetricsServer } from '../src/host/metrics-server.ts'

const at = (digit: number): Address => `0x${String(digit).repeat(40)}`
const VALIDATORS = [at(1), at(2), at(3), at(4)]

/** A validator of four with all others connected. */
function facts(fields: Partial<ReadinessFacts> = {}): ReadinessFacts {
  return {
    hasFailed: false,
    isForked: false,
    behind: 0,
    validators: VALIDATORS,
    self: at(1),
    isAbstaining: false,
    connected: VALIDATORS.slice(1),
    hasNetwork: true,
    ...fields,
  }
}

interface Case {
  readonly name: string
  readonly facts: Partial<ReadinessFacts>
  /** Words of the reason; undefined: ready. */
  readonly reason?: string
}

const CASES: readonly Case[] = [
  { name: 'a validator with all others', facts: {} },
  { name: 'a validator with a quorum', facts: { connected: [at(2), at(3), at(9)] } },
  {
    name: 'a validator with fewer, whoever else is connected',
    facts: { connected: [at(2), at(8), at(9)] },
    reason: 'connected to 2 of 4 validators, itself included; 3 are needed',
  },
  { name: 'a validator that is alone', facts: { validators: [at(1)], connected: [] } },
  {
    name: 'a validator that abstains',
    facts: { isAbstaining: true },
    reason: 'this validator abstains from voting',
  },
  { name: 'a follower with a peer', facts: { self: undefined, connected: [at(9)] } },
  {
    name: 'a follower without any',
    facts: { self: undefined, connected: [] },
    reason: 'no peer is connected',
  },
  {
    name: 'a node by itself of a chain without QBFT',
    facts: { self: undefined, connected: [], validators: [], hasNetwork: false },
  },
  { name: 'a node a little behind', facts: { behind: 8 } },
  { name: 'a node far behind', facts: { behind: 9 }, reason: '9 blocks behind the peers' },
  { name: 'a node that has failed', facts: { hasFailed: true }, reason: 'the node has failed' },
  { name: 'a chain that is forked', facts: { isForked: true }, reason: 'the chain is forked' },
]

describe('readiness', () => {
  it.each(CASES)('of $name', ({ facts: given, reason }) => {
    expect(readiness(facts(given))).toEqual(
      reason === undefined
        ? { ready: true, reasons: [] }
        : { ready: false, reasons: [expect.stringContaining(reason)] },
    )
  })
})

describe('the server of metrics and health', () => {
  const setUp = async (): Promise<{
    ask: (path: string, init?: RequestInit) => Promise<{ status: number; text: string }>
    node: { failure: string | undefined; reasons: string[] }
    stop: () => Promise<void>
  }> => {
    const node: { failure: string | undefined; reasons: string[] } = {
      failure: undefined,
      reasons: [],
    }
    const server = await startMetricsServer({
      host: '127.0.0.1',
      port: 0,
      metrics: () => 'height 1\n',
      failure: () => node.failure,
      readiness: () => ({ ready: node.reasons.length === 0, reasons: node.reasons }),
    })
    return {
      node,
      ask: async (path, init) => {
        const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init)
        return { status: response.status, text: await response.text() }
      },
      stop: server.stop,
    }
  }

  it('answers 200 while the node lives and is of use', async () => {
    const { ask, stop } = await setUp()
    expect(await ask('/metrics')).toEqual({ status: 200, text: 'height 1\n' })
    expect(await ask('/metrics?name=x')).toMatchObject({ status: 200 })
    expect(await ask('/liveness')).toEqual({ status: 200, text: '{"alive":true}\n' })
    expect(await ask('/readiness')).toEqual({
      status: 200,
      text: '{"ready":true,"reasons":[]}\n',
    })
    await stop()
  })

  it('answers 503 with the reason where it does not', async () => {
    const { ask, node, stop } = await setUp()
    node.failure = 'disk full'
    node.reasons = ['no peer is connected']
    expect(await ask('/liveness')).toEqual({
      status: 503,
      text: '{"alive":false,"reason":"disk full"}\n',
    })
    expect(await ask('/readiness')).toEqual({
      status: 503,
      text: '{"ready":false,"reasons":["no peer is connected"]}\n',
    })
    await stop()
  })

  it('serves nothing else', async () => {
    const { ask, stop } = await setUp()
    expect(await ask('/')).toMatchObject({ status: 404 })
    expect(await ask('/metrics', { method: 'POST', body: '{}' })).toMatchObject({ status: 405 })
    expect(await ask('/metrics', { method: 'HEAD' })).toEqual({ status: 200, text: '' })
    await stop()
  })
})
