/** The command line. The one place that reads arguments, the configuration file and the environment. */

import { readFileSync } from 'node:fs'
import { LedgerError } from '@vellum/ledger'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type NodeConfig, parseConfig } from '../config.ts'
import { NodeError } from '../error.ts'
import { listAccounts, newAccount } from './account-commands.ts'
import {
  type CommandPorts,
  exportBlocks,
  importBlocks,
  initChain,
  verifyChain,
} from './chain-commands.ts'
import { createConsoleLog } from './console-log.ts'
import { keystoreDirectory } from './data-directory.ts'
import { boundHeapGrowth } from './heap.ts'
import type { PasswordSource } from './key-files.ts'
import { createProgress } from './progress.ts'
import { runNode } from './start-command.ts'
import { VERSION } from './version.ts'

/** Flags as commander gives them; each overrides the field of the file beside it. */
interface Flags {
  readonly config?: string
  readonly dataDir?: string
  readonly host?: string
  readonly port?: number
  readonly allowHost?: readonly string[]
  readonly corsOrigin?: readonly string[]
  readonly mode?: string
  readonly retainedBlocks?: number
  readonly blockPeriod?: number
  readonly gather?: number
  readonly heartbeat?: number
  readonly gasLimit?: number
  readonly validator?: string
  readonly passwordFile?: string
  readonly passwordFd?: number
  readonly logLevel?: string
}

boundHeapGrowth()

const program = new Command('vellum')
  .description('A permissioned, Ethereum-compatible ledger node')
  .version(VERSION)
  .showHelpAfterError()

withConfig(program.command('start'))
  .description(
    'run a node with its RPC server; in a directory without a chain, begin the development chain',
  )
  .option('--host <address>', 'address that the RPC server listens at (default: 127.0.0.1)')
  .option('--port <number>', 'port of the RPC server; 0: any free one (default: 8545)', whole)
  .option('--allow-host <name...>', 'names under which clients may reach it, beside localhost')
  .option('--cors-origin <origin...>', 'web origins that may call it (default: none)')
  .option('--block-period <ms>', 'least time between blocks; 0: on demand (default: 0)', whole)
  .option('--gather <ms>', 'most time that transactions gather under load (default: 300)', whole)
  .option('--heartbeat <ms>', 'empty block after this idle time; 0: none (default: 60000)', whole)
  .option(
    '--gas-limit <gas>',
    'gas limit that blocks move to (default: as the chain has it)',
    whole,
  )
  .option('--validator <keystore>', 'keystore of the key that seals blocks')
  .option('--password-file <file>', 'file whose first line is the password of the keystore')
  .option('--password-fd <number>', 'open descriptor to read the password from', whole)
  .action(async (flags: Flags) => {
    process.exitCode = await runNode({
      ...portsOf(flags),
      passwordDescriptor: flags.passwordFd,
    })
  })

withConfig(program.command('init'))
  .description('begin a chain with a genesis file (as go-ethereum or Besu write it)')
  .requiredOption('--genesis <file>', 'genesis file')
  .action((flags: Flags & { genesis: string }) => initChain(flags.genesis, portsOf(flags)))

withConfig(program.command('export'))
  .description('write blocks to a file: RLP, one after another')
  .argument('<file>', 'file to create')
  .option('--from <number>', 'first block (default: 1)', whole)
  .option('--to <number>', 'last block (default: the head)', whole)
  .action((file: string, flags: Flags & { from?: number; to?: number }) =>
    exportBlocks(file, { from: flags.from, to: flags.to }, portsOf(flags)),
  )

withConfig(program.command('import'))
  .description('verify and execute the blocks of files, and append them to the chain')
  .argument('<file...>', 'files of blocks, in order')
  .action((files: string[], flags: Flags) => importBlocks(files, portsOf(flags)))

withConfig(program.command('verify'))
  .description('verify the files, every block, and that the state root recomputes')
  .option('--accept-head', 'take the database for whole although the head file is missing')
  .action((flags: Flags & { acceptHead?: boolean }) =>
    verifyChain(flags.acceptHead ?? false, portsOf(flags)),
  )

const account = program.command('account').description('keys, encrypted in keystore files')

withKeystore(account.command('new'))
  .description('make a key')
  .option('--password-file <file>', 'file whose first line is the password')
  .option('--password-fd <number>', 'open descriptor to read the password from', whole)
  .action((flags: Flags & { keystore?: string }) =>
    newAccount(keystoreOf(flags), passwordSource(flags, 'password for the new key: '), print),
  )

withKeystore(account.command('list'))
  .description('list keystores')
  .action((flags: Flags & { keystore?: string }) => listAccounts(keystoreOf(flags), print))

/** Options of all commands that work on a data directory. */
function withConfig(command: Command): Command {
  return command
    .addOption(
      new Option('--config <file>', 'JSON file of settings; flags override it').env(
        'VELLUM_CONFIG',
      ),
    )
    .option('--data-dir <directory>', 'directory of the chain (default: data/dev)')
    .option('--mode <mode>', 'states to keep: archive or pruned (default: as begun, or archive)')
    .option('--retained-blocks <count>', 'states kept in pruned mode (default: 1024)', whole)
    .option('--log-level <level>', 'error, warn, info or debug (default: info)')
}

function withKeystore(command: Command): Command {
  return command
    .option('--data-dir <directory>', 'data directory that holds the keystore (default: data/dev)')
    .option(
      '--keystore <directory>',
      'directory of keystores (default: keystore in the data directory)',
    )
}

function keystoreOf(flags: Flags & { keystore?: string }): string {
  return flags.keystore ?? keystoreDirectory(configOf(flags).dataDir)
}

function passwordSource(flags: Flags, question: string): PasswordSource {
  if (flags.passwordFd !== undefined) return { kind: 'descriptor', descriptor: flags.passwordFd }
  if (flags.passwordFile !== undefined) return { kind: 'file', path: flags.passwordFile }
  return { kind: 'prompt', question }
}

function portsOf(flags: Flags): CommandPorts {
  const config = configOf(flags)
  const toStandardError = (line: string): void => void process.stderr.write(line)
  return {
    config,
    log: createConsoleLog(config.logLevel, toStandardError),
    progress: createProgress(toStandardError),
    print,
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** The file's settings with the flags laid over them, checked as one. */
function configOf(flags: Flags): NodeConfig {
  const file = flags.config === undefined ? {} : readConfigFile(flags.config)
  const laid = (name: string, over: Record<string, unknown>): Record<string, unknown> => {
    const below = file[name]
    const given = Object.entries(over).filter(([, value]) => value !== undefined)
    // A wrong kind of section is kept as it is, for the schema to complain of.
    if (given.length === 0) return below === undefined ? {} : { [name]: below }
    return { [name]: { ...(below as object | undefined), ...Object.fromEntries(given) } }
  }
  return parseConfig({
    ...file,
    ...(flags.dataDir === undefined ? {} : { dataDir: flags.dataDir }),
    ...(flags.logLevel === undefined ? {} : { logLevel: flags.logLevel }),
    ...laid('state', { mode: flags.mode, retainedBlocks: flags.retainedBlocks }),
    ...laid('blocks', {
      periodMs: flags.blockPeriod,
      gatherMs: flags.gather,
      heartbeatMs: flags.heartbeat,
      gasLimit: flags.gasLimit,
    }),
    ...laid('rpc', {
      host: flags.host,
      port: flags.port,
      allowedHosts: flags.allowHost,
      corsOrigins: flags.corsOrigin,
    }),
    ...laid('validator', { keystore: flags.validator, passwordFile: flags.passwordFile }),
  })
}

function readConfigFile(path: string): Record<string, unknown> {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      `the configuration file ${path} cannot be read: ${(cause as Error).message}`,
      { path },
      { cause },
    )
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new NodeError('NODE_CONFIG_INVALID', `${path} must hold a JSON object`, { path })
  }
  return json as Record<string, unknown>
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

try {
  await program.parseAsync()
} catch (error) {
  // What was foreseen has a message for people; anything else is a mistake of ours: with its stack.
  const isForeseen = error instanceof NodeError || error instanceof LedgerError
  const text = isForeseen ? `${error.message} [${error.code}]` : ((error as Error).stack ?? error)
  process.stderr.write(`vellum: ${text}\n`)
  process.exitCode = 1
}
