/**
 * The library where applications run it: bundled as they bundle it, in a browser, against a node in a
 * process of its own; and where there is no browser, in a realm that has what browsers have and nothing
 * of Node.js.
 */

import { spawn } from 'node:child_process'
import { webcrypto } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { ADDRESSES } from '@vellum/contracts'
import { tourLicence } from '@vellum/licence/cli'
import { DEV_ACCOUNTS, DEV_ORGANISATIONS } from '@vellum/node'
import { type BuildOptions, build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  printed,
  type RunningNode,
  startWithTour,
  temporaryDirectory,
} from '../e2e/running-node.ts'
import type { Outcome, Scene } from './page.ts'

/** `CHROMIUM` names another. */
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const browser = [process.env.CHROMIUM ?? '', ...BROWSERS].find((path) => existsSync(path))
if (browser === undefined) {
  console.warn(
    'NO BROWSER: the library is not tried in one. Install chromium, or name one by CHROMIUM.',
  )
}

const HEADLESS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
  '--disable-extensions',
  '--disable-background-networking',
]
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
/** As an application would have it made; a module of Node.js in it is an error. */
const BUNDLE = {
  bundle: true,
  platform: 'browser',
  conditions: ['source'],
  target: 'es2023',
  minify: true,
  write: false,
  metafile: true,
  logLevel: 'silent',
} as const satisfies BuildOptions
const PAGE = '<!doctype html><meta charset="utf-8"><script type="module" src="/page.js"></script>'
/** Only what stands beside the page, and the node. */
const POLICY = (rpc: string): string =>
  `default-src 'none'; script-src 'self'; connect-src 'self' ${new URL(rpc).origin}`

const OUTCOME: Outcome = {
  identity: 'active',
  shownName: '示例公民甲',
  report: { ok: true, issuer: { ok: true }, status: { ok: true }, holder: { ok: true } },
  offlineStatus: 'InForce',
  offlineAgain: 'replayed',
  misread: 'LICENCE_CODE_MALFORMED',
  followed: true,
  copy: '仅供开户使用',
  nodeGlobals: [],
}

interface Told {
  readonly outcome?: Outcome
  readonly error?: unknown
}

const directory = temporaryDirectory()
let site: Site
let node: RunningNode

beforeAll(async () => {
  site = await createSite()
  node = await startWithTour(join(directory, 'chain'), '--cors-origin', site.origin)
  // The tour has the issuer accredited.
  await printed(node, /in all\. Each step/)
})

afterAll(async () => {
  await node.stop()
  site.server.close()
  rmSync(directory, { recursive: true, force: true })
})

function sceneOf(serial: string): Scene {
  const { root, registrar, issuer } = DEV_ORGANISATIONS
  const actor = ({ code, account }: { code: string; account: string }) => ({
    code,
    privateKey: DEV_ACCOUNTS.find(({ address }) => address === account)!.privateKey,
  })
  const now = Math.floor(Date.now() / 1_000)
  return {
    rpc: node.url,
    registry: ADDRESSES.licenceRegistry,
    supervisor: actor(root),
    registrar: actor(registrar),
    issuer: actor(issuer),
    data: tourLicence({ issuer: issuer.code, serial, version: 1, now }),
  }
}

test('its bundle for browsers has nothing of Node.js in it', async () => {
  const entry = here('../../packages/licence/src/index.ts')
  const { metafile, outputFiles, warnings } = await build({
    ...BUNDLE,
    entryPoints: [entry],
    format: 'esm',
  })
  const imports = Object.values(metafile.inputs).flatMap(({ imports }) => imports)
  expect(
    imports.filter(({ external, path }) => external === true || path.startsWith('node:')),
  ).toEqual([])
  expect(warnings).toEqual([])
  const [file] = outputFiles
  console.log(`the library for browsers: ${Math.round(file!.contents.length / 1_000)} kB minified`)
})

test.skipIf(browser === undefined)(
  'in Chromium: an identity, a licence, a presentation, an offline code',
  async () => {
    const { outputFiles } = await build({
      ...BUNDLE,
      entryPoints: [here('entry.ts')],
      format: 'esm',
    })
    const told = site.serve(outputFiles[0]!.text, sceneOf('BROWSER2026001'))
    const profile = `--user-data-dir=${join(directory, 'profile')}`
    const child = spawn(
      browser!,
      [...HEADLESS, profile, '--remote-debugging-port=0', site.origin],
      {
        stdio: 'ignore',
      },
    )
    try {
      const { outcome, error } = await told
      expect(error).toBeUndefined()
      expect(outcome).toEqual(OUTCOME)
    } finally {
      const ended = new Promise((resolve) => child.on('close', resolve))
      child.kill()
      await ended
    }
  },
)

test('in a realm with what browsers have and nothing of Node.js: the same', async () => {
  const { outputFiles } = await build({
    ...BUNDLE,
    entryPoints: [here('page.ts')],
    format: 'iife',
    globalName: 'page',
  })
  const realm = createContext({ ...OF_THE_WEB })
  runInContext('globalThis.self = globalThis', realm)
  runInContext(outputFiles[0]!.text, realm)
  const page = runInContext('page', realm) as { play: (scene: Scene) => Promise<Outcome> }
  const outcome = await page.play(sceneOf('REALM2026001'))
  expect(JSON.parse(JSON.stringify(outcome))).toEqual(OUTCOME)
})

/**
 * Of the web's own globals those that are needed. Arrays of bytes are this realm's, as what comes out of
 * the others is.
 */
const OF_THE_WEB: Readonly<Record<string, unknown>> = {
  crypto: webcrypto,
  TextEncoder,
  TextDecoder,
  URL,
  Headers,
  Request,
  Response,
  AbortController,
  fetch,
  atob,
  btoa,
  setTimeout,
  clearTimeout,
  Uint8Array,
  ArrayBuffer,
  DataView,
}

interface Site {
  readonly origin: string
  readonly server: Server
  /** @returns what the page tells */
  serve(script: string, scene: Scene): Promise<Told>
}

/** The page, its script, what it is to play, and what it tells. */
async function createSite(): Promise<Site> {
  let given: { script: string; scene: Scene; tell: (told: Told) => void } | undefined
  const server = createServer((request, response) => {
    if (given === undefined) return void response.writeHead(404).end()
    const { script, scene, tell } = given
    const answer = (type: string, body: string): void => {
      response.writeHead(200, {
        'content-type': `${type}; charset=utf-8`,
        'content-security-policy': POLICY(scene.rpc),
      })
      response.end(body)
    }
    switch (request.url) {
      case '/':
        return answer('text/html', PAGE)
      case '/page.js':
        return answer('text/javascript', script)
      case '/scene':
        return answer('application/json', JSON.stringify(scene))
      case '/told': {
        let text = ''
        request.on('data', (part) => {
          text += String(part)
        })
        request.on('end', () => {
          answer('text/plain', '')
          tell(JSON.parse(text) as Told)
        })
        return
      }
      default:
        return void response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    server,
    serve: (script, scene) =>
      new Promise((tell) => {
        given = { script, scene, tell }
      }),
  }
}
