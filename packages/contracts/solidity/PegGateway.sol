// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC7786GatewaySource, IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {TransientSlot} from "@openzeppelin/contracts/utils/TransientSlot.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {ChannelStatus, IPegGateway} from "./IPegGateway.sol";
import {IPegSender} from "./IPegSender.sol";
import {IQbftLightClient} from "./IQbftLightClient.sol";
import {Outcome, PegMessage, PegMessages} from "./PegMessage.sol";
import {PegStorage} from "./PegStorage.sol";
import {StateProof} from "./StateProof.sol";

/// @title The gateway of a chain: at the same address on every chain, and it talks to no other.
/// @dev It has no role in the access manager, and calls nothing but `receiveMessage` and the functions of `IPegSender`
/// of registered apps, and itself and the light client in `relay`.
contract PegGateway is PegStorage, IPegGateway, AccessManaged, ReentrancyGuardTransient {
    using PegMessages for PegMessage;
    using TransientSlot for *;

    /// What a message may ask for its recipient. With proofs it fits in a transaction of 16,777,216 (EIP-7825).
    uint64 public constant GAS_LIMIT_MAX = 10_000_000;
    /// In calldata of a delivery 640,000 gas at most (EIP-7623).
    uint256 public constant PAYLOAD_BYTES_MAX = 16_384;
    /// Of what a recipient reverts with: more is neither copied nor hashed.
    uint256 public constant RETURN_BYTES_MAX = 256;
    /// Messages over which one acknowledgement moves `acknowledgedThrough` on.
    uint256 public constant ADVANCE_MAX = 8;
    /// Gas that must be left besides the recipient's: for the call itself, and to record what came of it.
    uint256 public constant GAS_RESERVE = 40_000;
    /// Of messages whose sender names no deadline.
    uint64 public constant TIME_TO_LIVE_MAX = 365 days;

    bytes4 private constant DEADLINE = bytes4(keccak256("deadline(uint64)"));
    bytes4 private constant GAS_LIMIT = bytes4(keccak256("gasLimit(uint64)"));
    /// What a recipient returns that took a message.
    bytes32 private constant ACCEPTED = bytes32(IERC7786Recipient.receiveMessage.selector);
    bytes32 private constant ACCEPTED_HASH = keccak256(abi.encode(IERC7786Recipient.receiveMessage.selector));

    struct Channel {
        ChannelStatus status;
        uint64 sentCount;
        uint64 acknowledgedThrough;
    }

    IQbftLightClient public immutable lightClient;

    mapping(uint64 chainId => Channel) private _channels;
    mapping(address app => bool) private _apps;
    uint64 private _timeToLive;
    uint64 private _gasLimit;

    constructor(
        address authority_,
        IQbftLightClient lightClient_,
        address[] memory apps,
        uint64[] memory channels,
        uint64 timeToLive,
        uint64 gasLimit
    ) AccessManaged(authority_) {
        lightClient = lightClient_;
        for (uint256 i = 0; i < apps.length; i++) _register(apps[i]);
        for (uint256 i = 0; i < channels.length; i++) _open(channels[i]);
        _setDefaults(timeToLive, gasLimit);
    }

    // Apps.

    /// @inheritdoc IERC7786GatewaySource
    /// @param recipient ERC-7930, of a chain of EIP-155 and 20 bytes
    /// @param attributes `deadline(uint64)` and `gasLimit(uint64)`, each at most once
    function sendMessage(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        payable
        returns (bytes32 sendId)
    {
        if (!_apps[msg.sender]) revert AppUnknown(msg.sender);
        if (msg.value != 0) revert ValueRefused(msg.value);
        if (payload.length > PAYLOAD_BYTES_MAX) revert PayloadTooLong(payload.length);
        (uint64 chainId, address account) = _parseRecipient(recipient);
        Channel storage channel = _channels[chainId];
        if (channel.status != ChannelStatus.Open) revert ChannelNotOpen(chainId, channel.status);
        (uint64 deadline, uint64 gasLimit) = _readAttributes(attributes);

        uint64 sequence = channel.sentCount + 1;
        channel.sentCount = sequence;
        PegMessage memory message = PegMessage({
            version: PegMessages.VERSION,
            sourceChainId: uint64(block.chainid),
            sourceGateway: address(this),
            destinationChainId: chainId,
            destinationGateway: address(this),
            sequence: sequence,
            sender: msg.sender,
            recipient: account,
            deadline: deadline,
            gasLimit: gasLimit,
            payload: payload
        });
        sendId = message.id();
        _outbox[chainId][sequence] = sendId;
        emit MessageSent(
            sendId, InteroperableAddress.formatEvmV1(block.chainid, msg.sender), recipient, payload, 0, attributes
        );
        emit MessageCommitted(chainId, sequence, sendId, message);
    }

    /// @inheritdoc IERC7786GatewaySource
    function supportsAttribute(bytes4 selector) external pure returns (bool) {
        return selector == DEADLINE || selector == GAS_LIMIT;
    }

    // Relayers.

    /// @inheritdoc IPegGateway
    function deliver(
        PegMessage calldata message,
        uint64 height,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external nonReentrant {
        uint64 source = message.sourceChainId;
        if (_inbox[source][message.sequence] != 0) {
            emit AlreadyReceived(source, message.sequence);
            return;
        }
        bytes32 id = message.id();
        if (message.destinationChainId != block.chainid || !_isBetweenGateways(message)) revert MessageNotForHere(id);
        ChannelStatus status = _channels[source].status;
        if (status != ChannelStatus.Open && status != ChannelStatus.Closed) revert ChannelNotOpen(source, status);
        _checkProof(source, height, accountProof, storageProof, _outboxSlot(uint64(block.chainid), message.sequence), id);

        if (block.timestamp > message.deadline) {
            _record(message, id, Outcome.Expired, 0);
        } else if (status == ChannelStatus.Closed || !_apps[message.recipient]) {
            _record(message, id, Outcome.Failed, 0);
        } else {
            // First the receipt: whatever the recipient calls, the message is received. What it returns is known if it
            // succeeds.
            _inbox[source][message.sequence] = PegMessages.receipt(id, Outcome.Delivered, ACCEPTED_HASH);
            (bool isDelivered, bytes32 returnHash) = _call(message, id);
            if (isDelivered) emit MessageReceived(source, message.sequence, id, Outcome.Delivered, returnHash);
            else _record(message, id, Outcome.Failed, returnHash);
        }
    }

    /// @inheritdoc IPegGateway
    function acknowledge(
        PegMessage calldata message,
        Outcome outcome,
        bytes32 returnHash,
        uint64 height,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof
    ) external nonReentrant {
        uint64 destination = message.destinationChainId;
        uint64 sequence = message.sequence;
        Channel storage channel = _channels[destination];
        bytes32 id = message.id();
        if (message.sourceChainId != block.chainid || !_isBetweenGateways(message)) revert MessageNotForHere(id);
        bytes32 sent = _outbox[destination][sequence];
        if (sent == 0 && sequence != 0 && sequence <= channel.sentCount) {
            emit AlreadyAcknowledged(destination, sequence);
            return;
        }
        if (sent != id) revert MessageUnknown(id);
        if (channel.status == ChannelStatus.Paused) revert ChannelNotOpen(destination, ChannelStatus.Paused);
        if (outcome == Outcome.None) revert OutcomeInvalid(outcome);
        if (!_apps[message.sender]) revert AppUnknown(message.sender);
        bytes32 receipt = PegMessages.receipt(id, outcome, returnHash);
        _checkProof(destination, height, accountProof, storageProof, _inboxSlot(uint64(block.chainid), sequence), receipt);

        delete _outbox[destination][sequence];
        _advance(destination, channel);
        emit MessageAcknowledged(destination, sequence, id, outcome);
        if (outcome == Outcome.Delivered) {
            IPegSender(message.sender).onDelivered(id, destination, message.payload);
        } else {
            IPegSender(message.sender).onUndelivered(id, destination, message.payload, outcome, returnHash);
        }
    }

    /// @inheritdoc IPegGateway
    function proveStorageRoot(uint64 chainId, uint64 height, bytes[] calldata accountProof) external {
        _storageRoot(chainId, height, accountProof);
    }

    /// @inheritdoc IPegGateway
    function relay(bytes[] calldata calls) external {
        for (uint256 i = 0; i < calls.length; i++) {
            bytes4 selector = bytes4(calls[i]);
            address target;
            if (selector == IQbftLightClient.updateClient.selector) target = address(lightClient);
            else if (
                selector == this.deliver.selector || selector == this.acknowledge.selector
                    || selector == this.proveStorageRoot.selector
            ) target = address(this);
            else revert CallRefused(selector);
            (bool isDone, bytes memory reason) = _boundedCall(target, gasleft(), calls[i]);
            if (!isDone) emit CallFailed(i, reason);
        }
    }

    // Administration.

    /// @inheritdoc IPegGateway
    function registerApp(address app) external restricted {
        if (app.code.length == 0) revert AppInvalid(app);
        _register(app);
    }

    /// @inheritdoc IPegGateway
    function removeApp(address app) external restricted {
        if (!_apps[app]) revert AppUnknown(app);
        _apps[app] = false;
        emit AppRemoved(app);
    }

    /// @inheritdoc IPegGateway
    function openChannel(uint64 chainId) external restricted {
        _open(chainId);
    }

    /// @inheritdoc IPegGateway
    function closeChannel(uint64 chainId) external restricted {
        ChannelStatus status = _channels[chainId].status;
        if (status != ChannelStatus.Open && status != ChannelStatus.Paused) revert ChannelNotOpen(chainId, status);
        _setChannel(chainId, ChannelStatus.Closed);
    }

    /// @inheritdoc IPegGateway
    function pauseChannel(uint64 chainId) external restricted {
        ChannelStatus status = _channels[chainId].status;
        if (status != ChannelStatus.Open) revert ChannelNotOpen(chainId, status);
        _setChannel(chainId, ChannelStatus.Paused);
    }

    /// @inheritdoc IPegGateway
    function resumeChannel(uint64 chainId) external restricted {
        ChannelStatus status = _channels[chainId].status;
        if (status != ChannelStatus.Paused) revert ChannelNotPaused(chainId, status);
        _setChannel(chainId, ChannelStatus.Open);
    }

    /// @inheritdoc IPegGateway
    function setDefaults(uint64 timeToLive, uint64 gasLimit) external restricted {
        _setDefaults(timeToLive, gasLimit);
    }

    // What there is.

    /// @inheritdoc IPegGateway
    function isApp(address app) external view returns (bool) {
        return _apps[app];
    }

    /// @inheritdoc IPegGateway
    function channelOf(uint64 chainId) external view returns (ChannelStatus) {
        return _channels[chainId].status;
    }

    /// @inheritdoc IPegGateway
    function defaults() external view returns (uint64 timeToLive, uint64 gasLimit) {
        return (_timeToLive, _gasLimit);
    }

    /// @inheritdoc IPegGateway
    function outboxOf(uint64 destinationChainId, uint64 sequence) external view returns (bytes32) {
        return _outbox[destinationChainId][sequence];
    }

    /// @inheritdoc IPegGateway
    function inboxOf(uint64 sourceChainId, uint64 sequence) external view returns (bytes32) {
        return _inbox[sourceChainId][sequence];
    }

    /// @inheritdoc IPegGateway
    function sentCount(uint64 destinationChainId) external view returns (uint64) {
        return _channels[destinationChainId].sentCount;
    }

    /// @inheritdoc IPegGateway
    function acknowledgedThrough(uint64 destinationChainId) external view returns (uint64) {
        return _channels[destinationChainId].acknowledgedThrough;
    }

    // Sending.

    function _parseRecipient(bytes calldata recipient) private view returns (uint64, address) {
        (bool isParsed, uint256 chainId, address account) = InteroperableAddress.tryParseEvmV1Calldata(recipient);
        if (!isParsed || account == address(0)) revert RecipientInvalid(recipient);
        if (chainId == 0 || chainId > type(uint64).max || chainId == block.chainid) revert ChainInvalid(chainId);
        // The parser lets trailing bytes and leading zeros pass.
        if (keccak256(InteroperableAddress.formatEvmV1(chainId, account)) != keccak256(recipient)) {
            revert RecipientInvalid(recipient);
        }
        return (uint64(chainId), account);
    }

    function _readAttributes(bytes[] calldata attributes) private view returns (uint64 deadline, uint64 gasLimit) {
        bool hasDeadline;
        bool hasGasLimit;
        for (uint256 i = 0; i < attributes.length; i++) {
            bytes calldata attribute = attributes[i];
            bytes4 selector = bytes4(attribute);
            if (selector != DEADLINE && selector != GAS_LIMIT) revert UnsupportedAttribute(selector);
            if (attribute.length != 36) revert AttributeInvalid(attribute);
            uint256 value = uint256(bytes32(attribute[4:]));
            bool isSecond = selector == DEADLINE ? hasDeadline : hasGasLimit;
            if (isSecond || value > type(uint64).max) revert AttributeInvalid(attribute);
            if (selector == DEADLINE) (hasDeadline, deadline) = (true, uint64(value));
            else (hasGasLimit, gasLimit) = (true, uint64(value));
        }
        if (!hasDeadline) deadline = uint64(block.timestamp) + _timeToLive;
        else if (deadline <= block.timestamp) revert DeadlinePassed(deadline);
        if (!hasGasLimit) gasLimit = _gasLimit;
        else _checkGasLimit(gasLimit);
    }

    // Delivering.

    /// @dev Sequences begin with 1: 0 is the place of nothing
    function _isBetweenGateways(PegMessage calldata message) private view returns (bool) {
        return message.version == PegMessages.VERSION && message.sourceChainId != message.destinationChainId
            && message.sourceGateway == address(this) && message.destinationGateway == address(this)
            && message.sequence != 0;
    }

    /// @notice That this contract's counterpart on another chain has `word` at `slot`.
    function _checkProof(
        uint64 chainId,
        uint64 height,
        bytes[] calldata accountProof,
        bytes[] calldata storageProof,
        bytes32 slot,
        bytes32 word
    ) private {
        StateProof.checkSlot(_storageRoot(chainId, height, accountProof), slot, word, storageProof);
    }

    /// @return root of the counterpart's storage; never 0
    /// @dev Remembered until the end of the transaction, under the state root that it was proven under. The light client
    /// is asked every time: the chain may have been frozen a moment ago.
    function _storageRoot(uint64 chainId, uint64 height, bytes[] calldata accountProof) private returns (bytes32 root) {
        bytes32 stateRoot = lightClient.stateRoot(chainId, height);
        TransientSlot.Bytes32Slot proven = stateRoot.asBytes32();
        if (accountProof.length == 0) {
            root = proven.tload();
            if (root == 0) revert AccountProofMissing(chainId, height);
        } else {
            root = StateProof.storageRoot(stateRoot, address(this), accountProof);
            proven.tstore(root);
        }
    }

    function _record(PegMessage calldata message, bytes32 id, Outcome outcome, bytes32 returnHash) private {
        _inbox[message.sourceChainId][message.sequence] = PegMessages.receipt(id, outcome, returnHash);
        emit MessageReceived(message.sourceChainId, message.sequence, id, outcome, returnHash);
    }

    /// @notice Hands a message to its recipient, with all the gas that it asks for.
    /// @dev CALL gives what there is, but a 64th, if that is less than asked for (EIP-150): then a relayer could make
    /// messages fail. So the gas is counted before.
    function _call(PegMessage calldata message, bytes32 id) private returns (bool isDelivered, bytes32 returnHash) {
        bytes memory data = abi.encodeCall(
            IERC7786Recipient.receiveMessage,
            (id, InteroperableAddress.formatEvmV1(message.sourceChainId, message.sender), message.payload)
        );
        uint256 gasLimit = message.gasLimit;
        uint256 needed = gasLimit + gasLimit / 63 + GAS_RESERVE;
        if (gasleft() < needed) revert GasInsufficient(gasleft(), needed);
        bytes memory answer;
        (isDelivered, answer) = _boundedCall(message.recipient, gasLimit, data);
        // An answer that is none comes of a contract that takes no messages. Its effects must go: nothing is recorded,
        // and the message expires.
        if (isDelivered && (answer.length != 32 || bytes32(answer) != ACCEPTED)) {
            revert RecipientAnswerInvalid(message.recipient);
        }
        returnHash = keccak256(answer);
    }

    /// @notice A call of whose answer at most RETURN_BYTES_MAX bytes are copied.
    function _boundedCall(address target, uint256 gasLimit, bytes memory data)
        private
        returns (bool isDone, bytes memory answer)
    {
        uint256 sizeMax = RETURN_BYTES_MAX;
        assembly ("memory-safe") {
            isDone := call(gasLimit, target, 0, add(data, 32), mload(data), 0, 0)
            let size := returndatasize()
            if gt(size, sizeMax) { size := sizeMax }
            answer := mload(0x40)
            mstore(answer, size)
            returndatacopy(add(answer, 32), 0, size)
            mstore(0x40, and(add(add(answer, size), 63), not(31)))
        }
    }

    // Acknowledging.

    /// @dev Bounded: what is left is done by the next acknowledgements
    function _advance(uint64 destination, Channel storage channel) private {
        uint64 through = channel.acknowledgedThrough;
        uint64 last = channel.sentCount;
        uint256 steps = 0;
        while (through < last && steps < ADVANCE_MAX && _outbox[destination][through + 1] == 0) {
            through++;
            steps++;
        }
        if (steps != 0) channel.acknowledgedThrough = through;
    }

    // Administering.

    /// @dev A contract that administers is no app, whatever it is called with
    function _register(address app) private {
        if (app == address(0) || app == address(this) || app == address(lightClient) || app == authority()) {
            revert AppInvalid(app);
        }
        _apps[app] = true;
        emit AppRegistered(app);
    }

    function _open(uint64 chainId) private {
        if (chainId == 0 || chainId == block.chainid) revert ChainInvalid(chainId);
        ChannelStatus status = _channels[chainId].status;
        if (status == ChannelStatus.Paused) revert ChannelNotOpen(chainId, status);
        _setChannel(chainId, ChannelStatus.Open);
    }

    function _setChannel(uint64 chainId, ChannelStatus status) private {
        _channels[chainId].status = status;
        emit ChannelChanged(chainId, status);
    }

    function _setDefaults(uint64 timeToLive, uint64 gasLimit) private {
        if (timeToLive == 0 || timeToLive > TIME_TO_LIVE_MAX) revert TimeToLiveInvalid(timeToLive);
        _checkGasLimit(gasLimit);
        (_timeToLive, _gasLimit) = (timeToLive, gasLimit);
        emit DefaultsChanged(timeToLive, gasLimit);
    }

    function _checkGasLimit(uint64 gasLimit) private pure {
        if (gasLimit == 0 || gasLimit > GAS_LIMIT_MAX) revert GasLimitInvalid(gasLimit);
    }
}
