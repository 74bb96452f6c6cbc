/** What calls of the system contracts cost, against the table that we publish. */

import { readFileSync } from 'node:fs'
import { ADDRESSES } from '@vellum/contracts'
import { id, type Wallet } from 'ethers'
import { expect, test } from 'vitest'
import { type ContractName, createChain, INTERFACES } from './chain.ts'
import {
  accounts,
  CODE,
  councillors,
  networkOptions,
  offerFor,
  publicKeyOf,
  signedStatement,
  signKeyChange,
  statementOf,
  successorOf,
  TYPE,
  wallet,
  YEAR,
} from './world.ts'

const PAGE = new URL('../../docs/protocol/contracts.md', import.meta.url)
/** 900 bytes, as a licence has that is encrypted on chain. */
const CIPHERTEXT = `0x${'ab'.repeat(900)}`

test('gas of each call is what docs/protocol/contracts.md says', async () => {
  const chain = await createChain(networkOptions())
  const { root, accrediting, issuer, registrar, supervisor, verifier, office } = accounts
  const [one, two] = councillors as [Wallet, Wallet]
  const holder = wallet('holder')
  const rows: string[] = []
  const measure = async (
    from: Wallet,
    to: ContractName,
    method: string,
    args: unknown[],
    note = '',
  ): Promise<void> => {
    const { gasUsed } = await chain.send(from, to, method, args)
    const gas = (Math.round(gasUsed / 100) * 100).toLocaleString('en')
    rows.push(`| \`${INTERFACES[to].getFunction(method)!.name}\`${note} | ${gas} |`)
  }
  await chain.pass(1)
  const until = (await chain.now()) + YEAR

  const appoint = [TYPE, CODE.accrediting, 0, until]
  await measure(root, 'organisationRegistry', 'appoint', appoint)
  const accredit = [TYPE, CODE.issuer, 0, until]
  await measure(accrediting, 'organisationRegistry', 'accredit', accredit)

  const statement = await signedStatement(chain, statementOf(holder), { holder })
  await measure(registrar, 'identityRegistry', 'register', statement)
  await measure(supervisor, 'identityRegistry', 'file', [holder.address, id('filed')])

  const licences = 'licenceRegistry'
  const given = { payload: { store: 0, data: CIPHERTEXT, hash: id(''), length: 0 } }
  const offers = await offerFor(chain, holder.address, 'one', given)
  await measure(issuer, licences, 'issue', [offers], ', 900 bytes of ciphertext')
  await measure(holder, licences, 'accept', [0])
  const successor = await successorOf(chain, 'two', given)
  await measure(issuer, licences, 'renew', [0, successor], ', 900 bytes of ciphertext')
  await measure(issuer, licences, 'suspend', [1, 1], ' of a licence')
  await measure(issuer, licences, 'lift', [1, 1])
  await measure(
    registrar,
    'identityRegistry',
    'suspend',
    [holder.address, 1],
    ' of an identity with one licence',
  )
  await measure(
    registrar,
    'identityRegistry',
    'reinstate',
    [holder.address, 1],
    ' of an identity with one licence',
  )
  await measure(issuer, licences, 'revoke', [1, 1])

  const next = wallet('next')
  const { publicKeyX, publicKeyY } = publicKeyOf(next)
  const change = { identity: holder.address, to: next, nonce: 0 }
  const signatures = await signKeyChange(chain, 'KeyChange', change, [holder, next])
  const rotation = [holder.address, publicKeyX, publicKeyY, 4_000_000_000, ...signatures]
  await measure(registrar, 'identityRegistry', 'rotate', rotation)

  const entry = (tag: string): object => ({
    licenceType: TYPE,
    commitment: id('blinded'),
    tag: id(tag),
    purpose: 1,
    result: 0,
    byteCount: 500,
    detail: `0x${'cd'.repeat(120)}`,
  })
  await chain.send(verifier, 'serviceCredit', 'approve', [ADDRESSES.verificationLog, 10_000_000n])
  await chain.send(office, 'verificationLog', 'record', [entry('first of all')])
  await measure(office, 'verificationLog', 'record', [entry('free')], ', free')
  for (const tag of ['a', 'b', 'c'])
    await chain.send(verifier, 'verificationLog', 'record', [entry(tag)])
  await measure(verifier, 'verificationLog', 'record', [entry('charged')], ', charged')
  const many = Array.from({ length: 50 }, (_, i) => entry(`together ${i}`))
  await measure(office, 'verificationLog', 'recordMany', [many], ' of 50, free')

  const call = INTERFACES.permissions.encodeFunctionData('setFlags', [holder.address, 3])
  const calls = [{ target: ADDRESSES.permissions, data: call }]
  await measure(one, 'council', 'propose', [calls])
  await measure(two, 'council', 'approve', [0])
  await chain.pass(3_600)
  await measure(one, 'council', 'execute', [0, calls], ' of one `setFlags`')
  await chain.stop()

  const page = readFileSync(PAGE, 'utf8')
  const published = page.split('\n').filter((line) => /^\| `\w+`[^|]* \| [\d,]+ \|$/.test(line))
  expect(published).toEqual(rows)
})
