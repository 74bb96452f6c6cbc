/** Service credit between the main chain and its side chains. */

import { AbiCoder, MaxUint256, Signature } from 'ethers'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Key, keyOf, OUTCOME, type PegChain } from './peg-chains.ts'
import {
  AT,
  MAIN_ID,
  openLiar,
  openNetwork,
  type PegNetwork,
  refusal,
  SIDE_IDS,
  walletOf,
} from './peg-network.ts'

const CREDIT = AT.serviceCredit
const BRIDGE = AT.creditBridge
const rich = keyOf('verifier')
const other = keyOf('somebody')
const [A, B] = SIDE_IDS

let network: PegNetwork
let main: PegChain
let side: PegChain

beforeEach(async () => {
  network = await openNetwork()
  main = network.main
  side = network.sides[0]!
  await main.send(rich, CREDIT, 'approve', [BRIDGE, MaxUint256])
})

const balance = (chain: PegChain, key: Key): bigint => chain.ask(CREDIT, 'balanceOf', [key.address])
const lockedFor = (chainId: number): bigint => main.ask(BRIDGE, 'lockedFor', [chainId])

interface Account {
  readonly locked: bigint
  readonly refunded: bigint
  readonly released: bigint
}

interface Totals {
  readonly minted: bigint
  readonly burned: bigint
  readonly returned: bigint
}

/** What is on its way to and from a side chain, by the counters of both. */
function onTheWay(chain: PegChain): { out: bigint; back: bigint } {
  const { locked, refunded, released } = main.ask<Account>(BRIDGE, 'accountOf', [chain.chainId])
  const { minted, burned, returned } = chain.ask<Totals>(BRIDGE, 'totals')
  return { out: locked - refunded - minted, back: burned - returned - released }
}

/** Everything that must hold between blocks, at any time. */
function expectConserved(): void {
  let locked = 0n
  for (const each of network.sides) {
    const { minted, burned, returned } = each.ask<Totals>(BRIDGE, 'totals')
    const supply = each.ask<bigint>(CREDIT, 'totalSupply')
    expect(supply).toBe(minted - burned + returned)
    const { out, back } = onTheWay(each)
    expect(out >= 0n && back >= 0n).toBe(true)
    expect(lockedFor(each.chainId)).toBe(supply + out + back)
    locked += lockedFor(each.chainId)
  }
  expect(main.ask<bigint>(CREDIT, 'balanceOf', [BRIDGE])).toBe(locked)
}

describe('credit goes to a side chain and comes back', () => {
  test('locked here, minted there; burned there, released here', async () => {
    await main.send(rich, BRIDGE, 'lock', [A, other.address, 700n, 0])
    expect(onTheWay(side)).toEqual({ out: 700n, back: 0n })
    expect((await network.carry()).map(({ outcome }) => outcome)).toEqual([OUTCOME.delivered])
    expect([balance(side, other), lockedFor(A), lockedFor(B)]).toEqual([700n, 700n, 0n])
    await side.send(other, BRIDGE, 'withdraw', [rich.address, 300n, 0])
    expect(onTheWay(side)).toEqual({ out: 0n, back: 300n })
    await network.carry()
    expect([balance(side, other), lockedFor(A)]).toEqual([400n, 400n])
    expect(balance(main, rich)).toBe(1_000_000_000n - 400n)
    expectConserved()
  })

  test('with a permit in place of an approval, also one that somebody brought before', async () => {
    const value = {
      owner: rich.address,
      spender: BRIDGE,
      value: 50n,
      nonce: 0n,
      deadline: MaxUint256,
    }
    const domain = {
      name: 'Vellum Service Credit',
      version: '1',
      chainId: MAIN_ID,
      verifyingContract: CREDIT,
    }
    const types = {
      Permit: [
        { name: 'owner', type: 'address' },
        { name: 'spender', type: 'address' },
        { name: 'value', type: 'uint256' },
        { name: 'nonce', type: 'uint256' },
        { name: 'deadline', type: 'uint256' },
      ],
    }
    await main.send(rich, CREDIT, 'approve', [BRIDGE, 0n])
    const { v, r, s } = Signature.from(await walletOf(rich).signTypedData(domain, types, value))
    const args = [A, other.address, 50n, 0, MaxUint256, v, r, s]
    await main.send(other, CREDIT, 'permit', [rich.address, BRIDGE, 50n, MaxUint256, v, r, s])
    await main.send(rich, BRIDGE, 'lockWithPermit', args)
    expect(lockedFor(A)).toBe(50n)
    expect(await refusal(() => main.send(rich, BRIDGE, 'lockWithPermit', args))).toBe(
      'ERC20InsufficientAllowance',
    )
  })

  test('nothing, to nobody, more than there is, to a chain without a channel: refused', async () => {
    const lock = (...args: unknown[]): Promise<string> =>
      refusal(() => main.send(rich, BRIDGE, 'lock', args))
    expect(await lock(A, other.address, 0n, 0)).toBe('AmountInvalid')
    expect(await lock(A, other.address, 2n ** 128n, 0)).toBe('AmountInvalid')
    expect(await lock(A, `0x${'00'.repeat(20)}`, 1n, 0)).toBe('RecipientInvalid')
    expect(await lock(A, other.address, 1_000_000_001n, 0)).toBe('ERC20InsufficientBalance')
    expect(await lock(77, other.address, 1n, 0)).toBe('ChannelNotOpen')
    expect(await refusal(() => side.send(other, BRIDGE, 'withdraw', [rich.address, 1n, 0]))).toBe(
      'ERC20InsufficientBalance',
    )
    expect(await refusal(() => side.send(other, BRIDGE, 'withdraw', [rich.address, 0n, 0]))).toBe(
      'AmountInvalid',
    )
    expectConserved()
  })
})

describe('what does not arrive comes back', () => {
  test('a lock past its deadline is refunded, once', async () => {
    await main.send(rich, BRIDGE, 'lock', [A, other.address, 40n, network.clock.seconds + 5])
    const [message] = network.sent()
    network.clock.seconds += 6
    const receipt = await network.deliver(message!)
    expect(receipt.outcome).toBe(OUTCOME.expired)
    await network.acknowledge(message!, receipt)
    await network.acknowledge(message!, receipt)
    expect([balance(main, rich), lockedFor(A), balance(side, other)]).toEqual([
      1_000_000_000n,
      0n,
      0n,
    ])
    expectConserved()
  })

  test('a lock that the side chain refuses is refunded', async () => {
    // Its peg is not asked any more.
    await network.decide(side, AT.pegGateway, 'removeApp', [BRIDGE])
    await main.send(rich, BRIDGE, 'lock', [A, other.address, 40n, 0])
    expect((await network.carry()).map(({ outcome }) => outcome)).toEqual([OUTCOME.failed])
    expect([balance(main, rich), lockedFor(A)]).toEqual([1_000_000_000n, 0n])
    expectConserved()
  })

  test('a withdrawal beyond the rate of the channel is minted again', async () => {
    await main.send(rich, BRIDGE, 'lock', [A, other.address, 100n, 0])
    await network.carry()
    await network.decide(main, BRIDGE, 'setLimit', [A, 60n, 3_600])
    await side.send(other, BRIDGE, 'withdraw', [other.address, 61n, 0])
    expect((await network.carry()).map(({ outcome }) => outcome)).toEqual([OUTCOME.failed])
    expect([balance(side, other), lockedFor(A)]).toEqual([100n, 100n])
    await side.send(other, BRIDGE, 'withdraw', [other.address, 60n, 0])
    await network.carry()
    expect([balance(side, other), balance(main, other)]).toEqual([40n, 60n])
    expectConserved()
  })
})

describe('limits', () => {
  test('so much moves within the window, each way and for each side chain apart', async () => {
    await network.decide(main, BRIDGE, 'setLimit', [0, 100n, 100])
    const lock = (chainId: number, amount: bigint): Promise<string> =>
      refusal(() => main.send(rich, BRIDGE, 'lock', [chainId, other.address, amount, 0]))
    expect(await lock(A, 101n)).toBe('RateLimitExceeded')
    expect(await lock(A, 100n)).toBe('not refused')
    expect(await lock(A, 1n)).toBe('RateLimitExceeded')
    expect(await lock(B, 100n)).toBe('not refused')
    network.clock.seconds += 50
    await main.block()
    expect(await lock(A, 51n)).toBe('RateLimitExceeded')
    expect(await lock(A, 50n)).toBe('not refused')
    const limit = main.ask<{ toSideAvailable: bigint; fromSideAvailable: bigint }>(
      BRIDGE,
      'limitOf',
      [A],
    )
    expect([limit.toSideAvailable, limit.fromSideAvailable]).toEqual([0n, 100n])
  })

  test('governance alone sets them; a limit of 0 stops a channel', async () => {
    expect(await refusal(() => main.send(rich, BRIDGE, 'setLimit', [A, 1n, 1]))).toBe(
      'AccessManagedUnauthorized',
    )
    await network.decide(main, BRIDGE, 'setLimit', [A, 0n, 1])
    expect(await refusal(() => main.send(rich, BRIDGE, 'lock', [A, other.address, 1n, 0]))).toBe(
      'RateLimitExceeded',
    )
    expect(await refusal(() => main.send(rich, BRIDGE, 'lock', [B, other.address, 1n, 0]))).toBe(
      'not refused',
    )
  })
})

describe('credit of a side chain', () => {
  test('comes and goes by the bridge alone, whoever governs the chain', async () => {
    const refused = async (method: string, ...args: unknown[]): Promise<void> => {
      expect(await refusal(() => side.send(other, CREDIT, method, args)), method).toBe(
        method.startsWith('crosschain') ? 'NotBridge' : 'OnlyByBridge',
      )
    }
    await refused('crosschainMint', other.address, 1n)
    await refused('crosschainBurn', other.address, 1n)
    await refused('burn', 0n)
    await refused('burnFrom', other.address, 0n)
    expect(await refusal(() => network.decide(side, CREDIT, 'mint', [other.address, 1n]))).toBe(
      'OnlyByBridge',
    )
    expect(
      await refusal(() => main.send(other, CREDIT, 'crosschainMint', [other.address, 1n])),
    ).toBe('NotBridge')
    expect(side.ask(CREDIT, 'supportsInterface', ['0x33331994'])).toBe(true)
  })

  test('what a retired side chain had, governance pays out, and no more', async () => {
    await main.send(rich, BRIDGE, 'lock', [A, other.address, 90n, 0])
    await network.carry()
    const reclaim = (amount: bigint): Promise<unknown> =>
      network.decide(main, BRIDGE, 'reclaim', [A, other.address, amount])
    expect(await refusal(() => reclaim(1n))).toBe('ChainNotRetired')
    await network.decide(main, AT.qbftLightClient, 'closeClient', [A])
    expect(await refusal(() => reclaim(91n))).toBe('LockedTooLittle')
    await reclaim(90n)
    expect([balance(main, other), lockedFor(A)]).toEqual([90n, 0n])
  })
})

test('a side chain whose validators all lie gets what was locked for it, and no more', async () => {
  await main.send(rich, BRIDGE, 'lock', [A, other.address, 100n, 0])
  await main.send(rich, BRIDGE, 'lock', [B, other.address, 200n, 0])
  await network.carry()
  const thief = keyOf('thief')
  const liar = await openLiar(network, side)
  const claim = (amount: bigint): string =>
    AbiCoder.defaultAbiCoder().encode(
      ['address', 'address', 'uint256'],
      [thief.address, thief.address, amount],
    )
  expect(await liar.tell(BRIDGE, claim(101n))).toBe(OUTCOME.failed)
  expect(await liar.tell(BRIDGE, claim(2n ** 255n))).toBe(OUTCOME.failed)
  expect(balance(main, thief)).toBe(0n)
  expect(await liar.tell(BRIDGE, claim(100n))).toBe(OUTCOME.delivered)
  expect(await liar.tell(BRIDGE, claim(1n))).toBe(OUTCOME.failed)
  expect([balance(main, thief), lockedFor(A), lockedFor(B)]).toEqual([100n, 0n, 200n])
  // The other side chain has lost nothing.
  await network.sides[1]!.send(other, BRIDGE, 'withdraw', [other.address, 200n, 0])
  await network.carry()
  expect([balance(main, other), lockedFor(B)]).toEqual([200n, 0n])
  expect(balance(main, rich) + balance(main, thief) + balance(main, other)).toBe(1_000_000_000n)
})

test('only the gateway tells, and only of the counterpart: nobody mints or releases by calling', async () => {
  const payload = '0x'
  for (const chain of [main, side]) {
    for (const address of [BRIDGE, AT.licencePeg, AT.identityPeg, AT.identityRegistry]) {
      const abi = chain.interfaces.get(address)
      if (abi?.getFunction('onDelivered') == null) continue
      const told = [`0x${'11'.repeat(32)}`, A, payload]
      expect(await refusal(() => chain.send(other, address, 'onDelivered', told))).toBe(
        'NotGateway',
      )
      const undelivered = [...told, 2, `0x${'00'.repeat(32)}`]
      expect(await refusal(() => chain.send(other, address, 'onUndelivered', undelivered))).toBe(
        'NotGateway',
      )
      const from = `0x00010000020539${'14'}${BRIDGE.slice(2)}`
      const received = [`0x${'11'.repeat(32)}`, from, payload]
      expect(await refusal(() => chain.send(other, address, 'receiveMessage', received))).toBe(
        'ERC7786RecipientUnauthorizedGateway',
      )
    }
  }
})

test('property: whatever is locked, withdrawn, carried, delayed and lost, credit is conserved after every block', async () => {
  const people = [rich, other, keyOf('third')]
  const step = fc.oneof(
    fc.record({
      do: fc.constant('lock' as const),
      side: fc.nat(1),
      to: fc.nat(2),
      amount: fc.bigInt(1n, 50n),
      hurry: fc.boolean(),
    }),
    fc.record({
      do: fc.constant('withdraw' as const),
      side: fc.nat(1),
      by: fc.nat(2),
      amount: fc.bigInt(1n, 50n),
      hurry: fc.boolean(),
    }),
    fc.record({ do: fc.constant('deliver' as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant('acknowledge' as const), which: fc.nat(20) }),
    fc.record({ do: fc.constant('pass' as const), seconds: fc.integer({ min: 1, max: 30 }) }),
    fc.record({ do: fc.constant('limit' as const), amount: fc.bigInt(0n, 80n) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      network = await openNetwork()
      main = network.main
      await main.send(rich, CREDIT, 'approve', [BRIDGE, MaxUint256])
      const open: Parameters<PegNetwork['deliver']>[0][] = []
      const received: Parameters<PegNetwork['acknowledge']>[] = []
      const tried = async (run: () => Promise<unknown>): Promise<void> => {
        const reason = await refusal(run)
        const expected = ['not refused', 'RateLimitExceeded', 'ERC20InsufficientBalance']
        expect(expected).toContain(reason)
      }
      for (const each of steps) {
        const deadline = 'hurry' in each && each.hurry ? network.clock.seconds + 5 : 0
        if (each.do === 'lock') {
          const to = people[each.to]!.address
          const args = [SIDE_IDS[each.side], to, each.amount, deadline]
          await tried(() => main.send(rich, BRIDGE, 'lock', args))
        } else if (each.do === 'withdraw') {
          const by = people[each.by]!
          const args = [by.address, each.amount, deadline]
          await tried(() => network.sides[each.side]!.send(by, BRIDGE, 'withdraw', args))
        } else if (each.do === 'deliver' && open.length > 0) {
          // In any order; some stay for ever.
          const [message] = open.splice(each.which % open.length, 1)
          received.push([message!, await network.deliver(message!)])
        } else if (each.do === 'acknowledge' && received.length > 0) {
          const [pair] = received.splice(each.which % received.length, 1)
          await network.acknowledge(...pair!)
        } else if (each.do === 'pass') {
          network.clock.seconds += each.seconds
        } else if (each.do === 'limit') {
          await network.decide(main, BRIDGE, 'setLimit', [0, each.amount, 60])
        }
        open.push(...network.sent())
        expectConserved()
      }
      for (const message of open) await network.acknowledge(message, await network.deliver(message))
      for (const pair of received) await network.acknowledge(...pair)
      await network.carry()
      for (const each of network.sides) expect(onTheWay(each)).toEqual({ out: 0n, back: 0n })
      expectConserved()
    }),
    { numRuns: 40 },
  )
}, 120_000)
