import {
  council,
  creditVault,
  organisationRegistry,
  pegGateway,
  qbftLightClient,
} from '@vellum/contracts'
import { describe, expect, it } from 'vitest'
import { CALLED } from '../src/host/council-calls.ts'
import { ORGANISATION } from '../src/host/sidechain-genesis.ts'

interface Parameter {
  readonly type: string
  readonly components?: readonly Parameter[]
}

interface Entry {
  readonly type: string
  readonly name?: string
  readonly inputs?: readonly Parameter[]
}

const COMPILED: Readonly<Record<string, { readonly abi: unknown }>> = {
  council,
  qbftLightClient,
  pegGateway,
  creditVault,
  organisationRegistry,
}

function typeOf({ type, components }: Parameter): string {
  if (components === undefined) return type
  return `(${components.map(typeOf).join(',')})${type.slice('tuple'.length)}`
}

function signaturesIn(contract: string): readonly string[] {
  return (COMPILED[contract]!.abi as readonly Entry[])
    .filter(({ type }) => type === 'function')
    .map(({ name, inputs = [] }) => `${name}(${inputs.map(typeOf).join(',')})`)
}

describe('calls of the contracts that govern', () => {
  it.each(
    Object.entries({ ...CALLED, organisationRegistry: [ORGANISATION.signature] }).flatMap(
      ([contract, signatures]) => signatures.map((signature) => [contract, signature] as const),
    ),
  )('%s has %s', (contract, signature) => {
    expect(signaturesIn(contract)).toContain(signature)
  })
})
