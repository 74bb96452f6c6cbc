/** A chain of other origin, imported and served: made here with proof of work, from Homestead to the merge. */

import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { bytesToHex, concatBytes, hexToBytes, ZERO_HASH } from '@vellum/evm'
import {
  addressOfPublicKey,
  createMemoryKeyValue,
  createPool,
  createSecp256k1,
  encodeBlock,
  encodeRlp,
  encodeTransaction,
  FOREIGN,
  openChain,
  parseGenesis,
  rlpScalar,
  type SignedTransaction,
  signTransaction,
  type Transaction,
} from '@vellum/ledger'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningNode, runCommand, startNode, temporaryDirectory } from './running-node.ts'

const crypto = createSecp256k1()
const KEY = new Uint8Array(32).fill(1)
const SENDER = addressOfPublicKey(crypto.publicKey(KEY))
const RECEIVER = `0x${'50'.repeat(20)}` as const
const HEIGHT = 8
const GENESIS = {
  config: {
    chainId: 77,
    homesteadBlock: 0,
    eip150Block: 1,
    eip155Block: 2,
    eip158Block: 2,
    byzantiumBlock: 3,
    constantinopleBlock: 4,
    petersburgBlock: 4,
    istanbulBlock: 4,
    berlinBlock: 5,
    londonBlock: 5,
    terminalTotalDifficulty: 7_000,
    shanghaiTime: 8,
    cancunTime: 8,
  },
  alloc: { [SENDER]: { balance: `0x${(10n ** 20n).toString(16)}` } },
  difficulty: '0x3e8',
  gasLimit: '0x989680',
}

let folder: string
let genesisFile: string
let blocks: readonly Uint8Array[]

/** Blocks 1 to 6 have work, 7 is the first without; 8 has the header of Cancun. */
async function makeBlocks(): Promise<Uint8Array[]> {
  const chain = await openChain({
    genesis: parseGenesis(GENESIS),
    disk: createMemoryKeyValue(),
    crc32,
    scheme: FOREIGN,
    crypto,
    retainedBlocks: undefined,
  })
  const encoded: Uint8Array[] = []
  for (let number = 1; number <= HEIGHT; number++) {
    const parent = chain.head().header
    const pool = createPool({
      kind: 'foreign',
      state: () => chain.state(),
      next: () => ({ rules: chain.rulesAt(number, number), gasLimit: parent.gasLimit }),
    })
    pool.add(transfer(number - 1, { chainId: number < 2 ? undefined : 77n }))
    const built = chain.build(pool, {
      timestamp: number,
      fields: {
        coinbase: `0x${'c0'.repeat(20)}`,
        difficulty: number < 7 ? 1000n : 0n,
        extraData: new Uint8Array(0),
        mixHash: ZERO_HASH,
        nonce: new Uint8Array(8),
      },
      gasLimitTarget: parent.gasLimit * (number === 5 ? 2n : 1n),
    })
    await chain.append(built)
    encoded.push(encodeBlock(built.block))
  }
  return encoded
}

function transfer(nonce: number, fields: Partial<Transaction> = {}): SignedTransaction {
  const transaction: Transaction = {
    type: 0,
    chainId: 77n,
    nonce: BigInt(nonce),
    gasLimit: 21_000n,
    maxFeePerGas: 2n * 10n ** 9n,
    maxPriorityFeePerGas: 2n * 10n ** 9n,
    to: RECEIVER,
    value: 5n,
    data: new Uint8Array(0),
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
    ...fields,
  }
  return signTransaction(transaction, KEY, crypto)
}

beforeAll(async () => {
  folder = temporaryDirectory()
  genesisFile = join(folder, 'genesis.json')
  writeFileSync(genesisFile, JSON.stringify(GENESIS))
  blocks = await makeBlocks()
})

/** Writes a file of blocks and returns its path. */
function fileOf(name: string, list: readonly Uint8Array[]): string {
  const file = join(folder, name)
  writeFileSync(file, concatBytes(...list))
  return file
}

describe('vellum import --foreign', () => {
  let node: RunningNode
  let imported: string

  beforeAll(async () => {
    const dataDir = temporaryDirectory()
    const { code, output } = await runCommand(
      ...['import', '--foreign', '--genesis', genesisFile, fileOf('chain.rlp', blocks)],
      ...['--data-dir', dataDir],
    )
    expect([code, output]).toEqual([0, expect.any(String)])
    imported = output
    node = await startNode(dataDir)
  })
  afterAll(async () => void (await node.stop()))

  it('executes the blocks, and says what was checked', () => {
    expect(imported).toContain(`${HEIGHT} blocks imported; the head is ${HEIGHT}, 0x`)
    expect(imported).toContain('every root was checked; neither seals nor proof of work were')
  })

  it('leaves a directory that a node serves, with all older states', async () => {
    const balances: string[] = []
    for (let height = 0; height <= HEIGHT; height++) {
      balances.push(await node.call('eth_getBalance', RECEIVER, `0x${height.toString(16)}`))
    }
    const expected = Array.from({ length: HEIGHT + 1 }, (_, i) => `0x${(5 * i).toString(16)}`)
    expect(balances).toEqual(expected)
    expect(node.output()).toContain('serves a chain of another kind')
    expect(node.output()).toContain('none made here')
    for (const tag of ['safe', 'finalized', 'latest']) {
      expect(await node.call('eth_getBlockByNumber', tag, false)).toMatchObject({ number: '0x8' })
    }
    const old = await node.call<{ root?: string }[]>('eth_getBlockReceipts', '0x2')
    expect(old[0]?.root).toMatch(/^0x[0-9a-f]{64}$/)
  })

  it('takes transactions that wait for ever: with blobs, or bound to no chain', async () => {
    const commitment = new Uint8Array(48).fill(0xc0)
    const hash = createHash('sha256').update(commitment).digest()
    hash[0] = 1
    const blobs = transfer(HEIGHT, {
      type: 3,
      maxFeePerBlobGas: 1n,
      blobVersionedHashes: [bytesToHex(hash)],
    })
    const unbound = transfer(HEIGHT + 1, { chainId: undefined })
    expect(
      await node.call('eth_sendRawTransaction', bytesToHex(withSidecar(blobs, commitment))),
    ).toBe(blobs.hash)
    expect(await node.call('eth_sendRawTransaction', bytesToHex(unbound.encoded))).toBe(
      unbound.hash,
    )
    expect(await node.call('txpool_status')).toEqual({ pending: '0x2', queued: '0x0' })
    expect(await node.call('eth_blockNumber')).toBe('0x8')
  })
})

/** As wallets send it: the transaction, its blobs, commitments and proofs. */
function withSidecar(tx: SignedTransaction, commitment: Uint8Array): Uint8Array {
  const hex = (list: readonly `0x${string}`[]) => list.map(hexToBytes)
  const fields = [
    rlpScalar(77n),
    rlpScalar(tx.nonce),
    rlpScalar(tx.maxPriorityFeePerGas),
    rlpScalar(tx.maxFeePerGas),
    rlpScalar(tx.gasLimit),
    ...hex([RECEIVER]),
    rlpScalar(tx.value),
    tx.data,
    [],
    rlpScalar(tx.maxFeePerBlobGas),
    hex(tx.blobVersionedHashes),
    rlpScalar(BigInt(tx.signature.yParity)),
    rlpScalar(tx.signature.r),
    rlpScalar(tx.signature.s),
  ]
  expect(bytesToHex(concatBytes(Uint8Array.of(3), encodeRlp(fields)))).toBe(
    bytesToHex(encodeTransaction(tx, tx.signature)),
  )
  const sidecar = [[new Uint8Array(131_072)], [commitment], [new Uint8Array(48)]]
  return concatBytes(Uint8Array.of(3), encodeRlp([fields, ...sidecar]))
}

describe('a block that does not fit', () => {
  it('is refused with the reason, keeps those before it, and the right ones follow on', async () => {
    const dataDir = temporaryDirectory()
    const wrong = blocks[4]!.slice()
    // The state root stands behind three items of 33, 33 and 21 bytes and two list heads of 3.
    wrong[6 + 33 + 33 + 21 + 1]! ^= 1
    const bad = fileOf('bad.rlp', [...blocks.slice(0, 4), wrong])
    const refused = await runCommand(
      ...['import', '--foreign', '--genesis', genesisFile, bad, '--data-dir', dataDir],
    )
    expect(refused.code).toBe(1)
    expect(refused.output).toContain('block 5')
    expect(refused.output).toContain('state root differs from execution')
    expect(refused.output).toContain('blocks before it are imported')
    const resumed = await runCommand(
      ...['import', '--foreign', fileOf('good.rlp', blocks), '--data-dir', dataDir],
    )
    expect(resumed.output).toContain(`${HEIGHT - 4} blocks imported; the head is ${HEIGHT}`)
    const verified = await runCommand('verify', '--data-dir', dataDir)
    expect([verified.code, verified.output]).toEqual([0, expect.stringContaining('recomputes')])
  })
})

describe('what does not go together', () => {
  const other = { ...GENESIS, gasLimit: '0x989681' }
  const qbft = { ...GENESIS, config: { ...GENESIS.config, qbft: {} } }
  const clique = { ...GENESIS, config: { ...GENESIS.config, clique: {} } }

  let dataDir: string

  beforeAll(async () => {
    dataDir = temporaryDirectory()
    const begun = await runCommand(
      ...['import', '--foreign', '--genesis', genesisFile, fileOf('one.rlp', blocks.slice(0, 1))],
      ...['--data-dir', dataDir],
    )
    expect(begun.code).toBe(0)
  })

  function attempt(content: object | undefined, ...args: string[]) {
    const file = join(folder, 'other.json')
    if (content !== undefined) writeFileSync(file, JSON.stringify(content))
    const flags = content === undefined ? [] : ['--genesis', file]
    return runCommand('import', ...args, ...flags, fileOf('all.rlp', blocks), '--data-dir', dataDir)
  }

  it.each<[string, object | undefined, string[], string]>([
    ['another genesis', other, ['--foreign'], 'NODE_GENESIS_MISMATCH'],
    ['a genesis of QBFT', qbft, ['--foreign'], 'of a QBFT chain'],
    ['a genesis of clique', clique, ['--foreign'], 'config.clique'],
    ['no word of --foreign', undefined, [], 'say --foreign'],
    ['a genesis without --foreign', GENESIS, [], '--genesis goes with --foreign'],
  ])('%s is refused in words', async (_, content, args, words) => {
    const { code, output } = await attempt(content, ...args)
    expect(code).toBe(1)
    expect(output).toContain(words)
    expect(output).not.toContain('    at ')
  })
})
