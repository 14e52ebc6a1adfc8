// Does a compiled policy say what its statements say? The question as SMT-LIB 2 text (logic QF_BV),
// one row of the matrix after the other, for a solver that knows nothing of policies.
#pragma once

#include "policy/prove/statements_smt.hpp"
#include "policy/prove/tables_smt.hpp"

namespace shamon {

/// Each row asks for a label `to` (16 bits, also those that name nothing), a protocol (8 bits), a
/// destination and a source port (16 bits each) for which the statements and the tables differ on
/// what `from` may do. No such values for any row: the tables equal the statements.
///
/// INVARIANT(matrix-is-statements): no row has an answer, for any policy build_policy() makes.
///
/// Two labels suffice for `start`, whatever runs. Both sides deny exactly if some wall would have
/// two different types of it there. Two types come from two labels at most, so a start beside any
/// set of labels is denied exactly if, for two of all that would be there (or one and itself), the
/// start of the one beside the other is. These are the questions asked.
class MatrixQuestion {
 public:
  /// Both must outlive this.
  MatrixQuestion(PolicyDocument const& document, CompiledPolicy const& policy);

  /// Where the two differ before any solver is asked: coalition, revision, labels, the shape of the
  /// tables. If there is any, there are no rows.
  std::vector<std::string> const& disagreements() const noexcept { return disagreements_; }

  /// Declarations and both sides' definitions.
  std::string preamble() const;
  std::size_t rows() const noexcept { return disagreements_.empty() ? ids_.size() : 0; }
  /// What row `index` asserts, to be put between (push 1) and (check-sat).
  std::string row(std::size_t index) const;
  /// Row 0 with the compiled side negated at one packet: it has an answer, and a solver that finds
  /// none proves nothing.
  std::string control_row() const;
  LabelStatement const& label(std::size_t index) const { return document_->labels[index]; }
  /// Everything as one file that any SMT-LIB 2 solver reads: `sat` for the control, then `unsat`
  /// for every row.
  std::string script() const;

 private:
  std::string definitions_of_row(std::size_t index) const;

  PolicyDocument const* document_;
  CompiledPolicy const* policy_;
  StatementsSmt statements_;
  TablesSmt tables_;
  std::vector<LabelId> ids_;  ///< of the document's labels, in its order
  std::vector<std::string> disagreements_;
};

}  // namespace shamon
