import { describe, expect, it } from 'vitest'
import { createProxyTrust, isLoopback, isProxy, plainAddress } from '../src/client-address.ts'

describe('createProxyTrust', () => {
  const trust = createProxyTrust(['127.0.0.1', '10.0.0.0/8', '2001:db8::/32'])

  it.each([
    ['nobody stands between', '192.0.2.1', undefined, '192.0.2.1'],
    ['a stranger claims another address', '192.0.2.1', '198.51.100.9', '192.0.2.1'],
    ['a trusted proxy says so', '127.0.0.1', '198.51.100.9', '198.51.100.9'],
    [
      'a client claims more than the proxy says',
      '127.0.0.1',
      '1.1.1.1, 198.51.100.9',
      '198.51.100.9',
    ],
    ['two trusted proxies stand between', '127.0.0.1', '198.51.100.9, 10.1.1.1', '198.51.100.9'],
    ['the last hop is no address', '127.0.0.1', '198.51.100.9, unknown', '127.0.0.1'],
    ['all hops are trusted', '127.0.0.1', '10.1.1.1', '10.1.1.1'],
    ['an address has a port', '127.0.0.1', '198.51.100.9:4711', '198.51.100.9'],
    ['an address of IPv6 has brackets', '2001:db8::1', '[2001:DB9::2]:80', '2001:DB9::2'],
    ['IPv4 stands within IPv6', '10.0.0.1', '::ffff:198.51.100.9', '198.51.100.9'],
    ['nothing stands in the header', '127.0.0.1', '', '127.0.0.1'],
  ])('%s', (_, address, forwardedFor, client) => {
    expect(trust.clientOf(address, forwardedFor)).toBe(client)
  })

  it('looks at the end of a long way only', () => {
    const way = Array.from({ length: 10_000 }, () => '10.0.0.1').join(',')
    expect(trust.clientOf('127.0.0.1', `192.0.2.1,${way}`)).toBe('10.0.0.1')
  })

  it('refuses what is no address', () => {
    expect(() => createProxyTrust(['proxy.example'])).toThrow(RangeError)
  })
})

describe('isProxy', () => {
  it.each(['10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', '2001:db8::/128'])('takes %s', (text) => {
    expect(isProxy(text)).toBe(true)
  })

  it.each(['', 'a', '10.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/-1', '::/129', '10.0.0.0/8/8'])(
    'refuses %s',
    (text) => {
      expect(isProxy(text)).toBe(false)
    },
  )
})

it('knows an address of this machine in every form', () => {
  for (const text of ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1']) {
    expect(isLoopback(plainAddress(text))).toBe(true)
  }
  for (const text of ['10.0.0.1', '::ffff:10.0.0.1', '::2', '', '127.0.0.1.evil.example']) {
    expect(isLoopback(plainAddress(text))).toBe(false)
  }
})
