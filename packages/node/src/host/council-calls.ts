/** What commands ask of the contracts of main, and what they make its council do. */

import { ADDRESSES, council, creditVault, pegGateway, qbftLightClient } from '@vellum/contracts'
import { type Address, bytesToHex, type Hash, type Hex, hexToBytes, keccak256 } from '@vellum/evm'
import {
  type AbiFunction,
  ADDRESS,
  abiFunction,
  BYTES,
  BYTES32,
  count,
  listOf,
  tupleOf,
  uint,
} from '@vellum/sidechain'
import { NodeError } from '../error.ts'
import type { Signer } from '../ports.ts'
import { signCall } from '../signed-call.ts'
import { systemClock } from './machine.ts'
import type { RpcClient } from './rpc-client.ts'

/** A call that the council makes. */
export interface CouncilCall {
  readonly target: Address
  readonly data: Uint8Array
}

const NOTHING = tupleOf()
const NUMBER = count(64)
const PROPOSAL = count(256)
const CHAIN = uint(64)
const CALLS = listOf(tupleOf(ADDRESS, BYTES))

/** Of Council.sol. */
const COUNCIL_CALLS = {
  propose: abiFunction('propose', tupleOf(CALLS), tupleOf(PROPOSAL)),
  approve: abiFunction('approve', tupleOf(PROPOSAL), NOTHING),
  execute: abiFunction('execute', tupleOf(PROPOSAL, CALLS), NOTHING),
  members: abiFunction('members', NOTHING, tupleOf(listOf(ADDRESS))),
  threshold: abiFunction('threshold', NOTHING, tupleOf(PROPOSAL)),
  delay: abiFunction('delay', NOTHING, tupleOf(NUMBER)),
  proposalCount: abiFunction('proposalCount', NOTHING, tupleOf(PROPOSAL)),
  proposalAt: abiFunction(
    'proposalAt',
    tupleOf(PROPOSAL),
    // Hash of the calls, time of enough approvals, end of life, executed.
    tupleOf(tupleOf(BYTES32, NUMBER, NUMBER, NUMBER)),
  ),
  hasApproved: abiFunction('hasApproved', tupleOf(PROPOSAL, ADDRESS), tupleOf(PROPOSAL)),
  approvalsOf: abiFunction('approvalsOf', tupleOf(PROPOSAL), tupleOf(PROPOSAL)),
} as const

/** What the council alone may call. */
export interface ClientGovernance {
  /** Chain id, hash of its genesis block, header to begin with, trusting period and clock drift in seconds. */
  readonly createClient: AbiFunction<[bigint, Hash, Uint8Array, number, number], []>
  readonly reviveClient: AbiFunction<[bigint, Uint8Array], []>
  readonly closeClient: AbiFunction<[bigint], []>
}

export const CLIENT_GOVERNANCE: ClientGovernance = {
  createClient: abiFunction(
    'createClient',
    tupleOf(CHAIN, BYTES32, BYTES, NUMBER, NUMBER),
    NOTHING,
  ),
  reviveClient: abiFunction('reviveClient', tupleOf(CHAIN, BYTES), NOTHING),
  closeClient: abiFunction('closeClient', tupleOf(CHAIN), NOTHING),
}

export interface GatewayGovernance {
  readonly openChannel: AbiFunction<[bigint], []>
  readonly closeChannel: AbiFunction<[bigint], []>
}

export const GATEWAY_GOVERNANCE: GatewayGovernance = {
  openChannel: abiFunction('openChannel', tupleOf(CHAIN), NOTHING),
  closeChannel: abiFunction('closeChannel', tupleOf(CHAIN), NOTHING),
}

/** Units of credit that a side chain has on main. */
export const LOCKED_FOR: AbiFunction<[bigint], [bigint]> = abiFunction(
  'lockedFor',
  tupleOf(CHAIN),
  tupleOf(uint(256)),
)

/** Of all functions that are called here, by contract: tests compare them with what was compiled. */
export const CALLED: Readonly<Record<string, readonly string[]>> = {
  council: signaturesOf(COUNCIL_CALLS),
  qbftLightClient: signaturesOf(CLIENT_GOVERNANCE),
  pegGateway: signaturesOf(GATEWAY_GOVERNANCE),
  creditVault: [LOCKED_FOR.signature],
}

function signaturesOf(calls: object): readonly string[] {
  return (Object.values(calls) as readonly { readonly signature: string }[]).map(
    ({ signature }) => signature,
  )
}

/** Asks a contract at the head. */
export async function ask<Args, Result>(
  chain: RpcClient,
  contract: Address,
  call: AbiFunction<Args, Result>,
  args: Args,
): Promise<Result> {
  const data = bytesToHex(call.encodeCall(args))
  const output = await chain.call<Hex>('eth_call', { to: contract, data }, 'latest')
  return call.decodeResult(hexToBytes(output))
}

/** How far a proposal has come. */
export type Governed =
  | { readonly state: 'executed'; readonly proposal: number }
  /** Members must still approve. */
  | { readonly state: 'waiting'; readonly proposal: number; readonly missing: number }
  /** Enough approve; it can be executed from that second on. */
  | { readonly state: 'delayed'; readonly proposal: number; readonly readyAt: number }

/** Proposals that are looked through for one with the same calls, the latest first. */
const PROPOSALS_SEARCHED_MAX = 64
const GAS_MARGIN = 1.25
/** Milliseconds in which a transaction must be in a block. */
const BLOCK_MS_MAX = 30_000

/**
 * Brings a list of calls as far as this member can: proposes it, or approves the proposal that another
 * member made of it, and executes it once enough approve and the delay is over.
 * @throws NodeError NODE_RPC_REFUSED, also for a key that is no member's
 */
export async function govern(
  chain: RpcClient,
  signer: Signer,
  calls: readonly CouncilCall[],
  print: (line: string) => void,
): Promise<Governed> {
  const { members, threshold, delay } = await councilOf(chain)
  if (!members.includes(signer.address)) {
    throw new NodeError(
      'NODE_RPC_REFUSED',
      `${signer.address} is no member of the council: ${members.join(', ')} are`,
      { address: signer.address },
    )
  }
  const words = calls.map(({ target, data }): [Address, Uint8Array] => [target, data])
  const found = await findProposal(chain, bytesToHex(keccak256(tupleOf(CALLS).encode([words]))))
  const proposal =
    found ?? (await ask(chain, ADDRESSES.council, COUNCIL_CALLS.proposalCount, []))[0]
  if (found === undefined) {
    await send(chain, signer, COUNCIL_CALLS.propose.encodeCall([words]))
    print(`proposal ${proposal} of the council: made, and approved by ${signer.address}`)
  } else if (
    (await ask(chain, ADDRESSES.council, COUNCIL_CALLS.hasApproved, [found, signer.address]))[0] ===
    0
  ) {
    await send(chain, signer, COUNCIL_CALLS.approve.encodeCall([found]))
    print(`proposal ${proposal} of the council: approved by ${signer.address}`)
  }
  const [approvals] = await ask(chain, ADDRESSES.council, COUNCIL_CALLS.approvalsOf, [proposal])
  if (approvals < threshold) return { state: 'waiting', proposal, missing: threshold - approvals }
  const [[, approvedAt]] = await ask(chain, ADDRESSES.council, COUNCIL_CALLS.proposalAt, [proposal])
  const readyAt = approvedAt + delay
  if (delay > 0 && nowSeconds() < readyAt) {
    return { state: 'delayed', proposal, readyAt }
  }
  await send(chain, signer, COUNCIL_CALLS.execute.encodeCall([proposal, words]))
  print(`proposal ${proposal} of the council: executed`)
  return { state: 'executed', proposal }
}

export interface CouncilFacts {
  readonly members: readonly Address[]
  readonly threshold: number
  /** Seconds. */
  readonly delay: number
}

export async function councilOf(chain: RpcClient): Promise<CouncilFacts> {
  const [[members], [threshold], [delay]] = await Promise.all([
    ask(chain, ADDRESSES.council, COUNCIL_CALLS.members, []),
    ask(chain, ADDRESSES.council, COUNCIL_CALLS.threshold, []),
    ask(chain, ADDRESSES.council, COUNCIL_CALLS.delay, []),
  ])
  return { members, threshold, delay }
}

/** An open proposal of these calls. */
async function findProposal(chain: RpcClient, callsHash: Hash): Promise<number | undefined> {
  const [proposals] = await ask(chain, ADDRESSES.council, COUNCIL_CALLS.proposalCount, [])
  for (let i = proposals - 1; i >= Math.max(0, proposals - PROPOSALS_SEARCHED_MAX); i--) {
    const [[hash, , expiresAt, executed]] = await ask(
      chain,
      ADDRESSES.council,
      COUNCIL_CALLS.proposalAt,
      [i],
    )
    if (hash === callsHash && executed === 0 && expiresAt > nowSeconds()) return i
  }
  return undefined
}

/** Sends a transaction to the council, and waits for its block. @throws NodeError NODE_RPC_REFUSED if it reverts */
async function send(chain: RpcClient, signer: Signer, data: Uint8Array): Promise<void> {
  const call = { from: signer.address, to: ADDRESSES.council, data: bytesToHex(data) }
  const now = `0x${nowSeconds().toString(16)}`
  const [chainId, nonce, gasPrice, gas] = await Promise.all([
    chain.call<Hex>('eth_chainId'),
    chain.call<Hex>('eth_getTransactionCount', signer.address, 'pending'),
    chain.call<Hex>('eth_gasPrice'),
    // In a block of now: the head of an idle chain is older than what the council waits for.
    chain
      .call<Hex>('eth_estimateGas', call, 'latest', {}, { time: now })
      .catch((error: unknown) => {
        throw explained(error)
      }),
  ])
  const signed = signCall(
    {
      chainId: BigInt(chainId),
      nonce: BigInt(nonce),
      to: ADDRESSES.council,
      data,
      gas: BigInt(Math.ceil(Number(gas) * GAS_MARGIN)),
      maxFeePerGas: BigInt(gasPrice),
    },
    signer,
  )
  const { status, transactionHash } = await chain.call<{ status: Hex; transactionHash: Hash }>(
    'eth_sendRawTransactionSync',
    bytesToHex(signed),
    BLOCK_MS_MAX,
  )
  if (status === '0x1') return
  throw new NodeError('NODE_RPC_REFUSED', `the transaction ${transactionHash} failed`, {
    transactionHash,
  })
}

/** The refusal with the contract's own error in words. */
function explained(error: unknown): unknown {
  if (!(error instanceof NodeError)) return error
  const { data } = error.details
  const name = typeof data === 'string' ? ERRORS.get(data.slice(0, 10)) : undefined
  if (name === undefined) return error
  return new NodeError(error.code, `${error.message} (${name})`, error.details, { cause: error })
}

/** Errors of the contracts that the council calls, by selector. */
const ERRORS: ReadonlyMap<string, string> = new Map(
  [council, qbftLightClient, pegGateway, creditVault]
    .flatMap(({ abi }) => abi as readonly { type: string; name?: string; inputs?: unknown }[])
    .filter(({ type }) => type === 'error')
    .map((entry) => {
      const inputs = entry.inputs as readonly { readonly type: string }[]
      const signature = `${entry.name}(${inputs.map(({ type }) => type).join(',')})`
      const selector = bytesToHex(keccak256(new TextEncoder().encode(signature))).slice(0, 10)
      return [selector, signature]
    }),
)

export function nowSeconds(): number {
  return Math.floor(systemClock.now() / 1_000)
}
