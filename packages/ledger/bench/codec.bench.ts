/**
 * Times the codecs: `node --conditions=source packages/ledger/bench/codec.bench.ts`.
 * One line a measurement, `name key=value ...: mean of one call`.
 */

import { hexToBytes, keccak256 } from '@vellum/evm'
import { type Block, decodeBlock, encodeBlock } from '../src/block.ts'
import { createSecp256k1 } from '../src/crypto.ts'
import { genesisHeader } from '../src/genesis.ts'
import { parseGenesis } from '../src/genesis-reader.ts'
import { bloomOfLogs } from '../src/receipt.ts'
import { decodeRlp, encodeRlp } from '../src/rlp.ts'
import {
  decodeTransaction,
  encodeTransaction,
  signingHash,
  signTransaction,
  type Transaction,
  type UnrecoveredTransaction,
} from '../src/transaction.ts'
import { intrinsicGas } from '../src/transaction-rules.ts'
import { EMPTY_ROOT } from '../src/trie.ts'

const TRANSFER: Transaction = {
  type: 2,
  chainId: 1337n,
  nonce: 12n,
  gasLimit: 100_000n,
  maxFeePerGas: 2_000_000_000n,
  maxPriorityFeePerGas: 1_000_000_000n,
  to: '0x3535353535353535353535353535353535353535',
  value: 0n,
  // transfer(address,uint256)
  data: hexToBytes(`0xa9059cbb${'00'.repeat(12)}${'35'.repeat(20)}${'00'.repeat(30)}1234`),
  accessList: [],
  maxFeePerBlobGas: 0n,
  blobVersionedHashes: [],
  authorizationList: [],
}

const signed = signTransaction(TRANSFER, new Uint8Array(32).fill(1), createSecp256k1())
const genesis = parseGenesis({
  config: { chainId: 1337, londonBlock: 0 },
  difficulty: 1,
  gasLimit: 30_000_000,
  alloc: {},
})
const block: Block<UnrecoveredTransaction> = {
  header: genesisHeader(genesis, EMPTY_ROOT),
  transactions: new Array<UnrecoveredTransaction>(200).fill(signed),
  ommers: [],
  withdrawals: undefined,
}
const encodedBlock = encodeBlock(block)
const fields = decodeRlp(signed.encoded.subarray(1))
const log = {
  address: TRANSFER.to!,
  topics: [signed.hash, signed.hash],
  data: keccak256(signed.encoded),
}

measure('rlp.decode item=transfer', 50_000, () => decodeRlp(signed.encoded.subarray(1)))
measure('rlp.encode item=transfer', 50_000, () => encodeRlp(fields))
measure('transaction.decode type=2', 50_000, () => decodeTransaction(signed.encoded))
measure('transaction.encode type=2', 50_000, () => encodeTransaction(signed, signed.signature))
measure('transaction.signingHash type=2', 50_000, () => signingHash(signed))
measure('transaction.intrinsicGas bytes=68', 50_000, () => intrinsicGas(signed, 'osaka'))
measure('block.decode transactions=200', 500, () => decodeBlock(encodedBlock))
measure('block.encode transactions=200', 500, () => encodeBlock(block))
measure('receipt.bloom logs=1 topics=2', 50_000, () => bloomOfLogs([log]))

function measure(name: string, count: number, work: () => unknown): void {
  for (let i = 0; i < count / 10; i++) work()
  const start = process.threadCpuUsage()
  for (let i = 0; i < count; i++) work()
  const { user, system } = process.threadCpuUsage(start)
  console.log(`${name}: ${((user + system) / count).toFixed(2)} us`)
}
