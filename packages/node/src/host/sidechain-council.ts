/**
 * `vellum sidechain attach`, `revive`, `retire`: what main knows of a side chain, and it of main, is for the council
 * to decide. Each of its members runs the same command with its own key (council-calls.ts).
 */

import { ADDRESSES } from '@vellum/contracts'
import { bytesToHex, type Hex, hexToBytes, keccak256, ZERO_HASH } from '@vellum/evm'
import { GATEWAY_CALLS, LIGHT_CLIENT_CALLS } from '@vellum/sidechain'
import { DEV_ACCOUNTS } from '../dev-chain.ts'
import { NodeError } from '../error.ts'
import type { Signer } from '../ports.ts'
import { signerOf } from '../sealing.ts'
import { assertChainName } from './chain-folders.ts'
import {
  ask,
  CLIENT_GOVERNANCE,
  type CouncilCall,
  GATEWAY_GOVERNANCE,
  type Governed,
  govern,
  LOCKED_FOR,
  nowSeconds,
} from './council-calls.ts'
import { type PasswordSource, readKeyFile, readPassword } from './key-files.ts'
import { decryptKeystore } from './keystore.ts'
import type { RpcClient } from './rpc-client.ts'
import {
  CLIENT_NONE,
  clientsOf,
  endEverywhere,
  mainKnows,
  type NodesFlags,
  type Print,
  sideFacts,
} from './sidechain-command.ts'
import { blockHash } from './sidechain-genesis.ts'
import { loadSystemCrypto } from './system.ts'

export interface KeyFlags {
  readonly keystore?: string
  readonly passwordFile?: string
  /** The council of the development chain. */
  readonly dev?: boolean
}

export interface AttachFlags extends NodesFlags, KeyFlags {
  readonly trustingPeriod: number
  readonly clockDrift: number
}

export interface ReviveFlags extends NodesFlags, KeyFlags {
  /** The side chain's client of main, in place of main's of the side chain. */
  readonly main?: boolean
  /** Which is to be trusted: the same for all members of the council. Default: the head. */
  readonly block?: number
}

export interface RetireFlags extends NodesFlags, KeyFlags {
  readonly discard?: boolean
  readonly force?: boolean
}

const CLIENT_ACTIVE = 1
const CLIENT_CLOSED = 3
const CHANNEL_OPEN = 1
const CHANNEL_CLOSED = 3
/** Open messages that are named one by one. */
const OPEN_SHOWN_MAX = 10
/** Messages that are looked at, each with a call. */
const OPEN_SEARCHED_MAX = 4_096

/** Makes main know side chains, and opens channels to them. What is done already is passed over. */
export async function attachSidechains(
  names: readonly string[],
  flags: AttachFlags,
  print: Print,
): Promise<void> {
  const [main] = clientsOf(flags) as [RpcClient]
  const calls: CouncilCall[] = []
  const attached: { readonly name: string; readonly chainId: bigint }[] = []
  for (const name of names) {
    assertChainName(name)
    const found = await callsToAttach(main, name, flags)
    attached.push({ name, chainId: found.chainId })
    calls.push(...found.calls)
    if (found.calls.length === 0) print(`${name} is attached already`)
  }
  if (calls.length === 0) return
  const governed = await govern(main, await signerFor(flags), calls, print)
  if (!tellGoverned(governed, print)) return
  for (const { name, chainId } of attached) {
    const { clientStatus, channel } = await mainKnows(main, chainId)
    if (clientStatus !== CLIENT_ACTIVE || channel !== CHANNEL_OPEN) {
      throw new NodeError('NODE_RPC_REFUSED', `${name} is not attached although it was executed`, {
        name,
      })
    }
    print(`${name} (chain id ${chainId}) is attached: main follows it, and messages may pass`)
  }
  print('They pass while a node relays: `relay.enabled` in its settings, or `vellum relay`.')
}

async function callsToAttach(
  main: RpcClient,
  name: string,
  flags: AttachFlags,
): Promise<{ readonly chainId: bigint; readonly calls: readonly CouncilCall[] }> {
  const side = main.at(name)
  const chainId = BigInt(await side.call<Hex>('eth_chainId'))
  const [domain, header, mainId, mainGenesis] = await Promise.all([
    blockHash(side, '0x0'),
    side.call<Hex>('debug_getRawHeader', '0x0'),
    main.call<Hex>('eth_chainId'),
    blockHash(main, '0x0'),
  ])
  const sealedHeader = hexToBytes(header)
  if (bytesToHex(keccak256(sealedHeader)) !== domain) {
    throw new NodeError(
      'NODE_RPC_REFUSED',
      `${side.url} gives a genesis block that is not its own`,
      {
        name,
      },
    )
  }
  const [known] = await ask(side, ADDRESSES.qbftLightClient, LIGHT_CLIENT_CALLS.client, [
    BigInt(mainId),
  ]).catch((cause: unknown) => {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `${name} has no light client: its genesis was not made by \`vellum sidechain create\``,
      { name },
      { cause },
    )
  })
  if (known.at(-1) !== mainGenesis) {
    throw new NodeError('NODE_CONFIG_INVALID', `${name} was made for another main chain`, { name })
  }
  const { clientStatus, channel } = await mainKnows(main, chainId)
  if (clientStatus > CLIENT_ACTIVE || channel === CHANNEL_CLOSED) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `main had a side chain of id ${chainId} that is frozen or retired: a new one needs another id`,
      { name },
    )
  }
  const trust: [number, number] = [flags.trustingPeriod, flags.clockDrift]
  return {
    chainId,
    calls: [
      ...(clientStatus === CLIENT_NONE
        ? [
            {
              target: ADDRESSES.qbftLightClient,
              data: CLIENT_GOVERNANCE.createClient.encodeCall([
                chainId,
                domain!,
                sealedHeader,
                ...trust,
              ]),
            },
          ]
        : []),
      ...(channel === CHANNEL_OPEN
        ? []
        : [
            {
              target: ADDRESSES.pegGateway,
              data: GATEWAY_GOVERNANCE.openChannel.encodeCall([chainId]),
            },
          ]),
    ],
  }
}

/** Closes the channel to a side chain and forgets it on main; then the nodes end it. */
export async function retireSidechain(
  name: string,
  flags: RetireFlags,
  print: Print,
): Promise<void> {
  assertChainName(name)
  const nodes = clientsOf(flags)
  const [main] = nodes as [RpcClient]
  const facts = await sideFacts(main, name)
  if (facts === undefined) {
    throw new NodeError('NODE_CONFIG_INVALID', `${main.url} does not serve ${name}`, { name })
  }
  const { chainId } = facts
  const { clientStatus, channel } = await mainKnows(main, chainId)
  if (clientStatus !== CLIENT_NONE) {
    const left = await whatIsLeft(main, name, chainId)
    for (const line of left) print(line)
    if (left.length > 0 && !flags.force) {
      throw new NodeError(
        'NODE_CONFIG_INVALID',
        `${name} is not empty: nothing was done. Withdraw what is there first, or say --force: then credit that is locked can only be reclaimed by the council`,
        { name },
      )
    }
    const calls: CouncilCall[] = []
    if (channel !== CHANNEL_CLOSED) {
      const data = GATEWAY_GOVERNANCE.closeChannel.encodeCall([chainId])
      calls.push({ target: ADDRESSES.pegGateway, data })
    }
    if (clientStatus !== CLIENT_CLOSED) {
      const data = CLIENT_GOVERNANCE.closeClient.encodeCall([chainId])
      calls.push({ target: ADDRESSES.qbftLightClient, data })
    }
    if (calls.length > 0) {
      const governed = await govern(main, await signerFor(flags), calls, print)
      if (!tellGoverned(governed, print)) return
      print(`main does not follow ${name} any more`)
    }
  }
  await endEverywhere(name, flags.discard ?? false, nodes, print)
}

/** What would be lost or stuck if the chain ended now, in words; empty if nothing. */
async function whatIsLeft(
  main: RpcClient,
  name: string,
  chainId: bigint,
): Promise<readonly string[]> {
  const lines: string[] = []
  const [locked] = await ask(main, ADDRESSES.creditBridge, LOCKED_FOR, [chainId])
  if (locked > 0n) lines.push(`locked on main for ${name}: ${locked} millionths of a credit`)
  const mainId = BigInt(await main.call<Hex>('eth_chainId'))
  for (const [from, chain, other] of [
    ['main', main, chainId],
    [name, main.at(name), mainId],
  ] as const) {
    const [sent] = await ask(chain, ADDRESSES.pegGateway, GATEWAY_CALLS.sentCount, [other])
    const [done] = await ask(chain, ADDRESSES.pegGateway, GATEWAY_CALLS.acknowledgedThrough, [
      other,
    ])
    const open = await openMessages(chain, other, done + 1, sent)
    if (open.length > 0) lines.push(`on their way from ${from}: messages ${open.join(', ')}`)
  }
  return lines
}

/** Some sequences of messages that are not acknowledged; the gateway's own count may stay behind. */
async function openMessages(
  chain: RpcClient,
  destination: bigint,
  from: number,
  to: number,
): Promise<readonly string[]> {
  const open: string[] = []
  for (let sequence = from; sequence <= to; sequence++) {
    // What was not looked at may be on its way as well.
    const isEnough = open.length === OPEN_SHOWN_MAX || sequence - from === OPEN_SEARCHED_MAX
    if (isEnough) return [...open, '…']
    const [id] = await ask(chain, ADDRESSES.pegGateway, GATEWAY_CALLS.outboxOf, [
      destination,
      sequence,
    ])
    if (id !== ZERO_HASH) open.push(String(sequence))
  }
  return open
}

/** Has a client that is frozen, or was left too long, begin anew with the head of its chain. */
export async function reviveSidechain(
  name: string,
  flags: ReviveFlags,
  print: Print,
): Promise<void> {
  assertChainName(name)
  const [main] = clientsOf(flags) as [RpcClient]
  const side = main.at(name)
  const [of, at, ofName, atName] = flags.main
    ? [main, side, 'main', name]
    : [side, main, name, 'main']
  const chainId = BigInt(await of.call<Hex>('eth_chainId'))
  const clientOf = async (): Promise<{ status: number; isExpired: boolean }> => {
    const [[status, , trustingPeriod, , , , , trustedSince]] = await ask(
      at,
      ADDRESSES.qbftLightClient,
      LIGHT_CLIENT_CALLS.client,
      [chainId],
    )
    return { status, isExpired: nowSeconds() > trustedSince + trustingPeriod }
  }
  const { status, isExpired } = await clientOf()
  if (status === CLIENT_NONE || status === CLIENT_CLOSED) {
    throw new NodeError('NODE_CONFIG_INVALID', `${atName} does not follow ${ofName}`, { name })
  }
  if (status === CLIENT_ACTIVE && !isExpired) {
    print(`${atName} follows ${ofName}: there is nothing to revive`)
    return
  }
  const block: Hex =
    flags.block === undefined
      ? await of.call<Hex>('eth_blockNumber')
      : `0x${flags.block.toString(16)}`
  const hash = await blockHash(of, block)
  print(`${atName} is to trust block ${Number(block)} of ${ofName} from now on: ${hash}`)
  print('Ask other nodes for that block before you approve: of a fork one branch alone is right.')
  print(`Every member of the council runs this with --block ${Number(block)}`)
  const header = hexToBytes(await of.call<Hex>('debug_getRawHeader', block))
  const call = {
    target: ADDRESSES.qbftLightClient,
    data: CLIENT_GOVERNANCE.reviveClient.encodeCall([chainId, header]),
  }
  const governed = await govern(at, await signerFor(flags), [call], print)
  if (!tellGoverned(governed, print)) return
  if ((await clientOf()).status !== CLIENT_ACTIVE) {
    throw new NodeError(
      'NODE_RPC_REFUSED',
      `${atName} does not follow ${ofName} although it was executed`,
      {
        name,
      },
    )
  }
  print(`${atName} follows ${ofName} again`)
}

/** @returns whether it is done */
function tellGoverned(governed: Governed, print: Print): boolean {
  switch (governed.state) {
    case 'executed':
      return true
    case 'waiting':
      print(
        `${governed.missing} more of the council must approve: each runs this command with its key`,
      )
      return false
    case 'delayed': {
      const at = new Date(governed.readyAt * 1_000).toISOString()
      print(`enough of the council approve; from ${at} on anybody of it runs this command again`)
      return false
    }
  }
}

async function signerFor({ keystore, passwordFile, dev }: KeyFlags): Promise<Signer> {
  const { crypto } = loadSystemCrypto()
  if (dev) return signerOf(hexToBytes(DEV_ACCOUNTS[0]!.privateKey), crypto)
  if (keystore === undefined) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      'a key of the council is needed: --keystore FILE, or --dev on the development chain',
    )
  }
  const source: PasswordSource =
    passwordFile === undefined
      ? { kind: 'prompt', question: `password of ${keystore}: ` }
      : { kind: 'file', path: passwordFile }
  const password = await readPassword(source)
  try {
    const key = await decryptKeystore(readKeyFile(keystore), password, { acceptWeak: true })
    return signerOf(key, crypto)
  } finally {
    password.fill(0)
  }
}
