// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title The council that governs a chain: so many of its members, after a delay.
/// @notice A proposal is a list of calls that the council makes, all or none. The delay begins when enough
/// current members approve, and begins anew after they were too few.
contract Council {
    struct Call {
        address target;
        bytes data;
    }

    struct Proposal {
        bytes32 callsHash;
        /// Second from which it counts as approved; 0: too few approve.
        uint64 approvedAt;
        /// Second after which it cannot be executed.
        uint64 expiresAt;
        bool executed;
    }

    uint256 public constant MEMBERS_MAX = 64;
    uint256 public constant CALLS_MAX = 64;
    uint64 public constant DELAY_MAX = 90 days;
    /// A proposal lives so long after it was made, plus the delay.
    uint64 public constant LIFETIME = 30 days;

    event Proposed(uint256 indexed proposal, address indexed member, Call[] calls);
    event Approved(uint256 indexed proposal, address indexed member);
    event ApprovalWithdrawn(uint256 indexed proposal, address indexed member);
    event Executed(uint256 indexed proposal);
    event Constituted(address[] members, uint256 threshold, uint64 delaySeconds);

    error NotMember(address account);
    error NotCouncil(address account);
    error MembersInvalid();
    error ThresholdInvalid(uint256 threshold, uint256 members);
    error DelayTooLong(uint64 delaySeconds);
    error CallsInvalid();
    error ProposalUnknown(uint256 proposal);
    error AlreadyApproved(uint256 proposal, address member);
    error NotApprovedBy(uint256 proposal, address member);
    error TooFewApprovals(uint256 proposal, uint256 approvals, uint256 threshold);
    error TooEarly(uint256 proposal, uint64 readyAt);
    error Expired(uint256 proposal);
    error AlreadyExecuted(uint256 proposal);

    address[] private _members;
    uint256 private _threshold;
    uint64 private _delay;
    Proposal[] private _proposals;
    mapping(uint256 proposal => mapping(address member => bool)) private _approvals;

    modifier onlyMember() {
        if (!isMember(msg.sender)) revert NotMember(msg.sender);
        _;
    }

    constructor(address[] memory members_, uint256 threshold_, uint64 delaySeconds) {
        _constitute(members_, threshold_, delaySeconds);
    }

    /// @notice Makes a proposal and approves it.
    /// @return proposal its number, from 0
    function propose(Call[] calldata calls) external onlyMember returns (uint256 proposal) {
        if (calls.length == 0 || calls.length > CALLS_MAX) revert CallsInvalid();
        proposal = _proposals.length;
        uint64 expiresAt = uint64(block.timestamp) + LIFETIME + _delay;
        _proposals.push(Proposal(keccak256(abi.encode(calls)), 0, expiresAt, false));
        emit Proposed(proposal, msg.sender, calls);
        _approve(proposal);
    }

    function approve(uint256 proposal) external onlyMember {
        _open(proposal);
        _approve(proposal);
    }

    function withdrawApproval(uint256 proposal) external onlyMember {
        Proposal storage p = _open(proposal);
        if (!_approvals[proposal][msg.sender]) revert NotApprovedBy(proposal, msg.sender);
        _approvals[proposal][msg.sender] = false;
        emit ApprovalWithdrawn(proposal, msg.sender);
        if (approvalsOf(proposal) < _threshold) p.approvedAt = 0;
    }

    /// @notice Makes the calls of an approved proposal. Anybody may.
    /// @param calls as they were proposed
    function execute(uint256 proposal, Call[] calldata calls) external {
        Proposal storage p = _open(proposal);
        if (keccak256(abi.encode(calls)) != p.callsHash) revert CallsInvalid();
        uint256 approvals = approvalsOf(proposal);
        // Members may have left since they approved.
        if (approvals < _threshold || p.approvedAt == 0) {
            revert TooFewApprovals(proposal, approvals, _threshold);
        }
        uint64 readyAt = p.approvedAt + _delay;
        if (block.timestamp < readyAt) revert TooEarly(proposal, readyAt);
        p.executed = true;
        emit Executed(proposal);
        for (uint256 i = 0; i < calls.length; i++) {
            Address.functionCall(calls[i].target, calls[i].data);
        }
    }

    /// @notice Changes who the council is. By a proposal of the council alone.
    function constitute(address[] calldata members_, uint256 threshold_, uint64 delaySeconds) external {
        if (msg.sender != address(this)) revert NotCouncil(msg.sender);
        _constitute(members_, threshold_, delaySeconds);
    }

    function members() external view returns (address[] memory) {
        return _members;
    }

    function threshold() external view returns (uint256) {
        return _threshold;
    }

    /// @return seconds between enough approvals and execution
    function delay() external view returns (uint64) {
        return _delay;
    }

    function proposalCount() external view returns (uint256) {
        return _proposals.length;
    }

    function proposalAt(uint256 proposal) external view returns (Proposal memory) {
        if (proposal >= _proposals.length) revert ProposalUnknown(proposal);
        return _proposals[proposal];
    }

    function hasApproved(uint256 proposal, address member) external view returns (bool) {
        return _approvals[proposal][member];
    }

    function isMember(address account) public view returns (bool) {
        for (uint256 i = 0; i < _members.length; i++) {
            if (_members[i] == account) return true;
        }
        return false;
    }

    /// @notice How many of today's members approve.
    function approvalsOf(uint256 proposal) public view returns (uint256 count) {
        for (uint256 i = 0; i < _members.length; i++) {
            if (_approvals[proposal][_members[i]]) count++;
        }
    }

    function _open(uint256 proposal) private view returns (Proposal storage p) {
        if (proposal >= _proposals.length) revert ProposalUnknown(proposal);
        p = _proposals[proposal];
        if (p.executed) revert AlreadyExecuted(proposal);
        if (block.timestamp > p.expiresAt) revert Expired(proposal);
    }

    function _approve(uint256 proposal) private {
        if (_approvals[proposal][msg.sender]) revert AlreadyApproved(proposal, msg.sender);
        _approvals[proposal][msg.sender] = true;
        emit Approved(proposal, msg.sender);
        Proposal storage p = _proposals[proposal];
        if (p.approvedAt == 0 && approvalsOf(proposal) >= _threshold) p.approvedAt = uint64(block.timestamp);
    }

    function _constitute(address[] memory members_, uint256 threshold_, uint64 delaySeconds) private {
        uint256 count = members_.length;
        if (count == 0 || count > MEMBERS_MAX) revert MembersInvalid();
        if (threshold_ == 0 || threshold_ > count) revert ThresholdInvalid(threshold_, count);
        if (delaySeconds > DELAY_MAX) revert DelayTooLong(delaySeconds);
        for (uint256 i = 0; i < count; i++) {
            if (members_[i] == address(0)) revert MembersInvalid();
            for (uint256 j = 0; j < i; j++) {
                if (members_[i] == members_[j]) revert MembersInvalid();
            }
        }
        _members = members_;
        _threshold = threshold_;
        _delay = delaySeconds;
        emit Constituted(members_, threshold_, delaySeconds);
    }
}
