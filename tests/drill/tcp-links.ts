/**
 * Links between processes of this machine that can be cut: whoever calls a node comes through a TCP
 * proxy, which looks up the process that calls and ends what is cut. Linux only: it reads /proc.
 */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'

export interface TcpDoor {
  /** Where the node is reached. */
  readonly port: number
  close(): Promise<void>
  /** Ends all connections of a process, and refuses new ones until `admit`. */
  refuse(pid: () => number): void
  admit(): void
}

/**
 * @param targetPort where the node listens on this machine
 * @param callers the processes that may call
 */
export async function openTcpDoor(
  targetPort: number,
  callers: () => readonly number[],
): Promise<TcpDoor> {
  const open = new Map<Socket, number | undefined>()
  let refused: (() => number)[] = []
  const isRefused = (caller: number | undefined): boolean => refused.some((pid) => pid() === caller)
  const server = createServer((inner) => {
    // Whatever breaks, the other end hears of it by the end of its connection.
    inner.on('error', () => {})
    const caller = callerOf(inner.remotePort!, port, callers())
    if (isRefused(caller)) {
      inner.destroy()
      return
    }
    const outer = connect({ host: '127.0.0.1', port: targetPort, noDelay: true })
    outer.on('error', () => {})
    inner.setNoDelay(true)
    inner.pipe(outer).pipe(inner)
    open.set(inner, caller)
    inner.once('close', () => {
      open.delete(inner)
      outer.destroy()
    })
    outer.once('close', () => inner.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: '127.0.0.1', port: 0 }, resolve)
  })
  const { port } = server.address() as { port: number }
  return {
    port,
    refuse: (pid) => {
      refused.push(pid)
      for (const [socket, caller] of open) if (isRefused(caller)) socket.destroy()
    },
    admit: () => {
      refused = []
    },
    close: () => {
      for (const socket of open.keys()) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Which of these processes has the other end of a connection to a port of this machine. */
function callerOf(
  callerPort: number,
  calledPort: number,
  pids: readonly number[],
): number | undefined {
  const ends = [callerPort, calledPort].map((port) => port.toString(16).toUpperCase())
  const [from, to] = ends.map((port) => `0100007F:${port.padStart(4, '0')}`)
  const line = readFileSync('/proc/net/tcp', 'latin1')
    .split('\n')
    .find((each) => each.includes(`${from} ${to} `))
  const inode = line?.trim().split(/\s+/)[9]
  if (inode === undefined) return undefined
  return pids.find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`
        } catch {
          // It was closed meanwhile.
          return false
        }
      })
    } catch {
      // The process has ended.
      return false
    }
  })
}
