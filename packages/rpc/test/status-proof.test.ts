import { bigIntToBytes, bytesToHex, hexToBytes } from '@vellum/evm'
import { createStatusTree, decodeHeader, rootOfStatusProof } from '@vellum/ledger'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Backend } from '../src/backend.ts'
import { createRpc } from '../src/index.ts'
import { loadExecutedBackend, testPorts, textBytes } from './compat-chain.ts'

const tree = createStatusTree()
tree.set(new Map(Array.from({ length: 9 }, (_, i) => [i, bigIntToBytes(BigInt(i) + 1n, 32)])))
let backend: Backend

beforeAll(async () => {
  backend = await loadExecutedBackend('cancun-genesis')
})

async function ask(from: Backend, ...params: unknown[]) {
  const dispatch = createRpc({ backend: from, ports: testPorts() })
  const request = { jsonrpc: '2.0', id: 1, method: 'vellum_getStatusProof', params }
  return JSON.parse(await dispatch(textBytes(JSON.stringify(request))))
}

describe('vellum_getStatusProof', () => {
  it('gives a leaf with its path and the header that is to hold the root', async () => {
    const { result } = await ask({ ...backend, proveStatus: tree.prove }, '0x5')
    expect(result).toMatchObject({ index: '0x5', blockHash: backend.chain.head().hash })
    expect(decodeHeader(hexToBytes(result.header))).toEqual(backend.chain.head().header)
    const root = rootOfStatusProof({
      index: Number(result.index),
      leaf: hexToBytes(result.leaf),
      mask: Number(result.mask),
      siblings: result.siblings.map(hexToBytes),
    })
    expect(bytesToHex(root!)).toBe(bytesToHex(tree.root()))
  })

  it('refuses what is no index of a leaf', async () => {
    for (const index of ['0x100000000', '-1', '0x', 5, null]) {
      const { error } = await ask({ ...backend, proveStatus: tree.prove }, index)
      expect(error.code).toBe(-32602)
    }
  })

  it('does not exist on a chain without a status tree', async () => {
    expect((await ask(backend, '0x0')).error.code).toBe(-32601)
  })
})
