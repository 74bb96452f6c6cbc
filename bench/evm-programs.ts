/** Programs that the machines are timed on. */

import { hexToBytes } from '@vellum/evm'

export interface Program {
  readonly name: string
  readonly code: Uint8Array
  /** Gas to give: the program loops until little is left. */
  readonly gas: bigint
}

const ADD = '01'
const MUL = '02'
const SUB = '03'
const DIV = '04'
const MOD = '06'
const XOR = '18'
const AND = '16'
const NOT = '19'
const KECCAK256 = '20'
const MSTORE = '52'
const JUMPI = '57'
const GAS = '5a'
const JUMPDEST = '5b'
const DUP1 = '80'
const DUP2 = '81'
const SWAP1 = '90'
const GT = '11'

function push(value: bigint | number): string {
  let digits = value.toString(16)
  if (digits.length % 2 === 1) digits = `0${digits}`
  return (0x5f + digits.length / 2).toString(16) + digits
}

/**
 * Repeats `body` with a counter below what it keeps on the stack, checking gas every round.
 * @param head runs once; leaves one word
 * @param body turns that word into another
 */
function loop(head: string, body: string): Uint8Array {
  const start = head.length / 2
  // Stop when 20,000 gas are left.
  const check = push(20000) + GAS + GT + push(start) + JUMPI
  return hexToBytes(`0x${head}${JUMPDEST}${body}${check}00`)
}

const WIDE = 0xf1e2d3c4b5a69788796a5b4c3d2e1f00123456789abcdef0fedcba9876543211n
const HALF = 0xc4b5a69788796a5b4c3d2e1f00123457n

/** Loops of one kind of work each; the rest is the smallest frame around it. */
export const LOOPS: readonly Omit<Program, 'gas'>[] = [
  {
    name: 'narrow arithmetic',
    code: loop(
      push(1),
      (DUP1 + push(3) + MUL + push(7) + ADD + push(0xffff) + AND + XOR + push(5) + ADD).repeat(4) +
        DUP1 +
        DUP2 +
        GT +
        ADD,
    ),
  },
  {
    name: '256-bit multiplication',
    code: loop(push(WIDE), (push(WIDE) + MUL + DUP1 + MUL).repeat(4) + push(1) + ADD),
  },
  {
    name: '256-bit division',
    code: loop(
      push(WIDE),
      (DUP1 + push(HALF) + SWAP1 + DIV + push(WIDE) + MOD + NOT + ADD).repeat(4),
    ),
  },
  {
    name: 'keccak256 of 64 bytes',
    code: loop(
      push(1),
      (push(0) + MSTORE + push(1) + push(0x20) + MSTORE + push(0x40) + push(0) + KECCAK256).repeat(
        4,
      ),
    ),
  },
]

/** Ends at once: what an outer call costs by itself. */
export const EMPTY: Program = { name: 'empty', code: Uint8Array.of(0), gas: 100_000n }

/** Opcodes of every kind, to show the machines something else between two timings. */
export const MIXED: Uint8Array = loop(
  push(3),
  [
    DUP1 + push(5) + MUL + push(WIDE) + ADD + push(HALF) + SWAP1 + MOD + XOR,
    DUP1 + push(0) + MSTORE + push(0x20) + push(0) + KECCAK256 + XOR,
    // Storage, events, environment, shifts and comparisons.
    `${DUP1}${push(3)}${AND}54${ADD}`,
    `${DUP1}${push(3)}${AND}${DUP1}55`,
    `${DUP1}${push(1)}1b${push(1)}1c${XOR}`,
    `3033${ADD}42${ADD}${ADD}`,
    `${push(0x20)}${push(0)}a0`,
    `${DUP1}${push(9)}${SWAP1}${SUB}${DUP1}15${ADD}${ADD}`,
    `${push(0)}${push(0)}${push(0)}${push(0)}${push(4)}${push(3000)}fa${ADD}`,
  ].join(''),
)
