// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IIdentityListener, IdentityStatus, IIdentityView} from "./IIdentityView.sol";
import {IOrganisationView} from "./IOrganisationView.sol";
import {IdentityTypes} from "./IdentityTypes.sol";
import {TriedCall} from "./TriedCall.sol";

/// @title Digital identities, each signed by a registrar and countersigned by its holder.
/// @notice An identity is named by the address of its first key for ever. Its key may change: the address
/// of the present one is its owner. Also a registry of ERC-1056, so `did:ethr` resolves here. Who may call does
/// not matter where signatures are given: anybody may bring them.
contract IdentityRegistry is IIdentityView, IdentityTypes, EIP712, AccessManaged {
    /// Seconds in which the holder can object to a recovery: at most this.
    uint64 public constant OBJECTION_MAX = 90 days;
    uint256 public constant PAYLOAD_BYTES_MAX = 4096;
    uint256 public constant ATTRIBUTE_BYTES_MAX = 256;
    uint256 public constant KEYS_MAX = 255;

    bytes32 private constant IDENTITY_TYPE = keccak256(
        "Identity(address holder,bytes32 publicKeyX,bytes32 publicKeyY,bytes32 subject,uint8 kind,bytes32 registrar,bytes32 digest,bytes32 payloadHash,uint64 version,uint64 deadline)"
    );
    bytes32 private constant COUNTERSIGNATURE_TYPE = keccak256(
        "Countersignature(Identity identity,bytes registrarSignature)Identity(address holder,bytes32 publicKeyX,bytes32 publicKeyY,bytes32 subject,uint8 kind,bytes32 registrar,bytes32 digest,bytes32 payloadHash,uint64 version,uint64 deadline)"
    );
    bytes32 private constant KEY_CHANGE_TYPE = keccak256(
        "KeyChange(address identity,bytes32 publicKeyX,bytes32 publicKeyY,uint256 nonce,uint64 deadline)"
    );
    bytes32 private constant RECOVERY_TYPE = keccak256(
        "Recovery(address identity,bytes32 publicKeyX,bytes32 publicKeyY,uint256 nonce,uint64 deadline)"
    );
    bytes32 private constant OBJECTION_TYPE = keccak256("Objection(address identity,uint256 nonce)");

    uint256 private constant REGISTRAR = 1;
    uint256 private constant SUPERVISOR = 2;

    IOrganisationView public immutable organisations;

    mapping(address identity => Record) private _records;
    mapping(address identity => mapping(uint256 index => Key)) private _keys;
    /// Of later keys; a first key is its identity's name.
    mapping(address key => address identity) private _identities;
    mapping(bytes32 subject => address identity) private _subjects;
    mapping(address identity => Recovery) private _recoveries;
    /// ERC-1056: raised by each change of key and each recovery.
    mapping(address identity => uint256) public nonce;
    /// ERC-1056: the block of the last event of an identity.
    mapping(address identity => uint256) public changed;
    mapping(address identity => mapping(bytes32 kind => mapping(address delegate => uint256 until))) private _delegates;

    bool private _filingRequired;
    uint64 private _objectionSeconds;
    IIdentityListener private _listener;

    constructor(
        address authority_,
        IOrganisationView organisations_,
        IIdentityListener listener_,
        bool filingRequired_,
        uint64 objectionSeconds_
    ) EIP712("Vellum Identities", "1") AccessManaged(authority_) {
        organisations = organisations_;
        _setListener(listener_);
        _setRules(filingRequired_, objectionSeconds_);
    }

    // Registration.

    /// @notice Records a new identity.
    /// @param statement with version 1
    /// @param registrarSignature of the registrar's account over `Identity`
    /// @param holderSignature of the key itself over `Countersignature`, by which it is proven to be there
    /// @param payload encrypted to the holder; its keccak256 is in the statement
    function register(
        Statement calldata statement,
        bytes calldata registrarSignature,
        bytes calldata holderSignature,
        bytes calldata payload
    ) external {
        address identity = statement.holder;
        Record storage r = _records[identity];
        if (r.status != IdentityStatus.None || _identities[identity] != address(0)) revert IdentityKnown(identity);
        if (statement.version != 1) revert VersionWrong(statement.version, 1);
        if (statement.kind == Kind.None) revert KindMissing();
        address other = _subjects[statement.subject];
        if (statement.subject == 0) revert SubjectMissing();
        if (other != address(0) && _records[other].status != IdentityStatus.Cancelled) {
            revert SubjectTaken(statement.subject, other);
        }
        _checkStatement(statement, identity, registrarSignature, holderSignature, payload);
        r.owner = identity;
        r.status = _filingRequired ? IdentityStatus.Registered : IdentityStatus.Active;
        _write(r, statement);
        r.keyCount = 1;
        _keys[identity][0] =
            Key(identity, uint48(block.timestamp), 0, statement.publicKeyX, statement.publicKeyY);
        _subjects[statement.subject] = identity;
        emit IdentityRegistered(identity, statement.registrar, statement.subject, statement.kind, statement.digest, r.status);
        emit IdentityPayload(identity, 1, payload);
        _announceKey(identity, statement.publicKeyX, statement.publicKeyY, type(uint64).max);
    }

    /// @notice Records the next version of what a registrar says of an identity.
    /// @param statement with the key that the identity has, and the next version
    function change(
        Statement calldata statement,
        bytes calldata registrarSignature,
        bytes calldata holderSignature,
        bytes calldata payload
    ) external {
        address identity = identityOf(statement.holder);
        Record storage r = _live(identity);
        if (r.owner != statement.holder) revert NotOwner(identity, statement.holder);
        if (statement.version != uint256(r.version) + 1) revert VersionWrong(statement.version, r.version + 1);
        if (statement.kind != r.kind) revert KindMissing();
        if (_subjects[statement.subject] != identity) revert SubjectTaken(statement.subject, _subjects[statement.subject]);
        _checkStatement(statement, r.owner, registrarSignature, holderSignature, payload);
        _write(r, statement);
        emit IdentityChanged(identity, statement.registrar, statement.version, statement.digest);
        emit IdentityPayload(identity, statement.version, payload);
    }

    /// @notice Another tag of the same person, after the key behind the tags was changed. By the identity's
    /// registrar or a supervising authority.
    function addSubject(address identity, bytes32 subject) external {
        Record storage r = _live(identity);
        _onlyRegistrarOf(r);
        if (subject == 0) revert SubjectMissing();
        address other = _subjects[subject];
        if (other != address(0) && _records[other].status != IdentityStatus.Cancelled) revert SubjectTaken(subject, other);
        _subjects[subject] = identity;
        r.subject = subject;
        emit SubjectAdded(identity, subject);
    }

    /// @notice Files an identity; one that waited for it becomes active. By a supervising authority.
    function file(address identity, bytes32 filingNumber) external {
        Record storage r = _live(identity);
        bytes32 by = _onlySupervisor();
        if (filingNumber == 0) revert FilingNumberMissing();
        if (r.filingNumber != 0) revert AlreadyFiled(identity, r.filingNumber);
        r.filingNumber = filingNumber;
        if (r.status == IdentityStatus.Registered) r.status = IdentityStatus.Active;
        emit IdentityFiled(identity, by, filingNumber);
        _tell(identity);
    }

    // Status. By the registrar of the identity, or a supervising authority.

    function suspend(address identity, uint16 reason) external {
        _move(identity, IdentityStatus.Active, IdentityStatus.Suspended, reason);
    }

    function reinstate(address identity, uint16 reason) external {
        _move(identity, IdentityStatus.Suspended, IdentityStatus.Active, reason);
    }

    /// @notice Ends an identity for ever. The person may be registered anew with another key.
    function cancel(address identity, uint16 reason) external {
        Record storage r = _live(identity);
        bytes32 by = _onlyRegistrarOf(r);
        r.status = IdentityStatus.Cancelled;
        _closeKey(identity, r);
        r.owner = address(0);
        _dropRecovery(identity);
        emit IdentityStatusChanged(identity, by, IdentityStatus.Cancelled, reason);
        _announceOwner(identity, address(0));
        _tell(identity);
    }

    // Keys.

    /// @notice Changes the key, with the consent of the old and the new one. Not while the identity is suspended:
    /// the key may be in wrong hands.
    /// @param oldSignature and `newSignature` over `KeyChange` with the present nonce
    function rotate(
        address identity,
        bytes32 publicKeyX,
        bytes32 publicKeyY,
        uint64 deadline,
        bytes calldata oldSignature,
        bytes calldata newSignature
    ) external {
        Record storage r = _live(identity);
        if (r.status == IdentityStatus.Suspended) revert StatusWrong(identity, r.status);
        _checkDeadline(deadline);
        bytes32 hash = _hashTypedDataV4(
            keccak256(abi.encode(KEY_CHANGE_TYPE, identity, publicKeyX, publicKeyY, nonce[identity], deadline))
        );
        _checkSigner(hash, oldSignature, r.owner);
        _checkSigner(hash, newSignature, _addressOf(publicKeyX, publicKeyY));
        // Who has the key needs no recovery.
        _dropRecovery(identity);
        _changeKey(identity, r, publicKeyX, publicKeyY);
    }

    /// @notice Begins to give an identity a new key after the old one was lost.
    /// @param registrarSignature of the account of the identity's registrar
    /// @param supervisorSignature of the account of a supervising authority
    /// @param newSignature of the new key; all three over `Recovery` with the present nonce
    function requestRecovery(
        address identity,
        bytes32 publicKeyX,
        bytes32 publicKeyY,
        uint64 deadline,
        bytes calldata registrarSignature,
        bytes calldata supervisorSignature,
        bytes calldata newSignature
    ) external {
        Record storage r = _live(identity);
        _checkDeadline(deadline);
        if (_recoveries[identity].readyAt != 0) revert RecoveryPending(identity);
        bytes32 hash = _hashTypedDataV4(
            keccak256(abi.encode(RECOVERY_TYPE, identity, publicKeyX, publicKeyY, nonce[identity], deadline))
        );
        bytes32 registrar = organisations.organisationOf(_recover(hash, registrarSignature));
        if (registrar != r.registrar || organisations.capacitiesOf(registrar) & REGISTRAR == 0) {
            revert NotRegistrar(registrar);
        }
        bytes32 supervisor = organisations.organisationOf(_recover(hash, supervisorSignature));
        // Two organisations, also where one has both capacities.
        if (supervisor == registrar || organisations.capacitiesOf(supervisor) & SUPERVISOR == 0) {
            revert NotSupervisor(supervisor);
        }
        address newOwner = _addressOf(publicKeyX, publicKeyY);
        _checkSigner(hash, newSignature, newOwner);
        _checkFree(newOwner);
        nonce[identity]++;
        uint64 readyAt = uint64(block.timestamp) + _objectionSeconds;
        _recoveries[identity] = Recovery(newOwner, readyAt, publicKeyX, publicKeyY);
        emit RecoveryRequested(identity, newOwner, registrar, supervisor, readyAt);
    }

    /// @notice The holder still has the old key.
    /// @param signature of it over `Objection` with the present nonce
    function object(address identity, bytes calldata signature) external {
        Record storage r = _live(identity);
        if (_recoveries[identity].readyAt == 0) revert NoRecovery(identity);
        bytes32 hash = _hashTypedDataV4(keccak256(abi.encode(OBJECTION_TYPE, identity, nonce[identity])));
        _checkSigner(hash, signature, r.owner);
        _dropRecovery(identity);
    }

    /// @notice Gives the identity the new key once the time to object is over. Anybody may.
    function completeRecovery(address identity) external {
        Record storage r = _live(identity);
        Recovery memory recovery = _recoveries[identity];
        if (recovery.readyAt == 0) revert NoRecovery(identity);
        if (block.timestamp < recovery.readyAt) revert RecoveryWaits(identity, recovery.readyAt);
        delete _recoveries[identity];
        _changeKey(identity, r, recovery.publicKeyX, recovery.publicKeyY);
    }

    // ERC-1056: delegates and attributes, set by the owner itself.

    function addDelegate(address identity, bytes32 delegateType, address delegate, uint256 validity) external {
        _onlyOwner(identity);
        uint256 until = block.timestamp + validity;
        _delegates[identity][delegateType][delegate] = until;
        emit DIDDelegateChanged(identity, delegateType, delegate, until, _previous(identity));
    }

    function revokeDelegate(address identity, bytes32 delegateType, address delegate) external {
        _onlyOwner(identity);
        _delegates[identity][delegateType][delegate] = block.timestamp;
        emit DIDDelegateChanged(identity, delegateType, delegate, block.timestamp, _previous(identity));
    }

    function setAttribute(address identity, bytes32 name, bytes calldata value, uint256 validity) external {
        _onlyOwner(identity);
        _checkAttribute(value);
        emit DIDAttributeChanged(identity, name, value, block.timestamp + validity, _previous(identity));
    }

    function revokeAttribute(address identity, bytes32 name, bytes calldata value) external {
        _onlyOwner(identity);
        _checkAttribute(value);
        emit DIDAttributeChanged(identity, name, value, 0, _previous(identity));
    }

    function validDelegate(address identity, bytes32 delegateType, address delegate) external view returns (bool) {
        return _delegates[identity][delegateType][delegate] > block.timestamp;
    }

    /// @inheritdoc IIdentityView
    /// @dev As in ERC-1056 an address that was never registered owns itself.
    function identityOwner(address identity) public view returns (address) {
        Record storage r = _records[identity];
        return r.status == IdentityStatus.None ? identity : r.owner;
    }

    // Governance.

    function setRules(bool filingRequired_, uint64 objectionSeconds_) external restricted {
        _setRules(filingRequired_, objectionSeconds_);
    }

    /// @param listener_ told of each change of status and of key; 0: nobody
    function setListener(IIdentityListener listener_) external restricted {
        _setListener(listener_);
    }

    // Views.

    /// @inheritdoc IIdentityView
    function statusOf(address identity) external view returns (IdentityStatus) {
        return _records[identity].status;
    }

    function recordOf(address name) external view returns (Record memory) {
        if (_records[name].status == IdentityStatus.None) revert IdentityUnknown(name);
        return _records[name];
    }

    /// @return the identity that this key has or had; 0 if none
    function identityOf(address key) public view returns (address) {
        return _records[key].status != IdentityStatus.None ? key : _identities[key];
    }

    function identityOfSubject(bytes32 subject) external view returns (address) {
        return _subjects[subject];
    }

    /// @return 64 bytes of the present key, without prefix
    function publicKeyOf(address name) external view returns (bytes memory) {
        Record storage r = _live(name);
        Key storage k = _keys[name][r.keyCount - 1];
        return abi.encodePacked(k.x, k.y);
    }

    /// @return all keys an identity had, oldest first; `until` 0: in use
    function keysOf(address name) external view returns (Key[] memory) {
        uint256 count = _records[name].keyCount;
        Key[] memory keys = new Key[](count);
        for (uint256 i = 0; i < count; i++) keys[i] = _keys[name][i];
        return keys;
    }

    /// @return account whose key spoke for the identity at that time; 0 if none
    function ownerAt(address name, uint64 time) external view returns (address account) {
        for (uint256 i = _records[name].keyCount; i > 0; i--) {
            Key storage k = _keys[name][i - 1];
            if (k.from <= time) return k.until == 0 || time < k.until ? k.account : address(0);
        }
    }

    function recoveryOf(address name) external view returns (Recovery memory) {
        return _recoveries[name];
    }

    function filingRequired() external view returns (bool) {
        return _filingRequired;
    }

    function objectionSeconds() external view returns (uint64) {
        return _objectionSeconds;
    }

    function listener() external view returns (IIdentityListener) {
        return _listener;
    }

    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    // Inside.

    function _checkStatement(
        Statement calldata s,
        address key,
        bytes calldata registrarSignature,
        bytes calldata holderSignature,
        bytes calldata payload
    ) private view {
        _checkDeadline(s.deadline);
        if (_addressOf(s.publicKeyX, s.publicKeyY) != key) revert PublicKeyWrong(key);
        if (payload.length > PAYLOAD_BYTES_MAX) revert PayloadTooLong(payload.length);
        if (keccak256(payload) != s.payloadHash) revert PayloadWrong(s.payloadHash);
        bytes32 statementHash = keccak256(abi.encode(IDENTITY_TYPE, s));
        bytes32 registrar = organisations.organisationOf(_recover(_hashTypedDataV4(statementHash), registrarSignature));
        if (registrar != s.registrar || organisations.capacitiesOf(registrar) & REGISTRAR == 0) {
            revert NotRegistrar(registrar);
        }
        bytes32 countersigned =
            keccak256(abi.encode(COUNTERSIGNATURE_TYPE, statementHash, keccak256(registrarSignature)));
        _checkSigner(_hashTypedDataV4(countersigned), holderSignature, key);
    }

    function _write(Record storage r, Statement calldata s) private {
        r.kind = s.kind;
        r.version = uint32(s.version);
        r.subject = s.subject;
        r.registrar = s.registrar;
        r.digest = s.digest;
    }

    function _move(address name, IdentityStatus from, IdentityStatus to, uint16 reason) private {
        Record storage r = _live(name);
        bytes32 by = _onlyRegistrarOf(r);
        if (r.status != from) revert StatusWrong(name, r.status);
        r.status = to;
        emit IdentityStatusChanged(name, by, to, reason);
        _tell(name);
    }

    function _live(address name) private view returns (Record storage r) {
        r = _records[name];
        if (r.status == IdentityStatus.None) revert IdentityUnknown(name);
        if (r.status == IdentityStatus.Cancelled) revert StatusWrong(name, r.status);
    }

    function _changeKey(address name, Record storage r, bytes32 x, bytes32 y) private {
        address account = _addressOf(x, y);
        _checkFree(account);
        if (r.keyCount == KEYS_MAX) revert KeysFull(name);
        _closeKey(name, r);
        _keys[name][r.keyCount] = Key(account, uint48(block.timestamp), 0, x, y);
        r.keyCount++;
        r.owner = account;
        nonce[name]++;
        _identities[account] = name;
        emit KeyChanged(name, account);
        _announceOwner(name, account);
        _announceKey(name, x, y, type(uint64).max);
        _tellKey(name);
    }

    function _closeKey(address name, Record storage r) private {
        Key storage k = _keys[name][r.keyCount - 1];
        k.until = uint48(block.timestamp);
        _announceKey(name, k.x, k.y, 0);
    }

    /// A key is of one identity for ever.
    function _checkFree(address account) private view {
        if (identityOf(account) != address(0)) revert IdentityKnown(account);
    }

    function _dropRecovery(address name) private {
        if (_recoveries[name].readyAt == 0) return;
        delete _recoveries[name];
        emit RecoveryDropped(name);
    }

    function _onlyOwner(address name) private view {
        if (identityOwner(name) != msg.sender) revert NotOwner(name, msg.sender);
    }

    function _onlySupervisor() private view returns (bytes32 by) {
        by = organisations.organisationOf(msg.sender);
        if (organisations.capacitiesOf(by) & SUPERVISOR == 0) revert NotSupervisor(by);
    }

    function _onlyRegistrarOf(Record storage r) private view returns (bytes32 by) {
        by = organisations.organisationOf(msg.sender);
        uint256 capacities = organisations.capacitiesOf(by);
        bool isRegistrar = by == r.registrar && capacities & REGISTRAR != 0;
        if (!isRegistrar && capacities & SUPERVISOR == 0) revert NotRegistrar(by);
    }

    function _checkDeadline(uint64 deadline) private view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline);
    }

    function _checkAttribute(bytes calldata value) private pure {
        if (value.length > ATTRIBUTE_BYTES_MAX) revert AttributeTooLong(value.length);
    }

    function _checkSigner(bytes32 hash, bytes calldata signature, address expected) private pure {
        address signer = _recover(hash, signature);
        if (signer != expected) revert SignerWrong(expected, signer);
    }

    /// @return signer 0 if the signature is none, which no account equals
    function _recover(bytes32 hash, bytes calldata signature) private pure returns (address signer) {
        (signer,,) = ECDSA.tryRecover(hash, signature);
    }

    function _addressOf(bytes32 x, bytes32 y) private pure returns (address) {
        return address(uint160(uint256(keccak256(abi.encodePacked(x, y)))));
    }

    function _announceOwner(address name, address account) private {
        emit DIDOwnerChanged(name, account, _previous(name));
    }

    function _announceKey(address name, bytes32 x, bytes32 y, uint256 until) private {
        emit DIDAttributeChanged(
            name, "did/pub/Secp256k1/veriKey/hex", abi.encodePacked(bytes1(0x04), x, y), until, _previous(name)
        );
    }

    function _previous(address name) private returns (uint256 previous) {
        previous = changed[name];
        changed[name] = block.number;
    }

    /// A listener that fails must not keep an identity in force.
    function _tell(address name) private {
        if (address(_listener) == address(0)) return;
        uint256 gasBefore = gasleft();
        try _listener.identityChanged(name) {}
        catch (bytes memory reason) {
            TriedCall.checkFailure(gasBefore, reason);
            emit ListenerFailed(name);
        }
    }

    function _tellKey(address name) private {
        if (address(_listener) == address(0)) return;
        uint256 gasBefore = gasleft();
        try _listener.identityKeyChanged(name) {}
        catch (bytes memory reason) {
            TriedCall.checkFailure(gasBefore, reason);
            emit ListenerFailed(name);
        }
    }

    function _setRules(bool filingRequired_, uint64 objectionSeconds_) private {
        if (objectionSeconds_ > OBJECTION_MAX) revert ObjectionTooLong(objectionSeconds_);
        _filingRequired = filingRequired_;
        _objectionSeconds = objectionSeconds_;
        emit RulesSet(filingRequired_, objectionSeconds_);
    }

    function _setListener(IIdentityListener listener_) private {
        _listener = listener_;
        emit ListenerSet(address(listener_));
    }
}
