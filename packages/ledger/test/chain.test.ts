import { crc32 } from 'node:zlib'
import {
  type Address,
  bytesToHex,
  concatBytes,
  createAddress,
  type Hash,
  hexToBytes,
} from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import { addressOfPublicKey, createSecp256k1 } from '../src/crypto.ts'
import { WITHDRAWAL_REQUESTS } from '../src/execute-block.ts'
import {
  type Block,
  type Chain,
  createMemoryKeyValue,
  createPool,
  decodeBlock,
  type ExecutedBlock,
  type Genesis,
  type KeyValue,
  openChain,
  type Pool,
  parseGenesis,
  recoverSender,
  type SignedTransaction,
  signTransaction,
  type Transaction,
  withdrawalsRoot,
} from '../src/index.ts'
import { createOneSigner, oneSignerGenesis } from './one-signer.ts'

const crypto = createSecp256k1()
const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const addressOf = (n: number): Address => addressOfPublicKey(crypto.publicKey(keyOf(n)))
const VALIDATOR = 9
const sealer = createOneSigner(addressOf(VALIDATOR), keyOf(VALIDATOR), crypto)

const GENESIS: Genesis = oneSignerGenesis({
  validator: addressOf(VALIDATOR),
  alloc: Object.fromEntries([1, 2, 3].map((n) => [addressOf(n), { balance: '0x100000' }])),
})

function open(disk: KeyValue, retainedBlocks?: number, genesis = GENESIS): Promise<Chain> {
  return openChain({ genesis, disk, crc32, scheme: sealer, crypto, retainedBlocks })
}

function poolOf(chain: Chain): Pool {
  return createPool({
    state: () => chain.state(),
    next: () => {
      const { header } = chain.head()
      return {
        rules: chain.rulesAt(header.number + 1, header.timestamp),
        gasLimit: header.gasLimit,
      }
    },
  })
}

function tx(from: number, nonce: number, fields: Partial<Transaction> = {}): SignedTransaction {
  const transaction: Transaction = {
    type: 2,
    chainId: 7n,
    nonce: BigInt(nonce),
    gasLimit: 21_000n,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    to: addressOf(50),
    value: 1n,
    data: new Uint8Array(0),
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
    ...fields,
  }
  return signTransaction(transaction, keyOf(from), crypto)
}

function build(chain: Chain, pool: Pool): ExecutedBlock {
  const parent = chain.head().header
  const built = chain.build(pool, {
    timestamp: parent.timestamp + 1,
    fields: sealer.fields,
    gasLimitTarget: parent.gasLimit,
  })
  return chain.sealed(built, sealer.seal(built.block.header))
}

async function grow(
  chain: Chain,
  ...transactions: readonly SignedTransaction[]
): Promise<ExecutedBlock> {
  const pool = poolOf(chain)
  for (const each of transactions) pool.add(each)
  const executed = build(chain, pool)
  await chain.append(executed)
  return executed
}

/** Stores the first word of its call data in slot 0 and emits it. */
const STORE_CODE = hexToBytes('0x5f35805f555f5260205fa000')
/** Returns the 12 bytes that follow it as the code of the new contract. */
const INIT_CODE = concatBytes(hexToBytes('0x600c8060095f395ff3'), STORE_CODE)

const SPINNER: Address = `0x${'5e'.repeat(20)}`
/** Counts in slot 0, and asks who signed nothing until its gas is used up. */
const SPIN_CODE = hexToBytes('0x5f546001015f555b5f5f60805f60015afa50600756')

/** Asks who signed nothing, which takes a look at the clock, and returns nothing. */
const ASK_ONCE_CODE = hexToBytes('0x5f5f60805f60015afa505f5ff3')

describe('chain', () => {
  test('begins with the genesis block and its accounts', async () => {
    const chain = await open(createMemoryKeyValue())
    expect(chain.head().header.number).toBe(0)
    expect(chain.state().account(addressOf(1))?.balance).toBe(0x100000n)
    expect(chain.block(0)?.transactions).toEqual([])
    expect(chain.receipts(0)).toEqual([])
  })

  test('what was built can be executed by another node, byte for byte', async () => {
    const ours = await open(createMemoryKeyValue())
    const theirs = await open(createMemoryKeyValue())
    for (let i = 0; i < 3; i++) {
      const { block, hash } = await grow(ours, tx(1, i), tx(2, i, { value: 0n }))
      const encoded = ours.encodedBlock(block.header.number)!
      const decoded = decodeBlock(encoded)
      const received: Block = {
        ...decoded,
        transactions: decoded.transactions.map((each) => recoverSender(each, crypto)),
      }
      const verdict = theirs.execute(received)
      expect(verdict).toMatchObject({ ok: true })
      await theirs.append(verdict.executed!)
      expect(theirs.head().hash).toBe(hash)
      expect(theirs.encodedBlock(block.header.number)).toEqual(encoded)
    }
    expect(theirs.state().account(addressOf(50))?.balance).toBe(3n)
  })

  test('logs are found in the open section and, after a restart, in one that was made again', async () => {
    const disk = createMemoryKeyValue()
    const chain = await open(disk)
    const contract = createAddress(addressOf(1), 0n)
    const fields = { to: undefined, gasLimit: 200_000n, value: 0n, data: INIT_CODE }
    await grow(chain, tx(1, 0, fields))
    const write = (nonce: number): SignedTransaction =>
      tx(1, nonce, { to: contract, gasLimit: 90_000n, value: 0n, data: new Uint8Array(32).fill(7) })
    const [silent, first, second] = [tx(2, 0), write(1), write(2)]
    await grow(chain, silent, first)
    await grow(chain)
    await grow(chain, second)
    const find = (from: Chain, address: Address): unknown[] =>
      [
        ...from.searchLogs({
          from: 0,
          to: 4,
          criteria: { addresses: [address], topics: [] },
          limits: { blocksMax: 0, lookupsMax: 10, readsMax: 10 },
        }),
      ].filter((step) => step !== undefined)
    const logAt = (number: number, { hash }: SignedTransaction, index: number) => ({
      number,
      hash: chain.hashAt(number),
      timestamp: chain.header(number)?.header.timestamp,
      logs: [{ logIndex: 0, transactionIndex: index, transactionHash: hash }],
    })
    for (const each of [chain, await open(disk)]) {
      expect(each.logIndex.state()).toMatchObject({ missing: 0, sections: 0 })
      const index = each.block(2)!.transactions.findIndex(({ hash }) => hash === first.hash)
      expect(find(each, contract)).toMatchObject([logAt(2, first, index), logAt(4, second, 0)])
      expect(find(each, addressOf(1))).toEqual([])
    }
  })

  test('blocks, receipts and transactions are found again, from cache and from disk', async () => {
    const disk = createMemoryKeyValue()
    const chain = await open(disk)
    const first = tx(1, 0)
    const second = tx(2, 0)
    const { hash } = await grow(chain, first, second)
    for (const each of [chain, await open(disk)]) {
      expect(each.head().hash).toBe(hash)
      expect(each.numberOf(hash)).toBe(1)
      expect(each.block(1)?.transactions.map(({ hash, sender }) => [hash, sender])).toEqual([
        [first.hash, addressOf(1)],
        [second.hash, addressOf(2)],
      ])
      expect(each.locate(second.hash)).toEqual({ number: 1, index: 1 })
      expect(
        each.receipts(1)?.map(({ status, cumulativeGasUsed }) => [status, cumulativeGasUsed]),
      ).toEqual([
        [1, 21_000n],
        [1, 42_000n],
      ])
      expect(each.transactionCount()).toBe(2)
      expect(each.block(1)?.size).toBe(each.encodedBlock(1)?.length)
      expect(each.block(2)).toBeUndefined()
      expect(each.locate(`0x${'12'.repeat(32)}`)).toBeUndefined()
    }
  })

  test('older states stay readable in an archive', async () => {
    const chain = await open(createMemoryKeyValue())
    for (let i = 0; i < 5; i++) await grow(chain, tx(1, i))
    for (let number = 0; number <= 5; number++) {
      expect(chain.stateAt(number).account(addressOf(50))?.balance ?? 0n).toBe(BigInt(number))
    }
    expect(() => chain.stateAt(6)).toThrow(
      expect.objectContaining({ code: 'LEDGER_BLOCK_UNKNOWN' }),
    )
  })

  test('a pruned chain keeps what it promised and says so of the rest', async () => {
    const chain = await open(createMemoryKeyValue(), 2)
    for (let i = 0; i < 6; i++) await grow(chain, tx(1, i))
    for (const number of [4, 5, 6]) {
      expect(chain.stateAt(number).account(addressOf(50))?.balance).toBe(BigInt(number))
    }
    expect(() => chain.stateAt(3)).toThrow(expect.objectContaining({ code: 'LEDGER_STATE_PRUNED' }))
    expect(chain.block(1)?.transactions).toHaveLength(1)
  })

  test('nothing is visible before it is durable', async () => {
    const disk = createMemoryKeyValue()
    let release = (): void => {}
    const slow: KeyValue = {
      ...disk,
      batch: async (writes) => {
        await disk.batch(writes)
        await new Promise<void>((resolve) => {
          release = resolve
          if (writes.length > 0 && disk.get(writes[0]!.key) === undefined) resolve()
        })
      },
    }
    const opening = open(slow)
    const pump = async <T>(promise: Promise<T>): Promise<T> => {
      let done = false
      void promise.finally(() => {
        done = true
      })
      while (!done) {
        release()
        await Promise.resolve()
      }
      return promise
    }
    const chain = await pump(opening)
    const pool = poolOf(chain)
    pool.add(tx(1, 0))
    const executed = build(chain, pool)
    const appended = chain.append(executed)
    await Promise.resolve()
    await Promise.resolve()
    expect(chain.head().header.number).toBe(0)
    expect(chain.state().account(addressOf(50))).toBeUndefined()
    expect(chain.locate(executed.block.transactions[0]!.hash)).toBeUndefined()
    await expect(chain.append(executed)).rejects.toThrow('one at a time')
    await pump(appended)
    expect(chain.head().header.number).toBe(1)
    expect(chain.state().account(addressOf(50))?.balance).toBe(1n)
  })

  test('listeners hear each head once, with its receipts', async () => {
    const chain = await open(createMemoryKeyValue())
    const heard: [number, number][] = []
    const stop = chain.onHead(({ header, receipts }) =>
      heard.push([header.number, receipts.length]),
    )
    await grow(chain, tx(1, 0))
    await grow(chain)
    stop()
    await grow(chain)
    expect(heard).toEqual([
      [1, 1],
      [2, 0],
    ])
  })
})

describe('chain: opening', () => {
  const refused = (code: string) => expect.objectContaining({ code })

  test('another genesis and another mode are refused with what to do', async () => {
    const disk = createMemoryKeyValue()
    await open(disk)
    await expect(open(disk, undefined, { ...GENESIS, timestamp: 5 })).rejects.toThrow(
      refused('LEDGER_STORE_GENESIS'),
    )
    await expect(open(disk, 128)).rejects.toThrow(refused('LEDGER_STORE_MODE'))
  })

  const contract = `0x${'77'.repeat(20)}`
  const unsupported: readonly [path: string, config: object][] = [
    ['config.qbft.validatorcontractaddress', { qbft: { validatorcontractaddress: contract } }],
    ['config.qbft.startblock', { qbft: { startblock: 101 } }],
    ['config.qbft.blockreward', { qbft: { blockreward: '0x10' } }],
    ['config.qbft.miningbeneficiary', { qbft: { miningbeneficiary: contract } }],
    [
      'config.transitions.qbft',
      { qbft: {}, transitions: { qbft: [{ block: 5, blockperiodseconds: 2 }] } },
    ],
    [
      'config.transitions.qbft',
      {
        qbft: {},
        transitions: {
          qbft: [
            { block: 5, validatorselectionmode: 'contract', validatorcontractaddress: contract },
          ],
        },
      },
    ],
  ]
  test.for(unsupported)('%s is not followed, so the chain is not begun', async ([path, config]) => {
    const json = { config: { chainId: 7, ...config }, alloc: {}, difficulty: 1, gasLimit: 1 }
    const disk = createMemoryKeyValue()
    await expect(open(disk, undefined, parseGenesis(json))).rejects.toMatchObject({
      code: 'LEDGER_GENESIS_INVALID',
      details: { path },
    })
  })

  test('a recent block that is lost is damage', async () => {
    const disk = createMemoryKeyValue()
    const chain = await open(disk)
    for (let i = 0; i < 3; i++) await grow(chain, tx(1, i))
    for (const kind of ['d', 'b', 'r']) {
      const key = Uint8Array.of(kind.charCodeAt(0), 0, 0, 0, 0, 0, 2)
      const value = disk.get(key)
      await disk.batch([{ key, value: undefined }])
      await expect(open(disk)).rejects.toThrow(refused('LEDGER_STORE_DAMAGED'))
      await disk.batch([{ key, value }])
    }
    await open(disk)
  })

  test('a genesis cut short by a crash is begun anew', async () => {
    const disk = createMemoryKeyValue()
    let batches = 0
    const failing: KeyValue = {
      ...disk,
      batch: (writes) => {
        batches += 1
        return batches > 1 ? Promise.reject(new Error('power is gone')) : disk.batch(writes)
      },
    }
    await expect(open(failing)).rejects.toThrow('power is gone')
    const chain = await open(disk)
    expect(chain.state().account(addressOf(1))?.balance).toBe(0x100000n)
  })
})

describe('chain: blocks of others', () => {
  async function setUp(): Promise<{ chain: Chain; block: Block }> {
    const chain = await open(createMemoryKeyValue())
    const pool = poolOf(chain)
    pool.add(tx(1, 0))
    return { chain, block: build(chain, pool).block }
  }

  const other: Hash = `0x${'ab'.repeat(32)}`
  const edits: readonly [string, (block: Block) => Block['header'] | Block][] = [
    ['parent', ({ header }) => ({ ...header, parentHash: other })],
    ['state root', ({ header }) => ({ ...header, stateRoot: other })],
    ['receipts root', ({ header }) => ({ ...header, receiptsRoot: other })],
    ['transactions root', ({ header }) => ({ ...header, transactionsRoot: other })],
    ['gas used', ({ header }) => ({ ...header, gasUsed: 21_001n })],
    ['gas limit', ({ header }) => ({ ...header, gasLimit: header.gasLimit * 2n })],
    ['timestamp', ({ header }) => ({ ...header, timestamp: -1 })],
    ['base fee', ({ header }) => ({ ...header, baseFeePerGas: 1n })],
    ['bloom', ({ header }) => ({ ...header, logsBloom: new Uint8Array(256).fill(1) })],
    ['requests hash', ({ header }) => ({ ...header, requestsHash: other })],
    ['blob gas', ({ header }) => ({ ...header, blobGasUsed: 131_072n })],
    ['number', ({ header }) => ({ ...header, number: 2 })],
    ['body', (block) => ({ ...block, transactions: [] })],
    ['invalid transaction', (block) => ({ ...block, transactions: [tx(1, 1)] })],
    ['withdrawals', (block) => ({ ...block, withdrawals: undefined })],
  ]
  test.for(edits)('a wrong %s is refused, and harms nothing', async ([, edit]) => {
    const { chain, block } = await setUp()
    const edited = edit(block)
    const changed: Block = 'header' in edited ? edited : { ...block, header: edited }
    // Sealed again, so that it is the field that is found, not the seal.
    const resealed =
      changed.header === block.header ? changed : { ...changed, header: reseal(changed) }
    expect(chain.execute(resealed)).toMatchObject({ ok: false })
    expect(chain.head().header.number).toBe(0)
    const verdict = chain.execute(block)
    expect(verdict).toMatchObject({ ok: true })
    await chain.append(verdict.executed!)
    expect(chain.head().header.number).toBe(1)
  })

  test('a block that keeps no distance from its parent is refused, where the genesis wants one', async () => {
    const config = {
      chainId: 7,
      londonBlock: 0,
      zeroBaseFee: true,
      qbft: { blockperiodseconds: 5 },
    }
    const json = { config, alloc: {}, difficulty: 1, gasLimit: 30_000_000, timestamp: 100 }
    const chain = await open(createMemoryKeyValue(), undefined, parseGenesis(json))
    const verdicts = [99, 100, 104, 105, 106].map((timestamp) => {
      const { header } = chain.build(poolOf(chain), {
        timestamp,
        fields: sealer.fields,
        gasLimitTarget: 30_000_000n,
      }).block
      const block = {
        header: sealer.seal(header),
        transactions: [],
        ommers: [],
        withdrawals: undefined,
      }
      return chain.execute(block).ok
    })
    expect(verdicts).toEqual([false, false, false, true, true])
  })

  test('withdrawals are refused: no proposer makes money out of nothing', async () => {
    const { chain, block } = await setUp()
    const withdrawals = [{ index: 0n, validatorIndex: 0n, address: addressOf(50), amount: 10n }]
    const header = { ...block.header, withdrawalsRoot: withdrawalsRoot(withdrawals) }
    const proposal: Block = { ...block, header, withdrawals }
    const verdict = { ok: false, reason: 'withdrawals are not allowed' }
    expect(chain.executeProposal(proposal)).toEqual(verdict)
    expect(chain.execute({ ...proposal, header: reseal(proposal) })).toEqual(verdict)
  })

  function reseal({ header }: Block): Block['header'] {
    return sealer.seal({ ...header, extraData: sealer.fields.extraData })
  }
})

describe('building', () => {
  test('a contract is created, called and read', async () => {
    const chain = await open(createMemoryKeyValue())
    await grow(chain, tx(1, 0, { to: undefined, value: 0n, data: INIT_CODE, gasLimit: 200_000n }))
    const created = createAddress(addressOf(1), 0n)
    expect(chain.state().code(created)).toEqual(STORE_CODE)
    const data = new Uint8Array(32).fill(0x2a)
    await grow(chain, tx(1, 1, { to: created, value: 0n, data, gasLimit: 100_000n }))
    expect(chain.receipts(2)?.[0]?.logs).toEqual([{ address: created, topics: [], data }])
    expect(chain.state().storage(created, `0x${'00'.repeat(32)}`)).toBe(
      BigInt(`0x${'2a'.repeat(32)}`),
    )
  })

  test('a transaction that became invalid leaves the pool, the others go on', async () => {
    const chain = await open(createMemoryKeyValue())
    const pool = poolOf(chain)
    // Together they cost more than the sender has after the first block of somebody else's making.
    pool.add(tx(1, 0, { value: 0x90000n }))
    pool.add(tx(2, 0))
    await grow(chain, tx(1, 0, { value: 0x80000n }))
    const executed = build(chain, pool)
    expect(executed.block.transactions.map(({ sender }) => sender)).toEqual([addressOf(2)])
    expect(pool.size).toBe(1)
  })

  test('a full block leaves the rest for the next', async () => {
    const chain = await open(createMemoryKeyValue())
    const pool = poolOf(chain)
    const gasLimit = 12_000_000n
    for (const n of [1, 2, 3]) pool.add(tx(n, 0, { gasLimit }))
    // What a transaction asks for counts until it is known what it used.
    const first = build(chain, pool)
    expect(first.block.transactions).toHaveLength(3)
    expect(first.block.header.gasUsed).toBe(63_000n)
  })

  test('is cut short when time is up', async () => {
    const chain = await open(createMemoryKeyValue())
    const pool = poolOf(chain)
    for (const n of [1, 2, 3]) pool.add(tx(n, 0))
    let elapsed = 0
    const parent = chain.head().header
    const built = chain.build(pool, {
      timestamp: 1,
      fields: sealer.fields,
      gasLimitTarget: parent.gasLimit,
      budget: { elapsed: () => elapsed++, blockMs: 4 },
    })
    expect(built.block.transactions).toHaveLength(2)
  })

  test('gives up a transaction that runs for too long, and fills up with the others', async () => {
    const genesis = oneSignerGenesis({
      validator: addressOf(VALIDATOR),
      alloc: { [SPINNER]: { balance: '0x0', code: bytesToHex(SPIN_CODE) } },
    })
    const chain = await open(createMemoryKeyValue(), undefined, genesis)
    const pool = poolOf(chain)
    const spinning = [1, 2].map((n) => tx(n, 0, { to: SPINNER, value: 0n, gasLimit: 12_000_000n }))
    const [first, second] = spinning as [SignedTransaction, SignedTransaction]
    for (const each of [first, second, tx(3, 0, { value: 0n })]) pool.add(each)
    let now = 0
    const fill = (): readonly Address[] =>
      chain
        .build(pool, {
          timestamp: 1,
          fields: sealer.fields,
          gasLimitTarget: chain.head().header.gasLimit,
          // Each look at the clock takes a millisecond.
          budget: { elapsed: () => now++, blockMs: 500 },
        })
        .block.transactions.map(({ sender }) => sender)

    // The first is forgiven, the second is not: there the block ends.
    expect(fill()).toEqual([])
    expect(pool.slowRuns).toBe(2)
    // From then on they come last.
    expect(fill()).toEqual([addressOf(3)])
    expect(fill()).toEqual([addressOf(3)])
    expect(pool.get(first.hash)).toBeUndefined()
    expect(() => pool.add(first)).toThrow('takes longer than a block may')
    expect(pool.size).toBe(1)
  })

  test('never gives up the calls of the system after the transactions', async () => {
    const genesis = oneSignerGenesis({
      validator: addressOf(VALIDATOR),
      alloc: { [WITHDRAWAL_REQUESTS]: { balance: '0x0', code: bytesToHex(ASK_ONCE_CODE) } },
    })
    const chain = await open(createMemoryKeyValue(), undefined, genesis)
    let now = 0
    const { block } = chain.build(poolOf(chain), {
      timestamp: 1,
      fields: sealer.fields,
      gasLimitTarget: chain.head().header.gasLimit,
      budget: { elapsed: () => (now += 100), blockMs: 10 },
    })
    expect(block.transactions).toEqual([])
  })

  test('leaves no trace of what it gave up', async () => {
    const genesis = oneSignerGenesis({
      validator: addressOf(VALIDATOR),
      alloc: { [SPINNER]: { balance: '0x0', code: bytesToHex(SPIN_CODE) } },
    })
    const chain = await open(createMemoryKeyValue(), undefined, genesis)
    const parent = chain.head().header
    const fill = (pool: Pool, blockMs: number) => {
      let now = 0
      return chain.build(pool, {
        timestamp: 1,
        fields: sealer.fields,
        gasLimitTarget: parent.gasLimit,
        budget: { elapsed: () => now++, blockMs },
      }).block.header
    }
    const [plain, busy] = [poolOf(chain), poolOf(chain)]
    busy.add(tx(1, 0, { to: SPINNER, value: 0n, gasLimit: 12_000_000n }))
    for (const pool of [plain, busy]) pool.add(tx(3, 0, { value: 0n }))
    expect(fill(busy, 500)).toEqual(fill(plain, 500))
    expect(busy.slowRuns).toBe(1)
  })
})
