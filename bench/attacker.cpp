// One hostile process, as fast as it can for some seconds; prints what it sent and what processor
// time that cost as one JSON line. With --segments the wire attacks hand the kernel runs of so many
// datagrams (UDP_SEGMENT), as receive offload of a network card makes of a flood at line rate.
//
//   attacker garbage ADDRESS PORT     datagrams of random bytes to a gate
//   attacker esp ADDRESS PORT SPI     ESP of a live association with fresh numbers and a wrong ICV
//   attacker scatter ADDRESS          from a VM: a new flow with every packet, over all ports
//   attacker handshakes ADDRESS PORT  connects, says a ClientHello, waits for the answer, leaves
//   attacker burn                     no packets at all, only --share of one processor
//     [--seconds S] [--bytes N] [--segments N] [--share X]
#include <algorithm>
#include <random>
#include <thread>

#include "bench_program.hpp"

namespace {

using namespace shamon;
using namespace shamon::bench;

class Report {
 public:
  explicit Report(Options const& options) : seconds_(options.get("seconds", 2)) {}
  bool more() const { return seconds_since(start_) < seconds_; }
  void print(std::uint64_t sent) const {
    std::printf("{\"sent\":%llu,\"seconds\":%.3f,\"cpu\":%.3f}\n",
                static_cast<unsigned long long>(sent), seconds_since(start_), cpu_seconds());
  }

 private:
  double seconds_;
  Clock::time_point start_ = Clock::now();
};

void put_u32(std::uint8_t* at, std::uint32_t value) {
  std::uint32_t const wire = htonl(value);
  std::memcpy(at, &wire, sizeof wire);
}

/// Sends datagrams that `prepare(datagram, random)` makes different from each other.
template <class Prepare>
void flood(Options const& options, std::size_t bytes, Prepare prepare) {
  UniqueFd const fd = udp_socket();
  connect_to(fd.get(),
             to_address(options.operand(0), static_cast<std::uint16_t>(options.number(1))));
  // 64 is the kernel's bound (UDP_MAX_SEGMENTS), as is the size of one send.
  std::size_t const segments = std::clamp<std::size_t>(options.count("segments", 1), 1,
                                                       std::min<std::size_t>(64, 65000 / bytes));
  int const segment = static_cast<int>(bytes);
  must(segments == 1 ||
           ::setsockopt(fd.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0,
       "UDP_SEGMENT");
  std::mt19937_64 random(1);
  Batch batch(bytes * segments);
  for (std::size_t i = 0; i < Batch::kDatagrams; ++i) {
    std::generate_n(batch.data(i), bytes * segments,
                    [&] { return static_cast<std::uint8_t>(random()); });
  }
  Report const report(options);
  std::uint64_t sent = 0;
  while (report.more()) {
    for (std::size_t i = 0; i < Batch::kDatagrams * segments; ++i) {
      prepare(batch.data(i / segments) + i % segments * bytes, random);
    }
    sent += batch.send(fd.get()) * segments;
  }
  report.print(sent);
}

void garbage(Options const& options) {
  flood(options, std::max<std::size_t>(8, options.count("bytes", 200)),
        [](std::uint8_t* datagram, auto& random) {
          put_u32(datagram, static_cast<std::uint32_t>(random()));
          put_u32(datagram + 4, static_cast<std::uint32_t>(random()));
        });
}

void esp(Options const& options) {
  std::uint32_t const spi = options.number(2);
  // Shape of RFC 4303 with RFC 4106: 8 header, 8 IV, a multiple of 4, 16 ICV.
  std::size_t const bytes = std::max<std::size_t>(44, options.count("bytes", 200)) / 4 * 4;
  std::uint32_t sequence = 0x80000000;  // ahead of the window, so that only the ICV tells
  flood(options, bytes, [&](std::uint8_t* datagram, auto&) {
    put_u32(datagram, spi);
    put_u32(datagram + 4, sequence++);
  });
}

void scatter(Options const& options) {
  std::vector<UniqueFd> sources(16);
  for (UniqueFd& source : sources) source = udp_socket();
  Batch batch(options.count("bytes", 64));
  std::array<sockaddr_in, Batch::kDatagrams> to;
  for (std::size_t i = 0; i < to.size(); ++i) {
    to[i] = to_address(options.operand(0), 0);
    batch.direct(i, &to[i]);
  }
  std::mt19937 random(1);
  Report const report(options);
  std::uint64_t sent = 0;
  for (std::size_t turn = 0; report.more(); ++turn) {
    for (sockaddr_in& one : to) one.sin_port = static_cast<in_port_t>(random() | 1);
    sent += batch.send(sources[turn % sources.size()].get());
  }
  report.print(sent);
}

/// A TLS 1.3 ClientHello that a server answers (RFC 8446 §4.1.2): one suite, P-256, a random share.
std::vector<std::uint8_t> client_hello(std::mt19937_64& random) {
  auto const u16 = [](std::vector<std::uint8_t>& to, std::size_t value) {
    to.push_back(static_cast<std::uint8_t>(value >> 8));
    to.push_back(static_cast<std::uint8_t>(value));
  };
  auto const extension = [&](std::vector<std::uint8_t>& to, std::size_t type,
                             std::vector<std::uint8_t> const& body) {
    u16(to, type);
    u16(to, body.size());
    to.insert(to.end(), body.begin(), body.end());
  };
  std::vector<std::uint8_t> share{0x00, 0x24, 0x00, 0x1d, 0x00, 0x20};  // x25519, RFC 8446 §4.2.8
  for (int i = 0; i < 32; ++i) share.push_back(static_cast<std::uint8_t>(random()));
  std::vector<std::uint8_t> extensions;
  extension(extensions, 43, {2, 0x03, 0x04});                       // supported_versions
  extension(extensions, 10, {0x00, 0x04, 0x00, 0x1d, 0x00, 0x17});  // supported_groups
  extension(extensions, 13, {0x00, 0x04, 0x04, 0x03, 0x08, 0x04});  // signature_algorithms
  extension(extensions, 51, share);                                 // key_share
  std::vector<std::uint8_t> body{0x03, 0x03};
  for (int i = 0; i < 32; ++i) body.push_back(static_cast<std::uint8_t>(random()));
  body.push_back(0);                                              // no session id
  body.insert(body.end(), {0x00, 0x04, 0x13, 0x01, 0x13, 0x02});  // AES-GCM suites
  body.insert(body.end(), {1, 0});                                // no compression
  u16(body, extensions.size());
  body.insert(body.end(), extensions.begin(), extensions.end());
  std::vector<std::uint8_t> record{22, 0x03, 0x01};
  u16(record, body.size() + 4);
  record.insert(record.end(), {1, 0});
  u16(record, body.size());
  record.insert(record.end(), body.begin(), body.end());
  return record;
}

/// Leaves when the server has done its costly part: the first flight, with its signature, is here.
bool handshake(sockaddr_in const& to, std::vector<std::uint8_t> const& hello) {
  UniqueFd const fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  must(static_cast<bool>(fd), "socket");
  timeval const limit{0, 200000};
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  linger const reset{1, 0};  // no TIME_WAIT: else the attacker runs out of ports first
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (::connect(fd.get(), reinterpret_cast<sockaddr const*>(&to), sizeof to) != 0) return false;
  if (::send(fd.get(), hello.data(), hello.size(), MSG_NOSIGNAL) < 0) return false;
  std::array<std::uint8_t, 4096> answer;
  return ::recv(fd.get(), answer.data(), answer.size(), 0) > 0 && answer[0] == 22;
}

void handshakes(Options const& options) {
  sockaddr_in const to =
      to_address(options.operand(0), static_cast<std::uint16_t>(options.number(1)));
  std::mt19937_64 random(1);
  std::vector<std::uint8_t> const hello = client_hello(random);
  Report const report(options);
  std::uint64_t answered = 0;
  while (report.more()) answered += handshake(to, hello) ? 1 : 0;
  report.print(answered);
}

void burn(Options const& options) {
  double const share = std::min(1.0, options.get("share", 1));
  Report const report(options);
  // What others took from it is caught up with, as an attacker's packets would.
  Clock::time_point const start = Clock::now();
  while (report.more()) {
    if (cpu_seconds() > share * seconds_since(start)) {
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
  }
  report.print(0);
}

}  // namespace

int main(int count, char** words) {
  try {
    std::string const verb = count > 1 ? words[1] : "";
    Options const options(count, words);
    if (verb == "garbage") return garbage(options), 0;
    if (verb == "esp") return esp(options), 0;
    if (verb == "scatter") return scatter(options), 0;
    if (verb == "handshakes") return handshakes(options), 0;
    if (verb == "burn") return burn(options), 0;
    std::fputs(
        "usage: attacker garbage|esp|scatter|handshakes|burn …, see the head of its source\n",
        stderr);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "attacker: %s\n", e.what());
  }
  return 2;
}
