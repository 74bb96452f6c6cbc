import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSecp256k1 } from '@vellum/ledger'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadNodeKey } from '../src/host/node-key.ts'

const crypto = createSecp256k1()
let root: string
let path: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vellum-node-key-'))
  path = join(root, 'node.key')
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('the key of a node', () => {
  it('is made once, and is the same ever after', () => {
    const key = loadNodeKey(root, crypto)
    expect(key).toHaveLength(32)
    expect(crypto.isPrivateKey(key)).toBe(true)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(loadNodeKey(root, crypto)).toEqual(key)
  })

  it('is never replaced when it does not read', () => {
    loadNodeKey(root, crypto)
    const text = readFileSync(path, 'latin1')
    const bad = ['', text.slice(0, -2), `${text}\n`, `0x${'00'.repeat(32)}\n`, text.toUpperCase()]
    for (const each of bad) {
      writeFileSync(path, each)
      expect(() => loadNodeKey(root, crypto)).toThrow(/the node's key/)
      expect(readFileSync(path, 'latin1')).toBe(each)
    }
  })

  it('is refused where others can read it', () => {
    loadNodeKey(root, crypto)
    chmodSync(path, 0o644)
    expect(() => loadNodeKey(root, crypto)).toThrow(/chmod 600/)
  })
})
