/** Finds test files under a folder, as the collection packs them and as upstream lays them out. */

import { readdirSync, readFileSync, statSync } from 'node:fs'
import { basename, join, resolve, sep } from 'node:path'
import { gunzipSync } from 'node:zlib'

export interface TestFile {
  /** Its path upstream, or below the folder searched. */
  readonly path: string
  /** The JSON value of the file. */
  readonly tests: unknown
}

/**
 * All test files of the folders with this name at or below `path`, in a fixed order. If there is
 * no such folder, all files below `path`: let the suite recognise its cases by their shape.
 */
export function* testFiles(path: string, folder: string): Iterable<TestFile> {
  for (const root of foldersNamed(path, folder)) {
    for (const file of filesBelow(root)) yield* readTests(file, file.slice(root.length + 1))
  }
}

/** All tests by name of `{name: test}` files; other JSON is passed over. */
export function* namedTests(
  path: string,
  folder: string,
): Iterable<{ path: string; name: string; test: unknown }> {
  for (const { path: file, tests } of testFiles(path, folder)) {
    if (!isRecord(tests)) continue
    for (const [name, test] of Object.entries(tests)) yield { path: file, name, test }
  }
}

/** Folders with this name, at, above or below `path`; `path` itself if there are none. */
export function foldersNamed(path: string, folder: string): string[] {
  const root = resolve(path)
  if (root.split(sep).includes(folder)) return [root]
  const found = statSync(root).isDirectory() ? [...named(root, folder)] : []
  return found.length > 0 ? found : [root]
}

function* named(directory: string, folder: string): Iterable<string> {
  for (const entry of sortedEntries(directory)) {
    if (!entry.isDirectory()) continue
    const path = join(directory, entry.name)
    if (entry.name === folder) yield path
    else yield* named(path, folder)
  }
}

/** Files below a folder (or the file itself), in order of their names. */
export function* filesBelow(path: string): Iterable<string> {
  if (!statSync(path).isDirectory()) {
    yield path
    return
  }
  for (const entry of sortedEntries(path)) {
    const inner = join(path, entry.name)
    if (entry.isDirectory()) yield* filesBelow(inner)
    else if (entry.isFile()) yield inner
  }
}

function sortedEntries(directory: string) {
  return readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => name !== '.git' && name !== 'node_modules')
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function* readTests(file: string, name: string): Iterable<TestFile> {
  const path = name === '' ? basename(file) : name
  if (file.endsWith('.ndjson.gz')) {
    for (const line of gunzipSync(readFileSync(file)).toString().split('\n')) {
      if (line.trim() !== '') yield parse(file, line) as TestFile
    }
  } else if (file.endsWith('.json.gz')) {
    yield { path, tests: parse(file, gunzipSync(readFileSync(file)).toString()) }
  } else if (file.endsWith('.json')) {
    yield { path, tests: parse(file, readFileSync(file, 'utf8')) }
  }
}

/** To go on without the file would call a run whole that is not. */
function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (text.startsWith('version https://git-lfs')) {
      throw new Error(`${file} lies in Git LFS: fetch it (git lfs pull), or remove it`)
    }
    throw new Error(`${file} is no JSON: ${(error as Error).message}`)
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
