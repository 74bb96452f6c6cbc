/** How the contracts of the peg read headers and proofs: against Besu, our ledger, OpenZeppelin and shared vectors. */

import { readFileSync } from 'node:fs'
import { type Address, bytesToHex, concatBytes, type Hash, hexToBytes } from '@vellum/evm'
import {
  commitHash,
  decodeExtraData,
  decodeHeader,
  decodeRlp,
  encodeExtraData,
  encodeHeader,
  encodeRlp,
  encodeRlpList,
  type Header,
  qbftHash,
  type RlpItem,
  rlpScalar,
} from '@vellum/ledger'
import { Interface, type InterfaceAbi, keccak256, toBeHex } from 'ethers'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  createPegPair,
  crowdSlot,
  GATEWAY,
  hexOf,
  initCodeOf,
  openPegChain,
  type PegChain,
  refusal,
  sealedBy,
  slotOf,
  validatorKeys,
  withValidators,
} from './peg-chains.ts'
import { compileForTest } from './solidity-in-tests.ts'

const HEADERS = '0x0000000000000000000000000000000000007003' as Address

interface Contents {
  readonly fields: bigint
  readonly number: bigint
  readonly timestamp: bigint
  readonly parentHash: string
  readonly stateRoot: string
  readonly chainDomain: string
  readonly digest: string
  readonly blockHash: string
  readonly validators: readonly string[]
  readonly sealers: readonly string[]
}

let chain: PegChain
const validators = validatorKeys(4, 'main')

beforeAll(async () => {
  const probe = compileForTest('HeaderProbe')
  chain = await openPegChain({
    chainId: 1337,
    validators,
    clock: { seconds: 1_800_000_000 },
    interfaces: new Map([[HEADERS, new Interface(probe.abi as InterfaceAbi)]]),
    predeploys: [{ address: HEADERS, initCode: initCodeOf(probe, []) }],
    crowd: { accounts: 2_000, messages: 0 },
  })
  await chain.block()
})

const read = (header: string): Contents => chain.ask(HEADERS, 'read', [header])
const lower = (addresses: readonly string[]): string[] => addresses.map((a) => a.toLowerCase())
const vector = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}`, import.meta.url), 'utf8'))

describe('a header', () => {
  test('of Besu, committed in round 1, has the hashes and signers that Besu found', () => {
    const besu = vector('besu-header.json') as Record<
      'header' | 'commitHash' | 'blockHash',
      string
    > & { sealers: string[] }
    const contents = read(besu.header)
    expect(contents.fields).toBe(15n)
    expect(contents.number).toBe(7_528n)
    expect(contents.digest).toBe(besu.commitHash)
    expect(contents.blockHash).toBe(besu.blockHash)
    expect(lower(contents.sealers)).toEqual(besu.sealers)
    expect(contents.validators).toHaveLength(4)
    expect(contents.chainDomain).toBe(`0x${'00'.repeat(32)}`)
  })

  test('of the vectors shared with packages/sidechain is read alike', () => {
    const { headers, domain } = vector('peg.json') as {
      domain: string
      headers: (Record<'stateRoot' | 'sealedHeader' | 'hash' | 'sealDigest', string> & {
        size: string
        height: string
        timestamp: string
        validators: string[]
      })[]
    }
    expect(headers.length).toBeGreaterThan(10)
    for (const each of headers) {
      const contents = read(each.sealedHeader)
      expect(contents.fields).toBe(21n)
      expect(contents.number).toBe(BigInt(each.height))
      expect(contents.timestamp).toBe(BigInt(each.timestamp))
      expect(contents.stateRoot).toBe(each.stateRoot)
      expect(contents.blockHash).toBe(each.hash)
      expect(contents.digest).toBe(each.sealDigest)
      expect(contents.chainDomain).toBe(domain)
      expect(lower(contents.validators)).toEqual(each.validators)
    }
  })

  test('of any contents has the hashes that the ledger gives it', () => {
    const real = chain.header(1)
    const word = fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((bytes) => bytesToHex(bytes) as Hash)
    const small = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
    const contents = fc.record({
      number: small.map((n) => Math.max(n, 1)),
      timestamp: small,
      gasUsed: small.map(BigInt),
      parentHash: word,
      receiptsRoot: word,
      round: fc.oneof(fc.nat(3), fc.integer({ min: 0, max: 0xffffffff })),
      size: fc.integer({ min: 1, max: 25 }),
      sealed: fc.nat(25),
      vote: fc.option(fc.constantFrom('add' as const, 'drop' as const), { nil: undefined }),
      logsBloom: fc.uint8Array({ minLength: 256, maxLength: 256 }),
      tail: fc.constantFrom(0, 1, 2, 5, 6),
    })
    fc.assert(
      fc.property(contents, ({ round, size, sealed, vote, tail, ...fields }) => {
        const keys = validatorKeys(size, 'any')
        const extra = decodeExtraData(withValidators(real, keys).extraData)
        const proposed = vote && { recipient: keys[0]!.address, kind: vote }
        const extraData = encodeExtraData({ ...extra, round, vote: proposed })
        const present = <T>(from: number, value: T): T | undefined =>
          tail >= from ? value : undefined
        const header = sealedBy(
          {
            ...real,
            ...fields,
            extraData,
            baseFeePerGas: present(1, 7n),
            withdrawalsRoot: present(2, real.withdrawalsRoot),
            blobGasUsed: present(5, 0n),
            excessBlobGas: present(5, 131_072n),
            parentBeaconBlockRoot: present(5, real.parentBeaconBlockRoot),
            requestsHash: present(6, real.requestsHash),
          } as Header,
          keys.slice(0, sealed),
        )
        const found = read(hexOf(header))
        expect(found.fields).toBe(BigInt(15 + tail))
        expect(found.number).toBe(BigInt(header.number))
        expect(found.timestamp).toBe(BigInt(header.timestamp))
        expect(found.parentHash).toBe(header.parentHash)
        expect(found.digest).toBe(bytesToHex(commitHash(header)))
        expect(found.blockHash).toBe(qbftHash(header))
        expect(lower(found.sealers)).toEqual(keys.slice(0, sealed).map(({ address }) => address))
      }),
      { numRuns: 150, seed: 1 },
    )
  })

  test('of 23 fields, as the fork after ours has them, is read', () => {
    const sealed = sealedBy(chain.header(1), validators)
    const later = (header: Header): Uint8Array => {
      const items = decodeRlp(encodeHeader(header)) as RlpItem[]
      return encodeRlp([...items, hexToBytes(`0x${'77'.repeat(32)}` as Hash), rlpScalar(1_234_567)])
    }
    const contents = read(bytesToHex(later(sealed)))
    expect(contents.fields).toBe(23n)
    const extra = decodeExtraData(sealed.extraData)
    const unsealed = { ...sealed, extraData: encodeExtraData({ ...extra, seals: [] }) }
    expect(contents.digest).toBe(keccak256(later(unsealed)))
  })

  test('names up to 128 validators', () => {
    const keys = validatorKeys(128, 'many')
    const header = sealedBy(withValidators(chain.header(1), keys), keys)
    const contents = read(hexOf(header))
    expect(contents.blockHash).toBe(qbftHash(header))
    expect(lower(contents.sealers)).toEqual(keys.map(({ address }) => address))
  })

  test('of height 0 is named by its bytes', () => {
    expect(read(chain.sealedHeader(0)).blockHash).toBe(chain.domain)
  })
})

/** Items of a list with one replaced. */
function withItem(items: readonly RlpItem[], index: number, item: RlpItem): RlpItem[] {
  return items.with(index, item) as RlpItem[]
}

describe('a header in another form is refused:', () => {
  const header = (): RlpItem[] =>
    decodeRlp(encodeHeader(sealedBy(chain.header(1), validators))) as RlpItem[]
  const extra = (): RlpItem[] => decodeRlp(header()[12] as Uint8Array) as RlpItem[]
  const withExtra = (items: RlpItem[]): string =>
    bytesToHex(encodeRlp(withItem(header(), 12, encodeRlp(items))))
  const withField = (index: number, item: RlpItem): string =>
    bytesToHex(encodeRlp(withItem(header(), index, item)))
  const plain = (): string => bytesToHex(encodeRlp(header()))
  const bytes = (hex: string): Uint8Array => hexToBytes(hex as Hash)
  const lists = (index: number): RlpItem[] => extra()[index] as RlpItem[]
  const vanity = (): Uint8Array => extra()[0] as Uint8Array
  /** An item of the extra data in these bytes. */
  const withEncodedExtra = (index: number, encoded: Uint8Array): string => {
    const items = extra().map((item) => encodeRlp(item))
    return withField(12, encodeRlpList(items.with(index, encoded)))
  }

  const forms: Record<string, () => string> = {
    'a byte behind it': () => `${plain()}00`,
    'a byte less': () => plain().slice(0, -2),
    'a length with a leading zero': () => `0xfa00${plain().slice(4)}`,
    'a number of one byte in the long form': () => {
      const items = header()
      const whole = encodeRlp(items)
      const hex = bytesToHex(whole).slice(2)
      // The number, 1, as a string of one byte.
      const at = hex.indexOf('0101', 2 * 440)
      return `0x${hex.slice(0, at + 2)}8101${hex.slice(at + 4)}`
    },
    'a short string in the long form': () =>
      withEncodedExtra(0, concatBytes(bytes('0xb820'), vanity())),
    'a short list in the long form': () => withEncodedExtra(2, bytes('0xf800')),
    'a list of one validator in the long form': () =>
      withEncodedExtra(1, concatBytes(bytes('0xf81594'), lists(1)[0] as Uint8Array)),
    'a number with a leading zero': () => withField(10, bytes('0x0001')),
    'a number of nine bytes': () => withField(11, bytes(`0x${'11'.repeat(9)}`)),
    'a height of nine bytes': () => withField(8, bytes(`0x${'11'.repeat(9)}`)),
    'a gas limit of nine bytes': () => withField(9, bytes(`0x${'11'.repeat(9)}`)),
    'gas of nine bytes': () => withField(10, bytes(`0x${'11'.repeat(9)}`)),
    'a base fee of 33 bytes': () => withField(15, bytes(`0x${'11'.repeat(33)}`)),
    'a withdrawals root of 31 bytes': () => withField(16, bytes(`0x${'22'.repeat(31)}`)),
    'blob gas of nine bytes': () => withField(17, bytes(`0x${'11'.repeat(9)}`)),
    'excess blob gas of nine bytes': () => withField(18, bytes(`0x${'11'.repeat(9)}`)),
    'a chain domain of 31 bytes': () => withField(19, bytes(`0x${'22'.repeat(31)}`)),
    'a requests hash of 31 bytes': () => withField(20, bytes(`0x${'22'.repeat(31)}`)),
    'a coinbase of 21 bytes': () => withField(2, bytes(`0x${'22'.repeat(21)}`)),
    'a transactions root of 31 bytes': () => withField(4, bytes(`0x${'22'.repeat(31)}`)),
    'a receipts root of 31 bytes': () => withField(5, bytes(`0x${'22'.repeat(31)}`)),
    '22 fields': () => bytesToHex(encodeRlp([...header(), bytes(`0x${'77'.repeat(32)}`)])),
    'a slot number of nine bytes': () =>
      bytesToHex(
        encodeRlp([...header(), bytes(`0x${'77'.repeat(32)}`), bytes(`0x${'11'.repeat(9)}`)]),
      ),
    '24 fields': () =>
      bytesToHex(
        encodeRlp([...header(), bytes(`0x${'77'.repeat(32)}`), bytes('0x01'), bytes('0x')]),
      ),
    'a list in place of a number': () => withField(8, []),
    'a parent hash of 31 bytes': () => withField(0, bytes(`0x${'22'.repeat(31)}`)),
    'a bloom of 255 bytes': () => withField(6, bytes(`0x${'00'.repeat(255)}`)),
    'a state root of zero': () => withField(3, bytes(`0x${'00'.repeat(32)}`)),
    'a difficulty of 2': () => withField(7, bytes('0x02')),
    'another mix hash': () => withField(13, bytes(`0x${'33'.repeat(32)}`)),
    'a nonce': () => withField(14, bytes('0x0000000000000001')),
    ommers: () => withField(1, bytes(`0x${'44'.repeat(32)}`)),
    'a field too many': () => bytesToHex(encodeRlp([...header(), bytes('0x01')])),
    'two fields too few': () => bytesToHex(encodeRlp(header().slice(0, 18))),
    'extra data with a sixth item': () => withExtra([...extra(), bytes('0x')]),
    'extra data without seals': () => withExtra(extra().slice(0, 4)),
    'bytes behind the extra data': () =>
      withField(12, bytes(`${bytesToHex(encodeRlp(extra()))}00`)),
    'vanity of 31 bytes': () => withExtra(withItem(extra(), 0, bytes(`0x${'00'.repeat(31)}`))),
    'no validators': () => withExtra(withItem(extra(), 1, [])),
    'validators that are not in order': () =>
      withExtra(withItem(extra(), 1, lists(1).toReversed())),
    'a validator twice': () => withExtra(withItem(extra(), 1, withItem(lists(1), 1, lists(1)[0]!))),
    'a validator of zero': () =>
      withExtra(withItem(extra(), 1, withItem(lists(1), 0, bytes(`0x${'00'.repeat(20)}`)))),
    'a validator of 19 bytes': () =>
      withExtra(withItem(extra(), 1, withItem(lists(1), 0, bytes(`0x${'01'.repeat(19)}`)))),
    'a vote of null': () => withExtra(withItem(extra(), 2, bytes('0x'))),
    'a vote of another kind': () =>
      withExtra(withItem(extra(), 2, [bytes(`0x${'01'.repeat(20)}`), bytes('0x01')])),
    'a vote to drop written as zero': () =>
      withExtra(withItem(extra(), 2, [bytes(`0x${'01'.repeat(20)}`), bytes('0x00')])),
    'a vote with a third item': () =>
      withExtra(withItem(extra(), 2, [bytes(`0x${'01'.repeat(20)}`), bytes('0xff'), bytes('0x')])),
    'a round of four bytes with leading zeros': () =>
      withExtra(withItem(extra(), 3, bytes('0x00000001'))),
    'a round of five bytes': () => withExtra(withItem(extra(), 3, bytes('0x0102030405'))),
    'a seal of 64 bytes': () =>
      withExtra(withItem(extra(), 4, withItem(lists(4), 0, bytes(`0x${'05'.repeat(64)}`)))),
    'a seal of 66 bytes': () =>
      withExtra(withItem(extra(), 4, withItem(lists(4), 0, bytes(`0x${'05'.repeat(66)}`)))),
    'a seal in a list': () =>
      withExtra(withItem(extra(), 4, withItem(lists(4), 0, [lists(4)[0]!]))),
    'more seals than validators': () =>
      withExtra(withItem(extra(), 4, [...lists(4), lists(4)[0]!])),
    '129 validators': () => {
      const many = Array.from({ length: 129 }, (_, i) =>
        bytes(`0x${(i + 1).toString(16).padStart(40, '0')}`),
      )
      return withExtra(withItem(extra(), 1, many))
    },
    'nothing at all': () => '0x',
  }
  for (const [name, form] of Object.entries(forms)) {
    test(name, async () => {
      expect(read(plain()).number).toBe(1n)
      expect(form()).not.toBe(plain())
      expect(await refusal(() => read(form()))).toMatch(/^(HeaderInvalid|RlpInvalid)$/)
    })
  }

  test('whatever bytes stand there, it is read as it is written or refused', () => {
    const whole = encodeHeader(sealedBy(chain.header(1), validators))
    const places = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 3,
    })
    let accepted = 0
    fc.assert(
      fc.property(places, (changes) => {
        const bytesOf = whole.slice()
        for (const [place, value] of changes) bytesOf[place] = value
        let contents: Contents
        try {
          contents = chain.ask(HEADERS, 'read', [bytesToHex(bytesOf)])
        } catch {
          return
        }
        accepted++
        // What it accepts, the strict decoder of the ledger accepts, and writes again the same.
        const decoded = decodeHeader(bytesOf)
        expect(bytesToHex(encodeHeader(decoded))).toBe(bytesToHex(bytesOf))
        expect(contents.blockHash).toBe(qbftHash(decoded))
      }),
      { numRuns: 1_000, seed: 2 },
    )
    expect(accepted).toBeGreaterThan(100)
  })
})

describe('messages', () => {
  test('have the names, places and receipts of the vectors shared with packages/sidechain', () => {
    const { messages } = vector('peg.json') as {
      messages: {
        message: Record<string, string | number>
        id: string
        outboxSlot: string
        inboxSlot: string
        receipts: {
          outcome: 'delivered' | 'failed' | 'expired'
          returnHash: string
          commitment: string
        }[]
      }[]
    }
    expect(messages.length).toBeGreaterThan(0)
    for (const { message, id, outboxSlot, inboxSlot, receipts } of messages) {
      expect(chain.ask(HEADERS, 'idOf', [message])).toBe(id)
      const { destinationChainId, sourceChainId, sequence } = message
      const slots = (chainId: unknown): string[] =>
        chain.ask(HEADERS, 'slotsOf', [chainId, sequence])
      expect(slots(destinationChainId)[0]).toBe(outboxSlot)
      expect(slots(sourceChainId)[1]).toBe(inboxSlot)
      for (const { outcome, returnHash, commitment } of receipts) {
        const code = { delivered: 1, failed: 2, expired: 3 }[outcome]
        expect(chain.ask(HEADERS, 'receiptOf', [id, code, returnHash])).toBe(commitment)
      }
    }
  })
})

const INVALID = /^(StateProofInvalid|RlpInvalid)$/

describe('a proof', () => {
  test('is read as by the library of OpenZeppelin, and refused with every byte changed', async () => {
    const root = chain.header(1).stateRoot
    const { account } = chain.proof(1, HEADERS, slotOf(0, 1, 1))
    expect(account.length).toBeGreaterThan(2)
    const path = HEADERS
    expect(await refusal(() => chain.ask(HEADERS, 'storageRoot', [root, path, account]))).toBe(
      'not refused',
    )
    for (const [index, node] of account.entries()) {
      for (let place = 2; place < node.length; place += 2) {
        const byte = Number.parseInt(node.slice(place, place + 2), 16) ^ (1 << (place % 8))
        const changed = `${node.slice(0, place)}${byte.toString(16).padStart(2, '0')}${node.slice(place + 2)}`
        const proof = account.with(index, changed)
        expect(await refusal(() => chain.ask(HEADERS, 'storageRoot', [root, path, proof]))).toBe(
          'StateProofInvalid',
        )
      }
    }
  })

  test('of any word in any trie is accepted for that word alone, and where OpenZeppelin accepts it', async () => {
    for (const count of [1, 2, 17, 300, 3_000]) {
      const { main: other } = await createPegPair({ crowd: { accounts: 0, messages: count } })
      const slots = Array.from({ length: count }, (_, i) => crowdSlot(i))
      const { stateRoot } = other.header(0)
      for (const slot of slots.slice(0, 12)) {
        const { account, storage } = other.proof(0, GATEWAY, slot)
        const root = chain.ask<string>(HEADERS, 'storageRoot', [stateRoot, GATEWAY, account])
        const value = other.chain.stateAt(0).storage(GATEWAY, slot)
        const word = toBeHex(value, 32)
        expect(chain.ask<string>(HEADERS, 'traverse', [root, slot, storage])).toBe(
          bytesToHex(encodeRlp(rlpScalar(value))),
        )
        const refused = (...args: unknown[]): Promise<string> =>
          refusal(() => chain.ask(HEADERS, 'checkSlot', args))
        expect(await refused(root, slot, word, storage)).toBe('not refused')
        const flipped = toBeHex(value ^ 1n, 32)
        expect(await refused(root, slot, flipped, storage)).toMatch(INVALID)
        expect(await refused(root, keccak256(slot), word, storage)).toMatch(INVALID)
        expect(await refused(keccak256(root), slot, word, storage)).toMatch(INVALID)
        expect(await refused(`0x${'00'.repeat(32)}`, slot, word, storage)).toMatch(INVALID)
        expect(await refused(root, slot, word, [])).toMatch(INVALID)
        expect(await refused(root, slot, word, [...storage, storage.at(-1)!])).toMatch(INVALID)
        expect(await refused(root, slot, word, [storage[0]!, ...storage])).toMatch(INVALID)
        expect(await refused(root, slot, word, storage.slice(0, -1))).toMatch(INVALID)
        if (storage.length > 1) {
          expect(await refused(root, slot, word, storage.slice(1))).toMatch(INVALID)
          expect(await refused(root, slot, word, storage.toReversed())).toMatch(INVALID)
        }
      }
      // Absence proves nothing, not even a zero.
      const absent = keccak256(slots[0]!)
      const { account, storage } = other.proof(0, GATEWAY, absent)
      const root = chain.ask<string>(HEADERS, 'storageRoot', [stateRoot, GATEWAY, account])
      const zero = `0x${'00'.repeat(32)}`
      expect(
        await refusal(() => chain.ask(HEADERS, 'checkSlot', [root, absent, zero, storage])),
      ).toMatch(INVALID)
    }
  })
})

/** Tries that no node of ours would make: a chain that lies may. */
describe('a trie in another form proves nothing:', () => {
  const slot = toBeHex(5, 32)
  const path = keccak256(slot).slice(2)
  const word = toBeHex(0x1234, 32)
  const bytes = (hex: string): Uint8Array => hexToBytes(hex as Hash)
  const value = bytes('0x821234')
  const hashOf = (node: Uint8Array): Uint8Array => bytes(keccak256(node))
  const leaf = (flagged: string, contents: Uint8Array = value): Uint8Array =>
    encodeRlp([bytes(`0x${flagged}`), contents])
  /** A branch in which the way goes on at this nibble of the path. */
  const branch = (depth: number, child: RlpItem, last: RlpItem = bytes('0x')): Uint8Array => {
    const items: RlpItem[] = Array.from({ length: 17 }, () => bytes('0x'))
    items[Number.parseInt(path[depth]!, 16)] = child
    items[16] = last
    return encodeRlp(items)
  }
  const judged = (...nodes: Uint8Array[]): Promise<string> =>
    refusal(() =>
      chain.ask(HEADERS, 'checkSlot', [
        keccak256(nodes[0]!),
        slot,
        word,
        nodes.map((node) => bytesToHex(node)),
      ]),
    )
  const even = leaf(`20${path}`)
  const rest = leaf(`3${path.slice(1)}`)
  const last = leaf(`20${path.slice(2)}`)

  test('what is right is accepted: a leaf, a branch, an extension', async () => {
    expect(await judged(even)).toBe('not refused')
    expect(await judged(branch(0, hashOf(rest)), rest)).toBe('not refused')
    const extension = encodeRlp([bytes(`0x00${path.slice(0, 2)}`), hashOf(last)])
    expect(await judged(extension, last)).toBe('not refused')
    const beside = decodeRlp(branch(0, hashOf(rest))) as RlpItem[]
    const place = (Number.parseInt(path[0]!, 16) + 1) % 16
    const crowded = encodeRlp(beside.with(place, [bytes('0x20'), value]))
    expect(await judged(crowded, rest)).toBe('not refused')
    const odd = encodeRlp([bytes(`0x1${path[0]}`), hashOf(branch(1, hashOf(last)))])
    expect(await judged(odd, branch(1, hashOf(last)), last)).toBe('not refused')
  })

  test('a path of 64 branches and a leaf, the longest that there is, is followed', async () => {
    const nodes = [leaf('20')]
    for (let depth = 63; depth >= 0; depth--) nodes.unshift(branch(depth, hashOf(nodes[0]!)))
    expect(nodes).toHaveLength(65)
    expect(await judged(...nodes)).toBe('not refused')
    expect(await judged(branch(0, hashOf(nodes[0]!)), ...nodes)).toMatch(INVALID)
  })

  const forms: Record<string, () => Uint8Array[]> = {
    'a leaf with a nibble where there is none': () => [leaf(`21${path}`)],
    'a leaf with an unknown flag': () => [leaf(`60${path}`)],
    'a leaf with half a path': () => [leaf(`20${path.slice(0, 32)}`)],
    'a leaf with a path too long': () => [leaf(`20${path}00`)],
    'a leaf with a path of nothing': () => [encodeRlp([bytes('0x'), value])],
    'a leaf of another path': () => [leaf(`20${keccak256(word).slice(2)}`)],
    'an extension in place of a leaf': () => [leaf(`00${path}`)],
    'a leaf in place of an extension': () => [
      encodeRlp([bytes(`0x20${path.slice(0, 2)}`), hashOf(last)]),
      last,
    ],
    'an extension of no nibbles': () => [encodeRlp([bytes('0x00'), hashOf(even)]), even],
    'an extension past the end of the path': () => [
      encodeRlp([bytes(`0x00${path}${path}`), hashOf(even)]),
      even,
    ],
    'a node inside its parent': () => [branch(0, [bytes(`0x3${path.slice(1)}`), value])],
    'a branch with a value for a child': () => [branch(0, bytes('0x1234'))],
    'a branch without the child': () => [branch(1, hashOf(rest)), rest],
    'a branch of 16 items': () => {
      const items = decodeRlp(branch(0, hashOf(rest))) as RlpItem[]
      return [encodeRlp(items.slice(0, 16)), rest]
    },
    'a branch of 18 items': () => {
      const items = decodeRlp(branch(0, hashOf(rest))) as RlpItem[]
      return [encodeRlp([...items, bytes('0x')]), rest]
    },
    'a branch whose last item is cut off': () => {
      const items = (decodeRlp(branch(0, hashOf(rest))) as RlpItem[]).map((item) => encodeRlp(item))
      return [encodeRlpList([...items.slice(0, 16), bytes('0xa0')]), rest]
    },
    'a node of three items': () => [encodeRlp([bytes(`0x20${path}`), value, value])],
    'a node that is a string': () => [encodeRlp(even)],
    'an empty node': () => [bytes('0x')],
    'a byte behind a node': () => [concatBytes(even, bytes('0x00'))],
    'a value with a leading zero': () => [leaf(`20${path}`, bytes('0x83001234'))],
    'a value in the long form': () => [leaf(`20${path}`, bytes('0xb8021234'))],
    'a value that is a list': () => [leaf(`20${path}`, bytes('0xc3821234'))],
    'bytes behind a value': () => [leaf(`20${path}`, bytes('0x82123400'))],
    'a value of 33 bytes': () => [leaf(`20${path}`, bytes(`0xa1${'11'.repeat(33)}`))],
    'no value': () => [leaf(`20${path}`, bytes('0x'))],
    'a value of zero': () => [leaf(`20${path}`, bytes('0x80'))],
    'no leaf at the end': () => [branch(0, hashOf(rest))],
    'a leaf that is no leaf of it': () => [branch(0, hashOf(rest)), even],
    'a node of 1,025 bytes': () => [leaf(`20${path}`, bytes(`0x82${'12'.repeat(985)}`))],
  }
  for (const [name, form] of Object.entries(forms)) {
    test(name, async () => {
      expect(await judged(...form())).toMatch(INVALID)
    })
  }

  test('66 nodes', async () => {
    const nodes = Array.from({ length: 65 }, () => bytes('0x00'))
    expect(await judged(even, ...nodes)).toMatch(INVALID)
  })

  const accounts: Record<string, RlpItem> = {
    'of five items': [
      bytes('0x'),
      bytes('0x'),
      bytes(`0x${'11'.repeat(32)}`),
      bytes(`0x${'22'.repeat(32)}`),
      bytes('0x'),
    ],
    'of three items': [bytes('0x'), bytes('0x'), bytes(`0x${'11'.repeat(32)}`)],
    'with a nonce that begins with zero': [
      bytes('0x0001'),
      bytes('0x'),
      bytes(`0x${'11'.repeat(32)}`),
      bytes(`0x${'22'.repeat(32)}`),
    ],
    'with a storage root of 31 bytes': [
      bytes('0x'),
      bytes('0x'),
      bytes(`0x${'11'.repeat(31)}`),
      bytes(`0x${'22'.repeat(32)}`),
    ],
    'that is a string': bytes('0x1234'),
  }
  const accountPath = keccak256(HEADERS).slice(2)
  const rootOf = (account: RlpItem, tail = ''): string => {
    const contents = bytes(`${bytesToHex(encodeRlp(account))}${tail}`)
    const node = encodeRlp([bytes(`0x20${accountPath}`), contents])
    return chain.ask(HEADERS, 'storageRoot', [keccak256(node), HEADERS, [bytesToHex(node)]])
  }
  const right: RlpItem = [
    bytes('0x01'),
    bytes('0x02'),
    bytes(`0x${'11'.repeat(32)}`),
    bytes(`0x${'22'.repeat(32)}`),
  ]
  for (const [name, account] of Object.entries(accounts)) {
    test(`an account ${name}`, async () => {
      expect(rootOf(right)).toBe(`0x${'11'.repeat(32)}`)
      expect(await refusal(() => rootOf(account))).toMatch(INVALID)
      expect(await refusal(() => rootOf(right, '00'))).toMatch(INVALID)
    })
  }
})
