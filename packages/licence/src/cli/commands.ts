/** The commands of this library, for the command line of a node: they know files and keys by ports alone. */

import { Command } from 'commander'
import { addCopyCommands } from './copy-commands.ts'
import { creditCommands } from './credit-commands.ts'
import { addHolderCommands } from './holder-commands.ts'
import { identityCommands } from './identity-commands.ts'
import { addIndexCommands } from './index-commands.ts'
import { addIssuerCommands } from './issuer-commands.ts'
import type { CommandPorts } from './ports.ts'
import { addVerifierCommands } from './verifier-commands.ts'

export { identityCommands } from './identity-commands.ts'
export type { CiphertextStore, CommandPorts, PasswordFlags } from './ports.ts'
export { runTour, type TourOutcome, type TourPorts } from './tour.ts'
export {
  type CastMember,
  TOUR_PERSON,
  type TourCast,
  tourBusinessLicence,
  tourLicence,
} from './tour-cast.ts'
export {
  type ChainsTourOutcome,
  type ChainsTourPorts,
  hasSideChains,
  runChainsTour,
  type TourSide,
} from './tour-chains.ts'

export const LIBRARY_COMMANDS: Readonly<
  Record<'identity' | 'licence' | 'credit', (ports: CommandPorts) => Command>
> = {
  identity: identityCommands,
  licence: licenceCommands,
  credit: creditCommands,
}

export function licenceCommands(ports: CommandPorts): Command {
  const root = new Command('vellum licence').description('licences: issue, hold, show, verify')
  addIssuerCommands(root, ports)
  addHolderCommands(root, ports)
  addCopyCommands(root, ports)
  addVerifierCommands(root, ports)
  addIndexCommands(root, ports)
  return root
}
