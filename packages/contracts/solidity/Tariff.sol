// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

// Seconds; periods of free uses begin at multiples of it since 1970.
uint64 constant TARIFF_PERIOD_SECONDS = 30 days;

/// @title What a verification costs, by licence type and class of verifier.
/// @notice Every change has a version, and what any version said can be read for ever.
contract Tariff is AccessManaged {
    struct Price {
        /// Units of credit for each use beyond the free ones.
        uint96 perUse;
        /// Units of credit for each byte returned by a use that is not free.
        uint64 perByte;
        /// Uses without charge in each period.
        uint32 freeUses;
        /// The tariff's version that said so; 0: nothing was said.
        uint32 version;
    }

    struct Entry {
        bytes32 licenceType;
        uint8 verifierClass;
        uint96 perUse;
        uint64 perByte;
        uint32 freeUses;
    }

    uint64 public constant PERIOD = TARIFF_PERIOD_SECONDS;

    event PriceSet(
        uint32 indexed version,
        bytes32 indexed licenceType,
        uint8 indexed verifierClass,
        uint96 perUse,
        uint64 perByte,
        uint32 freeUses
    );

    error VersionUnknown(uint32 version);
    error NoPrice(bytes32 licenceType, uint8 verifierClass);

    uint32 private _version;
    mapping(bytes32 licenceType => mapping(uint8 verifierClass => Price)) private _prices;
    mapping(uint32 version => Entry) private _entries;

    constructor(address authority_, Entry[] memory entries) AccessManaged(authority_) {
        for (uint256 i = 0; i < entries.length; i++) _set(entries[i]);
    }

    /// @param entry its `licenceType` 0 holds for types that have no price of their own
    function set(Entry calldata entry) external restricted {
        _set(entry);
    }

    function version() external view returns (uint32) {
        return _version;
    }

    /// @return entry that made this version, from 1
    function entryOf(uint32 version_) external view returns (Entry memory entry) {
        if (version_ == 0 || version_ > _version) revert VersionUnknown(version_);
        return _entries[version_];
    }

    /// @return price of the type, or that of all types
    function priceOf(bytes32 licenceType, uint8 verifierClass) external view returns (Price memory price) {
        price = _prices[licenceType][verifierClass];
        if (price.version == 0) price = _prices[0][verifierClass];
        if (price.version == 0) revert NoPrice(licenceType, verifierClass);
    }

    function _set(Entry memory e) private {
        uint32 version_ = ++_version;
        _prices[e.licenceType][e.verifierClass] = Price(e.perUse, e.perByte, e.freeUses, version_);
        _entries[version_] = e;
        emit PriceSet(version_, e.licenceType, e.verifierClass, e.perUse, e.perByte, e.freeUses);
    }
}
