// What the authority answers: a value, or a refusal that names its reason.
#pragma once

#include "coalition/messages/common.hpp"

namespace shamon {

template <class T>
using Answer = tl::expected<T, Refusal>;

/// `code` of a refusal because evidence did not convince.
inline constexpr std::string_view kAttestationFailed = "attestation_failed";

inline tl::unexpected<Refusal> refuse(Errc code, std::string message) {
  return tl::unexpected<Refusal>(Refusal{std::string(to_string(code)), std::move(message), {}});
}
inline tl::unexpected<Refusal> refuse(Error const& error, std::string_view doing = {}) {
  std::string message = doing.empty() ? error.message : std::string(doing) + ": " + error.message;
  return tl::unexpected<Refusal>(Refusal{std::string(to_string(error.code)), message, {}});
}
inline tl::unexpected<Refusal> refuse(Refusal const& refusal) {
  return tl::unexpected<Refusal>(refusal);
}

/// The HTTP status (RFC 9110 §15) that fits a refusal's code.
int http_status(Refusal const& refusal) noexcept;

}  // namespace shamon
