// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";

/// @title Which role may call what.
/// @notice OpenZeppelin's manager. Its first admin is the council; whatever is assigned to no role is the
/// admin's alone.
contract ChainAccessManager is AccessManager {
    /// @notice A role that begins at time 0 counts as none, so nobody would ever govern the chain.
    error TimeZero();

    constructor(address council) AccessManager(council) {
        if (block.timestamp == 0) revert TimeZero();
    }
}
