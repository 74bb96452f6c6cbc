/** Where the contracts of a chain stand: the same on every chain. */

export const ADDRESSES = {
  council: '0x0000000000000000000000000000000000005601',
  accessManager: '0x0000000000000000000000000000000000005602',
  permissions: '0x0000000000000000000000000000000000005603',
  organisationRegistry: '0x0000000000000000000000000000000000005604',
  identityRegistry: '0x0000000000000000000000000000000000005605',
  licenceRegistry: '0x0000000000000000000000000000000000005606',
  verificationLog: '0x0000000000000000000000000000000000005607',
  serviceCredit: '0x0000000000000000000000000000000000005608',
  tariff: '0x0000000000000000000000000000000000005609',
  qbftLightClient: '0x000000000000000000000000000000000000560a',
  pegGateway: '0x000000000000000000000000000000000000560b',
  /** `CreditVault` on the main chain, `CreditPeg` on a side chain. */
  creditBridge: '0x000000000000000000000000000000000000560c',
  /** On the main chain; what it tells stands on a side chain at `identityRegistry`: `IdentityMirror`. */
  identityPeg: '0x000000000000000000000000000000000000560d',
  /** `LicenceIndex` on the main chain, `LicencePeg` on a side chain. */
  licencePeg: '0x000000000000000000000000000000000000560e',
} as const

/** Slot of the licence registry's `bytes32[]` of leaves, over which a node keeps the status tree. */
export const STATUS_LEAVES_SLOT = 8n
