// The SAs of one worker for (peer, label): keys, sequence numbers, replay windows, lifetimes. A
// worker sends on the lane of its own number and receives on that lane and on those of the peer's
// workers that have no counterpart here. Time comes in; no I/O.
#pragma once

#include <optional>
#include <vector>

#include "crypto/aead.hpp"
#include "tunnel/association_spec.hpp"
#include "tunnel/counters.hpp"
#include "tunnel/replay_window.hpp"

namespace shamon {

/// A (peer, label) pair, numbered by the association table for as long as the gate runs.
using PathId = Strong<struct PathIdTag, std::uint32_t>;

/// Which worker of a gate an association is for.
struct WorkerPlace {
  unsigned index = 0;
  unsigned count = 1;
};

class Association;
/// One SA towards this machine.
struct Inbound {
  Spi spi;
  AeadKey key;
  ReplayWindow window{};
  Association* association = nullptr;  ///< set when it is in the table
};

class Association {
 public:
  /// Expands the keys and wipes their source. Errors: `crypto`; `invalid` for reserved or unaligned
  /// SPIs, for keys that are not the cipher's, and for fewer lanes than this gate has workers.
  static Result<Association> create(AssociationId id, AssociationSpec const& spec,
                                    AssociationKeys&& keys, LabelId label, WorkerPlace place,
                                    Instant now);
  Association(Association&&) noexcept = default;

  AssociationId id() const noexcept { return id_; }
  AssociationSpec const& spec() const noexcept { return spec_; }
  LabelId label() const noexcept { return label_; }
  PathId path() const noexcept { return path_; }
  void set_path(PathId path) noexcept { path_ = path; }
  /// A newer policy may give the label another index.
  void set_label(LabelId label) noexcept { label_ = label; }

  /// The number of the next packet, or none: an SA ends before its numbers wrap (RFC 4303 §3.3.3).
  std::optional<std::uint64_t> next_sequence() noexcept {
    if (sequence_ == sequence_max()) return std::nullopt;
    return ++sequence_;
  }
  std::span<Inbound> inbound() noexcept { return inbound_; }
  AeadKey& key_out() noexcept { return key_out_; }
  Spi spi_out() const noexcept { return spi_out_; }

  /// The largest inner packet the way to the peer takes, as far as was found out (RFC 8201).
  std::uint16_t inner_mtu() const noexcept { return inner_mtu_; }
  void lower_inner_mtu(std::uint16_t mtu) noexcept { inner_mtu_ = std::min(inner_mtu_, mtu); }

  /// True once 80 % of bytes, time or sequence numbers are used; asks only once.
  bool take_rekey_wish(Instant now) noexcept;
  /// True when a hard bound is reached: the association must be closed.
  bool expired(Instant now) const noexcept;

  /// Make-before-break: a replaced association receives until `until`, then it is closed.
  void replace(Instant until) noexcept { closes_at_ = until; }
  bool replaced() const noexcept { return closes_at_.has_value(); }
  bool outlived(Instant now) const noexcept { return closes_at_ && now >= *closes_at_; }
  /// When one of these three becomes true by time alone.
  Instant next_due() const noexcept;

  Counters counters;

 private:
  Association(AssociationId id, AssociationSpec spec, std::vector<Inbound> in, AeadKey out,
              LabelId label, WorkerPlace place, Instant now) noexcept;
  std::uint64_t sequence_max() const noexcept {
    return spec_.extended_sequence ? kExtendedSequenceMax : kSequenceMax;
  }
  /// The used share of the tightest bound, in per cent.
  unsigned used_percent(Instant now) const noexcept;

  AssociationId id_;
  AssociationSpec spec_;
  LabelId label_;
  PathId path_{};
  std::vector<Inbound> inbound_;
  AeadKey key_out_;
  Spi spi_out_;
  std::uint64_t sequence_ = 0;
  std::uint16_t inner_mtu_ = 0xffff;
  Instant opened_;
  bool rekey_asked_ = false;
  std::optional<Instant> closes_at_;
};

}  // namespace shamon
