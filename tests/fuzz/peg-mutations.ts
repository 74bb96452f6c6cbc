/**
 * Ways to damage what a chain is told of another: bytes of headers, trie nodes and the lists that hold
 * them. None of them has a validator's key; a few have keys of their own (an attacker's).
 */

import { bigIntToBytes, bytesToBigInt, concatBytes } from '@vellum/evm'
import {
  decodeExtraData,
  decodeHeader,
  decodeRlp,
  encodeExtraData,
  encodeHeader,
  encodeRlp,
  type Header,
  type RlpItem,
} from '@vellum/ledger'
import { type Key, sealedBy } from '../contracts/peg-chains.ts'
import type { Prng } from './prng.ts'

/** Damages bytes; undefined: it has nothing to take hold of here. */
export type ByteMutation = (bytes: Uint8Array, prng: Prng) => Uint8Array | undefined
export type ListMutation = (
  nodes: readonly Uint8Array[],
  prng: Prng,
) => readonly Uint8Array[] | undefined

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

/** Of any bytes. */
export const BYTE_MUTATIONS: Readonly<Record<string, ByteMutation>> = {
  'flip a bit': (bytes, prng) => {
    const out = bytes.slice()
    out[prng.below(out.length)]! ^= 1 << prng.below(8)
    return out
  },
  'change a byte': (bytes, prng) => {
    const out = bytes.slice()
    const at = prng.below(out.length)
    out[at] = (out[at]! + 1 + prng.below(255)) & 255
    return out
  },
  truncate: (bytes, prng) => bytes.slice(0, prng.below(bytes.length)),
  'cut the head off': (bytes, prng) => bytes.slice(1 + prng.below(bytes.length - 1)),
  extend: (bytes, prng) => concatBytes(bytes, prng.bytes(1 + prng.below(40))),
  'extend by zeros': (bytes, prng) => concatBytes(bytes, new Uint8Array(1 + prng.below(40))),
  'prepend a byte': (bytes, prng) => concatBytes(prng.bytes(1), bytes),
  'exchange two parts': (bytes, prng) => {
    const size = 1 + prng.below(Math.min(32, Math.floor(bytes.length / 2)))
    const a = prng.below(bytes.length - 2 * size + 1)
    const b = a + size + prng.below(bytes.length - a - 2 * size + 1)
    const out = bytes.slice()
    out.set(bytes.subarray(b, b + size), a)
    out.set(bytes.subarray(a, a + size), b)
    return out.every((byte, i) => byte === bytes[i]) ? undefined : out
  },
  'zero a part': (bytes, prng) => {
    const size = 1 + prng.below(Math.min(64, bytes.length))
    const at = prng.below(bytes.length - size + 1)
    const out = bytes.slice().fill(0, at, at + size)
    return out.every((byte, i) => byte === bytes[i]) ? undefined : out
  },
  'leave a part out': (bytes, prng) => {
    const size = 1 + prng.below(Math.min(64, bytes.length - 1))
    const at = prng.below(bytes.length - size + 1)
    return concatBytes(bytes.subarray(0, at), bytes.subarray(at + size))
  },
  'longer length': (bytes, prng) => longerHead(bytes, prng),
}

/** The same item with its length in more bytes than it needs: an encoding that is not canonical. */
function longerHead(bytes: Uint8Array, prng: Prng): Uint8Array | undefined {
  const heads = headsOf(bytes)
  if (heads.length === 0) return undefined
  const { at, size, base, length } = prng.pick(heads)
  const digits = length < 56 ? 1 : (length < 256 ? 1 : 2) + 1
  const head = concatBytes(Uint8Array.of(base + 55 + digits), bigIntToBytes(BigInt(length), digits))
  // Lists around it keep their old lengths now and then, and are made to fit otherwise.
  const inner = concatBytes(bytes.subarray(0, at), head, bytes.subarray(at + size))
  if (at === 0 || prng.oneIn(2)) return inner
  return refit(bytes, inner)
}

interface Head {
  readonly at: number
  /** Bytes of the head itself. */
  readonly size: number
  readonly base: 0x80 | 0xc0
  readonly length: number
}

/** Heads of the outermost item and of those in it. */
function headsOf(bytes: Uint8Array): Head[] {
  const found: Head[] = []
  const read = (at: number): number => {
    const first = bytes[at]!
    if (first < 0x80) return at + 1
    const base = first >= 0xc0 ? 0xc0 : 0x80
    const digits = first - base > 55 ? first - base - 55 : 0
    const length =
      digits === 0 ? first - base : Number(bytesToBigInt(bytes.subarray(at + 1, at + 1 + digits)))
    found.push({ at, size: 1 + digits, base, length })
    return at + 1 + digits + length
  }
  read(0)
  const [outer] = found
  if (outer?.base !== 0xc0) return found
  let at = outer.size
  while (at < outer.size + outer.length && at < bytes.length) at = read(at)
  return found
}

/** Gives the outer list of `inner` the length that it has now. */
function refit(before: Uint8Array, inner: Uint8Array): Uint8Array {
  const [outer] = headsOf(before)
  const body = inner.subarray(outer!.size)
  const digits = body.length < 56 ? 0 : body.length < 256 ? 1 : 2
  const head =
    digits === 0
      ? Uint8Array.of(0xc0 + body.length)
      : concatBytes(Uint8Array.of(0xf7 + digits), bigIntToBytes(BigInt(body.length), digits))
  return concatBytes(head, body)
}

/** Of a list of trie nodes. `others`: nodes of other proofs. */
export function listMutations(
  others: readonly (readonly Uint8Array[])[],
): Readonly<Record<string, ListMutation>> {
  const inNode =
    (change: (items: RlpItem[], prng: Prng) => RlpItem | undefined): ListMutation =>
    (nodes, prng) => {
      if (nodes.length === 0) return undefined
      const at = prng.below(nodes.length)
      const items = decodeRlp(nodes[at]!)
      if (items instanceof Uint8Array) return undefined
      const changed = change([...items], prng)
      if (changed === undefined) return undefined
      const out = [...nodes]
      out[at] = encodeRlp(changed)
      return sameList(out, nodes) ? undefined : out
    }
  const named: Record<string, ListMutation> = {
    'drop a node': (nodes, prng) => {
      const at = prng.below(nodes.length)
      return nodes.filter((_, i) => i !== at)
    },
    'duplicate a node': (nodes, prng) => {
      const at = prng.below(nodes.length)
      return [...nodes.slice(0, at + 1), ...nodes.slice(at)]
    },
    'swap nodes': (nodes, prng) => {
      if (nodes.length < 2) return undefined
      const at = prng.below(nodes.length - 1)
      const out = [...nodes]
      ;[out[at], out[at + 1]] = [nodes[at + 1]!, nodes[at]!]
      return out
    },
    'reverse the nodes': (nodes) => (nodes.length < 2 ? undefined : [...nodes].reverse()),
    'no nodes': () => [],
    'an empty node': (nodes) => [...nodes, new Uint8Array(0)],
    'the empty trie': () => [Uint8Array.of(0x80)],
    'a node more behind': (nodes, prng) => [...nodes, prng.pick(prng.pick(others))],
    'a node more before': (nodes, prng) => [prng.pick(prng.pick(others)), ...nodes],
    'a proof of another key': (nodes, prng) => {
      const other = prng.pick(others)
      return sameList(other, nodes) ? undefined : other
    },
    'the end of another proof': (nodes, prng) => {
      const other = prng.pick(others)
      const at = prng.below(nodes.length)
      const out = [...nodes.slice(0, at), ...other.slice(at)]
      return sameList(out, nodes) ? undefined : out
    },
    'siblings swapped': inNode((items, prng) => {
      if (items.length !== 17) return undefined
      const [a, b] = [prng.below(16), prng.below(16)]
      ;[items[a], items[b]] = [items[b]!, items[a]!]
      return items
    }),
    'both children of a node set': inNode((items, prng) => {
      if (items.length !== 17) return undefined
      const free = items.findIndex((item, i) => i < 16 && item.length === 0)
      if (free >= 0) items[free] = prng.bytes(32)
      items[16] = prng.bytes(32)
      return items
    }),
    'a leaf as a branch': inNode((items) => {
      if (items.length !== 2) return undefined
      const branch: RlpItem[] = Array.from({ length: 17 }, () => new Uint8Array(0))
      branch[16] = items[1]!
      return branch
    }),
    'other parity of nibbles': inNode((items) => {
      const [path] = items
      if (items.length !== 2 || !(path instanceof Uint8Array)) return undefined
      const changed = path.slice()
      changed[0]! ^= 0x10
      return [changed, items[1]!]
    }),
    'leaf and extension exchanged': inNode((items) => {
      const [path] = items
      if (items.length !== 2 || !(path instanceof Uint8Array)) return undefined
      const changed = path.slice()
      changed[0]! ^= 0x20
      return [changed, items[1]!]
    }),
    'a value padded': inNode((items) => {
      const last = items.at(-1)!
      if (!(last instanceof Uint8Array) || last.length === 0) return undefined
      return [...items.slice(0, -1), concatBytes(Uint8Array.of(0), last)]
    }),
    'an embedded short node': inNode((items, prng) => {
      if (items.length !== 17) return undefined
      items[prng.below(16)] = [Uint8Array.of(0x20), prng.bytes(4)]
      return items
    }),
    'an item more': inNode((items, prng) => [...items, prng.bytes(1 + prng.below(32))]),
    'an item less': inNode((items) => items.slice(0, -1)),
  }
  for (const [name, mutate] of Object.entries(BYTE_MUTATIONS)) {
    named[`a node: ${name}`] = (nodes, prng) => {
      if (nodes.length === 0) return undefined
      const at = prng.below(nodes.length)
      const changed = mutate(nodes[at]!, prng)
      if (changed === undefined) return undefined
      return nodes.map((node, i) => (i === at ? changed : node))
    }
  }
  return named
}

function sameList(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return (
    a.length === b.length &&
    a.every((bytes, i) => {
      const other = b[i]!
      return bytes.length === other.length && bytes.every((byte, at) => byte === other[at])
    })
  )
}

export interface HeaderWorld {
  /** Keys that are in no set: what an attacker has. */
  readonly strangers: readonly Key[]
  /** Headers of the same chain, and of another chain of the same validators, with a quorum's seals each. */
  readonly others: readonly Header[]
  readonly foreign: readonly Header[]
}

/** Of a sealed header with exactly a quorum of seals; not one of them leaves it valid. */
export function headerMutations(world: HeaderWorld): Readonly<Record<string, ByteMutation>> {
  const { strangers } = world
  const onHeader =
    (change: (header: Header, prng: Prng) => Header | undefined): ByteMutation =>
    (bytes, prng) => {
      const changed = change(decodeHeader(bytes), prng)
      if (changed === undefined) return undefined
      const out = encodeHeader(changed)
      return out.length === bytes.length && out.every((byte, i) => byte === bytes[i])
        ? undefined
        : out
    }
  const onSeals = (
    change: (seals: Uint8Array[], prng: Prng, header: Header) => Uint8Array[] | undefined,
  ): ByteMutation =>
    onHeader((header, prng) => {
      const extra = decodeExtraData(header.extraData)
      const seals = change([...extra.seals], prng, header)
      if (seals === undefined) return undefined
      return { ...header, extraData: rawExtra(header, { seals }) }
    })
  return {
    ...BYTE_MUTATIONS,
    'a seal less': onSeals((seals, prng) => {
      seals.splice(prng.below(seals.length), 1)
      return seals
    }),
    'no seals': onSeals(() => []),
    'a seal twice': onSeals((seals, prng) => {
      const at = prng.below(seals.length)
      seals[(at + 1) % seals.length] = seals[at]!
      return seals
    }),
    'a seal twice and one more': onSeals((seals, prng) => [
      ...seals,
      seals[prng.below(seals.length)]!,
    ]),
    'the high twin of a seal': onSeals((seals, prng) => {
      const at = prng.below(seals.length)
      const seal = seals[at]!.slice()
      const s = bytesToBigInt(seal.subarray(32, 64))
      seal.set(bigIntToBytes(ORDER - s, 32), 32)
      seal[64]! ^= 1
      seals[at] = seal
      return seals
    }),
    'v as 27 and 28': onSeals((seals) =>
      seals.map((seal) => {
        const changed = seal.slice()
        changed[64]! += 27
        return changed
      }),
    ),
    'a seal of zeros': onSeals((seals, prng) => {
      seals[prng.below(seals.length)] = new Uint8Array(65)
      return seals
    }),
    'seals of another header': onSeals((seals, prng) => {
      const other = decodeExtraData(prng.pick(world.others).extraData).seals
      const mixed = seals.map((seal, i) => other[i] ?? seal)
      return mixed.every((seal, i) => seal.every((byte, at) => byte === seals[i]![at]))
        ? undefined
        : mixed
    }),
    'a seal of a stranger': (bytes, prng) => {
      const header = decodeHeader(bytes)
      const extra = decodeExtraData(header.extraData)
      const forged = sealedBy(header, [prng.pick(strangers)])
      const [seal] = decodeExtraData(forged.extraData).seals
      const seals = [...extra.seals]
      seals[prng.below(seals.length)] = seal!
      return encodeHeader({ ...header, extraData: rawExtra(header, { seals }) })
    },
    'seals of strangers alone': (bytes) => encodeHeader(sealedBy(decodeHeader(bytes), strangers)),
    'a set of strangers, sealed by them': onHeader((header) => {
      const validators = strangers.map(({ address }) => address).sort()
      return sealedBy(
        { ...header, extraData: rawExtra(header, { validators, seals: [] }) },
        strangers,
      )
    }),
    'strangers added to the set, sealed by them': onHeader((header) => {
      const { validators } = decodeExtraData(header.extraData)
      const all = [...validators, ...strangers.map(({ address }) => address)].sort()
      const extraData = rawExtra(header, { validators: all, seals: [] })
      return sealedBy({ ...header, extraData }, strangers)
    }),
    'a validator left out': onHeader((header, prng) => {
      const { validators } = decodeExtraData(header.extraData)
      const at = prng.below(validators.length)
      const left = validators.filter((_, i) => i !== at)
      return { ...header, extraData: rawExtra(header, { validators: left }) }
    }),
    'validators in another order': onHeader((header) => {
      const { validators } = decodeExtraData(header.extraData)
      return { ...header, extraData: rawExtra(header, { validators: [...validators].reverse() }) }
    }),
    'no validators': onHeader((header) => ({
      ...header,
      extraData: rawExtra(header, { validators: [], seals: [] }),
    })),
    'another round': onHeader((header, prng) => {
      const { round } = decodeExtraData(header.extraData)
      return { ...header, extraData: rawExtra(header, { round: round + 1 + prng.below(1_000) }) }
    }),
    'a vote': onHeader((header, prng) => {
      const recipient = prng.pick(strangers).address
      const extra = decodeExtraData(header.extraData)
      return {
        ...header,
        extraData: encodeExtraData({ ...extra, vote: { recipient, kind: 'add' } }),
      }
    }),
    'other vanity': onHeader((header, prng) => ({
      ...header,
      extraData: rawExtra(header, { vanity: prng.bytes(32) }),
    })),
    'items behind the seals': onHeader((header, prng) => {
      const items = decodeRlp(header.extraData) as readonly RlpItem[]
      return { ...header, extraData: encodeRlp([...items, prng.bytes(prng.below(40))]) }
    }),
    'another state root': onHeader((header, prng) => ({
      ...header,
      stateRoot: `0x${Buffer.from(prng.bytes(32)).toString('hex')}`,
    })),
    'a state root of zeros': onHeader((header) => ({
      ...header,
      stateRoot: `0x${'00'.repeat(32)}`,
    })),
    'the state root of another header': onHeader((header, prng) => {
      const { stateRoot } = prng.pick(world.others)
      return stateRoot === header.stateRoot ? undefined : { ...header, stateRoot }
    }),
    'another height': onHeader((header, prng) => ({
      ...header,
      number: header.number + 1 + prng.below(99),
    })),
    'another time': onHeader((header, prng) => ({
      ...header,
      timestamp: header.timestamp - 1 - prng.below(99),
    })),
    'another chain': onHeader((header, prng) => ({
      ...header,
      parentBeaconBlockRoot: `0x${Buffer.from(prng.bytes(32)).toString('hex')}`,
    })),
    'a header of another chain of the same validators': (_, prng) =>
      encodeHeader(prng.pick(world.foreign)),
    'a field more': (bytes, prng) => {
      const items = decodeRlp(bytes) as readonly RlpItem[]
      return encodeRlp([...items, prng.bytes(32)])
    },
    'a field less': (bytes) => encodeRlp((decodeRlp(bytes) as readonly RlpItem[]).slice(0, -1)),
    'fields exchanged': (bytes, prng) => {
      const items = [...(decodeRlp(bytes) as readonly RlpItem[])]
      // Roots: of one size, so that every form is kept.
      const places = [0, 3, 4, 5, 19, 20]
      const [a, b] = [prng.pick(places), prng.pick(places)]
      ;[items[a], items[b]] = [items[b]!, items[a]!]
      const out = encodeRlp(items)
      return out.every((byte, i) => byte === bytes[i]) ? undefined : out
    },
    'a leading zero in a number': (bytes, prng) => {
      const items = [...(decodeRlp(bytes) as readonly RlpItem[])]
      const at = prng.pick([8, 9, 10, 11, 15])
      items[at] = concatBytes(Uint8Array.of(0), items[at] as Uint8Array)
      return encodeRlp(items)
    },
  }
}

interface ExtraChange {
  readonly vanity?: Uint8Array
  readonly validators?: readonly `0x${string}`[]
  readonly round?: number
  readonly seals?: readonly Uint8Array[]
}

function rawExtra(header: Header, change: ExtraChange): Uint8Array {
  return encodeExtraData({ ...decodeExtraData(header.extraData), ...change })
}
