// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title RLP that can be written in one way only, read where it stands in memory.
/// @notice What OpenZeppelin's reader lets pass is refused: lengths longer than they need be, leading zeros of
/// numbers, sizes other than asked for.
/// @dev `place` is the place of an item in memory, `limit` the end of what it may take. Nothing of what stands behind it
/// gets into a result.
library StrictRlp {
    error RlpInvalid();

    /// An item may say its length in so many bytes: 16 MiB are more than a call has.
    uint256 private constant LENGTH_BYTES_MAX = 3;

    /// @return payload where the contents of the string begin
    /// @return end where they end, and the next item begins
    function stringAt(uint256 place, uint256 limit) internal pure returns (uint256 payload, uint256 end) {
        uint256 first = _byteAt(place, limit);
        if (first < 0x80) return (place, place + 1);
        if (first >= 0xc0) revert RlpInvalid();
        (payload, end) = _span(place, limit, first - 0x80);
        // A byte below 0x80 stands for itself.
        if (first == 0x81 && _byte(payload) < 0x80) revert RlpInvalid();
    }

    /// @return payload where the first item of the list begins
    /// @return end where the last one ends
    function listAt(uint256 place, uint256 limit) internal pure returns (uint256 payload, uint256 end) {
        uint256 first = _byteAt(place, limit);
        if (first < 0xc0) revert RlpInvalid();
        return _span(place, limit, first - 0xc0);
    }

    /// @param size of the string in bytes: 2 to 55
    /// @return payload where its contents begin; they end at `payload + size`
    function fixedAt(uint256 place, uint256 limit, uint256 size) internal pure returns (uint256 payload) {
        if (_byteAt(place, limit) != 0x80 + size) revert RlpInvalid();
        payload = place + 1;
        if (payload + size > limit) revert RlpInvalid();
    }

    /// @return value of a string of 32 bytes; the next item begins at `place + 33`
    function wordAt(uint256 place, uint256 limit) internal pure returns (bytes32 value) {
        uint256 payload = fixedAt(place, limit, 32);
        assembly ("memory-safe") {
            value := mload(payload)
        }
    }

    /// @param sizeMax bytes that the number may have: 1 to 32
    /// @return value a number without leading zeros; 0 is the empty string
    /// @return end where the next item begins
    function numberAt(uint256 place, uint256 limit, uint256 sizeMax) internal pure returns (uint256 value, uint256 end) {
        uint256 payload;
        (payload, end) = stringAt(place, limit);
        uint256 size = end - payload;
        if (size > sizeMax) revert RlpInvalid();
        if (size == 0) return (0, end);
        if (_byte(payload) == 0) revert RlpInvalid();
        assembly ("memory-safe") {
            value := shr(sub(256, mul(8, size)), mload(payload))
        }
    }

    /// @param short length, or 55 + number of bytes of the length
    function _span(uint256 place, uint256 limit, uint256 short) private pure returns (uint256 payload, uint256 end) {
        payload = place + 1;
        uint256 length = short;
        if (short > 55) {
            uint256 lengthBytes = short - 55;
            if (lengthBytes > LENGTH_BYTES_MAX || payload + lengthBytes > limit || _byte(payload) == 0) {
                revert RlpInvalid();
            }
            assembly ("memory-safe") {
                length := shr(sub(256, mul(8, lengthBytes)), mload(payload))
            }
            if (length < 56) revert RlpInvalid();
            payload += lengthBytes;
        }
        end = payload + length;
        if (end > limit) revert RlpInvalid();
    }

    function _byteAt(uint256 place, uint256 limit) private pure returns (uint256) {
        if (place >= limit) revert RlpInvalid();
        return _byte(place);
    }

    function _byte(uint256 place) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(0, mload(place))
        }
    }
}
