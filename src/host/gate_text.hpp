// Texts in the gate's messages, which are padded with zeros.
#pragma once

#include <array>
#include <cstring>
#include <string>

namespace shamon {

template <std::size_t N>
std::string text_of(std::array<char, N> const& text) {
  return std::string(text.data(), ::strnlen(text.data(), N));
}

}  // namespace shamon
