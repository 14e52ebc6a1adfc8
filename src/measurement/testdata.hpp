// Where tests find captured and third-party inputs. Included by tests only.
#pragma once

#include <optional>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/file.hpp"

namespace shamon::testdata {

/// Our own recordings: always there.
inline Bytes captured(std::string const& name) {
  Result<Bytes> content =
      read_file(fmt::format("{}/tests/data/captured/{}", SHAMON_SOURCE_DIR, name));
  if (!content) {
    ADD_FAILURE() << content.error().describe();
    return {};
  }
  return *content;
}

/// Third-party inputs stand beside the source tree, where they may be missing.
inline std::optional<Bytes> shared(std::string const& name) {
  Result<Bytes> content =
      read_file(fmt::format("{}/../shared/testdata/{}", SHAMON_SOURCE_DIR, name));
  if (!content) return std::nullopt;
  return *content;
}

/// The captured quotes' nonce: hexadecimal with a newline.
inline Bytes captured_nonce(std::string const& folder) {
  std::string text(as_text(captured(folder + "/nonce")));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  Result<Bytes> const nonce = from_hex(text);
  if (!nonce) {
    ADD_FAILURE() << nonce.error().describe();
    return {};
  }
  return *nonce;
}

}  // namespace shamon::testdata

#define SHAMON_SKIP_WITHOUT(optional, name) \
  if (!(optional)) GTEST_SKIP() << "third-party input " << (name) << " is not in ../shared/testdata"
