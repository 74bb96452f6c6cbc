/**
 * Errors of this library. Bad input is thrown as a `LicenceError` with a code that never changes;
 * what a check finds is returned as a verdict with a reason.
 *
 * Messages and details never hold a person's data: they may end up in logs.
 */

export type LicenceErrorCode =
  /** An identifier with a wrong length or character; `details.standard` names its kind. */
  | 'LICENCE_IDENTIFIER_SHAPE'
  /** A wrong check digit; `details.expected` is the right one. */
  | 'LICENCE_IDENTIFIER_CHECK'
  /** A citizen number whose date of birth does not exist. */
  | 'LICENCE_IDENTIFIER_DATE'
  /** A citizen number that begins with no region. */
  | 'LICENCE_IDENTIFIER_REGION'
  /** Licence data that lacks a field or has one of a wrong form; `details.field` names it. */
  | 'LICENCE_FIELD_INVALID'
  /** A key, public key or signature that is not one of secp256k1. */
  | 'LICENCE_KEY_INVALID'
  /** Text that is not an SD-JWT of the form that this library makes. */
  | 'LICENCE_CREDENTIAL_MALFORMED'
  /** A field is asked for that the credential does not have. */
  | 'LICENCE_FIELD_UNKNOWN'
  /** A ciphertext that the key does not open. */
  | 'LICENCE_DECRYPTION_FAILED'
  /** A request for a presentation that is no such thing. */
  | 'LICENCE_REQUEST_MALFORMED'
  /** A code with a wrong prefix, character, length or check; it was misread, or is not ours. */
  | 'LICENCE_CODE_MALFORMED'
  /** More than one QR code holds. */
  | 'LICENCE_CODE_TOO_LARGE'
  /** Bytes that are not a status proof. */
  | 'LICENCE_PROOF_MALFORMED'
  /** A header that the short form cannot say. */
  | 'LICENCE_HEADER_UNUSUAL'
  /** A secret key for subject tags that is too short, or a version that the ring does not hold. */
  | 'LICENCE_SUBJECT_KEY'
  /** An identity whose parts contradict each other. */
  | 'LICENCE_IDENTITY_INVALID'
  /** The chain refused; `details.error` is the name of the contract's error. */
  | 'LICENCE_CHAIN_REFUSED'
  /** An answer of the node that does not fit its contract. */
  | 'LICENCE_CHAIN_ANSWER'
  /** Too many verifications wait to be recorded. */
  | 'LICENCE_RECORDER_FULL'
  /** Nobody answers where a node should be. */
  | 'LICENCE_NODE_UNREACHABLE'
  /** A file of the command line that cannot be read, or is not what it should be; `details.path`. */
  | 'LICENCE_FILE_INVALID'
  /** A check of the command line that found something wrong; `details.reason` says what. */
  | 'LICENCE_REFUSED'

export type LicenceErrorDetails = Readonly<Record<string, string | number | boolean | undefined>>

export class LicenceError extends Error {
  readonly code: LicenceErrorCode
  readonly details: LicenceErrorDetails

  constructor(
    code: LicenceErrorCode,
    message: string,
    details: LicenceErrorDetails = {},
    options: ErrorOptions = {},
  ) {
    super(message, options)
    this.name = 'LicenceError'
    this.code = code
    this.details = details
  }
}

/** What a check says. A reason is a fixed phrase that a program may compare. */
export type Verdict<Value, Reason extends string> =
  | ({ readonly ok: true } & Value)
  | { readonly ok: false; readonly reason: Reason }
