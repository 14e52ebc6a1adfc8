// An SMT solver as a separate process that reads SMT-LIB 2 and answers: Z3 or cvc5, whichever an
// auditor trusts, or both one after the other.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/process.hpp"

namespace shamon {

/// The solvers we know how to start, in the order they are tried.
inline constexpr std::string_view kSolverNames[] = {"z3", "cvc5"};
inline constexpr std::size_t kSolverAnswerBytesMax = 65536;

enum class SolverVerdict { sat, unsat };

class SmtSolver {
 public:
  /// `name` is one of kSolverNames, found in PATH; everything it is asked must be answered within
  /// `limit` from now. Errors: `not_found` if it is not installed, with the package that has it.
  static Result<SmtSolver> start(std::string const& name, Duration limit);

  /// "Z3 version 4.8.12 - 64 bit": as it says itself.
  std::string const& version() const noexcept { return version_; }
  /// Adds to what it knows. Errors: `timeout`, `system` if it has ended.
  Status tell(std::string_view text);
  /// (check-sat). Errors: as tell; `unsupported` if it says `unknown`, `internal` if it says
  /// anything else, with what it said.
  Result<SolverVerdict> check();
  /// Another command with one parenthesised answer. Errors: as check.
  Result<std::string> ask(std::string_view command);
  /// Lets it end by itself; without this it is ended by a signal, and may say so.
  void finish();

 private:
  /// Sends what is waiting and takes what comes until one whole answer is there.
  Result<std::string> answer();
  /// Waits until the socket can be read, or written if there is something to send.
  Result<short> wait();
  Status send_some();
  Status receive_some();
  tl::unexpected<Error> ended();
  tl::unexpected<Error> said(std::string_view answer) const;

  std::string name_;
  std::string version_;
  Process process_;
  UniqueFd socket_;
  Instant deadline_;
  std::string unsent_;
  std::string received_;
};

}  // namespace shamon
