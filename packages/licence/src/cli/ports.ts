/** What commands ask of who runs them: files, keys, the terminal and the clock. */

import type { EnvelopeReference, PutCiphertext } from '../envelope.ts'
import type { StepPorts } from './tour-steps.ts'

export interface CommandPorts extends StepPorts {
  /** @throws LicenceError LICENCE_FILE_INVALID */
  readText(path: string): string
  /** A new file that its owner alone can read. @throws LicenceError LICENCE_FILE_INVALID if it is there */
  createText(path: string, text: string): void
  /** Replaces a file in one step. */
  replaceText(path: string, text: string): void
  /** Undefined if there is no such file. */
  readTextIfThere(path: string): string | undefined
  /** 32 bytes of a keystore file. */
  openKey(keystore: string, password: PasswordFlags): Promise<Uint8Array>
  /** A directory of ciphertexts that are too large for the chain; undefined: such ones are refused. */
  openStore(directory: string | undefined): CiphertextStore
}

export interface CiphertextStore {
  readonly put: PutCiphertext
  readonly get: (reference: EnvelopeReference) => Promise<Uint8Array>
}

/** Where the password of a keystore comes from; neither: the terminal. */
export interface PasswordFlags {
  readonly passwordFile?: string
  readonly passwordFd?: number
}

/** Flags of every command that speaks to a node. */
export interface NodeFlags {
  readonly rpc: string
}

/** Flags of every command that acts for an account. */
export interface KeyFlags extends PasswordFlags {
  readonly key: string
}
