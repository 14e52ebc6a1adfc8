#include "attestation/ear.hpp"

#include <nlohmann/json.hpp>

#include "attestation/limits.hpp"
#include "base/encoding.hpp"

namespace shamon {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kHeader = R"({"alg":"ES256","typ":"JWT"})";
/// Clocks of verifier and reader may differ by this much.
constexpr std::int64_t kClockSkewSeconds = 60;

int number(TrustTier tier) noexcept {
  return static_cast<int>(tier);
}

/// draft-ietf-rats-ear §3.2: the tier's name.
char const* status_name(TrustTier tier) noexcept {
  switch (tier) {
    case TrustTier::none: return "none";
    case TrustTier::affirming: return "affirming";
    case TrustTier::warning: return "warning";
    case TrustTier::contraindicated: return "contraindicated";
  }
  return "none";
}

/// A name or a number; numbers of one tier mean that tier (AR4SI §2.3.2). Anything else is an
/// error.
Result<TrustTier> read_tier(Json const& value) {
  for (TrustTier tier :
       {TrustTier::none, TrustTier::affirming, TrustTier::warning, TrustTier::contraindicated}) {
    if (value.is_string() && value.get_ref<std::string const&>() == status_name(tier)) return tier;
  }
  bool const fits = !value.is_number_unsigned() || value.get<std::uint64_t>() <= 127;
  if (value.is_number_integer() && fits) {
    auto const n = value.get<std::int64_t>();
    if (n >= -1 && n <= 1) return TrustTier::none;
    if ((n >= 2 && n <= 31) || (n >= -32 && n <= -2)) return TrustTier::affirming;
    if ((n >= 32 && n <= 95) || (n >= -96 && n <= -33)) return TrustTier::warning;
    if ((n >= 96 && n <= 127) || (n >= -128 && n <= -97)) return TrustTier::contraindicated;
  }
  return fail(Errc::malformed, "trustworthiness claim");
}

/// nlohmann's parser recurses; so depth is bounded before it sees the text.
Result<Json> parse_bounded(std::string_view text) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char const c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kEarDepthMax) return fail_at(Errc::too_large, i, "JSON is nested too deeply");
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  Json parsed = Json::parse(text, nullptr, false);
  if (parsed.is_discarded() || !parsed.is_object()) {
    return fail(Errc::malformed, "not a JSON object");
  }
  return parsed;
}

Json submodule_json(EarAppraisal const& appraisal) {
  Json vector = Json::object();
  vector["instance-identity"] = number(appraisal.vector.instance_identity);
  vector["configuration"] = number(appraisal.vector.configuration);
  vector["executables"] = number(appraisal.vector.executables);
  vector["hardware"] = number(appraisal.vector.hardware);
  Json out = Json::object();
  out["ear.status"] = status_name(appraisal.status);
  out["ear.trustworthiness-vector"] = std::move(vector);
  if (!appraisal.policy_id.empty()) out["ear.appraisal-policy-id"] = appraisal.policy_id;
  return out;
}

Result<std::int64_t> read_seconds(Json const& claims, char const* name) {
  auto const it = claims.find(name);
  if (it == claims.end() || !it->is_number_integer()) {
    return fail(Errc::malformed, std::string("claim ") + name);
  }
  auto const seconds = it->get<std::int64_t>();
  if (seconds < 0 || seconds > 253'402'300'799) {  // the year 9999 ends
    return fail(Errc::malformed, std::string("claim ") + name);
  }
  return seconds;
}

std::string text_or_empty(Json const& object, char const* name) {
  auto const it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

Result<EarAppraisal> read_submodule(Json const& json) {
  if (!json.is_object() || !json.contains("ear.status")) {
    return fail(Errc::malformed, "submodule without ear.status");
  }
  EarAppraisal out;
  auto const status = read_tier(json["ear.status"]);
  if (!status) return pass(status);
  out.status = *status;
  out.policy_id = text_or_empty(json, "ear.appraisal-policy-id");
  auto const vector = json.find("ear.trustworthiness-vector");
  if (vector == json.end()) return out;
  if (!vector->is_object()) return fail(Errc::malformed, "trustworthiness vector");
  struct Claim {
    char const* name;
    TrustTier* value;
  };
  for (Claim const& claim :
       {Claim{"instance-identity", &out.vector.instance_identity},
        Claim{"configuration", &out.vector.configuration},
        Claim{"executables", &out.vector.executables}, Claim{"hardware", &out.vector.hardware}}) {
    auto const it = vector->find(claim.name);
    if (it == vector->end()) continue;
    auto const tier = read_tier(*it);
    if (!tier) return pass(tier);
    *claim.value = *tier;
  }
  return out;
}

Result<EarClaims> read_claims(Json const& json) {
  if (text_or_empty(json, "eat_profile") != kEarProfile) {
    return fail(Errc::unsupported, "not an EAR: eat_profile differs");
  }
  EarClaims claims;
  auto const issued = read_seconds(json, "iat");
  if (!issued) return pass(issued);
  auto const expires = read_seconds(json, "exp");
  if (!expires) return pass(expires);
  claims.issued_at = {*issued * 1000};
  claims.expires_at = {*expires * 1000};
  claims.nonce = text_or_empty(json, "eat_nonce");
  auto const verifier = json.find("ear.verifier-id");
  if (verifier == json.end() || !verifier->is_object()) {
    return fail(Errc::malformed, "claim ear.verifier-id");
  }
  claims.verifier_developer = text_or_empty(*verifier, "developer");
  claims.verifier_build = text_or_empty(*verifier, "build");
  auto const submodules = json.find("submods");
  if (submodules == json.end() || !submodules->is_object() || submodules->empty()) {
    return fail(Errc::malformed, "claim submods");
  }
  if (submodules->size() > kEarSubmodulesMax) return fail(Errc::too_large, "claim submods");
  for (auto it = submodules->begin(); it != submodules->end(); ++it) {
    auto appraisal = read_submodule(it.value());
    if (!appraisal) return pass(appraisal);
    claims.submodules.emplace(it.key(), std::move(*appraisal));
  }
  return claims;
}

Status check_signature(std::string_view signed_part, std::string_view signature,
                       PublicKey const& key) {
  auto const raw = from_base64(signature);
  if (!raw || raw->size() != 64) return fail(Errc::malformed, "signature is not 64 bytes");
  ByteView const both(*raw);
  if (!key.verify_ecdsa_raw(HashAlgorithm::sha256, as_bytes(signed_part), both.first(32),
                            both.last(32))) {
    return fail(Errc::untrusted, "the attestation result is not signed by this verifier");
  }
  return {};
}

Result<Json> read_part(std::string_view base64) {
  auto const bytes = from_base64(base64);
  if (!bytes) return pass(bytes);
  return parse_bounded(as_text(*bytes));
}

}  // namespace

Result<std::string> sign_ear(EarClaims const& claims, PrivateKey const& key) {
  if (key.type() != KeyType::ecdsa_p256) return fail(Errc::invalid, "an EAR needs a P-256 key");
  if (claims.submodules.empty() || claims.submodules.size() > kEarSubmodulesMax) {
    return fail(Errc::invalid, "an EAR has 1 to 64 submodules");
  }
  Json json = Json::object();
  json["eat_profile"] = kEarProfile;
  json["iat"] = claims.issued_at.unix_ms / 1000;
  json["exp"] = claims.expires_at.unix_ms / 1000;
  json["ear.verifier-id"] = {{"developer", claims.verifier_developer},
                             {"build", claims.verifier_build}};
  if (!claims.nonce.empty()) json["eat_nonce"] = claims.nonce;
  for (auto const& [name, appraisal] : claims.submodules) {
    json["submods"][name] = submodule_json(appraisal);
  }
  // Names that are no UTF-8 are replaced, not thrown about.
  std::string const payload = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string jwt = to_base64url(as_bytes(kHeader)) + "." + to_base64url(as_bytes(payload));
  auto const signature = key.sign_ecdsa_raw(HashAlgorithm::sha256, as_bytes(jwt));
  if (!signature) return pass(signature);
  jwt += "." + to_base64url(*signature);
  return jwt;
}

Result<EarClaims> verify_ear(std::string_view jwt, PublicKey const& key, WallTime now) {
  if (jwt.size() > kEarBytesMax) return fail(Errc::too_large, "attestation result");
  if (key.type() != KeyType::ecdsa_p256) return fail(Errc::unsupported, "an EAR has a P-256 key");
  std::size_t const first = jwt.find('.');
  std::size_t const last = jwt.rfind('.');
  if (first == std::string_view::npos || first == last) {
    return fail(Errc::malformed, "a JSON web token has three parts");
  }
  auto const header = read_part(jwt.substr(0, first));
  if (!header) return pass(header, "token header");
  // RFC 8725 §3.1: the algorithm is ours to choose, not the token's. RFC 7515 §4.1.11: what "crit"
  // lists has to be understood, and we understand nothing more.
  if (text_or_empty(*header, "alg") != "ES256" || header->contains("crit")) {
    return fail(Errc::unsupported, "token is not plain ES256");
  }
  auto const checked = check_signature(jwt.substr(0, last), jwt.substr(last + 1), key);
  if (!checked) return pass(checked);
  auto const payload = read_part(jwt.substr(first + 1, last - first - 1));
  if (!payload) return pass(payload, "token claims");
  auto claims = read_claims(*payload);
  if (!claims) return pass(claims);
  constexpr std::int64_t kSkewMs = kClockSkewSeconds * 1000;
  if (now.unix_ms + kSkewMs < claims->issued_at.unix_ms || now >= claims->expires_at) {
    return fail(Errc::stale, "the attestation result is not valid now");
  }
  return claims;
}

EarAppraisal ear_appraisal(AppraisalResult const& result, std::string policy_id) {
  EarAppraisal out;
  out.status = result.tier;
  out.policy_id = std::move(policy_id);
  out.vector.executables = result.tier;
  out.vector.configuration = result.tier;
  // Evidence that does not hold identifies nobody; any other tier was reached with a quote of the
  // attester's key.
  out.vector.instance_identity =
      result.tier == TrustTier::none ? TrustTier::none : TrustTier::affirming;
  return out;
}

}  // namespace shamon
