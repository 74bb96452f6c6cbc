import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ProposedBlock, proposedBlock, type VoteRecord } from '@vellum/consensus'
import type { Address, Hash } from '@vellum/evm'
import { encodeExtraData, encodeRlp, type Header } from '@vellum/ledger'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createVoteFile, openVoteFile, type VoteFile, voteFilePath } from '../src/host/vote-file.ts'
import { parseVoteImage, VOTE_FILE_LIMITS } from '../src/host/vote-image.ts'

const validator: Address = `0x${'a1'.repeat(20)}`
const zeros: Hash = `0x${'00'.repeat(32)}`
const HEADER: Header = {
  parentHash: zeros,
  ommersHash: zeros,
  coinbase: validator,
  stateRoot: zeros,
  transactionsRoot: zeros,
  receiptsRoot: zeros,
  logsBloom: new Uint8Array(256),
  difficulty: 1n,
  number: 0,
  gasLimit: 5_000n,
  gasUsed: 0n,
  timestamp: 1,
  extraData: new Uint8Array(0),
  mixHash: zeros,
  nonce: new Uint8Array(8),
  baseFeePerGas: 0n,
  withdrawalsRoot: zeros,
  blobGasUsed: undefined,
  excessBlobGas: undefined,
  parentBeaconBlockRoot: undefined,
  requestsHash: undefined,
}
/** Small, so that every byte of it can be looked at. */
const fileBytes = 20_480

let root: string
let path: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'vellum-votes-'))
  path = voteFilePath(join(root, 'UTC--key'), validator)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

describe('the vote file', () => {
  it('lies beside the key and carries the validator’s address', () => {
    expect(path).toBe(join(root, `votes-${'a1'.repeat(20)}`))
  })

  it('gives back what was said, in order, block and prepares included', async () => {
    createVoteFile({ path, validator, fileBytes })
    const said = votesOf(7, 0)
    const file = await open()
    expect(file.found).toEqual([])
    await file.append(said.slice(0, 2))
    await file.append(said.slice(2))
    await file.close()
    const again = await open()
    expect(again.found).toEqual(said)
    await again.close()
  })

  it('has what was appended on the disk although it is never closed', async () => {
    createVoteFile({ path, validator, fileBytes })
    const file = await open()
    await file.append(votesOf(1, 0))
    expect(foundIn(readFileSync(path))).toEqual(votesOf(1, 0))
    await file.close()
  })

  it('never replaces a file that exists', async () => {
    createVoteFile({ path, validator, fileBytes })
    const before = readFileSync(path)
    expect(() => createVoteFile({ path, validator, fileBytes })).toThrow(/must not be replaced/)
    expect(readFileSync(path).equals(before)).toBe(true)
  })

  it('is readable by its owner only, and has its whole size from the start', () => {
    createVoteFile({ path, validator })
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(path).size).toBe(VOTE_FILE_LIMITS.fileBytes)
    // On the disk, not a hole of zeros: an append must not fail for want of room.
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(VOTE_FILE_LIMITS.fileBytes)
  })

  it('is lost when it is missing, and made anew by the first vote afterwards', async () => {
    const file = await open()
    expect(file.found).toBe('lost')
    expect(file.lostReason).toBe('there is no vote file')
    await file.append(votesOf(9, 0))
    await file.close()
    const again = await open()
    expect(again.found).toEqual(votesOf(9, 0))
    await again.close()
  })

  it('is lost when it belongs to another validator; what could not be read is kept', async () => {
    createVoteFile({ path, validator: `0x${'b2'.repeat(20)}`, fileBytes })
    const before = readFileSync(path)
    const file = await open()
    expect(file.lostReason).toMatch(/another validator/)
    await file.append(votesOf(9, 0))
    await file.close()
    expect(readFileSync(`${path}.lost`).equals(before)).toBe(true)
  })

  it('refuses a second process with the same key', async () => {
    createVoteFile({ path, validator, fileBytes })
    const file = await open()
    await expect(open()).rejects.toMatchObject({ code: 'NODE_STORE_LOCKED' })
    await file.close()
    const after = await open()
    await after.close()
  })

  it('never replaces votes by fewer: after a failed write every append fails', async () => {
    createVoteFile({ path, validator, fileBytes })
    const file = await open()
    rmSync(root, { recursive: true, force: true })
    const large = { ...votesOf(1, 0)[0]!, digest: `0x${'00'.repeat(fileBytes)}` } as VoteRecord
    await expect(file.append([large])).rejects.toThrow(/ENOENT/)
    await expect(file.append(votesOf(1, 0))).rejects.toThrow(/ENOENT/)
    await file.close()
  })
})

describe('a vote file of three heights (R6)', () => {
  let whole: Buffer
  let said: VoteRecord[]

  beforeEach(async () => {
    createVoteFile({ path, validator, fileBytes })
    said = [1, 2, 3].flatMap((height) => votesOf(height, height - 1))
    const file = await open()
    for (const record of said) await file.append([record])
    await file.close()
    whole = readFileSync(path)
  })

  it('cut off at any byte is lost', () => {
    for (let size = 0; size < whole.length; size++) {
      expect(foundIn(whole.subarray(0, size)), `${size} bytes`).toBe('lost')
    }
    expect(foundIn(whole)).toEqual(said)
    expect(foundIn(Buffer.concat([whole, Buffer.alloc(1)]))).toBe('lost')
  })

  it('with one bit turned in what was written is lost, and behind it is as it was', () => {
    const end = recordsOf(whole).at(-1)!.to
    for (let at = 0; at < whole.length; at++) {
      const bytes = Buffer.from(whole)
      bytes[at]! ^= 1 << (at % 8)
      expect(foundIn(bytes), `byte ${at}`).toEqual(at < end ? 'lost' : said)
    }
  })

  it('torn in its last append at any byte is as before it, or has a part of it, or all', async () => {
    const before = foundIn(whole)
    const file = await open()
    const next = votesOf(4, 0)
    await file.append(next)
    const after = readFileSync(path)
    await file.close()
    // What the append wrote before its sync: the mark follows it.
    const written = [...after.keys()].filter((at) => after[at] !== whole[at] && at >= 8_192)
    const [first, last] = [written[0]!, written.at(-1)!]
    const seen = new Set<number>()
    for (let size = first; size <= last + 1; size++) {
      const torn = Buffer.from(whole)
      after.copy(torn, first, first, size)
      const found = foundIn(torn) as VoteRecord[]
      // Nothing was said before the whole append was on the disk.
      const kept = found.length - said.length
      seen.add(kept)
      expect(found).toEqual([...(before as VoteRecord[]), ...next.slice(0, kept)])
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4])
  })

  it('with a sector of its last append missing is as before it, or has a part of it', async () => {
    const file = await open()
    const next = votesOf(4, 0, 3_000)
    await file.append(next)
    const after = readFileSync(path)
    await file.close()
    for (let sector = 8_192; sector < fileBytes; sector += 512) {
      const torn = Buffer.from(whole)
      after.copy(torn, 8_192, 8_192)
      whole.copy(torn, sector, sector, sector + 512)
      const found = foundIn(torn) as VoteRecord[]
      expect(found).toEqual([...said, ...next.slice(0, found.length - said.length)])
    }
  })

  it('that was torn takes the next votes, and a tear behind the mark alone is passed over', async () => {
    const torn = Buffer.from(whole)
    const end = recordsOf(whole).at(-1)!.to
    torn.fill(9, end, end + 40)
    writeFileSync(path, torn)
    const file = await open()
    expect(file.found).toEqual(said)
    await file.append(votesOf(4, 0))
    await file.close()
    expect(foundIn(readFileSync(path))).toEqual(expect.arrayContaining([...votesOf(4, 0)]))
    // The same bytes where a record was that the mark knows.
    const damaged = Buffer.from(whole)
    damaged.fill(9, recordsOf(whole).at(-1)!.from, end)
    expect(foundIn(damaged)).toBe('lost')
  })

  it('that lost whole records at its end, which were on the disk, is lost', () => {
    const { from, to } = recordsOf(whole).at(-1)!
    expect(foundIn(Buffer.from(whole).fill(0, from, to))).toBe('lost')
  })

  it('with two records exchanged, one repeated, or one left out is lost', () => {
    const sizes = recordsOf(whole)
    const [a, b] = [sizes[0]!, sizes[1]!]
    const first = whole.subarray(a.from, a.to)
    const second = whole.subarray(b.from, b.to)
    const rest = whole.subarray(b.to)
    const head = whole.subarray(0, a.from)
    expect(foundIn(Buffer.concat([head, second, first, rest]))).toBe('lost')
    const repeated = Buffer.concat([head, first, first, second, rest]).subarray(0, whole.length)
    expect(foundIn(repeated)).toBe('lost')
    expect(foundIn(Buffer.concat([head, second, rest, Buffer.alloc(first.length)]))).toBe('lost')
  })
})

describe('a vote file that fills up', () => {
  it('starts anew when it is more than half full and nothing in it is alive', async () => {
    createVoteFile({ path, validator, fileBytes })
    const file = await open()
    const sizes = new Set<number>()
    let inode = statSync(path).ino
    let renewals = 0
    for (let height = 1; height <= 60; height++) {
      await file.append(votesOf(height, 0))
      const now = statSync(path)
      sizes.add(now.size)
      if (now.ino !== inode) renewals += 1
      inode = now.ino
      expect(foundIn(readFileSync(path))).toEqual(expect.arrayContaining(votesOf(height, 0)))
      file.release(height)
    }
    await file.close()
    expect(renewals).toBeGreaterThan(1)
    expect([...sizes]).toEqual([fileBytes])
  })

  it('keeps every vote of a height that is not final, and the certificates that count', async () => {
    createVoteFile({ path, validator, fileBytes })
    const file = await open()
    const rounds = Array.from({ length: 40 }, (_, round) => votesOf(5, round))
    for (const votes of rounds) await file.append(votes)
    await file.close()
    const again = await open()
    const found = again.found as VoteRecord[]
    await again.close()
    const all = rounds.flat()
    for (const kind of ['proposed', 'voted'] as const) {
      expect(found.filter((each) => each.kind === kind)).toEqual(
        all.filter((each) => each.kind === kind),
      )
    }
    const certificates = all.filter(({ kind }) => kind === 'prepared')
    expect(found.filter(({ kind }) => kind === 'prepared').slice(-2)).toEqual(
      certificates.slice(-2),
    )
    expect(found.filter(({ kind }) => kind === 'round').at(-1)).toEqual(
      all.filter(({ kind }) => kind === 'round').at(-1),
    )
  })

  it('grows for a record that is larger than the file, and shrinks again', async () => {
    createVoteFile({ path, validator, fileBytes })
    const file = await open()
    const large = votesOf(1, 0, 100_000)
    await file.append(large)
    expect(statSync(path).size).toBeGreaterThan(200_000)
    expect(foundIn(readFileSync(path))).toEqual(large)
    file.release(1)
    // Worn as soon as half of the large one is used.
    for (let height = 2; height < 120; height++) {
      await file.append(votesOf(height, 0))
      file.release(height)
    }
    expect(statSync(path).size).toBe(fileBytes)
    await file.close()
  })
})

function open(): Promise<VoteFile> {
  return openVoteFile({ path, validator, fileBytes })
}

/** What another process would find in these bytes. */
function foundIn(bytes: Uint8Array): VoteFile['found'] {
  const contents = parseVoteImage(Buffer.from(bytes), validator)
  return typeof contents === 'string' ? 'lost' : contents.entries.map(({ record }) => record)
}

/** Where the records of a whole file begin and end. */
function recordsOf(bytes: Buffer): { from: number; to: number }[] {
  const records = []
  for (let from = 8_192; bytes.readUInt32BE(from) > 0; ) {
    const to = from + 14 + bytes.readUInt32BE(from)
    records.push({ from, to })
    from = to
  }
  return records
}

function blockOf(height: number, round: number, bodyBytes: number): ProposedBlock {
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: [validator],
    vote: undefined,
    round,
    seals: [],
  })
  const body = encodeRlp([[new Uint8Array(bodyBytes).fill(7)], [], []])
  return proposedBlock({ ...HEADER, number: height, extraData }, body)
}

function votesOf(height: number, round: number, bodyBytes = 40): VoteRecord[] {
  const block = blockOf(height, round, bodyBytes)
  return [
    { kind: 'round', height, round },
    { kind: 'proposed', height, round, digest: block.digest },
    { kind: 'voted', height, round, digest: block.digest },
    {
      kind: 'prepared',
      height,
      certificate: {
        block,
        round,
        prepares: [1, 2, 3].map((i) => ({
          payload: { height, round, digest: block.digest },
          signature: new Uint8Array(65).fill(i),
          author: `0x${String(i).repeat(40)}` as Address,
        })),
      },
    },
  ]
}
