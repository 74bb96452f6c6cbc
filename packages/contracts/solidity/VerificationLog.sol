// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IOrganisationView} from "./IOrganisationView.sol";
import {TARIFF_PERIOD_SECONDS, Tariff} from "./Tariff.sol";

/// @title Every verification of a licence: who, why, with what result, and what it cost.
/// @notice Nothing here says whose licence it was: the commitment is blinded, and the tag is known to the
/// holder alone. A tag serves once, so an answer that was recorded cannot be recorded again.
contract VerificationLog is AccessManaged {
    struct Entry {
        bytes32 licenceType;
        /// Blinded commitment to the licence's number.
        bytes32 commitment;
        /// From the holder's answer; by it the holder finds the entry.
        bytes32 tag;
        /// Why it is verified: a code of the network, not 0.
        uint16 purpose;
        /// 0 valid; others as `docs/protocol/contracts.md` lists.
        uint8 result;
        /// Bytes of data returned to the verifier.
        uint32 byteCount;
        /// Encrypted to the holder.
        bytes detail;
    }

    /// Who records, and what was looked up for it so far: a batch looks things up once.
    struct Session {
        bytes32 verifier;
        uint8 verifierClass;
        uint64 period;
        /// Of the entry before, whose price is `price`; meaningless while `price.version` is 0.
        bytes32 licenceType;
        Tariff.Price price;
        /// What all entries so far cost.
        uint256 owed;
    }

    uint256 public constant DETAIL_BYTES_MAX = 1024;
    /// With the longest details, as many as a pool takes in one transaction (131,072 bytes).
    uint256 public constant ENTRIES_MAX = 96;

    event VerificationRecorded(
        bytes32 indexed tag,
        bytes32 indexed verifier,
        uint256 indexed index,
        bytes32 licenceType,
        bytes32 commitment,
        uint16 purpose,
        uint8 result,
        bytes detail
    );
    event Charged(
        bytes32 indexed verifier,
        uint256 indexed index,
        bytes32 indexed licenceType,
        uint8 verifierClass,
        uint32 tariffVersion,
        uint64 period,
        uint32 use,
        uint32 byteCount,
        uint256 amount
    );
    event TreasurySet(address indexed treasury);

    error NotVerifier(address account);
    error PurposeMissing();
    error TagUsed(bytes32 tag);
    error TagMissing();
    error DetailTooLong(uint256 length);
    error EntryCountOutOfRange(uint256 count);
    /// @notice The verifier's account has too little credit, or has approved too little of it to this contract.
    error CreditInsufficient(bytes32 verifier, uint256 needed, uint256 available);

    IOrganisationView public immutable organisations;
    IERC20 public immutable credit;
    Tariff public immutable tariff;

    address private _treasury;
    uint256 private _count;
    /// keccak256 of what was recorded under a tag: `digestOf`.
    mapping(bytes32 tag => bytes32) private _digests;
    mapping(bytes32 verifier => mapping(bytes32 licenceType => mapping(uint64 period => uint32))) private _uses;

    constructor(
        address authority_,
        IOrganisationView organisations_,
        IERC20 credit_,
        Tariff tariff_,
        address treasury_
    ) AccessManaged(authority_) {
        organisations = organisations_;
        credit = credit_;
        tariff = tariff_;
        _setTreasury(treasury_);
    }

    /// @notice Charges the sender's organisation and records one verification.
    /// @return index of the entry, from 0
    function record(Entry calldata entry) external returns (uint256 index) {
        Session memory session = _open();
        index = _count++;
        _record(session, entry, index);
        _pay(session);
    }

    /// @notice As many calls of `record`, in this order: each entry has its own index, tag, charge and events.
    /// What they cost together is paid in one transfer. One that is refused refuses all.
    /// @param entries 1 to `ENTRIES_MAX`
    /// @return first index; the others follow
    function recordMany(Entry[] calldata entries) external returns (uint256 first) {
        uint256 length = entries.length;
        if (length == 0 || length > ENTRIES_MAX) revert EntryCountOutOfRange(length);
        Session memory session = _open();
        first = _count;
        _count = first + length;
        for (uint256 i = 0; i < length; i++) _record(session, entries[i], first + i);
        _pay(session);
    }

    function setTreasury(address treasury_) external restricted {
        _setTreasury(treasury_);
    }

    /// @notice What the next verification would cost. Reverts with `NoPrice` as `record` would.
    /// @return amount in units of credit
    /// @return available what the organisation's account has and has approved
    function quote(bytes32 verifier, bytes32 licenceType, uint32 byteCount)
        external
        view
        returns (uint256 amount, uint256 available)
    {
        uint8 verifierClass = organisations.verifierClassOf(verifier);
        Tariff.Price memory price = tariff.priceOf(licenceType, verifierClass);
        uint32 uses = _uses[verifier][licenceType][_period()];
        amount = _amount(price, uses, byteCount);
        available = _available(organisations.accountOf(verifier));
    }

    function count() external view returns (uint256) {
        return _count;
    }

    function treasury() external view returns (address) {
        return _treasury;
    }

    /// @return digest of what was recorded under a tag; 0: nothing was. keccak256 of the ABI encoding of
    /// (uint256 index, bytes32 verifier, bytes32 licenceType, bytes32 commitment, uint16 purpose,
    /// uint8 result, uint64 time, bytes32 keccak256(detail))
    function digestOf(bytes32 tag) external view returns (bytes32 digest) {
        return _digests[tag];
    }

    /// @return uses of a verifier in a period; periods count from 1970
    function usesOf(bytes32 verifier, bytes32 licenceType, uint64 period) external view returns (uint32 uses) {
        return _uses[verifier][licenceType][period];
    }

    function _open() private view returns (Session memory session) {
        session.verifier = organisations.organisationOf(msg.sender);
        session.verifierClass = organisations.verifierClassOf(session.verifier);
        if (session.verifier == 0 || session.verifierClass == 0) revert NotVerifier(msg.sender);
        session.period = _period();
    }

    function _record(Session memory session, Entry calldata entry, uint256 index) private {
        if (entry.purpose == 0) revert PurposeMissing();
        if (entry.tag == 0) revert TagMissing();
        if (_digests[entry.tag] != 0) revert TagUsed(entry.tag);
        if (entry.detail.length > DETAIL_BYTES_MAX) revert DetailTooLong(entry.detail.length);
        _digests[entry.tag] = keccak256(
            abi.encode(
                index,
                session.verifier,
                entry.licenceType,
                entry.commitment,
                entry.purpose,
                entry.result,
                uint64(block.timestamp),
                keccak256(entry.detail)
            )
        );
        emit VerificationRecorded(
            entry.tag,
            session.verifier,
            index,
            entry.licenceType,
            entry.commitment,
            entry.purpose,
            entry.result,
            entry.detail
        );
        _charge(session, entry.licenceType, entry.byteCount, index);
    }

    function _charge(Session memory session, bytes32 licenceType, uint32 byteCount, uint256 index) private {
        Tariff.Price memory price = session.price;
        if (price.version == 0 || session.licenceType != licenceType) {
            price = tariff.priceOf(licenceType, session.verifierClass);
            session.licenceType = licenceType;
            session.price = price;
        }
        uint32 uses = _uses[session.verifier][licenceType][session.period]++;
        uint256 amount = _amount(price, uses, byteCount);
        session.owed += amount;
        emit Charged(
            session.verifier,
            index,
            licenceType,
            session.verifierClass,
            price.version,
            session.period,
            uses + 1,
            byteCount,
            amount
        );
    }

    function _pay(Session memory session) private {
        if (session.owed == 0) return;
        uint256 available = _available(msg.sender);
        if (available < session.owed) revert CreditInsufficient(session.verifier, session.owed, available);
        // Ours reverts where it does not pay, so the answer says nothing more.
        credit.transferFrom(msg.sender, _treasury, session.owed);
    }

    function _available(address account) private view returns (uint256) {
        uint256 balance = credit.balanceOf(account);
        uint256 allowance = credit.allowance(account, address(this));
        return balance < allowance ? balance : allowance;
    }

    function _amount(Tariff.Price memory price, uint32 uses, uint32 byteCount) private pure returns (uint256) {
        if (uses < price.freeUses) return 0;
        return uint256(price.perUse) + uint256(price.perByte) * byteCount;
    }

    function _period() private view returns (uint64) {
        return uint64(block.timestamp) / TARIFF_PERIOD_SECONDS;
    }

    function _setTreasury(address treasury_) private {
        _treasury = treasury_;
        emit TreasurySet(treasury_);
    }
}
