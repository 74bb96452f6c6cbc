/** Keystore files in a directory, and the passwords that open them. */

import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { stderr, stdin } from 'node:process'
import type { Address } from '@vellum/evm'
import type { Secp256k1 } from '@vellum/ledger'
import { NodeError } from '../error.ts'
import { syncDirectory } from './head-file.ts'
import {
  encryptKeystore,
  keystoreAddress,
  type ScryptStrength,
  STANDARD_STRENGTH,
} from './keystore.ts'

export interface KeyFile {
  /** undefined: the file does not say. */
  readonly address: Address | undefined
  readonly path: string
}

/** Where a password comes from. Never from arguments or the environment, which others can read. */
export type PasswordSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'descriptor'; readonly descriptor: number }
  | { readonly kind: 'prompt'; readonly question: string }

const PASSWORD_BYTES_MAX = 4096

/** A new private key, 32 bytes. The caller zeroes it after use. */
export function randomKey(crypto: Pick<Secp256k1, 'isPrivateKey'>): Uint8Array {
  let key = randomBytes(32)
  while (!crypto.isPrivateKey(key)) key = randomBytes(32)
  // A copy: a Buffer of 32 bytes is a view of a pool that others use.
  const own = Uint8Array.from(key)
  key.fill(0)
  return own
}

/**
 * Encrypts a key into a new file of the directory, readable by its owner only.
 * @returns the path of the file
 */
export async function saveKey(
  directory: string,
  key: Uint8Array,
  owner: { readonly address: Address; readonly password: Uint8Array; readonly createdAtMs: number },
  strength: ScryptStrength = STANDARD_STRENGTH,
): Promise<string> {
  const text = await encryptKeystore(key, owner, strength)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  chmodSync(directory, 0o700)
  // geth's name: the time, without colons, and the address.
  const time = new Date(owner.createdAtMs).toISOString().replaceAll(':', '-')
  const path = join(directory, `UTC--${time}--${owner.address.slice(2)}`)
  const descriptor = openSync(path, 'wx', 0o600)
  try {
    writeSync(descriptor, text)
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  syncDirectory(directory)
  return path
}

/** Keystores in a directory, by name; other files are passed over. Empty for a missing directory. */
export function listKeys(directory: string): KeyFile[] {
  let names: string[]
  try {
    names = readdirSync(directory).sort()
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
  const keys: KeyFile[] = []
  for (const name of names) {
    const path = join(directory, name)
    try {
      keys.push({ address: keystoreAddress(readFileSync(path, 'utf8')), path })
    } catch {
      // Not a keystore: a directory of keys may hold notes and backups of other kinds.
    }
  }
  return keys
}

/**
 * The text of a file with a secret, whose rights must keep others out.
 * @param what the file is, in words
 * @throws NodeError NODE_FILE_INVALID
 */
export function readKeyFile(path: string, what = 'the keystore'): string {
  let text: string
  let mode: number
  try {
    mode = statSync(path).mode
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new NodeError(
      'NODE_FILE_INVALID',
      `${what} ${path} cannot be read: ${(cause as Error).message}`,
      { path },
      { cause },
    )
  }
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    throw new NodeError(
      'NODE_FILE_INVALID',
      `others can read ${what} ${path}; run \`chmod 600 ${path}\``,
      { path, mode: mode & 0o777 },
    )
  }
  return text
}

/**
 * A password, without the line's end.
 * @throws NodeError NODE_KEYSTORE_PASSWORD if there is none
 */
export async function readPassword(source: PasswordSource): Promise<Uint8Array> {
  const bytes = await readSource(source)
  const end = bytes.findIndex((byte) => byte === 0x0a || byte === 0x0d)
  // A copy: `slice` of a Buffer would be zeroed with it.
  const password = Uint8Array.from(bytes.subarray(0, end === -1 ? bytes.length : end))
  bytes.fill(0)
  if (password.length === 0 || password.length > PASSWORD_BYTES_MAX) {
    throw new NodeError(
      'NODE_KEYSTORE_PASSWORD',
      `the password must be 1 to ${PASSWORD_BYTES_MAX} bytes, on the first line`,
      { length: password.length },
    )
  }
  return password
}

async function readSource(source: PasswordSource): Promise<Uint8Array> {
  if (source.kind === 'prompt') return promptPassword(source.question)
  try {
    return readFileSync(source.kind === 'file' ? source.path : source.descriptor)
  } catch (cause) {
    const from = source.kind === 'file' ? source.path : `descriptor ${source.descriptor}`
    throw new NodeError(
      'NODE_KEYSTORE_PASSWORD',
      `the password cannot be read from ${from}: ${(cause as Error).message}`,
      {},
      { cause },
    )
  }
}

/** Asks on the terminal without showing what is typed. */
function promptPassword(question: string): Promise<Uint8Array> {
  if (!stdin.isTTY) {
    throw new NodeError(
      'NODE_KEYSTORE_PASSWORD',
      'no terminal to ask for a password: give --password-file or --password-fd',
    )
  }
  stderr.write(question)
  stdin.setRawMode(true)
  stdin.resume()
  return new Promise((resolve, reject) => {
    const typed: number[] = []
    const finish = (settle: () => void): void => {
      stdin.off('data', onData)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
      settle()
    }
    const onData = (data: Buffer): void => {
      for (const byte of data) {
        if (byte === 0x0d || byte === 0x0a || byte === 0x04) {
          finish(() => resolve(Uint8Array.from(typed)))
          return
        }
        if (byte === 0x03) {
          finish(() => reject(new NodeError('NODE_KEYSTORE_PASSWORD', 'cancelled')))
          return
        }
        if (byte === 0x7f || byte === 0x08) typed.pop()
        else typed.push(byte)
      }
    }
    stdin.on('data', onData)
  })
}
