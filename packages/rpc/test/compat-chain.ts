/** The chains of execution-apis' rpc-compat suite as backends, and ports that stand still. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Address } from '@vellum/evm'
import {
  blobBaseFee,
  blobScheduleAt,
  blockRules,
  buildPayload,
  type ChainRules,
  createMemoryKeyValue,
  createPool,
  createSecp256k1,
  createSimulator,
  decodeBlock,
  decodeTransaction,
  expectedBaseFee,
  expectedExcessBlobGas,
  FOREIGN,
  forkConfigsAt,
  GAS_PER_BLOB,
  type Genesis,
  type Header,
  keccakHeaderHash,
  openChain,
  parseGenesis,
  type ReplayPorts,
  recoverSender,
  type SealedBlock,
  type SignedTransaction,
  splitRlpSequence,
} from '@vellum/ledger'
import type { Backend, BlockFees, ChainReader, RpcPorts } from '../src/index.ts'

export const COMPAT_FOLDER = '../shared/conformance/rpc-compat'

const crypto = createSecp256k1()

/** Ports that stand still: time at 0, no randomness, turns of the event loop at once. */
export function testPorts(): RpcPorts & { nowMs: () => number; time: { ms: number } } {
  const time = { ms: 0 }
  let drawn = 0
  return {
    time,
    nowMs: () => time.ms,
    nextTurn: () => Promise.resolve(),
    randomBytes: (size) => new Uint8Array(size).fill(++drawn),
    setTimer: (timeMs, callback) => {
      const timer = setTimeout(callback, timeMs)
      return () => clearTimeout(timer)
    },
    onInternalError: (error, method) => {
      throw new Error(`internal error in ${method}`, { cause: error })
    },
  }
}

function* readBlocks(folder: string): Generator<SealedBlock> {
  for (const encoded of splitRlpSequence(readFileSync(join(folder, 'chain.rlp')))) {
    const block = decodeBlock(encoded)
    const transactions = block.transactions.map((tx) => recoverSender(tx, crypto))
    yield { ...block, transactions, hash: keccakHeaderHash(block.header), size: encoded.length }
  }
}

/** A variant, executed block by block: with receipts, logs and every state. */
export async function loadExecutedBackend(variant: string): Promise<Backend> {
  const folder = join(COMPAT_FOLDER, variant)
  const genesis = parseGenesis(JSON.parse(readFileSync(join(folder, 'genesis.json'), 'utf8')))
  const chain = await openChain({
    genesis,
    disk: createMemoryKeyValue(),
    crc32,
    scheme: FOREIGN,
    crypto,
    retainedBlocks: undefined,
  })
  for (const block of readBlocks(folder)) {
    const verdict = chain.execute(block)
    if (!verdict.ok) throw new Error(`block ${block.header.number}: ${verdict.reason}`)
    await chain.append(verdict.executed!)
  }
  return compatBackend(genesis, chain)
}

type ChainPart = Omit<ChainReader, 'fees' | 'nextFees' | 'held' | 'forkConfigs'>

function compatBackend(genesis: Genesis, chain: ChainPart): Backend {
  const listeners = new Set<(tx: SignedTransaction) => void>()
  const nextRules = (after: Header): ChainRules =>
    blockRules(genesis, after.number + 1, after.timestamp + 12)
  const head = (): Header => chain.head().header
  const pool = createPool({
    state: () => chain.stateAt(head().number),
    next: () => ({ rules: nextRules(head()), gasLimit: head().gasLimit }),
  })

  function fees(header: Header): BlockFees {
    const schedule = blobScheduleAt(genesis.schedule, header.timestamp)
    return {
      baseFeePerGas: header.baseFeePerGas,
      blobBaseFee:
        header.excessBlobGas === undefined
          ? undefined
          : blobBaseFee(header.excessBlobGas, schedule),
      blobGasMax: BigInt(schedule.max) * GAS_PER_BLOB,
    }
  }

  function nextFees(header: Header): BlockFees {
    if (header.baseFeePerGas === undefined) return fees(header)
    const rules = nextRules(header)
    const next = { ...header, baseFeePerGas: expectedBaseFee(header, rules) }
    if (header.excessBlobGas === undefined) return fees(next)
    return fees({ ...next, excessBlobGas: expectedExcessBlobGas(header, rules) })
  }

  const execution: ReplayPorts = {
    header: chain.header,
    block: chain.block,
    stateAt: chain.stateAt,
    rulesAt: (number, timestamp) => blockRules(genesis, number, timestamp),
    crypto,
    nowMs: () => 0,
  }
  return {
    node: {
      chainId: genesis.chainId,
      clientVersion: 'vellum/test',
      peerCount: () => 3,
      syncing: () => undefined,
    },
    chain: {
      ...chain,
      fees,
      nextFees,
      held: () => ({ oldestBlock: 0, oldestState: 0, stateBlocks: undefined }),
      forkConfigs: () =>
        forkConfigsAt(genesis, chain.header(0)!.hash, head().timestamp, (bytes) => crc32(bytes)),
    },
    pool: {
      submit: (encoded) => {
        const tx = recoverSender(decodeTransaction(encoded), crypto)
        pool.add(tx)
        for (const listener of listeners) listener(tx)
        return tx.hash
      },
      get: (hash) => pool.get(hash),
      nonce: (address) => pool.nextNonce(address),
      content: () => {
        const { ready, gapped } = pool.content()
        return { pending: bySender(ready), queued: bySender(gapped) }
      },
      size: () => ({ pending: pool.readyCount, queued: pool.size - pool.readyCount }),
      feePerGasMin: () => 0n,
      onTransaction: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    simulator: createSimulator(execution),
    payloads: {
      decode: (encoded) => recoverSender(decodeTransaction(encoded), crypto),
      build: (query) => buildPayload(query, execution),
    },
  }
}

function bySender(list: readonly SignedTransaction[]): Map<Address, SignedTransaction[]> {
  const groups = new Map<Address, SignedTransaction[]>()
  for (const tx of list) groups.set(tx.sender, [...(groups.get(tx.sender) ?? []), tx])
  return groups
}

/** A request and the answer that the suite expects. */
export interface Exchange {
  readonly request: string
  readonly expected: Record<string, unknown>
  /** True: any answer that fits the schema will do. */
  readonly isSpecOnly: boolean
}

export function readExchanges(file: string): Exchange[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  const isSpecOnly = lines.some((line) => line.startsWith('// speconly:'))
  const requests = lines.filter((line) => line.startsWith('>> ')).map((line) => line.slice(3))
  const answers = lines.filter((line) => line.startsWith('<< ')).map((line) => line.slice(3))
  return requests.map((request, i) => ({
    request,
    expected: JSON.parse(answers[i]!) as Record<string, unknown>,
    isSpecOnly,
  }))
}

/** All `.io` files of a variant: method, case and path, in order. */
export function compatFiles(variant: string): { method: string; name: string; file: string }[] {
  const folder = join(COMPAT_FOLDER, variant, 'tests')
  return readdirSync(folder)
    .sort()
    .flatMap((method) =>
      readdirSync(join(folder, method))
        .sort()
        .map((file) => ({
          method,
          name: `${method}/${file.replace('.io', '')}`,
          file: join(folder, method, file),
        })),
    )
}

/** The answer without its error message: words are free, code and data are not. */
export function withoutMessage(answer: unknown): unknown {
  const { error, ...rest } = answer as { error?: Record<string, unknown> }
  if (error === undefined) return rest
  const { message: _words, ...facts } = error
  return { ...rest, error: facts }
}

export function textBytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
