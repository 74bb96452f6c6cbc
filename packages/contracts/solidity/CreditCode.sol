// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Unified social credit codes, GB 32100, and the organisation codes inside them, GB 11714.
/// @notice A code is its ASCII text, left in a word, zeros behind it.
library CreditCode {
    /// @param code as it was given
    /// @param position of the character that is wrong, from 0
    /// @param expected the character that should stand there; 0 if no character would do
    error CreditCodeInvalid(bytes32 code, uint256 position, bytes1 expected);

    /// 0-9 and A-Z without I, O, S, V, Z.
    bytes31 private constant ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    uint256 private constant LENGTH = 18;
    /// Where the organisation code begins: 8 characters and their check.
    uint256 private constant INNER = 8;

    /// @notice Reverts unless both check characters are right and nothing follows them.
    function check(bytes32 code) internal pure {
        if (uint256(code) << (LENGTH * 8) != 0) revert CreditCodeInvalid(code, LENGTH, 0);
        checkPrefix(code);
    }

    /// @notice As `check`, for a code with something behind it.
    function checkPrefix(bytes32 code) internal pure {
        _checkInner(code);
        uint256 sum;
        uint256 weight = 1;
        for (uint256 i = 0; i < LENGTH - 1; i++) {
            sum += _value(code, i) * weight;
            weight = (weight * 3) % 31;
        }
        bytes1 expected = ALPHABET[(31 - (sum % 31)) % 31];
        if (code[LENGTH - 1] != expected) revert CreditCodeInvalid(code, LENGTH - 1, expected);
    }

    function _checkInner(bytes32 code) private pure {
        uint8[8] memory weights = [3, 7, 9, 10, 5, 8, 4, 2];
        uint256 sum;
        for (uint256 i = 0; i < 8; i++) {
            uint8 c = uint8(code[INNER + i]);
            // A digit is its value, a letter its place after 9.
            if (c >= 0x30 && c <= 0x39) sum += (c - 0x30) * uint256(weights[i]);
            else if (c >= 0x41 && c <= 0x5a) sum += (c - 55) * uint256(weights[i]);
            else revert CreditCodeInvalid(code, INNER + i, 0);
        }
        uint256 rest = (11 - (sum % 11)) % 11;
        bytes1 expected = rest == 10 ? bytes1("X") : bytes1(uint8(0x30 + rest));
        if (code[INNER + 8] != expected) revert CreditCodeInvalid(code, INNER + 8, expected);
    }

    function _value(bytes32 code, uint256 position) private pure returns (uint256) {
        bytes1 c = code[position];
        for (uint256 i = 0; i < 31; i++) {
            if (ALPHABET[i] == c) return i;
        }
        revert CreditCodeInvalid(code, position, 0);
    }
}
