// One example of each message with every field set, for tests, fuzz corpora and documentation.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include "base/ids.hpp"
#include "base/ipv4.hpp"
#include "base/time.hpp"
#include "coalition/codec.hpp"

namespace shamon {

/// Fills a field with something that is not its default. Lists get two elements.
template <class T>
T example();

namespace codec {

template <class T>
struct Example {
  static T make() {
    if constexpr (std::is_enum_v<T>) {
      return enum_names(T{})[1].first;
    } else if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(200);
    } else {
      T message;
      std::apply(
          [&message](auto const&... f) {
            ((message.*(f.member) = example<std::remove_cvref_t<decltype(message.*(f.member))>>()),
             ...);
          },
          T::kFields);
      return message;
    }
  }
};
template <>
struct Example<bool> {
  static bool make() { return true; }
};
template <>
struct Example<std::string> {
  static std::string make() { return "a \"text\"\nof \xc3\xa4 kind"; }
};
template <>
struct Example<Bytes> {
  static Bytes make() { return {0x00, 0x7f, 0x80, 0xff}; }
};
template <>
struct Example<Ipv4> {
  static Ipv4 make() { return {0x0a000001}; }
};
template <>
struct Example<Endpoint> {
  static Endpoint make() { return {Ipv4{0x0a000001}, 4500}; }
};
template <>
struct Example<WallTime> {
  static WallTime make() { return {1'795'296'605'123}; }
};
template <class Tag, class Rep>
struct Example<Strong<Tag, Rep>> {
  static Strong<Tag, Rep> make() {
    if constexpr (std::is_same_v<Rep, std::string>) {
      return Strong<Tag, Rep>("shype1");
    } else {
      return Strong<Tag, Rep>(example<Rep>());
    }
  }
};
template <class T>
struct Example<std::optional<T>> {
  static std::optional<T> make() { return example<T>(); }
};
template <class T>
requires(!std::is_same_v<T, std::uint8_t>) struct Example<std::vector<T>> {
  static std::vector<T> make() { return {example<T>(), example<T>()}; }
};

}  // namespace codec

template <class T>
T example() {
  return codec::Example<T>::make();
}

}  // namespace shamon
