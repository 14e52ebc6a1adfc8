#include "vm/qemu/qemu_channels.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace shamon {
namespace {

std::string memory_id(ChannelId channel) {
  return fmt::format("channel-{}", channel.value());
}
std::string events_id(ChannelId channel) {
  return fmt::format("channel-{}-events", channel.value());
}
std::string by_id(std::string const& id) {
  return fmt::format(R"({{"id":"{}"}})", id);
}

/// The number behind `key` in QEMU's answer.
std::optional<int> number_after(std::string_view line, std::string_view key) {
  auto const at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  char const* const begin = line.data() + at + key.size();
  int number = -1;
  auto const [end, error] = std::from_chars(begin, line.data() + line.size(), number);
  if (error != std::errc{} || end == begin || number < 0) return std::nullopt;
  return number;
}

}  // namespace

std::string channel_slot_id(std::size_t index) {
  return fmt::format("channel-slot-{}", index);
}

Status QemuChannels::run(std::string_view command, std::string const& arguments, int descriptor) {
  auto const answer = qmp_->ask(command, arguments, descriptor);
  if (!answer) return pass(answer);
  return {};
}

Result<std::size_t> QemuChannels::free_slot(ChannelId channel) const {
  if (std::find(slots_.begin(), slots_.end(), channel) != slots_.end()) {
    return fail(Errc::conflict, memory_id(channel) + " is plugged already");
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i]) return i;
  }
  return fail(Errc::too_large,
              fmt::format("the VM has channels in all its {} slots", slots_.size()));
}

/// QEMU opens backends by path: the descriptor it got is one, under /proc, and is not needed after.
Status QemuChannels::add_backend(std::string const& id, ChannelMemory const& memory) {
  auto const given = qmp_->ask("add-fd", {}, memory.memory.get());
  if (!given) return pass(given);
  auto const fd = number_after(*given, R"("fd": )");
  auto const set = number_after(*given, R"("fdset-id": )");
  if (!fd || !set) return fail(Errc::malformed, "QEMU does not say where the descriptor is");
  Status const added = run("object-add", fmt::format(R"({{"qom-type":"memory-backend-file",)"
                                                     R"("id":"{}","mem-path":"/proc/self/fd/{}",)"
                                                     R"("size":{},"share":true,"readonly":{}}})",
                                                     id, *fd, memory.size_bytes, !memory.writable));
  (void)run("remove-fd", fmt::format(R"({{"fdset-id":{}}})", *set));
  return added;
}

Status QemuChannels::add_chardev(std::string const& id, UniqueFd socket) {
  auto const name = fmt::format(R"({{"fdname":"{}"}})", id);
  if (Status given = run("getfd", name, socket.get()); !given) return given;
  Status const added =
      run("chardev-add",
          fmt::format(R"({{"id":"{0}","backend":{{"type":"socket","data":{{"server":false,)"
                      R"("addr":{{"type":"fd","data":{{"str":"{0}"}}}}}}}}}})",
                      id));
  if (!added) (void)run("closefd", name);
  return added;
}

Status QemuChannels::plug_memory(ChannelMemory memory) {
  auto const slot = free_slot(memory.channel);
  if (!slot) return pass(slot);
  std::string const id = memory_id(memory.channel);
  if (Status added = add_backend(id, memory); !added) return added;
  Status const plugged =
      run("device_add", fmt::format(R"({{"driver":"ivshmem-plain","id":"{0}","memdev":"{0}",)"
                                    R"("bus":"{1}","acpi-index":{2}}})",
                                    id, channel_slot_id(*slot), memory.channel.value()));
  if (plugged) {
    slots_[*slot] = memory.channel;
  } else {
    (void)run("object-del", by_id(id));
  }
  return plugged;
}

Status QemuChannels::plug_events(ChannelId channel, UniqueFd socket) {
  std::string const id = events_id(channel);
  if (events_.contains(channel)) return fail(Errc::conflict, id + " is plugged already");
  if (Status added = add_chardev(id, std::move(socket)); !added) return added;
  Status const plugged =
      run("device_add", fmt::format(R"({{"driver":"virtserialport","id":"{0}","chardev":"{0}",)"
                                    R"("name":"org.shamon.channel.{1}"}})",
                                    id, channel.value()));
  if (plugged) {
    events_.insert(channel);
  } else {
    (void)run("chardev-remove", by_id(id));
  }
  return plugged;
}

Status QemuChannels::unplug(ChannelId channel) {
  Status result;
  if (events_.contains(channel)) result = run("device_del", by_id(events_id(channel)));
  if (std::find(slots_.begin(), slots_.end(), channel) == slots_.end()) return result;
  Status const asked = run("device_del", by_id(memory_id(channel)));
  return result ? asked : result;
}

Result<bool> QemuChannels::is_unplugged(ChannelId channel) {
  auto const there = qmp_->ask("qom-list", R"({"path":"/machine/peripheral"})");
  if (!there) return pass(there);
  auto is_there = [&](std::string const& id) {
    return there->find("\"" + id + "\"") != std::string::npos;
  };
  auto const slot = std::find(slots_.begin(), slots_.end(), channel);
  if (slot != slots_.end() && !is_there(memory_id(channel))) {
    (void)run("object-del", by_id(memory_id(channel)));
    slot->reset();
  }
  if (events_.contains(channel) && !is_there(events_id(channel))) {
    (void)run("chardev-remove", by_id(events_id(channel)));
    events_.erase(channel);
  }
  return std::find(slots_.begin(), slots_.end(), channel) == slots_.end() &&
         !events_.contains(channel);
}

}  // namespace shamon
