/**
 * @ethereumjs/evm behind the benchmark's view of a machine, on a flat state in memory with an undo list:
 * the fastest state we could give it (its own simple one copies all accounts at each checkpoint).
 */

import { Common, Hardfork, Mainnet, type StateManagerInterface } from '@ethereumjs/common'
import { createEVM, type EVM } from '@ethereumjs/evm'
import { OriginalStorageCache } from '@ethereumjs/statemanager'
import { Account, type Address, createAddressFromString } from '@ethereumjs/util'
import { bytesToHex, type Address as HexAddress, keccak256 } from '@vellum/evm'
import { type Contestant, SENDER } from './evm-ours.ts'

const NO_BYTES = new Uint8Array(0)

/** The part of its state manager interface that a run uses. */
function createFlatState(): object & { keep(): void; reset(): void } {
  let accounts = new Map<string, Account | undefined>()
  const codes = new Map<string, Uint8Array>()
  let storage = new Map<string, Uint8Array>()
  let kept = { accounts: new Map(accounts), storage: new Map(storage) }
  const undo: (() => void)[] = []
  const marks: number[] = []
  const set = <V>(map: Map<string, V>, key: string, value: V): void => {
    const old = map.get(key)
    undo.push(() => (old === undefined ? map.delete(key) : map.set(key, old)))
    map.set(key, value)
  }
  const state = {
    async getAccount(address: Address) {
      const account = accounts.get(address.toString())
      if (account === undefined) return undefined
      const { nonce, balance, storageRoot, codeHash } = account
      return new Account(nonce, balance, storageRoot, codeHash)
    },
    async putAccount(address: Address, account?: Account) {
      set(accounts, address.toString(), account)
    },
    async deleteAccount(address: Address) {
      set(accounts, address.toString(), undefined)
    },
    async modifyAccountFields(address: Address, fields: object) {
      const account = (await state.getAccount(address)) ?? new Account()
      await state.putAccount(address, Object.assign(account, fields))
    },
    async putCode(address: Address, code: Uint8Array) {
      set(codes, address.toString(), code)
      await state.modifyAccountFields(address, { codeHash: keccak256(code) })
    },
    async getCode(address: Address) {
      return codes.get(address.toString()) ?? NO_BYTES
    },
    async getCodeSize(address: Address) {
      return (await state.getCode(address)).length
    },
    async getStorage(address: Address, key: Uint8Array) {
      return storage.get(address.toString() + bytesToHex(key)) ?? NO_BYTES
    },
    async putStorage(address: Address, key: Uint8Array, value: Uint8Array) {
      set(storage, address.toString() + bytesToHex(key), value)
    },
    async clearStorage() {},
    async checkpoint() {
      marks.push(undo.length)
    },
    async commit() {
      marks.pop()
      if (marks.length === 0) undo.length = 0
    },
    async revert() {
      const mark = marks.pop() ?? 0
      while (undo.length > mark) undo.pop()!()
    },
    keep() {
      kept = { accounts: new Map(accounts), storage: new Map(storage) }
    },
    reset() {
      accounts = new Map(kept.accounts)
      storage = new Map(kept.storage)
    },
    async flush() {},
    clearCaches() {},
    originalStorageCache: undefined as unknown,
  }
  state.originalStorageCache = new OriginalStorageCache(state.getStorage)
  return state
}

export async function createEthereumjs(
  codes: ReadonlyMap<HexAddress, Uint8Array>,
): Promise<Contestant> {
  const common = new Common({ chain: Mainnet, hardfork: Hardfork.Cancun })
  const state = createFlatState()
  const evm: EVM = await createEVM({
    common,
    stateManager: state as unknown as StateManagerInterface,
  })
  for (const [address, code] of codes) {
    await evm.stateManager.putAccount(createAddressFromString(address), new Account(1n, 0n))
    await evm.stateManager.putCode(createAddressFromString(address), code)
  }
  const caller = createAddressFromString(SENDER)
  await evm.stateManager.putAccount(caller, new Account(0n, 10n ** 20n))
  return {
    async call(to, data, gas) {
      evm.journal.addAlwaysWarmAddress(SENDER)
      evm.journal.addAlwaysWarmAddress(to)
      const { execResult } = await evm.runCall({
        caller,
        to: createAddressFromString(to),
        data,
        gasLimit: gas,
      })
      await evm.journal.cleanup()
      evm.stateManager.originalStorageCache.clear()
      if (execResult.exceptionError !== undefined) {
        throw new Error(`the peer's call ended with ${execResult.exceptionError.error}`)
      }
      return execResult.executionGasUsed
    },
    keep: () => state.keep(),
    endBlock: () => state.reset(),
  }
}
