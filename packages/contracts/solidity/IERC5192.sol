// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Tokens that cannot move (ERC-5192).
interface IERC5192 {
    event Locked(uint256 tokenId);
    event Unlocked(uint256 tokenId);

    function locked(uint256 tokenId) external view returns (bool);
}
