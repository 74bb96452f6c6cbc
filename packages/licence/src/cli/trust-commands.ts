/** `vellum licence trust`: what a verifier without a network knows of a chain, and how it is kept up to date. */

import { ADDRESSES } from '@vellum/contracts'
import type { Command } from 'commander'
import { gatherValidatorHeaders } from '../chain/validator-headers.ts'
import { LicenceError } from '../error.ts'
import { followValidators } from '../follow-validators.ts'
import type { TrustedChain } from '../offline-proof.ts'
import { NO_DOMAIN, type ValidatorSet } from '../sealed-header.ts'
import type { Connection } from './connection.ts'
import { formatJson, readTrust } from './json-files.ts'
import * as option from './options.ts'
import type { CommandPorts, NodeFlags } from './ports.ts'
import { reading } from './session.ts'
import { refused } from './shown.ts'

/** Validators that left are trusted to keep their keys for so long unless told: 90 days. */
const TRUST_DAYS = 90
const TRUST_DAYS_MAX = 3_650
const DAY_SECONDS = 86_400

export function addTrustCommands(root: Command, ports: CommandPorts): void {
  option.withExample(
    option
      .withNode(root.command('trust'))
      .description('keep the validators of a chain, for verification without a network')
      .requiredOption('--out <file>', 'file to create')
      .action(({ out, ...flags }: NodeFlags & { out: string }) =>
        reading(flags, ports, async ({ connection }) => {
          const chain = await trustOf(connection)
          ports.createText(out, formatJson(chain))
          const [{ from, set }] = chain.validators as [TrustedChain['validators'][number]]
          ports.print(`${countOf(set)} from block ${from} on, in ${out}`)
        }),
      ),
    'licence trust --out trust.json',
  )

  option.withExample(
    option
      .withNode(root.command('trust-update'))
      .description('follow the validators of a trust file to today; the node needs no trust')
      .argument('<trust>', 'file of `trust`; it is replaced')
      .option(
        '--trust-days <number>',
        'how long validators that left are trusted to keep their keys',
        option.wholeOf(TRUST_DAYS_MAX),
        TRUST_DAYS,
      )
      .action((path: string, flags: NodeFlags & { trustDays: number }) => {
        const before = readTrust(path, ports)
        return reading(flags, ports, async ({ connection, now }) => {
          const from = before.validators.at(-1)?.from ?? 0
          const headers = await gatherValidatorHeaders(connection.provider, from)
          const trustSeconds = flags.trustDays * DAY_SECONDS
          const followed = followValidators(before, headers, { now, trustSeconds })
          if (!followed.ok) throw refused(followed.reason)
          const { chain } = followed
          ports.replaceText(path, formatJson(chain))
          const changes = chain.validators.slice(before.validators.length)
          for (const change of changes) {
            ports.print(`${countOf(change.set)} from block ${change.from} on`)
          }
          const asOf = new Date((chain.asOf ?? 0) * 1_000).toISOString()
          ports.print(`${changes.length} changes; ${path} is as of ${asOf}`)
        })
      }),
    'licence trust-update trust.json',
  )
}

/** What a node that is trusted says of its chain today. */
async function trustOf({ provider, chainId }: Connection): Promise<TrustedChain> {
  const head = (await provider.send('eth_getBlockByNumber', ['latest', false])) as HeadBlock
  const from = Number(head.number)
  if (from === 0) {
    throw new LicenceError('LICENCE_CHAIN_ANSWER', 'the chain has no block after its first yet')
  }
  // Blocks from here on: who was validator before is not known.
  const set: string[] = await provider.send('qbft_getValidatorsByBlockNumber', [head.number])
  const domain = head.parentBeaconBlockRoot ?? NO_DOMAIN
  return {
    chainId,
    registry: ADDRESSES.licenceRegistry,
    ...(domain === NO_DOMAIN ? {} : { domain }),
    validators: [{ from, set }],
    asOf: Number(head.timestamp),
  }
}

function countOf(set: ValidatorSet): string {
  return set.length === 1 ? '1 validator' : `${set.length} validators`
}

interface HeadBlock {
  readonly number: string
  readonly timestamp: string
  readonly parentBeaconBlockRoot?: string
}
