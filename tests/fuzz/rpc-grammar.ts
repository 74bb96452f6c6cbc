/**
 * Requests from a grammar: JSON-RPC as clients write it, with a fault now and then at each place, from
 * the parameters of a method to the letters of the JSON.
 */

import type { Prng } from './prng.ts'

const ADDRESSES = [
  '0x7435ed30a8b4aeb0877cef0c6e8cffe834eb865f',
  '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df',
  `0x${'00'.repeat(20)}`,
]
const TAGS = ['latest', 'earliest', 'pending', 'safe', 'finalized']
const TOPICS = ['newHeads', 'logs', 'newPendingTransactions', 'syncing', 'none']

/** What a method takes, position by position. */
type Kind = keyof typeof KINDS

const METHODS: readonly (readonly [string, readonly Kind[]])[] = [
  ['eth_chainId', []],
  ['eth_getBalance', ['address', 'block']],
  ['eth_getTransactionCount', ['address', 'block']],
  ['eth_getStorageAt', ['address', 'quantity', 'block']],
  ['eth_getProof', ['address', 'hashes', 'block']],
  ['eth_getBlockByNumber', ['block', 'flag']],
  ['eth_getBlockByHash', ['hash', 'flag']],
  ['eth_getBlockReceipts', ['block']],
  ['eth_getTransactionByHash', ['hash']],
  ['eth_getTransactionReceipt', ['hash']],
  ['eth_sendRawTransaction', ['data']],
  ['eth_call', ['call', 'block', 'overrides']],
  ['eth_estimateGas', ['call', 'block']],
  ['eth_createAccessList', ['call', 'block']],
  ['eth_feeHistory', ['quantity', 'block', 'percentiles']],
  ['eth_getLogs', ['filter']],
  ['eth_newFilter', ['filter']],
  ['eth_getFilterChanges', ['quantity']],
  ['eth_uninstallFilter', ['quantity']],
  ['eth_subscribe', ['topic', 'filter']],
  ['eth_unsubscribe', ['quantity']],
  ['debug_traceCall', ['call', 'block']],
  ['debug_traceTransaction', ['hash']],
  ['admin_peers', []],
  ['txpool_status', []],
  ['web3_sha3', ['data']],
]

/** Texts of JSON values, right ones for the most part. */
const KINDS = {
  address: (prng: Prng) => text(prng.pick(ADDRESSES)),
  hash: (prng: Prng) => text(`0x${hex(prng, 32)}`),
  hashes: (prng: Prng) => list(prng, KINDS.hash),
  data: (prng: Prng) => text(`0x${hex(prng, prng.below(200))}`),
  quantity: (prng: Prng) => text(`0x${prng.uint32().toString(16)}`),
  flag: (prng: Prng) => prng.pick(['true', 'false']),
  percentiles: (prng: Prng) => list(prng, () => String(prng.below(101))),
  topic: (prng: Prng) => text(prng.pick(TOPICS)),
  block: (prng: Prng): string => {
    if (prng.oneIn(3)) return object(prng, [['blockHash', KINDS.hash(prng)]])
    return text(prng.oneIn(2) ? prng.pick(TAGS) : `0x${prng.below(20).toString(16)}`)
  },
  call: (prng: Prng) =>
    object(prng, [
      ['from', KINDS.address(prng)],
      ['to', KINDS.address(prng)],
      ['value', text('0x1')],
      ['gas', text('0xffff')],
      ['input', KINDS.data(prng)],
    ]),
  overrides: (prng: Prng) =>
    object(prng, [
      [prng.pick(ADDRESSES), object(prng, [['balance', KINDS.quantity(prng)]])],
      [prng.pick(ADDRESSES), object(prng, [['code', KINDS.data(prng)]])],
    ]),
  filter: (prng: Prng) =>
    object(prng, [
      ['fromBlock', text('0x1')],
      ['toBlock', text('latest')],
      ['address', list(prng, KINDS.address)],
      ['topics', list(prng, KINDS.hash)],
    ]),
} as const

/** A request or a batch, as bytes. */
export function generateRequest(prng: Prng): Uint8Array {
  const count = prng.below(prng.oneIn(10) ? 250 : 6)
  const body = prng.oneIn(12)
    ? `[${Array.from({ length: count }, () => call(prng)).join(',')}]`
    : call(prng)
  return new TextEncoder().encode(prng.oneIn(6) ? misspell(prng, body) : body)
}

function call(prng: Prng): string {
  const [name, kinds] = prng.pick(METHODS)
  const params = kinds.slice(0, prng.oneIn(4) ? prng.below(kinds.length + 1) : kinds.length)
  const values = params.map((kind) => (prng.oneIn(8) ? oddity(prng) : KINDS[kind](prng)))
  if (prng.oneIn(10)) values.push(oddity(prng))
  const members: [string, string][] = [
    ['jsonrpc', prng.oneIn(20) ? oddity(prng) : '"2.0"'],
    ['method', prng.oneIn(15) ? text(`${name}${prng.pick(['', '_', 's'])}`) : text(name)],
    ['params', prng.oneIn(15) ? oddity(prng) : `[${values.join(',')}]`],
  ]
  if (!prng.oneIn(15)) members.push(['id', prng.oneIn(6) ? oddity(prng) : String(prng.uint32())])
  if (prng.oneIn(30)) members.push(prng.pick(members))
  return object(prng, members)
}

/** A value where another is expected. */
function oddity(prng: Prng): string {
  return prng.pick([
    'null',
    'true',
    '0',
    '-0',
    '1e999',
    '-1.5e-7',
    '18446744073709551616',
    '""',
    '" "',
    '"0x"',
    '"0x0"',
    '"0x00"',
    '"0X1"',
    '"0xzz"',
    '"\\u0000"',
    '"\\ud800"',
    '"\\uD83D\\uDE00"',
    '"__proto__"',
    '[]',
    '{}',
    '[[[[[[[[]]]]]]]]',
    '{"a":{"b":{"c":null}}}',
    '{"__proto__":{"x":1}}',
    `"0x${'f'.repeat(64)}"`,
    `"${'9'.repeat(prng.below(2_000))}"`,
  ])
}

/** JSON that is none, or hardly. */
function misspell(prng: Prng, body: string): string {
  const at = prng.below(body.length + 1)
  const [before, after] = [body.slice(0, at), body.slice(at)]
  switch (prng.below(8)) {
    case 0:
      return `\ufeff${body}`
    case 1:
      return body.replaceAll(',', ',,')
    case 2:
      return body.replaceAll('"', "'")
    case 3:
      return `${before}/* */${after}`
    case 4:
      return `${before}${prng.pick(['NaN', 'Infinity', '\u0000', '\n', '\t', '"', '}', ']', '\\'])}${after}`
    case 5:
      return `${body}${body}`
    case 6:
      return before
    default:
      return `${before}${'[{"a":'.repeat(prng.below(60))}${after}`
  }
}

function object(prng: Prng, members: readonly (readonly [string, string])[]): string {
  const kept = members
    .filter(() => !prng.oneIn(25))
    .map(([name, value]) => `${text(name)}:${value}`)
  if (prng.oneIn(3)) kept.reverse()
  return `{${kept.join(prng.oneIn(10) ? ' ,\n' : ',')}}`
}

function list(prng: Prng, item: (prng: Prng) => string): string {
  return `[${Array.from({ length: prng.below(4) }, () => item(prng)).join(',')}]`
}

function text(value: string): string {
  return JSON.stringify(value)
}

function hex(prng: Prng, size: number): string {
  return Buffer.from(prng.bytes(size)).toString('hex')
}
