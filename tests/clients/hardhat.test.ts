/** `hardhat test` of a small project, whose network is a node in a process of its own. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startNode, temporaryDirectory } from '../e2e/running-node.ts'
import { alice } from './contracts.ts'
import { copyProject, runTool } from './project.ts'

test('Hardhat compiles, deploys and runs a project’s tests against the node', async () => {
  const directory = temporaryDirectory()
  const node = await startNode(join(directory, 'node'))
  try {
    const project = join(directory, 'project')
    copyProject('hardhat-project', project)
    const { code, output } = await runTool(
      'hardhat',
      ['test', 'nodejs', '--network', 'vellum'],
      project,
      {
        VELLUM_URL: node.url,
        VELLUM_KEY: alice.privateKey,
        HARDHAT_DISABLE_TELEMETRY_PROMPT: 'true',
        CI: 'true',
      },
    )
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringMatching(/1 passing/) })
    expect(Number(await node.call('eth_blockNumber'))).toBeGreaterThanOrEqual(2)
  } finally {
    await node.stop()
    rmSync(directory, { recursive: true, force: true })
  }
})
