/** What people are told about the development chain's accounts. */

import { DEV_ACCOUNTS } from '../dev-chain.ts'

/** @param url of an RPC server */
export function* devAccountLines(url: string): Generator<string> {
  yield 'Development accounts, 10,000 ether each. Their keys are public: never use them, or this'
  yield 'chain, for anything of value.'
  yield ''
  for (const { address, privateKey } of DEV_ACCOUNTS) yield `  ${address}  ${privateKey}`
  const [sender, receiver] = DEV_ACCOUNTS
  yield ''
  yield 'Try it: run `node` in this folder and paste'
  yield ''
  yield "  const { ethers } = await import('ethers')"
  yield `  const wallet = new ethers.Wallet('${sender!.privateKey}', new ethers.JsonRpcProvider('${url}'))`
  yield `  await (await wallet.sendTransaction({ to: '${receiver!.address}', value: 1n })).wait()`
  yield ''
}
