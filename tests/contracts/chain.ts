/**
 * The system contracts on a node as it is, on virtual time: what a test of the contracts sends and asks.
 *
 * Everything goes through JSON-RPC, signed and encoded by ethers.
 */

import { crc32 } from 'node:zlib'
import {
  ADDRESSES,
  accessManager,
  council,
  identityRegistry,
  licenceRegistry,
  organisationRegistry,
  type PredeployOptions,
  permissions,
  predeploys,
  STATUS_LEAVES_SLOT,
  serviceCredit,
  tariff,
  verificationLog,
} from '@vellum/contracts'
import type { Address } from '@vellum/evm'
import {
  addressOfPublicKey,
  createMemoryKeyValue,
  type Genesis,
  parseGenesis,
  predeployAccounts,
} from '@vellum/ledger'
import {
  createNode,
  devGenesis,
  devValidatorKey,
  type Logger,
  loadSystemCrypto,
  parseConfig,
  signerOf,
} from '@vellum/node'
import { createRpc } from '@vellum/rpc'
import {
  type ErrorDescription,
  Interface,
  type InterfaceAbi,
  type Log,
  type ParamType,
  Result,
  Wallet,
} from 'ethers'
import { createVirtualTime } from '../../packages/node/test/virtual-time.ts'

const ABIS = {
  council: council.abi,
  accessManager: accessManager.abi,
  permissions: permissions.abi,
  organisationRegistry: organisationRegistry.abi,
  identityRegistry: identityRegistry.abi,
  licenceRegistry: licenceRegistry.abi,
  verificationLog: verificationLog.abi,
  serviceCredit: serviceCredit.abi,
  tariff: tariff.abi,
} as const satisfies Partial<Record<keyof typeof ADDRESSES, object>>

export { ADDRESSES }

export type ContractName = keyof typeof ABIS

export const INTERFACES: Readonly<Record<ContractName, Interface>> = Object.fromEntries(
  Object.entries(ABIS).map(([name, abi]) => [name, new Interface(abi as unknown as InterfaceAbi)]),
) as Record<ContractName, Interface>

/** Below the most that a transaction may have (EIP-7825); a refused one uses what it used. */
const GAS_LIMIT = 16_000_000
/** Of the genesis block: the access manager asks for one that is not 0. */
const GENESIS_SECONDS = 1_700_000_000

const { crypto } = loadSystemCrypto()

export interface Receipt {
  readonly status: number
  readonly gasUsed: number
  readonly blockNumber: number
  readonly transactionHash: string
  /** Of the contract that was called, by name. */
  readonly events: readonly { readonly name: string; readonly args: Record<string, unknown> }[]
  readonly logs: readonly Log[]
}

/** A call that a contract refuses, by the name of its error. */
export class Refusal extends Error {
  readonly reason: string
  readonly values: readonly unknown[]

  constructor(error: ErrorDescription) {
    super(`${error.name}(${error.args.join(', ')})`)
    this.reason = error.name
    this.values = [...error.args]
  }
}

export interface Chain {
  readonly chainId: number
  /** Signs, sends, and waits for the block. @throws Refusal, after the transaction failed in a block too */
  send(from: Wallet, to: ContractName, method: string, args: readonly unknown[]): Promise<Receipt>
  /** @returns what the contract answers; several values as an array */
  ask<T>(to: ContractName, method: string, args?: readonly unknown[]): Promise<T>
  rpc<T>(method: string, params: readonly unknown[]): Promise<T>
  /** Seconds since 1970 of the head. */
  now(): Promise<number>
  /** Lets time pass until a block has that much more. */
  pass(seconds: number): Promise<void>
  stop(): Promise<void>
}

interface Answer<T> {
  readonly result?: T
  readonly error?: { readonly data?: unknown }
}

interface RawReceipt {
  readonly status: string
  readonly gasUsed: string
  readonly blockNumber: string
  readonly transactionHash: string
  readonly logs: readonly Log[]
}

/** Structs as objects, lists as arrays. */
function plain(value: unknown, type: ParamType): unknown {
  if (!(value instanceof Result)) return value
  if (type.isTuple()) return value.toObject()
  return value.toArray().map((item) => plain(item, type.arrayChildren!))
}

const silent: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

export function genesisWith(options: PredeployOptions): Genesis {
  const validator = addressOfPublicKey(crypto.publicKey(devValidatorKey()))
  const genesis = parseGenesis(devGenesis([validator]))
  const made = predeployAccounts(
    predeploys(options) as { address: Address; initCode: Uint8Array }[],
    {
      fork: 'osaka',
      chainId: genesis.chainId,
      timestamp: GENESIS_SECONDS,
    },
  )
  const statusTree = {
    contract: ADDRESSES.licenceRegistry as Address,
    slot: STATUS_LEAVES_SLOT,
  }
  const alloc = [...genesis.alloc, ...made]
  return { ...genesis, timestamp: GENESIS_SECONDS, statusTree, alloc }
}

export async function createChain(options: PredeployOptions): Promise<Chain> {
  const time = createVirtualTime()
  const genesis = genesisWith(options)
  const node = await createNode(
    {
      blocks: parseConfig({}).blocks,
      consensus: parseConfig({}).consensus,
      retainedBlocks: undefined,
      genesis,
      signer: signerOf(devValidatorKey(), crypto),
      clientVersion: 'test',
    },
    {
      clock: time,
      timers: time,
      log: silent,
      disk: createMemoryKeyValue(),
      heads: { found: undefined, write: () => {} },
      crc32,
      crypto,
      recovery: undefined,
    },
  )
  await node.start()
  let drawn = 0
  const dispatch = createRpc({
    backend: node.backend,
    ports: {
      nowMs: time.now,
      nextTurn: () => Promise.resolve(),
      randomBytes: (size) => new Uint8Array(size).fill(++drawn),
      setTimer: (timeMs, callback) => time.after(timeMs, callback),
      onInternalError: (error, method) => {
        throw new Error(`internal error in ${method}`, { cause: error })
      },
    },
  })
  const nonces = new Map<string, number>()
  const chainId = Number(genesis.chainId)

  async function answer<T>(method: string, params: readonly unknown[]): Promise<Answer<T>> {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
    return JSON.parse(await dispatch(new TextEncoder().encode(body)))
  }

  async function rpc<T>(method: string, params: readonly unknown[]): Promise<T> {
    const { result, error } = await answer<T>(method, params)
    if (error !== undefined) throw new Error(`${method}: ${JSON.stringify(error)}`)
    return result as T
  }

  async function deliver(from: Wallet, to: string, data: string): Promise<RawReceipt> {
    const nonce = nonces.get(from.address) ?? 0
    nonces.set(from.address, nonce + 1)
    const raw = await from.signTransaction({
      type: 2,
      chainId,
      nonce,
      to,
      data,
      gasLimit: GAS_LIMIT,
      maxFeePerGas: 0,
      maxPriorityFeePerGas: 0,
    })
    const hash = await rpc<string>('eth_sendRawTransaction', [raw])
    for (let waited = 0; waited < 100; waited++) {
      await time.advance(20)
      const receipt = await rpc<RawReceipt | null>('eth_getTransactionReceipt', [hash])
      if (receipt !== null) return receipt
    }
    throw new Error(`no block with ${hash}`)
  }

  /** @throws Refusal as the state of the head has it */
  async function call(from: string, to: ContractName, data: string): Promise<string> {
    const transaction = { from, to: ADDRESSES[to], data, gas: `0x${GAS_LIMIT.toString(16)}` }
    const { result, error } = await answer<string>('eth_call', [transaction, 'latest'])
    if (error === undefined) return result as string
    const parsed = Object.values(INTERFACES)
      .map((each) => (typeof error.data === 'string' ? each.parseError(error.data) : null))
      .find((each) => each !== null)
    if (parsed === undefined || parsed === null) throw new Error(JSON.stringify(error))
    throw new Refusal(parsed)
  }

  const passer = new Wallet(`0x${'77'.repeat(32)}`)
  return {
    chainId,
    rpc,
    async send(from, to, method, args) {
      const data = INTERFACES[to].encodeFunctionData(method, args)
      let refusal: unknown
      try {
        await call(from.address, to, data)
      } catch (error) {
        refusal = error
      }
      const receipt = await deliver(from, ADDRESSES[to], data)
      const status = Number(receipt.status)
      if (status !== (refusal === undefined ? 1 : 0)) {
        throw new Error(`${method}: status ${status} in a block, but ${refusal} in a call`)
      }
      if (refusal !== undefined) throw refusal
      const events = receipt.logs
        .filter((log) => log.address === ADDRESSES[to])
        .map((log) => INTERFACES[to].parseLog(log)!)
        .map((log) => ({ name: log.name, args: log.args.toObject() }))
      return {
        status,
        gasUsed: Number(receipt.gasUsed),
        blockNumber: Number(receipt.blockNumber),
        transactionHash: receipt.transactionHash,
        events,
        logs: receipt.logs,
      }
    },
    async ask<T>(to: ContractName, method: string, args: readonly unknown[] = []) {
      const data = INTERFACES[to].encodeFunctionData(method, args)
      const result = INTERFACES[to].decodeFunctionResult(
        method,
        await call(passer.address, to, data),
      )
      const { outputs } = INTERFACES[to].getFunction(method)!
      return (outputs.length === 1 ? plain(result[0], outputs[0]!) : result.toArray()) as T
    },
    async now() {
      return Number(
        (await rpc<{ timestamp: string }>('eth_getBlockByNumber', ['latest', false])).timestamp,
      )
    },
    async pass(seconds) {
      await time.leap(seconds * 1_000)
      await deliver(passer, passer.address, '0x')
    },
    stop: () => node.stop(),
  }
}
