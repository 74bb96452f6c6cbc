import { describe, expect, test } from 'vitest'
import { createVirtualProcess, type VirtualProcess } from '../src/process-gate.ts'
import { createMachineClock } from '../src/virtual-clock.ts'
import { createVirtualTime, EPOCH_MS, type VirtualTime } from '../src/virtual-time.ts'

const runAll = (time: VirtualTime): void => {
  while (time.step());
}
const processOf = (time: VirtualTime): VirtualProcess =>
  createVirtualProcess((later) => void time.after(0, later))

describe('virtual time', () => {
  test('runs events in the order of their time, then of their making', () => {
    const time = createVirtualTime()
    const seen: string[] = []
    time.after(20, () => seen.push('late'))
    time.after(10, () => {
      seen.push('first')
      time.after(0, () => seen.push('at once'))
    })
    time.after(10, () => seen.push('second'))
    runAll(time)
    expect(seen).toEqual(['first', 'second', 'at once', 'late'])
    expect(time.now()).toBe(EPOCH_MS + 20)
  })

  test('forgets what is cancelled, however much', () => {
    const time = createVirtualTime()
    let ran = 0
    for (let i = 0; i < 5_000; i++) time.after(i, () => ran++)()
    const last = time.after(6_000, () => ran++)
    expect(time.size).toBe(1)
    last()
    last()
    expect(time.step()).toBe(false)
    expect(ran).toBe(0)
    expect(time.now()).toBe(EPOCH_MS)
  })

  test('goes to a time event by event, and not beyond it', () => {
    const time = createVirtualTime()
    const seen: number[] = []
    for (const ms of [5, 6, 7]) time.after(ms, () => seen.push(ms))
    expect(time.stepUntil(EPOCH_MS + 6)).toBe(true)
    expect(time.now()).toBe(EPOCH_MS + 5)
    expect(time.stepUntil(EPOCH_MS + 6)).toBe(true)
    expect(time.stepUntil(EPOCH_MS + 6)).toBe(false)
    expect(time.now()).toBe(EPOCH_MS + 6)
    expect(time.stepUntil(EPOCH_MS + 6.5)).toBe(false)
    expect(time.now()).toBe(EPOCH_MS + 6.5)
    expect(seen).toEqual([5, 6])
  })
})

describe('a process', () => {
  test('gets after a pause what it missed, in order; and nothing once it is dead', () => {
    const time = createVirtualTime()
    const process = processOf(time)
    const seen: number[] = []
    process.enter(() => seen.push(1))
    process.pause()
    process.enter(() => seen.push(2))
    process.enter(() => seen.push(3))
    expect(seen).toEqual([1])
    process.resume()
    expect(seen).toEqual([1])
    runAll(time)
    expect(seen).toEqual([1, 2, 3])
    process.pause()
    process.enter(() => seen.push(4))
    process.kill()
    process.resume()
    process.enter(() => seen.push(5))
    runAll(time)
    expect(seen).toEqual([1, 2, 3])
  })
})

describe('a machine clock', () => {
  test('is wrong by what it is told, while timers follow the quartz', () => {
    const time = createVirtualTime()
    const clock = createMachineClock(time, 500)
    expect(clock.now() - time.now()).toBe(500)
    clock.jump(-2_000)
    expect(clock.offset()).toBe(-1_500)
    expect(clock.elapsed()).toBe(0)
    clock.setDrift(0.05)
    time.after(1_000, () => {})
    time.step()
    expect(clock.elapsed()).toBeCloseTo(1_050)
    expect(clock.offset()).toBeCloseTo(-1_450)
    clock.freeze()
    const frozen = clock.now()
    time.after(1_000, () => {})
    time.step()
    expect(clock.now()).toBe(frozen)
    expect(clock.elapsed()).toBeCloseTo(2_100)
    clock.correct()
    expect(clock.now()).toBe(time.now())
  })

  test('fires timers early where the quartz is fast', () => {
    const time = createVirtualTime()
    const clock = createMachineClock(time)
    clock.setDrift(0.25)
    const seen: number[] = []
    clock.timersOf(processOf(time)).after(1_000, () => seen.push(time.now() - EPOCH_MS))
    runAll(time)
    expect(seen).toEqual([800])
  })

  test('does not fire a timer that is cancelled while the process is paused', () => {
    const time = createVirtualTime()
    const process = processOf(time)
    const timers = createMachineClock(time).timersOf(process)
    const seen: string[] = []
    const cancel = timers.after(10, () => seen.push('cancelled'))
    timers.after(10, () => seen.push('kept'))
    process.pause()
    runAll(time)
    cancel()
    process.resume()
    runAll(time)
    expect(seen).toEqual(['kept'])
  })
})
