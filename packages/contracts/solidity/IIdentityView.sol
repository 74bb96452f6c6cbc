// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

enum IdentityStatus {
    None,
    Registered,
    Active,
    Suspended,
    Cancelled
}

/// @notice What other contracts ask about identities. On a side chain a mirror answers.
interface IIdentityView {
    function statusOf(address identity) external view returns (IdentityStatus);

    /// @return owner account whose key speaks for the identity today; 0 after cancellation (ERC-1056)
    function identityOwner(address identity) external view returns (address owner);
}

/// @notice Told of what changes about identities.
interface IIdentityListener {
    function identityChanged(address identity) external;

    function identityKeyChanged(address identity) external;
}
