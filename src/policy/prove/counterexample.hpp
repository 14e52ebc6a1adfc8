// What a solver found: the values at which statements and tables differ, in the words of the
// policy, and checked against decide() itself.
#pragma once

#include "policy/decide.hpp"
#include "policy/document.hpp"

namespace shamon {

/// The values of one row's names, as a solver gives them for kValuesWanted.
struct RowValues {
  std::uint16_t to = 0;
  Service service;
  struct Side {
    bool flow = false, memory = false, device = false, start = false;
  };
  Side statements;
  Side compiled;
  bool unlicensed = false;
};

/// The command that asks for them.
extern std::string_view const kValuesWanted;

/// Reads the answer to kValuesWanted: ((to #x0001) … (compiled.flow true) …), numbers in
/// hexadecimal or binary. Errors: `malformed` with an offset; `too_large` above kAnswerBytesMax.
Result<RowValues> parse_row_values(std::string_view answer);

/// One question on which the statements and the tables differ.
struct Counterexample {
  Operation operation = Operation::flow;
  std::string from;  ///< for start: the label that starts
  std::string to;    ///< for start: the label that runs; "label 9" if that number names none
  Service service;   ///< for flow
  bool statements_allow = false;
  bool tables_allow = false;
  /// decide() said the same of the tables as the solver did. If not, it is the translation of the
  /// tables that is wrong, and nothing is known of the policy.
  bool confirmed = false;
  bool unlicensed = false;  ///< both allow, but not by the statement that decide() names
  Decision decision;
  /// The statements that allow it or, if none does, those about the two labels.
  std::vector<Origin> statements;

  std::string describe() const;  ///< a line a fact, without a line end
};

/// Of all that differs at these values, the first of flow, memory, device, start.
Counterexample explain_difference(RowValues const& values, LabelStatement const& from,
                                  PolicyDocument const& document, CompiledPolicy const& policy);

}  // namespace shamon
