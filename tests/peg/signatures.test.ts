/** What @vellum/sidechain writes and reads by hand is what the compiled contracts have. */

import { pegGateway, qbftLightClient } from '@vellum/contracts'
import { bytesToHex } from '@vellum/evm'
import { PEG_SIGNATURES, PEG_TOPICS } from '@vellum/sidechain'
import { Interface, type InterfaceAbi } from 'ethers'
import { describe, expect, test } from 'vitest'

const gateway = new Interface(pegGateway.abi as unknown as InterfaceAbi)
const client = new Interface(qbftLightClient.abi as unknown as InterfaceAbi)

describe('functions', () => {
  test.each([
    ['light client', PEG_SIGNATURES.lightClient, client],
    ['gateway', PEG_SIGNATURES.gateway, gateway],
  ] as const)('of the %s', (_, functions, of) => {
    expect(functions.length).toBeGreaterThan(5)
    for (const { signature, selector } of functions) {
      const found = of.getFunction(signature)
      expect(found?.selector, signature).toBe(bytesToHex(selector))
    }
  })

  test('answers are read as they are made', () => {
    const shapes = [
      [client, 'client', '((uint8,uint8,uint32,uint32,uint64,uint64,uint64,uint64,bytes32))'],
      [client, 'trustedHeader', '((bytes32,bytes32,uint64,uint64))'],
      [gateway, 'channelOf', '(uint8)'],
      [gateway, 'sentCount', '(uint64)'],
    ] as const
    for (const [of, name, shape] of shapes) {
      const outputs = of.getFunction(name)!.outputs.map((each) => each.format('sighash'))
      expect(`(${outputs.join(',')})`, name).toBe(shape)
    }
  })
})

test('events', () => {
  const known = [gateway, client].flatMap((of) =>
    of.fragments.flatMap((each) => (each.type === 'event' ? [of.getEvent(each.format())!] : [])),
  )
  for (const [name, topic] of Object.entries(PEG_TOPICS)) {
    expect(
      known.some(({ topicHash }) => topicHash === topic),
      name,
    ).toBe(true)
  }
})

test('errors', () => {
  // Those of libraries are in no ABI.
  const libraries = ['StateProofInvalid', 'TrieProofTraversalError', 'RlpInvalid', 'ProofInvalid']
  const known = [gateway, client].flatMap((of) =>
    of.fragments.flatMap((each) =>
      each.type === 'error' ? [of.getError(each.format())!.selector] : [],
    ),
  )
  for (const [selector, name] of PEG_SIGNATURES.errors) {
    if (!libraries.includes(name)) expect(known, name).toContain(selector)
  }
})
