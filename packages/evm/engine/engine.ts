/**
 * The loop. One function, compiled twice: `run` block by block over the fast copy of the code, `walk`
 * opcode by opcode over the code as it is, with every check in its place.
 *
 * Opcodes that need the world call functions of the host with the address of their operands. Calls and
 * creations leave the loop: frames are driven from outside, so that depth costs no native stack.
 */

import { analyse, analysisBytes, GAS_MASK, JUMPDEST_FLAG } from './analysis'
import {
  charge, copyPadded, ensure, expand, finishCall, finishCreate, frameOf, openFrame, outputAt,
  outputBytes, returned, returnedAt, returnedBytes, returnedSize, setOutput, UNPAYABLE,
} from './frame'
import { digest } from './keccak'
import {
  CALLING, CREATING, EXP_BYTE_GAS, F_ADDRESS, F_BASE, F_CALLER, F_CODE_SIZE, F_FAST, F_GAS, F_INFO, F_INPUT,
  F_INPUT_SIZE, F_IP, F_KIND, F_LACK, F_MEMORY, F_MEMORY_SIZE, F_OUT, F_OUT_SIZE, F_RAW, F_SALT, F_SP,
  F_STATIC, F_VALUE, FAILING, FRAME_BYTES, HALT, HASH_ENTRIES, HASH_ENTRY_BYTES,
  HASHES, INIT_BYTES_MAX, INIT_WORD_GAS, INVALID_JUMP,
  INVALID_OPCODE, KEEPS_GAS, OPS, OUT_OF_GAS, RETURN_DATA_OUT_OF_BOUNDS, RETURNED, REVERTED, STACK_OVERFLOW,
  STACK_UNDERFLOW, STEPPED, STOPPED, STORE_GAS_MIN, WORD_BASE_FEE, WORD_BLOB_BASE_FEE, WORD_CHAIN_ID, WORD_COINBASE,
  WORD_GAS_LIMIT, WORD_GAS_PRICE, WORD_NUMBER, WORD_ORIGIN, WORD_RANDOM, WORD_TIMESTAMP,
  WRITE_PROTECTION, YIELDED,
} from './layout'
import {
  add, addmod, byteLength, clamp, copy, div, equal, exp, isZero, leadingZeros, less, lessSigned, mod,
  mul, mulmod, reverse, reverseWord, sar, sdiv, setSmall, shl, shr, signextend, smod, sub,
} from './word'

export {
  analyse, analysisBytes, charge, ensure, finishCall, finishCreate, openFrame, outputAt, outputBytes,
  returnedAt, returnedBytes,
}

// Each takes addresses of words and returns gas on top of the opcode's static gas.

/** Extra gas of a first access to the account (EIP-2929). The word becomes its balance. */
@external('host', 'balance')
declare function hostBalance(word: usize): u32
@external('host', 'codeSize')
declare function hostCodeSize(word: usize): u32
@external('host', 'codeHash')
declare function hostCodeHash(word: usize): u32
@external('host', 'access')
declare function hostAccess(word: usize): u32
/** Copies code of the account last given to `access`, zeros past its end. */
@external('host', 'copyCode')
declare function hostCopyCode(to: usize, offset: f64, size: usize): void
/** The balance of the running account, written to the word. */
@external('host', 'selfBalance')
declare function hostSelfBalance(word: usize): void
@external('host', 'blockHash')
declare function hostBlockHash(word: usize): void
@external('host', 'blobHash')
declare function hostBlobHash(word: usize): void
/** The key becomes the value. */
@external('host', 'sload')
declare function hostSload(word: usize): u32
@external('host', 'sstore')
declare function hostSstore(key: usize, value: usize): u32
@external('host', 'tload')
declare function hostTload(word: usize): void
@external('host', 'tstore')
declare function hostTstore(key: usize, value: usize): void
@external('host', 'log')
declare function hostLog(topics: usize, count: i32, data: usize, size: usize): void
/** Gas beyond the static part, the change not yet made; then the change. */
@external('host', 'destructGas')
declare function hostDestructGas(heir: usize): u32
@external('host', 'destruct')
declare function hostDestruct(heir: usize): void
/** Extra gas of a call: first accesses, delegation, value, new account. */
@external('host', 'callGas')
declare function hostCallGas(address: usize, kind: u32, hasValue: i32): u32

/** Jumps between two yields: a few milliseconds of a tight loop. */
const JUMPS_MAX: i32 = 1 << 16

/** Masks that keep the low n bytes of 32, for n from 0: the window at `MASKS + 32 - n`. */
const MASKS: usize = memory.data<u64>([
  0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff, 0, 0, 0, 0,
])

/** Saves what the loop kept in locals. */
function leave(frame: usize, ip: usize, sp: usize, gas: u64, status: i32): i32 {
  store<u32>(frame, u32(ip), F_IP)
  store<u32>(frame, u32(sp), F_SP)
  store<u64>(frame, gas, F_GAS)
  return status
}

/** Leaves with an exceptional halt. The gas stays in the record for tracers; the caller drops it. */
// @ts-ignore: decorator
@inline
function halt(frame: usize, ip: usize, sp: usize, gas: u64, status: i32): i32 {
  return leave(frame, ip, sp, gas, status)
}

function starve(frame: usize, ip: usize, sp: usize, gas: u64, cost: u64): i32 {
  store<u64>(frame, cost, F_LACK)
  return leave(frame, ip, sp, gas, OUT_OF_GAS)
}

/**
 * Digest of 64 bytes, as Solidity hashes for each access to a mapping: contracts hash the same few keys
 * again and again, so the latest digests are kept. Writes it as a word.
 */
function digestPair(from: usize, word: usize): void {
  let mix: u64 = 0
  for (let i: usize = 0; i < 64; i += 8) {
    mix = (mix ^ load<u64>(from + i)) * 0x9e3779b97f4a7c15
    mix ^= mix >> 29
  }
  const entry = HASHES + (usize(mix >> 40) & (HASH_ENTRIES - 1)) * HASH_ENTRY_BYTES
  let difference: u64 = 0
  for (let i: usize = 0; i < 64; i += 8) difference |= load<u64>(from + i) ^ load<u64>(entry + i)
  // An entry never written has a digest of zero limbs.
  if (difference != 0 || load<u64>(entry, 64) == 0) {
    memory.copy(entry, from, 64)
    reverseWord(entry + 64, digest(from, 64))
  }
  copy(word, entry + 64)
}

/** True if the block can run: its entry, gas left, stack. */
// @ts-ignore: decorator
@inline
function fits(entry: u64, gas: u64, sp: usize, base: usize): bool {
  return (
    gas >= (entry & u64(GAS_MASK)) &&
    sp + (usize(entry >> 32) & 0xffff) <= base &&
    sp - usize(entry >> 48) + 32768 >= base
  )
}

/**
 * Prepares a call in the next frame's record.
 * @returns the gas left to this frame, or UNPAYABLE with the lack noted
 */
function prepareCall(frame: usize, sp: usize, kind: u32, gasBefore: u64): u64 {
  let gas = gasBefore
  const hasValue = kind == 0xf1 || kind == 0xf2
  const args = hasValue ? sp + 96 : sp + 64
  const inputOffset = clamp(args)
  const inputSize = clamp(args + 32)
  const outOffset = clamp(args + 64)
  const outSize = clamp(args + 96)
  let cost = expand(frame, inputOffset, inputSize, gas)
  if (cost == UNPAYABLE) return UNPAYABLE
  gas -= cost
  cost = expand(frame, outOffset, outSize, gas)
  if (cost == UNPAYABLE) return UNPAYABLE
  gas -= cost
  const paying = hasValue && !isZero(sp + 64)
  cost = u64(hostCallGas(sp + 32, kind, i32(paying)))
  if (cost > gas) {
    store<u64>(frame, gasBefore - gas + cost, F_LACK)
    return UNPAYABLE
  }
  gas -= cost
  let forwarded = clamp(sp)
  if (load<u32>(KEEPS_GAS) != 0) {
    forwarded = min<u64>(forwarded, gas - (gas >> 6))
  } else if (forwarded > gas) {
    // Before EIP-150 the gas that a call names is part of its price.
    store<u64>(frame, min<u64>(gasBefore - gas, u64.MAX_VALUE - forwarded) + forwarded, F_LACK)
    return UNPAYABLE
  }
  const child = frame + FRAME_BYTES
  store<u64>(child, paying ? forwarded + 2300 : forwarded, F_GAS)
  const start = load<u32>(frame, F_MEMORY)
  store<u32>(child, inputSize == 0 ? start : start + u32(inputOffset), F_INPUT)
  store<u32>(child, u32(inputSize), F_INPUT_SIZE)
  store<u32>(child, outSize == 0 ? start : start + u32(outOffset), F_OUT)
  store<u32>(child, u32(outSize), F_OUT_SIZE)
  store<u32>(child, kind, F_KIND)
  store<u32>(child, load<u32>(frame, F_STATIC) | u32(kind == 0xfa), F_STATIC)
  if (kind == 0xf4) {
    copy(child + F_ADDRESS, frame + F_ADDRESS)
    copy(child + F_CALLER, frame + F_CALLER)
    copy(child + F_VALUE, frame + F_VALUE)
  } else {
    copy(child + F_CALLER, frame + F_ADDRESS)
    if (kind == 0xf2) {
      copy(child + F_ADDRESS, frame + F_ADDRESS)
    } else {
      copy(child + F_ADDRESS, sp + 32)
      store<u32>(child + F_ADDRESS, 0, 20)
      store<u64>(child + F_ADDRESS, 0, 24)
    }
    if (kind == 0xfa) setSmall(child + F_VALUE, 0)
    else copy(child + F_VALUE, sp + 64)
  }
  return gas - forwarded
}

/** Prepares a creation in the next frame's record; results as of `prepareCall`. */
function prepareCreate(frame: usize, sp: usize, kind: u32, gasBefore: u64): u64 {
  let gas = gasBefore
  const offset = clamp(sp + 32)
  const size = clamp(sp + 64)
  let cost = expand(frame, offset, size, gas)
  if (cost == UNPAYABLE) return UNPAYABLE
  gas -= cost
  const wordGas = u64(load<u32>(INIT_WORD_GAS)) + (kind == 0xf5 ? 6 : 0)
  cost = ((size + 31) >> 5) * wordGas
  if (cost > gas) {
    store<u64>(frame, gasBefore - gas + cost, F_LACK)
    return UNPAYABLE
  }
  gas -= cost
  const forwarded = load<u32>(KEEPS_GAS) != 0 ? gas - (gas >> 6) : gas
  const child = frame + FRAME_BYTES
  store<u64>(child, forwarded, F_GAS)
  const start = load<u32>(frame, F_MEMORY)
  store<u32>(child, size == 0 ? start : start + u32(offset), F_INPUT)
  store<u32>(child, u32(size), F_INPUT_SIZE)
  store<u32>(child, 0, F_OUT_SIZE)
  store<u32>(child, kind, F_KIND)
  store<u32>(child, 0, F_STATIC)
  copy(child + F_CALLER, frame + F_ADDRESS)
  copy(child + F_VALUE, sp)
  if (kind == 0xf5) copy(child + F_SALT, sp + 96)
  return gas - forwarded
}

/**
 * Runs the frame of that depth from where its record says, until something must happen outside.
 * @param single one opcode only; for the exact form
 */
function loop<Form>(depth: i32, single: i32): i32 {
  const exact = sizeof<Form>() == 1
  const frame = frameOf(depth)
  const code = usize(load<u32>(frame, F_FAST))
  const info = usize(load<u32>(frame, F_INFO))
  const base = usize(load<u32>(frame, F_BASE))
  const start = usize(load<u32>(frame, F_MEMORY))
  let size = u64(load<u32>(frame, F_MEMORY_SIZE))
  let ip = usize(load<u32>(frame, F_IP))
  let sp = usize(load<u32>(frame, F_SP))
  let gas = load<u64>(frame, F_GAS)
  let jumps = JUMPS_MAX
  let steps: i32 = 0

  if (!exact && load<u8>(ip) != 0x5b) {
    const entry = load<u64>(info + ((ip - code) << 3))
    if (!fits(entry, gas, sp, base)) return leave(frame, ip, sp, gas, FAILING)
    gas -= entry & u64(GAS_MASK)
  }

  while (true) {
    let op: u32
    if (exact) {
      if (single && steps != 0) return leave(frame, ip, sp, gas, STEPPED)
      steps = 1
      const pc = ip - code
      op = pc < usize(load<u32>(frame, F_CODE_SIZE)) ? u32(load<u8>(load<u32>(frame, F_RAW) + pc)) : 0
      const row = OPS + (op << 3)
      store<u64>(frame, 0, F_LACK)
      if (load<u8>(row, 6) == 0) return halt(frame, ip, sp, gas, INVALID_OPCODE)
      const pops = usize(load<u8>(row, 4))
      if (sp + (pops << 5) > base) return halt(frame, ip, sp, gas, STACK_UNDERFLOW)
      if (base - sp + (usize(load<u8>(row, 5)) << 5) - (pops << 5) > 32768) {
        return halt(frame, ip, sp, gas, STACK_OVERFLOW)
      }
      const cost = u64(load<u32>(row))
      if (gas < cost) return starve(frame, ip, sp, gas, cost)
      gas -= cost
    } else {
      op = u32(load<u8>(ip))
    }
    switch (op) {
      case 0x00: { // STOP
        setOutput(0, 0)
        return leave(frame, ip, sp, gas, STOPPED)
      }
      case 0x01: { // ADD
        add(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x02: { // MUL
        mul(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x03: { // SUB
        sub(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x04: { // DIV
        div(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x05: { // SDIV
        sdiv(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x06: { // MOD
        mod(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x07: { // SMOD
        smod(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x08: { // ADDMOD
        addmod(sp, sp + 32, sp + 64, sp + 64)
        sp += 64
        ip++
        continue
      }
      case 0x09: { // MULMOD
        mulmod(sp, sp + 32, sp + 64, sp + 64)
        sp += 64
        ip++
        continue
      }
      case 0x0a: { // EXP
        const cost = byteLength(sp + 32) * u64(load<u32>(EXP_BYTE_GAS))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        exp(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x0b: { // SIGNEXTEND
        signextend(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x10: { // LT
        setSmall(sp + 32, u64(less(sp, sp + 32)))
        sp += 32
        ip++
        continue
      }
      case 0x11: { // GT
        setSmall(sp + 32, u64(less(sp + 32, sp)))
        sp += 32
        ip++
        continue
      }
      case 0x12: { // SLT
        setSmall(sp + 32, u64(lessSigned(sp, sp + 32)))
        sp += 32
        ip++
        continue
      }
      case 0x13: { // SGT
        setSmall(sp + 32, u64(lessSigned(sp + 32, sp)))
        sp += 32
        ip++
        continue
      }
      case 0x14: { // EQ
        setSmall(sp + 32, u64(equal(sp, sp + 32)))
        sp += 32
        ip++
        continue
      }
      case 0x15: { // ISZERO
        setSmall(sp, u64(isZero(sp)))
        ip++
        continue
      }
      case 0x16: { // AND
        store<u64>(sp, load<u64>(sp) & load<u64>(sp, 32), 32)
        store<u64>(sp, load<u64>(sp, 8) & load<u64>(sp, 40), 40)
        store<u64>(sp, load<u64>(sp, 16) & load<u64>(sp, 48), 48)
        store<u64>(sp, load<u64>(sp, 24) & load<u64>(sp, 56), 56)
        sp += 32
        ip++
        continue
      }
      case 0x17: { // OR
        store<u64>(sp, load<u64>(sp) | load<u64>(sp, 32), 32)
        store<u64>(sp, load<u64>(sp, 8) | load<u64>(sp, 40), 40)
        store<u64>(sp, load<u64>(sp, 16) | load<u64>(sp, 48), 48)
        store<u64>(sp, load<u64>(sp, 24) | load<u64>(sp, 56), 56)
        sp += 32
        ip++
        continue
      }
      case 0x18: { // XOR
        store<u64>(sp, load<u64>(sp) ^ load<u64>(sp, 32), 32)
        store<u64>(sp, load<u64>(sp, 8) ^ load<u64>(sp, 40), 40)
        store<u64>(sp, load<u64>(sp, 16) ^ load<u64>(sp, 48), 48)
        store<u64>(sp, load<u64>(sp, 24) ^ load<u64>(sp, 56), 56)
        sp += 32
        ip++
        continue
      }
      case 0x19: { // NOT
        store<u64>(sp, ~load<u64>(sp))
        store<u64>(sp, ~load<u64>(sp, 8), 8)
        store<u64>(sp, ~load<u64>(sp, 16), 16)
        store<u64>(sp, ~load<u64>(sp, 24), 24)
        ip++
        continue
      }
      case 0x1a: { // BYTE
        const index = clamp(sp)
        setSmall(sp + 32, index < 32 ? u64(load<u8>(sp + 63 - usize(index))) : 0)
        sp += 32
        ip++
        continue
      }
      case 0x1b: { // SHL
        shl(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x1c: { // SHR
        shr(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x1d: { // SAR
        sar(sp, sp + 32, sp + 32)
        sp += 32
        ip++
        continue
      }
      case 0x1e: { // CLZ
        setSmall(sp, leadingZeros(sp))
        ip++
        continue
      }
      case 0x20: { // KECCAK256
        const offset = clamp(sp)
        const length = clamp(sp + 32)
        let cost = expand(frame, offset, length, gas)
        if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        gas -= cost
        cost = ((length + 31) >> 5) * 6
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        size = u64(load<u32>(frame, F_MEMORY_SIZE))
        sp += 32
        if (length == 64) digestPair(start + usize(offset), sp)
        else reverseWord(sp, digest(length == 0 ? start : start + usize(offset), usize(length)))
        ip++
        continue
      }
      case 0x30: { // ADDRESS
        sp -= 32
        copy(sp, frame + F_ADDRESS)
        ip++
        continue
      }
      case 0x31: { // BALANCE
        const cost = u64(hostBalance(sp))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        ip++
        continue
      }
      case 0x32: { // ORIGIN
        sp -= 32
        copy(sp, WORD_ORIGIN)
        ip++
        continue
      }
      case 0x33: { // CALLER
        sp -= 32
        copy(sp, frame + F_CALLER)
        ip++
        continue
      }
      case 0x34: { // CALLVALUE
        sp -= 32
        copy(sp, frame + F_VALUE)
        ip++
        continue
      }
      case 0x35: { // CALLDATALOAD
        const offset = clamp(sp)
        const limit = u64(load<u32>(frame, F_INPUT_SIZE))
        const input = usize(load<u32>(frame, F_INPUT))
        if (limit >= 32 && offset <= limit - 32) {
          reverse(sp, input + usize(offset))
        } else {
          copyPadded(sp, input, usize(limit), offset, 32)
          reverse(sp, sp)
        }
        ip++
        continue
      }
      case 0x36: { // CALLDATASIZE
        sp -= 32
        setSmall(sp, u64(load<u32>(frame, F_INPUT_SIZE)))
        ip++
        continue
      }
      case 0x37: // CALLDATACOPY
      case 0x39: // CODECOPY
      case 0x3e: { // RETURNDATACOPY
        const offset = clamp(sp)
        const from = clamp(sp + 32)
        const length = clamp(sp + 64)
        let cost = expand(frame, offset, length, gas)
        if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        gas -= cost
        cost = ((length + 31) >> 5) * 3
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        size = u64(load<u32>(frame, F_MEMORY_SIZE))
        if (op == 0x3e) {
          const limit = u64(returnedSize)
          if (from > limit || length > limit - from) {
            return halt(frame, ip, sp, gas, RETURN_DATA_OUT_OF_BOUNDS)
          }
          if (length != 0) memory.copy(start + usize(offset), returned + usize(from), usize(length))
        } else if (length != 0) {
          const source = op == 0x37 ? load<u32>(frame, F_INPUT) : load<u32>(frame, F_RAW)
          const limit = op == 0x37 ? load<u32>(frame, F_INPUT_SIZE) : load<u32>(frame, F_CODE_SIZE)
          copyPadded(start + usize(offset), source, limit, from, usize(length))
        }
        sp += 96
        ip++
        continue
      }
      case 0x38: { // CODESIZE
        sp -= 32
        setSmall(sp, u64(load<u32>(frame, F_CODE_SIZE)))
        ip++
        continue
      }
      case 0x3a: { // GASPRICE
        sp -= 32
        copy(sp, WORD_GAS_PRICE)
        ip++
        continue
      }
      case 0x3b: { // EXTCODESIZE
        const cost = u64(hostCodeSize(sp))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        ip++
        continue
      }
      case 0x3c: { // EXTCODECOPY
        const offset = clamp(sp + 32)
        const from = clamp(sp + 64)
        const length = clamp(sp + 96)
        let cost = expand(frame, offset, length, gas)
        if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        gas -= cost
        cost = ((length + 31) >> 5) * 3 + u64(hostAccess(sp))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        size = u64(load<u32>(frame, F_MEMORY_SIZE))
        if (length != 0) hostCopyCode(start + usize(offset), f64(from), usize(length))
        sp += 128
        ip++
        continue
      }
      case 0x3d: { // RETURNDATASIZE
        sp -= 32
        setSmall(sp, u64(returnedSize))
        ip++
        continue
      }
      case 0x3f: { // EXTCODEHASH
        const cost = u64(hostCodeHash(sp))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        ip++
        continue
      }
      case 0x40: { // BLOCKHASH
        const wanted = clamp(sp)
        const number = load<u64>(WORD_NUMBER)
        if (wanted >= number || number - wanted > 256) setSmall(sp, 0)
        else hostBlockHash(sp)
        ip++
        continue
      }
      case 0x41: { // COINBASE
        sp -= 32
        copy(sp, WORD_COINBASE)
        ip++
        continue
      }
      case 0x42: { // TIMESTAMP
        sp -= 32
        copy(sp, WORD_TIMESTAMP)
        ip++
        continue
      }
      case 0x43: { // NUMBER
        sp -= 32
        copy(sp, WORD_NUMBER)
        ip++
        continue
      }
      case 0x44: { // PREVRANDAO
        sp -= 32
        copy(sp, WORD_RANDOM)
        ip++
        continue
      }
      case 0x45: { // GASLIMIT
        sp -= 32
        copy(sp, WORD_GAS_LIMIT)
        ip++
        continue
      }
      case 0x46: { // CHAINID
        sp -= 32
        copy(sp, WORD_CHAIN_ID)
        ip++
        continue
      }
      case 0x47: { // SELFBALANCE
        sp -= 32
        hostSelfBalance(sp)
        ip++
        continue
      }
      case 0x48: { // BASEFEE
        sp -= 32
        copy(sp, WORD_BASE_FEE)
        ip++
        continue
      }
      case 0x49: { // BLOBHASH
        hostBlobHash(sp)
        ip++
        continue
      }
      case 0x4a: { // BLOBBASEFEE
        sp -= 32
        copy(sp, WORD_BLOB_BASE_FEE)
        ip++
        continue
      }
      case 0x50: { // POP
        sp += 32
        ip++
        continue
      }
      case 0x51: { // MLOAD
        const offset = clamp(sp)
        if (size < 32 || offset > size - 32) {
          const cost = expand(frame, offset, 32, gas)
          if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
          gas -= cost
          size = u64(load<u32>(frame, F_MEMORY_SIZE))
        }
        reverse(sp, start + usize(offset))
        ip++
        continue
      }
      case 0x52: { // MSTORE
        const offset = clamp(sp)
        if (size < 32 || offset > size - 32) {
          const cost = expand(frame, offset, 32, gas)
          if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
          gas -= cost
          size = u64(load<u32>(frame, F_MEMORY_SIZE))
        }
        reverseWord(start + usize(offset), sp + 32)
        sp += 64
        ip++
        continue
      }
      case 0x53: { // MSTORE8
        const offset = clamp(sp)
        if (offset >= size) {
          const cost = expand(frame, offset, 1, gas)
          if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
          gas -= cost
          size = u64(load<u32>(frame, F_MEMORY_SIZE))
        }
        store<u8>(start + usize(offset), load<u8>(sp, 32))
        sp += 64
        ip++
        continue
      }
      case 0x54: { // SLOAD
        const cost = u64(hostSload(sp))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        ip++
        continue
      }
      case 0x55: { // SSTORE
        if (load<u32>(frame, F_STATIC)) return halt(frame, ip, sp, gas, WRITE_PROTECTION)
        // EIP-2200: not within the stipend of a transfer.
        const least = u64(load<u32>(STORE_GAS_MIN))
        if (gas < least) return starve(frame, ip, sp, gas, least)
        const cost = u64(hostSstore(sp, sp + 32))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        sp += 64
        ip++
        break
      }
      case 0x56: { // JUMP
        const target = clamp(sp)
        sp += 32
        if (target >= u64(load<u32>(frame, F_CODE_SIZE))) {
          return halt(frame, ip, sp - 32, gas, INVALID_JUMP)
        }
        const entry = load<u64>(info + (usize(target) << 3))
        if ((u32(entry) & JUMPDEST_FLAG) == 0) return halt(frame, ip, sp - 32, gas, INVALID_JUMP)
        ip = code + usize(target)
        if (--jumps == 0) return leave(frame, ip, sp, gas, YIELDED)
        if (exact) continue
        if (!fits(entry, gas, sp, base)) return leave(frame, ip, sp, gas, FAILING)
        gas -= entry & u64(GAS_MASK)
        ip++
        continue
      }
      case 0x57: { // JUMPI
        const target = clamp(sp)
        const taken = !isZero(sp + 32)
        sp += 64
        if (taken) {
          if (target >= u64(load<u32>(frame, F_CODE_SIZE))) {
            return halt(frame, ip, sp - 64, gas, INVALID_JUMP)
          }
          const entry = load<u64>(info + (usize(target) << 3))
          if ((u32(entry) & JUMPDEST_FLAG) == 0) {
            return halt(frame, ip, sp - 64, gas, INVALID_JUMP)
          }
          ip = code + usize(target)
          if (--jumps == 0) return leave(frame, ip, sp, gas, YIELDED)
          if (exact) continue
          if (!fits(entry, gas, sp, base)) return leave(frame, ip, sp, gas, FAILING)
          gas -= entry & u64(GAS_MASK)
          ip++
          continue
        }
        ip++
        break
      }
      case 0x58: { // PC
        sp -= 32
        setSmall(sp, u64(ip - code))
        ip++
        continue
      }
      case 0x59: { // MSIZE
        sp -= 32
        setSmall(sp, size)
        ip++
        continue
      }
      case 0x5a: { // GAS
        sp -= 32
        setSmall(sp, gas)
        ip++
        break
      }
      case 0x5b: { // JUMPDEST
        if (!exact) {
          const entry = load<u64>(info + ((ip - code) << 3))
          if (!fits(entry, gas, sp, base)) return leave(frame, ip, sp, gas, FAILING)
          gas -= entry & u64(GAS_MASK)
        }
        ip++
        continue
      }
      case 0x5c: { // TLOAD
        hostTload(sp)
        ip++
        continue
      }
      case 0x5d: { // TSTORE
        if (load<u32>(frame, F_STATIC)) return halt(frame, ip, sp, gas, WRITE_PROTECTION)
        hostTstore(sp, sp + 32)
        sp += 64
        ip++
        continue
      }
      case 0x5e: { // MCOPY
        const to = clamp(sp)
        const from = clamp(sp + 32)
        const length = clamp(sp + 64)
        let cost = expand(frame, max<u64>(to, from), length, gas)
        if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        gas -= cost
        cost = ((length + 31) >> 5) * 3
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        size = u64(load<u32>(frame, F_MEMORY_SIZE))
        if (length != 0) memory.copy(start + usize(to), start + usize(from), usize(length))
        sp += 96
        ip++
        continue
      }
      case 0x5f: { // PUSH0
        sp -= 32
        setSmall(sp, 0)
        ip++
        continue
      }
      case 0x60: { // PUSH1
        sp -= 32
        setSmall(sp, u64(load<u8>(ip, 1)))
        ip += 2
        continue
      }
      case 0x61: { // PUSH2
        sp -= 32
        setSmall(sp, u64(load<u16>(ip, 1)))
        ip += 3
        continue
      }
      case 0x62: { // PUSH3
        sp -= 32
        setSmall(sp, u64(load<u32>(ip, 1) & 0xffffff))
        ip += 4
        continue
      }
      case 0x63: { // PUSH4
        sp -= 32
        setSmall(sp, u64(load<u32>(ip, 1)))
        ip += 5
        continue
      }
      case 0x64: case 0x65: case 0x66: case 0x67: case 0x68: case 0x69: case 0x6a: case 0x6b:
      case 0x6c: case 0x6d: case 0x6e: case 0x6f: case 0x70: case 0x71: case 0x72: case 0x73:
      case 0x74: case 0x75: case 0x76: case 0x77: case 0x78: case 0x79: case 0x7a: case 0x7b:
      case 0x7c: case 0x7d: case 0x7e: case 0x7f: { // PUSH5 to PUSH32
        const count = usize(op) - 0x5f
        const mask = MASKS + 32 - count
        sp -= 32
        v128.store(sp, v128.and(v128.load(ip, 1), v128.load(mask)))
        v128.store(sp, v128.and(v128.load(ip, 17), v128.load(mask, 16)), 16)
        ip += count + 1
        continue
      }
      case 0x80: case 0x81: case 0x82: case 0x83: case 0x84: case 0x85: case 0x86: case 0x87:
      case 0x88: case 0x89: case 0x8a: case 0x8b: case 0x8c: case 0x8d: case 0x8e: case 0x8f: { // DUP
        const from = sp + ((usize(op) - 0x80) << 5)
        sp -= 32
        copy(sp, from)
        ip++
        continue
      }
      case 0x90: case 0x91: case 0x92: case 0x93: case 0x94: case 0x95: case 0x96: case 0x97:
      case 0x98: case 0x99: case 0x9a: case 0x9b: case 0x9c: case 0x9d: case 0x9e: case 0x9f: { // SWAP
        const other = sp + ((usize(op) - 0x8f) << 5)
        const w0 = load<u64>(sp)
        const w1 = load<u64>(sp, 8)
        const w2 = load<u64>(sp, 16)
        const w3 = load<u64>(sp, 24)
        copy(sp, other)
        store<u64>(other, w0)
        store<u64>(other, w1, 8)
        store<u64>(other, w2, 16)
        store<u64>(other, w3, 24)
        ip++
        continue
      }
      case 0xa0: case 0xa1: case 0xa2: case 0xa3: case 0xa4: { // LOG
        const offset = clamp(sp)
        const length = clamp(sp + 32)
        if (load<u32>(frame, F_STATIC)) return halt(frame, ip, sp, gas, WRITE_PROTECTION)
        let cost = expand(frame, offset, length, gas)
        if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        gas -= cost
        cost = length << 3
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        size = u64(load<u32>(frame, F_MEMORY_SIZE))
        const topics = op - 0xa0
        hostLog(sp + 64, i32(topics), length == 0 ? start : start + usize(offset), usize(length))
        sp += 64 + (usize(topics) << 5)
        ip++
        continue
      }
      case 0xf1: // CALL
      case 0xf2: // CALLCODE
      case 0xf4: // DELEGATECALL
      case 0xfa: { // STATICCALL
        if (op == 0xf1 && load<u32>(frame, F_STATIC) && !isZero(sp + 64)) {
          return halt(frame, ip, sp, gas, WRITE_PROTECTION)
        }
        const left = prepareCall(frame, sp, op, gas)
        if (left == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        return leave(frame, ip + 1, sp + (op == 0xf1 || op == 0xf2 ? 224 : 192), left, CALLING)
      }
      case 0xf0: // CREATE
      case 0xf5: { // CREATE2
        if (load<u32>(frame, F_STATIC)) return halt(frame, ip, sp, gas, WRITE_PROTECTION)
        if (clamp(sp + 64) > u64(load<u32>(INIT_BYTES_MAX))) {
          return halt(frame, ip, sp, gas, HALT + 12)
        }
        const left = prepareCreate(frame, sp, op, gas)
        if (left == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        return leave(frame, ip + 1, sp + (op == 0xf0 ? 96 : 128), left, CREATING)
      }
      case 0xf3: // RETURN
      case 0xfd: { // REVERT
        const offset = clamp(sp)
        const length = clamp(sp + 32)
        const cost = expand(frame, offset, length, gas)
        if (cost == UNPAYABLE) return halt(frame, ip, sp, gas, OUT_OF_GAS)
        gas -= cost
        setOutput(length == 0 ? start : start + usize(offset), usize(length))
        return leave(frame, ip, sp + 64, gas, op == 0xf3 ? RETURNED : REVERTED)
      }
      case 0xff: { // SELFDESTRUCT
        if (load<u32>(frame, F_STATIC)) return halt(frame, ip, sp, gas, WRITE_PROTECTION)
        const cost = u64(hostDestructGas(sp))
        if (gas < cost) return starve(frame, ip, sp, gas, cost)
        gas -= cost
        hostDestruct(sp)
        setOutput(0, 0)
        return leave(frame, ip, sp + 32, gas, STOPPED)
      }
      default:
        return halt(frame, ip, sp, gas, INVALID_OPCODE)
    }
    // An opcode that ends a block ran on: the next block begins here. JUMPDEST charges for itself.
    if (!exact && load<u8>(ip) != 0x5b) {
      const entry = load<u64>(info + ((ip - code) << 3))
      if (!fits(entry, gas, sp, base)) return leave(frame, ip, sp, gas, FAILING)
      gas -= entry & u64(GAS_MASK)
    }
  }
}

/** Runs a frame block by block. */
export function run(depth: i32): i32 {
  return loop<u16>(depth, 0)
}

/** Runs a frame opcode by opcode; with `single`, one opcode. */
export function walk(depth: i32, single: i32): i32 {
  return loop<u8>(depth, single)
}
