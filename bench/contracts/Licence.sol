// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Issuing of certificates: four fresh slots and an event with some 200 bytes of data
/// @notice Anyone may issue: it is for measuring only.
contract Licence {
    error AlreadyIssued(bytes32 id);

    event Issued(bytes32 indexed id, address indexed holder, bytes32 hash, uint64 until, bytes payload);

    struct Certificate {
        address issuer;
        address holder;
        bytes32 hash;
        uint64 issuedAt;
        uint64 until;
    }

    mapping(bytes32 => Certificate) private certificates;

    function issue(bytes32 id, address holder, bytes32 hash, uint64 until, bytes calldata payload) external {
        Certificate storage certificate = certificates[id];
        if (certificate.issuer != address(0)) revert AlreadyIssued(id);
        certificate.issuer = msg.sender;
        certificate.holder = holder;
        certificate.hash = hash;
        certificate.issuedAt = uint64(block.timestamp);
        certificate.until = until;
        emit Issued(id, holder, hash, until, payload);
    }

    function get(bytes32 id) external view returns (Certificate memory) {
        return certificates[id];
    }

    function isValid(bytes32 id, bytes32 hash) external view returns (bool) {
        Certificate storage certificate = certificates[id];
        return certificate.hash == hash && certificate.until >= block.timestamp;
    }
}
