/** `vellum account`: keys of validators and users, encrypted in files. */

import { addressOfPublicKey } from '@vellum/ledger'
import { NodeError } from '../error.ts'
import {
  listKeys,
  type PasswordSource,
  randomKey,
  readKeyFile,
  readPassword,
  saveKey,
} from './key-files.ts'
import { keystoreAddress } from './keystore.ts'
import { loadSystemCrypto } from './system.ts'
import { createVoteFile, voteFilePath } from './vote-file.ts'

/** Makes a key, encrypts it, and prints where it is; for a validator its vote file, too. */
export async function newAccount(
  directory: string,
  source: PasswordSource,
  options: { readonly forValidator: boolean; readonly print: (line: string) => void },
): Promise<void> {
  const { print } = options
  const password = await readPassword(source)
  const { crypto } = loadSystemCrypto()
  const key = randomKey(crypto)
  const address = addressOfPublicKey(crypto.publicKey(key))
  try {
    const path = await saveKey(directory, key, { address, password, createdAtMs: Date.now() })
    print(`address  ${address}`)
    print(`keystore ${path}`)
    if (options.forValidator) initVotes(path, print)
    print('Keep a copy of the file and of its password: without both the key is lost.')
  } finally {
    key.fill(0)
    password.fill(0)
  }
}

/**
 * Makes the vote file of a key that has never voted. For a key that has voted it would be a licence to
 * vote twice: then the file must come from where the key was used.
 */
export function initVotes(keystore: string, print: (line: string) => void): void {
  const address = keystoreAddress(readKeyFile(keystore))
  if (address === undefined) {
    throw new NodeError(
      'NODE_KEYSTORE_INVALID',
      `${keystore} does not say which address it holds`,
      { keystore },
    )
  }
  const path = voteFilePath(keystore, address)
  createVoteFile({ path, validator: address })
  print(`votes    ${path}`)
}

/** Prints the address and file of each keystore. */
export function listAccounts(directory: string, print: (line: string) => void): void {
  const keys = listKeys(directory)
  if (keys.length === 0) {
    print(`no keystores in ${directory}; make one with \`vellum account new\``)
  }
  for (const { address, path } of keys) print(`${address ?? '(address not said)'} ${path}`)
}
