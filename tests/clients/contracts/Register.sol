// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.28;

/// Entries with a holder, written by the holder or with the holder's signature (EIP-712).
contract Register {
    event Registered(address indexed holder, bytes32 indexed id, string text);

    error Taken(bytes32 id);
    error NotSignedBy(address holder, address signer);

    bytes32 private constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant ENTRY_TYPE = keccak256("Entry(address holder,bytes32 id,string text)");

    mapping(bytes32 id => address) public holderOf;
    uint256 public count;

    function register(bytes32 id, string calldata text) external {
        _register(msg.sender, id, text);
    }

    function registerSigned(
        address holder,
        bytes32 id,
        string calldata text,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        bytes32 domain = keccak256(
            abi.encode(DOMAIN_TYPE, keccak256("Register"), keccak256("1"), block.chainid, address(this))
        );
        bytes32 entry = keccak256(abi.encode(ENTRY_TYPE, holder, id, keccak256(bytes(text))));
        address signer = ecrecover(keccak256(abi.encodePacked("\x19\x01", domain, entry)), v, r, s);
        if (signer != holder) revert NotSignedBy(holder, signer);
        _register(holder, id, text);
    }

    function _register(address holder, bytes32 id, string calldata text) private {
        if (holderOf[id] != address(0)) revert Taken(id);
        holderOf[id] = holder;
        count += 1;
        emit Registered(holder, id, text);
    }
}
