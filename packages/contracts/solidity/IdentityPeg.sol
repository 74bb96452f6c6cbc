// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IIdentityListener, IdentityStatus} from "./IIdentityView.sol";
import {IOrganisationView} from "./IOrganisationView.sol";
import {ClientStatus, IQbftLightClient} from "./IQbftLightClient.sol";
import {IdentityClaim} from "./IdentityClaim.sol";
import {IdentityTypes} from "./IdentityTypes.sol";
import {Outcome} from "./PegMessage.sol";
import {PegApp} from "./PegApp.sol";
import {TriedCall} from "./TriedCall.sol";

/// @notice What `IdentityPeg` asks of `IdentityRegistry`.
interface IIdentityRecords {
    function recordOf(address identity) external view returns (IdentityTypes.Record memory);

    function publicKeyOf(address identity) external view returns (bytes memory);
}

/// @title Main chain: on which side chains an identity is open, and what they were told of it.
/// @notice Every change of status or key goes to each of them as a claim. When a side chain has applied it, which
/// for a suspension means to all licences of the holder there, `presenceOf` here says so: proven, not promised.
contract IdentityPeg is PegApp, IIdentityListener, EIP712 {
    enum State {
        None,
        Open,
        Closing
    }

    /// One slot for each identity and side chain.
    struct Presence {
        State state;
        /// The last claim had no effect there, or was never sent: `resend`.
        bool undelivered;
        /// Of the last claim that the side chain has applied.
        IdentityStatus appliedStatus;
        uint32 nonce;
        /// Version of the last claim.
        uint64 claimed;
        /// Version of the last claim that the side chain has applied.
        uint64 applied;
    }

    /// Side chains on which an identity can be open at a time.
    uint256 public constant CHAINS_MAX = 32;
    /// Gas of a claim there: it goes through all licences that the holder has in force or suspended.
    uint64 public constant MESSAGE_GAS = 5_000_000;

    uint256 private constant REGISTRAR = 1;
    uint256 private constant SUPERVISOR = 2;

    bytes32 private constant PRESENCE_TYPE =
        keccak256("Presence(address identity,uint64 chainId,bool open,uint32 nonce,uint64 deadline)");

    event IdentityOpened(address indexed identity, uint64 indexed chainId);
    /// @notice The holder wants to leave a side chain. It refuses while licences are in force there.
    event IdentityClosing(address indexed identity, uint64 indexed chainId);
    event IdentityClosed(address indexed identity, uint64 indexed chainId);
    event ClaimSent(
        address indexed identity, uint64 indexed chainId, bytes32 indexed sendId, uint64 version, IdentityStatus status
    );
    /// @notice The gateway did not take the claim: the channel is paused or closed.
    event ClaimNotSent(address indexed identity, uint64 indexed chainId, uint64 version);
    /// @notice The side chain has applied it.
    event ClaimApplied(
        address indexed identity, uint64 indexed chainId, bytes32 indexed sendId, uint64 version, IdentityStatus status
    );
    event ClaimUndelivered(
        address indexed identity, uint64 indexed chainId, bytes32 indexed sendId, uint64 version, Outcome outcome
    );

    error NotRegistry(address caller);
    error NotAllowed(address identity, address account);
    error AlreadyOpen(address identity, uint64 chainId);
    error NotOpen(address identity, uint64 chainId);
    error ChainsFull(address identity);
    error StatusWrong(address identity, IdentityStatus status);
    error DeadlinePassed(uint64 deadline);
    error NothingToResend(address identity, uint64 chainId);
    error ChainNotRetired(uint64 chainId);

    IIdentityRecords public immutable registry;
    IOrganisationView public immutable organisations;
    IQbftLightClient public immutable lightClient;
    /// Contract of a side chain that hears the claims.
    address public immutable mirror;

    mapping(address identity => mapping(uint64 chainId => Presence)) private _presences;
    mapping(address identity => uint64[]) private _chains;
    mapping(address identity => uint64) private _versions;

    constructor(
        IERC7786GatewaySource gateway_,
        IQbftLightClient lightClient_,
        IIdentityRecords registry_,
        IOrganisationView organisations_,
        address mirror_
    ) PegApp(gateway_) EIP712("Vellum Identity Peg", "1") {
        registry = registry_;
        organisations = organisations_;
        lightClient = lightClient_;
        mirror = mirror_;
    }

    // The holder, or an authority for them.

    /// @notice Opens an identity on a side chain. By its owner, its registrar, or a supervising authority.
    function open(address identity, uint64 chainId) external {
        _checkMayDirect(identity);
        _open(identity, chainId);
    }

    /// @notice Leaves a side chain, once no licence is in force or suspended there. By the same.
    function close(address identity, uint64 chainId) external {
        _checkMayDirect(identity);
        _close(identity, chainId);
    }

    /// @notice Brings the owner's wish, signed as `Presence` with the nonce of `presenceOf`. Anybody may.
    /// @param opens whether to open or to close
    function bring(address identity, uint64 chainId, bool opens, uint64 deadline, bytes calldata signature) external {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
        uint32 nonce = _presences[identity][chainId].nonce;
        bytes32 hash =
            _hashTypedDataV4(keccak256(abi.encode(PRESENCE_TYPE, identity, chainId, opens, nonce, deadline)));
        (address signer,,) = ECDSA.tryRecover(hash, signature);
        if (signer == address(0) || registry.recordOf(identity).owner != signer) revert NotAllowed(identity, signer);
        if (opens) _open(identity, chainId);
        else _close(identity, chainId);
    }

    /// @notice Tells a side chain again, where the last claim came to nothing. Anybody may.
    function resend(address identity, uint64 chainId) external {
        if (!_presences[identity][chainId].undelivered) revert NothingToResend(identity, chainId);
        IdentityClaim memory claim = _claimOf(identity);
        claim.open = true;
        _tell(claim, chainId);
    }

    /// @notice Strikes a side chain that governance has retired off the list. Anybody may.
    function forget(address identity, uint64 chainId) external {
        if (lightClient.client(chainId).status != ClientStatus.Closed) revert ChainNotRetired(chainId);
        Presence storage p = _presences[identity][chainId];
        if (p.state == State.None) revert NotOpen(identity, chainId);
        _leave(identity, chainId, p);
    }

    // The registry.

    /// @inheritdoc IIdentityListener
    function identityChanged(address identity) external {
        _push(identity);
    }

    /// @inheritdoc IIdentityListener
    function identityKeyChanged(address identity) external {
        _push(identity);
    }

    // Views.

    function presenceOf(address identity, uint64 chainId) external view returns (Presence memory) {
        return _presences[identity][chainId];
    }

    /// @return ids of the side chains on which it is open, or still open
    function chainsOf(address identity) external view returns (uint64[] memory ids) {
        return _chains[identity];
    }

    /// @return version of the last claim; 0: none
    function versionOf(address identity) external view returns (uint64 version) {
        return _versions[identity];
    }

    /// @notice Whether every side chain on which it is open has applied the last claim it was sent.
    function isApplied(address identity) external view returns (bool) {
        uint64[] storage chains = _chains[identity];
        for (uint256 i = 0; i < chains.length; i++) {
            Presence storage p = _presences[identity][chains[i]];
            if (p.applied != p.claimed) return false;
        }
        return true;
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // Inside.

    function _open(address identity, uint64 chainId) private {
        Presence storage p = _presences[identity][chainId];
        if (p.state == State.Open) revert AlreadyOpen(identity, chainId);
        IdentityClaim memory claim = _claimOf(identity);
        if (claim.status == IdentityStatus.Cancelled) revert StatusWrong(identity, claim.status);
        uint64[] storage chains = _chains[identity];
        if (p.state == State.None) {
            if (chains.length == CHAINS_MAX) revert ChainsFull(identity);
            chains.push(chainId);
        }
        p.state = State.Open;
        p.nonce++;
        claim.open = true;
        emit IdentityOpened(identity, chainId);
        _tell(claim, chainId);
    }

    function _close(address identity, uint64 chainId) private {
        Presence storage p = _presences[identity][chainId];
        if (p.state != State.Open) revert NotOpen(identity, chainId);
        p.state = State.Closing;
        p.nonce++;
        emit IdentityClosing(identity, chainId);
        _tell(_claimOf(identity), chainId);
    }

    /// Reverts if the gateway does not take it.
    function _tell(IdentityClaim memory claim, uint64 chainId) private {
        Presence storage p = _presences[claim.identity][chainId];
        p.claimed = claim.version;
        p.undelivered = false;
        bytes32 sendId = _send(chainId, mirror, abi.encode(claim), MESSAGE_GAS, 0);
        emit ClaimSent(claim.identity, chainId, sendId, claim.version, claim.status);
    }

    /// Tells all side chains; one that cannot be told keeps no other from hearing it.
    function _push(address identity) private {
        if (msg.sender != address(registry)) revert NotRegistry(msg.sender);
        uint64[] storage chains = _chains[identity];
        uint256 count = chains.length;
        if (count == 0) return;
        IdentityClaim memory claim = _claimOf(identity);
        // A change keeps it open: what is closed would not hear of a suspension.
        claim.open = true;
        for (uint256 i = 0; i < count; i++) _tryTell(claim, chains[i]);
    }

    function _tryTell(IdentityClaim memory claim, uint64 chainId) private {
        Presence storage p = _presences[claim.identity][chainId];
        p.claimed = claim.version;
        p.state = State.Open;
        uint256 gasBefore = gasleft();
        try gateway.sendMessage(
            InteroperableAddress.formatEvmV1(chainId, mirror), abi.encode(claim), _attributes(MESSAGE_GAS, 0)
        ) returns (bytes32 sendId) {
            p.undelivered = false;
            emit ClaimSent(claim.identity, chainId, sendId, claim.version, claim.status);
        } catch (bytes memory reason) {
            TriedCall.checkFailure(gasBefore, reason);
            p.undelivered = true;
            emit ClaimNotSent(claim.identity, chainId, claim.version);
        }
    }

    /// The next claim about an identity, of a chain that it is to leave.
    function _claimOf(address identity) private returns (IdentityClaim memory claim) {
        IdentityTypes.Record memory r = registry.recordOf(identity);
        claim.identity = identity;
        claim.kind = uint8(r.kind);
        claim.status = r.status;
        claim.version = ++_versions[identity];
        if (r.status == IdentityStatus.Cancelled) return claim;
        claim.owner = r.owner;
        (claim.publicKeyX, claim.publicKeyY) = abi.decode(registry.publicKeyOf(identity), (bytes32, bytes32));
    }

    /// @inheritdoc PegApp
    /// @dev A side chain has nothing to say about identities.
    function _isCounterpart(uint64, address) internal pure override returns (bool) {
        return false;
    }

    function _receive(uint64, bytes32, bytes calldata) internal override {}

    function _delivered(bytes32 sendId, uint64 chainId, bytes calldata payload) internal override {
        IdentityClaim memory claim = abi.decode(payload, (IdentityClaim));
        Presence storage p = _presences[claim.identity][chainId];
        emit ClaimApplied(claim.identity, chainId, sendId, claim.version, claim.status);
        if (claim.version > p.applied) {
            p.applied = claim.version;
            p.appliedStatus = claim.status;
        }
        bool closed = !claim.open && p.state == State.Closing && claim.version == p.claimed;
        if (closed) _leave(claim.identity, chainId, p);
    }

    function _undelivered(bytes32 sendId, uint64 chainId, bytes calldata payload, Outcome outcome) internal override {
        IdentityClaim memory claim = abi.decode(payload, (IdentityClaim));
        Presence storage p = _presences[claim.identity][chainId];
        emit ClaimUndelivered(claim.identity, chainId, sendId, claim.version, outcome);
        if (claim.version != p.claimed) return;
        if (claim.open) {
            p.undelivered = true;
            return;
        }
        // It stays where it is, and is told anew what holds.
        emit IdentityOpened(claim.identity, chainId);
        claim = _claimOf(claim.identity);
        claim.open = true;
        _tryTell(claim, chainId);
    }

    function _leave(address identity, uint64 chainId, Presence storage p) private {
        p.state = State.None;
        p.undelivered = false;
        emit IdentityClosed(identity, chainId);
        uint64[] storage chains = _chains[identity];
        uint256 last = chains.length - 1;
        for (uint256 i = 0; i < last; i++) {
            if (chains[i] != chainId) continue;
            chains[i] = chains[last];
            break;
        }
        chains.pop();
    }

    function _checkMayDirect(address identity) private view {
        IdentityTypes.Record memory r = registry.recordOf(identity);
        if (msg.sender == r.owner) return;
        bytes32 by = organisations.organisationOf(msg.sender);
        uint256 capacities = organisations.capacitiesOf(by);
        bool isRegistrar = by == r.registrar && capacities & REGISTRAR != 0;
        if (!isRegistrar && capacities & SUPERVISOR == 0) revert NotAllowed(identity, msg.sender);
    }
}
