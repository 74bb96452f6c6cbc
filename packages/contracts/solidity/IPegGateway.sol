// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {Outcome, PegMessage} from "./PegMessage.sol";

/// @notice What a channel to another chain does. None: no channel.
/// Open: everything. Paused: nothing. Closed: sends nothing; what arrives is recorded as failed, so that it is
/// refunded; outcomes of what was sent are still taken.
enum ChannelStatus {
    None,
    Open,
    Paused,
    Closed
}

/// @title Messages between chains, by proof.
/// @notice An app sends by `sendMessage`, and gets by `receiveMessage` (ERC-7786), from this contract. It is told
/// of outcomes by `IPegSender`.
interface IPegGateway is IERC7786GatewaySource {
    event MessageCommitted(
        uint64 indexed destinationChainId, uint64 indexed sequence, bytes32 indexed id, PegMessage message
    );
    event MessageReceived(
        uint64 indexed sourceChainId, uint64 indexed sequence, bytes32 indexed id, Outcome outcome, bytes32 returnHash
    );
    event MessageAcknowledged(
        uint64 indexed destinationChainId, uint64 indexed sequence, bytes32 indexed id, Outcome outcome
    );
    /// @notice Somebody was first; nothing has happened.
    event AlreadyReceived(uint64 indexed sourceChainId, uint64 indexed sequence);
    /// @notice Somebody was first; nothing has happened.
    event AlreadyAcknowledged(uint64 indexed destinationChainId, uint64 indexed sequence);
    /// @param index place in the list of calls
    /// @param reason the first bytes of what it reverted with
    event CallFailed(uint256 index, bytes reason);
    event AppRegistered(address indexed app);
    event AppRemoved(address indexed app);
    event ChannelChanged(uint64 indexed chainId, ChannelStatus status);
    event DefaultsChanged(uint64 timeToLive, uint64 gasLimit);

    error AppUnknown(address app);
    error AppInvalid(address app);
    error ChannelNotOpen(uint64 chainId, ChannelStatus status);
    error ChannelNotPaused(uint64 chainId, ChannelStatus status);
    error ChainInvalid(uint256 chainId);
    error RecipientInvalid(bytes recipient);
    error AttributeInvalid(bytes attribute);
    error DeadlinePassed(uint64 deadline);
    error GasLimitInvalid(uint64 gasLimit);
    error TimeToLiveInvalid(uint64 timeToLive);
    error PayloadTooLong(uint256 length);
    error ValueRefused(uint256 value);
    /// @notice The message is of another version, for another chain, or of or for another contract.
    error MessageNotForHere(bytes32 id);
    /// @notice This gateway has sent no such message.
    error MessageUnknown(bytes32 id);
    error OutcomeInvalid(Outcome outcome);
    /// @notice The root of the counterpart's storage was not proven before in this transaction.
    error AccountProofMissing(uint64 chainId, uint64 height);
    /// @notice The recipient would not get its gas in full.
    error GasInsufficient(uint256 available, uint256 needed);
    /// @notice The recipient returned something else than the selector of `receiveMessage`.
    error RecipientAnswerInvalid(address recipient);
    error CallRefused(bytes4 selector);

    // Relayers.

    /// @notice Proves that a message was sent, and hands it to its recipient, or records that it is too late.
    /// A message that was received before: nothing but an event.
    /// @param height of the source chain, at which the light client knows the state
    /// @param accountProof of this contract's account there; empty if it was proven before in this transaction
    /// @param storageProof of the message in `outbox`
    function deliver(
        PegMessage calldata message,
        uint64 height,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external;

    /// @notice Proves what became of a message, and tells its sender. One that was told before: nothing but an event.
    /// @param height of the destination chain
    /// @param storageProof of the receipt in `inbox`
    function acknowledge(
        PegMessage calldata message,
        Outcome outcome,
        bytes32 returnHash,
        uint64 height,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external;

    /// @notice Proves the root of this contract's storage on another chain, for what is proven under the same state root
    /// later in this transaction.
    function proveStorageRoot(uint64 chainId, uint64 height, bytes[] calldata accountProof) external;

    /// @notice Makes several calls, in order. One that fails is undone alone.
    /// @param calls of `proveStorageRoot`, `deliver`, `acknowledge`, and of the light client's `updateClient`, each
    /// with its selector
    function relay(bytes[] calldata calls) external;

    // Administration, by roles of the access manager.

    function registerApp(address app) external;

    /// @notice It sends nothing more; what comes for it fails; outcomes of what it sent wait until it is registered again.
    function removeApp(address app) external;

    /// @notice Makes a channel, or opens a closed one.
    function openChannel(uint64 chainId) external;

    function closeChannel(uint64 chainId) external;

    function pauseChannel(uint64 chainId) external;

    function resumeChannel(uint64 chainId) external;

    /// @notice What a message has whose sender names no deadline and no gas.
    function setDefaults(uint64 timeToLive, uint64 gasLimit) external;

    // What there is.

    function isApp(address app) external view returns (bool);

    function channelOf(uint64 chainId) external view returns (ChannelStatus);

    function defaults() external view returns (uint64 timeToLive, uint64 gasLimit);

    /// @return id of a message that was sent and has no outcome yet; or 0
    function outboxOf(uint64 destinationChainId, uint64 sequence) external view returns (bytes32 id);

    /// @return receipt see `PegMessages.receipt`; 0 for a message that was not received
    function inboxOf(uint64 sourceChainId, uint64 sequence) external view returns (bytes32 receipt);

    /// @return the sequence of the last message sent there
    function sentCount(uint64 destinationChainId) external view returns (uint64);

    /// @return a sequence up to which every message has had its outcome; there may be more behind it
    function acknowledgedThrough(uint64 destinationChainId) external view returns (uint64);
}
