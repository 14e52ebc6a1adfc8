#include "policy/decide.hpp"

#include "policy/tables.hpp"

namespace shamon {
namespace {

using Tables = CompiledPolicy::Tables;

Decision allow(Reason reason, StatementId statement) noexcept {
  return {Verdict::allow, reason, statement};
}
Decision deny(Reason reason, StatementId statement = {}) noexcept {
  return {Verdict::deny, reason, statement};
}

StatementId statement_of(Tables const& tables, LabelId label) noexcept {
  return tables.rules.labels[label.value()].statement;
}

/// Without branches, because decide() tries up to kRulesPerPairMax of them and which one fits is
/// nobody's to predict. Unsigned wrap-around makes each range one comparison.
bool matches(ServiceRule const& rule, std::uint32_t key, std::uint32_t reply_key) noexcept {
  auto const to_port = static_cast<unsigned>(key - rule.low <= rule.span);
  auto const from_port = static_cast<unsigned>(reply_key - rule.low <= rule.span);
  return (to_port | (from_port & static_cast<unsigned>(rule.either_port))) != 0;
}

/// By the guard's own statement.
Decision deny_beside_guard(Request const& request, Tables const& tables) noexcept {
  bool const subject = tables.rules.labels[request.subject.value()].label.guard;
  return deny(Reason::guard_interface,
              statement_of(tables, subject ? request.subject : request.object));
}

/// What is granted, unless levels keep information from going one of these ways.
Decision unless_barred(Decision granted, LevelBar there, LevelBar back, Request const& request,
                       Tables const& tables) noexcept {
  if (there == LevelBar::none && back == LevelBar::none) return granted;
  bool const secrecy = there == LevelBar::secrecy || back == LevelBar::secrecy;
  return deny(secrecy ? Reason::secrecy : Reason::integrity, statement_of(tables, request.subject));
}

Decision allow_for_type(Request const& request, Tables const& tables) noexcept {
  bool const same = request.subject == request.object;
  return allow(same ? Reason::same_label : Reason::common_type,
               statement_of(tables, request.subject));
}

/// A common type, and levels that let each side be informed of the other: no `allow` can help.
Decision decide_both_ways(Request const& request, Tables const& tables) noexcept {
  PairCell const& there = tables.pair(request.subject, request.object);
  PairCell const& back = tables.pair(request.object, request.subject);
  if (!there.common_type) {
    return deny(Reason::no_common_type, statement_of(tables, request.subject));
  }
  return unless_barred(allow_for_type(request, tables), there.bar, back.bar, request, tables);
}

/// Shared memory and events. INVARIANT(narrow-guards): a guard has neither with another label.
Decision decide_sharing(Request const& request, Tables const& tables) noexcept {
  bool const guarded = tables.pair(request.subject, request.object).guarded;
  return guarded ? deny_beside_guard(request, tables) : decide_both_ways(request, tables);
}

/// A VM may have what carries its own label, even if that label shares with nobody: a disk or a TPM
/// is part of the one VM it is given to. A device is no subject, so that a guard may have one too.
Decision decide_device(Request const& request, Tables const& tables) noexcept {
  bool const own = request.subject == request.object;
  return own ? allow_for_type(request, tables) : decide_both_ways(request, tables);
}

/// INVARIANT(levels-hold): but for what an `allow` names to or from a guard, nothing flows to lower
/// secrecy or to higher integrity.
Decision decide_flow(Request const& request, Tables const& tables) noexcept {
  PairCell const& cell = tables.pair(request.subject, request.object);
  LevelBar const bar = cell.guarded ? LevelBar::none : cell.bar;
  if (cell.common_type && !cell.guarded) {
    return unless_barred(allow_for_type(request, tables), bar, LevelBar::none, request, tables);
  }
  if (cell.rule_count == 0) {
    if (cell.guarded) return deny_beside_guard(request, tables);
    return deny(Reason::no_common_type, statement_of(tables, request.subject));
  }
  ServiceRule const* const first = &tables.service_rules[cell.first_rule];
  std::uint32_t const key = service_key(request.service.protocol, request.service.port);
  std::uint32_t const reply = service_key(request.service.protocol, request.service.source_port);
  for (ServiceRule const* rule = first; rule != first + cell.rule_count; ++rule) {
    if (!matches(*rule, key, reply)) continue;
    Decision const granted = allow(Reason::allow_statement, rule->statement);
    return unless_barred(granted, bar, LevelBar::none, request, tables);
  }
  return deny(Reason::service_not_allowed, first->statement);
}

/// Chinese Wall: INVARIANT(one-side-per-machine) of every conflict set, at most one type runs. A
/// wall that is broken already (by a change of policy) keeps every label from starting.
Decision decide_start(Request const& request, Tables const& tables) noexcept {
  if (request.running == nullptr) return deny(Reason::missing_input);
  if ((*request.running & ~tables.known).any()) return deny(Reason::unknown_label);
  LabelSet there = *request.running;
  there.set(request.subject.value());
  TypeSet types;
  for (std::size_t i = there._Find_first(); i < there.size(); i = there._Find_next(i)) {
    types |= tables.rules.labels[i].label.wall;
  }
  for (auto const& wall : tables.rules.walls) {
    if ((wall.types & types).count() > 1) return deny(Reason::chinese_wall, wall.statement);
  }
  return allow(Reason::no_wall, statement_of(tables, request.subject));
}

}  // namespace

// INVARIANT(deny-by-default): every path that is not an explicit allow ends in a denial.
Decision decide(Request const& request, CompiledPolicy const& policy) noexcept {
  Tables const& tables = policy.tables();
  if (request.revision != tables.rules.revision) return deny(Reason::stale_revision);
  std::size_t const labels = tables.rules.labels.size();
  if (request.subject.value() >= labels) return deny(Reason::unknown_label);
  bool const object_known = request.object.value() < labels;
  switch (request.operation) {
    case Operation::flow:
      return object_known ? decide_flow(request, tables) : deny(Reason::unknown_label);
    case Operation::share_memory:
    case Operation::bind_event:
      return object_known ? decide_sharing(request, tables) : deny(Reason::unknown_label);
    case Operation::assign_device:
      return object_known ? decide_device(request, tables) : deny(Reason::unknown_label);
    case Operation::start: return decide_start(request, tables);
    case Operation::associate:
      return allow(Reason::label_known, statement_of(tables, request.subject));
  }
  return deny(Reason::unknown_operation);
}

}  // namespace shamon
