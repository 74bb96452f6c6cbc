import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Hash, hexToBytes, keccak256, keccak256Hex } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import { encodeAccount } from '../src/account.ts'
import { decodeBlock, keccakHeaderHash } from '../src/block.ts'
import { blobScheduleAt, forkAt } from '../src/fork-schedule.ts'
import { type Genesis, genesisHeader } from '../src/genesis.ts'
import { formatGenesis } from '../src/genesis-format.ts'
import { parseGenesis } from '../src/genesis-reader.ts'
import { encodeRlp, rlpScalar, splitRlpSequence } from '../src/rlp.ts'
import { EMPTY_ROOT, NO_NODES, openTrie, type TrieUpdate, updateTrie } from '../src/trie.ts'

const COLLECTION = fileURLToPath(new URL('../../../../shared/conformance', import.meta.url))

const MINIMAL = {
  config: { chainId: 1337, londonBlock: 0 },
  difficulty: '0x1',
  gasLimit: '0x47b760',
  alloc: {},
}

/** MINIMAL with other entries in `config`. */
function configured(config: Record<string, unknown>): Genesis {
  return parseGenesis({ ...MINIMAL, config: { ...MINIMAL.config, ...config } })
}

/** The place that the refusal of a genesis names. */
function complaint(json: unknown): string {
  try {
    parseGenesis(json)
  } catch (error) {
    expect(error).toMatchObject({ code: 'LEDGER_GENESIS_INVALID' })
    return String((error as { details: { path: string } }).details.path)
  }
  throw new Error('accepted')
}

function rootOf(updates: readonly TrieUpdate[]): Hash {
  return updateTrie(openTrie(EMPTY_ROOT, NO_NODES), updates).trie.root
}

/** State root straight from the definition, without the state's own code. */
function stateRootOf(genesis: Genesis): Hash {
  return rootOf(
    genesis.alloc.map(({ address, balance, nonce, code, storage }) => ({
      key: keccak256(hexToBytes(address)),
      value: encodeAccount({
        nonce,
        balance,
        codeHash: keccak256Hex(code),
        storageRoot: rootOf(
          [...storage].map(([slot, value]) => ({
            key: keccak256(hexToBytes(slot)),
            value: encodeRlp(rlpScalar(value)),
          })),
        ),
      }),
    })),
  )
}

describe.skipIf(!existsSync(COLLECTION))('genesis files of other nodes', () => {
  const read = (path: string): Record<string, unknown> =>
    JSON.parse(readFileSync(`${COLLECTION}/${path}`, 'utf8'))

  test.for([
    ['rpc-compat/main/genesis.json', 'rpc-compat/main/chain.rlp'],
    ['rpc-compat/cancun-genesis/genesis.json', 'rpc-compat/cancun-genesis/chain.rlp'],
    ['rpc-compat/london-genesis/genesis.json', 'rpc-compat/london-genesis/chain.rlp'],
    ['besu-jsonrpc/eth-chain/genesis.json', 'besu-jsonrpc/eth-chain/chain.rlp'],
    [
      'besu-jsonrpc/eth/simulateV1/chain-data/genesis.json',
      'besu-jsonrpc/eth/simulateV1/chain-data/chain.rlp',
    ],
  ] as const)('%s gives the genesis block of its chain', ([file, chain]) => {
    const genesis = parseGenesis(read(file))
    const header = genesisHeader(genesis, stateRootOf(genesis))
    const [first, second] = splitRlpSequence(readFileSync(`${COLLECTION}/${chain}`)).map(
      (bytes) => decodeBlock(bytes).header,
    )
    // Some files of blocks begin with the genesis block, others with its child.
    if (first!.number === 0) expect(header).toEqual(first)
    const child = first!.number === 0 ? second! : first!
    expect(child.parentHash).toBe(keccakHeaderHash(header))
    expect(parseGenesis(formatGenesis(genesis))).toEqual(genesis)
  })

  test('of QBFT and IBFT networks are read and written back', () => {
    const folder = 'qbft/genesis'
    const files = readdirSync(`${COLLECTION}/${folder}`).map((name) => `${folder}/${name}`)
    for (const file of [...files, 'qbft/ibft1-chain/genesis.json']) {
      const json = read(file)
      // Two are templates, three are parts to which a configuration is added.
      const extraData = json.extraData === '%extraData%' ? '0x' : json.extraData
      const config = json.config ?? { chainId: 1 }
      const genesis = parseGenesis({ ...json, extraData, config })
      expect(genesis.alloc.length, file).toBeGreaterThan(0)
      expect(parseGenesis(formatGenesis(genesis)), file).toEqual(genesis)
      const text = JSON.stringify(formatGenesis(genesis))
      expect(parseGenesis(JSON.parse(text)), file).toEqual(genesis)
    }
    const contract = parseGenesis(read('qbft/genesis/docs-contract-mode.json'))
    expect(contract.chainId).toBe(1337n)
    expect(contract.qbft).toMatchObject({
      blockPeriodSeconds: 5,
      requestTimeoutSeconds: 10,
      epochLength: 30_000,
      validatorContract: '0x0000000000000000000000000000000000007777',
    })
    const migrating = parseGenesis(read('qbft/ibft1-chain/genesis.json'))
    expect(migrating.qbft?.startBlock).toBe(101)
    expect(migrating.gasLimit).toBe(700_000_000n)
  })

  test('follow the schedule of a chain that crosses every fork', () => {
    const { schedule } = parseGenesis(read('rpc-compat/main/genesis.json'))
    const at = [
      [0, 0, 'homestead'],
      [3, 30, 'tangerineWhistle'],
      [6, 60, 'spuriousDragon'],
      [9, 90, 'byzantium'],
      [12, 120, 'constantinople'],
      [15, 150, 'petersburg'],
      [18, 180, 'istanbul'],
      [23, 230, 'istanbul'],
      [24, 240, 'berlin'],
      [27, 270, 'london'],
      [35, 350, 'london'],
      [36, 360, 'paris'],
      [38, 389, 'paris'],
      [39, 390, 'shanghai'],
      [42, 420, 'cancun'],
      [45, 450, 'prague'],
      [48, 480, 'osaka'],
      [54, 540, 'osaka'],
    ] as const
    for (const [number, time, fork] of at) expect(forkAt(schedule, number, time)).toBe(fork)
    const max = [419, 420, 450, 480, 509, 510, 540].map(
      (time) => blobScheduleAt(schedule, time).max,
    )
    expect(max).toEqual([0, 6, 9, 9, 9, 15, 21])
  })

  test('start later forks by time whatever the block', () => {
    const { schedule } = parseGenesis(read('besu-jsonrpc/eth-chain/genesis.json'))
    expect(forkAt(schedule, 32, 1_444_660_029)).toBe('frontier')
    expect(forkAt(schedule, 33, 1_444_660_030)).toBe('shanghai')
    expect(forkAt(schedule, 34, 1_444_660_040)).toBe('cancun')
  })
})

describe('parseGenesis', () => {
  test('reads numbers in hex, decimal and JSON, and keys in any case', () => {
    const genesis = parseGenesis({
      CONFIG: { chainid: '0x539', LondonBlock: '0', zerobasefee: true },
      Difficulty: 1,
      gaslimit: '4700000',
      nonce: '0x42',
      alloc: {
        ABCDEF0123456789ABCDEF0123456789ABCDEF01: {
          balance: '0x10',
          nonce: '7',
          code: '6001',
          storage: { '0x1': '0x2', '02': '03', '0x03': '0x0' },
          comment: 'is passed over',
        },
      },
    })
    expect(genesis.chainId).toBe(1337n)
    expect(genesis.gasLimit).toBe(4_700_000n)
    expect(genesis.zeroBaseFee).toBe(true)
    expect([...genesis.nonce]).toEqual([0, 0, 0, 0, 0, 0, 0, 0x42])
    const slot = (i: number): string => `0x${i.toString(16).padStart(64, '0')}`
    expect(genesis.alloc).toEqual([
      {
        address: '0xabcdef0123456789abcdef0123456789abcdef01',
        balance: 16n,
        nonce: 7n,
        code: Uint8Array.of(0x60, 0x01),
        storage: new Map([
          [slot(1), 2n],
          [slot(2), 3n],
        ]),
      },
    ])
    expect(Object.isFrozen(genesis)).toBe(true)
    expect(genesisHeader(genesis, EMPTY_ROOT).baseFeePerGas).toBe(0n)
  })

  test('keeps exact the chain ids that JSON numbers cannot hold', () => {
    const genesis = configured({ chainId: '18446744073709551615' })
    expect(genesis.chainId).toBe(2n ** 64n - 1n)
    expect(parseGenesis(JSON.parse(JSON.stringify(formatGenesis(genesis))))).toEqual(genesis)
  })

  test('reads QBFT settings and their transitions', () => {
    const genesis = configured({
      qbft: { blockperiodseconds: 2, emptyblockperiodseconds: 60, requesttimeoutseconds: 4 },
      transitions: {
        qbft: [
          { block: 10, blockperiodseconds: 5 },
          {
            block: 20,
            validatorselectionmode: 'blockheader',
            validators: ['0x0000000000000000000000000000000000000001'],
          },
        ],
      },
    })
    expect(genesis.qbft).toMatchObject({
      blockPeriodSeconds: 2,
      emptyBlockPeriodSeconds: 60,
      requestTimeoutSeconds: 4,
      epochLength: 30_000,
      validatorContract: undefined,
      transitions: [
        { block: 10, blockPeriodSeconds: 5, validators: undefined },
        { block: 20, validators: ['0x0000000000000000000000000000000000000001'] },
      ],
    })
    expect(parseGenesis(formatGenesis(genesis))).toEqual(genesis)
  })

  test('takes a terminal total difficulty of zero for a merge at genesis', () => {
    const { schedule } = configured({ terminalTotalDifficulty: 0, shanghaiTime: 100 })
    expect(forkAt(schedule, 0, 0)).toBe('paris')
    expect(forkAt(schedule, 5, 100)).toBe('shanghai')
  })

  const account = { '0x0000000000000000000000000000000000000001': {} }
  const bare = '0000000000000000000000000000000000000001'
  test.for([
    ['', 'no object', 5],
    ['config', 'no configuration', { ...MINIMAL, config: undefined }],
    ['config.chainId', 'no chain id', { ...MINIMAL, config: {} }],
    [
      'config.clique',
      'another consensus, which pays otherwise',
      { ...MINIMAL, config: { chainId: 1, clique: { period: 5 } } },
    ],
    [
      'config.daoForkBlock',
      'a change of accounts by hand',
      { ...MINIMAL, config: { chainId: 1, daoForkBlock: 9, daoForkSupport: true } },
    ],
    ['gasLimit', 'a gas limit of 2^64', { ...MINIMAL, gasLimit: `0x1${'0'.repeat(16)}` }],
    ['gasLimit', 'a fraction', { ...MINIMAL, gasLimit: 1.5 }],
    ['gasLimit', 'a negative number', { ...MINIMAL, gasLimit: -1 }],
    ['gasLimit', 'text that is no number', { ...MINIMAL, gasLimit: 'lots' }],
    ['extraData', 'a template', { ...MINIMAL, extraData: '%extraData%' }],
    ['mixHash', 'a hash of 31 bytes', { ...MINIMAL, mixHash: `0x${'00'.repeat(31)}` }],
    ['nonce', 'a nonce of 9 bytes', { ...MINIMAL, nonce: `0x${'11'.repeat(9)}` }],
    ['alloc.0x12', 'a short address', { ...MINIMAL, alloc: { '0x12': {} } }],
    [
      'alloc.0x0000000000000000000000000000000000000001',
      'an address twice',
      { ...MINIMAL, alloc: { [bare]: {}, ...account } },
    ],
    [
      `alloc.${bare}.balance`,
      'a balance of 2^256',
      { ...MINIMAL, alloc: { [bare]: { balance: `0x1${'0'.repeat(64)}` } } },
    ],
    [
      `alloc.${bare}.storage.0x01`,
      'a slot twice',
      { ...MINIMAL, alloc: { [bare]: { storage: { '0x1': '0x1', '0x01': '0x2' } } } },
    ],
    ['chainid', 'a key twice', { ...MINIMAL, chainId: 1, chainid: 2 }],
  ] as const)('names %s when it refuses %s', ([path, , json]) => {
    expect(complaint(json)).toBe(path)
  })

  test.for([
    ['config.amsterdamTime', { amsterdamTime: 5 }],
    ['config.londonBlock', { berlinBlock: 9, londonBlock: 3 }],
    ['config.cancunTime', { shanghaiTime: 9, cancunTime: 3 }],
    ['config.bpo1Time', { bpo1Time: 5 }],
    ['config.blobSchedule', { cancunTime: 0, bpo1Time: 5 }],
    ['config.terminalTotalDifficulty', { londonBlock: 5, terminalTotalDifficulty: 0 }],
    ['config.qbft.blockperiodseconds', { qbft: { blockperiodseconds: 0 } }],
    ['config.qbft.epochlength', { qbft: { epochlength: 0 } }],
    ['config.qbft.epochlength', { qbft: { epochlength: -1 } }],
    ['config.qbft.requesttimeoutseconds', { qbft: { requesttimeoutseconds: 0 } }],
    ['config.qbft.blockReward', { qbft: { blockReward: '-1' } }],
    ['config.qbft.pertxgaslimit', { qbft: { pertxgaslimit: 16_777_216 } }],
    ['config.qbft.miningbeneficiary', { qbft: { miningbeneficiary: '0x12' } }],
    [
      'config.transitions.qbft[1].block',
      { qbft: {}, transitions: { qbft: [{ block: 3 }, { block: 3 }] } },
    ],
    [
      'config.blobSchedule.cancun',
      { cancunTime: 0, blobSchedule: { cancun: { target: 7, max: 6, baseFeeUpdateFraction: 1 } } },
    ],
  ] as const)('refuses the schedule or setting at %s', ([path, config]) => {
    expect(complaint({ ...MINIMAL, config: { ...MINIMAL.config, ...config } })).toBe(path)
  })
})
