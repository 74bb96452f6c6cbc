/** What the steps of the tour have in common: the chain, the accounts, showing and checking. */

import { getBytes, type JsonRpcProvider, randomBytes, toUtf8Bytes, Wallet } from 'ethers'
import { presentationSeed } from '../blinding.ts'
import {
  type ChainReader,
  type ChainWriter,
  createChainReader,
  createChainWriter,
  type Done,
} from '../chain/contracts.ts'
import { openLicence } from '../chain/holder.ts'
import { createIssuer, type Issued, type Issuer } from '../chain/issuer.ts'
import { createLicenceDirectory, type LicenceDirectory } from '../chain/licences.ts'
import { type Report, recordVerification, verifyOnline } from '../chain/verifier.ts'
import { decodeCode, encodeCode } from '../code.ts'
import { encryptTo } from '../envelope.ts'
import { LicenceError } from '../error.ts'
import { createKeyHolder, type KeyHolder } from '../key.ts'
import { answerRequest, type Presentation, verifyAnswer } from '../presentation.ts'
import { createReplayMemory } from '../replay.ts'
import { readRequest, signRequest } from '../request.ts'
import type { Connection } from './connection.ts'
import type { CastMember, TourCast } from './tour-cast.ts'

/** A person with a phone: a key, and a secret that seeds of presentations are made with. */
export interface Holder {
  readonly key: KeyHolder
  readonly privateKey: Uint8Array
  readonly seedSecret: Uint8Array
  nextSeed(): Uint8Array
  seedsUsed(): number
}

export interface Showing {
  /** What the phone showed. */
  readonly code: string
  /** What the verifier read. */
  readonly presentation: Presentation
}

export interface Stage {
  readonly chain: ChainReader
  readonly chainId: bigint
  readonly provider: JsonRpcProvider
  readonly licences: LicenceDirectory
  readonly issuer: Issuer
  /** Seconds since 1970, by the clock. */
  now(): number
  /** Seconds since 1970, of the head. */
  chainTime(): Promise<number>
  keyOf(member: CastMember): KeyHolder
  writer(member: CastMember): ChainWriter
  /** Millionths of a credit. */
  balanceOf(member: CastMember): Promise<bigint>
  /** The holder opens what was issued. */
  open(issued: Issued, holder: Holder): Promise<string>
  /** A verifier asks, the holder shows a code, the verifier reads it. */
  show(
    credential: string,
    asked: {
      readonly holder: Holder
      readonly by: CastMember
      readonly purpose: string
      readonly fields: readonly string[]
    },
  ): Promise<Showing>
  /** A verifier checks what was shown against the chain, and records it. */
  check(
    shown: Presentation,
    asked: { readonly by: CastMember; readonly purpose: number },
  ): Promise<{ readonly report: Report; readonly entry: Done & { readonly index: bigint } }>
}

export function createHolder(): Holder {
  const privateKey = randomBytes(32)
  const seedSecret = randomBytes(32)
  let used = 0
  return {
    key: createKeyHolder(privateKey),
    privateKey,
    seedSecret,
    nextSeed: () => presentationSeed(seedSecret, used++),
    seedsUsed: () => used,
  }
}

/** @param mainChainId of the chain that identities belong to, if that is another */
export function createStage(
  { cast, nowMs }: { readonly cast: TourCast; readonly nowMs: () => number },
  { provider, chainId }: Connection,
  mainChainId: bigint = chainId,
): Stage {
  const chain = createChainReader(provider)
  const now = (): number => Math.floor(nowMs() / 1_000)
  const keyOf = ({ privateKey }: CastMember): KeyHolder => createKeyHolder(getBytes(privateKey))
  const writer = ({ privateKey }: CastMember): ChainWriter =>
    createChainWriter(new Wallet(privateKey, provider))
  /** Ciphertexts that are too large for the chain. */
  const store = new Map<string, Uint8Array>()
  const issuer = createIssuer({
    chain: writer(cast.issuer),
    chainId: mainChainId,
    key: keyOf(cast.issuer),
    put: async (ciphertext) => {
      const locator = `tour/${store.size}`
      store.set(locator, ciphertext)
      return { store: 'file', locator }
    },
  })

  async function show(
    credential: string,
    { holder, by, purpose, fields }: Parameters<Stage['show']>[1],
  ): Promise<Showing> {
    const at = now()
    const asked = await signRequest({
      chainId: mainChainId,
      key: keyOf(by),
      purpose,
      fields,
      now: at,
    })
    const read = readRequest(asked, at)
    if (!read.ok) throw refused(read.reason)
    const { request } = read
    const answer = await answerRequest(request, {
      credential,
      key: holder.key,
      seed: holder.nextSeed(),
      now: at,
    })
    const code = encodeCode({ kind: 'presentation', text: answer })
    const memory = createReplayMemory()
    const verdict = verifyAnswer(decodeCode(code).text, { request, memory, now: now() })
    if (!verdict.ok) throw refused(verdict.reason)
    return { code, presentation: verdict.presentation }
  }

  return {
    chain,
    chainId,
    provider,
    licences: createLicenceDirectory(chain),
    issuer,
    now,
    chainTime: async () => (await provider.getBlock('latest'))?.timestamp ?? now(),
    keyOf,
    writer,
    balanceOf: async ({ privateKey }) =>
      (await chain.ask('serviceCredit', 'balanceOf', [new Wallet(privateKey).address]))[0],
    open: ({ number }, { key, privateKey }) =>
      openLicence(chain, number, {
        key,
        privateKey,
        get: async ({ locator }) => store.get(locator) ?? new Uint8Array(0),
      }),
    show,
    check: async (shown, { by, purpose }) => {
      const desk = writer(by)
      const report = await verifyOnline(desk, shown)
      const entry = await recordVerification(desk, {
        shown,
        report,
        chainId,
        purpose,
        byteCount: shown.text.length,
        detail: encryptTo(shown.credential.holderKey, toUtf8Bytes(shown.purpose)),
      })
      return { report, entry }
    },
  }
}

function refused(reason: string): LicenceError {
  return new LicenceError('LICENCE_REFUSED', `refused: ${reason}`, { reason })
}

/** What the three checks found. */
export function checksOf({ issuer, status, holder }: Report): string {
  const words = Object.entries({ issuer, status, holder }).map(
    ([name, check]) => `${name} ${check.ok ? 'ok' : check.reason}`,
  )
  return words.join(', ')
}

export function refusalOf({ issuer, status, holder }: Report): string {
  const failed = [issuer, status, holder].find(({ ok }) => !ok)
  return failed === undefined || failed.ok ? 'nothing' : failed.reason
}
