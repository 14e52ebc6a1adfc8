#include "tunnel/vhost_user/guest_memory.hpp"

#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/assert.hpp"

namespace shamon::vhost_user {

namespace {

bool overlap(std::uint64_t a, std::uint64_t a_bytes, std::uint64_t b,
             std::uint64_t b_bytes) noexcept {
  return a < b + b_bytes && b < a + a_bytes;
}

bool is_sound(MemoryRegion const& region) noexcept {
  return region.bytes != 0 && region.bytes <= kGuestBytesMax &&
         region.guest <= UINT64_MAX - region.bytes && region.user <= UINT64_MAX - region.bytes;
}

}  // namespace

SharedMapping::SharedMapping(SharedMapping&& other) noexcept
    : mapped_(std::exchange(other.mapped_, nullptr)),
      mapped_bytes_(other.mapped_bytes_),
      data_(other.data_),
      size_(other.size_) {}

SharedMapping& SharedMapping::operator=(SharedMapping&& other) noexcept {
  std::swap(mapped_, other.mapped_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

SharedMapping::~SharedMapping() {
  if (mapped_ != nullptr) ::munmap(mapped_, mapped_bytes_);
}

Checked<SharedMapping> SharedMapping::map(int fd, std::uint64_t offset,
                                          std::uint64_t bytes) noexcept {
  int const seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) return stop_with(Fault::not_sealed);
  struct stat found {};
  if (::fstat(fd, &found) != 0 || found.st_size < 0) return stop_with(Fault::bad_region);
  auto const file_bytes = static_cast<std::uint64_t>(found.st_size);
  if (bytes == 0 || bytes > file_bytes || offset > file_bytes - bytes) {
    return stop_with(Fault::bad_region);
  }
  std::uint64_t const skipped = offset % kLogPageBytes;
  SharedMapping mapping;
  mapping.mapped_bytes_ = bytes + skipped;
  void* const mapped = ::mmap(nullptr, mapping.mapped_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED,
                              fd, static_cast<off_t>(offset - skipped));
  if (mapped == MAP_FAILED) return stop_with(Fault::cannot_map);
  mapping.mapped_ = mapped;
  mapping.data_ = static_cast<std::uint8_t*>(mapped) + skipped;
  mapping.size_ = bytes;
  return mapping;
}

Checked<GuestMemory> GuestMemory::map(MemoryTable const& table,
                                      std::span<UniqueFd const> descriptors) noexcept {
  if (table.count != descriptors.size()) return stop_with(Fault::bad_descriptors);
  GuestMemory memory;
  for (std::size_t i = 0; i < table.count; ++i) {
    MemoryRegion const& region = table.regions[i];
    if (!is_sound(region)) return stop_with(Fault::bad_region);
    for (std::size_t k = 0; k < i; ++k) {
      MemoryRegion const& other = table.regions[k];
      if (overlap(region.guest, region.bytes, other.guest, other.bytes) ||
          overlap(region.user, region.bytes, other.user, other.bytes)) {
        return stop_with(Fault::bad_region);
      }
    }
    auto mapping = SharedMapping::map(descriptors[i].get(), region.offset, region.bytes);
    if (!mapping) return stop_with(mapping.error());
    memory.regions_[i] = {region, *std::move(mapping)};
    memory.count_ = i + 1;
  }
  return memory;
}

Area GuestMemory::at_guest(std::uint64_t guest, std::uint64_t bytes) const noexcept {
  for (Region const& region : std::span(regions_).first(count_)) {
    std::uint64_t const offset = guest - region.where.guest;
    if (guest < region.where.guest || offset >= region.where.bytes) continue;
    std::uint64_t const size = std::min(bytes, region.where.bytes - offset);
    return {region.mapping.data() + offset, size, guest};
  }
  return {};
}

Checked<Area> GuestMemory::at_user(std::uint64_t user, std::size_t bytes,
                                   std::size_t alignment) const noexcept {
  for (Region const& region : std::span(regions_).first(count_)) {
    std::uint64_t const offset = user - region.where.user;
    if (user < region.where.user || offset >= region.where.bytes) continue;
    std::uint8_t* const at = region.mapping.data() + offset;
    bool const aligned = reinterpret_cast<std::uintptr_t>(at) % alignment == 0;
    if (bytes > region.where.bytes - offset || !aligned) break;
    return Area{at, bytes, region.where.guest + offset};
  }
  return stop_with(Fault::bad_ring_address);
}

std::uint64_t GuestMemory::guest_end() const noexcept {
  std::uint64_t end = 0;
  for (Region const& region : std::span(regions_).first(count_)) {
    end = std::max(end, region.where.guest + region.where.bytes);
  }
  return end;
}

void DirtyLog::mark(std::uint64_t guest, std::size_t bytes) const noexcept {
  if (bytes == 0) return;
  std::uint64_t const last = (guest + bytes - 1) / kLogPageBytes;
  SHAMON_ASSERT(last / 8 < mapping_.size());
  for (std::uint64_t page = guest / kLogPageBytes; page <= last; ++page) {
    auto const mask = static_cast<std::uint8_t>(1u << page % 8);
    __atomic_fetch_or(mapping_.data() + page / 8, mask, __ATOMIC_RELEASE);
  }
}

}  // namespace shamon::vhost_user
