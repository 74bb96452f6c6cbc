/**
 * `pnpm bench memory`: what a node with 1,000,000 accounts needs. A genesis file with them is taken in
 * by `vellum init`, 10,000 blocks are made by a running node over its RPC, and the node is started
 * again on what they left. Resident memory is what Linux says of each process, at its highest.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { type Address, bigIntToBytes, bytesToHex, keccak256 } from '@vellum/evm'
import { signTransaction } from '@vellum/ledger'
import { DEV_CHAIN_ID, loadSystemCrypto } from '@vellum/node'
import { loadGenesis, SENDERS, senderKeys } from './node-load.ts'
import { type Server, startVellum } from './node-servers.ts'
import type { Report, RunOptions } from './table.ts'

const ACCOUNTS = 1_000_000
const BLOCKS = 10_000
const BLOCK_TRANSACTIONS = 5
const PORT = 18_647
const GIB = 2 ** 30
const SHOWN_EVERY = 1_000
const MAIN = fileURLToPath(new URL('../packages/node/src/host/main.ts', import.meta.url))

const { crypto } = loadSystemCrypto()

export async function run({ progress }: RunOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-memory-'))
  try {
    const genesis = join(directory, 'genesis.json')
    progress(`writing a genesis file with ${ACCOUNTS} accounts`)
    await writeLargeGenesis(genesis)
    const dataDir = join(directory, 'data')

    progress('vellum init')
    const initBegan = performance.now()
    const initPeak = await runInit(genesis, dataDir)
    const initSeconds = (performance.now() - initBegan) / 1000

    progress(`making ${BLOCKS} blocks`)
    const first = await startVellum(dataDir, PORT, '--gather', '0')
    const blocksBegan = performance.now()
    await makeBlocks(first, progress)
    const blockMs = (performance.now() - blocksBegan) / BLOCKS
    const { peak, resident } = first.memory()
    await first.stop()

    progress('starting again')
    const starts: number[] = []
    let again = { peak: 0, resident: 0 }
    for (let i = 0; i < 3; i++) {
      const began = performance.now()
      const server = await startVellum(dataDir, PORT)
      starts.push((performance.now() - began) / 1000)
      again = server.memory()
      await server.stop()
    }
    return {
      name: 'memory',
      compared: [
        `${ACCOUNTS} accounts from a genesis file, then ${BLOCKS} blocks of ${BLOCK_TRANSACTIONS} transfers, archive.`,
      ],
      rows: [
        {
          case: 'vellum init, highest',
          unit: 'GiB',
          ours: initPeak / GIB,
          goal: 1,
          goalFor: 'ours at most',
        },
        {
          case: 'node making the blocks, highest',
          unit: 'GiB',
          ours: peak / GIB,
          goal: 1,
          goalFor: 'ours at most',
        },
        { case: 'node making the blocks, at the end', unit: 'GiB', ours: resident / GIB },
        {
          case: 'node started again',
          unit: 'GiB',
          ours: again.peak / GIB,
          goal: 1,
          goalFor: 'ours at most',
        },
        {
          case: 'from start to serving, median of 3',
          unit: 's',
          ours: starts.sort((a, b) => a - b)[1]!,
          goal: 2,
          goalFor: 'ours at most',
        },
        { case: 'vellum init', unit: 's', ours: initSeconds },
        { case: 'a block, from sending to seeing it', unit: 'ms', ours: blockMs },
      ],
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The genesis of `bench node` with a million accounts more, written piece by piece. */
async function writeLargeGenesis(path: string): Promise<void> {
  const [before, after] = JSON.stringify(loadGenesis()).split('"alloc":{') as [string, string]
  const stream = createWriteStream(path)
  stream.write(`${before}"alloc":{`)
  for (let from = 0; from < ACCOUNTS; from += 10_000) {
    let text = ''
    for (let i = from; i < from + 10_000; i++) {
      text += `"${holder(i)}":{"balance":"0xde0b6b3a7640000"},`
    }
    if (!stream.write(text)) await once(stream, 'drain')
  }
  stream.end(after)
  await finished(stream)
}

function holder(i: number): Address {
  return bytesToHex(keccak256(bigIntToBytes(BigInt(i), 8)).subarray(12))
}

/** @returns the most bytes that were resident */
async function runInit(genesis: string, dataDir: string): Promise<number> {
  const child = spawn(
    process.execPath,
    ['--conditions=source', MAIN, 'init', '--genesis', genesis, '--data-dir', dataDir],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  )
  let peak = 0
  const watching = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024)
    } catch {
      // It has ended.
    }
  }, 20)
  const code = await new Promise<number | null>((ended) => child.once('close', ended))
  clearInterval(watching)
  if (code !== 0) throw new Error(`vellum init ended with code ${code}`)
  return peak
}

/** Sends the transactions of a block, waits until they are in it, and so on. */
async function makeBlocks(server: Server, progress: RunOptions['progress']): Promise<void> {
  const nonces = new Map<number, bigint>()
  for (let block = 0; block < BLOCKS; block++) {
    const raws = Array.from({ length: BLOCK_TRANSACTIONS }, (_, i) => {
      const index = block * BLOCK_TRANSACTIONS + i
      const sender = index % SENDERS
      const nonce = nonces.get(sender) ?? 0n
      nonces.set(sender, nonce + 1n)
      return transfer(sender, nonce, holder((index * 7919) % ACCOUNTS))
    })
    for (const raw of raws.slice(1)) await server.call('eth_sendRawTransaction', raw)
    await server.call('eth_sendRawTransactionSync', raws[0])
    if (block % SHOWN_EVERY === 0) {
      progress(`block ${block}: ${server.memory().resident >> 20} MiB resident`)
    }
  }
  // Some took two blocks: transactions that arrive while one is built go into the next.
  const height = Number(await server.call<string>('eth_blockNumber'))
  if (height < BLOCKS) throw new Error(`only ${height} blocks were made`)
}

function transfer(sender: number, nonce: bigint, to: Address): string {
  const { encoded } = signTransaction(
    {
      type: 0,
      chainId: BigInt(DEV_CHAIN_ID),
      nonce,
      gasLimit: 21_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to,
      value: 1n,
      data: new Uint8Array(0),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    senderKeys[sender]!,
    crypto,
  )
  return bytesToHex(encoded)
}
