/** Runs a scenario on @ethereumjs/evm, in the way its `runTx` prepares and ends a transaction. */

import { Common, Hardfork, Mainnet } from '@ethereumjs/common'
import { createEVM, getActivePrecompiles } from '@ethereumjs/evm'
import { SimpleStateManager } from '@ethereumjs/statemanager'
import { Account, createAddressFromString } from '@ethereumjs/util'
import { bigIntToBytes, bytesToBigInt, bytesToHex, type Fork, hexToBytes } from '@vellum/evm'
import {
  accountFact,
  BASE_FEE,
  BLOB_HASHES,
  BLOCK_NUMBER,
  blockHashOf,
  DIFFICULTY,
  GAS_LIMIT,
  GAS_PRICE,
  type Observation,
  PREV_RANDAO,
  TIMESTAMP,
} from './evm-ours.ts'
import { COINBASE, type Scenario, SENDER } from './scenario.ts'

const HARDFORKS: Readonly<Record<Fork, Hardfork>> = {
  frontier: Hardfork.Chainstart,
  homestead: Hardfork.Homestead,
  tangerineWhistle: Hardfork.TangerineWhistle,
  spuriousDragon: Hardfork.SpuriousDragon,
  byzantium: Hardfork.Byzantium,
  constantinople: Hardfork.Constantinople,
  petersburg: Hardfork.Petersburg,
  istanbul: Hardfork.Istanbul,
  berlin: Hardfork.Berlin,
  london: Hardfork.London,
  paris: Hardfork.Paris,
  shanghai: Hardfork.Shanghai,
  cancun: Hardfork.Cancun,
  prague: Hardfork.Prague,
  osaka: Hardfork.Osaka,
}

const commons = new Map<Fork, Common>()

function commonOf(fork: Fork): Common {
  const known = commons.get(fork)
  if (known !== undefined) return known
  const common = new Common({
    chain: Mainnet,
    hardfork: HARDFORKS[fork],
    // No generated input is a valid proof of a point.
    customCrypto: { kzg: { verifyProof: () => false } as never },
  })
  commons.set(fork, common)
  return common
}

const block = {
  header: {
    number: BigInt(BLOCK_NUMBER),
    coinbase: createAddressFromString(COINBASE),
    timestamp: BigInt(TIMESTAMP),
    difficulty: DIFFICULTY,
    prevRandao: hexToBytes(PREV_RANDAO),
    gasLimit: GAS_LIMIT,
    baseFeePerGas: BASE_FEE,
    getBlobGasPrice: () => 1n,
  },
}

const blockchain = {
  async getBlock(number: number) {
    return { hash: () => hexToBytes(blockHashOf(number)) }
  },
  async putBlock() {},
  shallowCopy() {
    return blockchain
  },
}

export async function observePeer(scenario: Scenario): Promise<Observation> {
  const common = commonOf(scenario.fork)
  const stateManager = new SimpleStateManager({ common })
  for (const { address, nonce, balance, code, storage } of scenario.accounts) {
    const at = createAddressFromString(address)
    await stateManager.putAccount(at, new Account(nonce, balance))
    if (code.length > 0) await stateManager.putCode(at, code)
    for (const [slot, value] of storage) {
      await stateManager.putStorage(at, bigIntToBytes(slot, 32), minimal(value))
    }
  }
  const evm = await createEVM({
    common,
    stateManager,
    blockchain: blockchain as never,
  })
  // Each machine listens to the shared rules for a change of fork, which never comes, and would so
  // be kept for ever: 4 GB after 70,000 programs.
  common.events.removeAllListeners('hardforkChanged')
  const facts: string[] = []
  for (const { to, value, data, gas } of scenario.messages) {
    evm.transientStorage.clear()
    stateManager.originalStorageCache.clear()
    for (const address of getActivePrecompiles(common).keys()) {
      evm.journal.addAlwaysWarmAddress(address)
    }
    evm.journal.addAlwaysWarmAddress(SENDER)
    // EIP-3651 came with Shanghai; before, the scenario warms it as an access list would.
    evm.journal.addAlwaysWarmAddress(COINBASE)
    if (to !== undefined) evm.journal.addAlwaysWarmAddress(to)
    const { execResult, createdAddress } = await evm.runCall({
      block: block as never,
      gasPrice: GAS_PRICE,
      caller: createAddressFromString(SENDER),
      gasLimit: gas,
      ...(to === undefined ? {} : { to: createAddressFromString(to) }),
      value,
      data,
      blobVersionedHashes: [...BLOB_HASHES],
    })
    const error = execResult.exceptionError?.error as string | undefined
    // Until Homestead a creation that cannot pay for its code is one of no code, and no failure.
    const isCodeless = scenario.fork === 'frontier' && error === 'code store out of gas'
    const kind =
      error === undefined || isCodeless ? 'success' : error === 'revert' ? 'revert' : 'halt'
    const gasLeft = gas - execResult.executionGasUsed
    facts.push(`status ${kind} gasLeft ${gasLeft} refund ${execResult.gasRefund ?? 0n}`)
    const created = kind === 'success' ? createdAddress?.toString() : undefined
    facts.push(`output ${bytesToHex(execResult.returnValue)} created ${created ?? '-'}`)
    for (const [address, topics, bytes] of execResult.logs ?? []) {
      facts.push(
        `log ${bytesToHex(address)} ${topics.map(bytesToHex).join(' ')} ${bytesToHex(bytes)}`,
      )
    }
    for (const address of execResult.selfdestruct?.keys() ?? []) {
      const onlyCreated = common.isActivatedEIP(6780)
      if (onlyCreated && execResult.createdAddresses?.has(address) !== true) continue
      const at = createAddressFromString(address)
      // This state manager keeps code and storage of an account that it deletes.
      await stateManager.putCode(at, new Uint8Array(0))
      await stateManager.clearStorage(at)
      await evm.journal.deleteAccount(at)
    }
    await evm.journal.cleanup()
  }
  return [...facts, ...stateFacts(stateManager)]
}

function stateFacts(stateManager: SimpleStateManager): string[] {
  const accounts = stateManager.accountStack.at(-1)!
  const facts: string[] = []
  for (const [address, account] of accounts) {
    if (account === undefined) continue
    const { nonce, balance, codeHash } = account
    facts.push(accountFact(address, nonce, balance, bytesToHex(codeHash)))
  }
  for (const [key, value] of stateManager.storageStack.at(-1)!) {
    const [address, slot] = key.split('_')
    const number = bytesToBigInt(value)
    if (number !== 0n && accounts.get(address as `0x${string}`) !== undefined) {
      facts.push(`storage ${address} ${slot} ${number}`)
    }
  }
  return facts.sort()
}

function minimal(value: bigint): Uint8Array {
  const bytes = bigIntToBytes(value, 32)
  return bytes.subarray(bytes.findIndex((byte) => byte !== 0))
}
