/** A chain of proof of work from Frontier to the merge, made by building blocks on it and executed by another. */

import { crc32 } from 'node:zlib'
import { type Address, type Fork, keccak256Hex, ZERO_HASH } from '@vellum/evm'
import { describe, expect, it } from 'vitest'
import { addressOfPublicKey, createSecp256k1 } from '../src/crypto.ts'
import { type BlockExecution, beginBlock, WITHDRAWAL_REQUESTS } from '../src/execute-block.ts'
import {
  type Block,
  type Chain,
  createMemoryKeyValue,
  createPool,
  decodeBlock,
  decodeTransaction,
  defaultBlobSchedule,
  type ExecutedBlock,
  encodeBlock,
  encodeTransaction,
  FOREIGN,
  type Header,
  type KeyValue,
  ommersHash,
  openChain,
  parseGenesis,
  recoverSender,
  type SignedTransaction,
  signTransaction,
  type Transaction,
  type Withdrawal,
} from '../src/index.ts'
import { type Ancestry, verifyOmmers } from '../src/ommers.ts'
import { decodeBlockTransaction } from '../src/transaction.ts'
import { verifyHeader } from '../src/validate.ts'

const crypto = createSecp256k1()
const KEY = new Uint8Array(32).fill(1)
const SENDER = addressOfPublicKey(crypto.publicKey(KEY))
const MINER: Address = `0x${'c0'.repeat(20)}`
const TARGET: Address = `0x${'50'.repeat(20)}`
const ETHER = 10n ** 18n
const WORK = 1000n
const NO_BYTES = new Uint8Array(0)

/** Frontier at block 1, then a fork each. */
const GENESIS = parseGenesis({
  config: {
    chainId: 7,
    homesteadBlock: 2,
    eip150Block: 3,
    eip155Block: 4,
    eip158Block: 4,
    byzantiumBlock: 5,
    constantinopleBlock: 6,
    petersburgBlock: 7,
    istanbulBlock: 8,
    berlinBlock: 9,
    londonBlock: 10,
    terminalTotalDifficulty: 11_000,
    shanghaiTime: 1_000_000,
  },
  alloc: { [SENDER]: { balance: `0x${(10n ** 20n).toString(16)}` } },
  difficulty: '0x3e8',
  gasLimit: '0x989680',
})

function open(disk: KeyValue = createMemoryKeyValue()): Promise<Chain> {
  return openChain({
    genesis: GENESIS,
    disk,
    crc32,
    scheme: FOREIGN,
    crypto,
    retainedBlocks: undefined,
  })
}

function transaction(nonce: number, fields: Partial<Transaction> = {}): SignedTransaction {
  const plain: Transaction = {
    type: 0,
    chainId: undefined,
    nonce: BigInt(nonce),
    gasLimit: 100_000n,
    maxFeePerGas: 2n * 10n ** 9n,
    maxPriorityFeePerGas: 2n * 10n ** 9n,
    to: TARGET,
    value: 1n,
    data: new Uint8Array(0),
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
    ...fields,
  }
  return signTransaction(plain, KEY, crypto)
}

function build(chain: Chain, transactions: readonly SignedTransaction[], difficulty = WORK) {
  const parent = chain.head().header
  const pool = createPool({
    kind: 'foreign',
    state: () => chain.state(),
    next: () => ({
      rules: chain.rulesAt(parent.number + 1, parent.timestamp + 1),
      gasLimit: parent.gasLimit,
    }),
  })
  for (const each of transactions) pool.add(each)
  const gasLimitTarget = parent.gasLimit * (parent.number === 9 ? 2n : 1n)
  return chain.build(pool, {
    timestamp: parent.timestamp + 1,
    fields: {
      coinbase: MINER,
      difficulty,
      extraData: new Uint8Array(0),
      mixHash: ZERO_HASH,
      nonce: new Uint8Array(8),
    },
    gasLimitTarget,
  })
}

/** As it comes out of a file: decoded, with its senders. */
function read(block: Block): Block {
  const decoded = decodeBlock(encodeBlock(block))
  return {
    ...decoded,
    transactions: decoded.transactions.map((tx) => recoverSender(tx, crypto)),
  }
}

/** Executes on one chain what was built on another. */
async function follow(chain: Chain, built: ExecutedBlock): Promise<void> {
  const verdict = chain.execute(read(built.block))
  if (!verdict.ok) throw new Error(`block ${built.block.header.number}: ${verdict.reason}`)
  await chain.append(verdict.executed!)
}

/** A maker and a follower with blocks up to this one, a transfer in each. */
async function grown(height: number): Promise<{ maker: Chain; follower: Chain; disk: KeyValue }> {
  const disk = createMemoryKeyValue()
  const [maker, follower] = await Promise.all([open(), open(disk)])
  for (let number = 1; number <= height; number++) {
    const chainId = number >= 4 ? 7n : undefined
    const built = build(maker, [transaction(number - 1, { chainId })], number > 10 ? 0n : WORK)
    await maker.append(built)
    await follow(follower, built)
  }
  return { maker, follower, disk }
}

describe('a chain from Frontier to the merge', () => {
  it('is executed by another node, block by block, and survives a restart', async () => {
    const { maker, follower, disk } = await grown(12)
    expect(follower.head().hash).toBe(maker.head().hash)
    const forks = Array.from({ length: 12 }, (_, i) => follower.rulesAt(i + 1, i + 1).fork)
    expect(forks.slice(8)).toEqual(['berlin', 'london', 'paris', 'paris'])
    await follower.flush()
    const again = await open(disk)
    expect(Array.from({ length: 12 }, (_, i) => again.rulesAt(i + 1, i + 1).fork)).toEqual(forks)
  })

  it('pays 5, 3 and 2 ether a block, and nothing after the merge', async () => {
    const { follower } = await grown(11)
    const before = (number: number): bigint =>
      follower.stateAt(number).account(MINER)?.balance ?? 0n
    const paid = (number: number): bigint => (before(number) - before(number - 1)) / ETHER
    expect(Array.from({ length: 11 }, (_, i) => paid(i + 1))).toEqual(
      [5, 5, 5, 5, 3, 2, 2, 2, 2, 2, 0].map(BigInt),
    )
  })

  it('has receipts with state roots before Byzantium, with a status since', async () => {
    const { follower } = await grown(5)
    expect(follower.receipts(4)![0]!.status).toMatch(/^0x[0-9a-f]{64}$/)
    // No reward is paid before the transaction's root: it differs from that of the block.
    expect(follower.receipts(4)![0]!.status).not.toBe(follower.header(4)!.header.stateRoot)
    expect(follower.receipts(5)![0]!.status).toBe(1)
  })

  it('has base fees since London, whose first block doubles the gas limit', async () => {
    const { follower } = await grown(11)
    const header = (number: number): Header => follower.header(number)!.header
    expect(header(9).baseFeePerGas).toBeUndefined()
    expect(header(10).baseFeePerGas).toBe(1_000_000_000n)
    expect(header(10).gasLimit).toBe(2n * header(9).gasLimit)
  })

  it('refuses a block without work before the terminal total difficulty, and work after the merge', async () => {
    const early = await grown(9)
    const idle = early.follower.execute(read(build(early.maker, [], 0n).block))
    expect(idle).toMatchObject({ ok: false, reason: expect.stringContaining('proof of work') })
    const late = await grown(11)
    const busy = build(late.maker, [])
    const verdict = late.follower.execute(
      read({ ...busy.block, header: { ...busy.block.header, difficulty: WORK } }),
    )
    expect(verdict).toMatchObject({ ok: false, reason: 'difficulty must be 0' })
  })

  it('refuses a block whose roots are others, and goes on with the right one', async () => {
    const { maker, follower } = await grown(3)
    const { block } = build(maker, [transaction(3, { chainId: 7n })])
    const wrong = { ...block, header: { ...block.header, stateRoot: ZERO_HASH } }
    expect(follower.execute(read(wrong))).toMatchObject({
      ok: false,
      reason: 'state root differs from execution',
    })
    expect(follower.execute(read(block)).ok).toBe(true)
  })
})

describe('signatures', () => {
  it('with high s are of the same signer: taken in Frontier, refused since and outside of blocks', async () => {
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
    const low = transaction(0)
    const { r, s, yParity } = low.signature
    const twin = encodeTransaction(low, { r, s: order - s, yParity: yParity === 0 ? 1 : 0 })
    expect(() => decodeTransaction(twin)).toThrow('s is high')
    const high = recoverSender(decodeBlockTransaction(twin), crypto)
    expect(high.sender).toBe(SENDER)

    const run = (number: number): string => {
      const fork = number === 1 ? 'frontier' : 'homestead'
      const execution = begin(number, fork)
      try {
        return String(execution.add(high).status)
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(run(1)).toBe('1')
    expect(run(2)).toBe('LEDGER_SIGNATURE_INVALID')
  })

  it('with a chain id are refused before EIP-155', () => {
    const bound = transaction(0, { chainId: 7n })
    expect(() => begin(3, 'tangerineWhistle').add(bound)).toThrow('no chain ids')
    expect(begin(4, 'spuriousDragon').add(bound).status).toBe(1)
  })
})

const RULES = {
  chainId: 7n,
  blobSchedule: defaultBlobSchedule('london'),
  zeroBaseFee: false,
  consensus: 'stake',
  blockPeriodSeconds: 0,
  permissionContract: undefined,
} as const

/** PUSH1 0, SELFDESTRUCT: gives what it has to nobody, and goes. */
const BOMB = Uint8Array.of(0x60, 0, 0xff)
const STOP = Uint8Array.of(0)

function begin(number: number, fork: Fork, consensus: 'stake' | 'qbft' = 'stake') {
  return beginBlock(
    {
      parentHash: ZERO_HASH,
      coinbase: MINER,
      number,
      timestamp: number,
      gasLimit: 10_000_000n,
      difficulty: WORK,
      mixHash: ZERO_HASH,
      baseFeePerGas: undefined,
      excessBlobGas: undefined,
      parentBeaconBlockRoot: undefined,
    },
    { ...RULES, fork, consensus },
    {
      reader: {
        account: (address) => {
          const balance = 10n ** 20n
          if (address === SENDER) return { nonce: 0n, balance, codeHash: keccak256Hex(NO_BYTES) }
          if (address === MINER) return { nonce: 1n, balance, codeHash: keccak256Hex(BOMB) }
          if (address === WITHDRAWAL_REQUESTS)
            return { nonce: 1n, balance, codeHash: keccak256Hex(STOP) }
          return undefined
        },
        storage: () => 0n,
        hasStorage: () => false,
        code: (hash) => [BOMB, STOP].find((code) => keccak256Hex(code) === hash) ?? NO_BYTES,
      },
      crypto,
      blockHash: () => ZERO_HASH,
    },
  )
}

describe('what a block pays after its transactions', () => {
  const change = (execution: BlockExecution, address: Address, withdrawals: Withdrawal[] = []) =>
    execution.finish(withdrawals).changes.accounts.find((account) => account.address === address)

  it('is kept by whom the last transaction destroyed', () => {
    const mined = begin(3, 'homestead')
    mined.add(transaction(0, { to: MINER, value: 0n }))
    expect(change(mined, MINER)?.account?.balance).toBe(5n * ETHER)

    const staked = begin(12, 'shanghai')
    staked.add(transaction(0, { to: MINER, value: 0n, chainId: 7n }))
    const withdrawal = { index: 0n, validatorIndex: 0n, address: MINER, amount: 7n }
    expect(change(staked, MINER, [withdrawal])?.account?.balance).toBe(7n * 10n ** 9n)
  })

  it('brings no account into being if it is nothing, whatever is called afterwards', () => {
    const nothing = { index: 0n, validatorIndex: 0n, address: TARGET, amount: 0n }
    for (const fork of ['shanghai', 'prague'] as const) {
      expect(change(begin(12, fork, 'qbft'), TARGET, [nothing])).toBeUndefined()
    }
  })
})

describe('ommers', () => {
  const header = async (number: number): Promise<Header> => {
    const { follower } = await grown(number)
    return follower.head().header
  }

  it('are paid by their age, and the block that names them a 32nd each', async () => {
    const ommer = { ...(await header(1)), coinbase: TARGET }
    const execution = begin(3, 'homestead')
    execution.finish(undefined, [ommer])
    expect(execution.world.balance(TARGET)).toBe((5n * ETHER * 6n) / 8n)
    const before = 100n * ETHER
    expect(execution.world.balance(MINER)).toBe(before + 5n * ETHER + (5n * ETHER) / 32n)
  })

  it('are at most two siblings of the last six ancestors, legal and named once', async () => {
    const { maker } = await grown(8)
    const { block } = build(maker, [])
    const sibling = (number: number, fields: Partial<Header> = {}): Header => ({
      ...maker.header(number)!.header,
      coinbase: TARGET,
      ...fields,
    })
    let named: readonly Header[] = []
    const ancestry: Ancestry = {
      header: (number) => maker.header(number),
      ommers: (number) => (number === 7 ? named : []),
      hash: maker.scheme.hash,
      verifyChild: (child, parent) =>
        verifyHeader(child, parent, maker.rulesAt(child.number, child.timestamp)),
    }
    const verdict = (ommers: readonly Header[]): string => {
      const result = verifyOmmers({ ...block, ommers }, ancestry)
      return result.ok ? 'ok' : result.reason
    }
    expect(verdict([sibling(3), sibling(8)])).toBe('ok')
    expect(verdict([sibling(2)])).toBe('an ommer is too old')
    expect(verdict([block.header])).toBe('an ommer is too old')
    expect(verdict([sibling(6), sibling(7), sibling(8)])).toBe('more than two ommers')
    const twice = 'an ommer is an ancestor, or was named before'
    expect(verdict([maker.header(8)!.header])).toBe(twice)
    expect(verdict([sibling(8), sibling(8)])).toBe(twice)
    const stranger = sibling(8, { parentHash: maker.header(6)!.hash })
    expect(verdict([stranger])).toBe('an ommer is no child of an ancestor')
    expect(verdict([sibling(8, { gasLimit: 4999n, gasUsed: 0n })])).toContain(
      'no legal header: gas limit',
    )
    named = [sibling(6)]
    expect(verdict([sibling(6)])).toBe(twice)
  })

  it('are refused by a node that executes the block, and by QBFT altogether', async () => {
    const { maker, follower } = await grown(8)
    const { block } = build(maker, [])
    const ommers = [maker.header(8)!.header]
    const header = { ...block.header, ommersHash: ommersHash(ommers) }
    expect(follower.execute({ ...block, header, ommers })).toMatchObject({
      ok: false,
      reason: 'an ommer is an ancestor, or was named before',
    })
    const parent = maker.head().header
    const rules = maker.rulesAt(9, 9)
    const naming = { ...block.header, ommersHash: ZERO_HASH }
    expect(verifyHeader(naming, parent, rules).ok).toBe(true)
    expect(verifyHeader(naming, parent, { ...rules, consensus: 'qbft' })).toMatchObject({
      ok: false,
      reason: 'ommers are not allowed',
    })
  })
})
