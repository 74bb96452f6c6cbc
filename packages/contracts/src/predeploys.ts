/**
 * The contracts that a chain begins with: what to run at which address, in order, to make them.
 *
 * Run each init code as if it were the code at its address, with no input: what it returns is the code
 * that stays there, and what it stores stays. The time must not be 0, or the access manager refuses.
 */

import { ADDRESSES } from './addresses.ts'
import { accessManager } from './artifacts/access-manager.generated.ts'
import { council } from './artifacts/council.generated.ts'
import { creditPeg } from './artifacts/credit-peg.generated.ts'
import { creditVault } from './artifacts/credit-vault.generated.ts'
import { identityMirror } from './artifacts/identity-mirror.generated.ts'
import { identityPeg } from './artifacts/identity-peg.generated.ts'
import { identityRegistry } from './artifacts/identity-registry.generated.ts'
import { licenceIndex } from './artifacts/licence-index.generated.ts'
import { licencePeg } from './artifacts/licence-peg.generated.ts'
import { licenceRegistry } from './artifacts/licence-registry.generated.ts'
import { organisationRegistry } from './artifacts/organisation-registry.generated.ts'
import { pegGateway } from './artifacts/peg-gateway.generated.ts'
import { permissions } from './artifacts/permissions.generated.ts'
import { qbftLightClient } from './artifacts/qbft-light-client.generated.ts'
import { serviceCredit } from './artifacts/service-credit.generated.ts'
import { tariff } from './artifacts/tariff.generated.ts'
import { verificationLog } from './artifacts/verification-log.generated.ts'
import {
  type Argument,
  bytesOfHex,
  encodeArguments,
  wordOfBytes,
  wordOfSelector,
  wordOfText,
} from './constructor-arguments.ts'

/** Lower-case hex, 20 bytes. */
export type AccountAddress = `0x${string}`

export interface Predeploy {
  readonly address: AccountAddress
  /** With the constructor's arguments behind it. */
  readonly initCode: Uint8Array
}

/** What a chain is in its network. */
export type ChainRole =
  /** The one chain of a network: everything, and no peg. */
  | { readonly kind: 'whole' }
  /** Identities, service credit, the index of licences; side chains are attached later. */
  | { readonly kind: 'main' }
  /** Licences. Identities and credit come from the main chain. */
  | { readonly kind: 'side'; readonly main: MainChain }

/** The main chain, as a side chain begins to know it. */
export interface MainChain {
  /** Below 2^64. */
  readonly chainId: bigint
  /** Hash of its genesis block, 32 bytes. */
  readonly domain: Uint8Array
  /** RLP: that of the genesis block, or one with the seals of a quorum. */
  readonly sealedHeader: Uint8Array
  /** Seconds for which a header is good as a beginning of the next, and as the root of a proof. Default 14 days. */
  readonly trustingPeriodSeconds?: number
  /** Seconds that a header may be ahead of this chain's time. Default 60. */
  readonly maxClockDriftSeconds?: number
}

export interface PredeployOptions {
  /** Default: `whole`. */
  readonly role?: ChainRole
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
  /** May pause channels and freeze light clients. Default: the council's members. */
  readonly guardians?: readonly AccountAddress[]
  /** Bytes of ciphertext of a licence that may stand on chain. Default 1,024. */
  readonly ciphertextLimit?: number
  /** Default: public bodies verify free of charge, nobody else can verify. */
  readonly tariff?: readonly TariffEntry[]
  /** Gets what verifications cost. Default: the council. */
  readonly treasury?: AccountAddress
  /** Millionths of a credit that accounts begin with; none on a side chain. */
  readonly credit?: ReadonlyMap<AccountAddress, bigint>
  /** Of messages to other chains whose senders name no deadline. Default: a day. */
  readonly messageSeconds?: number
  /** What may move to, and come from, each side chain. Default: a million credits in an hour. */
  readonly creditLimit?: CreditLimit
}

export interface CreditLimit {
  /** Millionths of a credit, below 2^208. */
  readonly amount: bigint
  readonly windowSeconds: number
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
const TRUSTING_PERIOD_SECONDS = 14 * 24 * 3_600
const CLOCK_DRIFT_SECONDS = 60
const MESSAGE_SECONDS = 24 * 3_600
/** Of a message whose sender names none; our own contracts do. */
const MESSAGE_GAS = 1_000_000n
const CREDIT_LIMIT: CreditLimit = { amount: 1_000_000_000_000n, windowSeconds: 3_600 }

/** What guardians may: stop things, and start nothing. */
export const GUARDED: readonly {
  readonly target: AccountAddress
  readonly call: string
  /** Of the call: 4 bytes. */
  readonly selector: string
}[] = [
  { target: ADDRESSES.qbftLightClient, call: 'freezeClient(uint64)', selector: '0xf949a1bb' },
  { target: ADDRESSES.pegGateway, call: 'pauseChannel(uint64)', selector: '0x84c59d18' },
]

const word = (name: keyof typeof ADDRESSES): bigint => BigInt(ADDRESSES[name])

/**
 * @returns in the order in which they must be made
 * @throws RangeError if a side chain is to begin with credit
 */
export function predeploys(options: PredeployOptions): Predeploy[] {
  const role = options.role ?? { kind: 'whole' }
  switch (role.kind) {
    case 'whole':
      return [
        ...foundation(options),
        identities(options, 'licenceRegistry'),
        licences(options, undefined),
        ...services(options, undefined),
      ]
    case 'main':
      return [
        ...foundation(options),
        identities(options, 'identityPeg'),
        ...services(options, undefined),
        lightClient(undefined),
        gateway(options, ['creditBridge', 'identityPeg', 'licencePeg'], []),
        vault(options),
        predeploy('identityPeg', identityPeg.initCode, [
          word('pegGateway'),
          word('qbftLightClient'),
          word('identityRegistry'),
          word('organisationRegistry'),
          // Where side chains have their mirror.
          word('identityRegistry'),
        ]),
        predeploy('licencePeg', licenceIndex.initCode, [
          word('pegGateway'),
          word('qbftLightClient'),
          word('identityRegistry'),
        ]),
      ]
    case 'side':
      if ((options.credit?.size ?? 0) > 0) {
        throw new RangeError('credit of a side chain comes from the main chain')
      }
      return [
        ...foundation(options),
        predeploy('identityRegistry', identityMirror.initCode, [
          word('pegGateway'),
          role.main.chainId,
          word('identityPeg'),
          word('licenceRegistry'),
        ]),
        licences(options, 'licencePeg'),
        ...services(options, 'creditBridge'),
        lightClient(role.main),
        gateway(options, ['creditBridge', 'identityRegistry', 'licencePeg'], [role.main.chainId]),
        predeploy('creditBridge', creditPeg.initCode, [
          word('pegGateway'),
          word('serviceCredit'),
          role.main.chainId,
        ]),
        predeploy('licencePeg', licencePeg.initCode, [
          word('pegGateway'),
          role.main.chainId,
          word('licenceRegistry'),
        ]),
      ]
  }
}

/** What every chain has: who governs, who takes part. */
function foundation(options: PredeployOptions): Predeploy[] {
  const { members, threshold, delaySeconds } = options.council
  const { mode = 0, flags = new Map(), nodes = [] } = options.permissions ?? {}
  const pegged = (options.role?.kind ?? 'whole') !== 'whole'
  return [
    predeploy('council', council.initCode, [
      members.map(wordsOfAddress),
      BigInt(threshold),
      BigInt(delaySeconds),
    ]),
    predeploy('accessManager', accessManager.initCode, [
      word('council'),
      (pegged ? (options.guardians ?? members) : []).map(wordsOfAddress),
      (pegged ? GUARDED : []).map(({ target, selector }) => [
        BigInt(target),
        wordOfSelector(selector),
      ]),
    ]),
    predeploy('permissions', permissions.initCode, [
      word('accessManager'),
      BigInt(mode),
      [...flags.keys()].map(wordsOfAddress),
      [...flags.values()].map((bits) => [BigInt(bits)]),
      nodes.map(wordsOfAddress),
    ]),
    predeploy('organisationRegistry', organisationRegistry.initCode, [
      word('accessManager'),
      options.organisations.map(({ code, account, verifierClass = 0, capacities = 0 }) => [
        wordOfText(code),
        BigInt(account),
        BigInt(verifierClass),
        BigInt(capacities),
      ]),
    ]),
  ]
}

/** @param listener hears of changes */
function identities(options: PredeployOptions, listener: keyof typeof ADDRESSES): Predeploy {
  return predeploy('identityRegistry', identityRegistry.initCode, [
    word('accessManager'),
    word('organisationRegistry'),
    word(listener),
    options.filingRequired === true ? 1n : 0n,
    BigInt(options.objectionSeconds ?? OBJECTION_SECONDS),
  ])
}

/** @param listener hears of changes; undefined: nobody */
function licences(
  options: PredeployOptions,
  listener: keyof typeof ADDRESSES | undefined,
): Predeploy {
  return predeploy('licenceRegistry', licenceRegistry.initCode, [
    word('accessManager'),
    word('organisationRegistry'),
    word('identityRegistry'),
    listener === undefined ? 0n : word(listener),
    BigInt(options.ciphertextLimit ?? CIPHERTEXT_BYTES),
  ])
}

/**
 * Verifications and what they cost.
 * @param bridge mints and burns credit; undefined: governance mints
 */
function services(
  options: PredeployOptions,
  bridge: keyof typeof ADDRESSES | undefined,
): Predeploy[] {
  const credit = [...(options.credit ?? [])]
  return [
    predeploy('verificationLog', verificationLog.initCode, [
      word('accessManager'),
      word('organisationRegistry'),
      word('serviceCredit'),
      word('tariff'),
      BigInt(options.treasury ?? ADDRESSES.council),
    ]),
    predeploy('serviceCredit', serviceCredit.initCode, [
      word('accessManager'),
      bridge === undefined ? 0n : word(bridge),
      credit.map(([account]) => wordsOfAddress(account)),
      credit.map(([, amount]) => [amount]),
    ]),
    predeploy('tariff', tariff.initCode, [
      word('accessManager'),
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

/** @param known the chain that is known from the beginning; undefined: none */
function lightClient(known: MainChain | undefined): Predeploy {
  return predeploy('qbftLightClient', qbftLightClient.initCode, [
    word('accessManager'),
    known?.chainId ?? 0n,
    wordOfBytes(known?.domain ?? new Uint8Array(32)),
    known?.sealedHeader ?? new Uint8Array(),
    BigInt(known?.trustingPeriodSeconds ?? TRUSTING_PERIOD_SECONDS),
    BigInt(known?.maxClockDriftSeconds ?? CLOCK_DRIFT_SECONDS),
  ])
}

function gateway(
  options: PredeployOptions,
  apps: readonly (keyof typeof ADDRESSES)[],
  channels: readonly bigint[],
): Predeploy {
  return predeploy('pegGateway', pegGateway.initCode, [
    word('accessManager'),
    word('qbftLightClient'),
    apps.map((name) => [word(name)]),
    channels.map((chainId) => [chainId]),
    BigInt(options.messageSeconds ?? MESSAGE_SECONDS),
    MESSAGE_GAS,
  ])
}

function vault(options: PredeployOptions): Predeploy {
  const { amount, windowSeconds } = options.creditLimit ?? CREDIT_LIMIT
  return predeploy('creditBridge', creditVault.initCode, [
    word('accessManager'),
    word('pegGateway'),
    word('qbftLightClient'),
    word('serviceCredit'),
    amount,
    BigInt(windowSeconds),
  ])
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
