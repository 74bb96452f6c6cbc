/** What to do when a contract refuses what a command asked for. */

import { LicenceError } from '../error.ts'

const ADVICE: Readonly<Record<string, string>> = {
  NotAccredited: 'the issuer needs an accreditation for this type from an accrediting authority',
  NotIssuer: 'use the key of the authority that issued the licence',
  NotHolder: 'use the key that the holder’s identity has today',
  NotRegistrar: 'use the key of a registrar; an identity is ended by its own one',
  NotSupervisor: 'use the key of a supervising authority',
  NotVerifier: 'use the key of an organisation that is a verifier of some class',
  SignerWrong: 'a signature is by another key than it should be: look at --key',
  StatusWrong: 'see what it is now: vellum licence show, vellum identity show',
  IdentityNotActive: 'see its state: vellum identity show; it may have to be filed first',
  IdentityUnknown: 'register it first: vellum identity register',
  IdentifierTaken: 'take another serial number, or the next version to renew',
  VersionWrong: 'a statement of this version is on chain already: have it signed again',
  DeadlinePassed: 'it came too late: have it signed again',
  RecoveryWaits: 'the holder may still object; try again when the time is over',
  CreditInsufficient: 'add credit, or let more be taken: vellum licence approve',
  NotAllowed: 'use the key of the holder, its registrar or a supervising authority',
  AlreadyOpen: 'see where it is: vellum identity where',
  NotOpen: 'see where it is: vellum identity where',
  NothingToResend: 'the last change has arrived, or is on its way',
  ChannelNotOpen: 'the network has no open channel to that chain: vellum sidechain list',
  RateLimitExceeded: 'so much may not move at once: vellum credit side',
  ERC20InsufficientBalance: 'the account has less: vellum credit show',
  TagUsed: 'this code is recorded already; ask the holder for a new one',
}

/** Runs something; a refusal of a contract is thrown again with what to do about it. */
export async function advising<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    const name = error instanceof LicenceError ? error.details.error : undefined
    const advice = typeof name === 'string' ? ADVICE[name] : undefined
    if (!(error instanceof LicenceError) || advice === undefined) throw error
    const message = `${error.message}; ${advice}`
    throw new LicenceError(error.code, message, error.details, { cause: error })
  }
}
