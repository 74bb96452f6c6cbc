/**
 * QBFT vectors: extra data, headers, messages, votes, proposers, quorums, timers, justifications of
 * Besu, GoQuorum and the cross-client tests, and the derived known answers of `qbft-vectors.json`.
 * Cases are recognised by their shape.
 */

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  afterBlock,
  afterVote,
  createQbftScheme,
  decodeMessage,
  earlyRoundChangeCount,
  encodeMessage,
  inRound,
  isJustified,
  type Message,
  messageHash,
  type Proposal,
  proposalFields,
  proposedBlock,
  proposerOf,
  quorum,
  roundTimeoutMs,
  type Signed,
  sealersOf,
  type ValidatorState,
  validatorsWithoutVotes,
  verifyCertificate,
  withSeals,
} from '@vellum/consensus'
import { type Address, bytesToHex, type Hash, hexToBytes, keccak256Hex } from '@vellum/evm'
import {
  commitHash,
  decodeBlock,
  decodeExtraData,
  decodeHeader,
  decodeRlp,
  type ExtraData,
  encodeBlock,
  encodeExtraData,
  encodeHeader,
  genesisHeader,
  type Header,
  isRefusal,
  parseGenesis,
  qbftHash,
  splitRlpList,
  splitRlpSequence,
} from '@vellum/ledger'
import { recoverSeal } from './curve.ts'
import { expectEqual, expectRefusal } from './expect.ts'
import { filesBelow, foldersNamed, isRecord } from './files.ts'
import type { Case, CaseOutcome, Suite, SuiteOptions } from './suite.ts'

export const suite: Suite = { name: 'qbft', sample: 400, cases }

type Json = Record<string, unknown>

const ZERO: Address = `0x${'00'.repeat(20)}`

function* cases({ path }: SuiteOptions): Iterable<Case> {
  for (const root of foldersNamed(path, 'qbft')) {
    for (const file of filesBelow(root)) {
      const name = file.slice(root.length + 1)
      if (file.endsWith('.blocks')) yield* legacyBlocks(name, file)
      else if (file.endsWith('.json')) yield* casesOf(name, JSON.parse(readFileSync(file, 'utf8')))
    }
  }
  // The known answers that came with the specification lie beside the collection.
  const vectors = join(dirname(path), 'design', 'qbft-vectors.json')
  if (existsSync(vectors)) yield* casesOf('qbft-vectors', JSON.parse(readFileSync(vectors, 'utf8')))
}

function* casesOf(file: string, json: unknown): Iterable<Case> {
  if (!isRecord(json)) return
  if (isRecord(json.tests)) {
    const run = (): CaseOutcome => ({
      skip: 'a list of names, without data: tests/besu-scenarios.test.ts answers it',
    })
    yield { name: file, run }
  } else if (isRecord(json.block1)) yield* derivedVectors(file, json)
  else if (Array.isArray(json.cases)) {
    for (const [i, each] of json.cases.entries()) {
      if (isRecord(each)) yield { name: `${file} ${each.id ?? i}`, run: () => runCase(each) }
    }
  } else if (isRecord(json.cases)) {
    for (const [id, each] of Object.entries(json.cases)) {
      if (isRecord(each)) yield { name: `${file} ${id}`, run: () => runMessage(each) }
    }
  } else if (isRecord(json.config) || 'extraData' in json || 'genesis' in json) {
    yield { name: file, run: () => runGenesis(isRecord(json.genesis) ? json.genesis : json) }
  }
}

function runCase(test: Json): CaseOutcome {
  if ('kind' in test && 'rlp' in test) return runExtraData(test)
  if ('consensus' in test) return runHeader(test)
  if ('steps' in test) return runVoteSteps(test)
  if ('blocks' in test && 'expectValidators' in test) return runVoteBlocks(test)
  if ('function' in test) return runQuorum(test)
  if ('baseMs' in test) return runTimer(test)
  if ('policy' in test) return runProposer(test)
  if ('roundChangesUnprepared' in test) return runJustification(test)
  if ('method' in test) {
    return {
      skip: 'documented shapes, without values: packages/rpc/test/qbft.test.ts answers them',
    }
  }
  throw new Error('a case of unknown shape')
}

function runExtraData(test: Json): void {
  const bytes = hexToBytes(String(test.rlp))
  if (test.kind === 'reject') return expectRefusal(() => decodeExtraData(bytes), 'the extra data')
  const fields = extraDataOf(test.decoded as Json)
  if (test.kind === 'roundtrip') {
    expectEqual(decodeExtraData(bytes), fields, 'the fields')
    expectEqual(bytesToHex(encodeExtraData(fields)), String(test.rlp), 'the bytes')
    return
  }
  const round = test.kind === 'encode-without-seals-and-round' ? 0 : fields.round
  const encoded = encodeExtraData({ ...fields, round, seals: [] })
  expectEqual(bytesToHex(encoded), String(test.rlp), 'the bytes')
}

function extraDataOf(json: Json): ExtraData {
  const vote = json.vote as { recipient: Address; type: 'add' | 'drop' } | null
  return {
    vanity: hexToBytes(String(json.vanity)),
    validators: json.validators as Address[],
    vote: vote === null ? undefined : { recipient: vote.recipient, kind: vote.type },
    round: Number(json.round),
    seals: (json.seals as string[]).map((seal) => hexToBytes(seal)),
  }
}

function runHeader(test: Json): void {
  const { asserted, derived } = test as { asserted: Json; derived: Json }
  if (test.consensus !== 'qbft') {
    // IBFT 2.0 as a contrast: its extra data must not be taken for ours.
    const [header] = splitRlpList(hexToBytes(String(test.blockRlp)))
    const { extraData } = decodeHeader(header!)
    return expectRefusal(() => decodeExtraData(extraData), 'extra data of IBFT 2.0')
  }
  const header = decodeHeader(hexToBytes(String(test.headerRlp)))
  const extra = decodeExtraData(header.extraData)
  expectEqual(bytesToHex(commitHash(header)), asserted.committedSealHash, 'the commit hash')
  expectEqual(qbftHash(header), derived.onChainHash, 'the on-chain hash')
  expectEqual(sealersOf(header, recoverSeal), derived.sealSigners, 'the signers')
  const verdict = verifyCertificate(header, extra.validators, recoverSeal)
  expectEqual(verdict, { ok: true }, 'the certificate')
  const reversed = withSeals(header, [...extra.seals].reverse())
  expectEqual(qbftHash(reversed), derived.onChainHash, 'the hash with seals in another order')
}

function runVoteSteps(test: Json): void {
  let state = validatorsWithoutVotes(test.initialValidators as Address[])
  for (const step of test.steps as Json[]) {
    if (isRecord(step.vote)) {
      const { type, proposer, recipient } = step.vote as Record<string, string>
      const kind = type as 'add' | 'drop'
      state = afterVote(state, proposer as Address, { recipient: recipient as Address, kind })
    } else if ('expectValidators' in step) {
      const expected = [...(step.expectValidators as string[])].sort()
      expectEqual(state.validators, expected, 'the validators')
    } else state = validatorsWithoutVotes(state.validators)
  }
}

function runVoteBlocks(test: Json): void {
  const epochLength = Number(test.epochLength ?? 30_000)
  let state: ValidatorState = validatorsWithoutVotes((test.validators as string[]).map(addressOf))
  for (const [i, block] of (test.blocks as Json[]).entries()) {
    const vote = block.vote as { recipient: string; type: 'add' | 'drop' } | undefined
    const fields = proposalFields({
      proposer: addressOf(String(block.proposer)),
      validators: state.validators,
      round: 0,
      vote: vote && { recipient: addressOf(vote.recipient), kind: vote.type },
    })
    state = afterBlock(state, { ...BLANK, ...fields, number: i + 1 }, epochLength)
  }
  const expected = (test.expectValidators as string[]).map(addressOf).sort()
  expectEqual(state.validators, expected, 'the validators')
}

/** Any distinct address for each letter. */
function addressOf(letter: string): Address {
  return `0x${letter.charCodeAt(0).toString(16).padStart(40, '0')}`
}

function runQuorum(test: Json): void {
  const count = Number(test.validators)
  const found =
    test.function === 'calculateRequiredValidatorQuorum'
      ? quorum(count)
      : earlyRoundChangeCount(count)
  expectEqual(found, test.expect, 'the count')
}

function runTimer(test: Json): void {
  const found = roundTimeoutMs(Number(test.baseMs), Number(test.round), Number.MAX_SAFE_INTEGER)
  expectEqual(found, test.expectMs, 'the timeout')
}

function runProposer(test: Json): CaseOutcome {
  if (test.policy !== 'round-robin') {
    return { skip: 'the sticky policy, which QBFT in Besu never uses (qbft.md §7)' }
  }
  const found = proposerOf({
    validators: [...(test.validators as Address[])].sort(),
    previous: (test.previousProposer as Address | null) ?? ZERO,
    round: Number(test.round),
  })
  expectEqual(found, test.expect, 'the proposer')
}

const BLANK: Header = genesisHeader(
  parseGenesis({
    config: { chainId: 7, londonBlock: 0, qbft: {} },
    alloc: {},
    difficulty: '0x1',
    gasLimit: '0x1c9c380',
  }),
  `0x${'00'.repeat(32)}`,
)

/** The situation of the counts, with everything else as it should be. */
function runJustification(test: Json): void {
  const counts = test as Record<string, number>
  const height = 1
  const round = 10
  const target = 5
  const size = sizeWithQuorum(counts.quorum!)
  const validators = Array.from({ length: size }, (_, i) => addressOf(String.fromCharCode(65 + i)))
  const fields = proposalFields({ proposer: validators[0]!, validators, round, vote: undefined })
  const block = proposedBlock(
    { ...BLANK, ...fields, number: height },
    Uint8Array.of(0xc2, 0xc0, 0xc0),
  )
  const prepared = (at: number) => ({ round: at, digest: inRound(block, at).digest })
  const claims = [
    ...times(counts.roundChangesUnprepared!, () => undefined),
    ...times(counts.roundChangesPreparedAtTarget!, () => prepared(target)),
    ...times(counts.roundChangesPreparedBelow!, (i) => prepared(1 + (i % (target - 1)))),
  ]
  const digest = inRound(block, target).digest
  const rounds = [
    ...times(counts.preparesAtTarget!, () => target),
    ...times(counts.preparesElsewhere!, (i) => target - 1 - (i % (target - 1))),
  ]
  const proposal: Proposal = {
    kind: 'proposal',
    ...by(validators[0]!, { height, round, block, accessList: undefined }),
    roundChanges: claims.map((claim, i) => by(validators[i]!, { height, round, prepared: claim })),
    prepares: rounds.map((at, i) => by(validators[i]!, { height, round: at, digest })),
  }
  expectEqual(isJustified(proposal, validators), test.justified, 'justified')
}

function by<Payload>(author: Address, payload: Payload): Signed<Payload> {
  return { payload, author, signature: new Uint8Array(65) }
}

function times<T>(count: number, make: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => make(i))
}

function sizeWithQuorum(wanted: number): number {
  let size = 1
  while (quorum(size) !== wanted) size += 1
  // The largest set with this quorum, so that every message can be of another validator.
  while (quorum(size + 1) === wanted) size += 1
  return size
}

/** Signatures there are opaque: the older ones were not refreshed upstream. */
function runMessage(test: Json): void {
  const { message, rlp } = test as { message: Json; rlp: string }
  const code = { proposal: 0x12, prepare: 0x13, commit: 0x14, roundChange: 0x15 }[
    String(message.type)
  ]
  const frame = hexToBytes(`0x${code!.toString(16)}${rlp.slice(2)}`)
  const decoded = decodeMessage(frame, () => ZERO)
  expectEqual(bytesToHex(encodeMessage(decoded)), bytesToHex(frame), 'the bytes')
  const [signed, payload] = fieldsOf(message)
  expectEqual(bytesToHex(decoded.signature), signed.signature, 'the signature')
  expectEqual(decoded.payload.height, payload.sequence, 'the height')
  expectEqual(decoded.payload.round, payload.round, 'the round')
  if ('digest' in decoded.payload) expectEqual(decoded.payload.digest, payload.digest, 'the digest')
  if ('seal' in decoded.payload) {
    expectEqual(bytesToHex(decoded.payload.seal), payload.commitSeal, 'the seal')
  }
  if (decoded.kind === 'proposal') {
    const { roundChanges, prepares } = message as { roundChanges: unknown[]; prepares: unknown[] }
    expectEqual(decoded.roundChanges.length, roundChanges.length, 'round changes')
    expectEqual(decoded.prepares.length, prepares.length, 'prepares')
  }
}

function fieldsOf(message: Json): [Json, Json] {
  const signed = (message.signedProposal ?? message.signedRoundChange ?? message) as Json
  const key = Object.keys(signed).find((each) => each.startsWith('unsigned'))!
  return [signed, signed[key] as Json]
}

function runGenesis(json: Json): CaseOutcome {
  if (String(json.extraData).includes('%')) {
    const genesis = parseGenesis({ ...json, extraData: '0x' })
    if (genesis.qbft === undefined) throw new Error('its QBFT settings were not read')
    return { skip: 'extraData is a place holder; the rest was read' }
  }
  // Some get their configuration from the test that uses them: the rest must be readable anyhow.
  const genesis = parseGenesis({ ...json, config: json.config ?? { chainId: 1, qbft: {} } })
  if (genesis.qbft === undefined) throw new Error('its QBFT settings were not read')
  // Before its start block the chain was another protocol's, and so is the extra data.
  if (genesis.qbft.startBlock > 0) return
  const { validators, vote, round, seals } = decodeExtraData(genesis.extraData)
  expectEqual({ vote, round, seals }, { vote: undefined, round: 0, seals: [] }, 'the rest')
  const isContract = genesis.qbft.validatorContract !== undefined
  if (isContract && validators.length > 0)
    throw new Error('a contract holds the set, not the block')
}

/** IBFT 1.0, which a chain may come from: its blocks are read, its seals are another protocol's. */
function* legacyBlocks(name: string, file: string): Iterable<Case> {
  for (const [i, bytes] of splitRlpSequence(new Uint8Array(readFileSync(file))).entries()) {
    const run = (): void => {
      const block = decodeBlock(bytes)
      expectEqual(block.header.number, i, 'the number')
      expectEqual(bytesToHex(encodeBlock(block)), bytesToHex(bytes), 'the bytes')
      try {
        decodeExtraData(block.header.extraData)
      } catch (error) {
        if (isRefusal(error)) return
        throw error
      }
      throw new Error('extra data of IBFT 1.0 was taken for QBFT’s')
    }
    yield { name: `${name} ${i}`, run }
  }
}

interface Vectors {
  readonly validators: readonly { privateKey: string; address: Address }[]
  readonly genesis: { headerRlp: string; hash: Hash; extraData: string }
  readonly block1: Record<'round0' | 'round1', Json>
  readonly votes: Record<string, string>
  readonly messages: Record<
    string,
    { code: string; signingHash: Hash; signer: Address; rlp: string }
  >
  readonly proposer: readonly { previousProposer: Address; round: number; proposer: Address }[]
  readonly quorum: Record<string, { f: number; quorum: number }>
  readonly realBesuHeader: Record<string, unknown>
}

function* derivedVectors(file: string, json: Json): Iterable<Case> {
  const vectors = json as unknown as Vectors
  const validators = vectors.validators.map(({ address }) => address)
  yield { name: `${file} genesis`, run: () => runDerivedGenesis(vectors) }
  for (const key of ['round0', 'round1'] as const) {
    yield { name: `${file} block 1 ${key}`, run: () => runDerivedBlock(vectors, key) }
  }
  for (const [id, message] of Object.entries(vectors.messages)) {
    yield { name: `${file} ${id}`, run: () => runDerivedMessage(message) }
  }
  for (const [i, { previousProposer, round, proposer }] of vectors.proposer.entries()) {
    const run = (): void =>
      expectEqual(
        proposerOf({ validators, previous: previousProposer, round }),
        proposer,
        'the proposer',
      )
    yield { name: `${file} proposer ${i}`, run }
  }
  for (const [size, expected] of Object.entries(vectors.quorum)) {
    const run = (): void => {
      expectEqual(quorum(Number(size)), expected.quorum, 'the quorum')
      expectEqual(earlyRoundChangeCount(Number(size)) - 1, expected.f, 'f')
    }
    yield { name: `${file} quorum ${size}`, run }
  }
  for (const kind of ['none', 'add', 'drop']) {
    yield { name: `${file} vote ${kind}`, run: () => runDerivedVote(vectors, kind) }
  }
  yield { name: `${file} real header`, run: () => runRealHeader(vectors.realBesuHeader) }
}

function runDerivedGenesis({ genesis }: Vectors): void {
  const header = decodeHeader(hexToBytes(genesis.headerRlp))
  expectEqual(bytesToHex(header.extraData), genesis.extraData, 'the extra data')
  expectEqual(qbftHash(header), genesis.hash, 'the hash')
}

function runDerivedBlock({ block1, validators, genesis }: Vectors, key: 'round0' | 'round1'): void {
  const vector = block1[key] as Record<string, string>
  const sealedRlp = (block1.round0 as Record<string, string>).sealedHeaderRlp!
  const base = decodeHeader(hexToBytes(sealedRlp))
  const proposal = { ...base, extraData: hexToBytes(vector.extraDataProposal!) }
  expectEqual(proposedBlock(proposal, Uint8Array.of(0xc0)).digest, vector.digest, 'the digest')
  const sealed = { ...base, extraData: hexToBytes(vector.sealedExtraData!) }
  expectEqual(bytesToHex(commitHash(sealed)), vector.digest, 'the commit hash')
  expectEqual(qbftHash(sealed), vector.onChainHash, 'the on-chain hash')
  const seals = block1[key].commitSeals as { signer: Address; seal: string }[]
  for (const { signer, seal } of seals) {
    expectEqual(recoverSeal(commitHash(sealed), hexToBytes(seal)), signer, 'a signer')
  }
  const scheme = createQbftScheme({ config: { epochLength: 30_000 }, recover: recoverSeal })
  const parent = decodeHeader(hexToBytes(genesis.headerRlp))
  expectEqual(
    scheme.verify(sealed, parent, () => parent),
    { ok: true },
    'the sealed header',
  )
  expectEqual(validators.length, 4, 'validators')
  if (key === 'round0') {
    expectEqual(bytesToHex(encodeHeader(sealed)), sealedRlp, 'the sealed header’s bytes')
  }
}

function runDerivedMessage({ code, signingHash, signer, rlp }: Vectors['messages'][string]): void {
  const frame = hexToBytes(`${code}${rlp.slice(2)}`)
  const message: Message = decodeMessage(frame, recoverSeal)
  expectEqual(message.author, signer, 'the author')
  expectEqual(bytesToHex(encodeMessage(message)), bytesToHex(frame), 'the bytes')
  const outer = splitRlpList(hexToBytes(rlp))
  const isNested = message.kind === 'proposal' || message.kind === 'roundChange'
  const payload = isNested ? splitRlpList(outer[0]!)[0]! : outer[0]!
  expectEqual(bytesToHex(messageHash(message.kind, payload)), signingHash, 'the signing hash')
  if (message.kind === 'proposal' && message.payload.round > 0) {
    const validators = decodeExtraData(message.payload.block.header.extraData).validators
    expectEqual(isJustified(message, validators), true, 'justified')
  }
}

function runDerivedVote({ votes }: Vectors, kind: string): void {
  const { vote } = decodeExtraData(hexToBytes(votes[kind]!))
  expectEqual(vote?.kind ?? 'none', kind, 'the vote')
  const recipient = kind === 'none' ? undefined : votes[`${kind}Recipient`]
  expectEqual(vote?.recipient, recipient, 'the recipient')
  expectEqual(
    bytesToHex(encodeExtraData(decodeExtraData(hexToBytes(votes[kind]!)))),
    votes[kind],
    'the bytes',
  )
}

function runRealHeader(vector: Json): void {
  const bytes = hexToBytes(String(vector.headerRlp))
  const header = decodeHeader(bytes)
  expectEqual(bytesToHex(commitHash(header)), vector.commitHash, 'the commit hash')
  expectEqual(qbftHash(header), vector.onChainHash, 'the on-chain hash')
  expectEqual(keccak256Hex(bytes), vector.keccakOfRawRlp_NOT_the_block_hash, 'the raw hash')
  expectEqual(sealersOf(header, recoverSeal), vector.sealSignersInOrder, 'the signers')
  expectEqual(decodeRlp(bytes) instanceof Uint8Array, false, 'a list')
}
