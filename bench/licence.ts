/**
 * `pnpm bench licence`: identities registered, licences issued and verifications recorded a second, each
 * a call of the system contracts, on four validators in processes of their own on this machine.
 *
 * Everything is signed ahead: identities with both EIP-712 signatures and an encrypted payload,
 * licences with 900 bytes of ciphertext, verifications by public bodies, one in a transaction and 50.
 * Sixteen authorities send, each over a connection of its own, one request at a time, to one validator;
 * the time is taken from the first request until the last call is in a final block.
 *
 * The peer is WeIdentity's own published test on FISCO BCOS, four nodes of eight cores each: 199
 * identities created, 222 pieces of evidence created and 1,662 verified a second.
 *
 * `VELLUM_BENCH_NODE_FLAGS=--cpu-prof` and the like go to the second validator.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  ADDRESSES,
  CAPACITIES,
  identityRegistry,
  licenceRegistry,
  organisationRegistry,
  type PredeployOptions,
  VERIFIER_CLASSES,
  verificationLog,
} from '@vellum/contracts'
import { type Address, bytesToHex, type Hex, hexToBytes, keccak256 } from '@vellum/evm'
import { addressOfPublicKey, signTransaction } from '@vellum/ledger'
import {
  countersignIdentity,
  createKeyHolder,
  creditCheckDigit,
  makeIdentity,
  organisationCheckDigit,
} from '@vellum/licence'
import { DEV_CHAIN_ID, loadSystemCrypto, networkGenesis } from '@vellum/node'
import { encodeBytes32String, Interface, type InterfaceAbi } from 'ethers'
import { createRunningNetwork, type RunningNetwork } from '../tests/drill/running-network.ts'
import { runClient } from './node.ts'
import { cpuSecondsOf } from './node-servers.ts'
import type { Report, RunOptions } from './table.ts'

const VALIDATORS = 4
/** Authorities; each is registrar, issuer and verifier, and has a connection. */
const AUTHORITIES = 16
const IDENTITIES = 3_200
const LICENCES = 3_200
const VERIFICATIONS = 24_000
/** Verifications in one transaction, as a busy verifier's gateway gathers them. */
const BATCH = 50
const CIPHERTEXT_BYTES = 900
/** Some 1,100 verifications: a block that four validators on two cores check well within a round. */
const BLOCK_GAS = 100_000_000
/** The most that a transaction may have. */
const GAS_LIMIT = 16_777_216n
const LICENCE_TYPE = encodeBytes32String('11100000000013338W011')
const FOR_EVER = 4_000_000_000
const POLL_MS = 10
const CHECKED_LICENCES = 64
const READING_MS = 5_000

/** Calls a second in the published test. */
const PUBLISHED = { identities: 199, licences: 222, verifications: 1_662 } as const

const { crypto } = loadSystemCrypto()
const abiOf = (contract: { readonly abi: unknown }): Interface =>
  new Interface(contract.abi as InterfaceAbi)
const IDENTITY = abiOf(identityRegistry)
const LICENCE = abiOf(licenceRegistry)
const LOG = abiOf(verificationLog)
const ORGANISATION = abiOf(organisationRegistry)

const keyOf = (name: string, i: number): Uint8Array =>
  keccak256(new TextEncoder().encode(`bench ${name} ${i}`))
const addressOf = (key: Uint8Array): Address => addressOfPublicKey(crypto.publicKey(key))
const root = keyOf('root', 0)
const authorities = Array.from({ length: AUTHORITIES }, (_, i) => {
  const key = keyOf('authority', i)
  return { key, address: addressOf(key), code: creditCodeOf(i) }
})

/** A code whose check digits are right. */
function creditCodeOf(i: number): string {
  const number = String(i).padStart(8, '0')
  const body = `11430000${number}${organisationCheckDigit(number)}`
  return body + creditCheckDigit(body)
}

function founders(): PredeployOptions {
  return {
    council: { members: [addressOf(root)], threshold: 1, delaySeconds: 0 },
    organisations: [
      { code: '11100000000013338W', account: addressOf(root), capacities: CAPACITIES.root },
      ...authorities.map(({ address, code }) => ({
        code,
        account: address,
        capacities: CAPACITIES.registrar,
        verifierClass: VERIFIER_CLASSES.publicBody,
      })),
    ],
  }
}

interface Call {
  readonly to: Address
  readonly data: string
}

/** Signs a call of a contract, as the body of a request. */
function bodyOf(key: Uint8Array, nonce: number, { to, data }: Call): string {
  const { encoded } = signTransaction(
    {
      type: 2,
      chainId: BigInt(DEV_CHAIN_ID),
      nonce: BigInt(nonce),
      gasLimit: GAS_LIMIT,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      to,
      value: 0n,
      data: hexToBytes(data as Hex),
      accessList: [],
      maxFeePerBlobGas: 0n,
      blobVersionedHashes: [],
      authorizationList: [],
    },
    key,
    crypto,
  )
  return `{"jsonrpc":"2.0","id":1,"method":"eth_sendRawTransaction","params":["${bytesToHex(encoded)}"]}`
}

const holders = Array.from({ length: IDENTITIES }, (_, i) => keyOf('holder', i))

/** Registrations, by authority in turns. */
async function registrations(): Promise<Call[]> {
  const registrars = authorities.map(({ key }) => createKeyHolder(key))
  const calls: Call[] = []
  const chainId = BigInt(DEV_CHAIN_ID)
  for (const [i, privateKey] of holders.entries()) {
    const key = createKeyHolder(privateKey)
    const signed = await makeIdentity({
      chainId,
      registrar: registrars[i % AUTHORITIES]!,
      registrarCode: authorities[i % AUTHORITIES]!.code,
      holderKey: key.publicKey,
      kind: 'citizen',
      subject: bytesToHex(keyOf('subject', i)),
      details: { name: `person ${i}` },
      version: 1,
      deadline: FOR_EVER,
    })
    const { statement, registrarSignature, holderSignature, payload } = await countersignIdentity(
      signed,
      { chainId, key, privateKey },
    )
    const args = [statement, registrarSignature, holderSignature, payload]
    calls.push({
      to: ADDRESSES.identityRegistry,
      data: IDENTITY.encodeFunctionData('register', args),
    })
  }
  return calls
}

function issues(): Call[] {
  const ciphertext = bytesToHex(new Uint8Array(CIPHERTEXT_BYTES).map((_, i) => i * 31))
  return Array.from({ length: LICENCES }, (_, i) => {
    const offer = {
      identifier: bytesToHex(keyOf('identifier', i)),
      content: bytesToHex(keyOf('content', i)),
      licenceType: LICENCE_TYPE,
      holder: addressOf(holders[i % IDENTITIES]!),
      validFrom: 1,
      validUntil: FOR_EVER,
      acceptBy: FOR_EVER,
      payload: { store: 0, data: ciphertext, hash: `0x${'00'.repeat(32)}`, length: 0 },
    }
    return { to: ADDRESSES.licenceRegistry, data: LICENCE.encodeFunctionData('issue', [offer]) }
  })
}

function entriesOf(name: string): object[] {
  return Array.from({ length: VERIFICATIONS }, (_, i) => ({
    licenceType: LICENCE_TYPE,
    commitment: bytesToHex(keyOf(`commitment ${name}`, i)),
    tag: bytesToHex(keyOf(`tag ${name}`, i)),
    purpose: 1,
    result: 0,
    byteCount: 500,
    detail: bytesToHex(new Uint8Array(200).fill(i)),
  }))
}

function verifications(): Call[] {
  return entriesOf('single').map((entry) => ({
    to: ADDRESSES.verificationLog,
    data: LOG.encodeFunctionData('record', [entry]),
  }))
}

function verificationsTogether(): Call[] {
  const entries = entriesOf('together')
  return Array.from({ length: VERIFICATIONS / BATCH }, (_, i) => ({
    to: ADDRESSES.verificationLog,
    data: LOG.encodeFunctionData('recordMany', [entries.slice(i * BATCH, (i + 1) * BATCH)]),
  }))
}

export async function run({ progress }: RunOptions): Promise<Report> {
  const directory = mkdtempSync(join(tmpdir(), 'vellum-bench-licence-'))
  const genesis = networkGenesis({
    chainId: DEV_CHAIN_ID,
    validators: [addressOf(root)],
    blockPeriodMs: 0,
    requestTimeoutSeconds: 2,
    gasLimit: BLOCK_GAS,
    balances: new Map(),
    contracts: founders(),
  }) as { readonly alloc: object; readonly gasLimit: string }
  const network = await createRunningNetwork({
    directory: join(directory, 'network'),
    validators: VALIDATORS,
    chainId: DEV_CHAIN_ID,
    genesis: { alloc: genesis.alloc, gasLimit: genesis.gasLimit },
    nodeFlags: (index) => (index === 1 ? nodeFlags() : []),
  })
  try {
    progress(`signing ${IDENTITIES} identities twice, ${LICENCES + VERIFICATIONS} other calls once`)
    const verified = PUBLISHED.verifications
    const loads = [
      ['identities registered', await registrations(), 1, PUBLISHED.identities],
      ['licences issued', issues(), 1, PUBLISHED.licences],
      ['verifications recorded', verifications(), 1, verified],
      [`verifications recorded, ${BATCH} in a call`, verificationsTogether(), BATCH, verified],
    ] as const
    progress(`starting ${VALIDATORS} validators`)
    await Promise.all(network.nodes.map((node) => node.start()))
    await accredit(network)
    const rows = []
    const notes = []
    let nonce = 0
    for (const [name, calls, inEach, published] of loads) {
      progress(`${calls.length * inEach} ${name}`)
      const file = join(directory, 'load.txt')
      const bodies = calls.map((call, i) =>
        bodyOf(authorities[i % AUTHORITIES]!.key, nonce + Math.floor(i / AUTHORITIES), call),
      )
      writeFileSync(file, bodies.join('\n'))
      nonce += calls.length / AUTHORITIES
      const { rate, cpuMicros } = await measure(network, {
        path: file,
        count: calls.length * inEach,
        nonce,
      })
      rows.push({
        case: `${name}, to a final block`,
        unit: 'per second',
        ours: rate,
        peer: published,
        goal: 1,
        goalFor: 'ratio' as const,
      })
      notes.push(
        `${name}: processor time of each validator for one, µs: ${cpuMicros.map(Math.round).join(', ')}`,
      )
    }
    await assertDone(network)
    progress('checks by reading')
    rows.push({
      case: 'licences checked by reading: status, accreditation, holder',
      unit: 'per second',
      ours: await readingRate(network),
      peer: PUBLISHED.verifications,
      goal: 1,
      goalFor: 'ratio' as const,
    })
    for (const row of rows) Object.assign(row, { ratio: row.ours / row.peer })
    return {
      name: 'licence',
      compared: [
        `${VALIDATORS} validators in processes of their own on this machine, default settings, ${AUTHORITIES} authorities.`,
        'peer: figures published by WeIdentity on FISCO BCOS, four nodes of eight cores each; not run here.',
      ],
      rows,
      notes,
    }
  } finally {
    await network.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A verifier that keeps no record asks three things of one validator, in one batch. */
async function readingRate({ nodes }: RunningNetwork): Promise<number> {
  const [first] = nodes as [RunningNetwork['nodes'][number]]
  const bodies = Array.from({ length: CHECKED_LICENCES }, (_, number) => {
    const holder = addressOf(holders[number]!)
    const calls: Call[] = [
      { to: ADDRESSES.licenceRegistry, data: LICENCE.encodeFunctionData('statusOf', [number]) },
      {
        to: ADDRESSES.licenceRegistry,
        data: LICENCE.encodeFunctionData('wasAccredited', [number]),
      },
      { to: ADDRESSES.identityRegistry, data: IDENTITY.encodeFunctionData('statusOf', [holder]) },
    ]
    const batch = calls.map((call, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'eth_call',
      params: [call, 'latest'],
    }))
    return JSON.stringify(batch)
  })
  const { answered, milliseconds } = await runClient({
    port: first.rpcPort,
    connections: AUTHORITIES,
    requests: { kind: 'repeat', bodies, forMs: READING_MS },
  })
  return (answered / milliseconds) * 1_000
}

/** The root appoints itself, and accredits all. */
async function accredit({ nodes }: RunningNetwork): Promise<void> {
  const to = ADDRESSES.organisationRegistry
  const grant = (method: string, code: string): Call => ({
    to,
    data: ORGANISATION.encodeFunctionData(method, [
      LICENCE_TYPE,
      encodeBytes32String(code),
      0,
      FOR_EVER,
    ]),
  })
  const calls = [
    grant('appoint', '11100000000013338W'),
    ...authorities.map(({ code }) => grant('accredit', code)),
  ]
  for (const [nonce, call] of calls.entries()) {
    const { params } = JSON.parse(bodyOf(root, nonce, call)) as { params: [string] }
    await nodes[0]!.call('eth_sendRawTransaction', params[0])
  }
  await untilNonce(nodes[0]!, addressOf(root), calls.length)
}

async function measure(
  { nodes }: RunningNetwork,
  load: {
    readonly path: string
    /** What the calls do together. */
    readonly count: number
    /** Of each authority, when all are in blocks. */
    readonly nonce: number
  },
): Promise<{ rate: number; cpuMicros: readonly number[] }> {
  const [first] = nodes as [RunningNetwork['nodes'][number]]
  const { path, count, nonce } = load
  const before = nodes.map(({ pid }) => cpuSecondsOf(pid))
  const startedAt = performance.now()
  await runClient({
    port: first.rpcPort,
    connections: AUTHORITIES,
    requests: { kind: 'file', path },
  })
  for (const { address } of authorities) await untilNonce(first, address, nonce)
  const seconds = (performance.now() - startedAt) / 1_000
  return {
    rate: count / seconds,
    cpuMicros: nodes.map(({ pid }, i) => ((cpuSecondsOf(pid) - before[i]!) * 1e6) / count),
  }
}

function nodeFlags(): string[] {
  return (process.env.VELLUM_BENCH_NODE_FLAGS ?? '').split(' ').filter((flag) => flag !== '')
}

async function untilNonce(
  node: RunningNetwork['nodes'][number],
  address: Address,
  nonce: number,
): Promise<void> {
  for (;;) {
    const found = await node.call<string>('eth_getTransactionCount', address, 'latest')
    if (Number(found) >= nonce) return
    await delay(POLL_MS)
  }
}

/** A call that failed counts for nothing: all must have done what they were for. */
async function assertDone({ nodes }: RunningNetwork): Promise<void> {
  const lastOf = async (to: Address, from: Interface, method: string, args: unknown[]) => {
    const data = from.encodeFunctionData(method, args)
    const answer = await nodes[0]!.call<string>('eth_call', { to, data }, 'latest')
    return from.decodeFunctionResult(method, answer)[0] as bigint
  }
  for (const holder of [holders[0]!, holders.at(-1)!]) {
    const status = await lastOf(ADDRESSES.identityRegistry, IDENTITY, 'statusOf', [
      addressOf(holder),
    ])
    if (status === 0n) throw new Error('an identity was not registered')
  }
  const licences = await lastOf(ADDRESSES.licenceRegistry, LICENCE, 'licenceCount', [])
  const recorded = await lastOf(ADDRESSES.verificationLog, LOG, 'count', [])
  if (licences !== BigInt(LICENCES) || recorded !== BigInt(2 * VERIFICATIONS)) {
    throw new Error(`${licences} licences and ${recorded} verifications are on chain`)
  }
}
