/**
 * What one block changed in the state, as one record: enough to bring tries that were written some
 * blocks before up to this block again.
 */

import {
  type AccountChange,
  type Address,
  bytesToBigInt,
  bytesToHex,
  type Hash,
  NO_BYTES,
} from '@vellum/evm'
import {
  decodeRlp,
  type RlpItem,
  rlpBigInt,
  rlpBytes,
  rlpFixed,
  rlpList,
  rlpNumber,
} from './rlp.ts'
import { createRlpWriter, type RlpWriter } from './rlp-writer.ts'

export interface StateDiff {
  /** The height whose tries are on disk, from which this block is reached by diffs. */
  readonly base: number
  readonly accounts: readonly AccountChange[]
}

/** RLP of [base, [[address, account, cleared, [[slot, value]...]]...]]. */
export function encodeDiff({ base, accounts }: StateDiff): Uint8Array {
  for (let i = accounts.length - 1; i >= 0; i--) writeChange(accounts[i]!)
  writer.closeList(0)
  writer.integer(base)
  writer.closeList(0)
  return writer.take()
}

const writer: RlpWriter = createRlpWriter()

/** @throws LedgerError LEDGER_RLP_INVALID if the bytes are not a diff */
export function decodeDiff(bytes: Uint8Array): StateDiff {
  const [base, accounts] = rlpList(decodeRlp(bytes), 'diff')
  return {
    base: rlpNumber(base, 'base'),
    accounts: rlpList(accounts, 'accounts').map(decodeChange),
  }
}

function writeChange({ address, account, storageCleared, slots }: AccountChange): void {
  const end = writer.size()
  const keys = Array.from(slots.keys())
  for (let i = keys.length - 1; i >= 0; i--) {
    const slotEnd = writer.size()
    writer.integer(slots.get(keys[i]!)!)
    writer.hex(keys[i]!)
    writer.closeList(slotEnd)
  }
  writer.closeList(end)
  writer.integer(storageCleared ? 1 : 0)
  if (account === undefined) writer.string(NO_BYTES)
  else {
    const accountEnd = writer.size()
    writer.hex(account.codeHash)
    writer.integer(account.balance)
    writer.integer(account.nonce)
    writer.closeList(accountEnd)
  }
  writer.hex(address)
  writer.closeList(end)
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
