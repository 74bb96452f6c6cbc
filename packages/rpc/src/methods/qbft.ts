/**
 * Validators and votes, with the names, parameters and answers of Besu. Spec: qbft.md §22; Besu
 * `QbftJsonRpcMethods`. Where we differ, docs/protocol/json-rpc.md says so.
 */

import type { Address } from '@vellum/evm'
import { decodeExtraData, type SealedHeader } from '@vellum/ledger'
import type { ChainReader, ConsensusPort } from '../backend.ts'
import { heightOf } from '../block.ts'
import { invalidParams, limitExceeded, RpcError, SERVER_ERROR } from '../error.ts'
import { quantity } from '../format.ts'
import { FALSE, type JsonText, NULL, TRUE } from '../json.ts'
import type { RpcLimits } from '../limits.ts'
import { type Method, method } from '../method.ts'
import {
  type BlockReference,
  defaulting,
  optional,
  parseAddress,
  parseBlockNumber,
  parseBoolean,
  parseHash,
  required,
} from '../parse.ts'

/** Blocks over which proposers are counted unless the caller says otherwise, as Besu. */
const SIGNER_METRICS_BLOCKS = 100

interface SignerMetrics {
  count: number
  last: number
}

export function qbftMethods(
  chain: ChainReader,
  consensus: ConsensusPort,
  limits: RpcLimits,
): Method[] {
  const head = (): number => chain.head().header.number

  /** Who proposed how often from one block up to, not including, another. */
  function signerMetrics(from: number, to: number): JsonText {
    const signers = new Map<Address, SignerMetrics>()
    const of = (address: Address): SignerMetrics => {
      const found = signers.get(address) ?? { count: 0, last: 0 }
      signers.set(address, found)
      return found
    }
    // The genesis block is nobody's.
    for (let number = Math.max(from, 1); number < to; number++) {
      const signer = of(chain.header(number)!.header.coinbase)
      signer.count++
      signer.last = number
    }
    for (const validator of consensus.validatorsAfter(Math.max(to - 1, 0))) of(validator)
    const items = [...signers]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(
        ([address, { count, last }]) =>
          `{"address":"${address}","proposedBlockCount":${quantity(count)}` +
          `,"lastProposedBlockNumber":${quantity(last)}}`,
      )
    return `[${items.join(',')}]`
  }

  /** A bound of a range: blocks above the head are asked for like the head. */
  function boundOf(reference: BlockReference): number {
    return heightOf(chain, reference) ?? head()
  }

  return [
    method('qbft_getValidatorsByBlockNumber', [required(parseNumber)], (reference) => {
      if (reference.type === 'tag' && reference.tag === 'pending') {
        return list(consensus.validatorsAfter(head()))
      }
      const height = heightOf(chain, reference)
      return height === undefined ? NULL : validatorsIn(chain.header(height)!)
    }),
    method('qbft_getValidatorsByBlockHash', [required(parseHash)], (hash) => {
      const height = chain.numberOf(hash)
      return height === undefined ? NULL : validatorsIn(chain.header(height)!)
    }),
    method(
      'qbft_getSignerMetrics',
      [optional(parseNumber), optional(parseNumber)],
      (fromBlock, toBlock) => {
        const to = toBlock === undefined ? head() : boundOf(toBlock)
        const from =
          fromBlock === undefined
            ? Math.max(0, to - SIGNER_METRICS_BLOCKS)
            : fromBlock.type === 'number'
              ? fromBlock.number
              : boundOf(fromBlock)
        const isAsked = fromBlock !== undefined || toBlock !== undefined
        if (isAsked && from >= to) throw invalidParams('the range of blocks is empty')
        if (to - from > limits.signerMetricsBlocksMax) {
          throw limitExceeded(
            `range too large, want at most ${limits.signerMetricsBlocksMax} blocks`,
          )
        }
        return signerMetrics(from, to)
      },
    ),
    method('qbft_getRequestTimeoutSeconds', [], () =>
      // Besu's answer is a plain number.
      String(Math.ceil(consensus.requestTimeoutMs / 1_000)),
    ),
    method('qbft_getPendingVotes', [], () => {
      const votes = [...consensus.pending()].map(
        ([subject, kind]) => `"${subject}":${kind === 'add' ? TRUE : FALSE}`,
      )
      return `{${votes.join(',')}}`
    }),
    method(
      'qbft_proposeValidatorVote',
      [required(parseSubject), required(parseBoolean), defaulting(parseBoolean, false)],
      (subject, isAdded, isForced) => {
        const verdict = consensus.propose({ subject, kind: isAdded ? 'add' : 'drop', isForced })
        if (!verdict.ok) throw new RpcError(SERVER_ERROR, `vote refused: ${verdict.reason}`)
        return TRUE
      },
    ),
    // Besu answers true whether there was a vote or not.
    method('qbft_discardValidatorVote', [required(parseSubject)], (subject) => {
      consensus.discard(subject)
      return TRUE
    }),
  ]
}

/** Besu takes addresses without the prefix as well. */
function parseSubject(value: unknown): Address {
  const isBare = typeof value === 'string' && /^[0-9a-fA-F]{40}$/.test(value)
  return parseAddress(isBare ? `0x${value}` : value)
}

/** Besu takes heights in decimal as well. */
function parseNumber(value: unknown): BlockReference {
  const isDecimal = typeof value === 'string' && /^(?:0|[1-9]\d{0,14})$/.test(value)
  return isDecimal ? { type: 'number', number: Number(value) } : parseBlockNumber(value)
}

/** The set that the header names: those who could seal it. */
function validatorsIn({ header }: SealedHeader): JsonText {
  return list(decodeExtraData(header.extraData).validators)
}

function list(addresses: readonly Address[]): JsonText {
  return `[${addresses.map((address) => `"${address}"`).join(',')}]`
}
