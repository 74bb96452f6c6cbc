/**
 * Chains for tests of the peg: real blocks with real seals of as many validators as a test wants, made when it
 * says so, at the time it says. No node, no network: whoever seals is in the test's hands, also to lie.
 */

import { crc32 } from 'node:zlib'
import { ADDRESSES, accessManager, pegGateway, qbftLightClient } from '@vellum/contracts'
import {
  type Address,
  bigIntToBytes,
  bytesToHex,
  concatBytes,
  type Hash,
  hexToBytes,
} from '@vellum/evm'
import {
  addressOfPublicKey,
  type Chain,
  type ConsensusFields,
  commitHash,
  createMemoryKeyValue,
  createPool,
  createSimulator,
  decodeExtraData,
  encodeExtraData,
  encodeHeader,
  type GenesisAccount,
  type Header,
  openChain,
  type Predeploy,
  parseGenesis,
  predeployAccounts,
  QBFT_MIX_HASH,
  qbftHash,
  type SealScheme,
  signTransaction,
} from '@vellum/ledger'
import { loadSystemCrypto } from '@vellum/node'
import { AbiCoder, Interface, type InterfaceAbi, id, keccak256, type LogDescription } from 'ethers'
import { compileForTest, type TestContract } from './solidity-in-tests.ts'

const { crypto } = loadSystemCrypto()

export interface Key {
  readonly address: Address
  readonly secret: Uint8Array
}

/** The key of a name. */
export function keyOf(name: string): Key {
  const secret = hexToBytes(id(name) as Hash)
  return { secret, address: addressOfPublicKey(crypto.publicKey(secret)) }
}

/** Keys of so many validators, in the order of their addresses. */
export function validatorKeys(count: number, name: string): readonly Key[] {
  const keys = Array.from({ length: count }, (_, i) => keyOf(`${name} ${i}`))
  return keys.sort((a, b) => (a.address < b.address ? -1 : 1))
}

/** How many must seal: ceil(2n / 3). */
export function quorumOf(count: number): number {
  return Math.ceil((2 * count) / 3)
}

/** r, s and v of a hash of 32 bytes. */
export function signatureOf(hash: Uint8Array, key: Key): Uint8Array {
  const { r, s, yParity } = crypto.sign(hash, key.secret)
  return concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
}

/** The header with the seals of these, in place of what it had. */
export function sealedBy(header: Header, keys: readonly Key[]): Header {
  const extra = decodeExtraData(header.extraData)
  const hash = commitHash(header)
  const seals = keys.map((key) => signatureOf(hash, key))
  return { ...header, extraData: encodeExtraData({ ...extra, seals }) }
}

/** The header with other validators, without seals. */
export function withValidators(header: Header, keys: readonly Key[]): Header {
  const extra = decodeExtraData(header.extraData)
  const validators = keys.map(({ address }) => address)
  return { ...header, extraData: encodeExtraData({ ...extra, validators, seals: [] }) }
}

/** A header as a contract takes it. */
export function hexOf(header: Header): string {
  return bytesToHex(encodeHeader(header))
}

/** A call that did not succeed. `reason` is the name of the contract's error, or the machine's words. */
export class CallRefused extends Error {
  readonly reason: string
  readonly values: readonly unknown[]

  constructor(reason: string, values: readonly unknown[]) {
    super(`${reason}(${values.join(', ')})`)
    this.reason = reason
    this.values = values
  }
}

/** Errors of libraries, which no ABI names. */
const LIBRARY_ERRORS = new Interface([
  'error RlpInvalid()',
  'error StateProofInvalid()',
  'error TrieProofTraversalError(uint8)',
  'error ReentrancyGuardReentrantCall()',
  'error AccessManagedUnauthorized(address)',
  'error Panic(uint256)',
])

export interface Result {
  readonly succeeded: boolean
  readonly gasUsed: number
  readonly events: readonly LogDescription[]
}

export interface Call {
  readonly from: Key
  readonly to: Address
  readonly data: string
  readonly gas?: number
}

export interface PegChain {
  readonly chainId: number
  /** Hash of the genesis block. */
  readonly domain: Hash
  readonly chain: Chain
  /** Who seals the next block. A test may change it. */
  validators: readonly Key[]
  /** Knows what its contracts say. */
  readonly interfaces: Map<Address, Interface>
  /** Makes a block with these transactions, in their order. */
  block(...calls: readonly Call[]): Promise<readonly Result[]>
  /** One transaction in a block of its own. @throws CallRefused as the call before it says */
  send(from: Key, to: Address, method: string, args: readonly unknown[]): Promise<Result>
  /** The same, on the state of the head, and nothing stays. @throws CallRefused */
  ask<T>(to: Address, method: string, args?: readonly unknown[], from?: Key): T
  /** The same with data that are encoded already, and with less gas. @throws CallRefused */
  call(call: Call): Uint8Array
  /** Gas of a call as a transaction would use it. @throws CallRefused */
  gasOf(to: Address, method: string, args: readonly unknown[]): number
  data(to: Address, method: string, args: readonly unknown[]): string
  height(): number
  header(height: number): Header
  /** RLP, as a node stores it. */
  sealedHeader(height: number): string
  proof(height: number, account: Address, slot: string): Proof
}

export interface Proof {
  readonly account: readonly string[]
  readonly storage: readonly string[]
}

/** One time for all chains of a test, in seconds since 1970. */
export interface Clock {
  seconds: number
}

export interface PegChainOptions {
  readonly chainId: number
  readonly validators: readonly Key[]
  readonly predeploys: readonly Predeploy[]
  readonly interfaces: ReadonlyMap<Address, Interface>
  readonly clock: Clock
  /** Makes tries as deep as those of a chain in use. */
  readonly crowd?: Crowd | undefined
}

export interface Crowd {
  /** Other accounts in the state. */
  readonly accounts: number
  /** Other messages in the outbox and inbox of the gateway. */
  readonly messages: number
}

const GAS = 16_000_000

export async function openPegChain(options: PegChainOptions): Promise<PegChain> {
  const { chainId, clock } = options
  const extra = (keys: readonly Key[]): Uint8Array =>
    encodeExtraData({
      vanity: new Uint8Array(32),
      validators: keys.map(({ address }) => address),
      vote: undefined,
      round: 0,
      seals: [],
    })
  const timestamp = clock.seconds
  const made = predeployAccounts(options.predeploys, {
    fork: 'osaka',
    chainId: BigInt(chainId),
    timestamp,
  })
  const alloc = crowded(made, options.crowd ?? { accounts: 0, messages: 0 })
  const genesis = parseGenesis({
    config: {
      chainId,
      londonBlock: 0,
      terminalTotalDifficulty: 0,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      osakaTime: 0,
      zeroBaseFee: true,
      qbft: { xblockperiodmilliseconds: 50 },
      vellum: { chainDomain: true },
    },
    alloc: {},
    difficulty: '0x1',
    gasLimit: '0x5f5e100',
    timestamp: `0x${timestamp.toString(16)}`,
    mixHash: QBFT_MIX_HASH,
    extraData: bytesToHex(extra(options.validators)),
  })
  // Who may seal is the test's business.
  const scheme: SealScheme = {
    hash: qbftHash,
    verify: () => ({ ok: true }),
    verifyUnsealed: () => ({ ok: true }),
  }
  const chain = await openChain({
    genesis: { ...genesis, alloc },
    disk: createMemoryKeyValue(),
    crc32,
    scheme,
    crypto,
    retainedBlocks: undefined,
  })
  // No call of a test lasts so long that it would be stopped.
  const simulator = createSimulator({ ...chain, crypto, nowMs: () => 0 })
  const interfaces = new Map(options.interfaces)
  const domain = chain.hashAt(0)!

  function refusalOf(output: Uint8Array): CallRefused {
    const data = bytesToHex(output)
    for (const each of [...interfaces.values(), LIBRARY_ERRORS]) {
      const error = each.parseError(data)
      if (error !== null) return new CallRefused(error.name, [...error.args])
    }
    return new CallRefused(data.slice(0, 10), [])
  }

  function simulate(call: Call): { output: Uint8Array; gasUsed: bigint } {
    const outcome = simulator.call({
      number: chain.head().header.number,
      request: {
        from: call.from.address,
        to: call.to,
        gas: BigInt(call.gas ?? GAS),
        data: hexToBytes(call.data as Hash),
      },
      stateOverrides: undefined,
      blockOverrides: { time: BigInt(clock.seconds) },
    })
    if (outcome.status === 'success') return outcome
    if (outcome.status === 'failed') throw new CallRefused(outcome.reason, [])
    throw refusalOf(outcome.output)
  }

  const self: PegChain = {
    chainId,
    domain,
    chain,
    validators: options.validators,
    interfaces,
    async block(...calls) {
      const parent = chain.head().header
      const pool = createPool({
        state: () => chain.state(),
        next: () => ({
          rules: chain.rulesAt(parent.number + 1, clock.seconds),
          gasLimit: parent.gasLimit,
        }),
      })
      const nonces = new Map<Address, bigint>()
      for (const { from, to, data, gas } of calls) {
        const nonce = nonces.get(from.address) ?? chain.state().account(from.address)?.nonce ?? 0n
        nonces.set(from.address, nonce + 1n)
        pool.add(
          signTransaction(
            {
              type: 2,
              chainId: BigInt(chainId),
              nonce,
              gasLimit: BigInt(gas ?? GAS),
              maxFeePerGas: 0n,
              maxPriorityFeePerGas: 0n,
              to,
              value: 0n,
              data: hexToBytes(data as Hash),
              accessList: [],
              maxFeePerBlobGas: 0n,
              blobVersionedHashes: [],
              authorizationList: [],
            },
            from.secret,
            crypto,
          ),
        )
      }
      const fields: ConsensusFields = {
        coinbase: self.validators[0]!.address,
        difficulty: 1n,
        extraData: extra(self.validators),
        mixHash: QBFT_MIX_HASH,
        nonce: new Uint8Array(8),
      }
      const built = chain.build(pool, {
        timestamp: Math.max(parent.timestamp, clock.seconds),
        fields,
        gasLimitTarget: parent.gasLimit,
      })
      const sealers = self.validators.slice(0, quorumOf(self.validators.length))
      await chain.append(chain.sealed(built, sealedBy(built.block.header, sealers)))
      if (built.block.transactions.length !== calls.length) {
        throw new Error(`${built.block.transactions.length} of ${calls.length} transactions`)
      }
      const height = chain.head().header.number
      let before = 0n
      return chain.receipts(height)!.map((receipt) => {
        const gasUsed = Number(receipt.cumulativeGasUsed - before)
        before = receipt.cumulativeGasUsed
        const events = receipt.logs.flatMap(({ address, topics, data }) => {
          const log = { topics: [...topics], data: bytesToHex(data) }
          return interfaces.get(address)?.parseLog(log) ?? []
        })
        return { succeeded: receipt.status === 1, gasUsed, events }
      })
    },
    async send(from, to, method, args) {
      const call = { from, to, data: self.data(to, method, args) }
      simulate(call)
      const [result] = await self.block(call)
      if (!result!.succeeded) throw new Error(`${method} failed in a block, but not in a call`)
      return result!
    },
    ask<T>(to: Address, method: string, args: readonly unknown[] = [], from = keyOf('anybody')) {
      const { output } = simulate({ from, to, data: self.data(to, method, args) })
      const values = interfaces.get(to)!.decodeFunctionResult(method, output)
      return (values.length === 1 ? values[0] : values.toArray()) as T
    },
    call: (call) => simulate(call).output,
    gasOf(to, method, args) {
      return Number(
        simulate({ from: keyOf('anybody'), to, data: self.data(to, method, args) }).gasUsed,
      )
    },
    data: (to, method, args) => interfaces.get(to)!.encodeFunctionData(method, [...args]),
    height: () => chain.head().header.number,
    header: (height) => chain.header(height)!.header,
    sealedHeader: (height) => hexOf(self.header(height)),
    proof(height, account, slot) {
      const { accountProof, storage } = chain.stateAt(height).prove(account, [slot as Hash])
      return {
        account: accountProof.map((node) => bytesToHex(node)),
        storage: storage[0]!.proof.map((node) => bytesToHex(node)),
      }
    },
  }
  return self
}

function crowded(made: readonly GenesisAccount[], crowd: Crowd): readonly GenesisAccount[] {
  const others = Array.from(
    { length: crowd.accounts },
    (_, i): GenesisAccount => ({
      address: id(`account ${i}`).slice(0, 42) as Address,
      balance: 1n,
      nonce: 0n,
      code: new Uint8Array(0),
      storage: new Map(),
    }),
  )
  const messages = Array.from(
    { length: crowd.messages },
    (_, i) => [crowdSlot(i), word(i)] as const,
  )
  const kept = made.map((account) => {
    if (account.address !== GATEWAY) return account
    return {
      ...account,
      storage: new Map([...account.storage, ...messages]),
    }
  })
  return [...kept, ...others]
}

/** Where the gateway has the word of a message of the crowd. */
export function crowdSlot(index: number): Hash {
  return id(`slot ${index}`) as Hash
}

/** Of all lengths, from 1 byte to 32. */
function word(index: number): bigint {
  return BigInt(id(`word ${index}`)) >> BigInt(8 * (index % 32))
}

// Two chains with a gateway each.

export const GATEWAY = ADDRESSES.pegGateway as Address
export const CLIENT = ADDRESSES.qbftLightClient as Address
export const MANAGER = ADDRESSES.accessManager as Address
/** Registered on both chains. */
export const PROBE = '0x0000000000000000000000000000000000007001' as Address
/** Not registered. */
export const STRANGER = '0x0000000000000000000000000000000000007002' as Address

export const MAIN_ID = 1337
export const SIDE_ID = 133_701

export const TRUSTING_PERIOD = 14 * 24 * 3_600
export const CLOCK_DRIFT = 60
export const TIME_TO_LIVE = 24 * 3_600

export const governor = keyOf('governor')
export const guardian = keyOf('guardian')
export const relayer = keyOf('relayer')
export const user = keyOf('user')

/** The message as a struct: what `MessageCommitted` has. */
export interface Message {
  readonly version: number
  readonly sourceChainId: number
  readonly sourceGateway: string
  readonly destinationChainId: number
  readonly destinationGateway: string
  readonly sequence: number
  readonly sender: string
  readonly recipient: string
  readonly deadline: bigint
  readonly gasLimit: bigint
  readonly payload: string
}

export const OUTCOME = { delivered: 1, failed: 2, expired: 3 } as const

const coder = AbiCoder.defaultAbiCoder()
const MESSAGE_TYPE =
  'PegMessage(uint8 version,uint64 sourceChainId,address sourceGateway,uint64 destinationChainId,address destinationGateway,uint64 sequence,address sender,address recipient,uint64 deadline,uint64 gasLimit,bytes payload)'

/** The name of a message, as the contract makes it: an independent account of it. */
export function messageId(m: Message): string {
  return keccak256(
    coder.encode(
      [
        'bytes32',
        'uint8',
        'uint64',
        'address',
        'uint64',
        'address',
        'uint64',
        'address',
        'address',
        'uint64',
        'uint64',
        'bytes',
      ],
      [
        id(MESSAGE_TYPE),
        m.version,
        m.sourceChainId,
        m.sourceGateway,
        m.destinationChainId,
        m.destinationGateway,
        m.sequence,
        m.sender,
        m.recipient,
        m.deadline,
        m.gasLimit,
        m.payload,
      ],
    ),
  )
}

export function receiptOf(m: Message, outcome: number, returnHash: string): string {
  return keccak256(
    coder.encode(['bytes32', 'uint8', 'bytes32'], [messageId(m), outcome, returnHash]),
  )
}

/** @param mapping 0 outbox, 1 inbox @param chainId the other chain's */
export function slotOf(mapping: 0 | 1, chainId: number, sequence: number): string {
  const outer = keccak256(coder.encode(['uint64', 'uint256'], [chainId, mapping]))
  return keccak256(coder.encode(['uint64', 'bytes32'], [sequence, outer]))
}

export interface PegPair {
  readonly clock: Clock
  readonly main: PegChain
  readonly side: PegChain
}

export interface PegPairOptions {
  readonly mainValidators?: readonly Key[]
  readonly sideValidators?: readonly Key[]
  /** In place of ours, on both chains. */
  readonly client?: TestContract
  readonly gateway?: TestContract
  readonly crowd?: Crowd
}

let probe: TestContract | undefined

/** @returns what deploys it with arguments */
export function initCodeOf(contract: TestContract, args: readonly unknown[]): Uint8Array {
  const abi = new Interface(contract.abi as InterfaceAbi)
  return hexToBytes(`${contract.initCode}${abi.encodeDeploy([...args]).slice(2)}` as Hash)
}

/** A main and a side chain that know each other, each with a block, with a channel and an app on both. */
export async function createPegPair(options: PegPairOptions = {}): Promise<PegPair> {
  const client = options.client ?? (qbftLightClient as TestContract)
  const gateway = options.gateway ?? (pegGateway as TestContract)
  const manager = accessManager as TestContract
  probe ??= compileForTest('PegProbe')
  const app = probe
  const interfaces = new Map<Address, Interface>(
    (
      [
        [CLIENT, client],
        [GATEWAY, gateway],
        [MANAGER, manager],
        [PROBE, app],
        [STRANGER, app],
      ] as const
    ).map(([address, { abi }]) => [address, new Interface(abi as InterfaceAbi)]),
  )
  const clock: Clock = { seconds: 1_800_000_000 }
  const open = (
    chainId: number,
    validators: readonly Key[],
    first: readonly unknown[],
    channels: readonly number[],
  ): Promise<PegChain> => {
    const selector = (to: Address, method: string): string =>
      interfaces.get(to)!.getFunction(method)!.selector
    const guarded = [
      [CLIENT, selector(CLIENT, 'freezeClient')],
      [GATEWAY, selector(GATEWAY, 'pauseChannel')],
    ]
    const made = (address: Address, contract: TestContract, ...args: unknown[]): Predeploy => ({
      address,
      initCode: initCodeOf(contract, args),
    })
    return openPegChain({
      chainId,
      validators,
      interfaces,
      clock,
      crowd: options.crowd,
      predeploys: [
        made(MANAGER, manager, governor.address, [guardian.address], guarded),
        made(CLIENT, client, MANAGER, ...first),
        made(GATEWAY, gateway, MANAGER, CLIENT, [PROBE], channels, TIME_TO_LIVE, 200_000),
        made(PROBE, app, GATEWAY),
        made(STRANGER, app, GATEWAY),
      ],
    })
  }
  const nobody = [0, `0x${'00'.repeat(32)}`, '0x', 0, 0]
  const main = await open(MAIN_ID, options.mainValidators ?? validatorKeys(4, 'main'), nobody, [])
  const known = [MAIN_ID, main.domain, main.sealedHeader(0), TRUSTING_PERIOD, CLOCK_DRIFT]
  const sideValidators = options.sideValidators ?? validatorKeys(4, 'side')
  const side = await open(SIDE_ID, sideValidators, known, [MAIN_ID])
  clock.seconds += 10
  await main.send(governor, CLIENT, 'createClient', [
    SIDE_ID,
    side.domain,
    side.sealedHeader(0),
    TRUSTING_PERIOD,
    CLOCK_DRIFT,
  ])
  await main.send(governor, GATEWAY, 'openChannel', [SIDE_ID])
  return { clock, main, side }
}

/** Tells `on` of the head of `of`. @returns its height */
export async function follow(on: PegChain, of: PegChain): Promise<number> {
  const { latestHeight } = on.ask<{ latestHeight: bigint }>(CLIENT, 'client', [of.chainId])
  const height = of.height()
  const header = of.sealedHeader(height)
  await on.send(relayer, CLIENT, 'updateClient', [of.chainId, latestHeight, header])
  return height
}

/** Sends from the probe of one chain to that of the other. */
export async function sendMessage(
  from: PegChain,
  to: PegChain,
  payload: string,
  options: { readonly recipient?: Address; readonly attributes?: readonly string[] } = {},
): Promise<Message> {
  const { recipient = PROBE, attributes = [] } = options
  const { events } = await from.send(user, PROBE, 'send', [
    to.chainId,
    recipient,
    payload,
    attributes,
  ])
  return messageOf(events)
}

/** The message that events say was committed. */
export function messageOf(events: readonly LogDescription[]): Message {
  const committed = events.find(({ name }) => name === 'MessageCommitted')!
  const message = committed.args.message.toObject()
  return {
    ...message,
    version: Number(message.version),
    sourceChainId: Number(message.sourceChainId),
    destinationChainId: Number(message.destinationChainId),
    sequence: Number(message.sequence),
  }
}

/** Arguments of `deliver`, with both proofs. */
export function delivery(source: PegChain, message: Message, height: number): unknown[] {
  const slot = slotOf(0, message.destinationChainId, message.sequence)
  const { account, storage } = source.proof(height, GATEWAY, slot)
  return [message, height, account, storage]
}

/** Arguments of `acknowledge`, with both proofs. */
export function acknowledgement(
  destination: PegChain,
  message: Message,
  height: number,
  outcome: { readonly outcome: number; readonly returnHash: string },
): unknown[] {
  const slot = slotOf(1, message.sourceChainId, message.sequence)
  const { account, storage } = destination.proof(height, GATEWAY, slot)
  return [message, outcome.outcome, outcome.returnHash, height, account, storage]
}

/** What `MessageReceived` says. */
export function outcomeOf(result: Result): { outcome: number; returnHash: string } {
  const { args } = result.events.find(({ name }) => name === 'MessageReceived')!
  return { outcome: Number(args.outcome), returnHash: args.returnHash }
}

/** An attribute of a message: `deadline` or `gasLimit`. */
export function attribute(name: 'deadline' | 'gasLimit', value: number | bigint): string {
  return `${id(`${name}(uint64)`).slice(0, 10)}${coder.encode(['uint64'], [value]).slice(2)}`
}

/** The call is refused with this error. */
export async function refusal(call: () => unknown): Promise<string> {
  try {
    await call()
  } catch (error) {
    if (error instanceof CallRefused) return error.reason
    throw error
  }
  return 'not refused'
}
