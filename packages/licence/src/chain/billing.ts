/**
 * Bills, made from the chain alone: every charge is an event with its tariff's version, and what a
 * version said can be read for ever. Who pays can make the same bill.
 */

import { decodeBytes32String, encodeBytes32String } from 'ethers'
import type { ChainReader, ContractEvent } from './contracts.ts'

export interface BillLine {
  /** Of the log. */
  readonly index: bigint
  readonly licenceType: string
  readonly verifierClass: number
  readonly tariffVersion: number
  /** Which use of the period, from 1. */
  readonly use: number
  readonly byteCount: number
  /** Millionths of a credit: what the tariff of that version says. */
  readonly amount: bigint
  /** What was charged. */
  readonly charged: bigint
  readonly blockNumber: number
  readonly transactionHash: string
}

export interface Bill {
  readonly verifier: string
  /** Number of the period of 30 days since 1970. */
  readonly period: number
  readonly lines: readonly BillLine[]
  readonly total: bigint
  /** Lines whose charge is not what the tariff says, or whose uses do not follow each other. */
  readonly wrong: readonly BillLine[]
}

interface Price {
  readonly perUse: bigint
  readonly perByte: bigint
  readonly freeUses: number
}

/** The period that a time is in. @param seconds since 1970 */
export function periodOf(seconds: number): number {
  return Math.floor(seconds / (30 * 86_400))
}

/**
 * The bill of a verifier for a period, recomputed.
 * @param verifier credit code
 * @throws LicenceError LICENCE_CHAIN_REFUSED if the tariff never had a version that was charged
 */
export async function billOf(
  chain: ChainReader,
  { verifier, period }: { readonly verifier: string; readonly period: number },
): Promise<Bill> {
  const charges = await chain.events({
    of: 'verificationLog',
    name: 'Charged',
    topics: [encodeBytes32String(verifier)],
  })
  const prices = new Map<number, Price>()
  const uses = new Map<string, number>()
  const lines: BillLine[] = []
  const wrong: BillLine[] = []
  for (const charge of charges.filter(({ args }) => Number(args.period) === period)) {
    const { args } = charge
    const version = Number(args.tariffVersion)
    const price = prices.get(version) ?? (await priceOf(chain, version))
    prices.set(version, price)
    const line = lineOf(charge, price)
    const use = (uses.get(line.licenceType) ?? 0) + 1
    uses.set(line.licenceType, use)
    lines.push(line)
    if (line.amount !== line.charged || line.use !== use) wrong.push(line)
  }
  const total = lines.reduce((sum, { amount }) => sum + amount, 0n)
  return { verifier, period, lines, total, wrong }
}

function lineOf({ args, blockNumber, transactionHash }: ContractEvent, price: Price): BillLine {
  const [use, byteCount] = [Number(args.use), Number(args.byteCount)]
  return {
    index: args.index,
    licenceType: decodeBytes32String(args.licenceType),
    verifierClass: Number(args.verifierClass),
    tariffVersion: Number(args.tariffVersion),
    use,
    byteCount,
    amount: use <= price.freeUses ? 0n : price.perUse + price.perByte * BigInt(byteCount),
    charged: args.amount,
    blockNumber,
    transactionHash,
  }
}

/** What a version of the tariff said; it never says anything else. */
async function priceOf(chain: ChainReader, version: number): Promise<Price> {
  const [{ perUse, perByte, freeUses }] = await chain.ask('tariff', 'entryOf', [version])
  return { perUse, perByte, freeUses: Number(freeUses) }
}
