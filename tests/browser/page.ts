/**
 * What an application does in a page, with the library and a node's RPC server alone: a registrar and a
 * person make an identity, an authority issues, the person shows, a counter checks with and without a network.
 */

import {
  answerRequest,
  bringAnswer,
  countersignIdentity,
  createChainReader,
  createChainWriter,
  createIdentityDirectory,
  createIdentityOffice,
  createIssuer,
  createKeyHolder,
  createLicenceDirectory,
  createReplayMemory,
  encodeOfflineCode,
  followValidators,
  gatherValidatorHeaders,
  type LicenceData,
  LicenceError,
  makeCopy,
  makeIdentity,
  openLicence,
  present,
  presentationSeed,
  type Report,
  readRequest,
  signAnswer,
  signRequest,
  verifyAnswer,
  verifyCopy,
  verifyOfflineCode,
  verifyOnline,
} from '@vellum/licence'
import { getBytes, hexlify, JsonRpcProvider, randomBytes, Wallet } from 'ethers'

/** What the page is told. */
export interface Scene {
  readonly rpc: string
  /** `LicenceRegistry`. */
  readonly registry: string
  readonly supervisor: Actor
  readonly registrar: Actor
  readonly issuer: Actor
  readonly data: LicenceData
}

interface Actor {
  readonly code: string
  readonly privateKey: string
}

export interface Outcome {
  readonly identity: string
  readonly shownName: string
  readonly report: Pick<Report, 'ok' | 'issuer' | 'status' | 'holder'>
  readonly offlineStatus: string
  readonly offlineAgain: string
  readonly misread: string
  readonly followed: boolean
  readonly copy: string
  /** Names of Node.js that the page can see. */
  readonly nodeGlobals: readonly string[]
}

const DAY = 86_400
const NAMES_OF_NODE = ['process', 'Buffer', 'require', 'global', 'module']

export async function play(scene: Scene): Promise<Outcome> {
  const provider = new JsonRpcProvider(scene.rpc, undefined, { cacheTimeout: -1 })
  try {
    return await playOn(provider, scene)
  } finally {
    provider.destroy()
  }
}

async function playOn(provider: JsonRpcProvider, scene: Scene): Promise<Outcome> {
  const { supervisor, registrar, issuer, data } = scene
  const { chainId } = await provider.getNetwork()
  const writer = (by: Actor) => createChainWriter(new Wallet(by.privateKey, provider))
  const keyOf = (by: Actor) => createKeyHolder(getBytes(by.privateKey))
  const chain = createChainReader(provider)
  const now = (await provider.getBlock('latest'))!.timestamp
  const privateKey = randomBytes(32)
  const key = createKeyHolder(privateKey.slice())
  const seeds = randomBytes(32)

  const signed = await makeIdentity({
    chainId,
    registrar: keyOf(registrar),
    registrarCode: registrar.code,
    holderKey: key.publicKey,
    kind: 'citizen',
    subject: hexlify(randomBytes(32)),
    details: { name: data.holderName },
    version: 1,
    deadline: now + DAY,
  })
  const both = await countersignIdentity(signed, { chainId, key, privateKey })
  await createIdentityOffice(writer(registrar)).register(both)
  await createIdentityOffice(writer(supervisor)).file(key.address, hexlify(randomBytes(32)))
  const identity = await createIdentityDirectory(chain).stateOf(key.address)

  const desk = createIssuer({
    chain: writer(issuer),
    chainId,
    key: keyOf(issuer),
    put: () => Promise.reject(new Error('it fits the chain')),
  })
  const { number } = await desk.offer({
    data,
    holder: { identity: key.address, publicKey: key.publicKey },
    now,
    acceptBy: now + DAY,
  })
  const get = () => Promise.reject(new Error('it is on the chain'))
  const credential = await openLicence(chain, number, { key, privateKey, get })
  const licences = createLicenceDirectory(chain)
  const { content } = await licences.recordOf(number)
  const answer = { number, content, accepts: true, deadline: now + DAY }
  await bringAnswer(writer(registrar), await signAnswer(chainId, answer, key))

  const at = (await provider.getBlock('latest'))!.timestamp
  const options = (place: number) => ({
    credential,
    key,
    seed: presentationSeed(seeds, place),
    now: at,
  })
  const asked = await signRequest({
    chainId,
    key: keyOf(registrar),
    purpose: '核验',
    fields: ['holderName'],
    now: at,
  })
  const read = readRequest(asked, at)
  if (!read.ok) throw new Error(read.reason)
  const memory = createReplayMemory()
  const shown = verifyAnswer(await answerRequest(read.request, options(0)), {
    request: read.request,
    memory,
    now: at,
  })
  if (!shown.ok) throw new Error(shown.reason)
  const { ok, issuer: byIssuer, status, holder } = await verifyOnline(chain, shown.presentation)

  const head = await provider.getBlockNumber()
  const set: string[] = await provider.send('qbft_getValidatorsByBlockNumber', ['latest'])
  const trusted = {
    chainId,
    registry: scene.registry,
    validators: [{ from: head, set }],
    asOf: at,
  }
  const offered = await present({ fields: ['holderName'], purpose: '出示' }, options(1))
  const code = encodeOfflineCode(offered, await licences.proofOf(number))
  const rule = { chain: trusted, memory, now: at, ageMax: 3_600 }
  const first = verifyOfflineCode(code, rule)
  const again = verifyOfflineCode(code, rule)
  const headers = await gatherValidatorHeaders(provider, head - 1)
  const older = { ...trusted, validators: [{ from: head - 1, set }] }
  const followed = followValidators(older, headers, { now: at, trustSeconds: DAY })

  const note = { creator: data.holderName, cause: '开户', watermark: '仅供开户使用' }
  const copied = await makeCopy(
    { fields: ['number'], purpose: '开户', note, seconds: DAY },
    options(2),
  )
  const copy = verifyCopy(copied, at)
  return {
    identity,
    shownName: shown.presentation.credential.data.holderName ?? '',
    report: { ok, issuer: byIssuer, status, holder },
    offlineStatus: first.ok ? first.answer.status.leaf.status : first.reason,
    offlineAgain: again.ok ? 'accepted' : again.reason,
    misread: refusalOf(() => verifyOfflineCode(misread(code), rule)),
    followed: followed.ok,
    copy: copy.ok ? copy.copy.note.watermark : copy.reason,
    nodeGlobals: NAMES_OF_NODE.filter((name) => name in globalThis),
  }
}

/** A code with its last character misread. */
function misread(code: string): string {
  return code.slice(0, -1) + (code.endsWith('0') ? '1' : '0')
}

function refusalOf(run: () => unknown): string {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return error instanceof LicenceError ? error.code : String(error)
  }
}
