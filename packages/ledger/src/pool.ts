/**
 * Transactions that wait for a block.
 *
 * Each sender has a queue by nonce. What follows on without a gap from the state's nonce is ready;
 * what stands behind a gap waits for the gap to fill. Blocks take ready transactions by the tip they
 * offer, then by arrival, so that on a chain without fees (R1.5) first come is first served; those that
 * took too long before come last.
 * Everything is bounded: all transactions, their bytes, those of one sender, those behind gaps.
 */

import { type Address, type Hash, isAtLeast } from '@vellum/evm'
import { type Account, EMPTY_CODE_HASH } from './account.ts'
import { type Cache, createCache } from './cache.ts'
import { LIMITS } from './config.ts'
import { LedgerError } from './error.ts'
import { isDelegation } from './execute.ts'
import { GAS_PER_BLOB } from './fees.ts'
import { type Permissions, readPermissions } from './permission.ts'
import type { StateView } from './state-view.ts'
import type { SignedTransaction } from './transaction.ts'
import { assertTransactionRules } from './transaction-rules.ts'
import type { BlockRules } from './validate.ts'

export interface PoolLimits {
  readonly transactionsMax: number
  readonly bytesMax: number
  readonly senderTransactionsMax: number
  /** Transactions behind gaps, all senders together. */
  readonly gappedMax: number
}

export const POOL_LIMITS: PoolLimits = {
  transactionsMax: LIMITS.poolTransactionsMax,
  bytesMax: LIMITS.poolBytesMax,
  senderTransactionsMax: LIMITS.poolSenderTransactionsMax,
  gappedMax: LIMITS.poolGappedMax,
}

export interface PoolPorts {
  /** State at the head. */
  state(): StateView
  /**
   * `foreign`: no block is made of what waits. Then transactions with blobs may wait, which nobody here
   * would keep, and such that are bound to no chain. Default: `own`.
   */
  readonly kind?: 'own' | 'foreign'
  /** Rules and gas limit of the block to come. */
  next(): { readonly rules: BlockRules; readonly gasLimit: bigint }
}

export interface Pool {
  /** @throws LedgerError with the code of the rule that keeps the transaction out */
  add(tx: SignedTransaction): void
  get(hash: Hash): SignedTransaction | undefined
  /** Nonce after the sender's last ready transaction: what a wallet should use next. */
  nextNonce(address: Address): bigint
  readonly size: number
  /** Transactions that the next block could take, were it large enough. */
  readonly readyCount: number
  /** Bytes of all that wait, as encoded. */
  readonly bytes: number
  /** How often a proposer gave one up, since the pool was made. */
  readonly slowRuns: number
  /** Ready and gapped ones of all senders, or of one, by nonce. A copy. */
  content(sender?: Address): { ready: SignedTransaction[]; gapped: SignedTransaction[] }
  /** Ready transactions in the order in which a block should take them. */
  select(baseFee: bigint): Selection
  remove(hash: Hash): void
  /**
   * A proposer gave it up while it ran: it comes after all others, and leaves the pool if that happens again
   * and again. A machine that was busy for a moment costs nobody his transaction.
   */
  gaveUp(hash: Hash): void
  /** The head has moved: drops what the block took, and what its nonces outdated. */
  settle(transactions: readonly SignedTransaction[]): void
  /** Called after each transaction that came in. Returns the way to stop. */
  onAdd(listener: (tx: SignedTransaction) => void): () => void
}

/** A walk over ready transactions that respects nonces: one sender's next shows once its last was taken. */
export interface Selection {
  /** The best transaction left; undefined at the end. */
  peek(): SignedTransaction | undefined
  /** It was taken: its sender's next comes into play. */
  take(): void
  /** It cannot run now: nor can any later one of its sender. */
  leave(): void
}

interface Entry {
  readonly tx: SignedTransaction
  readonly arrival: number
  /** Times that a proposer gave it up. */
  slowRuns: number
}

interface Queue {
  /** By nonce, in no order. */
  readonly entries: Map<bigint, Entry>
  /** Nonce in the state. */
  stateNonce: bigint
  /** stateNonce + number of ready entries. */
  nextNonce: bigint
  /** Wei that all entries may cost. */
  cost: bigint
}

export function createPool(ports: PoolPorts, limits: PoolLimits = POOL_LIMITS): Pool {
  const byHash = new Map<Hash, Entry>()
  const tooSlow: Cache<Hash, true> = createCache(LIMITS.slowKept)
  const queues = new Map<Address, Queue>()
  const listeners = new Set<(tx: SignedTransaction) => void>()
  let permissions: { readonly root: Hash; readonly read: Permissions } | undefined
  let arrivals = 0
  let bytes = 0
  let ready = 0
  let slowRuns = 0

  function add(tx: SignedTransaction): void {
    if (byHash.has(tx.hash)) {
      throw new LedgerError('LEDGER_ALREADY_KNOWN', 'the transaction is waiting already', {
        hash: tx.hash,
      })
    }
    if (tooSlow.get(tx.hash)) {
      throw new LedgerError(
        'LEDGER_TRANSACTION_TOO_SLOW',
        'the transaction takes longer than a block may: divide what it does',
        { hash: tx.hash },
      )
    }
    const state = ports.state()
    const account = state.account(tx.sender)
    assertAdmissible(tx, account, state)
    const stateNonce = account?.nonce ?? 0n
    const queue = queues.get(tx.sender) ?? {
      entries: new Map<bigint, Entry>(),
      stateNonce,
      nextNonce: stateNonce,
      cost: 0n,
    }
    if (tx.nonce < stateNonce) {
      throw new LedgerError('LEDGER_NONCE_TOO_LOW', `the sender’s next nonce is ${stateNonce}`, {
        found: tx.nonce,
        expected: stateNonce,
      })
    }
    const rival = queue.entries.get(tx.nonce)
    if (rival !== undefined) assertOutbids(tx, rival.tx)
    else assertRoom(tx, queue)

    const cost = queue.cost + costOf(tx) - (rival === undefined ? 0n : costOf(rival.tx))
    const balance = account?.balance ?? 0n
    if (balance < cost) {
      throw new LedgerError(
        'LEDGER_INSUFFICIENT_FUNDS',
        'the sender cannot pay for gas and value of all that waits',
        { balance, cost },
      )
    }
    if (rival !== undefined) forget(rival)
    const entry = { tx, arrival: arrivals++, slowRuns: 0 }
    queue.entries.set(tx.nonce, entry)
    queue.cost = cost
    byHash.set(tx.hash, entry)
    bytes += tx.encoded.length
    queues.set(tx.sender, queue)
    recount(queue)
    for (const listener of listeners) listener(tx)
  }

  /** What can be said without the sender's queue. */
  function assertAdmissible(
    tx: SignedTransaction,
    account: Account | undefined,
    state: StateView,
  ): void {
    const { rules, gasLimit } = ports.next()
    if (tx.type === 3 && ports.kind !== 'foreign') {
      throw new LedgerError(
        'LEDGER_BLOB_TRANSACTION_REFUSED',
        'this chain carries no blobs: send the data in a transaction of type 2',
      )
    }
    if (tx.encoded.length > LIMITS.transactionBytesMax) {
      throw new LedgerError('LEDGER_TRANSACTION_TOO_LARGE', 'the transaction is over 128 KiB', {
        size: tx.encoded.length,
        limit: LIMITS.transactionBytesMax,
      })
    }
    if (tx.chainId !== undefined && tx.chainId !== rules.chainId) {
      throw new LedgerError('LEDGER_CHAIN_ID', `the transaction is for chain ${tx.chainId}`, {
        found: tx.chainId,
        expected: rules.chainId,
      })
    }
    if (tx.chainId === undefined && ports.kind !== 'foreign') {
      throw new LedgerError(
        'LEDGER_CHAIN_ID',
        'the transaction is not bound to a chain: sign it with a chain id (EIP-155)',
        { expected: rules.chainId },
      )
    }
    assertTransactionRules(tx, rules.fork)
    if (tx.gasLimit > gasLimit) {
      throw new LedgerError('LEDGER_GAS_LIMIT', 'the gas limit is above that of a block', {
        gasLimit: tx.gasLimit,
        blockGasLimit: gasLimit,
      })
    }
    permissionsAt(state, rules)?.assertMay(tx.sender, tx.to)
    // Few senders have code: only theirs is read.
    const hasCode = account !== undefined && account.codeHash !== EMPTY_CODE_HASH
    if (hasCode && !(isAtLeast(rules.fork, 'prague') && isDelegation(state.code(tx.sender)))) {
      throw new LedgerError('LEDGER_SENDER_HAS_CODE', 'the sender is a contract', {
        sender: tx.sender,
      })
    }
  }

  /** Looked up once for each state: senders come again and again. */
  function permissionsAt(state: StateView, rules: BlockRules): Permissions | undefined {
    const { permissionContract } = rules
    if (permissionContract === undefined) return undefined
    if (permissions === undefined || permissions.root !== state.root) {
      const read = readPermissions((slot) => state.storage(permissionContract, slot))
      permissions = { root: state.root, read }
    }
    return permissions.read
  }

  function assertRoom(tx: SignedTransaction, queue: Queue): void {
    const gap = tx.nonce - queue.nextNonce
    if (gap > LIMITS.poolNonceGapMax) {
      throw new LedgerError('LEDGER_NONCE_TOO_HIGH', 'the nonce is too far ahead to wait for', {
        found: tx.nonce,
        expected: queue.nextNonce,
      })
    }
    const full =
      byHash.size >= limits.transactionsMax ||
      bytes + tx.encoded.length > limits.bytesMax ||
      queue.entries.size >= limits.senderTransactionsMax ||
      (gap > 0n && byHash.size - ready >= limits.gappedMax)
    if (full) {
      throw new LedgerError('LEDGER_POOL_FULL', 'too many transactions wait: try again later', {
        waiting: byHash.size,
        waitingOfSender: queue.entries.size,
      })
    }
  }

  /** Takes an entry out of all but its queue's order. */
  function forget({ tx }: Entry): void {
    byHash.delete(tx.hash)
    bytes -= tx.encoded.length
  }

  /** Moves the end of the ready run, after an entry came or went. */
  function recount(queue: Queue): void {
    const before = queue.nextNonce - queue.stateNonce
    let next = queue.nextNonce
    if (!queue.entries.has(next - 1n)) next = queue.stateNonce
    while (queue.entries.has(next)) next++
    queue.nextNonce = next
    ready += Number(next - queue.stateNonce - before)
  }

  function drop(entry: Entry): void {
    const queue = queues.get(entry.tx.sender)
    if (queue === undefined) return
    forget(entry)
    queue.entries.delete(entry.tx.nonce)
    queue.cost -= costOf(entry.tx)
    const before = queue.nextNonce
    // A gap opened: ready is only what stands before it.
    if (entry.tx.nonce < before && entry.tx.nonce >= queue.stateNonce) {
      queue.nextNonce = entry.tx.nonce
      ready -= Number(before - entry.tx.nonce)
    }
    if (queue.entries.size === 0) queues.delete(entry.tx.sender)
  }

  /** The sender's nonce in the state has changed. */
  function renew(sender: Address): void {
    const queue = queues.get(sender)
    if (queue === undefined) return
    const stateNonce = ports.state().account(sender)?.nonce ?? 0n
    ready -= Number(queue.nextNonce - queue.stateNonce)
    for (let nonce = queue.stateNonce; nonce < stateNonce; nonce++) {
      const entry = queue.entries.get(nonce)
      if (entry === undefined) continue
      forget(entry)
      queue.entries.delete(nonce)
      queue.cost -= costOf(entry.tx)
    }
    queue.stateNonce = stateNonce
    queue.nextNonce = stateNonce
    if (queue.entries.size === 0) queues.delete(sender)
    else recount(queue)
  }

  return {
    add,
    get: (hash) => byHash.get(hash)?.tx,
    nextNonce: (address) =>
      queues.get(address)?.nextNonce ?? ports.state().account(address)?.nonce ?? 0n,
    get size() {
      return byHash.size
    },
    get readyCount() {
      return ready
    },
    get bytes() {
      return bytes
    },
    get slowRuns() {
      return slowRuns
    },
    content: (sender) => {
      const content: { ready: SignedTransaction[]; gapped: SignedTransaction[] } = {
        ready: [],
        gapped: [],
      }
      const chosen = sender === undefined ? queues.values() : [queues.get(sender)]
      for (const queue of chosen) {
        if (queue === undefined) continue
        const entries = [...queue.entries.values()].sort((a, b) =>
          a.tx.nonce < b.tx.nonce ? -1 : 1,
        )
        for (const { tx } of entries) {
          content[tx.nonce < queue.nextNonce ? 'ready' : 'gapped'].push(tx)
        }
      }
      return content
    },
    select: (baseFee) => createSelection(queues, baseFee),
    remove: (hash) => {
      const entry = byHash.get(hash)
      if (entry !== undefined) drop(entry)
    },
    gaveUp: (hash) => {
      const entry = byHash.get(hash)
      if (entry === undefined) return
      slowRuns += 1
      entry.slowRuns += 1
      if (entry.slowRuns < LIMITS.slowRunsMax) return
      tooSlow.set(hash, true)
      drop(entry)
    },
    settle: (transactions) => {
      const moved = new Set<Address>()
      for (const tx of transactions) {
        moved.add(tx.sender)
        // An authorisation raises the nonce of who signed it, who may have transactions waiting.
        if (tx.authorizationList.length > 0) for (const sender of queues.keys()) moved.add(sender)
      }
      for (const sender of moved) renew(sender)
    },
    onAdd: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Most that a transaction can take from its sender. */
function costOf(tx: SignedTransaction): bigint {
  const blobGas = BigInt(tx.blobVersionedHashes.length) * GAS_PER_BLOB
  return tx.gasLimit * tx.maxFeePerGas + blobGas * tx.maxFeePerBlobGas + tx.value
}

/** Both fees must rise, so that replacing has a price and cannot be repeated for ever. */
function assertOutbids(tx: SignedTransaction, rival: SignedTransaction): void {
  const least = (fee: bigint): bigint => {
    const bumped = (fee * (100n + LIMITS.poolReplacementBumpPercent) + 99n) / 100n
    return bumped > fee ? bumped : fee + 1n
  }
  if (
    tx.maxFeePerGas < least(rival.maxFeePerGas) ||
    tx.maxPriorityFeePerGas < least(rival.maxPriorityFeePerGas)
  ) {
    throw new LedgerError(
      'LEDGER_REPLACEMENT_UNDERPRICED',
      'a transaction with this nonce waits already: offer at least 10% more to replace it',
      { waiting: rival.hash },
    )
  }
}

interface Candidate extends Entry {
  readonly tip: bigint
}

/** A binary heap of each sender's first untaken transaction. */
function createSelection(queues: ReadonlyMap<Address, Queue>, baseFee: bigint): Selection {
  const heap: Candidate[] = []
  for (const queue of queues.values()) push(candidate(queue, queue.stateNonce))

  function candidate(queue: Queue | undefined, nonce: bigint): Candidate | undefined {
    if (queue === undefined || nonce >= queue.nextNonce) return undefined
    const entry = queue.entries.get(nonce)
    if (entry === undefined || entry.tx.maxFeePerGas < baseFee) return undefined
    const spare = entry.tx.maxFeePerGas - baseFee
    const { maxPriorityFeePerGas } = entry.tx
    return { ...entry, tip: spare < maxPriorityFeePerGas ? spare : maxPriorityFeePerGas }
  }

  function push(added: Candidate | undefined): void {
    if (added === undefined) return
    let at = heap.push(added) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(added, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = added
  }

  function pop(): void {
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }

  return {
    peek: () => heap[0]?.tx,
    take: () => {
      const taken = heap[0]
      pop()
      if (taken !== undefined) push(candidate(queues.get(taken.tx.sender), taken.tx.nonce + 1n))
    },
    leave: pop,
  }
}

function isBefore(a: Candidate, b: Candidate): boolean {
  if (a.slowRuns !== b.slowRuns) return a.slowRuns < b.slowRuns
  return a.tip > b.tip || (a.tip === b.tip && a.arrival < b.arrival)
}
