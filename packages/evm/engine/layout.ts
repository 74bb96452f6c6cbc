/**
 * Where things are in linear memory, and the numbers shared with `src/machine.ts`.
 *
 * Words are 32 bytes, least significant first, so that a 64-bit load is a limb. Stacks grow down: the
 * top is at `sp`, the word below it at `sp + 32`, which a load reaches by a constant offset.
 */

/** For each opcode 8 bytes: static gas (u32), words popped, words pushed, defined, ends a block. */
export const OPS: usize = 0x4000
/** Words of block and transaction, in the order of `WORD_*`. */
export const CONTEXT: usize = 0x5000
/** Room for intermediate results of arithmetic. */
export const SCRATCH: usize = 0x6000
/** Frame records by depth; the outermost frame is number 1. */
export const FRAMES: usize = 0x10000
export const FRAME_BYTES: usize = 256
/** Digests of 64-byte inputs, direct-mapped: 4,096 entries of input and digest. */
export const HASHES: usize = 0x60000
export const HASH_ENTRY_BYTES: usize = 96
export const HASH_ENTRIES: usize = 4096
/** Stacks of all frames, from here down: 1,026 frames of 1,024 words fit above the frame records. */
export const STACKS_TOP: usize = 0x2100000
/** Analysed code, kept between transactions; managed by the caller. */
export const CODES: usize = 0x2100000
/** Memories of all frames, each above that of its parent. */
export const ARENA: usize = 0x4100000

// Fields of a frame record, in bytes.
export const F_GAS: usize = 0
export const F_IP: usize = 8
export const F_SP: usize = 12
export const F_BASE: usize = 16
export const F_MEMORY: usize = 20
export const F_MEMORY_SIZE: usize = 24
export const F_RAW: usize = 28
export const F_CODE_SIZE: usize = 32
export const F_FAST: usize = 36
export const F_INFO: usize = 40
export const F_INPUT: usize = 44
export const F_INPUT_SIZE: usize = 48
export const F_STATIC: usize = 52
export const F_KIND: usize = 56
export const F_OUT: usize = 60
export const F_OUT_SIZE: usize = 64
/** What a halt for lack of gas could not pay, on top of the static gas of its opcode. */
export const F_LACK: usize = 72
export const F_ADDRESS: usize = 96
export const F_CALLER: usize = 128
export const F_VALUE: usize = 160
/** Second operand of CREATE2. */
export const F_SALT: usize = 192

// Words of the context.
export const WORD_ORIGIN: usize = CONTEXT
export const WORD_GAS_PRICE: usize = CONTEXT + 32
export const WORD_COINBASE: usize = CONTEXT + 64
export const WORD_TIMESTAMP: usize = CONTEXT + 96
export const WORD_NUMBER: usize = CONTEXT + 128
export const WORD_RANDOM: usize = CONTEXT + 160
export const WORD_GAS_LIMIT: usize = CONTEXT + 192
export const WORD_CHAIN_ID: usize = CONTEXT + 224
export const WORD_BASE_FEE: usize = CONTEXT + 256
export const WORD_BLOB_BASE_FEE: usize = CONTEXT + 288
/** u32: gas for each word of init code (EIP-3860), 0 before Shanghai. */
export const INIT_WORD_GAS: usize = CONTEXT + 320
/** u32: bytes of init code allowed (EIP-3860). */
export const INIT_BYTES_MAX: usize = CONTEXT + 324
/** u32: gas for each byte of an exponent (EIP-160). */
export const EXP_BYTE_GAS: usize = CONTEXT + 328
/** u32: gas that must be left for an SSTORE (EIP-2200), 0 before Istanbul. */
export const STORE_GAS_MIN: usize = CONTEXT + 332
/** u32: 1 if a frame keeps a 64th of its gas from those it calls (EIP-150), 0 before. */
export const KEEPS_GAS: usize = CONTEXT + 336

// Why the loop was left. From HALT on: HALT plus the index in `HALTS` of src/context.ts.
export const STOPPED: i32 = 0
export const RETURNED: i32 = 1
export const REVERTED: i32 = 2
/** The frame record one deeper holds a call to make. */
export const CALLING: i32 = 3
/** The frame record one deeper holds a creation to make. */
export const CREATING: i32 = 4
/** Nothing happened: enter again. Gives V8 the chance to swap in optimised code. */
export const YIELDED: i32 = 5
/** The next block cannot complete: run it opcode by opcode to find out why. */
export const FAILING: i32 = 6
/** One opcode was done. */
export const STEPPED: i32 = 7
export const HALT: i32 = 16
export const OUT_OF_GAS: i32 = HALT
export const INVALID_OPCODE: i32 = HALT + 1
export const STACK_UNDERFLOW: i32 = HALT + 2
export const STACK_OVERFLOW: i32 = HALT + 3
export const INVALID_JUMP: i32 = HALT + 4
export const WRITE_PROTECTION: i32 = HALT + 5
export const RETURN_DATA_OUT_OF_BOUNDS: i32 = HALT + 6
