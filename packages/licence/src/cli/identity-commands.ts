/** `vellum identity`: from a registrar's review to the end of an identity. */

import { Command } from 'commander'
import { getAddress, hexlify, randomBytes } from 'ethers'
import type { ChainReader, Done } from '../chain/contracts.ts'
import {
  createIdentityDirectory,
  createIdentityOffice,
  type IdentityOffice,
} from '../chain/registrar.ts'
import { formatDid } from '../did.ts'
import { LicenceError } from '../error.ts'
import {
  countersignIdentity,
  type KeyChange,
  makeIdentity,
  signKeyChange,
  signObjection,
  signRecovery,
} from '../identity.ts'
import { addressOfKey } from '../key.ts'
import { createSubjectRing } from '../subject.ts'
import {
  formatJson,
  type RecoveryFile,
  readCountersigned,
  readIdentityRequest,
  readRecovery,
  readStatement,
  readSubjectKeys,
} from './json-files.ts'
import * as option from './options.ts'
import type { CommandPorts, KeyFlags, NodeFlags } from './ports.ts'
import { addPresenceCommands } from './presence-commands.ts'
import { acting, placeOf, type Reading, reading, withKey } from './session.ts'

type Flags = NodeFlags & KeyFlags

const DAY = 86_400
const SECRET_BYTES = 32
const PARTS = ['new', 'registrar', 'supervisor'] as const

export function identityCommands(ports: CommandPorts): Command {
  const { print } = ports
  const root = new Command('vellum identity').description('identities of persons and organisations')

  option.withExample(
    option
      .withKey(root.command('key'), 'the holder')
      .description('print the public key of a keystore, for a registrar')
      .action((flags: KeyFlags) =>
        withKey(flags, ports, async (_, { address, publicKey }) => {
          print(`address     ${address}`)
          print(`public key  ${hexlify(publicKey)}`)
        }),
      ),
    'identity key --key holder.json',
  )

  option.withExample(
    root
      .command('subject-key')
      .description('make a secret for subject tags: it never leaves the back office')
      .requiredOption('--out <file>', 'file to create')
      .action(({ out }: { out: string }) => {
        const keys = [{ version: 1, secret: randomBytes(SECRET_BYTES) }]
        ports.createText(out, formatJson({ keys }))
        print(`secret of version 1 in ${out}: keep it secret, and keep a copy`)
      }),
    'identity subject-key --out subject-keys.json',
  )

  option.withExample(
    option
      .withNode(option.withKey(root.command('register'), 'the registrar'))
      .description('sign who holds a key, after a review; the holder countersigns the file')
      .argument('<request>', 'JSON: publicKey, kind, document { type, number }, details')
      .requiredOption('--code <credit code>', 'of the registrar')
      .requiredOption('--subject-keys <file>', 'secrets of subject tags')
      .requiredOption('--out <file>', 'statement to create')
      .option('--days <number>', 'days until it must be on chain', option.wholeOf(365), 7)
      .action(
        (
          path: string,
          flags: Flags & { code: string; subjectKeys: string; out: string; days: number },
        ) => register(path, flags, ports),
      ),
    'identity register request.json --key registrar.json --code 11100000000013661B --subject-keys subject-keys.json --out statement.json',
  )

  option.withExample(
    option
      .withNode(option.withKey(root.command('countersign'), 'the holder'))
      .description('check and sign a registrar’s statement with the key that it names')
      .argument('<statement>', 'file of the registrar')
      .requiredOption('--out <file>', 'countersigned statement to create')
      .action((path: string, flags: Flags & { out: string }) =>
        acting(flags, ports, async ({ chainId, key, privateKey }) => {
          const signed = readStatement(path, ports)
          const both = await countersignIdentity(signed, { chainId, key, privateKey })
          ports.createText(flags.out, formatJson(both))
          print(`countersigned in ${flags.out}: vellum identity bring ${flags.out}`)
        }),
      ),
    'identity countersign statement.json --key holder.json --out signed.json',
  )

  option.withExample(
    option
      .withNode(option.withKey(root.command('bring'), 'whoever brings it'))
      .description('put a countersigned statement on chain: a new identity, or a later version')
      .argument('<signed>', 'countersigned statement')
      .action((path: string, flags: Flags) =>
        sending(flags, ports, (office) => {
          const signed = readCountersigned(path, ports)
          return signed.statement.version === 1 ? office.register(signed) : office.change(signed)
        }),
      ),
    'identity bring signed.json --key registrar.json',
  )

  option.withExample(
    option
      .withNode(option.withKey(root.command('file'), 'a supervising authority'))
      .description('file an identity; one that waited for it becomes active')
      .argument('<identity>', 'address', option.address)
      .option('--number <hex>', '32 bytes; drawn at random unless told')
      .action((identity: string, flags: Flags & { number?: string }) =>
        sending(flags, ports, (office) =>
          office.file(identity, flags.number ?? hexlify(randomBytes(32))),
        ),
      ),
    'identity file 0x976ea74026e726554db657fa54763abd0c3a0aa9 --key supervisor.json',
  )

  const moves = {
    suspend: 'stop an identity; what it holds is suspended with it',
    reinstate: 'make a suspended identity active again',
    cancel: 'end an identity; what it holds ends with it',
  } as const
  for (const [name, description] of Object.entries(moves)) {
    option.withExample(
      option
        .withReason(option.withNode(option.withKey(root.command(name), 'its registrar')))
        .description(description)
        .argument('<identity>', 'address', option.address)
        .action((identity: string, flags: Flags & { reason: number }) =>
          sending(flags, ports, (office) =>
            office[name as keyof typeof moves](identity, flags.reason),
          ),
        ),
      `identity ${name} 0x976ea74026e726554db657fa54763abd0c3a0aa9 --reason 1 --key registrar.json`,
    )
  }

  option.withExample(
    option
      .withNode(option.withKey(root.command('rotate-key'), 'the holder today'))
      .description('change the key of an identity; the old one signs, and the new one too')
      .argument('<identity>', 'address', option.address)
      .requiredOption('--new-key <keystore>', 'keystore file of the new key')
      .option('--new-password-file <file>', 'file whose first line is its password')
      .action((identity: string, flags: Flags & { newKey: string; newPasswordFile?: string }) =>
        rotate(identity, flags, ports),
      ),
    'identity rotate-key 0x976ea74026e726554db657fa54763abd0c3a0aa9 --key old.json --new-key new.json',
  )

  root.addCommand(recoverCommands(ports))
  addPresenceCommands(root, ports)

  option.withExample(
    option
      .withNode(root.command('show'))
      .description('what the chain says of an identity')
      .argument('<identity>', 'address', option.address)
      .action((identity: string, flags: NodeFlags) =>
        reading(flags, ports, (session) => show(identity, session, ports)),
      ),
    'identity show 0x976ea74026e726554db657fa54763abd0c3a0aa9',
  )
  return root
}

function recoverCommands(ports: CommandPorts): Command {
  const { print } = ports
  const recover = new Command('recover').description(
    'a new key after a loss: begin, sign twice, bring; complete it when the time to object is over',
  )
  option.withExample(
    option
      .withNode(option.withKey(recover.command('begin'), 'the new key'))
      .description('make the file that registrar and supervising authority sign')
      .argument('<identity>', 'address', option.address)
      .requiredOption('--out <file>', 'file to create')
      .action((identity: string, flags: Flags & { out: string }) =>
        acting(flags, ports, async ({ chain, chainId, chainTime, key }) => {
          const change = await changeOf(identity, { chain, chainTime, newKey: key.publicKey })
          const signatures = { new: await signRecovery(chainId, change, key) }
          ports.createText(flags.out, formatJson({ ...change, signatures }))
          print(`signed with the new key in ${flags.out}`)
        }),
      ),
    'identity recover begin 0x976ea74026e726554db657fa54763abd0c3a0aa9 --key new.json --out recovery.json',
  )
  option.withExample(
    option
      .withNode(option.withKey(recover.command('sign'), 'the registrar or supervising authority'))
      .description('add a signature to the file')
      .argument('<recovery>', 'file of `begin`')
      .requiredOption('--as <part>', 'registrar or supervisor')
      .action((path: string, flags: Flags & { as: string }) =>
        acting(flags, ports, async ({ chainId, key }) => {
          const part = PARTS.find((each) => each === flags.as && each !== 'new')
          if (part === undefined) throw badPart()
          const file = readRecovery(path, ports)
          const signature = await signRecovery(chainId, changeIn(file), key)
          const signatures = { ...file.signatures, [part]: signature }
          ports.replaceText(path, formatJson({ ...file, signatures }))
          const missing = PARTS.filter((each) => !(each in signatures))
          print(missing.length === 0 ? 'all have signed' : `still to sign: ${missing.join(', ')}`)
        }),
      ),
    'identity recover sign recovery.json --as registrar --key registrar.json',
  )
  option.withExample(
    option
      .withNode(option.withKey(recover.command('bring'), 'whoever brings it'))
      .description('put the recovery on chain; the time to object begins')
      .argument('<recovery>', 'file with all signatures')
      .action((path: string, flags: Flags) =>
        sending(flags, ports, (office) => {
          const file = readRecovery(path, ports)
          const { registrar, supervisor, new: fresh } = file.signatures
          if (registrar === undefined || supervisor === undefined || fresh === undefined) {
            throw new LicenceError('LICENCE_FILE_INVALID', `${path}: a signature is missing`, {
              path,
            })
          }
          return office.requestRecovery(changeIn(file), { registrar, supervisor, new: fresh })
        }),
      ),
    'identity recover bring recovery.json --key registrar.json',
  )
  option.withExample(
    option
      .withNode(option.withKey(recover.command('object'), 'the holder'))
      .description('stop a recovery: who still has the key says so')
      .argument('<identity>', 'address', option.address)
      .action((identity: string, flags: Flags) =>
        acting(flags, ports, async ({ chain, chainId, key }) => {
          const nonce = await createIdentityDirectory(chain).nonceOf(identity)
          const signature = await signObjection(chainId, { identity, nonce }, key)
          print(placeOf(await createIdentityOffice(chain).object(identity, signature)))
        }),
      ),
    'identity recover object 0x976ea74026e726554db657fa54763abd0c3a0aa9 --key holder.json',
  )
  option.withExample(
    option
      .withNode(option.withKey(recover.command('complete'), 'anybody'))
      .description('make the new key the identity’s, when the time to object is over')
      .argument('<identity>', 'address', option.address)
      .action((identity: string, flags: Flags) =>
        sending(flags, ports, (office) => office.completeRecovery(identity)),
      ),
    'identity recover complete 0x976ea74026e726554db657fa54763abd0c3a0aa9 --key new.json',
  )
  return recover
}

async function register(
  path: string,
  flags: Flags & { code: string; subjectKeys: string; out: string; days: number },
  ports: CommandPorts,
): Promise<void> {
  const request = readIdentityRequest(path, ports)
  const ring = createSubjectRing(readSubjectKeys(flags.subjectKeys, ports))
  await acting(flags, ports, async ({ chain, chainId, chainTime, key }) => {
    const directory = createIdentityDirectory(chain)
    const own = addressOfKey(request.publicKey)
    const known = await directory.findPerson(ring, request.document)
    if (known !== undefined && known !== own) {
      throw new LicenceError(
        'LICENCE_REFUSED',
        `not a new user: the person has the identity ${known}; change or recover that one`,
        { reason: 'person known', identity: known },
      )
    }
    const signed = await makeIdentity({
      chainId,
      registrar: key,
      registrarCode: flags.code,
      holderKey: request.publicKey,
      kind: request.kind,
      subject: ring.tag(request.document),
      details: request.details,
      version: known === undefined ? 1 : (await directory.versionOf(own)) + 1,
      deadline: chainTime + flags.days * DAY,
    })
    ports.createText(flags.out, formatJson(signed))
    ports.print(`identity ${own}, version ${signed.statement.version}, signed in ${flags.out}`)
    ports.print('the holder countersigns it: vellum identity countersign')
  })
}

async function rotate(
  identity: string,
  flags: Flags & { newKey: string; newPasswordFile?: string },
  ports: CommandPorts,
): Promise<void> {
  const { newKey, newPasswordFile } = flags
  const password = newPasswordFile === undefined ? {} : { passwordFile: newPasswordFile }
  await withKey({ key: newKey, ...password }, ports, (_, fresh) =>
    acting(flags, ports, async ({ chain, chainId, chainTime, key }) => {
      const change = await changeOf(identity, { chain, chainTime, newKey: fresh.publicKey })
      const done = await createIdentityOffice(chain).rotate(change, {
        old: await signKeyChange(chainId, change, key),
        new: await signKeyChange(chainId, change, fresh),
      })
      ports.print(`the key of ${identity} is ${fresh.address} now: ${placeOf(done)}`)
    }),
  )
}

async function show(
  identity: string,
  { chain, chainId, mainChainId }: Reading,
  { print }: CommandPorts,
): Promise<void> {
  const directory = createIdentityDirectory(chain)
  const state = await directory.stateOf(identity)
  const home = await mainChainId()
  print(`identity  ${formatDid({ chainId: home, address: identity })}`)
  print(`state     ${state}`)
  if (state === 'none') return
  if (home !== chainId) {
    print(`key       ${(await directory.ownerOf(identity)) ?? 'none'}, as the main chain told`)
    return
  }
  print(`version   ${await directory.versionOf(identity)}`)
  for (const { address, from, until } of await directory.keysOf(identity)) {
    print(
      `key       ${address} from ${timeOf(from)}${until === 0 ? '' : ` until ${timeOf(until)}`}`,
    )
  }
}

function sending(
  flags: Flags,
  ports: CommandPorts,
  send: (office: IdentityOffice) => Promise<Done>,
): Promise<void> {
  return acting(flags, ports, async ({ chain }) =>
    ports.print(placeOf(await send(createIdentityOffice(chain)))),
  )
}

async function changeOf(
  identity: string,
  to: { readonly chain: ChainReader; readonly chainTime: number; readonly newKey: Uint8Array },
): Promise<KeyChange> {
  const nonce = await createIdentityDirectory(to.chain).nonceOf(identity)
  const deadline = to.chainTime + 30 * DAY
  return { identity: getAddress(identity), newKey: to.newKey, nonce, deadline }
}

function changeIn({ signatures: _, ...change }: RecoveryFile): KeyChange {
  return change
}

function timeOf(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}

function badPart(): LicenceError {
  return new LicenceError('LICENCE_FIELD_INVALID', '--as must be registrar or supervisor', {
    field: 'as',
  })
}
