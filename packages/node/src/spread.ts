/**
 * Brings transactions to the other nodes of the chain: what a client gave us goes to all peers at
 * once, those of a turn together. Peers do not pass on what a validator sent, as validators reach
 * one another directly; what still waits after a while is said again to one peer after another, so
 * that a cut link does not keep a transaction from a proposer.
 */

import type { Address } from '@vellum/evm'
import type { Pool, SignedTransaction } from '@vellum/ledger'
import type { CancelTimer, PeerAddress, Timers, Transport } from './ports.ts'
import { encodeTransactions } from './wire.ts'

export interface Spread {
  start(): void
  stop(): void
  /** Sends a transaction on, to all but the one it came from. */
  push(encoded: Uint8Array, from?: PeerAddress): void
  /** A peer has come: it gets what waits here. */
  greet(peer: PeerAddress): void
}

/** Milliseconds in which transactions gather: one message for many, and nobody notices the wait. */
const GATHER_MS = 2
/** The same while many come: a message costs as much as three transactions, and blocks gather longer. */
const BUSY_GATHER_MS = 25
/** So many in one message are many. */
const BUSY_COUNT = 4
/** Bytes of one message; below the limit of the channel. */
const MESSAGE_BYTES = 524_288
/** Milliseconds from one reminder to the next. */
const REMIND_MS = 2_000
/** Transactions of one reminder, and of a greeting. */
const REMIND_MAX = 1_000

export function createSpread(ports: {
  readonly pool: Pool
  readonly timers: Timers
  readonly transport: Pick<Transport, 'send' | 'peers'>
  readonly isValidator: (peer: Address) => boolean
}): Spread {
  const { pool, timers, transport, isValidator } = ports
  let waiting: { readonly encoded: Uint8Array; readonly from: PeerAddress | undefined }[] = []
  let flushing: CancelTimer | undefined
  let reminding: CancelTimer | undefined
  let remindedPeer = 0
  /** Transactions in the last message. */
  let lastCount = 0
  /** What waited at the last reminder: only that is said again. */
  let waitedBefore = new Set<string>()

  function flush(): void {
    flushing = undefined
    const batch = waiting
    waiting = []
    lastCount = batch.length
    for (const peer of transport.peers()) {
      const theirs = batch.filter(({ from }) => from !== peer)
      send(
        peer,
        theirs.map(({ encoded }) => encoded),
      )
    }
  }

  function send(peer: PeerAddress, transactions: readonly Uint8Array[]): void {
    let part: Uint8Array[] = []
    let bytes = 0
    for (const encoded of transactions) {
      if (bytes + encoded.length > MESSAGE_BYTES || part.length >= REMIND_MAX) {
        transport.send(peer, 'transactions', encodeTransactions(part))
        part = []
        bytes = 0
      }
      part.push(encoded)
      bytes += encoded.length
    }
    if (part.length > 0) transport.send(peer, 'transactions', encodeTransactions(part))
  }

  function remind(): void {
    reminding = timers.after(REMIND_MS, remind)
    if (pool.readyCount === 0) {
      waitedBefore.clear()
      return
    }
    const ready = pool.content().ready
    const old = ready.filter(({ hash }) => waitedBefore.has(hash)).slice(0, REMIND_MAX)
    waitedBefore = new Set(ready.map(({ hash }) => hash))
    const peers = transport.peers()
    const peer = peers[remindedPeer++ % Math.max(1, peers.length)]
    if (peer !== undefined && old.length > 0) send(peer, encoded(old))
  }

  return {
    start: () => {
      reminding = timers.after(REMIND_MS, remind)
    },
    stop: () => {
      flushing?.()
      reminding?.()
    },
    push: (encoded, from) => {
      if (from !== undefined && isValidator(from)) return
      waiting.push({ encoded, from })
      flushing ??= timers.after(lastCount >= BUSY_COUNT ? BUSY_GATHER_MS : GATHER_MS, flush)
    },
    greet: (peer) => send(peer, encoded(pool.content().ready.slice(0, REMIND_MAX))),
  }
}

function encoded(transactions: readonly SignedTransaction[]): Uint8Array[] {
  return transactions.map((tx) => tx.encoded)
}
