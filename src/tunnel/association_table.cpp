#include "tunnel/association_table.hpp"

namespace shamon {

void AssociationTable::promote(Path& path) noexcept {
  path.current = path.next;
  path.next.reset();
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

}  // namespace shamon
