import { bytesToHex } from '@vellum/evm'
import { GATEWAY_CALLS, LIGHT_CLIENT_CALLS } from '@vellum/sidechain'
import { describe, expect, test } from 'vitest'
import { createTampering } from '../src/peg/tampered-relay.ts'
import { createPrng } from '../src/prng.ts'

const update = (chainId: bigint, byte: number): Uint8Array =>
  LIGHT_CLIENT_CALLS.updateClient.encodeCall([chainId, 7, new Uint8Array(100).fill(byte)])
const relay = (...calls: Uint8Array[]): Uint8Array => GATEWAY_CALLS.relay.encodeCall([calls])
const callsOf = (data: Uint8Array): string[] =>
  GATEWAY_CALLS.relay.decodeCall(data)[0].map(bytesToHex)

const DATA = Array.from({ length: 40 }, (_, i) => relay(update(1n, i), update(2n, 100 + i)))

describe('a relayer', () => {
  test('that is honest sends what it should', () => {
    const tamper = createTampering('honest', createPrng('a'))
    for (const data of DATA) expect(tamper(data)).toEqual([data])
  })

  test('that garbles alters bytes of a call each time, and mostly leaves a list of calls', () => {
    const tamper = createTampering('garbler', createPrng('a'))
    let lists = 0
    for (const data of DATA) {
      const [first] = tamper(data)
      expect(bytesToHex(first!)).not.toBe(bytesToHex(data))
      try {
        if (callsOf(first!).length === 2) lists += 1
      } catch {
        // The list itself was hit.
      }
    }
    expect(lists).toBeGreaterThan(DATA.length / 2)
  })

  test('that replays sends what it has sent before', () => {
    const tamper = createTampering('replayer', createPrng('a'))
    const known = new Set<string>()
    let old = 0
    for (const data of DATA) {
      known.add(bytesToHex(data))
      const sent = tamper(data).map(bytesToHex)
      expect(sent.every((each) => known.has(each))).toBe(true)
      if (sent.some((each) => each !== bytesToHex(data))) old += 1
    }
    expect(old).toBeGreaterThan(DATA.length / 2)
  })

  test('that shuffles sends calls of the transaction, in other numbers and orders', () => {
    const tamper = createTampering('shuffler', createPrng('a'))
    const shapes = new Set<string>()
    for (const data of DATA) {
      const [sent] = tamper(data)
      const calls = callsOf(data)
      shapes.add(
        callsOf(sent!)
          .map((each) => calls.indexOf(each))
          .join(),
      )
    }
    expect([...shapes].every((shape) => !shape.includes('-1'))).toBe(true)
    expect(shapes.size).toBeGreaterThan(5)
  })

  test('that mixes up chains brings headers of one for the client of another', () => {
    const tamper = createTampering('confuser', createPrng('a'))
    let confused = 0
    for (const data of DATA) {
      for (const sent of tamper(data)) {
        for (const call of GATEWAY_CALLS.relay.decodeCall(sent)[0]) {
          const [chainId, , header] = LIGHT_CLIENT_CALLS.updateClient.decodeCall(call)
          if ((chainId === 1n) !== header[0]! < 100) confused += 1
        }
      }
    }
    expect(confused).toBeGreaterThan(DATA.length)
  })

  test('that withholds sends little', () => {
    const tamper = createTampering('withholder', createPrng('a'))
    const sent = DATA.flatMap((data) => tamper(data))
    expect(sent.length).toBeGreaterThan(0)
    expect(sent.length).toBeLessThan(DATA.length / 2)
  })
})
