// What one core pays to send and receive 1,420-byte UDP datagrams over loopback, by way of doing
// it: the figures behind docs/decisions/0007. Prints one line for each. usage: io_choices [SECONDS]
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace {

constexpr std::size_t kDatagramBytes = 1420;
constexpr unsigned kBatch = 64;
constexpr unsigned kRun = 44;  ///< datagrams of one UDP_SEGMENT send

[[noreturn]] void fail(char const* what) {
  std::perror(what);
  std::exit(1);
}

struct Pair {
  int from = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int to = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  Pair() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    int const buffer = 8 << 20, on = 1;
    if (::bind(to, reinterpret_cast<sockaddr*>(&address), size) != 0) fail("bind");
    if (::getsockname(to, reinterpret_cast<sockaddr*>(&address), &size) != 0) fail("getsockname");
    if (::connect(from, reinterpret_cast<sockaddr*>(&address), size) != 0) fail("connect");
    (void)::setsockopt(to, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
    if (::setsockopt(to, SOL_UDP, UDP_GRO, &on, sizeof on) != 0) fail("UDP_GRO");
  }
  Pair(Pair const&) = delete;
  Pair& operator=(Pair const&) = delete;
  ~Pair() {
    ::close(from);
    ::close(to);
  }
};

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// Sends kBatch datagrams (or kRun); gives how many.
using Send = std::function<unsigned(int socket, std::uint8_t* bytes)>;

unsigned send_each(int socket, std::uint8_t* bytes) {
  for (unsigned i = 0; i < kBatch; ++i) {
    if (::send(socket, bytes + i * kDatagramBytes, kDatagramBytes, 0) < 0) fail("send");
  }
  return kBatch;
}

unsigned send_mmsg(int socket, std::uint8_t* bytes) {
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> parts{};
  for (unsigned i = 0; i < kBatch; ++i) {
    parts[i] = {bytes + i * kDatagramBytes, kDatagramBytes};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  int const sent = ::sendmmsg(socket, messages.data(), kBatch, 0);
  if (sent < 0) fail("sendmmsg");
  return static_cast<unsigned>(sent);
}

unsigned send_run(int socket, std::uint8_t* bytes) {
  iovec part{bytes, kRun * kDatagramBytes};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(std::uint16_t))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_UDP;
  header->cmsg_type = UDP_SEGMENT;
  header->cmsg_len = CMSG_LEN(sizeof(std::uint16_t));
  auto const size = static_cast<std::uint16_t>(kDatagramBytes);
  std::memcpy(CMSG_DATA(header), &size, sizeof size);
  if (::sendmsg(socket, &message, 0) < 0) fail("sendmsg with UDP_SEGMENT");
  return kRun;
}

/// One io_uring_enter for the whole batch.
class RingSender {
 public:
  RingSender() {
    if (int const made = ::io_uring_queue_init(2 * kBatch, &ring_, 0); made != 0) {
      errno = -made;
      fail("io_uring");
    }
  }
  RingSender(RingSender const&) = delete;
  RingSender& operator=(RingSender const&) = delete;
  ~RingSender() { ::io_uring_queue_exit(&ring_); }

  unsigned operator()(int socket, std::uint8_t* bytes) {
    for (unsigned i = 0; i < kBatch; ++i) {
      io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
      ::io_uring_prep_send(entry, socket, bytes + i * kDatagramBytes, kDatagramBytes, 0);
    }
    if (::io_uring_submit_and_wait(&ring_, kBatch) < 0) fail("io_uring_submit");
    io_uring_cqe* done = nullptr;
    unsigned count = 0, head = 0;
    io_uring_for_each_cqe(&ring_, head, done) count += done->res >= 0 ? 1 : 0;
    ::io_uring_cq_advance(&ring_, kBatch);
    return count;
  }

 private:
  io_uring ring_{};
};

/// Takes all that waits; a receive may hold a whole run.
void drain(int socket, std::vector<std::uint8_t>& memory) {
  while (::recv(socket, memory.data(), memory.size(), 0) > 0) {
  }
}

void measure(char const* name, double seconds, Send const& send) {
  Pair pair;
  std::vector<std::uint8_t> bytes(kBatch * kDatagramBytes, 0x5a), memory(65536);
  double sending = 0, receiving = 0;
  std::uint64_t count = 0;
  auto const end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 16; ++i) {
      double const start = cpu_seconds();
      count += send(pair.from, bytes.data());
      double const sent = cpu_seconds();
      drain(pair.to, memory);
      sending += sent - start;
      receiving += cpu_seconds() - sent;
    }
  }
  std::printf("%-28s %7.0f ns sent  %7.0f ns received\n", name,
              sending * 1e9 / static_cast<double>(count),
              receiving * 1e9 / static_cast<double>(count));
}

}  // namespace

int main(int count, char** words) {
  double const seconds = count > 1 ? std::atof(words[1]) : 1;
  RingSender ring;
  measure("send, one by one", seconds, send_each);
  measure("sendmmsg, 64", seconds, send_mmsg);
  measure("io_uring, 64 a submission", seconds,
          [&ring](int socket, std::uint8_t* bytes) { return ring(socket, bytes); });
  measure("UDP_SEGMENT, 44 a run", seconds, send_run);
}
