/** What we say to a test of Besu's: which of ours meets the same situation, or why none does. */

export type Answer = TestAnswer | VectorAnswer | ReasonAnswer

export interface TestAnswer {
  /** File of ours, from the root of the repository. */
  readonly test: string
  /** Part of the title of the test, or of its row in a table, as it stands in the file. */
  readonly name: string
  /** What we do otherwise in this situation, on purpose. */
  readonly differs?: string
}

export interface VectorAnswer {
  readonly suite: 'conformance qbft'
  /** The whole name of the case. */
  readonly case: string
}

export interface ReasonAnswer {
  /** Why there is nothing of the kind here. */
  readonly reason: string
}

/** Answers to the tests of one file. A name is looked up in `names`, then `like`, then `otherwise`. */
export interface FileAnswers {
  readonly names?: Readonly<Record<string, Answer>>
  /** The file, by the end of its path, in which tests of the same names have the same answers. */
  readonly like?: string
  readonly otherwise?: Answer
}

/** By the end of the path of Besu's file. */
export type Answers = Readonly<Record<string, FileAnswers>>

type Titled = (name: string, differs?: string) => TestAnswer

const inFile =
  (test: string): Titled =>
  (name, differs) => ({ test, name, ...(differs !== undefined && { differs }) })

const inConsensus = (module: string): Titled => inFile(`packages/consensus/test/${module}.test.ts`)
const inNode = (module: string): Titled => inFile(`packages/node/test/${module}.test.ts`)
const inLedger = (module: string): Titled => inFile(`packages/ledger/test/${module}.test.ts`)

export const step: Titled = inConsensus('step')
export const rounds: Titled = inConsensus('rounds')
export const votes: Titled = inConsensus('votes')
export const heights: Titled = inConsensus('heights')
export const justification: Titled = inConsensus('justification')
export const codec: Titled = inConsensus('codec')
export const validators: Titled = inConsensus('validators')
export const proposer: Titled = inConsensus('proposer')
export const quorum: Titled = inConsensus('quorum')
export const timeout: Titled = inConsensus('timeout')
export const scheme: Titled = inConsensus('scheme')
export const sync: Titled = inConsensus('sync')
export const operatorVotes: Titled = inNode('operator-votes')
export const mailbox: Titled = inNode('mailbox')
export const runner: Titled = inNode('runner')
export const rhythm: Titled = inNode('rhythm')
export const recoveryPool: Titled = inNode('system')
export const host: Titled = inNode('libp2p-host')
export const transport: Titled = inFile('tests/ports/transport-suite.ts')
export const chain: Titled = inLedger('chain')
export const genesis: Titled = inLedger('genesis')
export const seal: Titled = inLedger('seal')
export const rpc: Titled = inFile('packages/rpc/test/qbft.test.ts')
export const fees: Titled = inFile('packages/rpc/test/methods.test.ts')

/** A case of the vectors, which `tests/conformance/qbft.ts` runs. */
export const vector = (name: string): VectorAnswer => ({ suite: 'conformance qbft', case: name })

export const reason = (text: string): ReasonAnswer => ({ reason: text })

/** The same answer to several names. */
export function same(answer: Answer, ...names: readonly string[]): Record<string, Answer> {
  return Object.fromEntries(names.map((name) => [name, answer]))
}

/** Settings that are refused in the genesis file: what Besu does with them does not arise. */
export const REFUSED = {
  contract: chain(
    'config.qbft.validatorcontractaddress',
    'validators stand in the headers; a contract that names them is refused in the genesis file',
  ),
  transitions: chain(
    'config.transitions.qbft',
    'settings that change at a block are refused in the genesis file',
  ),
  migration: chain(
    'config.qbft.startblock',
    'a chain of another consensus that goes on with QBFT is refused in the genesis file',
  ),
  beneficiary: chain(
    'config.qbft.miningbeneficiary',
    'refused in the genesis file: fees go to the coinbase, who is the proposer',
  ),
  reward: chain('config.qbft.blockreward', 'refused in the genesis file: blocks have no reward'),
  gasOfTransactions: genesis(
    'config.qbft.pertxgaslimit',
    'refused in the genesis file: transactions are bounded by the block and by EIP-7825',
  ),
} as const
