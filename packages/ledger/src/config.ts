/** Limits of the ledger: every size, count and loop that input could stretch. `docs/limits.md` lists them. */

export const LIMITS = {
  /** Accounts kept decoded, in each of two generations. About 300 bytes each. */
  cachedAccounts: 100_000,
  /** Contract codes kept, in each of two generations. At most 24 KiB each. */
  cachedCodes: 1_000,
  /** Storage tries of the head that are open at once, beyond which all are closed. */
  openStorageTries: 16_384,
  /** States behind the head whose tries stay open, in each of two generations. */
  cachedHistoricStates: 4,
  /** Changes of accounts and slots that gather in memory before new trie nodes are written. */
  flushChanges: 30_000,
  /** Blocks after which they are written at the latest: bounds what is applied again after a crash. */
  flushBlocks: 256,
  /** Bytes of the head's trie nodes in memory beyond which the lower ones are dropped at a flush. */
  trieHeapBytes: 201_326_592,
  /** The same at any time: what a block touches comes on top, and all of it is at most 1 GiB. */
  trieHeapBytesMax: 268_435_456,
  /** Records of trie nodes that states behind the head may hold. About 2,000 bytes each. */
  historicTrieNodes: 20_000,
  /** Nibbles from the root down to which trie nodes stay decoded even then. */
  loadedTrieDepth: 4,
  /** Blocks kept decoded with their receipts, in each of two generations. */
  cachedBlocks: 8,
  /** Headers kept decoded, in each of two generations. */
  cachedHeaders: 2_048,
  /** Blocks behind the head whose links are checked when a store is opened (reliability.md §2). */
  blocksCheckedOnOpen: 128,
  /** Blocks whose logs a store that is opened may index at once; more are indexed while it runs. */
  logsIndexedOnOpen: 64,
  /** Trie nodes looked at in one batch, when what a snapshot replaced is removed. */
  snapshotSweepNodes: 1_000,
  /** Accounts of a genesis file written in one batch. */
  genesisBatchAccounts: 5_000,
  /** Bytes of an encoded transaction that the pool takes, as geth. */
  transactionBytesMax: 131_072,
  /** Bytes of an encoded block that is read from a peer or a file. */
  blockBytesMax: 8_388_608,
  /** Bytes of transactions that a built block takes: leaves room for header and list heads. */
  builtBlockBytes: 7_340_032,
  /** Transactions waiting in the pool, all senders together. */
  poolTransactionsMax: 50_000,
  /** Transactions behind a nonce gap, all senders together: they cost memory and may never run. */
  poolGappedMax: 10_000,
  /** Bytes of all transactions waiting in the pool. */
  poolBytesMax: 268_435_456,
  /** Transactions of one sender waiting in the pool. */
  poolSenderTransactionsMax: 4_096,
  /** A replacement must offer at least this much more, in per cent of both fees. */
  poolReplacementBumpPercent: 10n,
  /** How far above the next nonce a transaction may wait for the gap to fill. */
  poolNonceGapMax: 1_024n,
  /** Blocks' time that a transaction may take before a proposer gives it up. */
  slowFactor: 2,
  /** Times that a transaction is given up before it leaves the pool. */
  slowRunsMax: 3,
  /** Transactions that left so and are remembered, in each of two generations: they are not taken again. */
  slowKept: 4_096,
} as const
