/** Thread of `recovery-pool.ts`: a piece of signatures in, their signers out. */

import { parentPort } from 'node:worker_threads'
import { recoverPiece } from './recovery-pool.ts'
import { loadSystemCrypto } from './system.ts'

const { crypto } = loadSystemCrypto()

parentPort?.on('message', (tasks: Uint8Array) => {
  const answers = recoverPiece(crypto, tasks)
  parentPort?.postMessage(answers, [answers.buffer])
})
