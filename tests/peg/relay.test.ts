import { signerIn, signPrepare } from '@vellum/consensus'
import { messageDomainOf, type RelayStep, recoverSeal } from '@vellum/node'
import { createRpc } from '@vellum/rpc'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLatePegPort } from '../../packages/node/src/late-peg-port.ts'
import { createMetrics } from '../../packages/node/src/metrics.ts'
import { auditMessages } from '../../packages/node/src/peg-audit.ts'
import { type HubChains, startRelayHub } from '../../packages/node/src/relay-hub.ts'
import {
  GOVERNOR,
  govern,
  MAIN_ID,
  openPegNodes,
  type PegNodes,
  SIDE_ID,
  silent,
  USER,
} from './peg-nodes.ts'

let nodes: PegNodes

beforeEach(async () => {
  nodes = await openPegNodes()
})
afterEach(() => nodes.stop())

/** Lets time pass until it holds. @returns milliseconds */
async function until(holds: () => Promise<boolean> | boolean, seconds = 120): Promise<number> {
  const began = nodes.time.now()
  while (!(await holds())) {
    if (nodes.time.now() - began > seconds * 1_000) throw new Error('it never held')
    await nodes.time.advance(20)
  }
  return nodes.time.now() - began
}

const lock = (amount: bigint, deadline = 0): Promise<void> =>
  nodes.main.send(USER, 'creditVault', 'lock', [SIDE_ID, USER.address, amount, deadline])
const withdraw = (amount: bigint): Promise<void> =>
  nodes.side.send(USER, 'creditPeg', 'withdraw', [USER.address, amount, 0])
const locked = (): Promise<bigint> => nodes.main.ask('creditVault', 'lockedFor', [SIDE_ID])
const onSide = (): Promise<bigint> => nodes.side.ask('serviceCredit', 'balanceOf', [USER.address])

/** Both chains' senders know the outcome of everything that they sent. */
async function isAllThrough(): Promise<boolean> {
  for (const [node, peer] of [
    [nodes.main, SIDE_ID],
    [nodes.side, MAIN_ID],
  ] as const) {
    const sent = await node.ask<bigint>('pegGateway', 'sentCount', [peer])
    for (let sequence = 1n; sequence <= sent; sequence++) {
      const open = await node.ask<string>('pegGateway', 'outboxOf', [peer, sequence])
      if (BigInt(open) !== 0n) return false
    }
  }
  return true
}

async function expectAudited(): Promise<void> {
  const audit = await auditMessages({
    main: nodes.main.node.backend,
    side: nodes.side.node.backend,
    sideChainIds: [BigInt(SIDE_ID)],
  })
  if (audit.isComparable) expect(audit.faults).toEqual([])
}

describe('a relayer between two chains', () => {
  test('credit is locked, minted, burned and released, and both senders hear of it', async () => {
    const relayer = nodes.relayer()
    relayer.start()
    await lock(1_000n)
    const minted = await until(async () => (await onSide()) === 1_000n)
    await until(async () => relayer.status(0).doneThrough === 1)
    await withdraw(400n)
    await until(async () => (await locked()) === 600n)
    await until(async () => relayer.status(1).doneThrough === 1)
    expect(await nodes.main.ask('pegGateway', 'acknowledgedThrough', [SIDE_ID])).toBe(1n)
    expect(minted).toBeLessThan(2_000)
    expect(relayer.status(0)).toMatchObject({ undelivered: 0, unacknowledged: 0 })
    await expectAudited()
    await relayer.stop()
  })

  test('messages that waited before it began go in few transactions', async () => {
    for (let i = 0; i < 60; i++) {
      await nodes.main.post(USER, 'creditVault', 'lock', [SIDE_ID, USER.address, 1n, 0])
    }
    await until(async () => (await locked()) === 60n)
    const relayer = nodes.relayer()
    relayer.start()
    await until(async () => (await onSide()) === 60n)
    await until(isAllThrough)
    const { counts } = relayer.state().sides[1]
    expect(counts.landed).toBeLessThan(6)
    expect(counts.failed).toBe(0)
    await expectAudited()
    await relayer.stop()
  })

  test('what a retired chain had is reclaimed, and that is no fault', async () => {
    const relayer = nodes.relayer()
    relayer.start()
    await lock(900n)
    await until(isAllThrough)
    await expectAudited()
    await govern(nodes.main, [
      ['pegGateway', 'closeChannel', [SIDE_ID]],
      ['qbftLightClient', 'closeClient', [SIDE_ID]],
      ['creditVault', 'reclaim', [SIDE_ID, USER.address, 900n]],
    ])
    expect(await locked()).toBe(0n)
    await expectAudited()
    await relayer.stop()
  })

  test('what comes too late is refunded', async () => {
    const { time } = nodes
    await lock(500n, Math.floor(time.now() / 1_000) + 2)
    await time.advance(5_000)
    const relayer = nodes.relayer()
    relayer.start()
    await until(isAllThrough)
    expect(await locked()).toBe(0n)
    expect(await onSide()).toBe(0n)
    await relayer.stop()
  })

  test('a paused channel carries nothing, and goes on when it is resumed', async () => {
    const relayer = nodes.relayer()
    relayer.start()
    await lock(10n)
    await until(async () => (await onSide()) === 10n)
    await nodes.side.send(GOVERNOR, 'pegGateway', 'pauseChannel', [MAIN_ID])
    await lock(20n)
    await nodes.time.advance(10_000)
    expect(await onSide()).toBe(10n)
    expect(relayer.status(0)).toMatchObject({ channel: 'paused', undelivered: 1 })
    await govern(nodes.side, [['pegGateway', 'resumeChannel', [MAIN_ID]]])
    await until(async () => (await onSide()) === 30n)
    await relayer.stop()
  })

  test('a frozen client is reported, and nothing is tried in vain', async () => {
    const relayer = nodes.relayer()
    relayer.start()
    await lock(10n)
    await until(isAllThrough)
    await nodes.side.send(GOVERNOR, 'qbftLightClient', 'freezeClient', [MAIN_ID])
    const { launched } = relayer.state().sides[1].counts
    await lock(20n)
    await nodes.time.advance(30_000)
    expect(relayer.status(0)).toMatchObject({ undelivered: 1, client: { status: 'frozen' } })
    expect(relayer.state().sides[1].counts.launched).toBe(launched)
    await relayer.stop()
  })

  test('three relayers race, and each message has one effect', async () => {
    const relayers = ['a', 'b', 'c'].map((name) => nodes.relayer({ name }))
    for (const each of relayers) each.start()
    for (let i = 1; i <= 20; i++) {
      await lock(BigInt(i))
      if (i % 4 === 0) await until(async () => (await onSide()) > 0n)
      if (i % 4 === 0) await withdraw(1n)
      await expectAudited()
    }
    await until(isAllThrough)
    expect(await locked()).toBe(205n)
    expect(await onSide()).toBe(205n)
    await expectAudited()
    for (const each of relayers) await each.stop()
  })
})

const STEPS: readonly RelayStep[] = [
  'observed',
  'launching',
  'headers planned',
  'proofs built',
  'tried',
  'submitting',
  'landed',
]
const RUNS = Number(process.env.VELLUM_RELAY_KILLS ?? 3)

describe('a relayer that is killed at a step is replaced by one that knows nothing', () => {
  test.each(STEPS)('%s', async (step) => {
    const { time } = nodes
    let left = 0
    let kills = 0
    let current: ReturnType<PegNodes['relayer']> | undefined
    let isDead = false
    const begin = (): void => {
      isDead = false
      current = nodes.relayer({
        onStep: (reached) => {
          if (isDead) throw new Error('dead')
          if (reached !== step || left === 0 || --left > 0) return
          isDead = true
          kills += 1
          void current!.stop()
          throw new Error('dead')
        },
      })
      current.start()
    }
    begin()
    for (let run = 1; run <= RUNS; run++) {
      left = 1 + (run % 3)
      await lock(3n)
      if (run > 1) await withdraw(1n)
      for (let i = 0; i < 100; i++) {
        await time.advance(20)
        if (isDead) begin()
        await expectAudited()
      }
    }
    left = 0
    if (isDead) begin()
    await until(isAllThrough)
    expect(kills).toBeGreaterThan(0)
    expect(await locked()).toBe(BigInt(3 * RUNS - (RUNS - 1)))
    expect(await onSide()).toBe(BigInt(3 * RUNS - (RUNS - 1)))
    await expectAudited()
    await current!.stop()
  })
})

describe('in a node', () => {
  test('a validator that contradicts itself is accused on the other chain, once', async () => {
    const { time, main, side } = nodes
    const { crypto, signer } = nodes.account('hub')
    const author = nodes.account('validator of side').signer
    const sign = signerIn(messageDomainOf(side.node.chain), author.sign)
    const vote = (digit: string) => {
      const digest = `0x${digit.repeat(32)}` as const
      return signPrepare({ height: 7, round: 0, digest }, author.address, sign)
    }
    const hub = startRelayHub(
      hubChains(),
      { signer, seed: 1 },
      {
        clock: time,
        timers: time,
        log: silent,
        metrics: createMetrics(),
        recover: recoverSeal(crypto),
      },
    )
    const statusOf = async (): Promise<bigint> =>
      (await main.ask<{ status: bigint }>('qbftLightClient', 'client', [SIDE_ID])).status
    expect(await statusOf()).toBe(1n)
    side.node.consensus!.evidence.add(vote('01'), vote('02'))
    await until(async () => (await statusOf()) === 2n)
    const { number } = main.node.chain.head().header
    side.node.consensus!.evidence.add(vote('03'), vote('04'))
    await time.advance(5_000)
    expect(main.node.chain.head().header.number).toBe(number)
    await hub.stop()
  })

  function hubChains(): HubChains {
    const relay = { enabled: true, anchorBlocks: 256, anchorSeconds: 60 }
    return {
      chains: () => [nodes.main, nodes.side].map(({ name, node }) => ({ name, node, relay })),
      onAdded: () => () => {},
      onRemoved: () => () => {},
    }
  }

  test('metrics tell of each direction, and methods of each message', async () => {
    const { time, main, side } = nodes
    const metrics = createMetrics()
    const { crypto, signer } = nodes.account('hub')
    const hub = startRelayHub(
      hubChains(),
      { signer, seed: 1 },
      {
        clock: time,
        timers: time,
        log: silent,
        metrics,
        recover: recoverSeal(crypto),
      },
    )
    await lock(700n)
    await until(isAllThrough)
    await time.advance(1_000)
    const text = metrics.text()
    expect(text).toContain('vellum_relay_undelivered{channel="main>side"} 0')
    expect(text).toContain('vellum_relay_landed{channel="main>side"} 1')
    expect(text).toContain('vellum_peg_audit_ok{side="side"} 1')

    const ask = async <T>(of: typeof main, method: string, ...params: unknown[]): Promise<T> => {
      const peg = createLatePegPort(of, { chains: () => [main, side], relay: () => hub })
      const dispatch = createRpc({
        backend: { ...of.node.backend, peg },
        ports: {
          nowMs: time.now,
          nextTurn: () => Promise.resolve(),
          randomBytes: (size) => new Uint8Array(size),
          setTimer: (ms, run) => time.after(ms, run),
          onInternalError: (error) => {
            throw error
          },
        },
      })
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
      const answer = JSON.parse(await dispatch(new TextEncoder().encode(body)))
      if (answer.error) throw new Error(answer.error.message)
      return answer.result
    }
    const sideHex = `0x${SIDE_ID.toString(16)}`
    const status = await ask<{ channels: unknown[] }>(main, 'peg_status')
    expect(status.channels).toMatchObject([
      {
        chainId: sideHex,
        name: 'side',
        channel: 'open',
        client: { status: 'active' },
        sentCount: '0x1',
        acknowledgedThrough: '0x1',
        outgoing: { undelivered: '0x0', unacknowledged: '0x0', lastFailure: null },
      },
    ])
    expect(await ask(main, 'peg_audit')).toMatchObject([
      { chainId: sideHex, ok: true, faults: [], locked: '0x2bc', outstanding: '0x2bc' },
    ])
    const before = `0x${main.node.chain.head().header.number.toString(16)}`
    await lock(1n)
    await until(isAllThrough)
    const proofAt = (block: string) =>
      ask<{ value: string; height: string }>(main, 'peg_getProof', 'outbox', sideHex, '0x2', block)
    await expect(proofAt(before)).rejects.toThrow('nothing to prove')
    await expect(proofAt('latest')).rejects.toThrow('nothing to prove')
    const proof = await proofAt(`0x${(Number(before) + 1).toString(16)}`)
    const receipt = await ask<{ value: string }>(side, 'peg_getProof', 'inbox', '0x539', '0x2')
    expect(receipt.value).not.toBe(proof.value)
    for (const of of [main, side]) {
      expect(await ask(of, 'peg_getMessage', proof.value)).toMatchObject({
        state: 'delivered',
        sent: { chainId: '0x539' },
        received: { chainId: sideHex },
        acknowledged: { chainId: '0x539' },
      })
    }
    expect(await ask(main, 'peg_getMessage', `0x${'12'.repeat(32)}`)).toBeNull()
    await hub.stop()
  })
})
