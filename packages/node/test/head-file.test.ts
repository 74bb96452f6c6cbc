import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hash } from '@vellum/evm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHeadFile, openHeadFile } from '../src/host/head-file.ts'

const hash = (height: number): Hash => `0x${height.toString(16).padStart(64, '0')}` as Hash

let root: string
let path: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vellum-head-'))
  path = join(root, 'head')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('the head file', () => {
  it('gives back the newest mark, whichever slot it is in', () => {
    createHeadFile(path).close()
    for (let height = 1; height < 6; height++) {
      const file = openHeadFile(path)
      expect(file.found).toEqual(
        height === 1 ? undefined : { height: height - 1, hash: hash(height - 1) },
      )
      file.write({ height, hash: hash(height) })
      file.close()
    }
  })

  it('holds heights beyond 32 bits', () => {
    const file = createHeadFile(path)
    file.write({ height: 2 ** 40 + 5, hash: hash(7) })
    file.close()
    const again = openHeadFile(path)
    expect(again.found).toEqual({ height: 2 ** 40 + 5, hash: hash(7) })
    again.close()
  })

  it('falls back by one mark when a slot is torn, and never reads a wrong one', () => {
    const file = createHeadFile(path)
    file.write({ height: 8, hash: hash(8) })
    file.write({ height: 9, hash: hash(9) })
    file.close()
    const whole = readFileSync(path)
    for (let at = 0; at < whole.length; at++) {
      if (at >= 64 && at < 4096) continue
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 1 << (at % 8)
      writeFileSync(path, bytes)
      const opened = openHeadFile(path)
      expect(opened.found?.height, `byte ${at}`).toBe(at < 64 ? 8 : 9)
      opened.close()
    }
  })

  it('refuses a file without a valid slot, and says what to do', () => {
    writeFileSync(path, Buffer.alloc(5000, 7))
    expect(() => openHeadFile(path)).toThrow(/vellum verify --accept-head/)
    writeFileSync(path, '')
    expect(() => openHeadFile(path)).toThrow(/is damaged/)
  })
})
