import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeExtraData, parseGenesis } from '@vellum/ledger'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config.ts'
import { readConfigFile } from '../src/host/config-file.ts'
import { readPassword } from '../src/host/key-files.ts'
import { decryptKeystore } from '../src/host/keystore.ts'
import { createNetworkFiles, type NetworkPlan } from '../src/host/network-files.ts'
import { parsePeerLocation, peerIdOfKey } from '../src/host/peer-identity.ts'
import { createProgress } from '../src/host/progress.ts'
import { openVoteFile, voteFilePath } from '../src/host/vote-file.ts'

const progress = createProgress(() => {})
let root: string
let plan: NetworkPlan

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vellum-network-files-'))
  plan = {
    directory: join(root, 'network'),
    validators: 3,
    followers: 1,
    chainId: 4711,
    blockPeriodMs: 0,
    requestTimeoutSeconds: 2,
    gasLimit: 30_000_000,
    balances: new Map(),
    hosts: ['127.0.0.1'],
    peerPort: 30_303,
    rpcPort: 8_545,
    passwordFile: undefined,
    lightKeys: true,
    program: ['node', "it's here/main.ts"],
  }
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('the files of a new network', () => {
  it('name the validators, sorted, in one genesis for all', async () => {
    const nodes = await createNetworkFiles(plan, progress)
    const texts = nodes.map(({ folder }) => readFileSync(join(folder, 'genesis.json'), 'utf8'))
    expect(new Set(texts).size).toBe(1)
    const genesis = parseGenesis(JSON.parse(texts[0]!))
    const validators = nodes.slice(0, 3).map(({ address }) => address)
    expect(decodeExtraData(genesis.extraData).validators).toEqual([...validators].sort())
    expect(nodes.map(({ isValidator }) => isValidator)).toEqual([true, true, true, false])
    expect(genesis.qbft).toMatchObject({ requestTimeoutSeconds: 2 })
    expect(genesis.chainId).toBe(4711n)
  })

  it('hold for each node a configuration that leads to its key, votes and peers', async () => {
    const nodes = await createNetworkFiles(plan, progress)
    for (const { folder, address, location } of nodes) {
      const config = parseConfig(readConfigFile(join(folder, 'config.json')))
      expect(config.dataDir).toBe(join(folder, 'data'))
      expect(config.genesisFile).toBe(join(folder, 'genesis.json'))
      const { keystore, passwordFile } = config.validator
      const password = await readPassword({ kind: 'file', path: passwordFile! })
      const text = readFileSync(keystore!, 'utf8')
      const key = await decryptKeystore(text, password, { acceptWeak: true })
      expect(parsePeerLocation(location)).toMatchObject({ peer: address })
      expect(location).toContain(peerIdOfKey(key).toString())
      expect(config.network.bootnodes).toEqual(
        nodes.filter((each) => each.address !== address).map((each) => each.location),
      )
      const votes = await openVoteFile({
        path: voteFilePath(keystore!, address),
        validator: address,
      })
      expect(votes.found).toEqual([])
      await votes.close()
    }
    const ports = nodes.map(
      ({ folder }) => parseConfig(readConfigFile(join(folder, 'config.json'))).rpc.port,
    )
    expect(ports).toEqual([8_545, 8_546, 8_547, 8_548])
  })

  it('keep keys and passwords from others', async () => {
    const [node] = await createNetworkFiles(plan, progress)
    const mode = (...path: string[]): number => statSync(join(node!.folder, ...path)).mode & 0o777
    expect(mode()).toBe(0o700)
    expect(mode('password')).toBe(0o600)
    expect(mode('keystore')).toBe(0o700)
    for (const name of readdirSync(join(node!.folder, 'keystore'))) {
      expect(mode('keystore', name)).toBe(0o600)
    }
    expect(mode('start.sh') & 0o100).toBe(0o100)
    expect(readFileSync(join(node!.folder, 'start.sh'), 'utf8')).toContain(
      "exec 'node' 'it'\\''s here/main.ts' node --config",
    )
  })

  it('have the same ports on hosts of their own, and listen to the outside there', async () => {
    const hosts = ['192.0.2.1', '192.0.2.2', 'ledger.example.org', '2001:db8::1']
    const nodes = await createNetworkFiles({ ...plan, hosts }, progress)
    const configs = nodes.map(({ folder }) =>
      parseConfig(readConfigFile(join(folder, 'config.json'))),
    )
    expect(configs.map(({ network }) => network.listen)).toEqual([
      ['/ip4/0.0.0.0/tcp/30303'],
      ['/ip4/0.0.0.0/tcp/30303'],
      ['/ip4/0.0.0.0/tcp/30303'],
      ['/ip6/::/tcp/30303'],
    ])
    expect(configs.map(({ network }) => network.announce[0])).toEqual([
      '/ip4/192.0.2.1/tcp/30303',
      '/ip4/192.0.2.2/tcp/30303',
      '/dns/ledger.example.org/tcp/30303',
      '/ip6/2001:db8::1/tcp/30303',
    ])
    expect(configs.map(({ rpc }) => rpc)).toEqual(
      Array.from({ length: 4 }, () => expect.objectContaining({ host: '127.0.0.1', port: 8_545 })),
    )
  })

  it('never take the place of anything', async () => {
    mkdirSync(plan.directory)
    writeFileSync(join(plan.directory, 'notes'), 'mine')
    await expect(createNetworkFiles(plan, progress)).rejects.toMatchObject({
      code: 'NODE_FILE_INVALID',
    })
    expect(readdirSync(root)).toEqual(['network'])
    expect(readFileSync(join(plan.directory, 'notes'), 'utf8')).toBe('mine')
  })

  it('are all there, or none of them', async () => {
    const passwordFile = join(root, 'nothing')
    await expect(createNetworkFiles({ ...plan, passwordFile }, progress)).rejects.toMatchObject({
      code: 'NODE_KEYSTORE_PASSWORD',
    })
    expect(existsSync(plan.directory)).toBe(false)
    expect(readdirSync(root)).toEqual([])
  })

  it.each<[string, Partial<NetworkPlan>]>([
    ['at least 1 validator', { validators: 0 }],
    ['at most 128 validators', { validators: 129 }],
    ['4 nodes need one host, or 4, not 2', { hosts: ['a', 'b'] }],
    ['are not', { peerPort: 65_534 }],
    ['are not', { rpcPort: 0 }],
    ['overlap', { rpcPort: 30_300 }],
    ['chain id', { chainId: 0 }],
    ['request timeout', { requestTimeoutSeconds: 0 }],
    ['gas limit', { gasLimit: 1 }],
  ])('are not made where %s: %j', async (message, change) => {
    await expect(createNetworkFiles({ ...plan, ...change }, progress)).rejects.toThrow(message)
    expect(readdirSync(root)).toEqual([])
  })
})
