/** A node on virtual time and a disk in memory, for tests that decide when anything happens. */

import { crc32 } from 'node:zlib'
import { hexToBytes } from '@vellum/evm'
import {
  addressOfPublicKey,
  createMemoryKeyValue,
  type KeyValue,
  parseGenesis,
  type SignedTransaction,
  signTransaction,
} from '@vellum/ledger'
import { type NodeConfig, parseConfig } from '../src/config.ts'
import { DEV_ACCOUNTS, devValidatorKey } from '../src/dev-chain.ts'
import { devGenesis } from '../src/dev-genesis.ts'
import { loadSystemCrypto } from '../src/host/system.ts'
import { createNode, type VellumNode } from '../src/node.ts'
import type { Logger, SignerRecovery } from '../src/ports.ts'
import { signerOf } from '../src/sealing.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

export const { crypto } = loadSystemCrypto()

export const silent: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

export interface VirtualNode {
  readonly node: VellumNode
  readonly time: VirtualTime
  /** Signs a transfer of a development account; nonces count up by themselves. */
  transfer(account?: number): SignedTransaction
  /** Timestamps of blocks after the genesis block, and how many transactions each has. */
  blocks(): { timestamp: number; transactions: number }[]
}

export async function createVirtualNode(
  options: {
    readonly blocks?: Partial<NodeConfig['blocks']>
    readonly disk?: KeyValue
    readonly recovery?: SignerRecovery
  } = {},
): Promise<VirtualNode> {
  const time = createVirtualTime()
  const validator = addressOfPublicKey(crypto.publicKey(devValidatorKey()))
  const genesis = parseGenesis(devGenesis([validator]))
  const node = await createNode(
    {
      blocks: { ...parseConfig({}).blocks, ...options.blocks },
      retainedBlocks: undefined,
      genesis,
      consensus: parseConfig({}).consensus,
      signer: signerOf(devValidatorKey(), crypto),
      clientVersion: 'test',
    },
    {
      clock: time,
      timers: time,
      log: silent,
      disk: options.disk ?? createMemoryKeyValue(),
      // A disk that was handed in may hold blocks; nothing notes its head beside it.
      heads: { found: options.disk && 'unknown', write: () => {} },
      crc32,
      crypto,
      recovery: options.recovery,
    },
  )
  const nonces = new Map<number, bigint>()
  return {
    node,
    time,
    transfer: (account = 0) => {
      const nonce = nonces.get(account) ?? 0n
      nonces.set(account, nonce + 1n)
      return signTransaction(
        {
          type: 2,
          chainId: genesis.chainId,
          nonce,
          gasLimit: 21_000n,
          maxFeePerGas: 0n,
          maxPriorityFeePerGas: 0n,
          to: DEV_ACCOUNTS[9]!.address,
          value: 1n,
          data: new Uint8Array(0),
          accessList: [],
          maxFeePerBlobGas: 0n,
          blobVersionedHashes: [],
          authorizationList: [],
        },
        hexToBytes(DEV_ACCOUNTS[account]!.privateKey),
        crypto,
      )
    },
    blocks: () => {
      const head = node.chain.head().header.number
      return Array.from({ length: head }, (_, i) => {
        const { header, transactions } = node.chain.block(i + 1)!
        return { timestamp: header.timestamp, transactions: transactions.length }
      })
    },
  }
}
