// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Whether a call that was tried failed by itself, or for want of gas.
/// @notice Who goes on after a failed call must not let the sender bring the failure about with a small gas limit.
/// A caller keeps a 64th of its gas, and so does each call between it and the one that ran dry: a sixteenth is
/// what is left behind four of them. It also makes estimates right: with too little gas the transaction fails as a whole.
library TriedCall {
    /// With so much nobody can give more: a transaction has at most 16,777,216 (EIP-7825).
    uint256 private constant GAS_ENOUGH = 12_000_000;

    error GasRanOut();

    /// @param gasBefore `gasleft()` before the call
    /// @param reason what it reverted with
    function checkFailure(uint256 gasBefore, bytes memory reason) internal view {
        bool within = reason.length == 4 && bytes4(reason) == GasRanOut.selector;
        if (within || (gasleft() <= gasBefore / 16 && gasBefore < GAS_ENOUGH)) revert GasRanOut();
    }
}
