#include "guest/agent_service.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <thread>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest/agent.hpp"
#include "guest/local_question.hpp"

namespace shamon::guest {
namespace {

constexpr std::size_t kAskersMax = 32;
constexpr std::chrono::milliseconds kRetryAfter(100);

UniqueFd open_port(std::string const& path) {
  while (true) {
    UniqueFd port(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (port) return port;
    std::this_thread::sleep_for(kRetryAfter);
  }
}

class AgentService {
 public:
  explicit AgentService(AgentOptions const& options)
      : options_(options),
        agent_([this](Challenge const& challenge) { return make_evidence(challenge); }) {}

  Error run() {
    auto listener = listen_for_questions(options_.socket);
    if (listener) {
      listener_ = std::move(*listener);
    } else {  // the VM can be attested all the same
      std::fprintf(stderr, "shamon-guest: %s\n", listener.error().describe().c_str());
    }
    port_ = open_port(options_.port);
    std::fprintf(stderr, "shamon-guest: ready\n");
    while (true) {
      if (auto turned = turn(); !turned) return turned.error();
    }
  }

 private:
  Result<Evidence> make_evidence(Challenge const& challenge) {
    auto const tpm = open_tpm(options_.tcti);
    if (!tpm) return pass(tpm);
    AttestationKey key;
    key.handle = options_.ak_handle;
    return collect_evidence(**tpm, key, challenge, options_.logs);
  }

  /// One round of waiting and doing.
  Status turn() {
    std::vector<pollfd> waiting = {{port_.get(), POLLIN, 0}};
    bool const takes_more = listener_ && askers_.size() < kAskersMax;
    waiting.push_back({takes_more ? listener_.get() : -1, POLLIN, 0});
    for (UniqueFd const& asker : askers_) waiting.push_back({asker.get(), POLLIN, 0});
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) {
      return fail_errno("poll");
    }
    std::vector<UniqueFd> still_silent;
    for (std::size_t i = 2; i < waiting.size(); ++i) {
      UniqueFd& asker = askers_[i - 2];
      if (waiting[i].revents == 0) {
        still_silent.push_back(std::move(asker));
      } else {
        take_question(std::move(asker));
      }
    }
    askers_ = std::move(still_silent);
    if ((waiting[1].revents & POLLIN) != 0) {
      UniqueFd asker(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (asker) askers_.push_back(std::move(asker));
    }
    if ((waiting[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive();
    send();
    return {};
  }

  void receive() {
    std::uint8_t buffer[65536];
    ssize_t const size = ::read(port_.get(), buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) return;
    if (size <= 0) {
      // No monitor at the other end yet, or no more: the next one starts afresh.
      agent_.restart();
      std::this_thread::sleep_for(kRetryAfter);
      return;
    }
    auto const taken = agent_.receive({buffer, static_cast<std::size_t>(size)});
    if (taken) return;
    std::fprintf(stderr, "shamon-guest: %s\n", taken.error().describe().c_str());
    agent_.restart();
  }

  void send() {
    ByteView rest = agent_.output();
    while (!rest.empty()) {
      ssize_t const size = ::write(port_.get(), rest.data(), rest.size());
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        agent_.restart();
        port_.reset();
        port_ = open_port(options_.port);
        return;
      }
      rest = rest.subspan(static_cast<std::size_t>(size));
    }
    agent_.output().clear();
  }

  void take_question(UniqueFd asker) {
    char text[kTextBytesMax];
    ssize_t const size = ::recv(asker.get(), text, sizeof text, 0);
    if (size <= 0) return;
    auto question = parse_local_question({text, static_cast<std::size_t>(size)});
    if (!question) return;
    // Shared, because a std::function has to be copyable.
    auto const held = std::make_shared<UniqueFd>(std::move(asker));
    agent_.ask(question->question, std::move(question->argument), [held](AnswerFrame const& a) {
      std::string const line = (a.yes ? "yes " : "no ") + a.text;
      // An asker that went away misses its answer, and nobody else does.
      (void)::send(held->get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    });
  }

  AgentOptions const& options_;
  Agent agent_;
  UniqueFd port_;
  UniqueFd listener_;
  std::vector<UniqueFd> askers_;
};

}  // namespace

Error run_agent(AgentOptions const& options) {
  return AgentService(options).run();
}

}  // namespace shamon::guest
