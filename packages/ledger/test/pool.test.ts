import type { Address } from '@vellum/evm'
import { bigIntToBytes, bytesToHex, keccak256, keccak256Hex, NO_BYTES } from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type BlockRules,
  defaultBlobSchedule,
  type SignedTransaction,
  type StateView,
} from '../src/index.ts'
import { createPool, POOL_LIMITS, type Pool, type PoolLimits } from '../src/pool.ts'

const RULES: BlockRules = {
  fork: 'osaka',
  chainId: 7n,
  blobSchedule: defaultBlobSchedule('osaka'),
  zeroBaseFee: true,
  consensus: 'qbft',
  blockPeriodSeconds: 1,
}

const sender = (n: number): Address => bytesToHex(bigIntToBytes(BigInt(n) + 1n, 20))
let made = 0

function tx(
  from: number,
  nonce: number,
  fields: Partial<SignedTransaction> = {},
): SignedTransaction {
  made += 1
  return {
    type: 2,
    chainId: 7n,
    nonce: BigInt(nonce),
    gasLimit: 21_000n,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    to: sender(99),
    value: 0n,
    data: NO_BYTES,
    accessList: [],
    maxFeePerBlobGas: 0n,
    blobVersionedHashes: [],
    authorizationList: [],
    signature: { yParity: 0, r: 1n, s: 1n },
    hash: bytesToHex(keccak256(bigIntToBytes(BigInt(made), 8))),
    encoded: new Uint8Array(100),
    sender: sender(from),
    ...fields,
  }
}

interface Setup {
  readonly pool: Pool
  readonly nonces: Map<Address, bigint>
  readonly balances: Map<Address, bigint>
  readonly codes: Map<Address, Uint8Array>
}

function setUp(limits: Partial<PoolLimits> = {}): Setup {
  const nonces = new Map<Address, bigint>()
  const balances = new Map<Address, bigint>()
  const codes = new Map<Address, Uint8Array>()
  const state = {
    account: (address: Address) => ({
      nonce: nonces.get(address) ?? 0n,
      balance: balances.get(address) ?? 0n,
      codeHash: keccak256Hex(codes.get(address) ?? NO_BYTES),
    }),
    code: (address: Address) => codes.get(address) ?? NO_BYTES,
  } as StateView
  const ports = { state: () => state, next: () => ({ rules: RULES, gasLimit: 30_000_000n }) }
  return { pool: createPool(ports, { ...POOL_LIMITS, ...limits }), nonces, balances, codes }
}

function selected(pool: Pool, baseFee = 0n): SignedTransaction[] {
  const taken: SignedTransaction[] = []
  const selection = pool.select(baseFee)
  for (let next = selection.peek(); next !== undefined; next = selection.peek()) {
    taken.push(next)
    selection.take()
  }
  return taken
}

const refusedAs = (code: string) => expect.objectContaining({ code })

describe('pool: what is let in', () => {
  const cases: readonly [string, Partial<SignedTransaction>][] = [
    ['LEDGER_BLOB_TRANSACTION_REFUSED', { type: 3 }],
    ['LEDGER_CHAIN_ID', { chainId: 8n }],
    ['LEDGER_CHAIN_ID', { type: 0, chainId: undefined }],
    ['LEDGER_INTRINSIC_GAS', { gasLimit: 20_999n }],
    ['LEDGER_GAS_LIMIT', { gasLimit: 16_777_217n }],
    ['LEDGER_TRANSACTION_TOO_LARGE', { encoded: new Uint8Array(131_073) }],
    ['LEDGER_INSUFFICIENT_FUNDS', { value: 1n }],
    ['LEDGER_INSUFFICIENT_FUNDS', { maxFeePerGas: 1n }],
    ['LEDGER_TRANSACTION_INVALID', { maxPriorityFeePerGas: 1n }],
    ['LEDGER_NONCE_TOO_HIGH', { nonce: 1_025n }],
  ]
  test.for(cases)('%s', ([code, fields]) => {
    const { pool } = setUp()
    expect(() => pool.add(tx(1, 0, fields))).toThrow(refusedAs(code))
    expect(pool.size).toBe(0)
  })

  test('a transaction without fee is welcome (R1.5)', () => {
    const { pool } = setUp()
    pool.add(tx(1, 0))
    expect(pool.readyCount).toBe(1)
  })

  test('a nonce below the state’s, and the same transaction twice, are refused', () => {
    const { pool, nonces } = setUp()
    nonces.set(sender(1), 5n)
    expect(() => pool.add(tx(1, 4))).toThrow(refusedAs('LEDGER_NONCE_TOO_LOW'))
    const known = tx(1, 5)
    pool.add(known)
    expect(() => pool.add(known)).toThrow(refusedAs('LEDGER_ALREADY_KNOWN'))
  })

  test('nonces near 2^64 are no special case', () => {
    const { pool, nonces } = setUp()
    nonces.set(sender(1), 2n ** 64n - 3n)
    pool.add(tx(1, 0, { nonce: 2n ** 64n - 3n }))
    pool.add(tx(1, 0, { nonce: 2n ** 64n - 2n }))
    expect(pool.nextNonce(sender(1))).toBe(2n ** 64n - 1n)
    expect(selected(pool)).toHaveLength(2)
  })

  test('all that waits must be payable together', () => {
    const { pool, balances } = setUp()
    balances.set(sender(1), 10n)
    pool.add(tx(1, 0, { value: 6n }))
    expect(() => pool.add(tx(1, 1, { value: 5n }))).toThrow(refusedAs('LEDGER_INSUFFICIENT_FUNDS'))
    pool.add(tx(1, 1, { value: 4n }))
  })

  test('contracts cannot send, delegated accounts can (EIP-3607, EIP-7702)', () => {
    const { pool, codes } = setUp()
    codes.set(sender(1), Uint8Array.of(0x60))
    expect(() => pool.add(tx(1, 0))).toThrow(refusedAs('LEDGER_SENDER_HAS_CODE'))
    codes.set(sender(1), Uint8Array.of(0xef, 1, 0, ...new Uint8Array(20)))
    pool.add(tx(1, 0))
  })

  test('a full pool, a full sender and too many gapped ones are refused, and nothing is lost', () => {
    const { pool } = setUp({ transactionsMax: 4, senderTransactionsMax: 2, gappedMax: 1 })
    pool.add(tx(1, 0))
    pool.add(tx(1, 1))
    expect(() => pool.add(tx(1, 2))).toThrow(refusedAs('LEDGER_POOL_FULL'))
    pool.add(tx(2, 5))
    expect(() => pool.add(tx(3, 5))).toThrow(refusedAs('LEDGER_POOL_FULL'))
    pool.add(tx(3, 0))
    expect(() => pool.add(tx(4, 0))).toThrow(refusedAs('LEDGER_POOL_FULL'))
    expect(pool.size).toBe(4)
  })
})

describe('pool: replacement', () => {
  test('needs 10% more of both fees', () => {
    const { pool, balances } = setUp()
    balances.set(sender(1), 10n ** 18n)
    const first = tx(1, 0, { maxFeePerGas: 100n, maxPriorityFeePerGas: 10n })
    pool.add(first)
    for (const [fee, tip] of [
      [109n, 11n],
      [110n, 10n],
    ] as const) {
      const low = tx(1, 0, { maxFeePerGas: fee, maxPriorityFeePerGas: tip })
      expect(() => pool.add(low)).toThrow(refusedAs('LEDGER_REPLACEMENT_UNDERPRICED'))
    }
    const second = tx(1, 0, { maxFeePerGas: 110n, maxPriorityFeePerGas: 11n })
    pool.add(second)
    expect(selected(pool)).toEqual([second])
    expect(pool.get(first.hash)).toBeUndefined()
  })

  test('of a transaction without fee needs a fee', () => {
    const { pool, balances } = setUp()
    balances.set(sender(1), 10n ** 18n)
    pool.add(tx(1, 0))
    expect(() => pool.add(tx(1, 0))).toThrow(refusedAs('LEDGER_REPLACEMENT_UNDERPRICED'))
    pool.add(tx(1, 0, { maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }))
  })
})

describe('pool: order', () => {
  test('without fees it is arrival, whatever the sender, and nonces within a sender', () => {
    const { pool } = setUp()
    const all = [tx(1, 0), tx(2, 0), tx(1, 1), tx(3, 0), tx(2, 1)]
    for (const each of all) pool.add(each)
    expect(selected(pool)).toEqual(all)
  })

  test('a higher tip goes first, but never before the sender’s lower nonces', () => {
    const { pool, balances } = setUp()
    for (const n of [1, 2]) balances.set(sender(n), 10n ** 18n)
    const cheap = tx(1, 0)
    const dear = tx(1, 1, { maxFeePerGas: 9n, maxPriorityFeePerGas: 9n })
    const middle = tx(2, 0, { maxFeePerGas: 5n, maxPriorityFeePerGas: 5n })
    for (const each of [cheap, dear, middle]) pool.add(each)
    expect(selected(pool)).toEqual([middle, cheap, dear])
    expect(selected(pool, 6n)).toEqual([])
  })

  test('what stands behind a gap waits until the gap is filled', () => {
    const { pool } = setUp()
    pool.add(tx(1, 2))
    pool.add(tx(1, 1))
    expect(selected(pool)).toEqual([])
    expect(pool.nextNonce(sender(1))).toBe(0n)
    pool.add(tx(1, 0))
    expect(selected(pool).map(({ nonce }) => nonce)).toEqual([0n, 1n, 2n])
    expect(pool.nextNonce(sender(1))).toBe(3n)
    expect(pool.content().gapped).toEqual([])
  })

  test('one left out of a block leaves out what follows it', () => {
    const { pool } = setUp()
    for (const each of [tx(1, 0), tx(1, 1), tx(2, 0)]) pool.add(each)
    const selection = pool.select(0n)
    selection.leave()
    expect(selection.peek()?.sender).toBe(sender(2))
    selection.take()
    expect(selection.peek()).toBeUndefined()
  })
})

describe('pool: after a block', () => {
  test('taken transactions go, later ones stay ready, outdated ones go', () => {
    const { pool, nonces } = setUp()
    const [a, b, c] = [tx(1, 0), tx(1, 1), tx(1, 2)]
    for (const each of [a, b, c]) pool.add(each)
    nonces.set(sender(1), 2n)
    pool.settle([a])
    expect(pool.size).toBe(1)
    expect(selected(pool)).toEqual([c])
  })

  test('removing one in the middle makes the rest wait for it', () => {
    const { pool } = setUp()
    const [a, b, c] = [tx(1, 0), tx(1, 1), tx(1, 2)]
    for (const each of [a, b, c]) pool.add(each)
    pool.remove(b.hash)
    expect(selected(pool)).toEqual([a])
    expect(pool.readyCount).toBe(1)
    pool.add(tx(1, 1))
    expect(pool.readyCount).toBe(3)
  })

  test('an authorisation’s signer is looked at as well (EIP-7702)', () => {
    const { pool, nonces } = setUp()
    pool.add(tx(1, 0))
    nonces.set(sender(1), 1n)
    const authorization = { chainId: 0n, address: sender(5), nonce: 0n, yParity: 0, r: 1n, s: 1n }
    pool.settle([tx(2, 0, { type: 4, authorizationList: [authorization] })])
    expect(pool.size).toBe(0)
  })

  test('counters agree with a slow look at every transaction, whatever happens', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add'), from: fc.nat(3), nonce: fc.nat(6) }),
      fc.record({ kind: fc.constant('remove'), from: fc.nat(3), nonce: fc.nat(6) }),
      fc.record({ kind: fc.constant('settle'), from: fc.nat(3), nonce: fc.nat(7) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { pool, nonces } = setUp()
        const waiting = new Map<string, SignedTransaction>()
        for (const { kind, from, nonce } of steps) {
          const name = `${from}:${nonce}`
          const stateNonce = Number(nonces.get(sender(from)) ?? 0n)
          if (kind === 'add' && !waiting.has(name) && nonce >= stateNonce) {
            const added = tx(from, nonce)
            pool.add(added)
            waiting.set(name, added)
          } else if (kind === 'remove') {
            const removed = waiting.get(name)
            if (removed !== undefined) pool.remove(removed.hash)
            waiting.delete(name)
          } else if (kind === 'settle' && nonce > stateNonce) {
            nonces.set(sender(from), BigInt(nonce))
            for (let n = 0; n < nonce; n++) waiting.delete(`${from}:${n}`)
            pool.settle([tx(from, nonce - 1)])
          }
          let ready = 0
          for (let s = 0; s <= 3; s++) {
            let next = Number(nonces.get(sender(s)) ?? 0n)
            while (waiting.has(`${s}:${next}`)) {
              next++
              ready++
            }
            expect(pool.nextNonce(sender(s))).toBe(BigInt(next))
          }
          expect(pool.size).toBe(waiting.size)
          expect(pool.readyCount).toBe(ready)
          expect(selected(pool)).toHaveLength(ready)
        }
      }),
      { numRuns: 200 },
    )
  })
})
