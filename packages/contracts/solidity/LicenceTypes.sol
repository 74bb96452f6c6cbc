// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Types, events and errors of `LicenceRegistry`.
interface LicenceTypes {
    /// The first seven after None are the national codes.
    enum Status {
        None,
        InForce,
        Suspended,
        Rescinded,
        Cancelled,
        Lapsed,
        TransferredOut,
        Revoked,
        Offered,
        Declined
    }

    /// Seven slots. All times in seconds since 1970.
    struct Licence {
        /// Commitment to the licence identifier; one licence only has it.
        bytes32 identifier;
        /// Digest of the credential.
        bytes32 content;
        bytes32 licenceType;
        /// Organisation code.
        bytes32 issuer;
        /// Slot 4. Name of the holder's identity.
        address holder;
        uint64 validFrom;
        uint32 version;
        /// Slot 5. First second at which it is no longer valid.
        uint64 validUntil;
        /// When its status began; before now where it was rescinded by hindsight.
        uint64 statusTime;
        uint64 issuedAt;
        /// As the issuer or holder left it; `statusAt` gives what it is.
        Status status;
        /// What the identity's status makes of it: None, Suspended or Cancelled.
        Status mark;
        uint16 reason;
        /// Place in the holder's list, from 1.
        uint32 place;
        /// Slot 6. Number of the predecessor, plus 1.
        uint64 previous;
        /// Number of the successor, plus 1.
        uint64 next;
        /// First second at which an offer is no longer open.
        uint64 acceptBy;
        /// Chain id to which it went.
        uint64 destination;
    }

    /// Where the credential is, encrypted to the holder.
    struct Payload {
        /// 0: `data` is the ciphertext; 1 file, 2 URL, 3 S3, 4 IPFS: `data` locates it.
        uint8 store;
        bytes data;
        /// keccak256 of the ciphertext and its bytes, where `store` is not 0.
        bytes32 hash;
        uint64 length;
    }

    struct Offer {
        bytes32 identifier;
        bytes32 content;
        bytes32 licenceType;
        address holder;
        uint64 validFrom;
        uint64 validUntil;
        uint64 acceptBy;
        Payload payload;
    }

    struct Succession {
        bytes32 identifier;
        bytes32 content;
        /// Not in the future: there is never none in force.
        uint64 validFrom;
        uint64 validUntil;
        Payload payload;
    }

    /// A licence as it comes from another chain.
    struct Arrival {
        bytes32 identifier;
        bytes32 content;
        bytes32 licenceType;
        bytes32 issuer;
        address holder;
        uint64 validFrom;
        uint64 validUntil;
        uint64 issuedAt;
        uint32 version;
        uint64 originChain;
        uint64 originNumber;
    }

    /// @notice Every change of a leaf, with all of it.
    /// @param operation national code, or 101 accept, 102 decline, 103 the holder's identity changed
    /// @param status of the leaf
    event LicenceChanged(
        uint256 indexed number,
        uint8 indexed operation,
        address indexed holder,
        bytes32 identifier,
        Status status,
        uint32 version,
        bytes32 content,
        uint64 validFrom,
        uint64 validUntil,
        uint64 statusTime,
        uint16 reason
    );
    /// @notice A number was given.
    /// @param previous number of the predecessor, plus 1; 0: none
    event LicenceNumbered(
        uint256 indexed number,
        bytes32 indexed licenceType,
        bytes32 indexed issuer,
        uint64 issuedAt,
        uint64 acceptBy,
        uint64 previous
    );
    event LicencePayload(uint256 indexed number, uint8 store, bytes data, bytes32 hash, uint64 length);
    /// @notice The holder asks the issuer to cancel.
    event CancellationRequested(uint256 indexed number, address indexed holder, uint16 reason);
    event TransferredOut(uint256 indexed number, uint64 destination);
    event TransferredIn(uint256 indexed number, uint64 originChain, uint64 originNumber);
    event CiphertextLimitSet(uint256 limit);

    error LicenceUnknown(uint256 number);
    error StatusWrong(uint256 number, Status status);
    error NotIssuer(uint256 number, bytes32 organisation);
    error NotAccredited(bytes32 organisation, bytes32 licenceType);
    error StillAccredited(uint256 number);
    error NotHolder(uint256 number, address account);
    error IdentityNotActive(address identity);
    error IdentifierMissing();
    error IdentifierTaken(bytes32 identifier, uint256 number);
    error PeriodInvalid(uint64 validFrom, uint64 validUntil);
    error DeadlinePassed(uint64 deadline);
    error EffectInvalid(uint64 effectiveFrom);
    error VersionsExhausted(uint256 number);
    error PayloadInvalid();
    error CiphertextTooLong(uint256 length, uint256 limit);
    error HolderFull(address holder);
    error DestinationInvalid(uint64 chainId);
    error NotPeg(address caller);
    error BeforeLastChange(uint256 number, uint64 statusTime);
    /// @notice A licence stays with its holder.
    error Soulbound();
}
