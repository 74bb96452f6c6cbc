/** The RPC server as an operator sets it up: TLS, tokens, the name of the chain, limits. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { FetchRequest, JsonRpcProvider } from 'ethers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../../packages/rpc/test/certificates.ts'
import { type RunningNode, runCommand, startNode, temporaryDirectory } from './running-node.ts'

const AUTHORITY = createAuthority('authority')
const SERVER = AUTHORITY.issue('localhost')

let directory: string
let config: string
let plainConfig: string
let secured: RunningNode
let plain: RunningNode

beforeAll(async () => {
  directory = temporaryDirectory()
  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text, { mode: 0o600 })
    return name
  }
  mkdirSync(directory, { recursive: true })
  const jwtSecretFile = file('jwt.hex', 'ab'.repeat(32))
  const tls = {
    certificateFile: file('server.pem', SERVER.certificate),
    keyFile: file('server.key', SERVER.key),
  }
  const metrics = { enabled: false }
  config = join(directory, 'config.json')
  plainConfig = join(directory, 'plain.json')
  writeFileSync(
    config,
    JSON.stringify({ metrics, rpc: { jwtSecretFile, tokenRequired: true, tls } }),
  )
  const limits = { batchItemsMax: 2 }
  const rpc = { jwtSecretFile, limits }
  writeFileSync(plainConfig, JSON.stringify({ metrics, rpc }))
  secured = await startNode(join(directory, 'secured'), '--config', config)
  plain = await startNode(join(directory, 'plain'), '--config', plainConfig)
})

afterAll(async () => {
  await secured.stop()
  await plain.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** One call by HTTPS. @returns the status, and the answer as far as it is JSON */
function ask(
  path: string,
  method: string,
  token?: string,
): Promise<{ status: number; answer: unknown }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(path, secured.url),
      {
        method: 'POST',
        ca: AUTHORITY.certificate,
        headers: {
          'content-type': 'application/json',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString()
        })
        response.on('end', () => {
          const isJson = response.headers['content-type'] === 'application/json'
          resolve({ status: response.statusCode ?? 0, answer: isJson ? JSON.parse(text) : text })
        })
      },
    )
    asked.on('error', reject)
    asked.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method }))
  })
}

async function tokenFor(...grants: string[]): Promise<string> {
  const flags = grants.length === 0 ? [] : ['--grant', ...grants]
  const { code, output } = await runCommand('token', '--config', config, ...flags)
  expect(code).toBe(0)
  return output.trim()
}

describe('an RPC server with TLS that wants tokens', () => {
  it('says that it speaks TLS', () => {
    expect(secured.url).toMatch(/^https:/)
  })

  it('answers who has a token, on both paths of the chain, and nobody else', async () => {
    const token = await tokenFor()
    for (const path of ['/', '/chain/main']) {
      expect(await ask(path, 'eth_chainId', token)).toMatchObject({ status: 200 })
      expect(await ask(path, 'eth_chainId')).toMatchObject({ status: 401 })
    }
    expect(await ask('/chain/other', 'eth_chainId', token)).toMatchObject({ status: 404 })
  })

  it('binds a client to what its token grants', async () => {
    const token = await tokenFor('admin', 'eth_blockNumber')
    const answers = ['admin_peers', 'eth_blockNumber', 'eth_chainId', 'debug_traceTransaction']
    const codes = []
    for (const method of answers) {
      const { answer } = await ask('/', method, token)
      codes.push((answer as { error?: { code: number } }).error?.code)
    }
    expect(codes).toEqual([undefined, undefined, -40100, -40100])
  })
})

it('the doctor shows the token of its settings to a node that wants one', async () => {
  const wanting = join(directory, 'wanting.json')
  const rpc = { jwtSecretFile: 'jwt.hex', tokenRequired: true }
  writeFileSync(wanting, JSON.stringify({ metrics: { enabled: false }, rpc }))
  const node = await startNode(join(directory, 'wanting'), '--config', wanting)
  try {
    await expect(node.call('eth_chainId')).rejects.toThrow()
    const asked = ['doctor', '--rpc', node.url, '--data-dir', join(directory, 'wanting')]
    const { output } = await runCommand(...asked, '--config', wanting, '--json')
    expect(JSON.parse(output)).toMatchObject({ node: { kind: 'qbft' } })
    const { output: refused } = await runCommand(...asked, '--json')
    expect(JSON.parse(refused)).toMatchObject({ node: { kind: 'silent', reason: 'HTTP 401' } })
  } finally {
    await node.stop()
  }
})

describe('an RPC server on a loopback address that has a secret', () => {
  it('leaves open methods open and guards the others', async () => {
    expect(await plain.call('eth_chainId')).toBe('0x539')
    await expect(plain.call('admin_nodeInfo')).rejects.toThrow('Method not enabled')
  })

  it('lets ethers in with a token', async () => {
    const fetch = new FetchRequest(plain.url)
    fetch.setHeader('authorization', `Bearer ${await tokenFor('admin')}`)
    const provider = new JsonRpcProvider(fetch)
    const info = (await provider.send('admin_nodeInfo', [])) as { name: string }
    expect(info.name).toMatch(/^vellum\//)
    provider.destroy()
  })

  it('keeps to the limits of its settings', async () => {
    const calls = [1, 2, 3].map((id) => ({ jsonrpc: '2.0', id, method: 'eth_chainId' }))
    const response = await fetch(plain.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(calls),
    })
    expect(await response.json()).toMatchObject({ error: { code: -32005 } })
  })
})

describe('files that are not what they should be', () => {
  const refusal = async (rpc: object): Promise<string> => {
    const path = join(directory, 'wrong.json')
    writeFileSync(path, JSON.stringify({ rpc, metrics: { enabled: false } }))
    const dataDir = join(directory, 'plain-wrong')
    const flags = ['--config', path, '--validators', '1', '--data-dir', dataDir, '--port', '0']
    const { code, output } = await runCommand('start', ...flags)
    expect(code).toBe(1)
    return output
  }

  it.each([
    [
      { tls: { certificateFile: 'none.pem', keyFile: 'server.key' } },
      /none\.pem cannot be read.*NODE_FILE_INVALID/,
    ],
    [
      { tls: { certificateFile: 'server.pem', keyFile: 'jwt.hex' } },
      /no certificate and its key.*NODE_FILE_INVALID/,
    ],
    [{ jwtSecretFile: 'server.pem' }, /32 bytes in hex.*NODE_FILE_INVALID/],
  ])('%j', async (rpc, words) => {
    expect(await refusal(rpc)).toMatch(words)
  })
})
