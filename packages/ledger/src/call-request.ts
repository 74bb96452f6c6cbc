/** What a simulated call asks, what it may replace in state and block, and how it can end. */

import type { Address, Hash } from '@vellum/evm'
import type { Withdrawal } from './block.ts'
import type { AccessListEntry, Authorization } from './transaction.ts'

/** A transaction as a caller sketches it; what is left out takes the value said here. */
export interface CallRequest {
  /** Default: the zero address. */
  readonly from?: Address
  /** Left out: a contract creation. */
  readonly to?: Address
  /** Gas limit. Default: the gas cap of the simulation. */
  readonly gas?: bigint
  /** Fee in wei per gas. Left out, as the two below: the call is free and GASPRICE is 0. */
  readonly gasPrice?: bigint
  readonly maxFeePerGas?: bigint
  readonly maxPriorityFeePerGas?: bigint
  readonly value?: bigint
  readonly data?: Uint8Array
  /** Accepted and ignored in calls: the nonce is that of the state. */
  readonly nonce?: bigint
  readonly accessList?: readonly AccessListEntry[]
  readonly maxFeePerBlobGas?: bigint
  readonly blobVersionedHashes?: readonly Hash[]
  readonly authorizationList?: readonly Authorization[]
}

/** Replacements in the state that a simulation meets, by account. */
export type StateOverrides = ReadonlyMap<Address, AccountOverride>

/** What is left out stays as it is. `state` and `stateDiff` exclude each other. */
export interface AccountOverride {
  readonly nonce?: bigint
  readonly balance?: bigint
  readonly code?: Uint8Array
  /** The whole storage: slots not named are 0. */
  readonly state?: ReadonlyMap<Hash, bigint>
  /** Single slots: those not named keep their values. */
  readonly stateDiff?: ReadonlyMap<Hash, bigint>
  /** The native contract at this address answers at that one instead. */
  readonly movePrecompileTo?: Address
}

/** Replacements in the block environment that a simulation meets. */
export interface BlockOverrides {
  readonly number?: bigint
  /** Seconds since 1970. */
  readonly time?: bigint
  readonly gasLimit?: bigint
  readonly feeRecipient?: Address
  readonly prevRandao?: Hash
  readonly difficulty?: bigint
  readonly baseFeePerGas?: bigint
  readonly blobBaseFee?: bigint
  /** Two that only a simulated block has; a call has no use for them. */
  readonly parentBeaconBlockRoot?: Hash
  readonly withdrawals?: readonly Withdrawal[]
}

/** How a simulated execution ended. */
export type CallOutcome =
  | { readonly status: 'success'; readonly output: Uint8Array; readonly gasUsed: bigint }
  /** The code called REVERT; `output` is its revert data. */
  | { readonly status: 'reverted'; readonly output: Uint8Array; readonly gasUsed: bigint }
  /** The machine stopped it: `reason` in words, such as `out of gas`. */
  | { readonly status: 'failed'; readonly reason: string; readonly gasUsed: bigint }

/** The least sufficient gas limit, or how the execution fails with all the gas there is. */
export type EstimateOutcome =
  | { readonly status: 'success'; readonly gas: bigint }
  | { readonly status: 'reverted'; readonly output: Uint8Array }
  | { readonly status: 'failed'; readonly reason: string }

/** What an execution touches beyond what every transaction may; `failure` if it did not succeed. */
export interface AccessListOutcome {
  readonly accessList: readonly AccessListEntry[]
  readonly gasUsed: bigint
  readonly failure: string | undefined
}

export interface SimulationQuery {
  readonly request: CallRequest
  /** The block whose state and environment the request meets. */
  readonly number: number
  readonly stateOverrides: StateOverrides | undefined
  readonly blockOverrides: BlockOverrides | undefined
}
