// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StrictRlp} from "./StrictRlp.sol";

/// @notice What a light client needs of a header. Places are in memory, within the bytes that it was read from.
/// @param fields how many items it has: a chain's fork fixes that
/// @param chainDomain what stands as root of the beacon block: the hash of the chain's genesis block; 0 before Cancun
/// @param digest what its seals sign: round kept, no seals
/// @param blockHash the block's name: round 0, no seals
/// @param validators place of the first of `validatorCount`, each 0x94 and 20 bytes, ascending
/// @param seals place of the first of `sealCount`, each 0xb841 and 65 bytes
struct SealedHeader {
    uint256 fields;
    uint256 number;
    uint256 timestamp;
    bytes32 parentHash;
    bytes32 stateRoot;
    bytes32 chainDomain;
    bytes32 digest;
    bytes32 blockHash;
    uint256 validators;
    uint256 validatorCount;
    uint256 seals;
    uint256 sealCount;
}

/// @title Headers of QBFT, as nodes store them.
/// @notice One block with one list of seals has one encoding, and `read` takes no other.
/// Spec: docs/protocol/block-format.md; the extra data as Besu's `QbftExtraDataCodec`.
library SealedHeaders {
    using StrictRlp for uint256;

    error HeaderInvalid();

    /// More validators than any chain of QBFT works with; bounds the loops.
    uint256 internal constant VALIDATORS_MAX = 128;
    /// With so many validators, each of which has sealed, a header has less.
    uint256 internal constant HEADER_BYTES_MAX = 16_384;
    /// `0x94` and an address.
    uint256 internal constant VALIDATOR_SIZE = 21;
    /// `0xb841`, r, s and v.
    uint256 internal constant SEAL_SIZE = 67;

    /// keccak256("Istanbul practical byzantine fault tolerance"), in every header of QBFT
    bytes32 private constant MIX_HASH = 0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365;
    bytes32 private constant EMPTY_OMMERS = 0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347;
    uint256 private constant VANITY_SIZE = 32;
    uint256 private constant BLOOM_SIZE = 256;

    /// @dev reverts with HeaderInvalid or RlpInvalid; for a number other than 0 the hashes are those of QBFT
    function read(bytes memory header) internal pure returns (SealedHeader memory h) {
        if (header.length > HEADER_BYTES_MAX) revert HeaderInvalid();
        uint256 start;
        assembly ("memory-safe") {
            start := add(header, 32)
        }
        (uint256 place, uint256 limit) = start.listAt(start + header.length);
        if (limit != start + header.length) revert HeaderInvalid();
        uint256 first = place;
        h.parentHash = place.wordAt(limit);
        if ((place + 33).wordAt(limit) != EMPTY_OMMERS) revert HeaderInvalid();
        (place + 66).fixedAt(limit, 20);
        h.stateRoot = (place + 87).wordAt(limit);
        if (h.stateRoot == 0) revert HeaderInvalid();
        (place + 120).wordAt(limit);
        (place + 153).wordAt(limit);
        place = _skip(place + 186, limit, BLOOM_SIZE);
        uint256 number;
        (number, place) = place.numberAt(limit, 8);
        if (number != 1) revert HeaderInvalid(); // difficulty
        (h.number, place) = place.numberAt(limit, 8);
        (, place) = place.numberAt(limit, 8);
        (, place) = place.numberAt(limit, 8);
        (h.timestamp, place) = place.numberAt(limit, 8);
        (uint256 extra, uint256 rest) = place.stringAt(limit);
        uint256 round = _readExtra(h, extra, rest);
        if (rest.wordAt(limit) != MIX_HASH) revert HeaderInvalid();
        if (uint64(bytes8(_word((rest + 33).fixedAt(limit, 8)))) != 0) revert HeaderInvalid(); // nonce
        h.fields = 15 + _readTail(h, rest + 42, limit);
        if (h.number == 0) {
            // The genesis block is named by its bytes as they are.
            h.blockHash = keccak256(header);
        } else {
            (uint256 kept,) = extra.listAt(rest);
            (, uint256 roundEnd) = round.stringAt(rest);
            h.digest = _hashWith(first, place, kept, roundEnd, 0xc000, 1, rest, limit);
            // The round 0 is 0x80. In it the two are one.
            h.blockHash = _word(round) >> 248 == bytes32(uint256(0x80))
                ? h.digest
                : _hashWith(first, place, kept, round, 0x80c0, 2, rest, limit);
        }
    }

    function validatorAt(SealedHeader memory h, uint256 index) internal pure returns (address validator) {
        uint256 place = h.validators + VALIDATOR_SIZE * index;
        assembly ("memory-safe") {
            validator := shr(96, mload(add(place, 1)))
        }
    }

    /// @return index of a validator; `VALIDATORS_MAX`: it is none
    function indexOf(SealedHeader memory h, address validator) internal pure returns (uint256 index) {
        uint256 low = 0;
        uint256 high = h.validatorCount;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            address found = validatorAt(h, middle);
            if (found == validator) return middle;
            if (found < validator) low = middle + 1;
            else high = middle;
        }
        return VALIDATORS_MAX;
    }

    function sealAt(SealedHeader memory h, uint256 index) internal pure returns (bytes32 r, bytes32 s, uint8 v) {
        uint256 place = h.seals + SEAL_SIZE * index + 2;
        assembly ("memory-safe") {
            r := mload(place)
            s := mload(add(place, 32))
            v := byte(0, mload(add(place, 64)))
        }
    }

    /// @return hash keccak256 of the addresses, one after the other, each behind 0x94
    function setHash(SealedHeader memory h) internal pure returns (bytes32 hash) {
        uint256 start = h.validators;
        uint256 size = VALIDATOR_SIZE * h.validatorCount;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mcopy(free, start, size)
            hash := keccak256(free, size)
        }
    }

    /// @return place where the round stands, the fourth of [vanity, validators, vote, round, seals]
    function _readExtra(SealedHeader memory h, uint256 extra, uint256 end) private pure returns (uint256 place) {
        uint256 limit;
        (place, limit) = extra.listAt(end);
        if (limit != end) revert HeaderInvalid();
        place.fixedAt(limit, VANITY_SIZE);
        uint256 listEnd;
        (place, listEnd) = (place + 1 + VANITY_SIZE).listAt(limit);
        h.validators = place;
        h.validatorCount = (listEnd - place) / VALIDATOR_SIZE;
        if (h.validatorCount == 0 || h.validatorCount > VALIDATORS_MAX) revert HeaderInvalid();
        uint256 previous = 0;
        for (; place < listEnd; place += VALIDATOR_SIZE) {
            place.fixedAt(listEnd, 20);
            uint256 validator = uint256(_word(place + 1)) >> 96;
            if (validator <= previous) revert HeaderInvalid();
            previous = validator;
        }
        (place, listEnd) = place.listAt(limit);
        if (place != listEnd) {
            place.fixedAt(listEnd, 20);
            (uint256 kind, uint256 kindEnd) = (place + VALIDATOR_SIZE).numberAt(listEnd, 1);
            if ((kind != 0 && kind != 0xff) || kindEnd != listEnd) revert HeaderInvalid();
        }
        place = listEnd;
        (, uint256 seals) = place.numberAt(limit, 4);
        (h.seals, listEnd) = seals.listAt(limit);
        if (listEnd != limit) revert HeaderInvalid();
        h.sealCount = (listEnd - h.seals) / SEAL_SIZE;
        if (h.sealCount > h.validatorCount || h.seals + h.sealCount * SEAL_SIZE != listEnd) revert HeaderInvalid();
        for (uint256 seal = h.seals; seal < listEnd; seal += SEAL_SIZE) {
            if (bytes2(_word(seal)) != 0xb841) revert HeaderInvalid();
        }
    }

    /// @return fields base fee; withdrawals root; blob gas used, excess blob gas and beacon root; requests hash;
    /// hash of the access list and slot number: each group where a fork brought it, none without those before it
    function _readTail(SealedHeader memory h, uint256 place, uint256 limit) private pure returns (uint256 fields) {
        if (place == limit) return 0;
        (, place) = place.numberAt(limit, 32);
        if (place == limit) return 1;
        place.wordAt(limit);
        place += 33;
        if (place == limit) return 2;
        (, place) = place.numberAt(limit, 8);
        (, place) = place.numberAt(limit, 8);
        h.chainDomain = place.wordAt(limit);
        place += 33;
        if (place == limit) return 5;
        place.wordAt(limit);
        place += 33;
        if (place == limit) return 6;
        place.wordAt(limit);
        (, place) = (place + 33).numberAt(limit, 8);
        if (place != limit) revert HeaderInvalid();
        return 8;
    }

    /// @notice keccak256 of the header whose extra data is a list of what stands from `kept` to `keptEnd`, and of `tail`.
    /// @param first place of the first field
    /// @param extraItem of the extra data; `rest` of the field behind it; `limit` of the end
    /// @param tail a round and an empty list of seals, or the list alone: `tailSize` bytes
    function _hashWith(
        uint256 first,
        uint256 extraItem,
        uint256 kept,
        uint256 keptEnd,
        bytes2 tail,
        uint256 tailSize,
        uint256 rest,
        uint256 limit
    ) private pure returns (bytes32 hash) {
        uint256 items = keptEnd - kept + tailSize;
        uint256 extra = _headSize(items) + items;
        uint256 start;
        assembly ("memory-safe") {
            start := mload(0x40)
        }
        uint256 to = _putHead(start, 0xf7, extraItem - first + _headSize(extra) + extra + limit - rest);
        to = _copy(to, first, extraItem);
        to = _putHead(to, 0xb7, extra);
        to = _putHead(to, 0xf7, items);
        to = _copy(to, kept, keptEnd);
        assembly ("memory-safe") {
            mstore(to, tail)
        }
        to = _copy(to + tailSize, rest, limit);
        assembly ("memory-safe") {
            hash := keccak256(start, sub(to, start))
        }
    }

    /// @dev Lengths are from 56 (a vanity and a validator) to `HEADER_BYTES_MAX`: one or two bytes
    function _headSize(uint256 length) private pure returns (uint256) {
        return length < 256 ? 2 : 3;
    }

    /// @param long 0xf7 for a list, 0xb7 for a string
    function _putHead(uint256 to, uint256 long, uint256 length) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            switch lt(length, 256)
            case 1 {
                mstore8(to, add(long, 1))
                mstore8(add(to, 1), length)
                end := add(to, 2)
            }
            default {
                mstore8(to, add(long, 2))
                mstore8(add(to, 1), shr(8, length))
                mstore8(add(to, 2), length)
                end := add(to, 3)
            }
        }
    }

    function _copy(uint256 to, uint256 from, uint256 fromEnd) private pure returns (uint256 end) {
        assembly ("memory-safe") {
            mcopy(to, from, sub(fromEnd, from))
            end := add(to, sub(fromEnd, from))
        }
    }

    function _skip(uint256 place, uint256 limit, uint256 size) private pure returns (uint256 end) {
        uint256 payload;
        (payload, end) = place.stringAt(limit);
        if (end - payload != size) revert HeaderInvalid();
    }

    function _word(uint256 place) private pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := mload(place)
        }
    }
}
