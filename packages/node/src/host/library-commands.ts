/** `vellum identity`, `vellum licence` and `vellum credit`: the commands of the licence library, with files and keys. */

import { createHash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import type { CiphertextStore, CommandPorts } from '@vellum/licence/cli'
import { NodeError } from '../error.ts'
import { type PasswordSource, readKeyFile, readPassword } from './key-files.ts'
import { decryptKeystore } from './keystore.ts'
import { systemClock } from './machine.ts'

/** Bytes of a file that a command reads: credentials, requests, codes and lists are far smaller. */
const FILE_BYTES_MAX = 1 << 20

/**
 * Runs a command of the library.
 * @param words behind the command's name
 * @throws LicenceError, NodeError
 */
export async function runLibraryCommand(
  name: 'identity' | 'licence' | 'credit',
  words: readonly string[],
  print: (line: string) => void,
): Promise<void> {
  // Loaded when it is wanted: a node that runs has no use for it.
  const { LIBRARY_COMMANDS } = await import('@vellum/licence/cli')
  const command = LIBRARY_COMMANDS[name](createCommandPorts(print)).showHelpAfterError()
  await command.parseAsync(words, { from: 'user' })
}

export function createCommandPorts(print: (line: string) => void): CommandPorts {
  return {
    print,
    nowMs: () => systemClock.now(),
    readText,
    readTextIfThere: (path) => (existsSync(path) ? readText(path) : undefined),
    createText: (path, text) => writeNew(path, text),
    replaceText: (path, text) => {
      const next = `${path}.next`
      writeText(next, text, 'w')
      renameSync(next, path)
    },
    openKey: async (keystore, { passwordFile, passwordFd }) => {
      const source: PasswordSource =
        passwordFd !== undefined
          ? { kind: 'descriptor', descriptor: passwordFd }
          : passwordFile !== undefined
            ? { kind: 'file', path: passwordFile }
            : { kind: 'prompt', question: `password of ${keystore}: ` }
      const text = readKeyFile(keystore)
      const password = await readPassword(source)
      try {
        return await decryptKeystore(text, password)
      } finally {
        password.fill(0)
      }
    },
    openStore,
  }
}

/** Ciphertexts by their SHA-256, one a file. */
function openStore(directory: string | undefined): CiphertextStore {
  const folder = (): string => {
    if (directory !== undefined) return directory
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      'this ciphertext is too large for the chain: name a directory with --store',
    )
  }
  return {
    put: async (ciphertext) => {
      mkdirSync(folder(), { recursive: true })
      const locator = createHash('sha256').update(ciphertext).digest('hex')
      const path = join(folder(), locator)
      if (!existsSync(path)) writeNew(path, ciphertext)
      return { store: 'file', locator }
    },
    get: async ({ locator }) => {
      // What the chain names is somebody else's word: no path leads out of the directory.
      if (!/^[0-9a-f]{64}$/.test(locator)) throw unreadable(locator, 'it is not of this store')
      return readBytes(join(folder(), locator))
    },
  }
}

function readText(path: string): string {
  return Buffer.from(readBytes(path)).toString('utf8')
}

function readBytes(path: string): Uint8Array {
  try {
    const { size } = statSync(path)
    if (size > FILE_BYTES_MAX) throw new Error(`it has ${size} bytes, more than ${FILE_BYTES_MAX}`)
    return readFileSync(path)
  } catch (cause) {
    throw unreadable(path, (cause as Error).message, cause)
  }
}

function writeNew(path: string, content: string | Uint8Array): void {
  try {
    writeText(path, content, 'wx')
  } catch (cause) {
    const isThere = (cause as { code?: string }).code === 'EEXIST'
    throw new NodeError(
      'NODE_FILE_INVALID',
      isThere
        ? `${resolve(path)} is there already; name another file`
        : `${resolve(path)} cannot be written: ${(cause as Error).message}`,
      { path },
      { cause },
    )
  }
}

function writeText(path: string, content: string | Uint8Array, how: 'w' | 'wx'): void {
  const descriptor = openSync(path, how, 0o600)
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    writeSync(descriptor, bytes)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function unreadable(path: string, why: string, cause?: unknown): NodeError {
  return new NodeError(
    'NODE_FILE_INVALID',
    `${path} cannot be read: ${why}`,
    { path },
    cause === undefined ? undefined : { cause },
  )
}
