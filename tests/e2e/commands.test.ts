/** The command line on a chain that does not run: init, export, import, verify, accounts, errors. */

import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEV_ACCOUNTS, decryptKeystore } from '@vellum/node'
import { JsonRpcProvider, Wallet } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCommand, startNode, temporaryDirectory } from './running-node.ts'

const root = temporaryDirectory()
const chain = join(root, 'chain')
const [first, second] = DEV_ACCOUNTS
let head: string

beforeAll(async () => {
  const node = await startNode(chain)
  const provider = new JsonRpcProvider(node.url, undefined, {
    cacheTimeout: -1,
    pollingInterval: 50,
  })
  const wallet = new Wallet(first!.privateKey, provider)
  for (let i = 0; i < 3; i++) {
    const sent = await wallet.sendTransaction({ to: second!.address, value: 1n })
    await sent.wait()
  }
  head = (await node.call<{ hash: string }>('eth_getBlockByNumber', 'latest', false)).hash
  provider.destroy()
  expect(await node.stop()).toBe(0)
})

afterAll(() => rmSync(root, { recursive: true, force: true }))

describe('the command line', () => {
  it('exports blocks that another directory imports and verifies', async () => {
    const file = join(root, 'blocks.rlp')
    expect(await runCommand('export', file, '--data-dir', chain)).toMatchObject({ code: 0 })
    const copy = join(root, 'copy')
    const genesis = join(chain, 'genesis.json')
    const init = await runCommand(
      'init',
      '--genesis',
      genesis,
      '--data-dir',
      copy,
      '--mode',
      'pruned',
    )
    expect(init.code, init.output).toBe(0)
    const imported = await runCommand('import', file, '--data-dir', copy)
    expect(imported.output).toContain(head)
    const again = await runCommand('import', file, '--data-dir', copy)
    expect(again.output).toContain('0 blocks imported')
    const verified = await runCommand('verify', '--data-dir', copy)
    expect(verified.code, verified.output).toBe(0)
    expect(verified.output).toContain('blocks: 0 to 3 are linked')
  })

  it('accepts no fork where there is none', async () => {
    const { code, output } = await runCommand('accept-fork', head, '--data-dir', chain)
    expect(code).toBe(1)
    expect(output).toMatch(/not forked.*NODE_CHAIN_FORKED/)
  })

  it('refuses a block that was altered, and one that is cut off', async () => {
    const blocks = readFileSync(join(root, 'blocks.rlp'))
    const into = join(root, 'altered')
    await runCommand('init', '--genesis', join(chain, 'genesis.json'), '--data-dir', into)
    const altered = Buffer.from(blocks)
    // In the state root of the first block's header: behind two list heads and three fields.
    altered[100]! ^= 1
    const file = join(root, 'altered.rlp')
    writeFileSync(file, altered)
    const refused = await runCommand('import', file, '--data-dir', into)
    expect(refused).toMatchObject({
      code: 1,
      output: expect.stringMatching(/NODE_IMPORT_REFUSED|NODE_FILE_INVALID/),
    })
    writeFileSync(file, blocks.subarray(0, blocks.length - 1))
    const cut = await runCommand('import', file, '--data-dir', into)
    expect(cut).toMatchObject({ code: 1, output: expect.stringContaining('is cut off') })
  })

  it('asks for the head file when it is gone, and goes on when told to', async () => {
    const copy = join(root, 'headless')
    cpSync(chain, copy, { recursive: true })
    rmSync(join(copy, 'head'))
    const refused = await runCommand('verify', '--data-dir', copy)
    expect(refused).toMatchObject({ code: 1, output: expect.stringContaining('--accept-head') })
    const accepted = await runCommand('verify', '--data-dir', copy, '--accept-head')
    expect(accepted.code, accepted.output).toBe(0)
    const node = await startNode(copy)
    expect(await node.call('eth_blockNumber')).toBe('0x3')
    expect(await node.stop()).toBe(0)
  })

  it('says what to do when the directory or the port is taken', async () => {
    const node = await startNode(chain)
    const locked = await runCommand('verify', '--data-dir', chain)
    expect(locked).toMatchObject({ code: 1, output: expect.stringContaining('NODE_STORE_LOCKED') })
    const { port } = new URL(node.url)
    const other = join(root, 'other')
    const taken = await runCommand(
      'start',
      '--validators',
      '1',
      '--data-dir',
      other,
      '--port',
      port,
    )
    expect(taken).toMatchObject({ code: 1, output: expect.stringContaining('--port') })
    expect(await node.stop()).toBe(0)
  })

  it('makes keystores that only their owner can read, with passwords from a file', async () => {
    const keys = join(root, 'keys')
    mkdirSync(keys)
    const password = join(root, 'password')
    writeFileSync(password, 'correct horse\n')
    const made = await runCommand('account', 'new', '--keystore', keys, '--password-file', password)
    expect(made.code, made.output).toBe(0)
    const path = /keystore (\S+)/.exec(made.output)![1]!
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(keys).mode & 0o777).toBe(0o700)
    const text = readFileSync(path, 'utf8')
    expect(await decryptKeystore(text, new TextEncoder().encode('correct horse'))).toHaveLength(32)
    const address = /address +(0x[0-9a-f]{40})/.exec(made.output)![1]!
    const listed = await runCommand('account', 'list', '--keystore', keys)
    expect(listed.output).toContain(`${address} ${path}`)
  })

  it.each([
    [['start', '--data-dir', join(root, 'x'), '--mode', 'full'], 'state.mode must be one of'],
    [['start', '--port', 'many'], 'whole number'],
    [['verify', '--data-dir', join(root, 'nothing')], 'vellum init'],
    [['init', '--genesis', join(root, 'no-file'), '--data-dir', join(root, 'y')], 'no-file'],
    [['import', join(root, 'no-file'), '--data-dir', chain], 'no-file'],
    [['fly'], 'unknown command'],
  ])('refuses %j with a clear message', async (args, message) => {
    const { code, output } = await runCommand(...args)
    expect(code).toBe(1)
    expect(output).toContain(message)
    expect(output).not.toContain('    at ')
  })

  it('explains itself', async () => {
    const { code, output } = await runCommand('--help')
    expect(code).toBe(0)
    for (const command of [
      'start',
      'node',
      'network',
      'votes',
      'init',
      'export',
      'import',
      'verify',
      'account',
    ]) {
      expect(output).toContain(command)
    }
  })
})
