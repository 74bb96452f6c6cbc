/**
 * The audit of the credit between main and a side chain, as of a pair of their blocks. A pair can be compared
 * only if each block has seen all that the other's receipts stand on: main's block is at least as high as the
 * header of main by which the side chain has judged last, and the other way round.
 */

import { ADDRESSES } from '@vellum/contracts/addresses'
import { bytesToHex, type Hash, hexToBytes, keccak256Hex, ZERO_HASH } from '@vellum/evm'
import type { Backend } from '@vellum/rpc'
import {
  ADDRESS,
  type AuditVerdict,
  auditCredit,
  type CreditCounters,
  type CreditUnderWay,
  decodePegEvent,
  inboxSlot,
  messageId,
  outboxSlot,
  PEG_TOPICS,
  receiptCommitment,
  topicOf,
  tupleOf,
  uint,
} from '@vellum/sidechain'
import { readCounterpart, readPegTotals, readVault, readVaultBalance } from './peg-reading.ts'

export interface AuditedPair {
  readonly main: Backend
  readonly side: Backend
  /** All side chains of main, as far as they are known: the vault has credit for each. */
  readonly sideChainIds: readonly bigint[]
}

export type PegAudit =
  | (AuditVerdict & {
      readonly isComparable: true
      readonly mainHeight: number
      readonly sideHeight: number
      readonly counters: CreditCounters
    })
  /** One of the nodes' chains lags behind, or the contracts are not there. */
  | {
      readonly isComparable: false
      readonly mainHeight: number
      readonly sideHeight: number
      readonly reason: string
    }

/** Messages without an outcome that are counted one by one; beyond it the sums are left out. */
export const AUDITED_MESSAGES_MAX = 4_096
const SEARCH_LIMITS = { blocksMax: 1_000_000, lookupsMax: 1_000_000, readsMax: 100_000 }

/** Compares counters at both heads: some calls of views, cheap enough for every block. */
export function auditHeads(pair: AuditedPair): Promise<PegAudit> {
  return audit(pair, false)
}

/** The same, and the sum of every message under way. */
export function auditMessages(pair: AuditedPair): Promise<PegAudit> {
  return audit(pair, true)
}

async function audit(pair: AuditedPair, isDeep: boolean): Promise<PegAudit> {
  const { main, side } = pair
  const mainHeight = main.chain.head().header.number
  const sideHeight = side.chain.head().header.number
  const heights = { mainHeight, sideHeight }
  const refuse = (reason: string): PegAudit => ({ isComparable: false, ...heights, reason })
  const sideId = side.node.chainId
  const [ofSide, ofMain] = await Promise.all([
    readCounterpart(main, sideId, mainHeight),
    readCounterpart(side, main.node.chainId, sideHeight),
  ])
  if (ofSide === undefined || ofMain === undefined) return refuse('a chain has no gateway')
  if (ofSide.client.status === 'none' || ofMain.client.status === 'none') {
    return refuse('main does not follow that chain, or that chain not this main')
  }
  // What it had the council pays out (`CreditVault.reclaim`), which the side chain knows nothing of.
  if (ofSide.client.status === 'closed') return refuse('main has retired that chain')
  if (ofMain.client.latestHeight > mainHeight) return refuse('main lags behind')
  if (ofSide.client.latestHeight > sideHeight) return refuse('the side chain lags behind')
  const [vault, totals, vaultBalance] = await Promise.all([
    readVault(main, sideId, mainHeight),
    readPegTotals(side, sideHeight),
    readVaultBalance(main, mainHeight),
  ])
  if (vault === undefined || totals === undefined || vaultBalance === undefined) {
    return refuse('a chain has no credit contracts')
  }
  const accounts = await Promise.all(
    pair.sideChainIds.map((chainId) => readVault(main, chainId, mainHeight)),
  )
  const lockedForAll = accounts.reduce((sum, account) => {
    return account === undefined ? sum : sum + account.locked - account.refunded - account.released
  }, 0n)
  const counters = { ...vault, ...totals, vaultBalance, lockedForAll }
  const underWay = isDeep ? await creditUnderWay(pair, heights) : undefined
  return { isComparable: true, ...heights, counters, ...auditCredit(counters, underWay) }
}

interface Heights {
  readonly mainHeight: number
  readonly sideHeight: number
}

/** undefined: too many messages to be counted. */
async function creditUnderWay(
  { main, side }: AuditedPair,
  { mainHeight, sideHeight }: Heights,
): Promise<CreditUnderWay | undefined> {
  const toSide = await sumOpen(main, side, { from: mainHeight, to: sideHeight })
  const toMain = await sumOpen(side, main, { from: sideHeight, to: mainHeight })
  return toSide === undefined || toMain === undefined ? undefined : { toSide, toMain }
}

/** Credit in messages from one chain to the other that were not delivered. */
async function sumOpen(
  source: Backend,
  destination: Backend,
  at: { readonly from: number; readonly to: number },
): Promise<bigint | undefined> {
  const destinationId = destination.node.chainId
  const counts = await readCounterpart(source, destinationId, at.from)
  if (counts === undefined) return undefined
  const { acknowledgedThrough, sentCount } = counts
  if (sentCount - acknowledgedThrough > AUDITED_MESSAGES_MAX) return undefined
  const outbox = source.chain.stateAt(at.from)
  const inbox = destination.chain.stateAt(at.to)
  const open: number[] = []
  for (let sequence = acknowledgedThrough + 1; sequence <= sentCount; sequence++) {
    const id = outbox.storage(ADDRESSES.pegGateway, outboxSlot(destinationId, sequence))
    if (id !== 0n) open.push(sequence)
  }
  let sum = 0n
  for (const message of findMessages(source, destinationId, open, at.from)) {
    if (message.sender !== ADDRESSES.creditBridge) continue
    if (message.recipient !== ADDRESSES.creditBridge) continue
    const slot = inboxSlot(source.node.chainId, message.sequence)
    const receipt = inbox.storage(ADDRESSES.pegGateway, slot)
    const delivered = receiptCommitment(messageId(message), 'delivered', ACCEPTED)
    if (receipt !== BigInt(delivered)) sum += CREDIT_PAYLOAD.decode(message.payload, 0)[2]
  }
  return sum
}

/** Messages of the outbox, from the logs. */
function* findMessages(
  { chain }: Backend,
  destinationId: bigint,
  sequences: readonly number[],
  height: number,
) {
  if (sequences.length === 0 || chain.searchLogs === undefined) return
  const wanted = new Set(sequences)
  const word = (value: bigint | number): Hash => `0x${value.toString(16).padStart(64, '0')}`
  const criteria = {
    addresses: [ADDRESSES.pegGateway],
    topics: [[PEG_TOPICS.committed], [word(destinationId)]],
  }
  const search = chain.searchLogs({ from: 0, to: height, criteria, limits: SEARCH_LIMITS })
  for (const found of search) {
    for (const { log } of found?.logs ?? []) {
      const event = decodePegEvent(log)
      if (event?.type !== 'committed' || !wanted.has(event.message.sequence)) continue
      yield event.message
    }
  }
}

/** What a recipient that takes a message answers: the selector of `receiveMessage`, hashed as a word. */
const ACCEPTED: Hash = keccak256Hex(
  hexToBytes(
    `${bytesToHex(hexToBytes(topicOf('receiveMessage(bytes32,bytes,bytes)')).subarray(0, 4))}${ZERO_HASH.slice(10)}`,
  ),
)
/** From, recipient, amount. */
const CREDIT_PAYLOAD = tupleOf(ADDRESS, ADDRESS, uint(256))
