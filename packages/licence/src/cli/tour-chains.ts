/**
 * The tour over side chains: one person, registered once on the main chain, with a licence on each of
 * two side chains; credit that goes there, pays and comes back; and the end, by the identity alone. Nobody
 * who carries messages between the chains is trusted: the times are those of proofs.
 */

import { ADDRESSES } from '@vellum/contracts'
import { hexlify, randomBytes, Wallet } from 'ethers'
import { eventNamed, waitFor } from '../chain/contracts.ts'
import { creditOf, lockCredit, sideAccountOf, withdrawCredit } from '../chain/credit.ts'
import { bringAnswer, signAnswer } from '../chain/holder.ts'
import type { Issued } from '../chain/issuer.ts'
import { createLicenceIndex, type IndexedLicence } from '../chain/licence-index.ts'
import { whenAcknowledged } from '../chain/peg-messages.ts'
import { createPresenceDirectory, createPresenceOffice, type Presence } from '../chain/presence.ts'
import {
  createIdentityDirectory,
  createIdentityOffice,
  type IdentityState,
} from '../chain/registrar.ts'
import type { Report } from '../chain/verifier.ts'
import { LicenceError } from '../error.ts'
import { type IndexProof, type IndexProofReason, verifyIndexProof } from '../index-proof.ts'
import type { LicenceData } from '../licence-data.ts'
import type { LicenceStatus } from '../status-tree.ts'
import { creditText } from './amounts.ts'
import { type Connection, connect } from './connection.ts'
import {
  accreditIssuer,
  assertOnStage,
  TOUR_BUSINESS_TYPE,
  TOUR_LICENCE_TYPE,
  type TourCast,
  tourBusinessLicence,
  tourLicence,
} from './tour-cast.ts'
import { registerPerson } from './tour-registration.ts'
import { checksOf, createHolder, createStage, refusalOf, type Stage } from './tour-stage.ts'
import { createSteps, type StepPorts } from './tour-steps.ts'

export interface ChainsTourPorts extends StepPorts {
  /** Of a node's RPC server: the main chain. */
  readonly url: string
  /** The first gets a business licence, the second a health certificate. */
  readonly sides: readonly [TourSide, TourSide]
  readonly cast: TourCast
}

export interface TourSide {
  readonly name: string
  /** Of a node's RPC server. */
  readonly url: string
}

/** What happened, for who wants to check it. */
export interface ChainsTourOutcome {
  readonly holder: string
  readonly identityState: IdentityState
  readonly licences: readonly { readonly chainId: bigint; readonly number: bigint }[]
  /** As the main chain lists them. */
  readonly listed: readonly IndexedLicence[]
  /** Undefined: accepted. */
  readonly proofRefusals: readonly (IndexProofReason | undefined)[]
  /** Millionths of a credit. */
  readonly moved: bigint
  readonly charged: bigint
  readonly returned: bigint
  /** Of each side chain when the identity was suspended. */
  readonly suspended: readonly { readonly status: LicenceStatus; readonly presence: Presence }[]
  readonly refusals: readonly Report[]
  /** Milliseconds from sending to the effect on the other chain, and to the proof of it on the first. */
  readonly hops: readonly {
    readonly name: string
    readonly thereMs: number
    readonly backMs: number
  }[]
}

interface Side extends TourSide {
  readonly stage: Stage
  readonly chainId: bigint
  readonly licenceType: string
  readonly dataOf: (shape: Parameters<typeof tourLicence>[0]) => LicenceData
}

/** Purposes and reasons of this network, by number. */
const INSPECTION = 1
const INSURANCE = 2
const LOST_PHONE = 4
const DAY = 86_400
/** Millionths of a credit that go to a side chain. */
const CREDIT = 5_000_000n
/** Checks until one costs something: the first in each 30 days are free. */
const CHECKS_MAX = 8
/** Seconds that a proof may be old. */
const PROOF_AGE_MAX = 3_600

/** Whether a chain is the main chain of a network with side chains. @throws LicenceError LICENCE_NODE_UNREACHABLE */
export async function hasSideChains(url: string): Promise<boolean> {
  const connection = await connect(url)
  try {
    return (await connection.provider.getCode(ADDRESSES.identityPeg)) !== '0x'
  } finally {
    connection.close()
  }
}

/**
 * Takes the tour. It may be taken again: person, keys and licences are new each time.
 * @throws LicenceError LICENCE_NODE_UNREACHABLE, LICENCE_CHAIN_ANSWER if the cast is not on the chains or nobody
 *   relays, and of each step
 */
export async function runChainsTour(ports: ChainsTourPorts): Promise<ChainsTourOutcome> {
  const connections: Connection[] = []
  const open = async (url: string): Promise<Connection> => {
    const connection = await connect(url)
    connections.push(connection)
    return connection
  }
  try {
    const main = createStage(ports, await open(ports.url))
    const [business, health] = ports.sides
    const sides: readonly [Side, Side] = [
      {
        ...(await sideOf(business, main)),
        licenceType: TOUR_BUSINESS_TYPE,
        dataOf: tourBusinessLicence,
      },
      { ...(await sideOf(health, main)), licenceType: TOUR_LICENCE_TYPE, dataOf: tourLicence },
    ]
    return await tell(ports, main, sides)
  } finally {
    for (const connection of connections) connection.close()
  }

  async function sideOf(
    side: TourSide,
    main: Stage,
  ): Promise<TourSide & Pick<Side, 'stage' | 'chainId'>> {
    const connection = await open(side.url)
    const stage = createStage(ports, connection, main.chainId)
    return { ...side, stage, chainId: connection.chainId }
  }
}

async function tell(
  ports: ChainsTourPorts,
  main: Stage,
  sides: readonly [Side, Side],
): Promise<ChainsTourOutcome> {
  const { cast, print, nowMs } = ports
  await assertOnStage(main.chain, cast)
  for (const { stage } of sides) await assertOnStage(stage.chain, cast)
  const { step, seconds } = createSteps(ports)
  const holder = createHolder()
  const identity = holder.key.address
  const presences = createPresenceDirectory(main.chain)
  const index = createLicenceIndex(main.chain)
  const hops: ChainsTourOutcome['hops'][number][] = []

  /** Milliseconds until something is so on the other chain, and until this one has the proof. */
  const hop = async (
    name: string,
    from: number,
    there: () => Promise<unknown>,
    back: () => Promise<unknown>,
  ): Promise<string> => {
    const [thereMs, backMs] = await Promise.all(
      [there, back].map(async (wait) => {
        await wait()
        return nowMs() - from
      }),
    )
    hops.push({ name, thereMs: thereMs!, backMs: backMs! })
    return `there after ${secondsOf(thereMs!)}, proven back after ${secondsOf(backMs!)}`
  }

  print('')
  print('A person with licences on two side chains. All names and numbers are made up.')
  print('')

  await step('Register', () => registerPerson(main, { cast, holder }))

  await step('Open', async () => {
    const office = createPresenceOffice(main.writer(cast.registrar))
    const lines: string[] = []
    const waits: Promise<void>[] = []
    for (const { name, chainId, stage } of sides) {
      const from = nowMs()
      await office.open(identity, chainId)
      const states = createIdentityDirectory(stage.chain)
      const there = (): Promise<unknown> =>
        until(stage, async () => (await states.stateOf(identity)) === 'active', 'opened')
      const back = (): Promise<unknown> => presences.whenApplied(identity, chainId)
      waits.push(
        hop(`open on ${name}`, from, there, back).then(
          (told) => void lines.push(`${name}: ${told}`),
        ),
      )
    }
    await Promise.all(waits)
    return { value: undefined, lines: ['on both side chains, at the registrar’s wish', ...lines] }
  })

  await step('Accredit', async () => {
    for (const { stage, licenceType } of sides) {
      await accreditIssuer(stage.chain, cast, await stage.chainTime(), licenceType)
    }
    return { value: undefined, lines: ['each side chain accredits the issuer for its own type'] }
  })

  const issued = await step('Issue', async () => {
    const offers: Issued[] = []
    const lines: string[] = []
    for (const { name, stage, dataOf } of sides) {
      const serial = `SL${hexlify(randomBytes(5)).slice(2).toUpperCase()}`
      const now = stage.now()
      const offer = await stage.issuer.offer({
        data: dataOf({ issuer: cast.issuer.code, serial, version: 1, now }),
        holder: { identity, publicKey: holder.key.publicKey },
        now,
        acceptBy: (await stage.chainTime()) + DAY,
      })
      offers.push(offer)
      lines.push(`${name}: licence ${offer.number}, block ${offer.done.blockNumber}`)
    }
    return { value: offers, lines }
  })

  const credentials = await step('Accept', async () => {
    const opened: string[] = []
    for (const [i, { stage, chainId }] of sides.entries()) {
      const { number } = issued[i]!
      opened.push(await stage.open(issued[i]!, holder))
      const { content } = await stage.licences.recordOf(number)
      const deadline = (await stage.chainTime()) + DAY
      const answer = await signAnswer(
        chainId,
        { number, content, accepts: true, deadline },
        holder.key,
      )
      await bringAnswer(stage.writer(cast.issuer), answer)
    }
    return { value: opened, lines: ['the holder opens both, and signs: InForce'] }
  })

  const { listed, proofRefusals } = await step('List', async () => {
    const from = nowMs()
    await Promise.all(
      sides.map(({ chainId }, i) =>
        index.whenIndexed(chainId, issued[i]!.number, ({ status }) => status === 'InForce'),
      ),
    )
    const took = nowMs() - from
    const found = await index.licencesOf(identity)
    const set: string[] = await main.provider.send('qbft_getValidatorsByBlockNumber', ['latest'])
    const domain = (await main.provider.getBlock(0))?.hash ?? ''
    const trusted = {
      chainId: main.chainId,
      registry: ADDRESSES.licenceRegistry,
      domain,
      validators: [{ from: 0, set }],
    }
    const refusals: (IndexProofReason | undefined)[] = []
    const lines = [`the main chain knows both ${secondsOf(took)} later`]
    for (const { chainId, number, status, licenceType } of found) {
      const proof = await index.prove(chainId, number)
      const rule = { now: main.now(), ageMax: PROOF_AGE_MAX }
      const verdict = verifyIndexProof(proof, trusted, rule)
      refusals.push(verdict.ok ? undefined : verdict.reason)
      const checked = verdict.ok ? 'checked with its validators alone' : verdict.reason
      lines.push(
        `chain ${chainId} licence ${number}, type ${licenceType}: ${status}; a proof of ${sizeOf(proof)} bytes, ${checked}`,
      )
    }
    return { value: { listed: found, proofRefusals: refusals }, lines }
  })

  const paying = sides[1]
  const payer = new Wallet(cast.commercialVerifier.privateKey).address
  const before = await creditOf(paying.stage.chain, payer)

  await step('Credit', async () => {
    const from = nowMs()
    const done = await lockCredit(main.writer(cast.commercialVerifier), {
      chainId: paying.chainId,
      recipient: payer,
      amount: CREDIT,
    })
    const id = eventNamed(done, 'CreditLocked').args.sendId as string
    const told = await hop(
      `credit to ${paying.name}`,
      from,
      () =>
        until(
          paying.stage,
          async () => (await creditOf(paying.stage.chain, payer)) === before + CREDIT,
          'credited',
        ),
      () => whenAcknowledged(main.chain, { id, from: done.blockNumber }),
    )
    return {
      value: undefined,
      lines: [`a company moves ${creditText(CREDIT)} to ${paying.name}: ${told}`],
    }
  })

  const charged = await step('Pay', async () => {
    const { stage } = paying
    const { commercialVerifier } = cast
    const approve = [ADDRESSES.verificationLog, CREDIT]
    await stage.writer(commercialVerifier).send('serviceCredit', 'approve', approve)
    for (let checks = 1; checks <= CHECKS_MAX; checks++) {
      const { report } = await checkOn(paying, credentials[1]!, 'commercialVerifier')
      const price = before + CREDIT - (await creditOf(stage.chain, payer))
      if (price === 0n) continue
      const free = checks === 1 ? '' : `, after ${checks - 1} free ones`
      return { value: price, lines: [`${checksOf(report)}; charged ${creditText(price)}${free}`] }
    }
    throw new LicenceError('LICENCE_CHAIN_ANSWER', 'checks cost nothing on this chain')
  })

  const returned = await step('Withdraw', async () => {
    const amount = CREDIT - charged
    const from = nowMs()
    const rest = await creditOf(main.chain, payer)
    const done = await withdrawCredit(paying.stage.writer(cast.commercialVerifier), {
      recipient: payer,
      amount,
    })
    const id = eventNamed(done, 'CreditBurned').args.sendId as string
    const told = await hop(
      `credit from ${paying.name}`,
      from,
      () => until(main, async () => (await creditOf(main.chain, payer)) === rest + amount, 'paid'),
      () => whenAcknowledged(paying.stage.chain, { id, from: done.blockNumber }),
    )
    const { locked } = await sideAccountOf(main.chain, paying.chainId)
    const [supply] = await paying.stage.chain.ask('serviceCredit', 'totalSupply', [])
    const same = locked === supply ? 'as much as it has' : `it has ${creditText(supply)}`
    return {
      value: amount,
      lines: [
        `${creditText(amount)} come back: ${told}`,
        `locked for ${paying.name} stay ${creditText(locked)}: ${same}`,
      ],
    }
  })

  const suspended = await step('Suspend', async () => {
    const office = createIdentityOffice(main.writer(cast.registrar))
    const from = nowMs()
    await office.suspend(identity, LOST_PHONE)
    const lines: string[] = []
    const found = await Promise.all(
      sides.map(async ({ name, chainId, stage }, i) => {
        const { number } = issued[i]!
        const told = await hop(
          `suspension on ${name}`,
          from,
          () =>
            until(
              stage,
              async () => (await stage.licences.statusOf(number)) === 'Suspended',
              'suspended',
            ),
          () => presences.whenApplied(identity, chainId),
        )
        const status = await stage.licences.statusOf(number)
        const presence = await presences.presenceOf(identity, chainId)
        lines.push(`${name}: licence ${number} is ${status}; ${told}`)
        return { status, presence }
      }),
    )
    return {
      value: found,
      lines: ['the identity alone, on the main chain: the phone was lost', ...lines.sort()],
    }
  })

  const refusals = await step('Check', async () => {
    const reports: Report[] = []
    const lines: string[] = []
    for (const [i, side] of sides.entries()) {
      const { report } = await checkOn(side, credentials[i]!, 'publicVerifier')
      reports.push(report)
      lines.push(`${side.name}: refused: ${refusalOf(report)}`)
    }
    return { value: reports, lines }
  })

  const identityState = await createIdentityDirectory(main.chain).stateOf(identity)
  const both = hops.map(({ backMs }) => backMs).sort((a, b) => a - b)
  print('')
  print(
    `${seconds()} s in all; a message is delivered and acknowledged in ${secondsOf(both[both.length >> 1]!)} (median of ${both.length}).`,
  )
  print(
    'Each step has a command: vellum identity --help, vellum licence --help, vellum credit --help.',
  )
  return {
    holder: identity,
    identityState,
    licences: sides.map(({ chainId }, i) => ({ chainId, number: issued[i]!.number })),
    listed,
    proofRefusals,
    moved: CREDIT,
    charged,
    returned,
    suspended,
    refusals,
    hops,
  }

  async function checkOn(
    { stage }: Side,
    credential: string,
    who: 'commercialVerifier' | 'publicVerifier',
  ): Promise<{ report: Report }> {
    const by = cast[who]
    const { presentation } = await stage.show(credential, {
      holder,
      by,
      purpose: '核验',
      fields: ['holderName'],
    })
    const purpose = who === 'publicVerifier' ? INSPECTION : INSURANCE
    return stage.check(presentation, { by, purpose })
  }
}

/** Waits until something is so on a chain. */
function until(stage: Stage, isSo: () => Promise<boolean>, what: string): Promise<true> {
  return waitFor(
    stage.provider,
    async () => ((await isSo()) ? true : undefined),
    `chain ${stage.chainId} has not ${what} it yet: does a relayer run?`,
  )
}

function secondsOf(ms: number): string {
  return `${(ms / 1_000).toFixed(2)} s`
}

/** Bytes of a proof, each node once: the six paths have most in common. */
function sizeOf({ header, account, slots }: IndexProof): number {
  const nodes = new Set([...account, ...slots.flat()].map((node) => hexlify(node)))
  return [...nodes].reduce((total, node) => total + (node.length - 2) / 2, header.length)
}
