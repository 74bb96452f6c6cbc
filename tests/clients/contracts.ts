/** What the tests of clients deploy, and who sends. */

import { DEV_ACCOUNTS } from '@vellum/node'
import { type Contract, compile } from '../../bench/compile.ts'

const FOLDER = new URL('./contracts/', import.meta.url)

export const REGISTER: Contract = compile('Register', FOLDER)
export const CALLS: Contract = compile('Calls', FOLDER)

export const [alice, bob, carol] = DEV_ACCOUNTS as unknown as readonly [
  (typeof DEV_ACCOUNTS)[number],
  (typeof DEV_ACCOUNTS)[number],
  (typeof DEV_ACCOUNTS)[number],
]

/** The EIP-712 type of an entry that its holder signs. */
export const ENTRY_TYPES = {
  Entry: [
    { name: 'holder', type: 'address' },
    { name: 'id', type: 'bytes32' },
    { name: 'text', type: 'string' },
  ],
} as const

/** The same server, asked by WebSocket. */
export function webSocketUrl(url: string): string {
  return url.replace(/^http/, 'ws')
}
