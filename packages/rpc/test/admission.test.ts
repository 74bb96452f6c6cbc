import { describe, expect, it } from 'vitest'
import { type Admission, createAdmission } from '../src/admission.ts'
import { RPC_LIMITS, type RpcLimits } from '../src/limits.ts'

function setUp(limits: Partial<RpcLimits> = {}): {
  admission: Admission
  /** Work that takes so long, and writes down that it ran. */
  work: (name: string, tookMs: number) => () => string
  ran: string[]
  /** Others on the event loop have their turn. */
  turn: () => Promise<void>
  /** Milliseconds of timers that wait, and their ringing. */
  rests: () => number[]
  wake: () => void
} {
  let nowMs = 0
  const ran: string[] = []
  const turns: (() => void)[] = []
  const timers: { timeMs: number; callback: () => void }[] = []
  const admission = createAdmission(
    { ...RPC_LIMITS, ...limits },
    {
      nowMs: () => nowMs,
      nextTurn: () => new Promise((resolve) => void turns.push(resolve)),
      setTimer: (timeMs, callback) => {
        timers.push({ timeMs, callback })
        return () => {}
      },
    },
  )
  return {
    admission,
    work: (name, tookMs) => () => {
      nowMs += tookMs
      ran.push(name)
      return name
    },
    ran,
    turn: async () => {
      for (const resolve of turns.splice(0)) resolve()
      // The line goes on in the reaction to the turn.
      await Promise.resolve()
    },
    rests: () => timers.map(({ timeMs }) => timeMs),
    wake: () => {
      for (const { callback } of timers.splice(0)) callback()
    },
  }
}

const ignore = (): void => {}

describe('createAdmission', () => {
  it('runs work at once and tells how long it took', () => {
    const { admission, work } = setUp()
    let heldMs = -1
    const answer = admission.run(false, work('a', 7), (ms) => {
      heldMs = ms
    })
    expect([answer, heldMs]).toEqual(['a', 7])
  })

  it('lets others have a turn when calls have held the loop for long, and then goes on in order', async () => {
    const { admission, work, ran, turn } = setUp({ turnMsMax: 20 })
    const answers = ['a', 'b', 'c', 'd', 'e'].map((name) =>
      admission.run(false, work(name, 15), ignore),
    )
    expect(ran).toEqual(['a', 'b'])
    await turn()
    expect(ran).toEqual(['a', 'b', 'c', 'd'])
    await turn()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('rests after a long heavy call as long as that took, and runs light ones meanwhile', async () => {
    const { admission, work, ran, turn, rests, wake } = setUp({ turnMsMax: 20 })
    void admission.run(true, work('heavy', 4_000), ignore)
    const next = admission.run(true, work('heavy too', 1), ignore)
    const light = admission.run(false, work('light', 1), ignore)
    await turn()
    expect(ran).toEqual(['heavy', 'light'])
    expect(rests()).toEqual([4_000])
    wake()
    expect(ran).toEqual(['heavy', 'light', 'heavy too'])
    expect(await Promise.all([next, light])).toEqual(['heavy too', 'light'])
  })

  it('does not rest after what was no longer than a pause of the machine', async () => {
    const { admission, work, ran, turn, rests } = setUp({ turnMsMax: 20 })
    void admission.run(true, work('heavy', 99), ignore)
    const next = admission.run(true, work('heavy too', 1), ignore)
    expect(rests()).toEqual([])
    await turn()
    expect(await next).toBe('heavy too')
    expect(ran).toEqual(['heavy', 'heavy too'])
  })

  it('lets so many heavy calls go on at one time', async () => {
    const { admission, work, ran } = setUp({ heavyCallsMax: 2 })
    const ends: (() => void)[] = []
    const long = (name: string) => () => {
      ran.push(name)
      return new Promise<string>((resolve) => void ends.push(() => resolve(name)))
    }
    const answers = ['a', 'b', 'c'].map((name) => admission.run(true, long(name), ignore))
    void admission.run(false, work('light', 1), ignore)
    expect(ran).toEqual(['a', 'b', 'light'])
    ends[0]!()
    await answers[0]
    await Promise.resolve()
    expect(ran).toEqual(['a', 'b', 'light', 'c'])
    ends[1]!()
    ends[2]!()
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c'])
  })

  it('refuses what would make the line too long', () => {
    const { admission, work } = setUp({ turnMsMax: 20, callsWaitingMax: 2 })
    void admission.run(false, work('long', 30), ignore)
    void admission.run(false, work('a', 1), ignore)
    void admission.run(false, work('b', 1), ignore)
    expect(() => admission.run(false, work('c', 1), ignore)).toThrow(
      expect.objectContaining({ code: -32005 }),
    )
  })

  it('hands on what fails, now and later, and goes on', async () => {
    const { admission, work, turn, ran } = setUp({ turnMsMax: 20 })
    const fail = (): never => {
      throw new Error('no')
    }
    expect(() => admission.run(true, fail, ignore)).toThrow('no')
    void admission.run(false, work('long', 30), ignore)
    const failed = expect(admission.run(true, fail, ignore)).rejects.toThrow('no')
    const after = admission.run(true, work('after', 1), ignore)
    await turn()
    await failed
    expect(await after).toBe('after')
    expect(ran).toEqual(['long', 'after'])
  })
})
