/** What a node says about its rules and its data, blocks built for tests, and filled transactions. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { bytesToHex, hexToBytes } from '@vellum/evm'
import { decodeHeader, forkConfigsAt, keccakHeaderHash, parseGenesis } from '@vellum/ledger'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Backend, createRpc } from '../src/index.ts'
import { COMPAT_FOLDER, loadExecutedBackend, testPorts, textBytes } from './compat-chain.ts'

const genesis = parseGenesis(
  JSON.parse(readFileSync(join(COMPAT_FOLDER, 'main/genesis.json'), 'utf8')),
)
let backend: Backend

beforeAll(async () => {
  backend = await loadExecutedBackend('main')
})

interface Answer {
  readonly result?: unknown
  readonly error?: { readonly code: number; readonly message: string }
}

async function answer(of: Backend, method: string, ...params: unknown[]): Promise<Answer> {
  const dispatch = createRpc({ backend: of, ports: testPorts(), operatorMethods: ['testing'] })
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  return JSON.parse(await dispatch(textBytes(body))) as Answer
}

async function ask(method: string, ...params: unknown[]): Promise<unknown> {
  const { result, error } = await answer(backend, method, ...params)
  expect(error).toBeUndefined()
  return result
}

describe('eth_capabilities', () => {
  it('an archive has everything from the first block on', async () => {
    const whole = { disabled: false, oldestBlock: '0x0' }
    expect(await ask('eth_capabilities')).toEqual({
      head: { number: '0x36', hash: backend.chain.head().hash },
      state: whole,
      stateproofs: whole,
      tx: whole,
      logs: whole,
      receipts: whole,
      blocks: whole,
    })
  })

  it('a pruned node says how far back its states go, and where its blocks begin', async () => {
    const held = () => ({ oldestBlock: 5, oldestState: 50, stateBlocks: 4 })
    const pruned = { ...backend, chain: { ...backend.chain, held } }
    const { result } = await answer(pruned, 'eth_capabilities')
    expect(result).toMatchObject({
      state: {
        oldestBlock: '0x32',
        deleteStrategy: { type: 'window', retentionBlocks: '0x4' },
      },
      receipts: { disabled: false, oldestBlock: '0x5' },
    })
  })
})

describe('headers', () => {
  it('eth_getHeaderBy…: is the block without its body', async () => {
    const block = (await ask('eth_getBlockByNumber', '0x36')) as Record<string, unknown>
    const { size, transactions, uncles, withdrawals, ...header } = block
    expect(await ask('eth_getHeaderByNumber', '0x36')).toEqual(header)
    expect(await ask('eth_getHeaderByHash', block.hash)).toEqual(header)
    expect(await ask('eth_getHeaderByNumber', '0x37')).toBeNull()
    expect(await ask('eth_getHeaderByHash', `0x${'1'.repeat(64)}`)).toBeNull()
  })
})

describe('testing_buildBlockV1', () => {
  const attributes = {
    timestamp: '0x300',
    prevRandao: `0x${'2'.repeat(64)}`,
    suggestedFeeRecipient: `0x${'fe'.repeat(20)}`,
    withdrawals: [],
    parentBeaconBlockRoot: `0x${'3'.repeat(64)}`,
  }

  it('builds an empty block whose hash is that of its header, and keeps it nowhere', async () => {
    const { hash, header } = backend.chain.head()
    const built = (await ask('testing_buildBlockV1', hash, attributes, [], '0x1234')) as {
      executionPayload: Record<string, string> & { transactions: string[] }
      blockValue: string
    }
    const payload = built.executionPayload
    expect(payload).toMatchObject({
      parentHash: hash,
      blockNumber: '0x37',
      extraData: '0x1234',
      timestamp: '0x300',
      transactions: [],
      gasUsed: '0x0',
    })
    expect(built.blockValue).toBe('0x0')
    // What the payload does not name is as in the head: no ommers, no transactions, no requests.
    const rebuilt = {
      ...header,
      parentHash: hash,
      coinbase: attributes.suggestedFeeRecipient as `0x${string}`,
      stateRoot: payload.stateRoot as `0x${string}`,
      transactionsRoot: backend.chain.header(0)!.header.transactionsRoot,
      receiptsRoot: payload.receiptsRoot as `0x${string}`,
      logsBloom: hexToBytes(payload.logsBloom!),
      number: 55,
      gasLimit: BigInt(payload.gasLimit!),
      gasUsed: 0n,
      timestamp: 0x300,
      extraData: hexToBytes('0x1234'),
      mixHash: attributes.prevRandao as `0x${string}`,
      baseFeePerGas: BigInt(payload.baseFeePerGas!),
      withdrawalsRoot: backend.chain.header(0)!.header.transactionsRoot,
      blobGasUsed: 0n,
      excessBlobGas: BigInt(payload.excessBlobGas!),
      parentBeaconBlockRoot: attributes.parentBeaconBlockRoot as `0x${string}`,
    }
    expect(keccakHeaderHash(rebuilt)).toBe(payload.blockHash)
    expect(await ask('eth_blockNumber')).toBe('0x36')
  })

  it('takes the transactions of a block again and finds the same receipts', async () => {
    const block = backend.chain.block(54)!
    const { header } = block
    const built = (await ask(
      'testing_buildBlockV1',
      header.parentHash,
      {
        timestamp: `0x${header.timestamp.toString(16)}`,
        prevRandao: header.mixHash,
        suggestedFeeRecipient: header.coinbase,
        parentBeaconBlockRoot: header.parentBeaconBlockRoot,
        withdrawals: (block.withdrawals ?? []).map(
          ({ index, validatorIndex, address, amount }) => ({
            index: `0x${index.toString(16)}`,
            validatorIndex: `0x${validatorIndex.toString(16)}`,
            address,
            amount: `0x${amount.toString(16)}`,
          }),
        ),
      },
      block.transactions.map(({ encoded }) => bytesToHex(encoded)),
      bytesToHex(header.extraData),
    )) as { executionPayload: Record<string, string> }
    // 200 million at first: the limit goes down to 60 by as much as is allowed (EIP-7935).
    const gasLimit = header.gasLimit - header.gasLimit / 1024n + 1n
    expect(built.executionPayload).toMatchObject({
      stateRoot: header.stateRoot,
      receiptsRoot: header.receiptsRoot,
      gasLimit: `0x${gasLimit.toString(16)}`,
    })
  })

  it.each([
    ['an unknown parent', `0x${'1'.repeat(64)}`, {}, -32000],
    ['a time before the parent', undefined, { timestamp: '0x1' }, -32000],
    ['attributes without a recipient', undefined, { suggestedFeeRecipient: undefined }, -32602],
  ])('refuses %s', async (_, parent, changed, code) => {
    const hash = parent ?? backend.chain.head().hash
    const { error } = await answer(backend, 'testing_buildBlockV1', hash, {
      ...attributes,
      ...changed,
    })
    expect(error?.code).toBe(code)
  })

  it('does not exist where blocks are sealed', async () => {
    const sealed: Backend = { ...backend, payloads: undefined }
    const { error } = await answer(sealed, 'testing_buildBlockV1')
    expect(error?.code).toBe(-32601)
  })
})

describe('eth_config', () => {
  it('plans nothing once the last activation has passed', async () => {
    expect(await ask('eth_config')).toMatchObject({
      current: { activationTime: 540 },
      next: null,
      last: null,
    })
  })

  it.each([
    // The genesis is of Frontier, and Shanghai is the first fork that has a time.
    { time: 0, current: 0, next: 390, last: 540 },
    { time: 449, current: 420, next: 450, last: 540 },
    { time: 450, current: 450, next: 480, last: 540 },
    { time: 539, current: 510, next: 540, last: 540 },
  ])('at time $time the rules of $current hold and those of $next are next', (expected) => {
    const at = (time: number): number[] => {
      const hash = backend.chain.header(0)!.hash
      const { current, next, last } = forkConfigsAt(genesis, hash, time, (bytes) => crc32(bytes))
      return [current, next, last].map((config) => config!.activationTime)
    }
    expect(at(expected.time)).toEqual([expected.current, expected.next, expected.last])
  })

  it('has the precompiles, system contracts and blobs of the fork', () => {
    const hash = backend.chain.header(0)!.hash
    const at = (time: number) => forkConfigsAt(genesis, hash, time, (bytes) => crc32(bytes)).current
    const names = (entries: readonly (readonly [string, string])[]) => entries.map(([name]) => name)
    expect(names(at(0).systemContracts)).toEqual([])
    expect(names(at(420).systemContracts)).toEqual(['BEACON_ROOTS_ADDRESS'])
    expect(names(at(420).precompiles)).not.toContain('P256VERIFY')
    expect(names(at(480).precompiles)).toContain('P256VERIFY')
    expect(at(510).blobSchedule).toEqual({
      target: 10,
      max: 15,
      baseFeeUpdateFraction: 8_346_193n,
    })
    // Each activation has an identifier of its own.
    const times = [0, 390, 420, 450, 480, 510, 540]
    expect(new Set(times.map((time) => at(time).forkId)).size).toBe(times.length)
  })
})

describe('eth_fillTransaction', () => {
  const from = '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df'

  interface Filled {
    readonly raw: string
    readonly tx: Record<string, string>
  }

  it('fills in nonce, gas and fees', async () => {
    const to = `0x${'de'.repeat(20)}`
    const { tx, raw } = (await ask('eth_fillTransaction', { from, to })) as Filled
    const base = BigInt((await ask('eth_baseFee')) as string)
    expect(tx).toMatchObject({ type: '0x2', from, to, gas: '0x5208', value: '0x0' })
    expect(tx.nonce).toBe(await ask('eth_getTransactionCount', from, 'pending'))
    expect(tx.chainId).toBe(await ask('eth_chainId'))
    expect(BigInt(tx.maxFeePerGas!)).toBe(2n * base + BigInt(tx.maxPriorityFeePerGas!))
    expect(raw).toMatch(/^0x02/)
  })

  it('leaves what is there, and takes the type that it calls for', async () => {
    const named = { from, to: from, nonce: '0x7', gas: '0xffff', gasPrice: '0x77359400' }
    const { tx } = (await ask('eth_fillTransaction', named)) as Filled
    expect(tx).toMatchObject({ type: '0x0', nonce: '0x7', gas: '0xffff', gasPrice: '0x77359400' })
    const listed = { ...named, accessList: [] }
    expect(((await ask('eth_fillTransaction', listed)) as Filled).tx.type).toBe('0x1')
  })

  it('tells why a transaction would fail', async () => {
    const { error } = await answer(backend, 'eth_fillTransaction', { from, input: '0xfe' })
    expect(error?.code).toBe(-32000)
    expect(error?.message).toContain('invalid opcode')
  })
})

it('debug_getRawHeader: decodes to the header', async () => {
  const dispatch = createRpc({ backend, ports: testPorts(), operatorMethods: ['debug'] })
  const body = { jsonrpc: '2.0', id: 1, method: 'debug_getRawHeader', params: ['latest'] }
  const { result } = JSON.parse(await dispatch(textBytes(JSON.stringify(body)))) as {
    result: string
  }
  expect(decodeHeader(hexToBytes(result))).toEqual(backend.chain.head().header)
})
