/** The OpenRPC document of the methods that are served: what rpc.discover answers. */

import { isGuarded } from '../access.ts'
import type { JsonText } from '../json.ts'
import { type Method, method } from '../method.ts'
import { COMPONENTS } from './components.ts'
import { DESCRIPTIONS } from './descriptions.ts'

/** Of the specification: https://spec.open-rpc.org */
const OPENRPC_VERSION = '1.3.2'
/** Of this document; moves when a method changes what it takes or answers. */
const DOCUMENT_VERSION = '1.0.0'

/**
 * The method itself.
 * @param served all others
 */
export function discoverMethod(served: readonly Method[]): Method {
  let document: JsonText | undefined
  const names = [...served.map(({ name }) => name), DISCOVER]
  return method(DISCOVER, [], () => {
    document ??= JSON.stringify(describeMethods(names))
    return document
  })
}

const DISCOVER = 'rpc.discover'

/** @param names of methods, each with its place among the descriptions */
export function describeMethods(names: readonly string[]): Readonly<Record<string, unknown>> {
  return {
    openrpc: OPENRPC_VERSION,
    info: {
      title: 'Vellum JSON-RPC',
      description:
        'Methods as execution-apis has them where they are there too. ' +
        'Those tagged guarded need a token or the operator’s leave.',
      version: DOCUMENT_VERSION,
      license: { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' },
    },
    methods: names.map(describeMethod),
    components: { schemas: COMPONENTS },
  }
}

function describeMethod(name: string): Readonly<Record<string, unknown>> {
  const found = DESCRIPTIONS[name]
  if (found === undefined) throw new Error(`${name} is not described`)
  const { summary, params, result } = found
  return {
    name,
    summary,
    ...(isGuarded(name) && { tags: [{ name: 'guarded' }] }),
    paramStructure: 'by-position',
    params,
    result: { name: 'result', schema: result },
  }
}
