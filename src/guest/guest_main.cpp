// shamon-guest: inside a VM, quotes its vTPM and sends its IMA log to the host monitor when asked,
// and lets programs of the VM ask the monitor three things.
//
//   shamon-guest [agent] [--port PATH] [--tcti TCTI] [--ima PATH] [--ak-handle N] [--socket PATH]
//   shamon-guest label | may-talk VM | attest
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "attestation/measured_log.hpp"
#include "attestation/vtpm_provision.hpp"
#include "base/fd.hpp"
#include "guest/agent.hpp"

namespace {

using namespace shamon;
using namespace shamon::guest;

struct Options {
  std::string port = "/dev/virtio-ports/org.shamon.guest.0";
  std::string tcti = "device:/dev/tpmrm0";
  std::string ima = "/sys/kernel/security/ima/binary_runtime_measurements";
  std::string socket = "/run/shamon-guest.sock";
  std::uint32_t ak_handle = kVtpmAkHandle;
};

int complain(Error const& error) {
  std::fprintf(stderr, "shamon-guest: %s\n", error.describe().c_str());
  return 1;
}

Result<Evidence> make_evidence(Options const& options, Challenge const& challenge) {
  auto tpm = open_tpm(options.tcti);
  if (!tpm) return pass(tpm);
  AttestationKey key;
  key.handle = options.ak_handle;
  return collect_evidence(**tpm, key, challenge, {.event_log = "", .ima_log = options.ima});
}

UniqueFd open_port(std::string const& path) {
  for (;;) {
    UniqueFd port(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (port) return port;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

sockaddr_un local_address(std::string const& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

UniqueFd listen_local(std::string const& path) {
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un const address = local_address(path);
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 8) != 0) {
    return {};
  }
  ::chmod(path.c_str(), 0666);
  return fd;
}

bool write_all(int fd, Bytes& bytes) {
  ByteView rest = bytes;
  while (!rest.empty()) {
    ssize_t const n = ::write(fd, rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    rest = rest.subspan(static_cast<std::size_t>(n));
  }
  bytes.clear();
  return true;
}

/// One local question: "label", "may-talk NAME" or "attest". The connection is answered when the
/// monitor has.
void take_question(Agent& agent, UniqueFd connection) {
  char text[kTextBytesMax];
  ssize_t const n = ::recv(connection.get(), text, sizeof text, 0);
  std::string_view const words(text, n > 0 ? static_cast<std::size_t>(n) : 0);
  auto held = std::make_shared<UniqueFd>(std::move(connection));
  auto reply = [held](AnswerFrame const& answer) {
    std::string const line = (answer.yes ? "yes " : "no ") + answer.text;
    (void)::send(held->get(), line.data(), line.size(), MSG_NOSIGNAL);
  };
  if (words == "label") {
    agent.ask(Question::label, "", reply);
  } else if (words.starts_with("may-talk ")) {
    agent.ask(Question::may_talk, std::string(words.substr(9)), reply);
  } else if (words == "attest") {
    agent.ask(Question::attestation, "", reply);
  }
}

int run_agent(Options const& options) {
  Agent agent([&](Challenge const& challenge) { return make_evidence(options, challenge); });
  UniqueFd port = open_port(options.port);
  UniqueFd const local = listen_local(options.socket);
  std::fprintf(stderr, "shamon-guest: ready\n");
  Bytes buffer(65536);
  for (;;) {
    pollfd waiting[2] = {{port.get(), POLLIN, 0}, {local.get(), POLLIN, 0}};
    if (::poll(waiting, local ? 2 : 1, -1) < 0 && errno != EINTR) return 1;
    if (local && (waiting[1].revents & POLLIN) != 0) {
      take_question(agent, UniqueFd(::accept4(local.get(), nullptr, nullptr, SOCK_CLOEXEC)));
    }
    if ((waiting[0].revents & (POLLIN | POLLHUP)) != 0) {
      ssize_t const n = ::read(port.get(), buffer.data(), buffer.size());
      if (n <= 0) {
        // No monitor at the other end yet, or no more: wait for the next one.
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        continue;
      }
      auto taken = agent.receive(ByteView(buffer).first(static_cast<std::size_t>(n)));
      if (!taken) {
        complain(taken.error());
        agent =
            Agent([&](Challenge const& challenge) { return make_evidence(options, challenge); });
      }
    }
    if (!agent.output().empty() && !write_all(port.get(), agent.output())) return 1;
  }
}

int ask(Options const& options, std::string const& question) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un const address = local_address(options.socket);
  if (!fd ||
      ::connect(fd.get(), reinterpret_cast<sockaddr const*>(&address), sizeof address) != 0) {
    return complain(system_error("connecting to the agent at " + options.socket, errno));
  }
  (void)::send(fd.get(), question.data(), question.size(), MSG_NOSIGNAL);
  pollfd waiting{fd.get(), POLLIN, 0};
  if (::poll(&waiting, 1, 10'000) <= 0)
    return complain({Errc::timeout, "the monitor does not answer", {}});
  char text[kTextBytesMax + 16];
  ssize_t const n = ::recv(fd.get(), text, sizeof text, 0);
  if (n <= 0) return complain({Errc::unreachable, "the agent hung up", {}});
  std::string_view const line(text, static_cast<std::size_t>(n));
  std::printf("%.*s\n", static_cast<int>(line.size()), line.data());
  return line.starts_with("yes") ? 0 : 12;
}

int usage() {
  std::fputs(
      "usage: shamon-guest [agent] [--port PATH] [--tcti TCTI] [--ima PATH] [--ak-handle N] "
      "[--socket PATH]\n"
      "       shamon-guest label | may-talk VM | attest   [--socket PATH]\n",
      stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::vector<std::string> words;
  for (int i = 1; i < argc; ++i) {
    std::string const argument = argv[i];
    if (!argument.starts_with("--")) {
      words.push_back(argument);
      continue;
    }
    if (i + 1 >= argc) return usage();
    std::string const value = argv[++i];
    if (argument == "--port")
      options.port = value;
    else if (argument == "--tcti")
      options.tcti = value;
    else if (argument == "--ima")
      options.ima = value;
    else if (argument == "--socket")
      options.socket = value;
    else if (argument == "--ak-handle")
      options.ak_handle = static_cast<std::uint32_t>(std::strtoul(value.c_str(), nullptr, 0));
    else
      return usage();
  }
  if (words.empty() || (words.size() == 1 && words[0] == "agent")) return run_agent(options);
  if (words.size() == 1 && (words[0] == "label" || words[0] == "attest"))
    return ask(options, words[0]);
  if (words.size() == 2 && words[0] == "may-talk") return ask(options, "may-talk " + words[1]);
  return usage();
}
