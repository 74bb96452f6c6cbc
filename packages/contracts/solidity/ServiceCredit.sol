// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Bridgeable} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC20Bridgeable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Prepaid credit for services, an ERC-20 with permit (ERC-2612). Six decimals.
/// @notice On a side chain its bridge alone mints and burns (ERC-7802): all of it is backed on the main chain, where
/// there is no bridge and governance mints.
contract ServiceCredit is ERC20, ERC20Bridgeable, ERC20Permit, AccessManaged {
    /// Mints and burns on a side chain; 0: this is no side chain.
    address public immutable bridge;

    error NotBridge(address caller);
    /// @notice On a side chain credit comes and goes by the bridge.
    error OnlyByBridge(address bridge);

    /// @param accounts that begin with `amounts` of the same place; none on a side chain
    constructor(address authority_, address bridge_, address[] memory accounts, uint256[] memory amounts)
        ERC20("Vellum Service Credit", "VSC")
        ERC20Permit("Vellum Service Credit")
        AccessManaged(authority_)
    {
        bridge = bridge_;
        if (bridge_ != address(0) && accounts.length != 0) revert OnlyByBridge(bridge_);
        for (uint256 i = 0; i < accounts.length; i++) _mint(accounts[i], amounts[i]);
    }

    /// @notice Credit for what was paid for it elsewhere.
    function mint(address account, uint256 amount) external restricted {
        _checkNoBridge();
        _mint(account, amount);
    }

    /// @notice Gives up credit of the sender.
    function burn(uint256 amount) external {
        _checkNoBridge();
        _burn(msg.sender, amount);
    }

    /// @notice Gives up credit of an account that approved it to the sender.
    function burnFrom(address account, uint256 amount) external {
        _checkNoBridge();
        _spendAllowance(account, msg.sender, amount);
        _burn(account, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }

    /// @inheritdoc ERC20Bridgeable
    function _checkTokenBridge(address caller) internal view override {
        if (bridge == address(0) || caller != bridge) revert NotBridge(caller);
    }

    function _checkNoBridge() private view {
        if (bridge != address(0)) revert OnlyByBridge(bridge);
    }
}
