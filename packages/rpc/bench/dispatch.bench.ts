/**
 * What the facade itself costs: requests through dispatch, without a socket, on the chain of the
 * rpc-compat suite.
 *
 * Run: `pnpm exec node --conditions=source packages/rpc/bench/dispatch.bench.ts [method]`.
 */

import { performance } from 'node:perf_hooks'
import { createRpc } from '../src/index.ts'
import { loadExecutedBackend, testPorts, textBytes } from '../test/compat-chain.ts'

const CONTRACT = '0x7dcd17433742f4c0ca53122ab541d0ba67fc27df'
const CASES: readonly { readonly method: string; readonly params: readonly unknown[] }[] = [
  { method: 'eth_blockNumber', params: [] },
  { method: 'eth_getBalance', params: [CONTRACT, 'latest'] },
  { method: 'eth_getTransactionCount', params: [CONTRACT, 'pending'] },
  { method: 'eth_getStorageAt', params: [CONTRACT, '0x00', 'latest'] },
  { method: 'eth_getBlockByNumber', params: ['latest', true] },
  {
    method: 'eth_call',
    params: [{ to: '0x17e7eedce4ac02ef114a7ed9fe6e2f33feba1667', input: '0xff01' }],
  },
  { method: 'eth_estimateGas', params: [{ from: CONTRACT, to: `0x${'01'.repeat(20)}` }] },
  { method: 'eth_getProof', params: [CONTRACT, ['0x00'], 'latest'] },
  { method: 'eth_unknown', params: [] },
]
const MEASURED_MS = 1_000

const dispatch = createRpc({ backend: await loadExecutedBackend('main'), ports: testPorts() })

/** Requests a second, one after the other. */
async function measure(body: Uint8Array): Promise<number> {
  const end = performance.now() + MEASURED_MS
  let count = 0
  while (performance.now() < end) {
    for (let i = 0; i < 100; i++) {
      const answer = dispatch(body)
      if (typeof answer !== 'string') await answer
    }
    count += 100
  }
  return count / (MEASURED_MS / 1_000)
}

for (const { method, params } of CASES) {
  if (process.argv[2] !== undefined && process.argv[2] !== method) continue
  const body = textBytes(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }))
  await measure(body)
  const rate = Math.round(await measure(body))
  console.log(`rpc.dispatch method=${method} ${rate}/s ${(1e6 / rate).toFixed(2)} us`)
}
