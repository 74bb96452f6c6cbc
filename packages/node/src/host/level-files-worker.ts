/** Thread that checks tables for `level-files.ts`: one task in, one answer out. */

import { parentPort, workerData } from 'node:worker_threads'
import { NodeError } from '../error.ts'
import { checkTableFile, type TableAnswer, type TableTask } from './level-files.ts'
import { createTableBuffer } from './level-table.ts'

const { directory } = workerData as { readonly directory: string }
const buffer = createTableBuffer()

parentPort?.on('message', (task: TableTask) => parentPort?.postMessage(answerTo(task)))

function answerTo({ name, table }: TableTask): TableAnswer {
  try {
    checkTableFile(directory, name, table, buffer)
    return { type: 'whole', size: table.size }
  } catch (error) {
    if (!(error instanceof NodeError)) throw error
    const { reason, offset } = error.details
    if (typeof reason !== 'string') return { type: 'unreadable', message: error.message }
    return typeof offset === 'number'
      ? { type: 'damaged', name, offset, reason }
      : { type: 'damaged', name, reason }
  }
}
