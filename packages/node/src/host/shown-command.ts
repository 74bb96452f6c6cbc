/** Runs a command of `vellum` in a process of its own, and shows what it says among this one's lines. */

import { spawn } from 'node:child_process'

export interface ShownCommand {
  /** The program and arguments that run `vellum`. */
  readonly program: readonly string[]
  /** Of an RPC server. */
  readonly url: string
  readonly print: (line: string) => void
  /** Told to end before it has ended by itself. */
  readonly stopping: Promise<unknown>
}

/**
 * From a process of its own, so that whatever happens there the node goes on, and its memory is given
 * back. Never fails.
 * @param words the command and its options, but `--rpc`
 * @returns how it failed; undefined if it did not, or was told to end
 */
export async function showCommand(
  { program, url, print, stopping }: ShownCommand,
  words: readonly string[],
): Promise<string | undefined> {
  const [command, ...args] = program
  const child = spawn(command!, [...args, ...words, '--rpc', url], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let tail = ''
  const tell = (data: Buffer): void => {
    const lines = (tail + data.toString()).split('\n')
    tail = lines.pop()!
    for (const line of lines) print(line)
  }
  child.stdout.on('data', tell)
  child.stderr.on('data', tell)
  const ended = new Promise<string | undefined>((settle) => {
    child.once('error', ({ message }) => settle(message))
    // By a signal: it was interrupted together with this process, and that is no news.
    child.once('close', (code, signal) =>
      settle(code === 0 || signal !== null ? undefined : `it ended with code ${code}`),
    )
  })
  const how = await Promise.race([ended, stopping.then(() => 'stop' as const)])
  if (how !== 'stop') return how
  child.kill()
  await ended
  return undefined
}
