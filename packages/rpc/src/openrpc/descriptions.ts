/**
 * Every method in one table: what it does, takes and answers. A method that is not here, or has other
 * parameters here than in its code, fails a test.
 */

import { ADDRESS, BLOCK, BYTES, HASH, HEIGHT, QUANTITY } from './components.ts'
import {
  ANYTHING,
  anyOf,
  BOOLEAN,
  COUNT,
  listOf,
  mapOf,
  NUMBER,
  objectOf,
  oneWordOf,
  orNull,
  ref,
  type Schema,
  TEXT,
} from './schema.ts'

export interface Description {
  readonly summary: string
  readonly params: readonly ParamDescription[]
  readonly result: Schema
}

export interface ParamDescription {
  readonly name: string
  readonly schema: Schema
  readonly required: boolean
}

function wanted(name: string, schema: Schema): ParamDescription {
  return { name, schema, required: true }
}

function optional(name: string, schema: Schema): ParamDescription {
  return { name, schema, required: false }
}

function of(summary: string, params: readonly ParamDescription[], result: Schema): Description {
  return { summary, params, result }
}

const address = wanted('address', ADDRESS)
const blockHash = wanted('blockHash', HASH)
const blockNumber = wanted('block', HEIGHT)
const block = wanted('block', BLOCK)
const atBlock = optional('block', BLOCK)
const transactionHash = wanted('transactionHash', HASH)
const index = wanted('index', QUANTITY)
const whole = optional('fullTransactions', BOOLEAN)
const filterId = wanted('filterId', QUANTITY)
const traceConfig = optional('config', ref('TraceConfig'))
const call: readonly ParamDescription[] = [
  wanted('call', ref('CallRequest')),
  atBlock,
  optional('stateOverrides', ref('StateOverrides')),
  optional('blockOverrides', ref('BlockOverrides')),
]
const traces = listOf(objectOf({ txHash: HASH, result: ref('Trace') }))
const logs = listOf(ref('Log'))
const validators = orNull(listOf(ADDRESS))

export const DESCRIPTIONS: Readonly<Record<string, Description>> = {
  // The node.
  eth_chainId: of('The chain id (EIP-155).', [], QUANTITY),
  net_version: of('The network id in decimal: the chain id.', [], TEXT),
  net_listening: of('True.', [], BOOLEAN),
  net_peerCount: of('How many peers are connected.', [], QUANTITY),
  eth_blockNumber: of('The height of the head.', [], QUANTITY),
  eth_syncing: of(
    'How far a node that is behind has come; false if it is not.',
    [],
    ref('Syncing'),
  ),
  eth_config: of('The rules at the head and those planned (EIP-7910).', [], ref('ForkConfigs')),
  eth_capabilities: of('Which blocks can be asked for what.', [], ref('Capabilities')),
  eth_accounts: of('No accounts: the node holds no keys of its clients.', [], listOf(ADDRESS)),
  web3_clientVersion: of('Name, version and platform of the node.', [], TEXT),
  web3_sha3: of('keccak256 of the bytes.', [wanted('data', BYTES)], HASH),
  rpc_modules: of('The namespaces that are served, with their versions.', [], mapOf(TEXT)),
  'rpc.discover': of('This document.', [], { type: 'object', required: ['openrpc'] }),

  // The state.
  eth_getBalance: of('Wei of an account.', [address, atBlock], QUANTITY),
  eth_getTransactionCount: of(
    'The nonce of an account; of `pending`, after what waits in the pool.',
    [address, atBlock],
    QUANTITY,
  ),
  eth_getCode: of('Code of an account.', [address, atBlock], BYTES),
  eth_getStorageAt: of(
    'The value of a storage slot.',
    [address, wanted('slot', ref('Slot')), atBlock],
    HASH,
  ),
  eth_getStorageValues: of(
    'The values of slots of several accounts.',
    [wanted('slots', mapOf(listOf(ref('Slot')))), atBlock],
    mapOf(listOf(HASH)),
  ),
  eth_getProof: of(
    'An account and slots of it with their Merkle proofs (EIP-1186).',
    [address, wanted('slots', listOf(ref('Slot'))), atBlock],
    ref('Proof'),
  ),
  eth_getAccount: of(
    'An account as the state holds it; null if there is none.',
    [address, atBlock],
    orNull(ref('Account')),
  ),

  // Blocks.
  eth_getBlockByHash: of('A block.', [blockHash, whole], orNull(ref('Block'))),
  eth_getBlockByNumber: of('A block.', [blockNumber, whole], orNull(ref('Block'))),
  eth_getHeaderByHash: of('The header of a block.', [blockHash], orNull(ref('Header'))),
  eth_getHeaderByNumber: of('The header of a block.', [blockNumber], orNull(ref('Header'))),
  eth_getBlockReceipts: of(
    'The receipts of all transactions of a block.',
    [block],
    orNull(listOf(ref('Receipt'))),
  ),
  eth_getBlockTransactionCountByHash: of(
    'How many transactions a block has.',
    [blockHash],
    orNull(QUANTITY),
  ),
  eth_getBlockTransactionCountByNumber: of(
    'How many transactions a block has.',
    [blockNumber],
    orNull(QUANTITY),
  ),
  eth_getTransactionByBlockHashAndIndex: of(
    'A transaction by its place.',
    [blockHash, index],
    orNull(ref('Transaction')),
  ),
  eth_getTransactionByBlockNumberAndIndex: of(
    'A transaction by its place.',
    [blockNumber, index],
    orNull(ref('Transaction')),
  ),
  eth_getUncleCountByBlockHash: of('How many uncles a block has.', [blockHash], orNull(QUANTITY)),
  eth_getUncleCountByBlockNumber: of(
    'How many uncles a block has.',
    [blockNumber],
    orNull(QUANTITY),
  ),
  eth_getUncleByBlockHashAndIndex: of(
    'An uncle of a block.',
    [blockHash, index],
    orNull(ref('Uncle')),
  ),
  eth_getUncleByBlockNumberAndIndex: of(
    'An uncle of a block.',
    [blockNumber, index],
    orNull(ref('Uncle')),
  ),

  // Transactions.
  eth_sendRawTransaction: of(
    'Takes a signed transaction into the pool.',
    [wanted('transaction', BYTES)],
    HASH,
  ),
  eth_sendRawTransactionSync: of(
    'The same, and waits for its receipt (EIP-7966).',
    [wanted('transaction', BYTES), optional('timeoutMs', anyOf(COUNT, QUANTITY))],
    ref('Receipt'),
  ),
  eth_getTransactionByHash: of(
    'A transaction of a block, or one that waits.',
    [transactionHash],
    orNull(ref('Transaction')),
  ),
  eth_getTransactionReceipt: of(
    'What a transaction did.',
    [transactionHash],
    orNull(ref('Receipt')),
  ),
  eth_getRawTransactionByHash: of(
    'The EIP-2718 bytes of a transaction.',
    [transactionHash],
    orNull(BYTES),
  ),

  // Calls.
  eth_call: of('What a call would answer.', call, BYTES),
  eth_estimateGas: of('A gas limit with which a call would succeed.', call, QUANTITY),
  eth_createAccessList: of(
    'The access list with which a call touches nothing else (EIP-2930).',
    call,
    ref('AccessListResult'),
  ),
  eth_simulateV1: of(
    'What calls would do in blocks that never were.',
    [wanted('simulation', ref('Simulation')), atBlock],
    listOf(ref('SimulatedBlock')),
  ),

  eth_fillTransaction: of(
    'A transaction with nonce, gas and fees, to be signed elsewhere.',
    [wanted('transaction', ref('CallRequest'))],
    objectOf({ raw: BYTES, tx: ref('Transaction') }),
  ),

  // Fees.
  eth_gasPrice: of('Wei a gas with which a transaction soon gets into a block.', [], QUANTITY),
  eth_maxPriorityFeePerGas: of('The tip in it.', [], QUANTITY),
  eth_baseFee: of('Base fee of the next block; null before London.', [], orNull(QUANTITY)),
  eth_blobBaseFee: of('Wei a blob gas of the next block.', [], QUANTITY),
  eth_blobGasPrice: of('eth_blobBaseFee by its older name.', [], QUANTITY),
  eth_feeHistory: of(
    'Fees and tips of past blocks.',
    [
      wanted('blockCount', anyOf(QUANTITY, COUNT, TEXT)),
      wanted('newestBlock', HEIGHT),
      optional('rewardPercentiles', listOf(NUMBER)),
    ],
    ref('FeeHistory'),
  ),

  // Logs.
  eth_getLogs: of('The events that fit.', [wanted('criteria', ref('LogCriteria'))], logs),
  eth_newFilter: of('A filter for events.', [wanted('criteria', ref('LogCriteria'))], QUANTITY),
  eth_newBlockFilter: of('A filter for blocks.', [], QUANTITY),
  eth_newPendingTransactionFilter: of(
    'A filter for transactions that come into the pool.',
    [optional('fullTransactions', BOOLEAN)],
    QUANTITY,
  ),
  eth_getFilterChanges: of(
    'What is new for a filter since the last time.',
    [filterId],
    anyOf(listOf(HASH), logs),
  ),
  eth_getFilterLogs: of('All events that fit a filter.', [filterId], logs),
  eth_uninstallFilter: of('Removes a filter; false if there was none.', [filterId], BOOLEAN),
  eth_subscribe: of(
    'Notifications of a kind, on this connection.',
    [
      wanted('kind', oneWordOf('newHeads', 'logs', 'newPendingTransactions', 'syncing')),
      optional('detail', anyOf(ref('LogCriteria'), BOOLEAN)),
    ],
    QUANTITY,
  ),
  eth_unsubscribe: of('Ends a subscription.', [wanted('subscription', QUANTITY)], BOOLEAN),

  // The pool.
  txpool_status: of(
    'How many transactions wait.',
    [],
    objectOf({ pending: QUANTITY, queued: QUANTITY }),
  ),
  txpool_content: of('What waits, by sender and nonce.', [], ref('PoolContent')),
  txpool_contentFrom: of('What waits of a sender, by nonce.', [address], ref('PoolOfSender')),
  txpool_inspect: of('What waits, in words.', [], ref('PoolInWords')),

  // For the operator.
  debug_traceTransaction: of(
    'Runs a transaction of a block once more and tells of it.',
    [transactionHash, traceConfig],
    ref('Trace'),
  ),
  debug_traceBlockByHash: of('The same for a whole block.', [blockHash, traceConfig], traces),
  debug_traceBlockByNumber: of('The same for a whole block.', [blockNumber, traceConfig], traces),
  debug_traceCall: of(
    'Runs a call and tells of it; the config may hold stateOverrides and blockOverrides.',
    [wanted('call', ref('CallRequest')), atBlock, traceConfig],
    ref('Trace'),
  ),
  debug_getRawHeader: of('RLP of a header.', [block], BYTES),
  debug_getRawBlock: of('RLP of a block.', [block], BYTES),
  debug_getRawReceipts: of('EIP-2718 bytes of receipts.', [block], listOf(BYTES)),
  debug_getRawTransaction: of('EIP-2718 bytes of a transaction.', [transactionHash], BYTES),
  debug_getBadBlocks: of('None: blocks that are not valid are not kept.', [], listOf(ANYTHING)),
  admin_nodeInfo: of('The node for its operator.', [], ref('NodeInfo')),
  admin_peers: of('The peers that are connected.', [], listOf(ref('Peer'))),
  admin_chains: of('The chains of the process, served or not.', [], listOf(ref('ServedChain'))),
  admin_addChain: of(
    'Serves a new side chain, or one that lies in the data directory.',
    [wanted('chain', ref('NewChain'))],
    ref('ServedChain'),
  ),
  admin_removeChain: of(
    'Ends a side chain at this node; its data stay unless they are to be discarded.',
    [wanted('name', TEXT), optional('discard', BOOLEAN)],
    BOOLEAN,
  ),
  testing_buildBlockV1: of(
    'A block on top of another, built and kept nowhere.',
    [
      wanted('parentHash', HASH),
      wanted('attributes', ref('PayloadAttributes')),
      optional('transactions', listOf(BYTES)),
      optional('extraData', BYTES),
    ],
    ref('BuiltPayload'),
  ),

  // Validators.
  qbft_getValidatorsByBlockNumber: of('Who could seal a block.', [blockNumber], validators),
  qbft_getValidatorsByBlockHash: of('Who could seal a block.', [blockHash], validators),
  qbft_getSignerMetrics: of(
    'Who proposed how many blocks.',
    [optional('fromBlock', HEIGHT), optional('toBlock', HEIGHT)],
    ref('SignerMetrics'),
  ),
  qbft_getRequestTimeoutSeconds: of('Seconds of round 0.', [], NUMBER),
  qbft_getPendingVotes: of('Votes of this node: true adds.', [], mapOf(BOOLEAN)),
  qbft_proposeValidatorVote: of(
    'Votes for a validator to be added or removed.',
    [address, wanted('isAdded', BOOLEAN), optional('isForced', BOOLEAN)],
    BOOLEAN,
  ),
  qbft_discardValidatorVote: of('Takes a vote back.', [address], BOOLEAN),
  // Messages between chains.
  peg_status: of(
    'How the channels to other chains stand, and what is relayed.',
    [],
    objectOf({ chainId: QUANTITY, height: QUANTITY, channels: listOf(ref('PegChannel')) }),
  ),
  peg_getMessage: of(
    'The life of a message, from all chains that this process serves; null if none knows it.',
    [wanted('id', HASH)],
    orNull(ref('PegMessageLife')),
  ),
  peg_getHeader: of('RLP of a header with its seals, as light clients take it.', [atBlock], BYTES),
  peg_getProof: of(
    'Proof of what the gateway holds of a message, ready for deliver or acknowledge.',
    [
      wanted('kind', oneWordOf('outbox', 'inbox')),
      wanted('chainId', QUANTITY),
      wanted('sequence', QUANTITY),
      atBlock,
    ],
    objectOf({
      chainId: QUANTITY,
      height: QUANTITY,
      header: BYTES,
      account: ADDRESS,
      slot: HASH,
      value: HASH,
      accountProof: listOf(BYTES),
      storageProof: listOf(BYTES),
    }),
  ),
  peg_audit: of(
    'Whether the credit of each side chain is what main has locked for it.',
    [],
    listOf(ref('PegAudit')),
  ),
  vellum_consensusStatus: of('Why no block is made.', [], { type: 'object' }),
  vellum_getStatusProof: of(
    'A leaf of the status tree at the head, with its proof and the sealed header.',
    [index],
    objectOf({
      blockNumber: QUANTITY,
      blockHash: HASH,
      header: BYTES,
      index: QUANTITY,
      leaf: HASH,
      mask: QUANTITY,
      siblings: listOf(HASH),
    }),
  ),
}
