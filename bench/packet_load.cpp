// UDP load of the benches, and its figures as one JSON line. iperf3 sends one datagram a call and
// is the bottleneck long before a gate is.
//
//   packet_load send ADDRESS PORT [--seconds S] [--bytes N] [--flows N] [--segments N]
//                                      as fast as it goes; N datagrams a send with UDP_SEGMENT
//   packet_load sink PORT [--bytes N]  counts datagrams of that size, until its standard input ends
//   packet_load ping ADDRESS PORT [--count N] [--bytes N]                 round trips, one by one
//   packet_load pong PORT              sends back what comes, until its standard input ends
#include <algorithm>

#include <poll.h>

#include "bench_program.hpp"

namespace {

using namespace shamon;
using namespace shamon::bench;

void send(Options const& options) {
  sockaddr_in const to =
      to_address(options.operand(0), static_cast<std::uint16_t>(options.number(1)));
  std::vector<UniqueFd> flows(std::max<std::size_t>(1, options.count("flows", 1)));
  double const seconds = options.get("seconds", 2);
  std::size_t const bytes = options.count("bytes", 64);
  std::size_t const segments = std::clamp<std::size_t>(options.count("segments", 1), 1, 64);
  int const segment = static_cast<int>(bytes);
  for (UniqueFd& flow : flows) {
    flow = udp_socket();
    connect_to(flow.get(), to);
    must(segments == 1 ||
             ::setsockopt(flow.get(), IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment) == 0,
         "UDP_SEGMENT");
  }
  Batch batch(bytes * segments);
  std::uint64_t sent = 0;
  auto const start = Clock::now();
  for (std::size_t turn = 0; seconds_since(start) < seconds; ++turn) {
    sent += batch.send(flows[turn % flows.size()].get()) * segments;
  }
  std::printf("{\"sent\":%llu,\"seconds\":%.3f,\"cpu\":%.3f}\n",
              static_cast<unsigned long long>(sent), seconds_since(start), cpu_seconds());
}

/// Waits until the socket has something; false when standard input ended.
bool wait_for_datagram(int fd) {
  std::array<pollfd, 2> wait{pollfd{fd, POLLIN, 0}, pollfd{0, POLLIN, 0}};
  while (::poll(wait.data(), wait.size(), -1) < 0 && errno == EINTR) {
  }
  return wait[1].revents == 0;
}

void sink(Options const& options) {
  UniqueFd const fd = udp_socket(static_cast<std::uint16_t>(options.number(0)));
  // Whole runs at once where the kernel has them: the counting must not be the bottleneck.
  int const on = 1;
  must(::setsockopt(fd.get(), IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0, "UDP_GRO");
  std::size_t const size = std::max<std::size_t>(1, options.count("bytes", 64));
  std::printf("ready\n");
  std::fflush(stdout);
  Batch batch(65536);
  std::uint64_t packets = 0, bytes = 0;
  Clock::time_point first, last;
  while (wait_for_datagram(fd.get())) {
    std::size_t const got = batch.receive(fd.get());
    last = Clock::now();
    if (packets == 0) first = last;
    for (std::size_t i = 0; i < got; ++i) {
      bytes += batch.received_bytes(i);
      packets += (batch.received_bytes(i) + size - 1) / size;
    }
  }
  double const seconds = std::chrono::duration<double>(last - first).count();
  std::printf("{\"packets\":%llu,\"bytes\":%llu,\"seconds\":%.4f,\"cpu\":%.3f}\n",
              static_cast<unsigned long long>(packets), static_cast<unsigned long long>(bytes),
              seconds, cpu_seconds());
}

void pong(Options const& options) {
  UniqueFd const fd = udp_socket(static_cast<std::uint16_t>(options.number(0)));
  std::printf("ready\n");
  std::fflush(stdout);
  std::array<std::uint8_t, 2048> memory;
  while (wait_for_datagram(fd.get())) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    ssize_t const got = ::recvfrom(fd.get(), memory.data(), memory.size(), 0,
                                   reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) continue;
    (void)::sendto(fd.get(), memory.data(), static_cast<std::size_t>(got), 0,
                   reinterpret_cast<sockaddr const*>(&from), size);
  }
}

/// One round trip in microseconds; negative if the answer did not come in a second.
double round_trip(int fd, std::vector<std::uint8_t>& datagram, std::uint64_t number) {
  std::memcpy(datagram.data(), &number, sizeof number);
  auto const start = Clock::now();
  if (::send(fd, datagram.data(), datagram.size(), 0) < 0) return -1;
  std::vector<std::uint8_t> answer(datagram.size());
  std::uint64_t came = number + 1;
  while (came != number) {
    if (::recv(fd, answer.data(), answer.size(), 0) < 0) return -1;
    std::memcpy(&came, answer.data(), sizeof came);  // not a late answer to an earlier one
  }
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

void ping(Options const& options) {
  UniqueFd const fd = udp_socket();
  connect_to(fd.get(),
             to_address(options.operand(0), static_cast<std::uint16_t>(options.number(1))));
  timeval const second{1, 0};
  must(::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second) == 0, "SO_RCVTIMEO");
  std::vector<std::uint8_t> datagram(std::max<std::size_t>(8, options.count("bytes", 64)));
  std::vector<double> times;
  std::size_t const count = options.count("count", 20000);
  std::size_t lost = 0;
  for (std::size_t i = 0; i < 100 + count && lost < 10; ++i) {
    double const took = round_trip(fd.get(), datagram, i);
    if (took < 0) ++lost;
    if (took >= 0 && i >= 100) times.push_back(took);  // the first ones find ARP and caches cold
  }
  if (times.empty()) throw std::runtime_error("no answer came");
  std::sort(times.begin(), times.end());
  auto const at = [&](double share) {
    return times[static_cast<std::size_t>(share * static_cast<double>(times.size() - 1))];
  };
  std::printf("{\"count\":%zu,\"lost\":%zu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f}\n",
              times.size(), lost, at(0.5), at(0.99), times.back());
}

}  // namespace

int main(int count, char** words) {
  try {
    std::string const verb = count > 1 ? words[1] : "";
    Options const options(count, words);
    if (verb == "send") return send(options), 0;
    if (verb == "sink") return sink(options), 0;
    if (verb == "ping") return ping(options), 0;
    if (verb == "pong") return pong(options), 0;
    std::fputs("usage: packet_load send|sink|ping|pong …, see the head of its source\n", stderr);
  } catch (std::exception const& e) {
    std::fprintf(stderr, "packet_load: %s\n", e.what());
  }
  return 2;
}
