export type {
  AccessListOutcome,
  AccountOverride,
  BlockOverrides,
  CallOutcome,
  CallRequest,
  EstimateOutcome,
  StateOverrides,
} from './call.ts'
