/** The program's own name and version, as RPC and banner say it. */

import { readFileSync } from 'node:fs'

const { version } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }

export const VERSION: string = version

/** `name/version/platform/runtime`, as web3_clientVersion answers it. */
export const CLIENT_VERSION: string = `vellum/v${version}/${process.platform}-${process.arch}/node${process.version}`
