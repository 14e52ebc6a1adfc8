// What a policy's statements mean, in SMT-LIB, as docs/policy-language.md says it: over names and
// lists, from the document alone. No table is looked at here.
#pragma once

#include <map>
#include <set>

#include "policy/document.hpp"

namespace shamon {

/// The statements' side of the question whether a compiled policy says what its statements say.
/// Speaks of the constants `to`, `protocol`, `port` and `source-port`, and of a constant for each
/// label (name_of), which the caller declares.
class StatementsSmt {
 public:
  /// `document` must outlive this.
  explicit StatementsSmt(PolicyDocument const& document);

  static std::string name_of(LabelStatement const& label);

  /// Predicates over labels and pairs of labels, each under a comment with its lines: one for each
  /// type, side of a wall, rank, category and `allow`.
  std::string definitions() const;
  /// For what `from` does: statements.flow, .memory, .device and .start, which speak of `to`.
  /// statements.start: `from` starts beside `to` running.
  std::string row(LabelStatement const& from) const;
  /// The name of an `allow` as a predicate over two labels; "" if that statement is none.
  std::string allow_name(StatementId statement) const;

 private:
  std::string type_definitions() const;
  std::string level_definitions() const;
  std::string wall_definitions() const;
  std::string allow_definition(AllowStatement const& allow) const;

  std::string levels_there(LabelStatement const& from) const;
  std::string levels_back(LabelStatement const& from) const;
  std::string apart(LabelStatement const& from) const;
  std::string allowed(LabelStatement const& from) const;

  PolicyDocument const& document_;
  std::map<std::string, std::vector<AllowStatement const*>> allows_;  ///< by either end
  std::set<std::uint32_t> allow_ids_;
};

}  // namespace shamon
