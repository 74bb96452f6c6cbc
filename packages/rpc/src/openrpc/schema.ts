/** JSON Schema (draft 7), as far as the description of our methods needs it. */

export type Schema = Readonly<Record<string, unknown>>

export const TEXT: Schema = { type: 'string' }
export const BOOLEAN: Schema = { type: 'boolean' }
export const NUMBER: Schema = { type: 'number' }
export const COUNT: Schema = { type: 'integer', minimum: 0 }
export const NULL_TYPE: Schema = { type: 'null' }
export const ANYTHING: Schema = {}

/** A schema that stands among the document's components. */
export function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}

export function hexOf(title: string, pattern: string): Schema {
  return { type: 'string', title, pattern }
}

export function listOf(items: Schema): Schema {
  return { type: 'array', items }
}

export function anyOf(...choices: readonly Schema[]): Schema {
  return { anyOf: choices }
}

export function orNull(schema: Schema): Schema {
  return anyOf(schema, NULL_TYPE)
}

export function oneWordOf(...words: readonly string[]): Schema {
  return { type: 'string', enum: words }
}

/** An object whose members are all there but those named last. */
export function objectOf(
  properties: Readonly<Record<string, Schema>>,
  optional: readonly string[] = [],
): Schema {
  const required = Object.keys(properties).filter((name) => !optional.includes(name))
  return { type: 'object', properties, ...(required.length > 0 && { required }) }
}

/** An object of which any member may be left out. */
export function partOf(properties: Readonly<Record<string, Schema>>): Schema {
  return objectOf(properties, Object.keys(properties))
}

/** An object from names that the data gives to values of one kind. */
export function mapOf(values: Schema): Schema {
  return { type: 'object', additionalProperties: values }
}
