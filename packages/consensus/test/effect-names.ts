/** Effects in words, for comparing lists of them. */

import type { Effect } from '../src/index.ts'

/** What each effect is, and of what kind: `send prepare`, `reject: late`. */
export function namesOf(effects: readonly Effect[]): string[] {
  return effects.map(nameOf)
}

function nameOf(effect: Effect): string {
  switch (effect.type) {
    case 'send':
    case 'relay':
      return `${effect.type} ${effect.message.kind}`
    case 'setTimer':
      return `${effect.type} ${effect.timer}`
    case 'persist':
      return `${effect.type} ${effect.record.kind}`
    case 'reject':
      return `${effect.type}: ${effect.reason}`
    default:
      return effect.type
  }
}
