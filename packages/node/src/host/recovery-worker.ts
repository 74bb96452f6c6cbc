/** Thread of `recovery-pool.ts`: works at its desk for as long as it lives. */

import { parentPort, workerData } from 'node:worker_threads'
import { openRecoveryDesk } from './recovery-board.ts'
import { loadSystemCrypto } from './system.ts'

const desk = openRecoveryDesk(workerData as SharedArrayBuffer, loadSystemCrypto().crypto)

for (;;) {
  if (!desk.work()) desk.sleep()
  else if (desk.isOwnerWaiting()) parentPort?.postMessage(undefined)
}
