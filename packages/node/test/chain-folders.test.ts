import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address, Hash } from '@vellum/evm'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  chainFolder,
  discardChainFolder,
  listChainFolders,
  makeChainFolder,
  readChainConfig,
  sweepChainFolders,
  writeServed,
} from '../src/host/chain-folders.ts'
import { beginVotes, discardVotes, openVotes, sideVotesPath } from '../src/host/validator-votes.ts'
import type { Logger } from '../src/ports.ts'

let dataDir: string

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'vellum-chains-'))
})

afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

describe('folders of side chains', () => {
  it('appear whole, with the genesis as it was given', () => {
    const folder = makeChainFolder(dataDir, {
      name: 'health',
      genesis: '{"a":1}',
      config: { blocks: { periodMs: 5 } },
    })
    expect(readFileSync(join(folder, 'genesis.json'), 'utf8')).toBe('{"a":1}')
    expect(readChainConfig(folder)).toMatchObject({ served: true, blocks: { periodMs: 5 } })
    expect(listChainFolders(dataDir)).toEqual(['health'])
    expect(readdirSync(join(dataDir, 'chains'))).toEqual(['health'])
  })

  it('leave nothing behind when they cannot be made', () => {
    const wrong = { name: 'health', genesis: 7 as unknown as string, config: {} }
    expect(() => makeChainFolder(dataDir, wrong)).toThrow()
    expect(readdirSync(join(dataDir, 'chains'))).toEqual([])
  })

  it('are not made over one another', () => {
    const chain = { name: 'health', genesis: '{}', config: {} }
    makeChainFolder(dataDir, chain)
    expect(() => makeChainFolder(dataDir, { ...chain, genesis: '{"b":2}' })).toThrow(
      'there already',
    )
    expect(readFileSync(join(dataDir, 'chains/health/genesis.json'), 'utf8')).toBe('{}')
  })

  it.each(['main', '', '..', 'a/b', 'A', 'x'.repeat(33), '.new-x'])(
    'are never called %j',
    (name) => {
      expect(() => chainFolder(dataDir, name)).toThrow('cannot be its name')
    },
  )

  it('disappear as a whole; what a crash left in between goes at the next start', () => {
    makeChainFolder(dataDir, { name: 'health', genesis: '{}', config: {} })
    makeChainFolder(dataDir, { name: 'fishing', genesis: '{}', config: {} })
    // Killed while one was made, and while another was removed.
    mkdirSync(join(dataDir, 'chains/.new-abc'))
    writeFileSync(join(dataDir, 'chains/.new-abc/genesis.json'), '{')
    mkdirSync(join(dataDir, 'chains/.old-abc/trial/store'), { recursive: true })
    expect(listChainFolders(dataDir)).toEqual(['fishing', 'health'])
    sweepChainFolders(dataDir)
    expect(readdirSync(join(dataDir, 'chains')).sort()).toEqual(['fishing', 'health'])
    discardChainFolder(dataDir, 'health')
    expect(listChainFolders(dataDir)).toEqual(['fishing'])
    discardChainFolder(dataDir, 'fishing')
    expect(existsSync(join(dataDir, 'chains'))).toBe(false)
    discardChainFolder(dataDir, 'fishing')
  })

  it('say that they are taken off, and keep what else they say', () => {
    const folder = makeChainFolder(dataDir, {
      name: 'health',
      genesis: '{}',
      config: { network: { bootnodes: ['x'] } },
    })
    writeServed(folder, false)
    expect(readChainConfig(folder)).toMatchObject({
      served: false,
      network: { bootnodes: ['x'] },
    })
    writeServed(folder, true)
    expect(readChainConfig(folder).served).toBe(true)
    expect(readdirSync(folder).sort()).toEqual(['chain.json', 'genesis.json'])
  })

  it('are served as the node has it where they say nothing', () => {
    const folder = makeChainFolder(dataDir, { name: 'health', genesis: '{}', config: {} })
    rmSync(join(folder, 'chain.json'))
    expect(readChainConfig(folder).served).toBe(true)
    writeFileSync(join(folder, 'chain.json'), '{"served":1}')
    expect(() => readChainConfig(folder)).toThrow('served must be true or false')
  })
})

describe('votes on side chains', () => {
  const VALIDATOR: Address = `0x${'11'.repeat(20)}`
  const FIRST: Hash = `0x${'aa'.repeat(32)}`
  const SECOND: Hash = `0x${'bb'.repeat(32)}`
  const log: Logger = {
    error: () => {},
    warn: () => {},
    info: () => {},
    debug: () => {},
    child: () => log,
  }
  const main = (): string => join(dataDir, 'votes')

  async function isVoting(genesis: Hash): Promise<boolean> {
    const path = sideVotesPath(main(), genesis)
    const votes = await openVotes({ path, validator: VALIDATOR, log, acceptVoteLoss: false })
    await votes.close()
    return votes.lostReason === undefined
  }

  it('begin empty on a chain on which the key has never voted, each chain apart', async () => {
    beginVotes(main(), VALIDATOR, FIRST)
    expect(await isVoting(FIRST)).toBe(true)
    expect(await isVoting(SECOND)).toBe(false)
  })

  it('are kept when the chain is begun again', async () => {
    beginVotes(main(), VALIDATOR, FIRST)
    const path = sideVotesPath(main(), FIRST)
    const votes = await openVotes({ path, validator: VALIDATOR, log, acceptVoteLoss: false })
    await votes.log.append([{ kind: 'round', height: 3, round: 2 } as never])
    await votes.close()
    const before = readFileSync(path)
    beginVotes(main(), VALIDATOR, FIRST)
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('of a chain that was discarded count as lost for ever, for this chain alone', async () => {
    beginVotes(main(), VALIDATOR, FIRST)
    beginVotes(main(), VALIDATOR, SECOND)
    discardVotes(main(), FIRST)
    expect(existsSync(sideVotesPath(main(), FIRST))).toBe(false)
    beginVotes(main(), VALIDATOR, FIRST)
    expect(await isVoting(FIRST)).toBe(false)
    expect(await isVoting(SECOND)).toBe(true)
    // Twice is the same as once.
    discardVotes(main(), FIRST)
    expect(readFileSync(`${main()}-discarded`, 'utf8')).toBe(`${FIRST}\n`)
  })
})
