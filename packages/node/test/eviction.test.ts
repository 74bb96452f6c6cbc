import type { Address } from '@vellum/evm'
import type { ConsensusPort } from '@vellum/rpc'
import { expect, test } from 'vitest'
import { createEviction } from '../src/eviction.ts'
import { silent } from './virtual-node.ts'

const at = (n: number): Address => `0x${n.toString(16).padStart(40, '0')}`

function evictionOf(options: { readonly isRefusedAtFirst?: boolean } = {}) {
  let set = [at(1), at(2), at(3), at(4), at(5)]
  const votes: Address[] = []
  let isRefused = options.isRefusedAtFirst ?? false
  const propose: ConsensusPort['propose'] = ({ subject, kind }) => {
    if (kind !== 'drop' || isRefused) return { ok: false, reason: 'too few would be left' }
    votes.push(subject)
    return { ok: true }
  }
  const eviction = createEviction({ validators: () => set, propose, log: silent })
  return {
    eviction,
    votes,
    permit: () => {
      isRefused = false
    },
    remove: (validator: Address) => {
      set = set.filter((each) => each !== validator)
    },
  }
}

test('whoever is accused is voted against, once, until it is gone', () => {
  const { eviction, votes, remove } = evictionOf()
  eviction.accuse(at(2), 'main')
  eviction.accuse(at(2), 'a side chain')
  eviction.advanced()
  expect(votes).toEqual([at(2)])
  expect(eviction.accused()).toEqual([at(2)])
  remove(at(2))
  eviction.advanced()
  expect(eviction.accused()).toEqual([])
})

test('who is no validator of this chain is nobody’s case', () => {
  const { eviction, votes } = evictionOf()
  eviction.accuse(at(9), 'main')
  expect([votes, eviction.accused()]).toEqual([[], []])
})

test('a vote that the guard refuses is tried again later', () => {
  const { eviction, votes, permit } = evictionOf({ isRefusedAtFirst: true })
  eviction.accuse(at(2), 'main')
  permit()
  for (let block = 1; block < 32; block++) eviction.advanced()
  expect(votes).toEqual([])
  eviction.advanced()
  expect(votes).toEqual([at(2)])
})
