#include "coalition/messages/status.hpp"

#include <array>

#include "coalition/codec_impl.hpp"

namespace shamon {

SHAMON_DEFINE_CODEC(StatusChange);
SHAMON_DEFINE_CODEC(Heartbeat);
SHAMON_DEFINE_CODEC(FeedChallenge);
SHAMON_DEFINE_CODEC(Acknowledgement);
SHAMON_DEFINE_CODEC(VmReport);
SHAMON_DEFINE_CODEC(FailureReport);

namespace {

constexpr std::array<std::pair<ChangeKind, char const*>, 8> kChangeKindNames{{
    {ChangeKind::member_joined, "member_joined"},
    {ChangeKind::member_revoked, "member_revoked"},
    {ChangeKind::member_left, "member_left"},
    {ChangeKind::member_suspect, "member_suspect"},
    {ChangeKind::policy_changed, "policy_changed"},
    {ChangeKind::vm_changed, "vm_changed"},
    {ChangeKind::vm_revoked, "vm_revoked"},
    {ChangeKind::reference_values, "reference_values"},
}};

constexpr std::uint64_t kCoseSign1Tag = 18;  // RFC 9052 §4.2
constexpr std::size_t kSignatureBytes = 64;  // ES256: r ‖ s, RFC 9053 §2.1
constexpr Limits kCoseLimits{.bytes_max = 5u << 20, .elements_max = 8, .depth_max = 4};

/// {1: -7, 3: content type}: COSE algorithm ES256 (RFC 9053 §2.1), COSE content type (RFC 9052
/// §3.1).
Bytes protected_header(std::string_view content_type) {
  CborEncoder out;
  out.begin_map(2);
  out.unsigned_integer(1);
  out.integer(-7);
  out.unsigned_integer(3);
  out.text(content_type);
  return std::move(out).take();
}

/// Sig_structure of RFC 9052 §4.4, with empty external data.
Bytes to_be_signed(ByteView header, ByteView payload) {
  CborEncoder out;
  out.begin_array(4);
  out.text("Signature1");
  out.bytes(header);
  out.bytes({});
  out.bytes(payload);
  return std::move(out).take();
}

struct CoseSign1 {
  Bytes header, payload, signature;
};

Result<CoseSign1> parse_cose_sign1(ByteView bytes) {
  if (bytes.size() > kCoseLimits.bytes_max) return fail(Errc::too_large, "COSE_Sign1 too long");
  CborDecoder in(bytes, kCoseLimits, UnknownFields::refuse);
  if (auto tag = in.expect_tag(kCoseSign1Tag); !tag) return pass(tag, "COSE_Sign1");
  if (auto array = in.begin_array(); !array) return pass(array, "COSE_Sign1");
  CoseSign1 out;
  for (int i = 0; i < 4; ++i) {
    auto const more = in.next_element();
    if (!more || !*more) return fail_at(Errc::malformed, in.offset(), "COSE_Sign1 needs 4 parts");
    if (i == 1) {
      if (auto map = in.begin_map(); !map) return pass(map, "unprotected header");
      auto const key = in.next_key();
      if (!key || *key) {
        return fail_at(Errc::malformed, in.offset(), "unprotected header must be empty");
      }
      continue;
    }
    auto part = in.bytes();
    if (!part) return pass(part, "COSE_Sign1");
    (i == 0 ? out.header : i == 2 ? out.payload : out.signature) = std::move(*part);
  }
  auto const more = in.next_element();
  if (!more || *more) return fail_at(Errc::malformed, in.offset(), "COSE_Sign1 has 4 parts");
  if (auto end = in.finish(); !end) return pass(end, "COSE_Sign1");
  if (out.signature.size() != kSignatureBytes) {
    return fail(Errc::malformed, "an ES256 signature has 64 bytes");
  }
  return out;
}

}  // namespace

std::span<std::pair<ChangeKind, char const*> const> enum_names(ChangeKind) noexcept {
  return kChangeKindNames;
}

char const* to_string(ChangeKind kind) noexcept {
  for (auto const& [known, name] : kChangeKindNames) {
    if (known == kind) return name;
  }
  return "unknown";
}

Result<Bytes> sign_statement(std::string_view content_type, ByteView payload,
                             PrivateKey const& key) {
  if (key.type() != KeyType::ecdsa_p256) {
    return fail(Errc::unsupported, "statements are signed with ECDSA P-256");
  }
  Bytes const header = protected_header(content_type);
  auto const signature = key.sign_ecdsa_raw(HashAlgorithm::sha256, to_be_signed(header, payload));
  if (!signature) return pass(signature, "sign a statement");
  CborEncoder out;
  out.tag(kCoseSign1Tag);
  out.begin_array(4);
  out.bytes(header);
  out.begin_map(0);
  out.bytes(payload);
  out.bytes(*signature);
  return std::move(out).take();
}

Result<Bytes> verify_statement(std::string_view content_type, ByteView cose_sign1,
                               PublicKey const& key) {
  auto parsed = parse_cose_sign1(cose_sign1);
  if (!parsed) return pass(parsed);
  // The header has one deterministic encoding, so comparing bytes checks algorithm and content
  // type.
  Bytes const header = protected_header(content_type);
  if (parsed->header != header) {
    return fail(Errc::untrusted,
                "the statement is not of type " + std::string(content_type) + " with ES256");
  }
  if (key.type() != KeyType::ecdsa_p256) {
    return fail(Errc::untrusted, "the key is not ECDSA P-256");
  }
  Bytes const message = to_be_signed(header, parsed->payload);
  ByteView const signature = parsed->signature;
  std::size_t const half = kSignatureBytes / 2;
  if (!key.verify_ecdsa_raw(HashAlgorithm::sha256, message, signature.first(half),
                            signature.subspan(half))) {
    return fail(Errc::untrusted, "the statement's signature does not hold");
  }
  return std::move(parsed->payload);
}

}  // namespace shamon
