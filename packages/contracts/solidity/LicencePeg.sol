// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {ILicenceListener} from "./ILicenceListener.sol";
import {LicenceMessages} from "./LicenceMessages.sol";
import {LicenceTypes} from "./LicenceTypes.sol";
import {Outcome} from "./PegMessage.sol";
import {PegApp} from "./PegApp.sol";
import {TriedCall} from "./TriedCall.sol";

/// @notice What the peg asks of the licence registry.
interface ITransferableLicences {
    function licence(uint256 number) external view returns (LicenceTypes.Licence memory);

    function transferIn(LicenceTypes.Arrival calldata arrival) external returns (uint256 number);

    function cancelTransferOut(uint256 number) external;
}

/// @title Side chain: tells the main chain of every change of a licence, and carries licences to other chains.
/// @notice A change is not held up by a channel that is paused: what was not told is told later (`resend`).
contract LicencePeg is PegApp, ILicenceListener {
    /// Licences in a message.
    uint256 public constant ENTRIES_MAX = 16;
    /// Gas of a message there, and of each licence in it.
    uint64 public constant MESSAGE_GAS = 150_000;
    uint64 public constant ENTRY_GAS = 300_000;
    uint64 public constant MARK_GAS = 30_000;
    /// Of a departure, which the index sends on.
    uint64 public constant DEPARTURE_GAS = 1_000_000;

    event EntriesSent(bytes32 indexed sendId, uint48 revision, uint64[] numbers);
    event MarksSent(bytes32 indexed sendId, uint48 revision, address indexed holder, uint64[] numbers);
    /// @notice The main chain does not know of the last changes of these: `resend`.
    event ChangesNotTold(uint64[] numbers);
    event DepartureSent(bytes32 indexed sendId, uint64 indexed number, uint64 indexed destination);
    /// @notice The main chain did not let it go, or the other chain did not take it. It is in force here again.
    event DepartureUndone(uint64 indexed number);

    error NotRegistry(address caller);
    error NumbersInvalid();
    error NothingToResend(uint64 number);
    error IdentifierWrong(uint64 number, bytes32 identifier);

    ITransferableLicences public immutable licences;
    uint64 public immutable mainChainId;

    uint48 private _revision;
    mapping(uint256 number => bool) private _untold;

    constructor(IERC7786GatewaySource gateway_, uint64 mainChainId_, ITransferableLicences licences_)
        PegApp(gateway_)
    {
        mainChainId = mainChainId_;
        licences = licences_;
    }

    // The registry.

    /// @inheritdoc ILicenceListener
    function licencesChanged(uint64[] calldata numbers) external {
        _checkRegistry();
        uint48 revision = ++_revision;
        bytes memory payload = _entries(revision, numbers);
        (bytes32 sendId, bool sent) = _trySend(payload, _entriesGas(numbers.length));
        if (sent) emit EntriesSent(sendId, revision, numbers);
        else _note(numbers);
    }

    /// @inheritdoc ILicenceListener
    function licencesMarked(address holder, LicenceTypes.Status mark, uint64[] calldata numbers) external {
        _checkRegistry();
        uint48 revision = ++_revision;
        bytes memory payload = bytes.concat(
            LicenceMessages.MARKS, abi.encode(revision, mark, uint64(block.timestamp), numbers)
        );
        (bytes32 sendId, bool sent) = _trySend(payload, MESSAGE_GAS + uint64(numbers.length) * MARK_GAS);
        if (sent) emit MarksSent(sendId, revision, holder, numbers);
        else _note(numbers);
    }

    /// @inheritdoc ILicenceListener
    function licenceTransferred(uint256 number) external {
        _checkRegistry();
        LicenceTypes.Licence memory l = licences.licence(number);
        bytes memory payload = bytes.concat(
            LicenceMessages.DEPARTURE, abi.encode(++_revision, _entryOf(uint64(number), l), l.destination)
        );
        bytes32 sendId = _send(mainChainId, address(this), payload, DEPARTURE_GAS, 0);
        emit DepartureSent(sendId, uint64(number), l.destination);
    }

    // Anybody.

    /// @notice Tells the main chain how licences are now, of which it does not know the last changes.
    function resend(uint64[] calldata numbers) external {
        if (numbers.length == 0 || numbers.length > ENTRIES_MAX) revert NumbersInvalid();
        for (uint256 i = 0; i < numbers.length; i++) {
            if (!_untold[numbers[i]]) revert NothingToResend(numbers[i]);
            delete _untold[numbers[i]];
        }
        uint48 revision = ++_revision;
        bytes32 sendId =
            _send(mainChainId, address(this), _entries(revision, numbers), _entriesGas(numbers.length), 0);
        emit EntriesSent(sendId, revision, numbers);
    }

    // Views.

    /// @return revision of the last message
    function lastRevision() external view returns (uint48 revision) {
        return _revision;
    }

    /// @return untold whether the main chain does not know of the last change
    function isUntold(uint64 number) external view returns (bool untold) {
        return _untold[number];
    }

    // Inside.

    function _entries(uint48 revision, uint64[] calldata numbers) private view returns (bytes memory) {
        LicenceMessages.Entry[] memory entries = new LicenceMessages.Entry[](numbers.length);
        for (uint256 i = 0; i < numbers.length; i++) {
            entries[i] = _entryOf(numbers[i], licences.licence(numbers[i]));
        }
        return bytes.concat(LicenceMessages.ENTRIES, abi.encode(revision, entries));
    }

    function _entryOf(uint64 number, LicenceTypes.Licence memory l)
        private
        pure
        returns (LicenceMessages.Entry memory)
    {
        return LicenceMessages.Entry({
            number: number,
            identifier: l.identifier,
            content: l.content,
            licenceType: l.licenceType,
            issuer: l.issuer,
            holder: l.holder,
            validFrom: l.validFrom,
            validUntil: l.validUntil,
            statusTime: l.statusTime,
            issuedAt: l.issuedAt,
            version: l.version,
            status: l.status,
            mark: l.mark
        });
    }

    function _entriesGas(uint256 count) private pure returns (uint64) {
        return MESSAGE_GAS + uint64(count) * ENTRY_GAS;
    }

    function _trySend(bytes memory payload, uint64 gasLimit) private returns (bytes32 sendId, bool sent) {
        bytes memory recipient = InteroperableAddress.formatEvmV1(mainChainId, address(this));
        uint256 gasBefore = gasleft();
        try gateway.sendMessage(recipient, payload, _attributes(gasLimit, 0)) returns (bytes32 id) {
            return (id, true);
        } catch (bytes memory reason) {
            TriedCall.checkFailure(gasBefore, reason);
        }
    }

    function _note(uint64[] memory numbers) private {
        for (uint256 i = 0; i < numbers.length; i++) _untold[numbers[i]] = true;
        emit ChangesNotTold(numbers);
    }

    /// @inheritdoc PegApp
    function _isCounterpart(uint64 chainId, address account) internal view override returns (bool) {
        return chainId == mainChainId && account == address(this);
    }

    function _receive(uint64, bytes32, bytes calldata payload) internal override {
        bytes1 what = payload[0];
        if (what == LicenceMessages.ARRIVAL) {
            licences.transferIn(abi.decode(payload[1:], (LicenceTypes.Arrival)));
        } else if (what == LicenceMessages.RETURN) {
            (uint64 number, bytes32 identifier) = abi.decode(payload[1:], (uint64, bytes32));
            if (licences.licence(number).identifier != identifier) revert IdentifierWrong(number, identifier);
            _undo(number);
        } else {
            revert LicenceMessages.MessageUnknown(what);
        }
    }

    function _delivered(bytes32, uint64, bytes calldata) internal override {}

    function _undelivered(bytes32, uint64, bytes calldata payload, Outcome) internal override {
        bytes1 what = payload[0];
        if (what == LicenceMessages.DEPARTURE) {
            (, LicenceMessages.Entry memory entry,) =
                abi.decode(payload[1:], (uint48, LicenceMessages.Entry, uint64));
            _undo(entry.number);
        } else if (what == LicenceMessages.ENTRIES) {
            (, LicenceMessages.Entry[] memory entries) = abi.decode(payload[1:], (uint48, LicenceMessages.Entry[]));
            uint64[] memory numbers = new uint64[](entries.length);
            for (uint256 i = 0; i < entries.length; i++) numbers[i] = entries[i].number;
            _note(numbers);
        } else {
            (,,, uint64[] memory numbers) =
                abi.decode(payload[1:], (uint48, LicenceTypes.Status, uint64, uint64[]));
            _note(numbers);
        }
    }

    function _undo(uint64 number) private {
        licences.cancelTransferOut(number);
        emit DepartureUndone(number);
    }

    function _checkRegistry() private view {
        if (msg.sender != address(licences)) revert NotRegistry(msg.sender);
    }
}
