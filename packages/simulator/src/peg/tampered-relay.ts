/**
 * What relayers that lie send in place of what honest ones would: they have their own key, and whatever
 * they have read or sent before. Nobody need believe them; they must not do harm.
 */

import { GATEWAY_CALLS, LIGHT_CLIENT_CALLS } from '@vellum/sidechain'
import type { Prng } from '../prng.ts'

export type RelayerBehaviour =
  | 'honest'
  /** Bits are wrong, ends are missing: headers, proofs and messages that are none. */
  | 'garbler'
  /** Says again what it has said before, now and then much later. */
  | 'replayer'
  /** The calls of one transaction out of order, twice, or not at all. */
  | 'shuffler'
  /** Headers of one chain as those of another, which may have the same validators. */
  | 'confuser'
  /** Says little of what it should. */
  | 'withholder'

export const RELAYER_BEHAVIOURS: readonly RelayerBehaviour[] = [
  'honest',
  'garbler',
  'replayer',
  'shuffler',
  'confuser',
  'withholder',
]

/** @returns what leaves in place of the data of a transaction to the gateway: nothing, itself, others */
export type Tampering = (data: Uint8Array) => readonly Uint8Array[]

/** Transactions that a replayer keeps. */
const KEPT_MAX = 64
const WITHHELD_PART = 0.8

export function createTampering(behaviour: RelayerBehaviour, prng: Prng): Tampering {
  const kept: Uint8Array[] = []
  switch (behaviour) {
    case 'honest':
      return (data) => [data]
    case 'garbler':
      return (data) => (prng.chance(0.5) ? [garbled(data, prng)] : [garbled(data, prng), data])
    case 'replayer':
      return (data) => {
        if (kept.length >= KEPT_MAX) kept.splice(prng.whole(0, kept.length - 1), 1)
        kept.push(data)
        return prng.chance(0.5) ? [data, prng.pick(kept)] : [prng.pick(kept), data]
      }
    case 'shuffler':
      return (data) => {
        const calls = callsOf(data)
        if (calls === undefined) return [data]
        const chosen = prng.shuffled([...calls, ...calls]).slice(0, prng.whole(1, 2 * calls.length))
        return [GATEWAY_CALLS.relay.encodeCall([chosen])]
      }
    case 'confuser':
      return createConfusion(prng)
    case 'withholder':
      return (data) => (prng.chance(WITHHELD_PART) ? [] : [data])
  }
}

/** Beside each header that it brings, one of another chain for the same client. */
function createConfusion(prng: Prng): Tampering {
  const headers: { readonly chainId: bigint; readonly header: Uint8Array }[] = []
  const { updateClient } = LIGHT_CLIENT_CALLS
  return (data) => {
    const calls = callsOf(data) ?? []
    const updates = calls.filter((call) => hasSelector(call, updateClient.selector))
    const confused = updates.flatMap((call) => {
      const [chainId, trustedHeight, header] = updateClient.decodeCall(call)
      if (headers.length >= KEPT_MAX) headers.shift()
      headers.push({ chainId, header })
      const foreign = headers.filter((each) => each.chainId !== chainId)
      if (foreign.length === 0) return []
      return [updateClient.encodeCall([chainId, trustedHeight, prng.pick(foreign).header])]
    })
    return confused.length === 0 ? [data] : [GATEWAY_CALLS.relay.encodeCall([confused]), data]
  }
}

function hasSelector(call: Uint8Array, selector: Uint8Array): boolean {
  return selector.every((byte, i) => call[i] === byte)
}

function callsOf(data: Uint8Array): readonly Uint8Array[] | undefined {
  try {
    return GATEWAY_CALLS.relay.decodeCall(data)[0]
  } catch {
    return undefined
  }
}

/** Within one of the calls, so that the list around them stays one: they are looked at one by one. */
function garbled(data: Uint8Array, prng: Prng): Uint8Array {
  const calls = callsOf(data)
  if (calls === undefined || calls.length === 0 || prng.chance(0.1)) return spoiled(data, prng)
  const at = prng.whole(0, calls.length - 1)
  return GATEWAY_CALLS.relay.encodeCall([
    calls.map((call, i) => (i === at ? spoiled(call, prng) : call)),
  ])
}

function spoiled(bytes: Uint8Array, prng: Prng): Uint8Array {
  if (bytes.length === 0) return bytes
  if (prng.chance(0.1)) return bytes.slice(0, prng.whole(0, bytes.length - 1))
  const copy = bytes.slice()
  for (let flips = prng.whole(1, 3); flips > 0; flips--) {
    const bit = prng.whole(0, 8 * copy.length - 1)
    copy[bit >> 3] = copy[bit >> 3]! ^ (1 << (bit & 7))
  }
  return copy
}
