#include "vm/driver.hpp"

namespace shamon {

char const* to_string(VmState state) noexcept {
  switch (state) {
    case VmState::starting: return "starting";
    case VmState::running: return "running";
    case VmState::suspended: return "suspended";
    case VmState::stopped: return "stopped";
    case VmState::failed: return "failed";
  }
  return "?";
}

namespace {
tl::unexpected<Error> no_channels() {
  return fail(Errc::unsupported, "this kind of VM shares no memory and no events");
}
}  // namespace

Status VmHandle::plug_memory(Permit<MemoryShare>&&, ChannelMemory) {
  return no_channels();
}
Status VmHandle::plug_events(Permit<EventBind>&&, ChannelId, UniqueFd) {
  return no_channels();
}
Status VmHandle::unplug(ChannelId) {
  return {};
}
Result<bool> VmHandle::is_unplugged(ChannelId) {
  return true;  // nothing is ever plugged
}

}  // namespace shamon
