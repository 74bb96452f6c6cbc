/** The journaled world: against a plain copy of itself, and rule by rule. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type Address,
  createWorld,
  type Fork,
  type Hash,
  keccak256Hex,
  NO_BYTES,
  type World,
  ZERO_HASH,
} from '../src/index.ts'
import { CONTRACT, OTHER, readerOf, slot } from './stage.ts'

const NOBODY: Address = '0x00000000000000000000000000000000000000ff'

function worldOf(): World {
  return createWorld(
    readerOf({
      [CONTRACT]: { nonce: 1n, balance: 5n, code: '0x6000', storage: { [slot(1)]: 7n } },
      [OTHER]: { balance: 3n },
    }),
  )
}

test('reading: gives the committed values, and zeros for what is not there', () => {
  const world = worldOf()
  expect(world.nonce(CONTRACT)).toBe(1n)
  expect(world.balance(OTHER)).toBe(3n)
  expect(world.code(CONTRACT)).toEqual(Uint8Array.of(0x60, 0))
  expect(world.storage(CONTRACT, slot(1))).toBe(7n)
  expect(world.storage(CONTRACT, slot(2))).toBe(0n)
  expect(world.exists(NOBODY)).toBe(false)
  expect(world.codeHash(NOBODY)).toBe(ZERO_HASH)
  expect(world.codeHash(OTHER)).toBe(keccak256Hex(NO_BYTES))
  expect(world.isEmpty(NOBODY)).toBe(true)
  expect(world.hasStorage(CONTRACT)).toBe(true)
  expect(world.hasStorage(OTHER)).toBe(false)
  expect(world.changes()).toEqual({ accounts: [], codes: new Map() })
})

test('reading: asks the state below once for each thing', () => {
  const asked: string[] = []
  const reader = readerOf({ [CONTRACT]: { code: '0x6000', storage: { [slot(1)]: 7n } } })
  const world = createWorld({
    account: (address) => {
      asked.push(address)
      return reader.account(address)
    },
    storage: (address, key) => {
      asked.push(`${address} ${key}`)
      return reader.storage(address, key)
    },
    hasStorage: reader.hasStorage,
    code: (hash) => {
      asked.push(hash)
      return reader.code(hash)
    },
  })
  for (let i = 0; i < 3; i++) {
    world.beginTransaction()
    world.code(CONTRACT)
    world.storage(CONTRACT, slot(1))
    world.balance(NOBODY)
    world.endTransaction('osaka')
  }
  expect(asked).toEqual([
    CONTRACT,
    keccak256Hex(Uint8Array.of(0x60, 0)),
    `${CONTRACT} ${slot(1)}`,
    NOBODY,
  ])
})

type Action = (world: World) => void

const someAddress = fc.constantFrom<Address>(CONTRACT, OTHER, NOBODY)
const someSlot = fc.constantFrom<Hash>(slot(0), slot(1), slot(2))
const someValue = fc.bigInt({ min: 0n, max: 3n })

const someAction: fc.Arbitrary<Action> = fc.oneof(
  fc.tuple(someAddress, someValue).map(
    ([a, v]): Action =>
      (world) =>
        world.setBalance(a, v),
  ),
  fc.tuple(someAddress, someValue).map(
    ([a, v]): Action =>
      (world) =>
        world.setNonce(a, v),
  ),
  fc.tuple(someAddress, someValue).map(
    ([a, v]): Action =>
      (world) =>
        world.addBalance(a, v),
  ),
  fc.tuple(someAddress, fc.uint8Array({ maxLength: 3 })).map(
    ([a, code]): Action =>
      (world) =>
        world.setCode(a, code),
  ),
  fc.tuple(someAddress, someSlot, someValue).map(
    ([a, key, v]): Action =>
      (world) =>
        world.setStorage(a, key, v),
  ),
  fc.tuple(someAddress, someSlot, someValue).map(
    ([a, key, v]): Action =>
      (world) =>
        world.setTransientStorage(a, key, v),
  ),
  fc.tuple(someAddress).map(
    ([a]): Action =>
      (world) =>
        world.warmAddress(a),
  ),
  fc.tuple(someAddress, someSlot).map(
    ([a, key]): Action =>
      (world) =>
        world.warmSlot(a, key),
  ),
  fc.tuple(someValue).map(
    ([v]): Action =>
      (world) =>
        world.addRefund(v - 1n),
  ),
)

/** Everything that can be seen of a world. */
function sightOf(world: World): unknown {
  const accounts = [CONTRACT, OTHER, NOBODY].map((address) => ({
    exists: world.exists(address),
    nonce: world.nonce(address),
    balance: world.balance(address),
    codeHash: world.codeHash(address),
    code: world.code(address),
    isWarm: world.isWarmAddress(address),
    slots: [0, 1, 2].map((each) => [
      world.storage(address, slot(each)),
      world.transientStorage(address, slot(each)),
      world.isWarmSlot(address, slot(each)),
    ]),
  }))
  return { accounts, refund: world.refund(), logs: world.logs() }
}

test('revertTo: leaves the world as it was at the checkpoint, after any changes and inner reverts', () => {
  const actions = fc.array(someAction, { maxLength: 12 })
  fc.assert(
    fc.property(actions, actions, actions, actions, (before, kept, undone, after) => {
      const world = worldOf()
      const plain = worldOf()
      world.beginTransaction()
      plain.beginTransaction()
      for (const act of before) act(world)
      for (const act of before) act(plain)
      const outer = world.checkpoint()
      for (const act of kept) act(world)
      const inner = world.checkpoint()
      for (const act of undone) act(world)
      world.revertTo(inner)
      for (const act of kept) act(plain)
      expect(sightOf(world)).toEqual(sightOf(plain))
      for (const act of after) act(world)
      world.revertTo(outer)
      const fresh = worldOf()
      fresh.beginTransaction()
      for (const act of before) act(fresh)
      expect(sightOf(world)).toEqual(sightOf(fresh))
      world.endTransaction('osaka')
      fresh.endTransaction('osaka')
      const changesOf = (each: World): unknown =>
        [...each.changes().accounts]
          .map((change) => ({ ...change, slots: [...change.slots].sort() }))
          .sort((a, b) => (a.address < b.address ? -1 : 1))
      expect(changesOf(world)).toEqual(changesOf(fresh))
    }),
    { numRuns: 400 },
  )
})

test('endTransaction: deletes touched accounts that are empty, and no others', () => {
  const world = createWorld({
    ...readerOf({}),
    account: (address) =>
      address === NOBODY ? undefined : { nonce: 0n, balance: 0n, codeHash: keccak256Hex(NO_BYTES) },
  })
  world.beginTransaction()
  world.addBalance(CONTRACT, 0n)
  world.addBalance(NOBODY, 0n)
  world.endTransaction('osaka')
  expect(world.exists(CONTRACT)).toBe(false)
  expect(world.exists(NOBODY)).toBe(false)
  expect(world.exists(OTHER)).toBe(true)
  expect(world.changes().accounts).toEqual([
    { address: CONTRACT, account: undefined, storageCleared: true, slots: new Map() },
  ])
})

test('endTransaction: a touch that was undone deletes nothing, but for RIPEMD-160', () => {
  const ripemd: Address = '0x0000000000000000000000000000000000000003'
  const empty = { nonce: 0n, balance: 0n, codeHash: keccak256Hex(NO_BYTES) }
  const world = createWorld({ ...readerOf({}), account: () => empty })
  world.beginTransaction()
  const checkpoint = world.checkpoint()
  world.addBalance(OTHER, 0n)
  world.addBalance(ripemd, 0n)
  world.revertTo(checkpoint)
  world.endTransaction('osaka')
  expect(world.exists(OTHER)).toBe(true)
  expect(world.exists(ripemd)).toBe(false)
})

test('beginTransaction: forgets warmth, transient storage, events and the refund', () => {
  const world = worldOf()
  world.beginTransaction()
  world.warmSlot(CONTRACT, slot(1))
  world.warmAddress(CONTRACT)
  world.setTransientStorage(CONTRACT, slot(1), 5n)
  world.addRefund(4800n)
  expect(world.accesses()).toEqual([{ address: CONTRACT, slots: [slot(1)] }])
  world.endTransaction('osaka')
  expect(world.refund()).toBe(4800n)
  expect(world.accesses()).toHaveLength(1)
  world.beginTransaction()
  expect(world.refund()).toBe(0n)
  expect(world.accesses()).toEqual([])
  expect(world.isWarmAddress(CONTRACT)).toBe(false)
  expect(world.isWarmSlot(CONTRACT, slot(1))).toBe(false)
  expect(world.transientStorage(CONTRACT, slot(1))).toBe(0n)
})

test('changes: names only what differs from the start of the block', () => {
  const world = worldOf()
  world.beginTransaction()
  world.setStorage(CONTRACT, slot(1), 9n)
  world.setStorage(CONTRACT, slot(2), 1n)
  world.setBalance(OTHER, 4n)
  world.endTransaction('osaka')
  world.beginTransaction()
  world.setStorage(CONTRACT, slot(1), 7n)
  world.setBalance(OTHER, 3n)
  world.setCode(NOBODY, Uint8Array.of(1))
  world.endTransaction('osaka')
  const changes = world.changes()
  expect(changes.accounts.map(({ address }) => address)).toEqual([CONTRACT, NOBODY])
  expect(changes.accounts[0]).toMatchObject({
    storageCleared: false,
    slots: new Map([[slot(2), 1n]]),
  })
  expect([...changes.codes]).toEqual([[keccak256Hex(Uint8Array.of(1)), Uint8Array.of(1)]])
})

test('clearStorage: reads as zeros from then on, and is undone by a revert', () => {
  const world = worldOf()
  const checkpoint = world.checkpoint()
  world.clearStorage(CONTRACT)
  expect(world.storage(CONTRACT, slot(1))).toBe(0n)
  expect(world.hasStorage(CONTRACT)).toBe(false)
  expect(world.changes().accounts).toMatchObject([{ address: CONTRACT, storageCleared: true }])
  world.revertTo(checkpoint)
  expect(world.storage(CONTRACT, slot(1))).toBe(7n)
})

test('setters: refuse what no account can hold', () => {
  const world = worldOf()
  const attempts: Action[] = [
    (each) => each.setNonce(OTHER, 2n ** 64n),
    (each) => each.setBalance(OTHER, -1n),
    (each) => each.setBalance(OTHER, 2n ** 256n),
    (each) => each.addBalance(OTHER, 2n ** 256n - 1n),
    (each) => each.subtractBalance(OTHER, 4n),
    (each) => each.setStorage(OTHER, slot(0), 2n ** 256n),
  ]
  for (const attempt of attempts) {
    expect(() => attempt(world)).toThrow(expect.objectContaining({ code: 'EVM_ARGUMENT_INVALID' }))
  }
  world.setNonce(OTHER, 2n ** 64n - 1n)
  world.setBalance(OTHER, 2n ** 256n - 1n)
  expect([world.nonce(OTHER), world.balance(OTHER)]).toEqual([2n ** 64n - 1n, 2n ** 256n - 1n])
})

test('code: a later change of the array that was set changes nothing', () => {
  const world = worldOf()
  const code = Uint8Array.of(1, 2)
  world.setCode(OTHER, code)
  code[0] = 9
  expect(world.code(OTHER)).toEqual(Uint8Array.of(1, 2))
})

test('endTransaction: an account destroyed and made anew in one block starts with no storage', () => {
  for (const fork of ['london', 'shanghai'] as const satisfies readonly Fork[]) {
    const world = worldOf()
    world.beginTransaction()
    world.clearStorage(CONTRACT)
    world.setStorage(CONTRACT, slot(2), 6n)
    world.endTransaction(fork)
    expect(world.changes().accounts).toMatchObject([
      { address: CONTRACT, storageCleared: true, slots: new Map([[slot(2), 6n]]) },
    ])
  }
})
