/** What contracts of the peg say on the state after a block, read in this process without a transaction. */

import { ADDRESSES } from '@vellum/contracts/addresses'
import type { Address } from '@vellum/evm'
import type { Backend } from '@vellum/rpc'
import {
  type AbiFunction,
  ADDRESS,
  abiFunction,
  type ChannelStatus,
  type ClientFacts,
  decodeChannel,
  decodeClient,
  GATEWAY_CALLS,
  LIGHT_CLIENT_CALLS,
  tupleOf,
  uint,
} from '@vellum/sidechain'

type Reader = Pick<Backend, 'chain' | 'simulator'>

/** The answer of a view; undefined where there is no such contract. */
export async function ask<Args, Result>(
  { simulator }: Pick<Backend, 'simulator'>,
  question: {
    readonly to: Address
    readonly view: AbiFunction<Args, Result>
    readonly args: Args
    readonly height: number
  },
): Promise<Result | undefined> {
  const output = await askRaw(simulator, question)
  return output === undefined ? undefined : question.view.decodeResult(output)
}

async function askRaw<Args>(
  simulator: Backend['simulator'],
  question: {
    readonly to: Address
    readonly view: AbiFunction<Args, unknown>
    readonly args: Args
    readonly height: number
  },
): Promise<Uint8Array | undefined> {
  const outcome = await simulator.call({
    request: { to: question.to, data: question.view.encodeCall(question.args) },
    number: question.height,
    stateOverrides: undefined,
    blockOverrides: undefined,
  })
  const isAnswer = outcome.status === 'success' && outcome.output.length > 0
  return isAnswer ? outcome.output : undefined
}

/** True if the chain has a gateway: then it is a main chain or a side chain. */
export function hasGateway({ chain }: Pick<Backend, 'chain'>): boolean {
  return chain.stateAt(chain.head().header.number).code(ADDRESSES.pegGateway).length > 0
}

/** What a chain knows of another. */
export interface Counterpart {
  readonly client: ClientFacts
  readonly channel: ChannelStatus
  readonly sentCount: number
  readonly acknowledgedThrough: number
}

/** @param chainId of the other chain; undefined if there is no gateway */
export async function readCounterpart(
  reader: Reader,
  chainId: bigint,
  height: number,
): Promise<Counterpart | undefined> {
  const args: [bigint] = [chainId]
  const { qbftLightClient, pegGateway } = ADDRESSES
  const { simulator } = reader
  const [client, channel, sent, through] = await Promise.all([
    askRaw(simulator, { to: qbftLightClient, view: LIGHT_CLIENT_CALLS.client, args, height }),
    askRaw(simulator, { to: pegGateway, view: GATEWAY_CALLS.channelOf, args, height }),
    ask(reader, { to: pegGateway, view: GATEWAY_CALLS.sentCount, args, height }),
    ask(reader, { to: pegGateway, view: GATEWAY_CALLS.acknowledgedThrough, args, height }),
  ])
  if (!client || !channel || !sent || !through) return undefined
  return {
    client: decodeClient(client),
    channel: decodeChannel(channel),
    sentCount: sent[0],
    acknowledgedThrough: through[0],
  }
}

const AMOUNT = uint(128)

/** Views of the contracts that move credit. */
const CREDIT_VIEWS = {
  accountOf: abiFunction('accountOf', tupleOf(uint(64)), tupleOf(AMOUNT, AMOUNT, AMOUNT)),
  totals: abiFunction('totals', tupleOf(), tupleOf(AMOUNT, AMOUNT, AMOUNT)),
  totalSupply: abiFunction('totalSupply', tupleOf(), tupleOf(uint(256))),
  balanceOf: abiFunction('balanceOf', tupleOf(ADDRESS), tupleOf(uint(256))),
} as const

/** Credit since ever, as main's vault counts it for a side chain. */
export interface VaultAccount {
  readonly locked: bigint
  readonly refunded: bigint
  readonly released: bigint
}

export async function readVault(
  reader: Reader,
  chainId: bigint,
  height: number,
): Promise<VaultAccount | undefined> {
  const to = ADDRESSES.creditBridge
  const found = await ask(reader, { to, view: CREDIT_VIEWS.accountOf, args: [chainId], height })
  return found && { locked: found[0], refunded: found[1], released: found[2] }
}

/** Credit that main's vault has, for all side chains. */
export async function readVaultBalance(
  reader: Reader,
  height: number,
): Promise<bigint | undefined> {
  const found = await ask(reader, {
    to: ADDRESSES.serviceCredit,
    view: CREDIT_VIEWS.balanceOf,
    args: [ADDRESSES.creditBridge as Address],
    height,
  })
  return found?.[0]
}

/** Credit since ever, as a side chain's peg counts it, and what there is. */
export interface PegTotals {
  readonly minted: bigint
  readonly burned: bigint
  readonly returned: bigint
  readonly supply: bigint
}

export async function readPegTotals(
  reader: Reader,
  height: number,
): Promise<PegTotals | undefined> {
  const { creditBridge, serviceCredit } = ADDRESSES
  const [totals, supply] = await Promise.all([
    ask(reader, { to: creditBridge, view: CREDIT_VIEWS.totals, args: [], height }),
    ask(reader, { to: serviceCredit, view: CREDIT_VIEWS.totalSupply, args: [], height }),
  ])
  if (!totals || !supply) return undefined
  return { minted: totals[0], burned: totals[1], returned: totals[2], supply: supply[0] }
}
