#include "policy/compiled_policy.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "label/label_name.hpp"
#include "policy/tables.hpp"

namespace shamon {
namespace {

using Tables = CompiledPolicy::Tables;

Status check_limits(PolicyRules const& rules) {
  auto over = [](std::string_view what, std::size_t max) {
    return fail(Errc::too_large, "more than " + std::to_string(max) + " " + std::string(what));
  };
  if (rules.labels.size() > kLabelsMax) return over("labels", kLabelsMax);
  if (rules.type_count > kTypesMax) return over("types", kTypesMax);
  if (rules.walls.size() > kWallsMax) return over("walls", kWallsMax);
  if (rules.allows.size() > kAllowRulesMax) return over("allow rules", kAllowRulesMax);
  if (rules.statements.size() > kStatementsMax) return over("statements", kStatementsMax);
  for (auto const& origin : rules.statements) {
    if (origin.file.size() > kFileNameBytesMax)
      return over("bytes of file name", kFileNameBytesMax);
    if (origin.text.size() > kStatementBytesMax) return over("bytes of text", kStatementBytesMax);
  }
  return {};
}

Status check_indexes(PolicyRules const& rules) {
  auto known_statement = [&](StatementId id) { return id.value() <= rules.statements.size(); };
  auto known_types = [&](TypeSet const& set) { return (set >> rules.type_count).none(); };
  if (!rules.coalition.value().empty() && !is_valid_name(rules.coalition.value())) {
    return fail(Errc::invalid, "the coalition's name is invalid");
  }
  if (!rules.labels.empty() && rules.revision.value() == 0) {
    return fail(Errc::invalid, "revision 0 means no policy");
  }
  for (auto const& [label, statement] : rules.labels) {
    if (!is_valid_label_name(label.name.value())) {
      return fail(Errc::invalid, "a label's name is invalid");
    }
    if (!known_statement(statement)) return fail(Errc::invalid, "a label's statement is unknown");
    if (!known_types(label.share) || !known_types(label.wall)) {
      return fail(Errc::invalid, "label " + label.name.value() + " has an unknown type");
    }
  }
  for (auto const& wall : rules.walls) {
    if (!known_statement(wall.statement))
      return fail(Errc::invalid, "a wall's statement is unknown");
    if (!known_types(wall.types)) return fail(Errc::invalid, "a wall has an unknown type");
  }
  for (auto const& allow : rules.allows) {
    if (!known_statement(allow.statement)) return fail(Errc::invalid, "an allow is unknown");
    if (allow.from.value() >= rules.labels.size() || allow.to.value() >= rules.labels.size()) {
      return fail(Errc::invalid, "an allow names an unknown label");
    }
    if (allow.port_low > allow.port_high) return fail(Errc::invalid, "a port range is reversed");
  }
  return {};
}

Status index_names(Tables& tables) {
  auto const& labels = tables.rules.labels;
  auto name = [&](std::uint16_t i) -> LabelName const& { return labels[i].label.name; };
  tables.by_name.resize(labels.size());
  std::iota(tables.by_name.begin(), tables.by_name.end(), std::uint16_t{0});
  std::sort(tables.by_name.begin(), tables.by_name.end(),
            [&](auto a, auto b) { return name(a) < name(b); });
  auto const twice = std::adjacent_find(tables.by_name.begin(), tables.by_name.end(),
                                        [&](auto a, auto b) { return name(a) == name(b); });
  if (twice == tables.by_name.end()) return {};
  return fail(Errc::invalid, "label " + name(*twice).value() + " is there twice");
}

void fill_pairs(Tables& tables) {
  auto const& labels = tables.rules.labels;
  std::size_t const count = labels.size();
  tables.pairs.assign(count * count, PairCell{});
  for (std::size_t a = 0; a < count; ++a) {
    tables.known.set(a);
    for (std::size_t b = 0; b < count; ++b) {
      Label const& from = labels[a].label;
      Label const& to = labels[b].label;
      PairCell& cell = tables.pairs[a * count + b];
      cell.common_type = have_common_type(from.share, to.share);
      cell.guarded = a != b && (from.guard || to.guard);
      cell.bar = bar_between(from.levels, to.levels);
    }
  }
}

struct PlacedRule {
  std::size_t pair = 0;
  ServiceRule rule;
  auto key() const {
    return std::tuple(pair, rule.low, rule.span, !rule.either_port, rule.statement);
  }
};

ServiceRule rule_of(AllowRule const& allow) {
  ServiceRule rule{0, UINT32_MAX, allow.two_way, allow.statement};
  if (allow.protocol != 0) {
    rule.low = service_key(allow.protocol, allow.port_low);
    rule.span = std::uint32_t{allow.port_high} - allow.port_low;
  }
  return rule;
}

/// One rule per direction; sorted so that a pair's rules lie together, those for every service
/// first.
std::vector<PlacedRule> place_rules(PolicyRules const& rules) {
  std::vector<PlacedRule> placed;
  std::size_t const count = rules.labels.size();
  for (auto const& allow : rules.allows) {
    ServiceRule const rule = rule_of(allow);
    placed.push_back({allow.from.value() * count + allow.to.value(), rule});
    if (allow.two_way && allow.from != allow.to) {
      placed.push_back({allow.to.value() * count + allow.from.value(), rule});
    }
  }
  std::sort(placed.begin(), placed.end(),
            [](auto const& a, auto const& b) { return a.key() < b.key(); });
  return placed;
}

Status fill_service_rules(Tables& tables) {
  for (auto const& placed : place_rules(tables.rules)) {
    PairCell& cell = tables.pairs[placed.pair];
    if (cell.rule_count == 0) {
      cell.first_rule = static_cast<std::uint32_t>(tables.service_rules.size());
    }
    if (cell.rule_count == kRulesPerPairMax) {
      return fail(Errc::too_large, "more than " + std::to_string(kRulesPerPairMax) +
                                       " services are allowed from one label to another");
    }
    ++cell.rule_count;
    tables.service_rules.push_back(placed.rule);
  }
  return {};
}

}  // namespace

Result<CompiledPolicy> compile(PolicyRules rules) {
  if (auto checked = check_limits(rules); !checked) return pass(checked);
  if (auto checked = check_indexes(rules); !checked) return pass(checked);
  auto tables = std::make_unique<Tables>();
  tables->rules = std::move(rules);
  if (auto indexed = index_names(*tables); !indexed) return pass(indexed);
  fill_pairs(*tables);
  if (auto filled = fill_service_rules(*tables); !filled) return pass(filled);
  return CompiledPolicy(std::move(tables));
}

CompiledPolicy::CompiledPolicy() : tables_(std::make_unique<Tables>()) {}
CompiledPolicy::CompiledPolicy(std::unique_ptr<Tables> tables) noexcept
    : tables_(std::move(tables)) {}
CompiledPolicy::~CompiledPolicy() = default;
CompiledPolicy::CompiledPolicy(CompiledPolicy&&) noexcept = default;
CompiledPolicy& CompiledPolicy::operator=(CompiledPolicy&&) noexcept = default;

CoalitionName const& CompiledPolicy::coalition() const noexcept {
  return tables_->rules.coalition;
}
Revision CompiledPolicy::revision() const noexcept {
  return tables_->rules.revision;
}
std::size_t CompiledPolicy::label_count() const noexcept {
  return tables_->rules.labels.size();
}

LabelName CompiledPolicy::label_name(LabelId id) const {
  if (id.value() >= label_count()) return LabelName("?");
  return tables_->rules.labels[id.value()].label.name;
}

std::optional<LabelId> CompiledPolicy::find_label(LabelName const& name) const {
  auto const& labels = tables_->rules.labels;
  auto const at = std::lower_bound(
      tables_->by_name.begin(), tables_->by_name.end(), name,
      [&](std::uint16_t i, LabelName const& wanted) { return labels[i].label.name < wanted; });
  if (at == tables_->by_name.end() || labels[*at].label.name != name) return std::nullopt;
  return LabelId(*at);
}

StatementOrigin CompiledPolicy::origin(StatementId id) const {
  if (id.value() == 0 || id.value() > tables_->rules.statements.size()) return {};
  return tables_->rules.statements[id.value() - 1];
}

}  // namespace shamon
