/** `vellum tour`, and the tour at the end of the first start of a development chain. */

import type { TourCast } from '@vellum/licence/cli'
import { DEV_ACCOUNTS } from '../dev-chain.ts'
import { DEV_ORGANISATIONS } from '../dev-genesis.ts'
import { systemClock } from './machine.ts'
import { type ShownCommand, showCommand } from './shown-command.ts'

/** @throws LicenceError as `runTour` of the licence library */
export async function takeTour(url: string, print: (line: string) => void): Promise<void> {
  // Loaded when it is wanted: a node that runs has no use for the library of applications.
  const { runTour } = await import('@vellum/licence/cli')
  await runTour({ url, cast: devCast(), print, nowMs: () => systemClock.now() })
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
