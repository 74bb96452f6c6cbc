/**
 * One transaction of a relayer: the headers that lead the light client to a height, what is proven under it, and
 * the calls that fit, would have an effect, and were not made by others. What became of it, its logs tell.
 */

import type { RecoverAuthor } from '@vellum/consensus'
import type { Hash } from '@vellum/evm'
import {
  type CallFailure,
  type Cargo,
  type ClientFacts,
  decodePegEvent,
  type EventLog,
  encodeAccountProof,
  encodeAcknowledge,
  encodeDeliver,
  encodeRelay,
  encodeUpdate,
  type GatewayProof,
  heightBetween,
  inboxSlot,
  LIGHT_CLIENT_CALLS,
  leanHeader,
  outboxSlot,
  type RelayEffect,
  reasonOf,
  type Side,
  type TrustedHeader,
  verifyUpdate,
} from '@vellum/sidechain'
import type { Clock } from './ports.ts'
import type { RelayChain, RelayLanding } from './relay-chain.ts'
import { GATEWAY, LIGHT_CLIENT, other } from './relay-reading.ts'

export type Launch = RelayEffect & { type: 'launch' }

export interface RelayFlights {
  /** The transaction, tried on the head's state; or why there is none. Rejects where a chain does not answer. */
  prepare(launch: Launch): Promise<Loaded | Unloaded>
  /** What became of one that is in a block. */
  outcomeOf(loaded: Loaded, landing: RelayLanding & { status: 'included' }): FlightOutcome
}

/** A transaction that is ready to be sent. */
export interface Loaded {
  readonly isLoaded: true
  readonly calls: readonly PlannedCall[]
  readonly data: Uint8Array
  readonly gas: bigint
  /** Left out: they would fail. */
  readonly refused: readonly FailedCall[]
}

export interface Unloaded {
  readonly isLoaded: false
  readonly reason: string
  /** Others have done all of it. */
  readonly isMoot: boolean
}

export interface FlightOutcome {
  /** Calls that the chain undid. */
  readonly failed: readonly FailedCall[]
  /** Of these and of those left out, messages and receipts. */
  readonly failures: readonly CallFailure[]
  /** Why the light client refused the header; undefined: it did not. */
  readonly updateFailure: string | undefined
  readonly carried: Cargo
  /** Calls that somebody else had made before. */
  readonly moot: number
}

export interface PlannedCall {
  readonly kind: 'update' | 'account' | 'deliver' | 'acknowledge'
  readonly sequence?: number
  /** Of the recipient. */
  readonly gasLimit?: bigint
  readonly data: Uint8Array
}

export interface FailedCall {
  readonly call: PlannedCall
  readonly reason: string
}

interface PlannedUpdate {
  readonly trusted: number
  readonly height: number
  readonly sealedHeader: Uint8Array
}

export interface RelayFlightPorts {
  readonly chains: readonly [RelayChain, RelayChain]
  /** The light client of a side, as it is known. */
  readonly clientOf: (side: Side) => ClientFacts
  readonly clock: Pick<Clock, 'now'>
  /** Who signed a seal. */
  readonly recover: RecoverAuthor
  readonly onStep: ((step: FlightStep) => void) | undefined
}

/** What is done before a transaction is sent, in its order. */
export type FlightStep = 'headers planned' | 'proofs built' | 'tried'

/** Most of a transaction that is sent, with its head: nodes refuse those beyond 131,072 bytes. */
const CALL_BYTES_MAX = 120_000
/** Gas of one transaction at most (EIP-7825). */
const GAS_MAX = 16_777_216n
/** Headers in one transaction, where a set has changed much. */
const HEADERS_MAX = 8
const ALL_DONE: Unloaded = { isLoaded: false, reason: 'others have done it', isMoot: true }

export function createRelayFlights(ports: RelayFlightPorts): RelayFlights {
  const { chains, clientOf, clock, recover, onStep } = ports

  /** The calls of a flight, in their order; or why there can be none. */
  async function callsOf(launch: Launch): Promise<readonly PlannedCall[] | string> {
    const { side, trustedHeight, proveAt, deliveries, acknowledgements } = launch
    const peer = chains[other(side)]
    const updates =
      trustedHeight === undefined ? [] : await planUpdates(side, trustedHeight, proveAt)
    if (typeof updates === 'string') return updates
    onStep?.('headers planned')
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
    onStep?.('proofs built')
    return calls
  }

  /** The headers that lead the client of a side from one height to another; or why it takes none. */
  async function planUpdates(
    side: Side,
    from: number,
    to: number,
  ): Promise<readonly PlannedUpdate[] | string> {
    const client = clientOf(side)
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
    const client = clientOf(side)
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
  async function load(side: Side, planned: readonly PlannedCall[]): Promise<Loaded | Unloaded> {
    let calls = fitting(planned)
    const refused: FailedCall[] = []
    // Once to see which calls are in vain, once more if any was, as the others may then go differently.
    for (let tries = 0; tries < 2; tries++) {
      if (calls.every(({ kind }) => kind === 'account')) return ALL_DONE
      const data = encodeRelay(calls.map((call) => call.data))
      const trial = await chains[side].attempt({ to: GATEWAY, data, gas: GAS_MAX })
      onStep?.('tried')
      if (!trial.ok) return unloaded(`relay: ${reasonOf(trial.output)}`)
      const { failed, mootCalls } = readOutcome(calls, trial.logs)
      const update = failed.find(({ call }) => call.kind === 'update')
      if (update !== undefined) return unloaded(update.reason)
      const useful = calls.filter(
        (call) => !mootCalls.has(call) && !failed.some((each) => each.call === call),
      )
      if (useful.length === calls.length) {
        return { isLoaded: true, calls, data, gas: gasOf(calls, trial.gasSpent), refused }
      }
      // What had too little gas left has its turn in the next transaction.
      refused.push(...failed.filter(({ reason }) => reason !== 'GasInsufficient'))
      const isCarrying = calls.some(({ kind }) => kind === 'deliver' || kind === 'acknowledge')
      const isStillCarrying = useful.some(
        ({ kind }) => kind === 'deliver' || kind === 'acknowledge',
      )
      if (isCarrying && !isStillCarrying) {
        return failed.length > 0 ? unloaded(failed[0]!.reason) : ALL_DONE
      }
      if (isCarrying || useful.some(({ kind }) => kind === 'update')) calls = useful
      else return ALL_DONE
    }
    return unloaded('calls fail one after another')
  }

  return {
    prepare: async (launch) => {
      const calls = await callsOf(launch)
      return typeof calls === 'string' ? unloaded(calls) : load(launch.side, calls)
    },
    outcomeOf: ({ calls, refused }, landing) => {
      const { failed, mootCalls } = landing.ok
        ? readOutcome(calls, landing.logs)
        : {
            failed: calls.map((call) => ({ call, reason: 'the transaction failed' })),
            mootCalls: new Set(),
          }
      return {
        failed,
        failures: [...refused, ...failed].flatMap(({ call, reason }) => failureOf(call, reason)),
        updateFailure: failed.find(({ call }) => call.kind === 'update')?.reason,
        carried: cargoOf(calls),
        moot: mootCalls.size,
      }
    },
  }
}

function unloaded(reason: string): Unloaded {
  return { isLoaded: false, reason, isMoot: false }
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
): { failed: FailedCall[]; mootCalls: Set<PlannedCall> } {
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
  return { failed, mootCalls }
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
