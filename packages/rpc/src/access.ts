/**
 * Who may call what. Most methods are for everybody; some change what the node does or cost it much,
 * and are guarded: they are served to those who bring a token that grants them, and without one where
 * the operator says so.
 */

/** Namespaces whose methods are guarded, all of them. */
export const GUARDED_NAMESPACES: readonly string[] = ['admin', 'debug', 'testing']

/** Guarded methods of open namespaces: they change what the node does. */
export const OPERATOR_METHODS: readonly string[] = [
  'qbft_proposeValidatorVote',
  'qbft_discardValidatorVote',
]

/** Methods, namespaces, or `*` for everything. */
export type Grants = ReadonlySet<string>

/** What the dispatcher knows of who asks. */
export interface Caller {
  /** What its token grants beside the open methods; undefined: it has no token. */
  readonly grants?: Grants | undefined
  /** It may call what its token grants and nothing else. */
  readonly isBoundToGrants?: boolean
  /** The request came through a proxy, so that a local address says nothing about who asks. */
  readonly isForwarded?: boolean
  /** undefined: it may ask as much as it likes. */
  readonly budget?: Budget | undefined
  /** Takes notifications; undefined: the caller can be sent none. */
  readonly subscriber?: Subscriber | undefined
}

/** How much a client may ask. Calls cost tokens, which come back with time. */
export interface Budget {
  /** False: in debt, and nothing is done for it until that is paid. */
  hasLeft(): boolean
  /** Takes tokens, even what is not there: what a call took is known only afterwards. */
  take(tokens: number): void
  /** Milliseconds until the debt is paid; 0 without debt. */
  waitMs(): number
}

/** Who can be told of events: a connection, and the request on it that is being answered. */
export interface Subscriber {
  readonly line: Line
  /** Calls back once the answer to the request was sent. */
  onAnswered(callback: () => void): void
}

/** A connection that notifications can be sent on, as long as it is open. */
export interface Line {
  send(text: string): void
  /** Calls back once when the connection has closed. */
  onClose(callback: () => void): void
  /** Cuts the connection: it has missed something, and its client must learn of that. */
  cut(): void
}

/**
 * Why a client was not served: too many connections, of its address or of all; a Host or Origin that is
 * not allowed; a wrong token or none; too many calls; it was too slow.
 */
export type RefusalReason = 'address' | 'places' | 'host' | 'origin' | 'token' | 'rate' | 'slow'

export function isGuarded(method: string): boolean {
  return OPERATOR_METHODS.includes(method) || GUARDED_NAMESPACES.includes(namespaceOf(method))
}

export function isGranted(grants: Grants, method: string): boolean {
  return grants.has('*') || grants.has(method) || grants.has(namespaceOf(method))
}

/** The part of a method's name before `_` or `.`. */
export function namespaceOf(method: string): string {
  return method.slice(0, Math.max(0, method.search(/[_.]/)))
}
