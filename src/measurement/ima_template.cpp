#include "measurement/ima_template.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace shamon::ima {
namespace {

constexpr std::array kTemplates{
    Template{kOldTemplate, 2, false, true}, Template{"ima-ng", 2, false, true},
    Template{"ima-sig", 3, true, true},     Template{"ima-ngv2", 2, false, false},
    Template{"ima-sigv2", 3, true, false},  Template{"ima-buf", 3, false, true},
    Template{"ima-modsig", 5, true, false}, Template{"evm-sig", 9, false, false},
};

}  // namespace

Template const* find_template(std::string_view name) noexcept {
  for (Template const& known : kTemplates) {
    if (known.name == name) return &known;
  }
  return nullptr;
}

bool is_all_zero(ByteView bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

std::optional<Error> set_file_digest(ByteView field, ImaEntry& entry) {
  std::string_view const text = as_text(field);
  std::size_t const end = text.find('\0');
  if (end == std::string_view::npos || end == 0 || text[end - 1] != ':') {
    return Error{Errc::malformed, "file digest without an algorithm name", entry.offset};
  }
  std::string_view name = text.substr(0, end - 1);
  if (std::size_t const colon = name.find(':'); colon != std::string_view::npos) {
    name.remove_prefix(colon + 1);  // d-ngv2 puts "ima:" or "verity:" in front
  }
  Result<HashAlgorithm> const algorithm = parse_hash_algorithm(name);
  if (!algorithm) {
    return Error{Errc::unsupported, "file digest of an algorithm we do not have", entry.offset};
  }
  ByteView const bytes = field.subspan(end + 1);
  // A violation leaves room for some digest, in older kernels always twenty bytes.
  if (entry.violation && is_all_zero(bytes)) {
    entry.file_digest = Digest::zero(*algorithm);
    return std::nullopt;
  }
  Result<Digest> const digest = Digest::from_bytes(*algorithm, bytes);
  if (!digest) {
    return Error{Errc::malformed,
                 fmt::format("{} file digest of {} bytes", to_string(*algorithm), bytes.size()),
                 entry.offset};
  }
  entry.file_digest = *digest;
  return std::nullopt;
}

Bytes old_template_data(ByteView file_digest, std::string_view name) {
  SHAMON_ASSERT(name.size() <= kOldNameBytes);
  Bytes data = to_bytes(file_digest);
  append(data, as_bytes(name));
  data.resize(file_digest.size() + kOldNameBytes, 0);
  return data;
}

void RebuiltData::add(std::size_t entry_index, ByteView data) {
  places_.push_back(Place{entry_index, buffer_.size(), data.size()});
  append(buffer_, data);
}

void RebuiltData::hand_over(ImaLog& log) && {
  log.storage.push_back(std::move(buffer_));
  ByteView const all = log.storage.back();
  for (Place const& place : places_) {
    // The entry that turned out to be malformed has data here and no place in the log.
    if (place.entry >= log.entries.size()) continue;
    log.entries[place.entry].template_data = all.subspan(place.begin, place.size);
  }
}

}  // namespace shamon::ima
