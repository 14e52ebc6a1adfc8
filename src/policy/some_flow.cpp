#include "policy/some_flow.hpp"

#include "policy/tables.hpp"

namespace shamon {

Decision decide_some_flow(LabelId subject, LabelId object, CompiledPolicy const& policy) noexcept {
  Request request{Operation::flow, subject, object, {}, policy.revision(), nullptr};
  Decision const whole = decide(request, policy);
  // Only this denial leaves room for a service, and it says that both labels exist.
  if (whole.reason != Reason::service_not_allowed) return whole;
  CompiledPolicy::Tables const& tables = policy.tables();
  PairCell const& cell = tables.pair(subject, object);
  for (std::uint32_t i = 0; i < cell.rule_count; ++i) {
    std::uint32_t const low = tables.service_rules[cell.first_rule + i].low;
    request.service.protocol = static_cast<std::uint8_t>(low >> 16);
    request.service.port = static_cast<std::uint16_t>(low);
    Decision const one = decide(request, policy);
    if (one.allowed()) return one;
  }
  return whole;
}

}  // namespace shamon
