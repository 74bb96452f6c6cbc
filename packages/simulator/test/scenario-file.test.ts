import { describe, expect, test } from 'vitest'
import { drawScenario } from '../src/draw-scenario.ts'
import { loadScenario, shippedScenarios } from '../src/host/scenario-source.ts'
import { parseScenario } from '../src/scenario-file.ts'
import { ScenarioError } from '../src/scenario-reader.ts'

const complaintsOf = (json: unknown): string => {
  try {
    parseScenario(json)
  } catch (error) {
    expect(error).toBeInstanceOf(ScenarioError)
    return (error as Error).message
  }
  return 'none'
}

describe('scenario files', () => {
  test('fill in what is left out', () => {
    const scenario = parseScenario({ name: 'least', validators: 4, healAfterSeconds: 10 })
    expect(scenario.blockPeriodSeconds).toBe(1)
    expect(scenario.network.loss).toBe(0)
    expect(scenario.expect.violations).toBe('none')
  })

  test('name every wrong place, what it must be and what it is', () => {
    const text = complaintsOf({
      name: 'wrong',
      validators: 0,
      healAfterSeconds: 'soon',
      netwrok: {},
      network: { loss: 2 },
      byzantine: [{ node: 1, behaviours: ['rude'] }],
      steps: [
        { atSeconds: 1, do: 'explode' },
        { atSeconds: 2, do: 'kill' },
      ],
    })
    expect(text).toContain('validators must be a number from 1 to 100, not 0')
    expect(text).toContain('healAfterSeconds must be a number from 0 to 604800, not "soon"')
    expect(text).toContain('netwrok is not known')
    expect(text).toContain('network.loss must be a number from 0 to 1, not 2')
    expect(text).toContain('byzantine[0].behaviours[0] must be one of bad server')
    expect(text).toContain('steps[0].do must be one of kill')
    expect(text).toContain('steps[1].nodes must be a list')
  })

  test('refuse nodes that are not there', () => {
    const steps = [
      {
        atSeconds: 1,
        do: 'partition',
        groups: [
          [0, 1],
          [2, 7],
        ],
      },
    ]
    const text = complaintsOf({ name: 'x', validators: 4, healAfterSeconds: 5, steps })
    expect(text).toContain('steps[0].groups names node 7, but the last one is 3')
  })

  test('refuse what is no object', () => {
    expect(complaintsOf([])).toContain('the file must be an object')
    expect(complaintsOf(null)).toContain('the file must be an object')
  })

  test('that come along can all be read', () => {
    expect(shippedScenarios().length).toBeGreaterThan(20)
    for (const name of shippedScenarios()) expect(loadScenario(name).name).toBe(name)
  })

  test('that are not there are said to be so', () => {
    expect(() => loadScenario('nowhere')).toThrow('those that come along: alone, ')
  })
})

describe('drawn scenarios', () => {
  test('are the same for the same seed, and valid as files', () => {
    for (let seed = 0; seed < 300; seed++) {
      const scenario = drawScenario(`${seed}`)
      expect(drawScenario(`${seed}`)).toEqual(scenario)
      expect(parseScenario(JSON.parse(JSON.stringify(scenario)))).toEqual(scenario)
    }
  })

  test('draw every size, every behaviour and every action', () => {
    const drawn = Array.from({ length: 1_000 }, (_, seed) => drawScenario(`${seed}`))
    const sizes = new Set(drawn.map(({ validators }) => validators))
    expect([...sizes].sort((a, b) => a - b)).toEqual([4, 5, 6, 7, 10, 13])
    const behaviours = new Set(
      drawn.flatMap(({ byzantine }) => byzantine.flatMap((each) => each.behaviours)),
    )
    expect(behaviours.size).toBe(15)
    const actions = new Set(drawn.flatMap(({ steps }) => steps.map((step) => step.do)))
    expect(actions.size).toBe(16)
    const real = drawn.filter(({ crypto }) => crypto === 'real').length
    expect(real).toBeGreaterThan(5)
    expect(real).toBeLessThan(50)
  })
})
