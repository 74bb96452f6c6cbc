/**
 * The end of all agreement: a second block, sealed by a quorum, at a height that this node has decided. More
 * validators lie than are tolerated, and no rule says which of the two blocks the world goes by. So the
 * chain is stopped here, both headers stay on disk, and so it remains after restarts, until the operator
 * accepts the fork (goal P8; docs/protocol/qbft.md, "Two sealed blocks at one height").
 */

import { faultsTolerated, type QbftScheme, type RecoverAuthor, sealersOf } from '@vellum/consensus'
import type { Address, Hash } from '@vellum/evm'
import {
  type Chain,
  decodeHeader,
  decodeRlp,
  encodeHeader,
  encodeRlp,
  type Header,
  isRefusal,
  KIND,
  keyOf,
  rlpBytes,
  rlpList,
  rlpNumber,
  rlpScalar,
  type Store,
} from '@vellum/ledger'
import { NodeError } from './error.ts'
import type { Logger } from './ports.ts'

export interface Fork {
  readonly height: number
  /** The block that this node has. */
  readonly ours: NamedHeader
  readonly theirs: NamedHeader
  /** Whose seals are in both headers. */
  readonly sealedBoth: readonly Address[]
}

export interface NamedHeader {
  readonly hash: Hash
  readonly header: Header
}

export interface ForkBook {
  /** For which the chain is stopped; undefined: it goes on. */
  readonly fork: Fork | undefined
  /**
   * Whether a header proves that the chain is forked. If so, the proof is on disk when this resolves, and
   * the chain is stopped. Not while the head moves.
   */
  examine(header: Header): Promise<boolean>
  /**
   * Goes on with the blocks that this node has: forks up to its head stop it no more.
   * @param ours hash of this node's block at the height of the fork, so that nobody accepts the wrong one
   * @throws NodeError NODE_CHAIN_FORKED if it is another one, or there is no fork
   */
  accept(ours: Hash): Promise<Fork>
}

export interface ForkBookPorts {
  readonly chain: Chain
  readonly scheme: QbftScheme
  readonly store: Store
  /** Who made a seal. */
  readonly recover: RecoverAuthor
  readonly log: Logger
}

const KEY = keyOf(KIND.fork)

/** What is on disk: two headers of one height, and through which height forks are accepted; 0: none. */
interface Kept {
  readonly acceptedThrough: number
  readonly ours: Header
  readonly theirs: Header
}

/** @throws LedgerError LEDGER_STORE_DAMAGED if the proof is there and cannot be read: that is no way out of it */
export function openForkBook({ chain, scheme, store, recover, log }: ForkBookPorts): ForkBook {
  let kept = read(store)
  let fork = kept && openIn(kept)
  if (fork !== undefined) log.error('the chain is forked and stays stopped', factsOf(fork))

  function openIn({ acceptedThrough, ours, theirs }: Kept): Fork | undefined {
    if (ours.number <= acceptedThrough) return undefined
    const sealers = sealersOf(theirs, recover)
    return {
      height: ours.number,
      ours: { hash: scheme.hash(ours), header: ours },
      theirs: { hash: scheme.hash(theirs), header: theirs },
      sealedBoth: sealersOf(ours, recover).filter(
        (each): each is Address => each !== undefined && sealers.includes(each),
      ),
    }
  }

  async function keep(next: Kept): Promise<void> {
    const { acceptedThrough, ours, theirs } = next
    const value = encodeRlp([rlpScalar(acceptedThrough), encodeHeader(ours), encodeHeader(theirs)])
    await store.disk.batch([store.write(KEY, value)])
    kept = next
    fork = openIn(next)
  }

  /** Sealed by a quorum of those who were to seal that height here, and of this chain beyond doubt. */
  function isSecond(header: Header, ours: NamedHeader): boolean {
    const parent = chain.header(header.number - 1)
    if (parent === undefined || scheme.hash(header) === ours.hash) return false
    // With one key on several chains, another chain's header is as well sealed, and no contradiction.
    const { domain } = chain.rulesAt(header.number, ours.header.timestamp)
    const isNamed = domain !== undefined && header.parentBeaconBlockRoot === domain
    if (header.parentHash !== parent.hash && !isNamed) return false
    try {
      return scheme.verify(header, parent.header, ancestor).ok
    } catch (error) {
      if (!isRefusal(error)) throw error
      return false
    }
  }

  /**
   * Whether more of today's validators sealed it than may be faulty. Keys of those who were replaced long
   * ago may be stolen when nobody guards them any more: they must not stop a chain.
   */
  function isOfToday(header: Header): boolean {
    const { number } = chain.head().header
    const { validators } = scheme.validatorsAfter(number, ancestor)
    const sealers = sealersOf(header, recover)
    const known = validators.filter((each) => sealers.includes(each))
    return known.length > faultsTolerated(validators.length)
  }

  const ancestor = (number: number): Header => {
    const found = chain.header(number)
    if (found === undefined) throw new Error(`block ${number} is not in the chain`)
    return found.header
  }

  return {
    get fork() {
      return fork
    },
    examine: async (header) => {
      const acceptedThrough = kept?.acceptedThrough ?? 0
      const ours = chain.header(header.number)
      if (fork !== undefined || ours === undefined || header.number <= acceptedThrough) return false
      if (!isSecond(header, ours)) return false
      if (!isOfToday(header)) {
        const facts = { height: header.number, ours: ours.hash, theirs: scheme.hash(header) }
        log.warn('former validators sealed a second block: find out whose keys are stolen', facts)
        return false
      }
      await keep({ acceptedThrough, ours: ours.header, theirs: header })
      log.error('two blocks are sealed at one height: the chain is stopped', factsOf(fork!))
      return true
    },
    accept: async (ours) => {
      if (kept === undefined || fork === undefined) {
        throw new NodeError('NODE_CHAIN_FORKED', 'this chain is not forked: nothing to accept')
      }
      const { height } = fork
      if (fork.ours.hash !== ours) {
        throw new NodeError(
          'NODE_CHAIN_FORKED',
          `this node’s block ${height} is ${fork.ours.hash}, not ${ours}: to go on with that one, delete the data directory and synchronise with nodes that have it`,
          { height, ours: fork.ours.hash },
        )
      }
      const accepted = fork
      await keep({ ...kept, acceptedThrough: chain.head().header.number })
      return accepted
    },
  }
}

function factsOf({ height, ours, theirs, sealedBoth }: Fork): {
  height: number
  ours: Hash
  theirs: Hash
  sealedBoth: string
} {
  return { height, ours: ours.hash, theirs: theirs.hash, sealedBoth: sealedBoth.join(' ') }
}

function read(store: Store): Kept | undefined {
  const value = store.read(KEY)
  if (value === undefined) return undefined
  const [acceptedThrough, ours, theirs] = rlpList(decodeRlp(value), 'fork')
  return {
    acceptedThrough: rlpNumber(acceptedThrough, 'height'),
    ours: decodeHeader(rlpBytes(ours, 'header')),
    theirs: decodeHeader(rlpBytes(theirs, 'header')),
  }
}
