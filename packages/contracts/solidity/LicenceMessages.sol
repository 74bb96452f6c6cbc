// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LicenceTypes} from "./LicenceTypes.sol";

/// @notice What `LicencePeg` of a side chain and `LicenceIndex` of the main chain say to each other: one byte that
/// says what it is, and its ABI encoding. A revision is of a side chain and rises with each message; of two messages
/// about one licence the one with the higher revision holds, in whatever order they come.
library LicenceMessages {
    /// A licence as its chain has it.
    struct Entry {
        uint64 number;
        bytes32 identifier;
        bytes32 content;
        bytes32 licenceType;
        bytes32 issuer;
        address holder;
        uint64 validFrom;
        uint64 validUntil;
        uint64 statusTime;
        uint64 issuedAt;
        uint32 version;
        /// As issuer or holder left it.
        LicenceTypes.Status status;
        /// What the identity's status makes of it: None, Suspended or Cancelled.
        LicenceTypes.Status mark;
    }

    /// To the index: (uint48 revision, Entry[]).
    bytes1 internal constant ENTRIES = 0x01;
    /// To the index: (uint48 revision, LicenceTypes.Status mark, uint64 time, uint64[] numbers).
    bytes1 internal constant MARKS = 0x02;
    /// To the index: (uint48 revision, Entry, uint64 destination). The licence leaves.
    bytes1 internal constant DEPARTURE = 0x03;
    /// From the index: (LicenceTypes.Arrival). The licence comes.
    bytes1 internal constant ARRIVAL = 0x04;
    /// From the index: (uint64 number, bytes32 identifier). The licence stays after all.
    bytes1 internal constant RETURN = 0x05;

    error MessageUnknown(bytes1 what);
}
