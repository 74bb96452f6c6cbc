/** What the peg costs, against the table that we publish. */

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  acknowledgement,
  CLIENT,
  createPegPair,
  delivery,
  follow,
  GATEWAY,
  type Message,
  outcomeOf,
  type PegChain,
  relayer,
  sendMessage,
  validatorKeys,
} from './peg-chains.ts'

const PAGE = new URL('../../docs/protocol/light-client.md', import.meta.url)
const SIZES = [4, 7, 13, 21]
/** A state with 10,000 accounts, and a gateway with 5,000 messages. */
const CROWD = { accounts: 10_000, messages: 5_000 }
/** A recipient that does nothing. */
const QUIET = `0x08${'00'.repeat(99)}`

/** What may differ: hashes have more or fewer zeros in them, and those are cheaper to send. */
const TOLERANCE = 0.01

/** Gas of a `relay` of these calls. */
async function relayed(on: PegChain, calls: readonly string[]): Promise<number> {
  const { gasUsed, events } = await on.send(relayer, GATEWAY, 'relay', [calls])
  expect(events.filter(({ name }) => name === 'CallFailed')).toEqual([])
  return gasUsed
}

async function measure(size: number): Promise<readonly number[]> {
  const { main, side } = await createPegPair({
    mainValidators: validatorKeys(size, 'main'),
    sideValidators: validatorKeys(size, 'side'),
    crowd: CROWD,
  })
  await follow(side, main)
  await follow(main, side)
  await main.block()
  const update = async (): Promise<number> => {
    const trusted = side.ask<bigint>(CLIENT, 'latestHeight', [main.chainId])
    const args = [main.chainId, trusted, main.sealedHeader(main.height())]
    return (await side.send(relayer, CLIENT, 'updateClient', args)).gasUsed
  }
  const updated = await update()
  main.validators = validatorKeys(size, 'main').with(0, validatorKeys(1, 'new')[0]!)
  main.validators = main.validators.toSorted((a, b) => (a.address < b.address ? -1 : 1))
  await main.block()
  const rotated = await update()

  const messages: Message[] = []
  for (let i = 0; i < 6; i++) messages.push(await sendMessage(main, side, QUIET))
  const sentAt = await follow(side, main)
  const toDeliver = messages.map((message) => delivery(main, message, sentAt))
  const alone = await side.send(relayer, GATEWAY, 'deliver', toDeliver[0]!)
  const rooted = side.data(GATEWAY, 'proveStorageRoot', [main.chainId, sentAt, toDeliver[0]![2]])
  const further = (args: unknown[]): string =>
    side.data(GATEWAY, 'deliver', [args[0], args[1], [], args[3]])
  const one = await relayed(side, [rooted, further(toDeliver[1]!)])
  const four = await relayed(side, [rooted, ...toDeliver.slice(2, 6).map(further)])

  const receivedAt = await follow(main, side)
  const outcome = outcomeOf(alone)
  const toAcknowledge = messages.map((message) =>
    acknowledgement(side, message, receivedAt, outcome),
  )
  const acknowledged = await main.send(relayer, GATEWAY, 'acknowledge', toAcknowledge[0]!)
  const rootedBack = main.data(GATEWAY, 'proveStorageRoot', [
    side.chainId,
    receivedAt,
    toAcknowledge[0]![4],
  ])
  const furtherBack = (args: unknown[]): string =>
    main.data(GATEWAY, 'acknowledge', [...args.slice(0, 4), [], args[5]])
  const oneBack = await relayed(main, [rootedBack, furtherBack(toAcknowledge[1]!)])
  const fourBack = await relayed(main, [rootedBack, ...toAcknowledge.slice(2, 6).map(furtherBack)])
  return [
    size,
    updated,
    rotated,
    alone.gasUsed,
    (four - one) / 3,
    acknowledged.gasUsed,
    (fourBack - oneBack) / 3,
  ]
}

test('gas of updates and messages is what docs/protocol/light-client.md says', async () => {
  const published = readFileSync(PAGE, 'utf8')
    .split('\n')
    .filter((line) => /^\| \d+ \| [\d,]+ \| [\d,]+ \|/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => Number(cell.replaceAll(',', ''))),
    )
  expect(published.map(([size]) => size)).toEqual(SIZES)
  for (const row of published) {
    const measured = await measure(row[0]!)
    expect(measured).toHaveLength(row.length)
    for (const [index, gas] of measured.entries()) {
      const share = Math.abs(gas / row[index]! - 1)
      expect(share, `n = ${row[0]}: ${measured.join(', ')}`).toBeLessThan(TOLERANCE)
    }
  }
})
