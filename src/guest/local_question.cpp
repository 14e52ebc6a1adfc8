#include "guest/local_question.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace shamon::guest {
namespace {

constexpr int kAnswerWaitMs = 10'000;
constexpr std::size_t kAnswerBytesMax = kTextBytesMax + 4;  // "yes " and the text

Result<sockaddr_un> local_address(std::string const& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(Errc::invalid, "socket path is too long: " + path);
  }
  path.copy(address.sun_path, path.size());
  return address;
}

}  // namespace

std::optional<LocalQuestion> parse_local_question(std::string_view text) {
  constexpr std::string_view kMayTalk = "may-talk ";
  if (text == "label") return LocalQuestion{Question::label, {}};
  if (text == "attest") return LocalQuestion{Question::attestation, {}};
  if (text.starts_with(kMayTalk) && text.size() > kMayTalk.size()) {
    return LocalQuestion{Question::may_talk, std::string(text.substr(kMayTalk.size()))};
  }
  return std::nullopt;
}

Result<UniqueFd> listen_for_questions(std::string const& path) {
  auto const address = local_address(path);
  if (!address) return pass(address);
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr const*>(&*address), sizeof *address) != 0 ||
      ::listen(fd.get(), 8) != 0) {
    return fail_errno("listen on " + path);
  }
  // Every program of the VM may ask: the answers hold no secret of the VM from itself.
  ::chmod(path.c_str(), 0666);
  return fd;
}

Result<std::string> ask_agent(std::string const& path, std::string const& question) {
  auto const address = local_address(path);
  if (!address) return pass(address);
  UniqueFd const fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!fd ||
      ::connect(fd.get(), reinterpret_cast<sockaddr const*>(&*address), sizeof *address) != 0) {
    return fail(Errc::unreachable, system_error("connect to the agent at " + path, errno).message);
  }
  if (::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL) < 0) {
    return fail(Errc::unreachable, "the agent does not take the question");
  }
  pollfd waiting{fd.get(), POLLIN, 0};
  if (::poll(&waiting, 1, kAnswerWaitMs) <= 0) {
    return fail(Errc::timeout, "the monitor does not answer");
  }
  std::string line(kAnswerBytesMax, '\0');
  ssize_t const size = ::recv(fd.get(), line.data(), line.size(), 0);
  if (size <= 0) return fail(Errc::unreachable, "the agent hung up");
  line.resize(static_cast<std::size_t>(size));
  return line;
}

}  // namespace shamon::guest
