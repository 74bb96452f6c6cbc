import { randomBytes } from 'node:crypto'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NodeError } from '../src/error.ts'
import { openLevel } from '../src/host/level.ts'
import { verifyLevelFiles } from '../src/host/level-files.ts'

let root: string
let directory: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vellum-level-'))
  directory = join(root, 'db')
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

/** A database with tables on two levels and batches in its log. Returns what it holds. */
async function fill(path: string): Promise<Map<string, Uint8Array>> {
  const values = new Map<string, Uint8Array>()
  const db = await openLevel(path, { writeBufferBytes: 1 << 16 })
  for (let batch = 0; batch < 60; batch++) {
    const writes = Array.from({ length: 20 }, (_, i) => {
      const key = new TextEncoder().encode(`key ${(batch * 7919 + i * 31) % 1000}`)
      // Half compressible, so that both kinds of block appear.
      const value = i % 2 === 0 ? new Uint8Array(randomBytes(120)) : new Uint8Array(200).fill(batch)
      return { key, value }
    })
    await db.batch(writes)
    for (const { key, value } of writes) values.set(new TextDecoder().decode(key), value)
  }
  await db.close()
  return values
}

const verify = (): Promise<{ tornBytes: number; exists: boolean }> =>
  verifyLevelFiles(directory, { threads: 1 })

const names = (pattern: RegExp): string[] =>
  readdirSync(directory).filter((name) => pattern.test(name))

function alter(name: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(join(directory, name), change(readFileSync(join(directory, name))))
}

describe('verifyLevelFiles', () => {
  it('finds no database in a directory that is missing or empty', async () => {
    expect((await verify()).exists).toBe(false)
  })

  it('accepts what LevelDB wrote, also after several runs', async () => {
    for (let run = 0; run < 3; run++) {
      await fill(directory)
      const report = await verify()
      expect(report).toMatchObject({ exists: true, tornBytes: 0 })
    }
    expect(names(/\.ldb$/).length).toBeGreaterThan(0)
  })

  it('checks tables on threads as on one', async () => {
    await fill(directory)
    const copies = await openLevel(directory)
    // Past the size from which threads are used.
    for (let i = 0; i < 40; i++) {
      const writes = Array.from({ length: 20 }, (_, k) => ({
        key: new TextEncoder().encode(`large ${i} ${k}`),
        value: new Uint8Array(randomBytes(100_000)),
      }))
      await copies.batch(writes)
    }
    await copies.compact()
    await copies.close()
    let progress = 0
    const onProgress = (done: number): void => {
      progress = done
    }
    const options = { threads: 2, onProgress }
    await verifyLevelFiles(directory, options)
    expect(progress).toBeGreaterThan(64 << 20)
    const table = names(/\.ldb$/)[0]!
    alter(table, (bytes) => {
      bytes[bytes.length >> 1]! ^= 1
      return bytes
    })
    await expect(verifyLevelFiles(directory, options)).rejects.toMatchObject({
      code: 'NODE_STORE_DAMAGED',
      details: { file: table },
    })
  })

  it('finds a flipped bit at every position of a table', async () => {
    await fill(directory)
    const [name] = names(/\.ldb$/)
    const path = join(directory, name!)
    const whole = readFileSync(path)
    const step = Math.max(1, Math.floor(whole.length / 400))
    for (let at = whole.length - 1; at >= 0; at -= at > whole.length - 60 ? 1 : step) {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 1 << (at % 8)
      writeFileSync(path, bytes)
      await expect(verify(), `byte ${at}`).rejects.toThrow(NodeError)
    }
    writeFileSync(path, whole)
    await verify()
  })

  it('finds a flipped bit anywhere in the MANIFEST and in CURRENT', async () => {
    await fill(directory)
    for (const name of [...names(/^MANIFEST/), 'CURRENT']) {
      const path = join(directory, name)
      const whole = readFileSync(path)
      for (let at = 0; at < whole.length; at += Math.max(1, whole.length >> 8)) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= 1 << (at % 8)
        writeFileSync(path, bytes)
        await expect(verify(), `${name} byte ${at}`).rejects.toThrow(NodeError)
      }
      writeFileSync(path, whole)
    }
  })

  it('tells a torn end of the last log from damage before it', async () => {
    const db = await openLevel(directory)
    for (let i = 0; i < 10; i++) {
      const value = new Uint8Array(randomBytes(20_000))
      await db.batch([{ key: new Uint8Array([i]), value }])
    }
    await db.close()
    const log = names(/\.log$/).at(-1)!
    const whole = readFileSync(join(directory, log))
    expect(whole.length).toBeGreaterThan(200_000)

    writeFileSync(join(directory, log), whole.subarray(0, whole.length - 5))
    expect((await verify()).tornBytes).toBeGreaterThan(19_000)

    const inLast = Buffer.from(whole)
    inLast[whole.length - 100]! ^= 4
    writeFileSync(join(directory, log), inLast)
    expect((await verify()).tornBytes).toBeGreaterThan(0)

    for (const at of [3, 10, 500, 30_000, 100_000, 150_000]) {
      const early = Buffer.from(whole)
      early[at]! ^= 4
      writeFileSync(join(directory, log), early)
      await expect(verify(), `byte ${at}`).rejects.toMatchObject({
        details: { file: log, reason: expect.stringMatching(/follow/) },
      })
    }
  })

  it.each([/\.ldb$/, /\.log$/, /^MANIFEST/, /^CURRENT$/])(
    'misses a deleted %s',
    async (pattern) => {
      await fill(directory)
      for (const name of names(pattern)) {
        const path = join(directory, name)
        const whole = readFileSync(path)
        rmSync(path)
        await expect(verify(), name).rejects.toMatchObject({ code: 'NODE_STORE_DAMAGED' })
        writeFileSync(path, whole)
      }
    },
  )

  it('does not take another table for the one that is named', async () => {
    await fill(directory)
    const tables = names(/\.ldb$/)
    expect(tables.length).toBeGreaterThan(1)
    copyFileSync(join(directory, tables[0]!), join(directory, tables[1]!))
    await expect(verify()).rejects.toMatchObject({ code: 'NODE_STORE_DAMAGED' })
  })

  it('finds a stale MANIFEST', async () => {
    await fill(directory)
    const stale = readFileSync(join(directory, names(/^MANIFEST/)[0]!))
    await fill(directory)
    writeFileSync(join(directory, names(/^MANIFEST/)[0]!), stale)
    await expect(verify()).rejects.toMatchObject({ code: 'NODE_STORE_DAMAGED' })
  })
})

describe('openLevel', () => {
  it('reads back what batches wrote, through reopening', async () => {
    const values = await fill(directory)
    const db = await openLevel(directory)
    for (const [key, value] of values) {
      expect(db.get(new TextEncoder().encode(key))).toEqual(Buffer.from(value))
    }
    await db.close()
  })

  it('keeps snapshots still while batches go on, and iterates in order and in reverse', async () => {
    const db = await openLevel(directory)
    const key = (i: number): Uint8Array => new Uint8Array([i])
    await db.batch([1, 2, 3].map((i) => ({ key: key(i), value: key(i) })))
    const snapshot = db.snapshot()
    await db.batch([
      { key: key(2), value: undefined },
      { key: key(1), value: key(9) },
    ])
    expect(snapshot.get(key(2))).toEqual(Buffer.from([2]))
    expect(snapshot.get(key(1))).toEqual(Buffer.from([1]))
    expect(db.get(key(2))).toBeUndefined()
    snapshot.close()
    const keys = async (reverse: boolean, limit: number): Promise<number[]> => {
      const all: number[] = []
      for await (const [k] of db.iterate({ from: key(0), to: key(9), reverse, limit }))
        all.push(k[0]!)
      return all
    }
    expect(await keys(false, 10)).toEqual([1, 3])
    expect(await keys(true, 1)).toEqual([3])
    await db.close()
  })

  it('says that another process has the data, and what to do', async () => {
    const db = await openLevel(directory)
    await expect(openLevel(directory)).rejects.toMatchObject({
      code: 'NODE_STORE_LOCKED',
      message: expect.stringContaining('--data-dir'),
    })
    await db.close()
  })
})
