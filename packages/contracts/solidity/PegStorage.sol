// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What other chains prove of a gateway.
/// @dev Its first two slots, for ever: gateways of other chains compute the places of these values. It must be the first
/// contract that a gateway inherits.
abstract contract PegStorage {
    /// Slot 0: the id of a message that was sent and has no outcome yet.
    mapping(uint64 destinationChainId => mapping(uint64 sequence => bytes32)) internal _outbox;
    /// Slot 1: the receipt of a message that was received.
    mapping(uint64 sourceChainId => mapping(uint64 sequence => bytes32)) internal _inbox;

    uint256 private constant OUTBOX_SLOT = 0;
    uint256 private constant INBOX_SLOT = 1;

    function _outboxSlot(uint64 destinationChainId, uint64 sequence) internal pure returns (bytes32) {
        return keccak256(abi.encode(sequence, keccak256(abi.encode(destinationChainId, OUTBOX_SLOT))));
    }

    function _inboxSlot(uint64 sourceChainId, uint64 sequence) internal pure returns (bytes32) {
        return keccak256(abi.encode(sequence, keccak256(abi.encode(sourceChainId, INBOX_SLOT))));
    }
}
