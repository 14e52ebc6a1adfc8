#include "tunnel/association.hpp"

#include "crypto/hash.hpp"
#include "tunnel/esp.hpp"

namespace shamon {

namespace {

/// The key of one lane. Lane 0 has the negotiated key itself, so that an association with one lane
/// is plain ESP to any other implementation.
Result<AeadKey> expand(Secret<36> const& material, unsigned lane) {
  Secret<36> own(material.expose());
  if (lane != 0) {
    std::array<std::uint8_t, 12> info{'s', 'h', 'a', 'm', 'o', 'n', ' ', 'l', 'a', 'n', 'e'};
    info.back() = static_cast<std::uint8_t>(lane);
    Status const derived = hkdf_sha256(material.expose(), {}, info, own.expose_mutable());
    if (!derived) return pass(derived);
  }
  Secret<kAeadKeyBytes> const key(own.expose().first<kAeadKeyBytes>());
  return AeadKey::create(key, own.expose().last<kAeadSaltBytes>());
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
    Result<AeadKey> key = expand(used.in, lane);
    if (!key) return pass(key);
    in.push_back({Spi(spec.spi_in.value() + lane), *std::move(key)});
  }
  Result<AeadKey> out = expand(used.out, place.index);
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

}  // namespace shamon
