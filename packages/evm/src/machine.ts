/**
 * One instance of the engine with what drives it: frames, calls and creations, the host functions
 * behind opcodes that need the world, and the analysed code that stays between transactions.
 *
 * A machine runs one message at a time, of any world; its fork is fixed. Frames are an explicit stack, so
 * that a program's depth never meets the limits of the JavaScript stack.
 */

import { type Address, type Hash, NO_BYTES } from './bytes.ts'
import {
  type BlockContext,
  HALTS,
  type Halt,
  type Message,
  type Outcome,
  type Status,
  type TransactionContext,
} from './context.ts'
import { create2Address, createAddress } from './create-address.ts'
import { delegateOf } from './delegation.ts'
import { WASM_BASE64 } from './engine.generated.ts'
import { EvmError } from './error.ts'
import { type Fork, isAtLeast } from './fork.ts'
import {
  type AddressKey,
  addressOfKey,
  bigIntOfKey,
  hashOfKey,
  type WordKey,
  wordKey,
} from './key.ts'
import {
  ARENA,
  CALLING,
  CODES,
  CONTEXT,
  CREATING,
  EXP_BYTE_GAS,
  F_ADDRESS,
  F_BASE,
  F_CALLER,
  F_CODE_SIZE,
  F_FAST,
  F_GAS,
  F_INPUT,
  F_INPUT_SIZE,
  F_IP,
  F_KIND,
  F_LACK,
  F_MEMORY,
  F_MEMORY_SIZE,
  F_OUT_SIZE,
  F_RAW,
  F_SALT,
  F_SP,
  F_STATIC,
  F_VALUE,
  FAILING,
  FRAME_BYTES,
  FRAMES,
  HALT,
  INIT_BYTES_MAX,
  INIT_WORD_GAS,
  KEEPS_GAS,
  OPS,
  RETURNED,
  REVERTED,
  STACKS_TOP,
  STEPPED,
  STOPPED,
  STORE_GAS_MIN,
  YIELDED,
} from './layout.ts'
import { LinearMemory } from './linear-memory.ts'
import { opcodeTable } from './opcodes.ts'
import type { Precompile } from './precompiles/index.ts'
import { storagePricesOf } from './storage-gas.ts'
import type { FrameType, Step, Tracer } from './tracer.ts'
import { compileModule, instantiate, type WasmMemory } from './webassembly.ts'
import { type Account, EMPTY_CODE_HASH, type WorldState } from './world-state.ts'

/** What stays the same for all messages of a block. */
export interface Setting {
  readonly fork: Fork
  readonly world: WorldState
  readonly block: BlockContext
  /** Words of the block in the order of the engine's context, from the third on. */
  readonly blockWords: Uint8Array
  readonly precompiles: ReadonlyMap<AddressKey, Precompile>
  /** Mostly the same. */
  readonly warmPrecompiles: ReadonlyMap<AddressKey, Precompile>
  readonly tracer: Tracer | undefined
  readonly pulse: (() => void) | undefined
}

export interface Machine {
  run(setting: Setting, message: Message, transaction: TransactionContext): Outcome
  /** Bytes of linear memory. */
  memoryBytes(): number
}

interface Engine {
  readonly memory: WasmMemory
  run(depth: number): number
  walk(depth: number, single: number): number
  analyse(raw: number, size: number): void
  analysisBytes(size: number): number
  ensure(end: number): void
  openFrame(depth: number, sp: number, raw: number, size: number, at: number): void
  finishCall(depth: number, success: number, at: number, size: number): void
  finishCreate(depth: number, success: number, at: number, size: number): void
  charge(depth: number, gas: number): number
  outputAt(): number
  outputBytes(): number
  returnedAt(): number
  returnedBytes(): number
}

/** Frames below the outermost one: a call at this depth fails. */
const CALL_DEPTH_MAX = 1024
/** EIP-170. */
const CODE_BYTES_MAX = 24_576
/** EIP-3860. */
const INIT_CODE_BYTES_MAX = 49_152
/** Gas a byte of deployed code costs. */
const CODE_BYTE_GAS = 200
/** EIP-2929: a first access to an account costs 2,600, the later ones 100, which the opcode's row has. */
const COLD_ACCOUNT_GAS = 2500
const COLD_SLOT_GAS = 2000
/** EIP-2929: what an account accessed before costs. */
const WARM_GAS = 100
/** For a contract's removal, until EIP-3529. */
const DESTRUCT_REFUND = 24_000
/** EIP-2200: an SSTORE wants more left than the stipend of a transfer. */
const STORE_GAS_LEAST = 2301
const CALL_VALUE_GAS = 9000
const NEW_ACCOUNT_GAS = 25_000
/** Between two calls of `pulse`: frames entered, or opcodes traced. */
const PULSE_INTERVAL = 1024
/** A precompiled contract that costs as much may take a millisecond: `pulse` comes before it as well. */
const PULSE_GAS = 1_000n
/** Topics whose text is kept. */
const TOPICS_MAX = 4096
const NONCE_MAX = (1n << 64n) - 1n

const OP_CALL = 0xf1
const OP_CALLCODE = 0xf2
const OP_STATICCALL = 0xfa
const OP_CREATE2 = 0xf5

const FRAME_TYPES: Readonly<Record<number, FrameType>> = {
  240: 'CREATE',
  241: 'CALL',
  242: 'CALLCODE',
  244: 'DELEGATECALL',
  245: 'CREATE2',
  250: 'STATICCALL',
}

/** What the driver keeps of a frame beside its record in linear memory. */
class Frame {
  /** Whose storage it uses. */
  account: Account | undefined = undefined
  checkpoint: number = 0
  isCreation: boolean = false
  /** True once a block did not fit: the frame goes on opcode by opcode. */
  isExact: boolean = false
  /** Gas it started with; for tracers only. */
  gas: bigint = 0n
}

let compiled: object | undefined

export function createMachine(fork: Fork): Machine {
  const hasDelegation = isAtLeast(fork, 'prague')
  const destroysCreatedOnly = isAtLeast(fork, 'cancun')
  const limitsInitCode = isAtLeast(fork, 'shanghai')
  const refundsDestruct = !isAtLeast(fork, 'london')
  const refusesPrefix = isAtLeast(fork, 'london')
  const chargesAccess = isAtLeast(fork, 'berlin')
  const coldAccountGas = chargesAccess ? COLD_ACCOUNT_GAS : 0
  const coldSlotGas = chargesAccess ? COLD_SLOT_GAS : 0
  const warmGas = chargesAccess ? WARM_GAS : 0
  const clearsEmpty = isAtLeast(fork, 'spuriousDragon')
  const chargesDestruct = isAtLeast(fork, 'tangerineWhistle')
  const needsDeposit = isAtLeast(fork, 'homestead')
  const prices = storagePricesOf(fork)

  // The running message.
  let setting!: Setting
  let world!: WorldState
  let tracer: Tracer | undefined
  let isStepping = false
  let blobHashes: readonly Hash[] = []
  let depth = 0
  let account!: Account
  let countdown = PULSE_INTERVAL
  const frames: Frame[] = Array.from({ length: CALL_DEPTH_MAX + 3 }, () => new Frame())

  // How the outermost frame ended, when it did.
  let lastStatus: Status = 'success'
  let lastAt = 0
  let lastSize = 0

  // Answers of one host function that the next one needs.
  let callee!: Account
  let calleeCode!: Account
  let accessed!: Account

  // Analysed code by hash: where it lies.
  const codes = new Map<Hash, number>()
  let codesEnd = CODES
  // Text of topics seen lately.
  const topics = new Map<WordKey, Hash>()

  compiled ??= compileModule(WASM_BASE64)
  const engine = instantiate<Engine>(compiled, {
    host: {
      memoryLimit,
      balance: hostBalance,
      codeSize: hostCodeSize,
      codeHash: hostCodeHash,
      access: hostAccess,
      copyCode: hostCopyCode,
      selfBalance: hostSelfBalance,
      blockHash: hostBlockHash,
      blobHash: hostBlobHash,
      sload: hostSload,
      sstore: hostSstore,
      tload: hostTload,
      tstore: hostTstore,
      log: hostLog,
      destructGas: hostDestructGas,
      destruct: hostDestruct,
      callGas: hostCallGas,
    },
  })
  const memory = new LinearMemory(engine.memory)
  memory.u8.set(opcodeTable(fork), OPS)
  memory.u32[INIT_WORD_GAS >> 2] = limitsInitCode ? 2 : 0
  memory.u32[INIT_BYTES_MAX >> 2] = limitsInitCode ? INIT_CODE_BYTES_MAX : 0xffffffff
  memory.u32[EXP_BYTE_GAS >> 2] = clearsEmpty ? 50 : 10
  memory.u32[STORE_GAS_MIN >> 2] = isAtLeast(fork, 'istanbul') ? STORE_GAS_LEAST : 0
  memory.u32[KEEPS_GAS >> 2] = chargesDestruct ? 1 : 0

  return { run, memoryBytes: () => engine.memory.buffer.byteLength }

  function run(next: Setting, message: Message, transaction: TransactionContext): Outcome {
    setting = next
    world = next.world
    tracer = next.tracer
    isStepping = tracer?.step !== undefined || tracer?.stepEnd !== undefined
    blobHashes = transaction.blobVersionedHashes
    countdown = PULSE_INTERVAL
    memory.fresh()
    if (codesEnd > CODES + ((ARENA - CODES) * 3) / 4) forgetCodes()
    memory.u8.set(next.blockWords, CONTEXT + 64)
    memory.writeKey(CONTEXT, world.accountAt(transaction.origin).key)
    memory.writeWord(CONTEXT + 32, transaction.gasPrice)

    const checkpoint = world.checkpoint()
    try {
      return message.to === undefined ? runCreation(message) : runCall(message, message.to)
    } catch (error) {
      world.revertTo(checkpoint)
      throw error
    }
  }

  /** Fills the record of frame 1 and places its input; answers where the frame's arena begins. */
  function openMessage(message: Message, kind: number, address: AddressKey): number {
    const record = FRAMES + FRAME_BYTES
    const size = message.data.length
    engine.ensure(ARENA + size + 64)
    memory.fresh()
    memory.u8.set(message.data, ARENA)
    memory.u64[(record + F_GAS) >> 3] = message.gas
    memory.u32[(record + F_INPUT) >> 2] = ARENA
    memory.u32[(record + F_INPUT_SIZE) >> 2] = size
    memory.u32[(record + F_STATIC) >> 2] = message.isStatic === true ? 1 : 0
    memory.u32[(record + F_KIND) >> 2] = kind
    memory.u32[(record + F_OUT_SIZE) >> 2] = 0
    memory.writeKey(record + F_ADDRESS, address)
    memory.writeKey(record + F_CALLER, world.accountAt(message.caller).key)
    memory.writeWord(record + F_VALUE, message.value)
    return ARENA + align(size)
  }

  function runCall(message: Message, to: Address): Outcome {
    callee = world.accountAt(to)
    calleeCode = callee
    if (hasDelegation && message.code === undefined) {
      const delegate = delegateOf(world.codeOf(callee))
      if (delegate !== undefined) {
        calleeCode = world.accountAt(delegate)
        world.warm(calleeCode)
      }
    }
    const at = openMessage(message, message.isStatic === true ? OP_STATICCALL : OP_CALL, callee.key)
    depth = 0
    account = world.accountAt(message.caller)
    const started = startCall(1, STACKS_TOP, at, message.code)
    return started ? drive() : lastOutcome(undefined)
  }

  function runCreation(message: Message): Outcome {
    depth = 0
    account = world.accountAt(message.caller)
    const created = world.accountAt(createAddress(message.caller, account.nonce - 1n))
    const at = openMessage(message, 0xf0, created.key)
    const started = startCreate(1, created, STACKS_TOP, at)
    return started ? drive() : lastOutcome(undefined)
  }

  function lastOutcome(created: Address | undefined): Outcome {
    memory.fresh()
    return {
      status: lastStatus,
      gasLeft: memory.u64[(FRAMES + FRAME_BYTES + F_GAS) >> 3]!,
      gasRefund: world.refund(),
      output: lastSize === 0 ? NO_BYTES : memory.u8.slice(lastAt, lastAt + lastSize),
      created: lastStatus === 'success' ? created : undefined,
    }
  }

  /** Runs frame 1, which was started, and all below it to the end. */
  function drive(): Outcome {
    for (;;) {
      const reason = enter()
      switch (reason) {
        case CALLING: {
          const record = recordOf(depth)
          startCall(depth + 1, memory.u32[(record + F_SP) >> 2]!, topOf(depth), undefined)
          break
        }
        case CREATING:
          startNestedCreate(depth + 1)
          break
        case YIELDED:
          setting.pulse?.()
          break
        case FAILING:
          frames[depth]!.isExact = true
          break
        default: {
          const created = frames[1]!.account!
          const isCreation = frames[1]!.isCreation
          endFrame(reason)
          if (depth === 0) return lastOutcome(isCreation ? created.address : undefined)
        }
      }
      if (--countdown === 0) beat()
    }
  }

  function beat(): void {
    countdown = PULSE_INTERVAL
    setting.pulse?.()
  }

  function enter(): number {
    const reason = isStepping
      ? traceSteps()
      : frames[depth]!.isExact
        ? engine.walk(depth, 0)
        : engine.run(depth)
    memory.fresh()
    return reason
  }

  // Frames.

  function recordOf(of: number): number {
    return FRAMES + of * FRAME_BYTES
  }

  /** First free byte above a frame's memory; what the message brought for frame 0. */
  function topOf(of: number): number {
    const record = recordOf(of)
    return memory.u32[(record + F_MEMORY) >> 2]! + memory.u32[(record + F_MEMORY_SIZE) >> 2]!
  }

  /**
   * Starts the call whose record is filled and whose `callee` and `calleeCode` are known.
   * @param at free linear memory
   * @returns false if it ended at once
   */
  function startCall(
    child: number,
    sp: number,
    at: number,
    override: Uint8Array | undefined,
  ): boolean {
    const record = recordOf(child)
    const kind = memory.u32[(record + F_KIND) >> 2]!
    const target = callee
    const source = calleeCode
    const frame = frames[child]!
    frame.isCreation = false
    if (tracer !== undefined) traceEnter(child, kind, target.address)

    const movesValue = kind === OP_CALL || kind === OP_CALLCODE
    const value = movesValue ? memory.readWord(record + F_VALUE) : 0n
    if (child > CALL_DEPTH_MAX + 1) return finishEarly(child, 'callDepth', at)
    if (value > account.balance) return finishEarly(child, 'insufficientBalance', at)

    const checkpoint = world.checkpoint()
    if (kind === OP_CALL) {
      if (value !== 0n) world.transfer(account, target, value)
      else if (target.exists) world.touch(target)
      // Before EIP-161 whatever was called came into being.
      else if (!clearsEmpty) world.changeBalance(target, 0n)
    } else if (kind === OP_STATICCALL && target.exists) {
      world.touch(target)
    }

    if (source === target && override === undefined) {
      const precompile = setting.precompiles.get(target.key)
      if (precompile !== undefined) return runPrecompile(child, precompile, checkpoint, at)
    }
    const code = override ?? world.codeOf(source)
    if (code.length === 0) {
      finish(child, 'success', at, 0)
      return false
    }
    frame.account = kind === OP_CALL || kind === OP_STATICCALL ? target : account
    frame.checkpoint = checkpoint
    const raw = override === undefined ? placeKept(source.codeHash, code) : 0
    if (raw !== 0) engine.openFrame(child, sp, raw, code.length, at)
    else openOnArena(child, sp, code, at)
    begin(child)
    return true
  }

  /** Analyses code that is not kept into the arena, and lets the frame's memory begin above it. */
  function openOnArena(child: number, sp: number, code: Uint8Array, at: number): void {
    const bytes = align(engine.analysisBytes(code.length))
    engine.ensure(at + bytes + 64)
    memory.fresh()
    memory.u8.set(code, at)
    engine.analyse(at, code.length)
    engine.openFrame(child, sp, at, code.length, at + bytes)
  }

  function begin(child: number): void {
    const frame = frames[child]!
    depth = child
    account = frame.account!
    frame.isExact = false
  }

  function runPrecompile(
    child: number,
    precompile: Precompile,
    checkpoint: number,
    at: number,
  ): boolean {
    const record = recordOf(child)
    const start = memory.u32[(record + F_INPUT) >> 2]!
    const input = memory.u8.slice(start, start + memory.u32[(record + F_INPUT_SIZE) >> 2]!)
    const gas = memory.u64[(record + F_GAS) >> 3]!
    const cost = precompile.gas(input)
    if (cost >= PULSE_GAS) setting.pulse?.()
    const output = cost <= gas ? precompile.run(input) : undefined
    if (output === undefined) {
      world.revertTo(checkpoint)
      memory.u64[(record + F_GAS) >> 3] = 0n
      finish(child, cost <= gas ? 'precompileFailure' : 'outOfGas', at, 0)
      return false
    }
    memory.u64[(record + F_GAS) >> 3] = gas - cost
    engine.ensure(at + output.length + 64)
    memory.fresh()
    memory.u8.set(output, at)
    finish(child, 'success', at, output.length)
    return false
  }

  /** A call or creation that never starts: its gas comes back. */
  function finishEarly(child: number, halt: Halt, at: number): false {
    finish(child, halt, at, 0)
    return false
  }

  /** Hands the result of a frame, or of what never became one, to the frame above it. */
  function finish(child: number, status: Status, at: number, size: number): void {
    const frame = frames[child]!
    if (tracer?.exit !== undefined) {
      const gasUsed = frame.gas - memory.u64[(recordOf(child) + F_GAS) >> 3]!
      tracer.exit({ depth: child, status, gasUsed, output: memory.u8.slice(at, at + size) })
    }
    depth = child - 1
    if (depth === 0) {
      lastStatus = status
      lastAt = at
      lastSize = size
      return
    }
    account = frames[depth]!.account!
    const success = status === 'success' ? 1 : 0
    if (frame.isCreation) {
      engine.finishCreate(depth, success, at, success === 1 ? 0 : size)
    } else {
      engine.finishCall(depth, success, at, size)
    }
    memory.fresh()
  }

  /** The running frame ended for this reason. */
  function endFrame(reason: number): void {
    const child = depth
    const frame = frames[child]!
    const record = recordOf(child)
    if (reason === STOPPED || reason === RETURNED) {
      const size = frame.isCreation ? depositSize(engine.outputBytes()) : engine.outputBytes()
      const halt = frame.isCreation ? deposit(frame.account!, engine.outputAt(), size) : undefined
      if (halt === undefined) {
        finish(child, 'success', engine.outputAt(), size)
        return
      }
      world.revertTo(frame.checkpoint)
      memory.u64[(record + F_GAS) >> 3] = 0n
      finish(child, halt, topOf(child), 0)
      return
    }
    world.revertTo(frame.checkpoint)
    if (reason === REVERTED) {
      finish(child, 'revert', engine.outputAt(), engine.outputBytes())
      return
    }
    memory.u64[(record + F_GAS) >> 3] = 0n
    finish(child, HALTS[reason - HALT]!, topOf(child), 0)
  }

  // Creations.

  function startNestedCreate(child: number): boolean {
    const record = recordOf(child)
    const parent = recordOf(depth)
    const nonce = account.nonce
    const kind = memory.u32[(record + F_KIND) >> 2]!
    const at = topOf(depth)
    let address: Address
    if (kind === OP_CREATE2) {
      const start = memory.u32[(record + F_INPUT) >> 2]!
      const init = memory.u8.subarray(start, start + memory.u32[(record + F_INPUT_SIZE) >> 2]!)
      address = create2Address(account.address, hashOfKey(memory.readKey(record + F_SALT)), init)
    } else {
      address = createAddress(account.address, nonce)
    }
    const frame = frames[child]!
    frame.isCreation = true
    const created = world.accountAt(address)
    memory.writeKey(record + F_ADDRESS, created.key)
    if (tracer !== undefined) traceEnter(child, kind, address)
    if (child > CALL_DEPTH_MAX + 1) return finishEarly(child, 'callDepth', at)
    if (memory.readWord(record + F_VALUE) > account.balance) {
      return finishEarly(child, 'insufficientBalance', at)
    }
    if (nonce === NONCE_MAX) return finishEarly(child, 'nonceOverflow', at)
    world.changeNonce(account, nonce + 1n)
    return startInitCode(child, created, memory.u32[(parent + F_SP) >> 2]!, at)
  }

  /** The outermost creation, of a sender whose nonce was raised before. */
  function startCreate(child: number, created: Account, sp: number, at: number): boolean {
    frames[child]!.isCreation = true
    if (tracer !== undefined) traceEnter(child, 0xf0, created.address)
    if (memory.readWord(recordOf(child) + F_VALUE) > account.balance) {
      return finishEarly(child, 'insufficientBalance', at)
    }
    return startInitCode(child, created, sp, at)
  }

  function startInitCode(child: number, created: Account, sp: number, at: number): boolean {
    const record = recordOf(child)
    const frame = frames[child]!
    world.warm(created)
    if (world.isOccupied(created)) {
      memory.u64[(record + F_GAS) >> 3] = 0n
      finish(child, 'createCollision', at, 0)
      return false
    }
    frame.account = created
    frame.checkpoint = world.checkpoint()
    world.markCreated(created)
    // EIP-161.
    if (clearsEmpty) world.changeNonce(created, 1n)
    world.transfer(account, created, memory.readWord(record + F_VALUE))
    const start = memory.u32[(record + F_INPUT) >> 2]!
    const code = memory.u8.slice(start, start + memory.u32[(record + F_INPUT_SIZE) >> 2]!)
    // Init code is its frame's code; as call data it sees nothing.
    memory.u32[(record + F_INPUT_SIZE) >> 2] = 0
    openOnArena(child, sp, code, at)
    begin(child)
    return true
  }

  /** EIP-2: until Homestead a contract that could not pay for its code became one without code. */
  function depositSize(size: number): number {
    if (needsDeposit) return size
    const gas = memory.u64[(recordOf(depth) + F_GAS) >> 3]!
    return BigInt(size * CODE_BYTE_GAS) > gas ? 0 : size
  }

  /** Stores what init code returned; the reason if it may not be. */
  function deposit(created: Account, at: number, size: number): Halt | undefined {
    if (clearsEmpty && size > CODE_BYTES_MAX) return 'codeSizeLimit'
    // EIP-3541.
    if (refusesPrefix && size > 0 && memory.u8[at] === 0xef) return 'invalidCodePrefix'
    if (engine.charge(depth, size * CODE_BYTE_GAS) === 0) return 'outOfGas'
    world.changeCode(created, memory.u8.slice(at, at + size))
    return undefined
  }

  // Code that stays between transactions.

  /** Where the analysed code lies; 0 if there is no room for it. */
  function placeKept(hash: Hash, code: Uint8Array): number {
    const kept = codes.get(hash)
    if (kept !== undefined) return kept
    const bytes = align(engine.analysisBytes(code.length))
    if (codesEnd + bytes > ARENA) return 0
    const at = codesEnd
    codesEnd += bytes
    memory.u8.set(code, at)
    engine.analyse(at, code.length)
    codes.set(hash, at)
    return at
  }

  function forgetCodes(): void {
    codes.clear()
    codesEnd = CODES
  }

  // Host functions: see engine/engine.ts.

  function memoryLimit(): never {
    throw new EvmError('EVM_MEMORY_LIMIT', 'the program needs over a gibibyte of memory')
  }

  /** Account named by a word, and the gas of accessing it. */
  function accessGas(word: number): number {
    memory.fresh()
    accessed = world.accountOf(memory.readAddressKey(word))
    return firstAccessGas(accessed, coldAccountGas)
  }

  function firstAccessGas(of: Account, cold: number): number {
    return world.warm(of) || setting.warmPrecompiles.has(of.key) ? 0 : cold
  }

  function hostBalance(word: number): number {
    const gas = accessGas(word)
    memory.writeWord(word, accessed.balance)
    return gas
  }

  function hostCodeSize(word: number): number {
    const gas = accessGas(word)
    memory.writeSmall(word, world.codeOf(accessed).length)
    return gas
  }

  function hostCodeHash(word: number): number {
    const gas = accessGas(word)
    const { exists, codeHash } = accessed
    if (!exists || (codeHash === EMPTY_CODE_HASH && accessed.isEmpty())) memory.writeSmall(word, 0)
    else memory.writeKey(word, wordKey(codeHash))
    return gas
  }

  function hostAccess(word: number): number {
    return accessGas(word)
  }

  function hostCopyCode(to: number, offset: number, size: number): void {
    memory.fresh()
    const code = world.codeOf(accessed)
    const part = offset < code.length ? code.subarray(offset, offset + size) : NO_BYTES
    memory.u8.set(part, to)
    memory.u8.fill(0, to + part.length, to + size)
  }

  function hostSelfBalance(word: number): void {
    memory.fresh()
    memory.writeWord(word, account.balance)
  }

  function hostBlockHash(word: number): void {
    memory.fresh()
    memory.writeKey(word, wordKey(setting.block.blockHash(Number(memory.readWord(word)))))
  }

  function hostBlobHash(word: number): void {
    memory.fresh()
    const index = memory.readWord(word)
    const hash = index < BigInt(blobHashes.length) ? blobHashes[Number(index)] : undefined
    if (hash === undefined) memory.writeSmall(word, 0)
    else memory.writeKey(word, wordKey(hash))
  }

  function hostSload(word: number): number {
    memory.fresh()
    const slot = world.slotOf(account, memory.readKey(word))
    memory.writeKey(word, slot.current)
    return world.warmStorage(slot) ? 0 : coldSlotGas
  }

  function hostSstore(key: number, value: number): number {
    memory.fresh()
    const slot = world.slotOf(account, memory.readKey(key))
    const next = memory.readKey(value)
    const { original, current } = slot
    const gas =
      (world.warmStorage(slot) ? 0 : coldSlotGas + warmGas) + prices.gas(original, current, next)
    if (current === next) return gas
    const refund = prices.refund(original, current, next)
    if (refund !== 0) world.changeRefund(refund)
    world.writeSlot(slot, next)
    return gas
  }

  function hostTload(word: number): void {
    memory.fresh()
    memory.writeKey(word, world.transientValue(account, memory.readKey(word)))
  }

  function hostTstore(key: number, value: number): void {
    memory.fresh()
    world.writeTransient(account, memory.readKey(key), memory.readKey(value))
  }

  function hostLog(words: number, count: number, data: number, size: number): void {
    memory.fresh()
    const hashes: Hash[] = []
    for (let i = 0; i < count; i++) hashes.push(topicOf(memory.readKey(words + i * 32), i))
    const log = {
      address: account.address,
      topics: hashes,
      data: memory.u8.slice(data, data + size),
    }
    world.addLog(log)
    if (tracer !== undefined) tracer.log?.(log)
  }

  /** Events repeat their topics, signatures and addresses of the busy, but not hashes. */
  function topicOf(key: WordKey, index: number): Hash {
    if (index > 0 && key.charCodeAt(15) !== 0) return hashOfKey(key)
    const known = topics.get(key)
    if (known !== undefined) return known
    if (topics.size === TOPICS_MAX) topics.clear()
    const topic = hashOfKey(key)
    topics.set(key, topic)
    return topic
  }

  function hostDestructGas(word: number): number {
    memory.fresh()
    const heir = world.accountOf(memory.readAddressKey(word))
    const gas = firstAccessGas(heir, coldAccountGas + warmGas)
    const isNew = clearsEmpty
      ? account.balance !== 0n && heir.isEmpty()
      : chargesDestruct && !heir.exists
    return isNew ? gas + NEW_ACCOUNT_GAS : gas
  }

  function hostDestruct(word: number): void {
    memory.fresh()
    const heir = world.accountOf(memory.readAddressKey(word))
    const { balance } = account
    if (tracer !== undefined) traceDestruct(heir.address, balance)
    const goes = !destroysCreatedOnly || world.isCreatedNow(account)
    if (heir !== account) {
      world.changeBalance(heir, heir.balance + balance)
      world.changeBalance(account, 0n)
    } else if (goes) {
      // What it leaves to itself is burnt.
      world.changeBalance(account, 0n)
    }
    if (!goes) return
    if (refundsDestruct && !world.isDestroyedNow(account)) world.changeRefund(DESTRUCT_REFUND)
    world.markDestroyed(account)
  }

  function hostCallGas(word: number, kind: number, paying: number): number {
    let gas = accessGas(word)
    callee = accessed
    calleeCode = callee
    if (hasDelegation && callee.codeHash !== EMPTY_CODE_HASH) {
      const delegate = delegateOf(world.codeOf(callee))
      if (delegate !== undefined) {
        calleeCode = world.accountAt(delegate)
        gas += firstAccessGas(calleeCode, coldAccountGas) + warmGas
      }
    }
    if (paying !== 0) {
      gas += CALL_VALUE_GAS
      if (kind === OP_CALL && clearsEmpty && callee.isEmpty()) gas += NEW_ACCOUNT_GAS
    }
    if (!clearsEmpty && kind === OP_CALL && !callee.exists) gas += NEW_ACCOUNT_GAS
    return gas
  }

  // Tracing.

  function traceEnter(child: number, kind: number, to: Address): void {
    const record = recordOf(child)
    frames[child]!.gas = memory.u64[(record + F_GAS) >> 3]!
    if (tracer?.enter === undefined) return
    const start = memory.u32[(record + F_INPUT) >> 2]!
    tracer.enter({
      type: FRAME_TYPES[kind]!,
      depth: child,
      from: child === 1 ? addressOfKey(memory.readAddressKey(record + F_CALLER)) : account.address,
      to,
      value: kind === OP_STATICCALL ? 0n : memory.readWord(record + F_VALUE),
      gas: frames[child]!.gas,
      input: memory.u8.slice(start, start + memory.u32[(record + F_INPUT_SIZE) >> 2]!),
    })
  }

  function traceDestruct(to: Address, value: bigint): void {
    const from = account.address
    const of = depth + 1
    tracer?.enter?.({ type: 'SELFDESTRUCT', depth: of, from, to, value, gas: 0n, input: NO_BYTES })
    tracer?.exit?.({ depth: of, status: 'success', gasUsed: 0n, output: NO_BYTES })
  }

  /** Runs the frame opcode by opcode with the tracer's hooks, until something must happen outside. */
  function traceSteps(): number {
    const record = recordOf(depth)
    for (;;) {
      const gas = memory.u64[(record + F_GAS) >> 3]!
      tracer?.step?.(stepView(record, gas))
      const reason = engine.walk(depth, 1)
      memory.fresh()
      const lack = reason >= HALT ? memory.u64[(record + F_LACK) >> 3]! : 0n
      const halt = reason >= HALT ? HALTS[reason - HALT] : undefined
      tracer?.stepEnd?.(gas - memory.u64[(record + F_GAS) >> 3]! + lack, halt)
      if (reason !== STEPPED && reason !== YIELDED) return reason
      // The engine's own count begins anew at each step.
      if (--countdown === 0) beat()
    }
  }

  function stepView(record: number, gas: bigint): Step {
    const pc = memory.u32[(record + F_IP) >> 2]! - memory.u32[(record + F_FAST) >> 2]!
    const raw = memory.u32[(record + F_RAW) >> 2]!
    const top = memory.u32[(record + F_SP) >> 2]!
    const stackSize = (memory.u32[(record + F_BASE) >> 2]! - top) >> 5
    const memoryAt = memory.u32[(record + F_MEMORY) >> 2]!
    const memorySize = memory.u32[(record + F_MEMORY_SIZE) >> 2]!
    const stackAt = (index: number): bigint =>
      index < stackSize ? bigIntOfKey(memory.readKey(top + index * 32)) : 0n
    return {
      pc,
      op: pc < memory.u32[(record + F_CODE_SIZE) >> 2]! ? memory.u8[raw + pc]! : 0,
      gas,
      depth,
      address: account.address,
      refund: world.refund(),
      stackSize,
      memorySize,
      stackAt,
      stack: () => Array.from({ length: stackSize }, (_, i) => stackAt(stackSize - 1 - i)),
      memory: () => memory.u8.slice(memoryAt, memoryAt + memorySize),
      returnData: () => {
        const at = engine.returnedAt()
        return memory.u8.slice(at, at + engine.returnedBytes())
      },
    }
  }
}

/** Up to a multiple of 32. */
function align(size: number): number {
  return (size + 31) & ~31
}
