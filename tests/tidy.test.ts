/** What no linter knows about the shape of the project. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Packages from the bottom up: each may use those before it that it names. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  evm: [],
  contracts: [],
  ledger: ['evm'],
  consensus: ['evm', 'ledger'],
  sidechain: ['evm', 'ledger', 'consensus'],
  rpc: ['evm', 'ledger'],
  licence: ['contracts'],
  node: ['evm', 'contracts', 'ledger', 'consensus', 'sidechain', 'rpc', 'licence'],
  simulator: ['evm', 'contracts', 'ledger', 'consensus', 'sidechain', 'rpc', 'node'],
}

/** Packages show themselves by their index alone, but for what others are to have without the rest. */
const SHOWN_APART: ReadonlySet<string> = new Set([
  '@vellum/licence/cli',
  '@vellum/contracts/addresses',
])

/** Cores: no clock, socket, disk, environment or random source (guide, section 1). */
const PURE = ['evm', 'contracts', 'ledger', 'consensus', 'sidechain', 'rpc', 'simulator']
/** Command lines and worker processes of pure packages. */
const HOST = /^packages\/\w+\/src\/host\//
/** Files in pure packages that touch the world, each with its reason. */
const IMPURE_FILES: ReadonlySet<string> = new Set([
  // The server and its connections: the one place where JSON-RPC meets sockets.
  'packages/rpc/src/server.ts',
  'packages/rpc/src/http-connection.ts',
  'packages/rpc/src/web-socket.ts',
  'packages/rpc/src/client-address.ts',
  // Its answers carry the time of day.
  'packages/rpc/src/http-answer.ts',
])
const IMPURE =
  /\b(Date\.now|new Date|Math\.random|setTimeout|setInterval|setImmediate|performance\.)|\bprocess\.(?:env|on|once|exit|argv|std\w+|hrtime|nextTick|cwd|kill|pid|\w+Usage)\b|from 'node:|console\./

const files: readonly string[] = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)))
const sources = files.filter((file) => /\.(ts|sol)$/.test(file) && !file.includes('.generated.'))
const read = (file: string): string => readFileSync(join(root, file), 'utf8')

describe('layers', () => {
  const packages = readdirSync(join(root, 'packages'))

  test('every package has its place', () => {
    expect(packages.sort()).toEqual(Object.keys(LAYERS).sort())
  })

  test.for(packages)('%s depends on lower layers only', (name) => {
    const { dependencies = {} } = JSON.parse(read(`packages/${name}/package.json`)) as {
      dependencies?: Record<string, string>
    }
    const ours = Object.keys(dependencies).filter((each) => each.startsWith('@vellum/'))
    const allowed = LAYERS[name]!.map((each) => `@vellum/${each}`)
    expect(ours.filter((each) => !allowed.includes(each))).toEqual([])
  })

  test.for(packages)('%s imports only what its package.json names', (name) => {
    const { dependencies = {} } = JSON.parse(read(`packages/${name}/package.json`)) as {
      dependencies?: Record<string, string>
    }
    const wrong: string[] = []
    for (const file of sources.filter((each) => each.startsWith(`packages/${name}/src/`))) {
      for (const [, target] of read(file).matchAll(/from '([^']+)'/g)) {
        if (target!.startsWith('.') || target!.startsWith('node:')) continue
        const parts = target!.split('/')
        const module = target!.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
        if (!(module in dependencies)) wrong.push(`${file}: ${target}`)
        const isShown = target === module || SHOWN_APART.has(target!)
        if (module.startsWith('@vellum/') && !isShown) wrong.push(`${file}: ${target}`)
      }
    }
    expect(wrong).toEqual([])
  })
})

test('cores know no clock, disk, socket, environment or chance', () => {
  const wrong = sources
    .filter((file) => PURE.some((name) => file.startsWith(`packages/${name}/src/`)))
    .filter((file) => !IMPURE_FILES.has(file) && !HOST.test(file))
    .flatMap((file) =>
      read(file)
        .split('\n')
        .filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line) && IMPURE.test(line))
        .map((line) => `${file}: ${line.trim()}`),
    )
  expect(wrong).toEqual([])
})

test('the licence library runs in browsers: it imports nothing of Node', () => {
  const wrong = sources.filter(
    (file) => file.startsWith('packages/licence/src/') && /from 'node:/.test(read(file)),
  )
  expect(wrong).toEqual([])
})

test('nothing awaits on the way to an opcode', () => {
  const wrong = sources
    .filter((file) => file.startsWith('packages/evm/src/'))
    .filter((file) =>
      /\b(async|await|Promise)\b/.test(read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')),
    )
  expect(wrong).toEqual([])
})

test('packages are judged by the Node.js that is pinned', () => {
  const pinned = JSON.parse(read('node_modules/node/package.json')) as { version: string }
  expect(read('pnpm-workspace.yaml')).toContain(`\nnodeVersion: ${pinned.version}\n`)
})

test('no file hides its idea behind a vague name', () => {
  const vague = /(^|\/)(utils?|helpers?|common|misc|manager|service)s?\.(ts|sol)$/
  expect(files.filter((file) => vague.test(file))).toEqual([])
})

test('each package has one index and no other barrel', () => {
  const barrels = sources.filter(
    (file) =>
      file.endsWith('/index.ts') &&
      !/^packages\/\w+\/src\/(precompiles\/|methods\/)?index\.ts$/.test(file),
  )
  expect(barrels).toEqual([])
})

test('no left-overs', () => {
  const marks = new RegExp(['TO', 'DO|FIX', 'ME|X', 'XX|\\.on', 'ly\\('].join(''))
  const wrong = sources.filter((file) => file !== 'tests/tidy.test.ts' && marks.test(read(file)))
  expect(wrong).toEqual([])
})

test('every named limit of the ledger is in docs/limits.md', () => {
  const limits = [...read('packages/ledger/src/config.ts').matchAll(/^ {2}(\w+):/gm)].map(
    ([, name]) => name!,
  )
  const page = read('docs/limits.md')
  expect(limits.length).toBeGreaterThan(10)
  expect(limits.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
})

test.each(['limits.ts', 'server-limits.ts'])(
  'every named limit of the facade in %s is in docs/limits.md',
  (file) => {
    const names = [...read(`packages/rpc/src/${file}`).matchAll(/^ {2}(\w+): [\d_]+,/gm)].map(
      ([, name]) => name!,
    )
    const page = read('docs/limits.md')
    expect(names.length).toBeGreaterThan(10)
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([])
  },
)

test('links between documents lead somewhere', () => {
  const broken: string[] = []
  for (const file of files.filter((each) => each.endsWith('.md'))) {
    for (const [, target] of read(file).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue
      if (!existsSync(join(root, file, '..', target!))) broken.push(`${file}: ${target}`)
    }
  }
  expect(broken).toEqual([])
})
