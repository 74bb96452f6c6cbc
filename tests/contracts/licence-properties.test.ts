/** Random histories of licences on a node, against a model that is written as the rules are. */

import { LICENCE_STATUSES as STATUS } from '@vellum/contracts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Chain, INTERFACES, type Receipt, Refusal } from './chain.ts'
import {
  accounts,
  CODE,
  createWorld,
  DAY,
  offerFor,
  register,
  successorOf,
  TYPE,
  wallet,
} from './world.ts'

/** More by `VELLUM_PROPERTY_RUNS`. */
const RUNS = 20
const STEPS_MIN = 30
const STEPS_MAX = 50
const { issuer, registrar, root } = accounts

interface Modelled {
  readonly number: bigint
  readonly lineage: number
  version: number
  /** As the parties left it. */
  status: number
  readonly acceptBy: number
  readonly validUntil: number
  readonly issuedAt: number
}

interface Model {
  identity: 'active' | 'suspended' | 'cancelled'
  /** Accreditation of the issuer: from, and until it was withdrawn. */
  accredited: { readonly from: number; until: number }[]
  readonly licences: Modelled[]
}

const LIVE: readonly number[] = [STATUS.inForce, STATUS.suspended]

function ownStatus(licence: Modelled, now: number): number {
  if (licence.status === STATUS.inForce && now >= licence.validUntil) return STATUS.lapsed
  if (licence.status === STATUS.offered && now >= licence.acceptBy) return STATUS.lapsed
  return licence.status
}

function statusOf(model: Model, licence: Modelled, now: number): number {
  const own = ownStatus(licence, now)
  if (!LIVE.includes(own)) return own
  if (model.identity === 'cancelled') return STATUS.cancelled
  return model.identity === 'suspended' ? STATUS.suspended : own
}

const isAccredited = (model: Model, time: number): boolean =>
  model.accredited.some(({ from, until }) => from <= time && time < until)

type Step = { readonly kind: string; readonly which: number; readonly days: number }

/** How often of 60: what helps often, so that licences live long enough for what ends them. */
const OFTEN: Readonly<Record<string, number>> = {
  issue: 9,
  accept: 12,
  decline: 1,
  renew: 5,
  change: 4,
  suspend: 4,
  lift: 4,
  cancel: 1,
  revoke: 1,
  rescind: 1,
  transferOut: 1,
  pass: 4,
  suspendIdentity: 1,
  reinstateIdentity: 4,
  cancelIdentity: 1,
  withdraw: 1,
  withdrawEarlier: 1,
  accredit: 5,
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    ...Object.entries(OFTEN).flatMap(([kind, n]) => Array<string>(n).fill(kind)),
  ),
  // Nearer the latest licences, where more is possible.
  which: fc.nat({ max: 1 }),
  days: fc.integer({ min: 1, max: 40 }),
})

/** Of the run at hand. */
let chain: Chain

const holder = wallet('holder')
let names = 0

test('no history leaves two in force, or none during a renewal, or a status that the rules do not give', async () => {
  const taken = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: STEPS_MIN, maxLength: STEPS_MAX }),
      async (steps) => {
        ;({ chain } = await createWorld())
        const model: Model = {
          identity: 'active',
          accredited: [{ from: await chain.now(), until: Number.POSITIVE_INFINITY }],
          licences: [],
        }
        await register(chain, holder)
        let lineages = 0

        for (const { kind, which, days } of steps) {
          const subject = model.licences.at(-1 - which)
          const worked = await attempt(kind, subject, days)
          if (worked === undefined) continue
          taken.set(`${kind} ${worked}`, (taken.get(`${kind} ${worked}`) ?? 0) + 1)
          await check(model)
        }
        await chain.stop()

        /** @returns whether it was done; undefined if there was nothing to try */
        async function attempt(
          kind: string,
          licence: Modelled | undefined,
          days: number,
        ): Promise<boolean | undefined> {
          const to = (method: string, ...args: unknown[]): Promise<Receipt> =>
            chain.send(issuer, 'licenceRegistry', method, args)
          switch (kind) {
            case 'pass':
              // Mostly a little, or everything would lapse before it is used.
              await chain.pass(days > 30 ? days * DAY : days * 3_600)
              return true
            case 'issue': {
              const now = await chain.now()
              const given = await offerFor(chain, holder.address, `random ${names++}`, {
                acceptBy: now + 3 * DAY,
                validUntil: now + (10 + days) * DAY,
              })
              const done = await outcome(
                chain.send(issuer, 'licenceRegistry', 'issue', [given]),
                isAccredited(model, now) && model.identity === 'active',
              )
              if (done === undefined) return false
              model.licences.push({
                number: numberIn(done),
                lineage: lineages++,
                version: 1,
                status: STATUS.offered,
                acceptBy: now + 3 * DAY,
                validUntil: now + (10 + days) * DAY,
                issuedAt: await chain.now(),
              })
              return true
            }
            case 'suspendIdentity':
              return identity('suspend', model.identity === 'active', 'suspended')
            case 'reinstateIdentity':
              return identity('reinstate', model.identity === 'suspended', 'active')
            case 'cancelIdentity':
              // Seldom, as little can happen afterwards.
              if (days > 6) return undefined
              return identity('cancel', model.identity !== 'cancelled', 'cancelled')
            case 'withdraw':
            case 'withdrawEarlier': {
              const latest = model.accredited.at(-1)!
              if (latest.until !== Number.POSITIVE_INFINITY) return undefined
              const now = await chain.now()
              const from = kind === 'withdraw' ? now : Math.max(latest.from, now - days * DAY)
              await chain.send(root, 'organisationRegistry', 'withdrawAccreditation', [
                TYPE,
                CODE.issuer,
                model.accredited.length - 1,
                from,
              ])
              latest.until = from
              return true
            }
            case 'accredit': {
              const latest = model.accredited.at(-1)!
              if (latest.until === Number.POSITIVE_INFINITY) return undefined
              // A second later at least, or it would not differ from the one before.
              await chain.pass(1)
              const until = (await chain.now()) + 3_000 * DAY
              const { accrediting } = accounts
              const args = [TYPE, CODE.issuer, 0, until]
              await chain.send(accrediting, 'organisationRegistry', 'accredit', args)
              model.accredited.push({ from: await chain.now(), until: Number.POSITIVE_INFINITY })
              return true
            }
          }
          if (licence === undefined) return undefined
          const now = await chain.now()
          const own = ownStatus(licence, now)
          const whole = statusOf(model, licence, now)
          const movable = model.identity !== 'cancelled'
          switch (kind) {
            case 'accept':
            case 'decline': {
              const may =
                own === STATUS.offered &&
                movable &&
                (kind === 'decline' ||
                  (model.identity === 'active' && isAccredited(model, licence.issuedAt)))
              const sent = chain.send(holder, 'licenceRegistry', kind, [licence.number])
              if ((await outcome(sent, may)) === undefined) return false
              licence.status = kind === 'accept' ? STATUS.inForce : STATUS.declined
              return true
            }
            case 'renew':
            case 'change': {
              const given = await successorOf(chain, `random ${names++}`, {
                validUntil: now + (10 + days) * DAY,
              })
              const may = whole === STATUS.inForce && isAccredited(model, now)
              const done = await outcome(to(kind, licence.number, given), may)
              if (done === undefined) return false
              licence.status = STATUS.lapsed
              model.licences.push({
                number: numberIn(done),
                lineage: licence.lineage,
                version: licence.version + 1,
                status: STATUS.inForce,
                acceptBy: 0,
                validUntil: now + (10 + days) * DAY,
                issuedAt: await chain.now(),
              })
              // Never two, never none.
              const pair = [licence.number, numberIn(done)].map((each) =>
                chain.ask('licenceRegistry', 'statusOf', [each]),
              )
              expect(await Promise.all(pair)).toEqual([5n, 1n])
              return true
            }
            case 'suspend':
              return move(
                STATUS.suspended,
                own === STATUS.inForce && movable,
                to(kind, licence.number, 1),
              )
            case 'lift':
              return move(
                STATUS.inForce,
                own === STATUS.suspended && movable,
                to(kind, licence.number, 1),
              )
            case 'cancel':
              return move(
                STATUS.cancelled,
                LIVE.includes(own) && movable,
                to(kind, licence.number, 1),
              )
            case 'revoke':
              return move(
                STATUS.revoked,
                LIVE.includes(own) && movable,
                to(kind, licence.number, 1),
              )
            case 'rescind':
              return move(
                STATUS.rescinded,
                LIVE.includes(own) && movable,
                to(kind, licence.number, 1, 0),
              )
            case 'transferOut':
              return move(
                STATUS.transferredOut,
                whole === STATUS.inForce,
                to(kind, licence.number, 99),
              )
          }
          throw new Error(`no step ${kind}`)

          async function move(
            status: number,
            may: boolean,
            sent: Promise<Receipt>,
          ): Promise<boolean> {
            if ((await outcome(sent, may)) === undefined) return false
            licence!.status = status
            return true
          }
        }

        async function identity(
          method: string,
          may: boolean,
          next: Model['identity'],
        ): Promise<boolean> {
          const sent = chain.send(registrar, 'identityRegistry', method, [holder.address, 1])
          if ((await outcome(sent, may)) === undefined) return false
          model.identity = next
          return true
        }
      },
    ),
    { numRuns: Number(process.env.VELLUM_PROPERTY_RUNS ?? RUNS), seed: 20_261_122 },
  )
  // Each step was done, and most were refused too: else this would prove little.
  const done = [...taken.keys()].filter((key) => key.endsWith('true'))
  const refusedSteps = [...taken.keys()].filter((key) => key.endsWith('false'))
  expect(done.length).toBe(Object.keys(OFTEN).length)
  expect(refusedSteps.length).toBeGreaterThan(10)
})

/** @returns the receipt if it was done, undefined if it was refused as it had to be */
async function outcome(sent: Promise<Receipt>, may: boolean): Promise<Receipt | undefined> {
  try {
    const receipt = await sent
    if (!may) throw new Error('done, though the rules forbid it')
    return receipt
  } catch (error) {
    if (may || !(error instanceof Refusal)) throw error
    return undefined
  }
}

function numberIn({ events }: Receipt): bigint {
  return events.find(({ name }) => name === 'LicenceNumbered')!.args.number as bigint
}

/** Everything that is always so, whatever happened. */
async function check(model: Model): Promise<void> {
  const now = await chain.now()
  const inForce = new Map<number, number>()
  for (const licence of model.licences) {
    const [found, leaf] = await Promise.all([
      chain.ask<bigint>('licenceRegistry', 'statusOf', [licence.number]),
      chain.ask<string>('licenceRegistry', 'leafData', [licence.number]),
    ])
    expect(Number(found)).toBe(statusOf(model, licence, now))
    // The leaf does not know the time: it says what it was before time ended it.
    const outranked = { ...licence, validUntil: now + 1, acceptBy: now + 1 }
    const lapsed = ownStatus(licence, now) === STATUS.lapsed
    const [, , status] = INTERFACES.licenceRegistry
      .getAbiCoder()
      .decode(
        [
          'uint256',
          'bytes32',
          'uint8',
          'uint32',
          'address',
          'bytes32',
          'uint64',
          'uint64',
          'uint64',
        ],
        leaf,
      )
    if (!lapsed) expect(Number(status)).toBe(statusOf(model, outranked, now))
    if (found === BigInt(STATUS.inForce)) {
      inForce.set(licence.lineage, (inForce.get(licence.lineage) ?? 0) + 1)
    }
  }
  for (const count of inForce.values()) expect(count).toBe(1)
}
