/** How far a node that is behind has come, as eth_syncing and its subscribers are told. */

import type { SyncProgress } from './backend.ts'
import { quantity } from './format.ts'
import { FALSE, type JsonText } from './json.ts'

/** @param progress undefined for a node that is not behind */
export function formatSyncing(progress: SyncProgress | undefined): JsonText {
  if (progress === undefined) return FALSE
  return (
    `{"startingBlock":${quantity(progress.startingBlock)}` +
    `,"currentBlock":${quantity(progress.currentBlock)}` +
    `,"highestBlock":${quantity(progress.highestBlock)}}`
  )
}
