/** Numbers that the contracts give a meaning. */

/** `Permissions`: bits of an account and of the mode. */
export const PERMISSION_FLAGS = { send: 1, deploy: 2 } as const

/** `OrganisationRegistry`: bits of what an organisation may do beside issuing and verifying. */
export const CAPACITIES = { registrar: 1, supervisor: 2, root: 4 } as const

/** `OrganisationRegistry`: classes of verifiers that the first tariff knows. 0: no verifier. */
export const VERIFIER_CLASSES = { publicBody: 1, commercial: 2 } as const

/** `IdentityRegistry`: enum `Kind`. */
export const IDENTITY_KINDS = { citizen: 1, authority: 2, verifier: 3 } as const

/** Enum `IdentityStatus`. */
export const IDENTITY_STATUSES = {
  none: 0,
  registered: 1,
  active: 2,
  suspended: 3,
  cancelled: 4,
} as const

/** `LicenceRegistry`: enum `Status`. Those from 1 to 7 are the national codes 01 to 07. */
export const LICENCE_STATUSES = {
  none: 0,
  inForce: 1,
  suspended: 2,
  rescinded: 3,
  cancelled: 4,
  lapsed: 5,
  transferredOut: 6,
  revoked: 7,
  offered: 8,
  declined: 9,
} as const

/** `LicenceChanged.operation`. Those below 100 are the national codes; `end` cancels, rescinds, revokes, transfers out. */
export const LICENCE_OPERATIONS = {
  issue: 1,
  renew: 2,
  suspend: 3,
  lapse: 4,
  end: 5,
  lift: 6,
  transferIn: 8,
  change: 9,
  cancelTransferOut: 10,
  accept: 101,
  decline: 102,
  identity: 103,
} as const

/** `LicencePayload.store`: where the ciphertext is. */
export const PAYLOAD_STORES = { chain: 0, file: 1, url: 2, s3: 3, ipfs: 4 } as const
