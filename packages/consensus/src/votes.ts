/** Prepares and commits: from an accepted proposal to a decision. Spec: qbft.md §12; QBFT L1 `node.dfy`. */

import { type Address, type Hash, hexToBytes } from '@vellum/evm'
import { signCommit, signPrepare } from './codec.ts'
import type { Commit, Message, Prepare, Proposal } from './message.ts'
import { isQuorum, persist, reject, relay, say, type Turn } from './turn.ts'
import { CONSENSUS_LIMITS, type EarlyVotes } from './types.ts'

interface From<M extends Message> {
  readonly from: Address
  readonly message: M
}

const NO_VOTES: EarlyVotes = { prepares: new Map(), commits: new Map() }

/** The round's proposal has a valid block: we vote for it, unless we have voted for another. */
export function accept(turn: Turn, proposal: Proposal): void {
  const { height, round, block } = proposal.payload
  turn.state = { ...turn.state, checking: undefined, accepted: proposal }
  const { state } = turn
  const pledged = state.pledges.voted.get(round)
  if (pledged === undefined) {
    const voted = new Map(state.pledges.voted).set(round, block.digest)
    turn.state = { ...turn.state, pledges: { ...state.pledges, voted } }
    persist(turn, { kind: 'voted', height, round, digest: block.digest })
  }
  if (pledged === undefined || pledged === block.digest) sayPrepare(turn, block.digest)
  filterEarly(turn, proposal)
  checkPrepared(turn)
  checkDecided(turn)
}

/** What came before the proposal was not looked at: now it must name this block. */
function filterEarly(turn: Turn, { payload }: Proposal): void {
  const { digest } = payload.block
  const { prepares, commits } = turn.state
  turn.state = {
    ...turn.state,
    prepares: new Map([...prepares].filter(([, each]) => each.payload.digest === digest)),
    commits: new Map(
      [...commits].filter(([, each]) => each.payload.digest === digest && isSealed(turn, each)),
    ),
  }
}

export function uponPrepare(turn: Turn, received: From<Prepare>): void {
  const { from, message } = received
  if (!isForThisRound(turn, received)) return
  const { accepted, prepares } = turn.state
  const known = prepares.get(message.author)
  if (known !== undefined) return uponSecond(turn, from, known, message)
  if (accepted !== undefined && message.payload.digest !== accepted.payload.block.digest) {
    return reject(turn, { from, message }, 'digest differs')
  }
  turn.state = { ...turn.state, prepares: new Map(prepares).set(message.author, message) }
  relay(turn, from, message)
  checkPrepared(turn)
}

export function uponCommit(turn: Turn, received: From<Commit>): void {
  const { from, message } = received
  if (!isForThisRound(turn, received)) return
  const { accepted, commits } = turn.state
  const known = commits.get(message.author)
  if (known !== undefined) return uponSecond(turn, from, known, message)
  if (accepted !== undefined) {
    if (message.payload.digest !== accepted.payload.block.digest) {
      return reject(turn, { from, message }, 'digest differs')
    }
    if (!isSealed(turn, message)) return reject(turn, { from, message }, 'seal is not the author’s')
  }
  turn.state = { ...turn.state, commits: new Map(commits).set(message.author, message) }
  relay(turn, from, message)
  checkDecided(turn)
}

/** Takes what belongs to a later round aside; false if the message is not of this round. */
function isForThisRound(turn: Turn, { from, message }: From<Prepare | Commit>): boolean {
  const { state } = turn
  const { round } = message.payload
  if (round === state.round) return true
  if (state.round !== undefined && round < state.round) {
    reject(turn, { from, message }, 'late')
    return false
  }
  if (round > (state.round ?? 0) + CONSENSUS_LIMITS.roundsAhead) {
    reject(turn, { from, message }, 'too far ahead')
    return false
  }
  const votes = state.early.get(round) ?? NO_VOTES
  const known = (message.kind === 'prepare' ? votes.prepares : votes.commits).get(message.author)
  if (known !== undefined) {
    uponSecond(turn, from, known, message)
    return false
  }
  const kept: EarlyVotes =
    message.kind === 'prepare'
      ? { ...votes, prepares: new Map(votes.prepares).set(message.author, message) }
      : { ...votes, commits: new Map(votes.commits).set(message.author, message) }
  turn.state = { ...state, early: new Map(state.early).set(round, kept) }
  relay(turn, from, message)
  return false
}

/** The first counts. Another digest in the same place proves that the author lies. */
function uponSecond(
  turn: Turn,
  from: Address,
  first: Prepare | Commit,
  second: Prepare | Commit,
): void {
  if (first.payload.digest === second.payload.digest)
    return reject(turn, { from, message: second }, 'duplicate')
  turn.effects.push({ type: 'evidence', first, second })
}

/** A quorum of prepares: the certificate is kept before anybody hears of our commit. */
function checkPrepared(turn: Turn): void {
  const { state } = turn
  const { accepted, round, height } = state
  if (accepted === undefined || round === undefined || state.own.commit !== undefined) return
  if (!isQuorum(state, state.prepares.size)) return
  const { block } = accepted.payload
  // We cannot commit to a block that we have not voted for: the other vote may be in a certificate.
  if (state.pledges.voted.get(round) !== block.digest) return
  const prepares = [...state.prepares.values()].map(({ payload, author, signature }) => ({
    payload,
    author,
    signature,
  }))
  const certificate = { block, round, prepares }
  turn.state = { ...state, prepared: certificate }
  persist(turn, { kind: 'prepared', height, certificate })
  sayCommit(turn, block.digest)
  checkDecided(turn)
}

/** Our vote for the round's block; the same again after a restart. */
export function sayPrepare(turn: Turn, digest: Hash): void {
  const { state, env } = turn
  const payload = { height: state.height, round: state.round!, digest }
  const prepare = signPrepare(payload, env.self!, env.signMessage)
  turn.state = {
    ...state,
    own: { ...state.own, prepare },
    prepares: new Map(state.prepares).set(prepare.author, prepare),
  }
  say(turn, prepare)
}

/** Our seal for the round's block. */
export function sayCommit(turn: Turn, digest: Hash): void {
  const { state, env } = turn
  const seal = env.sign(hexToBytes(digest))
  const payload = { height: state.height, round: state.round!, digest, seal }
  const commit = signCommit(payload, env.self!, env.signMessage)
  turn.state = {
    ...state,
    own: { ...state.own, commit },
    commits: new Map(state.commits).set(commit.author, commit),
  }
  say(turn, commit)
}

/** A quorum of commits: the block is final. Our own is among them only once we are prepared. */
function checkDecided(turn: Turn): void {
  const { state } = turn
  if (state.accepted === undefined || state.isDecided) return
  if (!isQuorum(state, state.commits.size)) return
  const seals = [...state.commits]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { payload }]) => payload.seal)
  turn.state = { ...state, isDecided: true }
  turn.effects.push({ type: 'commit', block: state.accepted.payload.block, seals })
}

/** The digest is the commit hash: the block carries its round, and no seals yet (qbft.md §4). */
function isSealed({ env }: Turn, { author, payload }: Commit): boolean {
  return env.recover(hexToBytes(payload.digest), payload.seal) === author
}
