import { crc32 } from 'node:zlib'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
  keccak256Hex,
} from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import { addressOfPublicKey, createSecp256k1 } from '../src/crypto.ts'
import {
  type Chain,
  createMemoryKeyValue,
  createPool,
  type ExecutedBlock,
  type Genesis,
  openChain,
  PERMISSION_LIMITS,
  permissionSlot,
  permittedNodes,
  predeployAccounts,
  type SignedTransaction,
  signTransaction,
} from '../src/index.ts'
import { createOneSigner, oneSignerGenesis } from './one-signer.ts'

const crypto = createSecp256k1()
const keyOf = (n: number): Uint8Array => new Uint8Array(32).fill(n)
const addressOf = (n: number): Address => addressOfPublicKey(crypto.publicKey(keyOf(n)))
const wordOf = (value: bigint): Hash => bytesToHex(bigIntToBytes(value, 32))
const CONTRACT: Address = '0x0000000000000000000000000000000000005603'
const [CLERK, STRANGER, VALIDATOR] = [1, 2, 9]
const [SEND, DEPLOY] = [1n, 2n]
const sealer = createOneSigner(addressOf(VALIDATOR), keyOf(VALIDATOR), crypto)

/** Writes the second word of its call data to the slot that the first one names. */
const SET_SLOT = '0x6020355f355500'

/** @param flags of accounts @param mode what is restricted */
function genesisWith(flags: Record<number, bigint>, mode: bigint, isEnforced = true): Genesis {
  const storage = Object.fromEntries([
    [wordOf(1n), wordOf(mode)],
    ...Object.entries(flags).map(([n, bits]) => [
      permissionSlot(addressOf(Number(n))),
      wordOf(bits),
    ]),
  ])
  return oneSignerGenesis({
    validator: addressOf(VALIDATOR),
    ...(isEnforced && { vellum: { permissionContract: CONTRACT } }),
    alloc: { [CONTRACT]: { balance: '0x0', code: SET_SLOT, storage } },
  })
}

function open(genesis: Genesis): Promise<Chain> {
  return openChain({
    genesis,
    disk: createMemoryKeyValue(),
    crc32,
    scheme: sealer,
    crypto,
    retainedBlocks: undefined,
  })
}

function build(chain: Chain, ...transactions: readonly SignedTransaction[]): ExecutedBlock {
  const parent = chain.head().header
  const pool = createPool({
    state: () => chain.state(),
    next: () => ({
      rules: chain.rulesAt(parent.number + 1, parent.timestamp),
      gasLimit: parent.gasLimit,
    }),
  })
  for (const each of transactions) pool.add(each)
  const built = chain.build(pool, {
    timestamp: parent.timestamp + 1,
    fields: sealer.fields,
    gasLimitTarget: parent.gasLimit,
  })
  return chain.sealed(built, sealer.seal(built.block.header))
}

function tx(from: number, nonce: number, to: Address | undefined, data = '0x'): SignedTransaction {
  return signTransaction(
    {
      type: 2,
      chainId: 7n,
      nonce: BigInt(nonce),
      gasLimit: 100_000n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to,
      value: 0n,
      data: hexToBytes(data as `0x${string}`),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    keyOf(from),
    crypto,
  )
}

function grant(nonce: number, account: number, bits: bigint): SignedTransaction {
  const data = `${permissionSlot(addressOf(account))}${wordOf(bits).slice(2)}`
  return tx(CLERK, nonce, CONTRACT, data)
}

describe('a chain on which sending is restricted', () => {
  const flags = { [CLERK]: SEND | DEPLOY }

  test('takes from those who may send, and tells others', async () => {
    const chain = await open(genesisWith(flags, SEND))
    await chain.append(build(chain, tx(CLERK, 0, addressOf(5))))
    expect(chain.head().header.gasUsed).toBe(21_000n)
    expect(() => build(chain, tx(STRANGER, 0, addressOf(5)))).toThrow(
      expect.objectContaining({
        code: 'LEDGER_NOT_PERMITTED',
        message: `${addressOf(STRANGER)} may not send transactions on this chain`,
      }),
    )
  })

  test('refuses a block with a transaction of anybody else, whoever made it', async () => {
    // One who does not follow the rule makes the block: the configuration is in no hash.
    const careless = await open(genesisWith(flags, SEND, false))
    const chain = await open(genesisWith(flags, SEND))
    expect(chain.head().hash).toBe(careless.head().hash)
    const { block } = build(careless, tx(STRANGER, 0, addressOf(5)))
    const verdict = chain.execute(block)
    expect(verdict).toMatchObject({
      ok: false,
      reason: expect.stringContaining('LEDGER_NOT_PERMITTED'),
    })
  })

  test('judges a block by the state before it', async () => {
    const careless = await open(genesisWith(flags, SEND, false))
    const chain = await open(genesisWith(flags, SEND))
    const early = build(careless, grant(0, STRANGER, SEND), tx(STRANGER, 0, addressOf(5)))
    expect(chain.execute(early.block).ok).toBe(false)
    await chain.append(build(chain, grant(0, STRANGER, SEND)))
    await chain.append(build(chain, tx(STRANGER, 0, addressOf(5))))
    // Taken back in the same block in which it is used once more: still valid.
    const last = build(chain, grant(1, STRANGER, 0n), tx(STRANGER, 1, addressOf(5)))
    expect(last.block.transactions).toHaveLength(2)
    await chain.append(last)
    expect(() => build(chain, tx(STRANGER, 2, addressOf(5)))).toThrow(/may not send/)
  })

  test('proves the rule that applied', async () => {
    const chain = await open(genesisWith(flags, SEND))
    const { storage } = chain
      .state()
      .prove(CONTRACT, [permissionSlot(addressOf(CLERK)), permissionSlot(addressOf(STRANGER))])
    expect(storage.map(({ value }) => value)).toEqual([SEND | DEPLOY, 0n])
  })
})

describe('a chain on which deploying is restricted', () => {
  test('takes calls of everybody and contracts of those who may', async () => {
    const chain = await open(genesisWith({ [CLERK]: DEPLOY }, DEPLOY))
    const initCode = '0x5f5ff3'
    await chain.append(build(chain, tx(CLERK, 0, undefined, initCode)))
    await chain.append(build(chain, tx(STRANGER, 0, addressOf(5))))
    expect(() => build(chain, tx(STRANGER, 1, undefined, initCode))).toThrow(
      /may not deploy contracts/,
    )
  })
})

describe('the nodes that may connect', () => {
  const first = BigInt(keccak256Hex(bigIntToBytes(2n, 32)))
  const slots = (length: bigint, nodes: readonly Address[]): Map<Hash, bigint> =>
    new Map([
      [wordOf(2n), length],
      ...nodes.map((node, i) => [wordOf(first + BigInt(i)), BigInt(node)] as const),
    ])

  test('are read in the order of the list', () => {
    const nodes = [addressOf(3), addressOf(4)]
    const stored = slots(2n, nodes)
    expect(permittedNodes((slot) => stored.get(slot) ?? 0n)).toEqual(nodes)
    expect(permittedNodes(() => 0n)).toEqual([])
  })

  test('are so many at most, whatever the length says', () => {
    const stored = slots(2n ** 255n, [])
    expect(permittedNodes((slot) => stored.get(slot) ?? 0n)).toHaveLength(PERMISSION_LIMITS.nodes)
  })
})

describe('contracts of the genesis block', () => {
  const options = { fork: 'osaka', chainId: 7n, timestamp: 0 } as const
  const runtime = hexToBytes('0x5f545f5260205ff3')
  /** Stores its own address in slot 0 and its argument in slot 1, and returns the code behind it. */
  const setUp = hexToBytes('0x305f556020602038035f395f516001556008601a5f3960085ff3')

  test('are what their constructors leave', () => {
    const initCode = concatBytes(setUp, runtime, bigIntToBytes(42n, 32))
    expect(setUp.length).toBe(0x1a)
    const [account] = predeployAccounts([{ address: CONTRACT, initCode }], options)
    expect(account).toMatchObject({ address: CONTRACT, nonce: 1n, balance: 0n, code: runtime })
    expect(account!.storage).toEqual(
      new Map([
        [wordOf(0n), BigInt(CONTRACT)],
        [wordOf(1n), 42n],
      ]),
    )
  })

  test('are refused where a constructor fails', () => {
    for (const initCode of ['0x5f5ffd', '0xfe', '0x00'] as const) {
      expect(() =>
        predeployAccounts([{ address: CONTRACT, initCode: hexToBytes(initCode) }], options),
      ).toThrow(expect.objectContaining({ code: 'LEDGER_GENESIS_INVALID' }))
    }
  })
})
