/**
 * The default tracer: one entry for each opcode.
 *
 * Shape of the entries: `debug_traceTransaction` of execution-apis; what an entry holds is as it was
 * just before its opcode, and an account's slots are those that the transaction read or wrote so far.
 * Entries are text at once: a step as an object with a copy of its stack takes ten times the memory.
 */

import { type Address, bytesToHex, type Halt, opcodeName, type Step } from '@vellum/evm'
import { data } from '../format.ts'
import { type JsonText, jsonArray, jsonString } from '../json.ts'
import { failureOf, type Recorder, type Room } from './recorder.ts'

export interface StructLogOptions {
  readonly isStackShown: boolean
  readonly isStorageShown: boolean
  readonly isMemoryShown: boolean
  readonly isReturnDataShown: boolean
  /** Entries after which none is added; 0: all. */
  readonly entriesMax: number
}

const SLOAD = 0x54
const SSTORE = 0x55

export function createStructLog(options: StructLogOptions, room: Room): Recorder {
  const entries: JsonText[] = []
  const storage = new Map<Address, Map<string, string>>()
  let head = ''
  let tail = ''
  let isFull = false
  let text: JsonText = ''

  /** The slots that this account's code has read or written, this one with what it is now. */
  function slotsAt(address: Address, slot: bigint, value: bigint): JsonText {
    let slots = storage.get(address)
    if (slots === undefined) {
      slots = new Map()
      storage.set(address, slots)
    }
    slots.set(wordText(slot), wordText(value))
    return `{${[...slots].map(([name, held]) => `"${name}":"${held}"`).join(',')}}`
  }

  return {
    start({ world }) {
      function begin(step: Step): void {
        isFull = options.entriesMax > 0 && entries.length >= options.entriesMax
        if (isFull) return
        const { pc, op, gas, depth, stackSize, memorySize } = step
        head = `{"pc":${pc},"op":"${opcodeName(op)}","gas":${gas},"gasCost":`
        tail = `,"depth":${depth}`
        if (options.isStackShown) {
          tail += `,"stack":${jsonArray(step.stack().map((word) => `"0x${word.toString(16)}"`))}`
        }
        if (options.isReturnDataShown) {
          const returned = step.returnData()
          if (returned.length > 0) tail += `,"returnData":${data(returned)}`
        }
        if (options.isMemoryShown && memorySize > 0) tail += `,"memory":${wordsIn(step.memory())}`
        if (options.isStorageShown && op === SLOAD && stackSize > 0) {
          const slot = step.stackAt(0)
          const held = world.storage(step.address, wordText(slot))
          tail += `,"storage":${slotsAt(step.address, slot, held)}`
        } else if (options.isStorageShown && op === SSTORE && stackSize > 1) {
          tail += `,"storage":${slotsAt(step.address, step.stackAt(0), step.stackAt(1))}`
        }
        if (step.refund > 0n) tail += `,"refund":${step.refund}`
      }

      function end(gasCost: bigint, halt: Halt | undefined): void {
        if (isFull) return
        const error = halt === undefined ? '' : `,"error":${jsonString(failureOf(halt))}`
        const entry = `${head}${gasCost}${tail}${error}}`
        room.take(entry.length + 1)
        entries.push(entry)
      }

      return { step: begin, stepEnd: end }
    },
    end({ halt, gasUsed, output }) {
      const returned = halt === 'success' || halt === 'revert' ? data(output) : '"0x"'
      text =
        `{"gas":${gasUsed},"failed":${halt !== 'success'},"returnValue":${returned}` +
        `,"structLogs":${jsonArray(entries)}}`
    },
    result: () => text,
  }
}

function wordText(value: bigint): `0x${string}` {
  return `0x${value.toString(16).padStart(64, '0')}`
}

/** Memory in words. Its size is a multiple of 32. */
function wordsIn(memory: Uint8Array): JsonText {
  const words: JsonText[] = []
  for (let at = 0; at < memory.length; at += 32) {
    words.push(`"${bytesToHex(memory.subarray(at, at + 32))}"`)
  }
  return jsonArray(words)
}
