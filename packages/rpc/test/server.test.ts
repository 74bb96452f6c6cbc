import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, describe, expect, it } from 'vitest'
import type { Dispatch } from '../src/index.ts'
import { createRoutes } from '../src/routes.ts'
import { type RpcServer, type ServerOptions, startServer } from '../src/server.ts'
import { openRaw, post, type RawClient, statusOf } from './raw-client.ts'

const servers: RpcServer[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.stop()))
})

/** Answers with what it was asked; `slow` bodies later. */
const echo: Dispatch = (body) => {
  const text = `{"echo":${JSON.stringify(new TextDecoder().decode(body))}}`
  if (!text.includes('slow')) return text
  return new Promise((resolve) => setImmediate(resolve, text))
}

/** Answers when it is let: `begun` resolves once it was asked. */
function createHeld(): { dispatch: Dispatch; begun: Promise<void>; release: () => void } {
  let begin = (): void => {}
  let release = (): void => {}
  const begun = new Promise<void>((resolve) => {
    begin = resolve
  })
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  const dispatch: Dispatch = (body) => {
    const text = echo(body)
    begin()
    return released.then(() => text)
  }
  return { dispatch, begun, release }
}

async function start(options: Partial<ServerOptions> = {}): Promise<RpcServer> {
  const route = (path: string): Dispatch | undefined => (path === '/' ? echo : undefined)
  const server = await startServer({ port: 0, route, ...options })
  servers.push(server)
  return server
}

function open(server: RpcServer): RawClient {
  const raw = openRaw(server.port)
  sockets.push(raw.socket)
  return raw
}

describe('server: requests that are answered', () => {
  it('answers a client of the platform, with the length in bytes', async () => {
    const { port } = await start()
    const answer = await fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"é":"證"}',
    })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(await answer.json()).toEqual({ echo: '{"é":"證"}' })
  })

  it('keeps the connection for the next request', async () => {
    const raw = open(await start())
    raw.send(post('1'))
    await raw.until(/"1"}$/)
    raw.send(post('2'))
    expect(await raw.until(/"2"}$/)).toMatch(/"1"}HTTP\/1\.1 200 OK/)
  })

  it('answers pipelined requests in order, whichever is ready first', async () => {
    const raw = open(await start())
    raw.send(post('slow') + post('2') + post('slow 3') + post('4'))
    const answers = await raw.until(/"4"}$/)
    expect([...answers.matchAll(/{"echo":"(.*?)"}/g)].map((match) => match[1])).toEqual([
      'slow',
      '2',
      'slow 3',
      '4',
    ])
  })

  it('answers a request that comes byte by byte', async () => {
    const raw = open(await start())
    for (const byte of post('{"x":1}')) raw.send(byte)
    expect(statusOf(await raw.until(/}$/))).toBe(200)
  })

  it.each([
    ['whole', '7\r\n{"x":1}\r\n0\r\n\r\n'],
    ['in pieces with extensions', '3;a=b\r\n{"x\r\n4 \r\n":1}\r\n0\r\n\r\n'],
    ['with trailers', '7\r\n{"x":1}\r\n000\r\nX-Sum: 1\r\n\r\n'],
  ])('answers a chunked body %s', async (_, body) => {
    for (const isSplit of [false, true]) {
      const raw = open(await start())
      const text = `POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${body}`
      if (isSplit) for (const byte of text) raw.send(byte)
      else raw.send(text)
      raw.send(post('next'))
      expect(await raw.until(/next"}$/)).toContain('{"echo":"{\\"x\\":1}"}')
    }
  })

  it('says that a client may go on if it asks', async () => {
    const raw = open(await start())
    const [head, body] = post('{"x":1}', 'Expect: 100-continue\r\n').split('\r\n\r\n')
    raw.send(`${head}\r\n\r\n`)
    await raw.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    raw.send(body!)
    expect(await raw.until(/}$/)).toMatch(/100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  })

  it('answers a client that has closed its side', async () => {
    const raw = open(await start())
    raw.socket.end(post('slow'))
    expect(await raw.closed()).toContain('{"echo":"slow"}')
  })

  it.each([
    ['HTTP/1.0', post('1').replace('HTTP/1.1', 'HTTP/1.0')],
    ['a wish to close', post('1', 'Connection: close\r\n')],
  ])('closes after the answer to %s', async (_, request) => {
    const raw = open(await start())
    raw.send(request)
    expect(await raw.closed()).toMatch(/connection: close[\s\S]*{"echo":"1"}$/)
  })

  it('takes an empty line before a request', async () => {
    const raw = open(await start())
    raw.send(`\r\n${post('1')}`)
    expect(statusOf(await raw.until(/}$/))).toBe(200)
  })

  it('takes a target in absolute form and a query', async () => {
    const raw = open(await start())
    raw.send(post('1').replace('POST /', 'POST http://localhost/?key=1'))
    expect(statusOf(await raw.until(/}$/))).toBe(200)
  })

  it('answers long bodies and long answers', async () => {
    const raw = open(await start())
    const body = 'x'.repeat(1_000_000)
    raw.send(post(body) + post('end'))
    expect(await raw.until(/"end"}$/)).toContain(`{"echo":"${body}"}`)
  })
})

describe('server: requests that are refused', () => {
  const big = `X-Big: ${'x'.repeat(17_000)}\r\n`
  const many = Array.from({ length: 65 }, (_, i) => `X-${i}: 1\r\n`).join('')
  it.each([
    ['another method', 405, post('1').replace('POST', 'GET')],
    ['another path', 404, post('1').replace('POST /', 'POST /admin')],
    ['a foreign host', 403, post('1').replace('Host: localhost', 'Host: evil.example')],
    ['another content type', 415, post('1').replace('application/json', 'text/plain')],
    ['no content type', 415, post('1').replace('Content-Type: application/json\r\n', '')],
    ['no body', 411, 'POST / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a body that is too long', 413, post('1').replace('Length: 1', 'Length: 1048577')],
    [
      'a chunk that is too long',
      413,
      post('').replace('Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n100001\r\n'),
    ],
    ['a head that is too long', 431, post('1', big)],
    ['too many headers', 431, post('1', many)],
    ['another expectation', 417, post('1', 'Expect: a miracle\r\n')],
    ['HTTP/2', 505, post('1').replace('HTTP/1.1', 'HTTP/2.0')],
    ['another encoding', 501, post('1').replace('Content-Length: 1', 'Transfer-Encoding: gzip')],
    [
      'two encodings',
      501,
      post('1').replace('Content-Length: 1', 'Transfer-Encoding: gzip, chunked'),
    ],
    ['a greeting that is not HTTP', 400, 'hello\r\n\r\n'],
    ['no host', 400, post('1').replace('Host: localhost\r\n', '')],
    ['two hosts', 400, post('1', 'Host: localhost\r\n')],
    ['a host with a path', 400, post('1').replace('localhost', 'localhost/x')],
    ['two lengths', 400, post('1', 'Content-Length: 1\r\n')],
    ['two different lengths', 400, post('1', 'Content-Length: 2\r\n')],
    ['a list of lengths', 400, post('1').replace('Length: 1', 'Length: 1, 1')],
    ['a length with a sign', 400, post('1').replace('Length: 1', 'Length: +1')],
    ['a length in hex', 400, post('1').replace('Length: 1', 'Length: 0x1')],
    ['a length and an encoding', 400, post('1', 'Transfer-Encoding: chunked\r\n')],
    [
      'an encoding twice',
      400,
      post('1').replace(
        'Content-Length: 1',
        'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
      ),
    ],
    [
      'an encoding in HTTP/1.0',
      400,
      post('1').replace('Content-Length: 1', 'Transfer-Encoding: chunked').replace('1.1', '1.0'),
    ],
    ['space before a colon', 400, post('1').replace('Content-Length:', 'Content-Length :')],
    ['a folded line', 400, post('1', 'X-A: 1\r\n 2\r\n')],
    ['a header without name', 400, post('1', ': 1\r\n')],
    ['a line that ends in LF', 400, post('1', 'X-A: 1\nX-B: 2\r\n')],
    ['a bare CR in a value', 400, post('1', 'X-A: 1\rX-B: 2\r\n')],
    ['a zero byte in a value', 400, post('1', 'X-A: \0\r\n')],
    ['two spaces in the request line', 400, post('1').replace('POST ', 'POST  ')],
    [
      'a chunk size that is no number',
      400,
      post('').replace('Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\nxyz\r\n'),
    ],
    [
      'a chunk size with 0x',
      400,
      post('').replace('Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0x1\r\n'),
    ],
    [
      'a chunk that is longer than it says',
      400,
      post('').replace(
        'Content-Length: 0\r\n\r\n',
        'Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n',
      ),
    ],
    [
      'an endless chunk extension',
      400,
      post('').replace(
        'Content-Length: 0\r\n\r\n',
        `Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(300)}`,
      ),
    ],
    [
      'endless trailers',
      400,
      post('').replace(
        'Content-Length: 0\r\n\r\n',
        `Transfer-Encoding: chunked\r\n\r\n0\r\n${'X-A: 1\r\n'.repeat(600)}`,
      ),
    ],
  ])('%s: %i', async (_, status, request) => {
    const raw = open(await start())
    raw.send(request)
    const answer = await raw.until(/\r\n\r\n./)
    expect(statusOf(answer)).toBe(status)
    // What could be read in two ways ends the connection: nothing after it is believed.
    if (![403, 404, 405, 411, 415].includes(status)) {
      expect(await raw.closed()).toMatch(/connection: close/)
    }
  })

  it('reads nothing after a request that it refused', async () => {
    const raw = open(await start())
    raw.send(post('1', 'Transfer-Encoding: chunked\r\n') + post('smuggled'))
    expect(await raw.closed()).not.toContain('smuggled')
  })
})

describe('server: who may ask', () => {
  it.each(['127.0.0.1', '127.0.0.1:8545', '[::1]:8545', 'LOCALHOST', 'localhost:1'])(
    'takes the host %s',
    async (host) => {
      const raw = open(await start())
      raw.send(post('1').replace('Host: localhost', `Host: ${host}`))
      expect(statusOf(await raw.until(/}$/))).toBe(200)
    },
  )

  it('takes hosts that it is told to take', async () => {
    const raw = open(await start({ hosts: ['node.example'] }))
    raw.send(post('1').replace('localhost', 'node.example'))
    expect(statusOf(await raw.until(/}$/))).toBe(200)
  })

  it('tells pages of other origins nothing unless it is told to', async () => {
    const raw = open(await start())
    raw.send(post('1', 'Origin: https://a.example\r\n'))
    expect(await raw.until(/}$/)).not.toContain('access-control')
  })

  it('lets pages of the origins that it knows read answers', async () => {
    const origins = ['https://a.example']
    const raw = open(await start({ origins }))
    raw.send(post('1', 'Origin: https://a.example\r\n'))
    expect(await raw.until(/}$/)).toContain('access-control-allow-origin: https://a.example\r\n')
    const other = open(await start({ origins }))
    other.send(post('1', 'Origin: https://b.example\r\n'))
    expect(await other.until(/}$/)).not.toContain('access-control')
  })

  it('answers what a page asks before it asks', async () => {
    const raw = open(await start({ origins: ['*'] }))
    raw.send('OPTIONS / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a.example\r\n\r\n')
    const answer = await raw.until(/\r\n\r\n/)
    expect(statusOf(answer)).toBe(204)
    expect(answer).toContain('access-control-allow-origin: *\r\n')
    expect(answer).toContain('access-control-allow-headers: content-type, authorization\r\n')
  })
})

describe('server: limits', () => {
  it('answers others while a thousand send nothing or little', async () => {
    const server = await start({ limits: { headMsMax: 60_000 } })
    const slow = Array.from({ length: 1_000 }, () => open(server))
    for (const [i, raw] of slow.entries()) if (i % 2 === 0) raw.send('POST / HT')
    await slow[999]!.until(/^$/)
    for (let i = 0; i < 5; i++) {
      const raw = open(server)
      raw.send(post(`${i}`))
      expect(statusOf(await raw.until(/}$/))).toBe(200)
    }
    expect(server.connections).toBeLessThanOrEqual(256)
  })

  it('turns clients away while all places are busy', async () => {
    const held = createHeld()
    const server = await start({ limits: { connectionsMax: 1 }, route: () => held.dispatch })
    const first = open(server)
    first.send(post('1'))
    await held.begun
    expect(statusOf(await open(server).closed())).toBe(503)
    held.release()
    expect(await first.until(/}$/)).toContain('{"echo":"1"}')
  })

  it.each([
    ['head', { headMsMax: 50 }, 'POST / HTTP/1.1\r\nHost'],
    ['body', { requestMsMax: 50 }, post('12345').slice(0, -1)],
  ])('ends a request whose %s does not come in time', async (_, limits, text) => {
    const raw = open(await start({ limits }))
    raw.send(text)
    expect(statusOf(await raw.closed())).toBe(408)
  })

  it('ends a connection that drips', async () => {
    const raw = open(await start({ limits: { headMsMax: 300 } }))
    const drip = setInterval(() => raw.socket.writable && raw.send('x'), 20)
    raw.send('POST / HTTP/1.1\r\nX: ')
    expect(statusOf(await raw.until(/408/))).toBe(408)
    clearInterval(drip)
  })

  it('ends a connection that is idle', async () => {
    const raw = open(await start({ limits: { idleMsMax: 50 } }))
    raw.send(post('1'))
    expect(await raw.closed()).toMatch(/"1"}$/)
  })

  it('ends a connection that takes no answers', async () => {
    const server = await start({ limits: { answerMsMax: 50 } })
    const raw = open(server)
    raw.socket.pause()
    const body = 'x'.repeat(900_000)
    for (let i = 0; i < 20; i++) raw.send(post(body))
    while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(server.connections).toBe(0)
  })
})

interface Line {
  readonly socket: WebSocket
  readonly opened: Promise<unknown>
  readonly closed: Promise<number>
}

describe('server: many chains', () => {
  const answer =
    (name: string): Dispatch =>
    () =>
      `"${name}"`
  const routes = createRoutes([
    { name: 'main', dispatch: answer('main') },
    { name: 'side-2', dispatch: answer('side-2') },
  ])
  const route = routes.at

  it.each([
    ['/', 200, 'main'],
    ['/chain/main', 200, 'main'],
    ['/chain/side-2', 200, 'side-2'],
    ['/chain/side-2?key=1', 200, 'side-2'],
    ['/chain/', 404, ''],
    ['/chain/other', 404, ''],
    ['/chain/main/', 404, ''],
    ['/chain/__proto__', 404, ''],
  ])('%s: %i %s', async (path, status, name) => {
    const raw = open(await start({ route }))
    raw.send(post('1', '', path))
    const text = await raw.until(/\r\n\r\n./)
    expect(statusOf(text)).toBe(status)
    if (status === 200) expect(text).toContain(`"${name}"`)
  })

  it('serves a chain as long as it is there, and ends what is open to it', async () => {
    const changing = createRoutes([{ name: 'main', dispatch: answer('main') }])
    const server = await start({ route: changing.at })
    const get = async (path: string): Promise<number> => {
      const { status } = await fetch(`http://127.0.0.1:${server.port}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '1',
      })
      return status
    }
    expect(await get('/chain/fishing')).toBe(404)
    changing.add({ name: 'fishing', dispatch: answer('fishing') })
    expect(await get('/chain/fishing')).toBe(200)
    const [side, main] = ['/chain/fishing', '/'].map((path) => {
      const socket = new WebSocket(`ws://127.0.0.1:${server.port}${path}`)
      const closed = new Promise<number>((resolve) => {
        socket.addEventListener('close', ({ code }) => resolve(code))
      })
      const opened = new Promise((resolve) => socket.addEventListener('open', resolve))
      return { socket, opened, closed }
    }) as [Line, Line]
    await Promise.all([side.opened, main.opened])
    changing.remove('fishing')
    expect(await get('/chain/fishing')).toBe(404)
    expect(await side.closed).toBe(1001)
    expect(main.socket.readyState).toBe(WebSocket.OPEN)
    // The name is free again.
    changing.add({ name: 'fishing', dispatch: answer('another') })
    expect(await get('/chain/fishing')).toBe(200)
    main.socket.close()
    await main.closed
  })

  it.each([[['a', 'a']], [['A']], [['']], [['a/b']], [['x'.repeat(33)]]])(
    'has no chains called %j',
    (names) => {
      const chains = names.map((name) => ({ name, dispatch: echo }))
      expect(() => createRoutes(chains)).toThrow(RangeError)
    },
  )
})

describe('server: budgets', () => {
  /** Asks as a client behind a proxy, since this machine itself has no limit. */
  const from = (address: string): string => post('1', `X-Forwarded-For: ${address}\r\n`)
  const limits = { tokensPerSecond: 1, tokensAtOnce: 10 }
  /** Each request costs 6. */
  const route = (): Dispatch => (_, caller) => {
    caller?.budget?.take(6)
    return '"done"'
  }

  it('refuses who has used up its own with 429, an error of JSON-RPC, and when to come back', async () => {
    const refused: string[] = []
    const trustedProxies = ['127.0.0.0/8']
    const onRefused = (reason: string): void => void refused.push(reason)
    const raw = open(await start({ limits, route, trustedProxies, onRefused }))
    raw.send(from('192.0.2.1') + from('192.0.2.1') + from('192.0.2.1') + from('192.0.2.2'))
    const answers = (await raw.until(/(?:HTTP[\s\S]*){4}"done"$/)).split('HTTP/1.1 ').slice(1)
    expect(answers.map((each) => each.slice(0, 3))).toEqual(['200', '200', '429', '200'])
    expect(answers[2]).toMatch(/retry-after: [23]\r\n/)
    expect(JSON.parse(answers[2]!.split('\r\n\r\n')[1]!)).toMatchObject({
      id: null,
      error: { code: -32005 },
    })
    expect(refused).toEqual(['rate'])
  })

  it('takes the last of several headers, which the proxy has added', async () => {
    const raw = open(await start({ limits, route, trustedProxies: ['127.0.0.1'] }))
    const twice = (first: string): string =>
      post('1', `X-Forwarded-For: ${first}\r\nX-Forwarded-For: 192.0.2.1\r\n`)
    raw.send(twice('198.51.100.1') + twice('198.51.100.2') + twice('198.51.100.3'))
    const answers = (await raw.until(/(?:HTTP[\s\S]*){3}-32005[^}]*}}$/)).split('HTTP/1.1 ')
    expect(answers.slice(1).map((each) => each.slice(0, 3))).toEqual(['200', '200', '429'])
  })

  it('makes guessing of tokens cost more than calls', async () => {
    const trustedProxies = ['127.0.0.1']
    const read: string[] = []
    const authenticate = (token: string): undefined => void read.push(token)
    const some = { ...limits, tokensAtOnce: 15 }
    const raw = open(await start({ limits: some, route, trustedProxies, authenticate }))
    const guess = (token: string): string =>
      post('1', `X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer ${token}\r\n`)
    raw.send(guess('a') + guess('b') + guess('c') + from('192.0.2.2'))
    const answers = (await raw.until(/"done"$/)).split('HTTP/1.1 ').slice(1)
    expect(answers.map((each) => each.slice(0, 3))).toEqual(['401', '401', '429', '200'])
    expect(read).toEqual(['a', 'b'])
  })

  it('believes no stranger who claims to be another', async () => {
    const callers: unknown[] = []
    const seen = (): Dispatch => (_, caller) => {
      callers.push(caller)
      return '1'
    }
    const raw = open(await start({ limits, route: seen }))
    raw.send(from('192.0.2.1'))
    await raw.until(/1$/)
    expect(callers).toEqual([{ isForwarded: true, budget: undefined }])
  })

  it('leaves programs of this machine alone', async () => {
    const raw = open(await start({ limits, route }))
    for (let i = 0; i < 20; i++) raw.send(post('1'))
    raw.send(post('last', 'Connection: close\r\n'))
    expect((await raw.closed()).match(/ 200 OK/g)).toHaveLength(21)
  })
})

describe('server: tokens', () => {
  const authenticate: ServerOptions['authenticate'] = (token) =>
    token === 'late'
      ? Promise.resolve({ grants: ['debug'] })
      : token === 'good'
        ? { grants: undefined }
        : undefined
  const grants: Dispatch = (_, caller) =>
    JSON.stringify([caller?.grants && [...caller.grants], caller?.isBoundToGrants])
  const bearer = (token: string): string => post('1', `Authorization: Bearer ${token}\r\n`)

  it.each([
    ['one that names no methods', bearer('good'), '[[],false]'],
    ['one that is read later', bearer('late'), '[["debug"],false]'],
    ['none', post('1'), '[null,null]'],
  ])('tells the dispatcher of %s', async (_, request, answer) => {
    const raw = open(await start({ authenticate, route: () => grants }))
    raw.send(request + request)
    const text = await raw.until(/(?:HTTP[\s\S]*){2}]$/)
    expect(text.split(answer).length).toBe(3)
  })

  it.each([
    ['a wrong one', bearer('bad'), false],
    ['an empty one', bearer(''), false],
    ['another scheme', post('1', 'Authorization: Basic Zzz=\r\n'), false],
    ['none where one is needed', post('1'), true],
  ])('refuses %s with 401', async (_, request, isTokenRequired) => {
    const refused: string[] = []
    const onRefused = (reason: string): void => void refused.push(reason)
    const raw = open(await start({ authenticate, isTokenRequired, onRefused }))
    raw.send(request)
    const answer = await raw.until(/\r\n\r\n./)
    expect(statusOf(answer)).toBe(401)
    expect(answer).toContain('www-authenticate: Bearer\r\n')
    expect(refused).toEqual(['token'])
  })

  it('refuses two of them', async () => {
    const raw = open(await start({ authenticate }))
    raw.send(post('1', 'Authorization: Bearer good\r\nAuthorization: Bearer bad\r\n'))
    expect(statusOf(await raw.closed())).toBe(400)
  })

  it('binds a client to its token where one is needed', async () => {
    const raw = open(await start({ authenticate, isTokenRequired: true, route: () => grants }))
    raw.send(bearer('late') + bearer('good'))
    expect(await raw.until(/\[\[],false]$/)).toContain('[["debug"],true]')
  })
})

describe('server: floods of connections', () => {
  it('cuts a thousand clients that send a byte at a time, and answers others meanwhile', async () => {
    const server = await start({ limits: { connectionsMax: 2_000, headMsMax: 800 } })
    const slow = Array.from({ length: 1_000 }, () => open(server))
    const text = post('1')
    let at = 0
    const drip = setInterval(() => {
      const byte = text[at++] ?? 'x'
      for (const { socket, send } of slow) if (socket.writable) send(byte)
    }, 100)
    for (let i = 0; i < 5; i++) {
      const raw = open(server)
      raw.send(post(`${i}`))
      expect(statusOf(await raw.until(/}$/))).toBe(200)
    }
    const answers = await Promise.all(slow.map(({ closed }) => closed()))
    clearInterval(drip)
    expect(answers.every((answer) => statusOf(answer) === 408)).toBe(true)
  })

  it('survives ten thousand idle connections: the oldest make room, and it answers', async () => {
    const server = await start()
    let most = 0
    let ended = 0
    let seen = 0
    const idle: Socket[] = []
    for (let i = 0; i < 40; i++) {
      const opened = Array.from({ length: 250 }, () => {
        const socket = connect({ port: server.port, host: '127.0.0.1' })
        idle.push(socket)
        sockets.push(socket)
        socket.on('error', () => {})
        socket.on('close', () => ended++)
        return new Promise<void>((resolve) => {
          socket.once('connect', resolve)
          socket.once('close', () => resolve())
        })
      })
      await Promise.all(opened)
      // The system tells clients that they are connected before the server has looked at them.
      await new Promise((resolve) => setImmediate(resolve))
      most = Math.max(most, server.connections)
      if (i % 4 !== 3) continue
      const raw = open(server)
      raw.send(post(`${i}`))
      if (statusOf(await raw.until(/}$/)) === 200) seen++
    }
    expect(seen).toBe(10)
    expect(most).toBeLessThanOrEqual(256)
    await Promise.all(
      idle.slice(0, 9_000).map((socket) => {
        if (!socket.closed) return new Promise((resolve) => socket.once('close', resolve))
        return undefined
      }),
    )
    expect(ended).toBeGreaterThanOrEqual(9_000)
  })

  it('counts connections by address, and forgets those that left', async () => {
    const held = createHeld()
    const limits = { connectionsPerAddressMax: 2 }
    const server = await start({ address: '0.0.0.0', limits, route: () => held.dispatch })
    const elsewhere = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal)
    // Without a network card there is no other address to come from.
    if (elsewhere === undefined) return
    const from = (): RawClient => {
      const options = { port: server.port, host: elsewhere.address, allowHalfOpen: true }
      const raw = openRaw(server.port, connect(options))
      sockets.push(raw.socket)
      return raw
    }
    const [first, second] = [from(), from()]
    first!.send(post('1'))
    await held.begun
    second!.send(post('2').slice(0, -1))
    while (server.connections < 2) await new Promise((resolve) => setImmediate(resolve))
    expect(statusOf(await from().closed())).toBe(429)
    held.release()
    await first!.until(/}$/)
    first!.socket.destroy()
    second!.socket.destroy()
    while (server.connections > 0) await new Promise((resolve) => setImmediate(resolve))
    const third = from()
    third.send(post('3'))
    expect(statusOf(await third.until(/}$/))).toBe(200)
  })
})

describe('server: life', () => {
  it('says why it cannot listen', async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })

  it('answers what is under way before it stops', async () => {
    const held = createHeld()
    const route = (path: string): Dispatch => (path === '/held' ? held.dispatch : echo)
    const server = await start({ route })
    const busy = open(server)
    const idle = open(server)
    idle.send(post('1'))
    await idle.until(/"1"}$/)
    busy.send(post('2').replace('POST /', 'POST /held'))
    await held.begun
    servers.splice(0)
    const stopped = server.stop()
    await idle.closed()
    held.release()
    await stopped
    expect(await busy.closed()).toMatch(/connection: close[\s\S]*{"echo":"2"}$/)
  })
})
