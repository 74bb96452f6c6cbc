/** `vellum licence`, purpose-bound copies (加註件): make one, read one, check one against its original. */

import type { Command } from 'commander'
import { verifyOnline } from '../chain/verifier.ts'
import { codeSize, decodeCode, encodeCode } from '../code.ts'
import { type LicenceCopy, makeCopy, verifyCopy } from '../presentation.ts'
import { nextSeed } from './holder-commands.ts'
import * as option from './options.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'
import { reading, withKey } from './session.ts'
import { assertOk, refused, tellChecks, tellShown } from './shown.ts'

interface MakeFlags extends KeyFlags {
  readonly holderFile: string
  readonly fields: readonly string[]
  readonly purpose: string
  readonly creator: string
  readonly cause: string
  readonly watermark: string
  readonly days: number
  readonly out: string
}

const DAY_SECONDS = 86_400
const DAYS = 30
const DAYS_MAX = 366

export function addCopyCommands(root: Command, ports: CommandPorts): void {
  option.withExample(
    option
      .withKey(root.command('make-copy'), 'the holder')
      .description('a copy for one purpose, with a note and a watermark, good until it expires')
      .argument('<credential>', 'file of `open`')
      .requiredOption('--fields <names>', 'that it shows, with commas', option.fields)
      .requiredOption('--purpose <text>', 'what it may be used for')
      .requiredOption('--creator <text>', 'who makes it')
      .requiredOption('--cause <text>', 'why it is made')
      .requiredOption('--watermark <text>', 'printed across it')
      .option('--days <number>', 'until it expires', option.wholeOf(DAYS_MAX), DAYS)
      .requiredOption('--holder-file <file>', 'secret and count of presentations; made if missing')
      .requiredOption('--out <file>', 'file of the copy’s code to create')
      .action((path: string, flags: MakeFlags) => make(path, flags, ports)),
    'licence make-copy credential.txt --fields holderName,number --purpose 办理开户 --creator 示例公民 ' +
      '--cause 银行开户 --watermark 仅供开户使用 --holder-file holder-file.json --key holder.json --out copy.txt',
  )

  option.withExample(
    root
      .command('show-copy')
      .description('what a copy says, if its signatures hold and it has not expired')
      .argument('<copy>', 'file of `make-copy`')
      .action((path: string) => {
        tellCopy(readCopy(path, ports), ports)
      }),
    'licence show-copy copy.txt',
  )

  option.withExample(
    option
      .withNode(root.command('verify-copy'))
      .description('as `show-copy`, and whether its original is in force, by the chain')
      .argument('<copy>', 'file of `make-copy`')
      .action((path: string, flags: NodeFlags) => {
        const copy = readCopy(path, ports)
        tellCopy(copy, ports)
        return reading(flags, ports, async ({ chain }) => {
          const report = await verifyOnline(chain, copy)
          tellChecks(report, ports)
          assertOk(report)
        })
      }),
    'licence verify-copy copy.txt',
  )
}

async function make(path: string, flags: MakeFlags, ports: CommandPorts): Promise<void> {
  const { fields, purpose, creator, cause, watermark, days, holderFile, out } = flags
  const credential = ports.readText(path).trim()
  await withKey(flags, ports, async (_privateKey, key) => {
    const shown = {
      fields,
      purpose,
      note: { creator, cause, watermark },
      seconds: days * DAY_SECONDS,
    }
    const seed = nextSeed(holderFile, ports)
    const text = await makeCopy(shown, { credential, key, seed, now: nowOf(ports) })
    const code = encodeCode({ kind: 'presentation', text })
    ports.createText(out, `${code}\n`)
    ports.print(`copy of ${codeSize(code)} bytes in ${out}, good for ${days} days`)
  })
}

/** @throws LicenceError LICENCE_REFUSED */
function readCopy(path: string, ports: CommandPorts): LicenceCopy {
  const text = ports.readText(path).trim()
  const verdict = verifyCopy(text.startsWith('VL1:') ? decodeCode(text).text : text, nowOf(ports))
  if (!verdict.ok) throw refused(verdict.reason)
  return verdict.copy
}

function tellCopy(copy: LicenceCopy, ports: CommandPorts): void {
  const { creator, cause, watermark } = copy.note
  tellShown(copy, ports)
  ports.print(`creator  ${creator}`)
  ports.print(`cause    ${cause}`)
  ports.print(`mark     ${watermark}`)
  ports.print(`original ${copy.credential.identifier}`)
  ports.print(`until    ${new Date(copy.expiresAt * 1_000).toISOString()}`)
}

function nowOf({ nowMs }: CommandPorts): number {
  return Math.floor(nowMs() / 1_000)
}
