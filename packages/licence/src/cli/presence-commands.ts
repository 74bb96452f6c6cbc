/** `vellum identity`, on side chains: open, close, where, tell again. Asked of the main chain. */

import type { Command } from 'commander'
import type { ChainReader, Done } from '../chain/contracts.ts'
import {
  createPresenceDirectory,
  createPresenceOffice,
  type PresenceOffice,
} from '../chain/presence.ts'
import * as option from './options.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'
import { acting, placeOf, reading } from './session.ts'

type Flags = NodeFlags & KeyFlags & { readonly on: bigint; readonly wait?: boolean }

const AN_IDENTITY = '0x976ea74026e726554db657fa54763abd0c3a0aa9'

export function addPresenceCommands(root: Command, ports: CommandPorts): void {
  const { print } = ports

  const moves = {
    open: 'open an identity on a side chain: it can hold licences there',
    close: 'leave a side chain, where no licence is in force or suspended any more',
    resend: 'tell a side chain again, where the last change of an identity came to nothing',
  } as const
  for (const [name, description] of Object.entries(moves)) {
    const whose =
      name === 'resend' ? 'anybody' : 'the holder, its registrar or a supervising authority'
    option.withExample(
      option
        .withNode(option.withKey(root.command(name), whose))
        .description(description)
        .argument('<identity>', 'address', option.address)
        .requiredOption('--on <chain id>', 'of the side chain', option.big)
        .option('--wait', 'until the side chain has proven that it has applied it')
        .action((identity: string, flags: Flags) =>
          acting(flags, ports, async ({ chain }) => {
            const done = await move(createPresenceOffice(chain), {
              name: name as keyof typeof moves,
              identity,
              chainId: flags.on,
            })
            print(placeOf(done))
            if (flags.wait === true) await tellApplied(chain, identity, flags.on, ports)
          }),
        ),
      `identity ${name} ${AN_IDENTITY} --on 133701 --key registrar.json --wait`,
    )
  }

  option.withExample(
    option
      .withNode(root.command('where'))
      .description('side chains on which an identity is open, and what each has applied')
      .argument('<identity>', 'address', option.address)
      .action((identity: string, flags: NodeFlags) =>
        reading(flags, ports, async ({ chain }) => {
          const directory = createPresenceDirectory(chain)
          const chains = await directory.chainsOf(identity)
          if (chains.length === 0) print('on no side chain')
          for (const chainId of chains) {
            const { state, applied, claimed, appliedState, isUndelivered } =
              await directory.presenceOf(identity, chainId)
            const behind = isUndelivered ? 'came to nothing: vellum identity resend' : 'on its way'
            const last = applied === claimed ? '' : `; change ${claimed} ${behind}`
            print(`${chainId}  ${state}, ${appliedState} by change ${applied}${last}`)
          }
        }),
      ),
    `identity where ${AN_IDENTITY}`,
  )
}

function move(
  office: PresenceOffice,
  asked: {
    readonly name: 'open' | 'close' | 'resend'
    readonly identity: string
    readonly chainId: bigint
  },
): Promise<Done> {
  const { name, identity, chainId } = asked
  return office[name](identity, chainId)
}

async function tellApplied(
  chain: ChainReader,
  identity: string,
  chainId: bigint,
  { print, nowMs }: CommandPorts,
): Promise<void> {
  const from = nowMs()
  const { appliedState } = await createPresenceDirectory(chain).whenApplied(identity, chainId)
  const seconds = ((nowMs() - from) / 1_000).toFixed(1)
  print(`chain ${chainId} has applied it after ${seconds} s: ${appliedState}`)
}
