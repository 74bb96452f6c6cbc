import { ADDRESSES } from '@vellum/contracts'
import type { Address } from '@vellum/evm'
import { parseGenesis, permissionSlot } from '@vellum/ledger'
import { describe, expect, it } from 'vitest'
import { parseContracts } from '../src/contracts-file.ts'
import { networkGenesis } from '../src/network-genesis.ts'

const [A, B, C] = ['aa', 'bb', 'cc'].map((byte): Address => `0x${byte.repeat(20)}`) as [
  Address,
  Address,
  Address,
]
const FILE = {
  council: { members: [A, B], threshold: 2, delaySeconds: 3600 },
  permissions: { mode: ['send'], flags: { [C]: ['send', 'deploy'] }, nodes: [B] },
  organisations: [
    { code: '11100000000013338W', account: A, capacities: ['root', 'supervisor'] },
    { code: '91350100M000100Y43', account: B, verifierClass: 'commercial' },
  ],
  filingRequired: true,
  tariff: [{ verifierClass: 'commercial', perUse: '1000', perByte: 1, freeUses: 3 }],
  credit: { [B]: '340282366920938463463374607431768211455' },
}

describe('a file of founders', () => {
  it('becomes the contracts of a genesis', () => {
    const contracts = parseContracts(FILE)
    expect(contracts).toMatchObject({
      permissions: { mode: 1, flags: new Map([[C, 3]]) },
      organisations: [{ capacities: 6, verifierClass: 0 }, { verifierClass: 2 }],
      tariff: [{ perUse: 1_000n, perByte: 1n }],
      objectionSeconds: 604_800,
      credit: new Map([[B, 2n ** 128n - 1n]]),
    })
    const genesis = parseGenesis(
      networkGenesis({
        chainId: 7,
        validators: [A],
        blockPeriodMs: 0,
        requestTimeoutSeconds: 2,
        gasLimit: 30_000_000,
        balances: new Map(),
        contracts: { ...contracts, credit: new Map([[B, 5n]]) },
      }),
    )
    expect(genesis.permissionContract).toBe(ADDRESSES.permissions)
    expect(genesis.statusTree?.contract).toBe(ADDRESSES.licenceRegistry)
    expect(genesis.alloc.map(({ address }) => address)).toEqual(
      Object.values(ADDRESSES).slice(0, 9),
    )
    const permissions = genesis.alloc.find(({ address }) => address === ADDRESSES.permissions)!
    expect(permissions.storage.get(permissionSlot(C))).toBe(3n)
  })

  it('is refused with every wrong field by name', () => {
    const wrong = {
      council: { members: ['0x12'], threshold: 0, delaySeconds: 3600 },
      permissions: { mode: ['fly'] },
      organisations: [{ code: '', account: 'me', verifierClass: 'rich' }],
      tariff: [{ verifierClass: 'commercial', perUse: -1, perByte: '1e3' }],
      credit: { you: 5 },
      colour: 'red',
    }
    expect(() => parseContracts(wrong)).toThrow(
      expect.objectContaining({ code: 'NODE_CONFIG_INVALID', details: { complaints: 10 } }),
    )
    for (const place of [
      'council.members must hold addresses',
      'council.threshold must be a whole number from 1 to 64',
      'permissions.mode may hold send, deploy, not "fly"',
      'organisations.0.code must be text',
      'organisations.0.account must be an address',
      'organisations.0.verifierClass must be one of publicBody, commercial',
      'tariff.0.perUse must be a whole number below 2^96, not -1',
      'tariff.0.perByte must be a whole number below 2^64',
      'a key of credit must be an address',
      'colour is not known',
    ]) {
      expect(() => parseContracts(wrong)).toThrow(place)
    }
  })

  it('whose founders a contract refuses makes no genesis', () => {
    const contracts = parseContracts({ ...FILE, council: { ...FILE.council, threshold: 3 } })
    const options = {
      chainId: 7,
      validators: [A],
      blockPeriodMs: 0,
      requestTimeoutSeconds: 2,
      gasLimit: 30_000_000,
      balances: new Map(),
      contracts,
    }
    expect(() => networkGenesis(options)).toThrow(
      expect.objectContaining({ code: 'LEDGER_GENESIS_INVALID' }),
    )
  })
})
