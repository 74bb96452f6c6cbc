import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
// @ts-expect-error: a build script without types
import { compile, generatedFile, generatedText, MODULES } from '../engine/build.mjs'
import { ARENA, CODES, FRAME_BYTES, FRAMES, STACKS_TOP } from '../src/layout.ts'

test('the generated modules: compiling the sources again gives the same bytes', async () => {
  for (const name of Object.keys(MODULES)) {
    const committed = await readFile(generatedFile(name), 'utf8')
    expect(generatedText(name, await compile(name)) === committed).toBe(true)
  }
})

test('the layout: the machine and the engine have the same numbers', async () => {
  const engine = await readFile(new URL('../engine/layout.ts', import.meta.url), 'utf8')
  const machine = await readFile(new URL('../src/layout.ts', import.meta.url), 'utf8')
  const valuesOf = (text: string): Map<string, string> =>
    new Map(
      Array.from(text.matchAll(/export const (\w+)(?:: \w+)? = (.+)/g), ([, name, value]) => [
        name!,
        value!,
      ]),
    )
  const theirs = valuesOf(engine)
  const ours = valuesOf(machine)
  expect(ours.size).toBeGreaterThan(25)
  for (const [name, value] of ours) expect(`${name} ${theirs.get(name)}`).toBe(`${name} ${value}`)
})

test('the layout: records and stacks of 1,025 frames fit their regions', () => {
  const records = FRAMES + 1027 * FRAME_BYTES
  // Between them lie 4,096 digests of 96 bytes.
  expect(0x60000).toBeGreaterThanOrEqual(records)
  expect(STACKS_TOP - 1025 * 1024 * 32).toBeGreaterThanOrEqual(0x60000 + 4096 * 96)
  expect(CODES).toBeGreaterThanOrEqual(STACKS_TOP)
  expect(ARENA).toBeGreaterThan(CODES)
})
