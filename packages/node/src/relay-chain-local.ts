/** A chain of this process, for the relayer: read without a request, written through the node's own pool. */

import { type Address, type Hash, keccak256Hex, NO_BYTES } from '@vellum/evm'
import { createLogMatcher, encodeHeader, LedgerError, type SealedHeader } from '@vellum/ledger'
import type { Backend } from '@vellum/rpc'
import { gatewayProofs } from '@vellum/sidechain'
import type { Clock, Signer, Timers } from './ports.ts'
import type {
  LogQuery,
  RelayChain,
  RelayHead,
  RelayLanding,
  RelayLog,
  RelayTrial,
} from './relay-chain.ts'
import { signCall } from './signed-call.ts'

export interface LocalRelayChainOptions {
  readonly name: string
  readonly backend: Backend
  /** Of the relayer's account. */
  readonly signer: Signer
  readonly clock: Clock
  readonly timers: Timers
}

/** Milliseconds that a transaction may wait for its block. */
export const LANDING_MS = 30_000
/** Blocks that are looked through one by one, by their filters: a longer range goes to the index. */
const SCANNED_BLOCKS = 64
/** Of a search in the index: a relayer asks for rare events, and rarely. */
const SEARCH_LIMITS = { blocksMax: 1_000_000, lookupsMax: 1_000_000, readsMax: 100_000 }

export function createLocalRelayChain(options: LocalRelayChainOptions): RelayChain {
  const { name, backend, signer, clock, timers } = options
  const { chain, pool, simulator, node } = backend
  /** Transactions are signed one after another: each has the nonce behind the one before. */
  let turn: Promise<unknown> = Promise.resolve()

  function scan(from: number, to: number, query: LogQuery): RelayLog[] {
    const matcher = createLogMatcher(query)
    const found: RelayLog[] = []
    for (let height = from; height <= to; height++) {
      const sealed = chain.header(height)
      if (sealed === undefined || !matcher.mayMatch(sealed.header.logsBloom)) continue
      for (const { logs } of chain.receipts(height) ?? []) {
        for (const log of logs) if (matcher.matches(log)) found.push({ ...log, height })
      }
    }
    return found
  }

  async function search({ from, to, addresses, topics }: LogQuery): Promise<RelayLog[]> {
    const found: RelayLog[] = []
    const criteria = { addresses, topics }
    const steps = chain.searchLogs?.({ from, to, criteria, limits: SEARCH_LIMITS })
    if (steps === undefined) return scan(from, to, { from, to, addresses, topics })
    for (const step of steps) {
      if (step === undefined) await nextTurn(timers)
      else for (const { log } of step.logs) found.push({ ...log, height: step.number })
    }
    return found
  }

  async function send(to: Address, data: Uint8Array, gas: bigint): Promise<Hash> {
    const head = chain.head().header
    const { baseFeePerGas = 0n } = chain.nextFees(head)
    const encoded = signCall(
      {
        chainId: node.chainId,
        nonce: pool.nonce(signer.address),
        to,
        data,
        gas,
        // Twice the fee of the next block, so that it still fits some blocks later.
        maxFeePerGas: baseFeePerGas * 2n,
      },
      signer,
    )
    await pool.submit(encoded)
    return keccak256Hex(encoded)
  }

  function landingOf(hash: Hash): RelayLanding | undefined {
    const place = chain.locate(hash)
    if (place === undefined) return undefined
    const receipt = chain.receipts(place.number)![place.index]!
    const ok = receipt.status === 1
    return { status: 'included', height: place.number, ok, logs: receipt.logs }
  }

  function waitFor(hash: Hash): Promise<RelayLanding> {
    const { promise, resolve } = Promise.withResolvers<RelayLanding>()
    const settle = (landing: RelayLanding): void => {
      stopListening()
      cancel()
      resolve(landing)
    }
    const look = (): void => {
      const landing = landingOf(hash)
      if (landing !== undefined) settle(landing)
    }
    const stopListening = chain.onHead(look)
    const cancel = timers.after(LANDING_MS, () => {
      settle({ status: 'dropped', reason: 'in no block for a long time' })
    })
    look()
    return promise
  }

  return {
    name,
    chainId: node.chainId,
    head: async () => headOf(chain.head()),
    onHead: (listener) => chain.onHead((head) => listener(headOf(head))),
    header: async (height) => {
      const sealed = chain.header(height)
      if (sealed === undefined) throw unknownBlock(height)
      return encodeHeader(sealed.header)
    },
    read: async (calls, number) => {
      const outputs: Uint8Array[] = []
      for (const { to, data } of calls) {
        const request = { to, data }
        const overrides = { stateOverrides: undefined, blockOverrides: undefined }
        const outcome = await simulator.call({ request, number, ...overrides })
        outputs.push(outcome.status === 'success' ? outcome.output : NO_BYTES)
      }
      return outputs
    },
    logs: async (query) =>
      query.to - query.from < SCANNED_BLOCKS ? scan(query.from, query.to, query) : search(query),
    prove: async (account, slots, height) =>
      gatewayProofs(chain.stateAt(height).prove(account, slots)),
    attempt: async ({ to, data, gas }): Promise<RelayTrial> => {
      const { number, timestamp } = chain.head().header
      const time = BigInt(Math.max(timestamp + 1, Math.floor(clock.now() / 1_000)))
      const simulation = simulator.simulateBlocks({
        number,
        blocks: [
          {
            overrides: { time },
            stateOverrides: undefined,
            calls: [{ from: signer.address, to, data, gas }],
          },
        ],
        isValidating: false,
        isTracingTransfers: false,
      })
      const [call] = simulation.next()!.calls
      const { halt, output, gasSpent, logs } = call!
      return { ok: halt === 'success', output, gasSpent, logs }
    },
    submit: async ({ to, data, gas }) => {
      const sent = turn.then(() => send(to, data, gas))
      turn = sent.catch(() => {})
      try {
        return await waitFor(await sent)
      } catch (error) {
        if (!(error instanceof LedgerError)) throw error
        return { status: 'dropped', reason: error.message }
      }
    },
  }
}

function headOf({ header }: SealedHeader): RelayHead {
  return { height: header.number, timestamp: header.timestamp }
}

function unknownBlock(height: number): LedgerError {
  return new LedgerError('LEDGER_BLOCK_UNKNOWN', `there is no block ${height}`, { height })
}

function nextTurn(timers: Timers): Promise<void> {
  return new Promise((resolve) => timers.after(0, resolve))
}
