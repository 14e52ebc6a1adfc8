// One SA pair for (peer, label): keys, sequence numbers, replay window, lifetimes. Time comes in;
// no I/O.
#pragma once

#include <optional>

#include "crypto/aead.hpp"
#include "tunnel/association_spec.hpp"
#include "tunnel/counters.hpp"
#include "tunnel/replay_window.hpp"

namespace shamon {

/// A (peer, label) pair, numbered by the association table for as long as the gate runs.
using PathId = Strong<struct PathIdTag, std::uint32_t>;

class Association {
 public:
  /// Expands the keys and wipes their source. Errors: `crypto`; `invalid` for reserved SPIs.
  static Result<Association> create(AssociationId id, AssociationSpec const& spec,
                                    AssociationKeys&& keys, LabelId label, Instant now);
  Association(Association&&) noexcept = default;

  AssociationId id() const noexcept { return id_; }
  AssociationSpec const& spec() const noexcept { return spec_; }
  LabelId label() const noexcept { return label_; }
  PathId path() const noexcept { return path_; }
  void set_path(PathId path) noexcept { path_ = path; }
  /// A newer policy may give the label another index.
  void set_label(LabelId label) noexcept { label_ = label; }

  /// The number of the next packet, or none: an SA ends before its numbers wrap (RFC 4303 §3.3.3).
  std::optional<std::uint32_t> next_sequence() noexcept {
    if (sequence_ == kSequenceMax) return std::nullopt;
    return ++sequence_;
  }
  ReplayWindow& window() noexcept { return window_; }
  AeadKey& key_in() noexcept { return key_in_; }
  AeadKey& key_out() noexcept { return key_out_; }

  /// True once 80 % of bytes, time or sequence numbers are used; asks only once.
  bool take_rekey_wish(Instant now) noexcept;
  /// True when a hard bound is reached: the association must be closed.
  bool expired(Instant now) const noexcept;

  /// Make-before-break: a replaced association receives until `until`, then it is closed.
  void replace(Instant until) noexcept { closes_at_ = until; }
  bool replaced() const noexcept { return closes_at_.has_value(); }
  bool outlived(Instant now) const noexcept { return closes_at_ && now >= *closes_at_; }

  Counters counters;

 private:
  Association(AssociationId id, AssociationSpec spec, AeadKey in, AeadKey out, LabelId label,
              Instant now) noexcept;
  /// The used share of the tightest bound, in per cent.
  unsigned used_percent(Instant now) const noexcept;

  AssociationId id_;
  AssociationSpec spec_;
  LabelId label_;
  PathId path_{};
  AeadKey key_in_;
  AeadKey key_out_;
  std::uint32_t sequence_ = 0;
  ReplayWindow window_;
  Instant opened_;
  bool rekey_asked_ = false;
  std::optional<Instant> closes_at_;
};

}  // namespace shamon
