import { describe, expect, test } from 'vitest'
import { showTour } from '../src/host/tour-command.ts'

const NEVER = new Promise<never>(() => {})

/** Shows what a script does in place of the tour. */
async function shown(script: string, stopping: Promise<unknown> = NEVER): Promise<string[]> {
  const lines: string[] = []
  const program = [process.execPath, '-e', script]
  const print = (line: string): void => void lines.push(line)
  await showTour({ program, url: 'http://127.0.0.1:1', print, stopping })
  return lines
}

describe('the tour at the end of the first start', () => {
  test('is told line by line, and has the node that it is to speak to', async () => {
    const script = 'console.log("one"); console.log(process.argv.slice(1).join(" "))'
    expect(await shown(script)).toEqual(['one', 'tour --rpc http://127.0.0.1:1'])
  })

  test('that fails says why, and that the network goes on', async () => {
    const lines = await shown('console.error("vellum: no such chain"); process.exitCode = 1')
    expect(lines[0]).toBe('vellum: no such chain')
    expect(lines.slice(1).join(' ')).toMatch(/did not come to its end.*network.*vellum tour/)
  })

  test('that cannot be started does not throw', async () => {
    const lines: string[] = []
    const print = (line: string): void => void lines.push(line)
    await showTour({ program: ['/no/such/program'], url: '', print, stopping: NEVER })
    expect(lines.join(' ')).toContain('ENOENT')
  })

  test('ends with the node, without a word', async () => {
    const stop = Promise.withResolvers<void>()
    const lines: string[] = []
    const ended = showTour({
      program: [process.execPath, '-e', 'console.log("here"); setInterval(() => {}, 1000)'],
      url: '',
      print: (line) => {
        lines.push(line)
        stop.resolve()
      },
      stopping: stop.promise,
    })
    await ended
    expect(lines).toEqual(['here'])
  })
})
