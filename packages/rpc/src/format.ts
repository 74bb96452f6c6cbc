/**
 * Answers: from ledger values to JSON text, with the field sets of the execution-apis specification
 * (and of go-ethereum where that leaves a choice).
 *
 * Text is joined directly: a block with a thousand transactions is formatted in a millisecond, and
 * a balance in less than it takes to make an object for it.
 */

import { type Address, bytesToHex, createAddress, type Hash, keccak256Hex } from '@vellum/evm'
import {
  type AccessListEntry,
  type Authorization,
  encodeBlock,
  type Header,
  keccakHeaderHash,
  type Log,
  type Receipt,
  type SealedBlock,
  type SealedHeader,
  type SignedTransaction,
  type StateProof,
  type Withdrawal,
} from '@vellum/ledger'
import type { BlockFees } from './backend.ts'
import { type JsonText, jsonArray, NULL } from './json.ts'

/** A quantity: hex without leading zeros. Not negative. */
export function quantity(value: number | bigint): JsonText {
  return `"0x${value.toString(16)}"`
}

/** A hash, address or other hex text that needs no escape. */
export function hex(text: string): JsonText {
  return `"${text}"`
}

/** Data: two digits a byte. */
export function data(bytes: Uint8Array): JsonText {
  return `"${bytesToHex(bytes)}"`
}

/** A value as 32 bytes of data. */
export function word(value: bigint): JsonText {
  return `"0x${value.toString(16).padStart(64, '0')}"`
}

/** Where a transaction or log stands. */
export interface Place {
  readonly blockHash: Hash
  readonly blockNumber: number
  readonly timestamp: number
  readonly transactionIndex: number
}

/** The fields of a header as eth_getBlock* gives them, without braces. */
function headerFields({ header, hash }: SealedHeader): string {
  const h = header
  let text =
    `"number":${quantity(h.number)},"hash":"${hash}","parentHash":"${h.parentHash}"` +
    `,"nonce":${data(h.nonce)},"mixHash":"${h.mixHash}","sha3Uncles":"${h.ommersHash}"` +
    `,"logsBloom":${data(h.logsBloom)},"stateRoot":"${h.stateRoot}","miner":"${h.coinbase}"` +
    `,"difficulty":${quantity(h.difficulty)},"extraData":${data(h.extraData)}` +
    `,"gasLimit":${quantity(h.gasLimit)},"gasUsed":${quantity(h.gasUsed)}` +
    `,"timestamp":${quantity(h.timestamp)},"transactionsRoot":"${h.transactionsRoot}"` +
    `,"receiptsRoot":"${h.receiptsRoot}"`
  if (h.baseFeePerGas !== undefined) text += `,"baseFeePerGas":${quantity(h.baseFeePerGas)}`
  if (h.withdrawalsRoot !== undefined) text += `,"withdrawalsRoot":"${h.withdrawalsRoot}"`
  if (h.blobGasUsed !== undefined) text += `,"blobGasUsed":${quantity(h.blobGasUsed)}`
  if (h.excessBlobGas !== undefined) text += `,"excessBlobGas":${quantity(h.excessBlobGas)}`
  if (h.parentBeaconBlockRoot !== undefined) {
    text += `,"parentBeaconBlockRoot":"${h.parentBeaconBlockRoot}"`
  }
  if (h.requestsHash !== undefined) text += `,"requestsHash":"${h.requestsHash}"`
  return text
}

/** A header as subscribers of new heads are told it. */
export function formatHeader(sealed: SealedHeader): JsonText {
  return `{${headerFields(sealed)}}`
}

/** A block with the hashes of its transactions. */
export function formatBlock(block: SealedBlock): JsonText {
  return blockWith(
    block,
    block.transactions.map((transaction) => hex(transaction.hash)),
  )
}

/** A block with its transactions. */
export function formatFullBlock(block: SealedBlock): JsonText {
  return blockWith(
    block,
    block.transactions.map((transaction, index) =>
      formatTransaction(transaction, placeIn(block, index), block.header.baseFeePerGas),
    ),
  )
}

function blockWith(block: SealedBlock, transactions: readonly JsonText[]): JsonText {
  const uncles = block.ommers.map((ommer) => hex(keccakHeaderHash(ommer)))
  const withdrawals =
    block.withdrawals === undefined
      ? ''
      : `,"withdrawals":${jsonArray(block.withdrawals.map(formatWithdrawal))}`
  return (
    `{${headerFields(block)},"size":${quantity(block.size)}` +
    `,"transactions":${jsonArray(transactions)},"uncles":${jsonArray(uncles)}${withdrawals}}`
  )
}

/** An uncle: a header alone, with the size of a block that has nothing else. */
export function formatOmmer(header: Header): JsonText {
  const alone = { header, transactions: [], ommers: [], withdrawals: undefined }
  const fields = headerFields({ header, hash: keccakHeaderHash(header) })
  return `{${fields},"size":${quantity(encodeBlock(alone).length)},"uncles":[]}`
}

export function formatWithdrawal(withdrawal: Withdrawal): JsonText {
  return (
    `{"index":${quantity(withdrawal.index)}` +
    `,"validatorIndex":${quantity(withdrawal.validatorIndex)}` +
    `,"address":"${withdrawal.address}","amount":${quantity(withdrawal.amount)}}`
  )
}

/** The place of a block's transaction. */
export function placeIn({ header, hash }: SealedHeader, transactionIndex: number): Place {
  return {
    blockHash: hash,
    blockNumber: header.number,
    timestamp: header.timestamp,
    transactionIndex,
  }
}

/**
 * A transaction.
 * @param place undefined for one that waits in the pool
 * @param baseFee of its block, in wei
 */
export function formatTransaction(
  tx: SignedTransaction,
  place: Place | undefined,
  baseFee: bigint | undefined,
): JsonText {
  let text = place === undefined ? '{"blockHash":null,"blockNumber":null,"blockTimestamp":null' : ''
  if (place !== undefined) {
    text =
      `{"blockHash":"${place.blockHash}","blockNumber":${quantity(place.blockNumber)}` +
      `,"blockTimestamp":${quantity(place.timestamp)}`
  }
  const price = place === undefined ? tx.maxFeePerGas : paidPerGas(tx, baseFee)
  text +=
    `,"from":"${tx.sender}","gas":${quantity(tx.gasLimit)},"gasPrice":${quantity(price)}` +
    `,"hash":"${tx.hash}","input":${data(tx.data)},"nonce":${quantity(tx.nonce)}` +
    `,"to":${orNull(tx.to)}` +
    `,"transactionIndex":${place === undefined ? NULL : quantity(place.transactionIndex)}` +
    `,"value":${quantity(tx.value)},"type":${quantity(tx.type)}`
  if (tx.type >= 2) {
    text +=
      `,"maxFeePerGas":${quantity(tx.maxFeePerGas)}` +
      `,"maxPriorityFeePerGas":${quantity(tx.maxPriorityFeePerGas)}`
  }
  if (tx.type === 3) {
    text +=
      `,"maxFeePerBlobGas":${quantity(tx.maxFeePerBlobGas)}` +
      `,"blobVersionedHashes":${jsonArray(tx.blobVersionedHashes.map(hex))}`
  }
  if (tx.type === 4) {
    text += `,"authorizationList":${jsonArray(tx.authorizationList.map(formatAuthorization))}`
  }
  if (tx.type !== 0) text += `,"accessList":${formatAccessList(tx.accessList)}`
  if (tx.chainId !== undefined) text += `,"chainId":${quantity(tx.chainId)}`
  const { yParity, r, s } = tx.signature
  text += `,"v":${quantity(signatureV(tx))},"r":${quantity(r)},"s":${quantity(s)}`
  return tx.type === 0 ? `${text}}` : `${text},"yParity":${quantity(yParity)}}`
}

/** `v` as signed: with the chain id (EIP-155) or 27 for legacy transactions, else the parity. */
function signatureV(tx: SignedTransaction): bigint {
  const parity = BigInt(tx.signature.yParity)
  if (tx.type !== 0) return parity
  return tx.chainId === undefined ? 27n + parity : tx.chainId * 2n + 35n + parity
}

/** Wei per gas that an included transaction paid. */
export function paidPerGas(tx: SignedTransaction, baseFee: bigint | undefined): bigint {
  if (baseFee === undefined) return tx.maxFeePerGas
  const offered = baseFee + tx.maxPriorityFeePerGas
  return offered < tx.maxFeePerGas ? offered : tx.maxFeePerGas
}

export function formatAccessList(list: readonly AccessListEntry[]): JsonText {
  return jsonArray(
    list.map(
      ({ address, storageKeys }) =>
        `{"address":"${address}","storageKeys":${jsonArray(storageKeys.map(hex))}}`,
    ),
  )
}

function formatAuthorization(authorization: Authorization): JsonText {
  const { chainId, address, nonce, yParity, r, s } = authorization
  return (
    `{"chainId":${quantity(chainId)},"address":"${address}","nonce":${quantity(nonce)}` +
    `,"yParity":${quantity(yParity)},"r":${quantity(r)},"s":${quantity(s)}}`
  )
}

/** A receipt and what it takes to tell it: everything in a block is relative to what came before. */
export interface ReceiptInBlock {
  readonly block: SealedBlock
  readonly receipts: readonly Receipt[]
  readonly fees: BlockFees
}

/** The receipt of one transaction of the block. */
export function formatReceipt(source: ReceiptInBlock, index: number): JsonText {
  let logIndex = 0
  for (let i = 0; i < index; i++) logIndex += source.receipts[i]!.logs.length
  return receiptAt(source, index, logIndex)
}

/** The receipts of all transactions of the block, in order. */
export function formatReceipts(source: ReceiptInBlock): JsonText {
  let logIndex = 0
  const texts = source.receipts.map((receipt, index) => {
    const text = receiptAt(source, index, logIndex)
    logIndex += receipt.logs.length
    return text
  })
  return jsonArray(texts)
}

function receiptAt(source: ReceiptInBlock, index: number, firstLogIndex: number): JsonText {
  const { block, receipts, fees } = source
  const tx = block.transactions[index]!
  const receipt = receipts[index]!
  const place = placeIn(block, index)
  const before = index === 0 ? 0n : receipts[index - 1]!.cumulativeGasUsed
  const created = tx.to === undefined ? createAddress(tx.sender, tx.nonce) : undefined
  const logs = receipt.logs.map((log, i) => formatLog(log, place, tx.hash, firstLogIndex + i))
  let text =
    `{"blockHash":"${place.blockHash}","blockNumber":${quantity(place.blockNumber)}` +
    `,"contractAddress":${orNull(created)}` +
    `,"cumulativeGasUsed":${quantity(receipt.cumulativeGasUsed)}` +
    `,"effectiveGasPrice":${quantity(paidPerGas(tx, block.header.baseFeePerGas))}` +
    `,"from":"${tx.sender}","gasUsed":${quantity(receipt.cumulativeGasUsed - before)}` +
    `,"logs":${jsonArray(logs)},"logsBloom":${data(receipt.logsBloom)}` +
    `,"to":${orNull(tx.to)},"transactionHash":"${tx.hash}"` +
    `,"transactionIndex":${quantity(index)},"type":${quantity(receipt.type)}`
  // Before Byzantium a receipt held the state root instead of a status (EIP-658).
  const { status } = receipt
  text += typeof status === 'number' ? `,"status":${quantity(status)}` : `,"root":"${status}"`
  if (tx.type === 3) {
    const blobGas = tx.blobVersionedHashes.length * GAS_PER_BLOB
    text +=
      `,"blobGasUsed":${quantity(blobGas)}` + `,"blobGasPrice":${quantity(fees.blobBaseFee ?? 0n)}`
  }
  return `${text}}`
}

/** EIP-4844 GAS_PER_BLOB. */
const GAS_PER_BLOB = 131_072

/** @param logIndex position among all logs of the block */
export function formatLog(
  log: Log,
  place: Place,
  transactionHash: Hash,
  logIndex: number,
): JsonText {
  return (
    `{"address":"${log.address}","topics":${jsonArray(log.topics.map(hex))}` +
    `,"data":${data(log.data)},"blockNumber":${quantity(place.blockNumber)}` +
    `,"transactionHash":"${transactionHash}"` +
    `,"transactionIndex":${quantity(place.transactionIndex)},"blockHash":"${place.blockHash}"` +
    `,"blockTimestamp":${quantity(place.timestamp)},"logIndex":${quantity(logIndex)}` +
    `,"removed":false}`
  )
}

/**
 * An EIP-1186 proof.
 * @param keys the slots' names as the client is to see them, in order of the proof
 */
export function formatProof(
  proof: StateProof,
  keys: readonly string[],
  absent: { readonly codeHash: Hash; readonly storageHash: Hash },
): JsonText {
  const { account } = proof
  const storage = proof.storage.map(
    (slot, i) =>
      `{"key":"${keys[i]}","value":${quantity(slot.value)},"proof":${nodes(slot.proof)}}`,
  )
  return (
    `{"address":"${proof.address}","accountProof":${nodes(proof.accountProof)}` +
    `,"balance":${quantity(account?.balance ?? 0n)}` +
    `,"codeHash":"${account?.codeHash ?? absent.codeHash}"` +
    `,"nonce":${quantity(account?.nonce ?? 0n)}` +
    `,"storageHash":"${account?.storageRoot ?? absent.storageHash}"` +
    `,"storageProof":${jsonArray(storage)}}`
  )
}

function nodes(proof: readonly Uint8Array[]): JsonText {
  return jsonArray(proof.map(data))
}

function orNull(text: string | undefined): JsonText {
  return text === undefined ? NULL : `"${text}"`
}

/** An address with the mixed case that carries a checksum (EIP-55). */
export function checksummed(address: Address): string {
  const digits = address.slice(2)
  const hash = keccak256Hex(Uint8Array.from(digits, (digit) => digit.charCodeAt(0))).slice(2)
  let text = '0x'
  for (let i = 0; i < digits.length; i++) {
    const digit = digits[i]!
    text += Number.parseInt(hash[i]!, 16) >= 8 ? digit.toUpperCase() : digit
  }
  return text
}
