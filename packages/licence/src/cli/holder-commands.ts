/** `vellum licence`, the holder's part: open, answer, show, and see who looked. */

import type { Command } from 'commander'
import { randomBytes, toUtf8String } from 'ethers'
import { presentationSeed } from '../blinding.ts'
import {
  bringAnswer,
  listVerifications,
  openLicence,
  requestCancellation,
  signAnswer,
} from '../chain/holder.ts'
import { createLicenceDirectory } from '../chain/licences.ts'
import { codeSize, decodeCode, encodeCode } from '../code.ts'
import { readCredential } from '../credential.ts'
import { decryptWith } from '../envelope.ts'
import { LicenceError } from '../error.ts'
import { encodeOfflineCode } from '../offline.ts'
import { answerRequest, type PresentOptions, present } from '../presentation.ts'
import { readRequest } from '../request.ts'
import { formatJson, type HolderFile, parseHolderFile } from './json-files.ts'
import * as option from './options.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'
import { acting, placeOf } from './session.ts'

type Flags = NodeFlags & KeyFlags

interface PresentFlags extends Flags {
  readonly holderFile: string
  readonly request?: string
  readonly fields?: readonly string[]
  readonly purpose?: string
  readonly offline?: boolean
  readonly out?: string
}

interface ListFlags extends Flags {
  readonly holderFile: string
  readonly identity?: string
}

const DAY = 86_400
const SECRET_BYTES = 32

export function addHolderCommands(root: Command, ports: CommandPorts): void {
  const { print } = ports

  option.withExample(
    withHolder(root.command('open'))
      .description('decrypt a licence, and check that it is what the chain commits to')
      .argument('<number>', 'of the licence', option.big)
      .requiredOption('--out <file>', 'credential to create: all that the licence says')
      .option('--store <directory>', 'where ciphertexts are that are too large for the chain')
      .action((number: bigint, flags: Flags & { out: string; store?: string }) =>
        acting(flags, ports, async ({ chain, key, privateKey }) => {
          const { get } = ports.openStore(flags.store)
          ports.createText(
            flags.out,
            `${await openLicence(chain, number, { key, privateKey, get })}\n`,
          )
          print(`licence ${number} opened and checked: ${flags.out}`)
        }),
      ),
    'licence open 0 --key holder.json --out credential.txt',
  )

  for (const name of ['accept', 'decline'] as const) {
    option.withExample(
      withHolder(root.command(name))
        .description(`${name} a licence that is offered`)
        .argument('<number>', 'of the licence', option.big)
        .action((number: bigint, flags: Flags) =>
          acting(flags, ports, async ({ chain, chainId, chainTime, key }) => {
            const licences = createLicenceDirectory(chain)
            const { content } = await licences.recordOf(number)
            const accepts = name === 'accept'
            const answer = { number, content, accepts, deadline: chainTime + DAY }
            const done = await bringAnswer(chain, await signAnswer(chainId, answer, key))
            print(`licence ${number} is ${await licences.statusOf(number)}: ${placeOf(done)}`)
          }),
        ),
      `licence ${name} 0 --key holder.json`,
    )
  }

  option.withExample(
    withHolder(option.withReason(root.command('ask-to-cancel')))
      .description('ask the issuing authority to cancel a licence')
      .argument('<number>', 'of the licence', option.big)
      .action((number: bigint, flags: Flags & { reason: number }) =>
        acting(flags, ports, async ({ chain, chainId, chainTime, key }) => {
          const asked = { chainId, number, reason: flags.reason, deadline: chainTime + DAY }
          print(`asked: ${placeOf(await requestCancellation(chain, asked, key))}`)
        }),
      ),
    'licence ask-to-cancel 0 --reason 1 --key holder.json',
  )

  option.withExample(
    withHolder(root.command('present'))
      .description('make the code that a phone shows: some fields, for a minute, good once')
      .argument('<credential>', 'file of `open`')
      .requiredOption('--holder-file <file>', 'secret and count of presentations; made if missing')
      .option('--request <file>', 'answer a verifier’s request')
      .option('--fields <names>', 'without a request: names with commas', option.fields)
      .option('--purpose <text>', 'without a request: what for')
      .option('--offline', 'with the status and its proof, for who has no network')
      .option('--out <file>', 'file of the code to create (default: print it)')
      .action((path: string, flags: PresentFlags) => showCode(path, flags, ports)),
    'licence present credential.txt --request request.txt --holder-file holder-file.json --key holder.json',
  )

  option.withExample(
    withHolder(root.command('list-verifications'))
      .description('who has checked what this holder has shown')
      .requiredOption('--holder-file <file>', 'file of `present`')
      .option('--identity <address>', 'where the key was changed: the identity', option.address)
      .action((flags: ListFlags) => list(flags, ports)),
    'licence list-verifications --holder-file holder-file.json --key holder.json',
  )
}

function withHolder(command: Command): Command {
  return option.withNode(option.withKey(command, 'the holder'))
}

async function showCode(path: string, flags: PresentFlags, ports: CommandPorts): Promise<void> {
  const credential = ports.readText(path).trim()
  await acting(flags, ports, async ({ chain, key, now }) => {
    const seed = nextSeed(flags.holderFile, ports)
    const text = await presented(flags, ports, { credential, key, seed, now })
    const code = flags.offline
      ? encodeOfflineCode(text, await proofFor(credential, createLicenceDirectory(chain)))
      : encodeCode({ kind: 'presentation', text })
    if (flags.out === undefined) ports.print(code)
    else {
      ports.createText(flags.out, `${code}\n`)
      ports.print(`code of ${codeSize(code)} bytes in ${flags.out}, good for a minute`)
    }
  })
}

function presented(
  flags: PresentFlags,
  ports: CommandPorts,
  options: PresentOptions,
): Promise<string> {
  if (flags.request !== undefined) {
    if (flags.offline || flags.fields !== undefined) {
      throw misused(
        '--request says which fields, and needs a network: leave --fields and --offline',
      )
    }
    const text = ports.readText(flags.request).trim()
    const read = readRequest(text.startsWith('VL1:') ? decodeCode(text).text : text, options.now)
    if (!read.ok) {
      const { reason } = read
      throw new LicenceError('LICENCE_REFUSED', `this request is refused: ${reason}`, { reason })
    }
    return answerRequest(read.request, options)
  }
  const { fields, purpose } = flags
  if (fields === undefined || purpose === undefined) {
    throw misused('give --request, or --fields and --purpose')
  }
  return present({ fields, purpose }, options)
}

async function proofFor(
  text: string,
  licences: ReturnType<typeof createLicenceDirectory>,
): Promise<Uint8Array> {
  const read = readCredential(text)
  const number = read.ok ? await licences.numberOf(read.credential.identifier) : undefined
  if (number === undefined) {
    throw new LicenceError('LICENCE_REFUSED', 'the chain has no such licence', {
      reason: 'licence unknown',
    })
  }
  return licences.proofOf(number)
}

/**
 * The next seed of a holder, whose file is made if it is missing. Counted before it is used: a seed that is used twice would tell that two showings are of one holder.
 */
export function nextSeed(path: string, ports: CommandPorts): Uint8Array {
  const text = ports.readTextIfThere(path)
  if (text === undefined) {
    const made: HolderFile = { secret: randomBytes(SECRET_BYTES), presentations: 1 }
    ports.createText(path, formatJson(made))
    return presentationSeed(made.secret, 0)
  }
  const { secret, presentations } = parseHolderFile(text, path)
  ports.replaceText(path, formatJson({ secret, presentations: presentations + 1 }))
  return presentationSeed(secret, presentations)
}

async function list(flags: ListFlags, ports: CommandPorts): Promise<void> {
  const { secret, presentations } = parseHolderFile(
    ports.readText(flags.holderFile),
    flags.holderFile,
  )
  await acting(flags, ports, async ({ chain, chainId, key, privateKey }) => {
    const issued = await chain.events({
      of: 'licenceRegistry',
      name: 'LicenceChanged',
      topics: [null, null, flags.identity ?? key.address],
    })
    const numbers = [...new Set(issued.map(({ args }) => args.number as bigint))]
    const seen = await listVerifications(chain, { secret, presentations, numbers, chainId })
    for (const entry of seen) {
      const licence = entry.licence === undefined ? 'unknown licence' : `licence ${entry.licence}`
      const purpose =
        entry.detail.length === 0 ? '' : `, ${toUtf8String(decryptWith(privateKey, entry.detail))}`
      ports.print(
        `block ${entry.blockNumber}  ${entry.verifier}  ${licence}  result ${entry.result}, purpose ${entry.purpose}${purpose}`,
      )
    }
    ports.print(`${seen.length} verifications of ${presentations} presentations`)
  })
}

function misused(what: string): LicenceError {
  return new LicenceError('LICENCE_FIELD_INVALID', what)
}
