/** Long work in pieces: others on the event loop get a turn when ours has lasted long. */

export interface TurnPorts {
  /** Milliseconds from any fixed point, never falling. */
  nowMs(): number
  /** Resolves after others on the event loop had a turn. */
  nextTurn(): Promise<void>
}

export interface Turn {
  /** True once the turn has lasted as long as it may. */
  isOver(): boolean
  /** Lets others have a turn; ours begins anew. */
  pass(): Promise<void>
}

/** A turn that begins now. @param turnMsMax milliseconds that it may last */
export function beginTurn(ports: TurnPorts, turnMsMax: number): Turn {
  let startMs = ports.nowMs()
  return {
    isOver: () => ports.nowMs() - startMs > turnMsMax,
    async pass() {
      await ports.nextTurn()
      startMs = ports.nowMs()
    },
  }
}
