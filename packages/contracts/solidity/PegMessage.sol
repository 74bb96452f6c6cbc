// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What one app says to another on another chain.
/// @param version 1
/// @param sequence of the messages from source to destination chain, from 1 on
/// @param sender app on the source chain
/// @param recipient app on the destination chain
/// @param deadline last second, in the destination's block time, at which it can be delivered
/// @param gasLimit what the recipient gets to run with, in full
struct PegMessage {
    uint8 version;
    uint64 sourceChainId;
    address sourceGateway;
    uint64 destinationChainId;
    address destinationGateway;
    uint64 sequence;
    address sender;
    address recipient;
    uint64 deadline;
    uint64 gasLimit;
    bytes payload;
}

/// @notice What became of a message at its destination. None: nothing yet.
enum Outcome {
    None,
    Delivered,
    Failed,
    Expired
}

/// @title Names and receipts of messages.
/// @notice The same as packages/sidechain/src/message.ts; both keep to tests/vectors/peg.json.
library PegMessages {
    uint8 internal constant VERSION = 1;

    bytes32 internal constant TYPEHASH = keccak256(
        "PegMessage(uint8 version,uint64 sourceChainId,address sourceGateway,uint64 destinationChainId,address destinationGateway,uint64 sequence,address sender,address recipient,uint64 deadline,uint64 gasLimit,bytes payload)"
    );

    /// @notice The name of a message: no two messages of any chains have one.
    function id(PegMessage memory message) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPEHASH,
                message.version,
                message.sourceChainId,
                message.sourceGateway,
                message.destinationChainId,
                message.destinationGateway,
                message.sequence,
                message.sender,
                message.recipient,
                message.deadline,
                message.gasLimit,
                message.payload
            )
        );
    }

    /// @notice What the destination stores of a message that it has dealt with.
    /// @param returnHash keccak256 of what the recipient returned or reverted with; 0 if it was not called
    function receipt(bytes32 id_, Outcome outcome, bytes32 returnHash) internal pure returns (bytes32) {
        return keccak256(abi.encode(id_, outcome, returnHash));
    }
}
