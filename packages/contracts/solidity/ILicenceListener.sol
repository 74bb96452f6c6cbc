// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LicenceTypes} from "./LicenceTypes.sol";

/// @notice Told by the licence registry of a side chain what changes.
interface ILicenceListener {
    /// @param numbers of licences whose records changed in one step
    function licencesChanged(uint64[] calldata numbers) external;

    /// @notice The status of a holder's identity changed, and with it that of these licences.
    /// @param mark None, Suspended or Cancelled
    function licencesMarked(address holder, LicenceTypes.Status mark, uint64[] calldata numbers) external;

    /// @notice A licence goes to another chain; reverts if it cannot.
    function licenceTransferred(uint256 number) external;
}
