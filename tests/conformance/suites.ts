/** All suites, by the names that the command line takes. */

import { suite as basic } from './basic.ts'
import { suite as besuJsonRpc } from './besu-jsonrpc.ts'
import { suite as blocks } from './blocks.ts'
import { suite as ethers } from './ethers.ts'
import { suite as keystore } from './keystore.ts'
import { suite as proofs } from './proofs.ts'
import { suite as qbft } from './qbft.ts'
import { suite as rlp } from './rlp.ts'
import { suite as rpc } from './rpc.ts'
import { suite as state } from './state.ts'
import type { Suite } from './suite.ts'
import { suite as transactions } from './transactions.ts'
import { suite as trie } from './trie.ts'
import { suite as wycheproof } from './wycheproof.ts'

export const SUITES: readonly Suite[] = [
  rlp,
  trie,
  basic,
  transactions,
  proofs,
  state,
  blocks,
  ethers,
  wycheproof,
  keystore,
  qbft,
  rpc,
  besuJsonRpc,
]
