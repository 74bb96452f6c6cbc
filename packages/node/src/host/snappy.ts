/**
 * Snappy's raw format, decoding only: table indexes may be compressed with it.
 * Format: `format_description.txt` of google/snappy.
 */

/** Blocks of a table hold 4 KiB of entries, an index rarely over 1 MiB; larger is damage. */
const SIZE_MAX = 64 << 20

/** The bytes that `bytes` is the compression of; undefined if it is not a compression. */
export function decodeSnappy(bytes: Uint8Array): Uint8Array | undefined {
  let at = 0
  let size = 0
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]
    if (byte === undefined || shift > 28) return undefined
    size += (byte & 127) * 2 ** shift
    if (byte < 128) break
  }
  if (size > SIZE_MAX) return undefined

  const out = new Uint8Array(size)
  let end = 0
  while (at < bytes.length) {
    const tag = bytes[at++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = tag >>> 2
      if (length >= 60) {
        const extra = length - 59
        length = littleEndian(bytes, at, extra)
        at += extra
      }
      length += 1
      if (at + length > bytes.length || end + length > size) return undefined
      out.set(bytes.subarray(at, at + length), end)
      at += length
      end += length
    } else {
      const length = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2)
      const offsetBytes = kind === 1 ? 1 : kind === 2 ? 2 : 4
      let offset = littleEndian(bytes, at, offsetBytes)
      if (kind === 1) offset |= (tag >>> 5) << 8
      at += offsetBytes
      if (at > bytes.length || offset === 0 || offset > end || end + length > size) return undefined
      // Source and target may overlap: that is how a run is written. So byte by byte.
      for (let i = 0; i < length; i++, end++) out[end] = out[end - offset]!
    }
  }
  return end === size ? out : undefined
}

/** Bytes beyond the end read as zero; callers compare positions afterwards. */
function littleEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0)
  return value
}
