// The authority's own keys and certificates, in files of its state folder; made at the first start.
#pragma once

#include <string>
#include <vector>

#include "authority/core.hpp"
#include "crypto/tls.hpp"

namespace shamon {

struct ServerNames {
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
};

struct AuthorityIdentity {
  AuthorityKeys keys;
  TlsIdentity server;  ///< of the HTTPS service, under the coalition's CA
};

/// Files: ca-key.pem, status-key.pem, server-key.pem (0600); ca.pem (0644), server.pem. Keys and CA
/// are made once; the server's certificate is issued at every start, for the names given.
/// Errors: `system`; `malformed` if a file is not what it should be; `stale` if the CA has ended.
Result<AuthorityIdentity> load_or_create_identity(std::string const& state_folder,
                                                  CoalitionName const& coalition,
                                                  ServerNames const& names, WallTime now);

}  // namespace shamon
