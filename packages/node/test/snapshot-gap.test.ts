import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMemoryKeyValue, type KeyValue, splitRlpSequence } from '@vellum/ledger'
import { createRpc } from '@vellum/rpc'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { exportBlocks, verifyChain } from '../src/host/chain-commands.ts'
import { genesisPath, openDataDirectory } from '../src/host/data-directory.ts'
import {
  copyOf,
  createOrigin,
  createWorld,
  type Origin,
  type WorldNode,
  worldGenesis,
  worldGenesisFile,
} from './snapshot-world.ts'

const SIZE = { accounts: 40, contracts: 3, slots: 20 }
const HEAD = 100
const PIVOT = 80

let origin: Origin
let follower: WorldNode
let disk: KeyValue
const directories: string[] = []

beforeAll(async () => {
  origin = await createOrigin(worldGenesis(SIZE))
  await origin.grow(HEAD)
  const world = createWorld()
  const { genesis } = origin
  const sync = { mode: undefined, snapshotDistance: 64 }
  await world.start({ name: 1, genesis, disk: origin.disk, retainedBlocks: 64 })
  disk = createMemoryKeyValue()
  follower = await world.start({ name: 9, genesis, disk, retainedBlocks: 64, sync })
  await world.until(() => follower.node.chain.head().header.number === HEAD)
  await follower.node.chain.flush()
})
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

/** A data directory with the follower's records, but for one. */
async function directoryWithout(key?: Uint8Array): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-gap-'))
  directories.push(directory)
  const opened = await openDataDirectory(directory, { threads: 1, acceptHead: true })
  await copyOf(disk, opened.disk)
  if (key !== undefined) await opened.disk.batch([{ key, value: undefined }])
  await opened.close()
  writeFileSync(genesisPath(directory), JSON.stringify(worldGenesisFile(SIZE)))
  return directory
}

function portsOf(dataDir: string) {
  const lines: string[] = []
  const log = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} }
  const logger = { ...log, child: () => logger }
  const progress = { bytes: () => () => {}, count: () => () => {} }
  return {
    lines,
    ports: {
      config: parseConfig({ dataDir }),
      log: logger,
      progress,
      print: (line: string) => void lines.push(line),
    },
  }
}

describe('a node that began with a snapshot', () => {
  test('verifies what it has, and says from where on', async () => {
    const { lines, ports } = portsOf(await directoryWithout())
    await verifyChain(true, ports)
    expect(lines).toContainEqual(expect.stringContaining(`headers: 0 to ${PIVOT} are linked`))
    expect(lines).toContainEqual(expect.stringContaining(`blocks: ${PIVOT} to ${HEAD} are linked`))
    expect(lines).toContainEqual(expect.stringContaining('recomputes from'))
  })

  test('finds a header that is lost below the snapshot', async () => {
    const { ports } = portsOf(await directoryWithout(Uint8Array.of(0x64, 0, 0, 0, 0, 0, 7)))
    await expect(verifyChain(true, ports)).rejects.toMatchObject({ code: 'LEDGER_STORE_DAMAGED' })
  })

  test('exports the blocks that it has, and refuses others', async () => {
    const directory = await directoryWithout()
    const { ports } = portsOf(directory)
    const file = join(directory, 'blocks')
    // The head file is not the follower's: it is noted by the first opening.
    await verifyChain(true, ports)
    await exportBlocks(file, { from: undefined, to: undefined }, ports)
    expect(splitRlpSequence(readFileSync(file))).toHaveLength(HEAD - PIVOT + 1)
    const tooMany = exportBlocks(join(directory, 'more'), { from: 1, to: undefined }, ports)
    await expect(tooMany).rejects.toMatchObject({ code: 'LEDGER_BLOCK_PRUNED' })
  })

  test('tells clients which blocks are pruned, and that it does not know their transactions', async () => {
    const rpc = createRpc({
      backend: follower.node.backend,
      ports: {
        nowMs: () => 0,
        nextTurn: () => Promise.resolve(),
        randomBytes: (size) => new Uint8Array(size),
        setTimer: () => () => {},
        onInternalError: (error) => {
          throw error
        },
      },
    })
    const ask = async (method: string, ...params: unknown[]) => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
      return JSON.parse(await rpc(new TextEncoder().encode(body)))
    }
    const pruned = { code: 4444, message: expect.stringContaining('pruned history unavailable') }
    for (const [method, ...params] of [
      ['eth_getBlockByNumber', '0x32', false],
      ['eth_getBlockByHash', origin.chain.hashAt(50), true],
      ['eth_getBlockReceipts', '0x33'],
      ['eth_getBlockTransactionCountByNumber', '0x33'],
    ] as const) {
      expect(await ask(method, ...params)).toMatchObject({ error: pruned })
    }
    const { hash } = origin.chain.block(51)!.transactions[0]!
    expect(await ask('eth_getTransactionReceipt', hash)).toMatchObject({ result: null })
    const held = { result: { number: '0x50', hash: origin.chain.hashAt(PIVOT) } }
    expect(await ask('eth_getBlockByNumber', '0x50', false)).toMatchObject(held)
    expect(await ask('eth_getBlockByNumber', 'earliest', false)).toMatchObject({
      result: { number: '0x0' },
    })
    expect(await ask('eth_getBalance', `0x${'00'.repeat(20)}`, '0x33')).toMatchObject({
      error: { message: expect.stringContaining('pruned') },
    })
    // Transactions of the pivot are known.
    const known = origin.chain.block(81)!.transactions[0]!.hash
    expect(await ask('eth_getTransactionReceipt', known)).toMatchObject({
      result: { blockNumber: '0x51', status: '0x1' },
    })
  })
})
