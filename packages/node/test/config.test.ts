import { RPC_LIMITS, SERVER_LIMITS } from '@vellum/rpc'
import { describe, expect, it } from 'vitest'
import { configOfChain, parseChainConfig, parseConfig } from '../src/config.ts'

describe('parseConfig', () => {
  it('fills an empty configuration with defaults, and freezes all of it', () => {
    const config = parseConfig({})
    expect(config).toMatchObject({
      dataDir: 'data/dev',
      state: { mode: undefined, retainedBlocks: 1024 },
      blocks: { periodMs: 0, heartbeatMs: 60_000 },
      rpc: { host: '127.0.0.1', port: 8545 },
      logLevel: 'info',
    })
    expect(Object.isFrozen(config) && Object.isFrozen(config.rpc.allowedHosts)).toBe(true)
  })

  it('takes what is given', () => {
    const config = parseConfig({
      rpc: { port: 0, allowedHosts: ['node.example'] },
      state: { retainedBlocks: 128 },
    })
    expect(config.rpc).toMatchObject({ port: 0, allowedHosts: ['node.example'] })
    expect(config.state.retainedBlocks).toBe(128)
  })

  it('names every wrong field at once, with what it must be and what it is', () => {
    const wrong = {
      rpc: { port: 70_000, hots: 'x' },
      blocks: { periodMs: 1.5, heartbeatMs: '1m' },
      state: [],
      logLevel: 'loud',
      dataDir: '',
    }
    const message = errorOf(() => parseConfig(wrong))
    expect(message.split('\n')).toEqual([
      'the configuration is not valid:',
      '  dataDir must be text, not ""',
      '  state must be an object, not []',
      '  blocks.periodMs must be a whole number from 0 to 3600000, not 1.5',
      '  blocks.heartbeatMs must be a whole number from 0 to 86400000, not "1m"',
      '  rpc.hots is not known; known here: host, port, allowedHosts, corsOrigins, operatorMethods, webSockets, jwtSecretFile, tokenRequired, trustedProxies, tls, limits',
      '  rpc.port must be a whole number from 0 to 65535, not 70000',
      '  logLevel must be one of error, warn, info, debug, not "loud"',
    ])
  })

  it('takes limits of the RPC server one by one, and keeps the others', () => {
    const { limits } = parseConfig({
      rpc: { limits: { connectionsMax: 9, tokensPerSecond: 0 } },
    }).rpc
    expect(limits).toEqual({
      ...RPC_LIMITS,
      ...SERVER_LIMITS,
      connectionsMax: 9,
      tokensPerSecond: 0,
    })
  })

  it('lays what a side chain says of itself over what the node has', () => {
    const config = parseConfig({ blocks: { periodMs: 5, heartbeatMs: 7 }, genesisFile: 'g.json' })
    const own = parseChainConfig({ blocks: { heartbeatMs: 0 }, state: { mode: 'pruned' } })
    const { blocks, state, dataDir, genesisFile, rpc } = configOfChain(config, own, 'data/side')
    expect(blocks).toEqual({ ...config.blocks, periodMs: 5, heartbeatMs: 0 })
    expect(state).toEqual({ mode: 'pruned', retainedBlocks: 1_024 })
    expect({ dataDir, genesisFile, rpc }).toEqual({
      dataDir: 'data/side',
      genesisFile: undefined,
      rpc: config.rpc,
    })
  })

  it('serves a side chain of which nothing is said as the node has it', () => {
    const config = parseConfig({})
    const own = parseChainConfig({})
    expect(own.served).toBe(true)
    expect(configOfChain(config, own, config.dataDir)).toEqual(config)
  })

  it.each([
    [
      { blocks: { periodMs: -1 } },
      'blocks.periodMs must be a whole number from 0 to 3600000, not -1',
    ],
    [{ served: 'no' }, 'served must be true or false, not "no"'],
    [{ rpc: {} }, 'rpc is not known; known here: served, state, blocks, network, relay'],
  ])('refuses %j of a side chain', (wrong, complaint) => {
    expect(errorOf(() => parseChainConfig(wrong)).split('\n  ')).toContain(complaint)
  })

  it.each([
    [{ rpc: { tokenRequired: true } }, 'rpc.tokenRequired needs rpc.jwtSecretFile'],
    [
      { rpc: { trustedProxies: ['proxy'] } },
      'rpc.trustedProxies may hold addresses and networks such as 10.0.0.0/8, not "proxy"',
    ],
    [
      { rpc: { limits: { connectionsMax: 0 } } },
      'rpc.limits.connectionsMax must be a whole number from 1 to 65536, not 0',
    ],
    [
      { rpc: { limits: { depthMax: 1_000 } } },
      'rpc.limits.depthMax must be a whole number from 1 to 256, not 1000',
    ],
    [
      { rpc: { operatorMethods: ['debug', 'eth_call'] } },
      'rpc.operatorMethods may hold admin, debug, testing and guarded methods, not "eth_call"',
    ],
    [{ rpc: { tls: { certificateFile: 'a' } } }, 'rpc.tls.keyFile must be text, not missing'],
  ])('refuses %j', (wrong, complaint) => {
    expect(errorOf(() => parseConfig(wrong)).split('\n  ')).toContain(complaint)
  })

  it('takes lists of peers, and addresses in any case', () => {
    const { network, validator, test } = parseConfig({
      network: { enabled: true, listen: [], members: [`0x${'aB'.repeat(20)}`] },
      validator: { acceptWeakKeystore: true },
    })
    expect(network).toEqual({
      enabled: true,
      listen: [],
      announce: [],
      bootnodes: [],
      members: [`0x${'ab'.repeat(20)}`],
    })
    expect(validator.acceptWeakKeystore).toBe(true)
    expect(test.clockOffsetMs).toBe(0)
    expect(parseConfig({}).network).toMatchObject({
      enabled: undefined,
      listen: ['/ip4/127.0.0.1/tcp/30303'],
    })
  })

  it('names what is wrong with the network', () => {
    const wrong = { network: { enabled: 'yes', members: ['me'], bootnodes: 'all' } }
    expect(errorOf(() => parseConfig(wrong)).split('\n')).toEqual([
      'the configuration is not valid:',
      '  network.enabled must be true or false, not "yes"',
      '  network.bootnodes must be a list of text, not "all"',
      '  network.members must hold addresses (0x and 40 hex digits), not "me"',
    ])
  })

  it.each([null, 7, 'text', [1]])('refuses %j for the whole', (raw) => {
    expect(errorOf(() => parseConfig(raw))).toContain('the file must be an object')
  })
})

function errorOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(error).toMatchObject({ code: 'NODE_CONFIG_INVALID' })
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}
