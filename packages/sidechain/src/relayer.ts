/**
 * What a relayer does between two chains: one event in; the next state, and what to do about it, out.
 *
 * A link has two sides, 0 and 1. Each side's messages to the other are a lane. Transactions into a side
 * prove what stands in the other's state: messages to be delivered, and receipts of its own messages to
 * be acknowledged; both under one header, which the same transaction gives to the light client.
 *
 * Nothing here matters: a relayer that begins with `initialRelayState` asks the chains where everything
 * stands, and a wrong transaction costs gas alone. Facts come in any order, twice, or late. What
 * is missing is asked for again (`reread`). Chance comes in as a seed, time with the events.
 */

import type { ClientFacts } from './calls.ts'
import type {
  CallFailure,
  Cargo,
  Fact,
  Flight,
  Lane,
  LaneMessage,
  RelayEffect,
  RelayEvent,
  RelaySettings,
  RelaySide,
  RelayState,
  Side,
} from './relay-state.ts'

export interface RelayTransition {
  readonly state: RelayState
  readonly effects: readonly RelayEffect[]
}

export function stepRelay(
  state: RelayState,
  event: RelayEvent,
  settings: RelaySettings,
): RelayTransition {
  const draft = openDraft(state, settings)
  switch (event.type) {
    case 'opened':
      uponOpened(draft, event)
      break
    case 'head':
      uponHead(draft, event)
      break
    case 'facts':
      for (const fact of event.facts) learn(draft, fact, event.at)
      break
    case 'landed':
      uponLanded(draft, event)
      break
    case 'lost':
      uponLost(draft, event)
      break
    case 'tick':
      break
  }
  forgetFlights(draft, event.at)
  if (event.at >= draft.recountMs) {
    draft.recountMs = event.at + spread(draft, settings.recountMs)
    draft.effects.push({ type: 'recount' })
  }
  for (const side of SIDES) askForMore(draft, side)
  for (const side of SIDES) launchInto(draft, side, event.at)
  draft.effects.push({ type: 'wake', atMs: nextMoment(draft, event.at) })
  return closeDraft(draft)
}

/** A copy of the state that one event changes, and what comes of it. */
interface Draft {
  readonly settings: RelaySettings
  readonly effects: RelayEffect[]
  readonly sides: [SideDraft, SideDraft]
  nextFlight: number
  recountMs: number
  seed: number
}

type SideDraft = { -readonly [K in keyof Omit<RelaySide, 'flights' | 'lane'>]: RelaySide[K] } & {
  flights: ReadonlyMap<number, Flight>
  lane: Lane | undefined
  /** The lane's messages, copied once they change. */
  messages: Map<number, LaneMessage> | undefined
}

const SIDES: readonly Side[] = [0, 1]

function openDraft(state: RelayState, settings: RelaySettings): Draft {
  const of = (side: RelaySide): SideDraft => ({ ...side, messages: undefined })
  const { nextFlight, recountMs, seed } = state
  return {
    settings,
    effects: [],
    sides: [of(state.sides[0]), of(state.sides[1])],
    nextFlight,
    recountMs,
    seed,
  }
}

function closeDraft({ sides, nextFlight, recountMs, seed, effects }: Draft): RelayTransition {
  const of = ({ messages, ...side }: SideDraft): RelaySide =>
    messages === undefined || side.lane === undefined
      ? side
      : { ...side, lane: { ...side.lane, messages } }
  return { state: { sides: [of(sides[0]), of(sides[1])], nextFlight, recountMs, seed }, effects }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0
}

function messagesOf(side: SideDraft): ReadonlyMap<number, LaneMessage> {
  return side.messages ?? side.lane?.messages ?? NO_MESSAGES
}

const NO_MESSAGES: ReadonlyMap<number, LaneMessage> = new Map()

function changing(side: SideDraft): Map<number, LaneMessage> {
  side.messages ??= new Map(side.lane?.messages)
  return side.messages
}

/** From 0 up to 1. Spec: xorshift32, Marsaglia 2003. */
function chance(draft: Draft): number {
  let x = draft.seed
  x ^= x << 13
  x ^= x >>> 17
  x ^= x << 5
  draft.seed = x >>> 0
  return draft.seed / 2 ** 32
}

function uponOpened(draft: Draft, event: RelayEvent & { type: 'opened' }): void {
  const side = draft.sides[event.side]
  const { doneThrough, sentThrough } = event
  if (side.lane !== undefined) {
    side.lane = { ...side.lane, sentThrough: Math.max(side.lane.sentThrough, sentThrough) }
    return
  }
  side.lane = {
    doneThrough,
    done: new Set(),
    knownThrough: doneThrough,
    sentThrough,
    messages: new Map(),
  }
  side.anchorMs = event.at + spread(draft, draft.settings.anchorMs)
}

function uponHead(draft: Draft, event: RelayEvent & { type: 'head' }): void {
  const side = draft.sides[event.side]
  const { height, timestamp, client, channel, at } = event
  if (side.head === undefined || height > side.head.height) side.head = { height, timestamp }
  if (client !== undefined) {
    if (client.latestHeight !== side.client?.latestHeight) {
      side.anchorMs = at + spread(draft, anchorMsOf(client, draft.settings))
    }
    // Governance has acted: what was refused may go now.
    if (client.status !== side.client?.status) side.notBeforeMs = 0
    side.client = client
  }
  if (channel !== undefined) side.channel = channel
  for (const fact of event.facts) learn(draft, fact, at)
  checkLanded(draft, event.side, at)
}

/** A client is told of news well before it stops to trust what it knows. */
function anchorMsOf(client: ClientFacts, { anchorMs }: RelaySettings): number {
  return Math.min(anchorMs, (client.trustingPeriodSeconds * 1_000) / 4)
}

/** Between a time and a quarter more, so that relayers do not all act at once. */
function spread(draft: Draft, ms: number): number {
  return Math.round(ms * (1 + chance(draft) / 4))
}

function learn(draft: Draft, fact: Fact, at: number): void {
  // Messages are kept where they were sent.
  const sender = draft.sides[fact.type === 'received' ? other(fact.side) : fact.side]
  const { lane } = sender
  if (lane === undefined) {
    // It happened behind the counting that is under way: count once more.
    draft.recountMs = at
    return
  }
  const sequence = fact.type === 'committed' ? fact.message.sequence : fact.sequence
  if (fact.type === 'committed' && sequence > lane.sentThrough) {
    sender.lane = { ...lane, sentThrough: sequence }
  }
  if (sequence <= lane.doneThrough || lane.done.has(sequence)) return
  // What is behind the window is asked for when there is room.
  if (sequence > lane.doneThrough + draft.settings.windowMax) return
  if (fact.type === 'acknowledged') {
    finish(sender, sequence)
    return
  }
  const messages = changing(sender)
  const known = messages.get(sequence) ?? newMessage(sequence, at)
  if (fact.type === 'committed') {
    if (known.committed !== undefined) return
    const { message, height, sentMs } = fact
    const committed = { message, height }
    messages.set(sequence, {
      ...known,
      committed,
      sinceMs: Math.min(sentMs, at),
      ...patiently(draft, other(fact.side), at),
    })
    if (sequence === sender.lane!.knownThrough + 1) {
      sender.lane = { ...sender.lane!, knownThrough: sequence }
    }
    return
  }
  if (known.receipt !== undefined) return
  const { outcome, returnHash, height } = fact
  messages.set(sequence, {
    ...known,
    receipt: { outcome, returnHash, height },
    flight: undefined,
    landedAt: undefined,
    attempts: 0,
    lastFailure: undefined,
    ...patiently(draft, other(fact.side), at),
  })
}

/** When its next step is due: at once, or a little later if others are usually first. */
function patiently(draft: Draft, into: Side, at: number): { notBeforeMs: number } {
  const { patienceMs } = draft.sides[into]
  return { notBeforeMs: patienceMs === 0 ? at : at + Math.round(chance(draft) * patienceMs) }
}

function newMessage(sequence: number, at: number): LaneMessage {
  return {
    sequence,
    committed: undefined,
    receipt: undefined,
    sinceMs: at,
    flight: undefined,
    landedAt: undefined,
    notBeforeMs: 0,
    attempts: 0,
    lastFailure: undefined,
  }
}

function finish(sender: SideDraft, sequence: number): void {
  changing(sender).delete(sequence)
  const lane = sender.lane!
  const done = new Set(lane.done).add(sequence)
  let { doneThrough } = lane
  while (done.delete(doneThrough + 1)) doneThrough += 1
  sender.lane = {
    ...lane,
    done,
    doneThrough,
    knownThrough: Math.max(lane.knownThrough, doneThrough),
    sentThrough: Math.max(lane.sentThrough, sequence),
  }
}

/** The block of a flight was seen, and what should have come of it has not: somebody is mistaken. */
function checkLanded(draft: Draft, into: Side, at: number): void {
  const { height } = draft.sides[into].head!
  for (const [lane, isDelivery] of [
    [other(into), true],
    [into, false],
  ] as const) {
    const sender = draft.sides[lane]
    for (const message of messagesOf(sender).values()) {
      const isInto = (message.receipt === undefined) === isDelivery
      if (!isInto || message.landedAt === undefined || message.landedAt > height) continue
      changing(sender).set(message.sequence, retried(draft, message, at, 'without effect'))
      const { sequence } = message
      draft.effects.push({ type: 'reread', side: lane, from: sequence, to: sequence })
    }
  }
}

function retried(draft: Draft, message: LaneMessage, at: number, reason: string): LaneMessage {
  const attempts = message.attempts + 1
  return {
    ...message,
    flight: undefined,
    landedAt: undefined,
    attempts,
    lastFailure: reason,
    notBeforeMs: at + backoffMs(draft, attempts),
  }
}

function backoffMs(draft: Draft, attempts: number): number {
  const { retryMs, retryMaxMs } = draft.settings
  return spread(draft, Math.min(retryMaxMs, retryMs * 2 ** Math.min(attempts - 1, 20)))
}

function uponLanded(draft: Draft, event: RelayEvent & { type: 'landed' }): void {
  const found = takeFlight(draft, event.flight)
  if (found === undefined) return
  const { into, flight } = found
  const side = draft.sides[into]
  const { failures, updateFailure, carried, moot, at, height } = event
  side.counts = {
    ...side.counts,
    landed: side.counts.landed + 1,
    failed: side.counts.failed + failures.length,
    moot: side.counts.moot + moot,
  }
  const useful = carried.deliveries.length + carried.acknowledgements.length - moot
  adaptPatience(draft, side, moot > 0 && useful <= moot)
  noteUpdate(draft, side, flight, updateFailure, at)
  for (const { call, sequences } of callsOf(flight.cargo)) {
    const sender = draft.sides[call === 'deliver' ? other(into) : into]
    const taken = call === 'deliver' ? carried.deliveries : carried.acknowledgements
    for (const sequence of sequences) {
      const message = messagesOf(sender).get(sequence)
      if (message === undefined || message.flight !== event.flight) continue
      const failure = failures.find((each) => each.call === call && each.sequence === sequence)
      changing(sender).set(
        sequence,
        failure !== undefined
          ? retried(draft, message, at, failure.reason)
          : taken.includes(sequence)
            ? { ...message, flight: undefined, landedAt: height }
            : { ...message, flight: undefined, notBeforeMs: at },
      )
    }
  }
  const [first] = failures
  if (first !== undefined) side.lastFailure = { atMs: at, reason: first.reason }
  if (side.head !== undefined && side.head.height >= height) checkLanded(draft, into, at)
}

function uponLost(draft: Draft, event: RelayEvent & { type: 'lost' }): void {
  const found = takeFlight(draft, event.flight)
  if (found === undefined) return
  const { into, flight } = found
  const side = draft.sides[into]
  const { at, isMoot, reason } = event
  side.counts = { ...side.counts, lost: side.counts.lost + 1 }
  if (!isMoot) side.lastFailure = { atMs: at, reason }
  if (isMoot) adaptPatience(draft, side, true)
  const isEmpty = callsOf(flight.cargo).every(({ sequences }) => sequences.length === 0)
  if (isEmpty) {
    noteUpdate(draft, side, flight, isMoot ? undefined : reason, at)
    if (isMoot) side.anchorMs = at + spread(draft, draft.settings.anchorMs / 4)
  }
  for (const { call, sequences } of callsOf(flight.cargo)) {
    const lane = call === 'deliver' ? other(into) : into
    const sender = draft.sides[lane]
    const open = sequences.filter((each) => messagesOf(sender).get(each)?.flight === event.flight)
    for (const sequence of open) {
      const message = messagesOf(sender).get(sequence)!
      changing(sender).set(sequence, retried(draft, message, at, reason))
    }
    if (!isMoot || open.length === 0) continue
    draft.effects.push({
      type: 'reread',
      side: lane,
      from: open.reduce((least, each) => Math.min(least, each)),
      to: open.reduce((most, each) => Math.max(most, each)),
    })
  }
}

/** Headers that are refused again and again are offered less and less often. */
function noteUpdate(
  draft: Draft,
  side: SideDraft,
  flight: Flight,
  failure: string | undefined,
  at: number,
): void {
  if (!flight.isUpdate) return
  if (failure === undefined) {
    side.refusals = 0
    // The block that says so may be heard of later.
    side.anchorMs = at + spread(draft, anchorMsOf(side.client!, draft.settings))
    return
  }
  side.refusals += 1
  side.notBeforeMs = at + backoffMs(draft, side.refusals)
  side.lastFailure = { atMs: at, reason: failure }
}

/** Whoever was in vain waits longer; whoever was of use, shorter. */
function adaptPatience(draft: Draft, side: SideDraft, wasInVain: boolean): void {
  const { patienceMaxMs } = draft.settings
  side.patienceMs = wasInVain
    ? Math.min(patienceMaxMs, side.patienceMs * 2 + PATIENCE_BEGINS_MS)
    : Math.floor(side.patienceMs / 2)
}

const PATIENCE_BEGINS_MS = 50

function callsOf({ deliveries, acknowledgements }: Cargo): readonly {
  readonly call: CallFailure['call']
  readonly sequences: readonly number[]
}[] {
  return [
    { call: 'deliver', sequences: deliveries },
    { call: 'acknowledge', sequences: acknowledgements },
  ]
}

function takeFlight(draft: Draft, id: number): { into: Side; flight: Flight } | undefined {
  for (const into of SIDES) {
    const side = draft.sides[into]
    const flight = side.flights.get(id)
    if (flight === undefined) continue
    const flights = new Map(side.flights)
    flights.delete(id)
    side.flights = flights
    return { into, flight }
  }
  return undefined
}

/** Whoever flies them should have answered. */
function forgetFlights(draft: Draft, at: number): void {
  for (const { flights } of draft.sides) {
    for (const [id, { launchedMs }] of flights) {
      if (at - launchedMs < draft.settings.flightMs) continue
      uponLost(draft, { type: 'lost', at, flight: id, reason: 'no answer', isMoot: false })
    }
  }
}

/** Fills the window of a lane from the chains. */
function askForMore(draft: Draft, sideOfLane: Side): void {
  const side = draft.sides[sideOfLane]
  const { lane } = side
  if (lane === undefined || lane.knownThrough >= lane.sentThrough) return
  const { windowMax } = draft.settings
  const end = Math.min(lane.sentThrough, lane.doneThrough + windowMax)
  // Not for every single place that becomes free.
  const isWorthIt = end === lane.sentThrough || end - lane.knownThrough >= windowMax / 2
  if (end <= lane.knownThrough || !isWorthIt) return
  draft.effects.push({ type: 'reread', side: sideOfLane, from: lane.knownThrough + 1, to: end })
  side.lane = { ...lane, knownThrough: end }
}

function launchInto(draft: Draft, into: Side, at: number): void {
  const side = draft.sides[into]
  const peer = draft.sides[other(into)]
  const { client, channel, head } = side
  const { flightsMax, batchMax } = draft.settings
  if (client?.status !== 'active' || head === undefined || peer.head === undefined) return
  const isCarrying = channel === 'open' || channel === 'closed'
  while (side.flights.size < flightsMax && at >= side.notBeforeMs) {
    const deliveries = isCarrying ? due(peer, at, true, peer.head.height) : []
    const acknowledgements = isCarrying ? due(side, at, false, peer.head.height) : []
    const half = Math.ceil(batchMax / 2)
    const delivered = deliveries.slice(0, batchMax - Math.min(acknowledgements.length, half))
    const acknowledged = acknowledgements.slice(0, batchMax - delivered.length)
    if (delivered.length + acknowledged.length === 0) break
    const needed = [
      ...delivered.map(({ committed }) => committed!.height),
      ...acknowledged.map(({ receipt }) => receipt!.height),
    ].reduce((most, height) => Math.max(most, height))
    const isKnown =
      needed <= client.latestHeight &&
      peer.head.height - client.latestHeight <= draft.settings.staleBlocks
    // A client that is asked for much less than it knows has not seen this peer's news, or lags behind it.
    const proveAt = isKnown ? client.latestHeight : peer.head.height
    if (proveAt < needed || proveAt < client.latestHeight) break
    launch(draft, into, at, {
      proveAt,
      trustedHeight: isKnown ? undefined : client.latestHeight,
      delivered,
      acknowledged,
    })
  }
  const isBehind = peer.head.height > client.latestHeight
  const isDue =
    at >= side.anchorMs || peer.head.height - client.latestHeight >= draft.settings.anchorBlocks
  if (side.flights.size > 0 || !isBehind || !isDue || at < side.notBeforeMs) return
  launch(draft, into, at, {
    proveAt: peer.head.height,
    trustedHeight: client.latestHeight,
    delivered: [],
    acknowledged: [],
  })
}

/** Messages of a lane whose next step can be proven and made now, oldest first. */
function due(sender: SideDraft, at: number, isDelivery: boolean, provable: number): LaneMessage[] {
  const found: LaneMessage[] = []
  for (const message of messagesOf(sender).values()) {
    const { committed, receipt, flight, landedAt, notBeforeMs } = message
    if (committed === undefined || flight !== undefined || landedAt !== undefined) continue
    if (at < notBeforeMs || (receipt === undefined) !== isDelivery) continue
    if ((receipt ?? committed).height <= provable) found.push(message)
  }
  return found.sort((a, b) => a.sequence - b.sequence)
}

function launch(
  draft: Draft,
  into: Side,
  at: number,
  load: {
    readonly proveAt: number
    readonly trustedHeight: number | undefined
    readonly delivered: readonly LaneMessage[]
    readonly acknowledged: readonly LaneMessage[]
  },
): void {
  const { proveAt, trustedHeight, delivered, acknowledged } = load
  const id = draft.nextFlight++
  const side = draft.sides[into]
  const peer = draft.sides[other(into)]
  const cargo = {
    deliveries: delivered.map(({ sequence }) => sequence),
    acknowledgements: acknowledged.map(({ sequence }) => sequence),
  }
  const isUpdate = trustedHeight !== undefined
  side.flights = new Map(side.flights).set(id, { launchedMs: at, proveAt, isUpdate, cargo })
  side.counts = { ...side.counts, launched: side.counts.launched + 1 }
  for (const message of delivered) changing(peer).set(message.sequence, { ...message, flight: id })
  for (const message of acknowledged) {
    changing(side).set(message.sequence, { ...message, flight: id })
  }
  draft.effects.push({
    type: 'launch',
    flight: id,
    side: into,
    proveAt,
    trustedHeight,
    deliveries: delivered.map(({ committed }) => committed!.message),
    acknowledgements: acknowledged.map(({ committed, receipt }) => ({
      message: committed!.message,
      receipt: receipt!,
    })),
  })
}

/** The next time at which something may be due without an event. */
function nextMoment(draft: Draft, at: number): number {
  let next = draft.recountMs
  const consider = (ms: number): void => {
    if (ms > at) next = Math.min(next, ms)
  }
  for (const side of SIDES) {
    const { lane, flights, anchorMs, notBeforeMs, client } = draft.sides[side]
    if (lane === undefined) continue
    if (client?.status === 'active') consider(Math.max(anchorMs, notBeforeMs))
    for (const { launchedMs } of flights.values()) consider(launchedMs + draft.settings.flightMs)
    for (const { flight, landedAt, notBeforeMs: due } of messagesOf(draft.sides[side]).values()) {
      if (flight === undefined && landedAt === undefined) consider(due)
    }
  }
  return next
}
