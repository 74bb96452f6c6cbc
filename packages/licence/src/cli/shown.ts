/** How commands tell what was shown to a verifier, and what came of the checks. */

import type { Report } from '../chain/verifier.ts'
import { LicenceError } from '../error.ts'
import type { Presentation } from '../presentation.ts'
import type { CommandPorts } from './ports.ts'

export function tellShown({ credential, purpose }: Presentation, { print }: CommandPorts): void {
  const { body, ...fields } = credential.data
  print(`purpose  ${purpose}`)
  for (const [name, value] of Object.entries(fields)) print(`shown    ${name}: ${value}`)
  for (const [name, value] of Object.entries(body)) print(`shown    body.${name}: ${value}`)
}

export function tellChecks(report: Report, { print }: CommandPorts): void {
  print(`issuer   ${wordOf(report.issuer)}`)
  print(`status   ${wordOf(report.status)}`)
  print(`holder   ${wordOf(report.holder)}`)
}

/** @throws LicenceError LICENCE_REFUSED with the first reason */
export function assertOk({ issuer, status, holder }: Report): void {
  const failed = [issuer, status, holder].find(({ ok }) => !ok)
  if (failed !== undefined && !failed.ok) throw refused(failed.reason)
}

function wordOf(check: Report['issuer' | 'status' | 'holder']): string {
  return check.ok ? 'ok' : `refused: ${check.reason}`
}

/** What to do about a refusal, where it is not plain. */
const REMEDIES: Readonly<Record<string, string>> = {
  'a copy': 'check it with vellum licence verify-copy',
  'not a copy': 'check it with vellum licence verify',
  'trust too old': 'make the file anew from a node that you trust: vellum licence trust',
  'too few trusted seals': 'make the file anew from a node that you trust: vellum licence trust',
}

export function refused(reason: string): LicenceError {
  const remedy = REMEDIES[reason]
  const message = remedy === undefined ? `refused: ${reason}` : `refused: ${reason}; ${remedy}`
  return new LicenceError('LICENCE_REFUSED', message, { reason })
}
