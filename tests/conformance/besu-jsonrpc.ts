/**
 * Besu's tests of its JSON-RPC: one request each to a node that has imported Besu's chain. Results are compared
 * whole, errors by their code: the words are Besu's own.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BESU_CHANGES } from './besu-changes.ts'
import { foldersNamed, isRecord, testFiles } from './files.ts'
import { assertAnswer } from './rpc-answer.ts'
import { type ChainFiles, type ServedChain, serveChain } from './served-chain.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

interface BesuTest {
  readonly request: unknown
  readonly response: unknown
  readonly statusCode: number
}

/**
 * Besu takes addresses and code without 0x, nonces that are JSON numbers, and `v` as the parity of an
 * authorisation; go-ethereum and we do not.
 */
function strictRequest(request: unknown): string {
  return JSON.stringify(request, (key, value: unknown) => {
    if (key === 'nonce' && typeof value === 'number') return `0x${value.toString(16)}`
    if (typeof value === 'string' && (BARE_ADDRESS.test(value) || isBareCode(key, value))) {
      return `0x${value}`
    }
    if (!isRecord(value)) return value
    const named = Object.entries(value).map(([name, inner]) => [
      BARE_ADDRESS.test(name) ? `0x${name}` : name === 'v' && 'r' in value ? 'yParity' : name,
      inner,
    ])
    return Object.fromEntries(named)
  })
}

const BARE_ADDRESS = /^[0-9a-fA-F]{40}$/

function isBareCode(key: string, value: string): boolean {
  return (key === 'code' || key === 'input') && !value.startsWith('0x')
}

const running = new Set<ServedChain>()

export const suite: Suite = {
  name: 'besu-jsonrpc',
  sample: 30,
  cases,
  end: async () => {
    for (const served of running) await served.stop()
    running.clear()
  },
}

function* cases({ path, chain }: SuiteOptions): Iterable<Case> {
  const [root = path] = foldersNamed(path, 'besu-jsonrpc')
  const simulation = join(root, 'eth/simulateV1')
  const chains: readonly (readonly [name: string, tests: string, data: string])[] = [
    ['eth', join(root, 'eth'), join(root, 'eth-chain')],
    ['simulateV1', join(simulation, 'specs'), join(simulation, 'chain-data')],
  ]
  for (const [name, tests, data] of chains) {
    if ((chain !== undefined && chain !== name) || !existsSync(tests)) continue
    const files = { genesis: join(data, 'genesis.json'), blocks: join(data, 'chain.rlp') }
    yield* casesOf(name, tests, files)
  }
}

function* casesOf(chain: string, folder: string, files: ChainFiles): Iterable<Case> {
  let served: Promise<ServedChain> | undefined
  for (const { path, tests } of testFiles(folder, 'none')) {
    if (!isBesuTest(tests) || path.includes('/')) continue
    const name = `${chain}/${path.slice(0, -'.json'.length)}`
    yield {
      name,
      run: async () => {
        served ??= serve(files)
        const { status, answer } = await (await served).post(strictRequest(tests.request))
        assertAnswer(answer, tests.response, BESU_CHANGES[name])
        if (status !== tests.statusCode) throw new Error(`HTTP status ${status}`)
      },
    }
  }
}

async function serve(files: ChainFiles): Promise<ServedChain> {
  const served = await serveChain(files)
  running.add(served)
  return served
}

function isBesuTest(value: unknown): value is BesuTest {
  return isRecord(value) && 'request' in value && 'response' in value
}
