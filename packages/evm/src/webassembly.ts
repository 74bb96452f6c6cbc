/**
 * The part of the WebAssembly interface that the machine uses. Declared here, as this package is typed
 * for no host; every JavaScript engine since 2017 has it.
 */

export interface WasmMemory {
  readonly buffer: ArrayBuffer
}

interface WasmNamespace {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (
    module: object,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: unknown }
}

const wasm = (globalThis as unknown as { WebAssembly: WasmNamespace }).WebAssembly

/** Decodes base64 and compiles the module, synchronously. */
export function compileModule(base64: string): object {
  return new wasm.Module(decodeBase64(base64))
}

/** A new instance with its own memory. The type of its exports is the caller's promise. */
export function instantiate<Exports>(
  module: object,
  imports: Record<string, Record<string, unknown>>,
): Exports {
  return new wasm.Instance(module, imports).exports as Exports
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Bytes of well-formed base64 with padding. */
function decodeBase64(text: string): Uint8Array {
  const values = new Uint8Array(128)
  for (let i = 0; i < 64; i++) values[DIGITS.charCodeAt(i)] = i
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0
  const bytes = new Uint8Array((text.length / 4) * 3 - padding)
  let at = 0
  for (let i = 0; i < text.length; i += 4) {
    let quad = 0
    for (let j = 0; j < 4; j++) quad = (quad << 6) | values[text.charCodeAt(i + j)]!
    bytes[at++] = quad >> 16
    if (at < bytes.length) bytes[at++] = quad >> 8
    if (at < bytes.length) bytes[at++] = quad
  }
  return bytes
}
