/** What tracers see, and that they change nothing. */

import { expect, test } from 'vitest'
import { type FrameEnd, type FrameStart, type Halt, opcodeName, type Tracer } from '../src/index.ts'
import { CALLER, CONTRACT, callOf, createStage, OTHER, push, RETURN_TOP } from './stage.ts'

interface Line {
  readonly text: string
  readonly gas: bigint
  cost: bigint
  halt: Halt | undefined
}

function recorder(): { tracer: Tracer; lines: Line[]; frames: string[] } {
  const lines: Line[] = []
  const frames: string[] = []
  const tracer: Tracer = {
    step({ pc, op, gas, depth, stackSize, memorySize }) {
      const text = `${depth} ${pc} ${opcodeName(op)} stack ${stackSize} memory ${memorySize}`
      lines.push({ text, gas, cost: -1n, halt: undefined })
    },
    stepEnd(gasCost, halt) {
      const last = lines.at(-1)!
      last.cost = gasCost
      last.halt = halt
    },
    enter({ type, depth, from, to, value }: FrameStart) {
      frames.push(`${depth} ${type} ${from.slice(-2)} ${to.slice(-2)} ${value}`)
    },
    exit({ depth, status, gasUsed, output }: FrameEnd) {
      frames.push(`${depth} ${status} ${gasUsed} ${output.length}`)
    },
  }
  return { tracer, lines, frames }
}

test('step: is called before each opcode with the machine as it is', () => {
  const { tracer, lines } = recorder()
  const code = `0x${push(2)}${push(3)}01${push(0)}5200`
  createStage({ [CONTRACT]: { code } }, 'osaka', { tracer }).run({ gas: 100n })
  expect(lines.map(({ text, gas, cost }) => `${text} gas ${gas} cost ${cost}`)).toEqual([
    '1 0 PUSH1 stack 0 memory 0 gas 100 cost 3',
    '1 2 PUSH1 stack 1 memory 0 gas 97 cost 3',
    '1 4 ADD stack 2 memory 0 gas 94 cost 3',
    '1 5 PUSH1 stack 1 memory 0 gas 91 cost 3',
    '1 7 MSTORE stack 2 memory 0 gas 88 cost 6',
    '1 8 STOP stack 0 memory 32 gas 82 cost 0',
  ])
})

test('step: shows stack, memory and returned bytes', () => {
  const seen: unknown[] = []
  const tracer: Tracer = {
    step(step) {
      if (step.op !== 0 || step.depth !== 1) return
      seen.push(step.stack(), step.stackAt(0), step.stackAt(9), step.address)
      seen.push(step.memory().length, step.memory()[31], step.returnData())
    },
  }
  const callee = `0x${push(5)}${push(0)}53${push(2)}${push(0)}f3`
  const code = `0x${push(7)}${push(0)}52${push(8)}${callOf('fa', OTHER)}00`
  createStage({ [CONTRACT]: { code }, [OTHER]: { code: callee } }, 'osaka', { tracer }).run()
  expect(seen).toEqual([[8n, 1n], 1n, 0n, CONTRACT, 32, 7, Uint8Array.of(5, 0)])
})

test('stepEnd: the cost of a call counts the gas it forwards, not the stipend', () => {
  const { tracer, lines } = recorder()
  const code = `0x${callOf('f1', OTHER, push(1000), 1)}00`
  const accounts = { [CONTRACT]: { code, balance: 5n }, [OTHER]: { code: '0x00' } }
  createStage(accounts, 'osaka', { tracer }).run()
  const call = lines.find(({ text }) => text.includes(' CALL '))!
  expect(call.cost).toBe(2_600n + 9_000n + 1_000n)
})

test('stepEnd: says why an opcode halted, and for gas how much it wanted', () => {
  const run = (code: string, gas: bigint): [string, Halt | undefined, bigint] => {
    const { tracer, lines } = recorder()
    createStage({ [CONTRACT]: { code: `0x${code}` } }, 'osaka', { tracer }).run({ gas })
    const last = lines.at(-1)!
    return [last.text.split(' ')[2]!, last.halt, last.cost]
  }
  expect(run(`${push(0)}5400`, 1_000n)).toEqual(['SLOAD', 'outOfGas', 2_100n])
  expect(run(`${push(0)}01`, 1_000n)).toEqual(['ADD', 'stackUnderflow', 0n])
  expect(run(`${push(0)}${push(10_000)}52`, 100n)).toEqual(['MSTORE', 'outOfGas', 3n + 1_134n])
  expect(run('fe', 100n)[1]).toBe('invalidOpcode')
})

test('enter and exit: are balanced, and show calls, precompiles, creations and destructions', () => {
  const { tracer, frames } = recorder()
  const code = [
    callOf('f1', OTHER, push(5_000), 1),
    callOf('fa', '0x0000000000000000000000000000000000000004', push(100)),
    `${push(0)}${push(0)}${push(2)}f0`,
    `${push(BigInt(CALLER))}ff`,
  ].join('')
  const accounts = { [CONTRACT]: { code: `0x${code}`, balance: 9n }, [OTHER]: { code: '0xfe' } }
  createStage(accounts, 'osaka', { tracer }).run()
  expect(frames.slice(0, -1)).toEqual([
    '1 CALL aa cc 0',
    '2 CALL cc dd 1',
    '2 invalidOpcode 7300 0',
    '2 STATICCALL cc 04 0',
    '2 success 15 0',
    expect.stringMatching(/^2 CREATE cc .. 2$/),
    '2 success 0 0',
    '2 SELFDESTRUCT cc aa 7',
    '2 success 0 0',
  ])
  expect(frames.at(-1)).toMatch(/^1 success \d+ 0$/)
})

test('a tracer: changes no result', () => {
  const body = `${push(5)}5b${push(1)}90038060025754${push(0)}55`
  const accounts = { [CONTRACT]: { code: `0x${body}5a${RETURN_TOP}` } }
  const plain = createStage(accounts).run()
  const traced = createStage(accounts, 'osaka', { tracer: recorder().tracer }).run()
  expect(traced).toEqual(plain)
  expect(plain.status).toBe('success')
})
