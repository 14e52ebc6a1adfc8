// QEMU's machine protocol as far as we need it: commands one at a time
// (QEMU docs/interop/qmp-spec.txt). QEMU is not trusted more than its guest: all is bounded.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace shamon {

enum class QmpLine : std::uint8_t { greeting, success, error, event, unknown };

/// What one line from QEMU is. QEMU writes the deciding member first.
QmpLine classify_qmp_line(std::string_view line) noexcept;

/// One connection to one QEMU. Not thread-safe.
class QmpConnection {
 public:
  /// Waits for the greeting and leaves the negotiation mode. Errors: `timeout`, `unreachable`.
  static Result<QmpConnection> open(UniqueFd socket);
  /// Runs a command such as "stop". Errors: `denied` with QEMU's text, `timeout`, `unreachable`,
  /// `too_large`.
  Status execute(std::string_view command);
  /// The same with arguments (a JSON object; empty: none) and a descriptor beside them. The line of
  /// QEMU's answer.
  Result<std::string> ask(std::string_view command, std::string_view arguments,
                          int descriptor = -1);

 private:
  explicit QmpConnection(UniqueFd socket) : socket_(std::move(socket)) {}
  Result<std::string> read_line(std::chrono::steady_clock::time_point deadline);

  UniqueFd socket_;
  std::string received_;
};

}  // namespace shamon
