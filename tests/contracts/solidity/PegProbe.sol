// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IPegGateway} from "IPegGateway.sol";
import {IPegSender} from "IPegSender.sol";
import {Outcome} from "PegMessage.sol";

/// @title An app of the tests: sends what it is told to, does what the payload says, and counts what it is told.
/// @notice The first byte of a payload is what to do: 0 nothing but to count; 1 revert with the rest; 2 use up all gas;
/// 3 answer wrongly; 4 call the gateway with the rest first; 5 revert with a megabyte; 6 use so much gas as the rest says;
/// 7 send the rest to where it came from; 8 nothing at all, of outcomes too; 9 call the gateway with what was stored, once.
contract PegProbe is IERC7786Recipient, IPegSender {
    error Refused(bytes reason);

    IPegGateway private immutable _gateway;
    uint256 public received;
    uint256 public delivered;
    uint256 public undelivered;
    bytes public lastSender;
    bool public innerCallSucceeded;
    bytes public innerAnswer;
    /// What the payload of an outcome does: as above, 0 or 1.
    bool public refusesOutcomes;
    uint256 public gasGiven;
    bytes private _stored;

    constructor(IPegGateway gateway) {
        _gateway = gateway;
    }

    function send(uint64 chainId, address to, bytes calldata payload, bytes[] calldata attributes)
        external
        returns (bytes32)
    {
        return _gateway.sendMessage(InteroperableAddress.formatEvmV1(chainId, to), payload, attributes);
    }

    function sendTo(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes) external payable {
        _gateway.sendMessage{value: msg.value}(recipient, payload, attributes);
    }

    function store(bytes calldata call) external {
        _stored = call;
    }

    function refuseOutcomes(bool refuses) external {
        refusesOutcomes = refuses;
    }

    function receiveMessage(bytes32, bytes calldata sender, bytes calldata payload) external payable returns (bytes4) {
        uint8 what = payload.length == 0 ? 0 : uint8(payload[0]);
        if (what == 8) return IERC7786Recipient.receiveMessage.selector;
        gasGiven = gasleft();
        received++;
        lastSender = sender;
        if (what == 1) revert Refused(payload[1:]);
        if (what == 2) {
            while (true) received++;
        }
        if (what == 3) return 0xffffffff;
        if (what == 4) (innerCallSucceeded, innerAnswer) = address(_gateway).call(payload[1:]);
        if (what == 5) {
            assembly {
                revert(0x10000, 1000000)
            }
        }
        if (what == 6) {
            uint256 until = gasleft() - uint256(bytes32(payload[1:]));
            while (gasleft() > until) {}
        }
        if (what == 9 && _stored.length != 0) {
            bytes memory call = _stored;
            delete _stored;
            (innerCallSucceeded, innerAnswer) = address(_gateway).call(call);
        }
        if (what == 7) _gateway.sendMessage(sender, payload[1:], new bytes[](0));
        return IERC7786Recipient.receiveMessage.selector;
    }

    function onDelivered(bytes32, uint64, bytes calldata payload) external {
        if (payload.length != 0 && payload[0] == 0x08) return;
        if (refusesOutcomes) revert Refused("");
        delivered++;
    }

    function onUndelivered(bytes32, uint64, bytes calldata, Outcome, bytes32) external {
        if (refusesOutcomes) revert Refused("");
        undelivered++;
    }
}
