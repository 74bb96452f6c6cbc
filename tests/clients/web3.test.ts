/** web3.js 4 against a node in a process of its own, by HTTP and by WebSocket. */

import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ContractAbi, Web3 } from 'web3'
import { type RunningNode, startNode, temporaryDirectory } from '../e2e/running-node.ts'
import { alice, carol, REGISTER, webSocketUrl } from './contracts.ts'

const abi = REGISTER.abi as ContractAbi

let directory: string
let node: RunningNode
let web3: Web3
let from: string
let address: string

beforeAll(async () => {
  directory = temporaryDirectory()
  node = await startNode(directory)
  web3 = new Web3(node.url)
  web3.transactionPollingInterval = 50
  const account = web3.eth.accounts.wallet.add(alice.privateKey)[0]!
  from = account.address
  const deployed = await new web3.eth.Contract(abi)
    .deploy({ data: REGISTER.bytecode })
    .send({ from })
  address = deployed.options.address!
})

afterAll(async () => {
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

const idOf = (text: string): string => web3.utils.keccak256(text)

describe('web3.js', () => {
  test('calls, sends and finds its events', async () => {
    const contract = new web3.eth.Contract(abi, address)
    const receipt = await contract.methods.register!(idOf('one'), 'first').send({ from })
    expect(receipt.events?.Registered?.returnValues).toMatchObject({ holder: from, text: 'first' })
    expect(await contract.methods.holderOf!(idOf('one')).call()).toBe(from)
    // The types know names of events of ABIs that are constants only.
    const found = await contract.getPastEvents('Registered' as 'allEvents', {
      filter: { id: idOf('one') },
      fromBlock: 0,
    })
    expect(found).toMatchObject([{ transactionHash: receipt.transactionHash }])
  })

  test('names the contract’s own error', async () => {
    const contract = new web3.eth.Contract(abi, address)
    await contract.methods.register!(idOf('taken'), '').send({ from })
    await expect(
      contract.methods.register!(idOf('taken'), '').call({ from }),
    ).rejects.toMatchObject({
      cause: { errorName: 'Taken' },
    })
  })

  test('sends ether and reads the balance and the block', async () => {
    const before = await web3.eth.getBalance(carol.address)
    const { status, blockNumber, transactionHash } = await web3.eth.sendTransaction({
      from,
      to: carol.address,
      value: '5',
    })
    expect(status).toBe(1n)
    expect(await web3.eth.getBalance(carol.address)).toBe(before + 5n)
    expect((await web3.eth.getBlock(blockNumber)).transactions).toContain(transactionHash)
  })

  test('subscribes to events and heads by WebSocket', async () => {
    const socket = new Web3(webSocketUrl(node.url))
    try {
      const contract = new socket.eth.Contract(abi, address)
      const logs = contract.events.Registered!({ fromBlock: 'latest' })
      const heard = new Promise<unknown>((resolve, reject) => {
        logs.on('data', ({ returnValues }) => resolve(returnValues.text))
        logs.on('error', reject)
      })
      await new Promise((resolve) => logs.on('connected', resolve))
      const heads = await socket.eth.subscribe('newBlockHeaders')
      const block = new Promise((resolve) => heads.on('data', ({ number }) => resolve(number)))
      const writing = new web3.eth.Contract(abi, address)
      const sent = await writing.methods.register!(idOf('socket'), 'heard').send({ from })
      expect(await heard).toBe('heard')
      expect(await block).toBe(sent.blockNumber)
    } finally {
      socket.currentProvider?.disconnect()
    }
  })
})
