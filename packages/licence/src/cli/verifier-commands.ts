/** `vellum licence`, the verifier's part: ask, check, pay; and what anybody can look up. */

import { ADDRESSES } from '@vellum/contracts'
import type { Command } from 'commander'
import { toUtf8Bytes } from 'ethers'
import { billOf, periodOf } from '../chain/billing.ts'
import { createLicenceDirectory } from '../chain/licences.ts'
import { quoteVerification, recordVerification, verifyOnline } from '../chain/verifier.ts'
import { codeSize, decodeCode, encodeCode } from '../code.ts'
import { encryptTo } from '../envelope.ts'
import { LicenceError } from '../error.ts'
import { verifyOfflineCode } from '../offline.ts'
import { type Presentation, verifyAnswer, verifyPresentation } from '../presentation.ts'
import { createReplayMemory } from '../replay.ts'
import { readRequest, signRequest } from '../request.ts'
import { creditText, unitsOf } from './amounts.ts'
import { readTrust } from './json-files.ts'
import * as option from './options.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'
import { acting, placeOf, reading } from './session.ts'
import { assertOk, refused, tellChecks, tellShown } from './shown.ts'
import { addTrustCommands } from './trust-commands.ts'

type Flags = NodeFlags & KeyFlags

interface VerifyFlags extends Flags {
  readonly request?: string
  readonly purposeCode?: number
}

/** Seconds that a proof may be old unless told. */
const AGE_MAX = 86_400

export function addVerifierCommands(root: Command, ports: CommandPorts): void {
  const { print } = ports

  option.withExample(
    withVerifier(root.command('request'))
      .description(
        'ask a holder to show some fields: a signed request, good for a minute or as told',
      )
      .requiredOption('--fields <names>', 'with commas: holderName,body.occupation', option.fields)
      .requiredOption('--purpose <text>', 'what for, in words that the holder is shown')
      .option('--seconds <number>', 'how long it is good', option.wholeOf(86_400), 60)
      .requiredOption('--out <file>', 'file of the request’s code to create')
      .action(
        (
          flags: Flags & {
            fields: readonly string[]
            purpose: string
            seconds: number
            out: string
          },
        ) =>
          acting(flags, ports, async ({ mainChainId, key, now }) => {
            const chainId = await mainChainId()
            const { fields, purpose, seconds, out } = flags
            const text = await signRequest({ chainId, key, purpose, fields, now, seconds })
            const code = encodeCode({ kind: 'request', text })
            ports.createText(out, `${code}\n`)
            print(`request of ${codeSize(code)} bytes in ${out}`)
          }),
      ),
    'licence request --fields holderName --purpose 办理贷款 --key verifier.json --out request.txt',
  )

  option.withExample(
    option
      .withNode(root.command('quote'))
      .description('what a verification costs, and what the verifier can pay')
      .argument('<type>', 'of the licence, 21 characters')
      .requiredOption('--verifier <credit code>', 'of the verifier')
      .option('--bytes <number>', 'that are shown', option.whole, 1_024)
      .action((licenceType: string, flags: NodeFlags & { verifier: string; bytes: number }) =>
        reading(flags, ports, async ({ chain }) => {
          const { verifier, bytes: byteCount } = flags
          const asked = { verifier, licenceType, byteCount }
          const { amount, available } = await quoteVerification(chain, asked)
          print(`costs  ${creditText(amount)}`)
          print(`has    ${creditText(available)}`)
        }),
      ),
    'licence quote 11100000000013338W032 --verifier 91350100M000100Y43',
  )

  option.withExample(
    withVerifier(root.command('approve'))
      .description('let the log of verifications take so much of the verifier’s credit')
      .argument('<credits>', 'for example 10.5')
      .action((amount: string, flags: Flags) =>
        acting(flags, ports, async ({ chain }) => {
          const args = [ADDRESSES.verificationLog, unitsOf(amount)]
          print(placeOf(await chain.send('serviceCredit', 'approve', args)))
        }),
      ),
    'licence approve 10.5 --key verifier.json',
  )

  option.withExample(
    withVerifier(root.command('verify'))
      .description('check what a holder shows: signatures, issuer, status, holder; and record it')
      .argument('<code>', 'file of the code')
      .option('--request <file>', 'the request that it answers')
      .option('--purpose-code <number>', 'record it under this purpose', option.wholeOf(0xffff))
      .action((path: string, flags: VerifyFlags) => verify(path, flags, ports)),
    'licence verify code.txt --request request.txt --purpose-code 3 --key verifier.json',
  )

  addTrustCommands(root, ports)

  option.withExample(
    root
      .command('verify-offline')
      .description('check a code that carries its proof, with nothing but the validators')
      .argument('<code>', 'file of the code')
      .requiredOption('--trust <file>', 'file of `trust`')
      .option('--age <seconds>', 'that the proof may be old', option.whole, AGE_MAX)
      .action((path: string, flags: { trust: string; age: number }) => {
        const verdict = verifyOfflineCode(ports.readText(path).trim(), {
          chain: readTrust(flags.trust, ports),
          memory: createReplayMemory(),
          now: Math.floor(ports.nowMs() / 1_000),
          ageMax: flags.age,
        })
        if (!verdict.ok) throw refused(verdict.reason)
        const { presentation, status } = verdict.answer
        tellShown(presentation, ports)
        const time = new Date(status.time * 1_000).toISOString()
        print(`status   ${status.leaf.status} at block ${status.height}, ${time}`)
      }),
    'licence verify-offline code.txt --trust trust.json',
  )

  option.withExample(
    option
      .withNode(root.command('show'))
      .description('what the chain says of a licence, and its history')
      .argument('<number>', 'of the licence', option.big)
      .action((number: bigint, flags: NodeFlags) => show(number, flags, ports)),
    'licence show 0',
  )

  option.withExample(
    option
      .withNode(root.command('bill'))
      .description('the bill of a verifier for 30 days, made of the chain alone')
      .argument('<credit code>', 'of the verifier')
      .option('--period <number>', 'of 30 days since 1970 (default: this one)', option.whole)
      .action((verifier: string, flags: NodeFlags & { period?: number }) =>
        bill(verifier, flags, ports),
      ),
    'licence bill 91350100M000100Y43',
  )
}

function withVerifier(command: Command): Command {
  return option.withNode(option.withKey(command, 'the verifier'))
}

async function verify(path: string, flags: VerifyFlags, ports: CommandPorts): Promise<void> {
  const { print } = ports
  const { text } = decodeCode(ports.readText(path).trim())
  await acting(flags, ports, async ({ chain, chainId, now }) => {
    const shown = readShown(text, { flags, ports, now })
    tellShown(shown, ports)
    const report = await verifyOnline(chain, shown)
    tellChecks(report, ports)
    if (flags.purposeCode !== undefined) {
      const { holderKey } = shown.credential
      const entry = await recordVerification(chain, {
        shown,
        report,
        chainId,
        purpose: flags.purposeCode,
        byteCount: text.length,
        detail: encryptTo(holderKey, toUtf8Bytes(shown.purpose)),
      })
      print(`recorded ${placeOf(entry)}`)
    }
    assertOk(report)
  })
}

function readShown(
  text: string,
  { flags, ports, now }: { flags: VerifyFlags; ports: CommandPorts; now: number },
): Presentation {
  // A memory for one: whoever checks at a counter all day keeps one in a program of their own. A code
  // that was recorded is not recorded again, by the chain.
  const memory = createReplayMemory()
  if (flags.request === undefined) {
    const verdict = verifyPresentation(text, { memory, now })
    if (!verdict.ok) throw refused(verdict.reason)
    return verdict.presentation
  }
  const asked = decodeCode(ports.readText(flags.request).trim())
  const read = readRequest(asked.text, now)
  if (!read.ok) throw refused(read.reason)
  const verdict = verifyAnswer(text, { request: read.request, memory, now })
  if (!verdict.ok) throw refused(verdict.reason)
  return verdict.presentation
}

async function show(number: bigint, flags: NodeFlags, ports: CommandPorts): Promise<void> {
  const { print } = ports
  await reading(flags, ports, async ({ chain }) => {
    const licences = createLicenceDirectory(chain)
    const record = await licences.recordOf(number)
    print(`status   ${await licences.statusOf(number)}`)
    print(`type     ${record.licenceType}, version ${record.version}`)
    const accredited = (await licences.wasAccredited(number)) ? 'accredited' : 'not accredited'
    print(`issuer   ${record.issuer}, ${accredited} when it was issued`)
    print(`holder   ${record.holder}`)
    print(`valid    ${timeOf(record.validFrom)} to ${timeOf(record.validUntil)}`)
    if (record.previous !== undefined) print(`follows  ${record.previous}`)
    if (record.next !== undefined) print(`followed by ${record.next}`)
    for (const { operation, status, reason, blockNumber } of await licences.historyOf(number)) {
      print(`history  block ${blockNumber}: operation ${operation}, ${status}, reason ${reason}`)
    }
  })
}

async function bill(
  verifier: string,
  flags: NodeFlags & { period?: number },
  ports: CommandPorts,
): Promise<void> {
  const { print } = ports
  await reading(flags, ports, async ({ chain, chainTime }) => {
    const period = flags.period ?? periodOf(chainTime)
    const { lines, total, wrong } = await billOf(chain, { verifier, period })
    for (const line of lines) {
      print(
        `block ${line.blockNumber}  ${line.licenceType}  use ${line.use}  ${line.byteCount} bytes  tariff ${line.tariffVersion}  ${creditText(line.amount)}`,
      )
    }
    print(`${verifier}, period ${period}: ${lines.length} uses, ${creditText(total)}`)
    if (wrong.length > 0) {
      throw new LicenceError(
        'LICENCE_REFUSED',
        `${wrong.length} charges are not what the tariff says`,
        {
          reason: 'charge wrong',
        },
      )
    }
  })
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
