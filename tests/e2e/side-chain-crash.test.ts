/** `kill -9` while a side chain is added or thrown away: afterwards it is there whole, or not at all. */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { addressOfPublicKey } from '@vellum/ledger'
import { devGenesis, devValidatorKey, loadSystemCrypto } from '@vellum/node'
import { afterAll, describe, expect, it } from 'vitest'
import { createSeededRandom } from '../seeded-random.ts'
import { type RunningNode, startNode, temporaryDirectory } from './running-node.ts'

const KILLS = 12
const SEED = 11
/** A chain is added, or removed, in some 30 ms. */
const DELAY_MS_MAX = 60

const { crypto } = loadSystemCrypto()
const directory = temporaryDirectory()

afterAll(() => rmSync(directory, { recursive: true, force: true }))

interface ChainLine {
  readonly name: string
  readonly state: string
  readonly chainId: string
}

function genesisOf(chainId: number): object {
  const validators = [addressOfPublicKey(crypto.publicKey(devValidatorKey()))]
  const genesis = devGenesis(validators, undefined, { chainId, timestamp: chainId })
  const { config } = genesis as { config: object }
  return { ...genesis, config: { ...config, vellum: { chainDomain: true } } }
}

async function sideOf(node: RunningNode): Promise<ChainLine | undefined> {
  const chains = await node.call<readonly ChainLine[]>('admin_chains')
  return chains.find(({ name }) => name === 'side')
}

describe('a node that is killed while its side chains change', () => {
  it(`has each of them whole or not at all, in ${KILLS} kills`, async () => {
    const random = createSeededRandom(SEED)
    const seen = { there: 0, gone: 0 }
    let node = await startNode(directory)
    for (let kill = 0; kill < KILLS; kill++) {
      const before = await sideOf(node)
      // Nobody hears the answer: whether it was done is seen after the start.
      const change =
        before === undefined
          ? node.call('admin_addChain', { name: 'side', genesis: genesisOf(7_000 + kill) })
          : node.call('admin_removeChain', 'side', true)
      const changed = change.catch(() => {})
      await delay(random.whole(DELAY_MS_MAX))
      await node.kill()
      await changed
      node = await startNode(directory)
      const after = await sideOf(node)
      const folder = join(directory, 'chains')
      const names = existsSync(folder) ? readdirSync(folder) : []
      expect(names, `after kill ${kill}`).toEqual(after === undefined ? [] : ['side'])
      if (after !== undefined) {
        expect(after, `after kill ${kill}`).toMatchObject({ state: 'serving' })
        if (before === undefined) expect(Number(after.chainId)).toBe(7_000 + kill)
      }
      seen[after === undefined ? 'gone' : 'there']++
      expect(await node.call<string>('eth_blockNumber')).toBe('0x0')
    }
    expect(await node.stop()).toBe(0)
    // Both ends were seen, or nothing was shown.
    expect(Math.min(seen.there, seen.gone)).toBeGreaterThan(0)
  }, 120_000)
})
