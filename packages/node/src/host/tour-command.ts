/** `vellum tour`, and the tour at the end of the first start of a development network. */

import type { TourCast, TourSide } from '@vellum/licence/cli'
import { DEV_ACCOUNTS, DEV_SIDE_CHAINS } from '../dev-chain.ts'
import { DEV_ORGANISATIONS } from '../dev-genesis.ts'
import { systemClock } from './machine.ts'
import { type ShownCommand, showCommand } from './shown-command.ts'

/**
 * The life of a licence on a chain by itself; where there are side chains, of a person with licences on two.
 * @throws LicenceError as `runTour` and `runChainsTour` of the licence library
 */
export async function takeTour(url: string, print: (line: string) => void): Promise<void> {
  // Loaded when it is wanted: a node that runs has no use for the library of applications.
  const { hasSideChains, runChainsTour, runTour } = await import('@vellum/licence/cli')
  const ports = { url, cast: devCast(), print, nowMs: () => systemClock.now() }
  if (!(await hasSideChains(url))) {
    await runTour(ports)
    return
  }
  const [business, health] = DEV_SIDE_CHAINS.map((name) => ({
    name,
    url: `${url.replace(/\/$/, '')}/chain/${name}`,
  })) as [TourSide, TourSide]
  await runChainsTour({ ...ports, sides: [business, health] })
}

/** Shows the tour from a process of its own. Never fails. */
export async function showTour(shown: ShownCommand): Promise<void> {
  const failure = await showCommand(shown, ['tour'])
  if (failure === undefined) return
  shown.print(
    `the tour did not come to its end: ${failure}. The network is not touched by that; to`,
  )
  shown.print('take it again: vellum tour')
}

/** Who plays: the organisations of the development chain, with their public keys. */
function devCast(): TourCast {
  const member = ({ code, account }: { code: string; account: string }) => ({
    code,
    privateKey: DEV_ACCOUNTS.find(({ address }) => address === account)!.privateKey,
  })
  const { root, registrar, issuer, publicVerifier, commercialVerifier } = DEV_ORGANISATIONS
  return {
    root: member(root),
    registrar: member(registrar),
    issuer: member(issuer),
    publicVerifier: member(publicVerifier),
    commercialVerifier: member(commercialVerifier),
  }
}
