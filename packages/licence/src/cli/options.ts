/** Options that commands have in common. */

import { type Command, InvalidArgumentError } from 'commander'
import { LICENCE_LIMITS } from '../config.ts'

/** Where `vellum start` puts its first node. */
const DEFAULT_RPC = 'http://127.0.0.1:8545'

export function withNode(command: Command): Command {
  return command.option('--rpc <url>', 'RPC server of a node', DEFAULT_RPC)
}

/** @param whose words for the help: who acts */
export function withKey(command: Command, whose: string): Command {
  return command
    .requiredOption('--key <keystore>', `keystore file of ${whose}`)
    .option('--password-file <file>', 'file whose first line is its password')
    .option('--password-fd <number>', 'open descriptor to read its password from', whole)
}

export function withReason(command: Command): Command {
  return command.requiredOption('--reason <code>', 'reason, a code of the network', wholeOf(0xffff))
}

/** The last line of a command's help. */
export function withExample(command: Command, example: string): Command {
  return command.addHelpText('after', `\nExample:\n  vellum ${example}`)
}

export function whole(text: string): number {
  return wholeOf(Number.MAX_SAFE_INTEGER)(text)
}

export function wholeOf(most: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,16}$/.test(text) || Number(text) > most) {
      throw new InvalidArgumentError(`It must be a whole number up to ${most}.`)
    }
    return Number(text)
  }
}

export function big(text: string): bigint {
  if (!/^\d{1,78}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return BigInt(text)
}

export function address(text: string): string {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) {
    throw new InvalidArgumentError('It must be 0x and 40 hex digits.')
  }
  return text
}

export function publicKey(text: string): string {
  if (!/^0x[0-9a-fA-F]{128}$/.test(text)) {
    throw new InvalidArgumentError('It must be 0x and 128 hex digits.')
  }
  return text
}

/** Names of fields, with commas. */
export function fields(text: string): string[] {
  const names = text.split(',').filter((name) => name !== '')
  if (names.length > LICENCE_LIMITS.requestFieldsMax) {
    throw new InvalidArgumentError(`At most ${LICENCE_LIMITS.requestFieldsMax} fields.`)
  }
  return names
}
