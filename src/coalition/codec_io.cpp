#include "coalition/codec_io.hpp"

#include <fmt/format.h>

#include "base/assert.hpp"
#include "coalition/limits.hpp"

namespace shamon {
namespace {

constexpr std::size_t kShownKeyBytesMax = 40;  ///< of a key we do not know, in an error

FieldOps const* find_field(MessageOps const& ops, std::string_view name) {
  for (FieldOps const& field : ops.fields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

/// The part of a foreign key that is safe to show in one line.
std::string shown(std::string_view key) {
  std::string out;
  for (char const c : key.substr(0, kShownKeyBytesMax)) {
    bool const plain = c >= 0x20 && c < 0x7f;
    out.push_back(plain ? c : '?');
  }
  return out;
}

Status check_required(Decoder& in, MessageOps const& ops, std::uint64_t seen) {
  for (std::size_t i = 0; i < ops.fields.size(); ++i) {
    FieldOps const& field = ops.fields[i];
    if (field.optional || (seen >> i & 1) != 0) continue;
    return in.refuse(Errc::malformed, fmt::format("field '{}' is missing", field.name));
  }
  return {};
}

}  // namespace

tl::unexpected<Error> Decoder::refuse_at(Errc code, std::uint64_t at, std::string_view what) const {
  std::string path;
  for (PathStep const& step : path_) {
    if (step.name.empty()) {
      path += fmt::format("[{}]", step.index);
    } else {
      if (!path.empty()) path += '.';
      path += step.name;
    }
  }
  if (!path.empty()) path += ": ";
  return fail_at(code, at, path + std::string(what));
}

Status Decoder::count_element() {
  if (++elements_ > limits_.elements_max) {
    return refuse(Errc::too_large, fmt::format("more than {} elements", limits_.elements_max));
  }
  return {};
}

Status Decoder::enter() {
  if (++depth_ > limits_.depth_max) {
    return refuse(Errc::too_large, fmt::format("nested deeper than {}", limits_.depth_max));
  }
  return {};
}

void encode_fields(Encoder& out, MessageOps const& ops, void const* message) {
  std::size_t present = 0;
  for (FieldOps const& field : ops.fields) present += field.present(message) ? 1 : 0;
  out.begin_map(present);
  for (std::size_t i = 0; i < ops.fields.size(); ++i) {
    FieldOps const& field = ops.fields[out.for_people() ? i : ops.cbor_order[i]];
    if (!field.present(message)) continue;
    out.key(field.name);
    field.encode(out, message);
  }
  out.end_map();
}

Status decode_fields(Decoder& in, MessageOps const& ops, void* message) {
  SHAMON_ASSERT(ops.fields.size() <= 64);
  std::uint64_t const start = in.offset();
  if (auto begun = in.begin_map(); !begun) return begun;
  std::uint64_t seen = 0;
  while (true) {
    auto key = in.next_key();
    if (!key) return pass(key);
    if (!*key) break;
    FieldOps const* field = find_field(ops, **key);
    if (field == nullptr) {
      if (in.unknown_fields() == UnknownFields::refuse) {
        return in.refuse(Errc::malformed, fmt::format("unknown field '{}'", shown(**key)));
      }
      if (auto skipped = in.skip(); !skipped) return skipped;
      continue;
    }
    Decoder::Step const step(in, field->name);
    std::uint64_t const bit = 1ull << (field - ops.fields.data());
    if ((seen & bit) != 0) return in.refuse(Errc::malformed, "given twice");
    seen |= bit;
    if (field->optional && in.take_null()) continue;
    if (auto decoded = field->decode(in, message); !decoded) return decoded;
  }
  // JSON spends more bytes on the same value: base64, escapes, names of hexadecimal.
  std::uint64_t const factor = in.for_people() ? kJsonExpansionMax : 1;
  if (in.offset() - start > ops.limits.bytes_max * factor) {
    return in.refuse_at(Errc::too_large, start,
                        fmt::format("longer than {} bytes", ops.limits.bytes_max * factor));
  }
  return in.for_people() ? Status{} : check_required(in, ops, seen);
}

}  // namespace shamon
