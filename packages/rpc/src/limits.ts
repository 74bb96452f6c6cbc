/** Bounds on what a client can ask of the facade. `docs/limits.md` lists them. */

export interface RpcLimits {
  /** Bytes of a request body. A raw transaction of 128 KiB takes 256 KiB of hex. */
  readonly bodyBytesMax: number
  /** Requests in a batch; ethers sends up to 100. */
  readonly batchItemsMax: number
  /** Requests of a batch that wait for a worker at one time. */
  readonly batchWaitingMax: number
  /** Characters of an answer, the whole of a batch together. */
  readonly responseCharsMax: number
  /** Arrays and objects inside one another; real requests need 6. */
  readonly depthMax: number
  /** Milliseconds that a batch may hold the event loop before others get a turn. */
  readonly turnMsMax: number
  /** Calls that wait for their turn, of all clients together; of light and heavy ones so many each. */
  readonly callsWaitingMax: number
  /** Heavy calls, such as long log queries, that are under way at one time. */
  readonly heavyCallsMax: number
  /** Milliseconds on the event loop that cost a client one token of its budget. */
  readonly msPerToken: number
  /** Bytes of a raw transaction that is handed on: the pool, which knows each type, takes less. */
  readonly transactionBytesMax: number
  /** Blocks without an index of logs at which one log query may look; blocks of one filter's answer. */
  readonly logBlocksMax: number
  /** Questions of one log query to the index: some 10 µs each. */
  readonly logLookupsMax: number
  /** Blocks whose receipts one log query may read because the index names them. */
  readonly logReadsMax: number
  /** Milliseconds from the first to the last step of one log query. */
  readonly logMsMax: number
  /** Logs that one query may answer. */
  readonly logResultsMax: number
  /** Addresses, or topics at one position, in a log query. */
  readonly logCriteriaMax: number
  /** Blocks in a fee history, as geth. */
  readonly feeHistoryBlocksMax: number
  /** Percentiles in a fee history, as geth. */
  readonly feeHistoryPercentilesMax: number
  /** Blocks over which proposers are counted. */
  readonly signerMetricsBlocksMax: number
  /** Storage slots in one request for a proof or for values. */
  readonly storageKeysMax: number
  /** Filters open at one time, all clients together. */
  readonly filtersMax: number
  /** Milliseconds after which a filter that nobody asked goes, as geth. */
  readonly filterIdleMsMax: number
  /** Hashes that a filter for pending transactions keeps for its owner; older ones go first. */
  readonly filterPendingMax: number
  /** Subscriptions of one connection. */
  readonly subscriptionsPerConnectionMax: number
  /** Subscriptions of all connections together. */
  readonly subscriptionsMax: number
  /** Accounts, and slots of an account, that a simulation may override. */
  readonly overridesMax: number
  /** Calls in one block of a simulation. */
  readonly simulatedCallsMax: number
  /** Milliseconds that watching one transaction may take. */
  readonly traceMsMax: number
  /** The same for all transactions of a block together, without the turns of others. */
  readonly traceBlockMsMax: number
  /** Milliseconds that eth_sendRawTransactionSync waits at most (EIP-7966). */
  readonly receiptWaitMsMax: number
  /** Calls of eth_sendRawTransactionSync that wait at one time. */
  readonly receiptWaitsMax: number
}

export const RPC_LIMITS: RpcLimits = {
  bodyBytesMax: 1_048_576,
  batchItemsMax: 200,
  batchWaitingMax: 32,
  responseCharsMax: 10_000_000,
  depthMax: 32,
  turnMsMax: 20,
  callsWaitingMax: 1_024,
  heavyCallsMax: 8,
  msPerToken: 2,
  transactionBytesMax: 524_288,
  logBlocksMax: 5_000,
  logLookupsMax: 100_000,
  logReadsMax: 20_000,
  logMsMax: 10_000,
  logResultsMax: 10_000,
  logCriteriaMax: 1_000,
  feeHistoryBlocksMax: 1_024,
  feeHistoryPercentilesMax: 100,
  signerMetricsBlocksMax: 1_000,
  storageKeysMax: 1_024,
  filtersMax: 1_000,
  filterIdleMsMax: 300_000,
  filterPendingMax: 10_000,
  subscriptionsPerConnectionMax: 32,
  subscriptionsMax: 4_096,
  overridesMax: 1_024,
  simulatedCallsMax: 1_000,
  traceMsMax: 5_000,
  traceBlockMsMax: 20_000,
  receiptWaitMsMax: 30_000,
  receiptWaitsMax: 1_000,
}
