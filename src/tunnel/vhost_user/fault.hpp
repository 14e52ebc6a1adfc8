// Why a port was stopped: what its hypervisor or its guest did that no honest one does.
#pragma once

#include <cstdint>
#include <string_view>
#include <tl/expected.hpp>

namespace shamon::vhost_user {

enum class Fault : std::uint8_t {
  none,
  // messages
  bad_header,
  unknown_request,
  bad_payload,
  bad_descriptors,
  bad_queue,
  bad_features,
  no_reply,
  // memory
  bad_region,
  not_sealed,
  cannot_map,
  bad_log,
  // setting up a ring
  bad_ring_size,
  bad_ring_address,
  bad_ring_base,
  // a running ring
  index_jump,
  descriptor_outside,
  chain_loops,
  bad_indirect,
  buffer_outside,
  wrong_direction,
  short_frame,
};
std::string_view to_string(Fault fault) noexcept;

template <class T>
using Checked = tl::expected<T, Fault>;
inline tl::unexpected<Fault> stop_with(Fault fault) noexcept {
  return tl::unexpected<Fault>(fault);
}

}  // namespace shamon::vhost_user
