#include "operator/cli/matrix_proof.hpp"

#include "base/assert.hpp"
#include "base/clock.hpp"

namespace shamon {
namespace {

/// A solver that finds no answer where there is one would prove anything.
Status check_control(SmtSolver& solver, MatrixQuestion const& question) {
  if (auto told = solver.tell("(push 1)\n" + question.control_row()); !told) return told;
  auto const verdict = solver.check();
  if (!verdict) return pass(verdict);
  if (*verdict != SolverVerdict::sat) {
    return fail(Errc::internal,
                "the solver found no answer to the control question, which has one");
  }
  return solver.tell("(pop 1)\n");
}

Result<std::optional<RowValues>> check_row(SmtSolver& solver, std::string const& row) {
  if (auto told = solver.tell("(push 1)\n" + row); !told) return pass(told);
  auto const verdict = solver.check();
  if (!verdict) return pass(verdict);
  if (*verdict == SolverVerdict::sat) {
    auto const answer = solver.ask(kValuesWanted);
    if (!answer) return pass(answer);
    auto values = parse_row_values(*answer);
    if (!values) return pass(values);
    return std::optional(*values);
  }
  if (auto told = solver.tell("(pop 1)\n"); !told) return pass(told);
  return std::optional<RowValues>();
}

}  // namespace

Result<MatrixProof> prove_matrix(MatrixQuestion const& question, PolicyDocument const& document,
                                 CompiledPolicy const& policy, std::string const& solver_name,
                                 Duration limit) {
  SHAMON_ASSERT(question.disagreements().empty());
  Instant const begin = read_monotonic_clock();
  auto solver = SmtSolver::start(solver_name, limit);
  if (!solver) return pass(solver);
  MatrixProof out;
  out.solver = solver->version();
  if (auto told = solver->tell(question.preamble()); !told) return pass(told);
  if (question.rows() != 0) {
    if (auto checked = check_control(*solver, question); !checked) return pass(checked);
  }
  for (; out.rows < question.rows() && !out.counterexample; ++out.rows) {
    auto const values = check_row(*solver, question.row(out.rows));
    if (!values) return pass(values, "what " + question.label(out.rows).name.text + " may do");
    if (!*values) continue;
    out.counterexample = explain_difference(**values, question.label(out.rows), document, policy);
  }
  solver->finish();
  out.took = read_monotonic_clock() - begin;
  return out;
}

}  // namespace shamon
