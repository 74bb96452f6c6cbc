/** viem against a node in a process of its own, by HTTP and by WebSocket. */

import { rmSync } from 'node:fs'
import { verifyMerkleProof } from '@ethereumjs/mpt'
import { DEV_CHAIN_ID } from '@vellum/node'
import {
  type Abi,
  type Address,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeFunctionData,
  fromRlp,
  getAddress,
  type Hex,
  hexToBytes,
  http,
  keccak256,
  type Log,
  parseSignature,
  toHex,
  webSocket,
} from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode, temporaryDirectory } from '../e2e/running-node.ts'
import { alice, bob, CALLS, carol, ENTRY_TYPES, REGISTER, webSocketUrl } from './contracts.ts'

const abi = REGISTER.abi as Abi
const callsAbi = CALLS.abi as Abi
const idOf = (text: string): Hex => keccak256(toHex(text))

const chainAt = (url: string) =>
  defineChain({
    id: DEV_CHAIN_ID,
    name: 'Vellum',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  })
const clientsOf = (url: string) => {
  const chain = chainAt(url)
  const transport = http(url)
  const wallet = (key: Hex) =>
    createWalletClient({ chain, transport, account: privateKeyToAccount(key) })
  return {
    chain,
    reader: createPublicClient({ chain, transport, pollingInterval: 50, cacheTime: 0 }),
    alice: wallet(alice.privateKey),
    bob: wallet(bob.privateKey),
  }
}

let directory: string
let node: RunningNode
let clients: ReturnType<typeof clientsOf>
let address: Address
let calls: Address

beforeAll(async () => {
  directory = temporaryDirectory()
  node = await startNode(directory)
  clients = clientsOf(node.url)
  address = await deploy(abi, REGISTER.bytecode)
  calls = await deploy(callsAbi, CALLS.bytecode)
})

afterAll(async () => {
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function deploy(of: Abi, bytecode: Hex): Promise<Address> {
  const hash = await clients.alice.deployContract({ abi: of, bytecode })
  const { contractAddress } = await clients.reader.waitForTransactionReceipt({ hash })
  return getAddress(contractAddress!)
}

async function register(text: string): Promise<Hex> {
  const hash = await clients.alice.writeContract({
    address,
    abi,
    functionName: 'register',
    args: [idOf(text), text],
  })
  const { status } = await clients.reader.waitForTransactionReceipt({ hash })
  expect(status).toBe('success')
  return hash
}

function holderOf(entry: Hex): Promise<unknown> {
  return clients.reader.readContract({ address, abi, functionName: 'holderOf', args: [entry] })
}

describe('viem', () => {
  test('simulates, writes, reads and finds events', async () => {
    const hash = await register('first')
    const holder = clients.alice.account.address
    expect(await holderOf(idOf('first'))).toBe(holder)
    const found = await clients.reader.getContractEvents({
      address,
      abi,
      eventName: 'Registered',
      args: { holder, id: idOf('first') },
      fromBlock: 0n,
    })
    expect(found).toMatchObject([{ transactionHash: hash, args: { text: 'first' } }])
    await expect(
      clients.reader.simulateContract({
        address,
        abi,
        functionName: 'register',
        args: [idOf('first'), ''],
        account: holder,
      }),
    ).rejects.toThrow(/Taken/)
  })

  test('polls a filter for events', async () => {
    const filter = await clients.reader.createContractEventFilter({ address, abi })
    const hash = await register('filtered')
    expect(await clients.reader.getFilterChanges({ filter })).toMatchObject([
      { transactionHash: hash },
    ])
    expect(await clients.reader.getFilterChanges({ filter })).toEqual([])
    expect(await clients.reader.uninstallFilter({ filter })).toBe(true)
  })

  test('watches events and blocks by WebSocket', async () => {
    const socket = webSocket(webSocketUrl(node.url))
    const listening = createPublicClient({ chain: clients.chain, transport: socket })
    const heard = Promise.withResolvers<Log[]>()
    const block = Promise.withResolvers<bigint>()
    const stops = [
      listening.watchContractEvent({ address, abi, onLogs: heard.resolve, onError: heard.reject }),
      listening.watchBlockNumber({ onBlockNumber: block.resolve, onError: block.reject }),
    ]
    // Both subscriptions are asked for before this is: it is answered after them.
    await listening.getChainId()
    const hash = await register('watched')
    expect(await heard.promise).toMatchObject([{ transactionHash: hash }])
    expect(await block.promise).toBeGreaterThan(0n)
    for (const stop of stops) stop()
    const { close } = await listening.transport.getRpcClient()
    close()
  })

  test('signs typed data (EIP-712) that the contract accepts from somebody else', async () => {
    const holder = clients.bob.account.address
    const entry = { holder, id: idOf('signed'), text: 'in the name of bob' }
    const signature = await clients.bob.signTypedData({
      domain: {
        name: 'Register',
        version: '1',
        chainId: DEV_CHAIN_ID,
        verifyingContract: address,
      },
      types: ENTRY_TYPES,
      primaryType: 'Entry',
      message: entry,
    })
    const { r, s, yParity } = parseSignature(signature)
    const hash = await clients.alice.writeContract({
      address,
      abi,
      functionName: 'registerSigned',
      args: [holder, entry.id, entry.text, 27 + yParity, r, s],
    })
    await clients.reader.waitForTransactionReceipt({ hash })
    expect(await holderOf(entry.id)).toBe(holder)
  })

  test('sends legacy, EIP-2930 and EIP-1559 transactions', async () => {
    const to = carol.address
    const before = await clients.reader.getBalance({ address: to })
    const accessList = [{ address, storageKeys: [] }]
    for (const [type, hash] of [
      ['legacy', await clients.alice.sendTransaction({ to, value: 1n, type: 'legacy' })],
      [
        'eip2930',
        await clients.alice.sendTransaction({ to, value: 1n, type: 'eip2930', accessList }),
      ],
      ['eip1559', await clients.alice.sendTransaction({ to, value: 1n, type: 'eip1559' })],
    ] as const) {
      expect(await clients.reader.waitForTransactionReceipt({ hash })).toMatchObject({ type })
    }
    expect(await clients.reader.getBalance({ address: to })).toBe(before + 3n)
  })

  test('delegates an account to a contract (EIP-7702) and calls several things as it', async () => {
    const { account } = clients.bob
    const authorization = await clients.bob.signAuthorization({
      contractAddress: calls,
      executor: 'self',
    })
    const entries = [idOf('one'), idOf('two')]
    const batch = entries.map((entry) => ({
      target: address,
      allowFailure: false,
      callData: encodeFunctionData({ abi, functionName: 'register', args: [entry, 'batch'] }),
    }))
    const hash = await clients.bob.sendTransaction({
      to: account.address,
      data: encodeFunctionData({ abi: callsAbi, functionName: 'execute', args: [batch] }),
      authorizationList: [authorization],
    })
    const receipt = await clients.reader.waitForTransactionReceipt({ hash })
    expect(receipt).toMatchObject({ status: 'success', type: 'eip7702' })
    for (const entry of entries) expect(await holderOf(entry)).toBe(account.address)
    expect(await clients.reader.getDelegation({ address: account.address })).toBe(calls)
  })

  test('reads several things in one call (Multicall3), deployed or not', async () => {
    await register('many')
    const contracts = [
      { address, abi, functionName: 'holderOf', args: [idOf('many')] },
      { address, abi, functionName: 'count' },
    ] as const
    const count = await clients.reader.readContract({ address, abi, functionName: 'count' })
    const expected = [clients.alice.account.address, count]
    const deployed = await clients.reader.multicall({
      contracts,
      multicallAddress: calls,
      allowFailure: false,
    })
    expect(deployed).toEqual(expected)
    const deployless = await clients.reader.multicall({
      contracts,
      deployless: true,
      allowFailure: false,
    })
    expect(deployless).toEqual(expected)
  })

  test('gets proofs that @ethereumjs/mpt verifies against the block’s state root', async () => {
    const slot = toHex(1, { size: 32 })
    const block = await clients.reader.getBlock()
    const proof = await clients.reader.getProof({
      address,
      storageKeys: [slot],
      blockNumber: block.number,
    })
    const nodes = proof.accountProof.map((each) => hexToBytes(each))
    const account = await verifyMerkleProof(hexToBytes(address), nodes, {
      useKeyHashing: true,
      root: hexToBytes(block.stateRoot),
    })
    const [, , storageRoot, codeHash] = fromRlp(account!, 'hex') as Hex[]
    expect(codeHash).toBe(keccak256(REGISTER.deployedBytecode))
    const stored = await verifyMerkleProof(
      hexToBytes(slot),
      proof.storageProof[0]!.proof.map((each) => hexToBytes(each)),
      { useKeyHashing: true, root: hexToBytes(storageRoot!) },
    )
    expect(BigInt(fromRlp(stored!, 'hex') as Hex)).toBe(proof.storageProof[0]!.value)
    expect(proof.storageProof[0]!.value).toBe(
      await clients.reader.readContract({ address, abi, functionName: 'count' }),
    )
  })
})
