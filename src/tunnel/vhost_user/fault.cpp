#include "tunnel/vhost_user/fault.hpp"

namespace shamon::vhost_user {

std::string_view to_string(Fault fault) noexcept {
  switch (fault) {
    case Fault::none: return "the other side is gone";
    case Fault::bad_header: return "vhost-user: a message with a malformed header";
    case Fault::unknown_request: return "vhost-user: a request that was not offered";
    case Fault::bad_payload: return "vhost-user: a message with a malformed payload";
    case Fault::bad_descriptors: return "vhost-user: descriptors missing, too many or of no use";
    case Fault::bad_queue: return "vhost-user: a queue that does not exist";
    case Fault::bad_features: return "vhost-user: features that were not offered, or not virtio 1";
    case Fault::no_reply: return "vhost-user: the front end takes no reply";
    case Fault::bad_region: return "vhost-user: a memory region that is empty, overlaps or wraps";
    case Fault::not_sealed: return "vhost-user: memory that could be taken away (no F_SEAL_SHRINK)";
    case Fault::cannot_map: return "vhost-user: memory that cannot be mapped";
    case Fault::bad_log: return "vhost-user: a dirty log that does not cover the guest's memory";
    case Fault::bad_ring_size: return "vhost-user: a ring size outside the bounds";
    case Fault::bad_ring_address: return "vhost-user: a ring outside the guest's memory";
    case Fault::bad_ring_base: return "vhost-user: a ring position outside the ring";
    case Fault::index_jump: return "virtio ring: more buffers available than the ring has";
    case Fault::descriptor_outside: return "virtio ring: a descriptor outside the table";
    case Fault::chain_loops: return "virtio ring: a chain longer than the ring";
    case Fault::bad_indirect: return "virtio ring: a malformed indirect descriptor";
    case Fault::buffer_outside: return "virtio ring: a buffer outside the guest's memory";
    case Fault::wrong_direction: return "virtio ring: a buffer of the other direction";
    case Fault::short_frame: return "virtio ring: a frame shorter than its header";
  }
  return "vhost-user: fault";
}

}  // namespace shamon::vhost_user
