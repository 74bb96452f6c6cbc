/** Certificates of a moment, for servers and clients of tests. */

import forge from 'node-forge'

export interface Issued {
  /** PEM. */
  readonly certificate: string
  readonly key: string
}

export interface Authority {
  /** PEM. */
  readonly certificate: string
  /** A certificate for `localhost` and 127.0.0.1, or for a client. */
  issue(name: string): Issued
}

const DAY_MS = 86_400_000

export function createAuthority(name: string): Authority {
  const keys = forge.pki.rsa.generateKeyPair(2_048)
  const own = certificateOf(name, keys.publicKey)
  own.setIssuer(own.subject.attributes)
  own.setExtensions([{ name: 'basicConstraints', cA: true, critical: true }])
  own.sign(keys.privateKey, forge.md.sha256.create())
  let serial = 1
  return {
    certificate: forge.pki.certificateToPem(own),
    issue: (subject) => {
      const subjectKeys = forge.pki.rsa.generateKeyPair(2_048)
      const issued = certificateOf(subject, subjectKeys.publicKey)
      issued.serialNumber = `0${++serial}`
      issued.setIssuer(own.subject.attributes)
      issued.setExtensions([
        {
          name: 'subjectAltName',
          altNames: [
            { type: 2, value: 'localhost' },
            { type: 7, ip: '127.0.0.1' },
          ],
        },
      ])
      issued.sign(keys.privateKey, forge.md.sha256.create())
      return {
        certificate: forge.pki.certificateToPem(issued),
        key: forge.pki.privateKeyToPem(subjectKeys.privateKey),
      }
    },
  }
}

function certificateOf(name: string, publicKey: forge.pki.rsa.PublicKey): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = publicKey
  certificate.serialNumber = '01'
  certificate.validity.notBefore = new Date(Date.now() - DAY_MS)
  certificate.validity.notAfter = new Date(Date.now() + DAY_MS)
  certificate.setSubject([{ name: 'commonName', value: name }])
  return certificate
}
