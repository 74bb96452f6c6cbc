/** JSON-RPC of nodes, as commands ask it. */

import { NodeError } from '../error.ts'
import { systemClock } from './machine.ts'
import { makeToken, readTokenSecret } from './rpc-tokens.ts'

export interface RpcClient {
  readonly url: string
  /** @throws NodeError NODE_UNREACHABLE, or NODE_RPC_REFUSED with the node's words */
  call<Result>(method: string, ...params: readonly unknown[]): Promise<Result>
  /** The same node, at the path of one of its chains. */
  at(chain: string): RpcClient
}

/** Milliseconds in which a node must answer: it may have to open a chain for it. */
const ANSWER_MS = 60_000

/**
 * @param url of an RPC server, such as `http://127.0.0.1:8545`
 * @param secretFile with the secret of its tokens; undefined: it wants none
 */
export function createRpcClient(url: string, secretFile: string | undefined): RpcClient {
  const secret = secretFile === undefined ? undefined : readTokenSecret(secretFile)
  const base = url.replace(/\/+$/, '')
  const tokenFor = async (method: string): Promise<object> => {
    if (secret === undefined) return {}
    const nowSeconds = systemClock.now() / 1_000
    const token = await makeToken(secret, { nowSeconds, permissions: [method] })
    return { authorization: `Bearer ${token}` }
  }

  function clientAt(path: string): RpcClient {
    const place = base + path
    return {
      url: place,
      at: (chain) => clientAt(`/chain/${chain}`),
      call: async <Result>(method: string, ...params: readonly unknown[]): Promise<Result> => {
        const answer = await answerOf(place, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...(await tokenFor(method)) },
          body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
          signal: AbortSignal.timeout(ANSWER_MS),
        })
        if (answer.error !== undefined) {
          const { message, code, data } = answer.error
          throw new NodeError('NODE_RPC_REFUSED', `${place} refuses ${method}: ${message}`, {
            method,
            code,
            ...(typeof data === 'string' && { data }),
          })
        }
        return answer.result as Result
      },
    }
  }
  return clientAt('')
}

interface Answer {
  readonly result?: unknown
  readonly error?: { readonly message: string; readonly code: number; readonly data?: unknown }
}

async function answerOf(url: string, request: RequestInit): Promise<Answer> {
  let status = 0
  try {
    const response = await fetch(url, request)
    status = response.status
    return (await response.json()) as Answer
  } catch (cause) {
    const reason = status === 0 ? reasonOf(cause) : `it answers with HTTP status ${status}`
    const hint = status === 401 ? '; give the secret of its tokens with --jwt-secret' : ''
    throw new NodeError(
      'NODE_UNREACHABLE',
      `${url} cannot be asked: ${reason}${hint}`,
      { url, status },
      { cause },
    )
  }
}

function reasonOf(error: unknown): string {
  const { message, cause } = error as {
    message: string
    cause?: { code?: string; message?: string }
  }
  return cause?.code ?? cause?.message ?? message
}
