// What /etc/shamon/authority.toml says.
#pragma once

#include <string>
#include <vector>

#include "authority/keys.hpp"

namespace shamon {

struct AuthorityConfig {
  CoalitionName coalition;
  std::string policy_path;    ///< first policy, and newer revisions at start or SIGHUP
  std::string state_folder;   ///< 0700: store and keys; ca.pem in it is for everybody
  std::string socket_folder;  ///< authority.sock (own user and root), authority-read.sock (all)
  Endpoint listen;
  ServerNames names;
  std::vector<std::string> endorser_root_paths;  ///< PEM bundles of EK CAs
  std::vector<std::string> approved_eks;         ///< SHA-256 of an EK's SPKI, hex
  std::vector<std::string> reference_value_paths;
  std::vector<std::string> required_components;
  std::uint32_t pcr_mask = 0;
  bool require_ima = false;
  bool check_ima_files = false;
  Duration heartbeat{}, lease{}, challenge_period{}, challenge_timeout{}, unreachable_after{};
  Duration membership{};
  std::vector<AeadAlgorithm> ciphers;  ///< for ESP, the preferred first
};

/// Relative paths are of the file's folder. Errors: `malformed`, every problem with
/// file:line:column.
Result<AuthorityConfig> read_authority_config(std::string const& path);
Result<AuthorityConfig> parse_authority_config(std::string const& file_name,
                                               std::string const& text);

/// {"reference_values":[{"component":…,"digest":"sha256:…","trusted":true,"source":…}]}
Result<std::vector<ReferenceValueMessage>> read_reference_values(std::string const& path);

/// The core's options of a configuration; reads the endorser roots. Randomness is the system's.
Result<AuthorityOptions> make_options(AuthorityConfig const& config);

}  // namespace shamon
