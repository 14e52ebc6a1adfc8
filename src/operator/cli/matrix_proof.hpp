// Puts a MatrixQuestion to a solver, row by row.
#pragma once

#include <optional>

#include "operator/cli/smt_solver.hpp"
#include "policy/prove/counterexample.hpp"
#include "policy/prove/matrix_question.hpp"

namespace shamon {

struct MatrixProof {
  std::string solver;  ///< with its version
  std::size_t rows = 0;
  Duration took{};
  /// Absent: the solver found every row without an answer, after it had answered the control.
  std::optional<Counterexample> counterexample;
};

/// Errors: `not_found`, `timeout`, `system`, `unsupported` (the solver answered `unknown`),
/// `internal` (it answered something else, or found no answer to the control question). No error
/// is a proof. The question must not have disagreements.
Result<MatrixProof> prove_matrix(MatrixQuestion const& question, PolicyDocument const& document,
                                 CompiledPolicy const& policy, std::string const& solver,
                                 Duration limit);

}  // namespace shamon
