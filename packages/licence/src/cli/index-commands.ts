/** `vellum licence`, over all side chains: what the main chain knows of them, and its proofs. */

import type { Command } from 'commander'
import { createLicenceIndex, type IndexedLicence } from '../chain/licence-index.ts'
import { verifyIndexProof } from '../index-proof.ts'
import { formatJson, readIndexProof, readTrust } from './json-files.ts'
import * as option from './options.ts'
import type { CommandPorts, NodeFlags } from './ports.ts'
import { reading } from './session.ts'
import { refused } from './shown.ts'

/** Seconds that a proof may be old unless told. */
const PROOF_AGE = 3_600

export function addIndexCommands(root: Command, ports: CommandPorts): void {
  const { print } = ports

  option.withExample(
    option
      .withNode(root.command('list'))
      .description('licences of a holder over all side chains, as the main chain knows them')
      .requiredOption('--holder <address>', 'identity of the holder', option.address)
      .action(({ holder, ...flags }: NodeFlags & { holder: string }) =>
        reading(flags, ports, async ({ chain }) => {
          const found = await createLicenceIndex(chain).licencesOf(holder)
          for (const licence of found) print(lineOf(licence))
          print(`${found.length} licences`)
        }),
      ),
    'licence list --holder 0x976ea74026e726554db657fa54763abd0c3a0aa9',
  )

  option.withExample(
    option
      .withNode(root.command('home'))
      .description('where a licence is at home, or on its way')
      .argument('<identifier>', 'of the licence, 1.2.156.3005.2…')
      .action((identifier: string, flags: NodeFlags) =>
        reading(flags, ports, async ({ chain }) => {
          const home = await createLicenceIndex(chain).homeOf(identifier)
          if (home === undefined) {
            print('no side chain has told of it')
            return
          }
          const { chainId, number, journey, destination } = home
          const where = {
            none: '',
            out: `, on its way to chain ${destination}`,
            back: `, not taken by chain ${destination} and on its way back`,
            stranded: `, not taken by chain ${destination}; its home has to be asked again`,
          }
          print(`chain ${chainId}, number ${number ?? 'not told yet'}${where[journey]}`)
        }),
      ),
    'licence home 1.2.156.3005.2.11100000000013338W011.11430000006122244L.20230000403.001.U',
  )

  option.withExample(
    option
      .withNode(root.command('prove'))
      .description('a proof of what the main chain knows of a licence')
      .argument('<chain id>', 'of the side chain', option.big)
      .argument('<number>', 'of the licence there', option.big)
      .requiredOption('--out <file>', 'proof to create')
      .action((chainId: bigint, number: bigint, { out, ...flags }: NodeFlags & { out: string }) =>
        reading(flags, ports, async ({ chain }) => {
          const proof = await createLicenceIndex(chain).prove(chainId, number)
          ports.createText(out, formatJson(proof))
          print(`proof in ${out}: vellum licence check-proof ${out} --trust trust.json`)
        }),
      ),
    'licence prove 133701 0 --out proof.json',
  )

  option.withExample(
    root
      .command('check-proof')
      .description('check such a proof with the main chain’s validators alone, without a network')
      .argument('<proof>', 'file of `prove`')
      .requiredOption('--trust <file>', 'validators of the main chain: vellum licence trust')
      .option('--age <seconds>', 'that it may be old', option.whole, PROOF_AGE)
      .action((path: string, { trust, age }: { trust: string; age: number }) => {
        const now = Math.floor(ports.nowMs() / 1_000)
        const rule = { now, ageMax: age }
        const verdict = verifyIndexProof(readIndexProof(path, ports), readTrust(trust, ports), rule)
        if (!verdict.ok) throw refused(verdict.reason)
        const { licence } = verdict
        print(lineOf(licence))
        const time = new Date(licence.time * 1_000).toISOString()
        print(`as of block ${licence.height} of the main chain, ${time}`)
      }),
    'licence check-proof proof.json --trust trust.json',
  )
}

function lineOf(
  licence: Pick<
    IndexedLicence,
    'chainId' | 'number' | 'status' | 'licenceType' | 'version' | 'issuer'
  > & { readonly isAtHome?: boolean },
): string {
  const { chainId, number, status, licenceType, version, issuer, isAtHome = true } = licence
  const contested = isAtHome ? '' : ', at home elsewhere'
  return `chain ${chainId} licence ${number}: ${status}${contested}, type ${licenceType}, version ${version}, by ${issuer}`
}
