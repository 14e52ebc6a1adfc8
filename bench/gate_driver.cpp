// Plays shamond on two machines with a gate each, for the benches: one command a line on standard
// input, one answer a line, "ok …" or "error …". All is taken down when the input ends.
//
//   (at start)                               ok NAMESPACE_A NAMESPACE_B GATE_PID_A GATE_PID_B
//   domain MACHINE PORT VM LABEL ADDRESS     ok NAMESPACE; a TAP, and a route on the other machine
//   card MACHINE PORT VM LABEL ADDRESS PATH  ok; a vhost-user card that listens there, MAC
//   02:00:ADDRESS pair ID LABEL                            ok SPI, of a -> b: an association with
//   keys of both peers FIRST COUNT LABEL                  ok; associations with peers pFIRST…, each
//   with a route route MACHINE ADDRESS VM LABEL PEER      ok; sends a VM's packets to that peer
//   instead statistics MACHINE                       ok in N out N icv N replay N full N none N
//   malformed N …
//
// usage: gate_driver [--gate PROGRAM] [--workers N] [--busy-poll MICROSECONDS]
//                    [--underlay-mtu BYTES] [--domain-mtu BYTES]
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <string>

#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ipv4_text.hpp"
#include "netns/gate_lab.hpp"
#include "tunnel/packet.hpp"

namespace {

using namespace shamon;
using Words = std::vector<std::string>;
using Answer = Result<std::string>;

struct Options {
  std::string gate;
  unsigned workers = 1;
  unsigned busy_poll = 0;
  int underlay_mtu = 1500;
  int domain_mtu = 1420;
};

Answer answer(Status const& status, std::string text = {}) {
  if (!status) return pass(status);
  return text;
}

class Driver {
 public:
  explicit Driver(Options const& options)
      : options_(options),
        lab_({.mtu = options.underlay_mtu,
              .workers = options.workers,
              .busy_poll = options.busy_poll}) {
    for (netns::Machine* machine : {lab_.a.get(), lab_.b.get()}) {
      if (!options.gate.empty()) machine->gate_program = options.gate;
    }
    lab_.up(netns::kPolicyText);
  }

  std::string greeting() const {
    return fmt::format("{} {} {} {}", lab_.a->ns, lab_.b->ns, lab_.a->gate_pid(),
                       lab_.b->gate_pid());
  }

  /// What the gates tell by themselves is read, as shamond does, so that they never wait.
  void drain() {
    for (netns::Machine* machine : {lab_.a.get(), lab_.b.get()}) {
      machine->pump();
      machine->events.clear();
    }
  }

  Answer run(Words const& words) {
    auto const is = [&](char const* verb, std::size_t count) {
      return words.size() == count && words[0] == verb;
    };
    if (is("pair", 3)) return pair(number(words[1]), words[2]);
    if (is("peers", 4)) return peers(number(words[1]), number(words[2]), words[3]);
    if (words.size() < 2) return fail(Errc::invalid, "no such command");
    netns::Machine* const machine = words[1] == "a"   ? lab_.a.get()
                                    : words[1] == "b" ? lab_.b.get()
                                                      : nullptr;
    if (machine == nullptr) return fail(Errc::invalid, "a machine is called a or b");
    if (is("domain", 6)) {
      Status const made = lab_.domain(*machine, number(words[2]), words[3], words[4], words[5],
                                      options_.domain_mtu);
      return answer(made, lab_.domain_ns(words[3]));
    }
    if (is("card", 7)) return card(*machine, words);
    if (is("route", 6)) return answer(machine->route(words[2], words[3], words[4], words[5]));
    if (is("statistics", 2)) return statistics(*machine);
    return fail(Errc::invalid, "no such command");
  }

 private:
  static std::uint32_t number(std::string const& text) {
    return static_cast<std::uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
  }

  Answer pair(std::uint32_t id, std::string const& label) {
    Status const opened = lab_.open_pair(id, label);
    return answer(opened, opened ? std::to_string(lab_.shown_keys.end()[-2].spi) : "");
  }

  static Answer card(netns::Machine& machine, Words const& words) {
    auto const address = parse_ipv4(words[5]);
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    if (!address || words[6].size() >= sizeof path.sun_path) {
      return fail(Errc::invalid, "no address, or too long a path");
    }
    words[6].copy(path.sun_path, sizeof path.sun_path - 1);
    UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&path), sizeof path) != 0 ||
        ::listen(listener.get(), 1) != 0) {
      return fail_errno(words[6]);
    }
    MacAddress mac{{2, 0}};
    put_u32be(&mac.octets[2], address->bits);
    return answer(machine.attach_socket(number(words[2]), words[3], words[4], words[5], mac,
                                        gate::PortKind::vhost_user, std::move(listener)));
  }

  /// As many peers as asked for, which are all the other machine under another name.
  Answer peers(std::uint32_t first, std::uint32_t count, std::string const& label) {
    for (std::uint32_t id = first; id < first + count; ++id) {
      Status done = open_named(id, label);
      std::string const peer = "p" + std::to_string(id);
      Ipv4 const address{(std::uint32_t{10} << 24 | std::uint32_t{79} << 16) + id};
      for (netns::Machine* machine : {lab_.a.get(), lab_.b.get()}) {
        if (done) done = machine->route(to_string(address), "vm-of-" + peer, label, peer);
      }
      if (!done) return pass(done);
    }
    return std::string();
  }

  Status open_named(std::uint32_t id, std::string const& label) {
    std::array<std::uint8_t, 72> keys{};
    if (::getrandom(keys.data(), keys.size(), 0) != static_cast<ssize_t>(keys.size())) {
      return fail_errno("getrandom");
    }
    auto const one = std::span<const std::uint8_t, 72>(keys).first<36>();
    auto const other = std::span<const std::uint8_t, 72>(keys).last<36>();
    AssociationSpec spec;
    spec.peer = *parse_endpoint(lab_.b->address + ":4500");
    spec.spi_out = Spi(0x100000 + id);
    spec.spi_in = Spi(0x200000 + id);
    spec.peer_name = HostName("p" + std::to_string(id));
    spec.label = LabelName(label);
    spec.revision = lab_.a->policy->revision();
    spec.peer_member = spec.peer_attested = true;
    Status const at_a = lab_.a->open(id, label, spec, {Secret<36>(one), Secret<36>(other)});
    if (!at_a) return at_a;
    std::swap(spec.spi_in, spec.spi_out);
    spec.peer = *parse_endpoint(lab_.a->address + ":4500");
    return lab_.b->open(id, label, spec, {Secret<36>(other), Secret<36>(one)});
  }

  Answer statistics(netns::Machine& machine) {
    gate::Statistics const all = machine.statistics();
    return fmt::format(
        "in {} out {} policy {} icv {} replay {} full {} none {} malformed {} spoof {}",
        all.packets_in, all.packets_out, all.dropped_policy, all.dropped_icv, all.dropped_replay,
        all.dropped_full, all.dropped_no_association, all.dropped_malformed, all.dropped_spoof);
  }

  Options options_;
  netns::GateLab lab_;
};

void say(std::string const& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

/// The next line of standard input, drained for meanwhile; none at its end.
std::optional<std::string> next_line(std::string& buffer, Driver& driver) {
  for (;;) {
    if (auto const end = buffer.find('\n'); end != std::string::npos) {
      std::string const line = buffer.substr(0, end);
      buffer.erase(0, end + 1);
      return line;
    }
    pollfd wait{0, POLLIN, 0};
    int const ready = ::poll(&wait, 1, 100);
    driver.drain();
    if (ready <= 0) continue;
    std::array<char, 4096> piece;
    ssize_t const got = ::read(0, piece.data(), piece.size());
    if (got <= 0) return std::nullopt;
    buffer.append(piece.data(), static_cast<std::size_t>(got));
  }
}

int drive(Options const& options) {
  Driver driver(options);
  say("ok " + driver.greeting());
  std::string buffer;
  while (auto const line = next_line(buffer, driver)) {
    std::istringstream stream(*line);
    Words const words(std::istream_iterator<std::string>(stream), {});
    Answer const answer = driver.run(words);
    say(answer ? "ok " + *answer : "error " + answer.error().describe());
  }
  return 0;
}

}  // namespace

int main(int count, char** words) {
  std::signal(SIGTERM, SIG_IGN);  // the end of input is the end, so that nothing is left behind
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  Options options;
  for (int i = 1; i < count; i += 2) {
    std::string const name = words[i];
    std::string const value = i + 1 < count ? words[i + 1] : "";
    if (name == "--gate" && !value.empty()) {
      options.gate = value;
    } else if (name == "--workers" && std::atoi(value.c_str()) > 0) {
      options.workers = static_cast<unsigned>(std::atoi(value.c_str()));
    } else if (name == "--busy-poll" && std::atoi(value.c_str()) > 0) {
      options.busy_poll = static_cast<unsigned>(std::atoi(value.c_str()));
    } else if (name == "--underlay-mtu" && std::atoi(value.c_str()) > 0) {
      options.underlay_mtu = std::atoi(value.c_str());
    } else if (name == "--domain-mtu" && std::atoi(value.c_str()) > 0) {
      options.domain_mtu = std::atoi(value.c_str());
    } else {
      std::fprintf(stderr, "gate_driver: %s: unknown, or no value\n", name.c_str());
      return 2;
    }
  }
  try {
    return drive(options);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "gate_driver: %s\n", e.what());
    return 1;
  }
}
