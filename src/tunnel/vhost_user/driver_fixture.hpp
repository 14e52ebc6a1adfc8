// For tests: the driver's end of a virtio ring, as a guest has it, in memory shared as QEMU shares
// it.
#pragma once

#include <array>
#include <cstring>
#include <deque>
#include <map>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "tunnel/vhost_user/ring.hpp"

namespace shamon::vhost_user::test {

inline constexpr std::uint64_t kGuestBase = 0x40000000, kUserBase = 0x7f0000000000;

/// Guest memory in a sealed memfd, mapped here too.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes, int seals = F_SEAL_SHRINK | F_SEAL_GROW)
      : size(bytes), fd(::memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    SHAMON_ASSERT(fd && ::ftruncate(fd.get(), static_cast<off_t>(bytes)) == 0);
    if (seals != 0) SHAMON_ASSERT(::fcntl(fd.get(), F_ADD_SEALS, seals) == 0);
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
    SHAMON_ASSERT(at != MAP_FAILED);
    data = static_cast<std::uint8_t*>(at);
  }
  ~SharedMemory() { ::munmap(data, size); }
  SharedMemory(SharedMemory const&) = delete;
  SharedMemory& operator=(SharedMemory const&) = delete;

  template <class T>
  void poke(std::size_t at, T value) {
    std::memcpy(data + at, &value, sizeof value);
  }
  template <class T>
  T peek(std::size_t at) const {
    T value;
    std::memcpy(&value, data + at, sizeof value);
    return value;
  }
  UniqueFd descriptor() const { return UniqueFd(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); }
  MemoryTable table() const {
    MemoryTable table;
    table.count = 1;
    table.regions[0] = {kGuestBase, size, kUserBase, 0};
    return table;
  }
  std::shared_ptr<GuestMemory const> map() const {
    UniqueFd const fds[] = {descriptor()};
    auto memory = GuestMemory::map(table(), fds);
    SHAMON_ASSERT(memory.has_value());
    return std::make_shared<GuestMemory const>(*std::move(memory));
  }

  std::size_t size;
  UniqueFd fd;
  std::uint8_t* data = nullptr;
};

/// Puts buffers into a ring and takes them back. Rings lie at the begin of the memory: descriptors
/// at 0, driver area at 0x8000, device area at 0xa000; indirect tables at 0x10000; buffers from
/// 0x20000, one of kBufferBytes for each id.
class Driver {
 public:
  static constexpr std::size_t kDescriptors = 0, kDriver = 0x8000, kDevice = 0xa000,
                               kTables = 0x10000, kBuffers = 0x20000, kBufferBytes = 0x1000;
  struct Used {
    std::uint16_t id;
    std::uint32_t bytes;
  };
  struct Part {
    std::uint64_t guest;
    std::uint32_t bytes;
  };

  /// `guest`: where the guest sees the memory.
  Driver(SharedMemory& memory, bool packed, std::uint16_t size, bool writable,
         std::uint64_t guest = kGuestBase)
      : memory_(memory), packed_(packed), size_(size), writable_(writable), guest_(guest) {
    for (std::uint16_t i = 0; i < size; ++i) free_.push_back(i);
  }
  RingAddresses addresses(std::uint32_t queue) const {
    return {queue, kUserBase + kDescriptors, kUserBase + kDevice, kUserBase + kDriver};
  }
  std::uint64_t buffer(std::uint16_t id) const { return guest_ + kBuffers + id * kBufferBytes; }
  std::uint8_t* bytes(std::uint16_t id) { return memory_.data + kBuffers + id * kBufferBytes; }
  std::uint16_t next_free() const { return free_.front(); }

  /// Makes one chain available; its id. `indirect`: through a table.
  std::uint16_t offer(std::vector<Part> const& parts, bool indirect = false) {
    return packed_ ? offer_packed(parts, indirect) : offer_split(parts, indirect);
  }
  std::uint16_t offer_bytes(std::string_view content) {
    std::uint16_t const id = next_free();
    std::memcpy(bytes(id), content.data(), content.size());
    return offer({{buffer(id), static_cast<std::uint32_t>(content.size())}});
  }
  std::optional<Used> collect() { return packed_ ? collect_packed() : collect_split(); }

  // Raw access, for what no driver does.
  template <class T>
  void poke(std::size_t at, T value) {
    memory_.poke(at, value);
  }
  template <class T>
  T peek(std::size_t at) const {
    return memory_.peek<T>(at);
  }

 private:
  void put(std::size_t at, Part const& part, std::uint16_t third, std::uint16_t fourth) {
    poke(at, part.guest);
    poke(at + 8, part.bytes);
    poke(at + 12, third);
    __atomic_store_n(reinterpret_cast<std::uint16_t*>(memory_.data + at + 14), fourth,
                     __ATOMIC_RELEASE);
  }
  std::uint16_t take_free() {
    SHAMON_ASSERT(!free_.empty());
    std::uint16_t const id = free_.front();
    free_.pop_front();
    return id;
  }
  std::uint16_t flags(bool more) const {
    return static_cast<std::uint16_t>((more ? 1 : 0) | (writable_ ? 2 : 0));
  }

  std::uint16_t offer_split(std::vector<Part> const& parts, bool indirect) {
    std::vector<std::uint16_t> ids;
    std::size_t const slots = indirect ? 1 : parts.size();
    for (std::size_t i = 0; i < slots; ++i) ids.push_back(take_free());
    if (indirect) {
      std::size_t const table = kTables + ids[0] * 256u;
      for (std::size_t i = 0; i < parts.size(); ++i) {
        put(table + 16 * i, parts[i], flags(i + 1 < parts.size()),
            static_cast<std::uint16_t>(i + 1));
      }
      put(16u * ids[0], {guest_ + table, static_cast<std::uint32_t>(16 * parts.size())}, 4, 0);
    } else {
      for (std::size_t i = 0; i < slots; ++i) {
        bool const more = i + 1 < slots;
        put(16u * ids[i], parts[i], flags(more), more ? ids[i + 1] : std::uint16_t{0});
      }
    }
    chains_[ids[0]] = ids;
    poke<std::uint16_t>(kDriver + 4 + 2u * (available_ % size_), ids[0]);
    store_release<std::uint16_t>(memory_.data + kDriver + 2, ++available_);
    return ids[0];
  }

  std::uint16_t offer_packed(std::vector<Part> const& parts, bool indirect) {
    std::uint16_t const id = take_free();
    std::vector<Part> slots = parts;
    if (indirect) {
      std::size_t const table = kTables + id * 256u;
      for (std::size_t i = 0; i < parts.size(); ++i) put(table + 16 * i, parts[i], 0, flags(false));
      slots = {{guest_ + table, static_cast<std::uint32_t>(16 * parts.size())}};
    }
    chains_[id].assign(slots.size(), id);
    // The first one last: it makes the others visible.
    std::size_t const first = next_;
    std::uint16_t first_flags = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      std::uint16_t const kind = indirect ? 4 : flags(i + 1 < slots.size());
      auto const all = static_cast<std::uint16_t>(kind | (wrap_ ? 1u << 7 : 1u << 15));
      if (i == 0) {
        first_flags = all;
        poke(16 * next_, slots[0].guest);
        poke(16 * next_ + 8, slots[0].bytes);
        poke(16 * next_ + 12, id);
      } else {
        put(16 * next_, slots[i], id, all);
      }
      if (++next_ == size_) {
        next_ = 0;
        wrap_ = !wrap_;
      }
    }
    store_release(memory_.data + 16 * first + 14, first_flags);
    return id;
  }

  std::optional<Used> collect_split() {
    if (load_acquire<std::uint16_t>(memory_.data + kDevice + 2) == used_) return std::nullopt;
    std::size_t const at = kDevice + 4 + 8u * (used_++ % size_);
    Used const used{static_cast<std::uint16_t>(peek<std::uint32_t>(at)),
                    peek<std::uint32_t>(at + 4)};
    for (std::uint16_t id : chains_.at(used.id)) free_.push_back(id);
    return used;
  }

  std::optional<Used> collect_packed() {
    auto const flags = load_acquire<std::uint16_t>(memory_.data + 16 * next_used_ + 14);
    bool const available = (flags >> 7 & 1) != 0, used = (flags >> 15 & 1) != 0;
    if (available != used || used != used_wrap_) return std::nullopt;
    Used const result{peek<std::uint16_t>(16 * next_used_ + 12),
                      peek<std::uint32_t>(16 * next_used_ + 8)};
    next_used_ += chains_.at(result.id).size();
    if (next_used_ >= size_) {
      next_used_ -= size_;
      used_wrap_ = !used_wrap_;
    }
    free_.push_back(result.id);
    return result;
  }

  SharedMemory& memory_;
  bool packed_;
  std::uint16_t size_;
  bool writable_;
  std::uint64_t guest_;
  std::deque<std::uint16_t> free_;
  std::map<std::uint16_t, std::vector<std::uint16_t>> chains_;
  std::uint16_t available_ = 0, used_ = 0;  // split
  std::size_t next_ = 0, next_used_ = 0;    // packed
  bool wrap_ = true, used_wrap_ = true;
};

}  // namespace shamon::vhost_user::test
