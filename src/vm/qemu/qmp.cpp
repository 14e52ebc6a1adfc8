#include "vm/qemu/qmp.hpp"

#include <cerrno>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "vm/limits.hpp"

namespace shamon {

QmpLine classify_qmp_line(std::string_view line) noexcept {
  if (line.starts_with("{\"QMP\":")) return QmpLine::greeting;
  if (line.starts_with("{\"return\":")) return QmpLine::success;
  if (line.starts_with("{\"error\":")) return QmpLine::error;
  if (line.starts_with("{\"timestamp\":") || line.starts_with("{\"event\":")) {
    return QmpLine::event;
  }
  return QmpLine::unknown;
}

Result<QmpConnection> QmpConnection::open(UniqueFd socket) {
  QmpConnection connection(std::move(socket));
  auto const greeting = connection.read_line(std::chrono::steady_clock::now() + kQmpTimeout);
  if (!greeting) return pass(greeting, "QEMU's greeting");
  if (classify_qmp_line(*greeting) != QmpLine::greeting) {
    return fail(Errc::malformed, "QEMU does not greet as QMP");
  }
  auto const ready = connection.execute("qmp_capabilities");
  if (!ready) return pass(ready);
  return connection;
}

Status QmpConnection::execute(std::string_view command) {
  auto const request = fmt::format("{{\"execute\":\"{}\"}}\r\n", command);
  // A request is shorter than any socket buffer: it goes whole or the peer is gone.
  auto const sent =
      ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(request.size())) {
    return fail(Errc::unreachable, "QEMU does not take commands");
  }
  auto const deadline = std::chrono::steady_clock::now() + kQmpTimeout;
  while (true) {
    auto const line = read_line(deadline);
    if (!line) return pass(line, command);
    switch (classify_qmp_line(*line)) {
      case QmpLine::success: return {};
      case QmpLine::error: return fail(Errc::denied, fmt::format("{}: {}", command, *line));
      case QmpLine::event: break;
      case QmpLine::greeting:
      case QmpLine::unknown: return fail(Errc::malformed, "QEMU answered something else");
    }
  }
}

Result<std::string> QmpConnection::read_line(std::chrono::steady_clock::time_point deadline) {
  while (true) {
    if (auto const end = received_.find('\n'); end != std::string::npos) {
      auto line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    if (received_.size() >= kQmpLineBytesMax) return fail(Errc::too_large, "QMP line too long");
    auto const left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Errc::timeout, "no answer from QEMU");
    pollfd poll_entry{socket_.get(), POLLIN, 0};
    if (::poll(&poll_entry, 1, static_cast<int>(left.count())) <= 0) continue;
    char buffer[4096];
    auto const count = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (count == 0) return fail(Errc::unreachable, "QEMU has ended");
    if (count < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("recv from QEMU");
    if (count > 0) received_.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace shamon
