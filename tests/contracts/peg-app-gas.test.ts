/** What the applications of the peg cost, against the table that we publish. */

import { readFileSync } from 'node:fs'
import { id, MaxUint256 } from 'ethers'
import { expect, test } from 'vitest'
import { keyOf, type PegChain } from './peg-chains.ts'
import { AT, issue, openNetwork, register } from './peg-network.ts'
import { PAYLOAD, YEAR } from './world.ts'

/** Proofs differ with everything else that is in a state. */
const TOLERANCE = 0.02
const PAGE = new URL('../../docs/protocol/peg.md', import.meta.url)

test('gas of each application is what docs/protocol/peg.md says', async () => {
  const network = await openNetwork()
  const { main } = network
  const [side, second] = network.sides as [PegChain, PegChain]
  const person = keyOf('person')
  const [issuer, registrar, verifier] = ['issuer', 'registrar', 'verifier'].map(keyOf) as [
    typeof person,
    typeof person,
    typeof person,
  ]
  const rows: string[] = []
  const text = (gas: number): string => (Math.round(gas / 1_000) * 1_000).toLocaleString('en')

  /** Of the call, and of its first message there and of the outcome back. */
  const measure = async (
    name: string,
    send: () => Promise<{ readonly gasUsed: number }>,
  ): Promise<void> => {
    const { gasUsed } = await send()
    const [message] = network.sent()
    const receipt = await network.deliver(message!)
    const back = await network.acknowledge(message!, receipt)
    rows.push(`| ${name} | ${text(gasUsed)} | ${text(receipt.gasUsed)} | ${text(back.gasUsed)} |`)
    await network.carry()
  }
  const onLicences = (chain: PegChain, method: string, ...args: unknown[]) =>
    chain.send(issuer, AT.licenceRegistry, method, args)

  await register(network, person)
  const opened = [person.address, side.chainId]
  await measure('`open` an identity', () => main.send(registrar, AT.identityPeg, 'open', opened))
  const first = await issue(side, person, 'one')
  await network.carry()
  const suspended = [person.address, 1]
  await measure('`suspend` an identity with one licence on one side chain', () =>
    main.send(registrar, AT.identityRegistry, 'suspend', suspended),
  )
  await main.send(registrar, AT.identityRegistry, 'reinstate', suspended)
  await network.carry()

  await measure('`suspend` a licence', () => onLicences(side, 'suspend', first, 1))
  await measure('`lift`', () => onLicences(side, 'lift', first, 1))
  const now = network.clock.seconds
  const successor = {
    identifier: id('two'),
    content: id('content of two'),
    validFrom: now,
    validUntil: now + YEAR,
    payload: PAYLOAD,
  }
  await measure('`renew`', () => onLicences(side, 'renew', first, successor))

  await main.send(person, AT.identityPeg, 'open', [person.address, second.chainId])
  await network.carry()
  await measure('`transferOut`, to main', () =>
    onLicences(side, 'transferOut', first + 1, second.chainId),
  )

  await main.send(verifier, AT.serviceCredit, 'approve', [AT.creditBridge, MaxUint256])
  await main.send(verifier, AT.creditBridge, 'lock', [side.chainId, verifier.address, 1_000n, 0])
  await network.carry()
  const lock = [side.chainId, verifier.address, 1_000n, 0]
  await measure('`lock` credit', () => main.send(verifier, AT.creditBridge, 'lock', lock))
  const withdraw = [verifier.address, 500n, 0]
  await side.send(verifier, AT.creditBridge, 'withdraw', withdraw)
  await network.carry()
  await measure('`withdraw` credit', () =>
    side.send(verifier, AT.creditBridge, 'withdraw', withdraw),
  )

  const page = readFileSync(PAGE, 'utf8')
  const published = page
    .split('\n')
    .filter((line) => /^\| `\w+`[^|]*( \| [\d,]+){3} \|$/.test(line))
  const parts = (row: string): string[] => row.slice(2, -2).split(' | ')
  const numbers = (row: string): number[] =>
    parts(row)
      .slice(1)
      .map((part) => Number(part.replaceAll(',', '')))
  expect(published.map((row) => parts(row)[0])).toEqual(rows.map((row) => parts(row)[0]))
  const far = rows.filter((row, i) =>
    numbers(row).some((gas, j) => Math.abs(gas / numbers(published[i]!)[j]! - 1) > TOLERANCE),
  )
  expect(far).toEqual([])
})
