// The 13 authorization hooks, one struct each. An effect that is not in this table has no permit
// and so cannot be written.
//
//  #  hook               when                                                   normal processing
//  1  vm_define          label assigned to a VM on this machine
//  2  vm_start           start or resume (Chinese Wall, placement, image, label verified)
//  3  vm_stop            stop or suspend: releases walls, ports, memory, associations
//  4  port_attach        network port bound to a VM
//  5  memory_share       one VM's memory offered to / mapped by another              yes
//  6  event_bind         event channel between two VMs                               yes
//  7  device_assign      disk, TPM, console or passthrough device given to a VM
//  8  association_open   SA for (peer, label): member, attested, label agreed        yes
//  9  association_close  SA ended; its keys wiped
// 10  flow_out           VM -> another VM or an SA                                   yes
// 11  flow_in            SA -> VM                                                    yes
// 12  policy_load        machine, coalition or goal change, after compatibility check
// 13  vm_migrate         out of / into this machine
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "policy/decide.hpp"

namespace shamon {

enum class Hook : std::uint8_t {
  vm_define = 1,
  vm_start,
  vm_stop,
  port_attach,
  memory_share,
  event_bind,
  device_assign,
  association_open,
  association_close,
  flow_out,
  flow_in,
  policy_load,
  vm_migrate,
};
inline constexpr std::size_t kHookCount = 13;

struct VmDefine {
  static constexpr Hook kHook = Hook::vm_define;
  VmName vm;
  LabelId label;
};
/// `image_verified`: the image's digests are approved for this label (policy `member vm`).
struct VmStart {
  static constexpr Hook kHook = Hook::vm_start;
  VmName vm;
  LabelId label;
  bool image_verified = false;
};
struct VmStop {
  static constexpr Hook kHook = Hook::vm_stop;
  VmName vm;
  LabelId label;
};
struct PortAttach {
  static constexpr Hook kHook = Hook::port_attach;
  VmName vm;
  LabelId label;
  PortId port;
  Ipv4 address;
};
struct MemoryShare {
  static constexpr Hook kHook = Hook::memory_share;
  VmName owner;
  LabelId owner_label;
  VmName user;
  LabelId user_label;
  bool writable = false;
};
struct EventBind {
  static constexpr Hook kHook = Hook::event_bind;
  VmName from;
  LabelId from_label;
  VmName to;
  LabelId to_label;
};
struct DeviceAssign {
  static constexpr Hook kHook = Hook::device_assign;
  VmName vm;
  LabelId label;
  std::string device;
  LabelId device_label;
};
/// `peer_member`: the peer's proof of acceptance was verified; `peer_attested`: and what the policy
/// asks beyond it.
struct AssociationOpen {
  static constexpr Hook kHook = Hook::association_open;
  AssociationId association;
  HostName peer;
  LabelId label;
  bool peer_member = false;
  bool peer_attested = false;
};
struct AssociationClose {
  static constexpr Hook kHook = Hook::association_close;
  AssociationId association;
  HostName peer;
  LabelId label;
};
struct FlowOut {
  static constexpr Hook kHook = Hook::flow_out;
  PortId from;
  LabelId from_label;
  LabelId to_label;
  Service service;
};
struct FlowIn {
  static constexpr Hook kHook = Hook::flow_in;
  AssociationId association;
  LabelId from_label;
  PortId to;
  LabelId to_label;
  Service service;
};
/// `compatible`: the compatibility check with what this machine already enforces succeeded.
struct PolicyLoad {
  static constexpr Hook kHook = Hook::policy_load;
  Revision next;
  bool compatible = false;
};
struct VmMigrate {
  static constexpr Hook kHook = Hook::vm_migrate;
  VmName vm;
  LabelId label;
  HostName peer;
  bool incoming = false;
  bool peer_attested = false;
};

}  // namespace shamon
