/** Headers as a node of ours makes them, sealed by keys of a test. @vellum/ledger is the oracle. */

import { commitHash, encodeExtraData, encodeHeader, type Header } from '@vellum/ledger'
import { computeAddress, getBytes, hexlify, SigningKey } from 'ethers'
import {
  commitmentOfRoot,
  rootOf,
  type StatusLeaf,
  type StatusPath,
  type TrustedChain,
} from '../src/index.ts'
import { CHAIN_ID, NOW, secretOf } from './samples.ts'

export const REGISTRY = '0x0000000000000000000000000000000000005606'

/** Keys of n validators, by ascending address. */
export function validatorKeys(count: number): SigningKey[] {
  return Array.from({ length: count }, (_, i) => new SigningKey(hexlify(secretOf(100 + i)))).sort(
    (a, b) => (addressOf(a) < addressOf(b) ? -1 : 1),
  )
}

export function addressOf(key: SigningKey): `0x${string}` {
  return computeAddress(key.publicKey).toLowerCase() as `0x${string}`
}

export function trusted(keys: readonly SigningKey[]): TrustedChain {
  return {
    chainId: CHAIN_ID,
    registry: REGISTRY,
    validators: [{ from: 0, set: keys.map(addressOf) }],
  }
}

/** A header over some leaves with seals of some keys. */
export function sealedHeader(options: {
  readonly keys: readonly SigningKey[]
  readonly root: Uint8Array
  readonly sealers?: readonly SigningKey[]
  readonly change?: Partial<Header>
  readonly round?: number
  readonly vote?: { recipient: `0x${string}`; kind: 'add' | 'drop' }
  readonly chainId?: bigint
}): Uint8Array {
  const { keys, root, sealers = keys, change, round = 0, vote, chainId = CHAIN_ID } = options
  const extra = {
    vanity: commitmentOfRoot({ chainId, registry: REGISTRY, root }),
    validators: keys.map(addressOf),
    vote,
    round,
    seals: [] as Uint8Array[],
  }
  const logsBloom = new Uint8Array(256)
  for (let i = 0; i < 36; i++) logsBloom[(i * 53) % 256]! |= 1 << (i % 8)
  const header: Header = {
    parentHash: word('a1'),
    ommersHash: '0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347',
    coinbase: addressOf(keys[1] ?? keys[0]!),
    stateRoot: word('b2'),
    transactionsRoot: word('c3'),
    receiptsRoot: word('d4'),
    logsBloom,
    difficulty: 1n,
    number: 1_234_567,
    gasLimit: 300_000_000n,
    gasUsed: 21_345_678n,
    timestamp: NOW - 5,
    extraData: encodeExtraData(extra),
    mixHash: '0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365',
    nonce: new Uint8Array(8),
    baseFeePerGas: 0n,
    withdrawalsRoot: '0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421',
    blobGasUsed: 0n,
    excessBlobGas: 0n,
    parentBeaconBlockRoot: word('00'),
    requestsHash: '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    ...change,
  }
  const digest = commitHash(header)
  const seals = sealers.map((key) => {
    const { r, s, yParity } = key.sign(digest)
    return Uint8Array.from([...getBytes(r), ...getBytes(s), yParity])
  })
  return encodeHeader({ ...header, extraData: encodeExtraData({ ...extra, seals }) })
}

/** A path with as many siblings as a tree of a million licences has, and its root. */
export function deepPath(leaf: StatusLeaf): { path: StatusPath; root: Uint8Array } {
  const siblings = Array.from({ length: 20 }, (_, i) => new Uint8Array(32).fill(i + 1))
  const path = { siblings }
  return { path, root: rootOf(leaf, path) }
}

function word(byte: string): `0x${string}` {
  return `0x${byte.repeat(32)}`
}
