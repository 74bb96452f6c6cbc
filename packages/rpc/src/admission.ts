/**
 * When a call may run. The event loop is one: whoever holds it keeps consensus, timers and all other
 * clients waiting. So calls that follow one another give it back after a while, and heavy ones rest after
 * one that was long, for as long as that has held it. What must wait stands in a line of limited length.
 */

import type { Later } from './backend.ts'
import { limitExceeded } from './error.ts'
import type { RpcLimits } from './limits.ts'
import type { TurnPorts } from './turn.ts'

export interface AdmissionPorts extends TurnPorts {
  /** Calls back once after the time has passed; returns what calls it off. */
  setTimer(timeMs: number, callback: () => void): () => void
}

export interface Admission {
  /**
   * Runs the work now, or when it may.
   * @param isHeavy the work may hold the event loop for long, or go on afterwards
   * @param onRan told how long the work held the event loop, in milliseconds
   * @throws RpcError LIMIT_EXCEEDED if too many wait; whatever the work throws
   */
  run<T>(isHeavy: boolean, work: () => Later<T>, onRan: (heldMs: number) => void): Later<T>
}

/** Milliseconds from which a heavy call is long: below it was the collector of garbage, or the machine. */
const REST_FROM_MS = 100
/** A long call is followed by a rest of as many times its own length. */
const REST_FACTOR = 1

export function createAdmission(limits: RpcLimits, ports: AdmissionPorts): Admission {
  /** Milliseconds that calls have held the loop since others had a turn for certain. */
  let heldMs = 0
  let isTurnOver = false
  let isResting = false
  /** Heavy calls that have begun and go on in later turns. */
  let heavyUnderWay = 0
  const light: (() => void)[] = []
  const heavy: (() => void)[] = []

  function mustWait(isHeavy: boolean): boolean {
    if (isTurnOver) return true
    return isHeavy && (isResting || heavyUnderWay >= limits.heavyCallsMax || heavy.length > 0)
  }

  function begin<T>(isHeavy: boolean, work: () => Later<T>, onRan: (ms: number) => void): Later<T> {
    const beganMs = ports.nowMs()
    let result: Later<T>
    try {
      result = work()
    } finally {
      const tookMs = ports.nowMs() - beganMs
      ran(isHeavy, tookMs)
      onRan(tookMs)
    }
    if (isHeavy && result instanceof Promise) {
      heavyUnderWay++
      result.then(endHeavy, endHeavy)
    }
    return result
  }

  function ran(isHeavy: boolean, tookMs: number): void {
    heldMs += tookMs
    if (heldMs > limits.turnMsMax && !isTurnOver) {
      isTurnOver = true
      void ports.nextTurn().then(() => {
        isTurnOver = false
        heldMs = 0
        goOn()
      })
    }
    if (isHeavy && tookMs >= REST_FROM_MS) {
      isResting = true
      ports.setTimer(Math.ceil(tookMs * REST_FACTOR), () => {
        isResting = false
        goOn()
      })
    }
  }

  function endHeavy(): void {
    heavyUnderWay--
    goOn()
  }

  function goOn(): void {
    while (light.length > 0 && !isTurnOver) light.shift()!()
    while (heavy.length > 0 && !isTurnOver && !isResting && heavyUnderWay < limits.heavyCallsMax) {
      heavy.shift()!()
    }
  }

  return {
    run(isHeavy, work, onRan) {
      if (!mustWait(isHeavy)) return begin(isHeavy, work, onRan)
      const line = isHeavy ? heavy : light
      if (line.length >= limits.callsWaitingMax) throw limitExceeded('too many calls wait')
      return new Promise((resolve, reject) => {
        line.push(() => {
          try {
            resolve(begin(isHeavy, work, onRan))
          } catch (error) {
            reject(error)
          }
        })
      })
    },
  }
}
