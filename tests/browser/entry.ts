/** The script of the page: asks the test what to play, plays it, and tells what came of it. */

import { play, type Scene } from './page.ts'

const scene = (await (await fetch('/scene')).json()) as Scene
const told = await play(scene).then(
  (outcome) => ({ outcome }),
  (error: unknown) => ({ error: error instanceof Error ? (error.stack ?? error.message) : error }),
)
await fetch('/told', { method: 'POST', body: JSON.stringify(told) })
