// What the authority remembers of a machine across restarts.
#pragma once

#include "coalition/messages/operator.hpp"

namespace shamon {

/// A machine's life (registered → challenged → refused | active ⇄ suspect → revoked; left). The
/// numbers stand in the store.
enum class HostState : std::uint8_t {
  registered = 1,
  challenged = 2,
  refused = 3,
  active = 4,
  suspect = 5,
  revoked = 6,
  left = 7,
};
std::string_view to_string(HostState state) noexcept;

/// Who ended a membership: an operator's word stands until an operator takes it back; a machine
/// that failed or was silent may prove itself anew.
enum class RevokedBy : std::uint8_t {
  nobody = 0,
  operators = 1,
  attestation = 2,
  silence = 3,
  policy = 4
};

struct HostRecord {
  HostName host;
  std::uint64_t state = 0;       ///< HostState
  std::uint64_t revoked_by = 0;  ///< RevokedBy
  std::string ek_fingerprint;    ///< SHA-256 of the EK's SPKI, hex
  Bytes ek_public, ak_public;    ///< TPM2B_PUBLIC
  Bytes tls_public;              ///< SPKI of the key its membership certificate is for
  std::string platform, location;
  Endpoint control, tunnel;
  std::string reason;  ///< last refusal or revocation
  std::vector<FindingMessage> findings;
  std::optional<WallTime> last_attested;

  HostState host_state() const noexcept { return static_cast<HostState>(state); }
  void set_state(HostState to) noexcept { state = static_cast<std::uint64_t>(to); }

  static constexpr auto kFields = fields(
      field("host", &HostRecord::host), field("state", &HostRecord::state),
      field("revoked_by", &HostRecord::revoked_by),
      field("ek_fingerprint", &HostRecord::ek_fingerprint),
      field("ek_public", &HostRecord::ek_public), field("ak_public", &HostRecord::ak_public),
      field("tls_public", &HostRecord::tls_public), field("platform", &HostRecord::platform),
      field("location", &HostRecord::location), field("control", &HostRecord::control),
      field("tunnel", &HostRecord::tunnel), field("reason", &HostRecord::reason),
      field("findings", &HostRecord::findings), field("last_attested", &HostRecord::last_attested));
  static constexpr Limits kLimits{.bytes_max = 1u << 20};
};

MemberEntry to_member_entry(HostRecord const& record);

}  // namespace shamon
