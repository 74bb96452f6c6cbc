/**
 * Messages to bytes and back: Besu's `istanbul/100`, with the code in front instead of devp2p's.
 *
 *   frame       = code (1 byte) ++ RLP
 *   signed(p)   = [p, signature (65 bytes)] over keccak256(RLP([code, p]))
 *   Prepare     = signed([height, round, digest])
 *   Commit      = signed([height, round, digest, seal])
 *   Proposal    = [signed([height, round, block(, access list)]), [[signed round change...], [prepare...]]]
 *   RoundChange = [signed([height, round, [] | [prepared round, digest]]), block | [], (access list,) [prepare...]]
 *
 * The form of four items is Besu's since 26.1; both are read, and what was read is written again as
 * it was. Spec: qbft.md §8–10.
 */

import {
  type Address,
  bytesToHex,
  hexAt,
  keccak256,
  keccak256OfInput,
  keccakInput,
} from '@vellum/evm'
import {
  createRlpWriter,
  decodeRlp,
  encodeRlpList,
  plainBytes,
  type RlpItem,
  rlpFixed,
  rlpList,
  rlpNumber,
  splitRlpList,
  writeRlpHead,
} from '@vellum/ledger'
import { ConsensusError } from './error.ts'
import {
  type Commit,
  type CommitPayload,
  MESSAGE_CODE,
  type Message,
  type MessageKind,
  type Prepare,
  type PreparePayload,
  type Proposal,
  type ProposalPayload,
  type RoundChange,
  type RoundChangePayload,
  type Signed,
} from './message.ts'
import { decodeProposedBlock, writeProposedBlock } from './proposed-block.ts'
import { CONSENSUS_LIMITS } from './types.ts'
import { locateVote, type VoteFrame } from './vote-frame.ts'

/** Who signed a hash of 32 bytes; undefined if nobody. Signature: r, s, y parity. */
export type RecoverAuthor = (hash: Uint8Array, signature: Uint8Array) => Address | undefined

/** Signs a hash of 32 bytes: r, s, y parity. */
export type SignHash = (hash: Uint8Array) => Uint8Array

/** What a message is about, read without looking at its contents. */
export interface MessageOutline {
  readonly kind: MessageKind
  readonly height: number
  readonly round: number
}

const SIGNATURE_SIZE = 65
/** Up to here a plain loop copies faster than `set`. */
const LOOP_BYTES_MAX = 128
const KINDS: ReadonlyMap<number, MessageKind> = new Map(
  Object.entries(MESSAGE_CODE).map(([kind, code]) => [code, kind as MessageKind]),
)

// Messages are written in one go, back to front.
const writer = createRlpWriter()

export function encodeMessage(message: Message): Uint8Array {
  begin()
  switch (message.kind) {
    case 'prepare':
    case 'commit':
      writeSigned(message, writeVote)
      break
    case 'proposal':
      writeList(message.prepares, writeVote)
      writeList(message.roundChanges, writeRoundChange)
      writer.closeList(0)
      writeSigned(message, writeProposal)
      writer.closeList(0)
      break
    case 'roundChange':
      writeList(message.prepares, writeVote)
      if (message.accessList !== undefined) writeEncoded(message.accessList)
      if (message.block === undefined) writer.closeList(writer.size())
      else writeProposedBlock(writer, message.block)
      writeSigned(message, writeRoundChange)
      writer.closeList(0)
      break
  }
  writer.byte(MESSAGE_CODE[message.kind])
  return writer.take()
}

/**
 * Kind, height and round of a frame, for a cheap answer to what is too old or too far ahead.
 * @throws ConsensusError CONSENSUS_MESSAGE_INVALID, LedgerError LEDGER_RLP_INVALID
 */
export function outlineOf(frame: Uint8Array): MessageOutline {
  const vote = locateVote(frame)
  if (vote !== undefined) return { kind: vote.kind, height: vote.height, round: vote.round }
  const { kind, body } = openFrame(frame)
  const outer = splitRlpList(body)
  const isNested = kind === 'proposal' || kind === 'roundChange'
  const signed = isNested ? splitRlpList(present(outer[0])) : outer
  const [height, round] = splitRlpList(present(signed[0]))
  return { kind, ...heightAndRound(height, round) }
}

/**
 * The message of a frame, its authors recovered.
 * @throws ConsensusError CONSENSUS_MESSAGE_INVALID or LedgerError if it is not canonical, not of this
 *   shape, out of range, or if a signature is nobody's
 */
export function decodeMessage(frame: Uint8Array, recover: RecoverAuthor): Message {
  const vote = locateVote(frame)
  if (vote !== undefined) return readVote(frame, vote, recover)
  const { kind, body } = openFrame(frame)
  const items = splitRlpList(body)
  switch (kind) {
    case 'prepare':
      return { kind, ...decodeSigned('prepare', items, preparePayload, recover) }
    case 'commit':
      return { kind, ...decodeSigned('commit', items, commitPayload, recover) }
    case 'proposal':
      return decodeProposal(items, recover)
    case 'roundChange':
      return decodeRoundChange(items, recover)
  }
}

function readVote(frame: Uint8Array, vote: VoteFrame, recover: RecoverAuthor): Prepare | Commit {
  const { kind, height, round, digestAt, sealAt, signatureAt, payloadAt, payloadEnd } = vote
  // A copy: the frame is a peer's buffer, and the message may be kept for the whole height.
  const bytes = plainBytes(frame).slice()
  const signature = bytes.subarray(signatureAt, signatureAt + SIGNATURE_SIZE)
  const author = recover(hashOfPayload(kind, bytes, payloadAt, payloadEnd), signature)
  if (author === undefined) throw invalid('nobody made this signature')
  const digest = hexAt(bytes, digestAt, 32)
  if (kind === 'prepare') return { kind, payload: { height, round, digest }, author, signature }
  const seal = bytes.subarray(sealAt, sealAt + SIGNATURE_SIZE)
  return { kind, payload: { height, round, digest, seal }, author, signature }
}

/** What an author signs, 32 bytes. */
export function messageHash(kind: MessageKind, encodedPayload: Uint8Array): Uint8Array {
  return hashOfPayload(kind, encodedPayload, 0, encodedPayload.length)
}

/** Bytes of the longest head of RLP, and the code. */
const CONTENT_MORE = 10

/** `messageHash` of a payload that lies between two positions. */
function hashOfPayload(kind: MessageKind, bytes: Uint8Array, from: number, to: number): Uint8Array {
  const size = to - from
  if (size + CONTENT_MORE > keccakInput.length) {
    return keccak256(contentOf(kind, bytes.subarray(from, to)))
  }
  // Put together where it is hashed: `contentOf` without its bytes.
  let at = writeRlpHead(keccakInput, 0, 0xc0, 1 + size)
  keccakInput[at++] = MESSAGE_CODE[kind]
  if (size > LOOP_BYTES_MAX) keccakInput.set(bytes.subarray(from, to), at)
  else for (let i = 0; i < size; i++) keccakInput[at + i] = bytes[from + i]!
  return keccak256OfInput(at + size)
}

/** What the author of a vote has signed the hash of: RLP([code, payload]). */
export function signedContent(vote: Prepare | Commit): Uint8Array {
  writeContent(vote.kind, vote.payload, writeVote)
  return writer.take()
}

function contentOf(kind: MessageKind, encodedPayload: Uint8Array): Uint8Array {
  return encodeRlpList([Uint8Array.of(MESSAGE_CODE[kind]), encodedPayload])
}

export function signPrepare(payload: PreparePayload, author: Address, sign: SignHash): Prepare {
  return { kind: 'prepare', ...signed('prepare', payload, writeVote, author, sign) }
}

export function signCommit(payload: CommitPayload, author: Address, sign: SignHash): Commit {
  return { kind: 'commit', ...signed('commit', payload, writeVote, author, sign) }
}

export function signRoundChange(
  payload: RoundChangePayload,
  author: Address,
  sign: SignHash,
): Signed<RoundChangePayload> {
  return signed('roundChange', payload, writeRoundChange, author, sign)
}

export function signProposal(
  payload: ProposalPayload,
  author: Address,
  sign: SignHash,
): Signed<ProposalPayload> {
  return signed('proposal', payload, writeProposal, author, sign)
}

function signed<Payload>(
  kind: MessageKind,
  payload: Payload,
  write: (payload: Payload) => void,
  author: Address,
  sign: SignHash,
): Signed<Payload> {
  writeContent(kind, payload, write)
  return { payload, author, signature: sign(writer.hash()) }
}

/** Nothing is left in the writer unless a block was one that cannot be written. */
function begin(): void {
  writer.clear()
}

/** What is signed: RLP([code, payload]). */
function writeContent<Payload>(
  kind: MessageKind,
  payload: Payload,
  write: (payload: Payload) => void,
): void {
  begin()
  write(payload)
  writer.byte(MESSAGE_CODE[kind])
  writer.closeList(0)
}

function writeSigned<Payload>(
  { payload, signature }: Signed<Payload>,
  write: (payload: Payload) => void,
): void {
  const end = writer.size()
  writer.string(signature)
  write(payload)
  writer.closeList(end)
}

function writeList<Payload>(
  list: readonly Signed<Payload>[],
  write: (payload: Payload) => void,
): void {
  const end = writer.size()
  for (let i = list.length - 1; i >= 0; i--) writeSigned(list[i]!, write)
  writer.closeList(end)
}

function writeVote(payload: PreparePayload | CommitPayload): void {
  const end = writer.size()
  if ('seal' in payload) writer.string(payload.seal)
  writer.hex(payload.digest)
  writer.integer(payload.round)
  writer.integer(payload.height)
  writer.closeList(end)
}

function writeRoundChange({ height, round, prepared }: RoundChangePayload): void {
  const end = writer.size()
  if (prepared !== undefined) {
    writer.hex(prepared.digest)
    writer.integer(prepared.round)
  }
  writer.closeList(end)
  writer.integer(round)
  writer.integer(height)
  writer.closeList(end)
}

function writeProposal({ height, round, block, accessList }: ProposalPayload): void {
  const end = writer.size()
  if (accessList !== undefined) writeEncoded(accessList)
  writeProposedBlock(writer, block)
  writer.integer(round)
  writer.integer(height)
  writer.closeList(end)
}

function writeEncoded(item: Uint8Array): void {
  writer.part(item, 0, item.length)
}

function openFrame(frame: Uint8Array): { kind: MessageKind; body: Uint8Array } {
  const kind = KINDS.get(frame[0] ?? 0)
  if (kind === undefined) throw invalid('unknown message code')
  const isVote = kind === 'prepare' || kind === 'commit'
  const { voteBytesMax, messageBytesMax } = CONSENSUS_LIMITS
  if (frame.length > (isVote ? voteBytesMax : messageBytesMax)) throw invalid('too long')
  return { kind, body: frame.subarray(1) }
}

function decodeSigned<Payload>(
  kind: MessageKind,
  items: readonly Uint8Array[],
  decode: (encoded: Uint8Array) => Payload,
  recover: RecoverAuthor,
): Signed<Payload> {
  const [encodedPayload, encodedSignature] = items
  if (items.length !== 2) throw invalid('a signed payload needs two items')
  const signature = rlpFixed(decodeRlp(present(encodedSignature)), SIGNATURE_SIZE, 'signature')
  const payload = decode(present(encodedPayload))
  const author = recover(messageHash(kind, present(encodedPayload)), signature)
  if (author === undefined) throw invalid('nobody made this signature')
  // A copy: the frame is a peer's buffer, and this may be kept for the whole height.
  return { payload, author, signature: signature.slice() }
}

function preparePayload(encoded: Uint8Array): PreparePayload {
  const [height, round, digest] = itemsOf(encoded, 3)
  return { ...heightAndRoundOf(height, round), digest: digestOf(digest) }
}

function commitPayload(encoded: Uint8Array): CommitPayload {
  const [height, round, digest, seal] = itemsOf(encoded, 4)
  return {
    ...heightAndRoundOf(height, round),
    digest: digestOf(digest),
    seal: rlpFixed(seal, SIGNATURE_SIZE, 'seal').slice(),
  }
}

function roundChangePayload(encoded: Uint8Array): RoundChangePayload {
  const [height, round, claim] = itemsOf(encoded, 3)
  const claimed = rlpList(claim, 'prepared')
  if (claimed.length !== 0 && claimed.length !== 2) throw invalid('prepared needs two items')
  const prepared =
    claimed.length === 0
      ? undefined
      : { round: roundOfItem(claimed[0]), digest: digestOf(claimed[1]) }
  return { ...heightAndRoundOf(height, round), prepared }
}

function proposalPayload(encoded: Uint8Array): ProposalPayload {
  const items = splitRlpList(encoded)
  if (items.length !== 3 && items.length !== 4)
    throw invalid('a proposal needs three items or four')
  const [height, round, block, accessList] = items
  return {
    ...heightAndRound(height, round),
    block: decodeProposedBlock(present(block)),
    accessList: accessList?.slice(),
  }
}

function decodeProposal(items: readonly Uint8Array[], recover: RecoverAuthor): Proposal {
  if (items.length !== 2) throw invalid('a proposal has a payload and its justification')
  const justification = splitRlpList(present(items[1]))
  if (justification.length !== 2) throw invalid('a justification has two lists')
  const roundChanges = splitRlpList(present(justification[0]))
  const prepares = splitRlpList(present(justification[1]))
  assertCounts(roundChanges, prepares)
  return {
    kind: 'proposal',
    ...decodeSigned('proposal', splitRlpList(present(items[0])), proposalPayload, recover),
    roundChanges: roundChanges.map((each) =>
      decodeSigned('roundChange', splitRlpList(each), roundChangePayload, recover),
    ),
    prepares: decodePrepares(prepares, recover),
  }
}

function decodeRoundChange(items: readonly Uint8Array[], recover: RecoverAuthor): RoundChange {
  if (items.length !== 3 && items.length !== 4)
    throw invalid('a round change has three items or four')
  const block = present(items[1])
  const accessList = items.length === 4 ? present(items[2]).slice() : undefined
  const prepares = splitRlpList(present(items.at(-1)))
  assertCounts(prepares)
  return {
    kind: 'roundChange',
    ...decodeSigned('roundChange', splitRlpList(present(items[0])), roundChangePayload, recover),
    block: isEmptyList(block) ? undefined : decodeProposedBlock(block),
    accessList,
    prepares: decodePrepares(prepares, recover),
  }
}

function decodePrepares(
  encoded: readonly Uint8Array[],
  recover: RecoverAuthor,
): Signed<PreparePayload>[] {
  return encoded.map((each) => decodeSigned('prepare', splitRlpList(each), preparePayload, recover))
}

/** Before any signature is looked at: each costs as much as a transaction's. */
function assertCounts(...lists: (readonly unknown[])[]): void {
  if (lists.some((list) => list.length > CONSENSUS_LIMITS.validatorsMax)) {
    throw invalid('more signatures than a chain has validators')
  }
}

function itemsOf(encoded: Uint8Array, count: number): readonly RlpItem[] {
  const items = rlpList(decodeRlp(encoded), 'payload')
  if (items.length !== count) throw invalid(`a payload of this kind has ${count} items`)
  return items
}

function heightAndRound(
  height: Uint8Array | undefined,
  round: Uint8Array | undefined,
): { height: number; round: number } {
  return heightAndRoundOf(decodeRlp(present(height)), decodeRlp(present(round)))
}

function heightAndRoundOf(
  height: RlpItem | undefined,
  round: RlpItem | undefined,
): { height: number; round: number } {
  return { height: rlpNumber(height, 'height'), round: roundOfItem(round) }
}

function roundOfItem(item: RlpItem | undefined): number {
  const round = rlpNumber(item, 'round')
  if (round > CONSENSUS_LIMITS.roundMax) throw invalid('a round above the highest')
  return round
}

function digestOf(item: RlpItem | undefined): `0x${string}` {
  return bytesToHex(rlpFixed(item, 32, 'digest'))
}

function isEmptyList(encoded: Uint8Array): boolean {
  return encoded.length === 1 && encoded[0] === 0xc0
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw invalid('an item is missing')
  return value
}

function invalid(what: string): ConsensusError {
  return new ConsensusError('CONSENSUS_MESSAGE_INVALID', `not a consensus message: ${what}`)
}
