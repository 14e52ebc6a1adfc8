#include "tunnel/association_table.hpp"

#include "base/assert.hpp"

namespace shamon {

Result<Association*> AssociationTable::open(Permit<AssociationOpen>&& permit,
                                            AssociationSpec const& spec, AssociationKeys&& keys,
                                            Instant now) {
  Permit<AssociationOpen> const used = std::move(permit);
  AssociationKeys material = std::move(keys);
  AssociationId const id = used.operation().association;
  if (used.operation().peer != spec.peer_name) {
    return fail(Errc::invalid, "the permit is for another peer");
  }
  if (by_id_.size() >= kAssociationsMax) return fail(Errc::too_large, "too many associations");
  if (by_id_.contains(id)) return fail(Errc::conflict, "association id in use");
  Result<PathId> const path_id = path(spec.peer_name, spec.label);
  if (!path_id) return pass(path_id);
  Path& way = paths_[path_id->value()];
  if (way.current && !spec.replaces) {
    return fail(Errc::conflict, "an association for this peer and label is open");
  }
  Result<Association> made =
      Association::create(id, spec, std::move(material), used.operation().label, place_, now);
  if (!made) return pass(made);
  for (Inbound const& in : made->inbound()) {
    if (by_spi_.contains(in.spi)) return fail(Errc::conflict, "inbound SPI in use");
  }

  auto owned = std::make_unique<Association>(*std::move(made));
  Association* const association = owned.get();
  association->set_path(*path_id);
  for (Inbound& in : association->inbound()) {
    in.association = association;
    by_spi_.emplace(in.spi, &in);
  }
  by_id_.emplace(id, std::move(owned));
  if (!way.current) {
    way.current = id;
    return association;
  }
  // A replacement that never came into use is replaced itself.
  if (way.next) promote(way);
  way.next = id;
  way.next_sends_at = now + kRekeySwitch;
  by_id_.at(*way.current)->replace(now + kRekeyGrace);
  return association;
}

Result<PathId> AssociationTable::path(HostName const& peer, LabelName const& label) {
  auto const found = path_ids_.find({peer, label});
  if (found != path_ids_.end()) return found->second;
  if (paths_.size() >= kPathsMax) return fail(Errc::too_large, "too many peers and labels");
  PathId const id(static_cast<std::uint32_t>(paths_.size()));
  paths_.emplace_back();
  path_ids_.emplace(std::pair{peer, label}, id);
  return id;
}

void AssociationTable::promote(Path& path) noexcept {
  path.current = path.next;
  path.next.reset();
}

void AssociationTable::forget_path(Association const& association) noexcept {
  Path& path = paths_[association.path().value()];
  if (path.next == association.id()) path.next.reset();
  if (path.current == association.id()) promote(path);
}

Result<AssociationTable::Ended> AssociationTable::close(Permit<AssociationClose>&& permit) {
  Permit<AssociationClose> const used = std::move(permit);
  auto const found = by_id_.find(used.operation().association);
  if (found == by_id_.end()) return fail(Errc::not_found, "no such association");
  Association& association = *found->second;
  Ended ended{association.id(), association.spec().peer_name, association.spec().label,
              association.counters.last_passed};
  forget_path(association);
  for (Inbound const& in : association.inbound()) by_spi_.erase(in.spi);
  by_id_.erase(found);
  return ended;
}

void AssociationTable::renew(Permit<AssociationOpen>&& permit) noexcept {
  Permit<AssociationOpen> const used = std::move(permit);
  Association* const association = find(used.operation().association);
  SHAMON_ASSERT(association != nullptr);
  association->set_label(used.operation().label);
}

Inbound* AssociationTable::find(Spi spi_in) noexcept {
  auto const found = by_spi_.find(spi_in);
  return found == by_spi_.end() ? nullptr : found->second;
}

Association* AssociationTable::find(AssociationId id) noexcept {
  auto const found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : found->second.get();
}

Association* AssociationTable::sender(PathId id, Instant now) noexcept {
  Path& path = paths_[id.value()];
  if (!path.current) return nullptr;
  if (path.next && now >= path.next_sends_at) promote(path);
  return find(*path.current);
}

void AssociationTable::note_received(Association& association) noexcept {
  Path& path = paths_[association.path().value()];
  if (path.next == association.id()) promote(path);
}

std::vector<AssociationId> AssociationTable::ids() const {
  std::vector<AssociationId> result;
  result.reserve(by_id_.size());
  for (auto const& [id, association] : by_id_) result.push_back(id);
  return result;
}

}  // namespace shamon
