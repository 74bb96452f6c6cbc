/** `vellum licence`, the issuing authority's part: from the offer to the end. */

import type { Command } from 'commander'
import { getAddress } from 'ethers'
import type { Done } from '../chain/contracts.ts'
import { createIssuer, type HolderOf, type Issued, type Issuer } from '../chain/issuer.ts'
import { createLicenceDirectory } from '../chain/licences.ts'
import { createIdentityDirectory } from '../chain/registrar.ts'
import { readLicenceData } from './json-files.ts'
import * as option from './options.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'
import { type Acting, acting, placeOf } from './session.ts'

interface Flags extends NodeFlags, KeyFlags {
  readonly store?: string
  readonly out?: string
}

const DAY = 86_400

export function addIssuerCommands(root: Command, ports: CommandPorts): void {
  option.withExample(
    withIssue(root.command('issue'))
      .description('offer a licence to a holder, who accepts or declines it')
      .argument('<data>', 'JSON with the fields of the licence')
      .requiredOption('--holder <address>', 'identity of the holder', option.address)
      .option('--days <number>', 'days in which it can be accepted', option.wholeOf(3_650), 30)
      .action((path: string, flags: Flags & { holder: string; days: number }) =>
        issuing(flags, ports, async (issuer, session) => {
          const data = readLicenceData(path, ports)
          const holder = await holderOf(flags.holder, session)
          const { now, chainTime } = session
          const acceptBy = chainTime + flags.days * DAY
          const issued = await issuer.offer({ data, holder, now, acceptBy })
          tell(issued, 'offered as', flags, ports)
        }),
      ),
    'licence issue data.json --holder 0x976ea74026e726554db657fa54763abd0c3a0aa9 --key issuer.json',
  )

  const successions = {
    renew: 'replace a licence that runs out: version + 1, in force at once',
    change: 'replace a licence whose contents change: version + 1, in force at once',
  } as const
  for (const [name, description] of Object.entries(successions)) {
    option.withExample(
      withIssue(root.command(name))
        .description(description)
        .argument('<number>', 'of the licence', option.big)
        .argument('<data>', 'JSON with all fields; the identifier has the next version')
        .action((number: bigint, path: string, flags: Flags) =>
          issuing(flags, ports, async (issuer, session) => {
            const data = readLicenceData(path, ports)
            const { holder } = await createLicenceDirectory(session.chain).recordOf(number)
            const successor = { data, holder: await holderOf(holder, session), now: session.now }
            const issued = await issuer[name as keyof typeof successions](number, successor)
            tell(issued, `in force in place of ${number}:`, flags, ports)
          }),
        ),
      `licence ${name} 0 data-2.json --key issuer.json`,
    )
  }

  const moves = {
    suspend: 'stop a licence for a time',
    lift: 'end the suspension of a licence',
    cancel: 'end a licence, as when its holder gives it up',
    revoke: 'end a licence because of what its holder did',
  } as const
  for (const [name, description] of Object.entries(moves)) {
    option.withExample(
      withIssuer(option.withReason(root.command(name)))
        .description(description)
        .argument('<number>', 'of the licence', option.big)
        .action((number: bigint, flags: Flags & { reason: number }) =>
          moving(number, flags, ports, (issuer) =>
            issuer[name as keyof typeof moves](number, flags.reason),
          ),
        ),
      `licence ${name} 0 --reason 7 --key issuer.json`,
    )
  }

  option.withExample(
    withIssuer(option.withReason(root.command('rescind')))
      .description('end a licence that should not have been issued')
      .argument('<number>', 'of the licence', option.big)
      .option('--from <seconds>', 'since 1970, from when on; now unless told', option.whole)
      .action((number: bigint, flags: Flags & { reason: number; from?: number }) =>
        moving(number, flags, ports, (issuer) =>
          issuer.rescind(number, flags.reason, flags.from ?? 0),
        ),
      ),
    'licence rescind 0 --reason 3 --from 1767225600 --key issuer.json',
  )

  option.withExample(
    withIssuer(root.command('transfer-out'))
      .description(
        'give a licence to another side chain; it comes back if that one does not take it',
      )
      .argument('<number>', 'of the licence', option.big)
      .requiredOption('--to <chain id>', 'of the chain', option.big)
      .action((number: bigint, flags: Flags & { to: bigint }) =>
        moving(number, flags, ports, (issuer) => issuer.transferOut(number, flags.to)),
      ),
    'licence transfer-out 0 --to 133702 --key issuer.json --rpc http://127.0.0.1:8545/chain/business-licence',
  )
  addSupply(root, ports)
}

function addSupply(root: Command, ports: CommandPorts): void {
  option.withExample(
    withIssuer(root.command('supply'))
      .description('encrypt a licence to its holder again, after it came from another chain')
      .argument('<number>', 'of the licence', option.big)
      .argument('<credential>', 'file of `issue --out`')
      .option('--store <directory>', 'for ciphertexts that are too large for the chain')
      .action((number: bigint, path: string, flags: Flags) =>
        issuing(flags, ports, async (issuer, session) => {
          const { holder } = await createLicenceDirectory(session.chain).recordOf(number)
          const { publicKey } = await holderOf(holder, session)
          const credential = ports.readText(path).trim()
          ports.print(placeOf(await issuer.supplyPayload(number, credential, publicKey)))
        }),
      ),
    'licence supply 0 credential.txt --key issuer.json',
  )
}

function withIssuer(command: Command): Command {
  return option.withNode(option.withKey(command, 'the issuing authority'))
}

function withIssue(command: Command): Command {
  return withIssuer(command)
    .option('--store <directory>', 'for ciphertexts that are too large for the chain')
    .option('--out <file>', 'copy of the credential to create, for the authority’s records')
}

async function issuing<T>(
  flags: Flags,
  ports: CommandPorts,
  run: (issuer: Issuer, session: Acting) => Promise<T>,
): Promise<T> {
  return acting(flags, ports, async (session) => {
    const { chain, key } = session
    const { put } = ports.openStore(flags.store)
    const chainId = await session.mainChainId()
    return run(createIssuer({ chain, chainId, key, put }), session)
  })
}

function moving(
  number: bigint,
  flags: Flags,
  ports: CommandPorts,
  move: (issuer: Issuer) => Promise<Done>,
): Promise<void> {
  return issuing(flags, ports, async (issuer, { chain }) => {
    const done = await move(issuer)
    const status = await createLicenceDirectory(chain).statusOf(number)
    ports.print(`licence ${number} is ${status}: ${placeOf(done)}`)
  })
}

async function holderOf(identity: string, { chain }: Acting): Promise<HolderOf> {
  const publicKey = await createIdentityDirectory(chain).publicKeyOf(identity)
  return { identity: getAddress(identity), publicKey }
}

function tell(issued: Issued, how: string, { out }: Flags, ports: CommandPorts): void {
  if (out !== undefined) ports.createText(out, `${issued.credential}\n`)
  ports.print(`${how} licence ${issued.number}: ${placeOf(issued.done)}`)
}
