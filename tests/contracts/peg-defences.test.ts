/**
 * Each defence of the peg, by the attack that it stops: with it the attack is refused, without it the attack succeeds.
 *
 * The contracts are compiled again with the lines of some defences replaced. As a compiler takes its time, several
 * defences go at once, three sets of them; each attack must succeed on the set without its own defence, and must be refused
 * on the sets without others, so that it is that defence which stops it. Attacks that happened to others are named.
 */

import { type Address, bytesToHex, concatBytes, type Hash, hexToBytes } from '@vellum/evm'
import { decodeExtraData, encodeExtraData, encodeHeader, type Header } from '@vellum/ledger'
import { Interface, type InterfaceAbi, id, toBeHex } from 'ethers'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  acknowledgement,
  attribute,
  CallRefused,
  CLIENT,
  CLOCK_DRIFT,
  createPegPair,
  crowdSlot,
  delivery,
  follow,
  GATEWAY,
  hexOf,
  initCodeOf,
  type Key,
  keyOf,
  MAIN_ID,
  openPegChain,
  outcomeOf,
  type PegChain,
  type PegPair,
  type PegPairOptions,
  PROBE,
  refusal,
  relayer,
  STRANGER,
  sealedBy,
  sendMessage,
  TRUSTING_PERIOD,
  user,
  validatorKeys,
  withValidators,
} from './peg-chains.ts'
import { compileForTest, type Replacement, type TestContract } from './solidity-in-tests.ts'

/** Which of the sets goes without it. */
type Without = 'first' | 'second' | 'third'

interface Defence {
  readonly name: string
  readonly without: Without
  readonly replacements: readonly Replacement[]
  /** True if it succeeded. A call that is refused has failed. */
  readonly attack: (pair: PegPair) => Promise<boolean>
}

const four = validatorKeys(4, 'main')
const CLIENT_FILE = 'QbftLightClient.sol'
const GATEWAY_FILE = 'PegGateway.sol'
const CURVE_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n

const replaced = (file: string, text: string, instead = ''): Replacement => ({
  file,
  text,
  instead,
})

/** A header of main after its second block. @returns true if the client on side takes it */
async function takes(
  { main, side }: PegPair,
  make: (header: Header) => Header | string,
): Promise<boolean> {
  while (main.height() < 4) await main.block()
  const made = make(main.header(4))
  const bytes = typeof made === 'string' ? made : hexOf(made)
  const { events } = await side.send(relayer, CLIENT, 'updateClient', [MAIN_ID, 0, bytes])
  return events.some(({ name }) => name === 'ClientUpdated')
}

const byQuorum = (header: Header): Header => sealedBy(header, four.slice(0, 3))
const ascending = (keys: readonly Key[]): Key[] =>
  keys.toSorted((a, b) => (a.address < b.address ? -1 : 1))

const received = (chain: PegChain): number => Number(chain.ask<bigint>(PROBE, 'received'))

const DEFENCES: readonly Defence[] = [
  {
    name: 'a quorum of the named set must have sealed (Ronin 2022: too low a threshold)',
    without: 'second',
    replacements: [replaced(CLIENT_FILE, '(2 * h.validatorCount + 2) / 3', 'h.validatorCount / 2')],
    attack: (pair) => takes(pair, (header) => sealedBy(header, four.slice(0, 2))),
  },
  {
    name: 'more than a third of the trusted set must have sealed (Ronin 2022: one operator is no quorum)',
    without: 'third',
    replacements: [replaced(CLIENT_FILE, 'size / 3 + 1', '1')],
    attack: (pair) =>
      takes(pair, (header) => {
        const keys = ascending([four[0]!, ...validatorKeys(3, 'thief')])
        return sealedBy(withValidators(header, keys), keys)
      }),
  },
  {
    name: 'a seal counts if it is of the set that the header names (Wormhole 2022: whose signature it is must be checked)',
    without: 'first',
    replacements: [
      replaced(CLIENT_FILE, 'if (index == SealedHeaders.VALIDATORS_MAX || sealers', 'if (sealers'),
    ],
    attack: (pair) =>
      takes(pair, (header) => sealedBy(header, [four[0]!, four[1]!, keyOf('thief')])),
  },
  {
    name: 'a validator seals once',
    without: 'third',
    replacements: [
      replaced(
        CLIENT_FILE,
        'if (index == SealedHeaders.VALIDATORS_MAX || sealers & (1 << index) != 0) revert',
        'if (index == SealedHeaders.VALIDATORS_MAX) revert',
      ),
    ],
    attack: (pair) => takes(pair, (header) => sealedBy(header, [four[0]!, four[1]!, four[1]!])),
  },
  {
    name: 'trust ends with the trusting period (Ronin 2022: a delegation long forgotten)',
    without: 'first',
    replacements: [
      replaced(
        CLIENT_FILE,
        'if (_isExpired(trusted.since, c.trustingPeriod)) revert ClientExpired(chainId, trusted.since);\n        if (height',
        'if (height',
      ),
    ],
    attack: async (pair) => {
      pair.clock.seconds += TRUSTING_PERIOD + 1
      await pair.side.block()
      return takes(pair, byQuorum)
    },
  },
  {
    name: 'a header names its chain',
    without: 'second',
    replacements: [
      replaced(
        CLIENT_FILE,
        'h.fields != c.headerFields || h.chainDomain != c.domain',
        'h.fields != c.headerFields',
      ),
    ],
    attack: (pair) =>
      takes(pair, (header) => byQuorum({ ...header, parentBeaconBlockRoot: pair.side.domain })),
  },
  {
    name: 'a header has as many fields as the chain’s headers have',
    without: 'first',
    replacements: [
      replaced(
        CLIENT_FILE,
        'h.fields != c.headerFields || h.chainDomain != c.domain',
        'h.chainDomain != c.domain',
      ),
    ],
    attack: (pair) => takes(pair, (header) => byQuorum({ ...header, requestsHash: undefined })),
  },
  {
    name: 'a header is not from the future',
    without: 'second',
    replacements: [
      replaced(
        CLIENT_FILE,
        '        _checkDrift(c, h);\n        bytes32 setHash',
        '        bytes32 setHash',
      ),
    ],
    attack: (pair) =>
      takes(pair, (header) =>
        byQuorum({ ...header, timestamp: pair.clock.seconds + CLOCK_DRIFT + 1 }),
      ),
  },
  {
    name: 'a signature has one form: high s is refused',
    without: 'second',
    replacements: [
      replaced(
        CLIENT_FILE,
        '(author,,) = ECDSA.tryRecover(hash, v + 27, r, s);',
        'author = ecrecover(hash, v + 27, r, s);',
      ),
    ],
    attack: (pair) =>
      takes(pair, (header) => {
        const sealed = byQuorum(header)
        const extra = decodeExtraData(sealed.extraData)
        const twins = extra.seals.map((seal) => {
          const value = CURVE_ORDER - BigInt(bytesToHex(seal.slice(32, 64)))
          const high = hexToBytes(`0x${value.toString(16).padStart(64, '0')}` as Hash)
          return concatBytes(seal.slice(0, 32), high, Uint8Array.of(1 - seal[64]!))
        })
        return { ...sealed, extraData: encodeExtraData({ ...extra, seals: twins }) }
      }),
  },
  {
    name: 'a header has one encoding (Polygon 2021: one proof in many forms)',
    without: 'third',
    replacements: [
      replaced(
        'SealedHeader.sol',
        'if (limit != start + header.length) revert HeaderInvalid();',
        '',
      ),
    ],
    attack: (pair) =>
      takes(pair, (header) =>
        bytesToHex(concatBytes(encodeHeader(byQuorum(header)), new Uint8Array(1))),
      ),
  },
  {
    name: 'a contradiction freezes the client',
    without: 'first',
    replacements: [
      replaced(
        CLIENT_FILE,
        'contradictingHash, sealedHeader);\n        _freeze(chainId, c);',
        'contradictingHash, sealedHeader);',
      ),
    ],
    attack: async ({ main, side }) => {
      await follow(side, main)
      const height = main.height()
      const second = byQuorum({ ...main.header(height), gasUsed: 1n })
      await side.send(relayer, CLIENT, 'updateClient', [MAIN_ID, 0, hexOf(second)])
      return side.ask(CLIENT, 'stateRoot', [MAIN_ID, height]) === main.header(height).stateRoot
    },
  },
  {
    name: 'time does not run backwards',
    without: 'third',
    replacements: [replaced(CLIENT_FILE, 'h.timestamp < below.timestamp || ')],
    attack: (pair) =>
      takes(pair, (header) =>
        byQuorum({ ...header, timestamp: pair.main.header(0).timestamp - 1 }),
      ),
  },
  {
    name: 'the block after a known one stands on it',
    without: 'second',
    replacements: [
      replaced(
        CLIENT_FILE,
        ' || (belowHeight + 1 == height && h.parentHash != below.blockHash)',
        '',
      ),
    ],
    attack: (pair) =>
      takes(pair, () =>
        byQuorum({ ...pair.main.header(1), parentHash: `0x${'66'.repeat(32)}` as Hash }),
      ),
  },
  {
    name: 'what was never verified has no root, not even one of zero (Nomad 2022)',
    without: 'second',
    replacements: [replaced(CLIENT_FILE, 'if (root == 0) revert HeightUnknown(chainId, height);')],
    // A header that was never seen has no age: a time at which it would not have expired must be made up.
    attack: async ({ main, side, clock }) => {
      clock.seconds = TRUSTING_PERIOD
      return side.ask<string>(CLIENT, 'stateRoot', [main.chainId, 77]) === `0x${'00'.repeat(32)}`
    },
  },
  {
    name: 'a message reaches only what governance has registered (Poly 2021: any contract, with any right)',
    without: 'first',
    replacements: [
      replaced(
        GATEWAY_FILE,
        'status == ChannelStatus.Closed || !_apps[message.recipient]',
        'status == ChannelStatus.Closed',
      ),
    ],
    attack: async ({ main, side }) => {
      const message = await sendMessage(main, side, '0x00', { recipient: STRANGER })
      const height = await follow(side, main)
      await side.send(relayer, GATEWAY, 'deliver', delivery(main, message, height))
      return side.ask<bigint>(STRANGER, 'received') === 1n
    },
  },
  {
    name: 'only what governance has registered sends',
    without: 'first',
    replacements: [
      replaced(GATEWAY_FILE, 'if (!_apps[msg.sender]) revert AppUnknown(msg.sender);'),
    ],
    attack: async ({ main, side }) => {
      await main.send(user, STRANGER, 'send', [side.chainId, PROBE, '0x00', []])
      return true
    },
  },
  {
    name: 'a message is received once',
    without: 'first',
    replacements: [
      replaced(GATEWAY_FILE, 'if (_inbox[source][message.sequence] != 0) {', 'if (false) {'),
    ],
    attack: async ({ main, side }) => {
      const message = await sendMessage(main, side, '0x00')
      const height = await follow(side, main)
      for (let i = 0; i < 2; i++) {
        await side.send(relayer, GATEWAY, 'deliver', delivery(main, message, height))
      }
      return received(side) === 2
    },
  },
  {
    // With the next one: a recipient never has the gas that it was given, so that alone would stop it, too.
    name: 'a message is received once, also while its recipient runs',
    without: 'second',
    replacements: [
      replaced(
        GATEWAY_FILE,
        'external nonReentrant {\n        uint64 source',
        'external {\n        uint64 source',
      ),
      replaced(
        GATEWAY_FILE,
        '_inbox[source][message.sequence] = PegMessages.receipt(id, Outcome.Delivered, ACCEPTED_HASH);',
      ),
      replaced(
        GATEWAY_FILE,
        'if (isDelivered) emit MessageReceived(source, message.sequence, id, Outcome.Delivered, returnHash);',
        'if (isDelivered) _record(message, id, Outcome.Delivered, returnHash);',
      ),
    ],
    attack: deliverWithin,
  },
  {
    name: 'a relayer cannot make a message fail by giving little gas',
    without: 'second',
    replacements: [
      replaced(GATEWAY_FILE, 'if (gasleft() < needed) revert GasInsufficient(gasleft(), needed);'),
    ],
    attack: async ({ main, side }) => {
      const gasLimit = attribute('gasLimit', 2_000_000)
      const needs = 1_500_000
      const payload = `0x06${needs.toString(16).padStart(64, '0')}`
      const message = await sendMessage(main, side, payload, { attributes: [gasLimit] })
      const height = await follow(side, main)
      const data = side.data(GATEWAY, 'deliver', delivery(main, message, height))
      for (let gas = 600_000; gas < 2_000_000; gas += 100_000) {
        const [result] = await side.block({ from: relayer, to: GATEWAY, data, gas })
        if (result!.succeeded) return outcomeOf(result!).outcome === 2
      }
      return false
    },
  },
  {
    name: 'what a recipient returns is copied up to 256 bytes',
    without: 'second',
    replacements: [replaced(GATEWAY_FILE, 'if gt(size, sizeMax) { size := sizeMax }')],
    attack: async ({ main, side }) => {
      const attributes = [attribute('gasLimit', 3_000_000)]
      const message = await sendMessage(main, side, '0x05', { attributes })
      const height = await follow(side, main)
      const args = delivery(main, message, height)
      const { gasUsed } = await side.send(relayer, GATEWAY, 'deliver', args)
      return gasUsed > 3_500_000
    },
  },
  {
    name: 'a message past its deadline is not delivered',
    without: 'third',
    replacements: [replaced(GATEWAY_FILE, 'if (block.timestamp > message.deadline)', 'if (false)')],
    attack: async ({ main, side, clock }) => {
      const message = await sendMessage(main, side, '0x00')
      const height = await follow(side, main)
      clock.seconds = Number(message.deadline) + 1
      await side.send(relayer, GATEWAY, 'deliver', delivery(main, message, height))
      return received(side) === 1
    },
  },
  {
    name: 'an outcome is told once',
    without: 'third',
    replacements: [replaced(GATEWAY_FILE, 'delete _outbox[destination][sequence];')],
    attack: async ({ main, side }) => {
      const message = await sendMessage(main, side, '0x01')
      const sent = await follow(side, main)
      const args = delivery(main, message, sent)
      const outcome = outcomeOf(await side.send(relayer, GATEWAY, 'deliver', args))
      const height = await follow(main, side)
      for (let i = 0; i < 2; i++) {
        const proven = acknowledgement(side, message, height, outcome)
        await main.send(relayer, GATEWAY, 'acknowledge', proven)
      }
      return main.ask<bigint>(PROBE, 'undelivered') === 2n
    },
  },
  {
    name: 'no byte of a proof goes unused (BNB 2022: parts that were hashed, and not looked at)',
    without: 'third',
    replacements: [
      replaced(
        'StateProof.sol',
        'if (i != last) revert StateProofInvalid();\n                return',
        'return',
      ),
    ],
    attack: async ({ main, side }) => {
      const message = await sendMessage(main, side, '0x00')
      const height = await follow(side, main)
      const args = delivery(main, message, height)
      const storage = [...(args[3] as string[]), '0xdeadbeef']
      await side.send(relayer, GATEWAY, 'deliver', args.with(3, storage))
      return received(side) === 1
    },
  },
]

/** A recipient that has its own message delivered again. */
async function deliverWithin({ main, side }: PegPair): Promise<boolean> {
  const attributes = [attribute('gasLimit', 3_000_000)]
  const message = await sendMessage(main, side, '0x09', { attributes })
  const height = await follow(side, main)
  const args = delivery(main, message, height)
  await side.send(user, PROBE, 'store', [side.data(GATEWAY, 'deliver', args)])
  await side.send(relayer, GATEWAY, 'deliver', args)
  return received(side) === 2
}

/** Taken away beside: the receipt, which is written first, is enough without a lock, as the lock is without it. */
const LOCK = replaced(
  GATEWAY_FILE,
  'external nonReentrant {\n        uint64 source',
  'external {\n        uint64 source',
)

const SETS = ['first', 'second', 'third'] as const
const compiled = new Map<Without, Pick<PegPairOptions, 'client' | 'gateway'>>()

/** The contracts without the defences of a set. */
function weakened(set: Without): Pick<PegPairOptions, 'client' | 'gateway'> {
  const known = compiled.get(set)
  if (known !== undefined) return known
  const all = DEFENCES.filter(({ without }) => without === set).flatMap(
    ({ replacements }) => replacements,
  )
  const ofClient = all.filter(({ file }) => file === CLIENT_FILE || file === 'SealedHeader.sol')
  const ofGateway = all.filter((each) => !ofClient.includes(each))
  if (set === 'third') ofGateway.push(LOCK)
  const made = {
    client: compileForTest('QbftLightClient', ofClient),
    gateway: compileForTest('PegGateway', ofGateway),
  }
  compiled.set(set, made)
  return made
}

async function succeeds(
  attack: Defence['attack'],
  contracts: Pick<PegPairOptions, 'client' | 'gateway'>,
): Promise<boolean> {
  const pair = await createPegPair({ mainValidators: four, ...contracts })
  try {
    return await attack(pair)
  } catch (error) {
    if (error instanceof CallRefused) return false
    throw error
  }
}

beforeAll(() => {
  for (const set of SETS) weakened(set)
})

describe('an attack succeeds without its defence, and is refused with it:', () => {
  for (const { name, without, attack } of DEFENCES) {
    test(name, async () => {
      const outcomes: Record<string, boolean> = { ours: await succeeds(attack, {}) }
      for (const set of SETS) outcomes[set] = await succeeds(attack, weakened(set))
      expect(outcomes).toEqual({
        ours: false,
        first: false,
        second: false,
        third: false,
        [without]: true,
      })
    })
  }
})

test('a proof is of the path that is asked for (BNB 2022: a path that was not bound)', async () => {
  const words = 3
  const { main } = await createPegPair({ crowd: { accounts: 0, messages: words } })
  const check = (probe: TestContract): Promise<number> => acceptedElsewhere(main, probe, words)
  expect(await check(compileForTest('HeaderProbe'))).toBe(0)
  const blind = compileForTest('HeaderProbe', [
    replaced(
      'StateProof.sol',
      'if ((nibbles ^ path << 4 * before) >> 4 * (NIBBLES - count) != 0) revert StateProofInvalid();',
    ),
  ])
  expect(await check(blind)).toBeGreaterThan(0)
})

/** Slots of 50 in which there is nothing, and a word of another one is taken for theirs. */
async function acceptedElsewhere(
  main: PegChain,
  probe: TestContract,
  words: number,
): Promise<number> {
  const at = '0x0000000000000000000000000000000000007003' as Address
  const judge = await openPegChain({
    chainId: 1,
    validators: four,
    clock: { seconds: 1_800_000_000 },
    interfaces: new Map([[at, new Interface(probe.abi as InterfaceAbi)]]),
    predeploys: [{ address: at, initCode: initCodeOf(probe, []) }],
  })
  const { stateRoot } = main.header(0)
  const view = main.chain.stateAt(0)
  let accepted = 0
  for (let i = 0; i < 50; i++) {
    const empty = id(`empty ${i}`)
    const { account, storage } = main.proof(0, GATEWAY, empty)
    const root = judge.ask<string>(at, 'storageRoot', [stateRoot, GATEWAY, account])
    for (let index = 0; index < words; index++) {
      const word = toBeHex(view.storage(GATEWAY, crowdSlot(index)), 32)
      const reason = await refusal(() => judge.ask(at, 'checkSlot', [root, empty, word, storage]))
      if (reason === 'not refused') accepted++
    }
  }
  return accepted
}
