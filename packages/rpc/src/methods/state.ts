/** Accounts: balance, nonce, code, storage and their proofs. */

import type { Address, Hash } from '@vellum/evm'
import { EMPTY_CODE_HASH, EMPTY_ROOT, type StateView } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { requireHeight } from '../block.ts'
import { invalidParams } from '../error.ts'
import { data, formatProof, hex, quantity, word } from '../format.ts'
import { type JsonText, jsonArray } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import {
  type BlockReference,
  defaulting,
  LATEST,
  listOf,
  parseAddress,
  parseBlock,
  parseRecord,
  parseSlot,
  required,
  withPlace,
} from '../parse.ts'

const ABSENT = { codeHash: EMPTY_CODE_HASH, storageHash: EMPTY_ROOT }

export function stateMethods(backend: Backend, limits: RpcLimits): Method[] {
  const { chain, pool } = backend
  const address = required(parseAddress)
  const block = defaulting(parseBlock, LATEST)

  function stateAt(reference: BlockReference): StateView {
    return chain.stateAt(requireHeight(chain, reference))
  }

  return [
    method('eth_getBalance', [address, block], (holder, at) =>
      quantity(stateAt(at).account(holder)?.balance ?? 0n),
    ),
    method('eth_getTransactionCount', [address, block], (sender, at) => {
      if (at.type === 'tag' && at.tag === 'pending') return quantity(pool.nonce(sender))
      return quantity(stateAt(at).account(sender)?.nonce ?? 0n)
    }),
    method('eth_getCode', [address, block], (holder, at) => data(stateAt(at).code(holder))),
    method('eth_getStorageAt', [address, required(parseSlot), block], (holder, slot, at) =>
      word(stateAt(at).storage(holder, slot)),
    ),
    method(
      'eth_getStorageValues',
      [required((value) => parseSlotsByAddress(value, limits.storageKeysMax)), block],
      (wanted, at) => {
        const state = stateAt(at)
        const members = wanted.map(([holder, slots]) => {
          const values = slots.map((slot) => word(state.storage(holder, slot)))
          return `"${holder}":${jsonArray(values)}`
        })
        return `{${members.join(',')}}` as JsonText
      },
    ),
    method(
      'eth_getProof',
      [address, required(listOf(parseProofKey, limits.storageKeysMax)), block],
      (holder, keys, at) => {
        const slots = keys.map(({ slot }) => slot)
        const names = keys.map(({ name }) => name)
        return formatProof(stateAt(at).prove(holder, slots), names, ABSENT)
      },
    ),
    method('eth_getAccount', [address, block], (holder, at) => {
      const account = stateAt(at).account(holder)
      if (account === undefined) return 'null'
      return (
        `{"balance":${quantity(account.balance)},"codeHash":${hex(account.codeHash)}` +
        `,"nonce":${quantity(account.nonce)},"storageRoot":${hex(account.storageRoot)}}`
      )
    }),
  ]
}

/** A slot, and its name in the answer: as 32 bytes if it came so, else as a quantity. */
function parseProofKey(value: unknown): { readonly slot: Hash; readonly name: string } {
  const slot = parseSlot(value)
  const digits = String(value).replace(/^0[xX]/, '').length
  return { slot, name: digits > 62 ? slot : `0x${BigInt(slot).toString(16)}` }
}

function parseSlotsByAddress(
  value: unknown,
  countMax: number,
): readonly (readonly [Address, readonly Hash[]])[] {
  const entries = Object.entries(parseRecord(value))
  if (entries.length === 0) throw invalidParams('empty request')
  let room = countMax
  return entries.map(([name, slots]) => {
    try {
      const parsed = listOf(parseSlot, room)(slots)
      room -= parsed.length
      return [parseAddress(name), parsed] as const
    } catch (error) {
      throw withPlace(error, 'slots by address')
    }
  })
}
