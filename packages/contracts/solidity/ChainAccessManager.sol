// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Which role may call what.
/// @notice OpenZeppelin's manager. Its first admin is the council; whatever is assigned to no role is the
/// admin's alone. Guardians may stop things and start nothing.
contract ChainAccessManager is AccessManager {
    struct Function {
        address target;
        bytes4 selector;
    }

    /// Role that may freeze and pause.
    uint64 public constant GUARDIAN_ROLE = 1;

    /// @notice A role that begins at time 0 counts as none, so nobody would ever govern the chain.
    error TimeZero();

    /// @param guardians accounts that have the role from the beginning
    /// @param functions that it may call
    constructor(address council, address[] memory guardians, Function[] memory functions) AccessManager(council) {
        if (block.timestamp == 0) revert TimeZero();
        for (uint256 i = 0; i < guardians.length; i++) _grantRole(GUARDIAN_ROLE, guardians[i], 0, 0);
        for (uint256 i = 0; i < functions.length; i++) {
            _setTargetFunctionRole(functions[i].target, functions[i].selector, GUARDIAN_ROLE);
        }
    }
}
