// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IdentityStatus} from "./IIdentityView.sol";

/// @notice Types, events and errors of `IdentityRegistry`.
interface IdentityTypes {
    enum Kind {
        None,
        Citizen,
        Authority,
        Verifier
    }

    /// What a registrar says of an identity, and its holder countersigns. EIP-712 type `Identity`.
    struct Statement {
        /// Address of the key.
        address holder;
        bytes32 publicKeyX;
        bytes32 publicKeyY;
        /// Keyed tag of the person or organisation: the same for the same one.
        bytes32 subject;
        Kind kind;
        /// Organisation code.
        bytes32 registrar;
        /// Commitment to the identity's data.
        bytes32 digest;
        /// keccak256 of the payload.
        bytes32 payloadHash;
        /// 1, 2, ...
        uint64 version;
        /// Last second at which it may be brought.
        uint64 deadline;
    }

    struct Record {
        address owner;
        IdentityStatus status;
        Kind kind;
        uint32 version;
        uint8 keyCount;
        bytes32 subject;
        bytes32 registrar;
        bytes32 digest;
        bytes32 filingNumber;
    }

    /// Times in seconds since 1970; `until` does not belong to it, 0: in use.
    struct Key {
        address account;
        uint48 from;
        uint48 until;
        bytes32 x;
        bytes32 y;
    }

    struct Recovery {
        address newOwner;
        /// Second from which it can be completed; 0: there is none.
        uint64 readyAt;
        bytes32 publicKeyX;
        bytes32 publicKeyY;
    }

    event IdentityRegistered(
        address indexed identity,
        bytes32 indexed registrar,
        bytes32 indexed subject,
        Kind kind,
        bytes32 digest,
        IdentityStatus status
    );
    event IdentityChanged(address indexed identity, bytes32 indexed registrar, uint64 version, bytes32 digest);
    event IdentityPayload(address indexed identity, uint64 version, bytes payload);
    event SubjectAdded(address indexed identity, bytes32 indexed subject);
    event IdentityFiled(address indexed identity, bytes32 indexed supervisor, bytes32 filingNumber);
    event IdentityStatusChanged(
        address indexed identity, bytes32 indexed by, IdentityStatus status, uint16 reason
    );
    event KeyChanged(address indexed identity, address indexed owner);
    event RecoveryRequested(
        address indexed identity, address indexed newOwner, bytes32 registrar, bytes32 supervisor, uint64 readyAt
    );
    /// @notice By an objection, a change of key or cancellation.
    event RecoveryDropped(address indexed identity);
    event ListenerFailed(address indexed identity);
    event RulesSet(bool filingRequired, uint64 objectionSeconds);
    event ListenerSet(address indexed listener);

    // ERC-1056.
    event DIDOwnerChanged(address indexed identity, address owner, uint256 previousChange);
    event DIDDelegateChanged(
        address indexed identity, bytes32 delegateType, address delegate, uint256 validTo, uint256 previousChange
    );
    event DIDAttributeChanged(
        address indexed identity, bytes32 name, bytes value, uint256 validTo, uint256 previousChange
    );

    error IdentityKnown(address account);
    error IdentityUnknown(address identity);
    error StatusWrong(address identity, IdentityStatus status);
    error VersionWrong(uint64 version, uint64 expected);
    error KindMissing();
    error SubjectMissing();
    error SubjectTaken(bytes32 subject, address identity);
    error PublicKeyWrong(address key);
    error PayloadTooLong(uint256 length);
    error PayloadWrong(bytes32 expected);
    error SignerWrong(address expected, address signer);
    error NotRegistrar(bytes32 organisation);
    error NotSupervisor(bytes32 organisation);
    error NotOwner(address identity, address account);
    error DeadlinePassed(uint64 deadline);
    error FilingNumberMissing();
    error AlreadyFiled(address identity, bytes32 filingNumber);
    error RecoveryPending(address identity);
    error RecoveryWaits(address identity, uint64 readyAt);
    error NoRecovery(address identity);
    error ObjectionTooLong(uint64 objectionSeconds);
    error KeysFull(address identity);
    error AttributeTooLong(uint256 length);
}
