// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Client, ClientStatus, Contradiction, IQbftLightClient, TrustedHeader} from "./IQbftLightClient.sol";
import {SealedHeader, SealedHeaders} from "./SealedHeader.sol";
import {StrictRlp} from "./StrictRlp.sol";

/// @title Light clients of other chains of QBFT.
/// @dev A kept header is one of a list in ascending order of heights, so that a new one is compared with its neighbours.
contract QbftLightClient is IQbftLightClient, AccessManaged {
    using SealedHeaders for SealedHeader;
    using StrictRlp for uint256;

    /// Kept headers that may lie between the trusted one and the place of a new one.
    uint256 public constant NEIGHBOURS_MAX = 32;
    /// Headers older than the trusting period that one update drops: more than it adds.
    uint256 public constant DROPPED_MAX = 2;
    /// Bounds of what governance can get wrong.
    uint256 public constant TRUSTING_PERIOD_MIN = 1 hours;
    uint256 public constant TRUSTING_PERIOD_MAX = 365 days;
    uint256 public constant CLOCK_DRIFT_MAX = 1 hours;
    /// A prepare has about 45 bytes, a commit 112.
    uint256 public constant EVIDENCE_BYTES_MAX = 160;

    uint256 private constant PREPARE = 0x13;
    uint256 private constant COMMIT = 0x14;

    /// @param generation number of times that the client began anew: headers of an earlier one are not found
    /// @param sets number of validator sets that the chain has had here
    struct State {
        ClientStatus status;
        uint8 headerFields;
        uint32 trustingPeriod;
        uint32 maxClockDrift;
        uint64 oldestHeight;
        uint64 latestHeight;
        uint32 sets;
        uint16 generation;
        bytes32 domain;
    }

    /// @param since time from which its age counts: its timestamp, or when governance gave it
    /// @param set index of its validators in `_setHashes`
    struct Kept {
        bytes32 blockHash;
        bytes32 stateRoot;
        uint64 timestamp;
        uint64 since;
        uint64 nextHeight;
        uint32 set;
    }

    mapping(uint64 chainId => State) private _clients;
    /// By generation * 2^64 + height.
    mapping(uint64 chainId => mapping(uint256 place => Kept)) private _headers;
    mapping(uint64 chainId => mapping(uint256 index => bytes32)) private _setHashes;
    /// Validators, ascending, by the hash of their list.
    mapping(bytes32 setHash => address[]) private _members;
    mapping(uint64 chainId => Contradiction) private _contradictions;
    mapping(bytes32 accusation => bool) private _accused;

    /// @param chainId of the first client; 0: none
    constructor(
        address authority_,
        uint64 chainId,
        bytes32 domain,
        bytes memory sealedHeader,
        uint64 trustingPeriod,
        uint64 maxClockDrift
    ) AccessManaged(authority_) {
        if (chainId != 0) _create(chainId, domain, sealedHeader, trustingPeriod, maxClockDrift);
    }

    // Anybody.

    /// @inheritdoc IQbftLightClient
    function updateClient(uint64 chainId, uint64 trustedHeight, bytes calldata sealedHeader) external {
        State storage c = _clients[chainId];
        _checkActive(chainId, c.status);
        uint256 generation = c.generation;
        SealedHeader memory h = SealedHeaders.read(sealedHeader);
        uint64 height = uint64(h.number);
        Kept storage same = _kept(chainId, generation, height);
        if (same.blockHash == h.blockHash) return;

        Kept storage trusted = _kept(chainId, generation, trustedHeight);
        if (trusted.blockHash == 0) revert HeightUnknown(chainId, trustedHeight);
        if (_isExpired(trusted.since, c.trustingPeriod)) revert ClientExpired(chainId, trusted.since);
        if (height < trustedHeight || height == 0) revert TrustedHeightInvalid(trustedHeight, height);
        if (h.fields != c.headerFields || h.chainDomain != c.domain) revert HeaderInvalid();
        _checkDrift(c, h);
        bytes32 setHash = _checkSeals(h);
        bytes32 trustedSetHash = _setHashes[chainId][trusted.set];
        if (setHash != trustedSetHash) _checkTrust(h, _members[trustedSetHash]);

        if (same.blockHash != 0) {
            _contradict(chainId, c, height, same.blockHash, h.blockHash, sealedHeader);
            return;
        }
        (uint64 belowHeight, uint64 aboveHeight) = _neighbours(chainId, generation, trustedHeight, height);
        Kept storage below = _kept(chainId, generation, belowHeight);
        if (h.timestamp < below.timestamp || (belowHeight + 1 == height && h.parentHash != below.blockHash)) {
            _contradict(chainId, c, belowHeight, below.blockHash, h.blockHash, sealedHeader);
            return;
        }
        if (aboveHeight == 0) {
            c.latestHeight = height;
        } else {
            Kept storage above = _kept(chainId, generation, aboveHeight);
            if (h.timestamp > above.timestamp) {
                _contradict(chainId, c, aboveHeight, above.blockHash, h.blockHash, sealedHeader);
                return;
            }
        }
        below.nextHeight = height;
        uint32 set = setHash == trustedSetHash ? trusted.set : _addSet(chainId, c, setHash, h);
        _keep(_kept(chainId, generation, height), h, uint64(h.timestamp), aboveHeight, set);
        emit ClientUpdated(chainId, height, h.blockHash, h.stateRoot);
        _dropOld(chainId, c, generation);
    }

    /// @inheritdoc IQbftLightClient
    function submitEquivocation(
        uint64 chainId,
        uint64 trustedHeight,
        bytes calldata firstPayload,
        bytes calldata firstSignature,
        bytes calldata secondPayload,
        bytes calldata secondSignature
    ) external {
        State storage c = _clients[chainId];
        // Of a frozen client, too: others of its validators may be to blame.
        if (c.status != ClientStatus.Frozen) _checkActive(chainId, c.status);
        bytes32 domain = c.domain;
        Kept storage trusted = _kept(chainId, c.generation, trustedHeight);
        if (trusted.blockHash == 0) revert HeightUnknown(chainId, trustedHeight);
        if (_isExpired(trusted.since, c.trustingPeriod)) revert ClientExpired(chainId, trusted.since);

        Vote memory first = _readVote(firstPayload);
        Vote memory second = _readVote(secondPayload);
        if (
            first.code != second.code || first.height != second.height || first.round != second.round
                || first.digest == second.digest
        ) revert EvidenceInvalid();
        address validator = _author(domain, firstPayload, firstSignature);
        if (validator == address(0) || validator != _author(domain, secondPayload, secondSignature)) {
            revert EvidenceInvalid();
        }
        if (!_isMember(_members[_setHashes[chainId][trusted.set]], validator)) revert EvidenceInvalid();

        bytes32 accusation = keccak256(abi.encode(chainId, validator, first.height, first.round));
        if (_accused[accusation]) return;
        _accused[accusation] = true;
        emit ValidatorAccused(chainId, validator, first.height, first.round);
        if (c.status == ClientStatus.Active) _freeze(chainId, c);
    }

    // Administration.

    /// @inheritdoc IQbftLightClient
    function createClient(
        uint64 chainId,
        bytes32 domain,
        bytes calldata sealedHeader,
        uint64 trustingPeriod,
        uint64 maxClockDrift
    ) external restricted {
        SealedHeader memory h = _create(chainId, domain, sealedHeader, trustingPeriod, maxClockDrift);
        _checkDrift(_clients[chainId], h);
    }

    /// @inheritdoc IQbftLightClient
    function reviveClient(uint64 chainId, bytes calldata sealedHeader) external restricted {
        State storage c = _clients[chainId];
        if (c.status == ClientStatus.None) revert ClientUnknown(chainId);
        if (c.status == ClientStatus.Closed) revert ClientNotActive(chainId, ClientStatus.Closed);
        SealedHeader memory h = _begin(chainId, c, sealedHeader);
        _checkDrift(c, h);
        delete _contradictions[chainId];
        emit ClientRevived(chainId, uint64(h.number), h.blockHash);
    }

    /// @inheritdoc IQbftLightClient
    function freezeClient(uint64 chainId) external restricted {
        State storage c = _clients[chainId];
        _checkActive(chainId, c.status);
        _freeze(chainId, c);
    }

    /// @inheritdoc IQbftLightClient
    function closeClient(uint64 chainId) external restricted {
        State storage c = _clients[chainId];
        if (c.status == ClientStatus.None) revert ClientUnknown(chainId);
        if (c.status == ClientStatus.Closed) revert ClientNotActive(chainId, ClientStatus.Closed);
        c.status = ClientStatus.Closed;
        emit ClientClosed(chainId);
    }

    // What is known.

    /// @inheritdoc IQbftLightClient
    function stateRoot(uint64 chainId, uint64 height) external view returns (bytes32) {
        State storage c = _clients[chainId];
        _checkActive(chainId, c.status);
        Kept storage kept = _kept(chainId, c.generation, height);
        bytes32 root = kept.stateRoot;
        if (root == 0) revert HeightUnknown(chainId, height);
        if (_isExpired(kept.since, c.trustingPeriod)) revert ClientExpired(chainId, kept.since);
        return root;
    }

    /// @inheritdoc IQbftLightClient
    function latestHeight(uint64 chainId) external view returns (uint64) {
        State storage c = _clients[chainId];
        if (c.status == ClientStatus.None) revert ClientUnknown(chainId);
        return c.latestHeight;
    }

    /// @inheritdoc IQbftLightClient
    function client(uint64 chainId) external view returns (Client memory) {
        State storage c = _clients[chainId];
        Kept storage latest = _kept(chainId, c.generation, c.latestHeight);
        return Client({
            status: c.status,
            headerFields: c.headerFields,
            trustingPeriod: c.trustingPeriod,
            maxClockDrift: c.maxClockDrift,
            oldestHeight: c.oldestHeight,
            latestHeight: c.latestHeight,
            latestTimestamp: latest.timestamp,
            trustedSince: latest.since,
            domain: c.domain
        });
    }

    /// @inheritdoc IQbftLightClient
    function trustedHeader(uint64 chainId, uint64 height) external view returns (TrustedHeader memory) {
        Kept storage kept = _known(chainId, height);
        return TrustedHeader(kept.blockHash, kept.stateRoot, kept.timestamp, kept.nextHeight);
    }

    /// @inheritdoc IQbftLightClient
    function validatorsAt(uint64 chainId, uint64 height) external view returns (address[] memory) {
        return _members[_setHashes[chainId][_known(chainId, height).set]];
    }

    /// @inheritdoc IQbftLightClient
    function contradictionOf(uint64 chainId) external view returns (Contradiction memory) {
        return _contradictions[chainId];
    }

    // Seals.

    /// @notice That a quorum of the validators that a header names has sealed it, and nobody else.
    /// @return setHash of the validators
    function _checkSeals(SealedHeader memory h) private pure returns (bytes32 setHash) {
        uint256 needed = (2 * h.validatorCount + 2) / 3;
        if (h.sealCount < needed) revert SealsInsufficient(h.sealCount, needed);
        uint256 sealers = 0;
        for (uint256 i = 0; i < h.sealCount; i++) {
            uint256 index = h.indexOf(_sealer(h, i));
            if (index == SealedHeaders.VALIDATORS_MAX || sealers & (1 << index) != 0) revert SealInvalid(i);
            sealers |= 1 << index;
        }
        return h.setHash();
    }

    /// @notice That more than a third of the validators of a trusted header has sealed this one.
    function _checkTrust(SealedHeader memory h, address[] storage members) private view {
        uint256 size = members.length;
        uint256 needed = size / 3 + 1;
        uint256 found = 0;
        // Seals are of distinct validators: each counts once.
        for (uint256 i = 0; i < h.sealCount; i++) {
            if (_isMember(members, _sealer(h, i)) && ++found == needed) return;
        }
        revert TrustInsufficient(found, needed);
    }

    /// @return validator who made seal `i`; 0 if nobody did
    function _sealer(SealedHeader memory h, uint256 i) private pure returns (address validator) {
        (bytes32 r, bytes32 s, uint8 v) = h.sealAt(i);
        return _recover(h.digest, r, s, v);
    }

    /// @dev `v` is 0 or 1, as QBFT has it; high `s` is refused by the library
    function _recover(bytes32 hash, bytes32 r, bytes32 s, uint8 v) private pure returns (address author) {
        if (v > 1) return address(0);
        (author,,) = ECDSA.tryRecover(hash, v + 27, r, s);
    }

    function _isMember(address[] storage members, address account) private view returns (bool) {
        uint256 low = 0;
        uint256 high = members.length;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            address found = members[middle];
            if (found == account) return true;
            if (found < account) low = middle + 1;
            else high = middle;
        }
        return false;
    }

    // Evidence.

    struct Vote {
        uint256 code;
        uint64 height;
        uint64 round;
        bytes32 digest;
    }

    /// @param payload RLP([code, [height, round, digest]]), of a commit with its seal behind the digest
    function _readVote(bytes memory payload) private pure returns (Vote memory vote) {
        if (payload.length > EVIDENCE_BYTES_MAX) revert EvidenceInvalid();
        uint256 start;
        assembly ("memory-safe") {
            start := add(payload, 32)
        }
        (uint256 place, uint256 limit) = start.listAt(start + payload.length);
        if (limit != start + payload.length) revert EvidenceInvalid();
        (vote.code, place) = place.numberAt(limit, 1);
        uint256 end;
        (place, end) = place.listAt(limit);
        if (end != limit) revert EvidenceInvalid();
        uint256 number;
        (number, place) = place.numberAt(limit, 8);
        vote.height = uint64(number);
        (number, place) = place.numberAt(limit, 4);
        vote.round = uint64(number);
        vote.digest = place.wordAt(limit);
        place += 33;
        if (vote.code == COMMIT) (, place) = place.stringAt(limit);
        if ((vote.code != PREPARE && vote.code != COMMIT) || place != limit) revert EvidenceInvalid();
    }

    /// @return author 0 if nobody signed so
    function _author(bytes32 domain, bytes calldata payload, bytes calldata signature)
        private
        pure
        returns (address author)
    {
        if (signature.length != 65) revert EvidenceInvalid();
        bytes32 hash = keccak256(abi.encode(domain, keccak256(payload)));
        return _recover(hash, bytes32(signature), bytes32(signature[32:]), uint8(signature[64]));
    }

    // Headers.

    function _create(
        uint64 chainId,
        bytes32 domain,
        bytes memory sealedHeader,
        uint64 trustingPeriod,
        uint64 maxClockDrift
    ) private returns (SealedHeader memory h) {
        State storage c = _clients[chainId];
        if (chainId == 0 || chainId == block.chainid) revert ChainInvalid(chainId);
        if (c.status != ClientStatus.None) revert ClientExists(chainId);
        if (
            domain == 0 || trustingPeriod < TRUSTING_PERIOD_MIN || trustingPeriod > TRUSTING_PERIOD_MAX
                || maxClockDrift > CLOCK_DRIFT_MAX
        ) revert SettingsInvalid();
        c.domain = domain;
        c.trustingPeriod = uint32(trustingPeriod);
        c.maxClockDrift = uint32(maxClockDrift);
        h = _begin(chainId, c, sealedHeader);
        emit ClientCreated(chainId, uint64(h.number), h.blockHash, domain);
    }

    /// @notice Trusts a header because governance says so; forgets all others of the chain. Its age counts from now.
    function _begin(uint64 chainId, State storage c, bytes memory sealedHeader)
        private
        returns (SealedHeader memory h)
    {
        h = SealedHeaders.read(sealedHeader);
        bytes32 setHash;
        if (h.number == 0) {
            // The domain is the hash of the genesis block, which nobody seals.
            if (h.sealCount != 0 || h.blockHash != c.domain) revert HeaderInvalid();
            setHash = h.setHash();
        } else {
            if (h.chainDomain != c.domain) revert HeaderInvalid();
            setHash = _checkSeals(h);
        }
        // A genesis block has made this contract, if its constructor did this: it may be older than the header.
        uint64 since = uint64(Math.max(block.timestamp, h.timestamp));
        uint64 height = uint64(h.number);
        c.status = ClientStatus.Active;
        c.headerFields = uint8(h.fields);
        c.oldestHeight = height;
        c.latestHeight = height;
        c.generation += 1;
        _keep(_kept(chainId, c.generation, height), h, since, 0, _addSet(chainId, c, setHash, h));
    }

    function _keep(Kept storage kept, SealedHeader memory h, uint64 since, uint64 nextHeight, uint32 set) private {
        kept.blockHash = h.blockHash;
        kept.stateRoot = h.stateRoot;
        kept.timestamp = uint64(h.timestamp);
        kept.since = since;
        kept.nextHeight = nextHeight;
        kept.set = set;
    }

    /// @return index of a set that is not that of the trusted header: a new one, though its members may be known
    function _addSet(uint64 chainId, State storage c, bytes32 setHash, SealedHeader memory h)
        private
        returns (uint32 index)
    {
        index = c.sets;
        c.sets = index + 1;
        _setHashes[chainId][index] = setHash;
        address[] storage members = _members[setHash];
        if (members.length != 0) return index;
        for (uint256 i = 0; i < h.validatorCount; i++) members.push(h.validatorAt(i));
    }

    /// @notice The kept headers between which a height lies that is not kept.
    /// @param from a kept height below it, with at most `NEIGHBOURS_MAX` between
    /// @return below the next one below it
    /// @return above the next one above it; 0: none
    function _neighbours(uint64 chainId, uint256 generation, uint64 from, uint64 height)
        private
        view
        returns (uint64 below, uint64 above)
    {
        below = from;
        above = _kept(chainId, generation, below).nextHeight;
        for (uint256 steps = 0; above != 0 && above < height; steps++) {
            if (steps == NEIGHBOURS_MAX) revert TrustedHeightInvalid(from, height);
            below = above;
            above = _kept(chainId, generation, below).nextHeight;
        }
    }

    /// @notice Forgets the oldest headers where they are too old to prove anything, but never the latest.
    function _dropOld(uint64 chainId, State storage c, uint256 generation) private {
        uint64 latest = c.latestHeight;
        uint64 oldest = c.oldestHeight;
        for (uint256 dropped = 0; dropped < DROPPED_MAX && oldest != latest; dropped++) {
            Kept storage kept = _kept(chainId, generation, oldest);
            if (!_isExpired(kept.since, c.trustingPeriod)) return;
            uint64 next = kept.nextHeight;
            delete _headers[chainId][generation << 64 | oldest];
            oldest = next;
            c.oldestHeight = oldest;
        }
    }

    function _contradict(
        uint64 chainId,
        State storage c,
        uint64 knownHeight,
        bytes32 knownHash,
        bytes32 contradictingHash,
        bytes calldata sealedHeader
    ) private {
        _contradictions[chainId] = Contradiction(knownHeight, knownHash, contradictingHash);
        emit ChainContradicted(chainId, knownHeight, knownHash, contradictingHash, sealedHeader);
        _freeze(chainId, c);
    }

    function _freeze(uint64 chainId, State storage c) private {
        c.status = ClientStatus.Frozen;
        emit ClientFrozen(chainId);
    }

    function _checkActive(uint64 chainId, ClientStatus status) private pure {
        if (status == ClientStatus.None) revert ClientUnknown(chainId);
        if (status != ClientStatus.Active) revert ClientNotActive(chainId, status);
    }

    function _checkDrift(State storage c, SealedHeader memory h) private view {
        if (h.timestamp > block.timestamp + c.maxClockDrift) {
            revert HeaderFromFuture(uint64(h.timestamp), block.timestamp);
        }
    }

    function _isExpired(uint64 since, uint256 trustingPeriod) private view returns (bool) {
        return block.timestamp > since + trustingPeriod;
    }

    function _kept(uint64 chainId, uint256 generation, uint64 height) private view returns (Kept storage) {
        return _headers[chainId][generation << 64 | height];
    }

    /// @dev reverts with HeightUnknown if it is not kept
    function _known(uint64 chainId, uint64 height) private view returns (Kept storage kept) {
        kept = _kept(chainId, _clients[chainId].generation, height);
        if (kept.blockHash == 0) revert HeightUnknown(chainId, height);
    }
}
