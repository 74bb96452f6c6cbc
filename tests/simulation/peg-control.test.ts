/**
 * Worlds in which the peg must break: the checks have to see it, or their silence means nothing. One runs
 * on a light client that takes half of the seals for a quorum.
 */

import { ADDRESSES } from '@vellum/contracts'
import { type Address, hexToBytes } from '@vellum/evm'
import { predeployAccounts } from '@vellum/ledger'
import { loadPegScenario, runPeg } from '@vellum/simulator'
import { AbiCoder, ZeroHash } from 'ethers'
import { expect, test } from 'vitest'
import { compileForTest } from '../contracts/solidity-in-tests.ts'

const CLIENT: Address = ADDRESSES.qbftLightClient

/** What stands at the light client's address where half of the validators are enough. */
function credulousClient(): Uint8Array {
  const { initCode } = compileForTest('QbftLightClient', [
    {
      file: 'QbftLightClient.sol',
      text: '(2 * h.validatorCount + 2) / 3',
      instead: 'h.validatorCount / 2',
    },
  ])
  const types = ['address', 'uint64', 'bytes32', 'bytes', 'uint64', 'uint64']
  const values = [ADDRESSES.accessManager, 0, ZeroHash, '0x', 0, 0]
  const rest = AbiCoder.defaultAbiCoder().encode(types, values).slice(2)
  const [made] = predeployAccounts(
    [{ address: CLIENT, initCode: hexToBytes(`${initCode}${rest}` as `0x${string}`) }],
    { fork: 'osaka', chainId: 1n, timestamp: 1 },
  )
  return made!.code
}

test('control: what two of four validators seal is believed by a client that asks for half', async () => {
  const scenario = loadPegScenario('peg/impostor')
  const broken = { ...scenario.expect, violations: ['M1' as const] }
  const { violations } = await runPeg({ ...scenario, expect: broken }, '1', {
    codes: new Map([[CLIENT, credulousClient()]]),
  })
  const rules = new Set(violations.map(({ rule }) => rule))
  expect([...rules]).toEqual(expect.arrayContaining(['M1', 'M3', 'C1']))
})

test.for(['peg/control-believed-liar', 'peg/control-no-relayers'])('%s', async (name) => {
  const scenario = loadPegScenario(name)
  const { violations } = await runPeg(scenario, '1')
  const rules = [...new Set(violations.map(({ rule }) => rule))]
  expect(rules).toEqual(expect.arrayContaining([...scenario.expect.violations]))
})
