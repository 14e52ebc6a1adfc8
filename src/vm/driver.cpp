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

}  // namespace shamon
