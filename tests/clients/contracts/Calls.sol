// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// Several calls at once: reads as Multicall3 does them, and writes as an account that is delegated
/// here (EIP-7702).
contract Calls {
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    struct Result {
        bool success;
        bytes returnData;
    }

    error CallFailed(uint256 index);
    error NotYourself();

    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i = 0; i < calls.length; i++) {
            (bool success, bytes memory data) = calls[i].target.call(calls[i].callData);
            if (!success && !calls[i].allowFailure) revert CallFailed(i);
            results[i] = Result(success, data);
        }
    }

    /// Of a delegated account, by nobody but itself.
    function execute(Call3[] calldata calls) external {
        if (msg.sender != address(this)) revert NotYourself();
        for (uint256 i = 0; i < calls.length; i++) {
            (bool success, ) = calls[i].target.call(calls[i].callData);
            if (!success) revert CallFailed(i);
        }
    }
}
