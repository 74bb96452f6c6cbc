// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {CreditCode} from "./CreditCode.sol";
import {IOrganisationView} from "./IOrganisationView.sol";

/// @title Organisations, and the chain of accreditation from the root authority to who may issue what.
/// @notice An organisation is named by its unified social credit code (GB 32100) as ASCII, zeros behind.
/// A licence type is 21 characters: the code of the authority that defines it, and three digits.
contract OrganisationRegistry is IOrganisationView, AccessManaged {
    struct Organisation {
        address account;
        uint8 verifierClass;
        bool suspended;
        uint64 registeredAt;
        uint256 capacities;
    }

    /// An organisation as the chain begins with it.
    struct Founder {
        bytes32 code;
        address account;
        uint8 verifierClass;
        uint256 capacities;
    }

    /// Times in seconds since 1970: `from` belongs to it, `until` and `withdrawnFrom` do not.
    struct Grant {
        bytes32 by;
        uint64 from;
        uint64 until;
        uint64 withdrawnFrom;
    }

    struct AccountPeriod {
        address account;
        uint64 from;
    }

    /// Makes and signs identities.
    uint256 public constant REGISTRAR = 1;
    /// Files identities; second signature of a recovery.
    uint256 public constant SUPERVISOR = 2;
    /// Registers organisations, appoints accrediting authorities.
    uint256 public constant ROOT = 4;
    /// Grants that one organisation can have had for one type.
    uint256 public constant GRANTS_MAX = 32;
    /// Accounts that one organisation can have had.
    uint256 public constant ACCOUNTS_MAX = 64;
    uint64 private constant NEVER = type(uint64).max;

    event OrganisationRegistered(bytes32 indexed code, address indexed account, uint8 verifierClass);
    event AccountChanged(bytes32 indexed code, address indexed account);
    event VerifierClassSet(bytes32 indexed code, uint8 verifierClass);
    event CapacitiesSet(bytes32 indexed code, uint256 capacities);
    event OrganisationSuspended(bytes32 indexed code);
    event OrganisationReinstated(bytes32 indexed code);
    event Appointed(
        bytes32 indexed licenceType, bytes32 indexed code, uint256 index, bytes32 by, uint64 from, uint64 until
    );
    event AppointmentWithdrawn(bytes32 indexed licenceType, bytes32 indexed code, uint256 index, uint64 from);
    event Accredited(
        bytes32 indexed licenceType, bytes32 indexed code, uint256 index, bytes32 indexed by, uint64 from, uint64 until
    );
    event AccreditationWithdrawn(bytes32 indexed licenceType, bytes32 indexed code, uint256 index, uint64 from);

    error OrganisationKnown(bytes32 code);
    error OrganisationUnknown(bytes32 code);
    error AccountTaken(address account);
    error AccountsFull(bytes32 code);
    error NotRoot(address account);
    error NotAccrediting(address account, bytes32 licenceType);
    error CapacitiesUnknown(uint256 bits);
    error LicenceTypeInvalid(bytes32 licenceType);
    error PeriodInvalid(uint64 from, uint64 until);
    error GrantUnknown(bytes32 licenceType, bytes32 code, uint256 index);
    error GrantsFull(bytes32 licenceType, bytes32 code);
    error WithdrawnEarlier(uint64 withdrawnFrom);

    mapping(bytes32 code => Organisation) private _organisations;
    /// An account is of one organisation for ever, so an old signature never changes its author.
    mapping(address account => bytes32 code) private _codes;
    mapping(bytes32 code => AccountPeriod[]) private _accounts;
    mapping(bytes32 licenceType => mapping(bytes32 code => Grant[])) private _appointments;
    mapping(bytes32 licenceType => mapping(bytes32 code => Grant[])) private _accreditations;

    modifier onlyRoot() {
        bytes32 code = organisationOf(msg.sender);
        if (_organisations[code].capacities & ROOT == 0) revert NotRoot(msg.sender);
        _;
    }

    constructor(address authority_, Founder[] memory founders) AccessManaged(authority_) {
        for (uint256 i = 0; i < founders.length; i++) {
            Founder memory each = founders[i];
            _register(each.code, each.account, each.verifierClass);
            _setCapacities(each.code, each.capacities);
        }
    }

    // Organisations.

    function register(bytes32 code, address account, uint8 verifierClass) external onlyRoot {
        _register(code, account, verifierClass);
    }

    /// @notice Gives an organisation another account, from now on.
    function changeAccount(bytes32 code, address account) external onlyRoot {
        _setAccount(code, _known(code), account);
    }

    function setVerifierClass(bytes32 code, uint8 verifierClass) external onlyRoot {
        _known(code).verifierClass = verifierClass;
        emit VerifierClassSet(code, verifierClass);
    }

    /// @notice Its account may do nothing until it is reinstated. What it did stands.
    function suspend(bytes32 code) external onlyRoot {
        _known(code).suspended = true;
        emit OrganisationSuspended(code);
    }

    function reinstate(bytes32 code) external onlyRoot {
        _known(code).suspended = false;
        emit OrganisationReinstated(code);
    }

    /// @param capacities bits: 1 registrar, 2 supervising authority, 4 root authority
    function setCapacities(bytes32 code, uint256 capacities) external restricted {
        _setCapacities(code, capacities);
    }

    // Accreditation.

    /// @notice Makes an organisation an accrediting authority of a type.
    /// @param from seconds since 1970, not in the past; 0: now
    function appoint(bytes32 licenceType, bytes32 code, uint64 from, uint64 until) external onlyRoot {
        _checkType(licenceType);
        bytes32 by = organisationOf(msg.sender);
        (uint256 index, uint64 begins) = _grant(_appointments[licenceType][code], licenceType, code, by, from, until);
        emit Appointed(licenceType, code, index, by, begins, until);
    }

    /// @notice Ends an appointment; what hung on it is no longer accredited from then on.
    /// @param from seconds since 1970, also in the past; 0: now
    function withdrawAppointment(bytes32 licenceType, bytes32 code, uint256 index, uint64 from) external onlyRoot {
        uint64 ends = _withdraw(_grantAt(_appointments, licenceType, code, index), from);
        emit AppointmentWithdrawn(licenceType, code, index, ends);
    }

    /// @notice Makes an organisation an issuing authority of a type. By an accrediting authority of that type.
    /// @param from seconds since 1970, not in the past; 0: now
    function accredit(bytes32 licenceType, bytes32 code, uint64 from, uint64 until) external {
        bytes32 by = organisationOf(msg.sender);
        if (!_held(_appointments[licenceType][by], uint64(block.timestamp))) {
            revert NotAccrediting(msg.sender, licenceType);
        }
        (uint256 index, uint64 begins) = _grant(_accreditations[licenceType][code], licenceType, code, by, from, until);
        emit Accredited(licenceType, code, index, by, begins, until);
    }

    /// @notice Ends an accreditation. By who gave it, or the root authority. Licences issued before `from` stand.
    /// @param from seconds since 1970, also in the past; 0: now
    function withdrawAccreditation(bytes32 licenceType, bytes32 code, uint256 index, uint64 from) external {
        Grant storage g = _grantAt(_accreditations, licenceType, code, index);
        bytes32 by = organisationOf(msg.sender);
        bool isRoot = _organisations[by].capacities & ROOT != 0;
        if (by == 0 || (by != g.by && !isRoot)) revert NotAccrediting(msg.sender, licenceType);
        uint64 ends = _withdraw(g, from);
        emit AccreditationWithdrawn(licenceType, code, index, ends);
    }

    // Views.

    /// @inheritdoc IOrganisationView
    function organisationOf(address account) public view returns (bytes32 code) {
        code = _codes[account];
        Organisation storage o = _organisations[code];
        if (o.account != account || o.suspended) return 0;
    }

    /// @inheritdoc IOrganisationView
    function accountOf(bytes32 code) external view returns (address) {
        return _organisations[code].account;
    }

    /// @inheritdoc IOrganisationView
    function verifierClassOf(bytes32 code) external view returns (uint8) {
        return _organisations[code].verifierClass;
    }

    /// @inheritdoc IOrganisationView
    function capacitiesOf(bytes32 code) external view returns (uint256) {
        return _organisations[code].capacities;
    }

    /// @inheritdoc IOrganisationView
    function isAccredited(bytes32 code, bytes32 licenceType, uint64 time) external view returns (bool) {
        Grant[] storage grants = _accreditations[licenceType][code];
        for (uint256 i = grants.length; i > 0; i--) {
            Grant storage g = grants[i - 1];
            if (_holds(g, time) && _held(_appointments[licenceType][g.by], time)) return true;
        }
        return false;
    }

    function isAccrediting(bytes32 code, bytes32 licenceType, uint64 time) external view returns (bool) {
        return _held(_appointments[licenceType][code], time);
    }

    function organisation(bytes32 code) external view returns (Organisation memory) {
        return _known(code);
    }

    /// @return account that spoke for the organisation at that time; 0 before its first
    function accountAt(bytes32 code, uint64 time) external view returns (address account) {
        AccountPeriod[] storage periods = _accounts[code];
        for (uint256 i = periods.length; i > 0; i--) {
            if (periods[i - 1].from <= time) return periods[i - 1].account;
        }
    }

    function accreditationsOf(bytes32 licenceType, bytes32 code) external view returns (Grant[] memory) {
        return _accreditations[licenceType][code];
    }

    function appointmentsOf(bytes32 licenceType, bytes32 code) external view returns (Grant[] memory) {
        return _appointments[licenceType][code];
    }

    // Inside.

    function _register(bytes32 code, address account, uint8 verifierClass) private {
        CreditCode.check(code);
        Organisation storage o = _organisations[code];
        if (o.registeredAt != 0) revert OrganisationKnown(code);
        o.registeredAt = uint64(block.timestamp);
        o.verifierClass = verifierClass;
        emit OrganisationRegistered(code, account, verifierClass);
        _setAccount(code, o, account);
    }

    function _setAccount(bytes32 code, Organisation storage o, address account) private {
        if (account == address(0) || _codes[account] != 0) revert AccountTaken(account);
        AccountPeriod[] storage periods = _accounts[code];
        if (periods.length == ACCOUNTS_MAX) revert AccountsFull(code);
        o.account = account;
        _codes[account] = code;
        periods.push(AccountPeriod(account, uint64(block.timestamp)));
        emit AccountChanged(code, account);
    }

    function _setCapacities(bytes32 code, uint256 capacities) private {
        if (capacities & ~(REGISTRAR | SUPERVISOR | ROOT) != 0) revert CapacitiesUnknown(capacities);
        _known(code).capacities = capacities;
        emit CapacitiesSet(code, capacities);
    }

    function _known(bytes32 code) private view returns (Organisation storage o) {
        o = _organisations[code];
        if (o.registeredAt == 0) revert OrganisationUnknown(code);
    }

    function _checkType(bytes32 licenceType) private pure {
        for (uint256 i = 18; i < 21; i++) {
            if (licenceType[i] < "0" || licenceType[i] > "9") revert LicenceTypeInvalid(licenceType);
        }
        if (uint256(licenceType) << (21 * 8) != 0) revert LicenceTypeInvalid(licenceType);
        CreditCode.checkPrefix(licenceType);
    }

    function _grant(
        Grant[] storage grants,
        bytes32 licenceType,
        bytes32 code,
        bytes32 by,
        uint64 from,
        uint64 until
    ) private returns (uint256 index, uint64 begins) {
        _known(code);
        begins = from == 0 ? uint64(block.timestamp) : from;
        if (begins < block.timestamp || until <= begins) revert PeriodInvalid(begins, until);
        index = grants.length;
        if (index == GRANTS_MAX) revert GrantsFull(licenceType, code);
        grants.push(Grant(by, begins, until, NEVER));
    }

    function _grantAt(
        mapping(bytes32 => mapping(bytes32 => Grant[])) storage all,
        bytes32 licenceType,
        bytes32 code,
        uint256 index
    ) private view returns (Grant storage) {
        Grant[] storage grants = all[licenceType][code];
        if (index >= grants.length) revert GrantUnknown(licenceType, code, index);
        return grants[index];
    }

    function _withdraw(Grant storage g, uint64 from) private returns (uint64 ends) {
        ends = from == 0 ? uint64(block.timestamp) : from;
        // A withdrawal is never taken back, or a licence could become valid by hindsight.
        if (ends >= g.withdrawnFrom) revert WithdrawnEarlier(g.withdrawnFrom);
        g.withdrawnFrom = ends;
    }

    function _held(Grant[] storage grants, uint64 time) private view returns (bool) {
        for (uint256 i = grants.length; i > 0; i--) {
            if (_holds(grants[i - 1], time)) return true;
        }
        return false;
    }

    function _holds(Grant storage g, uint64 time) private view returns (bool) {
        return g.from <= time && time < g.until && time < g.withdrawnFrom;
    }
}
