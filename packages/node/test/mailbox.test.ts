import type { Address } from '@vellum/evm'
import { describe, expect, test } from 'vitest'
import { createMailbox, type Letter, MAILBOX_LIMITS } from '../src/mailbox.ts'

const A: Address = `0x${'aa'.repeat(20)}`
const B: Address = `0x${'bb'.repeat(20)}`
const C: Address = `0x${'cc'.repeat(20)}`
const letter = (from: Address, mark: number, size = 1): Letter => ({
  from,
  bytes: new Uint8Array(size).fill(mark),
})

/** Everything that waits, in the order in which it is taken. */
function takeAll(mailbox: ReturnType<typeof createMailbox<string>>): string[] {
  const taken: string[] = []
  for (let next = mailbox.take(); next !== undefined; next = mailbox.take()) {
    taken.push('own' in next ? next.own : `${next.letter.from.slice(2, 4)} ${next.letter.bytes[0]}`)
  }
  return taken
}

describe('the mailbox', () => {
  test('gives back what was put in, in order, and then nothing', () => {
    const mailbox = createMailbox<string>(() => {})
    expect(mailbox.take()).toBeUndefined()
    for (const each of ['one', 'two', 'three']) mailbox.put(each)
    for (let i = 0; i < 3; i++) mailbox.putLetter(letter(A, i))
    expect(mailbox.size).toBe(6)
    expect(takeAll(mailbox)).toEqual(['one', 'two', 'three', 'aa 0', 'aa 1', 'aa 2'])
    expect(mailbox.size).toBe(0)
  })

  test('our own events go before letters, also those that come later', () => {
    const mailbox = createMailbox<string>(() => {})
    mailbox.putLetter(letter(A, 1))
    mailbox.putLetter(letter(A, 2))
    mailbox.put('timer')
    expect(mailbox.take()).toEqual({ own: 'timer' })
    expect(mailbox.take()).toEqual({ letter: letter(A, 1) })
    mailbox.put('head')
    expect(takeAll(mailbox)).toEqual(['head', 'aa 2'])
  })

  test('peers have turns: one that says much delays nobody', () => {
    const mailbox = createMailbox<string>(() => {})
    for (let i = 0; i < 4; i++) mailbox.putLetter(letter(A, i))
    mailbox.putLetter(letter(B, 1))
    mailbox.putLetter(letter(C, 1))
    expect(takeAll(mailbox)).toEqual(['aa 0', 'bb 1', 'cc 1', 'aa 1', 'aa 2', 'aa 3'])
  })

  test('says when something waits after nothing did', () => {
    let woken = 0
    const mailbox = createMailbox<string>(() => {
      woken += 1
    })
    mailbox.put('one')
    mailbox.putLetter(letter(A, 1))
    expect(woken).toBe(1)
    takeAll(mailbox)
    mailbox.putLetter(letter(A, 2))
    expect(woken).toBe(2)
  })
})

describe('a flood', () => {
  test('of one peer is dropped beyond its limit; others and our own events are not', () => {
    const mailbox = createMailbox<string>(() => {})
    const { messagesMax } = MAILBOX_LIMITS
    for (let i = 0; i < messagesMax; i++) expect(mailbox.putLetter(letter(A, 0))).toBe(true)
    expect(mailbox.putLetter(letter(A, 9))).toBe(false)
    expect(mailbox.putLetter(letter(B, 1))).toBe(true)
    for (let i = 0; i < 10 * messagesMax; i++) mailbox.put(`timer ${i}`)
    expect(mailbox.size).toBe(messagesMax + 1 + 10 * messagesMax)
    const taken = takeAll(mailbox)
    expect(taken.filter((each) => each.startsWith('timer'))).toHaveLength(10 * messagesMax)
    expect(taken).not.toContain('aa 9')
    // There is room again.
    expect(mailbox.putLetter(letter(A, 9))).toBe(true)
  })

  test('is bounded in bytes as well, but one message always fits', () => {
    const mailbox = createMailbox<string>(() => {})
    const { bytesMax } = MAILBOX_LIMITS
    expect(mailbox.putLetter(letter(A, 1, bytesMax + 1))).toBe(true)
    expect(mailbox.putLetter(letter(A, 2))).toBe(false)
    mailbox.take()
    expect(mailbox.putLetter(letter(A, 3, bytesMax - 1))).toBe(true)
    expect(mailbox.putLetter(letter(A, 4))).toBe(true)
    expect(mailbox.putLetter(letter(A, 5))).toBe(false)
  })

  test('counts what waits, not what has passed', () => {
    const mailbox = createMailbox<string>(() => {})
    for (let i = 0; i < 5 * MAILBOX_LIMITS.messagesMax; i++) {
      expect(mailbox.putLetter(letter(A, i % 256))).toBe(true)
      expect(mailbox.putLetter(letter(A, i % 256))).toBe(true)
      expect(mailbox.take()).toEqual({ letter: letter(A, i % 256) })
      expect(mailbox.take()).toEqual({ letter: letter(A, i % 256) })
    }
    expect(mailbox.size).toBe(0)
  })

  test('of a peer that is gone is forgotten', () => {
    const mailbox = createMailbox<string>(() => {})
    for (let i = 0; i < 3; i++) mailbox.putLetter(letter(A, i))
    mailbox.putLetter(letter(B, 7))
    mailbox.put('own')
    mailbox.forget(A)
    mailbox.forget(C)
    expect(mailbox.size).toBe(2)
    mailbox.putLetter(letter(A, 8))
    expect(takeAll(mailbox)).toEqual(['own', 'bb 7', 'aa 8'])
  })
})
