import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Address } from '@vellum/evm'
import type { ConsensusStatus } from '@vellum/rpc'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { type DirectoryFacts, type DoctorFacts, diagnose, isHealthy } from '../src/doctor.ts'
import { makeChainFolder } from '../src/host/chain-folders.ts'
import { type DoctorOptions, runDoctor } from '../src/host/doctor-command.ts'
import { createHeadFile } from '../src/host/head-file.ts'
import { createVirtualNode } from './virtual-node.ts'

const at = (digit: number): Address => `0x${String(digit).repeat(40)}`
const URL = 'http://127.0.0.1:8545'

let healthy: ConsensusStatus
beforeEach(async () => {
  const { node, time } = await createVirtualNode()
  await node.start()
  await time.advance(0)
  healthy = node.backend.consensus!.status()
  await node.stop()
})

function found(status: Partial<ConsensusStatus>, directory?: Partial<DirectoryFacts>): string[] {
  return diagnose(
    {
      url: URL,
      node: { kind: 'qbft', status: { ...healthy, ...status } },
      directory: directory && { ...WHOLE, ...directory },
    },
    'en',
  ).map(({ level, text }) => `${level}: ${text}`)
}

const WHOLE: DirectoryFacts = {
  path: 'data',
  hasGenesis: true,
  hasStore: true,
  headFile: 'whole',
  freeBytes: 2 ** 40,
  openFiles: [],
  voteFile: undefined,
}

describe('the diagnosis', () => {
  it('is one good sentence for a healthy node', () => {
    expect(found({})).toEqual([expect.stringMatching(/^good: Nothing waits for a block/)])
  })

  it('tells trouble from what a chain bears', () => {
    const away = { validators: 4, faulty: 1, needed: 3, live: 3, missing: 0 }
    expect(found({ quorum: away, unreachable: [at(4)] })).toEqual([
      expect.stringMatching(/^good/),
      `warning: Not reachable: ${at(4)}. The chain goes on; it bears the loss of 0 more.`,
    ])
    const stopped = { ...away, live: 2, missing: 1 }
    expect(found({ quorum: stopped, unreachable: [at(3), at(4)] })).toEqual([
      expect.stringMatching(/^good/),
      `trouble: 2 of 4 validators are live and 3 are needed: start or reconnect 1 of ${at(3)}, ${at(4)}.`,
    ])
  })

  it('calls a later round a warning, and one that nobody joins trouble', () => {
    const wait = { round: 2, waitingFor: [at(2)], lacking: 1 }
    const [first] = found({ ...wait, step: 'waiting for commits' })
    expect(first).toMatch(/^warning/)
    const [second] = found({ ...wait, step: 'waiting for round changes' })
    expect(second).toMatch(/^trouble/)
    const timer = { state: 'running', timeoutMs: 1_000, roundAgeMs: 10 } as const
    const [third] = found({ ...wait, round: 0, step: 'waiting for commits', timer })
    expect(third).toMatch(/^good/)
  })

  it('names abstention, a lonely follower, contradictions and pending votes', () => {
    expect(found({ step: 'abstaining', abstainsThrough: 'unknown' })[0]).toMatch(/^trouble/)
    expect(found({ step: 'following', role: 'follower', peers: 0 })).toContainEqual(
      expect.stringMatching(/^trouble: No peer is connected/),
    )
    expect(found({ evidence: 2 })).toContainEqual(expect.stringMatching(/^warning: 2 contra/))
    expect(found({ votes: { [at(5)]: true } })).toContainEqual(expect.stringMatching(/^good: 1 ch/))
  })

  it('finds what is wrong with a directory', () => {
    expect(found({}, {}).at(-1)).toBe('good: data is as it should be; 1048576 MiB are free.')
    expect(found({}, { hasGenesis: false }).at(-1)).toBe('trouble: data holds no chain.')
    expect(found({}, { headFile: 'missing' }).at(-1)).toMatch(/^trouble: The head file in data/)
    expect(found({}, { hasStore: false }).at(-1)).toMatch(/^trouble: The database in data is gone/)
    expect(found({}, { freeBytes: 2 ** 20 }).at(-1)).toMatch(/^trouble: Only 1 MiB/)
    expect(found({}, { openFiles: ['key'] }).at(-1)).toBe(
      'warning: Others may read key: chmod 600.',
    )
    const voteFile = { path: 'votes', exists: false }
    expect(found({}, { voteFile }).at(-1)).toMatch(/^trouble: votes is missing/)
  })

  it('is in Chinese where that is asked for', () => {
    const facts: DoctorFacts = {
      url: URL,
      node: { kind: 'silent', reason: 'ECONNREFUSED' },
      directory: { ...WHOLE, headFile: 'unreadable', openFiles: ['key'], freeBytes: 5 },
    }
    const findings = diagnose(facts, 'zh-CN')
    expect(findings).toHaveLength(4)
    for (const { text } of findings) expect(text).toMatch(/[\u4e00-\u9fff]/)
    expect(isHealthy(findings)).toBe(false)
  })
})

describe('vellum doctor', () => {
  let directory: string
  let server: Server
  /** What the node answers with. */
  let answer: (method: string, path: string) => string | undefined
  let lines: string[]
  let options: DoctorOptions

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'vellum-doctor-'))
    answer = () => JSON.stringify({ jsonrpc: '2.0', id: 1, result: healthy })
    server = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      request.on('end', () => {
        const text = answer((JSON.parse(body) as { method: string }).method, request.url!)
        if (text === undefined) response.statusCode = 404
        response.end(text)
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    lines = []
    options = {
      config: parseConfig({ dataDir: directory }),
      chain: undefined,
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      isDirectoryNamed: false,
      language: 'en',
      format: 'text',
      isColoured: false,
      print: (text) => void lines.push(...text.split('\n')),
    }
  })
  afterEach(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    rmSync(directory, { recursive: true })
  })

  it('ends with 0 for a healthy node, and shows its validators', async () => {
    expect(await runDoctor(options)).toBe(0)
    expect(lines[0]).toMatch(/^✓ Nothing waits for a block/)
    expect(lines.join('\n')).toContain(healthy.validators[0]!.address)
    expect(lines.join('\n')).not.toContain('\u001b')
  })

  it('colours its marks on a terminal', async () => {
    await runDoctor({ ...options, isColoured: true })
    expect(lines[0]!.startsWith('\u001b[32m✓\u001b[0m ')).toBe(true)
  })

  it('ends with 1 if nobody answers, or not as it should', async () => {
    await new Promise((resolve) => server.close(resolve))
    expect(await runDoctor(options)).toBe(1)
    expect(lines).toEqual([expect.stringMatching(/^✗ No answer from .*ECONNREFUSED/)])
  })

  it('takes a node without these methods for what it is', async () => {
    answer = () => '{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}'
    expect(await runDoctor(options)).toBe(0)
    expect(lines).toEqual([expect.stringContaining('is not sealed by QBFT')])
    answer = () => 'null'
    expect(await runDoctor(options)).toBe(0)
  })

  it('tells of each side chain of the directory, and why one is not served', async () => {
    writeFileSync(join(directory, 'genesis.json'), '{}')
    for (const name of ['fishing', 'health', 'old']) {
      const config = { served: name !== 'old' }
      makeChainFolder(directory, { name, genesis: '{}', config })
    }
    answer = (method, path) => {
      if (path === '/chain/health') return undefined
      const chains = [{ name: 'health', state: 'failed', reason: 'its disk is full' }]
      return JSON.stringify({ result: method === 'admin_chains' ? chains : healthy })
    }
    expect(await runDoctor(options)).toBe(1)
    const text = lines.join('\n')
    expect(text).toMatch(/^✓ fishing: Nothing waits for a block/m)
    expect(text).toMatch(/^✗ The side chain health is not served: its disk is full/m)
    expect(text).not.toContain('old')
    lines = []
    // Alone, by its name.
    expect(await runDoctor({ ...options, chain: 'fishing' })).toBe(0)
    expect(lines.join('\n')).toContain('/chain/fishing')
    expect(await runDoctor({ ...options, chain: 'health' })).toBe(1)
  })

  it('gives everything as JSON', async () => {
    expect(await runDoctor({ ...options, format: 'json' })).toBe(0)
    expect(JSON.parse(lines.join('\n'))).toMatchObject({
      healthy: true,
      findings: [{ level: 'good' }],
      node: { kind: 'qbft', status: { step: 'waiting for work' } },
    })
  })

  it('lets no peer steer the terminal', async () => {
    const [self] = healthy.validators
    const version = 'vellum\u001b[2J\nevil'
    const status = { ...healthy, validators: [{ ...self, isSelf: false, version }] }
    answer = () => JSON.stringify({ jsonrpc: '2.0', id: 1, result: status })
    await runDoctor(options)
    expect(lines.at(-1)).toContain('vellum?[2J?evil')
  })

  it('looks at a directory that holds a chain, and changes nothing in it', async () => {
    expect(await runDoctor({ ...options, isDirectoryNamed: true })).toBe(1)
    expect(lines).toContain(`✗ ${directory} holds no chain.`)
    writeFileSync(join(directory, 'genesis.json'), '{}')
    mkdirSync(join(directory, 'store'))
    lines.length = 0
    expect(await runDoctor(options)).toBe(1)
    expect(lines[1]).toContain('is missing: the node will not start')
    createHeadFile(join(directory, 'head')).close()
    mkdirSync(join(directory, 'keystore'))
    writeFileSync(join(directory, 'keystore', 'key'), '{}')
    chmodSync(join(directory, 'keystore', 'key'), 0o644)
    lines.length = 0
    expect(await runDoctor(options)).toBe(0)
    expect(lines[1]).toBe(`! Others may read ${join(directory, 'keystore', 'key')}: chmod 600.`)
  })

  it('misses the vote file of a validator among others', async () => {
    writeFileSync(join(directory, 'genesis.json'), '{}')
    createHeadFile(join(directory, 'head')).close()
    mkdirSync(join(directory, 'store'))
    const keystore = join(directory, 'key.json')
    writeFileSync(keystore, JSON.stringify({ address: 'ab'.repeat(20) }), { mode: 0o600 })
    const peer = '/ip4/127.0.0.1/tcp/1/p2p/16Uiu2HAkxp9vrJjaDauHYfrfwPDdwTpjHeNysK5EU153nqkWnpiN'
    const config = parseConfig({
      dataDir: directory,
      validator: { keystore },
      network: { bootnodes: [peer] },
    })
    expect(await runDoctor({ ...options, config })).toBe(1)
    expect(lines[1]).toMatch(/ab.* is missing: this validator abstains when it starts/)
  })
})
