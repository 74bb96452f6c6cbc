/** Transfers of the development accounts, for as long as a drill lasts; every receipt seen is kept. */

import { setTimeout as delay } from 'node:timers/promises'
import { type Address, bytesToHex, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import { signTransaction } from '@vellum/ledger'
import { DEV_ACCOUNTS, type DevAccount, loadSystemCrypto } from '@vellum/node'
import { demand, type NetworkProcess } from './running-network.ts'

export interface SeenReceipt {
  readonly transactionHash: Hash
  readonly blockHash: Hash
  readonly blockNumber: string
}

export interface DrillLoad {
  /** What clients were told is final. */
  readonly seen: ReadonlyMap<Hash, SeenReceipt>
  stop(): Promise<void>
}

/** Transactions of one sender under way. */
const BURST = 4
const POLL_MS = 25
/** Milliseconds without a receipt after which the same transactions are sent again, elsewhere. */
const RESEND_MS = 3_000
/** A node that is paused keeps its connections. */
const ASK_MS_MAX = 2_000

const { crypto } = loadSystemCrypto()

/** @param nodes those that may be asked; one that does not run is passed over */
export function startDrillLoad(chainId: number, nodes: readonly NetworkProcess[]): DrillLoad {
  const seen = new Map<Hash, SeenReceipt>()
  let isStopping = false
  let turn = 0

  /** A node in turn; waits where none runs. */
  async function someNode(): Promise<NetworkProcess | undefined> {
    while (!isStopping) {
      for (let i = 0; i < nodes.length; i++) {
        const node = nodes[turn++ % nodes.length]!
        if (node.isRunning) return node
      }
      await delay(POLL_MS)
    }
    return undefined
  }

  async function drive(sender: DevAccount): Promise<void> {
    // A chain that begins: nobody else uses the accounts.
    let nonce = 0n
    while (!isStopping) {
      const burst = Array.from({ length: BURST }, () => transfer(chainId, sender, nonce++))
      const open = new Map(burst.map(({ hash, raw }) => [hash, raw]))
      while (open.size > 0 && !isStopping) {
        const node = await someNode()
        if (node !== undefined) await sendAndWait(node, open)
      }
    }
  }

  async function sendAndWait(node: NetworkProcess, open: Map<Hash, string>): Promise<void> {
    const until = performance.now() + RESEND_MS
    // It may be known already, or a final block may have it: the receipt says so.
    await ask(node, 'eth_sendRawTransaction', [...open.values()])
    while (open.size > 0 && performance.now() < until && !isStopping) {
      const asked = await someNode()
      if (asked === undefined) return
      const receipts = await ask<SeenReceipt>(asked, 'eth_getTransactionReceipt', [...open.keys()])
      for (const receipt of receipts) {
        if (!open.delete(receipt.transactionHash)) continue
        const { transactionHash, blockHash, blockNumber } = receipt
        seen.set(transactionHash, { transactionHash, blockHash, blockNumber })
      }
      if (open.size > 0) await delay(POLL_MS)
    }
  }

  const driving = Promise.all(DEV_ACCOUNTS.map(drive))
  return {
    seen,
    stop: async () => {
      isStopping = true
      await driving
    },
  }
}

/** As `demand`, but a node that is gone, paused or busy has no results. */
async function ask<Result>(
  node: NetworkProcess,
  method: string,
  params: readonly unknown[],
): Promise<Result[]> {
  try {
    const answers = await demand<Result>(node, method, params, ASK_MS_MAX)
    return answers.filter((each) => each !== undefined && each !== null)
  } catch {
    return []
  }
}

function transfer(chainId: number, sender: DevAccount, nonce: bigint): { raw: string; hash: Hash } {
  const to: Address = bytesToHex(keccak256(hexToBytes(sender.privateKey)).subarray(12))
  const signed = signTransaction(
    {
      type: 0,
      chainId: BigInt(chainId),
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
    hexToBytes(sender.privateKey),
    crypto,
  )
  return { raw: bytesToHex(signed.encoded), hash: signed.hash }
}
