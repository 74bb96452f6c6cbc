/** An account as the state trie holds it: yellow paper (section 4.1), `TRIE(L_S)`. */

import {
  type AccountRecord,
  bytesToBigInt,
  bytesToHex,
  type Hash,
  keccak256Hex,
  NO_BYTES,
} from '@vellum/evm'
import { LedgerError } from './error.ts'
import { decodeRlp } from './rlp.ts'
import { createRlpWriter, type RlpWriter } from './rlp-writer.ts'

export const EMPTY_CODE_HASH: Hash = keccak256Hex(NO_BYTES)

export interface Account extends AccountRecord {
  readonly storageRoot: Hash
}

/** RLP of [nonce, balance, storageRoot, codeHash]. */
export function encodeAccount(account: Account): Uint8Array {
  writer.hex(account.codeHash)
  writer.hex(account.storageRoot)
  writer.integer(account.balance)
  writer.integer(account.nonce)
  writer.closeList(0)
  return writer.take()
}

const writer: RlpWriter = createRlpWriter()

/** @throws LedgerError LEDGER_RLP_INVALID if the bytes are not an account */
export function decodeAccount(bytes: Uint8Array): Account {
  const items = decodeRlp(bytes)
  if (items instanceof Uint8Array || items.length !== 4) throw notAccount()
  const [nonce, balance, storageRoot, codeHash] = items
  if (
    !(nonce instanceof Uint8Array && nonce.length <= 8 && nonce[0] !== 0) ||
    !(balance instanceof Uint8Array && balance.length <= 32 && balance[0] !== 0) ||
    !(storageRoot instanceof Uint8Array && storageRoot.length === 32) ||
    !(codeHash instanceof Uint8Array && codeHash.length === 32)
  ) {
    throw notAccount()
  }
  return {
    nonce: bytesToBigInt(nonce),
    balance: bytesToBigInt(balance),
    storageRoot: bytesToHex(storageRoot),
    codeHash: bytesToHex(codeHash),
  }
}

function notAccount(): LedgerError {
  return new LedgerError('LEDGER_RLP_INVALID', 'the bytes are not an account')
}
