/**
 * The contracts of a chain as they are called: what is asked, what is sent, what they told in events.
 * Refusals come as LICENCE_CHAIN_REFUSED with the contract's own error in `details.error`, before
 * anything is sent.
 */

import {
  ADDRESSES,
  creditPeg,
  creditVault,
  identityMirror,
  identityPeg,
  identityRegistry,
  licenceIndex,
  licencePeg,
  licenceRegistry,
  organisationRegistry,
  pegGateway,
  serviceCredit,
  tariff,
  verificationLog,
} from '@vellum/contracts'
import {
  AbstractProvider,
  Interface,
  type InterfaceAbi,
  isError,
  type Log,
  type Provider,
  type Result,
  type Signer,
  type TransactionReceipt,
} from 'ethers'
import { LICENCE_LIMITS } from '../config.ts'
import { LicenceError } from '../error.ts'

export type ContractName =
  | 'organisationRegistry'
  | 'identityRegistry'
  | 'licenceRegistry'
  | 'verificationLog'
  | 'serviceCredit'
  | 'tariff'
  // Of every chain of a network with side chains.
  | 'pegGateway'
  // Of a main chain.
  | 'creditVault'
  | 'identityPeg'
  | 'licenceIndex'
  // Of a side chain.
  | 'creditPeg'
  | 'identityMirror'
  | 'licencePeg'

const INTERFACES: Readonly<Record<ContractName, Interface>> = {
  organisationRegistry: new Interface(organisationRegistry.abi as unknown as InterfaceAbi),
  identityRegistry: new Interface(identityRegistry.abi as unknown as InterfaceAbi),
  licenceRegistry: new Interface(licenceRegistry.abi as unknown as InterfaceAbi),
  verificationLog: new Interface(verificationLog.abi as unknown as InterfaceAbi),
  serviceCredit: new Interface(serviceCredit.abi as unknown as InterfaceAbi),
  tariff: new Interface(tariff.abi as unknown as InterfaceAbi),
  pegGateway: new Interface(pegGateway.abi as unknown as InterfaceAbi),
  creditVault: new Interface(creditVault.abi as unknown as InterfaceAbi),
  identityPeg: new Interface(identityPeg.abi as unknown as InterfaceAbi),
  licenceIndex: new Interface(licenceIndex.abi as unknown as InterfaceAbi),
  creditPeg: new Interface(creditPeg.abi as unknown as InterfaceAbi),
  identityMirror: new Interface(identityMirror.abi as unknown as InterfaceAbi),
  licencePeg: new Interface(licencePeg.abi as unknown as InterfaceAbi),
}

/** Where each stands. What a main and a side chain have for one thing stands at one address. */
export const CONTRACT_ADDRESSES: Readonly<Record<ContractName, string>> = {
  organisationRegistry: ADDRESSES.organisationRegistry,
  identityRegistry: ADDRESSES.identityRegistry,
  licenceRegistry: ADDRESSES.licenceRegistry,
  verificationLog: ADDRESSES.verificationLog,
  serviceCredit: ADDRESSES.serviceCredit,
  tariff: ADDRESSES.tariff,
  pegGateway: ADDRESSES.pegGateway,
  creditVault: ADDRESSES.creditBridge,
  identityPeg: ADDRESSES.identityPeg,
  licenceIndex: ADDRESSES.licencePeg,
  creditPeg: ADDRESSES.creditBridge,
  identityMirror: ADDRESSES.identityRegistry,
  licencePeg: ADDRESSES.licencePeg,
}

/** A transaction in its block. */
export interface Done {
  readonly transactionHash: string
  readonly blockNumber: number
  /** Of the contract that was called. */
  readonly events: readonly ContractEvent[]
}

export interface ContractEvent {
  readonly name: string
  readonly args: Result
  readonly blockNumber: number
  readonly transactionHash: string
}

/** Reading. */
export interface ChainReader {
  readonly provider: Provider
  ask(to: ContractName, method: string, args: readonly unknown[], block?: number): Promise<Result>
  /**
   * Events in blocks from `from` to `to`, in their order.
   * @param topics values of indexed arguments in order; null: any
   */
  events(query: {
    readonly of: ContractName
    readonly name: string
    readonly topics?: readonly unknown[]
    readonly from?: number
    readonly to?: number
  }): Promise<ContractEvent[]>
}

/** Reading, and sending with an account. */
export interface ChainWriter extends ChainReader {
  readonly account: string
  send(to: ContractName, method: string, args: readonly unknown[]): Promise<Done>
}

/** Gas that is given beyond the estimate, in percent: status may change between the two. */
const GAS_MARGIN_PERCENT = 25n
/** Milliseconds between two questions whether something has happened, and how many there are. */
const POLL_MS = 25
const POLLS_MAX = 4_800

export function createChainReader(provider: Provider): ChainReader {
  return {
    provider,
    ask: async (to, method, args, block) => {
      const data = INTERFACES[to].encodeFunctionData(method, [...args])
      const request = {
        to: CONTRACT_ADDRESSES[to],
        data,
        ...(block === undefined ? {} : { blockTag: block }),
      }
      const answer = await refusing(() => provider.call(request))
      try {
        return INTERFACES[to].decodeFunctionResult(method, answer)
      } catch (cause) {
        throw new LicenceError(
          'LICENCE_CHAIN_ANSWER',
          `${to}.${method} gave an answer of another form: is this a chain of this network?`,
          {},
          { cause },
        )
      }
    },
    events: async ({ of, name, topics = [], from = 0, to }) => {
      const last = to ?? (await provider.getBlockNumber())
      const filter = INTERFACES[of].encodeFilterTopics(name, [...topics])
      const out: ContractEvent[] = []
      for (let first = from; first <= last; first += LICENCE_LIMITS.logBlocksMax) {
        const end = Math.min(last, first + LICENCE_LIMITS.logBlocksMax - 1)
        const range = { fromBlock: first, toBlock: end }
        const logs = await provider.getLogs({
          address: CONTRACT_ADDRESSES[of],
          topics: filter,
          ...range,
        })
        out.push(...logs.flatMap((log) => eventOf(of, log)))
      }
      return out
    },
  }
}

/**
 * @param signer with a provider
 * @param fees in wei for a unit of gas; 0, as our chains have it, unless told
 */
export function createChainWriter(signer: Signer & { address?: string }, fees = 0n): ChainWriter {
  const { provider } = signer
  if (provider === null) {
    throw new LicenceError('LICENCE_CHAIN_ANSWER', 'the signer is connected to no provider')
  }
  const reader = createChainReader(provider)
  const account = signer.address ?? ''
  return {
    ...reader,
    account,
    send: async (to, method, args) => {
      const data = INTERFACES[to].encodeFunctionData(method, [...args])
      const request = {
        to: CONTRACT_ADDRESSES[to],
        data,
        maxFeePerGas: fees,
        maxPriorityFeePerGas: fees,
      }
      const estimate = await refusing(() => signer.estimateGas(request))
      const gasLimit = (estimate * (100n + GAS_MARGIN_PERCENT)) / 100n
      const sent = await signer.sendTransaction({ ...request, gasLimit })
      const receipt = await receiptOf(provider, sent.hash)
      if (receipt.status === 0) throw refused(undefined)
      return doneOf(to, receipt)
    },
  }
}

/**
 * Waits until a transaction is in a block. The provider's own way asks again with the next block only;
 * where blocks come on demand there may be none for a minute, when the one that is waited for came
 * between its first two questions.
 */
async function receiptOf(provider: Provider, hash: string): Promise<TransactionReceipt> {
  return waitFor(
    provider,
    async () => (await provider.getTransactionReceipt(hash)) ?? undefined,
    `transaction ${hash} is in no block yet: does the chain make blocks?`,
  )
}

/**
 * Asks again and again until there is an answer: two minutes, or the time that the questions take.
 * @param ask undefined: not yet
 * @param otherwise what to say when it did not come
 * @throws LicenceError LICENCE_CHAIN_ANSWER
 */
export async function waitFor<T>(
  provider: Provider,
  ask: () => Promise<T | undefined>,
  otherwise: string,
): Promise<T> {
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    const answer = await ask()
    if (answer !== undefined) return answer
    await pause(provider)
  }
  throw new LicenceError('LICENCE_CHAIN_ANSWER', otherwise)
}

/** A moment by the provider's timer: this library has none, as it runs in browsers too. */
async function pause(provider: Provider): Promise<void> {
  if (provider instanceof AbstractProvider) {
    await new Promise<void>((resume) => provider._setTimeout(resume, POLL_MS))
  }
}

function doneOf(to: ContractName, receipt: TransactionReceipt): Done {
  const { hash: transactionHash, blockNumber, logs } = receipt
  const own = logs.filter((log) => log.address.toLowerCase() === CONTRACT_ADDRESSES[to])
  return { transactionHash, blockNumber, events: own.flatMap((log) => eventOf(to, log)) }
}

function eventOf(of: ContractName, log: Log): ContractEvent[] {
  const parsed = INTERFACES[of].parseLog(log)
  if (parsed === null) return []
  const { blockNumber, transactionHash } = log
  return [{ name: parsed.name, args: parsed.args, blockNumber, transactionHash }]
}

/** Turns what ethers says of a revert into our error, with the name that the contract gave. */
async function refusing<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!isError(error, 'CALL_EXCEPTION')) throw error
    const data = error.data ?? undefined
    throw refused(typeof data === 'string' ? data : undefined, error)
  }
}

function refused(data: string | undefined, cause?: unknown): LicenceError {
  const parsed =
    data === undefined
      ? undefined
      : Object.values(INTERFACES)
          .map((each) => each.parseError(data))
          .find((each) => each !== null)
  const name = parsed?.name ?? 'unknown'
  const values = parsed === undefined ? '' : `(${parsed.args.join(', ')})`
  return new LicenceError(
    'LICENCE_CHAIN_REFUSED',
    `the contract refuses: ${name}${values}`,
    { error: name },
    { cause },
  )
}

/** The event of that name in what was done. @throws LicenceError LICENCE_CHAIN_ANSWER if it is not there */
export function eventNamed(done: Done, name: string): ContractEvent {
  const event = done.events.find((each) => each.name === name)
  if (event === undefined) {
    throw new LicenceError('LICENCE_CHAIN_ANSWER', `the transaction has no event ${name}`)
  }
  return event
}
