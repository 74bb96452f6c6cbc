// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Outcome, PegMessage, PegMessages} from "PegMessage.sol";
import {PegStorage} from "PegStorage.sol";
import {SealedHeader, SealedHeaders} from "SealedHeader.sol";
import {StateProof} from "StateProof.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";

/// @title Shows what the contracts of the peg read in headers and proofs, and how they name messages.
contract HeaderProbe is PegStorage {
    using SealedHeaders for SealedHeader;

    function idOf(PegMessage calldata message) external pure returns (bytes32) {
        return PegMessages.id(message);
    }

    function receiptOf(bytes32 id, Outcome outcome, bytes32 returnHash) external pure returns (bytes32) {
        return PegMessages.receipt(id, outcome, returnHash);
    }

    /// @return places of a message in the outbox and in the inbox
    function slotsOf(uint64 chainId, uint64 sequence) external pure returns (bytes32[2] memory places) {
        return [_outboxSlot(chainId, sequence), _inboxSlot(chainId, sequence)];
    }

    function storageRoot(bytes32 root, address account, bytes[] calldata proof) external pure returns (bytes32) {
        return StateProof.storageRoot(root, account, proof);
    }

    function checkSlot(bytes32 root, bytes32 slot, bytes32 word, bytes[] calldata proof) external pure {
        StateProof.checkSlot(root, slot, word, proof);
    }

    /// @return value what OpenZeppelin's library finds
    function traverse(bytes32 root, bytes32 key, bytes[] calldata proof) external pure returns (bytes memory value) {
        return TrieProof.traverse(root, abi.encodePacked(keccak256(abi.encodePacked(key))), proof);
    }

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
