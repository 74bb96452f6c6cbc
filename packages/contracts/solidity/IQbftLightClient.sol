// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice None: no client. Active: answers. Frozen: the chain contradicted itself, or a guardian fears it; answers
/// nothing until it is revived. Closed: retired.
enum ClientStatus {
    None,
    Active,
    Frozen,
    Closed
}

/// @param headerFields of a header of that chain, fixed by its fork: 20 (Cancun) to 23
/// @param trustingPeriod seconds for which a header is good as a beginning, and a root as the root of a proof
/// @param maxClockDrift seconds that a header may be ahead of this chain's time
/// @param oldestHeight, latestHeight of the headers that are kept
/// @param latestTimestamp of that header, in seconds since 1970
/// @param trustedSince time from which its age counts: its timestamp, or when governance gave it
/// @param domain hash of the chain's genesis block: every header names it, and every vote is signed with it
struct Client {
    ClientStatus status;
    uint8 headerFields;
    uint32 trustingPeriod;
    uint32 maxClockDrift;
    uint64 oldestHeight;
    uint64 latestHeight;
    uint64 latestTimestamp;
    uint64 trustedSince;
    bytes32 domain;
}

/// @param blockHash on-chain hash
/// @param nextHeight of the kept header above; 0: none
struct TrustedHeader {
    bytes32 blockHash;
    bytes32 stateRoot;
    uint64 timestamp;
    uint64 nextHeight;
}

/// @notice What froze a client: a header that was accepted, and one that cannot be together with it.
/// @param knownHash 0: nothing has
struct Contradiction {
    uint64 knownHeight;
    bytes32 knownHash;
    bytes32 contradictingHash;
}

/// @title What is known here of other chains, each sealed by its own validators.
/// @notice docs/protocol/light-client.md has the rules.
interface IQbftLightClient {
    event ClientCreated(uint64 indexed chainId, uint64 height, bytes32 blockHash, bytes32 domain);
    event ClientUpdated(uint64 indexed chainId, uint64 indexed height, bytes32 blockHash, bytes32 stateRoot);
    event ClientRevived(uint64 indexed chainId, uint64 height, bytes32 blockHash);
    event ClientFrozen(uint64 indexed chainId);
    event ClientClosed(uint64 indexed chainId);
    /// @notice A quorum sealed what cannot be together with a header that was accepted before.
    /// @param knownHeight of that header
    /// @param knownHash of it
    /// @param sealedHeader the other one
    event ChainContradicted(
        uint64 indexed chainId, uint64 knownHeight, bytes32 knownHash, bytes32 contradictingHash, bytes sealedHeader
    );
    /// @notice A validator signed two different messages where it may sign one.
    event ValidatorAccused(uint64 indexed chainId, address indexed validator, uint64 height, uint64 round);

    error ChainInvalid(uint64 chainId);
    error ClientExists(uint64 chainId);
    error ClientUnknown(uint64 chainId);
    error ClientNotActive(uint64 chainId, ClientStatus status);
    error ClientExpired(uint64 chainId, uint64 timestamp);
    error SettingsInvalid();
    error HeightUnknown(uint64 chainId, uint64 height);
    /// @notice The header stands below the trusted one, or too many lie between them.
    error TrustedHeightInvalid(uint64 trustedHeight, uint64 height);
    error HeaderInvalid();
    error HeaderFromFuture(uint64 timestamp, uint256 now_);
    error SealInvalid(uint256 index);
    error SealsInsufficient(uint256 found, uint256 needed);
    error TrustInsufficient(uint256 found, uint256 needed);
    error EvidenceInvalid();

    // Anybody.

    /// @notice Accepts a header: sealed by a quorum of the validators that it names, of which more than a third
    /// of those of the trusted header are. The same block again: nothing.
    /// @param trustedHeight of a kept header, at most `NEIGHBOURS_MAX` kept ones below the new one
    /// @param sealedHeader RLP, as nodes store it
    function updateClient(uint64 chainId, uint64 trustedHeight, bytes calldata sealedHeader) external;

    /// @notice Freezes a client with two messages that contradict each other, of a validator of the set of a kept header.
    /// Once for each validator, height and round; for a frozen client, too.
    /// @param firstPayload of a prepare or a commit: RLP([code, payload]), which is signed in the chain's domain
    /// @param firstSignature r, s and v: 65 bytes
    function submitEquivocation(
        uint64 chainId,
        uint64 trustedHeight,
        bytes calldata firstPayload,
        bytes calldata firstSignature,
        bytes calldata secondPayload,
        bytes calldata secondSignature
    ) external;

    // Administration, by roles of the access manager.

    /// @param domain hash of the chain's genesis block
    /// @param sealedHeader to begin with: that of the genesis block, or one with the seals of a quorum
    /// @param trustingPeriod seconds, an hour to a year; `maxClockDrift` seconds, up to an hour
    function createClient(
        uint64 chainId,
        bytes32 domain,
        bytes calldata sealedHeader,
        uint64 trustingPeriod,
        uint64 maxClockDrift
    ) external;

    /// @notice Begins anew with another header; for one that is frozen or expired.
    function reviveClient(uint64 chainId, bytes calldata sealedHeader) external;

    function freezeClient(uint64 chainId) external;

    function closeClient(uint64 chainId) external;

    // What is known.

    /// @notice The root under which proofs are good now.
    /// @dev reverts if the client is not active, the height not kept, or its header older than the trusting period
    function stateRoot(uint64 chainId, uint64 height) external view returns (bytes32);

    function latestHeight(uint64 chainId) external view returns (uint64);

    function client(uint64 chainId) external view returns (Client memory);

    function trustedHeader(uint64 chainId, uint64 height) external view returns (TrustedHeader memory);

    /// @return of that height, ascending
    function validatorsAt(uint64 chainId, uint64 height) external view returns (address[] memory);

    function contradictionOf(uint64 chainId) external view returns (Contradiction memory);
}
