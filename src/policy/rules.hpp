// The part of a policy that decisions are made from: what source compiles to, what the byte image
// carries and what the tables are built from.
#pragma once

#include <vector>

#include "label/label.hpp"
#include "policy/compiled_policy.hpp"
#include "policy/limits.hpp"

namespace shamon {

struct LabelRule {
  Label label;
  StatementId statement;
};

/// A conflict set: never two of its types on one machine at once.
struct WallRule {
  TypeSet types;
  StatementId statement;
};

/// One service of one `allow`. Protocol 0: every service. Ports are the destination's; of a
/// two-way rule either end's, because replies carry the service's port as their source.
struct AllowRule {
  LabelId from;
  LabelId to;
  bool two_way = false;
  std::uint8_t protocol = 0;
  std::uint16_t port_low = 0;
  std::uint16_t port_high = 65535;
  StatementId statement;
};

struct PolicyRules {
  CoalitionName coalition;
  Revision revision;
  std::uint16_t type_count = 0;
  std::vector<LabelRule> labels;  ///< LabelId is the index
  std::vector<WallRule> walls;
  std::vector<AllowRule> allows;
  std::vector<StatementOrigin> statements;  ///< StatementId is the index plus 1
};

/// Builds the tables after checking every bound and index.
/// Errors: `too_large` (a named limit), `invalid` (an index or a name).
Result<CompiledPolicy> compile(PolicyRules rules);

}  // namespace shamon
