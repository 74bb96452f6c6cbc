/** Addresses and numbers of `engine/layout.ts` that the machine shares. See there for their meaning. */

export const OPS = 0x4000
export const CONTEXT = 0x5000
export const INIT_WORD_GAS: number = CONTEXT + 320
export const INIT_BYTES_MAX: number = CONTEXT + 324
export const EXP_BYTE_GAS: number = CONTEXT + 328
export const STORE_GAS_MIN: number = CONTEXT + 332
export const KEEPS_GAS: number = CONTEXT + 336
export const FRAMES = 0x10000
export const FRAME_BYTES = 256
export const STACKS_TOP = 0x2100000
export const CODES = 0x2100000
export const ARENA = 0x4100000

export const F_GAS = 0
export const F_IP = 8
export const F_SP = 12
export const F_BASE = 16
export const F_MEMORY = 20
export const F_MEMORY_SIZE = 24
export const F_RAW = 28
export const F_CODE_SIZE = 32
export const F_FAST = 36
export const F_INPUT = 44
export const F_INPUT_SIZE = 48
export const F_STATIC = 52
export const F_KIND = 56
export const F_OUT = 60
export const F_OUT_SIZE = 64
export const F_LACK = 72
export const F_ADDRESS = 96
export const F_CALLER = 128
export const F_VALUE = 160
export const F_SALT = 192

export const STOPPED = 0
export const RETURNED = 1
export const REVERTED = 2
export const CALLING = 3
export const CREATING = 4
export const YIELDED = 5
export const FAILING = 6
export const STEPPED = 7
export const HALT = 16
