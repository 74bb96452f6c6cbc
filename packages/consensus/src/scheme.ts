/**
 * How blocks of a QBFT chain are named and checked: `SealScheme` for chains with header-mode
 * validators, one or many. Spec: qbft.md §2–6; Besu `QbftBlockHeaderValidationRulesetFactory`,
 * stricter where docs/protocol/qbft.md says so.
 */

import type { Address, Hash } from '@vellum/evm'
import {
  type ConsensusFields,
  decodeExtraData,
  EMPTY_OMMERS_HASH,
  type ExtraData,
  encodeExtraData,
  type Header,
  QBFT_MIX_HASH,
  type QbftConfig,
  qbftHash,
  type ReadAncestor,
  type SealScheme,
  VANITY_SIZE,
  type Verdict,
} from '@vellum/ledger'
import { type CertificateReason, verifyCertificate } from './certificate.ts'
import type { RecoverAuthor } from './codec.ts'
import { CONSENSUS_LIMITS } from './types.ts'
import { afterBlock, createValidatorHistory, type ValidatorState } from './validators.ts'

export type QbftReason =
  | 'coinbase is not a validator'
  | 'consensus fields differ from QBFT'
  | 'vanity is not 32 bytes'
  | 'validators differ from the chain’s'
  | 'round out of range'
  | 'vote would leave no validator'
  | 'a proposal has no seals'
  | CertificateReason

export interface QbftScheme extends SealScheme {
  /** The set for the block after a number, and the votes open then. `ancestor` reads up to it. */
  validatorsAfter(number: number, ancestor: ReadAncestor): ValidatorState
}

export interface QbftSchemeOptions {
  readonly config: Pick<QbftConfig, 'epochLength'>
  readonly recover: RecoverAuthor
}

export function createQbftScheme({ config, recover }: QbftSchemeOptions): QbftScheme {
  const { epochLength } = config
  const history = createValidatorHistory(epochLength)

  function verifyFields(
    header: Header,
    extra: ExtraData,
    before: ValidatorState,
  ): Verdict<QbftReason> {
    const { validators } = before
    if (!validators.includes(header.coinbase)) {
      return { ok: false, reason: 'coinbase is not a validator' }
    }
    if (
      header.difficulty !== 1n ||
      header.mixHash !== QBFT_MIX_HASH ||
      header.ommersHash !== EMPTY_OMMERS_HASH ||
      header.nonce.some((byte) => byte !== 0)
    ) {
      return { ok: false, reason: 'consensus fields differ from QBFT' }
    }
    if (extra.vanity.length !== VANITY_SIZE) return { ok: false, reason: 'vanity is not 32 bytes' }
    if (!isSameSet(extra.validators, validators)) {
      return { ok: false, reason: 'validators differ from the chain’s' }
    }
    if (extra.round > CONSENSUS_LIMITS.roundMax) return { ok: false, reason: 'round out of range' }
    if (afterBlock(before, header, epochLength, extra).validators.length === 0) {
      return { ok: false, reason: 'vote would leave no validator' }
    }
    return { ok: true }
  }

  const before = (header: Header, ancestor: ReadAncestor): ValidatorState =>
    history.after(header.number - 1, ancestor)

  return {
    hash: rememberLast(qbftHash),
    verify: (header, _parent, ancestor) => {
      const state = before(header, ancestor)
      const verdict = verifyFields(header, decodeExtraData(header.extraData), state)
      return verdict.ok ? verifyCertificate(header, state.validators, recover) : verdict
    },
    verifyUnsealed: (header, _parent, ancestor) => {
      const extra = decodeExtraData(header.extraData)
      if (extra.seals.length > 0) return { ok: false, reason: 'a proposal has no seals' }
      return verifyFields(header, extra, before(header, ancestor))
    },
    validatorsAfter: history.after,
  }
}

/** What a proposer writes into a new block. */
export function proposalFields(proposal: {
  readonly proposer: Address
  readonly validators: readonly Address[]
  readonly round: number
  readonly vote: ExtraData['vote']
}): ConsensusFields {
  const { proposer, validators, round, vote } = proposal
  return {
    coinbase: proposer,
    difficulty: 1n,
    mixHash: QBFT_MIX_HASH,
    nonce: new Uint8Array(8),
    extraData: encodeExtraData({
      vanity: new Uint8Array(VANITY_SIZE),
      validators,
      vote,
      round,
      seals: [],
    }),
  }
}

/** A block is looked for, executed, decided and kept by its name, mostly one after another. */
function rememberLast(hash: SealScheme['hash']): SealScheme['hash'] {
  let last: { readonly header: Header; readonly hash: Hash } | undefined
  return (header) => {
    if (last?.header !== header) last = { header, hash: hash(header) }
    return last.hash
  }
}

function isSameSet(a: readonly Address[], b: readonly Address[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i])
}
