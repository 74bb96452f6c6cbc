/** The commands of identities and licences, step by step on a node, with files handed from one to the next. */

import { rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeCode } from '@vellum/licence'
import { type CommandPorts, LIBRARY_COMMANDS, tourLicence } from '@vellum/licence/cli'
import { DEV_ACCOUNTS, DEV_ORGANISATIONS, encryptKeystore } from '@vellum/node'
import { getBytes, id, Wallet } from 'ethers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  printed,
  type RunningNode,
  runCommand,
  startWithTour,
  temporaryDirectory,
} from './running-node.ts'

const keyOf = (account: string): string =>
  DEV_ACCOUNTS.find(({ address }) => address === account)!.privateKey
const { root, registrar, issuer, commercialVerifier } = DEV_ORGANISATIONS
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const holder = new Wallet(id('a holder at the command line'))
const fresh = new Wallet(id('the holder’s second key'))
const third = new Wallet(id('the holder’s third key'))

/** Keystores by name. */
const KEYS: Readonly<Record<string, string>> = {
  'root.json': keyOf(root.account),
  'registrar.json': keyOf(registrar.account),
  'issuer.json': keyOf(issuer.account),
  'verifier.json': keyOf(commercialVerifier.account),
  'holder.json': holder.privateKey,
  'fresh.json': fresh.privateKey,
  'third.json': third.privateKey,
}
const files = new Map<string, string>()
const lines: string[] = []
let late = 0

const ports: CommandPorts = {
  print: (line) => void lines.push(line),
  nowMs: () => Date.now() + late,
  readText: (path) => {
    const text = files.get(path)
    if (text === undefined) throw new Error(`no file ${path}`)
    return text
  },
  readTextIfThere: (path) => files.get(path),
  createText: (path, text) => {
    if (files.has(path)) throw new Error(`${path} is there`)
    files.set(path, text)
  },
  replaceText: (path, text) => void files.set(path, text),
  openKey: async (keystore) => getBytes(KEYS[keystore]!),
  openStore: () => ({
    put: async () => Promise.reject(new Error('nothing here is too large for the chain')),
    get: async () => Promise.reject(new Error('nothing here is in a store')),
  }),
}

let directory: string
let node: RunningNode
/** Number of the licence. */
let first: string
let second: string

/** Runs a command as one line of words. @returns what it printed */
async function run(line: string): Promise<string> {
  const [name, ...words] = line.split(' ')
  const hasNode =
    !/^(licence (verify-offline|make-copy|show-copy)|identity subject-key|identity key) /.test(line)
  const command = LIBRARY_COMMANDS[name as keyof typeof LIBRARY_COMMANDS](ports)
  lines.length = 0
  await command.parseAsync([...words, ...(hasNode ? ['--rpc', node.url] : [])], { from: 'user' })
  return lines.join('\n')
}

const refusal = async (line: string): Promise<unknown> =>
  run(line).then(
    () => 'not refused',
    (error: { code?: string; details?: { reason?: string; error?: string } }) => [
      error.code,
      error.details?.reason ?? error.details?.error,
    ],
  )

const writeData = (path: string, version: number, serial = 'CLI2026001'): void => {
  const now = Math.floor(Date.now() / 1_000)
  const shape = { issuer: issuer.code, serial, version, now }
  files.set(path, JSON.stringify(tourLicence(shape)))
}

beforeAll(async () => {
  directory = temporaryDirectory()
  // The tour has the issuer accredited.
  node = await startWithTour(directory)
  await printed(node, /in all\. Each step/)
})

afterAll(async () => {
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

// One story: each chapter stands on those before it.

test('an identity is registered, countersigned, brought and filed', async () => {
  const shown = await run('identity key --key holder.json')
  const publicKey = /public key +(0x[0-9a-f]{128})/.exec(shown)![1]!
  await run('identity subject-key --out subject-keys.json')
  const document = { type: 'citizen number', number: '440524188001010014' }
  const request = { publicKey, kind: 'citizen', document, details: { name: '示例公民乙' } }
  files.set('request.json', JSON.stringify(request))
  const by = `--key registrar.json --code ${registrar.code} --subject-keys subject-keys.json`
  await run(`identity register request.json ${by} --out statement.json`)
  expect(files.get('statement.json')).not.toContain(document.number)
  await run('identity countersign statement.json --key holder.json --out signed.json')
  await run('identity bring signed.json --key registrar.json')
  await run(`identity file ${holder.address} --key root.json`)
  expect(await run(`identity show ${holder.address}`)).toContain('state     active')
  // The same person with another key is not a new user.
  const again = { ...request, publicKey: `0x${fresh.signingKey.publicKey.slice(4)}` }
  files.set('again.json', JSON.stringify(again))
  expect(await refusal(`identity register again.json ${by} --out no.json`)).toEqual([
    'LICENCE_REFUSED',
    'person known',
  ])
})

test('a statement is countersigned by the key that it names, and no other', async () => {
  const wrong = 'identity countersign statement.json --key fresh.json --out wrong.json'
  expect(await refusal(wrong)).toEqual(['LICENCE_DECRYPTION_FAILED', undefined])
  files.set('broken.json', '{ "statement": 1 }')
  const broken = 'identity countersign broken.json --key holder.json --out wrong.json'
  expect(await refusal(broken)).toEqual(['LICENCE_FILE_INVALID', undefined])
})

test('a licence is issued, opened and accepted', async () => {
  writeData('data.json', 1)
  const told = await run(`licence issue data.json --holder ${holder.address} --key issuer.json`)
  first = /licence (\d+):/.exec(told)![1]!
  await run(`licence open ${first} --key holder.json --out credential.txt`)
  expect(await run(`licence accept ${first} --key holder.json`)).toContain('InForce')
  expect(await refusal(`licence decline ${first} --key holder.json`)).toEqual([
    'LICENCE_CHAIN_REFUSED',
    'StatusWrong',
  ])
})

/** @returns number of an offer */
async function issue(name: string): Promise<string> {
  writeData(`${name}.json`, 1, `CLI${name.replace(/\W/g, '').toUpperCase()}`)
  const told = await run(`licence issue ${name}.json --holder ${holder.address} --key issuer.json`)
  return /licence (\d+):/.exec(told)![1]!
}

/** Request, code, verification with its record. */
async function show(credential: string, name: string): Promise<string> {
  await run(
    `licence request --fields holderName,body.hospital --purpose 贷款 --key verifier.json --out ${name}.request`,
  )
  await run(
    `licence present ${credential} --request ${name}.request --holder-file holder-file.json --key holder.json --out ${name}.code`,
  )
  return `licence verify ${name}.code --request ${name}.request --purpose-code 3 --key verifier.json`
}

test('a verifier asks, the holder shows two fields, all checks go well and are recorded', async () => {
  await run('licence approve 1.5 --key verifier.json')
  const told = await run(await show('credential.txt', 'one'))
  expect(told).toMatch(/issuer +ok\nstatus +ok\nholder +ok\nrecorded block \d+, transaction 0x/)
  expect(told).toContain('示例公民甲')
  expect(told).not.toContain('34052419800101001X')
  expect(
    await refusal((await show('credential.txt', 'two')).replace('two.code', 'one.code')),
  ).toEqual(['LICENCE_REFUSED', 'wrong request'])
  const again = 'licence verify one.code --request one.request --purpose-code 3 --key verifier.json'
  expect(await refusal(again)).toEqual(['LICENCE_CHAIN_REFUSED', 'TagUsed'])
  await expect(run(again)).rejects.toThrow(/TagUsed.*; this code is recorded already/)
  late = 2 * 60_000
  expect(await refusal(again)).toEqual(['LICENCE_REFUSED', 'request expired'])
  late = 0
})

test('a code with its proof is checked without a node', async () => {
  await run('licence trust --out trust.json')
  // A block after the trust began: the proof is of the head.
  const offline = '--offline --fields holderName --purpose 出示 --holder-file holder-file.json'
  await run(`licence present credential.txt ${offline} --key holder.json --out offline.code`)
  const told = await run('licence verify-offline offline.code --trust trust.json')
  expect(told).toMatch(/status +InForce at block \d+/)
  expect(await run('licence trust-update trust.json')).toMatch(/^0 changes; trust.json is as of/)
  expect(await run('licence verify-offline offline.code --trust trust.json')).toBe(told)
  late = 30_000
  expect(await refusal('licence verify-offline offline.code --trust trust.json --age 5')).toEqual([
    'LICENCE_REFUSED',
    'proof too old',
  ])
  late = 0
})

test('a copy for a purpose says what for and until when, and is checked against its original', async () => {
  const note = '--purpose 办理开户 --creator 示例公民甲 --cause 银行开户 --watermark 仅供开户使用'
  const shown = `--fields holderName,number ${note} --days 2 --holder-file holder-file.json`
  await run(`licence make-copy credential.txt ${shown} --key holder.json --out copy.txt`)
  const told = await run('licence show-copy copy.txt')
  for (const line of ['purpose  办理开户', 'cause    银行开户', 'mark     仅供开户使用']) {
    expect(told).toContain(line)
  }
  expect(told).toContain('holderName: 示例公民甲')
  expect(told).not.toContain('34052419800101001X')
  for (const _again of [1, 2]) {
    expect(await run('licence verify-copy copy.txt')).toBe(
      `${told}\nissuer   ok\nstatus   ok\nholder   ok`,
    )
  }
  // A copy is no presentation, nor a credential a copy.
  expect(await refusal('licence verify copy.txt --key verifier.json')).toEqual([
    'LICENCE_REFUSED',
    'a copy',
  ])
  expect(await refusal('licence show-copy credential.txt')).toEqual([
    'LICENCE_REFUSED',
    'holder missing',
  ])
  const { text } = decodeCode(files.get('copy.txt')!.trim())
  const [jwt, disclosure] = text.split('~')
  files.set('altered.txt', text.replace(`${jwt}~${disclosure}~`, `${jwt}~`))
  expect(await refusal('licence show-copy altered.txt')).toEqual([
    'LICENCE_REFUSED',
    'presentation altered',
  ])
  late = 3 * 86_400_000
  expect(await refusal('licence verify-copy copy.txt')).toEqual(['LICENCE_REFUSED', 'expired'])
  late = 0
})

test('renewed, the old one is refused; suspended and lifted, it is as the issuer says', async () => {
  writeData('data-2.json', 2)
  const told = await run(`licence renew ${first} data-2.json --key issuer.json`)
  second = /: licence (\d+):/.exec(told)![1]!
  expect(await refusal(await show('credential.txt', 'old'))).toEqual(['LICENCE_REFUSED', 'lapsed'])
  expect(await refusal('licence verify-copy copy.txt')).toEqual(['LICENCE_REFUSED', 'lapsed'])
  await run(`licence open ${second} --key holder.json --out credential-2.txt`)
  await run(`licence suspend ${second} --reason 7 --key issuer.json`)
  expect(await refusal(await show('credential-2.txt', 'stopped'))).toEqual([
    'LICENCE_REFUSED',
    'suspended',
  ])
  await run(`licence lift ${second} --reason 8 --key issuer.json`)
  expect(await run(await show('credential-2.txt', 'lifted'))).toMatch(/status +ok/)
  expect(await run(`licence show ${second}`)).toMatch(
    /status +InForce[\s\S]*operation 3, Suspended/,
  )
})

test('the bill is made of the chain, and the holder sees who looked', async () => {
  const bill = await run(`licence bill ${commercialVerifier.code}`)
  // Four of the tour, four of these: of them one was free, none was.
  expect(bill).toMatch(/8 uses, 0\.0\d+ credits/)
  const seen = await run(
    'licence list-verifications --holder-file holder-file.json --key holder.json',
  )
  const entries = [...seen.matchAll(/licence (\d+) +result (\d), purpose 3, 贷款/g)]
  expect(entries.map(([, number, result]) => [number, result])).toEqual([
    [first, '0'],
    [first, '2'],
    [second, '2'],
    [second, '0'],
  ])
  expect(seen).toContain('4 verifications of 7 presentations')
})

test('a licence is changed, asked to be cancelled, and cancelled', async () => {
  writeData('data-3.json', 3)
  const told = await run(`licence change ${second} data-3.json --key issuer.json`)
  const changed = /: licence (\d+):/.exec(told)![1]!
  await run(`licence ask-to-cancel ${changed} --reason 1 --key holder.json`)
  const cancelled = await run(`licence cancel ${changed} --reason 1 --key issuer.json`)
  expect(cancelled).toContain('is Cancelled')
  expect(await refusal(`licence revoke ${changed} --reason 1 --key issuer.json`)).toEqual([
    'LICENCE_CHAIN_REFUSED',
    'StatusWrong',
  ])
})

test.for([
  ['revoke', '--reason 2', 'Revoked'],
  ['rescind', '--reason 3', 'Rescinded'],
  ['transfer-out', '--to 1338', 'TransferredOut'],
] as const)('a licence in force can end: %s', async ([name, flags, status]) => {
  const number = await issue(name)
  await run(`licence accept ${number} --key holder.json`)
  expect(await run(`licence ${name} ${number} ${flags} --key issuer.json`)).toContain(
    `is ${status}`,
  )
})

test('an offer that is declined is no licence', async () => {
  const number = await issue('decline')
  expect(await run(`licence decline ${number} --key holder.json`)).toContain('is Declined')
})

test('a key is rotated; a lost one is recovered unless its holder objects', async () => {
  await run(`identity rotate-key ${holder.address} --key holder.json --new-key fresh.json`)
  expect(await run(`identity show ${holder.address}`)).toContain(fresh.address)
  await run(`identity recover begin ${holder.address} --key third.json --out recovery.json`)
  const early = 'identity recover bring recovery.json --key registrar.json'
  expect(await refusal(early)).toEqual(['LICENCE_FILE_INVALID', undefined])
  await run('identity recover sign recovery.json --as registrar --key registrar.json')
  await run('identity recover sign recovery.json --as supervisor --key root.json')
  await run(early)
  expect(await refusal(`identity recover complete ${holder.address} --key third.json`)).toEqual([
    'LICENCE_CHAIN_REFUSED',
    'RecoveryWaits',
  ])
  await run(`identity recover object ${holder.address} --key fresh.json`)
  const after = await refusal(`identity recover complete ${holder.address} --key third.json`)
  expect(after).toEqual(['LICENCE_CHAIN_REFUSED', expect.stringMatching(/Recovery/)])
})

test('an identity is suspended, reinstated and cancelled', async () => {
  const move = (name: string): Promise<string> =>
    run(`identity ${name} ${holder.address} --reason 1 --key registrar.json`)
  const state = (): Promise<string> => run(`identity show ${holder.address}`)
  await move('suspend')
  expect(await state()).toContain('suspended')
  await move('reinstate')
  expect(await state()).toContain('active')
  await move('cancel')
  expect(await state()).toContain('cancelled')
})

test('each command says what it does, with an example', () => {
  const all = Object.values(LIBRARY_COMMANDS).flatMap((make) => leavesOf(make(ports)))
  expect(all.length).toBeGreaterThan(30)
  const helps = all.map((command) => {
    let text = ''
    command.configureOutput({
      writeOut: (more) => {
        text += more
      },
    })
    command.outputHelp()
    return [command.name(), /Example:\n {2}vellum (identity|licence|credit) \w+/.test(text)]
  })
  expect(helps.filter(([, has]) => !has)).toEqual([])
})

test('a command of the node reads keystores and writes files for their owner alone', async () => {
  const [keystore, password] = [join(directory, 'holder.json'), join(directory, 'password')]
  const owner = { address: holder.address.toLowerCase() as `0x${string}`, password: utf8('horse') }
  const text = await encryptKeystore(getBytes(holder.privateKey), owner)
  writeFileSync(keystore, text, { mode: 0o600 })
  writeFileSync(password, 'horse\n')
  const key = await runCommand('identity', 'key', '--key', keystore, '--password-file', password)
  expect(key.output).toContain(holder.address)
  const secret = join(directory, 'subject-keys.json')
  const make = ['identity', 'subject-key', '--out', secret]
  expect((await runCommand(...make)).code).toBe(0)
  expect(statSync(secret).mode & 0o777).toBe(0o600)
  const again = await runCommand(...make)
  expect(again).toMatchObject({ code: 1, output: expect.stringContaining('is there already') })
  const missing = await runCommand('licence', 'accept', '0', '--key', `${directory}/none.json`)
  expect(missing).toMatchObject({ code: 1, output: expect.stringContaining('NODE_FILE_INVALID') })
  const shown = await runCommand('licence', 'show', '0', '--rpc', node.url)
  expect(shown.output).toMatch(/status +Lapsed/)
})

type LeafCommand = ReturnType<(typeof LIBRARY_COMMANDS)['licence']>

function leavesOf(command: LeafCommand): LeafCommand[] {
  const inner = command.commands as LeafCommand[]
  return inner.length === 0 ? [command] : inner.flatMap(leavesOf)
}
