#include "operator/cli/smt_solver.hpp"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>

#include "base/clock.hpp"

namespace shamon {
namespace {

std::vector<std::string> arguments_of(std::string const& name) {
  if (name == "z3") return {"z3", "-smt2", "-in"};
  // Its own bit blaster keeps what it learnt from one row to the next; the default does not.
  return {"cvc5", "--lang=smt2", "--incremental", "--bv-solver=bitblast-internal", "-"};
}

/// Length of the first whole answer in `text`: a word on a line, or balanced parentheses. 0: there
/// is none yet. Text in quotes may hold parentheses (SMT-LIB 2.6 §3.1; "" stands for a quote).
std::size_t answer_bytes(std::string_view text) {
  std::size_t const first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return 0;
  if (text[first] != '(') {
    std::size_t const end = text.find('\n', first);
    return end == std::string_view::npos ? 0 : end + 1;
  }
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = first; i < text.size(); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted) continue;
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i + 1;
  }
  return 0;
}

std::string trimmed_text(std::string_view text) {
  std::size_t const first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

tl::unexpected<Error> not_installed(std::string const& name) {
  return fail(Errc::not_found, name + " is not installed: it is in the Debian package " + name);
}

}  // namespace

Result<SmtSolver> SmtSolver::start(std::string const& name, Duration limit) {
  if (std::find(std::begin(kSolverNames), std::end(kSolverNames), name) == std::end(kSolverNames)) {
    return fail(Errc::invalid, "'" + name + "' is not a solver known here");
  }
  SmtSolver out;
  out.name_ = name;
  out.deadline_ = read_monotonic_clock() + limit;
  auto const version =
      run_process({name, "--version"}, std::min<Duration>(limit, std::chrono::seconds(10)));
  if (!version) {
    return version.error().code == Errc::timeout ? pass(version) : not_installed(name);
  }
  out.version_ = trimmed_text(std::string_view(version->text).substr(0, version->text.find('\n')));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socket");
  out.socket_.reset(ends[0]);
  UniqueFd const theirs(ends[1]);
  ProcessSpec spec{.arguments = arguments_of(name)};
  spec.stdio = theirs.get();
  spec.dies_with_parent = true;
  auto process = Process::spawn(spec);
  if (!process) return pass(process);
  out.process_ = std::move(*process);
  out.process_.kill_on_drop(true);
  return out;
}

tl::unexpected<Error> SmtSolver::ended() {
  auto const status = process_.wait(std::chrono::seconds(1));
  std::string text = name_ + " ended before it answered";
  if (status) text += ", with status " + std::to_string(*status);
  if (!trimmed_text(received_).empty()) text += ": " + trimmed_text(received_);
  return fail(Errc::system, text);
}

Result<short> SmtSolver::wait() {
  Duration const left = deadline_ - read_monotonic_clock();
  auto const left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  pollfd ready{socket_.get(), POLLIN, 0};
  if (!unsent_.empty()) ready.events |= POLLOUT;
  int const n =
      left_ms <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(std::min<long>(left_ms, 3'600'000)));
  if (n < 0 && errno == EINTR) return short{0};
  if (n < 0) return fail_errno("waiting for " + name_);
  if (n == 0) return fail(Errc::timeout, name_ + " found no answer in time");
  return ready.revents;
}

Status SmtSolver::send_some() {
  ssize_t const n =
      ::send(socket_.get(), unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n > 0) unsent_.erase(0, static_cast<std::size_t>(n));
  if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return ended();
  if (n < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("writing to " + name_);
  return {};
}

Status SmtSolver::receive_some() {
  char buffer[4096];
  ssize_t const n = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return ended();
  if (n < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("reading from " + name_);
  if (n > 0) received_.append(buffer, static_cast<std::size_t>(n));
  if (received_.size() <= kSolverAnswerBytesMax) return {};
  return fail(Errc::too_large, name_ + " says too much");
}

Status SmtSolver::tell(std::string_view text) {
  unsent_ += text;
  while (!unsent_.empty()) {
    auto const ready = wait();
    if (!ready) return pass(ready);
    // Reading goes first: a solver that is heard out can go on reading.
    if ((*ready & (POLLIN | POLLHUP | POLLERR)) != 0) {
      if (auto received = receive_some(); !received) return received;
    } else if ((*ready & POLLOUT) != 0) {
      if (auto sent = send_some(); !sent) return sent;
    }
  }
  return {};
}

Result<std::string> SmtSolver::answer() {
  for (;;) {
    if (std::size_t const bytes = answer_bytes(received_); bytes != 0) {
      std::string out = trimmed_text(std::string_view(received_).substr(0, bytes));
      received_.erase(0, bytes);
      return out;
    }
    auto const ready = wait();
    if (!ready) return pass(ready);
    if (*ready == 0) continue;
    if (auto received = receive_some(); !received) return pass(received);
  }
}

tl::unexpected<Error> SmtSolver::said(std::string_view answer) const {
  return fail(Errc::internal, name_ + " said: " + std::string(answer.substr(0, 1000)));
}

Result<SolverVerdict> SmtSolver::check() {
  if (auto told = tell("(check-sat)\n"); !told) return pass(told);
  auto const text = answer();
  if (!text) return pass(text);
  if (*text == "sat") return SolverVerdict::sat;
  if (*text == "unsat") return SolverVerdict::unsat;
  if (*text == "unknown")
    return fail(Errc::unsupported, name_ + " does not know: it answered 'unknown'");
  return said(*text);
}

Result<std::string> SmtSolver::ask(std::string_view command) {
  if (auto told = tell(command); !told) return pass(told);
  auto text = answer();
  if (!text) return text;
  if (!text->starts_with("((")) return said(*text);
  return text;
}

void SmtSolver::finish() {
  if (tell("(exit)\n")) (void)process_.wait(std::chrono::seconds(1));
}

}  // namespace shamon
