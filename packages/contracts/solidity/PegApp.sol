// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IPegSender} from "./IPegSender.sol";
import {Outcome} from "./PegMessage.sol";

/// @title An end of the peg: it sends through the gateway, and hears from it alone.
/// @notice The contracts stand at the same addresses on every chain, so whom it hears is a matter of
/// code and not of settings: nobody can be talked into another counterpart.
abstract contract PegApp is ERC7786Recipient, IPegSender {
    using InteroperableAddress for bytes;

    IERC7786GatewaySource public immutable gateway;

    error NotGateway(address caller);

    constructor(IERC7786GatewaySource gateway_) {
        gateway = gateway_;
    }

    /// @inheritdoc IPegSender
    function onDelivered(bytes32 sendId, uint64 destinationChainId, bytes calldata payload) external {
        _checkGateway();
        _delivered(sendId, destinationChainId, payload);
    }

    /// @inheritdoc IPegSender
    function onUndelivered(
        bytes32 sendId,
        uint64 destinationChainId,
        bytes calldata payload,
        Outcome outcome,
        bytes32
    ) external {
        _checkGateway();
        _undelivered(sendId, destinationChainId, payload, outcome);
    }

    /// @return whether messages of this account of that chain are for this contract
    function _isCounterpart(uint64 chainId, address account) internal view virtual returns (bool);

    /// What a counterpart says. To refuse it, revert: nothing of it stays, and the sender is told.
    function _receive(uint64 chainId, bytes32 receiveId, bytes calldata payload) internal virtual;

    function _delivered(bytes32 sendId, uint64 chainId, bytes calldata payload) internal virtual;

    function _undelivered(bytes32 sendId, uint64 chainId, bytes calldata payload, Outcome outcome) internal virtual;

    /// @param gasLimit that the recipient gets in full
    /// @param deadline last second of the destination's time; 0: as the gateway says
    function _send(uint64 chainId, address recipient, bytes memory payload, uint64 gasLimit, uint64 deadline)
        internal
        returns (bytes32 sendId)
    {
        return gateway.sendMessage(
            InteroperableAddress.formatEvmV1(chainId, recipient), payload, _attributes(gasLimit, deadline)
        );
    }

    function _attributes(uint64 gasLimit, uint64 deadline) internal pure returns (bytes[] memory attributes) {
        attributes = new bytes[](deadline == 0 ? 1 : 2);
        attributes[0] = abi.encodeWithSignature("gasLimit(uint64)", gasLimit);
        if (deadline != 0) attributes[1] = abi.encodeWithSignature("deadline(uint64)", deadline);
    }

    /// @inheritdoc ERC7786Recipient
    function _isAuthorizedGateway(address caller, bytes calldata sender) internal view override returns (bool) {
        if (caller != address(gateway)) return false;
        (uint256 chainId, address account) = sender.parseEvmV1Calldata();
        return chainId <= type(uint64).max && _isCounterpart(uint64(chainId), account);
    }

    /// @inheritdoc ERC7786Recipient
    function _processMessage(address, bytes32 receiveId, bytes calldata sender, bytes calldata payload)
        internal
        override
    {
        (uint256 chainId,) = sender.parseEvmV1Calldata();
        _receive(uint64(chainId), receiveId, payload);
    }

    function _checkGateway() private view {
        if (msg.sender != address(gateway)) revert NotGateway(msg.sender);
    }
}
