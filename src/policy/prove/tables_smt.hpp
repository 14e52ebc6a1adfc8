// What the tables of a compiled policy mean, in SMT-LIB: each read as decide() reads it, with its
// unsigned wrap-around. No statement is looked at here.
#pragma once

#include <functional>

#include "policy/tables.hpp"

namespace shamon {

/// What is wrong with the shape of the tables, so that decide() could not read them at all: one
/// line each. Empty: nothing.
std::vector<std::string> malformed_tables(CompiledPolicy::Tables const& tables);

/// The compiled side of the question. Speaks of the constants of StatementsSmt.
class TablesSmt {
 public:
  /// Gives the predicate of the statement a rule names; "" if it is no `allow`.
  using AllowName = std::function<std::string(StatementId)>;

  /// `tables` must outlive this and be well formed.
  explicit TablesSmt(CompiledPolicy::Tables const& tables) : tables_(tables) {}

  /// The keys of a service, and the labels that are known.
  std::string definitions() const;
  /// For what `from` sends: compiled.flow, .memory, .device and .start, which speak of `to`, and
  /// compiled.unlicensed: a rule lets something pass that the statement it names does not.
  std::string row(LabelId from, AllowName const& allow_name) const;

 private:
  std::string rules_to(LabelId from, LabelId to, AllowName const& allow_name,
                       std::vector<std::string>& unlicensed) const;
  std::string conflicting(LabelId from) const;
  /// The labels whose cell, from `from` to them or back, satisfies `which`.
  template <class Which>
  std::string labels_where(Which which) const;

  CompiledPolicy::Tables const& tables_;
};

}  // namespace shamon
