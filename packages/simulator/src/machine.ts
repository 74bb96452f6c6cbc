/**
 * One machine of a world: a clock, a disk, a place in the network, and now and then a process in
 * which a node runs. What outlives processes is here.
 */

import { type MessageDomain, signerIn } from '@vellum/consensus'
import type { Address } from '@vellum/evm'
import { type Crc32, type Genesis, LedgerError, type Secp256k1 } from '@vellum/ledger'
import { createNode, NodeError, parseConfig, type Signer, type VellumNode } from '@vellum/node'
import type { AdversaryPorts, Behaviour } from './byzantine/interference.ts'
import { tamperedTransport } from './byzantine/interference.ts'
import type { MessageReader } from './message-reader.ts'
import type { Prng } from './prng.ts'
import { createVirtualProcess, type VirtualProcess } from './process-gate.ts'
import type { Transcript } from './transcript.ts'
import { createMachineClock, type MachineClock } from './virtual-clock.ts'
import { createVirtualDisk, type VirtualDisk } from './virtual-disk.ts'
import type { VirtualNetwork } from './virtual-network.ts'
import type { VirtualTime } from './virtual-time.ts'

export interface Machine {
  readonly index: number
  readonly address: Address
  /** As transcripts call it. */
  readonly name: string
  /** Of a network of several chains: the one whose node this is. */
  readonly chain: string | undefined
  readonly isHonest: boolean
  readonly clock: MachineClock
  readonly disk: VirtualDisk
  /** The node, once it has started; undefined while there is none. */
  readonly node: VellumNode | undefined
  readonly isRunning: boolean
  /** Starts a process, unless one is running. */
  start(): void
  /** The process dies at once. */
  kill(): void
  pause(): void
  resume(): void
}

export interface MachineOptions {
  readonly index: number
  /** Of a network of several chains: the one whose node this is. */
  readonly chain?: string
  /** What the chain's messages are signed with. */
  readonly domain?: MessageDomain
  readonly signer: Signer
  readonly genesis: Genesis
  readonly heartbeatMs: number
  readonly evictEquivocators: boolean
  readonly behaviours: readonly Behaviour[]
}

export interface MachinePorts {
  readonly time: VirtualTime
  readonly network: VirtualNetwork
  /** Shared with the machine's nodes of other chains; undefined: one of its own. */
  readonly clock?: MachineClock
  readonly prng: Prng
  readonly crypto: Secp256k1
  readonly crc32: Crc32
  readonly transcript: Transcript
  /** Shared by all nodes of the chain. */
  readonly readMessage: MessageReader
  readonly adversary: Pick<
    AdversaryPorts,
    'everybody' | 'accomplices' | 'requestTimeoutMs' | 'requestTimeoutMaxMs'
  >
  /** The node has started, and is asked to begin. */
  readonly onStart: (machine: Machine, node: VellumNode) => void
  /** It could not start, or stopped by itself: it has been killed. */
  readonly onFailure: (machine: Machine, error: unknown) => void
}

export function createMachine(options: MachineOptions, ports: MachinePorts): Machine {
  const { index, chain, signer, genesis, behaviours } = options
  const { time, network, crypto, crc32, transcript, prng, readMessage } = ports
  const { address } = signer
  const name = chain === undefined ? `n${index}` : `n${index}/${chain}`
  const clock = ports.clock ?? createMachineClock(time)
  const disk = createVirtualDisk(time, prng.split('disk'))
  const { blocks, consensus } = parseConfig({ blocks: { heartbeatMs: options.heartbeatMs } })
  let program: VirtualProcess | undefined
  let node: VellumNode | undefined
  let starts = 0

  async function run(own: VirtualProcess): Promise<void> {
    const honest = network.join(address, own)
    const transport =
      behaviours.length === 0
        ? honest
        : tamperedTransport(honest, behaviours, {
            ...ports.adversary,
            readMessage,
            self: address,
            sign: signerIn(options.domain, signer.sign),
            seal: signer.sign,
            prng: prng.split(`behaviours ${starts}`),
            after: (ms, later) => void time.after(ms, () => own.enter(later)),
          })
    const view = disk.open(own)
    const started = await createNode(
      {
        blocks,
        consensus,
        retainedBlocks: undefined,
        genesis,
        signer,
        clientVersion: 'simulated',
        evictEquivocators: options.evictEquivocators,
      },
      {
        clock,
        timers: clock.timersOf(own),
        log: transcript.loggerOf(name),
        disk: view.disk,
        heads: view.heads,
        crc32,
        crypto,
        transport,
        votes: view.votes,
        readMessage,
      },
    )
    node = started
    ports.onStart(machine, started)
    await started.start()
    await started.failed.then((error) => {
      throw error
    })
  }

  function start(): void {
    if (program !== undefined) return
    const own = createVirtualProcess((later) => void time.after(0, later))
    program = own
    starts += 1
    transcript.note(name, `starts, for the ${starts}. time`)
    run(own).catch((error: unknown) => {
      // What a dead process still says is nobody's.
      if (program !== own) return
      transcript.note(name, `fails: ${describe(error)}`)
      kill()
      ports.onFailure(machine, error)
    })
  }

  function kill(): void {
    program?.kill()
    program = undefined
    node = undefined
    network.leave(address)
  }

  const machine: Machine = {
    index,
    address,
    name,
    chain,
    isHonest: behaviours.length === 0,
    clock,
    disk,
    get node() {
      return node
    },
    get isRunning() {
      return program !== undefined
    },
    start,
    kill,
    pause: () => program?.pause(),
    resume: () => program?.resume(),
  }
  return machine
}

/** True for what a new database and a resync cure, and nothing else does. */
export function isDamage(error: unknown): boolean {
  const isKnown = error instanceof NodeError || error instanceof LedgerError
  return isKnown && (error.code === 'LEDGER_STORE_DAMAGED' || error.code.startsWith('NODE_STORE_'))
}

function describe(error: unknown): string {
  if (error instanceof NodeError || error instanceof LedgerError) {
    return `${error.code}: ${error.message}`
  }
  return String(error)
}
