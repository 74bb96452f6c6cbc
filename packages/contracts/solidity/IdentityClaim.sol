// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IdentityStatus} from "./IIdentityView.sol";

/// @notice What the main chain tells a side chain of an identity. Of two claims the one with the higher version holds,
/// in whatever order they come.
/// @param owner 0 if the identity is cancelled; then the key is 0, too
/// @param kind as `IdentityTypes.Kind`
/// @param open false: the holder leaves this side chain
/// @param version of all claims about this identity
struct IdentityClaim {
    address identity;
    address owner;
    bytes32 publicKeyX;
    bytes32 publicKeyY;
    uint8 kind;
    IdentityStatus status;
    bool open;
    uint64 version;
}
