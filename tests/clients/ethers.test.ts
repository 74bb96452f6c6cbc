/** ethers v6 against a node in a process of its own, by HTTP and by WebSocket. */

import { rmSync } from 'node:fs'
import { verifyMerkleProof } from '@ethereumjs/mpt'
import { DEV_CHAIN_ID } from '@vellum/node'
import {
  Contract,
  ContractFactory,
  decodeRlp,
  getBytes,
  Interface,
  id,
  JsonRpcProvider,
  keccak256,
  Signature,
  type TransactionRequest,
  toBeHex,
  Wallet,
  WebSocketProvider,
} from 'ethers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode, temporaryDirectory } from '../e2e/running-node.ts'
import { alice, bob, CALLS, carol, ENTRY_TYPES, REGISTER, webSocketUrl } from './contracts.ts'

let directory: string
let node: RunningNode
let provider: JsonRpcProvider
let wallet: Wallet
let address: string
let register: Contract
const calls = new Interface(CALLS.abi)

beforeAll(async () => {
  directory = temporaryDirectory()
  node = await startNode(directory)
  provider = new JsonRpcProvider(node.url, undefined, { cacheTimeout: -1, pollingInterval: 50 })
  wallet = new Wallet(alice.privateKey, provider)
  const factory = new ContractFactory(REGISTER.abi as object[], REGISTER.bytecode, wallet)
  const deployed = await factory.deploy()
  await deployed.waitForDeployment()
  address = await deployed.getAddress()
  register = new Contract(address, REGISTER.abi as object[], wallet)
})

afterAll(async () => {
  provider.destroy()
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

describe('ethers', () => {
  test('gets the receipt as the answer, with no wait for a later block', async () => {
    const transaction = await wallet.populateTransaction({ to: bob.address, value: 1n })
    const raw = await wallet.signTransaction(transaction)
    const receipt = await provider.send('eth_sendRawTransactionSync', [raw])
    expect(receipt).toMatchObject({ status: '0x1', transactionHash: keccak256(raw) })
    expect(Number(receipt.blockNumber)).toBe(await provider.getBlockNumber())
  })

  test('calls, sends and finds its events by their indexed values', async () => {
    const entry = id('entry 1')
    const sent = await register.register!(entry, 'first')
    const receipt = await sent.wait()
    expect(receipt.status).toBe(1)
    expect(await register.holderOf!(entry)).toBe(wallet.address)
    for (const filter of [
      register.filters.Registered!(wallet.address),
      register.filters.Registered!(null, entry),
      register.filters.Registered!(),
    ]) {
      const [event] = await register.queryFilter(filter, 0)
      expect(event).toMatchObject({
        transactionHash: sent.hash,
        args: [wallet.address, entry, 'first'],
      })
    }
    const nobody = register.filters.Registered!(carol.address)
    expect(await register.queryFilter(nobody, 0)).toEqual([])
  })

  test('names the contract’s own error before anything is sent', async () => {
    await (await register.register!(id('taken'), '')).wait()
    await expect(register.register!.staticCall(id('taken'), '')).rejects.toMatchObject({
      code: 'CALL_EXCEPTION',
      revert: { name: 'Taken', args: [id('taken')] },
    })
  })

  test('listens to events and blocks by WebSocket', async () => {
    const socket = new WebSocketProvider(webSocketUrl(node.url))
    try {
      const listening = new Contract(address, REGISTER.abi as object[], socket)
      const heard = new Promise<unknown[]>((resolve) => {
        void listening.on('Registered', (...args: unknown[]) => resolve(args))
      })
      const block = new Promise<number>((resolve) => void socket.on('block', resolve))
      // Both subscriptions are open once a later call on the same socket was answered.
      await socket.getBlockNumber()
      const sent = await register.register!(id('by socket'), 'heard')
      const { blockNumber } = await sent.wait()
      const [holder, entry, text] = await heard
      expect([holder, entry, text]).toEqual([wallet.address, id('by socket'), 'heard'])
      expect(await block).toBeLessThanOrEqual(blockNumber)
    } finally {
      await socket.destroy()
    }
  })

  test('signs typed data (EIP-712) that the contract accepts from somebody else', async () => {
    const holder = new Wallet(bob.privateKey)
    const entry = { holder: holder.address, id: id('signed'), text: 'in the name of bob' }
    const domain = {
      name: 'Register',
      version: '1',
      chainId: DEV_CHAIN_ID,
      verifyingContract: address,
    }
    const types = { Entry: [...ENTRY_TYPES.Entry] }
    const { v, r, s } = Signature.from(await holder.signTypedData(domain, types, entry))
    const args = [entry.holder, entry.id, entry.text, v, r, s] as const
    await (await register.registerSigned!(...args)).wait()
    expect(await register.holderOf!(entry.id)).toBe(holder.address)
    const other = [carol.address, id('forged'), entry.text, v, r, s] as const
    await expect(register.registerSigned!.staticCall(...other)).rejects.toMatchObject({
      revert: { name: 'NotSignedBy' },
    })
  })

  const kinds: [string, TransactionRequest][] = [
    ['a legacy', { type: 0, gasPrice: 0n }],
    ['an EIP-2930', { type: 1, gasPrice: 0n, accessList: [[carol.address, []]] }],
    ['an EIP-1559', { type: 2, maxFeePerGas: 0n, maxPriorityFeePerGas: 0n }],
  ]
  test.for(kinds)('sends %s transaction', async ([, fields]) => {
    const before = await provider.getBalance(carol.address)
    const sent = await wallet.sendTransaction({ to: carol.address, value: 3n, ...fields })
    const { type } = fields
    expect(await sent.wait()).toMatchObject({ status: 1, type })
    expect(await provider.getBalance(carol.address)).toBe(before + 3n)
    expect(await provider.getTransaction(sent.hash)).toMatchObject({ type, value: 3n })
  })

  test('delegates an account to a contract (EIP-7702) and calls several things as it', async () => {
    const code = new ContractFactory(CALLS.abi as object[], CALLS.bytecode, wallet)
    const target = await code.deploy()
    await target.waitForDeployment()
    const account = new Wallet(bob.privateKey, provider)
    const authorization = await account.authorize({
      address: await target.getAddress(),
      // The transaction takes one nonce itself before the authorisation is looked at.
      nonce: (await account.getNonce()) + 1,
    })
    const entries = [id('one'), id('two')]
    const data = calls.encodeFunctionData('execute', [
      entries.map((entry) => [
        address,
        false,
        register.interface.encodeFunctionData('register', [entry, 'batch']),
      ]),
    ])
    const sent = await account.sendTransaction({
      type: 4,
      to: account.address,
      data,
      authorizationList: [authorization],
    })
    expect(await sent.wait()).toMatchObject({ status: 1, type: 4 })
    for (const entry of entries) expect(await register.holderOf!(entry)).toBe(account.address)
    const delegated = `0xef0100${(await target.getAddress()).slice(2).toLowerCase()}`
    expect(await provider.getCode(account.address)).toBe(delegated)
  })

  test('gets proofs that @ethereumjs/mpt verifies against the block’s state root', async () => {
    const slot = toBeHex(1, 32)
    const block = (await provider.send('eth_getBlockByNumber', ['latest', false])) as {
      number: string
      stateRoot: string
    }
    const proof = (await provider.send('eth_getProof', [address, [slot], block.number])) as {
      accountProof: string[]
      storageHash: string
      storageProof: { value: string; proof: string[] }[]
    }
    const root = getBytes(block.stateRoot)
    const options = { useKeyHashing: true, root }
    const account = await verifyMerkleProof(
      getBytes(address),
      proof.accountProof.map((each) => getBytes(each)),
      options,
    )
    const [, , storageRoot, codeHash] = decodeRlp(account!) as string[]
    expect(codeHash).toBe(keccak256(REGISTER.deployedBytecode))
    expect(storageRoot).toBe(proof.storageHash)
    const [{ value, proof: nodes } = { value: '', proof: [] }] = proof.storageProof
    const stored = await verifyMerkleProof(
      getBytes(slot),
      nodes.map((each) => getBytes(each)),
      {
        useKeyHashing: true,
        root: getBytes(storageRoot!),
      },
    )
    expect(decodeRlp(stored!)).toBe(toBeHex(BigInt(value)))
    expect(BigInt(value)).toBe(await register.count!())
    await expect(
      verifyMerkleProof(
        getBytes(address),
        proof.accountProof.slice(1).map((each) => getBytes(each)),
        options,
      ),
    ).rejects.toThrow()
  })
})
