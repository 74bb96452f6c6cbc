/**
 * What governance does when a network begins: main takes a client and a channel for each side chain, and
 * an issuer is accredited on each. Done again until the chain says that it is done.
 */

import type { Address } from '@vellum/evm'
import type { Secp256k1 } from '@vellum/ledger'
import { AT, COUNCIL, GATEWAY, LIGHT_CLIENT, ORGANISATIONS, wordOfCode } from './contracts.ts'
import {
  CLOCK_DRIFT_SECONDS,
  CODES,
  LICENCE_TYPE,
  type PegChain,
  type PegGenesis,
} from './genesis.ts'
import type { NodeOf } from './people.ts'
import type { PegScenario } from './scenario.ts'
import { askNumber, submitCall } from './transactor.ts'

const GAS = 4_000_000n
/** For messages whose sender names none: all of ours do. */
const MESSAGE_GAS = 1_000_000n
const YEARS_SECONDS = 10n * 365n * 24n * 3_600n

type CouncilCall = [target: Address, data: Uint8Array]

/** @returns true once nothing is left to be done */
export function found(
  { chains, offices }: PegGenesis,
  scenario: PegScenario,
  nodeOf: NodeOf,
  crypto: Secp256k1,
): boolean {
  const [main, ...sides] = chains as [PegChain, ...PegChain[]]
  const defaults: CouncilCall = [
    AT.pegGateway,
    GATEWAY.setDefaults.encodeCall([BigInt(scenario.timeToLiveSeconds), MESSAGE_GAS]),
  ]
  const attached = sides.flatMap(({ chainId, hash, sealedHeader }): CouncilCall[] => [
    [
      AT.qbftLightClient,
      LIGHT_CLIENT.createClient.encodeCall([
        BigInt(chainId),
        hash,
        sealedHeader,
        BigInt(scenario.trustingPeriodSeconds),
        BigInt(CLOCK_DRIFT_SECONDS),
      ]),
    ],
    [AT.pegGateway, GATEWAY.openChannel.encodeCall([BigInt(chainId)])],
  ])
  const resolved = [
    resolve(main, [defaults, ...attached]),
    ...sides.map((side) => resolve(side, [defaults])),
  ]
  const accredited = sides.map((side) => accredit(side))
  return [...resolved, ...accredited].every((isDone) => isDone)

  /** One proposal for all of it; approved by being made, as the council is one. */
  function resolve(chain: PegChain, calls: readonly CouncilCall[]): boolean {
    const node = nodeOf(chain)
    if (node === undefined) return false
    const seconds = askNumber(node, AT.pegGateway, GATEWAY.defaults.encodeCall([]))
    // All calls were made, or none.
    if (seconds === BigInt(scenario.timeToLiveSeconds)) return true
    const proposals = askNumber(node, AT.council, COUNCIL.proposalCount.encodeCall([]))
    const data =
      proposals === 0n
        ? COUNCIL.propose.encodeCall([calls])
        : COUNCIL.execute.encodeCall([proposals - 1n, calls])
    submitCall(node, offices.council, { to: AT.council, data, gasLimit: GAS }, crypto)
    return false
  }

  /** The root appoints itself, and accredits the issuer. */
  function accredit(side: PegChain): boolean {
    const node = nodeOf(side)
    if (node === undefined) return false
    const { timestamp } = node.chain.head().header
    const issuer = wordOfCode(CODES.issuer)
    const question = [issuer, LICENCE_TYPE, BigInt(timestamp)] as const
    const to = AT.organisationRegistry
    if (askNumber(node, to, ORGANISATIONS.isAccredited.encodeCall([...question])) === 1n)
      return true
    const until = BigInt(timestamp) + YEARS_SECONDS
    const root = wordOfCode(CODES.root)
    // The second counts once the first is in a block.
    const appoint = ORGANISATIONS.appoint.encodeCall([LICENCE_TYPE, root, 0n, until])
    const grant = ORGANISATIONS.accredit.encodeCall([LICENCE_TYPE, issuer, 0n, until])
    for (const data of [appoint, grant]) {
      submitCall(node, offices.root, { to, data, gasLimit: GAS }, crypto)
    }
    return false
  }
}
