/** A chain of other processes, for the relayer: over JSON-RPC of one of its nodes. */

import { type Address, bytesToHex, type Hash, type Hex, hexToBytes } from '@vellum/evm'
import type { EventLog } from '@vellum/sidechain'
import type { CancelTimer, Clock, Signer, Timers } from '../ports.ts'
import type { RelayCall, RelayChain, RelayHead, RelayLanding, RelayLog } from '../relay-chain.ts'
import { LANDING_MS } from '../relay-chain-local.ts'
import { signCall } from '../signed-call.ts'
import type { RpcClient } from './rpc-client.ts'

export interface HttpRelayChainOptions {
  readonly name: string
  readonly client: RpcClient
  /** As the node says. */
  readonly chainId: bigint
  readonly signer: Signer
  readonly clock: Clock
  readonly timers: Timers
}

/** Milliseconds between two questions for the head. */
const POLL_MS = 250
/** Milliseconds before a node that did not answer is asked for its head again. */
const AWAY_MS = 2_000

interface RawLog {
  readonly address: Address
  readonly topics: readonly Hash[]
  readonly data: Hex
  readonly blockNumber: Hex
}

interface RawReceipt {
  readonly status: Hex
  readonly blockNumber: Hex
  readonly logs: readonly RawLog[]
}

interface RawProof {
  readonly accountProof: readonly Hex[]
  readonly storageProof: readonly {
    readonly key: Hex
    readonly value: Hex
    readonly proof: readonly Hex[]
  }[]
}

interface RawSimulation {
  readonly calls: readonly [
    {
      readonly status: Hex
      readonly returnData: Hex
      readonly maxUsedGas: Hex
      readonly logs: readonly RawLog[]
      readonly error?: { readonly data?: Hex }
    },
  ]
}

export function createHttpRelayChain(options: HttpRelayChainOptions): RelayChain {
  const { name, client, chainId, signer, clock, timers } = options
  const listeners = new Set<(head: RelayHead) => void>()
  let seen = -1
  let cancel: CancelTimer | undefined
  /** Transactions are signed one after another: each has the nonce behind the one before. */
  let turn: Promise<unknown> = Promise.resolve()

  async function head(): Promise<RelayHead> {
    const block = await client.call<{ number: Hex; timestamp: Hex }>(
      'eth_getBlockByNumber',
      'latest',
      false,
    )
    return { height: Number(block.number), timestamp: Number(block.timestamp) }
  }

  function poll(): void {
    void head()
      .then((found) => {
        if (found.height > seen) {
          seen = found.height
          for (const listener of [...listeners]) listener(found)
        }
        return POLL_MS
      })
      .catch(() => AWAY_MS)
      .then((pauseMs) => {
        if (listeners.size > 0) cancel = timers.after(pauseMs, poll)
      })
  }

  function onHead(listener: (head: RelayHead) => void): () => void {
    const isFirst = listeners.size === 0
    listeners.add(listener)
    if (isFirst) poll()
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0) cancel?.()
    }
  }

  async function send({ to, data, gas }: RelayCall & { readonly gas: bigint }): Promise<Hash> {
    const [nonce, fee] = await Promise.all([
      client.call<Hex>('eth_getTransactionCount', signer.address, 'pending'),
      client.call<Hex | null>('eth_baseFee'),
    ])
    const encoded = signCall(
      {
        chainId,
        nonce: BigInt(nonce),
        to,
        data,
        gas,
        // Twice the fee of the next block, so that it still fits some blocks later.
        maxFeePerGas: BigInt(fee ?? 0) * 2n,
      },
      signer,
    )
    return client.call<Hash>('eth_sendRawTransaction', bytesToHex(encoded))
  }

  async function waitFor(hash: Hash): Promise<RelayLanding> {
    const until = clock.elapsed() + LANDING_MS
    while (clock.elapsed() < until) {
      const receipt = await client.call<RawReceipt | null>('eth_getTransactionReceipt', hash)
      if (receipt !== null) {
        return {
          status: 'included',
          height: Number(receipt.blockNumber),
          ok: receipt.status === '0x1',
          logs: receipt.logs.map(logOf),
        }
      }
      await new Promise<void>((resolve) => timers.after(POLL_MS, resolve))
    }
    return { status: 'dropped', reason: 'in no block for a long time' }
  }

  return {
    name,
    chainId,
    head,
    onHead,
    header: async (height) => hexToBytes(await client.call<Hex>('peg_getHeader', hexOf(height))),
    read: (calls, height) =>
      Promise.all(
        calls.map(async ({ to, data }) => {
          try {
            const call = { to, data: bytesToHex(data) }
            return hexToBytes(await client.call<Hex>('eth_call', call, hexOf(height)))
          } catch (error) {
            if (isRevert(error)) return new Uint8Array()
            throw error
          }
        }),
      ),
    logs: async ({ from, to, addresses, topics }) => {
      const raw = await client.call<readonly RawLog[]>('eth_getLogs', {
        fromBlock: hexOf(from),
        toBlock: hexOf(to),
        address: addresses,
        topics: topics.map((choices) => (choices.length === 0 ? null : choices)),
      })
      return raw.map((each): RelayLog => ({ ...logOf(each), height: Number(each.blockNumber) }))
    },
    prove: async (account, slots, height) => {
      const proof = await client.call<RawProof>('eth_getProof', account, slots, hexOf(height))
      const accountProof = proof.accountProof.map(hexToBytes)
      return proof.storageProof.map(({ value, proof: nodes }, i) => ({
        slot: slots[i]!,
        value: `0x${value.slice(2).padStart(64, '0')}` as Hash,
        accountProof,
        storageProof: nodes.map(hexToBytes),
      }))
    },
    attempt: async ({ to, data, gas }) => {
      const call = { from: signer.address, to, input: bytesToHex(data), gas: hexOf(gas) }
      const { timestamp } = await head()
      const time = Math.max(timestamp + 1, Math.floor(clock.now() / 1_000))
      const [block] = await client.call<readonly [RawSimulation]>(
        'eth_simulateV1',
        { blockStateCalls: [{ blockOverrides: { time: hexOf(time) }, calls: [call] }] },
        'latest',
      )
      const [result] = block.calls
      const output = result.error?.data ?? result.returnData
      return {
        ok: result.status === '0x1',
        output: hexToBytes(output),
        gasSpent: BigInt(result.maxUsedGas),
        logs: result.logs.map(logOf),
      }
    },
    submit: async (call) => {
      const sent = turn.then(() => send(call))
      turn = sent.catch(() => {})
      try {
        return await waitFor(await sent)
      } catch (error) {
        return { status: 'dropped', reason: (error as Error).message }
      }
    },
  }
}

function logOf({ address, topics, data }: RawLog): EventLog {
  return { address, topics, data: hexToBytes(data) }
}

function hexOf(value: number | bigint): Hex {
  return `0x${value.toString(16)}`
}

/** A contract that is not there, or that says no, is an answer; a node that is away is none. */
function isRevert(error: unknown): boolean {
  return (error as { details?: { code?: unknown } }).details?.code === 3
}
