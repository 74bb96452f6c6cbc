/**
 * The contracts that a chain begins with: what to run at which address, in order, to make them.
 *
 * Run each init code as if it were the code at its address, with no input: what it returns is the code
 * that stays there, and what it stores stays. The time must not be 0, or the access manager refuses.
 */

import { ADDRESSES } from './addresses.ts'
import { accessManager } from './artifacts/access-manager.generated.ts'
import { council } from './artifacts/council.generated.ts'
import { identityRegistry } from './artifacts/identity-registry.generated.ts'
import { licenceRegistry } from './artifacts/licence-registry.generated.ts'
import { organisationRegistry } from './artifacts/organisation-registry.generated.ts'
import { permissions } from './artifacts/permissions.generated.ts'
import { serviceCredit } from './artifacts/service-credit.generated.ts'
import { tariff } from './artifacts/tariff.generated.ts'
import { verificationLog } from './artifacts/verification-log.generated.ts'
import { type Argument, bytesOfHex, encodeArguments, wordOfText } from './constructor-arguments.ts'

/** Lower-case hex, 20 bytes. */
export type AccountAddress = `0x${string}`

export interface Predeploy {
  readonly address: AccountAddress
  /** With the constructor's arguments behind it. */
  readonly initCode: Uint8Array
}

export interface PredeployOptions {
  readonly council: {
    /** 1 to 64, all different. */
    readonly members: readonly AccountAddress[]
    /** How many must approve: 1 to all. */
    readonly threshold: number
    /** Seconds between enough approvals and execution: at most 90 days. */
    readonly delaySeconds: number
  }
  readonly permissions?: {
    /** Bits of `PERMISSION_FLAGS` that are asked for; 0: everybody may everything. */
    readonly mode: number
    /** Bits of accounts. */
    readonly flags: ReadonlyMap<AccountAddress, number>
    /** Addresses of the keys of nodes that may connect. */
    readonly nodes: readonly AccountAddress[]
  }
  /** At least one with the capacity `root`, or no organisation can be registered before the council acts. */
  readonly organisations: readonly Founder[]
  /** True: an identity is not active before it is filed. Default false. */
  readonly filingRequired?: boolean
  /** Seconds in which a holder can object to a recovery: at most 90 days. Default a week. */
  readonly objectionSeconds?: number
  /** Bytes of ciphertext of a licence that may stand on chain. Default 1,024. */
  readonly ciphertextLimit?: number
  /** Default: public bodies verify free of charge, nobody else can verify. */
  readonly tariff?: readonly TariffEntry[]
  /** Gets what verifications cost. Default: the council. */
  readonly treasury?: AccountAddress
  /** Millionths of a credit that accounts begin with. */
  readonly credit?: ReadonlyMap<AccountAddress, bigint>
}

export interface Founder {
  /** Unified social credit code, 18 characters. */
  readonly code: string
  readonly account: AccountAddress
  /** Of `VERIFIER_CLASSES`; 0 or absent: no verifier. */
  readonly verifierClass?: number
  /** Bits of `CAPACITIES`. */
  readonly capacities?: number
}

export interface TariffEntry {
  /** 21 characters; absent: all types that have no price of their own. */
  readonly licenceType?: string
  readonly verifierClass: number
  /** Millionths of a credit, below 2^96. */
  readonly perUse: bigint
  /** Millionths of a credit, below 2^64. */
  readonly perByte: bigint
  /** In each 30 days. */
  readonly freeUses: number
}

const OBJECTION_SECONDS = 7 * 24 * 3_600
const CIPHERTEXT_BYTES = 1_024
const FREE_FOR_PUBLIC_BODIES: TariffEntry = {
  verifierClass: 1,
  perUse: 0n,
  perByte: 0n,
  freeUses: 0,
}

/** @returns in the order in which they must be made */
export function predeploys(options: PredeployOptions): Predeploy[] {
  const authority = BigInt(ADDRESSES.accessManager)
  const organisations = BigInt(ADDRESSES.organisationRegistry)
  const { members, threshold, delaySeconds } = options.council
  const { mode = 0, flags = new Map(), nodes = [] } = options.permissions ?? {}
  const credit = [...(options.credit ?? [])]
  return [
    predeploy('council', council.initCode, [
      members.map(wordsOfAddress),
      BigInt(threshold),
      BigInt(delaySeconds),
    ]),
    predeploy('accessManager', accessManager.initCode, [BigInt(ADDRESSES.council)]),
    predeploy('permissions', permissions.initCode, [
      authority,
      BigInt(mode),
      [...flags.keys()].map(wordsOfAddress),
      [...flags.values()].map((bits) => [BigInt(bits)]),
      nodes.map(wordsOfAddress),
    ]),
    predeploy('organisationRegistry', organisationRegistry.initCode, [
      authority,
      options.organisations.map(({ code, account, verifierClass = 0, capacities = 0 }) => [
        wordOfText(code),
        BigInt(account),
        BigInt(verifierClass),
        BigInt(capacities),
      ]),
    ]),
    predeploy('identityRegistry', identityRegistry.initCode, [
      authority,
      organisations,
      BigInt(ADDRESSES.licenceRegistry),
      options.filingRequired === true ? 1n : 0n,
      BigInt(options.objectionSeconds ?? OBJECTION_SECONDS),
    ]),
    predeploy('licenceRegistry', licenceRegistry.initCode, [
      authority,
      organisations,
      BigInt(ADDRESSES.identityRegistry),
      BigInt(options.ciphertextLimit ?? CIPHERTEXT_BYTES),
    ]),
    predeploy('verificationLog', verificationLog.initCode, [
      authority,
      organisations,
      BigInt(ADDRESSES.serviceCredit),
      BigInt(ADDRESSES.tariff),
      BigInt(options.treasury ?? ADDRESSES.council),
    ]),
    predeploy('serviceCredit', serviceCredit.initCode, [
      authority,
      credit.map(([account]) => wordsOfAddress(account)),
      credit.map(([, amount]) => [amount]),
    ]),
    predeploy('tariff', tariff.initCode, [
      authority,
      (options.tariff ?? [FREE_FOR_PUBLIC_BODIES]).map((entry) => [
        wordOfText(entry.licenceType ?? ''),
        BigInt(entry.verifierClass),
        entry.perUse,
        entry.perByte,
        BigInt(entry.freeUses),
      ]),
    ]),
  ]
}

function predeploy(
  name: keyof typeof ADDRESSES,
  initCode: string,
  values: readonly Argument[],
): Predeploy {
  const code = bytesOfHex(initCode.slice(2))
  const tail = encodeArguments(values)
  const whole = new Uint8Array(code.length + tail.length)
  whole.set(code)
  whole.set(tail, code.length)
  return { address: ADDRESSES[name], initCode: whole }
}

function wordsOfAddress(address: AccountAddress): [bigint] {
  return [BigInt(address)]
}
