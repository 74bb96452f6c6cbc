/** `vellum credit`: service credit, and its way to side chains and back. */

import { Command } from 'commander'
import { getAddress } from 'ethers'
import { creditOf, lockCredit, sideAccountOf, withdrawCredit } from '../chain/credit.ts'
import { creditText, unitsOf } from './amounts.ts'
import * as option from './options.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'
import { acting, placeOf, reading } from './session.ts'

type Flags = NodeFlags & KeyFlags & { readonly recipient?: string; readonly seconds?: number }

export function creditCommands(ports: CommandPorts): Command {
  const { print } = ports
  const root = new Command('vellum credit').description(
    'service credit: on the main chain, and on side chains',
  )

  option.withExample(
    option
      .withNode(root.command('show'))
      .description('credit of an account on the chain that is asked')
      .argument('<account>', 'address', option.address)
      .action((account: string, flags: NodeFlags) =>
        reading(flags, ports, async ({ chain }) =>
          print(`${getAddress(account)} has ${creditText(await creditOf(chain, account))}`),
        ),
      ),
    'credit show 0x9965507d1a55bcc2695c58ba16fb37d819b0a4dc --rpc http://127.0.0.1:8545/chain/health-licence',
  )

  option.withExample(
    option
      .withNode(root.command('side'))
      .description('what a side chain has, by the account of the main chain')
      .argument('<chain id>', 'of the side chain', option.big)
      .action((chainId: bigint, flags: NodeFlags) =>
        reading(flags, ports, async ({ chain }) => {
          const { locked, toSide, fromSide } = await sideAccountOf(chain, chainId)
          print(`locked    ${creditText(locked)}`)
          print(`may move  ${creditText(toSide)} there, ${creditText(fromSide)} back`)
        }),
      ),
    'credit side 133701',
  )

  option.withExample(
    withMove(root.command('lock'), 'the account that gives it, on the main chain')
      .description('move credit from the main chain to a side chain')
      .argument('<credits>', 'such as 10.5')
      .requiredOption('--to <chain id>', 'of the side chain', option.big)
      .action((credits: string, flags: Flags & { to: bigint }) =>
        acting(flags, ports, async ({ chain, chainTime }) => {
          const amount = unitsOf(credits)
          const recipient = flags.recipient ?? chain.account
          const deadline = deadlineOf(flags, chainTime)
          const done = await lockCredit(chain, {
            chainId: flags.to,
            recipient,
            amount,
            ...deadline,
          })
          print(`${creditText(amount)} locked for chain ${flags.to}: ${placeOf(done)}`)
        }),
      ),
    'credit lock 10.5 --to 133701 --key verifier.json',
  )

  option.withExample(
    withMove(root.command('withdraw'), 'the account that gives it, on the side chain')
      .description('move credit from the side chain that is asked to the main chain')
      .argument('<credits>', 'such as 10.5')
      .action((credits: string, flags: Flags) =>
        acting(flags, ports, async ({ chain, chainTime }) => {
          const amount = unitsOf(credits)
          const recipient = flags.recipient ?? chain.account
          const deadline = deadlineOf(flags, chainTime)
          const done = await withdrawCredit(chain, { recipient, amount, ...deadline })
          print(`${creditText(amount)} burned here, to be released there: ${placeOf(done)}`)
        }),
      ),
    'credit withdraw 10.5 --rpc http://127.0.0.1:8545/chain/health-licence --key verifier.json',
  )

  return root
}

function withMove(command: Command, whose: string): Command {
  return option
    .withNode(option.withKey(command, whose))
    .option(
      '--recipient <address>',
      'on the other chain; the same account unless told',
      option.address,
    )
    .option(
      '--seconds <number>',
      'within which it must arrive; as the gateway says unless told',
      option.whole,
    )
}

function deadlineOf({ seconds }: Flags, chainTime: number): { deadline?: number } {
  return seconds === undefined ? {} : { deadline: chainTime + seconds }
}
