/**
 * What happened, one line each: time, node, event. Its digest stands for the whole run: two runs of
 * one seed that differ anywhere differ in it.
 */

import type { LogFields, Logger } from '@vellum/node'
import { EPOCH_MS, type VirtualTime } from './virtual-time.ts'

export interface Transcript {
  /** @param node as it is called in lines: `n0`, or `world` */
  note(node: string, what: string): void
  /** Numbers that count in the digest, and are not worth a line. */
  mark(...numbers: readonly number[]): void
  /** A node's log. `debug` lines are shown to the reader, and do not count in the digest. */
  loggerOf(node: string): Logger
  /** 16 hex digits over all lines so far. */
  digest(): string
}

/** @param read gets each line, without line break; undefined: nobody reads */
export function createTranscript(
  time: VirtualTime,
  read: ((line: string) => void) | undefined,
): Transcript {
  let a = 0x2f0b4c47
  let b = 0x7d9e1a3b

  function mix(text: string): void {
    for (let i = 0; i < text.length; i++) mixWord(text.charCodeAt(i))
  }

  function mixWord(word: number): void {
    a = Math.imul(a ^ word, 0x9e3779b1)
    b = Math.imul(b ^ word, 0x5f356495)
    a ^= a >>> 15
    b ^= (b >>> 13) ^ a
  }

  const lineOf = (node: string, what: string): string =>
    `${((time.now() - EPOCH_MS) / 1000).toFixed(6)} ${node} ${what}`

  function note(node: string, what: string): void {
    const line = lineOf(node, what)
    mix(line)
    read?.(line)
  }

  function logger(node: string, module: string): Logger {
    const counted =
      (level: string) =>
      (message: string, fields?: LogFields): void =>
        note(node, `${level} ${module}${message}${formatFields(fields)}`)
    return {
      error: counted('error'),
      warn: counted('warn'),
      info: counted('info'),
      debug: (message, fields) =>
        read?.(lineOf(node, `debug ${module}${message}${formatFields(fields)}`)),
      child: (name) => logger(node, `${module}${name}: `),
    }
  }

  return {
    note,
    mark: (...numbers) => {
      // Microseconds: what differs less is the same.
      mixWord((time.now() * 1_000) | 0)
      for (const number of numbers) mixWord(number)
    },
    loggerOf: (node) => logger(node, ''),
    digest: () => [a, b].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join(''),
  }
}

function formatFields(fields: LogFields | undefined): string {
  if (fields === undefined) return ''
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${value}`)
    .join('')
}
