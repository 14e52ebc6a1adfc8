// The packet path of two gates without a kernel: a forwarder that seals hands its datagram runs to
// one that opens, in one thread. Says what the gates' own code costs, to a fraction of a per cent
// of T1, and whether threads that share nothing get in each other's way.
//
// Prints one line of JSON: a thread's processor time in ns for each 60 KB super-frame and for each
// datagram of 64 bytes (sealed, opened, delivered), and the Gbit/s of all threads.
// usage: packet_path run [--seconds N] [--threads N]
#include <atomic>
#include <functional>
#include <thread>

#include "bench_program.hpp"
#include "tunnel/forwarder_fixture.hpp"
#include "tunnel/offload.hpp"

namespace {

using namespace shamon;
using namespace shamon::bench;

constexpr std::size_t kPayloadBytes = 60'192, kSegmentBytes = 1368;  // 44 segments: one run
constexpr std::size_t kDatagramBytes = 64, kDatagrams = 64;

/// Takes every frame and counts the packets' bytes.
class Sink final : public PortDriver {
 public:
  explicit Sink(std::uint64_t& bytes) : bytes_(bytes) {}
  int fd() const noexcept override { return -1; }
  bool offloads() const noexcept override { return true; }
  tl::expected<Frame, Outcome> receive(std::span<std::uint8_t>) noexcept override {
    return tl::unexpected<Outcome>(Outcome::busy);
  }
  Outcome send(VnetHeader const&, std::span<iovec> parts) noexcept override {
    for (iovec const& part : parts.subspan(2)) bytes_ += part.iov_len;
    return Outcome::done;
  }

 private:
  std::uint64_t& bytes_;
};

Bytes frame_of(test::PacketSpec const& spec) {
  auto const header = make_ethernet_header(kGateMac, test::kMac, kEtherTypeIpv4);
  Bytes frame(header.begin(), header.end());
  append(frame, test::make_packet(spec));
  return frame;
}

class Pair {
 public:
  Pair() {
    a_.open(1, "b", "green", 1, 2);
    b_.open(1, "a", "green", 2, 1);
    from_ = a_.attach(1, "v1", "green", test::kFrom, std::make_unique<Sink>(unwanted_));
    (void)b_.attach(1, "v2", "green", test::kTo, std::make_unique<Sink>(delivered_));
    a_.route(test::kTo, "v2", "green", "b");
    b_.route(test::kFrom, "v1", "green", "a");
    a_.wire = [this](Underlay::Run const& run) { b_.forwarder.from_underlay(run, b_.now); };
    test::PacketSpec stream, datagram;
    stream.payload_bytes = kPayloadBytes;
    datagram.protocol = kProtocolUdp;
    datagram.payload_bytes = kDatagramBytes - kIpv4HeaderBytes - 8;
    stream_ = frame_of(stream);
    datagram_ = frame_of(datagram);
    Offload offload{Segmentation::tcp, kSegmentBytes, true};
    stream_header_ = make_vnet_header(
        offload, *parse_ip_packet(std::span(stream_).subspan(kEthernetHeaderBytes)));
  }

  void stream() { pass({stream_header_, stream_}, 1); }
  void datagrams() { pass({none_, datagram_}, kDatagrams); }
  std::uint64_t delivered() const { return delivered_; }

 private:
  void pass(PortDriver::Frame const& frame, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) a_.forwarder.from_port(*from_, frame, a_.now);
    a_.forwarder.end_of_turn(a_.now);
    b_.forwarder.end_of_turn(b_.now);
  }

  test::TestGate a_{test::kThreeLabels}, b_{test::kThreeLabels};
  Port* from_ = nullptr;
  std::uint64_t delivered_ = 0, unwanted_ = 0;
  Bytes stream_, datagram_;
  VnetHeader stream_header_{}, none_{};
};

double thread_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Cost {
  double wall_ns = 0, cpu_ns = 0;
};

/// Of each call of `work`, which must deliver `bytes` each time.
Cost time_of(double seconds, Pair& pair, std::size_t bytes, std::function<void()> const& work) {
  for (int i = 0; i < 100; ++i) work();
  std::uint64_t const before = pair.delivered();
  std::size_t count = 0;
  double const cpu_start = thread_seconds();
  auto const start = Clock::now();
  double took = 0;
  while ((took = seconds_since(start)) < seconds) {
    for (int i = 0; i < 16; ++i) work();
    count += 16;
  }
  if (pair.delivered() - before != count * bytes) {
    throw std::runtime_error("not every packet was delivered");
  }
  double const each = 1e9 / static_cast<double>(count);
  return {each * took, each * (thread_seconds() - cpu_start)};
}

struct Times {
  Cost stream, datagrams;
};

/// All threads do the same at the same time, each with gates of its own.
std::vector<Times> run(std::size_t threads, double seconds) {
  std::vector<Times> times(threads);
  std::vector<std::thread> running;
  std::atomic<std::size_t> ready = 0;
  for (std::size_t i = 0; i < threads; ++i) {
    running.emplace_back([&, i] {
      Pair pair;
      ++ready;
      while (ready != threads) std::this_thread::yield();
      times[i].stream =
          time_of(seconds, pair, kIpv4HeaderBytes + 20 + kPayloadBytes, [&] { pair.stream(); });
      times[i].datagrams =
          time_of(seconds, pair, kDatagrams * kDatagramBytes, [&] { pair.datagrams(); });
    });
  }
  for (std::thread& thread : running) thread.join();
  return times;
}

void report(std::vector<Times> const& times) {
  double gbit = 0, stream_ns = 0, datagram_ns = 0;
  auto const count = static_cast<double>(times.size());
  for (Times const& one : times) {
    gbit += 8.0 * kPayloadBytes / one.stream.wall_ns;
    stream_ns += one.stream.cpu_ns / count;
    datagram_ns += one.datagrams.cpu_ns / count / kDatagrams;
  }
  std::printf(
      "{\"threads\":%zu,\"gbit_per_s\":%.3f,\"stream_ns\":%.1f,\"datagram_ns\":%.2f,\"stream_"
      "bytes\":%zu}\n",
      times.size(), gbit, stream_ns, datagram_ns, kPayloadBytes);
}

}  // namespace

int main(int count, char** words) {
  try {
    if (count < 2 || std::string(words[1]) != "run") {
      std::fputs("usage: packet_path run [--seconds N] [--threads N]\n", stderr);
      return 2;
    }
    Options const options(count, words);
    report(run(options.count("threads", 1), options.get("seconds", 0.5)));
    return 0;
  } catch (std::exception const& e) {
    std::fprintf(stderr, "packet_path: %s\n", e.what());
    return 1;
  }
}
