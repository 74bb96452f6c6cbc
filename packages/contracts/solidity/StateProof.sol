// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {StrictRlp} from "./StrictRlp.sol";

/// @title That an account of a chain has a word in its storage, under a state root.
/// @notice Only that something is there can be proven, never that nothing is. Every byte of a proof is hashed, no node
/// may be left over, and everything is in the one encoding that there is.
/// @dev Paths are of 64 nibbles, and values so long that no node on the way to one stands inside its parent: each is named
/// by its hash. That is what makes this so much less than OpenZeppelin's TrieProof, with which a test compares it.
library StateProof {
    using StrictRlp for uint256;

    error StateProofInvalid();

    /// A path has 64 nibbles, each of which can be a node, and a leaf.
    uint256 internal constant NODES_MAX = 65;
    /// A branch of 16 hashes has 532.
    uint256 internal constant NODE_BYTES_MAX = 1_024;
    uint256 private constant NIBBLES = 64;

    /// @return root of the storage of `account`
    /// @param proof nodes from the root to the account, as eth_getProof has them
    function storageRoot(bytes32 stateRoot, address account, bytes[] calldata proof) internal pure returns (bytes32 root) {
        (uint256 place, uint256 end) = _leaf(stateRoot, keccak256(abi.encodePacked(account)), proof);
        uint256 limit;
        (place, limit) = place.listAt(end);
        if (limit != end) revert StateProofInvalid();
        (, place) = place.numberAt(limit, 8); // nonce
        (, place) = place.numberAt(limit, 32); // balance
        root = place.wordAt(limit);
        place += 33;
        place.wordAt(limit); // hash of the code
        if (place + 33 != limit) revert StateProofInvalid();
    }

    /// @param word what stands at `slot`: never 0
    function checkSlot(bytes32 root, bytes32 slot, bytes32 word, bytes[] calldata proof) internal pure {
        (uint256 place, uint256 end) = _leaf(root, keccak256(abi.encode(slot)), proof);
        (uint256 found, uint256 foundEnd) = place.numberAt(end, 32);
        if (found == 0 || bytes32(found) != word || foundEnd != end) revert StateProofInvalid();
    }

    /// @notice The value at a path of the trie with this root, in memory that is free: to be read at once.
    /// @return place where it begins
    /// @return end where it ends
    function _leaf(bytes32 root, bytes32 path, bytes[] calldata proof)
        private
        pure
        returns (uint256 place, uint256 end)
    {
        if (root == 0 || proof.length == 0 || proof.length > NODES_MAX) revert StateProofInvalid();
        uint256 last = proof.length - 1;
        bytes32 expected = root;
        uint256 followed = 0;
        for (uint256 i = 0; i <= last; i++) {
            uint256 limit;
            (place, limit) = _node(proof[i], expected);
            (uint256 items, uint256 child) = _items(place, limit, uint256(path << 4 * followed) >> 252);
            if (items == 17) {
                if (followed == NIBBLES) revert StateProofInvalid();
                followed++;
                expected = child.wordAt(limit);
                continue;
            }
            if (items != 2) revert StateProofInvalid();
            bool isLeaf;
            (isLeaf, followed, place) = _follow(place, limit, path, followed);
            if (isLeaf) {
                if (i != last) revert StateProofInvalid();
                return place.stringAt(limit);
            }
            expected = place.wordAt(limit);
        }
        // The last node was none.
        revert StateProofInvalid();
    }

    /// @return place where its first item begins
    /// @return limit where its last one ends
    function _node(bytes calldata node, bytes32 expected) private pure returns (uint256 place, uint256 limit) {
        uint256 size = node.length;
        if (size > NODE_BYTES_MAX) revert StateProofInvalid();
        bytes32 hash;
        assembly ("memory-safe") {
            place := mload(0x40)
            calldatacopy(place, node.offset, size)
            hash := keccak256(place, size)
        }
        if (hash != expected) revert StateProofInvalid();
        uint256 end = place + size;
        (place, limit) = place.listAt(end);
        if (limit != end) revert StateProofInvalid();
    }

    /// @return count of the items of a node
    /// @return wanted place of item `index`
    function _items(uint256 place, uint256 limit, uint256 index) private pure returns (uint256 count, uint256 wanted) {
        for (; place < limit; count++) {
            if (count == index) wanted = place;
            uint256 first;
            assembly ("memory-safe") {
                first := byte(0, mload(place))
            }
            // Most are empty, or a hash.
            if (first == 0x80) place += 1;
            else if (first == 0xa0) place += 33;
            else if (first < 0xc0) (, place) = place.stringAt(limit);
            else (, place) = place.listAt(limit);
        }
        if (place != limit) revert StateProofInvalid();
    }

    /// @notice Follows the path of a leaf or an extension: a flag (1 odd, 2 leaf), a nibble of 0 if it is even, and the rest.
    /// @return isLeaf
    /// @return followed nibbles with it: all of them with a leaf
    /// @return next place of the second item
    function _follow(uint256 place, uint256 limit, bytes32 path, uint256 before)
        private
        pure
        returns (bool isLeaf, uint256 followed, uint256 next)
    {
        uint256 part;
        (part, next) = place.stringAt(limit);
        uint256 count = 2 * (next - part);
        if (count == 0) revert StateProofInvalid();
        uint256 flag;
        bytes32 nibbles;
        assembly ("memory-safe") {
            flag := shr(248, mload(part))
            nibbles := mload(add(part, 1))
        }
        if (flag & 0x10 != 0) {
            count -= 1;
            nibbles = bytes32(flag << 252) | nibbles >> 4;
        } else {
            if (flag & 0x0f != 0) revert StateProofInvalid();
            count -= 2;
        }
        if (flag >= 0x40) revert StateProofInvalid();
        isLeaf = flag & 0x20 != 0;
        followed = before + count;
        if (followed > NIBBLES || (isLeaf ? followed != NIBBLES : count == 0)) revert StateProofInvalid();
        if ((nibbles ^ path << 4 * before) >> 4 * (NIBBLES - count) != 0) revert StateProofInvalid();
    }
}
