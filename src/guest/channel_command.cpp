#include "guest/channel_command.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <optional>

#include "guest/channel_device.hpp"

namespace shamon::guest {
namespace {

constexpr std::uint64_t kWaitSecondsMax = 1'000'000;  ///< in milliseconds it still is an int

int complain(Error const& error) {
  std::fprintf(stderr, "shamon-guest: %s\n", error.describe().c_str());
  return 1;
}
int finish(Status const& done) {
  return done ? 0 : complain(done.error());
}

std::optional<std::uint64_t> to_number(std::string const& text) {
  std::uint64_t number = 0;
  char const* const end = text.data() + text.size();
  auto const [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at != end) return std::nullopt;
  return number;
}

int list() {
  for (auto const& channel : find_channels({})) {
    std::printf("channel %u: %llu bytes, %s\n", channel.number,
                static_cast<unsigned long long>(channel.memory_bytes),
                channel.events.empty() ? "no events" : "events");
  }
  return 0;
}

int read(ChannelSeen const& channel, std::uint64_t offset, std::uint64_t count) {
  auto const memory = ChannelMemory::map(channel);
  if (!memory) return complain(memory.error());
  auto const bytes = memory->read(offset, count);
  if (!bytes) return complain(bytes.error());
  return std::fwrite(bytes->data(), 1, bytes->size(), stdout) == bytes->size() ? 0 : 1;
}

int write(ChannelSeen const& channel, std::uint64_t offset, std::string const& text) {
  auto const memory = ChannelMemory::map(channel);
  return memory ? finish(memory->write(offset, as_bytes(text))) : complain(memory.error());
}

int ring(ChannelSeen const& channel, std::uint64_t event) {
  auto const events = ChannelEvents::open(channel);
  if (!events) return complain(events.error());
  return finish(events->ring(static_cast<unsigned>(std::min<std::uint64_t>(event, 0xffff))));
}

int wait(ChannelSeen const& channel, std::uint64_t seconds) {
  auto const events = ChannelEvents::open(channel);
  if (!events) return complain(events.error());
  auto const event = events->wait(static_cast<int>(std::min(seconds, kWaitSecondsMax)) * 1000);
  if (event) {
    std::printf("event %u\n", *event);
    return 0;
  }
  (void)complain(event.error());
  return event.error().code == Errc::timeout ? 12 : 1;
}

}  // namespace

int run_channel_command(std::vector<std::string> const& words) {
  if (words.size() == 1 && words[0] == "list") return list();
  if (words.size() < 3) return 2;
  auto const number = to_number(words[1]), first = to_number(words[2]);
  if (!number || !first) return 2;
  auto const second = words.size() == 4 ? to_number(words[3]) : std::nullopt;
  auto const channels = find_channels({});
  auto const channel = std::find_if(channels.begin(), channels.end(), [&](ChannelSeen const& seen) {
    return seen.number == *number;
  });
  auto const use = [&](auto const& verb) {
    if (channel != channels.end()) return verb();
    return complain({Errc::not_found, "this VM has no channel " + words[1], {}});
  };
  if (words[0] == "read" && second) return use([&] { return read(*channel, *first, *second); });
  if (words[0] == "write" && words.size() == 4) {
    return use([&] { return write(*channel, *first, words[3]); });
  }
  if (words[0] == "ring" && words.size() == 3) return use([&] { return ring(*channel, *first); });
  if (words[0] == "wait" && words.size() == 3) return use([&] { return wait(*channel, *first); });
  return 2;
}

}  // namespace shamon::guest
