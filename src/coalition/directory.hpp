// Who is in the coalition and what runs where, as the last acceptance and the changes since say.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "coalition/messages/status.hpp"

namespace shamon {

bool is_active(MemberEntry const& member) noexcept;  ///< anything but "active" denies
bool is_running(VmEntry const& vm) noexcept;         ///< anything but "running" denies

class Directory {
 public:
  /// What a replacement took away from those who depend on it.
  struct Lost {
    std::vector<HostName> members;  ///< were active and are no longer, or are gone
    std::vector<VmName> vms;        ///< were running and are no longer, or are gone
  };
  /// Everything anew, from an acceptance.
  Lost replace(std::vector<MemberEntry> const& members, std::vector<VmEntry> const& vms);
  /// One change of the feed. Kinds that are not about members or VMs change nothing.
  void apply(StatusChange const& change);

  /// Null: not known, which denies.
  MemberEntry const* member(HostName const& host) const;
  /// Whether one negotiates from that address, if it connects from where it listens.
  bool has_active_member_at(IpAddress const& address) const { return active_at_.contains(address); }
  VmEntry const* vm(VmName const& vm) const;
  VmEntry const* vm_at(Ipv4 address) const;  ///< the running VM with this address
  std::vector<VmEntry> vms_on(HostName const& host) const;
  std::vector<VmEntry> vms_of(LabelName const& label) const;
  std::map<HostName, MemberEntry> const& members() const noexcept { return members_; }
  std::map<VmName, VmEntry> const& vms() const noexcept { return vms_; }

 private:
  std::map<HostName, MemberEntry> members_;
  std::map<VmName, VmEntry> vms_;
  std::multiset<IpAddress> active_at_;  ///< of each active member
};

}  // namespace shamon
