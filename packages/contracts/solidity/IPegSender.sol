// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Outcome} from "./PegMessage.sol";

/// @title An app that sends messages: it is told, once for each, what became of it.
/// @notice Both are called by the gateway, in the transaction that proves the outcome. One that reverts is not told
/// for now: the proof can be brought again.
interface IPegSender {
    /// @notice The recipient accepted the message.
    /// @param sendId what `sendMessage` returned
    function onDelivered(bytes32 sendId, uint64 destinationChainId, bytes calldata payload) external;

    /// @notice The message had no effect at its destination, and never will.
    /// @param outcome Failed or Expired
    /// @param returnHash keccak256 of what the recipient reverted with; 0 if it was not called
    function onUndelivered(
        bytes32 sendId,
        uint64 destinationChainId,
        bytes calldata payload,
        Outcome outcome,
        bytes32 returnHash
    ) external;
}
