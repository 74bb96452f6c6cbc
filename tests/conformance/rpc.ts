/**
 * execution-apis `rpc-compat`, the suite that hive runs: requests to a node that serves an imported chain, over
 * HTTP, and the answers that go-ethereum gave.
 *
 * Compared as hive does: both parsed, equal in depth, without the words of errors. All files of a chain
 * run on one node in the order of their names.
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { foldersNamed, isRecord } from './files.ts'
import { type AnswerSchemas, loadAnswerSchemas } from './openrpc.ts'
import { assertAnswer } from './rpc-answer.ts'
import { CHANGES } from './rpc-changes.ts'
import { type ServedChain, serveChain } from './served-chain.ts'
import type { Case, Suite, SuiteOptions } from './suite.ts'

const CHAINS = ['london-genesis', 'cancun-genesis', 'main']
/** Fills the pool, which later methods then show. */
const SENDING = 'eth_sendRawTransaction'

interface Exchange {
  readonly request: string
  readonly expected: unknown
}

interface Script {
  /** `method/case`. */
  readonly name: string
  readonly folder: string
  readonly exchanges: readonly Exchange[]
  /** True: an answer that is no error need only have the form of the specification. */
  readonly isSpecOnly: boolean
}

/** A chain's node, started with its first case. */
interface Player {
  play(script: Script): Promise<void>
}

const running = new Set<ServedChain>()

export const suite: Suite = {
  name: 'rpc',
  sample: 120,
  cases,
  end: async () => {
    for (const served of running) await served.stop()
    running.clear()
  },
}

function* cases({ path, chain }: SuiteOptions): Iterable<Case> {
  const [root] = foldersNamed(path, 'rpc-compat')
  let schemas: AnswerSchemas | undefined
  for (const name of CHAINS) {
    const folder = join(root ?? path, name)
    if ((chain !== undefined && chain !== name) || !existsSync(folder)) continue
    const scripts = readScripts(join(folder, 'tests'))
    let player: Player | undefined
    for (const script of scripts) {
      yield {
        name: `${name}/${script.name}`,
        run: async () => {
          schemas ??= loadAnswerSchemas(path)
          player ??= createPlayer(await serve(folder), scripts, name, schemas)
          await player.play(script)
        },
      }
    }
  }
}

async function serve(folder: string): Promise<ServedChain> {
  const genesis = join(folder, 'genesis.json')
  const served = await serveChain({ genesis, blocks: join(folder, 'chain.rlp') })
  running.add(served)
  return served
}

function createPlayer(
  served: ServedChain,
  scripts: readonly Script[],
  chain: string,
  schemas: AnswerSchemas,
): Player {
  const sending = new Set(scripts.filter(({ folder }) => folder === SENDING))

  async function exchange(script: Script): Promise<void> {
    sending.delete(script)
    for (const { request, expected } of script.exchanges) {
      const { answer } = await served.post(request)
      if (script.isSpecOnly && isRecord(answer) && !('error' in answer)) {
        const { method } = JSON.parse(request) as { method: string }
        const mismatch = schemas.mismatch(method, answer.result)
        if (mismatch !== undefined) throw new Error(mismatch)
      } else {
        assertAnswer(answer, expected, CHANGES[`${chain}/${script.name}`])
      }
    }
  }

  return {
    play: async (script) => {
      // A sample may have left these out; their own cases judge them.
      if (script.folder > SENDING) for (const sent of sending) await exchange(sent).catch(() => {})
      await exchange(script)
    },
  }
}

function readScripts(folder: string): Script[] {
  const scripts: Script[] = []
  for (const method of readdirSync(folder).sort()) {
    for (const file of readdirSync(join(folder, method)).sort()) {
      if (!file.endsWith('.io')) continue
      const lines = readFileSync(join(folder, method, file), 'utf8').split('\n')
      const said = (mark: string): string[] =>
        lines.filter((line) => line.startsWith(mark)).map((line) => line.slice(3))
      const answers = said('<< ')
      scripts.push({
        name: `${method}/${file.slice(0, -3)}`,
        folder: method,
        isSpecOnly: lines.some((line) => line.startsWith('// speconly:')),
        exchanges: said('>> ').map((request, i) => ({
          request,
          expected: JSON.parse(answers[i] ?? 'null'),
        })),
      })
    }
  }
  return scripts
}
