/** `vellum tour`, and the tour at the end of the first start of a development chain. */

import { spawn } from 'node:child_process'
import type { TourCast } from '@vellum/licence/cli'
import { DEV_ACCOUNTS } from '../dev-chain.ts'
import { DEV_ORGANISATIONS } from '../dev-genesis.ts'
import { systemClock } from './machine.ts'

export interface ShownTour {
  /** The program and arguments that run `vellum`. */
  readonly program: readonly string[]
  /** Of an RPC server. */
  readonly url: string
  readonly print: (line: string) => void
  /** Told to end before it has ended by itself. */
  readonly stopping: Promise<unknown>
}

/** @throws LicenceError as `runTour` of the licence library */
export async function takeTour(url: string, print: (line: string) => void): Promise<void> {
  // Loaded when it is wanted: a node that runs has no use for the library of applications.
  const { runTour } = await import('@vellum/licence/cli')
  await runTour({ url, cast: devCast(), print, nowMs: () => systemClock.now() })
}

/**
 * Shows the tour from a process of its own, so that whatever happens there the node goes on, and its
 * memory is given back. Never fails.
 */
export async function showTour({ program, url, print, stopping }: ShownTour): Promise<void> {
  const [command, ...args] = program
  const child = spawn(command!, [...args, 'tour', '--rpc', url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let tail = ''
  const tell = (data: Buffer): void => {
    const lines = (tail + data.toString()).split('\n')
    tail = lines.pop()!
    for (const line of lines) print(line)
  }
  child.stdout.on('data', tell)
  child.stderr.on('data', tell)
  const ended = new Promise<string | undefined>((settle) => {
    child.once('error', ({ message }) => settle(message))
    // By a signal: it was interrupted together with this process, and that is no news.
    child.once('close', (code, signal) =>
      settle(code === 0 || signal !== null ? undefined : `it ended with code ${code}`),
    )
  })
  const how = await Promise.race([ended, stopping.then(() => 'stop' as const)])
  if (how === 'stop') {
    child.kill()
    await ended
  } else if (how !== undefined) {
    print(`the tour did not come to its end: ${how}. The network is not touched by that; to`)
    print('take it again: vellum tour')
  }
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
