#include "coalition/cbor.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "base/assert.hpp"
#include "base/utf8.hpp"

namespace shamon {
namespace {

constexpr std::uint8_t kFalse = 20;
constexpr std::uint8_t kTrue = 21;  // RFC 8949 §3.3

/// RFC 8949 §4.2.1: bytewise order of the encoded keys, which for texts means shorter first.
bool key_before(ByteView a, ByteView b) noexcept {
  if (a.size() != b.size()) return a.size() < b.size();
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

void CborEncoder::head(CborType type, std::uint64_t argument) {
  auto const major = static_cast<std::uint8_t>(static_cast<unsigned>(type) << 5);
  auto put = [&](std::uint8_t information, unsigned size_bytes) {
    out_.push_back(static_cast<std::uint8_t>(major | information));
    for (unsigned i = size_bytes; i > 0; --i) {
      out_.push_back(static_cast<std::uint8_t>(argument >> (8 * (i - 1))));
    }
  };
  if (argument < 24) {
    put(static_cast<std::uint8_t>(argument), 0);
  } else if (argument <= 0xff) {
    put(24, 1);
  } else if (argument <= 0xffff) {
    put(25, 2);
  } else if (argument <= 0xffff'ffff) {
    put(26, 4);
  } else {
    put(27, 8);
  }
}

void CborEncoder::boolean(bool value) {
  head(CborType::simple, value ? kTrue : kFalse);
}
void CborEncoder::unsigned_integer(std::uint64_t value) {
  head(CborType::unsigned_integer, value);
}
void CborEncoder::integer(std::int64_t value) {
  if (value >= 0) {
    head(CborType::unsigned_integer, static_cast<std::uint64_t>(value));
  } else {
    head(CborType::negative_integer, ~static_cast<std::uint64_t>(value));
  }
}
void CborEncoder::text(std::string_view value) {
  if (!is_valid_utf8(value)) {
    text(to_valid_utf8(value));
    return;
  }
  head(CborType::text_string, value.size());
  append(out_, as_bytes(value));
}
void CborEncoder::bytes(ByteView value) {
  head(CborType::byte_string, value.size());
  append(out_, value);
}
void CborEncoder::begin_array(std::size_t elements) {
  head(CborType::array, elements);
}
void CborEncoder::begin_map(std::size_t pairs) {
  head(CborType::map, pairs);
}
void CborEncoder::tag(std::uint64_t number) {
  head(CborType::tag, number);
}

Result<CborDecoder::Head> CborDecoder::head() {
  std::uint64_t const at = cursor_.offset();
  std::uint8_t const first = cursor_.u8();
  auto const type = static_cast<CborType>(first >> 5);
  unsigned const information = first & 0x1f;
  std::uint64_t argument = information;
  std::uint64_t least = 0;  // the smallest argument that needs this form
  switch (information) {
    case 24:
      argument = cursor_.u8();
      least = 24;
      break;
    case 25:
      argument = cursor_.u16be();
      least = 0x100;
      break;
    case 26:
      argument = cursor_.u32be();
      least = 0x1'0000;
      break;
    case 27:
      argument = cursor_.u64be();
      least = 0x1'0000'0000;
      break;
    case 28:
    case 29:
    case 30: return refuse_at(Errc::malformed, at, "reserved CBOR head");
    case 31: return refuse_at(Errc::malformed, at, "indefinite length");
  }
  if (!cursor_.ok()) return refuse_at(Errc::truncated, at, "input ends inside a CBOR head");
  // Simple values in more than one byte, and floating point, have no use in a message.
  if (type == CborType::simple && information > 23) {
    return refuse_at(Errc::unsupported, at, "floating point or long simple value");
  }
  if (argument < least) return refuse_at(Errc::malformed, at, "integer not in its shortest form");
  return Head{type, argument};
}

Result<CborDecoder::Head> CborDecoder::head_of(CborType type, std::string_view name) {
  std::uint64_t const at = cursor_.offset();
  auto read = head();
  if (read && read->type != type) {
    return refuse_at(Errc::malformed, at, fmt::format("expected {}", name));
  }
  return read;
}

Result<ByteView> CborDecoder::string_of(CborType type, std::string_view name) {
  std::uint64_t const at = cursor_.offset();
  auto const read = head_of(type, name);
  if (!read) return pass(read);
  if (read->argument > cursor_.remaining()) {
    return refuse_at(Errc::truncated, at, fmt::format("{} longer than the input", name));
  }
  return cursor_.take(static_cast<std::size_t>(read->argument));
}

Result<bool> CborDecoder::boolean() {
  std::uint64_t const at = cursor_.offset();
  auto const read = head_of(CborType::simple, "a boolean");
  if (!read) return pass(read);
  if (read->argument != kTrue && read->argument != kFalse) {
    return refuse_at(Errc::malformed, at, "expected a boolean");
  }
  return read->argument == kTrue;
}

Result<std::uint64_t> CborDecoder::unsigned_integer() {
  auto const read = head_of(CborType::unsigned_integer, "an unsigned integer");
  if (!read) return pass(read);
  return read->argument;
}

Result<std::int64_t> CborDecoder::integer() {
  std::uint64_t const at = cursor_.offset();
  auto const read = head();
  if (!read) return pass(read);
  bool const negative = read->type == CborType::negative_integer;
  if (!negative && read->type != CborType::unsigned_integer) {
    return refuse_at(Errc::malformed, at, "expected an integer");
  }
  if (read->argument > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    return refuse_at(Errc::malformed, at, "integer beyond 64 bits");
  }
  auto const magnitude = static_cast<std::int64_t>(read->argument);
  return negative ? -1 - magnitude : magnitude;
}

Result<std::string> CborDecoder::text() {
  std::uint64_t const at = cursor_.offset();
  auto const read = string_of(CborType::text_string, "text");
  if (!read) return pass(read);
  if (!is_valid_utf8(as_text(*read))) return refuse_at(Errc::malformed, at, "text is not UTF-8");
  return std::string(as_text(*read));
}

Result<Bytes> CborDecoder::bytes() {
  auto const read = string_of(CborType::byte_string, "bytes");
  if (!read) return pass(read);
  return to_bytes(*read);
}

Status CborDecoder::begin_array() {
  auto const read = head_of(CborType::array, "an array");
  if (!read) return pass(read);
  // Every element takes at least one byte.
  if (read->argument > cursor_.remaining()) {
    return refuse(Errc::truncated, "array longer than the input");
  }
  if (auto entered = enter(); !entered) return entered;
  open_.push_back({read->argument, {}});
  return {};
}

Result<bool> CborDecoder::next_element() {
  SHAMON_ASSERT(!open_.empty());
  if (open_.back().left == 0) {
    open_.pop_back();
    leave();
    return false;
  }
  --open_.back().left;
  return true;
}

Status CborDecoder::begin_map() {
  auto const read = head_of(CborType::map, "a map");
  if (!read) return pass(read);
  if (read->argument > cursor_.remaining() / 2) {
    return refuse(Errc::truncated, "map longer than the input");
  }
  if (auto entered = enter(); !entered) return entered;
  open_.push_back({read->argument, {}});
  return {};
}

Result<std::optional<std::string>> CborDecoder::next_key() {
  SHAMON_ASSERT(!open_.empty());
  if (open_.back().left == 0) {
    open_.pop_back();
    leave();
    return std::nullopt;
  }
  std::uint64_t const at = cursor_.offset();
  auto const key = string_of(CborType::text_string, "a text key");
  if (!key) return pass(key);
  Container& map = open_.back();
  bool const first = map.last_key.data() == nullptr;
  if (!first && !key_before(map.last_key, *key)) {
    return refuse_at(Errc::malformed, at, "map keys are not in ascending order");
  }
  if (!is_valid_utf8(as_text(*key))) return refuse_at(Errc::malformed, at, "key is not UTF-8");
  --map.left;
  map.last_key = *key;
  return std::string(as_text(*key));
}

Status CborDecoder::skip() {
  std::uint64_t const at = cursor_.offset();
  // Look at the type without taking it: each kind is then read by its own function.
  ByteView const next = cursor_.peek(1);
  if (next.empty()) return refuse(Errc::truncated, "input ends inside a value");
  switch (static_cast<CborType>(next[0] >> 5)) {
    case CborType::unsigned_integer:
    case CborType::negative_integer:
    case CborType::simple: {
      auto const read = head();
      return read ? Status{} : pass(read);
    }
    case CborType::byte_string: {
      auto const read = string_of(CborType::byte_string, "bytes");
      return read ? Status{} : pass(read);
    }
    case CborType::text_string: {
      auto const read = string_of(CborType::text_string, "text");
      return read ? Status{} : pass(read);
    }
    case CborType::array: {
      if (auto begun = begin_array(); !begun) return begun;
      while (true) {
        auto const more = next_element();
        if (!more) return pass(more);
        if (!*more) return {};
        if (auto skipped = skip(); !skipped) return skipped;
      }
    }
    case CborType::map: {
      if (auto begun = begin_map(); !begun) return begun;
      while (true) {
        auto const key = next_key();
        if (!key) return pass(key);
        if (!*key) return {};
        if (auto skipped = skip(); !skipped) return skipped;
      }
    }
    case CborType::tag: return refuse_at(Errc::unsupported, at, "tagged value");
  }
  return refuse_at(Errc::malformed, at, "unknown CBOR type");
}

Status CborDecoder::expect_tag(std::uint64_t number) {
  std::uint64_t const at = cursor_.offset();
  auto const read = head_of(CborType::tag, "a tag");
  if (!read) return pass(read);
  if (read->argument != number) {
    return refuse_at(Errc::malformed, at, fmt::format("expected tag {}", number));
  }
  return {};
}

Status CborDecoder::finish() const {
  if (!cursor_.at_end()) return refuse(Errc::malformed, "bytes after the end");
  return {};
}

}  // namespace shamon
