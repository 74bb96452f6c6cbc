/** The instruction set: for each opcode its name, stack effect, static gas and the fork it came with. */

import type { Fork } from './fork.ts'
import { isAtLeast } from './fork.ts'

interface Opcode {
  readonly name: string
  readonly pops: number
  readonly pushes: number
  /** Charged whatever the operands; what depends on them is in the engine and the machine. */
  readonly gas: Price
  /** True if what comes next may not run, or may see or depend on the exact gas left. */
  readonly endsBlock: boolean
  readonly since: Fork
}

/** Gas from Berlin on, or with what was charged since which fork before it, latest first. */
type Price = number | readonly [now: number, ...before: (readonly [since: Fork, gas: number])[]]

const EXTERNAL_CODE_GAS: Price = [100, ['tangerineWhistle', 700], ['frontier', 20]]
const CALL_GAS: Price = [100, ['tangerineWhistle', 700], ['frontier', 40]]

const OPCODES: readonly (Opcode | undefined)[] = table()

/** Bytes of one row of the engine's table. */
const ROW_BYTES = 8

/** Name as in go-ethereum's traces, such as `PUSH1`; `opcode 0x0c not defined` for the others. */
export function opcodeName(op: number): string {
  const opcode = OPCODES[op]
  if (opcode !== undefined) return opcode.name
  // Never to be defined (EIP-141).
  if (op === 0xfe) return 'INVALID'
  return `opcode 0x${op.toString(16)} not defined`
}

/** The engine's table for a fork, as `OPS` of engine/layout.ts describes it. */
export function opcodeTable(fork: Fork): Uint8Array {
  const bytes = new Uint8Array(256 * ROW_BYTES)
  const view = new DataView(bytes.buffer)
  for (let op = 0; op < 256; op++) {
    const opcode = OPCODES[op]
    const at = op * ROW_BYTES
    bytes[at + 7] = 1
    if (opcode === undefined || !isAtLeast(fork, opcode.since)) continue
    view.setUint32(at, gasOf(opcode.gas, fork), true)
    bytes[at + 4] = opcode.pops
    bytes[at + 5] = opcode.pushes
    bytes[at + 6] = 1
    bytes[at + 7] = opcode.endsBlock ? 1 : 0
  }
  return bytes
}

function gasOf(price: Price, fork: Fork): number {
  if (typeof price === 'number') return price
  const [now, ...before] = price
  if (isAtLeast(fork, 'berlin')) return now
  return before.find(([since]) => isAtLeast(fork, since))?.[1] ?? now
}

function table(): (Opcode | undefined)[] {
  const all: (Opcode | undefined)[] = new Array(256).fill(undefined)
  const define = (
    op: number,
    name: string,
    pops: number,
    pushes: number,
    gas: Price,
    since: Fork = 'frontier',
    endsBlock = false,
  ): void => {
    all[op] = { name, pops, pushes, gas, endsBlock, since }
  }
  const defineEnding = (
    op: number,
    name: string,
    pops: number,
    pushes: number,
    gas: Price,
    since: Fork = 'frontier',
  ): void => define(op, name, pops, pushes, gas, since, true)

  defineEnding(0x00, 'STOP', 0, 0, 0)
  define(0x01, 'ADD', 2, 1, 3)
  define(0x02, 'MUL', 2, 1, 5)
  define(0x03, 'SUB', 2, 1, 3)
  define(0x04, 'DIV', 2, 1, 5)
  define(0x05, 'SDIV', 2, 1, 5)
  define(0x06, 'MOD', 2, 1, 5)
  define(0x07, 'SMOD', 2, 1, 5)
  define(0x08, 'ADDMOD', 3, 1, 8)
  define(0x09, 'MULMOD', 3, 1, 8)
  define(0x0a, 'EXP', 2, 1, 10)
  define(0x0b, 'SIGNEXTEND', 2, 1, 5)
  for (const [i, name] of ['LT', 'GT', 'SLT', 'SGT', 'EQ'].entries())
    define(0x10 + i, name, 2, 1, 3)
  define(0x15, 'ISZERO', 1, 1, 3)
  for (const [i, name] of ['AND', 'OR', 'XOR'].entries()) define(0x16 + i, name, 2, 1, 3)
  define(0x19, 'NOT', 1, 1, 3)
  define(0x1a, 'BYTE', 2, 1, 3)
  for (const [i, name] of ['SHL', 'SHR', 'SAR'].entries())
    define(0x1b + i, name, 2, 1, 3, 'constantinople')
  define(0x1e, 'CLZ', 1, 1, 5, 'osaka')
  define(0x20, 'KECCAK256', 2, 1, 30)
  define(0x30, 'ADDRESS', 0, 1, 2)
  define(0x31, 'BALANCE', 1, 1, [
    100,
    ['istanbul', 700],
    ['tangerineWhistle', 400],
    ['frontier', 20],
  ])
  define(0x32, 'ORIGIN', 0, 1, 2)
  define(0x33, 'CALLER', 0, 1, 2)
  define(0x34, 'CALLVALUE', 0, 1, 2)
  define(0x35, 'CALLDATALOAD', 1, 1, 3)
  define(0x36, 'CALLDATASIZE', 0, 1, 2)
  define(0x37, 'CALLDATACOPY', 3, 0, 3)
  define(0x38, 'CODESIZE', 0, 1, 2)
  define(0x39, 'CODECOPY', 3, 0, 3)
  define(0x3a, 'GASPRICE', 0, 1, 2)
  define(0x3b, 'EXTCODESIZE', 1, 1, EXTERNAL_CODE_GAS)
  define(0x3c, 'EXTCODECOPY', 4, 0, EXTERNAL_CODE_GAS)
  define(0x3d, 'RETURNDATASIZE', 0, 1, 2, 'byzantium')
  define(0x3e, 'RETURNDATACOPY', 3, 0, 3, 'byzantium')
  define(
    0x3f,
    'EXTCODEHASH',
    1,
    1,
    [100, ['istanbul', 700], ['constantinople', 400]],
    'constantinople',
  )
  define(0x40, 'BLOCKHASH', 1, 1, 20)
  define(0x41, 'COINBASE', 0, 1, 2)
  define(0x42, 'TIMESTAMP', 0, 1, 2)
  define(0x43, 'NUMBER', 0, 1, 2)
  define(0x44, 'DIFFICULTY', 0, 1, 2)
  define(0x45, 'GASLIMIT', 0, 1, 2)
  define(0x46, 'CHAINID', 0, 1, 2, 'istanbul')
  define(0x47, 'SELFBALANCE', 0, 1, 5, 'istanbul')
  define(0x48, 'BASEFEE', 0, 1, 2, 'london')
  define(0x49, 'BLOBHASH', 1, 1, 3, 'cancun')
  define(0x4a, 'BLOBBASEFEE', 0, 1, 2, 'cancun')
  define(0x50, 'POP', 1, 0, 2)
  define(0x51, 'MLOAD', 1, 1, 3)
  define(0x52, 'MSTORE', 2, 0, 3)
  define(0x53, 'MSTORE8', 2, 0, 3)
  define(0x54, 'SLOAD', 1, 1, [100, ['istanbul', 800], ['tangerineWhistle', 200], ['frontier', 50]])
  defineEnding(0x55, 'SSTORE', 2, 0, 0)
  defineEnding(0x56, 'JUMP', 1, 0, 8)
  defineEnding(0x57, 'JUMPI', 2, 0, 10)
  define(0x58, 'PC', 0, 1, 2)
  define(0x59, 'MSIZE', 0, 1, 2)
  defineEnding(0x5a, 'GAS', 0, 1, 2)
  define(0x5b, 'JUMPDEST', 0, 0, 1)
  define(0x5c, 'TLOAD', 1, 1, 100, 'cancun')
  define(0x5d, 'TSTORE', 2, 0, 100, 'cancun')
  define(0x5e, 'MCOPY', 3, 0, 3, 'cancun')
  define(0x5f, 'PUSH0', 0, 1, 2, 'shanghai')
  for (let n = 1; n <= 32; n++) define(0x5f + n, `PUSH${n}`, 0, 1, 3)
  for (let n = 1; n <= 16; n++) define(0x7f + n, `DUP${n}`, n, n + 1, 3)
  for (let n = 1; n <= 16; n++) define(0x8f + n, `SWAP${n}`, n + 1, n + 1, 3)
  for (let n = 0; n <= 4; n++) define(0xa0 + n, `LOG${n}`, n + 2, 0, 375 * (n + 1))
  defineEnding(0xf0, 'CREATE', 3, 1, 32000)
  defineEnding(0xf1, 'CALL', 7, 1, CALL_GAS)
  defineEnding(0xf2, 'CALLCODE', 7, 1, CALL_GAS)
  defineEnding(0xf3, 'RETURN', 2, 0, 0)
  defineEnding(0xf4, 'DELEGATECALL', 6, 1, CALL_GAS, 'homestead')
  defineEnding(0xf5, 'CREATE2', 4, 1, 32000, 'constantinople')
  defineEnding(0xfa, 'STATICCALL', 6, 1, CALL_GAS, 'byzantium')
  defineEnding(0xfd, 'REVERT', 2, 0, 0, 'byzantium')
  defineEnding(0xff, 'SELFDESTRUCT', 1, 0, [5000, ['tangerineWhistle', 5000], ['frontier', 0]])
  return all
}
