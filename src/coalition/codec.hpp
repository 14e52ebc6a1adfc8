// One description per message, every codec from it: JSON for people and the HTTP API, CBOR for
// what is signed. A message is a struct with
//   static constexpr auto kFields = fields(field("name", &Struct::name), …);
//   static constexpr Limits kLimits{.bytes_max = …};
// Field types: bool, unsigned integers, std::string, Bytes (JSON: base64; CBOR: byte string),
// Strong<…> of those, enums with an ADL `enum_names(E)` table, std::optional, std::vector, nested
// messages, Ipv4, Endpoint, WallTime (JSON: text forms; CBOR: integers/text).
#pragma once

#include <string>
#include <string_view>
#include <tuple>

#include "base/bytes.hpp"

namespace shamon {

template <class Struct, class Member>
struct Field {
  char const* name;
  Member Struct::*member;
};

template <class Struct, class Member>
constexpr Field<Struct, Member> field(char const* name, Member Struct::*member) {
  return {name, member};
}

template <class... F>
constexpr std::tuple<F...> fields(F... f) {
  return std::tuple<F...>(f...);
}

struct Limits {
  std::size_t bytes_max = 64u << 10;
  std::size_t elements_max = 100'000;
  unsigned depth_max = 16;
};

/// Unknown fields: refused inside signed statements, ignored in requests from newer versions.
enum class UnknownFields : std::uint8_t { ignore, refuse };

// Defined in coalition/codec_impl.hpp, instantiated per message in the .cpp beside its header by
// SHAMON_DEFINE_CODEC(Message); so users of a message never compile the JSON library.
template <class Message>
std::string encode_json(Message const& message);
template <class Message>
Result<Message> decode_json(std::string_view text);
template <class Message>
Bytes encode_cbor(Message const& message);  ///< deterministic, RFC 8949 §4.2.1
template <class Message>
Result<Message> decode_cbor(ByteView bytes, UnknownFields unknown = UnknownFields::refuse);

}  // namespace shamon
