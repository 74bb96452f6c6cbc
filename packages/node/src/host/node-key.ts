/** The identity of a node that is no validator: a key in its data directory, made at the first start. */

import { closeSync, fsyncSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bytesToHex, hexToBytes } from '@vellum/evm'
import type { Secp256k1 } from '@vellum/ledger'
import { NodeError } from '../error.ts'
import { syncDirectory } from './head-file.ts'
import { randomKey } from './key-files.ts'

/**
 * The key of a data directory, 32 bytes. It signs nothing but connections, so it is not encrypted; whoever
 * has it can pass for this node among its peers.
 * @throws NodeError NODE_FILE_INVALID for a file that is no key, or that others can read
 */
export function loadNodeKey(dataDir: string, crypto: Secp256k1): Uint8Array {
  const path = join(dataDir, 'node.key')
  let text: string
  try {
    text = readFileSync(path, 'latin1')
  } catch (cause) {
    if ((cause as { code?: string }).code === 'ENOENT') return makeNodeKey(path, crypto)
    throw invalid(path, `cannot be read: ${(cause as Error).message}`)
  }
  if (!/^0x[0-9a-f]{64}\n$/.test(text)) throw invalid(path, 'is no key: 0x and 64 hex digits')
  if (process.platform !== 'win32' && (statSync(path).mode & 0o077) !== 0) {
    throw invalid(path, `can be read by others; run \`chmod 600 ${path}\``)
  }
  const key = hexToBytes(text.trim() as `0x${string}`)
  if (!crypto.isPrivateKey(key)) throw invalid(path, 'is no key of secp256k1')
  return key
}

function makeNodeKey(path: string, crypto: Secp256k1): Uint8Array {
  const key = randomKey(crypto)
  const descriptor = openSync(path, 'wx', 0o600)
  try {
    writeSync(descriptor, `${bytesToHex(key)}\n`)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  syncDirectory(dirname(path))
  return key
}

function invalid(path: string, reason: string): NodeError {
  return new NodeError('NODE_FILE_INVALID', `the node's key ${path} ${reason}`, { path })
}
