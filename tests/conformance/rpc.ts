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
import { CHANGES, type Change } from './rpc-changes.ts'
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
  sample: 60,
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

/** @throws Error at the first place that differs; or if a change is listed which is none */
function assertAnswer(answer: unknown, expected: unknown, change: Change | undefined): void {
  const difference = differenceAt('', answer, expected)
  if (change === undefined) {
    if (difference !== undefined) throw new Error(difference)
    return
  }
  if (difference === undefined) throw new Error('listed as changed, but it is not')
  if ('outcome' in change) {
    const { id, jsonrpc } = expected as { id: unknown; jsonrpc: unknown }
    const other = differenceAt('', withoutWords(answer), { id, jsonrpc, ...change.outcome })
    if (other !== undefined) throw new Error(other)
    return
  }
  const without = (value: unknown): unknown => withoutFields(value, change.fields)
  const left = differenceAt('', without(answer), without(expected))
  if (left !== undefined) throw new Error(left)
}

/** Where and how two JSON values differ; words of errors do not count where both have them. */
export function differenceAt(path: string, found: unknown, expected: unknown): string | undefined {
  if (Array.isArray(found) && Array.isArray(expected)) {
    if (found.length !== expected.length) {
      return `${path}: ${found.length} items, expected ${expected.length}`
    }
    return firstOf(expected, (each, i) => differenceAt(`${path}[${i}]`, found[i], each))
  }
  if (isRecord(found) && isRecord(expected)) {
    const isError = path.endsWith('.error')
    const keys = new Set([...Object.keys(expected), ...Object.keys(found)])
    return firstOf([...keys], (key) =>
      isError && key === 'message' && key in found && key in expected
        ? undefined
        : differenceAt(`${path}.${key}`, found[key], expected[key]),
    )
  }
  if (found === expected) return undefined
  return `${path}: ${shown(found)}, expected ${shown(expected)}`
}

function firstOf<T>(
  items: readonly T[],
  find: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [i, item] of items.entries()) {
    const found = find(item, i)
    if (found !== undefined) return found
  }
  return undefined
}

function withoutWords(answer: unknown): unknown {
  if (!isRecord(answer) || !isRecord(answer.error)) return answer
  const { message: _, ...facts } = answer.error
  return { ...answer, error: facts }
}

const SHOWN_CHARS = 200

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, SHOWN_CHARS)
}

function withoutFields(value: unknown, fields: readonly string[]): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
    fields.includes(key) ? undefined : inner,
  )
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
