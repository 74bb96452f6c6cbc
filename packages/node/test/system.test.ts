import { createSecp256k1, type NativeSecp256k1, signatureBytes } from '@vellum/ledger'
import { describe, expect, test } from 'vitest'
import type { RecoveryTask } from '../src/host/recovery-board.ts'
import { createRecoveryPool } from '../src/host/recovery-pool.ts'
import { loadSystemCrypto } from '../src/host/system.ts'

const noble = createSecp256k1()
const { crypto } = loadSystemCrypto()

describe('loadSystemCrypto', () => {
  test('loads the native binding of this machine', () => {
    const loaded = loadSystemCrypto()
    expect(loaded.fallbackReason).toBeUndefined()
    expect(loaded.crypto.backend).toBe('native')
  })

  test('falls back to JavaScript and says why, if the binding does not load', () => {
    const loaded = loadSystemCrypto(() => {
      throw new Error('no prebuild for this processor')
    })
    expect(loaded.crypto.backend).toBe('noble')
    expect(loaded.fallbackReason).toContain('no prebuild for this processor')
  })

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a module without functions', {}],
  ])('falls back if the binding is %s', (_, binding) => {
    const loaded = loadSystemCrypto(() => binding)
    expect(loaded.crypto.backend).toBe('noble')
    expect(loaded.fallbackReason).toContain('it has no function')
  })

  test('falls back if the binding computes something else', () => {
    const wrongKey = new Uint8Array(65).fill(4)
    const good: NativeSecp256k1 = {
      publicKeyCreate: () => wrongKey,
      ecdsaSign(hash, key) {
        const signature = noble.sign(hash, key)
        return { signature: signatureBytes(signature), recid: signature.yParity }
      },
      ecdsaRecover: () => wrongKey,
    }
    expect(loadSystemCrypto(() => good).fallbackReason).toContain('wrong signer')
    const bad = { ...good, ecdsaSign: () => ({ signature: new Uint8Array(64), recid: 0 }) }
    expect(loadSystemCrypto(() => bad).fallbackReason).toContain('wrong signature')
  })
})

describe('createRecoveryPool', () => {
  function task(n: number): RecoveryTask {
    const hash = new Uint8Array(32).fill(n & 0xff)
    hash[0] = n >> 8
    const signature = crypto.sign(hash, new Uint8Array(32).fill((n % 7) + 1))
    return { hash, rs: signatureBytes(signature), yParity: signature.yParity }
  }

  test('answers batches of all sizes in their order, also at the same time', async () => {
    const pool = createRecoveryPool({ workers: 2 })
    try {
      const batches = [0, 1, 63, 64, 65, 300].map((size) =>
        Array.from({ length: size }, (_, i) => task(i * 3 + size)),
      )
      // Every tenth one is nobody's: r is 0.
      for (const batch of batches) {
        batch.forEach(({ rs }, i) => {
          if (i % 10 === 9) rs.fill(0, 0, 32)
        })
      }
      const answers = await Promise.all(batches.map((batch) => pool.recover(batch)))
      const expected = batches.map((batch) =>
        batch.map(({ hash, rs, yParity }) => crypto.recoverBytes(hash, rs, yParity)),
      )
      expect(answers).toEqual(expected)
      expect(answers[5]!.filter((signer) => signer === undefined)).toHaveLength(30)
    } finally {
      await pool.stop()
    }
  })

  test('answers the same with this thread’s help, also more than find a place at once', async () => {
    const pool = createRecoveryPool({ workers: 1, helper: crypto })
    try {
      const batches = [1, 2_500, 3].map((size) =>
        Array.from({ length: size }, (_, i) => task(i % 50)),
      )
      const answers = await Promise.all(batches.map((batch) => pool.recover(batch)))
      const known = Array.from({ length: 50 }, (_, i) => task(i)).map(({ hash, rs, yParity }) =>
        crypto.recoverBytes(hash, rs, yParity),
      )
      expect(answers).toEqual(batches.map((batch) => batch.map((_, i) => known[i % 50])))
    } finally {
      await pool.stop()
    }
  })

  test('refuses what is more than may wait, and takes more once that is done', async () => {
    const pool = createRecoveryPool({ workers: 1, pendingMax: 100 })
    try {
      const batch = Array.from({ length: 80 }, (_, i) => task(i))
      const first = pool.recover(batch)
      await expect(pool.recover(batch)).rejects.toMatchObject({ code: 'NODE_RECOVERY_BUSY' })
      expect(await first).toHaveLength(80)
      expect(await pool.recover(batch)).toEqual(await first)
    } finally {
      await pool.stop()
    }
  })

  test('refuses hashes and signatures of other sizes, and stays free for others', async () => {
    const pool = createRecoveryPool({ workers: 1, pendingMax: 1 })
    try {
      const short = { ...task(1), hash: new Uint8Array(31) }
      await expect(pool.recover([short])).rejects.toThrow(RangeError)
      expect(await pool.recover([task(1)])).toHaveLength(1)
    } finally {
      await pool.stop()
    }
  })

  test('refuses what is at work and what comes after, when stopped', async () => {
    const pool = createRecoveryPool({ workers: 1 })
    const batch = pool.recover(Array.from({ length: 200 }, (_, i) => task(i)))
    const refused = expect(batch).rejects.toMatchObject({ code: 'NODE_RECOVERY_FAILED' })
    await pool.stop()
    await refused
    await expect(pool.recover([task(1)])).rejects.toMatchObject({ code: 'NODE_RECOVERY_FAILED' })
  })

  test('has at least one worker', () => {
    expect(() => createRecoveryPool({ workers: 0 })).toThrow(RangeError)
    expect(() => createRecoveryPool({ workers: 1.5 })).toThrow(RangeError)
  })
})
