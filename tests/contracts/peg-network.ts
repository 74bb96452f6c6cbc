/**
 * A main chain and side chains with everything they begin with, and a courier between them that does what a test
 * says: it carries, or lets messages expire. Blocks, seals and proofs are real (peg-chains.ts).
 */

import {
  ADDRESSES,
  accessManager,
  council,
  creditPeg,
  creditVault,
  identityMirror,
  identityPeg,
  identityRegistry,
  licenceIndex,
  licencePeg,
  licenceRegistry,
  organisationRegistry,
  type PredeployOptions,
  pegGateway,
  permissions,
  predeploys,
  qbftLightClient,
  serviceCredit,
  tariff,
  verificationLog,
} from '@vellum/contracts'
import { type Address, bytesToHex, hexToBytes } from '@vellum/evm'
import { encodeHeader } from '@vellum/ledger'
import { Interface, type InterfaceAbi, id, type LogDescription, Wallet } from 'ethers'
import {
  acknowledgement,
  CallRefused,
  CLIENT,
  type Clock,
  delivery,
  follow,
  GATEWAY,
  hexOf,
  initCodeOf,
  type Key,
  keyOf,
  type Message,
  messageOf,
  openPegChain,
  outcomeOf,
  type PegChain,
  type Result,
  relayer,
  sealedBy,
  user,
  validatorKeys,
} from './peg-chains.ts'
import { compileForTest } from './solidity-in-tests.ts'
import {
  CODE,
  DAY,
  networkOptions,
  PAYLOAD,
  signedStatement,
  statementOf,
  TYPE,
  YEAR,
} from './world.ts'

export const MAIN_ID = 1337
export const SIDE_IDS = [133_701, 133_702, 133_703] as const

/** Contracts by what they are called here; some stand at one address on either kind of chain. */
const ABIS = {
  main: {
    council,
    accessManager,
    permissions,
    organisationRegistry,
    identityRegistry,
    verificationLog,
    serviceCredit,
    tariff,
    qbftLightClient,
    pegGateway,
    creditBridge: creditVault,
    identityPeg,
    licencePeg: licenceIndex,
  },
  side: {
    council,
    accessManager,
    permissions,
    organisationRegistry,
    identityRegistry: identityMirror,
    licenceRegistry,
    verificationLog,
    serviceCredit,
    tariff,
    qbftLightClient,
    pegGateway,
    creditBridge: creditPeg,
    licencePeg,
  },
} as const

export const AT = ADDRESSES as Readonly<Record<keyof typeof ADDRESSES, Address>>

export const governor: Key = keyOf('one')

export interface PegNetwork {
  readonly clock: Clock
  readonly main: PegChain
  readonly sides: readonly PegChain[]
  readonly all: readonly PegChain[]
  chain(chainId: number): PegChain
  /** A decision of the council. @throws CallRefused with the error of the call that it makes */
  decide(chain: PegChain, to: Address, method: string, args: readonly unknown[]): Promise<Result>
  /** Messages that were sent since the last time, on all chains, in the order of chains and blocks. */
  sent(): Message[]
  /** Carries every message and its outcome, until there are none. */
  carry(): Promise<Carried[]>
  /** Brings a message to its destination, which is told of the source's head before. */
  deliver(message: Message): Promise<Receipt>
  /** Brings an outcome back. */
  acknowledge(message: Message, receipt: Receipt): Promise<Result>
}

export interface Receipt {
  readonly outcome: number
  readonly returnHash: string
  readonly events: readonly LogDescription[]
  readonly gasUsed: number
}

export interface Carried {
  readonly message: Message
  readonly outcome: number
  readonly gasUsed: number
}

/** What every chain of the network begins with. */
export function options(changes: Partial<PredeployOptions> = {}): PredeployOptions {
  const { credit: _, ...rest } = networkOptions()
  return {
    ...rest,
    council: {
      members: [governor.address],
      threshold: 1,
      delaySeconds: 0,
    },
    guardians: [keyOf('guardian').address],
    ...changes,
  }
}

export async function openNetwork(
  changes: {
    readonly sides?: number
    readonly main?: Partial<PredeployOptions>
    /** Keys of the validators of side chain number so and so. */
    readonly sideValidators?: readonly (readonly Key[])[]
  } = {},
): Promise<PegNetwork> {
  const clock: Clock = { seconds: 1_800_000_000 }
  const open = (
    chainId: number,
    role: 'main' | 'side',
    opts: PredeployOptions,
    keys: readonly Key[],
  ) =>
    openPegChain({
      chainId,
      validators: keys,
      predeploys: predeploys(opts),
      interfaces: new Map(
        Object.entries(ABIS[role]).map(([name, { abi }]) => [
          AT[name as keyof typeof AT],
          new Interface(abi as unknown as InterfaceAbi),
        ]),
      ),
      clock,
    })
  const credit = new Map([[keyOf('verifier').address, 1_000_000_000n]])
  const mainOptions = options({ role: { kind: 'main' }, credit, ...changes.main })
  const main = await open(MAIN_ID, 'main', mainOptions, validatorKeys(4, 'main'))
  const known = {
    chainId: BigInt(MAIN_ID),
    domain: hexToBytes(main.domain),
    sealedHeader: encodeHeader(main.header(0)),
  }
  const sides: PegChain[] = []
  for (const [index, chainId] of SIDE_IDS.slice(0, changes.sides ?? 2).entries()) {
    const keys = changes.sideValidators?.[index] ?? validatorKeys(4, `side ${index}`)
    sides.push(await open(chainId, 'side', options({ role: { kind: 'side', main: known } }), keys))
  }
  const all = [main, ...sides]
  clock.seconds += 10
  const scanned = new Map(all.map((each) => [each, 0]))

  const network: PegNetwork = {
    clock,
    main,
    sides,
    all,
    chain: (chainId) => all.find((each) => each.chainId === chainId)!,
    async decide(chain, to, method, args) {
      const calls = [{ target: to, data: chain.data(to, method, args) }]
      const { events } = await chain.send(governor, AT.council, 'propose', [calls])
      const proposal = events.find(({ name }) => name === 'Proposed')!.args.proposal
      return chain.send(governor, AT.council, 'execute', [proposal, calls])
    },
    sent() {
      return all.flatMap((each) => {
        const found: Message[] = []
        for (let height = scanned.get(each)! + 1; height <= each.height(); height++) {
          for (const { logs } of each.chain.receipts(height)!) {
            for (const { address, topics, data } of logs) {
              if (address !== GATEWAY) continue
              const log = { topics: [...topics], data: bytesToHex(data) }
              const event = each.interfaces.get(GATEWAY)!.parseLog(log)
              if (event?.name === 'MessageCommitted') found.push(messageOf([event]))
            }
          }
        }
        scanned.set(each, each.height())
        return found
      })
    },
    async carry() {
      const carried: Carried[] = []
      for (let messages = network.sent(); messages.length > 0; messages = network.sent()) {
        for (const message of messages) {
          const receipt = await network.deliver(message)
          await network.acknowledge(message, receipt)
          carried.push({ message, outcome: receipt.outcome, gasUsed: receipt.gasUsed })
        }
      }
      return carried
    },
    async deliver(message) {
      const source = network.chain(message.sourceChainId)
      const destination = network.chain(message.destinationChainId)
      const height = await follow(destination, source)
      const args = delivery(source, message, height)
      const result = await destination.send(relayer, GATEWAY, 'deliver', args)
      return { ...outcomeOf(result), events: result.events, gasUsed: result.gasUsed }
    },
    async acknowledge(message, receipt) {
      const source = network.chain(message.sourceChainId)
      const destination = network.chain(message.destinationChainId)
      const height = await follow(source, destination)
      const args = acknowledgement(destination, message, height, receipt)
      return source.send(relayer, GATEWAY, 'acknowledge', args)
    },
  }
  for (const side of sides) {
    const first = [side.chainId, side.domain, side.sealedHeader(0), 14 * DAY, 60]
    await network.decide(main, CLIENT, 'createClient', first)
    await network.decide(main, GATEWAY, 'openChannel', [side.chainId])
    await accredit(side)
  }
  return network
}

async function accredit(side: PegChain): Promise<void> {
  const until = Number(side.header(side.height()).timestamp) + 10 * YEAR
  const at = AT.organisationRegistry
  await side.send(keyOf('root'), at, 'appoint', [TYPE, CODE.accrediting, 0, until])
  await side.send(keyOf('accrediting'), at, 'accredit', [TYPE, CODE.issuer, 0, until])
}

// Steps of stories.

export const walletOf = (key: Key): Wallet => new Wallet(bytesToHex(key.secret))

/** Registers a person's identity on the main chain. */
export async function register(network: PegNetwork, person: Key): Promise<void> {
  const holder = walletOf(person)
  const args = await signedStatement(network.main, statementOf(holder), { holder })
  await network.main.send(keyOf('registrar'), AT.identityRegistry, 'register', args)
}

/** Registers a person and opens the identity on side chains; nothing is carried yet. */
export async function settle(
  network: PegNetwork,
  person: Key,
  sides: readonly PegChain[] = network.sides,
): Promise<void> {
  await register(network, person)
  for (const side of sides) {
    await network.main.send(person, AT.identityPeg, 'open', [person.address, side.chainId])
  }
}

/** @returns number of a licence in force */
export async function issue(side: PegChain, person: Key, name: string): Promise<number> {
  const now = side.header(side.height()).timestamp
  const given = {
    identifier: id(name),
    content: id(`content of ${name}`),
    licenceType: TYPE,
    holder: person.address,
    validFrom: now,
    validUntil: now + YEAR,
    acceptBy: now + 7 * DAY,
    payload: PAYLOAD,
  }
  const { events } = await side.send(keyOf('issuer'), AT.licenceRegistry, 'issue', [given])
  const numbered = events.find((each) => each.name === 'LicenceNumbered')!
  const number = Number(numbered.args.number)
  await side.send(person, AT.licenceRegistry, 'accept', [number])
  return number
}

/** The call is refused with this error. */
export async function refusal(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    if (error instanceof CallRefused) return error.reason
    throw error
  }
  return 'not refused'
}

/**
 * A side chain whose validators lie together: what its apps send to the main chain is what somebody makes up. Its
 * headers carry the seals and the name of the honest chain.
 */
export async function openLiar(network: PegNetwork, side: PegChain): Promise<Liar> {
  const probe = compileForTest('PegProbe')
  const { main } = network
  const known = {
    chainId: BigInt(main.chainId),
    domain: hexToBytes(main.domain),
    sealedHeader: encodeHeader(main.header(0)),
  }
  const apps = [AT.creditBridge, AT.licencePeg, AT.identityRegistry]
  const honest = predeploys(options({ role: { kind: 'side', main: known } }))
  const liar = await openPegChain({
    chainId: side.chainId,
    validators: side.validators,
    predeploys: honest.map((each) =>
      apps.includes(each.address) ? { ...each, initCode: initCodeOf(probe, [GATEWAY]) } : each,
    ),
    interfaces: new Map([
      ...side.interfaces,
      ...apps.map((app) => [app, new Interface(probe.abi as InterfaceAbi)] as const),
    ]),
    clock: network.clock,
  })
  return {
    async tell(app, payload) {
      // Numbers that the honest chain used are spent.
      const used = side.ask<bigint>(GATEWAY, 'sentCount', [main.chainId])
      let message: Message
      do {
        const args = [main.chainId, app, payload, []]
        message = messageOf((await liar.send(user, app, 'send', args)).events)
      } while (message.sequence <= Number(used))
      const { latestHeight } = main.ask<{ latestHeight: bigint }>(CLIENT, 'client', [side.chainId])
      // A child of a block that main knows would have to name it.
      while (liar.height() <= Number(latestHeight) + 1) await liar.block()
      const height = liar.height()
      const header = { ...liar.header(height), parentBeaconBlockRoot: side.domain }
      const forged = hexOf(sealedBy(header, side.validators))
      await main.send(relayer, CLIENT, 'updateClient', [side.chainId, latestHeight, forged])
      const args = delivery(liar, message, height)
      return outcomeOf(await main.send(relayer, GATEWAY, 'deliver', args)).outcome
    },
  }
}

export interface Liar {
  /** @returns what the main chain makes of it */
  tell(app: Address, payload: string): Promise<number>
}
