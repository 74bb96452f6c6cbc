// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RLP} from "@openzeppelin/contracts/utils/RLP.sol";
import {TrieProof} from "@openzeppelin/contracts/utils/cryptography/TrieProof.sol";
import {StrictRlp} from "./StrictRlp.sol";

/// @title That an account of a chain has a word in its storage, under a state root.
/// @notice Only that something is there can be proven, never that nothing is.
library StateProof {
    using StrictRlp for uint256;

    error StateProofInvalid();

    /// A path has 64 nibbles, each of which can be a node, and a leaf.
    uint256 internal constant NODES_MAX = 65;
    /// A branch of hashes has 532.
    uint256 internal constant NODE_BYTES_MAX = 1_024;

    /// @return root of the storage of `account`
    /// @param proof nodes from the root to the account, as eth_getProof has them
    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata proof) internal pure returns (bytes32 root) {
        if (stateRoot == 0) revert StateProofInvalid();
        _checkSize(proof);
        bytes memory value = TrieProof.traverse(stateRoot, abi.encodePacked(keccak256(abi.encodePacked(account))), proof);
        uint256 place;
        assembly ("memory-safe") {
            place := add(value, 32)
        }
        uint256 end = place + value.length;
        uint256 limit;
        (place, limit) = place.listAt(end);
        if (limit != end) revert StateProofInvalid();
        (, place) = place.numberAt(limit, 8);
        (, place) = place.numberAt(limit, 32);
        root = place.wordAt(limit);
        place += 33;
        place.wordAt(limit);
        if (place + 33 != limit) revert StateProofInvalid();
    }

    /// @param word what stands at `slot`: never 0
    function checkSlot(bytes32 root, bytes32 slot, bytes32 word, bytes[] calldata proof) internal pure {
        _checkSize(proof);
        if (word == 0) revert StateProofInvalid();
        if (!TrieProof.verify(RLP.encode(uint256(word)), root, abi.encodePacked(keccak256(abi.encode(slot))), proof)) {
            revert StateProofInvalid();
        }
    }

    function _checkSize(bytes[] calldata proof) private pure {
        if (proof.length == 0 || proof.length > NODES_MAX) revert StateProofInvalid();
        for (uint256 i = 0; i < proof.length; i++) {
            if (proof[i].length > NODE_BYTES_MAX) revert StateProofInvalid();
        }
    }
}
