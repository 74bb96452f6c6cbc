/** `vellum token`: what a client shows to the RPC server, for an operator's own calls. */

import type { NodeConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { systemClock } from './machine.ts'
import { makeToken, readTokenSecret } from './rpc-tokens.ts'

/**
 * Prints a token that is good for a minute.
 * @param grants methods and namespaces; none: the open methods alone
 * @throws NodeError NODE_CONFIG_INVALID if the configuration names no secret, NODE_FILE_INVALID
 */
export async function printToken(
  { rpc }: NodeConfig,
  grants: readonly string[] | undefined,
  print: (line: string) => void,
): Promise<void> {
  if (rpc.jwtSecretFile === undefined) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      "rpc.jwtSecretFile is not set: a token needs the secret that the server has; name the node's settings with --config",
    )
  }
  const secret = readTokenSecret(rpc.jwtSecretFile)
  const nowSeconds = systemClock.now() / 1_000
  print(await makeToken(secret, { nowSeconds, permissions: grants }))
}
