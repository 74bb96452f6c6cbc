/** Transactions that cost every validator seconds, where gas costs nothing: the others' go on beside them. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { p256 } from '@noble/curves/nist.js'
import { DEV_ACCOUNTS } from '@vellum/node'
import { concat, JsonRpcProvider, Wallet } from 'ethers'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRunningNetwork, type RunningNetwork } from '../drill/running-network.ts'
import { temporaryDirectory } from './running-node.ts'

const directory = temporaryDirectory()
let network: RunningNetwork

beforeAll(async () => {
  network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: 4,
    chainId: 20_262,
  })
  await Promise.all(network.nodes.map((node) => node.start()))
})

afterAll(async () => {
  await network.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Verifies the P-256 signature in its call data until its gas is used up: 16.7 million take six seconds. */
const SPINNER = '60a060006000375b5f5f60a05f6101005afa50600756'
const INIT_CODE = `0x60${(SPINNER.length / 2).toString(16)}8060095f395ff3${SPINNER}`

it('no transaction holds up the blocks that others wait for', { timeout: 240_000 }, async () => {
  const provider = new JsonRpcProvider(network.nodes[0]!.url, undefined, {
    cacheTimeout: -1,
    pollingInterval: 100,
  })
  const [busy, other] = DEV_ACCOUNTS.map(({ privateKey }) => new Wallet(privateKey, provider))
  const created = await (await busy!.sendTransaction({ data: INIT_CODE })).wait()
  const key = new Uint8Array(32).fill(1)
  const hash = new Uint8Array(32).fill(7)
  const signature = p256.sign(hash, key, { prehash: false })
  const data = concat([hash, signature, p256.getPublicKey(key, false).subarray(1)])
  for (let i = 1; i <= 5; i++) {
    await busy!.sendTransaction({
      to: created!.contractAddress,
      data,
      gasLimit: 16_700_000,
      nonce: i,
    })
  }
  // Each would wait for a heartbeat of a minute, or for ever, if a block with one of the slow ones were tried first.
  for (let i = 0; i < 8; i++) {
    const sent = await other!.sendTransaction({ to: busy!.address, value: 1 })
    expect((await sent.wait())!.status).toBe(1)
  }
  provider.destroy()
})
