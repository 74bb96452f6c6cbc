/** Who takes part in the tour, and what its licence says. All of it is made up. */

import { encodeBytes32String, id, Wallet, ZeroAddress } from 'ethers'
import { type ChainReader, createChainWriter } from '../chain/contracts.ts'
import { LicenceError } from '../error.ts'
import type { LicenceData } from '../licence-data.ts'
import { formatLicenceIdentifier } from '../licence-identifier.ts'
import type { PersonDocument } from '../subject.ts'

/** An organisation that the chain began with. */
export interface CastMember {
  /** Credit code. */
  readonly code: string
  /** Of its account, 0x hex. */
  readonly privateKey: string
}

export interface TourCast {
  /** Root, and supervising authority. */
  readonly root: CastMember
  readonly registrar: CastMember
  readonly issuer: CastMember
  readonly publicVerifier: CastMember
  readonly commercialVerifier: CastMember
}

/** 21 characters: a health certificate of an authority that does not exist. */
export const TOUR_LICENCE_TYPE = '11100000000013338W032'

/** A business licence of an authority that does not exist. */
export const TOUR_BUSINESS_TYPE = '11100000000013338W011'

/** A number with a right check digit that belongs to nobody: region 340524, born in 1980. */
export const TOUR_PERSON: PersonDocument = { type: 'citizen number', number: '34052419800101001X' }

/** The authority that the root appoints on the tour. Its key is public, as all keys there. */
export const ACCREDITING: CastMember = {
  code: '11100000MB03271699',
  privateKey: id('vellum tour: accrediting authority'),
}

const DAY = 86_400
const YEARS_5 = 5 * 365 * DAY
/** Dates of licences are those of China. */
const CHINA_OFFSET_SECONDS = 8 * 3_600

/**
 * What the licence says.
 * @param licence.issuer credit code
 * @param licence.serial 9 to 32 letters and digits, used once on a chain
 * @param licence.now seconds since 1970
 */
export function tourLicence(licence: {
  readonly issuer: string
  readonly serial: string
  readonly version: number
  readonly now: number
}): LicenceData {
  const { issuer, serial, version, now } = licence
  return {
    identifier: formatLicenceIdentifier({ type: TOUR_LICENCE_TYPE, issuer, serial, version }),
    typeName: '健康证',
    number: '示健字第20260042号',
    issueDate: dateOf(now),
    issuerName: '示例卫生局',
    validFrom: dateOf(now),
    validUntil: dateOf(now + YEARS_5),
    region: '340524',
    holderName: '示例公民甲',
    holderCode: TOUR_PERSON.number,
    holderCodeType: 'citizen number',
    body: {
      occupation: '餐饮服务（示例）',
      examination: '体检编号SL-20260042',
      hospital: '示例市第一医院',
    },
  }
}

/**
 * Finds out whether the cast is on the chain.
 * @throws LicenceError LICENCE_CHAIN_ANSWER if it is not
 */
export async function assertOnStage(chain: ChainReader, cast: TourCast): Promise<void> {
  for (const { code, privateKey } of Object.values(cast) as CastMember[]) {
    const [account] = await chain.ask('organisationRegistry', 'accountOf', [
      encodeBytes32String(code),
    ])
    if (account !== new Wallet(privateKey).address) {
      throw new LicenceError(
        'LICENCE_CHAIN_ANSWER',
        'this chain has not the organisations of the development chain, which the tour is for',
        { code },
      )
    }
  }
}

/**
 * The chain of accreditation, as far as it is not there from an earlier tour.
 * @param licenceType 21 characters
 * @returns how many grants were made
 */
export async function accreditIssuer(
  chain: ChainReader,
  { root, issuer }: TourCast,
  now: number,
  licenceType: string = TOUR_LICENCE_TYPE,
): Promise<number> {
  const writer = (privateKey: string) => createChainWriter(new Wallet(privateKey, chain.provider))
  const [type, authority, code] = [licenceType, ACCREDITING.code, issuer.code].map(
    encodeBytes32String,
  ) as [string, string, string]
  const ask = async (method: string, ...args: unknown[]): Promise<unknown> =>
    (await chain.ask('organisationRegistry', method, args))[0]
  const send = (by: CastMember, method: string, ...args: unknown[]) =>
    writer(by.privateKey).send('organisationRegistry', method, args)
  const until = now + YEARS_5 * 2
  let grants = 0
  if ((await ask('accountOf', authority)) === ZeroAddress) {
    await send(root, 'register', authority, new Wallet(ACCREDITING.privateKey).address, 0)
  }
  if (!(await ask('isAccrediting', authority, type, now))) {
    await send(root, 'appoint', type, authority, 0, until)
    grants++
  }
  if (!(await ask('isAccredited', code, type, now))) {
    await send(ACCREDITING, 'accredit', type, code, 0, until)
    grants++
  }
  return grants
}

/** What the person's business licence says, of the tour over side chains. */
export function tourBusinessLicence(licence: Parameters<typeof tourLicence>[0]): LicenceData {
  const { issuer, serial, version, now } = licence
  return {
    ...tourLicence(licence),
    identifier: formatLicenceIdentifier({ type: TOUR_BUSINESS_TYPE, issuer, serial, version }),
    typeName: '营业执照（个体工商户）',
    number: '示商字第20260042号',
    issuerName: '示例市场监督管理局',
    issueDate: dateOf(now),
    body: { name: '示例小吃店', scope: '餐饮服务（示例）', address: '示例路42号' },
  }
}

function dateOf(seconds: number): string {
  return new Date((seconds + CHINA_OFFSET_SECONDS) * 1_000).toISOString().slice(0, 10)
}
