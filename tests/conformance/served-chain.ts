/** A chain of other origin, imported and served by a node as users run it, and spoken to over HTTP. */

import { rm } from 'node:fs/promises'
import { type RunningNode, runCommand, startNode, temporaryDirectory } from '../e2e/running-node.ts'

export interface ServedChain {
  /** POSTs the text and answers the JSON value of the body, with its HTTP status. */
  post(request: string): Promise<{ readonly status: number; readonly answer: unknown }>
  stop(): Promise<void>
}

export interface ChainFiles {
  readonly genesis: string
  readonly blocks: string
}

/** Milliseconds that the suites give a request. */
const REQUEST_MS_MAX = 5_000

/** @throws Error with the node's words if it refuses a block */
export async function serveChain(
  files: ChainFiles,
  ...flags: readonly string[]
): Promise<ServedChain> {
  const dataDir = temporaryDirectory()
  let node: RunningNode | undefined
  try {
    const { code, output } = await runCommand(
      ...['import', '--foreign', '--genesis', files.genesis, files.blocks],
      ...['--data-dir', dataDir],
    )
    if (code !== 0) throw new Error(`the chain is not imported: ${output}`)
    node = await startNode(dataDir, ...flags)
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true })
    throw error
  }
  const { url, stop } = node
  return {
    post: async (request) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: request,
        signal: AbortSignal.timeout(REQUEST_MS_MAX),
      })
      return { status: response.status, answer: await response.json() }
    },
    stop: async () => {
      await stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
