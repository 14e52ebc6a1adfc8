// What a QEMU guest's card carries: the socket card and the vhost-user card with either ring, each
// with a TCP stream to the guest and one from it. All guests wait while one is measured; rounds
// are interleaved.
//
//   g1 10.77.0.1 ──TAP── gate ──card── guest 10.77.0.11, .12, .13
//
// usage: guest_card [--seconds N] [--rounds N]
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "base/ipv4_text.hpp"
#include "bench_program.hpp"
#include "netns/gate_lab.hpp"
#include "netns/qemu_guest.hpp"

namespace shamon::bench {
namespace {

using netns::eventually;
using netns::QemuGuest;

constexpr char const* kOwn = "10.77.0.1";
constexpr int kSink = 9001, kSource = 9100;

struct Card {
  char const* name;
  Nic nic;
  bool packed;
};
constexpr Card kCards[] = {{"socket", Nic::socket, false},
                           {"vhost-user, split ring", Nic::vhost_user, false},
                           {"vhost-user, packed ring", Nic::vhost_user, true}};
constexpr std::size_t kCardCount = std::size(kCards);

struct Figure {
  double megabits;     ///< a second
  double gate_second;  ///< of processor time for each Gbit
};
using Figures = std::vector<Figure>;

void need(bool condition, std::string const& what) {
  if (!condition) throw std::runtime_error(what);
}

/// User and system seconds of a process.
double seconds_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(file)), {});
  std::istringstream rest(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int i = 3; i < 14; ++i) rest >> skipped;  // proc(5): utime is the 14th
  double user = 0, system = 0;
  rest >> user >> system;
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double median(Figures figures, double Figure::*which) {
  std::vector<double> values;
  for (Figure const& figure : figures) values.push_back(figure.*which);
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  explicit Bench(int seconds) : seconds_(seconds) {
    lab_.up(netns::kPolicyText);
    need(lab_.domain(*lab_.a, 1, "g1", "green", kOwn).has_value(), "domain");
    for (std::size_t i = 0; i < kCardCount; ++i) add(i);
    for (auto& guest : guests_) {
      need(guest->has_booted(), guest->told());
      need(guest->start(fmt::format("while :; do nc -l -p {} >/dev/null; done", kSink)), "nc");
    }
  }

  Figure to_guest(std::size_t i) {
    netns::Process const sender =
        netns::start(fmt::format("socat -u -b 65536 OPEN:/dev/zero TCP:{}:{},retry=20,interval=0.2",
                                 address(i), kSink),
                     lab_.domain_ns("g1"));
    return measure(i);
  }
  Figure from_guest(std::size_t i) {
    netns::Process const receiver = netns::start(
        fmt::format("socat -u -b 65536 TCP-LISTEN:{},reuseaddr OPEN:/dev/null", kSource),
        lab_.domain_ns("g1"));
    std::string const listens = fmt::format("sh -c 'ss -ltn | grep -q :{}'", kSource);
    need(eventually([&] { return netns::run(listens, lab_.domain_ns("g1")).ok(); }), "socat");
    need(guests_[i]->start(fmt::format("nc {} {} </dev/zero", kOwn, kSource)), "nc");
    return measure(i);
  }

 private:
  static std::string address(std::size_t i) { return fmt::format("10.77.0.{}", 11 + i); }
  static std::uint32_t port(std::size_t i) { return static_cast<std::uint32_t>(11 + i); }

  void add(std::size_t i) {
    QemuGuest::Options options;
    std::string const name = fmt::format("v{}", i);
    options.spec.name = VmName(name);
    options.spec.address = *parse_ipv4(address(i));
    options.spec.mac = MacAddress{{2, 0, 10, 77, 0, static_cast<std::uint8_t>(11 + i)}};
    options.spec.nic = kCards[i].nic;
    options.spec.packed_ring = kCards[i].packed;
    options.folder = lab_.directory + "/" + name;
    guests_.push_back(std::make_unique<QemuGuest>(options));
    auto const kind =
        kCards[i].nic == Nic::socket ? gate::PortKind::datagram : gate::PortKind::vhost_user;
    Status const attached = lab_.a->attach_socket(port(i), name, "green", address(i),
                                                  options.spec.mac, kind, guests_[i]->port());
    need(attached.has_value(), "port_attach");
  }
  /// Both directions of the port; acknowledgements are few.
  std::uint64_t bytes(std::size_t i) {
    gate::Statistics const now = lab_.a->statistics(port(i));
    return now.bytes_in + now.bytes_out;
  }
  Figure measure(std::size_t i) {
    std::uint64_t const begun = bytes(i);
    need(eventually([&] { return bytes(i) > begun + 1'000'000; }, 30'000),
         std::string("nothing flows through the card ") + kCards[i].name);
    Clock::time_point const start = Clock::now();
    double const processor = seconds_of(lab_.a->gate_pid());
    std::uint64_t const before = bytes(i);
    ::sleep(static_cast<unsigned>(seconds_));
    double const gigabits = static_cast<double>(bytes(i) - before) * 8 / 1e9;
    double const passed = seconds_since(start);
    return {gigabits * 1000 / passed, (seconds_of(lab_.a->gate_pid()) - processor) / gigabits};
  }

  int const seconds_;
  netns::GateLab lab_;
  std::vector<std::unique_ptr<QemuGuest>> guests_;
};

void print(char const* card, char const* direction, Figures const& figures) {
  auto const [least, greatest] =
      std::minmax_element(figures.begin(), figures.end(),
                          [](Figure const& a, Figure const& b) { return a.megabits < b.megabits; });
  fmt::print("  {:<24} {:<11} {:7.0f} Mbit/s ({:.0f}..{:.0f})   gate {:.2f} CPU s/Gbit\n", card,
             direction, median(figures, &Figure::megabits), least->megabits, greatest->megabits,
             median(figures, &Figure::gate_second));
}

void run(int seconds, int rounds) {
  Bench bench(seconds);
  Figures to[kCardCount], from[kCardCount];
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < kCardCount; ++i) {
      to[i].push_back(bench.to_guest(i));
      from[i].push_back(bench.from_guest(i));
    }
  }
  for (std::size_t i = 0; i < kCardCount; ++i) {
    print(kCards[i].name, "to guest", to[i]);
    print(kCards[i].name, "from guest", from[i]);
  }
  double const ours = median(to[1], &Figure::megabits), socket = median(to[0], &Figure::megabits);
  fmt::print(
      "{{\"id\":\"card\",\"ours\":{:.0f},\"unit\":\"Mbit/s to an emulated guest, vhost-user\","
      "\"peers\":{{\"socket\":{:.0f}}},\"ratio\":{:.2f}}}\n",
      ours, socket, ours / socket);
}

}  // namespace
}  // namespace shamon::bench

int main(int count, char** words) {
  try {
    std::string const missing = shamon::netns::QemuGuest::missing();
    if (!missing.empty()) throw std::runtime_error(missing);
    std::vector<char*> shifted{words[0]};
    shifted.insert(shifted.end(), words, words + count);
    shamon::bench::Options const options(static_cast<int>(shifted.size()), shifted.data());
    bool const brief = std::getenv("BENCH_SHORT") != nullptr;
    shamon::bench::run(static_cast<int>(options.count("seconds", 4)),
                       static_cast<int>(options.count("rounds", brief ? 1 : 5)));
    return 0;
  } catch (std::exception const& e) {
    std::fprintf(stderr, "guest_card: %s\n", e.what());
    return 1;
  }
}
