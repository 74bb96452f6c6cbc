// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

import {Register} from "../contracts/Register.sol";

/// The cheatcodes that a script needs; the standard library has many more.
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

contract Deploy {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run() external returns (Register register) {
        vm.startBroadcast();
        register = new Register();
        register.register(keccak256("forge"), "by forge");
        vm.stopBroadcast();
        require(register.count() == 1, "not registered");
    }
}
