/** What `pnpm bench node` sends: a genesis that both nodes start from, and transactions signed ahead. */

import { writeFileSync } from 'node:fs'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  createAddress,
  type Hex,
  hexToBytes,
  keccak256,
  keccak256Hex,
} from '@vellum/evm'
import { addressOfPublicKey, signTransaction, type Transaction } from '@vellum/ledger'
import { DEV_CHAIN_ID, devGenesis, devValidatorKey, loadSystemCrypto } from '@vellum/node'
import { compile } from './compile.ts'

export type LoadName = 'transfer' | 'erc20' | 'issue'

export const SENDERS = 1_200
/** Connections that send: a sender's transactions stay on one, so that they arrive in order. */
export const CONNECTIONS = 16

const { crypto } = loadSystemCrypto()
export const senderKeys: readonly Uint8Array[] = Array.from({ length: SENDERS }, (_, i) =>
  keccak256(bigIntToBytes(BigInt(i) + 1n, 32)),
)
export const senders: readonly Address[] = senderKeys.map((key) =>
  addressOfPublicKey(crypto.publicKey(key)),
)
export const TOKEN: Address = createAddress(senders[0]!, 0n)
const LICENCE: Address = createAddress(senders[0]!, 1n)
/** Slot of `balanceOf` in Erc20.sol, after `totalSupply`. */
const BALANCE_SLOT = 1n
const GAS_LIMITS: Readonly<Record<LoadName, bigint>> = {
  transfer: 21_000n,
  erc20: 60_000n,
  issue: 160_000n,
}
export const GAS_LIMIT = 2_000_000_000n

/** Genesis as both nodes read it: funded senders, the two contracts, tokens for all senders. */
export function loadGenesis(): object {
  const validator = addressOfPublicKey(crypto.publicKey(devValidatorKey()))
  const balances = Object.fromEntries(
    senders.map((sender) => [
      keccak256Hex(concatBytes(padded(sender), bigIntToBytes(BALANCE_SLOT, 32))),
      bytesToHex(bigIntToBytes(10n ** 24n, 32)),
    ]),
  )
  const funded = Object.fromEntries(
    senders.map((sender) => [sender, { balance: '0x3635c9adc5dea00000' }]),
  )
  return {
    ...devGenesis([validator]),
    gasLimit: `0x${GAS_LIMIT.toString(16)}`,
    baseFeePerGas: '0x0',
    alloc: {
      ...funded,
      [TOKEN]: { balance: '0x0', code: compile('Erc20').deployedBytecode, storage: balances },
      [LICENCE]: { balance: '0x0', code: compile('Licence').deployedBytecode },
    },
  }
}

/**
 * Signs `count` transactions, and writes them as `eth_sendRawTransaction` bodies, one a line.
 * @param round how many loads of `count` came before: nonces go on from there
 */
export function writeLoad(name: LoadName, count: number, round: number, path: string): void {
  const lines: string[] = []
  for (let i = 0; i < count; i++) {
    // Lines go to connections by turns: a sender stays on one, because SENDERS is a multiple of them.
    const sender = i % SENDERS
    const nonce = BigInt(round * (count / SENDERS) + Math.floor(i / SENDERS))
    const { to, value, data } = contentOf(name, i)
    const tx: Transaction = {
      type: 0,
      chainId: BigInt(DEV_CHAIN_ID),
      nonce,
      gasLimit: GAS_LIMITS[name],
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to,
      value,
      data,
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    }
    const { encoded } = signTransaction(tx, senderKeys[sender]!, crypto)
    const raw = bytesToHex(encoded)
    lines.push(`{"jsonrpc":"2.0","id":${i},"method":"eth_sendRawTransaction","params":["${raw}"]}`)
  }
  writeFileSync(path, lines.join('\n'))
}

function contentOf(name: LoadName, i: number): { to: Address; value: bigint; data: Uint8Array } {
  const receiver = senders[(i * 7 + 3) % SENDERS]!
  if (name === 'transfer') return { to: receiver, value: 1n, data: new Uint8Array(0) }
  if (name === 'erc20') {
    return {
      to: TOKEN,
      value: 0n,
      data: call('transfer(address,uint256)', padded(receiver), word(1n)),
    }
  }
  const id = keccak256(word(BigInt(i)))
  const payload = concatBytes(keccak256(id), word(BigInt(i)), keccak256(word(7n)), word(9n))
  const data = call(
    'issue(bytes32,address,bytes32,uint64,bytes)',
    id,
    padded(receiver),
    keccak256(id),
    word(4_000_000_000n),
    word(160n),
    word(BigInt(payload.length)),
    payload,
  )
  return { to: LICENCE, value: 0n, data }
}

/** Body of an `eth_call` of `balanceOf`. */
export function balanceOfCall(sender: Address): Hex {
  return bytesToHex(call('balanceOf(address)', padded(sender)))
}

function call(signature: string, ...words: readonly Uint8Array[]): Uint8Array {
  return concatBytes(keccak256(new TextEncoder().encode(signature)).subarray(0, 4), ...words)
}

function word(value: bigint): Uint8Array {
  return bigIntToBytes(value, 32)
}

function padded(address: Address): Uint8Array {
  return concatBytes(new Uint8Array(12), hexToBytes(address))
}
