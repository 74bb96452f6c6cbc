/** What the server sees of a connection, and a connection of the server. */

import type { RefusalReason } from './access.ts'
import type { Dispatch } from './dispatch.ts'
import type { AnswerSetting } from './http-answer.ts'
import type { ServerLimits } from './server-limits.ts'

/** One that is open, whatever is spoken on it. */
export interface Connection {
  /** Of the socket, as `plainAddress` gives it. */
  readonly address: string
  /**
   * Since when it has waited for a request or the rest of one; undefined while it is answered or told
   * of events. In milliseconds of `ServerSetting.nowMs`.
   */
  waitingSinceMs(): number | undefined
  /** Cuts or warns a connection whose time is up. */
  sweep(): void
  /** Ends it when what is under way is answered. */
  stop(): void
  destroy(): void
}

/** Settings of one server, as its connections see them. */
export interface ServerSetting extends AnswerSetting {
  readonly limits: ServerLimits
  readonly route: (path: string) => Dispatch | undefined
  readonly hosts: ReadonlySet<string>
  readonly takesWebSockets: boolean
  hasRoomForWebSocket(): boolean
  onRefused(reason: RefusalReason): void
  /** Made anew every sweep. */
  dateLine: string
  /** Milliseconds, as of the last sweep: exact enough for deadlines of seconds. */
  nowMs: number
  isStopping: boolean
}
