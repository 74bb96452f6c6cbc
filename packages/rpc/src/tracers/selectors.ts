/** `4byteTracer` of go-ethereum: how often each function was called, with what size of arguments. */

import { bytesToHex, type FrameStart } from '@vellum/evm'
import { type JsonText, jsonObject } from '../json.ts'
import type { Recorder, Room } from './recorder.ts'

const CALLS: ReadonlySet<string> = new Set(['CALL', 'CALLCODE', 'DELEGATECALL', 'STATICCALL'])
const ENTRY_CHARS = 30

export function createSelectors(room: Room): Recorder {
  const counts = new Map<string, number>()
  let text: JsonText = '{}'
  return {
    start({ precompiles }) {
      function enter({ type, to, input }: FrameStart): void {
        if (!CALLS.has(type) || input.length < 4 || precompiles.has(to)) return
        const name = `${bytesToHex(input.subarray(0, 4))}-${input.length - 4}`
        const known = counts.get(name)
        if (known === undefined) room.take(ENTRY_CHARS)
        counts.set(name, (known ?? 0) + 1)
      }
      return { enter }
    },
    end() {
      text = jsonObject([...counts].map(([name, count]) => [name, `${count}`]))
    },
    result: () => text,
  }
}
