// All associations of a gate, found by SPI on receipt and by (peer, label) on sending. Opened and
// closed by permits only.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "monitor/permit.hpp"
#include "tunnel/association.hpp"

namespace shamon {

class AssociationTable {
 public:
  explicit AssociationTable(WorkerPlace place = {}) noexcept : place_(place) {}

  /// Opens the association the permit names. The spec must name the same peer; its label name is
  /// the permit's label. With `replaces` the one in force receives for kRekeyGrace more and sends
  /// until the new one is in use. Errors: `conflict` for an id, SPI or (peer, label) already taken;
  /// `not_found` if there is nothing to replace is no error: it opens; `too_large`; as create().
  Result<Association*> open(Permit<AssociationOpen>&& permit, AssociationSpec const& spec,
                            AssociationKeys&& keys, Instant now);

  /// Ends the association the permit names and wipes its keys. Returns what it was, for the
  /// report. Errors: `not_found`.
  struct Ended {
    AssociationId id;
    HostName peer;
    LabelName label;
    Instant last_passed;
  };
  Result<Ended> close(Permit<AssociationClose>&& permit);

  /// Carries an association over to a newer policy.
  void renew(Permit<AssociationOpen>&& permit) noexcept;

  Inbound* find(Spi spi_in) noexcept;
  Association* find(AssociationId id) noexcept;
  /// The one that sends for (peer, label), or none. A replacement takes over when the peer used it
  /// or kRekeySwitch after it was opened.
  Association* sender(PathId path, Instant now) noexcept;
  /// The number of (peer, label), made at the first question. Errors: `too_large` past kPathsMax.
  Result<PathId> path(HostName const& peer, LabelName const& label);
  /// An authenticated packet arrived on it: if it is a replacement, it sends from now on.
  void note_received(Association& association) noexcept;

  std::size_t size() const noexcept { return by_id_.size(); }
  /// A copy, so that the caller may close while it walks.
  std::vector<AssociationId> ids() const;

 private:
  struct Path {
    std::optional<AssociationId> current;
    std::optional<AssociationId> next;  ///< opened, not yet sending
    Instant next_sends_at;
  };
  static void promote(Path& path) noexcept;
  void forget_path(Association const& association) noexcept;

  WorkerPlace place_;
  std::unordered_map<AssociationId, std::unique_ptr<Association>> by_id_;
  std::unordered_map<Spi, Inbound*> by_spi_;
  std::map<std::pair<HostName, LabelName>, PathId> path_ids_;
  std::vector<Path> paths_;  ///< by PathId
};

}  // namespace shamon
