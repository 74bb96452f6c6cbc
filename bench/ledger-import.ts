/**
 * The measured half of `pnpm bench ledger`, a process of its own, so that what made the blocks weighs
 * on nothing: imports a file of blocks into the store that was prepared, and prints what it cost.
 *
 * While a block is on its way to the disk the next one is decoded and its senders are recovered, as a
 * node does it (sync.ts), which has threads for that besides.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import {
  type Block,
  type Chain,
  type ChainPart,
  decodeBlock,
  type Measure,
  openChain,
  parseGenesis,
  recoverSender,
  signatureBytes,
  signingHash,
  splitRlpSequence,
} from '@vellum/ledger'
import { loadSystemCrypto, openLevel, schemeOf } from '@vellum/node'

/** Milliseconds for all measured blocks. */
export interface Cost {
  readonly backend: string
  readonly transactions: number
  readonly wallMs: number
  readonly cpuMs: number
  readonly parts: Readonly<Record<string, number>>
  readonly recoverFloorMs: number
}

const { crypto } = loadSystemCrypto()
const [directory = '', warmBlocks = '0'] = process.argv.slice(2)
console.log(JSON.stringify(await importBlocks(directory, Number(warmBlocks))))

/** Imports the blocks, and times what follows the first few. */
async function importBlocks(from: string, warm: number): Promise<Cost> {
  const blocks = splitRlpSequence(new Uint8Array(readFileSync(join(from, 'blocks.rlp'))))
  const genesis = parseGenesis(JSON.parse(readFileSync(join(from, 'genesis.json'), 'utf8')))
  const disk = await openLevel(join(from, 'store'))
  const parts: Record<string, number> = {}
  let preparingMs = 0
  const note: Note = (part, ms) => {
    parts[part] = (parts[part] ?? 0) + ms
    if (part === 'decode' || part === 'recover') preparingMs += ms
  }
  const measure: Measure = <T>(part: ChainPart, work: () => T): T => {
    const start = performance.now()
    const before = preparingMs
    const result = work()
    if (!(result instanceof Promise)) {
      note(part, performance.now() - start)
      return result
    }
    // What is waited for counts without the work that was done meanwhile.
    return result.finally(() => note(part, performance.now() - start - (preparingMs - before))) as T
  }
  const scheme = schemeOf(genesis, crypto)
  const chain = await openChain({
    genesis,
    disk,
    crc32,
    scheme,
    crypto,
    retainedBlocks: undefined,
    measure,
  })
  await importInTurn(chain, blocks.slice(0, warm), note)
  for (const part of Object.keys(parts)) delete parts[part]
  const measured = blocks.slice(warm)
  const cpu = process.cpuUsage()
  const start = performance.now()
  await importInTurn(chain, measured, note)
  const wallMs = performance.now() - start
  const used = process.cpuUsage(cpu)
  await chain.flush()
  await disk.close()
  return {
    backend: crypto.backend,
    transactions: chain.transactionCount() - countOf(blocks.slice(0, warm)),
    wallMs,
    cpuMs: (used.user + used.system) / 1000,
    parts,
    recoverFloorMs: bareRecovery(measured),
  }
}

function countOf(blocks: readonly Uint8Array[]): number {
  return blocks.reduce((count, bytes) => count + decodeBlock(bytes).transactions.length, 0)
}

type Note = (part: string, ms: number) => void

async function importInTurn(
  chain: Chain,
  blocks: readonly Uint8Array[],
  note: Note,
): Promise<void> {
  let writing = Promise.resolve()
  for (const bytes of blocks) {
    const block = decodeWithSenders(bytes, note)
    await writing
    const verdict = chain.execute(block)
    if (!verdict.ok || verdict.executed === undefined) throw new Error('a block was refused')
    writing = chain.append(verdict.executed)
    // A turn of the event loop, in which the batch sets out.
    await setImmediate()
  }
  await writing
}

function decodeWithSenders(bytes: Uint8Array, note: Note): Block {
  const start = performance.now()
  const decoded = decodeBlock(bytes)
  const decodedAt = performance.now()
  const transactions = decoded.transactions.map((tx) => recoverSender(tx, crypto))
  note('decode', decodedAt - start)
  note('recover', performance.now() - decodedAt)
  return { ...decoded, transactions }
}

/** Milliseconds for libsecp256k1 alone: hashes and signatures lie ready. */
function bareRecovery(blocks: readonly Uint8Array[]): number {
  const prepared = blocks.flatMap((bytes) =>
    decodeBlock(bytes).transactions.map((tx) => ({
      hash: signingHash(tx),
      rs: signatureBytes(tx.signature),
      yParity: tx.signature.yParity,
    })),
  )
  const start = performance.now()
  for (const { hash, rs, yParity } of prepared) crypto.recoverPublicKey(hash, rs, yParity)
  return performance.now() - start
}
