/** Limits of this library, each with its reason in docs/limits.md. */
export const LICENCE_LIMITS = {
  /** Bytes of one QR code of ours: version 40, level L holds 4,296 characters of base45. */
  codeBytesMax: 2_850,
  /** Bytes that a code may be inflated to. */
  inflatedBytesMax: 16_384,
  /** Characters of an SD-JWT with its disclosures. */
  credentialCharactersMax: 65_536,
  /** Disclosures of one credential. */
  disclosuresMax: 128,
  /** Characters of one text field of a licence. */
  fieldCharactersMax: 4_096,
  /** Fields that a request may ask for. */
  requestFieldsMax: 64,
  /** Characters of a purpose, a creator, a cause, a watermark. */
  purposeCharactersMax: 128,
  /** Seconds for which a presentation is good. */
  presentationSeconds: 60,
  /** Seconds by which clocks of holder and verifier may differ. */
  clockSkewSeconds: 10,
  /** Seconds for which a purpose-bound copy may be made: a year. */
  copySecondsMax: 31_622_400,
  /** Presentations that a verifier remembers until they expire. */
  replayEntriesMax: 100_000,
  /** Bytes of ciphertext that go on chain; larger ones are referred to. */
  inlineCiphertextBytes: 1_024,
  /** Bytes of a status proof. */
  proofBytesMax: 8_192,
  /** Validators whose set a verifier may hold. */
  validatorsMax: 255,
  /** Bytes of a header with its seals. */
  headerBytesMax: 65_536,
  /** Headers by which validators are followed at once. */
  followedHeadersMax: 1_000,
  /** Nodes of a proof of a trie: hashed keys have 64 digits. */
  trieNodesMax: 65,
  /** Licences of one question to the index of the main chain: half of `LicenceIndex.PAGE_MAX`. */
  indexPage: 128,
  /** Keys of a ring for subject tags. */
  subjectKeysMax: 64,
  /** Verifications recorded by one transaction: `VerificationLog.ENTRIES_MAX`. */
  recordsMax: 96,
  /** Verifications that wait to be recorded. */
  recordsWaitingMax: 10_000,
  /** Blocks of one question for events. */
  logBlocksMax: 5_000,
} as const
