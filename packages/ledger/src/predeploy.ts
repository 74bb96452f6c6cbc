/**
 * Contracts that a chain begins with: the accounts that their constructors would leave.
 *
 * Each constructor runs in our own machine at the contract's fixed address, as if its init code were
 * the code there, so that immutables, storage and `address(this)` are what they would be. The caller is
 * the zero address, and there is nothing else on the chain but the contracts before it.
 */

import {
  type Address,
  type BlockContext,
  bytesToHex,
  createEvm,
  createWorld,
  type Fork,
  type WorldReader,
  ZERO_ADDRESS,
  ZERO_HASH,
} from '@vellum/evm'
import { LedgerError } from './error.ts'
import type { GenesisAccount } from './genesis.ts'

export interface Predeploy {
  readonly address: Address
  /** With the arguments of the constructor behind it, as for a transaction that deploys. */
  readonly initCode: Uint8Array
}

export interface PredeployOptions {
  /** The chain's at its genesis block. */
  readonly fork: Fork
  readonly chainId: bigint
  /** Of the genesis block, seconds since 1970. */
  readonly timestamp: number
}

/** More than any constructor needs that ends at all. */
const CONSTRUCTOR_GAS = 1_000_000_000n

/** @throws LedgerError LEDGER_GENESIS_INVALID if a constructor fails */
export function predeployAccounts(
  predeploys: readonly Predeploy[],
  { fork, chainId, timestamp }: PredeployOptions,
): GenesisAccount[] {
  const world = createWorld(NOTHING)
  const block: BlockContext = {
    coinbase: ZERO_ADDRESS,
    number: 0,
    timestamp,
    gasLimit: CONSTRUCTOR_GAS,
    baseFee: 0n,
    prevRandao: ZERO_HASH,
    difficulty: 0n,
    blobBaseFee: 0n,
    blockHash: () => ZERO_HASH,
  }
  const evm = createEvm({ fork, chainId, block, world })
  for (const { address, initCode } of predeploys) {
    world.beginTransaction()
    world.setCode(address, initCode)
    const { status, output } = evm.call(
      {
        caller: ZERO_ADDRESS,
        to: address,
        value: 0n,
        data: new Uint8Array(0),
        gas: CONSTRUCTOR_GAS,
      },
      { origin: ZERO_ADDRESS, gasPrice: 0n, blobVersionedHashes: [] },
    )
    if (status !== 'success' || output.length === 0) {
      throw new LedgerError(
        'LEDGER_GENESIS_INVALID',
        `the constructor of ${address} fails (${status}): ${bytesToHex(output)}`,
        { path: `alloc.${address}` },
      )
    }
    world.setCode(address, output)
    // EIP-161: what is created begins with nonce 1.
    world.setNonce(address, 1n)
    world.endTransaction(fork)
  }
  const { accounts, codes } = world.changes()
  return accounts.flatMap(({ address, account, slots }) => {
    if (account === undefined) return []
    const code = codes.get(account.codeHash) ?? new Uint8Array(0)
    const storage = new Map([...slots].filter(([, value]) => value !== 0n))
    return [{ address, balance: account.balance, nonce: account.nonce, code, storage }]
  })
}

const NOTHING: WorldReader = {
  account: () => undefined,
  storage: () => 0n,
  hasStorage: () => false,
  code: () => new Uint8Array(0),
}
