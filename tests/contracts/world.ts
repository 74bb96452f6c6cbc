/** Who acts in the tests of the contracts, and the steps that most stories begin with. */

import { ADDRESSES, CAPACITIES, IDENTITY_KINDS, type PredeployOptions } from '@vellum/contracts'
import { encodeBytes32String, id, keccak256, SigningKey, type TypedDataField, Wallet } from 'ethers'
import { type Chain, createChain, type Receipt } from './chain.ts'

const wallet = (name: string): Wallet => new Wallet(id(name))
const address = (account: Wallet): `0x${string}` => account.address.toLowerCase() as `0x${string}`

export const CODES = {
  root: '11100000000013338W',
  supervisor: '11430000006122244L',
  registrar: '11100000000013661B',
  accrediting: '11330105002500287C',
  issuer: '11100000MB03271699',
  verifier: '91350100M000100Y43',
  office: '11220000013544541J',
} as const

export type OrganisationName = keyof typeof CODES

/** Codes as the contracts keep them. */
export const CODE = Object.fromEntries(
  Object.entries(CODES).map(([name, code]) => [name, encodeBytes32String(code)]),
) as Record<OrganisationName, string>

export const TYPE: string = encodeBytes32String('11100000000013338W011')
export const OTHER_TYPE: string = encodeBytes32String('11100000000013338W012')

export const DAY = 24 * 3_600
export const YEAR: number = 365 * DAY

export const PAYLOAD = { store: 0, data: '0x0badcafe', hash: `0x${'00'.repeat(32)}`, length: 0 }

export interface World {
  readonly chain: Chain
  readonly council: readonly Wallet[]
  /** Accounts of the organisations. */
  readonly accounts: Readonly<Record<OrganisationName, Wallet>>
}

export const accounts = Object.fromEntries(
  Object.keys(CODES).map((name) => [name, wallet(name)]),
) as Record<OrganisationName, Wallet>
export const councillors: readonly Wallet[] = [wallet('one'), wallet('two'), wallet('three')]

/** Organisations that the chain begins with; the issuer is accredited by `createWorld`. */
export function networkOptions(changes: Partial<PredeployOptions> = {}): PredeployOptions {
  const founder = (name: OrganisationName, rest: object): PredeployOptions['organisations'][0] => ({
    code: CODES[name],
    account: address(accounts[name]),
    ...rest,
  })
  return {
    council: { members: councillors.map(address), threshold: 2, delaySeconds: 3_600 },
    organisations: [
      founder('root', { capacities: CAPACITIES.root }),
      founder('supervisor', { capacities: CAPACITIES.supervisor }),
      founder('registrar', { capacities: CAPACITIES.registrar }),
      founder('accrediting', {}),
      founder('issuer', {}),
      founder('verifier', { verifierClass: 2 }),
      founder('office', { verifierClass: 1 }),
    ],
    tariff: [
      { verifierClass: 1, perUse: 0n, perByte: 0n, freeUses: 0 },
      { verifierClass: 2, perUse: 2_000_000n, perByte: 1_000n, freeUses: 2 },
    ],
    credit: new Map([[address(accounts.verifier), 10_000_000n]]),
    ...changes,
  }
}

/** A chain on which `issuer` is accredited for `TYPE` for ten years. */
export async function createWorld(changes: Partial<PredeployOptions> = {}): Promise<World> {
  const chain = await createChain(networkOptions(changes))
  await chain.pass(1)
  const until = (await chain.now()) + 10 * YEAR
  const { root, accrediting } = accounts
  await chain.send(root, 'organisationRegistry', 'appoint', [TYPE, CODE.accrediting, 0, until])
  await chain.send(accrediting, 'organisationRegistry', 'accredit', [TYPE, CODE.issuer, 0, until])
  return { chain, council: councillors, accounts }
}

// Identities.

const IDENTITY: TypedDataField[] = [
  { name: 'holder', type: 'address' },
  { name: 'publicKeyX', type: 'bytes32' },
  { name: 'publicKeyY', type: 'bytes32' },
  { name: 'subject', type: 'bytes32' },
  { name: 'kind', type: 'uint8' },
  { name: 'registrar', type: 'bytes32' },
  { name: 'digest', type: 'bytes32' },
  { name: 'payloadHash', type: 'bytes32' },
  { name: 'version', type: 'uint64' },
  { name: 'deadline', type: 'uint64' },
]
const COUNTERSIGNATURE: TypedDataField[] = [
  { name: 'identity', type: 'Identity' },
  { name: 'registrarSignature', type: 'bytes' },
]
const KEY_CHANGE: TypedDataField[] = [
  { name: 'identity', type: 'address' },
  { name: 'publicKeyX', type: 'bytes32' },
  { name: 'publicKeyY', type: 'bytes32' },
  { name: 'nonce', type: 'uint256' },
  { name: 'deadline', type: 'uint64' },
]

export interface Statement {
  readonly holder: string
  readonly publicKeyX: string
  readonly publicKeyY: string
  readonly subject: string
  readonly kind: number
  readonly registrar: string
  readonly digest: string
  readonly payloadHash: string
  readonly version: number
  readonly deadline: number
}

export function publicKeyOf(holder: Wallet): { publicKeyX: string; publicKeyY: string } {
  const digits = SigningKey.computePublicKey(holder.privateKey, false).slice(4)
  return { publicKeyX: `0x${digits.slice(0, 64)}`, publicKeyY: `0x${digits.slice(64)}` }
}

/** @param chain the one that has the registry */
export function identityDomain(chain: Pick<Chain, 'chainId'>): object {
  return {
    name: 'Vellum Identities',
    version: '1',
    chainId: chain.chainId,
    verifyingContract: ADDRESSES.identityRegistry,
  }
}

export const IDENTITY_PAYLOAD = '0xc1c1c1'

export function statementOf(holder: Wallet, changes: Partial<Statement> = {}): Statement {
  return {
    holder: holder.address,
    ...publicKeyOf(holder),
    subject: id(`subject of ${holder.address}`),
    kind: IDENTITY_KINDS.citizen,
    registrar: CODE.registrar,
    digest: id(`data of ${holder.address}`),
    payloadHash: keccak256(IDENTITY_PAYLOAD),
    version: 1,
    deadline: 4_000_000_000,
    ...changes,
  }
}

/** @returns the arguments of `register` and `change` */
export async function signedStatement(
  chain: Pick<Chain, 'chainId'>,
  statement: Statement,
  signers: { readonly registrar?: Wallet; readonly holder: Wallet },
): Promise<unknown[]> {
  const domain = identityDomain(chain)
  const registrar = signers.registrar ?? accounts.registrar
  const first = await registrar.signTypedData(domain, { Identity: IDENTITY }, statement)
  const second = await signers.holder.signTypedData(
    domain,
    { Countersignature: COUNTERSIGNATURE, Identity: IDENTITY },
    { identity: statement, registrarSignature: first },
  )
  return [statement, first, second, IDENTITY_PAYLOAD]
}

export async function register(
  chain: Chain,
  holder: Wallet,
  changes: Partial<Statement> = {},
): Promise<Receipt> {
  const args = await signedStatement(chain, statementOf(holder, changes), { holder })
  return chain.send(accounts.registrar, 'identityRegistry', 'register', args)
}

export interface KeyChange {
  readonly identity: string
  readonly to: Wallet
  readonly nonce: number
  readonly deadline?: number
}

export function signKeyChange(
  chain: Pick<Chain, 'chainId'>,
  type: 'KeyChange' | 'Recovery',
  { identity, to, nonce, deadline = 4_000_000_000 }: KeyChange,
  signers: readonly Wallet[],
): Promise<string[]> {
  const value = { identity, ...publicKeyOf(to), nonce, deadline }
  return Promise.all(
    signers.map((each) => each.signTypedData(identityDomain(chain), { [type]: KEY_CHANGE }, value)),
  )
}

// Licences.

export interface OfferChanges {
  readonly identifier?: string
  readonly licenceType?: string
  readonly validFrom?: number
  readonly validUntil?: number
  readonly acceptBy?: number
  readonly payload?: object
}

export async function offerFor(
  chain: Chain,
  holder: string,
  name: string,
  changes: OfferChanges = {},
): Promise<object> {
  const now = await chain.now()
  return {
    identifier: id(name),
    content: id(`content of ${name}`),
    licenceType: TYPE,
    holder,
    validFrom: now,
    validUntil: now + YEAR,
    acceptBy: now + 7 * DAY,
    payload: PAYLOAD,
    ...changes,
  }
}

/** @returns the number */
export async function offer(
  chain: Chain,
  holder: string,
  name: string,
  changes: OfferChanges = {},
): Promise<bigint> {
  const { issuer } = accounts
  const args = [await offerFor(chain, holder, name, changes)]
  const { events } = await chain.send(issuer, 'licenceRegistry', 'issue', args)
  return events.find((each) => each.name === 'LicenceNumbered')!.args.number as bigint
}

/** @returns the number of a licence in force */
export async function issue(
  chain: Chain,
  holder: Wallet,
  name: string,
  changes: OfferChanges = {},
): Promise<bigint> {
  const number = await offer(chain, holder.address, name, changes)
  await chain.send(holder, 'licenceRegistry', 'accept', [number])
  return number
}

export async function successorOf(
  chain: Chain,
  name: string,
  changes: OfferChanges = {},
): Promise<object> {
  const now = await chain.now()
  return {
    identifier: id(name),
    content: id(`content of ${name}`),
    validFrom: now,
    validUntil: now + YEAR,
    payload: PAYLOAD,
    ...changes,
  }
}

export { wallet }
