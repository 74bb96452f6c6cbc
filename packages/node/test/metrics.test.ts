import type { Effect, Event, State } from '@vellum/consensus'
import { initialState } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { describe, expect, it } from 'vitest'
import { createConsensusMetrics } from '../src/consensus-metrics.ts'
import { createMetrics, LABEL_VALUES_MAX } from '../src/metrics.ts'
import {
  createBlockMeasure,
  createRpcMetrics,
  createRpcServerMetrics,
  registerNodeMetrics,
} from '../src/node-metrics.ts'
import { createVirtualNode } from './virtual-node.ts'

const at = (digit: number): Address => `0x${String(digit).repeat(40)}`
const [A, B, C, D] = [at(1), at(2), at(3), at(4)]

describe('the text of metrics', () => {
  it('is what Prometheus reads', () => {
    const metrics = createMetrics()
    const counter = metrics.counter('requests_total', 'Requests.')
    counter.add()
    counter.add(2)
    metrics.gauge('height', 'Height.', () => 7)
    metrics.gauge('unknown', 'Not known now.', () => undefined)
    const seconds = metrics.histogram('seconds', 'Time.', [0.1, 1])
    seconds.observe(0.1)
    seconds.observe(0.5)
    seconds.observe(5)
    expect(metrics.text()).toBe(
      [
        '# HELP requests_total Requests.',
        '# TYPE requests_total counter',
        'requests_total 3',
        '# HELP height Height.',
        '# TYPE height gauge',
        'height 7',
        '# HELP unknown Not known now.',
        '# TYPE unknown gauge',
        '# HELP seconds Time.',
        '# TYPE seconds histogram',
        'seconds_bucket{le="0.1"} 1',
        'seconds_bucket{le="1"} 2',
        'seconds_bucket{le="+Inf"} 3',
        'seconds_sum 5.6',
        'seconds_count 3',
        '',
      ].join('\n'),
    )
  })

  it('has the lines of several chains under one head, and forgets a chain that ended', () => {
    const metrics = createMetrics()
    metrics.gauge('peers', 'Peers.', () => 1)
    const main = metrics.scope('chain', 'main')
    const side = metrics.scope('chain', 'a"b')
    for (const [scope, height] of [
      [main, 7],
      [side, 8],
    ] as const) {
      scope.gauge('height', 'Height.', () => height)
      scope.counters('errors_total', 'Errors.', 'code')('x').add(height)
    }
    side.histogram('seconds', 'Time.', [1]).observe(2)
    expect(() => metrics.scope('chain', 'main')).toThrow('already')
    expect(() => main.gauge('height', 'Height.', () => 1)).toThrow('already')
    expect(metrics.text().split('\n')).toEqual([
      '# HELP peers Peers.',
      '# TYPE peers gauge',
      'peers 1',
      '# HELP height Height.',
      '# TYPE height gauge',
      'height{chain="main"} 7',
      'height{chain="a\\"b"} 8',
      '# HELP errors_total Errors.',
      '# TYPE errors_total counter',
      'errors_total{chain="main",code="x"} 7',
      'errors_total{chain="a\\"b",code="x"} 8',
      '# HELP seconds Time.',
      '# TYPE seconds histogram',
      'seconds_bucket{chain="a\\"b",le="1"} 0',
      'seconds_bucket{chain="a\\"b",le="+Inf"} 1',
      'seconds_sum{chain="a\\"b"} 2',
      'seconds_count{chain="a\\"b"} 1',
      '',
    ])
    side.end()
    expect(metrics.text()).not.toContain('a\\"b')
    expect(metrics.text()).not.toContain('seconds')
    metrics.scope('chain', 'a"b').gauge('height', 'Height.', () => 9)
    expect(metrics.text()).toContain('height{chain="a\\"b"} 9\n')
  })

  it('has labels, escaped', () => {
    const metrics = createMetrics()
    metrics.counters('errors_total', 'Errors.', 'code')('a"b\\c\nd').add()
    metrics.gauges('peers', 'Peers.', 'peer', () => [
      ['x', 1],
      ['y', undefined],
    ])
    const times = metrics.histograms('times', 'Times.', { label: 'part', buckets: [1] })
    times('write').observe(2)
    expect(metrics.text()).toContain('errors_total{code="a\\"b\\\\c\\nd"} 1\n')
    expect(metrics.text()).toContain('peers{peer="x"} 1\n')
    expect(metrics.text()).not.toContain('peer="y"')
    expect(metrics.text()).toContain(
      'times_bucket{part="write",le="1"} 0\ntimes_bucket{part="write",le="+Inf"} 1\ntimes_sum{part="write"} 2\ntimes_count{part="write"} 1\n',
    )
  })

  it('has no more values of a label than the limit, and one for all others', () => {
    const metrics = createMetrics()
    const counters = metrics.counters('calls_total', 'Calls.', 'name')
    for (let i = 0; i < LABEL_VALUES_MAX + 50; i++) counters(`name ${i}`).add()
    const lines = metrics.text().trim().split('\n').slice(2)
    expect(lines).toHaveLength(LABEL_VALUES_MAX + 1)
    expect(lines.at(-1)).toBe('calls_total{name="other"} 50')
  })

  it('refuses a name that is taken', () => {
    const metrics = createMetrics()
    metrics.counter('once_total', 'Once.')
    expect(() => metrics.gauge('once_total', 'Twice.', () => 1)).toThrow('is there already')
  })
})

/** Plays steps of the engine to the observer of consensus, at times of the test's. */
function stage(): {
  step(fields: Partial<State>, options?: Partial<Step>): void
  value(line: string): number | undefined
} {
  const metrics = createMetrics()
  let now = 0
  const observer = createConsensusMetrics(metrics, { elapsed: () => now })
  let state: State = { ...initialState(), height: 1, validators: [A, B, C, D] }
  return {
    step: (fields, { event = WORK, effects = [], afterMs = 0 } = {}) => {
      now += afterMs
      state = { ...state, ...fields }
      observer.stepped(event, effects, state)
    },
    value: (line) => {
      const found = metrics
        .text()
        .split('\n')
        .find((each) => each.startsWith(`${line} `))
      return found === undefined ? undefined : Number(found.slice(line.length + 1))
    },
  }
}

interface Step {
  readonly event: Event
  readonly effects: readonly Effect[]
  readonly afterMs: number
}

const WORK: Event = { type: 'work' }
const timeout: Event = { type: 'timeout', timer: 'round', height: 1, round: 0 }

function said(author: Address, height: number, kind = 'prepare'): Event {
  return {
    type: 'message',
    from: author,
    message: { kind, author, payload: { height, round: 0 } },
  } as Event
}

describe('metrics of consensus', () => {
  it('time each part of a decision from the one before it', () => {
    const { step, value } = stage()
    step({})
    step({ round: 0 }, { afterMs: 1_000 })
    step({ checking: {} as never }, { afterMs: 10 })
    step({ checking: undefined, accepted: {} as never }, { afterMs: 20 })
    step({ own: { commit: {} as never } }, { afterMs: 30 })
    step({ isDecided: true }, { afterMs: 40 })
    step(
      { height: 2, round: undefined, accepted: undefined, own: {}, isDecided: false },
      { afterMs: 50 },
    )
    const sum = (part: string): number | undefined =>
      value(`vellum_consensus_step_seconds_sum{step="${part}"}`)
    expect(['proposed', 'checked', 'prepared', 'committed', 'appended'].map(sum)).toEqual([
      0.01, 0.02, 0.03, 0.04, 0.05,
    ])
    expect(value('vellum_consensus_decision_seconds_sum')).toBe(0.1)
    expect(value('vellum_consensus_decided_total')).toBe(1)
    expect(value('vellum_sync_blocks_total')).toBe(0)
  })

  it('count rounds after the first by what led to them', () => {
    const { step, value } = stage()
    const changes = (reason: string): number | undefined =>
      value(`vellum_consensus_round_changes_total{reason="${reason}"}`)
    step({})
    step({ round: 0 })
    expect(changes('timeout')).toBeUndefined()
    step({ round: 1 }, { event: timeout })
    step({ round: 2 }, { event: timeout })
    step({ round: 3 }, { event: said(B, 1, 'roundChange') })
    step({ round: 5 }, { event: said(B, 1, 'proposal') })
    const checked: Event = {
      type: 'blockChecked',
      height: 1,
      round: 5,
      digest: `0x${'aa'.repeat(32)}`,
      verdict: { ok: false, reason: 'x' },
    }
    step({ round: 6 }, { event: checked })
    expect(changes('timeout')).toBe(2)
    expect(changes('round changes of others')).toBe(1)
    expect(changes('proposal of a later round')).toBe(1)
    expect(changes('block refused')).toBe(1)
  })

  it('call missing who has said nothing before the next height was decided', () => {
    const { step, value } = stage()
    const own = { prepare: { author: A } as never }
    const missing = (validator: Address): number | undefined =>
      value(`vellum_consensus_missing_total{validator="${validator}"}`)
    const decide = (height: number, speakers: readonly Address[]): void => {
      step({ height, round: 0, own, isDecided: false })
      for (const each of speakers) step({}, { event: said(each, height) })
    }
    decide(1, [B])
    step({ isDecided: true })
    decide(2, [B, C, D])
    // Late, and there all the same.
    step({}, { event: said(C, 1) })
    step({ isDecided: true })
    expect(missing(D)).toBe(1)
    expect([A, B, C].map(missing)).toEqual([undefined, undefined, undefined])
    decide(3, [B, C, D])
    step({ isDecided: true })
    expect(missing(D)).toBe(1)
  })

  it('call nobody missing at heights that came by synchronisation', () => {
    const { step, value } = stage()
    for (let height = 1; height < 5; height++) step({ height, round: undefined })
    step({ round: 0, isDecided: true })
    expect(value(`vellum_consensus_missing_total{validator="${B}"}`)).toBeUndefined()
    expect(value('vellum_sync_blocks_total')).toBe(3)
  })

  it('count late votes, contradictions and rejected messages', () => {
    const { step, value } = stage()
    const late = (author: Address): Effect => ({
      type: 'reject',
      from: author,
      author,
      reason: 'late',
    })
    step({})
    step({}, { event: said(B, 1), effects: [late(B)] })
    step({}, { event: said(B, 1, 'roundChange'), effects: [late(B)] })
    step({}, { event: said(at(9), 1), effects: [late(at(9))] })
    step({}, { effects: [{ type: 'evidence', first: { author: C }, second: {} } as Effect] })
    expect(value(`vellum_consensus_late_votes_total{validator="${B}"}`)).toBe(1)
    expect(value('vellum_consensus_late_votes_total{validator="other"}')).toBe(1)
    expect(value(`vellum_consensus_equivocations_total{validator="${C}"}`)).toBe(1)
    expect(value('vellum_consensus_rejected_total{reason="late"}')).toBe(3)
  })
})

describe('metrics of a node', () => {
  it('follow its chain, pool and rounds', async () => {
    const { node, time, transfer } = await createVirtualNode()
    const metrics = createMetrics()
    const signer = { address: at(1) }
    registerNodeMetrics(metrics, { node, signer, transport: undefined, clock: time })
    expect(metrics.text()).toContain('\nvellum_chain_height 0\n')
    await node.start()
    await time.advance(0)
    node.pool.add(transfer())
    node.pool.add(transfer())
    transfer()
    node.pool.add(transfer())
    const text = metrics.text()
    expect(text).toContain('\nvellum_pool_ready 2\n')
    expect(text).toContain('\nvellum_pool_gapped 1\n')
    expect(Number(/\nvellum_pool_bytes (\d+)/.exec(text)![1])).toBeGreaterThan(300)
    await time.advance(0)
    expect(metrics.text()).toContain('\nvellum_chain_height 1\n')
    expect(metrics.text()).toContain('\nvellum_chain_transactions_total 2\n')
    expect(metrics.text()).toContain('\nvellum_consensus_height 2\n')
    expect(metrics.text()).toContain('\nvellum_consensus_is_validator 0\n')
    await node.stop()
  })

  it('time what returns at once and what returns later', async () => {
    const metrics = createMetrics()
    let now = 0
    const measure = createBlockMeasure(metrics, { elapsed: () => now })
    expect(
      measure('execute', () => {
        now = 20
        return 5
      }),
    ).toBe(5)
    const { promise, resolve } = Promise.withResolvers<string>()
    const measured = measure('write', () => promise)
    now = 50
    resolve('done')
    expect(await measured).toBe('done')
    expect(metrics.text()).toContain('vellum_block_part_seconds_sum{part="execute"} 0.02\n')
    expect(metrics.text()).toContain('vellum_block_part_seconds_sum{part="write"} 0.03\n')
  })

  it('count calls by method and refusals by code', () => {
    const metrics = createMetrics()
    const onAnswered = createRpcMetrics(metrics)
    onAnswered({ method: 'eth_call', durationMs: 2, code: undefined })
    onAnswered({ method: 'unknown', durationMs: 0, code: -32601 })
    expect(metrics.text()).toContain('vellum_rpc_request_seconds_count{method="eth_call"} 1\n')
    expect(metrics.text()).toContain('vellum_rpc_errors_total{code="-32601"} 1\n')
  })

  it('count connections, subscriptions and those who were not served', () => {
    const metrics = createMetrics()
    const server = createRpcServerMetrics(metrics)
    expect(metrics.text()).not.toContain('vellum_rpc_connections{')
    server.attach({ connections: 7, webSockets: 3 })
    server.onSubscriptions(5)
    server.onRefused('rate')
    server.onRefused('rate')
    server.onRefused('token')
    for (const line of [
      'vellum_rpc_connections{kind="http"} 4',
      'vellum_rpc_connections{kind="websocket"} 3',
      'vellum_rpc_subscriptions 5',
      'vellum_rpc_refused_total{reason="rate"} 2',
      'vellum_rpc_refused_total{reason="token"} 1',
    ]) {
      expect(metrics.text()).toContain(`${line}\n`)
    }
  })
})
