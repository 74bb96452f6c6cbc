/** `pnpm bench evm`: our machine against @ethereumjs/evm and, through anvil, revm. */

import { type Address, hexToBytes } from '@vellum/evm'
import { Interface } from 'ethers'
import { startAnvil } from './anvil.ts'
import { compile } from './compile.ts'
import { createEthereumjs } from './evm-ethereumjs.ts'
import { type Contestant, createOurs, SENDER, TARGET } from './evm-ours.ts'
import { EMPTY, LOOPS, MIXED } from './evm-programs.ts'
import type { Report, Row, RunOptions } from './table.ts'

const TOKEN: Address = '0x0000000000000000000000000000000000007043'
const LICENCE: Address = '0x000000000000000000000000000000000011ce0c'
const MIXER: Address = '0x00000000000000000000000000000000000317ed'
const RECEIVER: Address = '0x3000000000000000000000000000000000000003'

/** Smallest ratios to @ethereumjs/evm, in the order of `LOOPS`. */
const LOOP_GOALS: readonly number[] = [12, 8, 8, 9]
const TRANSFER_GOAL = 30
const ISSUE_GOAL = 30
/** Smallest ratio to revm. */
const REVM_GOAL = 0.4

const OUR_LOOP_GAS = 200_000_000n
const PEER_LOOP_GAS = 4_000_000n
const REVM_LOOP_GAS = 300_000_000n
const TXS_PER_BLOCK = 200
const REPEATS = 5

export async function run({ progress }: RunOptions): Promise<Report> {
  const token = compile('Erc20')
  const licence = compile('Licence')
  const codes = new Map<Address, Uint8Array>([
    [TOKEN, hexToBytes(token.deployedBytecode)],
    [LICENCE, hexToBytes(licence.deployedBytecode)],
    [MIXER, MIXED],
  ])
  for (const [i, { code }] of LOOPS.entries()) codes.set(loopAddress(i), code)

  const tokenInterface = new Interface(JSON.stringify(token.abi))
  const licenceInterface = new Interface(JSON.stringify(licence.abi))
  const mint = hexToBytes(tokenInterface.encodeFunctionData('mint', [SENDER, 10n ** 24n]))
  const transfer = hexToBytes(tokenInterface.encodeFunctionData('transfer', [RECEIVER, 1n]))
  let issued = 0
  const issue = (): Uint8Array => {
    const id = `0x${(++issued).toString(16).padStart(64, '0')}`
    const hash = `0x${'ab'.repeat(32)}`
    const payload = `0x${'5c'.repeat(32)}`
    const args = [id, RECEIVER, hash, 2_000_000_000, payload]
    return hexToBytes(licenceInterface.encodeFunctionData('issue', args))
  }

  const ours = createOurs(codes)
  const peer = await createEthereumjs(codes)
  for (const each of [ours, peer]) {
    await each.call(TOKEN, mint, 1_000_000n)
    each.keep()
  }

  const rows: Row[] = []
  for (const phase of ['', ', after a mixed workload']) {
    if (phase !== '') {
      progress('mixed workload')
      for (let i = 0; i < 20; i++) await ours.call(MIXER, new Uint8Array(0), 5_000_000n)
      await peer.call(MIXER, new Uint8Array(0), 2_000_000n)
    }
    const calls = [
      ['ERC-20 transfer', TOKEN, () => transfer, TRANSFER_GOAL],
      ['certificate issued', LICENCE, issue, ISSUE_GOAL],
    ] as const
    for (const [name, to, data, goal] of calls) {
      progress(`${name}${phase}`)
      // Both repeat until their best block; the peer with fewer transactions.
      const mine = await bestMicroseconds(ours, to, data, TXS_PER_BLOCK * 10)
      const theirs = await bestMicroseconds(peer, to, data, TXS_PER_BLOCK)
      const ratio = theirs / mine
      rows.push({ case: name + phase, ours: mine, peer: theirs, unit: 'µs', ratio, goal })
    }
    for (const [i, { name }] of LOOPS.entries()) {
      progress(`${name}${phase}`)
      const mine = await bestMegagas(ours, loopAddress(i), OUR_LOOP_GAS)
      const theirs = await bestMegagas(peer, loopAddress(i), PEER_LOOP_GAS)
      const goal = LOOP_GOALS[i]
      rows.push({
        case: name + phase,
        ours: mine,
        peer: theirs,
        unit: 'Mgas/s',
        ratio: mine / theirs,
        goal,
      })
    }
  }

  const anvil = await startAnvil(18_945)
  try {
    await anvil.setCode(TARGET, EMPTY.code)
    const fixed = await best(() => anvil.timeCall(TARGET, EMPTY.gas))
    for (const [i, { name, code }] of LOOPS.entries()) {
      progress(`${name}, revm`)
      await anvil.setCode(TARGET, code)
      const ms = (await best(() => anvil.timeCall(TARGET, REVM_LOOP_GAS))) - fixed
      const theirs = Number(REVM_LOOP_GAS) / 1e3 / ms
      const mine = await bestMegagas(ours, loopAddress(i), OUR_LOOP_GAS)
      rows.push({
        case: `${name}, against revm`,
        ours: mine,
        peer: theirs,
        unit: 'Mgas/s',
        ratio: mine / theirs,
        goal: REVM_GOAL,
      })
    }
  } finally {
    anvil.stop()
  }

  return {
    name: 'evm',
    compared: [
      'peer: @ethereumjs/evm 10.1 on a flat state in memory; processor time, best of five each',
      'revm: through eth_call of anvil 1.7, less the time of an empty call',
    ],
    rows,
  }
}

function loopAddress(index: number): Address {
  return `0x${(0x100000 + index).toString(16).padStart(40, '0')}` as Address
}

async function best(measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < REPEATS; i++) least = Math.min(least, await measure())
  return least
}

/** Microseconds a transaction takes, data made before. */
async function bestMicroseconds(
  machine: Contestant,
  to: Address,
  data: () => Uint8Array,
  count: number,
): Promise<number> {
  return best(async () => {
    const inputs = Array.from({ length: count }, data)
    let spent = 0
    for (let from = 0; from < count; from += TXS_PER_BLOCK) {
      const start = threadMicroseconds()
      for (let i = from; i < from + TXS_PER_BLOCK; i++) {
        const used = machine.call(to, inputs[i]!, 1_000_000n)
        // Awaiting what is no promise would cost our machine a turn of the event loop.
        if (typeof used !== 'bigint') await used
      }
      spent += threadMicroseconds() - start
      machine.endBlock()
    }
    return spent / count
  })
}

async function bestMegagas(machine: Contestant, to: Address, gas: bigint): Promise<number> {
  const seconds = await best(async () => {
    const start = threadMicroseconds()
    const used = machine.call(to, new Uint8Array(0), gas)
    if (typeof used !== 'bigint') await used
    return (threadMicroseconds() - start) / 1e6
  })
  return Number(gas) / 1e6 / seconds
}

/** Processor time of this thread: what other programs on the machine take does not count. */
function threadMicroseconds(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}
