/**
 * A validator that floods instead of taking part, in a process of its own (`flood.ts`). At first it keeps
 * within what peers are allowed, so that it is not cut off soon: signed votes of heights and rounds to come,
 * two of each kind in one place, transactions that nobody can pay, heads that do not exist, questions for
 * blocks. Then it sends all of that, and blocks that do not fit, as fast as it can.
 */

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  encodeMessage,
  type Message,
  proposedBlock,
  type SignHash,
  signCommit,
  signerIn,
  signPrepare,
  signProposal,
  signRoundChange,
} from '@vellum/consensus'
import { bytesToHex, type Hash, hexToBytes } from '@vellum/evm'
import { decodeHeader, encodeRlp, LedgerError, signTransaction } from '@vellum/ledger'
import { decryptKeystore, loadSystemCrypto, signerOf } from '@vellum/node'
import {
  formatPeerLocation,
  parsePeerLocation,
} from '../../packages/node/src/host/peer-identity.ts'
import {
  encodeBlocksQuestion,
  encodeHeadNews,
  encodeTransactions,
} from '../../packages/node/src/wire.ts'
import { framed, type RawPeer, startRawPeer } from '../../packages/node/test/raw-peer.ts'
import { callRpc } from './running-network.ts'

export interface TraitorTask {
  /** Of the node whose key it has. */
  readonly folder: string
  readonly genesis: Hash
  readonly targets: readonly { readonly peerPort: number; readonly rpcPort: number }[]
  /** Milliseconds for which it keeps within what is allowed. */
  readonly careMs: number
}

/** A little less than `NETWORK_LIMITS` grants a peer each second. */
const CAREFUL = { consensus: 1_900, transactions: 1_900 }
/** Steps of its clock: so often in a second a batch goes out. */
const STEPS = 20
const STEP_MS = 1_000 / STEPS
const ROUNDS = 40
const HEIGHTS = 9
const BLOCK_BYTES = 65_536
/** One message in so many is a proposal with a block. */
const PROPOSAL_EVERY = 40
const REDIAL_MS = 50
/** Messages of one batch of which nobody keeps the count. */
const MAD_BATCH = 2_000
/** Batches made in advance and sent again: it is their number that hurts, not what they say. */
const BATCH_STEPS = 4

const task = JSON.parse(process.argv[2]!) as TraitorTask
const report = {
  'consensus messages of the traitor': 0,
  'its transactions': 0,
  'its questions for blocks': 0,
  'times that it was cut off or refused': 0,
}

const { crypto } = loadSystemCrypto()
const { key, locations } = await readNode()
const signer = signerOf(key, crypto)
const sign: SignHash = signerIn(domain(), signer.sign)
const peer: RawPeer = await startRawPeer(key, task.genesis)
const startedAt = performance.now()
let isStopping = false
let height = 1
let header: Uint8Array = new Uint8Array(0)

process.once('message', () => {
  isStopping = true
  process.send!(report)
})
await readHead()
await Promise.all([followHead(), ...locations.map(attack)])

async function readNode(): Promise<{ key: Uint8Array; locations: string[] }> {
  const config = JSON.parse(readFileSync(join(task.folder, 'config.json'), 'utf8')) as {
    validator: { keystore: string; passwordFile: string }
    network: { bootnodes: string[] }
  }
  const read = (name: string): string => readFileSync(join(task.folder, name), 'utf8')
  const password = new TextEncoder().encode(read(config.validator.passwordFile).split('\n', 1)[0])
  const keystore = read(config.validator.keystore)
  return {
    key: await decryptKeystore(keystore, password, { acceptWeak: true }),
    // The same order as the targets: by number of the node. Its own doors are not for it.
    locations: config.network.bootnodes.map((text, i) =>
      formatPeerLocation(parsePeerLocation(text).peerId, '127.0.0.1', task.targets[i]!.peerPort),
    ),
  }
}

function domain(): Uint8Array | undefined {
  const genesis = JSON.parse(readFileSync(join(task.folder, 'genesis.json'), 'utf8')) as {
    config: { vellum?: { chainDomain?: boolean } }
  }
  return genesis.config.vellum?.chainDomain ? hexToBytes(task.genesis) : undefined
}

async function readHead(): Promise<void> {
  const url = `http://127.0.0.1:${task.targets[0]!.rpcPort}`
  height = Number(await callRpc<string>(url, 'eth_blockNumber', [])) + 1
  header = hexToBytes(await callRpc<`0x${string}`>(url, 'debug_getRawHeader', ['latest']))
}

async function followHead(): Promise<void> {
  while (!isStopping) {
    await delay(STEP_MS)
    await readHead().catch(() => {})
  }
}

async function attack(location: string): Promise<void> {
  while (!isStopping) {
    let connection: Awaited<ReturnType<RawPeer['dial']>> | undefined
    try {
      connection = await peer.dial(location)
      await floodOne(connection)
    } catch (error) {
      if (error instanceof LedgerError) throw error
      connection?.abort(new Error('again'))
      report['times that it was cut off or refused'] += 1
      await delay(REDIAL_MS)
    }
  }
}

async function floodOne(connection: Awaited<ReturnType<RawPeer['dial']>>): Promise<never> {
  const streams = await peer.join(connection)
  for (let turn = 0; ; turn++) {
    const isCareful = performance.now() - startedAt < task.careMs
    const share = (perSecond: number): number => (isCareful ? perSecond / STEPS : MAD_BATCH)
    const messages = Array.from(
      { length: Math.ceil(share(CAREFUL.consensus) / BATCH_STEPS) },
      (_, i) =>
        framed(encodeMessage(isCareful ? idleWord(turn + i) : lie(turn * PROPOSAL_EVERY + i))),
    )
    for (let again = 0; again < BATCH_STEPS && !isStopping; again++) {
      await writable(streams.consensus)
      for (const message of messages) streams.consensus.send(message)
      report['consensus messages of the traitor'] += messages.length
    }
    const transactions = Array.from({ length: 40 }, beggar)
    for (let sent = 0; sent < share(CAREFUL.transactions); sent += transactions.length) {
      await writable(streams.transactions)
      streams.transactions.send(framed(encodeTransactions(transactions)))
      report['its transactions'] += transactions.length
    }
    await writable(streams.head)
    streams.head.send(
      framed(encodeHeadNews({ height: height + HEIGHTS + turn, hash: randomHash() })),
    )
    for (let asked = 0; asked < (isCareful ? 1 : STEPS); asked++) void askBlocks(connection)
    await delay(isCareful ? STEP_MS : 0)
    if (isStopping) await new Promise(() => {})
  }
}

/** Of what was asked nothing is read. More questions than it may have open are refused. */
async function askBlocks(connection: Awaited<ReturnType<RawPeer['dial']>>): Promise<void> {
  const stream = await peer.open(connection, 'blocks').catch(() => undefined)
  if (stream?.writeStatus !== 'writable') return
  stream.send(framed(encodeBlocksQuestion({ after: 0, count: 1_024 })))
  report['its questions for blocks'] += 1
  setTimeout(() => stream.abort(new Error('it is not wanted any more')), 100)
}

async function writable(stream: {
  readonly status: string
  readonly writeStatus: string
}): Promise<void> {
  while (stream.writeStatus !== 'writable') {
    if (stream.status !== 'open' || isStopping) throw new Error('cut off')
    await delay(1)
  }
}

/** A vote for nothing, of a height and a round for which it is too early: no fault, as far as one can tell. */
function idleWord(number: number): Message {
  return vote(number, { height: height + 1 + (number % HEIGHTS), round: 1 + (number % ROUNDS) })
}

/** The same of this height as well, and blocks that do not fit. */
function lie(number: number): Message {
  const place = { height: height + (number % HEIGHTS), round: number % ROUNDS }
  if (number % PROPOSAL_EVERY !== 0) return vote(number, place)
  const next = { ...decodeHeader(header), number: place.height, parentHash: randomHash() }
  const block = proposedBlock(next, encodeRlp([[randomBytes(BLOCK_BYTES)], [], []]))
  const payload = { ...place, round: 0, block, accessList: undefined }
  return {
    kind: 'proposal',
    ...signProposal(payload, signer.address, sign),
    roundChanges: [],
    prepares: [],
  }
}

function vote(number: number, place: { readonly height: number; readonly round: number }): Message {
  const digest = randomHash()
  if (number % 3 === 0) return signPrepare({ ...place, digest }, signer.address, sign)
  if (number % 3 === 1) {
    const seal = signer.sign(hexToBytes(digest))
    return signCommit({ ...place, digest, seal }, signer.address, sign)
  }
  return {
    kind: 'roundChange',
    ...signRoundChange({ ...place, prepared: undefined }, signer.address, sign),
    block: undefined,
    accessList: undefined,
    prepares: [],
  }
}

/** A transaction of somebody who has nothing. */
function beggar(): Uint8Array {
  const signed = signTransaction(
    {
      type: 0,
      chainId: 1337n,
      nonce: 0n,
      gasLimit: 21_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to: signer.address,
      value: 1n,
      data: new Uint8Array(0),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    randomBytes(32),
    crypto,
  )
  return signed.encoded
}

function randomHash(): Hash {
  return bytesToHex(randomBytes(32))
}
