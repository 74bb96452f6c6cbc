/** Who governs and takes part in the system contracts of a new network, as a file of its founders says. */

import {
  CAPACITIES,
  type CreditLimit,
  type Founder,
  PERMISSION_FLAGS,
  type PredeployOptions,
  type TariffEntry,
  VERIFIER_CLASSES,
} from '@vellum/contracts'
import {
  address,
  addresses,
  amount,
  byAddress,
  type Field,
  flag,
  itemsOf,
  listOf,
  oneOf,
  optional,
  readSettings,
  section,
  text,
  whole,
  withDefault,
} from './setting.ts'

const DAY_SECONDS = 86_400
const CIPHERTEXT_BYTES_MAX = 24_576
const FREE_USES_MAX = 2 ** 31 - 1

type Permissions = NonNullable<PredeployOptions['permissions']>

const VERIFIER_CLASS: Field<number> = named(VERIFIER_CLASSES)

/** What a chain is in its network the file does not say: who makes the chain does. */
const CONTRACTS: Field<PredeployOptions> = section<Required<Omit<PredeployOptions, 'role'>>>({
  council: section<PredeployOptions['council']>({
    members: addresses(),
    threshold: whole(1, 64),
    delaySeconds: whole(0, 90 * DAY_SECONDS),
  }),
  permissions: section<Permissions>({
    mode: flagsOf(PERMISSION_FLAGS),
    flags: byAddress(flagsOf(PERMISSION_FLAGS)),
    nodes: addresses(),
  }),
  organisations: itemsOf<Founder>(
    section<Required<Founder>>({
      code: text(),
      account: address(),
      verifierClass: withDefault(0, VERIFIER_CLASS),
      capacities: flagsOf(CAPACITIES),
    }),
  ),
  filingRequired: withDefault(false, flag()),
  objectionSeconds: withDefault(7 * DAY_SECONDS, whole(0, 90 * DAY_SECONDS)),
  guardians: optional(addresses()) as Field<PredeployOptions['guardians'] & {}>,
  ciphertextLimit: withDefault(1_024, whole(0, CIPHERTEXT_BYTES_MAX)),
  tariff: itemsOf<TariffEntry>(
    section<{ [Key in keyof Required<TariffEntry>]: TariffEntry[Key] }>({
      licenceType: optional(text()),
      verifierClass: VERIFIER_CLASS,
      perUse: amount(96),
      perByte: amount(64),
      freeUses: withDefault(0, whole(0, FREE_USES_MAX)),
    }) as Field<TariffEntry>,
  ),
  treasury: optional(address()) as Field<PredeployOptions['treasury'] & {}>,
  credit: byAddress(amount(128)),
  messageSeconds: withDefault(DAY_SECONDS, whole(60, 90 * DAY_SECONDS)),
  creditLimit: optional(
    section<CreditLimit>({
      amount: amount(208),
      windowSeconds: whole(1, 90 * DAY_SECONDS),
    }),
  ) as Field<CreditLimit>,
})

/** @throws NodeError NODE_CONFIG_INVALID naming every wrong field */
export function parseContracts(raw: unknown): PredeployOptions {
  const { tariff, treasury, guardians, creditLimit, ...rest } = readSettings(
    raw,
    CONTRACTS,
    'the contracts file',
  )
  return {
    ...rest,
    ...(tariff !== undefined && tariff.length > 0 && { tariff }),
    ...(treasury !== undefined && { treasury }),
    ...(guardians !== undefined && { guardians }),
    ...(creditLimit !== undefined && { creditLimit }),
  }
}

/** A list of names whose bits are put together. */
function flagsOf(bits: Readonly<Record<string, number>>): Field<number> {
  const names = Object.keys(bits)
  return (reader) =>
    listOf(
      (name) => names.includes(name),
      names.join(', '),
    )(reader).reduce((flags, name) => flags | (bits[name] ?? 0), 0)
}

/** A number by its name. */
function named(numbers: Readonly<Record<string, number>>): Field<number> {
  const names = Object.keys(numbers)
  return (reader) => numbers[oneOf(names)(reader)]!
}
