/** `kill -9` under load: whatever a client has seen is still there afterwards. */

import { rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { type Address, bytesToHex, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import { signTransaction } from '@vellum/ledger'
import { DEV_ACCOUNTS, DEV_CHAIN_ID, loadSystemCrypto } from '@vellum/node'
import { afterAll, describe, expect, it } from 'vitest'
import { createSeededRandom } from '../seeded-random.ts'
import { type RunningNode, runCommand, startNode, temporaryDirectory } from './running-node.ts'

const KILLS = 20
const SEED = 7
/** Receipts that a client sees before a kill, at least and at most; how fast they come does not matter. */
const RECEIPTS_MIN = 10
const RECEIPTS_MAX = 200
/** The kill comes this long after the last of them, at most: anywhere in the making of a block. */
const PAUSE_MS_MAX = 40
/** Transactions that one sender sends in a request. */
const BURST = 20

const { crypto } = loadSystemCrypto()
const directory = temporaryDirectory()

afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface SeenReceipt {
  readonly transactionHash: Hash
  readonly blockHash: Hash
  readonly blockNumber: string
}

describe('a node that is killed under load', () => {
  it(`loses no transaction whose receipt was seen, in ${KILLS} kills`, async () => {
    const random = createSeededRandom(SEED)
    const seen = new Map<Hash, SeenReceipt>()
    let highest = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const node = await startNode(directory)
      const head = Number(await node.call<string>('eth_blockNumber'))
      expect(head, `after kill ${kill}`).toBeGreaterThanOrEqual(highest)
      await expectAllThere(node, seen)

      const wanted = seen.size + RECEIPTS_MIN + random.whole(RECEIPTS_MAX - RECEIPTS_MIN)
      const { promise: enough, resolve } = Promise.withResolvers<void>()
      const load = runLoad(node, seen, () => {
        if (seen.size >= wanted) resolve()
      })
      await Promise.race([enough, load])
      await delay(random.whole(PAUSE_MS_MAX))
      await node.kill()
      await load
      for (const { blockNumber } of seen.values()) highest = Math.max(highest, Number(blockNumber))
      // Every fifth time the whole store is recomputed; at the end in any case.
      if (kill % 5 === 4) await expectVerified()
    }
    expect(seen.size).toBeGreaterThanOrEqual(KILLS * RECEIPTS_MIN)
    const node = await startNode(directory)
    await expectAllThere(node, seen)
    expect(await node.stop()).toBe(0)
    await expectVerified()
  })
})

/** Sends transfers of all accounts and asks for their receipts, until the node is gone. */
async function runLoad(
  node: RunningNode,
  seen: Map<Hash, SeenReceipt>,
  onReceipt: () => void,
): Promise<void> {
  await Promise.all(
    DEV_ACCOUNTS.map(async (sender) => {
      try {
        let nonce = BigInt(
          await node.call<string>('eth_getTransactionCount', sender.address, 'latest'),
        )
        for (;;) {
          const burst = Array.from({ length: BURST }, () => transfer(sender.privateKey, nonce++))
          await batch(
            node.url,
            burst.map(({ raw }) => ['eth_sendRawTransaction', raw]),
          )
          const hashes = new Set(burst.map(({ hash }) => hash))
          while (hashes.size > 0) {
            const receipts = await batch<SeenReceipt | null>(
              node.url,
              [...hashes].map((hash) => ['eth_getTransactionReceipt', hash]),
            )
            for (const receipt of receipts) {
              if (receipt === null) continue
              hashes.delete(receipt.transactionHash)
              seen.set(receipt.transactionHash, receipt)
              onReceipt()
            }
          }
        }
      } catch (error) {
        // The node was killed: that is how every load ends. An answer with an error is a failure.
        if (!(error instanceof TypeError)) throw error
      }
    }),
  )
}

async function expectAllThere(
  node: RunningNode,
  seen: ReadonlyMap<Hash, SeenReceipt>,
): Promise<void> {
  const expected = [...seen.values()]
  for (let at = 0; at < expected.length; at += 100) {
    const part = expected.slice(at, at + 100)
    const found = await batch<SeenReceipt | null>(
      node.url,
      part.map(({ transactionHash }) => ['eth_getTransactionReceipt', transactionHash]),
    )
    expect(found).toEqual(part)
  }
}

async function expectVerified(): Promise<void> {
  const { code, output } = await runCommand('verify', '--data-dir', directory)
  expect(output).toMatch(/state: root 0x[0-9a-f]{64} recomputes/)
  expect(code).toBe(0)
}

function transfer(key: `0x${string}`, nonce: bigint): { raw: string; hash: Hash } {
  const to: Address = bytesToHex(keccak256(hexToBytes(key)).subarray(12))
  const signed = signTransaction(
    {
      type: 0,
      chainId: BigInt(DEV_CHAIN_ID),
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
    hexToBytes(key),
    crypto,
  )
  return { raw: bytesToHex(signed.encoded), hash: signed.hash }
}

/** Results of a batch, in the order of its calls. */
async function batch<Result>(
  url: string,
  calls: readonly (readonly [method: string, param: string])[],
): Promise<Result[]> {
  const body = calls.map(([method, param], id) => ({ jsonrpc: '2.0', id, method, params: [param] }))
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answers = (await response.json()) as { id: number; result: Result; error?: object }[]
  return answers
    .sort((a, b) => a.id - b.id)
    .map(({ result, error }) => {
      if (error !== undefined) throw new Error(JSON.stringify(error))
      return result
    })
}
