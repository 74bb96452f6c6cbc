/** `vellum account`: keys of validators and users, encrypted in files. */

import { randomBytes } from 'node:crypto'
import { addressOfPublicKey } from '@vellum/ledger'
import { listKeys, type PasswordSource, readPassword, saveKey } from './key-files.ts'
import { loadSystemCrypto } from './system.ts'

/** Makes a key, encrypts it, and prints where it is. */
export async function newAccount(
  directory: string,
  source: PasswordSource,
  print: (line: string) => void,
): Promise<void> {
  const password = await readPassword(source)
  const { crypto } = loadSystemCrypto()
  let key = randomBytes(32)
  while (!crypto.isPrivateKey(key)) key = randomBytes(32)
  const address = addressOfPublicKey(crypto.publicKey(key))
  try {
    const path = await saveKey(directory, key, { address, password, createdAtMs: Date.now() })
    print(`address  ${address}`)
    print(`keystore ${path}`)
    print('Keep a copy of the file and of its password: without both the key is lost.')
  } finally {
    key.fill(0)
    password.fill(0)
  }
}

/** Prints the address and file of each keystore. */
export function listAccounts(directory: string, print: (line: string) => void): void {
  const keys = listKeys(directory)
  if (keys.length === 0) {
    print(`no keystores in ${directory}; make one with \`vellum account new\``)
  }
  for (const { address, path } of keys) print(`${address ?? '(address not said)'} ${path}`)
}
