/**
 * The command line. The one place that reads arguments, the configuration file and the environment.
 * Commands that make networks are loaded when they run: they bring the system contracts, which a node
 * that starts does not need.
 */

import { fileURLToPath } from 'node:url'
import { LedgerError } from '@vellum/ledger'
import { Command, InvalidArgumentError, Option } from 'commander'
import { configOfChain, DEFAULT_GAS_LIMIT, type NodeConfig, parseConfig } from '../config.ts'
import { LANGUAGES, type Language } from '../consensus-words.ts'
import { NodeError } from '../error.ts'
import { initVotes, listAccounts, newAccount } from './account-commands.ts'
import {
  acceptFork,
  type CommandPorts,
  exportBlocks,
  importBlocks,
  importForeign,
  initChain,
  verifyChain,
} from './chain-commands.ts'
import { chainFolder, readChainConfig } from './chain-folders.ts'
import { readConfigFile } from './config-file.ts'
import { createConsoleLog } from './console-log.ts'
import { keystoreDirectory } from './data-directory.ts'
import { runDoctor } from './doctor-command.ts'
import { boundHeapGrowth } from './heap.ts'
import type { PasswordSource } from './key-files.ts'
import { runLibraryCommand } from './library-commands.ts'
import type { NetworkFlags } from './network-command.ts'
import { runNode } from './node-command.ts'
import { MAIN_CHAIN } from './observation.ts'
import { createProgress } from './progress.ts'
import type { RelayFlags } from './relay-command.ts'
import type { CreateFlags, NodesFlags } from './sidechain-command.ts'
import type { AttachFlags, RetireFlags, ReviveFlags } from './sidechain-council.ts'
import { printToken } from './token-command.ts'
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
  readonly acceptVoteLoss?: boolean
  readonly logLevel?: string
  readonly chain?: string
}

interface StartFlags {
  readonly validators?: number
  readonly sideChains?: readonly string[]
  readonly tour: boolean
}

/** How this process was started: what other nodes on this machine are started with. */
const PROGRAM: readonly string[] = [
  process.execPath,
  ...process.execArgv,
  fileURLToPath(import.meta.url),
]
/** Four processes are what two cores bear; more than these are no use on one machine. */
const DEV_VALIDATORS_MAX = 16
/** Seconds for which one chain believes another's header: 14 days; and by which it may be ahead. */
const TRUSTING_PERIOD = 1_209_600
const CLOCK_DRIFT = 60
/** Where `vellum start` puts its first node. */
const DEFAULT_RPC = 'http://127.0.0.1:8545'

boundHeapGrowth()

const program = new Command('vellum')
  .description('A permissioned, Ethereum-compatible ledger node')
  .version(VERSION)
  .showHelpAfterError()

withNode(program.command('start'))
  .description(
    'run what lies in the data directory; in a new one begin the development chain, with four validators on this machine',
  )
  .option(
    '--validators <number>',
    'validators of a new development chain; 1: in this process (default: 4)',
    whole,
  )
  .option(
    '--side-chains <names>',
    'side chains of a new development network, with commas between them, or none (default: business-licence,health-licence)',
    namesOf,
  )
  .option('--no-tour', 'begin a new development chain without the tour of a licence')
  .action(async (flags: Flags & StartFlags) => {
    if (flags.validators !== undefined && flags.validators > DEV_VALIDATORS_MAX) {
      throw new NodeError(
        'NODE_CONFIG_INVALID',
        `--validators must be from 1 to ${DEV_VALIDATORS_MAX}`,
      )
    }
    const { runStart } = await import('./start-command.ts')
    process.exitCode = await runStart({
      ...portsOf(flags),
      passwordDescriptor: flags.passwordFd,
      acceptVoteLoss: flags.acceptVoteLoss ?? false,
      validators: flags.validators,
      sideChains: flags.sideChains,
      program: PROGRAM,
      nodeFlags: nodeFlagsOf(flags),
      port: flags.port,
      withTour: flags.tour,
      warn: (line) => void process.stderr.write(`${line}\n`),
    })
  })

withNode(program.command('node'))
  .description('run a node of a network: validator or follower, with its peers and its RPC server')
  .action(async (flags: Flags) => {
    process.exitCode = await runNode({
      ...portsOf(flags),
      passwordDescriptor: flags.passwordFd,
      acceptVoteLoss: flags.acceptVoteLoss ?? false,
      isNetworked: true,
    })
  })

withConfig(program.command('init'))
  .description('begin a chain with a genesis file (as go-ethereum or Besu write it)')
  .requiredOption('--genesis <file>', 'genesis file')
  .action((flags: Flags & { genesis: string }) => initChain(flags.genesis, portsOf(flags)))

withChain(program.command('export'))
  .description('write blocks to a file: RLP, one after another')
  .argument('<file>', 'file to create')
  .option('--from <number>', 'first block (default: 1)', whole)
  .option('--to <number>', 'last block (default: the head)', whole)
  .action((file: string, flags: Flags & { from?: number; to?: number }) =>
    exportBlocks(file, { from: flags.from, to: flags.to }, portsOf(flags)),
  )

withChain(program.command('import'))
  .description('verify and execute the blocks of files, and append them to the chain')
  .argument('<file...>', 'files of blocks, in order')
  .option('--foreign', 'of a chain of other origin: neither seals nor proof of work are checked')
  .option('--genesis <file>', 'with --foreign: genesis file with which a new directory begins')
  .action((files: string[], flags: Flags & { foreign?: boolean; genesis?: string }) => {
    if (flags.foreign) return importForeign(flags.genesis, files, portsOf(flags))
    if (flags.genesis === undefined) return importBlocks(files, portsOf(flags))
    throw new NodeError(
      'NODE_CONFIG_INVALID',
      '--genesis goes with --foreign; a chain of this kind begins with `vellum init`',
    )
  })

withChain(program.command('verify'))
  .description('verify the files, every block, and that the state root recomputes')
  .option('--accept-head', 'take the database for whole although the head file is missing')
  .action((flags: Flags & { acceptHead?: boolean }) =>
    verifyChain(flags.acceptHead ?? false, portsOf(flags)),
  )

withChain(program.command('accept-fork'))
  .description('go on with the blocks of this directory after two were sealed at one height')
  .argument('<hash>', 'hash of its block at that height')
  .action((hash: string, flags: Flags) => acceptFork(hash, portsOf(flags)))

withChain(program.command('doctor'))
  .description('say why no block is made, and what is wrong with a node')
  .option('--rpc <url>', 'JSON-RPC of the node (default: as the settings have it)')
  .option('--json', 'everything that was found, as JSON')
  .addOption(
    new Option('--lang <language>', 'language of the report').choices(LANGUAGES).default('en'),
  )
  .action(async (flags: Flags & { rpc?: string; json?: boolean; lang: Language }) => {
    process.exitCode = await runDoctor({
      config: configOf(flags),
      chain: flags.chain,
      url: flags.rpc,
      isDirectoryNamed: flags.config !== undefined || flags.dataDir !== undefined,
      language: flags.lang,
      format: flags.json ? 'json' : 'text',
      isColoured: process.stdout.isTTY === true && !process.env.NO_COLOR,
      print,
    })
  })

withConfig(program.command('token'))
  .description('print a token for the RPC server, which is good for a minute')
  .option('--grant <name...>', 'methods, namespaces or * (default: none but the open ones)')
  .action((flags: Flags & { grant?: readonly string[] }) =>
    printToken(configOf(flags), flags.grant, print),
  )

const network = program.command('network').description('networks of validators')

network
  .command('create')
  .description('make keys, genesis and a folder for each node of a new network')
  .requiredOption('--validators <number>', 'validators that the chain begins with', whole)
  .requiredOption('--out <directory>', 'folder to create')
  .option('--followers <number>', 'further nodes, which may become validators later', whole, 0)
  .option('--chain-id <number>', 'default: drawn at random', whole)
  .option('--block-period <ms>', 'least time between blocks; 0: on demand', whole, 0)
  .option('--request-timeout <s>', 'time of the first round of a block', whole, 2)
  .option('--gas-limit <gas>', 'gas limit of blocks', whole, DEFAULT_GAS_LIMIT)
  .option('--host <address...>', 'where peers reach the nodes: one, or one each', ['127.0.0.1'])
  .option('--base-port <number>', 'port for peers; of nodes on one host the first', whole, 30_303)
  .option('--rpc-base-port <number>', 'port for RPC; of nodes on one host the first', whole, 8_545)
  .option('--password-file <file>', 'password of all keystores (default: one each, in a file)')
  .option('--light-keys', 'encrypt keystores weakly and fast: for tests')
  .option('--dev-accounts', 'fund the development accounts, whose keys are public')
  .option(
    '--contracts <file>',
    'JSON of who governs and takes part in the system contracts (default: none, or with --dev-accounts those of the development chain)',
  )
  .option('--side-chains <names>', 'side chains, with commas between them (default: none)', namesOf)
  .action(async (flags: NetworkFlags) => {
    const { createNetwork } = await import('./network-command.ts')
    await createNetwork(flags, PROGRAM, plainPorts())
  })

program
  .command('relay')
  .description(
    'carry messages between a main chain and its side chains, over JSON-RPC of their nodes',
  )
  .requiredOption('--main <url>', 'RPC server of a node of the main chain')
  .requiredOption(
    '--side <name...>',
    'side chains: NAME, served by the same node, or NAME=URL of another',
  )
  .requiredOption('--keystore <file>', 'key of the account that sends')
  .option('--password-file <file>', 'file with its password')
  .option('--password-fd <number>', 'descriptor to read its password from', whole)
  .option('--accept-weak-keystore', 'take a keystore whose password can be guessed fast')
  .option('--jwt-secret <file>', "secret of the nodes' tokens, where they want some")
  .option('--metrics-port <number>', 'serve metrics here, to this machine', whole)
  .option('--anchor-blocks <number>', 'blocks after which a chain is told of a head', whole, 256)
  .option('--anchor-seconds <number>', 'seconds after which it is told', whole, 60)
  .addOption(new Option('--exit-at <step>').hideHelp())
  .addHelpText(
    'after',
    '\nIt keeps no state: any number may run, and any of them may be killed.\n\nExample:\n  vellum relay --main http://127.0.0.1:8545 --side business-licence health-licence --keystore relayer.json',
  )
  .action(async (flags: RelayFlags & { logLevel?: string }) => {
    const { runRelay } = await import('./relay-command.ts')
    const write = (line: string): void => void process.stderr.write(line)
    await runRelay(flags, { log: createConsoleLog('info', write, 'relay'), print })
  })

const sidechain = program
  .command('sidechain')
  .description('side chains: create, attach to main, revive, retire, try, list')

withSideChain(sidechain.command('create'))
  .description('begin a side chain of a main chain, and have it served by nodes that run')
  .argument('<name>', 'under which it is served: /chain/NAME')
  .option('--out <file>', 'write the genesis file here (default: NAME.genesis.json)')
  .addHelpText(
    'after',
    '\nMain learns nothing of it before `vellum sidechain attach`.\n\nExample, with the validators and the council of main:\n  vellum sidechain create fishing --rpc http://127.0.0.1:8545 http://127.0.0.1:8546 \\\n    http://127.0.0.1:8547 http://127.0.0.1:8548 --organisation 11100000000013338W',
  )
  .action(async (name: string, flags: CreateFlags) => {
    const { createSidechain } = await import('./sidechain-command.ts')
    await createSidechain(name, { ...flags, out: flags.out ?? `${name}.genesis.json` }, print)
  })

withSideChain(sidechain.command('trial'))
  .description('begin a side chain to try something on, which leaves no trace on main')
  .argument('<name>', 'under which it is served: /chain/NAME')
  .option('--out <file>', 'write the genesis file here (default: nowhere)')
  .option('--discard', 'throw it away with all its data')
  .action(async (name: string, flags: CreateFlags & { discard?: boolean }) => {
    const { createSidechain, discardTrial } = await import('./sidechain-command.ts')
    await (flags.discard ? discardTrial(name, flags, print) : createSidechain(name, flags, print))
  })

withCouncil(withTrust(withNodes(sidechain.command('attach'))))
  .description('have main follow side chains and open channels to them: by the council')
  .argument('<name...>', 'as the first node serves them')
  .action(async (names: string[], flags: AttachFlags) => {
    const { attachSidechains } = await import('./sidechain-council.ts')
    await attachSidechains(names, flags, print)
  })

withCouncil(withNodes(sidechain.command('retire')))
  .description('end a side chain: on main by the council, then at the nodes')
  .argument('<name>', 'as the nodes serve it')
  .option('--discard', 'throw its data away (default: they are kept)')
  .option('--force', 'although credit is locked or messages are on their way')
  .action(async (name: string, flags: RetireFlags) => {
    const { retireSidechain } = await import('./sidechain-council.ts')
    await retireSidechain(name, flags, print)
  })

withCouncil(withNodes(sidechain.command('revive')))
  .description('have main follow a side chain again whose client is frozen: by the council')
  .argument('<name>', 'as the first node serves it')
  .option(
    '--block <number>',
    'that is to be trusted, the same for all members (default: the head)',
    whole,
  )
  .option('--main', 'have the side chain follow main again: by the council of the side chain')
  .action(async (name: string, flags: ReviveFlags) => {
    const { reviveSidechain } = await import('./sidechain-council.ts')
    await reviveSidechain(name, flags, print)
  })

withNodes(sidechain.command('list'))
  .description('the chains of nodes, and what main knows of them')
  .action(async (flags: NodesFlags) => {
    const { listSidechains } = await import('./sidechain-command.ts')
    await listSidechains(flags, print)
  })

program
  .command('tour')
  .description('the life of a licence, from registration to the bill, on a development chain')
  .option('--rpc <url>', 'RPC server of a node', DEFAULT_RPC)
  .addHelpText('after', '\nExample:\n  vellum tour --rpc http://127.0.0.1:8545')
  .action(async (flags: { rpc: string }) => {
    const { takeTour } = await import('./tour-command.ts')
    await takeTour(flags.rpc, print)
  })

for (const [name, description] of [
  ['identity', 'identities: register, countersign, file, suspend, open on side chains'],
  ['licence', 'licences: issue, accept, show, verify, renew, suspend, transfer, bill'],
  ['credit', 'service credit: to side chains and back'],
] as const) {
  program
    .command(name)
    .description(description)
    .argument('[words...]')
    // Its options and its help are those of the library, which is loaded then.
    .helpOption(false)
    .allowUnknownOption()
    .action((_words: string[], _flags: object, command: Command) =>
      runLibraryCommand(name, command.args, print),
    )
}

const votes = program.command('votes').description('what a validator has voted')

votes
  .command('init')
  .description('make the vote file of a key that has never voted')
  .requiredOption('--keystore <file>', 'keystore of the validator')
  .action((flags: { keystore: string }) => initVotes(flags.keystore, print))

const account = program.command('account').description('keys, encrypted in keystore files')

withKeystore(account.command('new'))
  .description('make a key')
  .option('--password-file <file>', 'file whose first line is the password')
  .option('--password-fd <number>', 'open descriptor to read the password from', whole)
  .option('--for-validator', 'also make its vote file')
  .action((flags: Flags & { keystore?: string; forValidator?: boolean }) =>
    newAccount(keystoreOf(flags), passwordSource(flags, 'password for the new key: '), {
      forValidator: flags.forValidator ?? false,
      print,
    }),
  )

withKeystore(account.command('list'))
  .description('list keystores')
  .action((flags: Flags & { keystore?: string }) => listAccounts(keystoreOf(flags), print))

account
  .command('dev-keys')
  .description('keystores of the organisations of the development chain, whose keys are public')
  .argument('<directory>', 'where to create them')
  .action(async (directory: string) => {
    const { writeDevKeys } = await import('./dev-keys.ts')
    await writeDevKeys(directory, print)
  })

/** Options of the commands that run nodes. */
function withNode(command: Command): Command {
  return withConfig(command)
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
    .option('--accept-vote-loss', 'vote although it is not known what this validator has voted')
}

/** Options of the commands that speak to nodes as their operator. */
function withNodes(command: Command): Command {
  return command
    .option('--rpc <url...>', 'RPC servers of the nodes', [DEFAULT_RPC])
    .option('--jwt-secret <file>', 'secret of their tokens, if they want any')
}

/** Options of the commands that begin a side chain. */
function withSideChain(command: Command): Command {
  return withTrust(withNodes(command))
    .option('--main <url>', 'RPC server to read main from (default: the nodes)')
    .option('--genesis <file>', 'take this genesis file, instead of making one')
    .option('--chain-id <number>', 'default: drawn at random', whole)
    .option('--validators <address...>', 'default: those of main')
    .option(
      '--contracts <file>',
      'JSON of who governs and takes part (default: the council of main, and nobody)',
    )
    .option('--organisation <code...>', 'organisations of main that take part, by their codes')
    .option('--bootnode <location...>', 'where peers of this chain are, beside those of the nodes')
    .option('--block-period <ms>', 'least time between blocks; 0: on demand', whole, 0)
    .option('--request-timeout <s>', 'time of the first round of a block', whole, 2)
    .option('--gas-limit <gas>', 'gas limit of blocks', whole, DEFAULT_GAS_LIMIT)
}

/** For how long a chain believes a header of another. */
function withTrust(command: Command): Command {
  return command
    .option('--trusting-period <s>', 'for how long a header is believed', whole, TRUSTING_PERIOD)
    .option('--clock-drift <s>', 'how far a header may be ahead of the time', whole, CLOCK_DRIFT)
}

function withCouncil(command: Command): Command {
  return command
    .option('--keystore <file>', 'key of a member of the council')
    .option('--password-file <file>', 'file whose first line is its password')
    .option('--dev', 'the council of the development chain, whose key is public')
}

/** The flags that hold for every node of a local network alike. */
function nodeFlagsOf(flags: Flags): string[] {
  const given: readonly (readonly [string, string | number | readonly string[] | undefined])[] = [
    ['--host', flags.host],
    ['--allow-host', flags.allowHost],
    ['--cors-origin', flags.corsOrigin],
    ['--block-period', flags.blockPeriod],
    ['--gather', flags.gather],
    ['--heartbeat', flags.heartbeat],
    ['--gas-limit', flags.gasLimit],
    ['--mode', flags.mode],
    ['--retained-blocks', flags.retainedBlocks],
    // What is ordinary in a node is noise in four.
    ['--log-level', flags.logLevel ?? 'warn'],
  ]
  const words = given.flatMap(([name, value]) => {
    if (value === undefined) return []
    return typeof value === 'object' ? [name, ...value] : [name, String(value)]
  })
  return flags.acceptVoteLoss ? [...words, '--accept-vote-loss'] : words
}

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

/** Options of the commands that work on one chain of a data directory. */
function withChain(command: Command): Command {
  return withConfig(command).option('--chain <name>', 'side chain of the directory (default: main)')
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
  const config = configOfNamed(configOf(flags), flags.chain)
  return { config, log: createConsoleLog(config.logLevel, toStandardError), ...plainPorts() }
}

/** The settings for a chain of the data directory. @param name undefined: main */
function configOfNamed(config: NodeConfig, name: string | undefined): NodeConfig {
  if (name === undefined || name === MAIN_CHAIN) return config
  const folder = chainFolder(config.dataDir, name)
  return configOfChain(config, readChainConfig(folder), folder)
}

function plainPorts(): Pick<CommandPorts, 'progress' | 'print'> {
  return { progress: createProgress(toStandardError), print }
}

function toStandardError(text: string): void {
  process.stderr.write(text)
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

/** By its name: the library is loaded by those commands alone that need it. */
function isLicenceError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && error.name === 'LicenceError'
}

function namesOf(text: string): readonly string[] {
  return text === 'none' ? [] : text.split(',')
}

function whole(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.')
  return Number(text)
}

try {
  await program.parseAsync()
} catch (error) {
  // What was foreseen has a message for people; anything else is a mistake of ours: with its stack.
  const isForeseen =
    error instanceof NodeError || error instanceof LedgerError || isLicenceError(error)
  const text = isForeseen ? `${error.message} [${error.code}]` : ((error as Error).stack ?? error)
  process.stderr.write(`vellum: ${text}\n`)
  process.exitCode = 1
}
