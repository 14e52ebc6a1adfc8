// Why a VM is or is not trusted: its entry, its machine, and the change that revoked it.
#include <fmt/format.h>

#include "authority/core.hpp"
#include "base/time_text.hpp"

namespace shamon {
namespace {

constexpr std::size_t kChangesPage = 1000;

/// The latest change that revoked this VM, as the store has it: it survives a restart.
std::optional<StatusChange> last_revocation(Store& store, VmName const& name) {
  std::optional<StatusChange> found;
  Revision after{};
  for (;;) {
    auto page = store.changes_after(after, kChangesPage);
    if (!page || page->empty()) return found;
    after = page->back().revision;
    for (auto& change : *page) {
      bool const about_it =
          change.kind == ChangeKind::vm_revoked && change.vm && change.vm->vm == name;
      if (about_it) found = std::move(change);
    }
  }
}

}  // namespace

Explanation AuthorityCore::explain_vm(VmName const& name) const {
  Explanation out;
  out.question = fmt::format("is VM {} trusted in {}?", name.value(), options_.coalition.value());
  auto const found = vms_.find(name);
  if (found == vms_.end()) {
    out.verdict = "unknown";
    out.lines.push_back("no member has reported a VM of that name");
    return out;
  }
  VmEntry const& vm = found->second;
  bool const runs = vm.state == "running";
  out.lines.push_back(fmt::format("  {} it is {} with label {} on {}", runs ? "[yes]" : "[no] ",
                                  vm.state, vm.label.value(), vm.host.value()));
  Explanation const host = explain_host(vm.host);
  bool const hosted = host.verdict == "trusted";
  out.lines.push_back(fmt::format("  {} its machine {} is {}", hosted ? "[yes]" : "[no] ",
                                  vm.host.value(), host.verdict));
  out.lines.push_back(vm.ak_public.empty()
                          ? "        it has no vTPM: only its machine vouches for it"
                          : "        its vTPM's attestation key was put there by its machine");
  if (vm.state == "revoked") {
    if (auto const change = last_revocation(store_, name)) {
      out.lines.push_back(fmt::format("        revoked at revision {}, {}: {}",
                                      change->revision.value(), to_iso8601(change->time),
                                      change->text));
      out.findings = change->findings;
    }
  }
  out.verdict = runs && hosted ? "trusted" : "not trusted";
  return out;
}

}  // namespace shamon
