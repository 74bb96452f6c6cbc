/** Questions that only this node answers. */

import { encodeHeader } from '@vellum/ledger'
import type { Backend } from '../backend.ts'
import { data, hex, quantity } from '../format.ts'
import { jsonArray, jsonObject } from '../json.ts'
import { type Method, method } from '../method.ts'
import { quantityOf, required } from '../parse.ts'

const parseLeafIndex = (value: unknown): number => Number(quantityOf(32)(value))

export function vellumMethods({ chain, consensus, proveStatus }: Backend): Method[] {
  const methods: Method[] = []
  if (consensus !== undefined) {
    methods.push(method('vellum_consensusStatus', [], () => JSON.stringify(consensus.status())))
  }
  if (proveStatus !== undefined) {
    methods.push(
      method('vellum_getStatusProof', [required(parseLeafIndex)], (index) => {
        const { header, hash } = chain.head()
        const { leaf, mask, siblings } = proveStatus(index)
        return jsonObject([
          ['blockNumber', quantity(header.number)],
          ['blockHash', hex(hash)],
          ['header', data(encodeHeader(header))],
          ['index', quantity(index)],
          ['leaf', data(leaf)],
          ['mask', quantity(mask)],
          ['siblings', jsonArray(siblings.map(data))],
        ])
      }),
    )
  }
  return methods
}
