// file:// addresses, as editors name documents (RFC 8089, RFC 3986).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace shamon::lsp {

/// "/a b.policy" for "file:///a%20b.policy"; nothing for another scheme or host, or a broken
/// escape.
std::optional<std::string> path_of_uri(std::string_view uri);
std::string uri_of_path(std::string_view path);

}  // namespace shamon::lsp
