/**
 * Fuzzing of the JSON-RPC facade: requests from a grammar and mutated ones must be answered with
 * well-formed JSON-RPC, must never reach a mistake of ours, and must leave nothing behind in memory. Some
 * go over HTTP and WebSocket, half of these with damaged framing; after each such request a good one
 * must still be answered, on the same connection where its framing was whole.
 */

import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createRpc, GUARDED_NAMESPACES, type RpcServer, startServer } from '@vellum/rpc'
import {
  compatFiles,
  loadExecutedBackend,
  readExchanges,
  testPorts,
} from '../../packages/rpc/test/compat-chain.ts'
import { createPrng, type Prng } from './prng.ts'
import { generateRequest } from './rpc-grammar.ts'
import { clientFrame, openWebSocketLine, type WebSocketLine } from './web-socket-line.ts'

export interface RpcFuzzOptions {
  readonly runs: number
  /** Case i uses seed + i. */
  readonly seed: number
}

export interface RpcFuzzReport {
  readonly passed: number
  readonly failed: readonly {
    readonly seed: number
    readonly scenario: string
    readonly difference: string
  }[]
  /** Bytes of live heap after a tenth of the runs, and at the end. */
  readonly heap: { readonly early: number; readonly late: number }
  /**
   * All memory of the process, the clients' included, after half of the runs and at the end: the runtime
   * takes room for its heap bit by bit, and gives none back.
   */
  readonly resident: { readonly early: number; readonly late: number }
  /** Answers by error code; `result` for those that are no error. */
  readonly answers: ReadonlyMap<string, number>
  /** Requests by the way that they took, and how often the server ended the connection. */
  readonly ways: ReadonlyMap<string, number>
}

const FAILURES_MAX = 5
const VARIANT = 'cancun-genesis'
/** Every which case goes over HTTP, and every which over WebSocket. */
const HTTP_EVERY = 10
const WEB_SOCKET_EVERY = 7
/** No request of the size here may take longer. */
const ANSWER_MS_MAX = 6_000
/** Live heap may rise by this much from caches and filters, which are bounded, and by no more. */
export const HEAP_GROWTH_MAX = 48 * 1_048_576
/** Resident memory may rise by this much in the second half. */
export const RESIDENT_GROWTH_MAX = 64 * 1_048_576

const GOOD = '{"jsonrpc":"2.0","id":"good","method":"eth_chainId","params":[]}'

export async function fuzzRpc(
  options: RpcFuzzOptions,
  progress: (done: number) => void,
): Promise<RpcFuzzReport> {
  const mistakes: unknown[] = []
  const ports = {
    ...testPorts(),
    nowMs: () => performance.now(),
    onInternalError: (error: unknown) => mistakes.push(error),
  }
  const dispatch = createRpc({
    backend: await loadExecutedBackend(VARIANT),
    ports,
    operatorMethods: GUARDED_NAMESPACES,
  })
  const server = await startServer({ port: 0, route: () => dispatch })
  const corpus = corpusOf()
  const answers = new Map<string, number>()
  const failed: { seed: number; scenario: string; difference: string }[] = []
  let passed = 0
  let early = 0
  let middle = 0
  const ways = new Map<string, number>()
  const webSockets = createWebSocketFuzz(server, answers, ways)
  for (let i = 0; i < options.runs && failed.length < FAILURES_MAX; i++) {
    const seed = (options.seed + i) >>> 0
    const prng = createPrng(seed)
    const body = prng.oneIn(2) ? generateRequest(prng) : mutate(prng, corpus)
    const startMs = performance.now()
    const answer = await dispatch(body)
    const tookMs = performance.now() - startMs
    let difference = faultOf(answer, answers)
    if (mistakes.length > 0) difference = `internal error: ${describe(mistakes.shift())}`
    if (tookMs > ANSWER_MS_MAX) difference = `took ${Math.round(tookMs)} ms`
    if (i % HTTP_EVERY === 0) difference ??= await askOverHttp(server, prng, body, ways)
    if (i % WEB_SOCKET_EVERY === 0) difference ??= await webSockets.ask(prng, body)
    if (difference === undefined) passed++
    else failed.push({ seed, scenario: new TextDecoder().decode(body).slice(0, 2_000), difference })
    if (i === Math.floor(options.runs / 10)) early = memory().heap
    if (i === Math.floor(options.runs / 2)) middle = memory().resident
    progress(i + 1)
  }
  const late = memory()
  webSockets.close()
  await server.stop()
  return {
    passed,
    failed,
    heap: { early, late: late.heap },
    resident: { early: middle, late: late.resident },
    answers,
    ways,
  }
}

/** Requests of the suite, and of the methods that it has no case for. */
function corpusOf(): unknown[] {
  const files = compatFiles(VARIANT).filter(({ name }) => !name.includes('blob-tx'))
  const known = files.flatMap(({ file }) => readExchanges(file).map(({ request }) => request))
  const address = '0x7435ed30a8b4aeb0877cef0c6e8cffe834eb865f'
  const more: [string, unknown[]][] = [
    ['eth_newFilter', [{ fromBlock: '0x1', toBlock: 'latest', address, topics: [null, []] }]],
    ['eth_newBlockFilter', []],
    ['eth_newPendingTransactionFilter', []],
    ['eth_getFilterChanges', ['0x1010101010101010101010101010101']],
    ['eth_getFilterLogs', ['0x1010101010101010101010101010101']],
    ['eth_uninstallFilter', ['0x1']],
    ['eth_getUncleByBlockNumberAndIndex', ['latest', '0x0']],
    ['eth_getUncleCountByBlockNumber', ['latest']],
    ['eth_gasPrice', []],
    ['eth_maxPriorityFeePerGas', []],
    ['eth_feeHistory', ['0x14', 'latest', [5, 50.5, 95]]],
    ['eth_getStorageValues', [{ [address]: ['0x0', `0x${'00'.repeat(32)}`] }, 'latest']],
    ['eth_getAccount', [address, { blockNumber: '0x1' }]],
    ['eth_getRawTransactionByHash', [`0x${'11'.repeat(32)}`]],
    [
      'eth_call',
      [
        { from: address, to: address, value: '0x1', gas: '0xffff' },
        'latest',
        { [address]: { balance: '0xff', code: '0x5f5ff3', stateDiff: { '0x0': '0x1' } } },
        { number: '0x7', time: '0x77', baseFeePerGas: '0x0' },
      ],
    ],
    ['eth_createAccessList', [{ to: address, data: '0x' }]],
    ['web3_sha3', ['0x00']],
    ['web3_clientVersion', []],
    ['net_listening', []],
    ['net_peerCount', []],
    ['rpc_modules', []],
    ['txpool_content', []],
    ['txpool_inspect', []],
    ['txpool_status', []],
    ['eth_subscribe', ['newHeads']],
    ['eth_subscribe', ['logs', { address, topics: [null] }]],
    ['eth_unsubscribe', ['0x1']],
    ['admin_nodeInfo', []],
    ['rpc.discover', []],
  ]
  return [
    ...known.map((text) => JSON.parse(text) as unknown),
    ...more.map(([method, params]) => ({ jsonrpc: '2.0', id: 1, method, params })),
  ]
}

/** Values that have broken parsers before. */
const NASTY: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  9007199254740992,
  '',
  ' ',
  '0x',
  '0x0',
  '0x00',
  '0x1',
  '0xg',
  '0X1',
  '-0x1',
  '0xffffffffffffffff',
  '0x10000000000000000',
  `0x${'f'.repeat(64)}`,
  `0x1${'0'.repeat(64)}`,
  `0x${'00'.repeat(20)}`,
  `0x${'00'.repeat(32)}`,
  `0x${'ab'.repeat(5_000)}`,
  'latest',
  'earliest',
  'pending',
  'safe',
  'finalized',
  'Latest',
  '\u0000',
  '\ud800',
  '證',
  '__proto__',
  'constructor',
  [],
  {},
  [[]],
  [null],
  { __proto__: null },
  { length: -1 },
  { toString: 1 },
  { blockHash: null },
  { blockNumber: '0x1' },
  JSON.parse('{"__proto__":{"params":[1]},"constructor":{"name":1}}'),
]

function mutate(prng: Prng, corpus: readonly unknown[]): Uint8Array {
  let value: unknown = structuredClone(prng.pick(corpus))
  if (prng.oneIn(20)) {
    value = Array.from({ length: prng.below(prng.oneIn(5) ? 300 : 5) }, () => prng.pick(corpus))
  }
  const changes = prng.below(4)
  for (let i = 0; i < changes; i++) value = changeValue(prng, value, corpus)
  let bytes: Uint8Array = new TextEncoder().encode(JSON.stringify(value) ?? '')
  if (prng.oneIn(4)) bytes = changeBytes(prng, bytes)
  if (prng.oneIn(500)) {
    const depth = 1 + prng.below(100_000)
    bytes = new TextEncoder().encode('['.repeat(depth) + ']'.repeat(prng.oneIn(2) ? depth : 0))
  }
  return bytes
}

/** The value with one place in it changed, dropped, doubled, or taken from another request. */
function changeValue(prng: Prng, value: unknown, corpus: readonly unknown[]): unknown {
  if (typeof value !== 'object' || value === null || prng.oneIn(6)) {
    if (prng.oneIn(4)) return structuredClone(prng.pick(corpus))
    if (typeof value === 'string' && prng.oneIn(2)) return changeText(prng, value)
    return structuredClone(prng.pick(NASTY))
  }
  if (Array.isArray(value)) {
    const list: unknown[] = [...(value as unknown[])]
    const at = prng.below(list.length + 1)
    const kind = prng.below(5)
    if (kind === 0) list.splice(at, 1)
    else if (kind === 1) list.splice(at, 0, list[prng.below(list.length || 1)] ?? null)
    else list[at] = changeValue(prng, list[at], corpus)
    return list
  }
  const entries = Object.entries(value)
  const at = prng.below(entries.length || 1)
  const [name = 'id', member] = entries[at] ?? []
  const kind = prng.below(8)
  if (kind === 0) entries.splice(at, 1)
  else if (kind === 1) entries.push([JSON.stringify(prng.pick(NASTY)), prng.pick(NASTY)])
  else entries[at] = [name, changeValue(prng, member, corpus)]
  return Object.fromEntries(entries)
}

function changeText(prng: Prng, text: string): string {
  const at = prng.below(text.length + 1)
  if (prng.oneIn(3)) return text.slice(0, at)
  if (prng.oneIn(3)) return text + text
  return (
    text.slice(0, at) + prng.pick(['0', 'f', 'x', 'G', '\u0000', '"', '\\']) + text.slice(at + 1)
  )
}

function changeBytes(prng: Prng, bytes: Uint8Array): Uint8Array {
  const at = prng.below(bytes.length + 1)
  const size = prng.below(8)
  switch (prng.below(4)) {
    case 0:
      return Uint8Array.from([...bytes.subarray(0, at), ...prng.bytes(size), ...bytes.subarray(at)])
    case 1:
      return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + size)])
    case 2:
      return bytes.slice(0, at)
    default: {
      const copy = bytes.slice()
      if (copy.length > 0) copy[prng.below(copy.length)] = prng.uint32() & 255
      return copy
    }
  }
}

/** What is wrong with an answer; undefined if nothing is. */
function faultOf(answer: string, answers: Map<string, number>): string | undefined {
  if (answer === '') {
    answers.set('none', (answers.get('none') ?? 0) + 1)
    return undefined
  }
  let value: unknown
  try {
    value = JSON.parse(answer)
  } catch {
    return `the answer is no JSON: ${answer.slice(0, 200)}`
  }
  const list: unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) return 'the answer is an empty batch'
  for (const each of list) {
    const fault = faultOfOne(each, answers)
    if (fault !== undefined) return fault
  }
  return undefined
}

function faultOfOne(value: unknown, answers: Map<string, number>): string | undefined {
  if (typeof value !== 'object' || value === null) return 'an answer is no object'
  const answer = value as Record<string, unknown>
  const { id, error } = answer
  if (answer.jsonrpc !== '2.0') return 'an answer has no version'
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') return 'an answer has no id'
  if ('result' in answer === 'error' in answer) return 'an answer has not one of result and error'
  if (error === undefined) {
    answers.set('result', (answers.get('result') ?? 0) + 1)
    return undefined
  }
  const { code, message } = error as Record<string, unknown>
  if (!Number.isInteger(code)) return 'an error has no code'
  if (typeof message !== 'string' || message === '') return 'an error has no message'
  if (message.length > 2_000) return 'an error repeats what it was asked'
  answers.set(String(code), (answers.get(String(code)) ?? 0) + 1)
  return undefined
}

/** Sends the body, well or badly framed, and then a good request on a new connection. */
async function askOverHttp(
  server: RpcServer,
  prng: Prng,
  body: Uint8Array,
  ways: Map<string, number>,
): Promise<string | undefined> {
  const head = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
  let request: Uint8Array = Buffer.concat([Buffer.from(head, 'latin1'), body])
  const isDamaged = prng.oneIn(2)
  if (isDamaged) request = changeBytes(prng, request)
  count(ways, isDamaged ? 'HTTP, damaged' : 'HTTP')
  const received = await exchange(server.port, request)
  if (!isDamaged && !received.startsWith('HTTP/1.1 200 '))
    return `over HTTP: ${received.slice(0, 100)}`
  if (received !== '' && !/^HTTP\/1\.1 [1-5]\d\d /.test(received)) {
    return `no HTTP answer: ${received.slice(0, 100)}`
  }
  const next = await fetch(`http://127.0.0.1:${server.port}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: GOOD,
  })
  const good = await next.json()
  return (good as { id?: unknown }).id === 'good' ? undefined : 'a good request went unanswered'
}

interface WebSocketFuzz {
  /** Sends the body, well or badly framed. @returns what is wrong with what comes of it */
  ask(prng: Prng, body: Uint8Array): Promise<string | undefined>
  close(): void
}

function createWebSocketFuzz(
  server: RpcServer,
  answers: Map<string, number>,
  ways: Map<string, number>,
): WebSocketFuzz {
  /** Stays open as long as the server has no reason to end it. */
  let line: WebSocketLine | undefined

  /** Messages up to the answer to the good request; ends with undefined if the server has closed. */
  async function answersOf(asked: WebSocketLine): Promise<(string | undefined)[]> {
    const messages: (string | undefined)[] = []
    for (;;) {
      const message = await asked.next()
      if (message?.includes('"id":"good"')) return messages
      messages.push(message)
      if (message === undefined) return messages
    }
  }

  async function askWhole(prng: Prng, body: Uint8Array): Promise<string | undefined> {
    line ??= await openWebSocketLine(server.port)
    const opcode = prng.oneIn(2) ? 1 : 2
    line.send(clientFrame(opcode, body, prng.bytes(4)))
    line.send(clientFrame(1, Buffer.from(GOOD), prng.bytes(4)))
    const messages = await answersOf(line)
    const isClosed = messages.at(-1) === undefined && messages.length > 0
    if (isClosed) {
      line = undefined
      count(ways, 'WebSocket, ended by the server')
      if (opcode === 2 || isUtf8(body)) return 'a WebSocket with whole frames was ended'
    }
    for (const message of messages) {
      // Events of subscriptions that were opened by chance are no answers.
      if (message === undefined || message.includes('"eth_subscription"')) continue
      const fault = faultOf(message, answers)
      if (fault !== undefined) return `over WebSocket: ${fault}`
    }
    return undefined
  }

  async function askDamaged(prng: Prng, body: Uint8Array): Promise<string | undefined> {
    const other = await openWebSocketLine(server.port)
    const frame = clientFrame(prng.below(16), body.subarray(0, 5_000), prng.bytes(4))
    const frames = Buffer.concat([frame, clientFrame(1, Buffer.from(GOOD), prng.bytes(4))])
    other.send(prng.oneIn(3) ? prng.bytes(prng.below(300)) : changeBytes(prng, frames))
    // A frame that claims to be longer than it is leaves the server waiting for the rest.
    line ??= await openWebSocketLine(server.port)
    line.send(clientFrame(1, Buffer.from(GOOD), prng.bytes(4)))
    const messages = await answersOf(line)
    other.close()
    return messages.at(-1) === undefined && messages.length > 0
      ? 'a damaged frame ended the WebSocket of another client'
      : undefined
  }

  return {
    ask(prng, body) {
      const isDamaged = prng.oneIn(2)
      count(ways, isDamaged ? 'WebSocket, damaged' : 'WebSocket')
      return isDamaged ? askDamaged(prng, body) : askWhole(prng, body)
    },
    close: () => line?.close(),
  }
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** All that the server says to the bytes before it, or we, close. */
function exchange(port: number, request: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    const finish = (): void => {
      socket.destroy()
      resolve(received)
    }
    socket.on('end', finish)
    socket.on('close', finish)
    socket.on('error', finish)
    socket.end(request)
  })
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes that are still in use, of the heap and of all memory. */
function memory(): { heap: number; resident: number } {
  collectGarbage()
  const { heapUsed, rss } = process.memoryUsage()
  return { heap: heapUsed, resident: rss }
}
