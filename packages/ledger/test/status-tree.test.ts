import { crc32 } from 'node:zlib'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
  keccak256,
} from '@vellum/evm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addressOfPublicKey, createSecp256k1 } from '../src/crypto.ts'
import {
  type Chain,
  createMemoryKeyValue,
  createPool,
  createStatusTree,
  decodeExtraData,
  type ExecutedBlock,
  encodeExtraData,
  formatGenesis,
  type Genesis,
  type KeyValue,
  openChain,
  parseGenesis,
  rootOfStatusProof,
  type StatusProof,
  signTransaction,
  statusSlot,
} from '../src/index.ts'
import { createOneSigner, oneSignerGenesis } from './one-signer.ts'

const ZERO = new Uint8Array(32)
const leafOf = (n: number): Uint8Array => bigIntToBytes(BigInt(n), 32)

/** The definition, written down as it is read. */
function rootByDefinition(leaves: ReadonlyMap<number, Uint8Array>): Uint8Array {
  let level = new Map(leaves)
  for (let depth = 0; depth < 32; depth++) {
    const above = new Map<number, Uint8Array>()
    for (const index of level.keys()) {
      const parent = Math.floor(index / 2)
      const [left, right] = [2 * parent, 2 * parent + 1].map((each) => level.get(each) ?? ZERO)
      const isEmpty = Buffer.from(left!).equals(ZERO) && Buffer.from(right!).equals(ZERO)
      above.set(parent, isEmpty ? ZERO : keccak256(concatBytes(left!, right!)))
    }
    level = above
  }
  return level.get(0) ?? ZERO
}

const index = fc.oneof(fc.nat(40), fc.nat(5_000))
const changes = fc.array(fc.tuple(index, fc.nat(50)), { maxLength: 30 })

describe('a status tree', () => {
  test('has the root of the definition, however the leaves came', () => {
    fc.assert(
      fc.property(fc.array(changes, { maxLength: 6 }), (steps) => {
        const tree = createStatusTree()
        const all = new Map<number, Uint8Array>()
        for (const step of steps) {
          const leaves = new Map(step.map(([at, value]) => [at, leafOf(value)]))
          for (const [at, leaf] of leaves) all.set(at, leaf)
          const root = rootByDefinition(all)
          expect(tree.rootWith(leaves)).toEqual(root)
          tree.set(leaves)
          expect(tree.root()).toEqual(root)
        }
      }),
    )
  })

  test('proves every leaf, there or not', () => {
    fc.assert(
      fc.property(changes, index, (leaves, asked) => {
        const tree = createStatusTree()
        tree.set(new Map(leaves.map(([at, value]) => [at, leafOf(value)])))
        const proof = tree.prove(asked)
        expect(proof.leaf).toEqual(tree.leaf(asked))
        expect(rootOfStatusProof(proof)).toEqual(tree.root())
      }),
    )
  })

  test('takes the last of 2^32 leaves', () => {
    const tree = createStatusTree()
    const leaves = new Map([[2 ** 32 - 1, leafOf(7)]])
    expect(tree.rootWith(leaves)).toEqual(rootByDefinition(leaves))
  })

  test('gives no proof that can be altered', () => {
    const tree = createStatusTree()
    tree.set(new Map(Array.from({ length: 100 }, (_, i) => [i, leafOf(i + 1)])))
    const proof = tree.prove(37)
    const root = Buffer.from(tree.root())
    const altered: StatusProof[] = [
      { ...proof, index: 36 },
      { ...proof, leaf: leafOf(99) },
      { ...proof, siblings: proof.siblings.slice(1) },
      { ...proof, siblings: [...proof.siblings, leafOf(1)] },
      { ...proof, siblings: proof.siblings.toReversed() },
      { ...proof, mask: proof.mask ^ 1 },
      { ...proof, mask: (proof.mask | (1 << 20)) >>> 0, siblings: [...proof.siblings, ZERO] },
    ]
    for (const each of altered) {
      expect(root.equals(rootOfStatusProof(each) ?? ZERO)).toBe(false)
    }
    for (let bit = 0; bit < 32 * 8; bit++) {
      const leaf = proof.leaf.slice()
      leaf[bit >> 3]! ^= 1 << (bit & 7)
      expect(root.equals(rootOfStatusProof({ ...proof, leaf })!)).toBe(false)
    }
  })
})

const crypto = createSecp256k1()
const key = new Uint8Array(32).fill(3)
const validator = addressOfPublicKey(crypto.publicKey(key))
const sealer = createOneSigner(validator, key, crypto)
const CONTRACT: Address = '0x0000000000000000000000000000000000005606'
const SLOT = 4n
const place = { contract: CONTRACT, slot: SLOT }
const wordOf = (value: bigint): Hash => bytesToHex(bigIntToBytes(value, 32))

/** Its code writes the second word of its call data to the slot that the first one names. */
const GENESIS: Genesis = oneSignerGenesis({
  validator,
  vellum: { statusTree: { contract: CONTRACT, slot: '0x4' } },
  alloc: { [CONTRACT]: { balance: '0x0', code: '0x6020355f355500' } },
})

function open(disk: KeyValue): Promise<Chain> {
  return openChain({
    genesis: GENESIS,
    disk,
    crc32,
    scheme: sealer,
    crypto,
    retainedBlocks: undefined,
  })
}

let nonce = 0n
function build(chain: Chain, words: readonly (readonly [slot: Hash, value: bigint])[]) {
  const parent = chain.head().header
  const pool = createPool({
    state: () => chain.state(),
    next: () => ({
      rules: chain.rulesAt(parent.number + 1, parent.timestamp),
      gasLimit: parent.gasLimit,
    }),
  })
  for (const [slot, value] of words) {
    const transaction = {
      type: 2,
      chainId: 7n,
      nonce: nonce++,
      gasLimit: 100_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to: CONTRACT,
      value: 0n,
      data: concatBytes(hexToBytes(slot), bigIntToBytes(value, 32)),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    } as const
    pool.add(signTransaction(transaction, key, crypto))
  }
  const built = chain.build(pool, {
    timestamp: parent.timestamp + 1,
    fields: sealer.fields,
    gasLimitTarget: parent.gasLimit,
  })
  return chain.sealed(built, sealer.seal(built.block.header))
}

const leafWord = (at: number, value: bigint) => [statusSlot(place, at), value] as const
const lengthWord = (length: bigint) => [wordOf(SLOT), length] as const
const committed = (root: Uint8Array): Uint8Array =>
  keccak256(concatBytes(bigIntToBytes(7n, 32), bigIntToBytes(BigInt(CONTRACT), 32), root))
const vanityOf = ({ block }: ExecutedBlock): Uint8Array =>
  decodeExtraData(block.header.extraData).vanity

/** Three blocks: leaves 0 to 99, a change of some, and nothing. */
async function grow(chain: Chain): Promise<ExecutedBlock[]> {
  nonce = 0n
  const first = Array.from({ length: 100 }, (_, i) => leafWord(i, BigInt(i + 1)))
  const blocks: ExecutedBlock[] = []
  for (const words of [[lengthWord(100n), ...first], [leafWord(7, 700n), leafWord(98, 0n)], []]) {
    const executed = build(chain, words)
    await chain.append(executed)
    blocks.push(executed)
  }
  return blocks
}

describe('a chain with a status tree', () => {
  test('says in every header what the array holds after the block', async () => {
    const chain = await open(createMemoryKeyValue())
    const blocks = await grow(chain)
    const leaves = new Map(Array.from({ length: 100 }, (_, i) => [i, leafOf(i + 1)]))
    expect(vanityOf(blocks[0]!)).toEqual(committed(rootByDefinition(leaves)))
    leaves.set(7, leafOf(700)).set(98, ZERO)
    expect(vanityOf(blocks[1]!)).toEqual(committed(rootByDefinition(leaves)))
    expect(vanityOf(blocks[2]!)).toEqual(vanityOf(blocks[1]!))
    const proof = chain.proveStatus(7)!
    expect(proof.leaf).toEqual(leafOf(700))
    expect(committed(rootOfStatusProof(proof)!)).toEqual(vanityOf(blocks[2]!))
  })

  test('is followed by another node, which refuses another root', async () => {
    const ours = await open(createMemoryKeyValue())
    const theirs = await open(createMemoryKeyValue())
    for (const { block } of await grow(ours)) {
      const { header } = block
      const extra = decodeExtraData(header.extraData)
      const extraData = encodeExtraData({ ...extra, vanity: leafOf(1) })
      const forged = sealer.seal({ ...header, extraData })
      expect(theirs.execute({ ...block, header: forged })).toMatchObject({
        ok: false,
        reason: 'status root differs from execution',
      })
      const verdict = theirs.execute(block)
      expect(verdict.ok).toBe(true)
      await theirs.append(verdict.executed!)
    }
    expect(theirs.proveStatus(7)).toEqual(ours.proveStatus(7))
  })

  test('has its tree again after a restart, also of damaged or missing records', async () => {
    const disk = createMemoryKeyValue()
    const chain = await open(disk)
    await grow(chain)
    const proof = chain.proveStatus(7)
    expect((await open(disk)).proveStatus(7)).toEqual(proof)
    for (const damage of ['delete', 'flip'] as const) {
      const range = { from: Uint8Array.of(0x75), to: Uint8Array.of(0x76) }
      const records: (readonly [Uint8Array, Uint8Array])[] = []
      for await (const record of disk.iterate(range)) records.push(record)
      expect(records).toHaveLength(2)
      const [found, bytes] = records[1]!
      const value = bytes.slice()
      value[5]! ^= 1
      await disk.batch([{ key: found, value: damage === 'delete' ? undefined : value }])
      expect((await open(disk)).proveStatus(7)).toEqual(proof)
    }
    const again = await open(disk)
    await again.append(build(again, [leafWord(8, 800n)]))
    expect(again.proveStatus(8)!.leaf).toEqual(leafOf(800))
  })

  test('has the rule in its genesis file', () => {
    expect(GENESIS.statusTree).toEqual(place)
    expect(parseGenesis(formatGenesis(GENESIS)).statusTree).toEqual(place)
  })
})
