/**
 * A relayer between two chains: feeds `stepRelay` with what the chains say, and does what it decides. One event
 * at a time; reading, proving and sending go on beside it and come back as events.
 */

import type { RecoverAuthor } from '@vellum/consensus'
import { ADDRESSES } from '@vellum/contracts/addresses'
import type { Address, Hash } from '@vellum/evm'
import {
  type CallFailure,
  type Cargo,
  type DirectionStatus,
  decodeChannel,
  decodeClient,
  decodePegEvent,
  directionStatus,
  type EventLog,
  encodeAccountProof,
  encodeAcknowledge,
  encodeDeliver,
  encodeRelay,
  encodeUpdate,
  type Fact,
  GATEWAY_CALLS,
  type GatewayProof,
  heightBetween,
  inboxSlot,
  initialRelayState,
  LIGHT_CLIENT_CALLS,
  leanHeader,
  outboxSlot,
  PEG_TOPICS,
  RELAY_SETTINGS,
  type RelayEffect,
  type RelayEvent,
  type RelaySettings,
  type RelayState,
  reasonOf,
  type Side,
  stepRelay,
  type TrustedHeader,
  verifyUpdate,
} from '@vellum/sidechain'
import type { CancelTimer, Clock, Logger, Timers } from './ports.ts'
import type { RelayChain, RelayHead, RelayLanding, RelayLog } from './relay-chain.ts'

export const GATEWAY: Address = ADDRESSES.pegGateway
export const LIGHT_CLIENT: Address = ADDRESSES.qbftLightClient

export interface RelayLinkOptions {
  readonly chains: readonly [RelayChain, RelayChain]
  readonly settings?: Partial<RelaySettings>
  readonly seed: number
}

export interface RelayLinkPorts {
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  /** Who signed a seal. */
  readonly recover: RecoverAuthor
  /** Called at each step of a flight, before it; for drills that end the process there. */
  readonly onStep?: ((step: RelayStep) => void) | undefined
}

/** Steps of a transaction, in their order. */
export type RelayStep =
  | 'observed'
  | 'launching'
  | 'headers planned'
  | 'proofs built'
  | 'tried'
  | 'submitting'
  | 'landed'

export interface RelayLink {
  readonly chains: readonly [RelayChain, RelayChain]
  start(): void
  /** Resolves when nothing is being done any more. */
  stop(): Promise<void>
  /** How messages from one side to the other stand. @param source 0 or 1 */
  status(source: Side): DirectionStatus
  state(): RelayState
}

/** Most of a transaction that is sent, with its head: nodes refuse those beyond 131,072 bytes. */
const CALL_BYTES_MAX = 120_000
/** Gas of one transaction at most (EIP-7825). */
const GAS_MAX = 16_777_216n
/** Headers in one transaction, where a set has changed much. */
const HEADERS_MAX = 8
/** Blocks whose logs are read at once. */
const LOG_BLOCKS_MAX = 2_048
/** Milliseconds after which a chain that did not answer is asked again. */
const ASK_AGAIN_MS = 1_000
/** Messages that are asked for at once, by the topics of one search. */
const REREAD_MAX = 256

/** @param options two chains whose gateways have, or will have, a channel to one another */
export function createRelayLink(options: RelayLinkOptions, ports: RelayLinkPorts): RelayLink {
  const { chains } = options
  const { clock, timers, log, recover } = ports
  const settings: RelaySettings = { ...RELAY_SETTINGS, ...options.settings }
  let state = initialRelayState(options.seed)
  let isRunning = false
  let cancelWake: CancelTimer | undefined
  const undo: (() => void)[] = []
  const working = new Set<Promise<void>>()
  /** Heights through which each side's blocks were read. */
  const readThrough: [number, number] = [-1, -1]
  const reading: [boolean, boolean] = [false, false]
  const newest: [RelayHead | undefined, RelayHead | undefined] = [undefined, undefined]

  function feed(event: RelayEvent): void {
    if (!isRunning) return
    const transition = stepRelay(state, event, settings)
    state = transition.state
    for (const effect of transition.effects) perform(effect)
  }

  function perform(effect: RelayEffect): void {
    switch (effect.type) {
      case 'wake':
        cancelWake?.()
        cancelWake = timers.after(Math.max(0, effect.atMs - clock.now()), () =>
          feed({ type: 'tick', at: clock.now() }),
        )
        return
      case 'recount':
        work('count messages', count)
        return
      case 'reread':
        work('read messages again', () => reread(effect))
        return
      case 'launch':
        work('relay', () => fly(effect))
    }
  }

  /** Goes on beside the events. A chain that is away is not the end: the core asks again in time. */
  function work(what: string, run: () => Promise<void>): void {
    const done: Promise<void> = run()
      .catch((error: Error) => {
        if (isRunning) log.warn('a chain cannot be asked just now', { what, reason: error.message })
      })
      .finally(() => working.delete(done))
    working.add(done)
  }

  // What chains say.

  async function count(): Promise<void> {
    for (const side of SIDES) {
      const { height } = await chains[side].head()
      const { chainId } = chains[other(side)]
      const [through, sent] = await chains[side].read(
        [
          { to: GATEWAY, data: GATEWAY_CALLS.acknowledgedThrough.encodeCall([chainId]) },
          { to: GATEWAY, data: GATEWAY_CALLS.sentCount.encodeCall([chainId]) },
        ],
        height,
      )
      if (through!.length === 0 || sent!.length === 0) continue
      const [doneThrough] = GATEWAY_CALLS.acknowledgedThrough.decodeResult(through!)
      const [sentThrough] = GATEWAY_CALLS.sentCount.decodeResult(sent!)
      feed({ type: 'opened', at: clock.now(), side, doneThrough, sentThrough })
    }
  }

  /** Reads the blocks of a side that it has not read; one reading of a side at a time. */
  function look(side: Side, head: RelayHead): void {
    const known = newest[side]
    if (known === undefined || head.height > known.height) newest[side] = head
    if (reading[side] || !isRunning) return
    reading[side] = true
    work('read blocks', async () => {
      try {
        while (isRunning && newest[side]!.height > readThrough[side]) await readBlocks(side)
      } catch (error) {
        timers.after(ASK_AGAIN_MS, () => look(side, newest[side]!))
        throw error
      } finally {
        reading[side] = false
      }
    })
  }

  async function readBlocks(side: Side): Promise<void> {
    const chain = chains[side]
    const head = newest[side]!
    const isFirst = readThrough[side] < 0
    // What is older than the beginning is counted and read again (`recount`, `reread`).
    const from = isFirst ? head.height : readThrough[side] + 1
    const to = Math.min(head.height, from + LOG_BLOCKS_MAX - 1)
    const logs = await chain.logs({ from, to, addresses: [GATEWAY, LIGHT_CLIENT], topics: [] })
    const isNews = isFirst || logs.some((each) => concerns(each, chains[other(side)].chainId))
    const facts = logs.flatMap((each) => factsOf(side, each))
    const contracts = isNews ? await readContracts(side, head.height) : UNCHANGED
    readThrough[side] = to
    if (facts.length > 0) ports.onStep?.('observed')
    const { height, timestamp } = to === head.height ? head : { height: to, timestamp: 0 }
    feed({ type: 'head', at: clock.now(), side, height, timestamp, facts, ...contracts })
    // Blocks are read from this one on: what lies before it is counted from here.
    if (isFirst) await count()
  }

  async function readContracts(
    side: Side,
    height: number,
  ): Promise<Pick<RelayEvent & { type: 'head' }, 'client' | 'channel'>> {
    const { chainId } = chains[other(side)]
    const [client, channel] = await chains[side].read(
      [
        { to: LIGHT_CLIENT, data: LIGHT_CLIENT_CALLS.client.encodeCall([chainId]) },
        { to: GATEWAY, data: GATEWAY_CALLS.channelOf.encodeCall([chainId]) },
      ],
      height,
    )
    if (client!.length === 0 || channel!.length === 0) return UNCHANGED
    return { client: decodeClient(client!), channel: decodeChannel(channel!) }
  }

  /** What a log of a side's contracts says about messages between the two chains. */
  function factsOf(side: Side, placed: RelayLog): Fact[] {
    if (placed.address !== GATEWAY) return []
    const event = decodePegEvent(placed)
    const peer = chains[other(side)].chainId
    switch (event?.type) {
      case 'committed': {
        const { message } = event
        if (message.destinationChainId !== peer) return []
        const { height } = placed
        return [{ type: 'committed', side, message, height, sentMs: clock.now() }]
      }
      case 'received': {
        const { sourceChainId, sequence, outcome, returnHash } = event
        if (sourceChainId !== peer) return []
        const { height } = placed
        return [{ type: 'received', side, sequence, outcome, returnHash, height }]
      }
      case 'acknowledged':
        if (event.destinationChainId !== peer) return []
        return [{ type: 'acknowledged', side, sequence: event.sequence }]
      default:
        return []
    }
  }

  /** How messages of a lane stand, from both chains: those in the outbox, and their receipts. */
  async function reread({ side, from, to }: RelayEffect & { type: 'reread' }): Promise<void> {
    for (let first = from; first <= to && isRunning; first += REREAD_MAX) {
      const last = Math.min(to, first + REREAD_MAX - 1)
      const sequences = Array.from({ length: last - first + 1 }, (_, i) => first + i)
      feed({ type: 'facts', at: clock.now(), facts: await readMessages(side, sequences) })
    }
  }

  async function readMessages(side: Side, sequences: readonly number[]): Promise<Fact[]> {
    const source = chains[side]
    const destination = chains[other(side)]
    const { height } = await source.head()
    const words = await source.read(
      sequences.map((sequence) => ({
        to: GATEWAY,
        data: GATEWAY_CALLS.outboxOf.encodeCall([destination.chainId, sequence]),
      })),
      height,
    )
    const isOpen = (i: number): boolean => words[i]!.some((byte) => byte !== 0)
    const facts: Fact[] = sequences.flatMap((sequence, i) =>
      words[i]!.length === 0 || isOpen(i) ? [] : [{ type: 'acknowledged', side, sequence }],
    )
    const open = sequences.filter((_, i) => isOpen(i))
    if (open.length === 0) return facts
    const sent = await source.logs({
      from: 0,
      to: height,
      addresses: [GATEWAY],
      topics: [[PEG_TOPICS.committed], [wordOf(destination.chainId)], open.map(wordOf)],
    })
    facts.push(...sent.flatMap((each) => factsOf(side, each)))
    const head = await destination.head()
    const received = await destination.logs({
      from: 0,
      to: head.height,
      addresses: [GATEWAY],
      topics: [[PEG_TOPICS.received], [wordOf(source.chainId)], open.map(wordOf)],
    })
    facts.push(...received.flatMap((each) => factsOf(other(side), each)))
    return facts
  }

  // What is sent.

  type Launch = RelayEffect & { type: 'launch' }

  async function fly(launch: Launch): Promise<void> {
    const { flight, side } = launch
    ports.onStep?.('launching')
    try {
      const calls = await callsOf(launch)
      if (typeof calls === 'string') {
        lose(flight, calls, false)
        return
      }
      const loaded = await load(launch, calls)
      if (typeof loaded === 'string') {
        lose(flight, loaded, loaded === ALL_DONE)
        return
      }
      ports.onStep?.('submitting')
      const { data, gas } = loaded
      const landing = await chains[side].submit({ to: GATEWAY, data, gas })
      ports.onStep?.('landed')
      land(launch, loaded, landing)
    } catch (error) {
      lose(flight, (error as Error).message, false)
      throw error
    }
  }

  function lose(flight: number, reason: string, isMoot: boolean): void {
    if (!isMoot) log.debug('a transaction was not sent', { reason })
    feed({ type: 'lost', at: clock.now(), flight, reason, isMoot })
  }

  function land(launch: Launch, { calls, refused }: Loaded, landing: RelayLanding): void {
    const { flight, side } = launch
    if (landing.status === 'dropped') {
      lose(flight, landing.reason, false)
      return
    }
    const carried = cargoOf(calls)
    const outcome = landing.ok
      ? readOutcome(calls, landing.logs)
      : { failed: calls.map((call) => ({ call, reason: 'the transaction failed' })), moot: 0 }
    for (const { call, reason } of outcome.failed) {
      const { kind, sequence = 0 } = call
      log.warn('a call of the relayer failed', { into: chains[side].name, kind, sequence, reason })
    }
    const update = outcome.failed.find(({ call }) => call.kind === 'update')
    feed({
      type: 'landed',
      at: clock.now(),
      flight,
      height: landing.height,
      failures: [...refused, ...outcome.failed].flatMap(({ call, reason }) =>
        failureOf(call, reason),
      ),
      updateFailure: update?.reason,
      carried,
      moot: outcome.moot,
    })
  }

  /** The calls of a flight, in their order; or why there can be none. */
  async function callsOf(launch: Launch): Promise<readonly PlannedCall[] | string> {
    const { side, trustedHeight, proveAt, deliveries, acknowledgements } = launch
    const peer = chains[other(side)]
    const updates =
      trustedHeight === undefined ? [] : await planUpdates(side, trustedHeight, proveAt)
    if (typeof updates === 'string') return updates
    ports.onStep?.('headers planned')
    const isThere = trustedHeight === undefined || updates.at(-1)?.height === proveAt
    const calls: PlannedCall[] = updates.map(({ trusted, sealedHeader }) => ({
      kind: 'update',
      data: encodeUpdate(peer.chainId, trusted, sealedHeader),
    }))
    const slots: Hash[] = [
      ...deliveries.map(({ sequence }) => outboxSlot(chains[side].chainId, sequence)),
      ...acknowledgements.map(({ message }) => inboxSlot(chains[side].chainId, message.sequence)),
    ]
    if (!isThere || slots.length === 0) return calls
    const proofs = await peer.prove(GATEWAY, slots, proveAt)
    const bySlot = new Map<Hash, GatewayProof>(proofs.map((proof) => [proof.slot, proof]))
    const proofOf = (slot: Hash): Parameters<typeof encodeDeliver>[1] => ({
      height: proveAt,
      accountProof: [],
      storageProof: bySlot.get(slot)!.storageProof,
    })
    calls.push({
      kind: 'account',
      data: encodeAccountProof(peer.chainId, proveAt, proofs[0]!.accountProof),
    })
    for (const [i, message] of deliveries.entries()) {
      const { sequence, gasLimit } = message
      const data = encodeDeliver(message, proofOf(slots[i]!))
      calls.push({ kind: 'deliver', sequence, gasLimit, data })
    }
    for (const [i, { message, receipt }] of acknowledgements.entries()) {
      const proof = proofOf(slots[deliveries.length + i]!)
      const data = encodeAcknowledge(message, receipt, proof)
      calls.push({ kind: 'acknowledge', sequence: message.sequence, data })
    }
    ports.onStep?.('proofs built')
    return calls
  }

  interface PlannedUpdate {
    readonly trusted: number
    readonly height: number
    readonly sealedHeader: Uint8Array
  }

  /** The headers that lead the client of a side from one height to another; or why it takes none. */
  async function planUpdates(
    side: Side,
    from: number,
    to: number,
  ): Promise<readonly PlannedUpdate[] | string> {
    const client = state.sides[side].client!
    const peer = chains[other(side)]
    let trusted = await readTrusted(side, from)
    if (trusted === undefined) return `the client does not know height ${from}`
    const planned: PlannedUpdate[] = []
    let height = to
    while (planned.length < HEADERS_MAX && trusted.height < to) {
      const sealedHeader = await peer.header(height)
      const verdict = verifyUpdate(
        { ...client, trusted, sealedHeader, nowSeconds: clock.now() / 1_000 },
        recover,
      )
      if (verdict.ok) {
        const lean = leanHeader(sealedHeader, trusted.validators, recover)
        planned.push({ trusted: trusted.height, height, sealedHeader: lean })
        trusted = verdict.header
        height = to
        continue
      }
      const between = heightBetween(trusted.height, height, verdict.reason)
      if (between === undefined) return planned.length > 0 ? planned : `header: ${verdict.reason}`
      height = between
    }
    return planned
  }

  async function readTrusted(side: Side, height: number): Promise<TrustedHeader | undefined> {
    const { chainId } = chains[other(side)]
    const head = await chains[side].head()
    const [kept, validators] = await chains[side].read(
      [
        { to: LIGHT_CLIENT, data: LIGHT_CLIENT_CALLS.trustedHeader.encodeCall([chainId, height]) },
        { to: LIGHT_CLIENT, data: LIGHT_CLIENT_CALLS.validatorsAt.encodeCall([chainId, height]) },
      ],
      head.height,
    )
    if (kept!.length === 0 || validators!.length === 0) return undefined
    const [[hash, stateRoot, timestamp]] = LIGHT_CLIENT_CALLS.trustedHeader.decodeResult(kept!)
    const client = state.sides[side].client!
    const since = height === client.latestHeight ? client.trustedSince : timestamp
    return {
      height,
      hash,
      stateRoot,
      timestamp,
      since,
      validators: LIGHT_CLIENT_CALLS.validatorsAt.decodeResult(validators!)[0],
    }
  }

  /** The transaction with those calls that fit and would have an effect; or why there is none. */
  async function load({ side }: Launch, planned: readonly PlannedCall[]): Promise<Loaded | string> {
    let calls = fitting(planned)
    const refused: FailedCall[] = []
    // Once to see which calls are in vain, once more if any was, as the others may then go differently.
    for (let tries = 0; tries < 2; tries++) {
      if (calls.every(({ kind }) => kind === 'account')) return ALL_DONE
      const data = encodeRelay(calls.map((call) => call.data))
      const trial = await chains[side].attempt({ to: GATEWAY, data, gas: GAS_MAX })
      ports.onStep?.('tried')
      if (!trial.ok) return `relay: ${reasonOf(trial.output)}`
      const { failed, mootCalls } = readOutcome(calls, trial.logs)
      const update = failed.find(({ call }) => call.kind === 'update')
      if (update !== undefined) return update.reason
      const useful = calls.filter(
        (call) => !mootCalls.has(call) && !failed.some((each) => each.call === call),
      )
      if (useful.length === calls.length) {
        return { calls, data, gas: gasOf(calls, trial.gasSpent), refused }
      }
      // What had too little gas left has its turn in the next transaction.
      refused.push(...failed.filter(({ reason }) => reason !== 'GasInsufficient'))
      const isCarrying = calls.some(({ kind }) => kind === 'deliver' || kind === 'acknowledge')
      const isStillCarrying = useful.some(
        ({ kind }) => kind === 'deliver' || kind === 'acknowledge',
      )
      if (isCarrying && !isStillCarrying) {
        return failed.length > 0 ? failed[0]!.reason : ALL_DONE
      }
      if (isCarrying || useful.some(({ kind }) => kind === 'update')) calls = useful
      else return ALL_DONE
    }
    return 'calls fail one after another'
  }

  function cargoOf(calls: readonly PlannedCall[]): Cargo {
    const of = (kind: PlannedCall['kind']): number[] =>
      calls.flatMap((call) => (call.kind === kind ? [call.sequence!] : []))
    return { deliveries: of('deliver'), acknowledgements: of('acknowledge') }
  }

  /** Which calls failed, and which somebody else had made before, as the transaction's logs tell. */
  function readOutcome(
    calls: readonly PlannedCall[],
    logs: readonly EventLog[],
  ): {
    failed: FailedCall[]
    moot: number
    mootCalls: Set<PlannedCall>
  } {
    const failed: FailedCall[] = []
    const mootCalls = new Set<PlannedCall>()
    for (const each of logs) {
      if (each.address !== GATEWAY) continue
      const event = decodePegEvent(each)
      if (event?.type === 'callFailed') {
        const call = calls[event.index]
        if (call !== undefined) failed.push({ call, reason: reasonOf(event.reason) })
      }
      const moot =
        event?.type === 'alreadyReceived'
          ? 'deliver'
          : event?.type === 'alreadyAcknowledged'
            ? 'acknowledge'
            : undefined
      if (moot === undefined) continue
      const { sequence } = event as { sequence: number }
      const call = calls.find(({ kind, sequence: its }) => kind === moot && its === sequence)
      if (call !== undefined) mootCalls.add(call)
    }
    return { failed, moot: mootCalls.size, mootCalls }
  }

  return {
    chains,
    start: () => {
      if (isRunning) return
      isRunning = true
      for (const side of SIDES) {
        undo.push(chains[side].onHead((head) => look(side, head)))
        work('read the head', async () => look(side, await chains[side].head()))
      }
    },
    stop: async () => {
      isRunning = false
      cancelWake?.()
      for (const each of undo.splice(0)) each()
      await Promise.all(working)
    },
    status: (source) => directionStatus(state, source, clock.now()),
    state: () => state,
  }
}

const SIDES: readonly Side[] = [0, 1]
const UNCHANGED = { client: undefined, channel: undefined } as const
const ALL_DONE = 'others have done it'

interface PlannedCall {
  readonly kind: 'update' | 'account' | 'deliver' | 'acknowledge'
  readonly sequence?: number
  /** Of the recipient. */
  readonly gasLimit?: bigint
  readonly data: Uint8Array
}

interface FailedCall {
  readonly call: PlannedCall
  readonly reason: string
}

interface Loaded {
  readonly calls: readonly PlannedCall[]
  readonly data: Uint8Array
  readonly gas: bigint
  /** Left out: they would fail. */
  readonly refused: readonly FailedCall[]
}

/** The first calls, as many as a transaction has room for. */
function fitting(calls: readonly PlannedCall[]): readonly PlannedCall[] {
  let bytes = 0
  const end = calls.findIndex(({ data }) => {
    // Length, offset and padding.
    bytes += data.length + 96
    return bytes > CALL_BYTES_MAX
  })
  return end <= 0 ? calls : calls.slice(0, end)
}

/**
 * Gas for calls that took so much: a recipient must be given its gas in full, though it uses less. Some more
 * for what others do to the state until then.
 */
function gasOf(calls: readonly PlannedCall[], spent: bigint): bigint {
  const most = calls.reduce((gas, { gasLimit = 0n }) => (gasLimit > gas ? gasLimit : gas), 0n)
  const wanted = spent + spent / 8n + most + most / 32n + 200_000n
  return wanted < GAS_MAX ? wanted : GAS_MAX
}

function failureOf({ kind, sequence }: PlannedCall, reason: string): CallFailure[] {
  if (kind !== 'deliver' && kind !== 'acknowledge') return []
  return [{ call: kind, sequence: sequence!, reason }]
}

/** Whether a log is about the other chain: only then client and channel have to be read again. */
function concerns(log: EventLog, peer: bigint): boolean {
  const event = decodePegEvent(log)
  return (
    (event?.type === 'clientChanged' || event?.type === 'channelChanged') && event.chainId === peer
  )
}

function wordOf(value: bigint | number): Hash {
  return `0x${value.toString(16).padStart(64, '0')}`
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0
}
