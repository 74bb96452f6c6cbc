/** Messages of validators for tests, signed as `engines.ts` signs. */

import { type Address, hexToBytes } from '@vellum/evm'
import {
  type Commit,
  type Prepare,
  type PreparedCertificate,
  type Proposal,
  type ProposedBlock,
  type RoundChange,
  signCommit,
  signPrepare,
  signProposal,
  signRoundChange,
} from '../src/index.ts'
import { signAs } from './engines.ts'

const signerOf = (author: Address) => (hash: Uint8Array) => signAs(author, hash)

export function prepareBy(
  author: Address,
  { digest }: Pick<ProposedBlock, 'digest'>,
  round = 0,
  height = 1,
): Prepare {
  return signPrepare({ height, round, digest }, author, signerOf(author))
}

export interface CommitFacts {
  readonly height?: number
  /** Who makes the seal; the author unless said otherwise. */
  readonly sealer?: Address
}

export function commitBy(
  author: Address,
  { digest }: Pick<ProposedBlock, 'digest'>,
  round = 0,
  { height = 1, sealer = author }: CommitFacts = {},
): Commit {
  const seal = signAs(sealer, hexToBytes(digest))
  return signCommit({ height, round, digest, seal }, author, signerOf(author))
}

export function proposalBy(
  author: Address,
  block: ProposedBlock,
  round = 0,
  justification: Pick<Proposal, 'roundChanges' | 'prepares'> = { roundChanges: [], prepares: [] },
  height = 1,
): Proposal {
  const payload = { height, round, block, accessList: undefined }
  return { kind: 'proposal', ...signProposal(payload, author, signerOf(author)), ...justification }
}

/** @param claim what the author says it has prepared */
export function roundChangeBy(
  author: Address,
  round: number,
  claim?: PreparedCertificate,
  height = 1,
): RoundChange {
  const prepared = claim && { round: claim.round, digest: claim.block.digest }
  const signed = signRoundChange({ height, round, prepared }, author, signerOf(author))
  const prepares = claim?.prepares ?? []
  return { kind: 'roundChange', ...signed, block: claim?.block, accessList: undefined, prepares }
}

/** What these authors prove by their prepares: the block, which carries the round. */
export function certificateOf(
  authors: readonly Address[],
  block: ProposedBlock,
  round: number,
  height = 1,
): PreparedCertificate {
  const prepares = authors.map((each) => {
    const { payload, author, signature } = prepareBy(each, block, round, height)
    return { payload, author, signature }
  })
  return { block, round, prepares }
}
