// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";

/// @notice Slots 0 to 3 of `Permissions`. Nodes read the first three without calling the contract, at the
/// state before a block, so their places are part of the rules of a chain.
abstract contract PermissionSlots {
    /// Slot 0. Bits of an account: 1 may send, 2 may deploy.
    mapping(address account => uint256) internal _flags;
    /// Slot 1. Bits that are asked for; the others everybody has.
    uint256 internal _mode;
    /// Slot 2. Addresses of the keys of nodes that may connect.
    address[] internal _nodes;
    /// Slot 3. Place of a node in the list, from 1; 0: not in it.
    mapping(address node => uint256) internal _nodePlaces;
}

/// @title Who may send transactions, deploy contracts and connect nodes.
contract Permissions is PermissionSlots, AccessManaged {
    uint256 public constant SEND = 1;
    uint256 public constant DEPLOY = 2;
    /// Nodes that the list can hold.
    uint256 public constant NODES_MAX = 1024;

    event FlagsSet(address indexed account, uint256 flags);
    event ModeSet(uint256 mode);
    event NodeAdded(address indexed node);
    event NodeRemoved(address indexed node);

    error FlagsUnknown(uint256 bits);
    error NodeKnown(address node);
    error NodeUnknown(address node);
    error NodesFull();

    /// @param accounts with `flags` of the same place
    constructor(
        address authority_,
        uint256 mode_,
        address[] memory accounts,
        uint256[] memory flags,
        address[] memory nodes_
    ) AccessManaged(authority_) {
        for (uint256 i = 0; i < accounts.length; i++) _setFlags(accounts[i], flags[i]);
        for (uint256 i = 0; i < nodes_.length; i++) _addNode(nodes_[i]);
        _setMode(mode_);
    }

    /// @param flags 1 may send, 2 may deploy, 3 both, 0 neither
    function setFlags(address account, uint256 flags) external restricted {
        _setFlags(account, flags);
    }

    /// @notice The same flags for several accounts.
    function setFlagsOfMany(address[] calldata accounts, uint256 flags) external restricted {
        for (uint256 i = 0; i < accounts.length; i++) _setFlags(accounts[i], flags);
    }

    /// @param mode_ bits that are asked for: 1 of senders, 2 of those who deploy
    function setMode(uint256 mode_) external restricted {
        _setMode(mode_);
    }

    function addNode(address node) external restricted {
        _addNode(node);
    }

    function removeNode(address node) external restricted {
        uint256 place = _nodePlaces[node];
        if (place == 0) revert NodeUnknown(node);
        address last = _nodes[_nodes.length - 1];
        _nodes[place - 1] = last;
        _nodePlaces[last] = place;
        _nodes.pop();
        delete _nodePlaces[node];
        emit NodeRemoved(node);
    }

    function flagsOf(address account) external view returns (uint256) {
        return _flags[account];
    }

    function mode() external view returns (uint256) {
        return _mode;
    }

    function nodes() external view returns (address[] memory) {
        return _nodes;
    }

    function maySend(address account) external view returns (bool) {
        return _may(account, SEND);
    }

    function mayDeploy(address account) external view returns (bool) {
        return _may(account, SEND | DEPLOY);
    }

    function mayConnect(address node) external view returns (bool) {
        return _nodePlaces[node] != 0;
    }

    function _may(address account, uint256 bits) private view returns (bool) {
        return (_mode & bits & ~_flags[account]) == 0;
    }

    function _setFlags(address account, uint256 flags) private {
        if (flags & ~(SEND | DEPLOY) != 0) revert FlagsUnknown(flags);
        _flags[account] = flags;
        emit FlagsSet(account, flags);
    }

    function _setMode(uint256 mode_) private {
        if (mode_ & ~(SEND | DEPLOY) != 0) revert FlagsUnknown(mode_);
        _mode = mode_;
        emit ModeSet(mode_);
    }

    function _addNode(address node) private {
        if (_nodePlaces[node] != 0) revert NodeKnown(node);
        if (_nodes.length == NODES_MAX) revert NodesFull();
        _nodes.push(node);
        _nodePlaces[node] = _nodes.length;
        emit NodeAdded(node);
    }
}
