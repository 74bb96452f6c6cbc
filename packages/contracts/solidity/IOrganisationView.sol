// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What other contracts ask about organisations. On a side chain a mirror answers.
interface IOrganisationView {
    /// @return code the organisation whose account this is today and which is not suspended; 0 if none
    function organisationOf(address account) external view returns (bytes32 code);

    /// @return account of the organisation today; 0 if unknown
    function accountOf(bytes32 code) external view returns (address account);

    /// @return class 0 no verifier, 1 public body, 2 commercial; others as governance says
    function verifierClassOf(bytes32 code) external view returns (uint8 class);

    /// @return bits of `OrganisationRegistry`: 1 registrar, 2 supervising authority, 4 root authority
    function capacitiesOf(bytes32 code) external view returns (uint256 bits);

    /// @notice Whether the chain from the root authority to this issuing authority held at that time.
    /// @param time seconds since 1970
    function isAccredited(bytes32 code, bytes32 licenceType, uint64 time) external view returns (bool);
}
