/**
 * The tour: the whole life of a licence on a development chain, told as it happens. Registration,
 * accreditation, issue, acceptance, presentation, verification, renewal, suspension, the offline
 * code, the bill, and the holder's own list.
 *
 * Everything is done by the means that applications have: this library and a node's RPC server. What
 * is told are results, sizes and times, never the contents of a person's fields.
 */

import { ADDRESSES } from '@vellum/contracts'
import { hexlify, randomBytes } from 'ethers'
import { type Bill, billOf, periodOf } from '../chain/billing.ts'
import {
  bringAnswer,
  listVerifications,
  type SeenVerification,
  signAnswer,
} from '../chain/holder.ts'
import type { IdentityState } from '../chain/registrar.ts'
import type { Report } from '../chain/verifier.ts'
import { codeSize } from '../code.ts'
import { fieldsOf } from '../credential.ts'
import { encodeOfflineCode, type OfflineReason, verifyOfflineCode } from '../offline.ts'
import { present } from '../presentation.ts'
import { createReplayMemory } from '../replay.ts'
import { quorumOf } from '../sealed-header.ts'
import { creditText } from './amounts.ts'
import { type Connection, connect } from './connection.ts'
import { placeOf } from './session.ts'
import { accreditIssuer, assertOnStage, type TourCast, tourLicence } from './tour-cast.ts'
import { registerPerson } from './tour-registration.ts'
import { checksOf, createHolder, createStage, refusalOf } from './tour-stage.ts'
import { createSteps, type StepPorts } from './tour-steps.ts'

export interface TourPorts extends StepPorts {
  /** Of a node's RPC server. */
  readonly url: string
  readonly cast: TourCast
}

/** What happened, for who wants to check it. */
export interface TourOutcome {
  readonly holder: string
  readonly identityState: IdentityState
  readonly first: bigint
  readonly renewed: bigint
  readonly firstCheck: Report
  readonly oldCheck: Report
  readonly suspendedCheck: Report
  readonly liftedCheck: Report
  readonly codeBytes: number
  readonly offlineBytes: number
  /** Undefined: accepted. */
  readonly offlineRefusal: OfflineReason | undefined
  readonly replayRefusal: OfflineReason | undefined
  readonly bill: Bill
  /** Millionths of a credit that left the verifier's account on this tour. */
  readonly paid: bigint
  readonly seen: readonly SeenVerification[]
  /** Verifications that somebody else finds with another secret. */
  readonly seenByOthers: number
}

/** Purposes of this network, by number. */
const PURPOSES = { inspection: 1, insurance: 2 } as const
/** Reasons of status changes on the tour. */
const REASONS = { missedExamination: 7, examined: 8 } as const
const DAY = 86_400
/** Millionths of a credit that the log may take on the tour. */
const ALLOWANCE = 1_000_000n
/** Seconds that the offline verifier lets a proof be old. */
const PROOF_AGE_MAX = 3_600
const SHOWN_FIELDS = ['holderName', 'body.occupation'] as const
/** Characters of a code that are printed: enough to see what it is, too few to read it. */
const CODE_CHARACTERS = 40

/**
 * Takes the tour; some seconds. It may be taken again: person, keys and licence are new each time.
 * @throws LicenceError LICENCE_NODE_UNREACHABLE, LICENCE_CHAIN_ANSWER if the cast is not on the chain,
 *   and of each step
 */
export async function runTour(ports: TourPorts): Promise<TourOutcome> {
  const connection = await connect(ports.url)
  try {
    return await tell(ports, connection)
  } finally {
    connection.close()
  }
}

async function tell(ports: TourPorts, connection: Connection): Promise<TourOutcome> {
  const { cast, print } = ports
  const stage = createStage(ports, connection)
  const { chain, chainId, licences, now } = stage
  await assertOnStage(chain, cast)
  const { step, seconds } = createSteps(ports)
  const holder = createHolder()

  print('')
  print('A licence from registration to the bill. All names and numbers are made up.')
  print('')

  const identityState = await step('Register', () => registerPerson(stage, { cast, holder }))

  await step('Accredit', async () => {
    const grants = await accreditIssuer(chain, cast, await stage.chainTime())
    return {
      value: undefined,
      lines: [
        grants === 0
          ? 'the issuing authority was accredited on an earlier tour'
          : 'the root appoints an accrediting authority; that one accredits the issuer for one type',
      ],
    }
  })

  const serial = `SL${hexlify(randomBytes(5)).slice(2).toUpperCase()}`
  const dataOf = (version: number) =>
    tourLicence({ issuer: cast.issuer.code, serial, version, now: now() })
  const holderOf = { identity: holder.key.address, publicKey: holder.key.publicKey }
  const { issuer } = stage

  const offered = await step('Issue', async () => {
    const issued = await issuer.offer({
      data: dataOf(1),
      holder: holderOf,
      now: now(),
      acceptBy: (await stage.chainTime()) + DAY,
    })
    const envelope = await licences.envelopeOf(issued.number)
    const where =
      envelope?.place === 'chain'
        ? `${envelope.ciphertext.length} bytes encrypted to the holder on chain`
        : `${envelope?.reference.length} bytes encrypted to the holder, in a store`
    return {
      value: issued,
      lines: [
        `licence ${issued.number} is offered; ${placeOf(issued.done)}`,
        `${fieldsOf(issued.credential).length} personal fields, each with its own salt; ${where}`,
      ],
    }
  })

  const first = await step('Accept', async () => {
    const credential = await stage.open(offered, holder)
    const { content } = await licences.recordOf(offered.number)
    const answer = await signAnswer(
      chainId,
      { number: offered.number, content, accepts: true, deadline: (await stage.chainTime()) + DAY },
      holder.key,
    )
    const done = await bringAnswer(stage.writer(cast.issuer), answer)
    const status = await licences.statusOf(offered.number)
    return {
      value: credential,
      lines: [`the holder opens it, checks it and signs: ${status}`, placeOf(done)],
    }
  })

  const shown = await step('Present', async () => {
    const showing = await stage.show(first, {
      holder,
      by: cast.publicVerifier,
      purpose: '入职体检',
      fields: SHOWN_FIELDS,
    })
    return {
      value: showing,
      lines: [
        `${SHOWN_FIELDS.length} of the fields, signed for one verifier and one minute, in a code of ${codeSize(showing.code)} bytes`,
        `${showing.code.slice(0, CODE_CHARACTERS)}…`,
      ],
    }
  })

  const firstCheck = await step('Verify', async () => {
    const { report, entry } = await stage.check(shown.presentation, {
      by: cast.publicVerifier,
      purpose: PURPOSES.inspection,
    })
    return {
      value: report,
      lines: [
        `a public body checks, free of charge: ${checksOf(report)}`,
        `recorded in block ${entry.blockNumber}, ${entry.transactionHash}`,
      ],
    }
  })

  const balanceBefore = await stage.balanceOf(cast.commercialVerifier)
  const commercial = async (credential: string) => {
    const { presentation } = await stage.show(credential, {
      holder,
      by: cast.commercialVerifier,
      purpose: '办理保险',
      fields: SHOWN_FIELDS,
    })
    const before = await stage.balanceOf(cast.commercialVerifier)
    const { report, entry } = await stage.check(presentation, {
      by: cast.commercialVerifier,
      purpose: PURPOSES.insurance,
    })
    const price = before - (await stage.balanceOf(cast.commercialVerifier))
    return { report, entry, price }
  }

  await step('Charge', async () => {
    const { commercialVerifier } = cast
    await stage
      .writer(commercialVerifier)
      .send('serviceCredit', 'approve', [ADDRESSES.verificationLog, ALLOWANCE])
    const { report, price } = await commercial(first)
    return {
      value: undefined,
      lines: [`a company checks: ${checksOf(report)}; ${priceText(price)}`],
    }
  })

  const { renewed, second } = await step('Renew', async () => {
    const issued = await issuer.renew(offered.number, {
      data: dataOf(2),
      holder: holderOf,
      now: now(),
    })
    const statuses = [offered.number, issued.number].map((number) => licences.statusOf(number))
    const [before, after] = await Promise.all(statuses)
    return {
      value: { renewed: issued.number, second: await stage.open(issued, holder) },
      lines: [
        `in one transaction version 2, licence ${issued.number}, is ${after} and version 1 ${before}`,
        placeOf(issued.done),
      ],
    }
  })

  const oldCheck = await step('Old one', async () => {
    const { report, price } = await commercial(first)
    return { value: report, lines: [`refused: ${refusalOf(report)}; ${priceText(price)}`] }
  })

  const suspendedCheck = await step('Suspend', async () => {
    await issuer.suspend(renewed, REASONS.missedExamination)
    const { report, price } = await commercial(second)
    const { reason } = await licences.recordOf(renewed)
    return {
      value: report,
      lines: [
        `by the issuer, reason ${reason}; refused: ${refusalOf(report)}; ${priceText(price)}`,
      ],
    }
  })

  const liftedCheck = await step('Lift', async () => {
    await issuer.lift(renewed, REASONS.examined)
    const { report, price } = await commercial(second)
    return {
      value: report,
      lines: [`checked again: ${checksOf(report)}; ${priceText(price)}`],
    }
  })

  const offline = await step('Offline', async () => {
    const proof = await licences.proofOf(renewed)
    const text = await present(
      { fields: SHOWN_FIELDS, purpose: '出示' },
      { credential: second, key: holder.key, seed: holder.nextSeed(), now: now() },
    )
    const code = encodeOfflineCode(text, proof)
    const set: string[] = await connection.provider.send('qbft_getValidatorsByBlockNumber', [
      'latest',
    ])
    // From here on nothing is asked of anybody.
    const memory = createReplayMemory()
    const registry = ADDRESSES.licenceRegistry
    const rule = {
      chain: { chainId, registry, validators: [{ from: 0, set }] },
      now: now(),
      ageMax: PROOF_AGE_MAX,
      memory,
    }
    const verdict = verifyOfflineCode(code, rule)
    const again = verifyOfflineCode(code, rule)
    const answer = verdict.ok
      ? `${verdict.answer.status.leaf.status} at block ${verdict.answer.status.height}`
      : `refused: ${verdict.reason}`
    return {
      value: {
        bytes: codeSize(code),
        refusal: verdict.ok ? undefined : verdict.reason,
        replay: again.ok ? undefined : again.reason,
      },
      lines: [
        `a code of ${codeSize(code)} bytes, ${proof.length} of them the proof of its status: ${quorumOf(set.length)} of ${set.length} seals`,
        `checked with the validator set alone: ${answer}`,
        `the same code once more: ${again.ok ? 'accepted' : again.reason}`,
      ],
    }
  })

  const { bill, paid } = await step('Bill', async () => {
    const verifier = cast.commercialVerifier.code
    const made = await billOf(chain, { verifier, period: periodOf(await stage.chainTime()) })
    const left = balanceBefore - (await stage.balanceOf(cast.commercialVerifier))
    const free = made.lines.filter(({ amount }) => amount === 0n).length
    return {
      value: { bill: made, paid: left },
      lines: [
        `made of the chain alone: ${made.lines.length} checks, ${free} free, ${creditText(made.total)}`,
        made.wrong.length === 0
          ? 'each line is what the tariff says'
          : `${made.wrong.length} lines are not what the tariff says`,
      ],
    }
  })

  const { seen, others } = await step('Look back', async () => {
    const numbers = [offered.number, renewed]
    const list = (secret: Uint8Array) =>
      listVerifications(chain, { secret, presentations: holder.seedsUsed(), numbers, chainId })
    const mine = await list(holder.seedSecret)
    const theirs = await list(randomBytes(32))
    return {
      value: { seen: mine, others: theirs.length },
      lines: [
        `the holder lists ${mine.length} checks by ${new Set(mine.map(({ verifier }) => verifier)).size} verifiers; who lacks the holder’s secret finds ${theirs.length}`,
      ],
    }
  })

  print('')
  print(
    `${seconds()} s in all. Each step has a command: vellum identity --help, vellum licence --help.`,
  )
  return {
    holder: holder.key.address,
    identityState,
    first: offered.number,
    renewed,
    firstCheck,
    oldCheck,
    suspendedCheck,
    liftedCheck,
    codeBytes: codeSize(shown.code),
    offlineBytes: offline.bytes,
    offlineRefusal: offline.refusal,
    replayRefusal: offline.replay,
    bill,
    paid,
    seen,
    seenByOthers: others,
  }
}

function priceText(amount: bigint): string {
  return amount === 0n ? 'free, as the first in each 30 days are' : `charged ${creditText(amount)}`
}
