/** Beginning a chain on an empty disk, and what is asked of one that is opened. */

import type { Hash, WorldChanges } from '@vellum/evm'
import { encodeBody, encodeHeader } from './block.ts'
import { blockWrites, readHeader } from './block-records.ts'
import type { ChainOptions } from './chain.ts'
import { LIMITS } from './config.ts'
import { LedgerError } from './error.ts'
import { type Genesis, genesisHeader } from './genesis.ts'
import { genesisChanges } from './genesis-state.ts'
import type { Write } from './key-value.ts'
import type { SealScheme } from './seal.ts'
import { createState, type State } from './state.ts'
import { type HeadRecord, heightKey, KIND, SCHEMA_VERSION, type Store } from './store.ts'
import { EMPTY_ROOT } from './trie.ts'

/** Settings that other nodes would follow and this version does not: better no chain than another one. */
export function assertSupported({ qbft, number }: Genesis): void {
  const unsupported = [
    ['number', number !== 0],
    ['config.qbft.blockreward', (qbft?.blockReward ?? 0n) !== 0n],
    ['config.qbft.miningbeneficiary', qbft?.miningBeneficiary !== undefined],
    ['config.qbft.validatorcontractaddress', qbft?.validatorContract !== undefined],
    ['config.qbft.startblock', (qbft?.startBlock ?? 0) !== 0],
    ['config.transitions.qbft', (qbft?.transitions.length ?? 0) > 0],
  ] as const
  for (const [path, isSet] of unsupported) {
    if (!isSet) continue
    throw new LedgerError(
      'LEDGER_GENESIS_INVALID',
      `${path}: this version does not follow this setting; leave it out`,
      { path },
    )
  }
}

/** The genesis state in bounded batches; the meta record comes last, so that half a genesis is none. */
export async function writeGenesis(store: Store, options: ChainOptions): Promise<void> {
  const { genesis, scheme, retainedBlocks } = options
  await clearDisk(store)
  const state = createState({ store, height: 0, root: EMPTY_ROOT, retainedBlocks })
  let root: Hash = EMPTY_ROOT
  const alloc = options.allocation ?? genesis.alloc
  for (const changes of genesisChanges({ alloc }, LIMITS.genesisBatchAccounts)) {
    root = await writeState(store, state, changes)
  }
  await state.flush()
  const header = genesisHeader(genesis, root)
  const hash = scheme.hash(header)
  const withdrawals = header.withdrawalsRoot === undefined ? undefined : []
  const block = { header, transactions: [], ommers: [], withdrawals }
  await store.disk.batch([
    ...blockWrites(store, block, hash, {
      header: encodeHeader(block.header),
      body: encodeBody(block),
      receipts: [],
    }),
    store.writeHead({
      height: header.number,
      hash,
      stateRoot: root,
      parentHash: header.parentHash,
      transactionCount: 0,
    }),
    store.writeMeta({ schemaVersion: SCHEMA_VERSION, genesisHash: hash, retainedBlocks }),
  ])
}

async function writeState(store: Store, state: State, changes: WorldChanges): Promise<Hash> {
  const prepared = state.prepare(changes, 0)
  await store.disk.batch(prepared.writes)
  state.commit(prepared)
  await state.flush()
  return prepared.root
}

/** A genesis that was cut short, perhaps of another chain, must leave nothing behind. */
async function clearDisk({ disk }: Store): Promise<void> {
  const all = { from: Uint8Array.of(0), to: Uint8Array.of(255), limit: LIMITS.genesisBatchAccounts }
  for (;;) {
    const writes: Write[] = []
    for await (const [key] of disk.iterate(all)) writes.push({ key, value: undefined })
    if (writes.length === 0) return
    await disk.batch(writes)
  }
}

export function assertSameChain(
  store: Store,
  meta: { readonly genesisHash: Hash; readonly retainedBlocks: number | undefined },
  { genesis, scheme, retainedBlocks }: ChainOptions,
): void {
  const stored = readHeader(store, 0, scheme)
  // The state root stands for the allocation, which need not be hashed anew at every start.
  const expected = scheme.hash(genesisHeader(genesis, stored.header.stateRoot))
  if (stored.hash !== meta.genesisHash || expected !== meta.genesisHash) {
    throw new LedgerError(
      'LEDGER_STORE_GENESIS',
      'the directory holds a chain with another genesis block: choose another directory, ' +
        'or the genesis file that the chain began with',
      { stored: meta.genesisHash, expected },
    )
  }
  if (meta.retainedBlocks !== retainedBlocks) {
    const name = (blocks: number | undefined): string =>
      blocks === undefined ? 'archive' : `pruned to ${blocks} blocks`
    throw new LedgerError(
      'LEDGER_STORE_MODE',
      `the directory was begun as ${name(meta.retainedBlocks)}, not ${name(retainedBlocks)}: ` +
        'start it so, or import the chain into a new directory',
      { stored: name(meta.retainedBlocks), asked: name(retainedBlocks) },
    )
  }
}

/** The last blocks hang together, and the head's state can be reached: what a torn disk would break. */
export function assertRecentBlocksWhole(
  store: Store,
  head: HeadRecord,
  scheme: SealScheme,
  snapshotHeight: number,
): void {
  let expected = head.hash
  const oldest = Math.max(0, head.height - LIMITS.blocksCheckedOnOpen)
  for (let number = head.height; number >= oldest; number--) {
    const { header, hash } = readHeader(store, number, scheme)
    if (hash !== expected || header.number !== number) {
      throw unreadable(`block ${number} is not the one that its child names`)
    }
    if (number === head.height && header.stateRoot !== head.stateRoot) {
      throw unreadable('the head record names another state than the head block')
    }
    if (number === 0 || number >= snapshotHeight) {
      store.mustRead(heightKey(KIND.body, number), `body of block ${number}`)
      store.mustRead(heightKey(KIND.receipts, number), `receipts of block ${number}`)
    }
    expected = header.parentHash
  }
}

export function unreadable(what: string): LedgerError {
  return new LedgerError(
    'LEDGER_STORE_DAMAGED',
    `${what}: restore the directory from a backup, or delete it and import the chain anew`,
  )
}
