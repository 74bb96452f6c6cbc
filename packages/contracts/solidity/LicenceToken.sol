// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {IERC721} from "@openzeppelin/contracts/token/ERC721/IERC721.sol";
import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {IERC721Metadata} from "@openzeppelin/contracts/token/ERC721/extensions/IERC721Metadata.sol";
import {IERC5192} from "./IERC5192.sol";
import {LicenceTypes} from "./LicenceTypes.sol";

/// @notice Licences as wallets and explorers see them: tokens to be read (ERC-721) that never move (ERC-5192).
abstract contract LicenceToken is IERC721Metadata, IERC5192, IERC721Errors, LicenceTypes {
    mapping(address holder => uint256) private _balances;

    /// @return holder of a token; 0 if there is none
    function _holderOfToken(uint256 number) internal view virtual returns (address holder);

    function _mintToken(address holder, uint256 number) internal {
        _balances[holder]++;
        emit Transfer(address(0), holder, number);
        emit Locked(number);
    }

    function _burnToken(address holder, uint256 number) internal {
        _balances[holder]--;
        emit Transfer(holder, address(0), number);
    }

    function name() external pure returns (string memory) {
        return "Vellum Licences";
    }

    function symbol() external pure returns (string memory) {
        return "VLC";
    }

    /// @notice Nothing: what a licence says is between its holder and whom the holder shows it.
    function tokenURI(uint256 number) external view returns (string memory) {
        ownerOf(number);
        return "";
    }

    function balanceOf(address holder) external view returns (uint256) {
        if (holder == address(0)) revert ERC721InvalidOwner(holder);
        return _balances[holder];
    }

    function ownerOf(uint256 number) public view returns (address holder) {
        holder = _holderOfToken(number);
        if (holder == address(0)) revert ERC721NonexistentToken(number);
    }

    function locked(uint256 number) external view returns (bool) {
        ownerOf(number);
        return true;
    }

    function getApproved(uint256 number) external view returns (address) {
        ownerOf(number);
        return address(0);
    }

    function isApprovedForAll(address, address) external pure returns (bool) {
        return false;
    }

    function approve(address, uint256) external pure {
        revert Soulbound();
    }

    function setApprovalForAll(address, bool) external pure {
        revert Soulbound();
    }

    function transferFrom(address, address, uint256) external pure {
        revert Soulbound();
    }

    function safeTransferFrom(address, address, uint256) external pure {
        revert Soulbound();
    }

    function safeTransferFrom(address, address, uint256, bytes calldata) external pure {
        revert Soulbound();
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IERC165).interfaceId || id == type(IERC721).interfaceId
            || id == type(IERC721Metadata).interfaceId || id == type(IERC5192).interfaceId;
    }
}
