import { describe, expect, test } from 'vitest'
import { loadPegScenario, shippedPegScenarios } from '../src/host/scenario-source.ts'
import { drawPegScenario } from '../src/peg/draw.ts'
import { parsePegScenario } from '../src/peg/scenario-file.ts'
import { ScenarioError } from '../src/scenario-reader.ts'

const SMALL = {
  name: 'small',
  machines: 2,
  main: { validators: [0] },
  sides: [{ name: 'business', validators: [1] }],
  relayers: [{ node: 0 }],
  healAfterSeconds: 10,
}

function complaintsOf(changes: object): string {
  try {
    parsePegScenario({ ...SMALL, ...changes })
    return ''
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError)
    return (error as Error).message
  }
}

test('what is left out has its default', () => {
  const scenario = parsePegScenario(SMALL)
  expect(scenario.sides[0]).toEqual({
    name: 'business',
    validators: [1],
    observers: [],
    faith: 'honest',
  })
  expect(scenario.relayers[0]).toEqual({
    node: 0,
    behaviour: 'honest',
    crashPart: 0,
    diesAt: 'any',
    accuses: false,
  })
  expect(scenario.expect).toEqual({
    violations: [],
    deliveredMin: 0,
    refundedMin: 0,
    frozen: [],
  })
})

describe('refused, with its place', () => {
  test.for([
    [{ machines: 0 }, 'machines must be'],
    [{ sides: [] }, 'sides must be a list'],
    [{ sides: [{ name: 'main', validators: [0] }] }, 'two chains have the same name'],
    [{ main: { validators: [2] } }, 'main names machine 2'],
    [{ relayers: [{ node: 5 }] }, 'relayers[0].node names machine 5'],
    [{ relayers: [{ node: 0, behaviour: 'lazy' }] }, 'relayers[0].behaviour must be one of'],
    [{ steps: [{ atSeconds: 1, do: 'lie', chain: 'trade' }] }, 'steps[0].chain must be one of'],
    [{ steps: [{ atSeconds: 1, do: 'dance' }] }, 'steps[0].do must be one of'],
    [{ steps: [{ atSeconds: 1, do: 'stop relayers', relayers: [1] }] }, 'names relayer 1'],
    [
      { steps: [{ atSeconds: 1, do: 'vote', nodes: [0], subject: 1, kind: 'add' }] },
      'steps[0].chain must be one of',
    ],
    [{ expect: { frozen: ['trade'] } }, 'expect.frozen must be one of'],
    [{ expect: { violations: ['Z9'] } }, 'expect.violations[0] must be one of'],
    [{ speed: 3 }, 'speed is not known'],
  ] as const)('%j', ([changes, complaint]) => {
    expect(complaintsOf(changes)).toContain(complaint)
  })
})

test('those that come along are read', () => {
  for (const name of shippedPegScenarios()) expect(loadPegScenario(name).about).not.toBe('')
})

test('what is drawn from a seed is the same as its JSON', () => {
  for (let seed = 0; seed < 50; seed++) {
    const drawn = drawPegScenario(`${seed}`)
    expect(parsePegScenario(JSON.parse(JSON.stringify(drawn)))).toEqual(drawn)
  }
})
