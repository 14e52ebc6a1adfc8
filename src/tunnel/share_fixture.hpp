// For tests: a hypervisor's end of one view of a channel.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.hpp"
#include "tunnel/control_server.hpp"

namespace shamon {

class ShareClient {
 public:
  ShareClient() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket_.reset(ends[0]);
    gates_.reset(ends[1]);
  }
  /// The gate's end, to hand out.
  UniqueFd take_gate_end() { return std::move(gates_); }

  /// Receives the memory of a memory view; false if none comes.
  bool receive_memory(int wait_ms = 200) {
    if (!readable(wait_ms)) return false;
    std::uint8_t byte = 0;
    std::vector<UniqueFd> descriptors;
    if (receive_with_descriptors(socket_.get(), {&byte, 1}, descriptors, 0) != 1) return false;
    if (descriptors.size() != 1) return false;
    memory = std::move(descriptors[0]);
    return true;
  }
  /// Maps the memory; null with errno if that is refused.
  std::uint8_t* map(std::size_t bytes, bool writable) const {
    int const access = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    void* const at = ::mmap(nullptr, bytes, access, MAP_SHARED, memory.get(), 0);
    return at == MAP_FAILED ? nullptr : static_cast<std::uint8_t*>(at);
  }
  bool ring(std::uint8_t event) { return ::send(socket_.get(), &event, 1, MSG_NOSIGNAL) == 1; }
  /// The next event heard; -1 if none within the time, -2 once the gate hung up.
  int hear(int wait_ms = 0) {
    if (!readable(wait_ms)) return -1;
    std::uint8_t event = 0;
    return ::recv(socket_.get(), &event, 1, 0) == 1 ? event : -2;
  }
  int fd() const { return socket_.get(); }
  void hang_up() { socket_.reset(); }

  UniqueFd memory;

 private:
  bool readable(int wait_ms) const {
    pollfd entry{socket_.get(), POLLIN, 0};
    return ::poll(&entry, 1, wait_ms) == 1;
  }
  UniqueFd socket_;
  UniqueFd gates_;
};

}  // namespace shamon
