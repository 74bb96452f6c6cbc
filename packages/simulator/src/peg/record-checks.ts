/** Checks I1, I2 and T1: what chains say of identities and licences, compared with one another. */

import { IDENTITY_STATUSES, LICENCE_STATUSES } from '@vellum/contracts'
import { type Address, bytesToBigInt, type Hash, hexToBytes } from '@vellum/evm'
import type { VellumNode } from '@vellum/node'
import { topicOf } from '@vellum/sidechain'
import type { Account } from '../world-genesis.ts'
import type { PegChecks } from './checks.ts'
import { AT, IDENTITIES, IDENTITY_PEG, LICENCES } from './contracts.ts'
import type { PegChain } from './genesis.ts'
import { type ChainName, MAIN } from './scenario.ts'
import { ask, askNumber } from './transactor.ts'

export interface RecordChecks {
  /** A block, the first time that a node holds it: in order, for each chain. */
  onBlock(chain: PegChain, node: VellumNode, height: number): void
  /** @param nodeOf a node with the head; undefined for a chain that is lost */
  atEnd(nodeOf: (chain: PegChain) => VellumNode | undefined): void
  /** Licences that were in force after having been moved here. */
  readonly arrivals: number
}

export interface RecordChecksOptions {
  readonly chains: readonly PegChain[]
  readonly people: readonly Account[]
  /** False for a chain that lies: what it says of itself is not asked. */
  readonly isTrusted: (chain: ChainName) => boolean
  readonly checks: Pick<PegChecks, 'violate'>
}

interface Mirrored {
  readonly owner: Address
  readonly status: number
  readonly version: number
}

interface Licence {
  readonly number: number
  readonly identifier: Hash
  readonly holder: Address
  readonly isInForce: boolean
}

const CLAIM_APPLIED = topicOf('ClaimApplied(address,uint64,bytes32,uint64,uint8)')
const TRANSFERRED_IN = topicOf('TransferredIn(uint256,uint64,uint64)')

export function createRecordChecks(options: RecordChecksOptions): RecordChecks {
  const { chains, people, isTrusted, checks } = options
  const sides = chains.filter(({ name }) => name !== MAIN)
  /** As the last block of each side has them. */
  const licences = new Map<ChainName, readonly Licence[]>()
  const mirrored = new Map<ChainName, ReadonlyMap<Address, Mirrored>>()
  let arrivals = 0

  function onMainBlock(node: VellumNode, height: number): void {
    for (const { address, topics, data } of logsOf(node, height)) {
      if (address !== AT.identityPeg || topics[0] !== CLAIM_APPLIED) continue
      const identity = `0x${topics[1]!.slice(26)}` as Address
      const chainId = bytesToBigInt(hexToBytes(topics[2]!))
      const side = sides.find((each) => BigInt(each.chainId) === chainId)
      if (side === undefined || !isTrusted(side.name)) continue
      const version = Number(bytesToBigInt(data.subarray(0, 32)))
      checkApplied(side.name, identity, version)
    }
  }

  /** Main has the proof that the side has applied this claim. */
  function checkApplied(side: ChainName, identity: Address, version: number): void {
    const there = mirrored.get(side)?.get(identity)
    if (there === undefined || there.version < version) {
      checks.violate(
        'I2',
        `main takes claim ${version} of ${identity} for applied on ${side}, which is at ${there?.version}`,
      )
    }
  }

  function onSideBlock(chain: PegChain, node: VellumNode, height: number): void {
    const logs = logsOf(node, height)
    const before = licences.get(chain.name)
    if (before !== undefined && !logs.some(isOfRecords)) return
    arrivals += logs.filter(({ topics }) => topics[0] === TRANSFERRED_IN).length
    const claims = new Map<Address, Mirrored>()
    for (const { address } of people) {
      const record = readMirrored(node, address, height)
      if (record !== undefined) claims.set(address, record)
    }
    const held = readLicences(node, height)
    mirrored.set(chain.name, claims)
    licences.set(chain.name, held)
    for (const { number, holder, isInForce } of held) {
      const { status } = claims.get(holder) ?? { status: IDENTITY_STATUSES.none }
      if (!isInForce || status === IDENTITY_STATUSES.active) continue
      checks.violate(
        'I2',
        `licence ${number} of ${chain.name} is in force at block ${height}, although its holder’s status is ${status}`,
      )
    }
    checkHomes()
  }

  function checkHomes(): void {
    const homes = new Map<Hash, ChainName>()
    for (const [name, held] of licences) {
      if (!isTrusted(name)) continue
      for (const { identifier, isInForce } of held) {
        if (!isInForce) continue
        const other = homes.get(identifier)
        if (other !== undefined) {
          checks.violate('T1', `licence ${identifier} is in force on ${other} and on ${name}`)
        }
        homes.set(identifier, name)
      }
    }
  }

  function atEnd(nodeOf: (chain: PegChain) => VellumNode | undefined): void {
    const main = nodeOf(chains[0]!)
    if (main === undefined) return
    for (const side of sides) {
      const node = nodeOf(side)
      if (node === undefined) continue
      for (const { address } of people) compareIdentity(main, node, side, address)
    }
  }

  function compareIdentity(
    main: VellumNode,
    node: VellumNode,
    { name, chainId }: PegChain,
    identity: Address,
  ): void {
    const question = IDENTITY_PEG.presenceOf.encodeCall([identity, BigInt(chainId)])
    const [state] = IDENTITY_PEG.presenceOf.decodeResult(ask(main, AT.identityPeg, question)!)
    if (state === 0n) return
    const status = askNumber(main, AT.identityRegistry, IDENTITIES.statusOf.encodeCall([identity]))
    const there = readMirrored(node, identity)
    if (there !== undefined && BigInt(there.status) === status) return
    checks.violate(
      'I1',
      `in the end ${name} says ${there?.status} of ${identity}, whose status is ${status}`,
    )
  }

  return {
    onBlock: (chain, node, height) => {
      if (chain.name === MAIN) onMainBlock(node, height)
      else if (isTrusted(chain.name)) onSideBlock(chain, node, height)
    },
    atEnd,
    get arrivals() {
      return arrivals
    },
  }
}

const logsOf = (node: VellumNode, height: number) =>
  node.chain.receipts(height)!.flatMap(({ logs }) => logs)

function isOfRecords({ address }: { readonly address: Address }): boolean {
  return address === AT.licenceRegistry || address === AT.identityRegistry
}

function readMirrored(node: VellumNode, identity: Address, height?: number): Mirrored | undefined {
  const output = ask(node, AT.identityRegistry, IDENTITIES.recordOf.encodeCall([identity]), height)
  if (output === undefined) return undefined
  const [owner, status, , , version] = IDENTITIES.recordOf.decodeResult(output)
  return { owner, status: Number(status), version: Number(version) }
}

function readLicences(node: VellumNode, height: number): Licence[] {
  const to = AT.licenceRegistry
  const count = Number(askNumber(node, to, LICENCES.licenceCount.encodeCall([]), height))
  return Array.from({ length: count }, (_, number) => {
    const output = ask(node, to, LICENCES.licence.encodeCall([BigInt(number)]), height)!
    const [identifier, , , , holder] = LICENCES.licence.decodeResult(output)
    const status = askNumber(node, to, LICENCES.statusOf.encodeCall([BigInt(number)]), height)
    return { number, identifier, holder, isInForce: status === BigInt(LICENCE_STATUSES.inForce) }
  })
}
