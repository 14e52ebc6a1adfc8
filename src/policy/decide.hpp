// The decision: all data as arguments, a verdict with its reason as the result. Pure, total,
// noexcept, no allocation. Anything unknown is denied.
#pragma once

#include <compare>
#include <cstdint>

#include "base/ids.hpp"
#include "policy/compiled_policy.hpp"

namespace shamon {

enum class Operation : std::uint8_t {
  flow,           ///< information from subject to object over a service
  share_memory,   ///< subject's memory mapped by object: informs both
  bind_event,     ///< event channel between the two: informs both
  start,          ///< subject starts on this machine, beside `running`
  associate,      ///< a security association carrying the subject label to a peer
  assign_device,  ///< subject label uses a resource that carries the object label; its own always
};

inline constexpr std::uint8_t kProtocolIcmp = 1;  ///< IANA protocol numbers
inline constexpr std::uint8_t kProtocolTcp = 6;
inline constexpr std::uint8_t kProtocolUdp = 17;

/// Transport selector of a flow. protocol 0: any (label-level question); port 0: any/none. Both are
/// allowed only where every service, or every port of the protocol, is.
struct Service {
  std::uint8_t protocol = 0;  ///< IANA protocol number
  std::uint16_t port = 0;     ///< destination port, host byte order
  /// Source port, host byte order: a reply under a two-way `allow` is known by it. 0: none.
  std::uint16_t source_port = 0;
  friend constexpr auto operator<=>(Service, Service) = default;
};

struct Request {
  Operation operation = Operation::flow;
  LabelId subject{};
  LabelId object{};
  Service service{};
  Revision revision{};  ///< the caller acts on this revision; another one is `stale_revision`
  LabelSet const* running = nullptr;  ///< for start: labels now running on this machine
};

enum class Verdict : std::uint8_t { deny = 0, allow = 1 };

/// Why. Stable numbers: they stand in audit records.
enum class Reason : std::uint8_t {
  common_type = 1,      ///< STE: the labels share a type
  allow_statement = 2,  ///< an `allow` in this direction and service
  same_label = 3,
  no_wall = 4,       ///< start: no conflict set is violated
  label_known = 5,   ///< define, attach, associate, migrate out: the label exists
  releases = 6,      ///< stop, close: giving something up is never denied
  policy_newer = 7,  ///< policy_load: compatible, and a greater revision
  unknown_label = 10,
  unknown_operation = 11,
  stale_revision = 12,
  no_common_type = 13,  ///< and no `allow` for the direction
  service_not_allowed = 14,
  chinese_wall = 15,  ///< a conflicting type already runs here
  secrecy = 16,       ///< no read up, no write down
  integrity = 17,     ///< no write up
  label_retired = 18,
  missing_input = 19,       ///< the request lacks what the decision needs
  image_not_verified = 20,  ///< vm_start: the image is not approved for the label
  peer_not_member = 21,     ///< association_open: no proof of acceptance
  peer_not_attested = 22,
  policy_incompatible = 23,
  policy_not_newer = 24,
  label_changed = 25,    ///< the VM already runs under another label
  guard_interface = 26,  ///< between a guard and another label only `allow` grants, and only flows
};

struct Decision {
  Verdict verdict = Verdict::deny;
  Reason reason = Reason::unknown_operation;
  StatementId statement{};  ///< statement -> file:line for explain; 0: none
  bool allowed() const noexcept { return verdict == Verdict::allow; }
};

Decision decide(Request const& request, CompiledPolicy const& policy) noexcept;

}  // namespace shamon
