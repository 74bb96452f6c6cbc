/** Identities: two signatures, filing, status, keys and their recovery, on a node. */

import { IDENTITY_KINDS, IDENTITY_STATUSES as STATUS } from '@vellum/contracts'
import { encodeBytes32String, hexlify, id, type Wallet } from 'ethers'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Chain, Receipt } from './chain.ts'
import { refused } from './refused.ts'
import {
  accounts,
  CODE,
  createWorld,
  DAY,
  IDENTITY_PAYLOAD,
  identityDomain,
  publicKeyOf,
  register,
  signedStatement,
  signKeyChange,
  statementOf,
  wallet,
} from './world.ts'

const { registrar, supervisor, issuer, root } = accounts
let chain: Chain
let people = 0
const person = (): Wallet => wallet(`person ${people++}`)

const send = (from: Wallet, method: string, ...args: unknown[]): Promise<Receipt> =>
  chain.send(from, 'identityRegistry', method, args)
const ask = <T>(method: string, ...args: unknown[]): Promise<T> =>
  chain.ask<T>('identityRegistry', method, args)
const names = ({ events }: Receipt): string[] => events.map(({ name }) => name)
const registered = async (): Promise<Wallet> => {
  const holder = person()
  await register(chain, holder)
  return holder
}

beforeAll(async () => {
  ;({ chain } = await createWorld({ filingRequired: true, objectionSeconds: 3 * DAY }))
  return () => chain.stop()
})

describe('registration', () => {
  test('a signed and countersigned identity is recorded, and active once it is filed', async () => {
    const holder = person()
    const statement = statementOf(holder)
    const receipt = await register(chain, holder)
    expect(names(receipt)).toEqual(['IdentityRegistered', 'IdentityPayload', 'DIDAttributeChanged'])
    expect(receipt.events[1]!.args).toMatchObject({ payload: IDENTITY_PAYLOAD, version: 1n })
    expect(await ask('statusOf', holder.address)).toBe(BigInt(STATUS.registered))
    await refused(send(registrar, 'file', holder.address, id('file')), 'NotSupervisor')
    await refused(
      send(supervisor, 'file', holder.address, `0x${'00'.repeat(32)}`),
      'FilingNumberMissing',
    )
    await send(supervisor, 'file', holder.address, id('file'))
    await refused(send(supervisor, 'file', holder.address, id('again')), 'AlreadyFiled')
    expect(await ask('recordOf', holder.address)).toEqual({
      owner: holder.address,
      status: BigInt(STATUS.active),
      kind: BigInt(IDENTITY_KINDS.citizen),
      version: 1n,
      keyCount: 1n,
      subject: statement.subject,
      registrar: CODE.registrar,
      digest: statement.digest,
      filingNumber: id('file'),
    })
    const { publicKeyX, publicKeyY } = publicKeyOf(holder)
    expect(await ask('publicKeyOf', holder.address)).toBe(`${publicKeyX}${publicKeyY.slice(2)}`)
    expect(await ask('identityOfSubject', statement.subject)).toBe(holder.address)
  })

  test('the same person is no new user, until the former identity is cancelled', async () => {
    const [first, second] = [person(), person()]
    const subject = id('one person')
    await register(chain, first, { subject })
    await refused(register(chain, second, { subject }), 'SubjectTaken', [subject, first.address])
    await refused(register(chain, first), 'IdentityKnown', [first.address])
    await send(registrar, 'cancel', first.address, 1)
    await register(chain, second, { subject })
    expect(await ask('identityOfSubject', subject)).toBe(second.address)
    await refused(register(chain, first), 'IdentityKnown')
  })

  test('another tag of the same person is added by a registrar', async () => {
    const [first, second] = [await registered(), person()]
    const tag = id('tag under the new key')
    await refused(send(issuer, 'addSubject', first.address, tag), 'NotRegistrar')
    await send(registrar, 'addSubject', first.address, tag)
    for (const subject of [tag, statementOf(first).subject]) {
      await refused(register(chain, second, { subject }), 'SubjectTaken', [subject, first.address])
    }
    await refused(send(registrar, 'addSubject', (await registered()).address, tag), 'SubjectTaken')
  })

  const wrong: readonly [string, string, (holder: Wallet) => Promise<unknown[]>][] = [
    [
      'signed by who is no registrar',
      'NotRegistrar',
      (holder) => signedStatement(chain, statementOf(holder), { registrar: issuer, holder }),
    ],
    [
      'signed by another than the registrar that it names',
      'NotRegistrar',
      (holder) =>
        signedStatement(chain, statementOf(holder, { registrar: CODE.issuer }), { holder }),
    ],
    [
      'countersigned by somebody else',
      'SignerWrong',
      (holder) => signedStatement(chain, statementOf(holder), { holder: issuer }),
    ],
    [
      'with a key that is not the holder’s',
      'PublicKeyWrong',
      (holder) => signedStatement(chain, statementOf(holder, publicKeyOf(issuer)), { holder }),
    ],
    [
      'too late',
      'DeadlinePassed',
      (holder) => signedStatement(chain, statementOf(holder, { deadline: 1_000 }), { holder }),
    ],
    [
      'not with version 1',
      'VersionWrong',
      (holder) => signedStatement(chain, statementOf(holder, { version: 2 }), { holder }),
    ],
    [
      'without a kind',
      'KindMissing',
      (holder) => signedStatement(chain, statementOf(holder, { kind: 0 }), { holder }),
    ],
    [
      'without a tag',
      'SubjectMissing',
      (holder) =>
        signedStatement(chain, statementOf(holder, { subject: `0x${'00'.repeat(32)}` }), {
          holder,
        }),
    ],
    [
      'with another payload than was signed',
      'PayloadWrong',
      async (holder) => [
        ...(await signedStatement(chain, statementOf(holder), { holder })).slice(0, 3),
        '0xc1c1c2',
      ],
    ],
    [
      'with a digest that was altered after both signed',
      'NotRegistrar',
      async (holder) => {
        const [statement, ...rest] = await signedStatement(chain, statementOf(holder), { holder })
        return [{ ...(statement as object), digest: id('altered') }, ...rest]
      },
    ],
    [
      'countersigned over another signature of the registrar',
      'SignerWrong',
      async (holder) => {
        const [statement, , ...rest] = await signedStatement(chain, statementOf(holder), { holder })
        const other = statementOf(holder, { digest: id('other') })
        const [, second] = await signedStatement(chain, other, { holder })
        const altered = { ...(statement as object), digest: id('other') }
        return [altered, second, ...rest]
      },
    ],
  ]
  test.for(wrong)('is refused %s', async ([, reason, args]) => {
    await refused(send(registrar, 'register', ...(await args(person()))), reason)
  })

  test('a change is signed as the registration was, with the next version', async () => {
    const holder = await registered()
    const next = { version: 2, digest: id('moved house') }
    const args = await signedStatement(chain, statementOf(holder, next), { holder })
    const receipt = await send(registrar, 'change', ...args)
    expect(names(receipt)).toEqual(['IdentityChanged', 'IdentityPayload'])
    expect(await ask('recordOf', holder.address)).toMatchObject({
      version: 2n,
      digest: next.digest,
    })
    await refused(send(registrar, 'change', ...args), 'VersionWrong', [2n, 3n])
    const skips = await signedStatement(chain, statementOf(holder, { version: 4 }), { holder })
    await refused(send(registrar, 'change', ...skips), 'VersionWrong', [4n, 3n])
  })
})

describe('status', () => {
  test('suspended and reinstated by the registrar or a supervising authority, by nobody else', async () => {
    const holder = await registered()
    await refused(send(registrar, 'suspend', holder.address, 1), 'StatusWrong')
    await send(supervisor, 'file', holder.address, id('file'))
    for (const other of [issuer, holder, root]) {
      await refused(send(other, 'suspend', holder.address, 1), 'NotRegistrar')
      await refused(send(other, 'cancel', holder.address, 1), 'NotRegistrar')
    }
    await send(registrar, 'suspend', holder.address, 1)
    await refused(send(registrar, 'suspend', holder.address, 1), 'StatusWrong')
    expect(await ask('statusOf', holder.address)).toBe(BigInt(STATUS.suspended))
    await send(supervisor, 'reinstate', holder.address, 2)
    await refused(send(supervisor, 'reinstate', holder.address, 2), 'StatusWrong')
    expect(await ask('statusOf', holder.address)).toBe(BigInt(STATUS.active))
  })

  test('cancelled is the end: no owner, no key, no way back', async () => {
    const holder = await registered()
    const receipt = await send(supervisor, 'cancel', holder.address, 5)
    expect(names(receipt)).toEqual([
      'DIDAttributeChanged',
      'IdentityStatusChanged',
      'DIDOwnerChanged',
    ])
    expect(BigInt(await ask<string>('identityOwner', holder.address))).toBe(0n)
    expect(await ask('statusOf', holder.address)).toBe(BigInt(STATUS.cancelled))
    for (const [method, ...args] of [
      ['file', id('x')],
      ['suspend', 1],
      ['reinstate', 1],
      ['cancel', 1],
    ] as const) {
      await refused(send(supervisor, method, holder.address, ...args), 'StatusWrong')
    }
    await refused(send(issuer, 'suspend', issuer.address, 1), 'IdentityUnknown')
  })
})

describe('keys', () => {
  const rotation = async (holder: Wallet, to: Wallet, nonce: number, signers: Wallet[]) => {
    const { publicKeyX, publicKeyY } = publicKeyOf(to)
    const change = { identity: holder.address, to, nonce }
    const signatures = await signKeyChange(chain, 'KeyChange', change, signers)
    return [holder.address, publicKeyX, publicKeyY, 4_000_000_000, ...signatures] as unknown[]
  }

  test('rotated with the consent of the old and the new key; both stay resolvable with their times', async () => {
    const [holder, next] = [await registered(), person()]
    const began = await chain.now()
    await chain.pass(DAY)
    await refused(
      send(issuer, 'rotate', ...(await rotation(holder, next, 0, [next, next]))),
      'SignerWrong',
    )
    await refused(
      send(issuer, 'rotate', ...(await rotation(holder, next, 0, [holder, holder]))),
      'SignerWrong',
    )
    await refused(
      send(issuer, 'rotate', ...(await rotation(holder, next, 1, [holder, next]))),
      'SignerWrong',
    )
    const args = await rotation(holder, next, 0, [holder, next])
    const receipt = await send(issuer, 'rotate', ...args)
    expect(names(receipt)).toEqual([
      'DIDAttributeChanged',
      'KeyChanged',
      'DIDOwnerChanged',
      'DIDAttributeChanged',
    ])
    const now = BigInt(await chain.now())
    expect(await ask('keysOf', holder.address)).toMatchObject([
      { account: holder.address, from: BigInt(began), until: now },
      { account: next.address, from: now, until: 0n },
    ])
    expect(await ask('ownerAt', holder.address, now - 1n)).toBe(holder.address)
    expect(await ask('ownerAt', holder.address, now)).toBe(next.address)
    expect(BigInt(await ask<string>('ownerAt', holder.address, began - 1))).toBe(0n)
    expect(await ask('identityOwner', holder.address)).toBe(next.address)
    for (const key of [holder, next])
      expect(await ask('identityOf', key.address)).toBe(holder.address)
    await refused(send(issuer, 'rotate', ...args), 'SignerWrong')
    const back = await rotation(holder, holder, 1, [next, holder])
    await refused(send(issuer, 'rotate', ...back), 'IdentityKnown', [holder.address])
    await refused(register(chain, next), 'IdentityKnown', [next.address])
  })

  const recovery = async (holder: Wallet, to: Wallet, nonce: number, signers: Wallet[]) => {
    const { publicKeyX, publicKeyY } = publicKeyOf(to)
    const change = { identity: holder.address, to, nonce }
    const signatures = await signKeyChange(chain, 'Recovery', change, signers)
    return [holder.address, publicKeyX, publicKeyY, 4_000_000_000, ...signatures] as unknown[]
  }

  test('not rotated while the identity is suspended: the key may be in wrong hands', async () => {
    const [holder, next] = [await registered(), person()]
    await send(supervisor, 'file', holder.address, id('file'))
    await send(registrar, 'suspend', holder.address, 1)
    const args = await rotation(holder, next, 0, [holder, next])
    await refused(send(issuer, 'rotate', ...args), 'StatusWrong', [
      holder.address,
      BigInt(STATUS.suspended),
    ])
    await send(registrar, 'reinstate', holder.address, 1)
    await send(issuer, 'rotate', ...args)
  })

  test('recovered by registrar and supervising authority, after the time to object', async () => {
    const [holder, next] = [await registered(), person()]
    for (const [signers, reason] of [
      [[issuer, supervisor, next], 'NotRegistrar'],
      [[registrar, registrar, next], 'NotSupervisor'],
      [[registrar, issuer, next], 'NotSupervisor'],
      [[registrar, supervisor, issuer], 'SignerWrong'],
    ] as const) {
      const args = await recovery(holder, next, 0, [...signers])
      await refused(send(issuer, 'requestRecovery', ...args), reason)
    }
    await refused(send(issuer, 'completeRecovery', holder.address), 'NoRecovery')
    const args = await recovery(holder, next, 0, [registrar, supervisor, next])
    await send(issuer, 'requestRecovery', ...args)
    await refused(send(issuer, 'requestRecovery', ...args), 'RecoveryPending')
    const readyAt = BigInt((await chain.now()) + 3 * DAY)
    await refused(send(issuer, 'completeRecovery', holder.address), 'RecoveryWaits', [
      holder.address,
      readyAt,
    ])
    await chain.pass(3 * DAY - 2)
    await refused(send(issuer, 'completeRecovery', holder.address), 'RecoveryWaits')
    await chain.pass(5)
    await send(issuer, 'completeRecovery', holder.address)
    expect(await ask('identityOwner', holder.address)).toBe(next.address)
    await refused(send(issuer, 'completeRecovery', holder.address), 'NoRecovery')
  })

  test('who still has the old key objects, or rotates, and nothing is left of the recovery', async () => {
    const [holder, thief, next] = [await registered(), person(), person()]
    const object = (signer: Wallet, nonce: number): Promise<string> =>
      signer.signTypedData(
        identityDomain(chain),
        {
          Objection: [
            { name: 'identity', type: 'address' },
            { name: 'nonce', type: 'uint256' },
          ],
        },
        { identity: holder.address, nonce },
      )
    const objection = await object(holder, 1)
    await refused(send(issuer, 'object', holder.address, objection), 'NoRecovery')
    const args = await recovery(holder, thief, 0, [registrar, supervisor, thief])
    await send(issuer, 'requestRecovery', ...args)
    await refused(send(issuer, 'object', holder.address, await object(thief, 1)), 'SignerWrong')
    expect(names(await send(issuer, 'object', holder.address, objection))).toEqual([
      'RecoveryDropped',
    ])
    // The same signatures do not begin it again.
    await refused(send(issuer, 'requestRecovery', ...args), 'NotRegistrar')
    const again = await recovery(holder, thief, 1, [registrar, supervisor, thief])
    await send(issuer, 'requestRecovery', ...again)
    await refused(send(issuer, 'object', holder.address, objection), 'SignerWrong')
    await send(issuer, 'rotate', ...(await rotation(holder, next, 2, [holder, next])))
    await chain.pass(4 * DAY)
    await refused(send(issuer, 'completeRecovery', holder.address), 'NoRecovery')
    expect(await ask('identityOwner', holder.address)).toBe(next.address)
  })
})

describe('ERC-1056', () => {
  test('an address that was never registered owns itself', async () => {
    const nobody = person()
    expect(await ask('identityOwner', nobody.address)).toBe(nobody.address)
    expect(await ask('changed', nobody.address)).toBe(0n)
  })

  test('each event names the block of the one before', async () => {
    const [holder, next] = [await registered(), person()]
    const first = await ask<bigint>('changed', holder.address)
    const name = encodeBytes32String('did/svc/Vault')
    const receipt = await send(holder, 'setAttribute', holder.address, name, '0x6874', 3_600)
    expect(receipt.events).toMatchObject([
      { name: 'DIDAttributeChanged', args: { identity: holder.address, previousChange: first } },
    ])
    expect(await ask('changed', holder.address)).toBe(BigInt(receipt.blockNumber))
    const type = encodeBytes32String('sigAuth')
    await send(holder, 'addDelegate', holder.address, type, next.address, 3_600)
    expect(await ask('validDelegate', holder.address, type, next.address)).toBe(true)
    await send(holder, 'revokeDelegate', holder.address, type, next.address)
    expect(await ask('validDelegate', holder.address, type, next.address)).toBe(false)
    await send(holder, 'revokeAttribute', holder.address, name, '0x6874')
    for (const [method, ...args] of [
      ['setAttribute', name, '0x00', 60],
      ['revokeAttribute', name, '0x00'],
      ['addDelegate', type, issuer.address, 60],
      ['revokeDelegate', type, issuer.address],
    ] as const) {
      await refused(send(next, method, holder.address, ...args), 'NotOwner')
    }
    const long = hexlify(new Uint8Array(257))
    await refused(send(holder, 'setAttribute', holder.address, name, long, 60), 'AttributeTooLong')
  })
})
