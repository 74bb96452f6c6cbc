/** The main job, with other people's tools: deploy, issue, read back, prove. */

import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Address, bytesToHex, type Hash, hexToBytes, keccak256 } from '@vellum/evm'
import { verifyAccountProof, verifyStorageProof } from '@vellum/ledger'
import { DEV_ACCOUNTS, DEV_CHAIN_ID } from '@vellum/node'
import { Contract, ContractFactory, getBytes, id, JsonRpcProvider, toBeHex, Wallet } from 'ethers'
import { createPublicClient, createWalletClient, defineChain, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compile } from '../../bench/compile.ts'
import { type RunningNode, startNode, temporaryDirectory } from './running-node.ts'

const [issuer, holder, other] = DEV_ACCOUNTS as readonly [
  (typeof DEV_ACCOUNTS)[number],
  (typeof DEV_ACCOUNTS)[number],
  (typeof DEV_ACCOUNTS)[number],
]
const licence = compile('Licence')
const LICENCE_ID = id('licence 1') as Hash
const CONTENT_HASH = id('content of licence 1')
const UNTIL = 4_000_000_000n
const run = promisify(execFile)

let directory: string
let node: RunningNode
let provider: JsonRpcProvider
let address: Address
let issuedAt: number

beforeAll(async () => {
  directory = temporaryDirectory()
  node = await startNode(directory)
  // Blocks come within milliseconds here: answers must not be remembered for longer.
  provider = new JsonRpcProvider(node.url, undefined, { cacheTimeout: -1, pollingInterval: 50 })
})

afterAll(async () => {
  provider.destroy()
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('a licence on a node in a process of its own', () => {
  it('ethers deploys the contract, issues a licence and reads it back', async () => {
    const wallet = new Wallet(issuer.privateKey, provider)
    const factory = new ContractFactory(licence.abi as object[], licence.bytecode, wallet)
    const deployed = await factory.deploy()
    await deployed.waitForDeployment()
    address = (await deployed.getAddress()).toLowerCase() as Address

    const contract = new Contract(address, licence.abi as object[], wallet)
    const payload = new Uint8Array(96).fill(7)
    const sent = await contract.issue!(LICENCE_ID, holder.address, CONTENT_HASH, UNTIL, payload)
    const receipt = await sent.wait()
    expect(receipt.status).toBe(1)
    expect(receipt.logs).toHaveLength(1)
    issuedAt = receipt.blockNumber

    const read = await contract.get!(LICENCE_ID)
    expect(read.issuer.toLowerCase()).toBe(issuer.address)
    expect(read.holder.toLowerCase()).toBe(holder.address)
    expect(read.hash).toBe(CONTENT_HASH)
    expect(await contract.isValid!(LICENCE_ID, CONTENT_HASH)).toBe(true)
    const [event] = await contract.queryFilter('Issued', issuedAt, issuedAt)
    expect(event).toBeDefined()
  })

  it('refuses to issue it twice, with the contract’s own error, before anything is sent', async () => {
    const contract = new Contract(
      address,
      licence.abi as object[],
      new Wallet(issuer.privateKey, provider),
    )
    const args = [LICENCE_ID, holder.address, CONTENT_HASH, UNTIL, '0x'] as const
    const data = contract.interface.encodeErrorResult('AlreadyIssued', [LICENCE_ID])
    await expect(contract.issue!.staticCall(...args)).rejects.toMatchObject({
      code: 'CALL_EXCEPTION',
      revert: { name: 'AlreadyIssued' },
    })
    // Sending estimates first.
    await expect(contract.issue!(...args)).rejects.toMatchObject({ code: 'CALL_EXCEPTION', data })
  })

  it('proves the licence’s slots against the state root of the header', async () => {
    const base = keccak256(getBytes(LICENCE_ID + '00'.repeat(32)))
    const slot = (offset: bigint): Hash => toBeHex(BigInt(bytesToHex(base)) + offset, 32) as Hash
    const slots = [0n, 1n, 2n, 3n, 4n].map(slot)
    const proof = await node.call<EthProof>('eth_getProof', address, slots, toQuantity(issuedAt))
    const block = await node.call<{ stateRoot: Hash; hash: Hash }>(
      'eth_getBlockByNumber',
      toQuantity(issuedAt),
      false,
    )

    const account = verifyAccountProof(block.stateRoot, address, proof.accountProof.map(hexToBytes))
    if (!account.ok || account.value === undefined) throw new Error('the account is not proven')
    expect(account.value.codeHash).toBe(bytesToHex(keccak256(hexToBytes(licence.deployedBytecode))))
    const values = proof.storageProof.map(({ proof: nodes }, i) => {
      const { storageRoot } = account.value!
      const verdict = verifyStorageProof(storageRoot, slots[i]!, nodes.map(hexToBytes))
      if (!verdict.ok) throw new Error(verdict.reason)
      return verdict.value
    })
    expect(values[0]).toBe(BigInt(issuer.address))
    expect(values[1]).toBe(BigInt(holder.address))
    expect(values[2]).toBe(BigInt(CONTENT_HASH))
    expect(values[3]! >> 64n).toBe(UNTIL)
    expect(values[4]).toBe(0n)
    // A root that is not this one proves nothing.
    const elsewhere = verifyAccountProof(block.hash, address, proof.accountProof.map(hexToBytes))
    expect(elsewhere.ok).toBe(false)
  })

  it('serves viem: reads the contract, sends, waits for the receipt', async () => {
    const chain = defineChain({
      id: DEV_CHAIN_ID,
      name: 'Vellum',
      nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
      rpcUrls: { default: { http: [node.url] } },
    })
    const transport = http(node.url)
    const reader = createPublicClient({ chain, transport, pollingInterval: 50, cacheTime: 0 })
    const valid = await reader.readContract({
      address,
      abi: licence.abi as never,
      functionName: 'isValid',
      args: [LICENCE_ID, CONTENT_HASH],
    })
    expect(valid).toBe(true)
    const account = privateKeyToAccount(holder.privateKey)
    const writer = createWalletClient({ chain, transport, account })
    const hash = await writer.sendTransaction({ to: other.address, value: 5n })
    const receipt = await reader.waitForTransactionReceipt({ hash })
    expect(receipt).toMatchObject({ status: 'success', from: holder.address })
  })

  it('serves Foundry: cast calls, sends, deploys and reads code', async () => {
    const rpc = ['--rpc-url', node.url]
    const valid = await cast(
      'call',
      address,
      'isValid(bytes32,bytes32)(bool)',
      LICENCE_ID,
      CONTENT_HASH,
      ...rpc,
    )
    expect(valid.trim()).toBe('true')
    const key = ['--private-key', other.privateKey]
    const sent = await cast('send', holder.address, '--value', '7', ...key, ...rpc, '--json')
    expect(JSON.parse(sent)).toMatchObject({ status: '0x1', from: other.address })
    expect((await cast('chain-id', ...rpc)).trim()).toBe(String(DEV_CHAIN_ID))
    const deployed = await cast('send', ...key, ...rpc, '--json', '--create', licence.bytecode)
    const { contractAddress } = JSON.parse(deployed) as { contractAddress: Address }
    const code = (await cast('code', contractAddress, ...rpc)).trim()
    expect(code).toBe(licence.deployedBytecode)
  })

  it('keeps everything when it is stopped and started again', async () => {
    const before = await node.call<object>('eth_getBlockByNumber', 'latest', true)
    expect(await node.stop()).toBe(0)
    node = await startNode(directory)
    expect(await node.call('eth_getBlockByNumber', 'latest', true)).toEqual(before)
    provider.destroy()
    provider = new JsonRpcProvider(node.url, undefined, { cacheTimeout: -1, pollingInterval: 50 })
    const contract = new Contract(address, licence.abi as object[], provider)
    expect(await contract.isValid!(LICENCE_ID, CONTENT_HASH)).toBe(true)
    const issued = await contract.queryFilter(contract.filters.Issued!(LICENCE_ID), 0)
    expect(issued.map(({ blockNumber }) => blockNumber)).toEqual([issuedAt])
  })
})

interface EthProof {
  readonly accountProof: readonly string[]
  readonly storageProof: readonly { readonly proof: readonly string[] }[]
}

function toQuantity(number: number): string {
  return `0x${number.toString(16)}`
}

async function cast(...args: readonly string[]): Promise<string> {
  const bin = fileURLToPath(new URL('../node_modules/.bin/cast', import.meta.url))
  const { stdout } = await run(bin, args, {
    env: { ...process.env, FOUNDRY_DISABLE_NIGHTLY_WARNING: '1' },
  })
  return stdout
}
