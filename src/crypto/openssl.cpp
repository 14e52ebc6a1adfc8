#include "crypto/openssl.hpp"

#include <openssl/err.h>

#include "crypto/key.hpp"
#include "crypto/limits.hpp"

namespace shamon {

Error openssl_error(Errc code, std::string_view doing) {
  unsigned long const number = ERR_get_error();
  ERR_clear_error();
  char const* reason = number != 0 ? ERR_reason_error_string(number) : nullptr;
  std::string message(doing);
  message += ": ";
  message += reason != nullptr ? reason : "refused by OpenSSL";
  return Error{code, std::move(message), {}};
}

BioPtr memory_bio(std::string_view text) {
  if (text.size() > kPemBytesMax) return nullptr;
  return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string bio_text(BIO* bio) {
  char* data = nullptr;
  long const size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

int no_password(char*, int, int, void*) noexcept {
  return -1;
}

EVP_MD const* message_digest(HashAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case HashAlgorithm::sha1: return EVP_sha1();
    case HashAlgorithm::sha256: return EVP_sha256();
    case HashAlgorithm::sha384: return EVP_sha384();
    case HashAlgorithm::sha512: return EVP_sha512();
  }
  return nullptr;
}

std::shared_ptr<EVP_PKEY> share(PkeyPtr key) {
  return std::shared_ptr<EVP_PKEY>(key.release(), EVP_PKEY_free);
}

Status check_supported(EVP_PKEY const* key) {
  if (key == nullptr) return fail(Errc::unsupported, "public key of an unknown algorithm");
  int const bits = EVP_PKEY_get_bits(key);
  if (EVP_PKEY_is_a(key, "RSA") == 1) {
    if (bits < static_cast<int>(kRsaBitsMin) || bits > static_cast<int>(kRsaBitsMax)) {
      return fail(Errc::unsupported, "RSA key of " + std::to_string(bits) + " bits");
    }
    return {};
  }
  if (EVP_PKEY_is_a(key, "EC") == 1) {
    char group[32] = {};
    std::size_t size = 0;
    if (EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1) {
      std::string_view const name(group, size);
      if (name == "prime256v1" || name == "secp384r1" || name == "P-256" || name == "P-384") {
        return {};
      }
    }
    ERR_clear_error();
    return fail(Errc::unsupported, "EC key on a curve other than P-256 and P-384");
  }
  return fail(Errc::unsupported, "public key is neither EC nor RSA");
}

}  // namespace shamon
