/**
 * A main chain and a side chain as nodes of one process, on time that the caller turns: the system contracts
 * of their roles, attached to each other, with one validator each. What the relayer is tried with.
 */

import { crc32 } from 'node:zlib'
import {
  ADDRESSES,
  type ChainRole,
  council,
  creditPeg,
  creditVault,
  pegGateway,
  qbftLightClient,
  serviceCredit,
} from '@vellum/contracts'
import { type Address, bytesToHex, type Hash, hexToBytes } from '@vellum/evm'
import {
  addressOfPublicKey,
  createMemoryKeyValue,
  encodeHeader,
  type Genesis,
  keccakHeaderHash,
  parseGenesis,
} from '@vellum/ledger'
import {
  createLocalRelayChain,
  createNode,
  createRelayLink,
  DEV_ACCOUNTS,
  devContracts,
  devGenesis,
  type Logger,
  loadSystemCrypto,
  parseConfig,
  type RelayChain,
  type RelayLink,
  type RelayStep,
  recoverSeal,
  type Signer,
  signerOf,
  type VellumNode,
} from '@vellum/node'
import type { RelaySettings } from '@vellum/sidechain'
import { Interface, type InterfaceAbi, id, Wallet } from 'ethers'
import { createVirtualTime, type VirtualTime } from '../../packages/node/test/virtual-time.ts'

const { crypto } = loadSystemCrypto()

export const MAIN_ID = 1337
export const SIDE_ID = 133_701

const ABIS = {
  council: council.abi,
  qbftLightClient: qbftLightClient.abi,
  pegGateway: pegGateway.abi,
  serviceCredit: serviceCredit.abi,
} as const

const interfaceOf = (abi: unknown): Interface => new Interface(abi as InterfaceAbi)
const INTERFACES: Readonly<Record<string, Interface>> = {
  ...Object.fromEntries(Object.entries(ABIS).map(([name, abi]) => [name, interfaceOf(abi)])),
  creditVault: interfaceOf(creditVault.abi),
  creditPeg: interfaceOf(creditPeg.abi),
}
const PLACES: Readonly<Record<string, Address>> = {
  ...ADDRESSES,
  creditVault: ADDRESSES.creditBridge,
  creditPeg: ADDRESSES.creditBridge,
}

/** The contracts that tests of the relayer speak to. */
export type PegContract =
  | 'council'
  | 'qbftLightClient'
  | 'pegGateway'
  | 'serviceCredit'
  | 'creditVault'
  | 'creditPeg'

/** Governs both chains. */
export const GOVERNOR: Wallet = new Wallet(DEV_ACCOUNTS[0]!.privateKey)
/** Has all the credit of main. */
export const USER: Wallet = new Wallet(DEV_ACCOUNTS[5]!.privateKey)

export interface PegNode {
  readonly name: string
  readonly node: VellumNode
  readonly genesis: Genesis
  readonly chainId: number
  /** Signs and sends; resolves once it is in a block. @throws Error if it failed there */
  send(from: Wallet, to: PegContract, method: string, args: readonly unknown[]): Promise<void>
  /** The same without waiting. @returns its hash */
  post(from: Wallet, to: PegContract, method: string, args: readonly unknown[]): Promise<Hash>
  ask<T>(to: PegContract, method: string, args?: readonly unknown[]): Promise<T>
}

export interface PegNodes {
  readonly time: VirtualTime
  readonly main: PegNode
  readonly side: PegNode
  /** A relayer of its own account. */
  relayer(options?: {
    readonly name?: string
    readonly settings?: Partial<RelaySettings>
    readonly onStep?: (step: RelayStep) => void
    readonly log?: Logger
    /** In place of the chain as it is. */
    readonly wrap?: (chain: RelayChain) => RelayChain
  }): RelayLink
  /** An account of its own for somebody. */
  account(name: string): { readonly signer: Signer; readonly crypto: typeof crypto }
  stop(): Promise<void>
}

export const silent: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => silent,
}

async function openNode(
  name: string,
  time: VirtualTime,
  chainId: number,
  role: ChainRole,
): Promise<PegNode> {
  const key = hexToBytes(id(`validator of ${name}`) as Hash)
  const { credit, ...contracts } = devContracts()
  const genesis = parseGenesis(
    devGenesis(
      [addressOfPublicKey(crypto.publicKey(key))],
      { ...contracts, ...(role.kind === 'main' && credit && { credit }), role },
      { chainId, timestamp: Math.floor(time.now() / 1_000) },
    ),
  )
  const node = await createNode(
    {
      blocks: { ...parseConfig({}).blocks, gatherMs: 0 },
      consensus: parseConfig({}).consensus,
      retainedBlocks: undefined,
      genesis,
      signer: signerOf(key, crypto),
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

  async function post(
    from: Wallet,
    to: PegContract,
    method: string,
    args: readonly unknown[],
  ): Promise<Hash> {
    const raw = await from.signTransaction({
      type: 2,
      chainId,
      nonce: Number(node.pool.nextNonce(from.address.toLowerCase() as Address)),
      to: PLACES[to]!,
      data: INTERFACES[to]!.encodeFunctionData(method, [...args]),
      gasLimit: 16_000_000,
      maxFeePerGas: 0,
      maxPriorityFeePerGas: 0,
    })
    return node.backend.pool.submit(hexToBytes(raw))
  }

  return {
    name,
    node,
    genesis,
    chainId,
    post,
    send: async (from, to, method, args) => {
      const hash = await post(from, to, method, args)
      for (let waited = 0; waited < 50; waited++) {
        const place = node.chain.locate(hash)
        if (place !== undefined) {
          const receipt = node.chain.receipts(place.number)![place.index]!
          if (receipt.status !== 1) throw new Error(`${method} failed`)
          return
        }
        await time.advance(20)
      }
      throw new Error(`${method} is in no block`)
    },
    ask: async <T>(to: PegContract, method: string, args: readonly unknown[] = []) => {
      const outcome = await node.backend.simulator.call({
        number: node.chain.head().header.number,
        request: {
          to: PLACES[to]!,
          data: hexToBytes(INTERFACES[to]!.encodeFunctionData(method, [...args])),
        },
        stateOverrides: undefined,
        blockOverrides: undefined,
      })
      if (outcome.status !== 'success') throw new Error(`${method}: ${outcome.status}`)
      const values = INTERFACES[to]!.decodeFunctionResult(method, bytesToHex(outcome.output))
      return (values.length === 1 ? values[0] : values.toArray()) as T
    },
  }
}

export async function openPegNodes(): Promise<PegNodes> {
  const time = createVirtualTime()
  const main = await openNode('main', time, MAIN_ID, { kind: 'main' })
  const mainGenesis = main.node.chain.header(0)!
  const side = await openNode('side', time, SIDE_ID, {
    kind: 'side',
    main: {
      chainId: BigInt(MAIN_ID),
      domain: hexToBytes(mainGenesis.hash),
      sealedHeader: encodeHeader(mainGenesis.header),
    },
  })
  const sideGenesis = side.node.chain.header(0)!
  await govern(main, [
    [
      'qbftLightClient',
      'createClient',
      [
        SIDE_ID,
        keccakHeaderHash(sideGenesis.header),
        bytesToHex(encodeHeader(sideGenesis.header)),
        14 * 24 * 3_600,
        60,
      ],
    ],
    ['pegGateway', 'openChannel', [SIDE_ID]],
  ])
  await main.send(USER, 'serviceCredit', 'approve', [ADDRESSES.creditBridge, 2n ** 255n])

  return {
    time,
    main,
    side,
    relayer: ({ name = 'relayer', settings = {}, onStep, log = silent, wrap } = {}) => {
      const signer = signerOf(hexToBytes(id(name) as Hash), crypto)
      const chains = [main, side].map((each) => {
        const { backend } = each.node
        const options = { name: each.name, backend, signer, clock: time, timers: time }
        const chain = createLocalRelayChain(options)
        return wrap === undefined ? chain : wrap(chain)
      })
      const seed = Number.parseInt(signer.address.slice(2, 10), 16)
      return createRelayLink(
        { chains: chains as [RelayChain, RelayChain], settings, seed },
        {
          clock: time,
          timers: time,
          log,
          recover: recoverSeal(crypto),
          onStep,
        },
      )
    },
    account: (name) => ({ signer: signerOf(hexToBytes(id(name) as Hash), crypto), crypto }),
    stop: async () => {
      await main.node.stop()
      await side.node.stop()
    },
  }
}

type Call = readonly [PegContract, string, readonly unknown[]]

/** By the council, which is the governor alone. */
export async function govern(on: PegNode, calls: readonly Call[]): Promise<void> {
  const encoded = calls.map(([to, method, args]) => [
    PLACES[to],
    INTERFACES[to]!.encodeFunctionData(method, [...args]),
  ])
  const proposal = await on.ask<bigint>('council', 'proposalCount')
  await on.send(GOVERNOR, 'council', 'propose', [encoded])
  await on.send(GOVERNOR, 'council', 'execute', [proposal, encoded])
}
