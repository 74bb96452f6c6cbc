/**
 * What validators have put on record before they said it, read from their vote files as often as asked:
 * whoever has said two things in one place is found, however often it was killed in between.
 */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Hash } from '@vellum/evm'
import { parseVoteImage } from '../../packages/node/src/host/vote-image.ts'
import type { NetworkProcess } from './running-network.ts'

export interface HeardVotes {
  /**
   * Reads the file of a node.
   * @returns heights of votes that were not there before; undefined while the file is being written
   */
  read(node: NetworkProcess): readonly number[] | undefined
  /** Different proposals and votes read so far. */
  readonly count: number
  /** `node: kind height/round` of what was said in two ways. */
  readonly contradictions: readonly string[]
}

export function createHeardVotes(): HeardVotes {
  const said = new Map<string, Hash>()
  const contradictions: string[] = []
  return {
    read: (node) => {
      const directory = join(node.folder, 'keystore')
      const name = readdirSync(directory).find((each) => /^votes-[0-9a-f]{40}$/.test(each))!
      const contents = parseVoteImage(readFileSync(join(directory, name)), node.address)
      if (typeof contents === 'string') return undefined
      const heights: number[] = []
      for (const { record } of contents.entries) {
        if (record.kind !== 'proposed' && record.kind !== 'voted') continue
        const { kind, height, round, digest } = record
        const place = `${node.name}: ${kind} ${height}/${round}`
        const before = said.get(place)
        if (before === undefined) {
          said.set(place, digest)
          if (kind === 'voted') heights.push(height)
        } else if (before !== digest) contradictions.push(place)
      }
      return heights
    },
    get count() {
      return said.size
    },
    contradictions,
  }
}
