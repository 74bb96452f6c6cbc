export { ADDRESSES, STATUS_LEAVES_SLOT } from './addresses.ts'
export { accessManager } from './artifacts/access-manager.generated.ts'
export { council } from './artifacts/council.generated.ts'
export { identityRegistry } from './artifacts/identity-registry.generated.ts'
export { licenceRegistry } from './artifacts/licence-registry.generated.ts'
export { organisationRegistry } from './artifacts/organisation-registry.generated.ts'
export { permissions } from './artifacts/permissions.generated.ts'
export { serviceCredit } from './artifacts/service-credit.generated.ts'
export { tariff } from './artifacts/tariff.generated.ts'
export { verificationLog } from './artifacts/verification-log.generated.ts'
export {
  CAPACITIES,
  IDENTITY_KINDS,
  IDENTITY_STATUSES,
  LICENCE_OPERATIONS,
  LICENCE_STATUSES,
  PAYLOAD_STORES,
  PERMISSION_FLAGS,
  VERIFIER_CLASSES,
} from './codes.ts'
export {
  type AccountAddress,
  type Founder,
  type Predeploy,
  type PredeployOptions,
  predeploys,
  type TariffEntry,
} from './predeploys.ts'
