#include "base/result.hpp"

#include <cerrno>
#include <cstring>

namespace shamon {

std::string_view to_string(Errc code) noexcept {
  switch (code) {
    case Errc::malformed: return "malformed";
    case Errc::truncated: return "truncated";
    case Errc::too_large: return "too large";
    case Errc::unsupported: return "unsupported";
    case Errc::invalid: return "invalid";
    case Errc::not_found: return "not found";
    case Errc::conflict: return "conflict";
    case Errc::denied: return "denied";
    case Errc::untrusted: return "untrusted";
    case Errc::stale: return "stale";
    case Errc::unreachable: return "unreachable";
    case Errc::timeout: return "timeout";
    case Errc::system: return "system error";
    case Errc::crypto: return "crypto error";
    case Errc::tpm: return "TPM error";
    case Errc::internal: return "internal error";
  }
  return "unknown error";
}

std::string Error::describe() const {
  std::string out(to_string(code));
  if (offset) out += " at offset " + std::to_string(*offset);
  if (!message.empty()) out += ": " + message;
  return out;
}

Error system_error(std::string_view doing, int error_number) {
  char buffer[128] = {};
  char const* text = strerror_r(error_number, buffer, sizeof buffer);
  return Error{Errc::system, std::string(doing) + ": " + text, {}};
}

tl::unexpected<Error> fail_errno(std::string_view doing) {
  return tl::unexpected<Error>(system_error(doing, errno));
}

}  // namespace shamon
