import { describe, expect, it } from 'vitest'
import { systemClock } from '../src/host/machine.ts'
import { createObservation } from '../src/host/observation.ts'
import type { Logger } from '../src/ports.ts'
import { createVirtualNode } from './virtual-node.ts'

const log: Logger = {
  error: () => {},
  warn: () => {},
  info: () => {},
  debug: () => {},
  child: () => log,
}
const HOST = '127.0.0.1'
const INFO = { version: 'vellum/1', signatures: 'native' } as const

async function ask(port: number, path: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://${HOST}:${port}${path}`)
  return { status: response.status, text: await response.text() }
}

describe('what watches a node', () => {
  it('is not ready before the node is there, and tells of it afterwards', async () => {
    const observation = createObservation(systemClock, INFO)
    const server = (await observation.serve({ enabled: true, host: HOST, port: 0 }, log))!
    expect(await ask(server.port, '/readiness')).toEqual({
      status: 503,
      text: '{"ready":false,"reasons":["the node is being opened"]}\n',
    })
    const { node, time } = await createVirtualNode()
    observation.watch('main').attach({ node, signer: undefined, transport: undefined }, 1337n)
    await node.start()
    await time.advance(0)
    expect(await ask(server.port, '/readiness')).toMatchObject({ status: 200 })
    expect(await ask(server.port, '/liveness')).toMatchObject({ status: 200 })
    observation.onAnswered({ method: 'eth_chainId', durationMs: 1, code: undefined })
    const { text } = await ask(server.port, '/metrics')
    for (const line of [
      'vellum_chain_height{chain="main"} 0',
      'vellum_chain_up{chain="main"} 1',
      'vellum_rpc_request_seconds_count{method="eth_chainId"} 1',
      'vellum_chain_info{chain="main",chain_id="1337"} 1',
      'vellum_signatures_info{backend="native"} 1',
    ]) {
      expect(text).toContain(`\n${line}\n`)
    }
    for (const name of [
      'process_resident_memory_bytes',
      'process_cpu_seconds_total',
      'vellum_event_loop_lag_seconds{quantile="0.99"}',
    ]) {
      expect(text).toContain(`\n${name} `)
    }
    // Every line is a comment, or a name, labels and a number.
    for (const line of text.trimEnd().split('\n')) {
      expect(line).toMatch(
        /^(?:# (?:HELP|TYPE) \w+ .+|\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]+")*\})? \S+)$/,
      )
    }
    await node.stop()
    await server.stop()
    observation.stop()
  })

  it('tells of a side chain that failed, and stays ready itself', async () => {
    const observation = createObservation(systemClock, INFO)
    const server = (await observation.serve({ enabled: true, host: HOST, port: 0 }, log))!
    const { node, time } = await createVirtualNode()
    observation.watch('main').attach({ node, signer: undefined, transport: undefined }, 1337n)
    await node.start()
    await time.advance(0)
    const side = observation.watch('side')
    side.attach({ node, signer: undefined, transport: undefined }, 1338n)
    expect(await ask(server.port, '/readiness/side')).toMatchObject({ status: 200 })
    side.end('its disk is full')
    const { text } = await ask(server.port, '/metrics')
    expect(text).toContain('\nvellum_chain_up{chain="side"} 0\n')
    expect(text).not.toContain('vellum_chain_height{chain="side"}')
    expect(await ask(server.port, '/readiness')).toEqual({
      status: 200,
      text: '{"ready":true,"reasons":[],"chains":{"side":{"ready":false,"reasons":["it has failed: its disk is full"]}}}\n',
    })
    expect(await ask(server.port, '/readiness/side')).toMatchObject({ status: 503 })
    expect(await ask(server.port, '/liveness')).toMatchObject({ status: 200 })
    // Served again, under the same name.
    observation.watch('side').attach({ node, signer: undefined, transport: undefined }, 1338n)
    expect(await ask(server.port, '/readiness/side')).toMatchObject({ status: 200 })
    for (const path of ['/readiness/other', '/readinesses', '/readiness/a/b']) {
      expect(await ask(server.port, path)).toMatchObject({ status: 404 })
    }
    await node.stop()
    await server.stop()
    observation.stop()
  })

  it('serves nothing where that is switched off', async () => {
    const observation = createObservation(systemClock, INFO)
    expect(
      await observation.serve({ enabled: false, host: HOST, port: undefined }, log),
    ).toBeUndefined()
    observation.stop()
  })

  it('refuses a port that was asked for and is taken', async () => {
    const observation = createObservation(systemClock, INFO)
    const server = (await observation.serve({ enabled: true, host: HOST, port: 0 }, log))!
    await expect(
      observation.serve({ enabled: true, host: HOST, port: server.port }, log),
    ).rejects.toMatchObject({ code: 'NODE_PORT_TAKEN' })
    await server.stop()
    observation.stop()
  })
})
