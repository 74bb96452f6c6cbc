/**
 * Tokens with which clients show what they may call: JWT, HS256, with a secret that the operator shares
 * with them. As in go-ethereum a token is good for a minute around the time that it was made at (`iat`);
 * what it grants stands in `permissions`, a list of methods, namespaces, or `*`.
 */

import type { Authenticate, TokenGrants } from '@vellum/rpc'
import { type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { NodeError } from '../error.ts'
import { readKeyFile } from './key-files.ts'

/** How far the time of a token may be from ours, in seconds: execution-apis, `authentication.md`. */
export const TOKEN_AGE_SECONDS_MAX = 60
const SECRET_BYTES = 32
const TOKEN_CHARS_MAX = 4_096
const PERMISSIONS_MAX = 256
/** Tokens that were read and are still good: a client may use one for many calls. */
const KNOWN_TOKENS_MAX = 1_024

/** @throws NodeError NODE_FILE_INVALID if the file cannot be read, is open to others, or holds no secret */
export function readTokenSecret(path: string): Uint8Array {
  const digits = readKeyFile(path, 'the secret of tokens').trim().replace(/^0x/, '')
  if (!/^[0-9a-fA-F]+$/.test(digits) || digits.length !== 2 * SECRET_BYTES) {
    throw new NodeError(
      'NODE_FILE_INVALID',
      `${path} must hold the secret of tokens, ${SECRET_BYTES} bytes in hex; make one with \`openssl rand -hex ${SECRET_BYTES}\``,
      { path },
    )
  }
  return Buffer.from(digits, 'hex')
}

/** @param nowSeconds time since 1970, in seconds */
export function createTokenReader(secret: Uint8Array, nowSeconds: () => number): Authenticate {
  const known = new Map<string, TokenGrants & { readonly until: number }>()

  async function read(token: string): Promise<TokenGrants | undefined> {
    let payload: JWTPayload
    const now = nowSeconds()
    try {
      const currentDate = new Date(now * 1_000)
      payload = (await jwtVerify(token, secret, { algorithms: ['HS256'], currentDate })).payload
    } catch {
      return undefined
    }
    const { iat, exp = Number.POSITIVE_INFINITY } = payload
    if (typeof iat !== 'number' || Math.abs(now - iat) > TOKEN_AGE_SECONDS_MAX) return undefined
    const { permissions } = payload
    if (permissions !== undefined && !isPermissions(permissions)) return undefined
    const until = Math.min(iat + TOKEN_AGE_SECONDS_MAX, exp - 1)
    if (known.size >= KNOWN_TOKENS_MAX) known.delete(known.keys().next().value!)
    known.set(token, { grants: permissions, until })
    return { grants: permissions }
  }

  return (token) => {
    if (token === '' || token.length > TOKEN_CHARS_MAX) return undefined
    const found = known.get(token)
    if (found === undefined) return read(token)
    if (nowSeconds() <= found.until) return found
    known.delete(token)
    return undefined
  }
}

/** A token for a minute. @param permissions undefined: the open methods alone */
export function makeToken(
  secret: Uint8Array,
  options: { readonly nowSeconds: number; readonly permissions: readonly string[] | undefined },
): Promise<string> {
  const { nowSeconds, permissions } = options
  return new SignJWT(permissions === undefined ? {} : { permissions })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setIssuedAt(Math.floor(nowSeconds))
    .sign(secret)
}

function isPermissions(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) &&
    value.length <= PERMISSIONS_MAX &&
    value.every((each) => typeof each === 'string')
  )
}
