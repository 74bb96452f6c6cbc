/** A chain of one validator, as QBFT headers say it: enough of a scheme for tests of the ledger. */

import { type Address, bigIntToBytes, bytesToHex, concatBytes } from '@vellum/evm'
import {
  type ConsensusFields,
  commitHash,
  decodeExtraData,
  encodeExtraData,
  type Genesis,
  type Header,
  parseGenesis,
  QBFT_MIX_HASH,
  qbftHash,
  type SealScheme,
  type Secp256k1,
} from '../src/index.ts'

export interface OneSigner extends SealScheme {
  readonly fields: ConsensusFields
  seal(header: Header): Header
}

export function createOneSigner(validator: Address, key: Uint8Array, crypto: Secp256k1): OneSigner {
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: [validator],
    vote: undefined,
    round: 0,
    seals: [],
  })
  return {
    hash: qbftHash,
    verify: (header) => {
      const [seal] = decodeExtraData(header.extraData).seals
      const signer =
        seal && crypto.recoverBytes(commitHash(header), seal.subarray(0, 64), seal[64]!)
      return signer === validator ? { ok: true } : { ok: false, reason: 'seal is not the signer’s' }
    },
    verifyUnsealed: () => ({ ok: true }),
    fields: {
      coinbase: validator,
      difficulty: 1n,
      extraData,
      mixHash: QBFT_MIX_HASH,
      nonce: new Uint8Array(8),
    },
    seal: (header) => {
      const { r, s, yParity } = crypto.sign(commitHash(header), key)
      const seal = concatBytes(bigIntToBytes(r, 32), bigIntToBytes(s, 32), Uint8Array.of(yParity))
      const extra = decodeExtraData(header.extraData)
      return { ...header, extraData: encodeExtraData({ ...extra, seals: [seal] }) }
    },
  }
}

/** What a test wants of its genesis beside the rules of Osaka and one signer. */
export interface OneSignerGenesis {
  readonly validator: Address
  readonly chainId?: number
  readonly vellum?: object
  readonly alloc?: object
}

/** A chain of one signer: Osaka from the first block on, no fees, blocks whenever. */
export function oneSignerGenesis(options: OneSignerGenesis): Genesis {
  const extraData = encodeExtraData({
    vanity: new Uint8Array(32),
    validators: [options.validator],
    vote: undefined,
    round: 0,
    seals: [],
  })
  return parseGenesis({
    config: {
      chainId: options.chainId ?? 7,
      londonBlock: 0,
      terminalTotalDifficulty: 0,
      shanghaiTime: 0,
      cancunTime: 0,
      pragueTime: 0,
      osakaTime: 0,
      zeroBaseFee: true,
      qbft: { xblockperiodmilliseconds: 50 },
      ...(options.vellum && { vellum: options.vellum }),
    },
    alloc: options.alloc ?? {},
    difficulty: '0x1',
    gasLimit: '0x1c9c380',
    extraData: bytesToHex(extraData),
  })
}
