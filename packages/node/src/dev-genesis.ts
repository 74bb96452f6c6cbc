/**
 * What the development chain begins with. Apart from its accounts (dev-chain.ts): a node that runs does
 * not need the system contracts, which are many bytes.
 */

import {
  CAPACITIES,
  type Founder,
  type MainChain,
  type PredeployOptions,
  VERIFIER_CLASSES,
} from '@vellum/contracts'
import type { Address } from '@vellum/evm'
import { DEFAULT_GAS_LIMIT } from './config.ts'
import { DEV_ACCOUNTS, DEV_CHAIN_ID, devBalances } from './dev-chain.ts'
import { networkGenesis } from './network-genesis.ts'

const [COUNCIL, ROOT, REGISTRAR, ISSUER, PUBLIC_VERIFIER, COMMERCIAL_VERIFIER] = DEV_ACCOUNTS.map(
  ({ address }) => address,
) as [Address, Address, Address, Address, Address, Address]

/** Organisations of the development chain. The codes are examples of the standards. */
export const DEV_ORGANISATIONS: Readonly<
  Record<'root' | 'registrar' | 'issuer' | 'publicVerifier' | 'commercialVerifier', Founder>
> = {
  root: {
    code: '11100000000013338W',
    account: ROOT,
    capacities: CAPACITIES.root | CAPACITIES.supervisor,
  },
  registrar: { code: '11100000000013661B', account: REGISTRAR, capacities: CAPACITIES.registrar },
  issuer: { code: '11430000006122244L', account: ISSUER },
  publicVerifier: {
    code: '11330105002500287C',
    account: PUBLIC_VERIFIER,
    verifierClass: VERIFIER_CLASSES.publicBody,
  },
  commercialVerifier: {
    code: '91350100M000100Y43',
    account: COMMERCIAL_VERIFIER,
    verifierClass: VERIFIER_CLASSES.commercial,
  },
}

/** A thousandth of a credit for a check, and a tenth of that for a kilobyte; the first three are free. */
const DEV_PRICE = { perUse: 1_000n, perByte: 1n, freeUses: 3 }
/** 1,000 credits. */
const DEV_CREDIT = 1_000_000_000n

/** Who governs and takes part in the system contracts of the development chain; everybody may send. */
export function devContracts(): PredeployOptions {
  return {
    council: { members: [COUNCIL], threshold: 1, delaySeconds: 0 },
    organisations: Object.values(DEV_ORGANISATIONS),
    tariff: [
      { verifierClass: VERIFIER_CLASSES.publicBody, perUse: 0n, perByte: 0n, freeUses: 0 },
      { verifierClass: VERIFIER_CLASSES.commercial, ...DEV_PRICE },
    ],
    credit: new Map([[COMMERCIAL_VERIFIER, DEV_CREDIT]]),
  }
}

/** The same where licences are on side chains. */
export function devMainContracts(): PredeployOptions {
  return { ...devContracts(), role: { kind: 'main' } }
}

/** The same for a side chain of that main chain, from which its credit comes. */
export function devSideContracts(main: MainChain): PredeployOptions {
  const { credit: _, ...rest } = devContracts()
  return { ...rest, role: { kind: 'side', main } }
}

const DEV_REQUEST_TIMEOUT_SECONDS = 4

/**
 * The development chain's genesis, as a genesis file would say it: all forks to Osaka, no fees.
 * @param contracts undefined: the chain begins without system contracts
 */
export function devGenesis(
  validators: readonly Address[],
  contracts?: PredeployOptions,
  own: { readonly chainId?: number; readonly timestamp?: number } = {},
): object {
  return networkGenesis({
    chainId: DEV_CHAIN_ID,
    ...own,
    validators,
    blockPeriodMs: 0,
    requestTimeoutSeconds: DEV_REQUEST_TIMEOUT_SECONDS,
    gasLimit: DEFAULT_GAS_LIMIT,
    balances: devBalances(),
    contracts,
  })
}
