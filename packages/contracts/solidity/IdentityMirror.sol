// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {IIdentityListener, IdentityStatus, IIdentityView} from "./IIdentityView.sol";
import {IdentityClaim} from "./IdentityClaim.sol";
import {Outcome} from "./PegMessage.sol";
import {PegApp} from "./PegApp.sol";

/// @notice What the mirror asks of the licence registry.
interface ILicencesOfHolder is IIdentityListener {
    function licencesOf(address holder) external view returns (uint64[] memory numbers);
}

/// @title Side chain: identities as the main chain tells them, in place of `IdentityRegistry`.
/// @notice An identity is here once its holder, or an authority for them, opened it. A claim is accepted together
/// with what follows from it for all licences of the holder, or not at all.
contract IdentityMirror is PegApp, IIdentityView {
    struct Identity {
        address owner;
        IdentityStatus status;
        uint8 kind;
        /// False: it was here and left.
        bool open;
        /// Of the claim that says so.
        uint64 version;
        bytes32 publicKeyX;
        bytes32 publicKeyY;
    }

    event IdentityMirrored(
        address indexed identity, address indexed owner, IdentityStatus status, bool open, uint64 version
    );

    error IdentityUnknown(address identity);
    /// @notice The holder cannot leave with licences in force or suspended.
    error LicencesHeld(address identity, uint256 count);

    uint64 public immutable mainChainId;
    /// Contract of the main chain that makes the claims.
    address public immutable claimant;
    ILicencesOfHolder public immutable licences;

    mapping(address identity => Identity) private _identities;
    /// Of keys that an identity has or had here.
    mapping(address key => address identity) private _names;

    constructor(
        IERC7786GatewaySource gateway_,
        uint64 mainChainId_,
        address claimant_,
        ILicencesOfHolder licences_
    ) PegApp(gateway_) {
        mainChainId = mainChainId_;
        claimant = claimant_;
        licences = licences_;
    }

    /// @inheritdoc IIdentityView
    /// @return None where it is not open
    function statusOf(address identity) external view returns (IdentityStatus) {
        Identity storage i = _identities[identity];
        return i.open ? i.status : IdentityStatus.None;
    }

    /// @inheritdoc IIdentityView
    /// @dev 0 also for what was never here: whether an address owns itself (ERC-1056) the main chain says.
    function identityOwner(address identity) external view returns (address owner) {
        return _identities[identity].owner;
    }

    /// @return the identity that this key has or had here; 0 if none
    function identityOf(address key) external view returns (address) {
        return _identities[key].version != 0 ? key : _names[key];
    }

    /// @return 64 bytes of the present key, without prefix
    function publicKeyOf(address identity) external view returns (bytes memory) {
        Identity storage i = _identities[identity];
        if (i.owner == address(0)) revert IdentityUnknown(identity);
        return abi.encodePacked(i.publicKeyX, i.publicKeyY);
    }

    function recordOf(address identity) external view returns (Identity memory) {
        if (_identities[identity].version == 0) revert IdentityUnknown(identity);
        return _identities[identity];
    }

    /// @inheritdoc PegApp
    function _isCounterpart(uint64 chainId, address account) internal view override returns (bool) {
        return chainId == mainChainId && account == claimant;
    }

    function _receive(uint64, bytes32, bytes calldata payload) internal override {
        IdentityClaim memory claim = abi.decode(payload, (IdentityClaim));
        Identity storage i = _identities[claim.identity];
        // A later one came before this one.
        if (claim.version <= i.version) return;
        bool applies = claim.status != i.status || claim.open != i.open;
        i.owner = claim.owner;
        i.status = claim.status;
        i.kind = claim.kind;
        i.open = claim.open;
        i.version = claim.version;
        i.publicKeyX = claim.publicKeyX;
        i.publicKeyY = claim.publicKeyY;
        if (claim.owner != claim.identity && claim.owner != address(0)) _names[claim.owner] = claim.identity;
        emit IdentityMirrored(claim.identity, claim.owner, claim.status, claim.open, claim.version);
        if (!applies) return;
        // It removes from the holder's list what time ended.
        licences.identityChanged(claim.identity);
        uint256 held = claim.open ? 0 : licences.licencesOf(claim.identity).length;
        if (held != 0) revert LicencesHeld(claim.identity, held);
    }

    /// @dev The mirror sends nothing.
    function _delivered(bytes32, uint64, bytes calldata) internal override {}

    function _undelivered(bytes32, uint64, bytes calldata, Outcome) internal override {}
}
