import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import type { Caller, Line, Subscriber } from '../src/access.ts'
import type { Dispatch } from '../src/index.ts'
import { type RpcServer, type ServerOptions, startServer } from '../src/server.ts'
import { openRaw, post, type RawClient, statusOf, upgradeRequest } from './raw-client.ts'

const servers: RpcServer[] = []
const clients: WebSocket[] = []
const raws: RawClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate()
  for (const { socket } of raws.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

const echo: Dispatch = (body) => `{"echo":${JSON.stringify(new TextDecoder().decode(body))}}`

async function start(options: Partial<ServerOptions> = {}): Promise<RpcServer> {
  const route = (path: string): Dispatch | undefined => (path === '/' ? echo : undefined)
  const server = await startServer({ port: 0, route, ...options })
  servers.push(server)
  return server
}

interface Client {
  readonly webSocket: WebSocket
  send(text: string | Uint8Array): void
  /** The next message that was not taken yet. */
  next(): Promise<string>
  /** Status code of the close. */
  closed(): Promise<number>
}

async function open(
  server: RpcServer,
  options: { path?: string; headers?: Record<string, string> } = {},
): Promise<Client> {
  const { path = '/', headers = {} } = options
  const webSocket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, { headers })
  clients.push(webSocket)
  const messages: string[] = []
  const wanted: ((text: string) => void)[] = []
  webSocket.on('message', (data) => {
    const text = (data as Buffer).toString()
    const want = wanted.shift()
    if (want === undefined) messages.push(text)
    else want(text)
  })
  const closed = new Promise<number>((resolve) => webSocket.on('close', resolve))
  await new Promise<void>((resolve, reject) => {
    webSocket.on('open', resolve)
    webSocket.on('error', reject)
  })
  return {
    webSocket,
    send: (text) => webSocket.send(text),
    next: () => {
      const message = messages.shift()
      return message === undefined
        ? new Promise((resolve) => void wanted.push(resolve))
        : Promise.resolve(message)
    },
    closed: () => closed,
  }
}

function raw(server: RpcServer, bytes: string | Uint8Array): RawClient {
  const client = openRaw(server.port)
  raws.push(client)
  client.send(bytes)
  return client
}

/** A frame as a client sends it (RFC 6455 section 5.2), masked with zeros. */
function frame(firstByte: number, payload: string | Uint8Array, isMasked = true): Buffer {
  const body = Buffer.from(payload as string)
  const mask = isMasked ? 0x80 : 0
  const head =
    body.length < 126
      ? [firstByte, mask | body.length]
      : [firstByte, mask | 126, body.length >> 8, body.length & 255]
  return Buffer.concat([Buffer.from(head), Buffer.alloc(isMasked ? 4 : 0), body])
}

/** Keeps what it is asked until it is let go. */
function createHeld(): { dispatch: Dispatch; asked: () => number; release: () => void } {
  let asked = 0
  const ends: (() => void)[] = []
  return {
    dispatch: (body) => {
      asked++
      const text = echo(body)
      return new Promise((resolve) => void ends.push(() => void resolve(text)))
    },
    asked: () => asked,
    release: () => {
      for (const end of ends.splice(0)) end()
    },
  }
}

const eventually = async (isThere: () => boolean): Promise<void> => {
  while (!isThere()) await new Promise((resolve) => setImmediate(resolve))
}

describe('web socket: messages', () => {
  it('answers each, text or bytes, on the paths that HTTP has', async () => {
    const route = (path: string): Dispatch | undefined => (path === '/chain/a' ? echo : undefined)
    const client = await open(await start({ route }), { path: '/chain/a' })
    client.send('{"é":1}')
    expect(await client.next()).toBe('{"echo":"{\\"é\\":1}"}')
    client.send(new Uint8Array([50]))
    expect(await client.next()).toBe('{"echo":"2"}')
  })

  it.each([1, 125, 126, 65_535, 65_536, 200_000])(
    'answers with a message of %i bytes',
    async (size) => {
      const text = 'é'.repeat(Math.floor(size / 2)) + (size % 2 === 1 ? 'x' : '')
      const dispatch: Dispatch = () => text
      const client = await open(await start({ route: () => dispatch }))
      client.send('1')
      expect(await client.next()).toBe(text)
    },
  )

  it('answers what came right behind the request to go over', async () => {
    const server = await start()
    const bytes = Buffer.concat([
      Buffer.from(upgradeRequest()),
      frame(0x81, 'first'),
      frame(0x81, 'second'),
    ])
    const answer = await raw(server, bytes).until(/second/)
    expect(statusOf(answer)).toBe(101)
    expect(answer).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(answer).toMatch(/"first"[\s\S]*"second"/)
  })

  it('goes over on a connection that has asked before', async () => {
    const server = await start()
    const client = raw(server, post('1'))
    await client.until(/"1"}$/)
    client.send(upgradeRequest())
    await client.until(/101 Switching/)
    client.send(frame(0x81, 'over'))
    expect(await client.until(/"over"/)).toContain('{"echo":"over"}')
    expect([server.connections, server.webSockets]).toEqual([1, 1])
  })

  it('answers in the order in which answers are ready', async () => {
    const held = createHeld()
    const dispatch: Dispatch = (body) => (body.length === 1 ? echo(body) : held.dispatch(body))
    const client = await open(await start({ route: () => dispatch }))
    client.send('slow')
    client.send('f')
    expect(await client.next()).toContain('"f"')
    held.release()
    expect(await client.next()).toContain('"slow"')
  })

  it('answers notifications with nothing', async () => {
    const dispatch: Dispatch = (body) => (body.length === 1 ? '' : echo(body))
    const client = await open(await start({ route: () => dispatch }))
    client.send('1')
    client.send('22')
    expect(await client.next()).toContain('"22"')
  })

  it('puts a message together from its pieces, with a ping between', async () => {
    const server = await start()
    const client = raw(server, upgradeRequest())
    await client.until(/101 Switching/)
    client.send(Buffer.concat([frame(0x01, 'on'), frame(0x89, 'ping'), frame(0x80, 'e')]))
    expect(await client.until(/"one"/)).toContain('ping')
  })

  it('tells of events after the answer, until the connection closes', async () => {
    let line: Line | undefined
    let isClosed = false
    const dispatch: Dispatch = (_, caller?: Caller) => {
      const subscriber = caller!.subscriber as Subscriber
      line = subscriber.line
      subscriber.onAnswered(() => line!.send('event'))
      line.onClose(() => {
        isClosed = true
      })
      return 'answer'
    }
    const client = await open(await start({ route: () => dispatch }))
    client.send('1')
    expect([await client.next(), await client.next()]).toEqual(['answer', 'event'])
    client.webSocket.close()
    await eventually(() => isClosed)
    line!.send('to nobody')
  })
})

describe('web socket: who may open one', () => {
  it.each<[string, number, string, Partial<ServerOptions>]>([
    ['another path', 404, upgradeRequest('', '/other'), {}],
    ['a foreign host', 403, upgradeRequest().replace('localhost', 'evil.example'), {}],
    [
      'a page of an origin that is not allowed',
      403,
      upgradeRequest('Origin: https://evil.example\r\n'),
      { origins: ['https://a.example'] },
    ],
    ['another version', 400, upgradeRequest().replace('Version: 13', 'Version: 8'), {}],
    ['no key', 400, upgradeRequest().replace(/Sec-WebSocket-Key.*\r\n/, ''), {}],
    ['a key that is none', 400, upgradeRequest().replace('dGhl', '????'), {}],
    ['POST', 405, `${upgradeRequest('Content-Length: 1\r\n').replace('GET', 'POST')}x`, {}],
    ['HTTP/1.0', 405, upgradeRequest().replace('HTTP/1.1', 'HTTP/1.0'), {}],
    ['another protocol', 405, upgradeRequest().replace('Upgrade: websocket', 'Upgrade: h2c'), {}],
    [
      'no token where one is needed',
      401,
      upgradeRequest(),
      { authenticate: () => undefined, isTokenRequired: true },
    ],
    [
      'a wrong token',
      401,
      upgradeRequest('Authorization: Bearer x\r\n'),
      { authenticate: () => undefined },
    ],
    ['a server that has none', 405, upgradeRequest(), { webSockets: false }],
    ['no place', 503, upgradeRequest(), { limits: { webSocketsMax: 0 } }],
  ])('refuses %s: %i', async (_, status, request, options) => {
    const server = await start(options)
    expect(statusOf(await raw(server, request).until(/\r\n\r\n./))).toBe(status)
    expect(server.webSockets).toBe(0)
  })

  it('takes pages of origins that are allowed, and clients that are no page', async () => {
    const server = await start({ origins: ['https://a.example'] })
    for (const headers of [{ Origin: 'https://a.example' }, {}]) {
      const client = await open(server, { headers })
      client.send('1')
      expect(await client.next()).toContain('"1"')
    }
  })

  it('speaks no subprotocol, whichever is offered', async () => {
    const answer = await raw(
      await start(),
      upgradeRequest('Sec-WebSocket-Protocol: jsonrpc, wamp\r\n'),
    ).until(/101[\s\S]*\r\n\r\n/)
    expect(answer.toLowerCase()).not.toContain('sec-websocket-protocol')
  })

  it('gives all messages what the token of the first request grants', async () => {
    const dispatch: Dispatch = (_, caller) => JSON.stringify([...caller!.grants!])
    const authenticate = async (): Promise<{ grants: string[] }> => ({ grants: ['debug'] })
    const headers = { Authorization: 'Bearer x' }
    const client = await open(await start({ authenticate, route: () => dispatch }), { headers })
    client.send('1')
    expect(await client.next()).toBe('["debug"]')
  })
})

describe('web socket: limits', () => {
  it('takes a message of the limit, and closes on a longer one', async () => {
    const server = await start({ limits: { bodyBytesMax: 1_000 } })
    const client = await open(server)
    client.send('x'.repeat(1_000))
    expect(await client.next()).toContain('xxx')
    client.send('x'.repeat(1_001))
    expect(await client.closed()).toBe(1009)
  })

  it('closes on a message in pieces that grows beyond the limit', async () => {
    const server = await start({ limits: { bodyBytesMax: 1_000 } })
    const client = raw(server, upgradeRequest())
    await client.until(/101 Switching/)
    client.send(frame(0x01, 'x'.repeat(600)))
    client.send(frame(0x80, 'x'.repeat(600)))
    await client.closed()
    await eventually(() => server.connections === 0)
  })

  it.each([
    ['an unmasked frame', frame(0x81, 'x', false)],
    ['a reserved bit', frame(0xc1, 'x')],
    ['an unknown opcode', frame(0x83, 'x')],
    ['a continuation of nothing', frame(0x80, 'x')],
    ['a ping in pieces', frame(0x09, 'x')],
    ['a ping that is too long', frame(0x89, 'x'.repeat(126))],
    ['text that is not UTF-8', frame(0x81, Buffer.from([0xff, 0xfe]))],
    ['a length beyond all numbers', Buffer.from([0x81, 0xff, ...Array<number>(8).fill(0xff)])],
  ])('closes on %s, and goes on for others', async (_, bytes) => {
    const server = await start()
    const other = await open(server)
    const client = raw(server, upgradeRequest())
    await client.until(/101 Switching/)
    client.send(bytes)
    await client.closed()
    other.send('1')
    expect(await other.next()).toContain('"1"')
  })

  it('reads no further while too many messages are being answered', async () => {
    const held = createHeld()
    const limits = { messagesUnderWayMax: 4 }
    const server = await start({ limits, route: () => held.dispatch })
    const client = await open(server)
    for (let i = 0; i < 100; i++) client.send(`${i}`)
    await eventually(() => held.asked() >= 4)
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    // What `ws` has taken from the socket already it hands on; it takes no more.
    const atOnce = held.asked()
    expect(atOnce).toBeLessThan(100)
    for (let i = 0; i < 100; i++) {
      await eventually(() => held.asked() > i)
      held.release()
      expect(await client.next()).toContain(`"${i}"`)
    }
  })

  it('cuts off a client that takes less than it is told', async () => {
    const refused: string[] = []
    const dispatch: Dispatch = () => 'x'.repeat(100_000)
    const limits = { unsentBytesMax: 200_000 }
    const onRefused = (reason: string): void => void refused.push(reason)
    const server = await start({ limits, route: () => dispatch, onRefused })
    const client = raw(server, upgradeRequest())
    await client.until(/101 Switching/)
    client.socket.pause()
    const asking = setInterval(() => client.socket.writable && client.send(frame(0x81, 'x')), 0)
    await eventually(() => server.connections === 0)
    clearInterval(asking)
    expect(refused).toEqual(['slow'])
  })

  it('cuts off a subscriber that does not read', async () => {
    let line: Line | undefined
    const dispatch: Dispatch = (_, caller) => {
      line = caller!.subscriber!.line
      line.onClose(() => {})
      return '1'
    }
    const server = await start({ limits: { unsentBytesMax: 100_000 }, route: () => dispatch })
    const client = raw(server, upgradeRequest())
    await client.until(/101 Switching/)
    client.send(frame(0x81, 'x'))
    await eventually(() => line !== undefined)
    client.socket.pause()
    while (server.webSockets > 0) {
      line!.send('e'.repeat(10_000))
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(server.connections).toBe(0)
  })

  it('asks a silent client for a sign of life, and keeps who gives one', async () => {
    const server = await start({ limits: { pingMs: 1, pongMsMax: 400 } })
    const dead = raw(server, upgradeRequest())
    const alive = await open(server)
    let pings = 0
    alive.webSocket.on('ping', () => pings++)
    await dead.closed()
    await eventually(() => pings > 1)
    alive.send('1')
    expect(await alive.next()).toContain('"1"')
    expect(server.webSockets).toBe(1)
  })

  it('answers a client in debt with an error, and reads on when that is paid', async () => {
    const dispatch: Dispatch = (_, caller) => {
      const { budget } = caller!
      if (!budget!.hasLeft()) return 'in debt'
      budget!.take(3)
      return 'done'
    }
    const trustedProxies = ['127.0.0.1']
    const limits = { tokensPerSecond: 20, tokensAtOnce: 1 }
    const refused: string[] = []
    const onRefused = (reason: string): void => void refused.push(reason)
    const server = await start({ limits, trustedProxies, onRefused, route: () => dispatch })
    const client = raw(server, upgradeRequest('X-Forwarded-For: 192.0.2.7\r\n'))
    await client.until(/101 Switching/)
    client.send(Buffer.concat([frame(0x81, '1'), frame(0x81, '2')]))
    await client.until(/done[\s\S]*in debt/)
    client.send(frame(0x81, '3'))
    expect(await client.until(/in debt[\s\S]*done/)).toMatch(/done[\s\S]*in debt[\s\S]*done/)
    expect(refused).toEqual(['rate'])
  })

  it('gives up a silent socket for a new client, but none with a subscription', async () => {
    const dispatch: Dispatch = (_, caller) => {
      caller?.subscriber?.line.onClose(() => {})
      return '"subscribed"'
    }
    const server = await start({ limits: { connectionsMax: 2 }, route: () => dispatch })
    const subscribed = await open(server)
    subscribed.send('1')
    await subscribed.next()
    const idle = await open(server)
    const next = raw(server, post('1'))
    expect(await next.until(/"subscribed"$/)).toContain('200 OK')
    expect(await idle.closed()).toBe(1006)
    subscribed.send('1')
    expect(await subscribed.next()).toBe('"subscribed"')
  })
})

describe('web socket: the end', () => {
  it('tells clients that the server goes', async () => {
    const server = await start()
    const client = await open(server)
    servers.splice(0)
    await server.stop()
    expect(await client.closed()).toBe(1001)
  })

  it('does not wait for a client that does not take leave', async () => {
    const server = await start()
    const client = raw(server, upgradeRequest())
    await client.until(/101 Switching/)
    client.socket.pause()
    servers.splice(0)
    await server.stop()
    expect(server.webSockets).toBe(0)
  })
})
