/**
 * Takes a directory, or what it stands for, for this process. Node has no file locks, LevelDB has: an
 * empty database holds the one that the kernel frees when the process dies, however it dies. A number
 * of a process in a file would outlive it, and belong to another one after a restart of the machine.
 */

import { ClassicLevel } from 'classic-level'
import { NodeError } from '../error.ts'

/**
 * @param directory made where it is missing; holds nothing but the lock
 * @param whenTaken what to tell if another process has it
 * @returns gives it back
 * @throws NodeError NODE_STORE_LOCKED or NODE_STORE_FAILED
 */
export async function lockDirectory(
  directory: string,
  whenTaken: string,
): Promise<() => Promise<void>> {
  const holder = new ClassicLevel(directory)
  try {
    await holder.open()
  } catch (error) {
    if (levelCode(error) === 'LEVEL_LOCKED') {
      throw new NodeError('NODE_STORE_LOCKED', whenTaken, { directory }, { cause: error })
    }
    // Nothing is kept in it, so damage is mended by making it anew.
    try {
      await ClassicLevel.destroy(directory)
      await holder.open()
    } catch (cause) {
      throw new NodeError(
        'NODE_STORE_FAILED',
        `${directory} cannot be locked: ${(cause as Error).message}; check that the directory is writable`,
        { directory },
        { cause },
      )
    }
  }
  return () => holder.close()
}

function levelCode(error: unknown): string | undefined {
  const { code, cause } = error as { code?: string; cause?: { code?: string } }
  return cause?.code ?? code
}
