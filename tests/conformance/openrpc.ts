/** Schemas of the execution-apis specification: does an answer have the form of its method? */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { foldersNamed } from './files.ts'

interface OpenRpcMethod {
  readonly name: string
  readonly result: { readonly schema: object }
}

export interface AnswerSchemas {
  readonly methods: readonly string[]
  /** What is wrong with a result, or undefined if it fits. @throws Error for a method without schema */
  mismatch(method: string, result: unknown): string | undefined
}

/** @param path the collection, or a folder above or below its `openrpc` */
export function loadAnswerSchemas(path: string): AnswerSchemas {
  const [folder] = foldersNamed(path, 'openrpc')
  const file = join(folder ?? path, 'openrpc.json.gz')
  const { methods } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as {
    methods: OpenRpcMethod[]
  }
  // Schemas there carry titles and examples, which are not for checking.
  const ajv = new Ajv({ strict: false, allErrors: true })
  const schemas = new Map(methods.map(({ name, result }) => [name, result.schema]))
  const compiled = new Map<string, ValidateFunction>()
  return {
    methods: [...schemas.keys()],
    mismatch: (method, result) => {
      const schema = schemas.get(method)
      if (schema === undefined) throw new Error(`no schema for ${method}`)
      const validate = compiled.get(method) ?? ajv.compile(schema)
      compiled.set(method, validate)
      if (validate(result)) return undefined
      // An empty list is of every kind of list: that several alternatives fit is no fault of it.
      const isAmbiguous = ({ keyword, params }: ErrorObject): boolean =>
        keyword === 'oneOf' && params.passingSchemas !== null
      if (isEmptyList(result) && validate.errors?.every(isAmbiguous)) return undefined
      return ajv.errorsText(validate.errors, { dataVar: method, separator: '; ' })
    },
  }
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0
}
