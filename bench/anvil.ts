/** A node on revm (Rust), started as a child process: the fastest machine we can measure ourselves by. */

import { type ChildProcess, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type Address, bytesToHex } from '@vellum/evm'

export interface Anvil {
  setCode(address: Address, code: Uint8Array): Promise<void>
  /** Runs `eth_call`; answers the milliseconds from request to answer. */
  timeCall(to: Address, gas: bigint): Promise<number>
  stop(): void
}

const START_TRIES = 100
const START_WAIT_MS = 100

/** @throws Error if it does not answer within ten seconds */
export async function startAnvil(port: number): Promise<Anvil> {
  const file = createRequire(import.meta.url).resolve('@foundry-rs/anvil/package.json')
  const options = ['--silent', '--disable-block-gas-limit', '--hardfork', 'cancun', '--no-mining']
  const child: ChildProcess = spawn(
    process.execPath,
    [join(dirname(file), 'bin.mjs'), '--port', String(port), ...options],
    { stdio: 'ignore' },
  )
  const url = `http://127.0.0.1:${port}`
  const request = async (method: string, params: readonly unknown[]): Promise<unknown> => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    })
    const answer = (await response.json()) as { result?: unknown; error?: { message: string } }
    if (answer.error !== undefined) throw new Error(answer.error.message)
    return answer.result
  }
  for (let tries = 1; ; tries++) {
    try {
      await request('eth_chainId', [])
      break
    } catch (error) {
      if (tries < START_TRIES) await new Promise((resolve) => setTimeout(resolve, START_WAIT_MS))
      else {
        child.kill()
        throw error
      }
    }
  }
  return {
    async setCode(address, code) {
      await request('anvil_setCode', [address, bytesToHex(code)])
    },
    async timeCall(to, gas) {
      const start = performance.now()
      await request('eth_call', [{ to, gas: `0x${gas.toString(16)}`, gasPrice: '0x0' }, 'latest'])
      return performance.now() - start
    },
    stop: () => void child.kill(),
  }
}
