/**
 * What must hold whatever happens, asserted on every message and every block. The checks know public
 * facts alone: what honest nodes said, and which blocks they hold. They ask no engine.
 *
 * S1  no two honest nodes hold different blocks at one height
 * S2  no honest node signs two proposals, prepares or commits with different digests for one round
 * S3  after a quorum of commits, no honest node supports another block in a later round
 * S4  heights and rounds of what a node signs never fall, restarts included
 * S5  every block held has a quorum of distinct valid seals of its set
 * S6  every header names the set that the votes before it lead to
 * D1  a node that kept its disk still has every block that it had
 * R18 what follows from blocks (state root, receipts) is the same on every node
 * P1  no honest node takes another one for a liar
 *
 * The world adds what can be said at its end only:
 *
 * L1  after the healing the next block comes in time
 * L2  every honest node follows
 * L3  no node stops by itself unless its disk has failed
 *
 * Spec: qbft.md §18.
 */

import {
  type Message,
  type ProposedBlock,
  proposerOf,
  quorum,
  type RecoverAuthor,
} from '@vellum/consensus'
import { type Address, bytesToHex, type Hash, ZERO_ADDRESS } from '@vellum/evm'
import {
  type Chain,
  commitHash,
  decodeExtraData,
  encodeReceipt,
  qbftHash,
  type SealedHeader,
} from '@vellum/ledger'
import type { MessageReader } from './message-reader.ts'
import type { Penalty, WireMessage } from './virtual-network.ts'
import { createVoteTally } from './vote-tally.ts'

export type Rule =
  | 'S1'
  | 'S2'
  | 'S3'
  | 'S4'
  | 'S5'
  | 'S6'
  | 'D1'
  | 'R18'
  | 'P1'
  | 'L1'
  | 'L2'
  | 'L3'

export const RULES: readonly Rule[] = [
  ...(['S1', 'S2', 'S3', 'S4', 'S5', 'S6'] as const),
  ...(['D1', 'R18', 'P1', 'L1', 'L2', 'L3'] as const),
]

export interface Violation {
  readonly rule: Rule
  /** Virtual milliseconds since 1970. */
  readonly at: number
  readonly text: string
}

export interface Checks {
  readonly violations: readonly Violation[]
  /** Highest block that an honest node holds. */
  readonly height: number
  /** Of the block after the highest. */
  validators(): readonly Address[]
  /** Rounds above 0 in which blocks were decided, summed. */
  readonly roundsLost: number
  /** Blocks that were decided in a later round than that of their maker: prepared, and carried on. */
  readonly carriedOver: number
  /** A message leaves a node. */
  onWire(wire: WireMessage): void
  onPenalty(penalty: Penalty): void
  /** An honest node holds this block, durably. */
  onBlock(node: Address, block: SealedHeader): void
  /** An honest node has started with this chain. */
  onStart(node: Address, chain: Chain): void
  /** The node's database was emptied, or found damaged and given up: it begins anew. */
  onWipe(node: Address): void
  /** Compares what follows from the blocks of all chains, block by block. */
  compareChains(chains: ReadonlyMap<Address, Chain>): void
}

export interface ChecksOptions {
  readonly validators: readonly Address[]
  readonly epochLength: number
  readonly isHonest: (node: Address) => boolean
  /** Who sealed a block. */
  readonly recover: RecoverAuthor
  readonly readMessage: MessageReader
  readonly now: () => number
  readonly nameOf: (node: Address) => string
}

/** Violations kept of each rule; a broken run repeats itself. */
const VIOLATIONS_MAX = 5
/** Heights below the highest whose votes are remembered. */
const HEIGHTS_KEPT = 32

/** What was said about one height. */
interface HeightRecord {
  /** author/kind/round -> digest: honest ones' signatures. */
  readonly signed: Map<string, Hash>
  /** By digest. */
  readonly blocks: Map<Hash, ProposedBlock>
  /** round/digest -> who committed, honest or not. */
  readonly commits: Map<string, Set<Address>>
  /** What honest nodes supported. */
  readonly supported: { readonly round: number; readonly digest: Hash; readonly by: Address }[]
  /** Quorums of commits. */
  readonly decided: { readonly round: number; readonly digest: Hash }[]
}

export function createChecks(options: ChecksOptions): Checks {
  const { isHonest, recover, readMessage, now, nameOf } = options
  const violations: Violation[] = []
  const tally = createVoteTally(options.validators, options.epochLength)
  const blocks = new Map<number, { readonly hash: Hash; readonly by: Address }>()
  const records = new Map<number, HeightRecord>()
  const lastSigned = new Map<Address, { readonly height: number; readonly round: number }>()
  const heads = new Map<Address, { readonly height: number; readonly hash: Hash }>()
  /** Of the frame that left last: it leaves for everybody, one after another. */
  let lastFrame: Pick<WireMessage, 'from' | 'bytes'> | undefined
  let height = 0
  let roundsLost = 0
  let carriedOver = 0
  let lastProposer: Address = ZERO_ADDRESS

  function violate(rule: Rule, text: string): void {
    if (violations.filter((each) => each.rule === rule).length >= VIOLATIONS_MAX) return
    violations.push({ rule, at: now(), text })
  }

  function recordOf(at: number): HeightRecord {
    let record = records.get(at)
    if (record === undefined) {
      record = {
        signed: new Map(),
        blocks: new Map(),
        commits: new Map(),
        supported: [],
        decided: [],
      }
      records.set(at, record)
    }
    return record
  }

  function onMessage(message: Message, from: Address): void {
    const { author, kind } = message
    const { height: at, round } = message.payload
    const record = recordOf(at)
    keepBlock(record, message)
    if (kind === 'commit') countCommit(record, message.author, at, round, message.payload.digest)
    if (!isHonest(author)) return
    if (from === author) checkOrder(author, at, round)
    if (kind === 'roundChange') return
    const digest = kind === 'proposal' ? message.payload.block.digest : message.payload.digest
    const name = `${author}/${kind}/${round}`
    const before = record.signed.get(name)
    if (before === undefined) {
      record.signed.set(name, digest)
      support(record, at, { round, digest, by: author })
    } else if (before !== digest) {
      violate(
        'S2',
        `${nameOf(author)} signed two ${kind}s at height ${at}, round ${round}: ${before} and ${digest}`,
      )
    }
  }

  function keepBlock(record: HeightRecord, message: Message): void {
    const block =
      message.kind === 'proposal'
        ? message.payload.block
        : message.kind === 'roundChange'
          ? message.block
          : undefined
    if (block !== undefined) record.blocks.set(block.digest, block)
  }

  function countCommit(
    record: HeightRecord,
    author: Address,
    at: number,
    round: number,
    digest: Hash,
  ): void {
    const set = tally.validatorsFor(at)
    // A set that nobody honest knows yet: its commits count when they are sent again.
    if (set === undefined || !set.includes(author)) return
    const name = `${round}/${digest}`
    const authors = record.commits.get(name) ?? new Set()
    record.commits.set(name, authors)
    if (authors.has(author)) return
    authors.add(author)
    if (authors.size !== quorum(set.length)) return
    record.decided.push({ round, digest })
    for (const each of record.supported) compareSupport(record, at, each, { round, digest })
  }

  function support(
    record: HeightRecord,
    at: number,
    supported: HeightRecord['supported'][number],
  ): void {
    record.supported.push(supported)
    for (const each of record.decided) compareSupport(record, at, supported, each)
  }

  function compareSupport(
    { blocks: known }: HeightRecord,
    at: number,
    supported: HeightRecord['supported'][number],
    decided: HeightRecord['decided'][number],
  ): void {
    if (supported.round <= decided.round) return
    const one = nameOfBlock(known.get(supported.digest))
    const other = nameOfBlock(known.get(decided.digest))
    if (one === undefined || other === undefined || one === other) return
    violate(
      'S3',
      `${nameOf(supported.by)} supports ${one} at height ${at}, round ${supported.round}, after a quorum of commits to ${other} in round ${decided.round}`,
    )
  }

  function checkOrder(author: Address, at: number, round: number): void {
    const last = lastSigned.get(author)
    if (last !== undefined && (at < last.height || (at === last.height && round < last.round))) {
      violate(
        'S4',
        `${nameOf(author)} speaks of height ${at}, round ${round} after height ${last.height}, round ${last.round}`,
      )
      return
    }
    lastSigned.set(author, { height: at, round })
  }

  function checkBlock(node: Address, { header, hash }: SealedHeader): void {
    const { number } = header
    const known = blocks.get(number)
    if (known === undefined) blocks.set(number, { hash, by: node })
    else if (known.hash !== hash) {
      violate(
        'S1',
        `at height ${number} ${nameOf(node)} holds ${hash}, and ${nameOf(known.by)} ${known.hash}`,
      )
      return
    }
    const set = tally.validatorsFor(number)
    if (set === undefined) {
      violate('S1', `${nameOf(node)} holds block ${number}, but nobody the one before it`)
      return
    }
    const extra = decodeExtraData(header.extraData)
    if (
      extra.validators.length !== set.length ||
      extra.validators.some((each, i) => each !== set[i])
    ) {
      violate('S6', `block ${number} of ${nameOf(node)} names ${extra.validators}, not ${set}`)
    }
    const sealed = commitHash(header)
    const sealers = new Set(extra.seals.map((seal) => recover(sealed, seal)))
    const distinct = set.filter((each) => sealers.has(each))
    if (distinct.length !== extra.seals.length || distinct.length < quorum(set.length)) {
      violate(
        'S5',
        `block ${number} of ${nameOf(node)} has ${extra.seals.length} seals, ${distinct.length} of them of distinct validators, of ${set.length}`,
      )
    }
    tally.add(header)
    if (number <= height) return
    height = number
    roundsLost += extra.round
    const proposer = proposerOf({ validators: set, previous: lastProposer, round: extra.round })
    if (proposer !== header.coinbase) carriedOver += 1
    lastProposer = header.coinbase
    records.delete(number - HEIGHTS_KEPT)
  }

  return {
    violations,
    validators: () => tally.validatorsFor(height + 1) ?? [],
    get height() {
      return height
    },
    get roundsLost() {
      return roundsLost
    },
    get carriedOver() {
      return carriedOver
    },
    onWire: ({ from, channel, bytes }) => {
      if (channel !== 'consensus') return
      if (lastFrame?.bytes === bytes && lastFrame.from === from) return
      lastFrame = { from, bytes }
      let message: Message
      try {
        message = readMessage(bytes)
      } catch {
        // Junk of an adversary.
        return
      }
      onMessage(message, from)
    },
    onPenalty: ({ by, peer, reason, weight }) => {
      if (weight !== 'severe' || !isHonest(by) || !isHonest(peer)) return
      violate('P1', `${nameOf(by)} takes ${nameOf(peer)} for a liar: ${reason}`)
    },
    onBlock: (node, block) => {
      checkBlock(node, block)
      heads.set(node, { height: block.header.number, hash: block.hash })
    },
    onStart: (node, chain) => {
      const before = heads.get(node)
      if (before !== undefined && chain.hashAt(before.height) !== before.hash) {
        violate('D1', `${nameOf(node)} has lost block ${before.height}, which it had made durable`)
      }
      const head = chain.head()
      // It was durable without the process having lived to say so.
      if (head.header.number > (before?.height ?? 0)) checkBlock(node, head)
      heads.set(node, { height: head.header.number, hash: head.hash })
    },
    onWipe: (node) => void heads.delete(node),
    compareChains: (chains) => {
      const seen = new Map<number, { readonly text: string; readonly by: Address }>()
      for (const [node, chain] of chains) {
        // From the head down: the latest headers are still in the chain's memory.
        for (let number = chain.head().header.number; number > 0; number--) {
          const { header, hash } = chain.header(number)!
          const receipts = chain.receipts(number)!.map((each) => bytesToHex(encodeReceipt(each)))
          const text = [hash, header.stateRoot, header.receiptsRoot, ...receipts].join()
          const other = seen.get(number)
          if (other === undefined) seen.set(number, { text, by: node })
          else if (other.text !== text) {
            violate('R18', `${nameOf(node)} and ${nameOf(other.by)} differ in block ${number}`)
          }
        }
        if (chain.state().root !== chain.head().header.stateRoot) {
          violate('R18', `the state of ${nameOf(node)} is not that of its head`)
        }
      }
    },
  }
}

/** The same in all rounds; undefined for what is no block. */
function nameOfBlock(block: ProposedBlock | undefined): Hash | undefined {
  try {
    return block && qbftHash(block.header)
  } catch {
    return undefined
  }
}
