// Which machines and which images a policy admits: pure questions about facts others established.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/decide.hpp"
#include "policy/document.hpp"

namespace shamon {

/// What is known about a machine. A fact that is not established is left empty.
struct HostFacts {
  std::string platform;                  ///< as the appraisal named it, e.g. "debian12-kvm"
  std::string location;                  ///< as an endorser vouched for it, e.g. "campus-1"
  std::optional<Duration> attested_ago;  ///< time since the last successful appraisal
};

struct MembershipDecision {
  Verdict verdict = Verdict::deny;
  std::string reason;     ///< one line: the clause that failed, with what was found
  StatementId statement;  ///< the `member` statement that decided; 0: there is none
  bool allowed() const noexcept { return verdict == Verdict::allow; }
};

/// All clauses of one `member host` statement must hold. `attested within` includes its bound; a
/// negative age (a clock that went back) does not hold.
MembershipDecision evaluate(HostCondition const& condition, HostFacts const& facts);

/// A machine is admitted if one `member host` statement holds. Without any: nobody is.
MembershipDecision admit_host(PolicyDocument const& document, HostFacts const& facts);

/// An image may run under a label if one `member vm LABEL` statement names it.
MembershipDecision admit_image(PolicyDocument const& document, LabelName const& label,
                               std::string_view image);

/// "60s", "500ms", "5m", "24h": the largest unit that says it exactly.
std::string to_policy_text(Duration duration);

}  // namespace shamon
