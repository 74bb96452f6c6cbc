/** The block that a genesis file stands for, without a directory. */

import { crc32 } from 'node:zlib'
import {
  createMemoryKeyValue,
  FOREIGN,
  openChain,
  type SealedHeader,
  type Secp256k1,
} from '@vellum/ledger'
import type { GenesisFile } from '../genesis-file.ts'
import { qbftSchemeOf } from '../sealing.ts'

/**
 * Makes the genesis state in memory: for files of some thousand accounts.
 * @throws LedgerError, NodeError for a genesis that no chain can begin with
 */
export async function genesisBlockOf(
  { genesis, allocation }: GenesisFile,
  crypto: Secp256k1,
): Promise<SealedHeader> {
  const chain = await openChain({
    genesis,
    allocation,
    disk: createMemoryKeyValue(),
    crc32,
    scheme: qbftSchemeOf(genesis, crypto) ?? FOREIGN,
    crypto,
    retainedBlocks: undefined,
  })
  return chain.head()
}
