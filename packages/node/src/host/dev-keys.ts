/** `vellum account dev-keys`: keystores of those who take part in the development chain, to try commands with. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hexToBytes } from '@vellum/evm'
import { DEV_ACCOUNTS } from '../dev-chain.ts'
import { DEV_ORGANISATIONS } from '../dev-genesis.ts'
import { NodeError } from '../error.ts'
import { encryptKeystore } from './keystore.ts'

/** The keys are public, so it need not be secret. */
const PASSWORD = 'vellum'

/**
 * Writes a keystore for each organisation and for one holder, and a file with their password.
 * @throws NodeError NODE_FILE_INVALID if a file is there already
 */
export async function writeDevKeys(
  directory: string,
  print: (line: string) => void,
): Promise<void> {
  const { root, registrar, issuer, publicVerifier, commercialVerifier } = DEV_ORGANISATIONS
  const owners: readonly (readonly [string, string])[] = [
    ['root', root.account],
    ['registrar', registrar.account],
    ['issuer', issuer.account],
    ['public-verifier', publicVerifier.account],
    ['verifier', commercialVerifier.account],
    ['holder', DEV_ACCOUNTS[6]!.address],
  ]
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeNew(join(directory, 'password'), `${PASSWORD}\n`)
  for (const [name, account] of owners) {
    const { address, privateKey } = DEV_ACCOUNTS.find((each) => each.address === account)!
    const owner = { address, password: new TextEncoder().encode(PASSWORD) }
    writeNew(join(directory, `${name}.json`), await encryptKeystore(hexToBytes(privateKey), owner))
    print(`${address}  ${join(directory, `${name}.json`)}`)
  }
  print('These keys are public: use them on the development chain alone.')
}

function writeNew(path: string, text: string): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode: 0o600 })
  } catch (cause) {
    throw new NodeError(
      'NODE_FILE_INVALID',
      `${path} cannot be written: ${(cause as Error).message}`,
      { path },
      { cause },
    )
  }
}
