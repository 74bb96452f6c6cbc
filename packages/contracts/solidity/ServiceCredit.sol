// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Burnable} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Burnable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Prepaid credit for services, an ERC-20 with permit (ERC-2612). Six decimals.
contract ServiceCredit is ERC20, ERC20Burnable, ERC20Permit, AccessManaged {
    /// @param accounts that begin with `amounts` of the same place
    constructor(address authority_, address[] memory accounts, uint256[] memory amounts)
        ERC20("Vellum Service Credit", "VSC")
        ERC20Permit("Vellum Service Credit")
        AccessManaged(authority_)
    {
        for (uint256 i = 0; i < accounts.length; i++) _mint(accounts[i], amounts[i]);
    }

    /// @notice Credit for what was paid for it elsewhere.
    function mint(address account, uint256 amount) external restricted {
        _mint(account, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
