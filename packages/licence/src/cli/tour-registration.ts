/** How a tour's person gets an identity: signed, countersigned, filed. */

import { hexlify, randomBytes } from 'ethers'
import {
  createIdentityDirectory,
  createIdentityOffice,
  type IdentityState,
} from '../chain/registrar.ts'
import { countersignIdentity, makeIdentity } from '../identity.ts'
import { createSubjectRing } from '../subject.ts'
import { placeOf } from './session.ts'
import { TOUR_PERSON, type TourCast } from './tour-cast.ts'
import type { Holder, Stage } from './tour-stage.ts'
import type { Told } from './tour-steps.ts'

const DAY = 86_400

/** @param stage of the chain that identities belong to */
export async function registerPerson(
  stage: Stage,
  { cast, holder }: { readonly cast: TourCast; readonly holder: Holder },
): Promise<Told<IdentityState>> {
  const { chain, chainId } = stage
  const office = createIdentityOffice(stage.writer(cast.registrar))
  const directory = createIdentityDirectory(chain)
  const ring = createSubjectRing([{ version: 1, secret: randomBytes(32) }])
  const known = await directory.findPerson(ring, TOUR_PERSON)
  const signed = await makeIdentity({
    chainId,
    registrar: stage.keyOf(cast.registrar),
    registrarCode: cast.registrar.code,
    holderKey: holder.key.publicKey,
    kind: 'citizen',
    subject: ring.tag(TOUR_PERSON),
    details: { number: TOUR_PERSON.number },
    version: 1,
    deadline: stage.now() + DAY,
  })
  const { key, privateKey } = holder
  const both = await countersignIdentity(signed, { chainId, key, privateKey })
  const done = await office.register(both)
  const supervisor = createIdentityOffice(stage.writer(cast.root))
  const filed = await supervisor.file(holder.key.address, hexlify(randomBytes(32)))
  const state = await directory.stateOf(holder.key.address)
  return {
    value: state,
    lines: [
      `the registrar signs the identity of a citizen, ${known === undefined ? 'not known before' : 'known already'}; the holder countersigns`,
      placeOf(done),
      `filed with the supervising authority in block ${filed.blockNumber}: ${state}`,
    ],
  }
}
