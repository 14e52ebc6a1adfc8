// Associations are opened, renewed, counted against their bounds, and closed: what commands and the
// tick do. What packets do is in association_table.cpp.
#include <algorithm>

#include "base/assert.hpp"
#include "crypto/hash.hpp"
#include "tunnel/association_table.hpp"
#include "tunnel/esp.hpp"

namespace shamon {

namespace {

/// The key of one lane. Lane 0 has the negotiated key itself, so that an association with one lane
/// is plain ESP to any other implementation.
Result<AeadKey> expand(AeadAlgorithm algorithm, Secret<kAeadMaterialBytesMax> const& material,
                       unsigned lane) {
  Secret<kAeadMaterialBytesMax> own(material.expose());
  std::span<std::uint8_t> const all = own.expose_mutable();
  std::span<std::uint8_t> const used =
      all.first(std::min(all.size(), aead_material_bytes(algorithm)));
  auto const rest = all.subspan(used.size());
  // Who made more key than this cipher takes made it for another cipher.
  if (std::any_of(rest.begin(), rest.end(), [](std::uint8_t byte) { return byte != 0; })) {
    return fail(Errc::invalid, "the key material is not the cipher's");
  }
  if (lane != 0) {
    std::array<std::uint8_t, 12> info{'s', 'h', 'a', 'm', 'o', 'n', ' ', 'l', 'a', 'n', 'e'};
    info.back() = static_cast<std::uint8_t>(lane);
    Status const derived = hkdf_sha256(material.expose(), {}, info, used);
    if (!derived) return pass(derived);
  }
  return AeadKey::create(algorithm, used);
}

unsigned percent(std::uint64_t used, std::uint64_t of) noexcept {
  return used >= of ? 100 : static_cast<unsigned>(used / (of / 100 + 1));
}

}  // namespace

Association::Association(AssociationId id, AssociationSpec spec, std::vector<Inbound> in,
                         AeadKey out, LabelId label, WorkerPlace place, Instant now) noexcept
    : id_(id),
      spec_(std::move(spec)),
      label_(label),
      inbound_(std::move(in)),
      key_out_(std::move(out)),
      spi_out_(spec_.spi_out.value() + place.index),
      opened_(now) {}

Result<Association> Association::create(AssociationId id, AssociationSpec const& spec,
                                        AssociationKeys&& keys, LabelId label, WorkerPlace place,
                                        Instant now) {
  AssociationKeys const used = std::move(keys);  // wiped when this function returns
  if (id.value() == 0) return fail(Errc::invalid, "association 0 names none");
  if (spec.spi_in.value() < kSpiMin || spec.spi_out.value() < kSpiMin) {
    return fail(Errc::invalid, "SPIs below 256 are reserved");
  }
  if (spec.lanes < place.count || spec.lanes > kLanesMax) {
    return fail(Errc::invalid, "not one lane for each worker of this gate");
  }
  if (spec.lanes > 1 && (spec.spi_in.value() | spec.spi_out.value()) % kLanesMax != 0) {
    return fail(Errc::invalid, "the SPIs of lanes begin at a multiple of 16");
  }
  if (spec.peer.port == 0 || spec.peer.address == IpAddress()) {
    return fail(Errc::invalid, "the peer has no underlay address");
  }
  // One key for both directions would use every IV twice.
  if (equal_constant_time(used.in.expose(), used.out.expose())) {
    return fail(Errc::invalid, "both directions have the same key");
  }
  std::vector<Inbound> in;
  for (unsigned lane = place.index; lane < spec.lanes; lane += place.count) {
    Result<AeadKey> key = expand(spec.algorithm, used.in, lane);
    if (!key) return pass(key);
    in.push_back({Spi(spec.spi_in.value() + lane), *std::move(key)});
  }
  Result<AeadKey> out = expand(spec.algorithm, used.out, place.index);
  if (!out) return pass(out);
  AssociationSpec bounded = spec;
  if (bounded.bytes_max == 0 || bounded.bytes_max > kAssociationBytesMax) {
    bounded.bytes_max = kAssociationBytesMax;
  }
  if (bounded.seconds_max == 0 || bounded.seconds_max > kAssociationSecondsMax) {
    bounded.seconds_max = kAssociationSecondsMax;
  }
  return Association(id, std::move(bounded), std::move(in), *std::move(out), label, place, now);
}

unsigned Association::used_percent(Instant now) const noexcept {
  std::uint64_t const bytes = std::max(counters.bytes_in, counters.bytes_out);
  std::uint64_t sequence = sequence_;
  for (Inbound const& in : inbound_) sequence = std::max(sequence, in.window.highest());
  std::uint64_t const age_ns = static_cast<std::uint64_t>((now - opened_).count());
  return std::max({percent(bytes, spec_.bytes_max), percent(sequence, sequence_max()),
                   percent(age_ns, spec_.seconds_max * 1'000'000'000)});
}

bool Association::take_rekey_wish(Instant now) noexcept {
  if (rekey_asked_ || replaced() || used_percent(now) < kRekeyPercent) return false;
  rekey_asked_ = true;
  return true;
}

bool Association::expired(Instant now) const noexcept {
  return used_percent(now) >= 100;
}

Instant Association::next_due() const noexcept {
  Duration const one_percent = std::chrono::milliseconds(spec_.seconds_max * 10) + Duration(1);
  Instant const aged =
      opened_ + one_percent * (rekey_asked_ || replaced() ? 100 : int{kRekeyPercent});
  return std::min(aged, closes_at_.value_or(aged));
}

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

std::vector<AssociationId> AssociationTable::ids() const {
  std::vector<AssociationId> result;
  result.reserve(by_id_.size());
  for (auto const& [id, association] : by_id_) result.push_back(id);
  return result;
}

}  // namespace shamon
