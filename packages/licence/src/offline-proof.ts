/**
 * The proof in an offline code: what a licence was at a height, with the way to a header that a quorum
 * of validators sealed. Who holds the validator set needs nothing else: no node, no network.
 *
 *   version (1) | leaf | mask (4) | siblings (32 each) | sealed header
 *   leaf = number | identifier (32) | status | version | holder (20) | content (32) | validFrom |
 *          validUntil | statusTime
 */

import { getAddress, getBytes, hexlify } from 'ethers'
import { createByteReader, numberBytes } from './byte-reader.ts'
import { joinBytes } from './bytes.ts'
import { LICENCE_LIMITS } from './config.ts'
import { LicenceError, type Verdict } from './error.ts'
import { readNodeHeader } from './node-header.ts'
import {
  commitHashOf,
  encodeSealedHeader,
  NO_DOMAIN,
  quorumOf,
  readSealedHeader,
  type SealReason,
  type ValidatorSet,
  type VariableHeader,
  verifySeals,
} from './sealed-header.ts'
import {
  commitmentOfRoot,
  LICENCE_STATUSES,
  leafHash,
  rootOf,
  type StatusLeaf,
  type StatusPath,
  TREE_DEPTH,
} from './status-tree.ts'

const FORMAT = 1

/** What a verifier has to know of a chain. */
export interface TrustedChain {
  readonly chainId: bigint
  /** Address of its `LicenceRegistry`. */
  readonly registry: string
  /**
   * Hash of its genesis block, in lower case, if its headers name the chain by it
   * (`config.vellum.chainDomain`); undefined if they do not.
   */
  readonly domain?: string | undefined
  /** Sets with the first block each is for, ascending; the first begins at 0 or where trust begins. */
  readonly validators: readonly { readonly from: number; readonly set: ValidatorSet }[]
  /** Seconds since 1970: time of the newest block up to which these sets are known; `followValidators` asks. */
  readonly asOf?: number | undefined
}

/** A proof that was checked. */
export interface ProvenStatus {
  readonly leaf: StatusLeaf
  readonly height: number
  /** Seconds since 1970: the block's. */
  readonly time: number
}

export type ProofReason =
  | SealReason
  /** The verifier knows no validators for that height. */
  | 'height before trust'

/**
 * Makes a proof from what a node gives.
 * @param block.header RLP of the header with its seals, as `debug_getRawHeader` and
 *   `vellum_getStatusProof` give it
 * @throws LicenceError LICENCE_HEADER_UNUSUAL if the short form cannot say this header
 */
export function encodeProof(block: {
  readonly header: Uint8Array
  readonly leaf: StatusLeaf
  readonly path: StatusPath
}): Uint8Array {
  const { header: bytes, leaf, path } = block
  const { header, seals, validators } = readNodeHeader(bytes)
  return joinBytes([
    Uint8Array.of(FORMAT),
    encodeLeaf(leaf),
    encodePath(path),
    encodeSealedHeader(header, seals.slice(0, quorumOf(validators.length))),
  ])
}

/** Answer of `vellum_getStatusProof`. */
export interface NodeProof {
  readonly header: string
  readonly index: string
  readonly leaf: string
  readonly mask: string
  readonly siblings: readonly string[]
}

/**
 * Makes a proof from a node's answer and what the leaf says.
 * @throws LicenceError LICENCE_CHAIN_ANSWER if the node proves another leaf, LICENCE_HEADER_UNUSUAL
 */
export function proofOfNode(answer: NodeProof, leaf: StatusLeaf): Uint8Array {
  const mask = Number(answer.mask)
  const rest = [...answer.siblings]
  const siblings = Array.from({ length: TREE_DEPTH }, (_, level) =>
    Math.floor(mask / 2 ** level) % 2 === 1 ? getBytes(rest.shift() ?? '0x') : undefined,
  )
  if (Number(answer.index) !== leaf.number || answer.leaf !== hexlify(leafHash(leaf))) {
    throw new LicenceError('LICENCE_CHAIN_ANSWER', 'the node proves another leaf')
  }
  return encodeProof({ header: getBytes(answer.header), leaf, path: { siblings } })
}

/**
 * Checks a proof against a chain's validators.
 * @throws LicenceError LICENCE_PROOF_MALFORMED
 */
export function verifyProof(
  bytes: Uint8Array,
  chain: TrustedChain,
): Verdict<{ readonly status: ProvenStatus }, ProofReason> {
  const { leaf, path, header, seals } = decodeProof(bytes)
  const validators = chain.validators.findLast(({ from }) => from <= header.number)?.set
  if (validators === undefined) return { ok: false, reason: 'height before trust' }
  if (header.proposer >= validators.length) return { ok: false, reason: 'proposer unknown' }
  const { chainId, registry, domain } = chain
  // The vanity is not in the proof: it has to be what chain, leaf and path give.
  const vanity = commitmentOfRoot({ chainId, registry, root: rootOf(leaf, path) })
  const commitHash = commitHashOf(header, { vanity, validators, domain: domain ?? NO_DOMAIN })
  const sealed = verifySeals(commitHash, seals, validators)
  if (!sealed.ok) return sealed
  return { ok: true, status: { leaf, height: header.number, time: header.timestamp } }
}

/** What a proof claims, unchecked. @throws LicenceError LICENCE_PROOF_MALFORMED */
export function decodeProof(bytes: Uint8Array): {
  readonly leaf: StatusLeaf
  readonly path: StatusPath
  readonly header: VariableHeader
  readonly seals: readonly Uint8Array[]
} {
  if (bytes.length > LICENCE_LIMITS.proofBytesMax) throw malformed()
  const reader = createByteReader(bytes)
  if (reader.bytes(1)?.[0] !== FORMAT) throw malformed()
  const number = reader.number()
  const identifier = reader.bytes(32)
  const status = LICENCE_STATUSES[reader.number() ?? 0]
  const version = reader.number()
  const holder = reader.bytes(20)
  const content = reader.bytes(32)
  const [validFrom, validUntil, statusTime] = [reader.number(), reader.number(), reader.number()]
  const mask = reader.bytes(4)
  if (
    number === undefined ||
    number >= 2 ** TREE_DEPTH ||
    identifier === undefined ||
    status === undefined ||
    status === 'None' ||
    version === undefined ||
    version > 0xffff_ffff ||
    holder === undefined ||
    content === undefined ||
    validFrom === undefined ||
    validUntil === undefined ||
    statusTime === undefined ||
    mask === undefined
  ) {
    throw malformed()
  }
  const siblings: (Uint8Array | undefined)[] = []
  for (let level = 0; level < TREE_DEPTH; level++) {
    if ((mask[3 - (level >> 3)]! & (1 << (level & 7))) === 0) siblings.push(undefined)
    else {
      const sibling = reader.bytes(32)
      // An empty sibling is said by the mask alone.
      if (sibling === undefined || sibling.every((byte) => byte === 0)) throw malformed()
      siblings.push(sibling)
    }
  }
  const sealed = readSealedHeader(reader)
  if (sealed === undefined || reader.left > 0) throw malformed()
  const leaf = {
    number,
    identifier: hexlify(identifier),
    status,
    version,
    holder: getAddress(hexlify(holder)),
    content: hexlify(content),
    validFrom,
    validUntil,
    statusTime,
  }
  return { leaf, path: { siblings }, ...sealed }
}

function encodeLeaf(leaf: StatusLeaf): Uint8Array {
  return joinBytes([
    numberBytes(leaf.number),
    getBytes(leaf.identifier),
    numberBytes(LICENCE_STATUSES.indexOf(leaf.status)),
    numberBytes(leaf.version),
    getBytes(leaf.holder),
    getBytes(leaf.content),
    numberBytes(leaf.validFrom),
    numberBytes(leaf.validUntil),
    numberBytes(leaf.statusTime),
  ])
}

function encodePath({ siblings }: StatusPath): Uint8Array {
  const mask = new Uint8Array(4)
  const present = siblings.flatMap((sibling, level) => {
    if (sibling === undefined || sibling.every((byte) => byte === 0)) return []
    mask[3 - (level >> 3)]! |= 1 << (level & 7)
    return [sibling]
  })
  return joinBytes([mask, ...present])
}

function malformed(): LicenceError {
  return new LicenceError('LICENCE_PROOF_MALFORMED', 'not a status proof')
}
