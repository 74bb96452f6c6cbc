// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SealedHeader, SealedHeaders} from "SealedHeader.sol";

/// @title Shows what the light client reads in a header.
contract HeaderProbe {
    using SealedHeaders for SealedHeader;

    struct Contents {
        uint256 fields;
        uint256 number;
        uint256 timestamp;
        bytes32 parentHash;
        bytes32 stateRoot;
        bytes32 chainDomain;
        bytes32 digest;
        bytes32 blockHash;
        address[] validators;
        address[] sealers;
    }

    function read(bytes calldata header) external pure returns (Contents memory c) {
        SealedHeader memory h = SealedHeaders.read(header);
        c.fields = h.fields;
        c.number = h.number;
        c.timestamp = h.timestamp;
        c.parentHash = h.parentHash;
        c.stateRoot = h.stateRoot;
        c.chainDomain = h.chainDomain;
        c.digest = h.digest;
        c.blockHash = h.blockHash;
        c.validators = new address[](h.validatorCount);
        for (uint256 i = 0; i < h.validatorCount; i++) c.validators[i] = h.validatorAt(i);
        c.sealers = new address[](h.sealCount);
        for (uint256 i = 0; i < h.sealCount; i++) {
            (bytes32 r, bytes32 s, uint8 v) = h.sealAt(i);
            c.sealers[i] = ECDSA.recover(h.digest, v + 27, r, s);
        }
    }
}
