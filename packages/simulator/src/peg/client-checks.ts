/** Checks E1 and F2: what light clients say of other chains, and of validators there. */

import { type Address, bytesToBigInt, hexToBytes } from '@vellum/evm'
import type { VellumNode } from '@vellum/node'
import { PEG_TOPICS, topicOf } from '@vellum/sidechain'
import type { PegChecks } from './checks.ts'
import { AT } from './contracts.ts'
import type { PegChain } from './genesis.ts'
import { type ChainName, MAIN, type PegScenario } from './scenario.ts'

export interface ClientChecks {
  /** A block, the first time that a node holds it: in order, for each chain. */
  onBlock(chain: PegChain, node: VellumNode, height: number): void
  /** Side chains of which main has frozen its client. */
  readonly frozen: ReadonlySet<ChainName>
  /** Side chains of which main, or whose clients of main, were frozen: nothing passes any more. */
  readonly cutOff: ReadonlySet<ChainName>
}

export interface ClientChecksOptions extends Pick<PegScenario, 'byzantine'> {
  readonly chains: readonly PegChain[]
  /** Of each machine, its key's. */
  readonly everybody: readonly Address[]
  /** False for a chain in liars' hands. */
  readonly isTrusted: (chain: ChainName) => boolean
  readonly checks: Pick<PegChecks, 'violate'>
  readonly note: (chain: ChainName, what: string) => void
}

const ACCUSED = topicOf('ValidatorAccused(uint64,address,uint64,uint64)')

export function createClientChecks(options: ClientChecksOptions): ClientChecks {
  const { chains, everybody, byzantine, isTrusted, checks, note } = options
  const frozen = new Set<ChainName>()
  const cutOff = new Set<ChainName>()

  function onFrozen(here: ChainName, of: ChainName): void {
    note(here, `freezes its client of ${of}`)
    if (here === MAIN) frozen.add(of)
    cutOff.add(here === MAIN ? of : here)
    if (!isTrusted(of) || byzantine.some(({ chain }) => chain === of)) return
    checks.violate('F2', `${here} freezes its client of ${of}, where nobody lies`)
  }

  function onAccused(here: ChainName, of: ChainName, validator: Address): void {
    const index = everybody.indexOf(validator)
    note(here, `accuses n${index} of ${of}`)
    if (byzantine.some(({ chain, node }) => chain === of && node === index)) return
    checks.violate('E1', `${here} accuses n${index} of ${of}, who is honest`)
  }

  return {
    frozen,
    cutOff,
    onBlock: ({ name: here }, node, height) => {
      for (const { logs } of node.chain.receipts(height)!) {
        for (const { address, topics } of logs) {
          if (address !== AT.qbftLightClient) continue
          const [topic, chainId, subject] = topics
          const of = chains.find(
            (each) => BigInt(each.chainId) === bytesToBigInt(hexToBytes(chainId!)),
          )!.name
          if (topic === PEG_TOPICS.clientFrozen) onFrozen(here, of)
          if (topic === ACCUSED) onAccused(here, of, `0x${subject!.slice(26)}` as Address)
        }
      }
    },
  }
}
