/**
 * What one block changed in the state, as one record: enough to bring tries that were written some
 * blocks before up to this block again.
 */

import {
  type AccountChange,
  type Address,
  bigIntToMinimalBytes,
  bytesToBigInt,
  bytesToHex,
  type Hash,
  hexToBytes,
  NO_BYTES,
} from '@vellum/evm'
import {
  decodeRlp,
  encodeRlp,
  type RlpItem,
  rlpBigInt,
  rlpBytes,
  rlpFixed,
  rlpList,
  rlpNumber,
  rlpScalar,
} from './rlp.ts'

export interface StateDiff {
  /** The height whose tries are on disk, from which this block is reached by diffs. */
  readonly base: number
  readonly accounts: readonly AccountChange[]
}

/** RLP of [base, [[address, account, cleared, [[slot, value]...]]...]]. */
export function encodeDiff({ base, accounts }: StateDiff): Uint8Array {
  return encodeRlp([rlpScalar(base), accounts.map(changeItem)])
}

/** @throws LedgerError LEDGER_RLP_INVALID if the bytes are not a diff */
export function decodeDiff(bytes: Uint8Array): StateDiff {
  const [base, accounts] = rlpList(decodeRlp(bytes), 'diff')
  return {
    base: rlpNumber(base, 'base'),
    accounts: rlpList(accounts, 'accounts').map(decodeChange),
  }
}

function changeItem({ address, account, storageCleared, slots }: AccountChange): RlpItem {
  return [
    hexToBytes(address),
    account === undefined
      ? NO_BYTES
      : [rlpScalar(account.nonce), rlpScalar(account.balance), hexToBytes(account.codeHash)],
    rlpScalar(storageCleared ? 1 : 0),
    Array.from(slots, ([slot, value]) => [hexToBytes(slot), bigIntToMinimalBytes(value)]),
  ]
}

function decodeChange(item: RlpItem): AccountChange {
  const [address, account, cleared, slots] = rlpList(item, 'change')
  return {
    address: bytesToHex(rlpFixed(address, 20, 'address')) as Address,
    account: decodeRecord(account),
    storageCleared: rlpNumber(cleared, 'cleared') === 1,
    slots: new Map(
      rlpList(slots, 'slots').map((entry): [Hash, bigint] => {
        const [slot, value] = rlpList(entry, 'slot')
        return [bytesToHex(rlpFixed(slot, 32, 'slot')), bytesToBigInt(rlpBytes(value, 'value'))]
      }),
    ),
  }
}

function decodeRecord(item: RlpItem | undefined): AccountChange['account'] {
  if (item === undefined || item instanceof Uint8Array) return undefined
  const [nonce, balance, codeHash] = item
  return {
    nonce: rlpBigInt(nonce, 8, 'nonce'),
    balance: rlpBigInt(balance, 32, 'balance'),
    codeHash: bytesToHex(rlpFixed(codeHash, 32, 'codeHash')),
  }
}
