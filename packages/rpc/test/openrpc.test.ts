import metaSchema from '@open-rpc/meta-schema'
import { createStatusTree } from '@vellum/ledger'
import { Ajv, type ValidateFunction } from 'ajv'
import { beforeAll, describe, expect, it } from 'vitest'
import type { AdminPort, Backend, ConsensusPort, PayloadPort } from '../src/backend.ts'
import { createRpc, RPC_LIMITS } from '../src/index.ts'
import type { Method } from '../src/method.ts'
import { DESCRIPTIONS } from '../src/openrpc/descriptions.ts'
import type { PegPort } from '../src/peg.ts'
import { methodsOf } from '../src/rpc.ts'
import {
  compatFiles,
  loadExecutedBackend,
  readExchanges,
  testPorts,
  textBytes,
} from './compat-chain.ts'

interface Document {
  readonly methods: readonly {
    readonly name: string
    readonly params: readonly { readonly required: boolean; readonly schema: object }[]
    readonly result: { readonly schema: object }
  }[]
  readonly components: { readonly schemas: object }
}

let backend: Backend
let document: Document
const operatorMethods = ['debug', 'testing']

beforeAll(async () => {
  backend = await loadExecutedBackend('main')
  document = (await ask({ method: 'rpc.discover' })) as Document
})

async function ask(request: object): Promise<unknown> {
  const dispatch = createRpc({ backend, ports: testPorts(), operatorMethods })
  const body = textBytes(JSON.stringify({ jsonrpc: '2.0', id: 1, ...request }))
  const answer = JSON.parse(await dispatch(body)) as { result?: unknown; error?: unknown }
  if (answer.error !== undefined) throw new Error(JSON.stringify(answer.error))
  return answer.result
}

/** Every method that a node may have, whatever its chain. */
function allMethods(): Method[] {
  // A port that is new must be named here, so that its methods are not forgotten.
  const whole: Required<Backend> = {
    ...backend,
    consensus: {} as ConsensusPort,
    admin: { chains: {} } as AdminPort,
    peg: {} as PegPort,
    payloads: {} as PayloadPort,
    proveStatus: (index) => createStatusTree().prove(index),
  }
  return methodsOf(whole, RPC_LIMITS, testPorts())
}

const validators = new Map<object, ValidateFunction>()

/** Checks a value by a schema of the document. */
function validatorOf(schema: object): ValidateFunction {
  const known = validators.get(schema)
  if (known !== undefined) return known
  const { components } = document
  const made = new Ajv({ strict: false }).compile({ ...schema, components })
  validators.set(schema, made)
  return made
}

it('rpc.discover: the document is one of OpenRPC', () => {
  const ajv = new Ajv({ strict: false, formats: { uri: true } })
  // What the meta schema asks of the schemas inside: they are checked one by one below.
  const reference = { JSONSchemaObject: { properties: { $ref: { type: 'string' } } } }
  ajv.addSchema({ $id: 'https://meta.json-schema.tools' })
  ajv.addSchema({ $id: 'https://meta.json-schema.tools/', definitions: reference })
  const validate = ajv.compile(metaSchema as object)
  validate(document)
  expect(validate.errors).toBeNull()
  const schemas = document.methods.flatMap(({ params, result }) => [
    result.schema,
    ...params.map(({ schema }) => schema),
  ])
  for (const schema of [...schemas, ...Object.values(document.components.schemas)]) {
    expect(ajv.validateSchema(schema as object)).toBe(true)
  }
})

it('rpc.discover: names every method that is served, and no other', async () => {
  const served = methodsOf(backend, RPC_LIMITS, testPorts()).map(({ name }) => name)
  expect(document.methods.map(({ name }) => name)).toEqual(served)
  for (const name of served) expect(name).not.toMatch(/^(engine|personal)_/)
})

it('every method is described, and nothing else', () => {
  const names = allMethods().map(({ name }) => name)
  expect(names.toSorted()).toEqual(Object.keys(DESCRIPTIONS).toSorted())
})

it('every description has the parameters of its method', () => {
  for (const { name, params } of allMethods()) {
    const described = DESCRIPTIONS[name]!.params.map(({ required }) => required)
    expect({ name, params: described }).toEqual({
      name,
      params: params.map(({ required }) => required),
    })
  }
})

describe('what the rpc-compat suite asks and is answered fits the document', () => {
  const methods = [...new Set(compatFiles('main').map(({ method }) => method))]
  it.each(methods)('%s', async (directory) => {
    const dispatch = createRpc({ backend, ports: testPorts(), operatorMethods })
    let checked = 0
    for (const { file } of compatFiles('main').filter(({ method }) => method === directory)) {
      for (const { request } of readExchanges(file)) {
        const { method, params = [] } = JSON.parse(request) as {
          method: string
          params?: unknown[]
        }
        const answer = JSON.parse(await dispatch(textBytes(request))) as { result?: unknown }
        if (!('result' in answer)) continue
        const described = document.methods.find(({ name }) => name === method)!
        params.forEach((value, i) => {
          const { schema, required } = described.params[i]!
          if (value === null && !required) return
          const validate = validatorOf(schema)
          expect({ file, i, fits: validate(value), errors: validate.errors }).toMatchObject({
            fits: true,
          })
        })
        const validate = validatorOf(described.result.schema)
        expect({ file, fits: validate(answer.result), errors: validate.errors }).toMatchObject({
          fits: true,
        })
        checked++
      }
    }
    expect(checked).toBeGreaterThan(0)
  })
})
