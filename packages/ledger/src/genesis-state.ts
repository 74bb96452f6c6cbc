/** The accounts of a genesis as changes to the empty state, in bounded parts. */

import { type AccountChange, type Hash, keccak256Hex, type WorldChanges } from '@vellum/evm'
import { EMPTY_CODE_HASH } from './account.ts'
import type { Genesis } from './genesis.ts'

/** @param accountsMax accounts in one part, at least 1 */
export function* genesisChanges(
  genesis: Pick<Genesis, 'alloc'>,
  accountsMax: number,
): Generator<WorldChanges> {
  for (let at = 0; at < genesis.alloc.length; at += accountsMax) {
    const accounts: AccountChange[] = []
    const codes = new Map<Hash, Uint8Array>()
    for (const { address, nonce, balance, code, storage } of genesis.alloc.slice(
      at,
      at + accountsMax,
    )) {
      const codeHash = code.length === 0 ? EMPTY_CODE_HASH : keccak256Hex(code)
      if (code.length > 0) codes.set(codeHash, code)
      accounts.push({
        address,
        account: { nonce, balance, codeHash },
        storageCleared: false,
        slots: storage,
      })
    }
    yield { accounts, codes }
  }
}
