#include "tunnel/association.hpp"

#include "tunnel/esp.hpp"

namespace shamon {

namespace {

Result<AeadKey> expand(Secret<36> const& material) {
  Secret<kAeadKeyBytes> const key(material.expose().first<kAeadKeyBytes>());
  return AeadKey::create(key, material.expose().last<kAeadSaltBytes>());
}

unsigned percent(std::uint64_t used, std::uint64_t of) noexcept {
  return used >= of ? 100 : static_cast<unsigned>(used / (of / 100 + 1));
}

}  // namespace

Association::Association(AssociationId id, AssociationSpec spec, AeadKey in, AeadKey out,
                         LabelId label, Instant now) noexcept
    : id_(id),
      spec_(std::move(spec)),
      label_(label),
      key_in_(std::move(in)),
      key_out_(std::move(out)),
      opened_(now) {}

Result<Association> Association::create(AssociationId id, AssociationSpec const& spec,
                                        AssociationKeys&& keys, LabelId label, Instant now) {
  AssociationKeys const used = std::move(keys);  // wiped when this function returns
  if (id.value() == 0) return fail(Errc::invalid, "association 0 names none");
  if (spec.spi_in.value() < kSpiMin || spec.spi_out.value() < kSpiMin) {
    return fail(Errc::invalid, "SPIs below 256 are reserved");
  }
  if (spec.peer.port == 0 || spec.peer.address.bits == 0) {
    return fail(Errc::invalid, "the peer has no underlay address");
  }
  // One key for both directions would use every IV twice.
  if (equal_constant_time(used.in.expose(), used.out.expose())) {
    return fail(Errc::invalid, "both directions have the same key");
  }
  Result<AeadKey> in = expand(used.in);
  if (!in) return pass(in);
  Result<AeadKey> out = expand(used.out);
  if (!out) return pass(out);
  AssociationSpec bounded = spec;
  if (bounded.bytes_max == 0 || bounded.bytes_max > kAssociationBytesMax) {
    bounded.bytes_max = kAssociationBytesMax;
  }
  if (bounded.seconds_max == 0 || bounded.seconds_max > kAssociationSecondsMax) {
    bounded.seconds_max = kAssociationSecondsMax;
  }
  return Association(id, std::move(bounded), *std::move(in), *std::move(out), label, now);
}

unsigned Association::used_percent(Instant now) const noexcept {
  std::uint64_t const bytes = std::max(counters.bytes_in, counters.bytes_out);
  std::uint32_t const sequence = std::max(sequence_, window_.highest());
  std::uint64_t const age_ns = static_cast<std::uint64_t>((now - opened_).count());
  return std::max({percent(bytes, spec_.bytes_max), percent(sequence, kSequenceMax),
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
