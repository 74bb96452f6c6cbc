// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IIdentityListener, IdentityStatus, IIdentityView} from "./IIdentityView.sol";
import {ILicenceListener} from "./ILicenceListener.sol";
import {IOrganisationView} from "./IOrganisationView.sol";
import {LicenceToken} from "./LicenceToken.sol";

/// @title Licences: offered, accepted, renewed, changed, suspended, ended.
/// @notice Licences are numbered 0, 1, 2, ... Each change of one emits `LicenceChanged` with everything that
/// its leaf in the status tree commits to, and stores the leaf.
/// @dev Slots are listed in docs/protocol/contracts.md.
contract LicenceRegistry is LicenceToken, IIdentityListener, EIP712, AccessManaged {
    /// Licences of one holder in force or suspended at one time: what a change of the identity goes through.
    uint256 public constant HOLDER_LICENCES_MAX = 128;
    /// A version has three digits.
    uint32 public constant VERSION_MAX = 999;
    /// Bytes that locate a ciphertext kept elsewhere.
    uint256 public constant LOCATOR_BYTES_MAX = 512;
    /// Most that governance can allow of ciphertext on chain.
    uint256 public constant CIPHERTEXT_BYTES_MAX = 24_576;

    uint8 private constant ISSUE = 1;
    uint8 private constant RENEW = 2;
    uint8 private constant SUSPEND = 3;
    uint8 private constant LAPSE = 4;
    uint8 private constant END = 5;
    uint8 private constant LIFT = 6;
    uint8 private constant TRANSFER_IN = 8;
    uint8 private constant CHANGE = 9;
    uint8 private constant CANCEL_TRANSFER_OUT = 10;
    uint8 private constant ACCEPT = 101;
    uint8 private constant DECLINE = 102;
    uint8 private constant IDENTITY = 103;

    bytes32 private constant ANSWER_TYPE =
        keccak256("Answer(uint256 number,bytes32 content,bool accepts,uint64 deadline)");
    bytes32 private constant CANCELLATION_TYPE =
        keccak256("Cancellation(uint256 number,uint16 reason,uint64 deadline)");

    IOrganisationView public immutable organisations;
    IIdentityView public immutable identities;
    /// Tells the main chain, on a side chain; 0: this is no side chain.
    ILicenceListener public immutable peg;

    Licence[] private _licences;
    /// Number of the licence that has an identifier, plus 1.
    mapping(bytes32 identifier => uint256) private _numbers;
    /// Numbers of what a holder has in force or suspended.
    mapping(address holder => uint64[]) private _held;
    uint256 private _ciphertextLimit;
    /// `leafOf` of each licence: what the node keeps the status tree over (docs/protocol/status-tree.md).
    bytes32[] private _leaves;

    constructor(
        address authority_,
        IOrganisationView organisations_,
        IIdentityView identities_,
        ILicenceListener peg_,
        uint256 ciphertextLimit_
    ) EIP712("Vellum Licences", "1") AccessManaged(authority_) {
        organisations = organisations_;
        identities = identities_;
        peg = peg_;
        _setCiphertextLimit(ciphertextLimit_);
    }

    // The issuer.

    /// @notice Offers a licence to a holder. By an organisation accredited for the type now.
    function issue(Offer calldata offer) external returns (uint256 number) {
        bytes32 issuer = _accredited(offer.licenceType);
        if (identities.statusOf(offer.holder) != IdentityStatus.Active) revert IdentityNotActive(offer.holder);
        if (offer.acceptBy <= block.timestamp) revert DeadlinePassed(offer.acceptBy);
        _checkPeriod(offer.validFrom, offer.validUntil);
        Licence memory l;
        l.identifier = offer.identifier;
        l.content = offer.content;
        l.licenceType = offer.licenceType;
        l.issuer = issuer;
        l.holder = offer.holder;
        l.validFrom = offer.validFrom;
        l.validUntil = offer.validUntil;
        l.version = 1;
        l.issuedAt = uint64(block.timestamp);
        l.status = Status.Offered;
        l.acceptBy = offer.acceptBy;
        number = _add(l, ISSUE);
        _announcePayload(number, offer.payload);
        _tell(number);
    }

    /// @notice A successor takes effect as the predecessor lapses.
    function renew(uint256 number, Succession calldata successor) external returns (uint256) {
        return _succeed(number, successor, RENEW);
    }

    /// @notice As `renew`, for a licence whose contents change.
    function change(uint256 number, Succession calldata successor) external returns (uint256) {
        return _succeed(number, successor, CHANGE);
    }

    function suspend(uint256 number, uint16 reason) external {
        Licence storage l = _issued(number);
        _expect(number, l, Status.InForce);
        _move(number, l, Status.Suspended, SUSPEND, reason);
    }

    function lift(uint256 number, uint16 reason) external {
        Licence storage l = _issued(number);
        _expect(number, l, Status.Suspended);
        _move(number, l, Status.InForce, LIFT, reason);
    }

    function cancel(uint256 number, uint16 reason) external {
        _end(number, _issued(number), Status.Cancelled, reason, uint64(block.timestamp));
    }

    function revoke(uint256 number, uint16 reason) external {
        _end(number, _issued(number), Status.Revoked, reason, uint64(block.timestamp));
    }

    /// @param effectiveFrom from when it counts as rescinded, not before its issue; 0: now
    function rescind(uint256 number, uint16 reason, uint64 effectiveFrom) external {
        Licence storage l = _issued(number);
        uint64 from = effectiveFrom == 0 ? uint64(block.timestamp) : effectiveFrom;
        if (from > block.timestamp || from < l.issuedAt) revert EffectInvalid(from);
        _end(number, l, Status.Rescinded, reason, from);
    }

    /// @notice Rescinds, from its issue on, a licence whose issuer lost its accreditation by hindsight. Anybody may.
    function rescindUnaccredited(uint256 number, uint16 reason) external {
        Licence storage l = _known(number);
        if (wasAccredited(number)) revert StillAccredited(number);
        _end(number, l, Status.Rescinded, reason, l.issuedAt);
    }

    /// @notice Announces the ciphertext of a licence again, or where it is now: after it came from another chain, or
    /// was moved to another store.
    function supplyPayload(uint256 number, Payload calldata payload) external {
        _issued(number);
        _announcePayload(number, payload);
    }

    /// @notice Gives the licence to another chain. The peg carries it there, or brings it back.
    function transferOut(uint256 number, uint64 destination) external {
        Licence storage l = _issued(number);
        if (destination == 0 || destination == block.chainid) revert DestinationInvalid(destination);
        _expectInForce(number, l);
        l.destination = destination;
        _leave(number, l);
        _set(number, l, Status.TransferredOut, END, 0);
        emit TransferredOut(number, destination);
        if (address(peg) != address(0)) peg.licenceTransferred(number);
    }

    // The holder.

    function accept(uint256 number) external {
        _checkHolder(number, _known(number), msg.sender);
        _accept(number);
    }

    function decline(uint256 number) external {
        _checkHolder(number, _known(number), msg.sender);
        _decline(number);
    }

    /// @notice Brings the holder's answer, signed as `Answer`. Anybody may.
    function answer(uint256 number, bool accepts, uint64 deadline, bytes calldata signature) external {
        Licence storage l = _known(number);
        bytes32 hash = keccak256(abi.encode(ANSWER_TYPE, number, l.content, accepts, deadline));
        _checkHolder(number, l, _signer(hash, deadline, signature));
        if (accepts) _accept(number);
        else _decline(number);
    }

    /// @notice Asks the issuer to cancel.
    function requestCancellation(uint256 number, uint16 reason) external {
        _requestCancellation(number, msg.sender, reason);
    }

    /// @notice Brings the holder's request, signed as `Cancellation`. Anybody may.
    function bringCancellationRequest(uint256 number, uint16 reason, uint64 deadline, bytes calldata signature)
        external
    {
        bytes32 hash = keccak256(abi.encode(CANCELLATION_TYPE, number, reason, deadline));
        _requestCancellation(number, _signer(hash, deadline, signature), reason);
    }

    // The peg, and identities.

    /// @notice Takes in a licence that another chain gave away. By the peg; where there is none, by governance.
    function transferIn(Arrival calldata arrival) external returns (uint256 number) {
        _onlyPeg();
        if (arrival.validFrom >= arrival.validUntil) revert PeriodInvalid(arrival.validFrom, arrival.validUntil);
        if (identities.statusOf(arrival.holder) != IdentityStatus.Active) revert IdentityNotActive(arrival.holder);
        bool accredited = organisations.isAccredited(arrival.issuer, arrival.licenceType, arrival.issuedAt);
        if (!accredited) revert NotAccredited(arrival.issuer, arrival.licenceType);
        Licence memory l;
        l.identifier = arrival.identifier;
        l.content = arrival.content;
        l.licenceType = arrival.licenceType;
        l.issuer = arrival.issuer;
        l.holder = arrival.holder;
        l.validFrom = arrival.validFrom;
        l.validUntil = arrival.validUntil;
        l.version = arrival.version;
        l.issuedAt = arrival.issuedAt;
        l.status = Status.InForce;
        number = _add(l, TRANSFER_IN);
        _join(number, _licences[number]);
        emit TransferredIn(number, arrival.originChain, arrival.originNumber);
        _tell(number);
    }

    /// @notice The other chain did not take it. By the same as `transferIn`.
    function cancelTransferOut(uint256 number) external {
        _onlyPeg();
        Licence storage l = _known(number);
        _expect(number, l, Status.TransferredOut);
        // It may have come back under another number.
        uint256 taken = _numbers[l.identifier] - 1;
        if (taken != number) revert IdentifierTaken(l.identifier, taken);
        l.destination = 0;
        l.mark = _markOf(l.holder);
        if (l.mark != Status.Cancelled) _join(number, l);
        _move(number, l, Status.InForce, CANCEL_TRANSFER_OUT, 0);
    }

    /// @inheritdoc IIdentityListener
    /// @dev Anybody may call: it reads what the identity's status is. What time ended leaves the holder's list.
    function identityChanged(address identity) external {
        Status mark = _markOf(identity);
        uint64[] storage held = _held[identity];
        uint64[] memory marked = new uint64[](held.length);
        uint256 count = 0;
        for (uint256 i = held.length; i > 0; i--) {
            uint256 number = held[i - 1];
            Licence storage l = _licences[number];
            if (_own(l, uint64(block.timestamp)) == Status.Lapsed) {
                _leaveList(l);
                continue;
            }
            if (l.mark == mark) continue;
            l.mark = mark;
            if (mark == Status.Cancelled) _leave(number, l);
            l.statusTime = uint64(block.timestamp);
            _announce(number, l, IDENTITY);
            marked[count++] = uint64(number);
        }
        if (count == 0 || address(peg) == address(0)) return;
        // It only gets shorter.
        assembly ("memory-safe") {
            mstore(marked, count)
        }
        peg.licencesMarked(identity, mark, marked);
    }

    /// @inheritdoc IIdentityListener
    /// @dev A licence is its identity's, whatever key that has.
    function identityKeyChanged(address identity) external {}

    /// @param limit bytes of ciphertext that may stand on chain; longer ones are kept elsewhere
    function setCiphertextLimit(uint256 limit) external restricted {
        _setCiphertextLimit(limit);
    }

    // Views.

    /// @return how many numbers were given
    function licenceCount() external view returns (uint256) {
        return _licences.length;
    }

    function licence(uint256 number) external view returns (Licence memory) {
        return _known(number);
    }

    /// @return number of the licence with this identifier
    /// @return known false if there is none
    function numberOf(bytes32 identifier) external view returns (uint256 number, bool known) {
        uint256 found = _numbers[identifier];
        return found == 0 ? (0, false) : (found - 1, true);
    }

    /// @return numbers that the holder has in force or suspended; some may have ended by time
    function licencesOf(address holder) external view returns (uint64[] memory) {
        return _held[holder];
    }

    function statusOf(uint256 number) external view returns (Status) {
        return statusAt(number, uint64(block.timestamp));
    }

    /// @notice The status at a time, if nobody does anything until then.
    /// @param time not before the last change
    function statusAt(uint256 number, uint64 time) public view returns (Status) {
        Licence storage l = _known(number);
        if (time < l.statusTime) revert BeforeLastChange(number, l.statusTime);
        return _outranked(_own(l, time), _markOf(l.holder));
    }

    /// @notice Whether its issuer was accredited for its type when it was issued, as is known now.
    function wasAccredited(uint256 number) public view returns (bool) {
        Licence storage l = _known(number);
        return organisations.isAccredited(l.issuer, l.licenceType, l.issuedAt);
    }

    /// @return leaf of the status tree: keccak256 of `leafData`
    function leafOf(uint256 number) public view returns (bytes32 leaf) {
        return keccak256(leafData(number));
    }

    /// @return data nine words: number, identifier, status, version, holder, content, validFrom, validUntil,
    /// statusTime
    function leafData(uint256 number) public view returns (bytes memory data) {
        Licence storage l = _known(number);
        return abi.encode(
            number,
            l.identifier,
            _outranked(l.status, l.mark),
            l.version,
            l.holder,
            l.content,
            l.validFrom,
            l.validUntil,
            l.statusTime
        );
    }

    function ciphertextLimit() external view returns (uint256) {
        return _ciphertextLimit;
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // Steps of the life cycle.

    function _accept(uint256 number) private {
        Licence storage l = _licences[number];
        _expect(number, l, Status.Offered);
        if (identities.statusOf(l.holder) != IdentityStatus.Active) revert IdentityNotActive(l.holder);
        if (!wasAccredited(number)) revert NotAccredited(l.issuer, l.licenceType);
        if (l.validUntil <= block.timestamp) revert PeriodInvalid(l.validFrom, l.validUntil);
        _join(number, l);
        _move(number, l, Status.InForce, ACCEPT, 0);
    }

    function _decline(uint256 number) private {
        Licence storage l = _licences[number];
        _expect(number, l, Status.Offered);
        _move(number, l, Status.Declined, DECLINE, 0);
    }

    function _requestCancellation(uint256 number, address account, uint16 reason) private {
        Licence storage l = _known(number);
        _checkHolder(number, l, account);
        _expectLive(number, l);
        emit CancellationRequested(number, l.holder, reason);
    }

    function _succeed(uint256 number, Succession calldata s, uint8 operation) private returns (uint256 successor) {
        Licence storage old = _issued(number);
        bytes32 issuer = _accredited(old.licenceType);
        _expectInForce(number, old);
        _checkPeriod(s.validFrom, s.validUntil);
        if (s.validFrom > block.timestamp) revert PeriodInvalid(s.validFrom, s.validUntil);
        if (old.version >= VERSION_MAX) revert VersionsExhausted(number);
        Licence memory l;
        l.identifier = s.identifier;
        l.content = s.content;
        l.licenceType = old.licenceType;
        l.issuer = issuer;
        l.holder = old.holder;
        l.validFrom = s.validFrom;
        l.validUntil = s.validUntil;
        l.version = old.version + 1;
        l.issuedAt = uint64(block.timestamp);
        l.status = Status.InForce;
        l.previous = uint64(number + 1);
        _leave(number, old);
        old.next = uint64(_licences.length + 1);
        _set(number, old, Status.Lapsed, LAPSE, 0);
        successor = _add(l, operation);
        _announcePayload(successor, s.payload);
        _join(successor, _licences[successor]);
        if (address(peg) == address(0)) return successor;
        uint64[] memory numbers = new uint64[](2);
        (numbers[0], numbers[1]) = (uint64(number), uint64(successor));
        peg.licencesChanged(numbers);
    }

    function _end(uint256 number, Licence storage l, Status status, uint16 reason, uint64 from) private {
        _expectLive(number, l);
        _leave(number, l);
        l.status = status;
        l.reason = reason;
        l.statusTime = from;
        _announce(number, l, END);
        _tell(number);
    }

    function _move(uint256 number, Licence storage l, Status status, uint8 operation, uint16 reason) private {
        _set(number, l, status, operation, reason);
        _tell(number);
    }

    function _set(uint256 number, Licence storage l, Status status, uint8 operation, uint16 reason) private {
        l.status = status;
        l.reason = reason;
        l.statusTime = uint64(block.timestamp);
        _announce(number, l, operation);
    }

    function _add(Licence memory l, uint8 operation) private returns (uint256 number) {
        number = _licences.length;
        if (l.identifier == 0) revert IdentifierMissing();
        uint256 taken = _numbers[l.identifier];
        if (taken != 0 && !_isFree(_licences[taken - 1], operation)) {
            revert IdentifierTaken(l.identifier, taken - 1);
        }
        _numbers[l.identifier] = number + 1;
        l.statusTime = uint64(block.timestamp);
        _licences.push(l);
        emit LicenceNumbered(number, l.licenceType, l.issuer, l.issuedAt, l.acceptBy, l.previous);
        _announce(number, _licences[number], operation);
    }

    /// An offer that came to nothing leaves its identifier; a licence that went away may come back with its own.
    function _isFree(Licence storage l, uint8 operation) private view returns (bool) {
        if (l.status == Status.TransferredOut) return operation == TRANSFER_IN;
        if (l.status == Status.Declined) return true;
        return l.status == Status.Offered && block.timestamp >= l.acceptBy;
    }

    function _join(uint256 number, Licence storage l) private {
        if (l.mark == Status.Cancelled) return;
        uint64[] storage held = _held[l.holder];
        if (held.length == HOLDER_LICENCES_MAX) revert HolderFull(l.holder);
        held.push(uint64(number));
        l.place = uint32(held.length);
        _mintToken(l.holder, number);
    }

    function _leave(uint256 number, Licence storage l) private {
        if (l.place != 0) _leaveList(l);
        _burnToken(l.holder, number);
    }

    function _leaveList(Licence storage l) private {
        uint64[] storage held = _held[l.holder];
        uint64 last = held[held.length - 1];
        held[l.place - 1] = last;
        // In this order: it may be the last itself.
        _licences[last].place = l.place;
        l.place = 0;
        held.pop();
    }

    // What is asked of a step.

    function _known(uint256 number) private view returns (Licence storage) {
        if (number >= _licences.length) revert LicenceUnknown(number);
        return _licences[number];
    }

    /// Called by its issuer, who needs no accreditation to end what it issued.
    function _issued(uint256 number) private view returns (Licence storage l) {
        l = _known(number);
        bytes32 by = organisations.organisationOf(msg.sender);
        if (by != l.issuer) revert NotIssuer(number, by);
    }

    function _accredited(bytes32 licenceType) private view returns (bytes32 issuer) {
        issuer = organisations.organisationOf(msg.sender);
        bool accredited =
            issuer != 0 && organisations.isAccredited(issuer, licenceType, uint64(block.timestamp));
        if (!accredited) revert NotAccredited(issuer, licenceType);
    }

    function _checkHolder(uint256 number, Licence storage l, address account) private view {
        if (account == address(0) || identities.identityOwner(l.holder) != account) revert NotHolder(number, account);
    }

    function _signer(bytes32 structHash, uint64 deadline, bytes calldata signature) private view returns (address signer) {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
        (signer,,) = ECDSA.tryRecover(_hashTypedDataV4(structHash), signature);
    }

    function _checkPeriod(uint64 validFrom, uint64 validUntil) private view {
        if (validFrom >= validUntil || validUntil <= block.timestamp) revert PeriodInvalid(validFrom, validUntil);
    }

    /// The licence's own status, whatever its holder's identity is; but nothing moves after that was cancelled.
    function _expect(uint256 number, Licence storage l, Status status) private view {
        Status own = _own(l, uint64(block.timestamp));
        if (own != status) revert StatusWrong(number, own);
        if (_markOf(l.holder) == Status.Cancelled && status != Status.TransferredOut) {
            revert StatusWrong(number, Status.Cancelled);
        }
    }

    /// In force in every respect.
    function _expectInForce(uint256 number, Licence storage l) private view {
        Status status = _outranked(_own(l, uint64(block.timestamp)), _markOf(l.holder));
        if (status != Status.InForce) revert StatusWrong(number, status);
    }

    function _expectLive(uint256 number, Licence storage l) private view {
        Status own = _own(l, uint64(block.timestamp));
        if (own != Status.InForce) _expect(number, l, Status.Suspended);
        else _expect(number, l, Status.InForce);
    }

    function _onlyPeg() private {
        if (address(peg) == address(0)) _checkCanCall(msg.sender, msg.data);
        else if (msg.sender != address(peg)) revert NotPeg(msg.sender);
    }

    // Status.

    /// What the record and the time make of it.
    function _own(Licence storage l, uint64 time) private view returns (Status status) {
        status = l.status;
        if (status == Status.InForce && time >= l.validUntil) return Status.Lapsed;
        if (status == Status.Offered && time >= l.acceptBy) return Status.Lapsed;
    }

    /// The identity outranks what is live.
    function _outranked(Status status, Status mark) private pure returns (Status) {
        if (status != Status.InForce && status != Status.Suspended) return status;
        if (mark == Status.Cancelled) return Status.Cancelled;
        return mark == Status.Suspended ? Status.Suspended : status;
    }

    function _markOf(address identity) private view returns (Status) {
        IdentityStatus status = identities.statusOf(identity);
        if (status == IdentityStatus.Cancelled) return Status.Cancelled;
        // Of one that is not known here nobody would hear that it is suspended.
        bool suspended = status == IdentityStatus.Suspended || status == IdentityStatus.None;
        return suspended ? Status.Suspended : Status.None;
    }

    /// @inheritdoc LicenceToken
    function _holderOfToken(uint256 number) internal view override returns (address) {
        if (number >= _licences.length) return address(0);
        Licence storage l = _licences[number];
        bool live = l.status == Status.InForce || l.status == Status.Suspended;
        return live && l.mark != Status.Cancelled ? l.holder : address(0);
    }

    // Events.

    /// Every change of what a leaf says comes through here.
    function _announce(uint256 number, Licence storage l, uint8 operation) private {
        bytes32 leaf = leafOf(number);
        if (number == _leaves.length) _leaves.push(leaf);
        else _leaves[number] = leaf;
        emit LicenceChanged(
            number,
            operation,
            l.holder,
            l.identifier,
            _outranked(l.status, l.mark),
            l.version,
            l.content,
            l.validFrom,
            l.validUntil,
            l.statusTime,
            l.reason
        );
    }

    /// On a side chain: the main chain hears of it.
    function _tell(uint256 number) private {
        if (address(peg) == address(0)) return;
        uint64[] memory numbers = new uint64[](1);
        numbers[0] = uint64(number);
        peg.licencesChanged(numbers);
    }

    function _announcePayload(uint256 number, Payload calldata p) private {
        if (p.store == 0) {
            if (p.data.length > _ciphertextLimit) revert CiphertextTooLong(p.data.length, _ciphertextLimit);
            emit LicencePayload(number, 0, p.data, keccak256(p.data), uint64(p.data.length));
            return;
        }
        bool located = p.data.length > 0 && p.data.length <= LOCATOR_BYTES_MAX;
        if (!located || p.hash == 0 || p.length == 0) revert PayloadInvalid();
        emit LicencePayload(number, p.store, p.data, p.hash, p.length);
    }

    function _setCiphertextLimit(uint256 limit) private {
        if (limit > CIPHERTEXT_BYTES_MAX) revert CiphertextTooLong(limit, CIPHERTEXT_BYTES_MAX);
        _ciphertextLimit = limit;
        emit CiphertextLimitSet(limit);
    }
}
