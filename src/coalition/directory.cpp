#include "coalition/directory.hpp"

namespace shamon {

bool is_active(MemberEntry const& member) noexcept {
  return member.state == "active";
}
bool is_running(VmEntry const& vm) noexcept {
  return vm.state == "running";
}

Directory::Lost Directory::replace(std::vector<MemberEntry> const& members,
                                   std::vector<VmEntry> const& vms) {
  std::map<HostName, MemberEntry> next_members;
  std::map<VmName, VmEntry> next_vms;
  for (MemberEntry const& entry : members) next_members[entry.host] = entry;
  for (VmEntry const& entry : vms) next_vms[entry.vm] = entry;
  Lost lost;
  for (auto const& [host, entry] : members_) {
    auto const now = next_members.find(host);
    bool const stays = now != next_members.end() && is_active(now->second);
    if (is_active(entry) && !stays) lost.members.push_back(host);
  }
  for (auto const& [vm, entry] : vms_) {
    auto const now = next_vms.find(vm);
    bool const stays = now != next_vms.end() && is_running(now->second);
    if (is_running(entry) && !stays) lost.vms.push_back(vm);
  }
  members_ = std::move(next_members);
  vms_ = std::move(next_vms);
  active_at_.clear();
  for (auto const& [host, entry] : members_) {
    if (is_active(entry)) active_at_.insert(entry.control.address);
  }
  return lost;
}

void Directory::apply(StatusChange const& change) {
  auto set_member = [&](char const* state) {
    if (!change.member) return;
    auto& entry = members_[change.member->host];
    if (is_active(entry)) active_at_.erase(active_at_.find(entry.control.address));
    // A revocation need not repeat where the member listens.
    if (change.kind == ChangeKind::member_joined || entry.host.value().empty()) {
      entry = *change.member;
    }
    entry.state = state;
    if (is_active(entry)) active_at_.insert(entry.control.address);
  };
  switch (change.kind) {
    case ChangeKind::member_joined: set_member("active"); break;
    case ChangeKind::member_revoked: set_member("revoked"); break;
    case ChangeKind::member_left: set_member("left"); break;
    case ChangeKind::member_suspect: set_member("suspect"); break;
    case ChangeKind::vm_changed:
      if (change.vm) vms_[change.vm->vm] = *change.vm;
      break;
    case ChangeKind::vm_revoked:
      if (change.vm) {
        auto& entry = vms_[change.vm->vm];
        if (entry.vm.value().empty()) entry = *change.vm;
        entry.state = "revoked";
      }
      break;
    case ChangeKind::policy_changed:
    case ChangeKind::reference_values: break;
  }
}

MemberEntry const* Directory::member(HostName const& host) const {
  auto const it = members_.find(host);
  return it == members_.end() ? nullptr : &it->second;
}

VmEntry const* Directory::vm(VmName const& vm) const {
  auto const it = vms_.find(vm);
  return it == vms_.end() ? nullptr : &it->second;
}

VmEntry const* Directory::vm_at(Ipv4 address) const {
  for (auto const& [name, entry] : vms_) {
    if (entry.address == address && is_running(entry)) return &entry;
  }
  return nullptr;
}

std::vector<VmEntry> Directory::vms_on(HostName const& host) const {
  std::vector<VmEntry> out;
  for (auto const& [name, entry] : vms_) {
    if (entry.host == host) out.push_back(entry);
  }
  return out;
}

std::vector<VmEntry> Directory::vms_of(LabelName const& label) const {
  std::vector<VmEntry> out;
  for (auto const& [name, entry] : vms_) {
    if (entry.label == label) out.push_back(entry);
  }
  return out;
}

}  // namespace shamon
