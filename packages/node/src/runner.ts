/**
 * Drives the QBFT engine of one chain: takes one event from the mailbox at a time, steps, performs the
 * effects in order. The only place where blocks are appended, so nothing else needs a lock.
 *
 * `persist` and `commit` are awaited before what follows them; building is done on the spot; checking
 * another's block may wait for its senders and comes back as an event. A block is executed once: what
 * was built or checked is kept by its hash until the head moves, and the commit only writes it.
 */

import {
  CONSENSUS_LIMITS,
  ConsensusError,
  type ConsensusSettings,
  decodeEvidence,
  decodeMessage,
  type Effect,
  type Env,
  EVIDENCE_CODE,
  type Event,
  encodeMessage,
  initialState,
  type Message,
  outlineOf,
  type ProposedBlock,
  proposalFields,
  proposedBlock,
  type QbftScheme,
  type RejectReason,
  recoveryIn,
  type State,
  signerIn,
  step,
  type TimerName,
  type VoteRecord,
  withSeals,
} from '@vellum/consensus'
import type { Hash } from '@vellum/evm'
import {
  type Block,
  type Chain,
  decodeBody,
  type ExecutedBlock,
  type Header,
  isRefusal,
  LedgerError,
  type Pool,
  type Receipt,
  type Secp256k1,
  type Verdict,
} from '@vellum/ledger'
import type { NodeConfig } from './config.ts'
import type { ForkBook } from './fork-book.ts'
import { createMailbox, type Letter } from './mailbox.ts'
import type { OperatorVotes } from './operator-votes.ts'
import type {
  CancelTimer,
  Clock,
  Logger,
  PeerAddress,
  Signer,
  Timers,
  Transport,
  VoteLog,
} from './ports.ts'
import { messageDomainOf, rememberSigners } from './sealing.ts'
import type { SenderSource } from './senders.ts'

export interface Runner {
  /** Begins with the chain's head. */
  start(): void
  /** Resolves when what is being written is durable. Nothing is made or appended afterwards. */
  stop(): Promise<void>
  /** A consensus frame of a peer. */
  receive(letter: Letter): void
  peerUp(peer: PeerAddress): void
  peerDown(peer: PeerAddress): void
  /** Our head has reached that of the peers: an abstention may end above it. */
  caughtUp(height: number): void
  /**
   * Verifies, executes and appends a sealed block in its turn; one that the chain has already is fine.
   * Rejects if the node cannot go on.
   */
  importBlock(block: Block): Promise<Verdict>
  /**
   * In its turn, a header of a height that is decided: fine if it is ours. If it proves that the chain is
   * forked, the chain is stopped when this resolves. Rejects if the node cannot go on.
   */
  examine(header: Header): Promise<Verdict>
  /**
   * Makes a block the head whose state a snapshot has brought, in its turn: see `Chain.startFrom`.
   * Resolves to false if the node is stopping; rejects if it cannot go on.
   */
  startFrom(block: Block, receipts: readonly Receipt[]): Promise<boolean>
  /** The engine's state, for status and metrics. */
  state(): State
}

export interface RunnerOptions {
  readonly settings: ConsensusSettings
  readonly blocks: NodeConfig['blocks']
}

export interface RunnerPorts {
  readonly chain: Chain
  readonly scheme: QbftScheme
  readonly pool: Pool
  readonly crypto: Secp256k1
  readonly senders: SenderSource
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly signer: Signer | undefined
  readonly transport: Pick<Transport, 'send' | 'penalise'> | undefined
  readonly votes: VoteLog | undefined
  readonly operatorVotes: OperatorVotes
  readonly forks: ForkBook
  /** Default: `decodeMessage` with this chain's domain. */
  readonly readMessage?: ((frame: Uint8Array) => Message) | undefined
  readonly observer: RunnerObserver
  /** Told once, when a block could not be made or written, or a vote not kept: the node must stop. */
  readonly onFailure: (error: unknown) => void
}

/** Who else wants to know: sync, announcements, metrics. All calls return at once. */
export interface RunnerObserver {
  /** After each step. */
  stepped(event: Event, effects: readonly Effect[], state: State): void
  /** A block is durable and the head. */
  advanced(height: number): void
  /** A peer speaks of a height above ours. */
  ahead(peer: PeerAddress, height: number): void
  /** A peer speaks of a height that is decided. */
  behind(peer: PeerAddress): void
  /** Proof that a validator has said two things in one place. */
  evidence(first: Message, second: Message): void
  /** The chain is forked: nothing is made, imported or said any more. */
  forked(): void
}

type Own =
  | { readonly kind: 'event'; readonly event: Event }
  | {
      readonly kind: 'import'
      readonly block: Block
      readonly resolve: (verdict: Verdict) => void
      readonly reject: (error: unknown) => void
    }
  | {
      readonly kind: 'header'
      readonly header: Header
      readonly resolve: (verdict: Verdict) => void
      readonly reject: (error: unknown) => void
    }
  | {
      readonly kind: 'snapshot'
      readonly block: Block
      readonly receipts: readonly Receipt[]
      readonly resolve: (isDone: boolean) => void
      readonly reject: (error: unknown) => void
    }

/** Why a block is refused that stands on another one than our head. */
export const OTHER_BRANCH = 'its parent is another block than ours'

/** From this many transactions in a block on, the next one gathers for the whole of `gatherMs`. */
const BUSY_COUNT = 100
/** Timers of the runtime count 31 bits of milliseconds. */
const TIMER_MS_MAX = 2 ** 31 - 1
/** Executed blocks kept at one height: one in use, and those of failed rounds. */
const EXECUTED_MAX = 8
/** Messages handled before the event loop gets a turn. */
const LETTERS_IN_A_ROW = 64
/** A proposal's time may be so far ahead of our clock (qbft.md §13.2). */
const FUTURE_SECONDS_MAX = 1

/** Faults that only their author can have made; the rest may be the network's, or nobody's. */
const SEVERE: ReadonlySet<RejectReason> = new Set([
  'justification is not valid',
  'block does not fit the proposal',
  'seal is not the author’s',
] as const)
const HARMLESS: ReadonlySet<RejectReason> = new Set(['late', 'duplicate', 'too far ahead'] as const)

export function createRunner(options: RunnerOptions, ports: RunnerPorts): Runner {
  const { settings, blocks } = options
  const { chain, scheme, pool, crypto, clock, timers, log, signer, transport, votes, forks } = ports
  const domain = messageDomainOf(chain)
  const recover = rememberSigners(crypto)
  const recoverAuthor = recoveryIn(domain, recover)
  const readMessage = ports.readMessage ?? ((frame) => decodeMessage(frame, recoverAuthor))
  const sign: Env['sign'] = (hash) => signer!.sign(hash)
  const env: Env = {
    self: signer?.address,
    settings,
    sign,
    signMessage: signerIn(domain, sign),
    recover,
  }
  const mailbox = createMailbox<Own>(wake)
  const timersUnderWay = new Map<TimerName, CancelTimer>()
  let state: State = initialState(votes?.found === 'lost' ? 'unknown' : undefined)
  let executed = new Map<Hash, ExecutedBlock>()
  let isStarted = false
  let isRunning = false
  let running: Promise<void> = Promise.resolve()
  /** Messages handled since the event loop had its last turn, as far as is known. */
  let inARow = 0
  let unsubscribe: (() => void) | undefined
  let records = votes === undefined || votes.found === 'lost' ? [] : votes.found
  /** When the last block was begun: so that the first one after a pause comes at once. */
  let begunAt = Number.NEGATIVE_INFINITY
  /** Transactions of the last block: how busy it is. */
  let lastCount = 0
  /** True after a block took nothing although transactions wait: none of them can run now. */
  let isStuck = false
  /** A transaction came since the height began: an empty block may have been built before. */
  let hasNews = false
  let isWorkTold = false
  let telling: CancelTimer | undefined

  function put(event: Event): void {
    if (isStarted) mailbox.put({ kind: 'event', event })
  }

  function wake(): void {
    if (isRunning || !isStarted) return
    isRunning = true
    inARow = 0
    try {
      // Most messages are done with at once: nothing is awaited, and no promise made, for them.
      const work = handleAll()
      if (work === undefined) isRunning = false
      else running = run(work).catch(fail)
    } catch (error) {
      fail(error)
    }
  }

  async function run(first: Promise<void>): Promise<void> {
    let work: Promise<void> | undefined = first
    while (work !== undefined) {
      await work
      work = handleAll()
    }
    isRunning = false
  }

  /** Handles what waits, up to where something must be awaited: that; undefined if nothing is left. */
  function handleAll(): Promise<void> | undefined {
    while (isStarted) {
      if (inARow >= LETTERS_IN_A_ROW) {
        inARow = 0
        return turn(timers)
      }
      const next = mailbox.take()
      if (next === undefined) return undefined
      inARow += 1
      const work = 'letter' in next ? open(next.letter) : handle(next.own)
      if (work !== undefined) return work
    }
    return undefined
  }

  function fail(error: unknown): void {
    isStarted = false
    cancelTimers()
    ports.onFailure(error)
  }

  /** Somebody else's proof that a validator lies. What is none is a lie of its bearer. */
  function openEvidence({ from, bytes }: Letter): void {
    try {
      const { first, second } = decodeEvidence(bytes, recoverAuthor)
      // A key that was a validator's, or never: what it says is nobody's business.
      if (!state.validators.includes(first.author)) return
      ports.observer.evidence(first, second)
    } catch (error) {
      if (!(error instanceof ConsensusError || error instanceof LedgerError)) throw error
      transport?.penalise(from, error.message, 'severe')
    }
  }

  /** A peer's frame: what is old or far ahead costs a glance, what is nobody's costs its sender. */
  function open(letter: Letter): Promise<void> | undefined {
    const { from, bytes } = letter
    if (bytes[0] === EVIDENCE_CODE) {
      openEvidence(letter)
      return undefined
    }
    let message: Message
    try {
      const { height, round } = outlineOf(bytes)
      if (round > CONSENSUS_LIMITS.roundMax) {
        throw new ConsensusError('CONSENSUS_MESSAGE_INVALID', 'a round above the highest')
      }
      if (height + 1 < state.height) return undefined
      message = readMessage(bytes)
    } catch (error) {
      if (!(error instanceof ConsensusError || error instanceof LedgerError)) throw error
      transport?.penalise(from, error.message, 'severe')
      return undefined
    }
    return advance({ type: 'message', from, message })
  }

  function handle(own: Own): Promise<void> | undefined {
    if (own.kind === 'event') return advance(own.event)
    const refuse = (error: unknown): never => {
      own.reject(error)
      throw error
    }
    if (own.kind === 'import') return importNow(own.block).then(own.resolve, refuse)
    if (own.kind === 'header') return examineNow(own.header).then(own.resolve, refuse)
    return startNow(own.block, own.receipts).then(() => own.resolve(true), refuse)
  }

  function advance(event: Event): Promise<void> | undefined {
    // A chain that is forked is stopped: the engine knows where, and does nothing about it.
    if (forks.fork !== undefined && event.type !== 'newHead') return undefined
    const transition = step(state, event, env)
    state = transition.state
    ports.observer.stepped(event, transition.effects, state)
    return forks.fork === undefined ? perform(transition.effects, 0) : undefined
  }

  /** Performs effects from an index on; a promise only where something must be waited for. */
  function perform(effects: readonly Effect[], from: number): Promise<void> | undefined {
    for (let i = from; i < effects.length; i++) {
      const effect = effects[i]!
      if (effect.type === 'persist') {
        const kept = recordsFrom(effects, i)
        const rest = i + kept.length
        if (votes === undefined) throw new Error('a validator among others needs its vote log')
        return votes.append(kept).then(() => perform(effects, rest))
      }
      if (effect.type === 'commit') {
        return commit(effect.block, effect.seals).then(() => perform(effects, i + 1))
      }
      start(effect)
    }
    return undefined
  }

  function start(effect: Exclude<Effect, { type: 'persist' | 'commit' }>): void {
    switch (effect.type) {
      case 'send':
      case 'relay': {
        if (transport === undefined) return
        const frame = encodeMessage(effect.message)
        for (const peer of effect.to) transport.send(peer, 'consensus', frame)
        return
      }
      case 'setTimer':
        return setTimer(effect)
      case 'buildBlock':
        return build(effect.height, effect.round)
      case 'checkBlock':
        return check(effect.height, effect.round, effect.block)
      case 'fetchBlocks':
        return ports.observer.ahead(effect.from, effect.height)
      case 'announceHead':
        return ports.observer.behind(effect.to)
      case 'evidence':
        return ports.observer.evidence(effect.first, effect.second)
      case 'reject':
        // Who passes on another's word may have had no means to check it.
        if (effect.from !== effect.author || HARMLESS.has(effect.reason)) return
        transport?.penalise(
          effect.from,
          effect.reason,
          SEVERE.has(effect.reason) ? 'severe' : 'slight',
        )
        return
    }
  }

  function setTimer({ timer, height, round, afterMs }: Effect & { type: 'setTimer' }): void {
    // A block that was being written when the node was told to stop begins another height.
    if (!isStarted) return
    timersUnderWay.get(timer)?.()
    const cancel = timers.after(Math.min(Math.ceil(afterMs), TIMER_MS_MAX), () => {
      timersUnderWay.delete(timer)
      put({ type: 'timeout', timer, height, round })
    })
    timersUnderWay.set(timer, cancel)
  }

  function cancelTimers(): void {
    for (const cancel of timersUnderWay.values()) cancel()
    timersUnderWay.clear()
  }

  function build(height: number, round: number): void {
    const parent = chain.head().header
    if (parent.number + 1 !== height) return
    begunAt = clock.elapsed()
    const timestamp = Math.max(
      parent.timestamp + settings.blockPeriodSeconds,
      Math.floor(clock.now() / 1000),
    )
    const { validators } = state
    const proposer = signer!.address
    const vote = ports.operatorVotes.voteFor({
      height,
      proposer,
      state: scheme.validatorsAfter(parent.number, ancestor),
    })
    const built = chain.build(pool, {
      timestamp,
      fields: proposalFields({ proposer, validators, round, vote }),
      gasLimitTarget: BigInt(blocks.gasLimit ?? parent.gasLimit),
      budget: { elapsed: () => clock.elapsed(), blockMs: blocks.buildMs },
    })
    keep(built)
    put({
      type: 'blockBuilt',
      height,
      round,
      block: proposedBlock(built.block.header, built.body),
    })
  }

  function check(height: number, round: number, block: ProposedBlock): void {
    begunAt = clock.elapsed()
    const answer = (verdict: Verdict): void =>
      put({ type: 'blockChecked', height, round, digest: block.digest, verdict })
    if (block.header.timestamp > Math.floor(clock.now() / 1000) + FUTURE_SECONDS_MAX) {
      return answer({ ok: false, reason: 'its time is ahead of our clock' })
    }
    if (executed.has(scheme.hash(block.header))) return answer({ ok: true })
    const whole = withSenders(block)
    if (whole instanceof Promise) {
      whole.then((found) => answer(executeProposal(found)), ports.onFailure)
    } else {
      answer(executeProposal(whole))
    }
  }

  /** The block with its senders recovered; undefined if its body cannot be decoded or was not signed. */
  function withSenders(block: ProposedBlock): Block | undefined | Promise<Block | undefined> {
    try {
      const { transactions, ommers, withdrawals } = decodeBody(block.body)
      const known = ports.senders.recover(transactions)
      const whole = (signed: Awaited<typeof known>): Block | undefined =>
        signed && { header: block.header, transactions: signed, ommers, withdrawals }
      return known instanceof Promise ? known.then(whole) : whole(known)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return undefined
    }
  }

  function executeProposal(block: Block | undefined): Verdict {
    if (block === undefined) return { ok: false, reason: 'its body is not valid' }
    const verdict = chain.executeProposal(block)
    if (verdict.executed !== undefined) keep(verdict.executed)
    return verdict
  }

  function keep(block: ExecutedBlock): void {
    if (executed.size >= EXECUTED_MAX) executed.delete(executed.keys().next().value!)
    executed.set(block.hash, block)
  }

  async function commit(block: ProposedBlock, seals: readonly Uint8Array[]): Promise<void> {
    const hash = scheme.hash(block.header)
    let found = executed.get(hash)
    if (found === undefined) {
      // Rounds failed since it was checked, and others took its place.
      const whole = await withSenders(block)
      const verdict = executeProposal(whole)
      found = executed.get(hash)
      if (found === undefined) {
        throw new Error(`a decided block cannot be executed: ${verdict.ok ? '' : verdict.reason}`)
      }
    }
    await append(chain.sealed(found, withSeals(block.header, seals)))
  }

  async function importNow(block: Block): Promise<Verdict> {
    const { number, parentHash } = block.header
    const head = chain.head()
    if (number <= head.header.number) return examineNow(block.header)
    if (forks.fork !== undefined) return { ok: false, reason: 'the chain is forked, and stopped' }
    if (number === head.header.number + 1 && parentHash !== head.hash) {
      return { ok: false, reason: OTHER_BRANCH }
    }
    const verdict = chain.execute(block)
    if (verdict.executed === undefined) return verdict
    await append(verdict.executed)
    return { ok: true }
  }

  async function examineNow(header: Header): Promise<Verdict> {
    let hash: Hash
    try {
      hash = scheme.hash(header)
    } catch (error) {
      // Whoever made it: such extra data has no name.
      if (!isRefusal(error)) throw error
      return { ok: false, reason: error.message }
    }
    if (chain.hashAt(header.number) === hash) return { ok: true }
    if (await forks.examine(header)) stopForked()
    return { ok: false, reason: 'another block is final at this height' }
  }

  function stopForked(): void {
    cancelTimers()
    ports.observer.forked()
  }

  async function startNow(block: Block, receipts: readonly Receipt[]): Promise<void> {
    await chain.startFrom(block, receipts)
    lastCount = block.transactions.length
    await beginHeight()
  }

  async function append(block: ExecutedBlock): Promise<void> {
    await chain.append(block)
    lastCount = block.block.transactions.length
    await beginHeight()
  }

  /** Tells the engine of the head: the one way into a height. */
  async function beginHeight(): Promise<void> {
    const { header, hash } = chain.head()
    executed = new Map()
    isStuck = header.number > 0 && lastCount === 0 && pool.readyCount > 0 && !hasNews
    hasNews = false
    isWorkTold = false
    votes?.release(header.number)
    const said = records.filter(({ height }) => height === header.number + 1)
    records = records.filter(({ height }) => height > header.number + 1)
    await advance({
      type: 'newHead',
      at: clock.now(),
      head: {
        height: header.number,
        hash,
        proposer: header.coinbase,
        timestamp: header.timestamp,
      },
      validators: scheme.validatorsAfter(header.number, ancestor).validators,
      restMs: restMs(),
      ...(said.length > 0 && { records: said }),
    })
    // Messages that waited for this height may have decided it already.
    if (chain.head().hash !== hash) return
    ports.observer.advanced(header.number)
    tellWork()
  }

  /** Under load transactions gather, the longer the more the last block took. */
  function restMs(): number {
    const gatherMs = blocks.gatherMs * Math.min(1, lastCount / BUSY_COUNT)
    return Math.max(0, begunAt + Math.max(blocks.periodMs, gatherMs) - clock.elapsed())
  }

  function tellWork(): void {
    if (isWorkTold || isStuck || pool.readyCount === 0) return
    isWorkTold = true
    put({ type: 'work' })
  }

  const ancestor = (number: number): Block['header'] => {
    const found = chain.header(number)
    if (found === undefined) throw new Error(`block ${number} is not an ancestor`)
    return found.header
  }

  return {
    start: () => {
      isStarted = true
      unsubscribe = pool.onAdd(() => {
        isStuck = false
        hasNews = true
        // At the next turn: what comes in this one should be in the same block.
        telling ??= timers.after(0, () => {
          telling = undefined
          tellWork()
        })
      })
      const next = chain.head().header.number + 1
      const last = Math.max(0, ...records.map(({ height }) => height))
      if (last > next) {
        // Of the heights before it, what was said is forgotten: it was final once.
        log.warn('the database is behind the votes: nothing is said below their height', {
          height: next,
          votedAt: last,
        })
        state = initialState(last - 2)
      }
      isRunning = true
      if (forks.fork !== undefined) stopForked()
      running = run(beginHeight()).catch(fail)
    },
    stop: async () => {
      isStarted = false
      unsubscribe?.()
      telling?.()
      cancelTimers()
      await running
    },
    receive: (letter) => {
      // Others have no word in this; a validator that we have not heard of yet will say it again.
      if (!state.validators.includes(letter.from)) return
      // What does not fit is dropped: the network has its own budgets, and after a pause of ours the
      // flood is nobody's fault.
      mailbox.putLetter(letter)
    },
    peerUp: (peer) => put({ type: 'peerUp', peer }),
    peerDown: (peer) => mailbox.forget(peer),
    caughtUp: (height) => put({ type: 'caughtUp', height }),
    importBlock: (block) =>
      new Promise((resolve, reject) => {
        if (isStarted) mailbox.put({ kind: 'import', block, resolve, reject })
        else resolve({ ok: false, reason: 'the node is stopping' })
      }),
    examine: (header) =>
      new Promise((resolve, reject) => {
        if (isStarted) mailbox.put({ kind: 'header', header, resolve, reject })
        else resolve({ ok: false, reason: 'the node is stopping' })
      }),
    startFrom: (block, receipts) =>
      new Promise((resolve, reject) => {
        if (isStarted) mailbox.put({ kind: 'snapshot', block, receipts, resolve, reject })
        else resolve(false)
      }),
    state: () => state,
  }
}

/** The records that follow one another from an index on: one write for all. */
function recordsFrom(effects: readonly Effect[], from: number): VoteRecord[] {
  const records: VoteRecord[] = []
  for (let i = from; i < effects.length; i++) {
    const effect = effects[i]!
    if (effect.type !== 'persist') break
    records.push(effect.record)
  }
  return records
}

function turn(timers: Timers): Promise<void> {
  return new Promise((resolve) => timers.after(0, resolve))
}
