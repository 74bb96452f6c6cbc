/**
 * What people and offices do in a world, by real calls of the contracts: credit goes to side chains and
 * back, identities are registered, opened, suspended, licences issued, accepted, moved. Each looks at a
 * node's chain for what can be done now, does it, and does not wait for it.
 */

import { IDENTITY_KINDS, IDENTITY_STATUSES, LICENCE_STATUSES } from '@vellum/contracts'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  type Hash,
  keccak256,
} from '@vellum/evm'
import { type Secp256k1, type TypedDataTypes, typedDataHash } from '@vellum/ledger'
import type { VellumNode } from '@vellum/node'
import type { Prng } from '../prng.ts'
import type { Account } from '../world-genesis.ts'
import {
  AT,
  BRIDGE,
  CREDIT,
  IDENTITIES,
  IDENTITY_PEG,
  LICENCE_PEG,
  LICENCES,
  wordOfCode,
} from './contracts.ts'
import { CODES, LICENCE_TYPE, type PegChain, type PegGenesis } from './genesis.ts'
import { ask, askNumber, type Call, submitCall } from './transactor.ts'

/** A node that somebody happens to speak to; undefined: none of that chain answers. */
export type NodeOf = (chain: PegChain) => VellumNode | undefined

export interface People {
  /** Somebody does something. @returns false if there was nothing to do, or nobody to do it with */
  act(): boolean
  /** What operators do about what came to nothing, as long as something is left. */
  tidy(): void
}

/** Part of the suspensions that nobody insists on. */
const LENIENCY = 0.5
const AMOUNT_MAX = 10_000_000
/** Licences on a side chain: each is looked at after many blocks. */
const LICENCES_MAX = 12
const YEAR_SECONDS = 365 * 24 * 3_600
/** Gas of what goes on from one contract to the next. */
const MUCH_GAS = 4_000_000n
/** Seconds. Some messages get less time than their way takes. */
const SHORT_SECONDS = [1, 30] as const

export function createPeople(
  { chains, people, offices }: PegGenesis,
  nodeOf: NodeOf,
  prng: Prng,
  crypto: Secp256k1,
): People {
  const [main, ...sides] = chains as [PegChain, ...PegChain[]]
  let named = 0

  const send = (node: VellumNode, from: Account, call: Call): boolean =>
    submitCall(node, from, call, crypto) !== undefined

  const secondsOf = (node: VellumNode): number => node.chain.head().header.timestamp

  /** Most messages get the gateway's time; some get little. */
  const deadlineAt = (destination: VellumNode | undefined): bigint =>
    destination !== undefined && prng.chance(0.1)
      ? BigInt(secondsOf(destination) + prng.whole(...SHORT_SECONDS))
      : 0n

  function lock(): boolean {
    const node = nodeOf(main)
    const side = prng.pick(sides)
    const person = prng.pick(people)
    if (node === undefined) return false
    const allowance = CREDIT.allowance.encodeCall([person.address, AT.creditBridge])
    if (askNumber(node, AT.serviceCredit, allowance) === 0n) {
      const data = CREDIT.approve.encodeCall([AT.creditBridge, 2n ** 255n])
      return send(node, person, { to: AT.serviceCredit, data })
    }
    const amount = BigInt(prng.whole(1, AMOUNT_MAX))
    const deadline = deadlineAt(nodeOf(side))
    const recipient = prng.pick(people).address
    const data = BRIDGE.lock.encodeCall([BigInt(side.chainId), recipient, amount, deadline])
    return send(node, person, { to: AT.creditBridge, data })
  }

  function withdraw(): boolean {
    const side = prng.pick(sides)
    const node = nodeOf(side)
    const person = prng.pick(people)
    if (node === undefined) return false
    const balance = askNumber(node, AT.serviceCredit, CREDIT.balanceOf.encodeCall([person.address]))
    if (balance <= 0n) return false
    const most = balance < BigInt(AMOUNT_MAX) ? Number(balance) : AMOUNT_MAX
    const amount = BigInt(prng.whole(1, most))
    // Main refuses to release to the vault itself: it comes back as failed.
    const recipient = prng.chance(0.1) ? AT.creditBridge : prng.pick(people).address
    const data = BRIDGE.withdraw.encodeCall([recipient, amount, deadlineAt(nodeOf(main))])
    return send(node, person, { to: AT.creditBridge, data })
  }

  function changeIdentity(): boolean {
    const node = nodeOf(main)
    const person = prng.pick(people)
    if (node === undefined) return false
    const { address } = person
    const to = AT.identityRegistry
    const status = askNumber(node, to, IDENTITIES.statusOf.encodeCall([address]))
    if (status === BigInt(IDENTITY_STATUSES.none)) {
      const data = registration(main, person, offices.registrar, crypto)
      return send(node, offices.registrar, { to, data })
    }
    const side = prng.pick(sides)
    const chainId = BigInt(side.chainId)
    const presence = IDENTITY_PEG.presenceOf.encodeCall([address, chainId])
    const isOpen = askNumber(node, AT.identityPeg, presence) === 1n
    if (!isOpen) {
      const data = IDENTITY_PEG.open.encodeCall([address, chainId])
      return send(node, person, { to: AT.identityPeg, data })
    }
    const isActive = status === BigInt(IDENTITY_STATUSES.active)
    if (isActive && prng.chance(LENIENCY)) return false
    const change = isActive ? IDENTITIES.suspend : IDENTITIES.reinstate
    const data = change.encodeCall([address, 1n])
    return send(node, offices.registrar, { to, data, gasLimit: MUCH_GAS })
  }

  function changeLicence(): boolean {
    const side = prng.pick(sides)
    const node = nodeOf(side)
    if (node === undefined) return false
    const to = AT.licenceRegistry
    const count = Number(askNumber(node, to, LICENCES.licenceCount.encodeCall([])))
    if (count < LICENCES_MAX && (count === 0 || prng.chance(0.4))) return issue(node)
    if (count <= 0) return false
    const number = BigInt(prng.whole(0, count - 1))
    const status = Number(askNumber(node, to, LICENCES.statusOf.encodeCall([number])))
    if (status === LICENCE_STATUSES.offered) {
      const output = ask(node, to, LICENCES.licence.encodeCall([number]))
      const holder = output && LICENCES.licence.decodeResult(output)[4]
      const person = people.find(({ address }) => address === holder)
      const data = LICENCES.accept.encodeCall([number])
      return person !== undefined && send(node, person, { to, data, gasLimit: MUCH_GAS })
    }
    if (status === LICENCE_STATUSES.suspended) {
      const data = LICENCES.lift.encodeCall([number, 1n])
      return send(node, offices.issuer, { to, data, gasLimit: MUCH_GAS })
    }
    if (status !== LICENCE_STATUSES.inForce) return false
    const others = sides.filter((each) => each !== side)
    const data =
      others.length > 0 && prng.chance(0.6)
        ? LICENCES.transferOut.encodeCall([number, BigInt(prng.pick(others).chainId)])
        : (prng.chance(0.8) ? LICENCES.suspend : LICENCES.revoke).encodeCall([number, 1n])
    return send(node, offices.issuer, { to, data, gasLimit: MUCH_GAS })
  }

  function issue(node: VellumNode): boolean {
    const holders = people.filter(({ address }) => {
      const question = IDENTITIES.statusOf.encodeCall([address])
      const status = askNumber(node, AT.identityRegistry, question)
      return status === BigInt(IDENTITY_STATUSES.active)
    })
    if (holders.length === 0) return false
    const now = BigInt(secondsOf(node))
    const identifier = bytesToHex(keccak256(concatBytes(prng.bytes(8), Uint8Array.of(named++))))
    const offer: Parameters<typeof LICENCES.issue.encodeCall>[0][0] = [
      identifier,
      identifier,
      LICENCE_TYPE,
      prng.pick(holders).address,
      now,
      now + BigInt(YEAR_SECONDS),
      now + BigInt(YEAR_SECONDS),
      [0n, Uint8Array.of(1, 2, 3), `0x${'00'.repeat(32)}` as Hash, 0n],
    ]
    const data = LICENCES.issue.encodeCall([offer])
    return send(node, offices.issuer, { to: AT.licenceRegistry, data, gasLimit: MUCH_GAS })
  }

  /** Claims and changes that did not arrive are told again. */
  function tidy(): void {
    const node = nodeOf(main)
    for (const side of sides) {
      const chainId = BigInt(side.chainId)
      for (const { address } of people) {
        const question = IDENTITY_PEG.presenceOf.encodeCall([address, chainId])
        const output = node && ask(node, AT.identityPeg, question)
        if (output === undefined) continue
        const [[state, undelivered]] = [IDENTITY_PEG.presenceOf.decodeResult(output)]
        if (state === 0n || undelivered === 0n) continue
        const data = IDENTITY_PEG.resend.encodeCall([address, chainId])
        send(node!, offices.registrar, { to: AT.identityPeg, data })
      }
      const there = nodeOf(side)
      if (there === undefined) continue
      const count = Number(
        askNumber(there, AT.licenceRegistry, LICENCES.licenceCount.encodeCall([])),
      )
      for (let number = 0; number < count; number++) {
        const isUntold = LICENCE_PEG.isUntold.encodeCall([BigInt(number)])
        if (askNumber(there, AT.licencePeg, isUntold) !== 1n) continue
        const data = LICENCE_PEG.resend.encodeCall([[BigInt(number)]])
        send(there, offices.issuer, { to: AT.licencePeg, data, gasLimit: MUCH_GAS })
      }
    }
  }

  return {
    act: () => {
      const ticket = prng.fraction()
      if (ticket < 0.2) return lock()
      if (ticket < 0.35) return withdraw()
      if (ticket < 0.6) return changeIdentity()
      return changeLicence()
    },
    tidy,
  }
}

const IDENTITY_TYPES: TypedDataTypes = {
  Identity: [
    { name: 'holder', type: 'address' },
    { name: 'publicKeyX', type: 'bytes32' },
    { name: 'publicKeyY', type: 'bytes32' },
    { name: 'subject', type: 'bytes32' },
    { name: 'kind', type: 'uint8' },
    { name: 'registrar', type: 'bytes32' },
    { name: 'digest', type: 'bytes32' },
    { name: 'payloadHash', type: 'bytes32' },
    { name: 'version', type: 'uint64' },
    { name: 'deadline', type: 'uint64' },
  ],
}
const COUNTERSIGNED_TYPES: TypedDataTypes = {
  ...IDENTITY_TYPES,
  Countersignature: [
    { name: 'identity', type: 'Identity' },
    { name: 'registrarSignature', type: 'bytes' },
  ],
}
const FAR_SECONDS = 4_000_000_000n

/** The call that registers a person: signed by the registrar, countersigned by them. */
function registration(
  main: PegChain,
  { address, key }: Account,
  registrar: Account,
  crypto: Secp256k1,
): Uint8Array {
  const publicKey = crypto.publicKey(key)
  const tag = bytesToHex(keccak256(publicKey))
  const payload = Uint8Array.of(0xc1)
  const statement = {
    holder: address,
    publicKeyX: bytesToHex(publicKey.subarray(0, 32)),
    publicKeyY: bytesToHex(publicKey.subarray(32)),
    subject: tag,
    kind: IDENTITY_KINDS.citizen,
    registrar: wordOfCode(CODES.registrar),
    digest: tag,
    payloadHash: bytesToHex(keccak256(payload)),
    version: 1n,
    deadline: FAR_SECONDS,
  }
  const domain = {
    name: 'Vellum Identities',
    version: '1',
    chainId: BigInt(main.chainId),
    verifyingContract: AT.identityRegistry,
  }
  const sign = (types: TypedDataTypes, primaryType: string, message: unknown, by: Uint8Array) => {
    const hash = typedDataHash({ domain, types, primaryType, message })
    const { r, s, yParity } = crypto.sign(hash, by)
    return concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(27 + yParity))
  }
  const first = sign(IDENTITY_TYPES, 'Identity', statement, registrar.key)
  const second = sign(
    COUNTERSIGNED_TYPES,
    'Countersignature',
    { identity: statement, registrarSignature: bytesToHex(first) },
    key,
  )
  const { holder, publicKeyX, publicKeyY, subject, kind, digest, payloadHash } = statement
  const code = statement.registrar
  return IDENTITIES.register.encodeCall([
    [
      holder as Address,
      publicKeyX,
      publicKeyY,
      subject,
      BigInt(kind),
      code,
      digest,
      payloadHash,
      statement.version,
      statement.deadline,
    ],
    first,
    second,
    payload,
  ])
}
