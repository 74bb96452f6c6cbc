/**
 * The headers by which a verifier follows a chain's validators, from any node: it is not trusted, as
 * `followValidators` checks what it gives.
 */

import {
  encodeRlp,
  getBytes,
  type JsonRpcApiProvider,
  type RlpStructuredData,
  toBeHex,
} from 'ethers'
import { LICENCE_LIMITS } from '../config.ts'
import { LicenceError } from '../error.ts'

/** What asks a node. */
export type NodeProvider = Pick<JsonRpcApiProvider, 'send'>

/**
 * Places between start and head at which sets are compared, whatever lies between: a set that came and
 * went between two of them is not found, and proofs of its few blocks are refused.
 */
const SAMPLES = 64

/**
 * Headers after a block: the first of each set of validators, and the head.
 * @param from block whose set is known
 * @throws LicenceError LICENCE_CHAIN_ANSWER if the node has no such blocks
 */
export async function gatherValidatorHeaders(
  provider: NodeProvider,
  from: number,
): Promise<Uint8Array[]> {
  const head = Number(await provider.send('eth_blockNumber', []))
  if (head <= from) return []
  const setAt = async (height: number): Promise<string> => {
    const answer: unknown = await provider.send('qbft_getValidatorsByBlockNumber', [hex(height)])
    if (!Array.isArray(answer)) throw unexpected(`no validators of block ${height}`)
    return answer.join().toLowerCase()
  }
  const heights = new Set([head])
  let before = { height: from, set: await setAt(from) }
  for (let i = 1; i <= SAMPLES; i++) {
    const height = from + Math.floor(((head - from) * i) / SAMPLES)
    if (height === before.height) continue
    const after = { height, set: await setAt(height) }
    for (const change of await changesBetween(before, after, setAt)) heights.add(change)
    if (heights.size > LICENCE_LIMITS.followedHeadersMax) {
      throw unexpected('more changes than a verifier follows at once')
    }
    before = after
  }
  const ascending = [...heights].sort((a, b) => a - b)
  const headers: Uint8Array[] = []
  for (const height of ascending) headers.push(await headerAt(provider, height))
  return headers
}

interface Known {
  readonly height: number
  readonly set: string
}

/** First blocks of new sets, by halves. */
async function changesBetween(
  before: Known,
  after: Known,
  setAt: (height: number) => Promise<string>,
): Promise<number[]> {
  if (before.set === after.set) return []
  if (after.height === before.height + 1) return [after.height]
  const height = Math.floor((before.height + after.height) / 2)
  const middle = { height, set: await setAt(height) }
  return [
    ...(await changesBetween(before, middle, setAt)),
    ...(await changesBetween(middle, after, setAt)),
  ]
}

/** Items of a header in their order; those of later forks are there or not. */
const ITEMS = [
  'parentHash',
  'sha3Uncles',
  'miner',
  'stateRoot',
  'transactionsRoot',
  'receiptsRoot',
  'logsBloom',
  'difficulty',
  'number',
  'gasLimit',
  'gasUsed',
  'timestamp',
  'extraData',
  'mixHash',
  'nonce',
  'baseFeePerGas',
  'withdrawalsRoot',
  'blobGasUsed',
  'excessBlobGas',
  'parentBeaconBlockRoot',
  'requestsHash',
] as const
const QUANTITIES: ReadonlySet<string> = new Set([
  'difficulty',
  'number',
  'gasLimit',
  'gasUsed',
  'timestamp',
  'baseFeePerGas',
  'blobGasUsed',
  'excessBlobGas',
])

/** RLP of a header with its seals: any node gives its parts, and `debug_getRawHeader` not to everybody. */
export async function headerAt(provider: NodeProvider, height: number): Promise<Uint8Array> {
  const block: unknown = await provider.send('eth_getBlockByNumber', [hex(height), false])
  if (typeof block !== 'object' || block === null) throw unexpected(`no block ${height}`)
  const items: RlpStructuredData[] = []
  for (const name of ITEMS) {
    const value: unknown = (block as Readonly<Record<string, unknown>>)[name]
    if (value === undefined || value === null) break
    if (typeof value !== 'string' || !/^0x[0-9a-fA-F]*$/.test(value)) {
      throw unexpected(`${name} of block ${height} is no hex`)
    }
    items.push(QUANTITIES.has(name) ? scalar(BigInt(value)) : value)
  }
  return getBytes(encodeRlp(items))
}

function scalar(value: bigint): string {
  return value === 0n ? '0x' : toBeHex(value)
}

function hex(height: number): string {
  return `0x${height.toString(16)}`
}

function unexpected(what: string): LicenceError {
  return new LicenceError('LICENCE_CHAIN_ANSWER', `an answer of another form: ${what}`)
}
