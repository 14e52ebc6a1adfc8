// What the small load programs of the benches share: options, UDP sockets, batches of datagrams,
// and the time a program ran with the processor time it used.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.hpp"

namespace shamon::bench {

using Clock = std::chrono::steady_clock;

/// The words after the verb: `--name value` pairs among operands.
class Options {
 public:
  Options(int count, char** words) {
    for (int i = 2; i < count; ++i) {
      std::string const word = words[i];
      if (!word.starts_with("--")) {
        operands.push_back(word);
      } else if (i + 1 < count) {
        named_[word.substr(2)] = words[++i];
      } else {
        throw std::runtime_error(word + " needs a value");
      }
    }
  }
  double get(std::string const& name, double otherwise) const {
    auto const found = named_.find(name);
    if (found == named_.end()) return otherwise;
    char* end = nullptr;
    double const value = std::strtod(found->second.c_str(), &end);
    if (*end != 0 || found->second.empty() || value < 0) {
      throw std::runtime_error("--" + name + " " + found->second + ": not a number");
    }
    return value;
  }
  std::size_t count(std::string const& name, std::size_t otherwise) const {
    return static_cast<std::size_t>(get(name, static_cast<double>(otherwise)));
  }
  std::string const& operand(std::size_t i) const {
    if (i >= operands.size()) throw std::runtime_error("an operand is missing");
    return operands[i];
  }
  std::uint32_t number(std::size_t i) const {
    char* end = nullptr;
    unsigned long const value = std::strtoul(operand(i).c_str(), &end, 0);
    if (*end != 0 || value > 0xffffffff) throw std::runtime_error(operand(i) + ": not a number");
    return static_cast<std::uint32_t>(value);
  }
  std::vector<std::string> operands;

 private:
  std::map<std::string, std::string> named_;
};

inline void must(bool condition, char const* what) {
  if (!condition) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

inline sockaddr_in to_address(std::string const& text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (::inet_pton(AF_INET, text.c_str(), &address.sin_addr) != 1) {
    throw std::runtime_error(text + ": not an IPv4 address");
  }
  return address;
}

inline UniqueFd udp_socket(std::uint16_t bind_port = 0) {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  must(static_cast<bool>(fd), "socket");
  int const bytes = 4 << 20;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  sockaddr_in const any = to_address("0.0.0.0", bind_port);
  must(::bind(fd.get(), reinterpret_cast<sockaddr const*>(&any), sizeof any) == 0, "bind");
  return fd;
}

inline void connect_to(int fd, sockaddr_in const& address) {
  must(::connect(fd, reinterpret_cast<sockaddr const*>(&address), sizeof address) == 0, "connect");
}

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// User and system seconds of this process.
inline double cpu_seconds() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  auto const seconds = [](timeval const& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

/// Datagrams for one sendmmsg call; each has its own memory and may have its own destination.
class Batch {
 public:
  static constexpr std::size_t kDatagrams = 64;
  explicit Batch(std::size_t bytes) : memory_(kDatagrams * bytes) {
    for (std::size_t i = 0; i < kDatagrams; ++i) {
      parts_[i] = {memory_.data() + i * bytes, bytes};
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  Batch(Batch const&) = delete;
  Batch& operator=(Batch const&) = delete;
  std::uint8_t* data(std::size_t i) { return static_cast<std::uint8_t*>(parts_[i].iov_base); }
  void resize(std::size_t i, std::size_t bytes) { parts_[i].iov_len = bytes; }
  void direct(std::size_t i, sockaddr_in* to) {
    messages_[i].msg_hdr.msg_name = to;
    messages_[i].msg_hdr.msg_namelen = sizeof *to;
  }
  /// How many went out; none when the socket has no room.
  std::size_t send(int fd, std::size_t count = kDatagrams) {
    int const sent = ::sendmmsg(fd, messages_.data(), static_cast<unsigned>(count), 0);
    if (sent >= 0) return static_cast<std::size_t>(sent);
    // A receiver that is gone or full is no end of the bench.
    must(errno == EAGAIN || errno == ENOBUFS || errno == ECONNREFUSED || errno == EINTR ||
             errno == EPERM || errno == EHOSTUNREACH,
         "sendmmsg");
    return 0;
  }
  std::size_t receive(int fd) {
    int const got = ::recvmmsg(fd, messages_.data(), kDatagrams, MSG_WAITFORONE, nullptr);
    if (got >= 0) return static_cast<std::size_t>(got);
    must(errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED, "recvmmsg");
    return 0;
  }
  std::size_t received_bytes(std::size_t i) const { return messages_[i].msg_len; }

 private:
  std::vector<std::uint8_t> memory_;
  std::array<iovec, kDatagrams> parts_{};
  std::array<mmsghdr, kDatagrams> messages_{};
};

}  // namespace shamon::bench
