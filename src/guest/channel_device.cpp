#include "guest/channel_device.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace shamon::guest {
namespace {

constexpr std::string_view kVendor = "0x1af4", kDevice = "0x1110";  ///< ivshmem's
constexpr std::string_view kPortName = "org.shamon.channel.";
constexpr unsigned kEventsMax = 8;

/// Files of sysfs have no size, and ours hold one word.
std::string read_word(std::string const& path) {
  UniqueFd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 64> text{};
  ssize_t const got = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  std::string_view word(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  while (!word.empty() && word.back() == '\n') word.remove_suffix(1);
  return std::string(word);
}

unsigned number_or_zero(std::string_view text) {
  unsigned number = 0;
  auto const [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && at == text.data() + text.size() ? number : 0;
}

std::uint64_t file_bytes(std::string const& path) {
  struct stat found {};
  return ::stat(path.c_str(), &found) == 0 ? static_cast<std::uint64_t>(found.st_size) : 0;
}

std::vector<std::string> entries(std::string const& folder) {
  std::vector<std::string> out;
  std::error_code error;
  for (auto const& entry : std::filesystem::directory_iterator(folder, error)) {
    out.push_back(entry.path().string());
  }
  return out;
}

}  // namespace

std::vector<ChannelSeen> find_channels(ChannelPlaces const& places) {
  std::map<unsigned, ChannelSeen> found;
  for (auto const& folder : entries(places.pci)) {
    if (read_word(folder + "/vendor") != kVendor || read_word(folder + "/device") != kDevice) {
      continue;
    }
    ChannelSeen& channel = found[number_or_zero(read_word(folder + "/acpi_index"))];
    channel.memory = folder;
    channel.memory_bytes = file_bytes(folder + "/resource2");
  }
  for (auto const& folder : entries(places.ports)) {
    std::string const name = read_word(folder + "/name");
    if (!name.starts_with(kPortName)) continue;
    std::string const file = std::filesystem::path(folder).filename().string();
    found[number_or_zero(std::string_view(name).substr(kPortName.size()))].events =
        places.devices + "/" + file;
  }
  found.erase(0);  // a device that is nobody's channel
  std::vector<ChannelSeen> out;
  for (auto& [number, channel] : found) {
    channel.number = number;
    out.push_back(std::move(channel));
  }
  return out;
}

Result<ChannelMemory> ChannelMemory::map(ChannelSeen const& channel) {
  if (channel.memory.empty()) return fail(Errc::not_found, "the channel has no memory here");
  std::string const enable = channel.memory + "/enable";
  if (read_word(enable) == "0") {
    UniqueFd const fd(::open(enable.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd || ::write(fd.get(), "1", 1) != 1) return fail_errno("turn on " + channel.memory);
  }
  std::string const path = channel.memory + "/resource2";
  UniqueFd const fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd) return fail_errno("open " + path);
  void* const at =
      ::mmap(nullptr, channel.memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (at == MAP_FAILED) return fail_errno("map " + path);
  ChannelMemory out;
  out.begin_ = static_cast<std::uint8_t volatile*>(at);
  out.bytes_ = channel.memory_bytes;
  return out;
}
ChannelMemory::ChannelMemory(ChannelMemory&& other) noexcept
    : begin_(std::exchange(other.begin_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
ChannelMemory& ChannelMemory::operator=(ChannelMemory&& other) noexcept {
  std::swap(begin_, other.begin_);
  std::swap(bytes_, other.bytes_);
  return *this;
}
ChannelMemory::~ChannelMemory() {
  if (begin_ != nullptr) ::munmap(const_cast<std::uint8_t*>(begin_), bytes_);
}

Result<Bytes> ChannelMemory::read(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset > bytes_ || bytes > bytes_ - offset) {
    return fail(Errc::invalid, "not inside the channel's memory");
  }
  return Bytes(begin_ + offset, begin_ + offset + bytes);
}

Status ChannelMemory::write(std::uint64_t offset, ByteView bytes) const {
  if (offset > bytes_ || bytes.size() > bytes_ - offset) {
    return fail(Errc::invalid, "not inside the channel's memory");
  }
  std::copy(bytes.begin(), bytes.end(), begin_ + offset);
  return {};
}

Result<ChannelEvents> ChannelEvents::open(ChannelSeen const& channel) {
  if (channel.events.empty()) return fail(Errc::not_found, "the channel has no events here");
  UniqueFd port(::open(channel.events.c_str(), O_RDWR | O_CLOEXEC));
  if (port) return ChannelEvents(std::move(port));
  if (errno == EBUSY) return fail(Errc::conflict, "another program has the channel's events open");
  return fail_errno("open " + channel.events);
}

Status ChannelEvents::ring(unsigned event) const {
  if (event >= kEventsMax) return fail(Errc::invalid, "no channel has so many events");
  auto const byte = static_cast<std::uint8_t>(event);
  if (::write(port_.get(), &byte, 1) == 1) return {};
  return fail(Errc::unreachable, "the channel is gone");
}

Result<unsigned> ChannelEvents::wait(int milliseconds) const {
  pollfd entry{port_.get(), POLLIN, 0};
  if (::poll(&entry, 1, milliseconds) != 1) return fail(Errc::timeout, "nobody rang");
  std::uint8_t byte = 0;
  if ((entry.revents & POLLIN) != 0 && ::read(port_.get(), &byte, 1) == 1) return byte;
  return fail(Errc::unreachable, "the channel is gone");
}

}  // namespace shamon::guest
