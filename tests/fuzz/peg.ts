/**
 * Damaged headers, proofs and messages for the light client and the gateway of a chain, in the EVM, and for
 * the verifier in TypeScript: none may be taken, and all those that are whole must be.
 */

import { bytesToHex, type Hash, hexToBytes } from '@vellum/evm'
import {
  createSimulator,
  decodeExtraData,
  decodeHeader,
  encodeHeader,
  type Header,
} from '@vellum/ledger'
import { loadSystemCrypto } from '@vellum/node'
import {
  encodeAcknowledge,
  encodeDeliver,
  encodeUpdate,
  inboxSlot,
  messageId,
  outboxSlot,
  type PegMessage,
  receiptCommitment,
  type TrustedHeader,
  verifyGatewayProof,
  verifyUpdate,
} from '@vellum/sidechain'
import {
  CLIENT,
  CLOCK_DRIFT,
  createPegPair,
  follow,
  GATEWAY,
  keyOf,
  MAIN_ID,
  type Message,
  type PegChain,
  type PegPair,
  PROBE,
  SIDE_ID,
  sealedBy,
  sendMessage,
  TRUSTING_PERIOD,
  validatorKeys,
} from '../contracts/peg-chains.ts'
import { headerMutations, listMutations } from './peg-mutations.ts'
import { createPrng, type Prng } from './prng.ts'

export interface PegFuzzReport {
  /** Damaged ones that were judged, and of these taken by the contract or by the verifier. */
  readonly mutated: number
  readonly accepted: number
  /** Whole ones, and of these refused. */
  readonly valid: number
  readonly refused: number
  /** How often each kind of damage was tried. */
  readonly kinds: ReadonlyMap<string, number>
  /** Milliseconds and gas of the dearest verdict. */
  readonly msMax: number
  readonly gasMax: number
  readonly passed: number
  readonly failed: readonly {
    readonly seed: number
    readonly scenario: string
    readonly difference: string
  }[]
}

/** One verdict may take no more. */
export const VERDICT_MS_MAX = 50
/** The dearest: a delivery with both proofs, and the gas of its recipient. */
export const VERDICT_GAS_MAX = 2_000_000

/** Blocks of the chain that is lied about. */
const BLOCKS = 24
/** One in so many inputs is whole. */
const VALID_EVERY = 8
const GAS = 16_000_000n
const RELAYER = keyOf('relayer').address

const { crypto } = loadSystemCrypto()
const recover = (hash: Uint8Array, seal: Uint8Array) =>
  crypto.recoverBytes(hash, seal.subarray(0, 64), seal[64]!)

/** An input: whole as it is, and what makes it a lie. */
interface Subject {
  readonly name: string
  readonly valid: (prng: Prng) => Judged
  readonly mutations: readonly (readonly [string, (prng: Prng) => Judged | undefined])[]
}

/** What is judged, by whom. */
interface Judged {
  readonly to: `0x${string}`
  readonly data: Uint8Array
  /** undefined: no part of what the verifier in TypeScript looks at. */
  readonly verify: (() => boolean) | undefined
}

export async function fuzzPeg(
  options: { readonly runs: number; readonly seed: number },
  progress: (done: number) => void,
): Promise<PegFuzzReport> {
  const validators = validatorKeys(4, 'fuzz')
  const crowd = { accounts: 400, messages: 400 }
  // The same keys seal both chains: a header names its chain, or nothing would tell them apart.
  const pair = await createPegPair({
    mainValidators: validators,
    sideValidators: validators,
    crowd,
  })
  const subjects = await subjectsOf(pair)
  const { main } = pair
  const simulator = createSimulator({ ...main.chain, crypto, nowMs: () => 0 })
  const number = main.height()
  const time = BigInt(pair.clock.seconds)
  const prng = createPrng(options.seed)
  const kinds = new Map<string, number>()
  const failed: { seed: number; scenario: string; difference: string }[] = []
  let mutated = 0
  let accepted = 0
  let valid = 0
  let refused = 0
  let msMax = 0
  let gasMax = 0

  function judge({ to, data }: Judged): boolean {
    const call = () => {
      const began = performance.now()
      const outcome = simulator.call({
        number,
        request: { from: RELAYER, to, gas: GAS, data },
        stateOverrides: undefined,
        blockOverrides: { time },
      })
      return { outcome, ms: performance.now() - began }
    }
    const { outcome, ms } = call()
    // The machine has other things to do, too: what is slow twice is slow.
    msMax = Math.max(msMax, ms > VERDICT_MS_MAX ? Math.min(ms, call().ms) : ms)
    gasMax = Math.max(gasMax, Number(outcome.gasUsed))
    return outcome.status === 'success'
  }

  function report(scenario: string, difference: string): void {
    failed.push({ seed: options.seed, scenario, difference })
  }

  for (let run = 0; mutated < options.runs; run++) {
    const subject = prng.pick(subjects)
    if (run % VALID_EVERY === 0) {
      const whole = subject.valid(prng)
      valid += 1
      if (!judge(whole) || whole.verify?.() === false) {
        refused += 1
        report(`${subject.name}, whole`, 'it was refused')
      }
    }
    const [kind, mutate] = prng.pick(subject.mutations)
    const damaged = mutate(prng)
    if (damaged === undefined) continue
    mutated += 1
    const name = `${subject.name}: ${kind}`
    kinds.set(name, (kinds.get(name) ?? 0) + 1)
    const byContract = judge(damaged)
    const byVerifier = damaged.verify?.() ?? false
    if (byContract || byVerifier) {
      accepted += 1
      const by = byContract ? 'the contract' : 'the verifier'
      report(`${name}\n${bytesToHex(damaged.data)}`, `it was taken by ${by}`)
    }
    if (mutated % 256 === 0) {
      progress(mutated)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return {
    mutated,
    accepted,
    valid,
    refused,
    kinds,
    msMax,
    gasMax,
    passed: mutated + valid - failed.length,
    failed,
  }
}

/** Main has followed the side chain to its head; a header behind it, and messages both ways, are at hand. */
async function subjectsOf(pair: PegPair): Promise<readonly Subject[]> {
  const { main, side, clock } = pair
  const toMain: Message[] = []
  const toSide: Message[] = []
  for (let i = 0; i < BLOCKS; i++) {
    clock.seconds += 1
    toMain.push(await sendMessage(side, main, bytesToHex(createPrng(i).bytes(4 + 8 * i))))
    toSide.push(await sendMessage(main, side, bytesToHex(createPrng(99 + i).bytes(64))))
  }
  // The side chain has received main's messages: there are receipts to be proven.
  const known = await follow(side, main)
  const receipts = new Map<number, Hash>()
  for (const message of toSide) {
    const { height, account, storage } = proofOf(
      main,
      known,
      outboxSlot(BigInt(SIDE_ID), message.sequence),
    )
    const { events } = await side.send(keyOf('relayer'), GATEWAY, 'deliver', [
      message,
      height,
      account.map((node) => bytesToHex(node)),
      storage.map((node) => bytesToHex(node)),
    ])
    const received = events.find(({ name }) => name === 'MessageReceived')!
    receipts.set(message.sequence, received.args.returnHash)
  }
  const trustedHeight = await follow(main, side)
  const trusted = trustedOf(side, trustedHeight)
  for (let i = 0; i < BLOCKS; i++) {
    clock.seconds += 1
    await sendMessage(side, main, '0x00')
  }
  return [
    headerSubject(pair, trusted),
    deliverySubject(pair, trusted, toMain.map(plain)),
    acknowledgementSubject(pair, trusted, toSide.map(plain), receipts),
  ]
}

function headerSubject({ main, side, clock }: PegPair, trusted: TrustedHeader): Subject {
  const heights = Array.from({ length: BLOCKS }, (_, i) => trusted.height + 1 + i)
  const lean = (header: Header): Header => {
    const { seals } = decodeExtraData(header.extraData)
    if (seals.length !== 3) throw new Error('a header of four validators has three seals here')
    return header
  }
  const headers = heights.map((height) => lean(side.header(height)))
  const strangers = validatorKeys(4, 'strangers')
  const mutations = headerMutations({
    strangers,
    others: headers,
    foreign: Array.from({ length: 8 }, (_, i) => main.header(main.height() - i)),
  })
  const judged = (sealedHeader: Uint8Array): Judged => ({
    to: CLIENT,
    data: encodeUpdate(BigInt(SIDE_ID), trusted.height, sealedHeader),
    verify: () =>
      verifyUpdate(
        {
          trusted,
          sealedHeader,
          nowSeconds: clock.seconds,
          trustingPeriodSeconds: TRUSTING_PERIOD,
          maxClockDriftSeconds: CLOCK_DRIFT,
          fieldCount: 21,
          domain: side.domain,
        },
        recover,
      ).ok,
  })
  /** Any three of the four, or all of them, in any order. */
  const sealedAnyhow = (header: Header, prng: Prng): Header => {
    const keys = [...side.validators]
    for (let i = keys.length - 1; i > 0; i--) {
      const j = prng.below(i + 1)
      ;[keys[i], keys[j]] = [keys[j]!, keys[i]!]
    }
    return sealedBy(header, keys.slice(0, 3 + prng.below(2)))
  }
  return {
    name: 'header',
    valid: (prng) => judged(encodeHeader(sealedAnyhow(prng.pick(headers), prng))),
    mutations: Object.entries(mutations).map(([name, mutate]) => [
      name,
      (prng) => {
        const damaged = mutate(encodeHeader(prng.pick(headers)), prng)
        return damaged && judged(damaged)
      },
    ]),
  }
}

interface SlotProof {
  readonly height: number
  readonly account: readonly Uint8Array[]
  readonly storage: readonly Uint8Array[]
}

function proofOf(chain: PegChain, height: number, slot: Hash, account = GATEWAY): SlotProof {
  const { accountProof, storage } = chain.chain.stateAt(height).prove(account, [slot])
  return { height, account: accountProof, storage: storage[0]!.proof }
}

/** What a proof is about: a message or a receipt. */
interface Claim {
  readonly slot: Hash
  readonly value: Hash
  /** The contract's call for it. */
  data(proof: SlotProof): Uint8Array
  /** Other claims, that were never true, in which the proof may be used. */
  readonly lies: readonly (readonly [string, (prng: Prng) => Claim | undefined])[]
}

function deliverySubject(
  pair: PegPair,
  trusted: TrustedHeader,
  messages: readonly PegMessage[],
): Subject {
  const claimOf = (message: PegMessage): Claim => ({
    slot: outboxSlot(BigInt(MAIN_ID), message.sequence),
    value: messageId(message),
    data: ({ height, account, storage }) =>
      encodeDeliver(message, { height, accountProof: account, storageProof: storage }),
    lies: messageLies(message, messages).map(([name, lie]) => [
      name,
      (prng) => {
        const changed = lie(prng)
        return changed && claimOf(changed)
      },
    ]),
  })
  return proofSubject('delivery', pair, trusted, messages.map(claimOf))
}

function acknowledgementSubject(
  pair: PegPair,
  trusted: TrustedHeader,
  messages: readonly PegMessage[],
  receipts: ReadonlyMap<number, Hash>,
): Subject {
  const claimOf = (
    message: PegMessage,
    outcome: 'delivered' | 'failed' | 'expired',
    returnHash: Hash,
  ): Claim => ({
    slot: inboxSlot(BigInt(MAIN_ID), message.sequence),
    value: receiptCommitment(messageId(message), outcome, returnHash),
    data: ({ height, account, storage }) =>
      encodeAcknowledge(
        message,
        { outcome, returnHash },
        { height, accountProof: account, storageProof: storage },
      ),
    lies: [
      ['failed instead of delivered', () => claimOf(message, 'failed', returnHash)],
      ['expired instead of delivered', () => claimOf(message, 'expired', `0x${'00'.repeat(32)}`)],
      ['another answer', (prng) => claimOf(message, outcome, bytesToHex(prng.bytes(32)))],
      ...messageLies(message, messages).map(
        ([name, lie]) =>
          [
            name,
            (prng: Prng) => {
              const changed = lie(prng)
              return changed && claimOf(changed, outcome, returnHash)
            },
          ] as const,
      ),
    ],
  })
  const claims = messages.map((each) => claimOf(each, 'delivered', receipts.get(each.sequence)!))
  return proofSubject('acknowledgement', pair, trusted, claims)
}

function messageLies(
  message: PegMessage,
  others: readonly PegMessage[],
): readonly (readonly [string, (prng: Prng) => PegMessage | undefined])[] {
  const address = (prng: Prng): `0x${string}` => bytesToHex(prng.bytes(20))
  return [
    ['another recipient', (prng) => ({ ...message, recipient: address(prng) })],
    ['another sender', (prng) => ({ ...message, sender: address(prng) })],
    ['the probe of the source as gateway', () => ({ ...message, sourceGateway: PROBE })],
    [
      'the manager as recipient',
      () => ({ ...message, recipient: '0x0000000000000000000000000000000000005602' }),
    ],
    ['another source', (prng) => ({ ...message, sourceChainId: BigInt(prng.uint32()) })],
    ['another destination', (prng) => ({ ...message, destinationChainId: BigInt(prng.uint32()) })],
    [
      'another gas limit',
      (prng) => ({ ...message, gasLimit: message.gasLimit + 1n + BigInt(prng.below(9)) }),
    ],
    [
      'another deadline',
      (prng) => ({ ...message, deadline: message.deadline + 1n + BigInt(prng.below(9)) }),
    ],
    ['another version', (prng) => ({ ...message, version: 2 + prng.below(200) })],
    [
      'a payload with a bit flipped',
      (prng) => {
        const payload = message.payload.slice()
        payload[prng.below(payload.length)]! ^= 1 << prng.below(8)
        return { ...message, payload }
      },
    ],
    [
      'a longer payload',
      (prng) => ({
        ...message,
        payload: Uint8Array.from([...message.payload, prng.below(256)]),
      }),
    ],
    [
      'the sequence of another message',
      (prng) => {
        const { sequence } = prng.pick(others)
        return sequence === message.sequence ? undefined : { ...message, sequence }
      },
    ],
    [
      'a sequence that was never sent',
      (prng) => ({ ...message, sequence: 10_000 + prng.below(9) }),
    ],
    ['the sequence 0', () => ({ ...message, sequence: 0 })],
  ]
}

function proofSubject(
  name: string,
  { side }: PegPair,
  trusted: TrustedHeader,
  claims: readonly Claim[],
): Subject {
  const { height, stateRoot } = trusted
  const judged = (claim: Claim, proof: SlotProof): Judged => ({
    to: GATEWAY,
    data: claim.data(proof),
    verify: () => {
      const { slot, value } = claim
      const { account, storage } = proof
      return (
        proof.height === height &&
        verifyGatewayProof({
          stateRoot,
          account: GATEWAY,
          slot,
          value,
          accountProof: account,
          storageProof: storage,
        }).ok
      )
    },
  })
  const proofs = claims.map(({ slot }) => proofOf(side, height, slot))
  const accounts = [
    ...[CLIENT, PROBE, keyOf('user').address].map((each) => {
      return side.chain.stateAt(height).prove(each, []).accountProof
    }),
    side.chain.stateAt(height - 1).prove(GATEWAY, []).accountProof,
  ]
  const inAccount = listMutations(accounts)
  const inStorage = listMutations(proofs.map(({ storage }) => storage))
  const draw = (prng: Prng): { claim: Claim; proof: SlotProof } => {
    const at = prng.below(claims.length)
    return { claim: claims[at]!, proof: proofs[at]! }
  }
  const lieNames = claims[0]!.lies.map(([lie]) => lie)
  return {
    name,
    valid: (prng) => {
      const { claim, proof } = draw(prng)
      return judged(claim, proof)
    },
    mutations: [
      ...Object.entries(inAccount).map(
        ([kind, mutate]) =>
          [
            `account: ${kind}`,
            (prng: Prng) => {
              const { claim, proof } = draw(prng)
              const account = mutate(proof.account, prng)
              return account && judged(claim, { ...proof, account })
            },
          ] as const,
      ),
      ...Object.entries(inStorage).map(
        ([kind, mutate]) =>
          [
            `storage: ${kind}`,
            (prng: Prng) => {
              const { claim, proof } = draw(prng)
              const storage = mutate(proof.storage, prng)
              return storage && judged(claim, { ...proof, storage })
            },
          ] as const,
      ),
      ...lieNames.map(
        (kind, i) =>
          [
            kind,
            (prng: Prng) => {
              const { claim, proof } = draw(prng)
              const lie = claim.lies[i]![1](prng)
              // What the verifier judges is the claim itself: it is false for every lie about the value.
              return lie && judged(lie, proof)
            },
          ] as const,
      ),
      [
        'under another header',
        (prng) => {
          const { claim, proof } = draw(prng)
          return judged(claim, { ...proof, height: height - 1 - prng.below(height) })
        },
      ],
      [
        'with the proofs of an older block',
        (prng) => {
          const { claim } = draw(prng)
          const older = proofOf(side, height - 1 - prng.below(8), claim.slot)
          return judged(claim, { ...older, height })
        },
      ],
      [
        'of another contract',
        (prng) => {
          const { claim } = draw(prng)
          return judged(claim, proofOf(side, height, claim.slot, CLIENT))
        },
      ],
    ],
  }
}

function trustedOf(of: PegChain, height: number): TrustedHeader {
  const header = decodeHeader(hexToBytes(of.sealedHeader(height)))
  const { validators } = decodeExtraData(header.extraData)
  return {
    height,
    timestamp: header.timestamp,
    since: header.timestamp,
    hash: of.chain.hashAt(height)!,
    stateRoot: header.stateRoot,
    validators,
  }
}

function plain(message: Message): PegMessage {
  return {
    ...message,
    sourceChainId: BigInt(message.sourceChainId),
    destinationChainId: BigInt(message.destinationChainId),
    sourceGateway: message.sourceGateway.toLowerCase() as Hash,
    destinationGateway: message.destinationGateway.toLowerCase() as Hash,
    sender: message.sender.toLowerCase() as Hash,
    recipient: message.recipient.toLowerCase() as Hash,
    payload: hexToBytes(message.payload),
  }
}
