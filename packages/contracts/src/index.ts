export { ADDRESSES, STATUS_LEAVES_SLOT } from './addresses.ts'
export { accessManager } from './artifacts/access-manager.generated.ts'
export { council } from './artifacts/council.generated.ts'
export { creditPeg } from './artifacts/credit-peg.generated.ts'
export { creditVault } from './artifacts/credit-vault.generated.ts'
export { identityMirror } from './artifacts/identity-mirror.generated.ts'
export { identityPeg } from './artifacts/identity-peg.generated.ts'
export { identityRegistry } from './artifacts/identity-registry.generated.ts'
export { licenceIndex } from './artifacts/licence-index.generated.ts'
export { licencePeg } from './artifacts/licence-peg.generated.ts'
export { licenceRegistry } from './artifacts/licence-registry.generated.ts'
export { organisationRegistry } from './artifacts/organisation-registry.generated.ts'
export { pegGateway } from './artifacts/peg-gateway.generated.ts'
export { permissions } from './artifacts/permissions.generated.ts'
export { qbftLightClient } from './artifacts/qbft-light-client.generated.ts'
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
  type ChainRole,
  type CreditLimit,
  type Founder,
  type MainChain,
  type Predeploy,
  type PredeployOptions,
  predeploys,
  type TariffEntry,
} from './predeploys.ts'
