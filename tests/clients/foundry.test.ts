/** Foundry: `forge script --broadcast` of a small project, and `cast`, against a running node. */

import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DEV_CHAIN_ID } from '@vellum/node'
import { id } from 'ethers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode, temporaryDirectory } from '../e2e/running-node.ts'
import { alice, bob } from './contracts.ts'
import { copyProject, runTool } from './project.ts'

const ENTRY = id('forge')
const KEY = ['--private-key', alice.privateKey]

let directory: string
let project: string
let node: RunningNode

beforeAll(async () => {
  directory = temporaryDirectory()
  node = await startNode(join(directory, 'node'))
  project = join(directory, 'project')
  mkdirSync(project)
  copyProject('forge-project', project)
})

afterAll(async () => {
  await node.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function foundry(tool: 'forge' | 'cast', ...args: readonly string[]): Promise<string> {
  const { code, output } = await runTool(tool, [...args, '--rpc-url', node.url], project, {
    FOUNDRY_DISABLE_NIGHTLY_WARNING: '1',
    FOUNDRY_DIR: join(directory, 'foundry'),
    HOME: directory,
  })
  // The packages' start scripts do not hand on every failure.
  if (code !== 0 || output.startsWith('Error'))
    throw new Error(`${tool} ended with code ${code}:\n${output}`)
  return output.trim()
}

/** Where the script deployed the contract, by its own record. */
function deployedAt(): string {
  const file = join(project, 'broadcast', 'Deploy.s.sol', String(DEV_CHAIN_ID), 'run-latest.json')
  const { transactions, receipts } = JSON.parse(readFileSync(file, 'utf8')) as {
    transactions: { transactionType: string; contractAddress: string }[]
    receipts: { status: string }[]
  }
  expect(receipts.map(({ status }) => status)).toEqual(['0x1', '0x1'])
  expect(transactions.map(({ transactionType }) => transactionType)).toEqual(['CREATE', 'CALL'])
  return transactions[0]!.contractAddress
}

describe('Foundry', () => {
  test('a script simulates, deploys and calls, and cast finds what it did', async () => {
    const output = await foundry('forge', 'script', 'script/Deploy.s.sol', '--broadcast', ...KEY)
    expect(output).toMatch(/ONCHAIN EXECUTION COMPLETE & SUCCESSFUL/)
    const address = deployedAt()
    const holder = await foundry('cast', 'call', address, 'holderOf(bytes32)(address)', ENTRY)
    expect(holder.toLowerCase()).toBe(alice.address)
    const logs = await foundry(
      'cast',
      ...['logs', '--from-block', '0', '--address', address, '--json'],
      'Registered(address indexed,bytes32 indexed,string)',
    )
    expect(JSON.parse(logs)).toMatchObject([
      { topics: [expect.any(String), expect.any(String), ENTRY] },
    ])
    const proof = await foundry('cast', 'proof', address, `0x${'0'.repeat(63)}1`)
    expect(JSON.parse(proof)).toMatchObject({ storageProof: [{ value: '0x1' }] })
  })

  test('cast sends transactions of every kind, and reads them and their blocks', async () => {
    const value = ['--value', '7', ...KEY, '--json']
    for (const [flags, type] of [
      [['--legacy'], '0x0'],
      [['--access-list', '[]', '--legacy'], '0x1'],
      [[], '0x2'],
    ] as const) {
      const sent = await foundry('cast', 'send', bob.address, ...value, ...flags)
      const receipt = JSON.parse(sent) as { status: string; type: string; transactionHash: string }
      expect(receipt).toMatchObject({ status: '0x1', type })
      const read = await foundry('cast', 'tx', receipt.transactionHash, '--json')
      expect(JSON.parse(read)).toMatchObject({ value: '0x7', to: bob.address })
    }
    expect(await foundry('cast', 'chain-id')).toBe(String(DEV_CHAIN_ID))
    expect(await foundry('cast', 'nonce', bob.address)).toBe('0')
    const block = JSON.parse(await foundry('cast', 'block', 'latest', '--json')) as { hash: string }
    expect(block.hash).toMatch(/^0x[0-9a-f]{64}$/)
    expect(Number(await foundry('cast', 'gas-price'))).toBe(0)
    const estimate = await foundry('cast', 'estimate', bob.address, '--from', alice.address)
    expect(estimate).toBe('21000')
  })
})
