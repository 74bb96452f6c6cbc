import { hexToBytes, keccak256 } from '@vellum/evm'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createSnapshotServer,
  SNAPSHOT_SERVER_LIMITS,
  type SnapshotServer,
} from '../src/snapshot-server.ts'
import {
  decodeEncodedItems,
  decodeRanges,
  decodeSnapshotAnswer,
  decodeStrings,
  encodeSnapshotQuestion,
  type SnapshotQuestion,
  type StateName,
} from '../src/snapshot-wire.ts'
import { createOrigin, LARGE, type Origin, worldGenesis } from './snapshot-world.ts'
import { createVirtualTime, type VirtualTime } from './virtual-time.ts'

const FIRST = new Uint8Array(32)
const LAST = new Uint8Array(32).fill(0xff)

let origin: Origin
let held: StateName
beforeAll(async () => {
  origin = await createOrigin(worldGenesis({ accounts: 500, contracts: 10, slots: 9_000 }))
  await origin.grow(80)
  held = { height: 64, root: origin.chain.header(64)!.header.stateRoot }
})

function serverAt(time: VirtualTime = createVirtualTime()) {
  const server = createSnapshotServer({ chain: origin.chain, clock: time, timers: time })
  return { server, time }
}

async function ask(server: SnapshotServer, time: VirtualTime, question: SnapshotQuestion) {
  let answer: Uint8Array | undefined
  void server.answer(encodeSnapshotQuestion(question)).then((bytes) => {
    answer = bytes
  })
  for (let i = 0; i < 1_000 && answer === undefined; i++) await time.advance(1)
  if (answer === undefined) throw new Error('no answer')
  return decodeSnapshotAnswer(answer)
}

const accounts = (state: StateName): SnapshotQuestion => ({
  kind: 'accounts',
  state,
  from: FIRST,
  to: LAST,
})

describe('snapshot server', () => {
  test('answers every kind of question', async () => {
    const { server, time } = serverAt()
    const headers = await ask(server, time, { kind: 'headers', after: 70, count: 512 })
    expect(decodeEncodedItems(headers.content, 512)).toHaveLength(10)
    const [range] = decodeRanges((await ask(server, time, accounts(held))).content, 1)
    expect(range?.entries.length).toBeGreaterThan(510)
    expect(range?.end).toEqual(LAST)
    const { codeHash } = origin.chain.stateAt(64).account(LARGE)!
    const codes = await ask(server, time, { kind: 'codes', hashes: [codeHash, held.root] })
    expect(decodeStrings(codes.content, 2).map((each) => keccak256(each))).toEqual([
      hexToBytes(codeHash),
    ])
    const receipts = await ask(server, time, { kind: 'receipts', number: 71 })
    expect(decodeStrings(receipts.content, 9)).toHaveLength(2)
  })

  test('cuts an answer short where its bytes are used up', async () => {
    const { server, time } = serverAt()
    const owners = [keccak256(hexToBytes(LARGE)), keccak256(hexToBytes(LARGE))]
    const question = { kind: 'storage', state: held, owners, from: FIRST } as const
    const answer = await ask(server, time, question)
    const ranges = decodeRanges(answer.content, 2)
    expect(ranges).toHaveLength(1)
    expect(ranges[0]?.entries.length).toBeLessThan(9_000)
    expect(ranges[0]?.end).toEqual(ranges[0]?.entries.at(-1)?.[0])
    expect(answer.content.length).toBeLessThan(1.1 * SNAPSHOT_SERVER_LIMITS.answerBytes)
  })

  test('cuts an answer short where its time is used up', async () => {
    const time = createVirtualTime()
    let looks = 0
    const slow = { now: time.now, elapsed: () => looks++ * SNAPSHOT_SERVER_LIMITS.answerMs }
    const server = createSnapshotServer({ chain: origin.chain, clock: slow, timers: time })
    const [range] = decodeRanges((await ask(server, time, accounts(held))).content, 1)
    expect(range?.entries.length).toBeLessThanOrEqual(64)
    expect(range?.entries.length).toBeGreaterThanOrEqual(16)
  })

  test('says when it has not the state, by its height and by its root', async () => {
    const { server, time } = serverAt()
    for (const state of [
      { ...held, height: 3 },
      { ...held, height: 81 },
      { ...held, root: origin.chain.header(3)!.header.stateRoot },
      { height: 3, root: origin.chain.header(3)!.header.stateRoot },
    ]) {
      expect((await ask(server, time, accounts(state))).status).toBe('unheld')
    }
    expect((await ask(server, time, { kind: 'receipts', number: 81 })).status).toBe('unheld')
  })

  test('takes one question at a time, and no more than fit into its line', async () => {
    const { server, time } = serverAt()
    const question = encodeSnapshotQuestion(accounts(held))
    const answers: string[] = []
    const { waitingMax } = SNAPSHOT_SERVER_LIMITS
    for (let i = 0; i < waitingMax + 3; i++) {
      void server.answer(question).then((bytes) => answers.push(decodeSnapshotAnswer(bytes).status))
    }
    for (let i = 0; i < 300; i++) await time.advance(1)
    expect(answers.filter((status) => status === 'busy')).toHaveLength(3)
    expect(answers.filter((status) => status === 'found')).toHaveLength(waitingMax)
    // Room again.
    expect((await ask(server, time, accounts(held))).status).toBe('found')
  })

  test('others have the processor for longer than an answer took', async () => {
    const time = createVirtualTime()
    let spent = 0
    // Each look at the clock costs 2 ms.
    const clock = {
      now: time.now,
      elapsed: () => {
        spent += 2
        return time.elapsed() + spent
      },
    }
    const server = createSnapshotServer({ chain: origin.chain, clock, timers: time })
    const at: number[] = []
    const question = encodeSnapshotQuestion({ kind: 'codes', hashes: [] })
    for (let i = 0; i < 3; i++) void server.answer(question).then(() => at.push(time.elapsed()))
    for (let i = 0; i < 50; i++) await time.advance(1)
    const rest = 2 * SNAPSHOT_SERVER_LIMITS.restFactor
    expect(at).toHaveLength(3)
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(rest)
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(rest)
  })

  test('a question that is none is refused; a server that stops says so', async () => {
    const { server, time } = serverAt()
    await expect(server.answer(Uint8Array.of(0xc1, 0x09))).rejects.toMatchObject({
      code: 'LEDGER_RLP_INVALID',
    })
    server.stop()
    expect((await ask(server, time, accounts(held))).status).toBe('busy')
  })
})
