/** What the RPC facade asks of consensus: validators, votes, and how it stands. */

import type { QbftScheme } from '@vellum/consensus'
import type { Chain, Pool } from '@vellum/ledger'
import type { ConsensusPort, ConsensusStatus } from '@vellum/rpc'
import { progressOf } from './backend.ts'
import { type ConsensusFacts, consensusFindings, liveValidators } from './consensus-status.ts'
import type { ConsensusWatch } from './consensus-watch.ts'
import { withWords } from './consensus-words.ts'
import { NodeError } from './error.ts'
import type { NodeConsensus } from './node.ts'
import type { Clock, Logger, Signer, Transport } from './ports.ts'
import { verifyVote } from './vote-guard.ts'

export interface ConsensusPortOptions {
  readonly consensus: Omit<NodeConsensus, 'eviction'>
  readonly scheme: QbftScheme
  readonly chain: Chain
  readonly pool: Pool
  readonly clock: Clock
  readonly log: Logger
  readonly signer: Signer | undefined
  readonly transport: Transport | undefined
  readonly watch: ConsensusWatch
  readonly settings: ConsensusFacts['settings']
  /** Below this many validators the set is not made smaller. */
  readonly validatorsMin: number
}

export function createConsensusPort(options: ConsensusPortOptions): ConsensusPort {
  const { consensus, scheme, chain, pool, clock, log, signer, transport, watch, settings } = options
  const { runner, network, votes } = consensus

  function facts(): ConsensusFacts {
    const head = chain.head().header.number
    return {
      nowMs: clock.now(),
      elapsedMs: clock.elapsed(),
      self: signer?.address,
      state: runner.state(),
      settings,
      connected: transport?.peers() ?? [],
      views: network?.peers() ?? new Map(),
      heardAt: watch.heardAt,
      roundBeganAt: watch.roundBeganAt(),
      sync: progressOf(consensus.sync?.state()),
      pool: { ready: pool.readyCount, queued: pool.size - pool.readyCount },
      headTransactions: chain.block(head)?.transactions.length ?? 0,
      evidence: consensus.evidence.entries.length,
      fork: consensus.forks.fork,
      votes: votes.pending(),
    }
  }

  const ancestor = (number: number): ReturnType<typeof chain.head>['header'] => {
    const found = chain.header(number)
    if (found === undefined) throw new Error(`block ${number} is not in the chain`)
    return found.header
  }

  return {
    requestTimeoutMs: settings.requestTimeoutMs,
    validatorsAfter: (number) => scheme.validatorsAfter(number, ancestor).validators,
    propose: ({ subject, kind, isForced }) => {
      if (signer === undefined) {
        return {
          ok: false,
          reason: 'this node has no validator key, and makes no blocks with votes',
        }
      }
      const known = facts()
      const { validators } = known.state
      const verdict = verifyVote(
        { subject, kind, isForced },
        {
          validators,
          live: liveValidators(known, [
            ...new Set([...validators, subject, ...votes.pending().keys()]),
          ]),
          pending: votes.pending(),
          validatorsMin: options.validatorsMin,
        },
      )
      if (!verdict.ok) {
        log.warn('a vote was refused', { subject, kind, reason: verdict.reason })
        return verdict
      }
      try {
        votes.propose(subject, kind)
      } catch (error) {
        if (!(error instanceof NodeError)) throw error
        return { ok: false, reason: error.message }
      }
      log.info('votes from now on', { subject, kind, isForced })
      return { ok: true }
    },
    discard: (subject) => {
      const wasWanted = votes.discard(subject)
      if (wasWanted) log.info('votes no more', { subject })
      return wasWanted
    },
    pending: () => votes.pending(),
    status: (): ConsensusStatus => withWords(consensusFindings(facts())),
  }
}
