/** `vellum start` with side chains, in one process: what was cut short is made good at the next start. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { callRpc } from '../drill/running-network.ts'
import { printed, runCommand, startNode, temporaryDirectory } from './running-node.ts'

const SIDES = ['fishing', 'hunting']
const FLAGS = ['--side-chains', SIDES.join(',')]

const root = temporaryDirectory()
const directory = join(root, 'dev')

afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Status {
  readonly channels: readonly { readonly name: string; readonly channel: string }[]
}

describe('the development network with side chains', () => {
  it('attaches them, also where the first start was killed before it could', async () => {
    const first = await startNode(directory, ...FLAGS)
    // It has said where it listens, and asks a process of its own to attach them.
    await first.kill()
    const node = await startNode(directory, ...FLAGS)
    await printed(node, /They pass while a node relays|attached already[\s\S]*attached already/)
    for (const [i, name] of SIDES.entries()) {
      expect(Number(await callRpc(`${node.url}/chain/${name}`, 'eth_chainId', []))).toBe(
        133_701 + i,
      )
    }
    const { channels } = await node.call<Status>('peg_status')
    expect(channels.map(({ name, channel }) => [name, channel])).toEqual(
      SIDES.map((name) => [name, 'open']),
    )
    expect(await node.stop()).toBe(0)
  }, 120_000)

  it('does not attach again what was retired', async () => {
    const node = await startNode(directory)
    await printed(node, /attached already[\s\S]*attached already/)
    const retire = ['sidechain', 'retire', 'fishing', '--dev', '--rpc', node.url]
    const { code, output } = await runCommand(...retire)
    expect(code, output).toBe(0)
    expect(await node.stop()).toBe(0)
    const again = await startNode(directory)
    await printed(again, /hunting is attached already/)
    expect(again.output()).not.toContain('fishing is attached')
    expect(again.output()).not.toContain('could not be attached')
    expect(await again.stop()).toBe(0)
  }, 120_000)

  it('has none where that is asked for, and everything on one chain', async () => {
    const node = await startNode(join(root, 'whole'), '--side-chains', 'none')
    const chains = await node.call<readonly { name: string }[]>('admin_chains')
    expect(chains.map(({ name }) => name)).toEqual(['main'])
    const registry = '0x0000000000000000000000000000000000005606'
    expect((await node.call<string>('eth_getCode', registry, 'latest')).length).toBeGreaterThan(
      1_000,
    )
    expect(await node.stop()).toBe(0)
  }, 60_000)
})
