/** Our machine behind the benchmark's view of one: calls on a flat state in memory. */

import {
  type Address,
  createEvm,
  createWorld,
  type Hash,
  keccak256Hex,
  type World,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@vellum/evm'

/** What a machine under test can do. */
export interface Contestant {
  /** Calls as one transaction, from `SENDER`; returns the gas used. Throws unless it succeeds. */
  call(to: Address, data: Uint8Array, gas: bigint): bigint | Promise<bigint>
  /** Makes what was done so far the state in which blocks begin. */
  keep(): void
  /**
   * Ends a block and drops what it did, so that what is timed is the machine and its journal, not the
   * growth of a map that stands in for a database.
   */
  endBlock(): void
}

export const SENDER: Address = '0x1000000000000000000000000000000000000001'
export const TARGET: Address = '0x00000000000000000000000000000000000c0de0'

export function createOurs(codes: ReadonlyMap<Address, Uint8Array>): Contestant {
  const byHash = new Map<Hash, Uint8Array>(
    [...codes.values()].map((code) => [keccak256Hex(code), code]),
  )
  const accounts = new Map(
    Array.from(codes, ([address, code]) => {
      return [address, { nonce: 1n, balance: 0n, codeHash: keccak256Hex(code) }]
    }),
  )
  accounts.set(SENDER, {
    nonce: 0n,
    balance: 10n ** 20n,
    codeHash: keccak256Hex(new Uint8Array(0)),
  })
  const storage = new Map<Address, Map<Hash, bigint>>()
  const open = (): World =>
    createWorld({
      account: (address) => accounts.get(address),
      storage: (address, slot) => storage.get(address)?.get(slot) ?? 0n,
      hasStorage: () => false,
      code: (hash) => byHash.get(hash)!,
    })
  let world = open()
  let evm = createMachine(world)

  return {
    call(to, data, gas) {
      world.beginTransaction()
      world.warmAddress(SENDER)
      world.warmAddress(to)
      const outcome = evm.call(
        { caller: SENDER, to, value: 0n, data, gas },
        { origin: SENDER, gasPrice: 0n, blobVersionedHashes: [] },
      )
      world.endTransaction('cancun')
      if (outcome.status !== 'success') throw new Error(`our call ended with ${outcome.status}`)
      return gas - outcome.gasLeft
    },
    keep() {
      for (const { address, account, slots } of world.changes().accounts) {
        if (account !== undefined) accounts.set(address, account)
        const known = storage.get(address) ?? new Map<Hash, bigint>()
        storage.set(address, known)
        for (const [slot, value] of slots) known.set(slot, value)
      }
      world = open()
      evm = createMachine(world)
    },
    endBlock() {
      world = open()
      evm = createMachine(world)
    },
  }
}

function createMachine(world: World): ReturnType<typeof createEvm> {
  return createEvm({
    fork: 'cancun',
    chainId: 1n,
    world,
    block: {
      coinbase: ZERO_ADDRESS,
      number: 1,
      timestamp: 1_700_000_000,
      gasLimit: 30_000_000n,
      baseFee: 0n,
      prevRandao: ZERO_HASH,
      difficulty: 0n,
      blobBaseFee: 1n,
      blockHash: () => ZERO_HASH,
    },
  })
}
