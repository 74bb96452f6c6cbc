/** Cases of Besu's JSON-RPC tests that we answer otherwise, each with its reason. */

import type { Change } from './rpc-changes.ts'

/** By `chain/file`. */
export const BESU_CHANGES: Readonly<Record<string, Change>> = {}
