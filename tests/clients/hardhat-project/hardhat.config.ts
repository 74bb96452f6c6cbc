import { fileURLToPath } from 'node:url'
import hardhatEthers from '@nomicfoundation/hardhat-ethers'
import hardhatNodeTestRunner from '@nomicfoundation/hardhat-node-test-runner'
import { defineConfig } from 'hardhat/config'

// The compiler of the npm package, so that none is downloaded.
const path = fileURLToPath(import.meta.resolve('solc/soljson.js'))

export default defineConfig({
  plugins: [hardhatEthers, hardhatNodeTestRunner],
  solidity: { version: '0.8.37', path, settings: { evmVersion: 'cancun' } },
  networks: {
    vellum: {
      type: 'http',
      url: process.env.VELLUM_URL ?? 'http://127.0.0.1:8545',
      accounts: [process.env.VELLUM_KEY ?? ''],
    },
  },
})
