// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {IERC7802} from "@openzeppelin/contracts/interfaces/draft-IERC7802.sol";
import {PegApp} from "./PegApp.sol";
import {Outcome} from "./PegMessage.sol";

/// @title Side chain: service credit for what is locked in the `CreditVault` of the main chain.
/// @notice The chain's whole supply is minted here, and burned here: minted - burned + returned.
contract CreditPeg is PegApp {
    /// In units of credit, since ever.
    struct Totals {
        uint128 minted;
        uint128 burned;
        /// Minted again, as the main chain did not release it.
        uint128 returned;
    }

    /// Gas of releasing: two balances, counters, a rate limit, two events.
    uint64 public constant MESSAGE_GAS = 250_000;

    event CreditMinted(bytes32 indexed receiveId, address indexed recipient, address indexed from, uint256 amount);
    event CreditBurned(bytes32 indexed sendId, address indexed from, address indexed recipient, uint256 amount);
    event CreditReturned(bytes32 indexed sendId, address indexed account, uint256 amount);

    error AmountInvalid(uint256 amount);
    error RecipientInvalid(address recipient);

    IERC7802 public immutable credit;
    uint64 public immutable mainChainId;

    Totals private _totals;

    constructor(IERC7786GatewaySource gateway_, IERC7802 credit_, uint64 mainChainId_) PegApp(gateway_) {
        credit = credit_;
        mainChainId = mainChainId_;
    }

    /// @notice Burns credit of the sender, and has it released on the main chain. If that refuses, it is minted again.
    /// @param recipient account of the main chain
    /// @param deadline last second of the main chain's time at which it may arrive; 0: as the gateway says
    function withdraw(address recipient, uint256 amount, uint64 deadline) external returns (bytes32 sendId) {
        if (amount == 0 || amount > type(uint128).max) revert AmountInvalid(amount);
        if (recipient == address(0)) revert RecipientInvalid(recipient);
        _totals.burned += uint128(amount);
        credit.crosschainBurn(msg.sender, amount);
        sendId = _send(mainChainId, address(this), abi.encode(msg.sender, recipient, amount), MESSAGE_GAS, deadline);
        emit CreditBurned(sendId, msg.sender, recipient, amount);
    }

    function totals() external view returns (Totals memory) {
        return _totals;
    }

    /// @inheritdoc PegApp
    function _isCounterpart(uint64 chainId, address account) internal view override returns (bool) {
        return chainId == mainChainId && account == address(this);
    }

    /// Credit was locked on the main chain.
    function _receive(uint64, bytes32 receiveId, bytes calldata payload) internal override {
        (address from, address recipient, uint256 amount) = abi.decode(payload, (address, address, uint256));
        _totals.minted += uint128(amount);
        credit.crosschainMint(recipient, amount);
        emit CreditMinted(receiveId, recipient, from, amount);
    }

    function _delivered(bytes32, uint64, bytes calldata) internal override {}

    function _undelivered(bytes32 sendId, uint64, bytes calldata payload, Outcome) internal override {
        (address from,, uint256 amount) = abi.decode(payload, (address, address, uint256));
        _totals.returned += uint128(amount);
        credit.crosschainMint(from, amount);
        emit CreditReturned(sendId, from, amount);
    }
}
