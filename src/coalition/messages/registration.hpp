// Messages 1–2: registration with credential activation. POST /v1/register, POST /v1/activate.
#pragma once

#include "coalition/messages/common.hpp"

namespace shamon {

struct RegisterRequest {
  HostName host;
  Bytes ek_certificate;  ///< DER; empty: operator approval needed
  std::vector<Bytes> ek_intermediates;
  Bytes ek_public, ak_public;      ///< TPM2B_PUBLIC
  std::string platform, location;  ///< claims: "lab", "campus-1"
  Endpoint control, tunnel;
  static constexpr auto kFields = fields(
      field("host", &RegisterRequest::host),
      field("ek_certificate", &RegisterRequest::ek_certificate),
      field("ek_intermediates", &RegisterRequest::ek_intermediates),
      field("ek_public", &RegisterRequest::ek_public),
      field("ak_public", &RegisterRequest::ak_public),
      field("platform", &RegisterRequest::platform), field("location", &RegisterRequest::location),
      field("control", &RegisterRequest::control), field("tunnel", &RegisterRequest::tunnel));
  static constexpr Limits kLimits{.bytes_max = 64u << 10};
};

struct RegisterChallenge {
  std::string id;                     ///< of this registration attempt
  Bytes id_object, encrypted_secret;  ///< TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET
  static constexpr auto kFields =
      fields(field("id", &RegisterChallenge::id), field("id_object", &RegisterChallenge::id_object),
             field("encrypted_secret", &RegisterChallenge::encrypted_secret));
  static constexpr Limits kLimits{.bytes_max = 8192};
};

struct ActivateRequest {
  HostName host;
  std::string id;
  Bytes secret;
  static constexpr auto kFields =
      fields(field("host", &ActivateRequest::host), field("id", &ActivateRequest::id),
             field("secret", &ActivateRequest::secret));
  static constexpr Limits kLimits{.bytes_max = 4096};
};

struct Registered {
  HostName host;
  std::string ek_fingerprint;  ///< SHA-256 of the EK's SPKI, hex: bound to the name for ever
  static constexpr auto kFields = fields(field("host", &Registered::host),
                                         field("ek_fingerprint", &Registered::ek_fingerprint));
  static constexpr Limits kLimits{.bytes_max = 4096};
};

}  // namespace shamon
