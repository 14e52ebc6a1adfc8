// The tables of a compiled policy. Only decide(), some_flow and the compiler look inside.
#pragma once

#include <vector>

#include "policy/rules.hpp"

namespace shamon {

/// A protocol and a port as one number, so that a range of ports is a range of numbers.
constexpr std::uint32_t service_key(std::uint8_t protocol, std::uint16_t port) noexcept {
  return std::uint32_t{protocol} << 16 | port;
}

/// One service rule of a pair of labels, in the order decide() tries them: the services with keys
/// from `low` to `low + span`. Every service: from 0 to the greatest number.
struct ServiceRule {
  std::uint32_t low = 0;
  std::uint32_t span = 0;
  bool either_port = false;  ///< two-way: the source port may carry the service
  StatementId statement;
};

/// What one label may send to another: one lookup, then at most kRulesPerPairMax rules.
struct PairCell {
  std::uint32_t first_rule = 0;
  std::uint8_t rule_count = 0;
  bool common_type = false;
  bool guarded = false;  ///< one of the two is a guard, and they differ: only `allow` grants
  LevelBar bar = LevelBar::none;
};
static_assert(sizeof(PairCell) == 8 && kRulesPerPairMax <= UINT8_MAX);

struct CompiledPolicy::Tables {
  PolicyRules rules;
  std::vector<std::uint16_t> by_name;      ///< label indexes, sorted by name
  std::vector<PairCell> pairs;             ///< [from * labels + to]
  std::vector<ServiceRule> service_rules;  ///< grouped by pair
  LabelSet known;                          ///< the labels that exist

  PairCell const& pair(LabelId from, LabelId to) const noexcept {
    return pairs[from.value() * rules.labels.size() + to.value()];
  }
};

}  // namespace shamon
