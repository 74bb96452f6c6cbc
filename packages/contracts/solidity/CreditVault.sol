// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {RateLimiter} from "@openzeppelin/contracts/utils/RateLimiter.sol";
import {ClientStatus, IQbftLightClient} from "./IQbftLightClient.sol";
import {PegApp} from "./PegApp.sol";
import {Outcome} from "./PegMessage.sol";

/// @title Main chain: keeps the service credit that side chains use.
/// @notice Credit that is locked here is minted by the `CreditPeg` of a side chain; what is burned there is released
/// here. A side chain never gets more than was locked for it, whatever it says.
/// For each side chain: locked - refunded - released = its supply + what is on its way, both ways.
contract CreditVault is PegApp, AccessManaged {
    using RateLimiter for RateLimiter.RefillingBucket;

    /// What was done for a side chain since ever, in units of credit.
    struct Account {
        uint128 locked;
        /// Given back, as it did not arrive.
        uint128 refunded;
        uint128 released;
    }

    /// Of one direction. `available` comes back evenly within the window.
    struct Limit {
        uint256 amount;
        uint48 windowSeconds;
        uint256 toSideAvailable;
        uint256 fromSideAvailable;
    }

    /// Gas of minting: one balance, two counters, two events.
    uint64 public constant MESSAGE_GAS = 200_000;

    bytes32 private constant TO_SIDE = "to";
    bytes32 private constant FROM_SIDE = "from";

    event CreditLocked(
        bytes32 indexed sendId, uint64 indexed chainId, address indexed from, address recipient, uint256 amount
    );
    event CreditRefunded(bytes32 indexed sendId, uint64 indexed chainId, address indexed account, uint256 amount);
    event CreditReleased(
        bytes32 indexed receiveId, uint64 indexed chainId, address indexed recipient, address from, uint256 amount
    );
    /// @notice Governance paid out what a retired side chain had.
    event CreditReclaimed(uint64 indexed chainId, address indexed recipient, uint256 amount);
    /// @param chainId 0: every side chain that has no limit of its own
    event LimitSet(uint64 indexed chainId, uint256 amount, uint48 windowSeconds);

    error AmountInvalid(uint256 amount);
    error RecipientInvalid(address recipient);
    /// @notice The side chain asks for more than it has here.
    error LockedTooLittle(uint64 chainId, uint256 amount, uint256 locked);

    error ChainNotRetired(uint64 chainId);

    IERC20 public immutable credit;
    IQbftLightClient public immutable lightClient;

    mapping(uint64 chainId => Account) private _accounts;
    /// Of side chains without one of their own; its keys are chain id and direction.
    RateLimiter.RefillingBucket private _limit;
    mapping(uint64 chainId => RateLimiter.RefillingBucket) private _limits;
    mapping(uint64 chainId => bool) private _hasLimit;

    /// @param amount that may move in each direction within `windowSeconds`, for each side chain
    constructor(
        address authority_,
        IERC7786GatewaySource gateway_,
        IQbftLightClient lightClient_,
        IERC20 credit_,
        uint208 amount,
        uint48 windowSeconds
    ) PegApp(gateway_) AccessManaged(authority_) {
        credit = credit_;
        lightClient = lightClient_;
        _limit.updateSettings(windowSeconds, amount);
        emit LimitSet(0, amount, windowSeconds);
    }

    /// @notice Moves credit of the sender, who approved it to this contract, to an account of a side chain.
    /// @param deadline last second of the side chain's time at which it may arrive; 0: as the gateway says
    /// @return sendId of the message
    function lock(uint64 chainId, address recipient, uint256 amount, uint64 deadline)
        external
        returns (bytes32 sendId)
    {
        return _lock(chainId, recipient, amount, deadline);
    }

    /// @notice As `lock`, with the approval as a permit (ERC-2612).
    function lockWithPermit(
        uint64 chainId,
        address recipient,
        uint256 amount,
        uint64 deadline,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (bytes32 sendId) {
        // Somebody may have brought it before; then the allowance is there.
        try IERC20Permit(address(credit)).permit(msg.sender, address(this), amount, permitDeadline, v, r, s) {} catch {}
        return _lock(chainId, recipient, amount, deadline);
    }

    /// @notice How much may move within a time, in each direction. What was used counts as unused from the first
    /// limit of its own on that a chain gets.
    /// @param chainId 0: of every side chain that has no limit of its own
    /// @param amount 0: nothing may move
    function setLimit(uint64 chainId, uint208 amount, uint48 windowSeconds) external restricted {
        if (chainId == 0) {
            _limit.updateSettings(windowSeconds, amount);
        } else {
            RateLimiter.RefillingBucket storage limit = _limits[chainId];
            // What flowed back until now did so at the old rate.
            if (_hasLimit[chainId]) {
                limit.sync(TO_SIDE);
                limit.sync(FROM_SIDE);
            }
            _hasLimit[chainId] = true;
            limit.updateSettings(windowSeconds, amount);
        }
        emit LimitSet(chainId, amount, windowSeconds);
    }

    /// @notice Pays out what a side chain had that governance has retired, and that nobody can withdraw any more.
    function reclaim(uint64 chainId, address recipient, uint256 amount) external restricted {
        if (lightClient.client(chainId).status != ClientStatus.Closed) revert ChainNotRetired(chainId);
        _take(chainId, amount);
        credit.transfer(recipient, amount);
        emit CreditReclaimed(chainId, recipient, amount);
    }

    /// @return units of credit that a side chain has, with those on their way
    function lockedFor(uint64 chainId) public view returns (uint256) {
        Account storage a = _accounts[chainId];
        return uint256(a.locked) - a.refunded - a.released;
    }

    function accountOf(uint64 chainId) external view returns (Account memory) {
        return _accounts[chainId];
    }

    function limitOf(uint64 chainId) external view returns (Limit memory limit) {
        (RateLimiter.RefillingBucket storage bucket, bytes32 to, bytes32 from) = _limitOf(chainId);
        limit.amount = bucket._capacity;
        limit.windowSeconds = bucket._window;
        limit.toSideAvailable = bucket.available(to);
        limit.fromSideAvailable = bucket.available(from);
    }

    function _lock(uint64 chainId, address recipient, uint256 amount, uint64 deadline)
        private
        returns (bytes32 sendId)
    {
        if (amount == 0 || amount > type(uint128).max) revert AmountInvalid(amount);
        if (recipient == address(0)) revert RecipientInvalid(recipient);
        (RateLimiter.RefillingBucket storage limit, bytes32 to,) = _limitOf(chainId);
        limit.consume(to, amount);
        _accounts[chainId].locked += uint128(amount);
        // Ours reverts where it does not pay.
        credit.transferFrom(msg.sender, address(this), amount);
        sendId = _send(chainId, address(this), abi.encode(msg.sender, recipient, amount), MESSAGE_GAS, deadline);
        emit CreditLocked(sendId, chainId, msg.sender, recipient, amount);
    }

    /// @inheritdoc PegApp
    function _isCounterpart(uint64, address account) internal view override returns (bool) {
        return account == address(this);
    }

    /// Credit was burned on a side chain.
    function _receive(uint64 chainId, bytes32 receiveId, bytes calldata payload) internal override {
        (address from, address recipient, uint256 amount) = abi.decode(payload, (address, address, uint256));
        if (recipient == address(this)) revert RecipientInvalid(recipient);
        (RateLimiter.RefillingBucket storage limit,, bytes32 key) = _limitOf(chainId);
        limit.consume(key, amount);
        _take(chainId, amount);
        credit.transfer(recipient, amount);
        emit CreditReleased(receiveId, chainId, recipient, from, amount);
    }

    function _delivered(bytes32, uint64, bytes calldata) internal override {}

    function _undelivered(bytes32 sendId, uint64 chainId, bytes calldata payload, Outcome) internal override {
        (address from,, uint256 amount) = abi.decode(payload, (address, address, uint256));
        _accounts[chainId].refunded += uint128(amount);
        credit.transfer(from, amount);
        emit CreditRefunded(sendId, chainId, from, amount);
    }

    /// Never more than was locked: so much a side chain that lies can do.
    function _take(uint64 chainId, uint256 amount) private {
        uint256 locked = lockedFor(chainId);
        if (amount > locked) revert LockedTooLittle(chainId, amount, locked);
        _accounts[chainId].released += uint128(amount);
    }

    function _limitOf(uint64 chainId)
        private
        view
        returns (RateLimiter.RefillingBucket storage bucket, bytes32 to, bytes32 from)
    {
        if (_hasLimit[chainId]) return (_limits[chainId], TO_SIDE, FROM_SIDE);
        bytes32 chain = bytes32(uint256(chainId));
        return (_limit, TO_SIDE | chain, FROM_SIDE | chain);
    }
}
