#include "vm/qemu/qmp.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include "vm/limits.hpp"

namespace shamon {

namespace {

ssize_t send_beside(int socket, std::string_view text, int descriptor) noexcept {
  iovec part{const_cast<char*>(text.data()), text.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  if (descriptor >= 0) {
    header.msg_control = space.data();
    header.msg_controllen = space.size();
    cmsghdr* const control = CMSG_FIRSTHDR(&header);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  }
  return ::sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

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
  auto const answer = ask(command, {});
  if (!answer) return pass(answer);
  return {};
}

Result<std::string> QmpConnection::ask(std::string_view command, std::string_view arguments,
                                       int descriptor) {
  auto const rest = arguments.empty() ? "" : fmt::format(",\"arguments\":{}", arguments);
  auto const request = fmt::format("{{\"execute\":\"{}\"{}}}\r\n", command, rest);
  // A request is shorter than any socket buffer: it goes whole or the peer is gone.
  auto const sent = send_beside(socket_.get(), request, descriptor);
  if (sent != static_cast<ssize_t>(request.size())) {
    return fail(Errc::unreachable, "QEMU does not take commands");
  }
  auto const deadline = std::chrono::steady_clock::now() + kQmpTimeout;
  while (true) {
    auto const line = read_line(deadline);
    if (!line) return pass(line, command);
    switch (classify_qmp_line(*line)) {
      case QmpLine::success: return *line;
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
