/** Lines for people and for `grep`: time, level, module, message, then fields as `name=value`. */

import type { LogLevel } from '../config.ts'
import type { LogFields, Logger } from '../ports.ts'

const RANK: Readonly<Record<LogLevel, number>> = { error: 0, warn: 1, info: 2, debug: 3 }

/** @param write takes one line with its end; standard error on a node */
export function createConsoleLog(
  level: LogLevel,
  write: (line: string) => void,
  module = 'node',
): Logger {
  const log =
    (of: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (RANK[of] > RANK[level]) return
      const parts = Object.entries(fields)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => ` ${name}=${shown(value)}`)
      write(`${new Date().toISOString()} ${of} ${module}: ${message}${parts.join('')}\n`)
    }
  return {
    error: log('error'),
    warn: log('warn'),
    info: log('info'),
    debug: log('debug'),
    child: (name) => createConsoleLog(level, write, name),
  }
}

/** One line, whatever a field holds: what came from outside must not forge lines. */
function shown(value: LogFields[string]): string {
  const text = String(value)
  return /^[\w.:/-]+$/.test(text) ? text : JSON.stringify(text)
}
