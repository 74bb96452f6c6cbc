import { connect as connectPlain, type Socket } from 'node:net'
import { type ConnectionOptions, connect } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Dispatch } from '../src/index.ts'
import { type RpcServer, type ServerOptions, startServer } from '../src/server.ts'
import { createAuthority } from './certificates.ts'
import { openRaw, post, type RawClient, statusOf } from './raw-client.ts'

const AUTHORITY = createAuthority('authority')
const STRANGER = createAuthority('stranger')
const SERVER = AUTHORITY.issue('localhost')
const CLIENT = AUTHORITY.issue('client')
const FOREIGN = STRANGER.issue('client')

const servers: RpcServer[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

const echo: Dispatch = (body) => JSON.stringify(new TextDecoder().decode(body))

async function start(options: Partial<ServerOptions> = {}): Promise<RpcServer> {
  const tls = { certificate: SERVER.certificate, key: SERVER.key }
  const server = await startServer({ port: 0, route: () => echo, tls, ...options })
  servers.push(server)
  return server
}

/** A secured connection, or the error instead of one. */
function open(server: RpcServer, options: ConnectionOptions = {}): Promise<RawClient> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port: server.port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: AUTHORITY.certificate,
      ...options,
    })
    sockets.push(socket)
    socket.once('secureConnect', () => resolve(openRaw(server.port, socket)))
    socket.once('error', reject)
  })
}

describe('TLS', () => {
  it('answers as without, on a connection that is kept', async () => {
    const server = await start()
    const client = await open(server)
    client.send(post('1') + post('2'))
    expect(await client.until(/"2"$/)).toMatch(/200 OK[\s\S]*"1"[\s\S]*200 OK[\s\S]*"2"$/)
    client.send(post('x'.repeat(900_000)))
    expect(await client.until(/x"$/)).toContain('x'.repeat(900_000))
    expect(server.connections).toBe(1)
  })

  it('carries WebSockets', async () => {
    const server = await start()
    const ca = AUTHORITY.certificate
    const client = new WebSocket(`wss://localhost:${server.port}/`, { ca })
    await new Promise((resolve) => client.on('open', resolve))
    const answer = new Promise((resolve) => client.on('message', (data) => resolve(`${data}`)))
    client.send('over')
    expect(await answer).toBe('"over"')
    expect(server.webSockets).toBe(1)
    const closed = new Promise((resolve) => client.on('close', resolve))
    client.terminate()
    await closed
  })

  it.each([
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('speaks %s: %s', async (version, isSpoken) => {
    const server = await start()
    const ciphers = 'DEFAULT@SECLEVEL=0'
    const opened = open(server, { minVersion: version, maxVersion: version, ciphers })
    if (isSpoken) expect((await opened).socket.destroyed).toBe(false)
    else await expect(opened).rejects.toThrow()
  })

  it('gives back the place of who does not shake hands', async () => {
    const server = await start({ limits: { headMsMax: 50 } })
    const silent = openRaw(server.port)
    const wrong = openRaw(server.port)
    sockets.push(silent.socket, wrong.socket)
    wrong.send(post('1'))
    expect(await wrong.closed()).not.toContain('200 OK')
    expect(await silent.closed()).toBe('')
    while (server.connections > 0) await new Promise((resolve) => setImmediate(resolve))
    const client = await open(server)
    client.send(post('1'))
    expect(statusOf(await client.until(/"1"$/))).toBe(200)
  })

  it('survives a thousand that do not shake hands: the oldest make room', async () => {
    const server = await start()
    const idle = Array.from({ length: 1_000 }, () => {
      const socket = connectPlain({ port: server.port, host: '127.0.0.1' })
      sockets.push(socket)
      socket.on('error', () => {})
      return socket
    })
    await new Promise((resolve) => idle[999]!.once('connect', resolve))
    const client = await open(server)
    client.send(post('1'))
    expect(statusOf(await client.until(/"1"$/))).toBe(200)
    expect(server.connections).toBeLessThanOrEqual(256)
  })

  it('refuses a certificate and a key that do not belong together', async () => {
    const tls = { certificate: SERVER.certificate, key: CLIENT.key }
    await expect(start({ tls })).rejects.toMatchObject({ code: expect.stringMatching(/^ERR_/) })
  })
})

describe('mutual TLS', () => {
  const tls = { ...SERVER, clientAuthorities: AUTHORITY.certificate }

  it('answers clients with a certificate of the authority', async () => {
    const client = await open(await start({ tls }), { cert: CLIENT.certificate, key: CLIENT.key })
    client.send(post('1'))
    expect(statusOf(await client.until(/"1"$/))).toBe(200)
  })

  it.each([
    ['no certificate', {}],
    ['one of another authority', { cert: FOREIGN.certificate, key: FOREIGN.key }],
  ])('answers nobody with %s', async (_, options) => {
    const server = await start({ tls })
    // With TLS 1.3 a client learns that its certificate is refused after it believes to be connected.
    const client = await open(server, options).catch(() => undefined)
    client?.send(post('1'))
    expect((await client?.closed()) ?? '').toBe('')
    while (server.connections > 0) await new Promise((resolve) => setImmediate(resolve))
  })
})
