/** Whose request it is: the address of the socket, or what a trusted proxy says stands behind it. */

import { BlockList, isIP } from 'node:net'

export interface ProxyTrust {
  isTrusted(address: string): boolean
  /**
   * The last address on the way that is no trusted proxy's: what stands before it anybody can claim.
   * @param address of the socket, as `plainAddress` gives it
   * @param forwardedFor X-Forwarded-For; undefined if there is none
   */
  clientOf(address: string, forwardedFor: string | undefined): string
}

/** Addresses of one request that are looked at, from its end. */
const HOPS_MAX = 16

/**
 * @param proxies addresses, or networks such as `10.0.0.0/8`; see `isProxy`
 * @throws RangeError for what is neither
 */
export function createProxyTrust(proxies: readonly string[]): ProxyTrust {
  const list = new BlockList()
  for (const proxy of proxies) {
    if (!isProxy(proxy)) throw new RangeError(`${proxy} is no address or network`)
    const [address = '', bits] = proxy.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  const isTrusted = (address: string): boolean => {
    const family = isIP(address)
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
  }
  return {
    isTrusted,
    clientOf(address, forwardedFor) {
      let client = address
      const hops = forwardedFor?.split(',') ?? []
      for (let i = 0; i < HOPS_MAX && hops.length > 0 && isTrusted(client); i++) {
        const before = plainAddress(hops.pop()!.trim())
        // What is no address ends the way: the proxy itself is taken for the client.
        if (isIP(before) === 0) return client
        client = before
      }
      return client
    },
  }
}

/** True for an address of IPv4 or IPv6, or a network with its length behind `/`. */
export function isProxy(text: string): boolean {
  const [address = '', bits, more] = text.split('/')
  const family = isIP(address)
  if (family === 0 || more !== undefined) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32))
}

/** The address without port and brackets; of an IPv4 address within IPv6 that alone. */
export function plainAddress(text: string): string {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? text
  const address = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare
  return /^\d+\.\d+\.\d+\.\d+:\d+$/.test(address) ? address.slice(0, address.indexOf(':')) : address
}

/** True for an address of this machine alone. */
export function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address)
}
