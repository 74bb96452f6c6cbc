/** The accounts of a genesis as changes to the empty state, in bounded parts. */

import { type AccountChange, type Hash, keccak256Hex, type WorldChanges } from '@vellum/evm'
import { EMPTY_CODE_HASH } from './account.ts'
import type { GenesisAccount } from './genesis.ts'

/**
 * Parts in the order of the accounts. Accounts ordered by keccak256 of their addresses touch each
 * trie node in one part only, which makes a large state several times faster to write.
 * @param accountsMax accounts in one part, at least 1
 */
export function* genesisChanges(
  genesis: { readonly alloc: Iterable<GenesisAccount> },
  accountsMax: number,
): Generator<WorldChanges> {
  let accounts: AccountChange[] = []
  let codes = new Map<Hash, Uint8Array>()
  for (const { address, nonce, balance, code, storage } of genesis.alloc) {
    const codeHash = code.length === 0 ? EMPTY_CODE_HASH : keccak256Hex(code)
    if (code.length > 0) codes.set(codeHash, code)
    accounts.push({
      address,
      account: { nonce, balance, codeHash },
      storageCleared: false,
      slots: storage,
    })
    if (accounts.length < accountsMax) continue
    yield { accounts, codes }
    accounts = []
    codes = new Map()
  }
  if (accounts.length > 0) yield { accounts, codes }
}
