// From a message's kFields to its codec. Included by the .cpp beside each message's header only.
#pragma once

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/ipv4_text.hpp"
#include "base/time.hpp"
#include "base/time_text.hpp"
#include "coalition/cbor.hpp"
#include "coalition/json.hpp"
#include "coalition/limits.hpp"
#include "coalition/text_forms.hpp"

namespace shamon::codec {

template <class T>
concept Described = requires {
  T::kFields;
  T::kLimits;
};
template <class T>
constexpr bool kIsStrong = false;
template <class Tag, class Rep>
constexpr bool kIsStrong<Strong<Tag, Rep>> = true;
template <class T>
constexpr bool kIsName = false;
template <class Tag>
constexpr bool kIsName<Strong<Tag, std::string>> = true;
template <class T>
constexpr bool kIsOptional = false;
template <class T>
constexpr bool kIsOptional<std::optional<T>> = true;
template <class T>
constexpr bool kIsVector = false;
template <class T>
constexpr bool kIsVector<std::vector<T>> = true;
template <class T>
constexpr bool kUnhandled = false;

template <class T>
MessageOps const& ops_of();

template <class E>
void encode_enum(Encoder& out, E value) {
  if (!out.for_people()) {
    out.unsigned_integer(static_cast<std::uint64_t>(value));
    return;
  }
  for (auto const& [known, name] : enum_names(E{})) {
    if (known == value) return out.text(name);
  }
  out.text("unknown");
}

template <class E>
Result<E> decode_enum(Decoder& in) {
  std::uint64_t const at = in.offset();
  if (in.for_people()) {
    auto const text = in.text();
    if (!text) return pass(text);
    for (auto const& [known, name] : enum_names(E{})) {
      if (*text == name) return known;
    }
    return in.refuse_at(Errc::malformed, at, "not one of the known names");
  }
  auto const number = in.unsigned_integer();
  if (!number) return pass(number);
  for (auto const& [known, name] : enum_names(E{})) {
    if (*number == static_cast<std::uint64_t>(known)) return known;
  }
  return in.refuse_at(Errc::malformed, at, fmt::format("{} is not a known value", *number));
}

template <class T>
void encode_value(Encoder& out, T const& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out.boolean(value);
  } else if constexpr (std::is_same_v<T, Bytes>) {
    out.bytes(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    out.text(value);
  } else if constexpr (std::is_same_v<T, Ipv4>) {
    out.for_people() ? out.text(to_string(value)) : out.unsigned_integer(value.bits);
  } else if constexpr (std::is_same_v<T, Endpoint>) {
    out.text(to_string(value));
  } else if constexpr (std::is_same_v<T, WallTime>) {
    out.for_people() ? out.text(to_iso8601(value)) : out.integer(value.unix_ms);
  } else if constexpr (std::is_enum_v<T>) {
    encode_enum(out, value);
  } else if constexpr (std::is_unsigned_v<T>) {
    out.unsigned_integer(value);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    out.integer(value);
  } else if constexpr (kIsStrong<T>) {
    encode_value(out, value.value());
  } else if constexpr (kIsOptional<T>) {
    encode_value(out, *value);  // an absent field is left out by encode_fields
  } else if constexpr (kIsVector<T>) {
    out.begin_array(value.size());
    for (auto const& element : value) encode_value(out, element);
    out.end_array();
  } else if constexpr (Described<T>) {
    encode_fields(out, ops_of<T>(), &value);
  } else {
    static_assert(kUnhandled<T>, "no encoding for this type");
  }
}

template <class T>
Result<T> decode_value(Decoder& in);

template <class T>
Result<std::vector<T>> decode_vector(Decoder& in) {
  if (auto begun = in.begin_array(); !begun) return pass(begun);
  std::vector<T> out;
  while (true) {
    auto const more = in.next_element();
    if (!more) return pass(more);
    if (!*more) return out;
    Decoder::Step const step(in, out.size());
    if (auto counted = in.count_element(); !counted) return pass(counted);
    auto element = decode_value<T>(in);
    if (!element) return pass(element);
    out.push_back(std::move(*element));
  }
}

template <class T>
Result<T> decode_unsigned(Decoder& in) {
  std::uint64_t const at = in.offset();
  auto const number = in.unsigned_integer();
  if (!number) return pass(number);
  if (*number > std::numeric_limits<T>::max()) {
    return in.refuse_at(Errc::malformed, at, "number too great for this field");
  }
  return static_cast<T>(*number);
}

template <class T>
Result<T> decode_value(Decoder& in) {
  if constexpr (std::is_same_v<T, bool>) {
    return in.boolean();
  } else if constexpr (std::is_same_v<T, Bytes>) {
    return in.bytes();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return in.text();
  } else if constexpr (std::is_same_v<T, Ipv4>) {
    return decode_ipv4(in);
  } else if constexpr (std::is_same_v<T, Endpoint>) {
    return decode_endpoint(in);
  } else if constexpr (std::is_same_v<T, WallTime>) {
    return decode_wall_time(in);
  } else if constexpr (std::is_enum_v<T>) {
    return decode_enum<T>(in);
  } else if constexpr (std::is_unsigned_v<T>) {
    return decode_unsigned<T>(in);
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return in.integer();
  } else if constexpr (std::is_same_v<T, LabelName>) {
    auto name = decode_label_name(in);
    if (!name) return pass(name);
    return T(std::move(*name));
  } else if constexpr (kIsName<T>) {
    // HostName, VmName, CoalitionName: the other strong texts.
    auto name = decode_name(in);
    if (!name) return pass(name);
    return T(std::move(*name));
  } else if constexpr (kIsStrong<T>) {
    auto value = decode_value<typename T::rep>(in);
    if (!value) return pass(value);
    return T(std::move(*value));
  } else if constexpr (kIsOptional<T>) {
    auto value = decode_value<typename T::value_type>(in);
    if (!value) return pass(value);
    return T(std::move(*value));
  } else if constexpr (kIsVector<T>) {
    return decode_vector<typename T::value_type>(in);
  } else if constexpr (Described<T>) {
    T message;
    if (auto decoded = decode_fields(in, ops_of<T>(), &message); !decoded) return pass(decoded);
    return message;
  } else {
    static_assert(kUnhandled<T>, "no decoding for this type");
  }
}

template <class T, std::size_t I>
struct FieldOf {
  static constexpr auto kField = std::get<I>(T::kFields);
  using Value = std::remove_cvref_t<decltype(std::declval<T&>().*(kField.member))>;

  static bool present(void const* message) {
    if constexpr (kIsOptional<Value>) {
      return (static_cast<T const*>(message)->*(kField.member)).has_value();
    }
    return true;
  }
  static void encode(Encoder& out, void const* message) {
    encode_value(out, static_cast<T const*>(message)->*(kField.member));
  }
  static Status decode(Decoder& in, void* message) {
    auto value = decode_value<Value>(in);
    if (!value) return pass(value);
    static_cast<T*>(message)->*(kField.member) = std::move(*value);
    return {};
  }
  static constexpr FieldOps kOps{kField.name, kIsOptional<Value>, present, encode, decode};
};

template <std::size_t N>
constexpr std::array<std::uint8_t, N> cbor_order(std::array<FieldOps, N> const& fields) {
  std::array<std::uint8_t, N> order{};
  for (std::size_t i = 0; i < N; ++i) order[i] = static_cast<std::uint8_t>(i);
  std::sort(order.begin(), order.end(), [&fields](std::uint8_t a, std::uint8_t b) {
    std::string_view const x = fields[a].name;
    std::string_view const y = fields[b].name;
    return x.size() != y.size() ? x.size() < y.size() : x < y;
  });
  return order;
}

template <class T>
struct TableOf {
  static constexpr std::size_t kCount = std::tuple_size_v<decltype(T::kFields)>;
  template <std::size_t... I>
  static constexpr std::array<FieldOps, kCount> make(std::index_sequence<I...>) {
    return {FieldOf<T, I>::kOps...};
  }
  static constexpr std::array<FieldOps, kCount> kFields = make(std::make_index_sequence<kCount>());
  static constexpr std::array<std::uint8_t, kCount> kOrder = cbor_order(kFields);
};

template <class T>
MessageOps const& ops_of() {
  static constexpr MessageOps kOps{TableOf<T>::kFields, TableOf<T>::kOrder, T::kLimits};
  return kOps;
}

template <class T, class D, class Input>
Result<T> decode_whole(Input input, UnknownFields unknown, std::uint64_t factor) {
  if (input.size() > T::kLimits.bytes_max * factor) {
    return fail(Errc::too_large,
                fmt::format("{} bytes, at most {}", input.size(), T::kLimits.bytes_max * factor));
  }
  D in(input, T::kLimits, unknown);
  auto message = decode_value<T>(in);
  if (!message) return message;
  if (auto finished = in.finish(); !finished) return pass(finished);
  return message;
}

}  // namespace shamon::codec

namespace shamon {

template <class Message>
std::string encode_json(Message const& message) {
  JsonEncoder out;
  codec::encode_value(out, message);
  return std::move(out).take();
}
template <class Message>
Result<Message> decode_json(std::string_view text) {
  return codec::decode_whole<Message, JsonDecoder>(text, UnknownFields::ignore, kJsonExpansionMax);
}
template <class Message>
Bytes encode_cbor(Message const& message) {
  CborEncoder out;
  codec::encode_value(out, message);
  return std::move(out).take();
}
template <class Message>
Result<Message> decode_cbor(ByteView bytes, UnknownFields unknown) {
  return codec::decode_whole<Message, CborDecoder>(bytes, unknown, 1);
}

}  // namespace shamon

#define SHAMON_DEFINE_CODEC(Message)                               \
  template std::string encode_json<Message>(Message const&);       \
  template Result<Message> decode_json<Message>(std::string_view); \
  template Bytes encode_cbor<Message>(Message const&);             \
  template Result<Message> decode_cbor<Message>(ByteView, UnknownFields)
