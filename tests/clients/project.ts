/** Projects of other tools, copied into a folder of their own and run there. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export interface ProjectRun {
  readonly code: number | null
  readonly output: string
}

/**
 * Copies a project, the contracts beside it as `contracts`, and a compiler as `solc`.
 * @param name of a folder beside this file
 */
export function copyProject(name: string, folder: string): void {
  cpSync(here(`./${name}/`), folder, { recursive: true })
  mkdirSync(join(folder, 'contracts'), { recursive: true })
  cpSync(here('./contracts/'), join(folder, 'contracts'), { recursive: true })
  symlinkSync(here('../node_modules'), join(folder, 'node_modules'))
  const solc = join(folder, 'solc')
  writeFileSync(solc, `#!/bin/sh\nexec "${process.execPath}" "${here('./solc-command.ts')}" "$@"\n`)
  chmodSync(solc, 0o755)
}

/** Runs a command of the tests' packages in the project. */
export async function runTool(
  tool: string,
  args: readonly string[],
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<ProjectRun> {
  const child = spawn(here(`../node_modules/.bin/${tool}`), args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '', ...environment },
  })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  child.stderr.on('data', (data: Buffer) => (output += data.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, output }
}
