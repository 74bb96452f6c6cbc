import assert from 'node:assert/strict'
import { test } from 'node:test'
import { network } from 'hardhat'

const { ethers } = await network.create('vellum')

test('deploys, sends, reads and finds the event', async () => {
  const [sender] = await ethers.getSigners()
  const register = await ethers.deployContract('Register')
  await register.waitForDeployment()
  const id = ethers.id('hardhat')
  const sent = await register.getFunction('register')(id, 'by hardhat')
  const receipt = await sent.wait()
  assert.equal(receipt.status, 1)
  assert.equal(await register.getFunction('holderOf')(id), sender?.address)
  const [event] = await register.queryFilter('Registered', receipt.blockNumber)
  assert.equal(event?.transactionHash, sent.hash)
  await assert.rejects(register.getFunction('register')(id, 'again'), /reverted/)
})
