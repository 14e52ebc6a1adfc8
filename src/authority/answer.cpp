#include "authority/answer.hpp"

namespace shamon {

int http_status(Refusal const& refusal) noexcept {
  struct Row {
    Errc code;
    int status;
  };
  static constexpr Row kRows[] = {
      {Errc::malformed, 400},   {Errc::truncated, 400},   {Errc::too_large, 413},
      {Errc::unsupported, 422}, {Errc::invalid, 422},     {Errc::not_found, 404},
      {Errc::conflict, 409},    {Errc::denied, 403},      {Errc::untrusted, 403},
      {Errc::stale, 409},       {Errc::unreachable, 503}, {Errc::timeout, 504},
  };
  if (refusal.code == kAttestationFailed) return 403;
  for (Row const& row : kRows) {
    if (refusal.code == to_string(row.code)) return row.status;
  }
  return 500;
}

}  // namespace shamon
