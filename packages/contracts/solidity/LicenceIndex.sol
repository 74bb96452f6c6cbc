// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IdentityStatus, IIdentityView} from "./IIdentityView.sol";
import {ClientStatus, IQbftLightClient} from "./IQbftLightClient.sol";
import {LicenceMessages} from "./LicenceMessages.sol";
import {LicenceTypes} from "./LicenceTypes.sol";
import {Outcome} from "./PegMessage.sol";
import {PegApp} from "./PegApp.sol";
import {TriedCall} from "./TriedCall.sol";

/// @notice Slots 0 and 1 of `LicenceIndex`: their places are part of what a proof of a licence shows.
abstract contract LicenceIndexSlots {
    /// Six slots. Times in seconds since 1970.
    struct Indexed {
        bytes32 identifier;
        bytes32 content;
        bytes32 licenceType;
        bytes32 issuer;
        /// Slot 4.
        address holder;
        uint64 validFrom;
        uint32 version;
        /// Slot 5.
        uint64 validUntil;
        uint64 statusTime;
        /// Of the last message that said what the licence is; 0: none yet.
        uint48 revision;
        /// Of the last message that said what its holder's identity makes of it.
        uint48 markRevision;
        LicenceTypes.Status status;
        LicenceTypes.Status mark;
    }

    enum Journey {
        /// At home.
        None,
        /// Its home gave it away; the destination was asked to take it.
        Out,
        /// It was not taken; its home was asked to take it back.
        Back,
        /// Its home has not taken it back yet: `resend`.
        Stranded
    }

    /// One slot.
    struct Home {
        uint64 chainId;
        /// Number there; `NUMBER_UNKNOWN` until that chain told of it.
        uint64 number;
        uint64 destination;
        Journey journey;
    }

    /// Slot 0.
    mapping(uint64 chainId => mapping(uint256 number => Indexed)) internal _licences;
    /// Slot 1.
    mapping(bytes32 identifier => Home) internal _homes;
}

/// @title Main chain: every licence of every side chain, by holder, and where each is at home.
/// @notice A side chain writes of its own licences alone. A licence that is transferred is in force on its
/// home chain, or on the destination, or on its way: the destination takes it only from here, and its
/// home takes it back only once the destination has proven that it did not and never will.
contract LicenceIndex is LicenceIndexSlots, PegApp {
    /// A licence and where it is.
    struct Found {
        uint64 chainId;
        uint64 number;
        /// As it is now: by record, time, and what the identity's status is on this chain.
        LicenceTypes.Status status;
        /// False: another chain says that it has the licence of this identifier.
        bool atHome;
        Indexed licence;
    }

    uint64 public constant NUMBER_UNKNOWN = type(uint64).max;
    /// Licences in an answer.
    uint256 public constant PAGE_MAX = 256;
    /// Gas of taking a licence in, and of taking one back.
    uint64 public constant MESSAGE_GAS = 1_000_000;

    event LicenceIndexed(
        uint64 indexed chainId,
        uint64 indexed number,
        address indexed holder,
        bytes32 identifier,
        LicenceTypes.Status status,
        LicenceTypes.Status mark,
        uint32 version,
        bytes32 content,
        uint48 revision
    );
    event LicencesMarked(uint64 indexed chainId, LicenceTypes.Status mark, uint48 revision, uint64[] numbers);
    /// @notice A chain tells of a licence whose identifier is at home elsewhere.
    event HomeContested(bytes32 indexed identifier, uint64 indexed home, uint64 indexed chainId, uint64 number);
    event TransferBegun(bytes32 indexed identifier, uint64 indexed from, uint64 indexed to, bytes32 sendId);
    event TransferEnded(bytes32 indexed identifier, uint64 indexed from, uint64 indexed to);
    event TransferRefused(bytes32 indexed identifier, uint64 indexed from, uint64 indexed to, Outcome outcome);
    event ReturnSent(bytes32 indexed identifier, uint64 indexed chainId, bytes32 sendId);
    event ReturnNotSent(bytes32 indexed identifier, uint64 indexed chainId);
    event Returned(bytes32 indexed identifier, uint64 indexed chainId);

    error NotAtHome(bytes32 identifier, uint64 chainId);
    error DestinationInvalid(uint64 chainId);
    error NothingToResend(bytes32 identifier);
    error LicenceUnknown(uint64 chainId, uint256 number);
    error PageInvalid(uint256 count);

    IIdentityView public immutable identities;
    IQbftLightClient public immutable lightClient;

    mapping(address holder => uint64[]) private _chains;
    mapping(address holder => mapping(uint64 chainId => uint64[])) private _numbers;

    constructor(IERC7786GatewaySource gateway_, IQbftLightClient lightClient_, IIdentityView identities_)
        PegApp(gateway_)
    {
        identities = identities_;
        lightClient = lightClient_;
    }

    // Anybody.

    /// @notice Asks a home again to take back what nobody took. Anybody may.
    function resend(bytes32 identifier) external {
        Home storage home = _homes[identifier];
        if (home.journey != Journey.Stranded) revert NothingToResend(identifier);
        home.journey = Journey.Back;
        bytes32 sendId = _send(home.chainId, address(this), _returnOf(home.number, identifier), MESSAGE_GAS, 0);
        emit ReturnSent(identifier, home.chainId, sendId);
    }

    // Views.

    /// @return ids of the chains that have, or had, licences of this holder
    function chainsOf(address holder) external view returns (uint64[] memory ids) {
        return _chains[holder];
    }

    /// @return how many licences of this holder a chain told of
    function countOf(address holder, uint64 chainId) external view returns (uint256) {
        return _numbers[holder][chainId].length;
    }

    /// @notice Licences of a holder on a chain, in the order in which they were told of.
    /// @param from place of the first, from 0
    /// @param count at most `PAGE_MAX`
    function licencesOf(address holder, uint64 chainId, uint256 from, uint256 count)
        external
        view
        returns (Found[] memory found)
    {
        if (count > PAGE_MAX) revert PageInvalid(count);
        uint64[] storage numbers = _numbers[holder][chainId];
        uint256 there = numbers.length > from ? numbers.length - from : 0;
        found = new Found[](there < count ? there : count);
        for (uint256 i = 0; i < found.length; i++) found[i] = _find(chainId, numbers[from + i]);
    }

    function licence(uint64 chainId, uint64 number) external view returns (Found memory) {
        if (_licences[chainId][number].revision == 0) revert LicenceUnknown(chainId, number);
        return _find(chainId, number);
    }

    /// @return where the licence with this identifier is at home; chain id 0: nobody told of it
    function homeOf(bytes32 identifier) external view returns (Home memory) {
        return _homes[identifier];
    }

    // What side chains say.

    /// @inheritdoc PegApp
    function _isCounterpart(uint64, address account) internal view override returns (bool) {
        return account == address(this);
    }

    function _receive(uint64 chainId, bytes32, bytes calldata payload) internal override {
        bytes1 what = payload[0];
        if (what == LicenceMessages.ENTRIES) {
            (uint48 revision, LicenceMessages.Entry[] memory entries) =
                abi.decode(payload[1:], (uint48, LicenceMessages.Entry[]));
            for (uint256 i = 0; i < entries.length; i++) {
                _write(chainId, revision, entries[i]);
                _settle(chainId, entries[i]);
            }
        } else if (what == LicenceMessages.MARKS) {
            (uint48 revision, LicenceTypes.Status mark, uint64 time, uint64[] memory numbers) =
                abi.decode(payload[1:], (uint48, LicenceTypes.Status, uint64, uint64[]));
            for (uint256 i = 0; i < numbers.length; i++) {
                _mark(_licences[chainId][numbers[i]], revision, mark, time);
            }
            emit LicencesMarked(chainId, mark, revision, numbers);
        } else if (what == LicenceMessages.DEPARTURE) {
            (uint48 revision, LicenceMessages.Entry memory entry, uint64 destination) =
                abi.decode(payload[1:], (uint48, LicenceMessages.Entry, uint64));
            _write(chainId, revision, entry);
            _depart(chainId, entry, destination);
        } else {
            revert LicenceMessages.MessageUnknown(what);
        }
    }

    function _write(uint64 chainId, uint48 revision, LicenceMessages.Entry memory e) private {
        Indexed storage l = _licences[chainId][e.number];
        _mark(l, revision, e.mark, e.statusTime);
        if (revision <= l.revision) return;
        if (l.revision == 0) {
            uint64[] storage numbers = _numbers[e.holder][chainId];
            if (numbers.length == 0) _chains[e.holder].push(chainId);
            numbers.push(e.number);
            l.holder = e.holder;
            l.validFrom = e.validFrom;
            l.version = e.version;
            l.identifier = e.identifier;
            l.content = e.content;
            l.licenceType = e.licenceType;
            l.issuer = e.issuer;
        }
        l.validUntil = e.validUntil;
        l.status = e.status;
        l.revision = revision;
        emit LicenceIndexed(
            chainId, e.number, e.holder, e.identifier, e.status, e.mark, e.version, e.content, revision
        );
    }

    /// Every message of a later revision says when the status began.
    function _mark(Indexed storage l, uint48 revision, LicenceTypes.Status mark, uint64 time) private {
        if (revision <= l.markRevision) return;
        l.markRevision = revision;
        l.mark = mark;
        l.statusTime = time;
    }

    /// Who tells of an identifier first is its home, until governance retires that chain. A licence that was on
    /// its way has its number from its new home.
    function _settle(uint64 chainId, LicenceMessages.Entry memory e) private {
        Home storage home = _homes[e.identifier];
        if (home.chainId == 0) {
            home.chainId = chainId;
            home.number = e.number;
        } else if (home.chainId == chainId) {
            bool here = e.status != LicenceTypes.Status.TransferredOut;
            if (here && home.journey == Journey.None && home.number != e.number) home.number = e.number;
        } else if (e.status != LicenceTypes.Status.TransferredOut && !_isComing(home, chainId)) {
            if (lightClient.client(home.chainId).status == ClientStatus.Closed) {
                _homes[e.identifier] = Home(chainId, e.number, 0, Journey.None);
            } else {
                emit HomeContested(e.identifier, home.chainId, chainId, e.number);
            }
        }
    }

    // Transfers.

    /// It may have arrived, and main has not seen the outcome yet.
    function _isComing(Home storage home, uint64 chainId) private view returns (bool) {
        return home.journey == Journey.Out && home.destination == chainId;
    }

    function _depart(uint64 chainId, LicenceMessages.Entry memory e, uint64 destination) private {
        Home storage home = _homes[e.identifier];
        bool known = home.chainId != 0;
        if (known && (home.chainId != chainId || home.journey != Journey.None)) {
            revert NotAtHome(e.identifier, chainId);
        }
        if (destination == chainId || destination == block.chainid) revert DestinationInvalid(destination);
        home.chainId = chainId;
        home.number = e.number;
        home.destination = destination;
        home.journey = Journey.Out;
        LicenceTypes.Arrival memory arrival = LicenceTypes.Arrival({
            identifier: e.identifier,
            content: e.content,
            licenceType: e.licenceType,
            issuer: e.issuer,
            holder: e.holder,
            validFrom: e.validFrom,
            validUntil: e.validUntil,
            issuedAt: e.issuedAt,
            version: e.version,
            originChain: chainId,
            originNumber: e.number
        });
        bytes memory payload = bytes.concat(LicenceMessages.ARRIVAL, abi.encode(arrival));
        bytes32 sendId = _send(destination, address(this), payload, MESSAGE_GAS, 0);
        emit TransferBegun(e.identifier, chainId, destination, sendId);
    }

    function _delivered(bytes32, uint64 chainId, bytes calldata payload) internal override {
        if (payload[0] == LicenceMessages.ARRIVAL) {
            LicenceTypes.Arrival memory arrival = abi.decode(payload[1:], (LicenceTypes.Arrival));
            Home storage home = _homes[arrival.identifier];
            home.chainId = chainId;
            home.number = NUMBER_UNKNOWN;
            home.journey = Journey.None;
            emit TransferEnded(arrival.identifier, arrival.originChain, chainId);
        } else {
            (, bytes32 identifier) = abi.decode(payload[1:], (uint64, bytes32));
            _homes[identifier].journey = Journey.None;
            emit Returned(identifier, chainId);
        }
    }

    function _undelivered(bytes32, uint64 chainId, bytes calldata payload, Outcome outcome) internal override {
        if (payload[0] == LicenceMessages.ARRIVAL) {
            LicenceTypes.Arrival memory arrival = abi.decode(payload[1:], (LicenceTypes.Arrival));
            emit TransferRefused(arrival.identifier, arrival.originChain, chainId, outcome);
            _tryReturn(arrival.identifier);
        } else {
            (, bytes32 identifier) = abi.decode(payload[1:], (uint64, bytes32));
            _homes[identifier].journey = Journey.Stranded;
            emit ReturnNotSent(identifier, chainId);
        }
    }

    /// A channel that is paused keeps no outcome from being told.
    function _tryReturn(bytes32 identifier) private {
        Home storage home = _homes[identifier];
        bytes memory recipient = InteroperableAddress.formatEvmV1(home.chainId, address(this));
        uint256 gasBefore = gasleft();
        try gateway.sendMessage(recipient, _returnOf(home.number, identifier), _attributes(MESSAGE_GAS, 0)) returns (
            bytes32 sendId
        ) {
            home.journey = Journey.Back;
            emit ReturnSent(identifier, home.chainId, sendId);
        } catch (bytes memory reason) {
            TriedCall.checkFailure(gasBefore, reason);
            home.journey = Journey.Stranded;
            emit ReturnNotSent(identifier, home.chainId);
        }
    }

    function _returnOf(uint64 number, bytes32 identifier) private pure returns (bytes memory) {
        return bytes.concat(LicenceMessages.RETURN, abi.encode(number, identifier));
    }

    // Status.

    function _find(uint64 chainId, uint64 number) private view returns (Found memory) {
        Indexed memory l = _licences[chainId][number];
        Home storage home = _homes[l.identifier];
        bool contested = home.chainId != chainId && l.status != LicenceTypes.Status.TransferredOut;
        return Found(chainId, number, _statusOf(l), !contested, l);
    }

    /// As `LicenceRegistry.statusAt`, with the identity's status as it is here, before the side chain heard of it.
    function _statusOf(Indexed memory l) private view returns (LicenceTypes.Status status) {
        status = l.status;
        if (status == LicenceTypes.Status.InForce && block.timestamp >= l.validUntil) return LicenceTypes.Status.Lapsed;
        if (status != LicenceTypes.Status.InForce && status != LicenceTypes.Status.Suspended) return status;
        IdentityStatus identity = identities.statusOf(l.holder);
        if (identity == IdentityStatus.Cancelled || l.mark == LicenceTypes.Status.Cancelled) {
            return LicenceTypes.Status.Cancelled;
        }
        bool suspended = identity == IdentityStatus.Suspended || l.mark == LicenceTypes.Status.Suspended;
        return suspended ? LicenceTypes.Status.Suspended : status;
    }
}
