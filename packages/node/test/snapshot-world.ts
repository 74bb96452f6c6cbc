/** A chain of four validators with some history, and nodes that serve or follow it in virtual time. */

import { crc32 } from 'node:zlib'
import { proposalFields, withSeals } from '@vellum/consensus'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  type Hash,
  hexToBytes,
  keccak256,
} from '@vellum/evm'
import {
  addressOfPublicKey,
  type Block,
  type Chain,
  commitHash,
  createMemoryKeyValue,
  createPool,
  encodeExtraData,
  type Genesis,
  type KeyValue,
  openChain,
  parseGenesis,
  signTransaction,
} from '@vellum/ledger'
import { type NodeConfig, parseConfig } from '../src/config.ts'
import { NodeError } from '../src/error.ts'
import { createNode, type VellumNode } from '../src/node.ts'
import type {
  Logger,
  PeerAddress,
  Question,
  Timers,
  Transport,
  TransportHandlers,
} from '../src/ports.ts'
import { qbftSchemeOf, signerOf } from '../src/sealing.ts'
import { crypto } from './virtual-node.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const SIGNERS = [1, 2, 3, 4]
  .map((n) => signerOf(keyOf(n), crypto))
  .sort((a, b) => (a.address < b.address ? -1 : 1))
const VALIDATORS = SIGNERS.map(({ address }) => address)
const SENDER = keyOf(9)
const SENDER_ADDRESS = addressOfPublicKey(crypto.publicKey(SENDER))

/** Stores the second word of its call data under the first. */
const STORE_CODE = '0x6020355f355500'
export const LARGE: Address = `0x${'cc'.repeat(20)}`
/** Makes a contract whose code is the number, in 32 bytes. */
const initCode = (n: number): Uint8Array => hexToBytes(`0x60208060095f395ff3${word(n).slice(2)}`)
const word = (n: number): Hash => bytesToHex(bigIntToBytes(BigInt(n), 32))
const addressAt = (n: number): Address => bytesToHex(bigIntToBytes(BigInt(n), 20))

function storage(count: number): Record<Hash, Hash> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [word(i), word(i + 1)]))
}

export interface WorldSize {
  readonly accounts: number
  /** Contracts of five slots. */
  readonly contracts: number
  /** Slots of one more contract. */
  readonly slots: number
}

export function worldGenesis(size: WorldSize): Genesis {
  return parseGenesis(worldGenesisFile(size))
}

/** What the genesis file says, before it is text. */
export function worldGenesisFile({ accounts, contracts, slots }: WorldSize): object {
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: VALIDATORS,
    vote: undefined,
    round: 0,
    seals: [],
  })
  return {
    config: {
      chainId: 7,
      londonBlock: 0,
      terminalTotalDifficulty: 0,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      osakaTime: 0,
      zeroBaseFee: true,
      qbft: { xblockperiodmilliseconds: 50, epochlength: 100 },
    },
    alloc: {
      [SENDER_ADDRESS]: { balance: '0xffffffffff' },
      [LARGE]: { balance: '0x0', code: STORE_CODE, storage: storage(slots) },
      ...Object.fromEntries(
        Array.from({ length: contracts }, (_, i) => [
          addressAt(1_000_000 + i),
          // Each its own code.
          { balance: '0x0', code: `${STORE_CODE}${word(i).slice(2)}`, storage: storage(5) },
        ]),
      ),
      ...Object.fromEntries(
        Array.from({ length: accounts }, (_, i) => [addressAt(10_000 + i), { balance: '0x1' }]),
      ),
    },
    difficulty: '0x1',
    gasLimit: '0x1c9c380',
    extraData: bytesToHex(extraData),
  }
}

export interface Origin {
  readonly genesis: Genesis
  readonly chain: Chain
  readonly disk: KeyValue
  /** Makes blocks; every tenth has transactions. */
  grow(count: number): Promise<void>
}

export async function createOrigin(
  genesis: Genesis,
  disk: KeyValue = createMemoryKeyValue(),
): Promise<Origin> {
  const scheme = qbftSchemeOf(genesis, crypto)!
  const chain = await openChain({ genesis, disk, crc32, scheme, crypto, retainedBlocks: 64 })
  let nonce = 0n
  const pool = createPool({
    state: () => chain.state(),
    next: () => {
      const { header } = chain.head()
      return {
        rules: chain.rulesAt(header.number + 1, header.timestamp),
        gasLimit: header.gasLimit,
      }
    },
  })
  chain.onHead(({ block }) => pool.settle(block.transactions))

  function send(to: Address | undefined, value: bigint, data: Uint8Array): void {
    const transaction = {
      type: 2,
      chainId: 7n,
      nonce,
      gasLimit: 100_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to,
      value,
      data,
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    } as const
    pool.add(signTransaction(transaction, SENDER, crypto))
    nonce += 1n
  }

  async function makeBlock(): Promise<void> {
    const parent = chain.head().header
    // Codes that no genesis block has.
    if (parent.number % 100 === 5) send(undefined, 0n, initCode(parent.number))
    if (parent.number % 10 === 0) {
      send(
        bytesToHex(keccak256(hexToBytes(word(parent.number))).subarray(12)),
        1n,
        new Uint8Array(0),
      )
      send(LARGE, 0n, hexToBytes(`${word(parent.number * 7)}${word(parent.number % 3).slice(2)}`))
    }
    const proposer = VALIDATORS[parent.number % VALIDATORS.length]!
    const built = chain.build(pool, {
      timestamp: parent.timestamp + 1,
      fields: proposalFields({ proposer, validators: VALIDATORS, round: 0, vote: undefined }),
      gasLimitTarget: parent.gasLimit,
    })
    const { header } = built.block
    const seals = SIGNERS.slice(0, 3).map(({ sign }) => sign(commitHash(header)))
    await chain.append(chain.sealed(built, withSeals(header, seals)))
  }

  return {
    genesis,
    chain,
    disk,
    grow: async (count) => {
      for (let i = 0; i < count; i++) await makeBlock()
      await chain.flush()
    },
  }
}

/** A disk with the same records: a new one, or one that is empty. */
export async function copyOf(
  disk: KeyValue,
  copy: KeyValue = createMemoryKeyValue(),
): Promise<KeyValue> {
  const writes = []
  const all = { from: Uint8Array.of(0), to: Uint8Array.of(255) }
  for await (const [key, value] of disk.iterate(all)) writes.push({ key, value })
  await copy.batch(writes)
  return copy
}

/** What a peer makes of its own answer; undefined: it never answers. */
export type Tamper = (
  question: Question,
  body: Uint8Array,
  answer: Uint8Array,
) => Uint8Array | undefined

export interface World {
  readonly time: VirtualTime
  /** Peers that were penalised, and why. */
  readonly faults: { readonly peer: PeerAddress; readonly reason: string }[]
  /** Bytes of answers to questions of each kind. */
  readonly answered: Map<Question, number>
  start(options: WorldNodeOptions): Promise<WorldNode>
  /** Lets time pass until it holds. @throws after an hour of virtual time */
  until(condition: () => boolean): Promise<void>
}

export interface WorldNodeOptions {
  readonly name: number
  readonly genesis: Genesis
  readonly disk: KeyValue
  readonly retainedBlocks?: number | undefined
  readonly sync?: NodeConfig['sync']
  readonly tamper?: Tamper
}

export interface WorldNode {
  readonly node: VellumNode
  readonly address: PeerAddress
  readonly log: string[]
  /** Takes it off the network: its process is gone. */
  leave(): void
  /** Has it take a block, as from consensus. */
  take(block: Block): Promise<void>
}

/** Milliseconds on the way; the wait for an answer is that of the real host. */
const DELAY_MS = 1
const ANSWER_MS = 10_000

export function createWorld(time: VirtualTime = createVirtualTime()): World {
  interface Member {
    readonly address: PeerAddress
    readonly tamper: Tamper
    handlers: TransportHandlers | undefined
  }
  const members = new Map<PeerAddress, Member>()
  const faults: World['faults'] = []
  const answered: World['answered'] = new Map()

  function transportOf(self: Member): Transport {
    const others = (): Member[] =>
      [...members.values()].filter((each) => each !== self && each.handlers !== undefined)
    return {
      start: async (handlers) => {
        self.handlers = handlers
        members.set(self.address, self)
        for (const other of others()) {
          handlers.onPeerUp(other.address)
          other.handlers?.onPeerUp(self.address)
        }
      },
      stop: async () => leave(self),
      peers: () => (self.handlers === undefined ? [] : others().map(({ address }) => address)),
      send: (to, channel, message) => {
        time.after(DELAY_MS, () => {
          if (members.get(self.address) !== self) return
          members.get(to)?.handlers?.onMessage(self.address, channel, message)
        })
        return true
      },
      ask: (peer, question, body) => ask(time, self, peer, question, body),
      penalise: (peer, reason, weight) => {
        if (weight === 'severe') faults.push({ peer, reason })
      },
      admit: () => {},
    }
  }

  function ask(
    timers: Timers,
    self: Member,
    peer: PeerAddress,
    question: Question,
    body: Uint8Array,
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const late = timers.after(ANSWER_MS, () => {
        reject(new NodeError('NODE_PEER_TIMEOUT', 'no answer'))
      })
      const refuse = (): void => {
        late()
        reject(new NodeError('NODE_PEER_REFUSED', 'no answer'))
      }
      timers.after(DELAY_MS, () => {
        const other = members.get(peer)
        if (other?.handlers === undefined || members.get(self.address) !== self) return refuse()
        other.handlers.onQuestion(self.address, question, body).then((honest) => {
          const answer = other.tamper(question, body, honest)
          if (answer === undefined || members.get(self.address) !== self) return
          answered.set(question, (answered.get(question) ?? 0) + answer.length)
          timers.after(DELAY_MS, () => {
            late()
            resolve(answer)
          })
        }, refuse)
      })
    })
  }

  function leave(self: Member): void {
    if (members.get(self.address) !== self) return
    members.delete(self.address)
    self.handlers = undefined
    for (const other of members.values()) other.handlers?.onPeerDown(self.address)
  }

  return {
    time,
    faults,
    answered,
    until: async (condition) => {
      for (let i = 0; i < 360_000; i++) {
        if (condition()) return
        await time.advance(10)
      }
      throw new Error('it never came true')
    },
    start: async ({ name, genesis, disk, retainedBlocks, sync, tamper }) => {
      const address = addressAt(name)
      const self: Member = {
        address,
        tamper: tamper ?? ((_, __, answer) => answer),
        handlers: undefined,
      }
      const log: string[] = []
      const logger: Logger = {
        error: (message) => void log.push(message),
        warn: (message) => void log.push(message),
        info: (message) => void log.push(message),
        debug: () => {},
        child: () => logger,
      }
      const { blocks, consensus } = parseConfig({})
      const node = await createNode(
        {
          blocks,
          consensus,
          retainedBlocks,
          genesis,
          signer: undefined,
          clientVersion: 'test',
          ...(sync && { sync }),
        },
        {
          clock: time,
          timers: time,
          log: logger,
          disk,
          heads: { found: 'unknown', write: () => {} },
          crc32,
          crypto,
          transport: transportOf(self),
        },
      )
      await node.start()
      return {
        node,
        address,
        log,
        leave: () => leave(self),
        take: async (block) => {
          const verdict = await node.consensus!.runner.importBlock(block)
          if (!verdict.ok) throw new Error(verdict.reason)
        },
      }
    },
  }
}
