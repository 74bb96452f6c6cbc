/** The index of the main chain: a person's licences over all side chains, each with its proof. */

import { ADDRESSES } from '@vellum/contracts'
import { decodeBytes32String, getBytes, toBeHex } from 'ethers'
import { LICENCE_LIMITS } from '../config.ts'
import { LicenceError } from '../error.ts'
import { INDEX_SLOTS, type IndexProof, indexSlotOf, type ToldLicence } from '../index-proof.ts'
import { identifierDigest } from '../licence-identifier.ts'
import { LICENCE_STATUSES, type LicenceStatus } from '../status-tree.ts'
import { type ChainReader, waitFor } from './contracts.ts'
import { headerAt, type NodeProvider } from './validator-headers.ts'

/** A licence of a side chain, as the main chain knows it. Times in seconds since 1970. */
export interface IndexedLicence extends ToldLicence {
  /** Now: by record, time, and what the identity's status is on the main chain. */
  readonly status: LicenceStatus
  /** False: another chain says that it has the licence of this identifier. */
  readonly isAtHome: boolean
  /** Of the side chain's message that said so: of two the higher one is later. */
  readonly revision: number
}

/** Where a licence is. */
export interface LicenceHome {
  readonly chainId: bigint
  /** Undefined: its new home has not told yet. */
  readonly number: bigint | undefined
  /** `out`: on its way to `destination`; `back`: on its way home; `stranded`: its home has to be asked again. */
  readonly journey: 'none' | 'out' | 'back' | 'stranded'
  readonly destination: bigint
}

export interface LicenceIndex {
  /** All licences of a holder, chain by chain, oldest first. */
  licencesOf(holder: string): Promise<IndexedLicence[]>
  licence(chainId: bigint, number: bigint): Promise<IndexedLicence>
  /** @param identifier its text @returns undefined if no chain told of it */
  homeOf(identifier: string): Promise<LicenceHome | undefined>
  /** Proof of what the index has of a licence, at the head. */
  prove(chainId: bigint, number: bigint): Promise<IndexProof>
  /** Waits until the index has a licence and it is as asked. */
  whenIndexed(
    chainId: bigint,
    number: bigint,
    isAsAsked: (licence: IndexedLicence) => boolean,
  ): Promise<IndexedLicence>
}

const JOURNEYS = ['none', 'out', 'back', 'stranded'] as const
const NUMBER_UNKNOWN = 2n ** 64n - 1n

/** @param main reads the main chain */
export function createLicenceIndex(main: ChainReader): LicenceIndex {
  const ask = (method: string, ...args: unknown[]) => main.ask('licenceIndex', method, args)

  async function licence(chainId: bigint, number: bigint): Promise<IndexedLicence> {
    return indexedOf((await ask('licence', chainId, number))[0])
  }

  return {
    licence,
    licencesOf: async (holder) => {
      const found: IndexedLicence[] = []
      for (const chainId of (await ask('chainsOf', holder))[0] as bigint[]) {
        const count = Number((await ask('countOf', holder, chainId))[0])
        for (let from = 0; from < count; from += LICENCE_LIMITS.indexPage) {
          const [page] = await ask('licencesOf', holder, chainId, from, LICENCE_LIMITS.indexPage)
          found.push(...(page as FoundStruct[]).map(indexedOf))
        }
      }
      return found
    },
    homeOf: async (identifier) => {
      const [home] = await ask('homeOf', identifierDigest(identifier))
      if (home.chainId === 0n) return undefined
      return {
        chainId: home.chainId,
        number: home.number === NUMBER_UNKNOWN ? undefined : home.number,
        journey: JOURNEYS[Number(home.journey)]!,
        destination: home.destination,
      }
    },
    prove: async (chainId, number) => {
      const provider = main.provider as unknown as NodeProvider
      const first = indexSlotOf(chainId, number)
      const slots = Array.from({ length: INDEX_SLOTS }, (_, i) => toBeHex(first + BigInt(i), 32))
      const height = await main.provider.getBlockNumber()
      const asked = [ADDRESSES.licencePeg, slots, `0x${height.toString(16)}`]
      const answer = proofIn(await provider.send('eth_getProof', asked))
      return {
        chainId,
        number,
        header: await headerAt(provider, height),
        account: answer.accountProof.map((node) => getBytes(node)),
        slots: answer.storageProof.map(({ proof }) => proof.map((node) => getBytes(node))),
      }
    },
    whenIndexed: (chainId, number, isAsAsked) =>
      waitFor(
        main.provider,
        async () => {
          const found = await licence(chainId, number).catch(unlessUnknown)
          return found !== undefined && isAsAsked(found) ? found : undefined
        },
        `the main chain does not know licence ${number} of chain ${chainId} so yet: does a relayer run?`,
      ),
  }
}

type FoundStruct = Record<'chainId' | 'number' | 'status' | 'atHome', unknown> & {
  readonly licence: Record<string, unknown>
}

function indexedOf(found: FoundStruct): IndexedLicence {
  const { licence: l } = found
  return {
    chainId: found.chainId as bigint,
    number: found.number as bigint,
    identifier: l.identifier as string,
    content: l.content as string,
    licenceType: decodeBytes32String(l.licenceType as string),
    issuer: decodeBytes32String(l.issuer as string),
    holder: l.holder as string,
    version: Number(l.version),
    validFrom: Number(l.validFrom),
    validUntil: Number(l.validUntil),
    statusTime: Number(l.statusTime),
    status: LICENCE_STATUSES[Number(found.status)]!,
    isAtHome: found.atHome as boolean,
    revision: Number(l.revision),
  }
}

function unlessUnknown(error: unknown): undefined {
  if (error instanceof LicenceError && error.details.error === 'LicenceUnknown') return undefined
  throw error
}

interface NodeProof {
  readonly accountProof: readonly string[]
  readonly storageProof: readonly { readonly proof: readonly string[] }[]
}

function proofIn(answer: unknown): NodeProof {
  const proof = answer as Partial<NodeProof> | null
  if (!Array.isArray(proof?.accountProof) || !Array.isArray(proof.storageProof)) {
    throw new LicenceError('LICENCE_CHAIN_ANSWER', 'an answer of another form: no proof')
  }
  return proof as NodeProof
}
