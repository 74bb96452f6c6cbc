/** Identities as `did:ethr`, resolved by the public resolver against a node. */

import { ADDRESSES } from '@vellum/contracts'
import { Resolver } from 'did-resolver'
import {
  JsonRpcApiProvider,
  type JsonRpcError,
  type JsonRpcPayload,
  type JsonRpcResult,
  type Wallet,
} from 'ethers'
import { getResolver } from 'ethr-did-resolver'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Chain } from './chain.ts'
import { accounts, createWorld, publicKeyOf, register, signKeyChange, wallet } from './world.ts'

/** ethers' own provider over a chain in this process. */
class ChainProvider extends JsonRpcApiProvider {
  readonly #chain: Chain

  constructor(chain: Chain) {
    super(chain.chainId, { staticNetwork: true, batchMaxCount: 1, cacheTimeout: -1 })
    this.#chain = chain
    this._start()
  }

  async _send(
    payload: JsonRpcPayload | JsonRpcPayload[],
  ): Promise<(JsonRpcResult | JsonRpcError)[]> {
    const calls = Array.isArray(payload) ? payload : [payload]
    const answers: JsonRpcResult[] = []
    for (const { id, method, params } of calls) {
      answers.push({ id, result: await this.#chain.rpc(method, params as unknown[]) })
    }
    return answers
  }
}

let chain: Chain
let provider: ChainProvider
let resolver: Resolver
const holder = wallet('did holder')
const next = wallet('did next key')

beforeAll(async () => {
  ;({ chain } = await createWorld())
  provider = new ChainProvider(chain)
  const network = {
    name: 'vellum',
    provider,
    chainId: chain.chainId,
    registry: ADDRESSES.identityRegistry,
  }
  // Its types are those of ethers for CommonJS, which are others.
  const options = { networks: [network] } as unknown as Parameters<typeof getResolver>[0]
  resolver = new Resolver(getResolver(options))
})

afterAll(async () => {
  provider.destroy()
  await chain.stop()
})

const did = (): string => `did:ethr:0x${chain.chainId.toString(16)}:${holder.address}`
const keyOf = (key: Wallet): string => {
  const { publicKeyX, publicKeyY } = publicKeyOf(key)
  return `04${publicKeyX.slice(2)}${publicKeyY.slice(2)}`
}

/** What a document says about keys. */
async function keys(): Promise<{ accounts: string[]; keys: string[] }> {
  const { didDocument, didResolutionMetadata } = await resolver.resolve(did())
  expect(didResolutionMetadata.error).toBe(undefined)
  const methods = didDocument!.verificationMethod ?? []
  return {
    accounts: methods.flatMap(({ blockchainAccountId }) =>
      blockchainAccountId === undefined ? [] : [blockchainAccountId],
    ),
    keys: methods.flatMap(({ publicKeyHex }) => publicKeyHex ?? []),
  }
}

test('a registered identity resolves to its account and public key', async () => {
  await register(chain, holder)
  expect(await keys()).toEqual({
    accounts: [`eip155:${chain.chainId}:${holder.address}`],
    keys: [keyOf(holder)],
  })
})

test('after a change of key it is the new one’s', async () => {
  const { publicKeyX, publicKeyY } = publicKeyOf(next)
  const change = { identity: holder.address, to: next, nonce: 0 }
  const signatures = await signKeyChange(chain, 'KeyChange', change, [holder, next])
  const args = [holder.address, publicKeyX, publicKeyY, 4_000_000_000, ...signatures]
  await chain.send(accounts.registrar, 'identityRegistry', 'rotate', args)
  expect(await keys()).toEqual({
    accounts: [`eip155:${chain.chainId}:${next.address}`],
    keys: [keyOf(next)],
  })
})

test('after cancellation it is deactivated', async () => {
  await chain.send(accounts.registrar, 'identityRegistry', 'cancel', [holder.address, 1])
  const { didDocument, didDocumentMetadata } = await resolver.resolve(did())
  expect(didDocumentMetadata.deactivated).toBe(true)
  expect(didDocument!.verificationMethod ?? []).toEqual([])
})
