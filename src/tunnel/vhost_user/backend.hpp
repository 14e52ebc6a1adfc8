// The gate's side of one VM's virtio-net device: front ends come and go, one at a time, over a
// socket that the host monitor made for that VM; each says where the guest's rings are.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "tunnel/vhost_user/front_end.hpp"
#include "tunnel/vhost_user/queue.hpp"

namespace shamon::vhost_user {

/// look(0) reads messages and so belongs to one thread; look(i) to the thread that serves pair i.
/// Everything else may be called by any thread.
class Backend {
 public:
  /// Errors: `invalid` if it is not a listening UNIX stream socket, or for a number of pairs
  /// outside 1..kQueuePairsMax; `system`.
  static Result<std::shared_ptr<Backend>> create(UniqueFd listener, std::size_t pairs);
  Backend(UniqueFd listener, std::size_t pairs);
  Backend(Backend const&) = delete;
  Backend& operator=(Backend const&) = delete;

  /// Readable when there is something to do for the pair.
  int fd(std::size_t pair) const noexcept { return pairs_[pair].epoll.get(); }
  /// Takes notice of what made the descriptor readable. For pair 0: front ends and their messages.
  void look(std::size_t pair) noexcept;
  /// Makes the descriptor readable.
  void wake(std::size_t pair) const noexcept;

  Queue& to_guest(std::size_t pair) noexcept { return *pairs_[pair].to_guest; }
  Queue& from_guest(std::size_t pair) noexcept { return *pairs_[pair].from_guest; }
  /// What the guest's driver agreed to.
  std::uint64_t features() const noexcept { return features_.load(std::memory_order_relaxed); }

  /// The first fault stays; from then on nothing is done for this VM any more.
  void stop(Fault fault) noexcept;
  Fault fault() const noexcept { return fault_.load(std::memory_order_acquire); }

 private:
  struct Pair {
    UniqueFd epoll, wake;
    std::unique_ptr<Queue> to_guest, from_guest;
  };
  Status open();
  bool watch(std::size_t pair, int fd, std::uint64_t tag, std::uint32_t events) const noexcept;
  void unwatch(std::size_t pair, int fd) const noexcept;

  void accept() noexcept;
  void disconnect() noexcept;
  void read_messages() noexcept;
  /// One message: its effect, and the reply if it has one of its own.
  Checked<std::optional<Bytes>> handle(FrontEnd::Letter& letter) noexcept;
  Checked<void> apply(FrontEnd::Letter& letter) noexcept;
  Checked<void> apply(RingState const& state, Request request) noexcept;
  Checked<void> apply(RingDescriptor const& what, Request request, UniqueFd descriptor) noexcept;
  Checked<Queue*> queue(std::uint32_t index) noexcept;
  Checked<void> set_features(std::uint64_t features) noexcept;
  Checked<void> set_memory(MemoryTable const& table, std::span<UniqueFd const> fds) noexcept;
  Checked<void> set_log(LogArea const& area, UniqueFd const& descriptor) noexcept;
  Checked<void> start(std::uint32_t index, UniqueFd kick) noexcept;
  std::uint32_t stop_queue(std::uint32_t index, bool forget) noexcept;
  void stop_queues(bool forget) noexcept;
  Checked<void> rewire() noexcept;
  Agreement agreement() const noexcept { return {features(), memory_, log_}; }

  UniqueFd listener_;
  std::vector<Pair> pairs_;
  std::atomic<Fault> fault_ = Fault::none;
  std::atomic<std::uint64_t> features_ = 0;
  // Of the front end; touched by look(0) only.
  FrontEnd front_end_;
  std::uint64_t protocol_features_ = 0;
  std::uint64_t status_ = 0;
  std::shared_ptr<GuestMemory const> memory_;
  std::shared_ptr<DirtyLog const> log_;
};

}  // namespace shamon::vhost_user
