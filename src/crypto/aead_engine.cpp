#include "crypto/aead_engine.hpp"

#include <cstring>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/assert.hpp"
#include "crypto/openssl.hpp"

namespace shamon {
namespace {

constexpr std::size_t kNonceBytes = kAeadSaltBytes + kAeadIvBytes;

using Nonce = std::array<std::uint8_t, kNonceBytes>;

/// RFC 4106 §4: nonce = salt ‖ IV.
Nonce make_nonce(Nonce const& salt, AeadJob const& job) noexcept {
  SHAMON_ASSERT(job.iv.size() == kAeadIvBytes && job.tag.size() == kAeadTagBytes);
  Nonce nonce = salt;
  std::memcpy(nonce.data() + kAeadSaltBytes, job.iv.data(), kAeadIvBytes);
  return nonce;
}

Nonce salt_nonce(std::span<const std::uint8_t, kAeadSaltBytes> salt) noexcept {
  Nonce nonce{};
  std::copy(salt.begin(), salt.end(), nonce.begin());
  return nonce;
}

void refuse(AeadJob& job) noexcept {
  job.ok = false;
  wipe(job.data);
}

/// The library's table of functions for this processor; one for all threads, since the direct GCM
/// functions keep nothing in it.
struct IpsecMb {
  OpensslPtr<IMB_MGR, free_mb_mgr> manager;
  IMB_ARCH arch = IMB_ARCH_NONE;
  bool usable = false;

  IpsecMb() noexcept : manager(alloc_mb_mgr(0)) {
    if (!manager) return;
    init_mb_mgr_auto(manager.get(), &arch);
    constexpr std::uint64_t kNeeded = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    usable = imb_get_errno(manager.get()) == 0 && arch >= IMB_ARCH_SSE &&
             (manager->features & kNeeded) == kNeeded;
  }
  char const* name() const noexcept {
    bool const vaes = (manager->features & IMB_FEATURE_VAES) != 0;
    switch (arch) {
      case IMB_ARCH_SSE: return "ipsec-mb/sse";
      case IMB_ARCH_AVX: return "ipsec-mb/avx";
      case IMB_ARCH_AVX2: return vaes ? "ipsec-mb/vaes_avx2" : "ipsec-mb/avx2";
      case IMB_ARCH_AVX512: return vaes ? "ipsec-mb/vaes_avx512" : "ipsec-mb/avx512";
      case IMB_ARCH_NONE:
      case IMB_ARCH_NOAESNI:
      case IMB_ARCH_NUM: break;
    }
    return "ipsec-mb";
  }
};

IpsecMb const& ipsec_mb() noexcept {
  static IpsecMb const instance;
  return instance;
}

class IpsecMbCipher final : public AeadCipher {
 public:
  IpsecMbCipher(Secret<kAeadKeyBytes> const& key,
                std::span<const std::uint8_t, kAeadSaltBytes> salt) noexcept
      : salt_(salt_nonce(salt)), manager_(ipsec_mb().manager.get()) {
    IMB_AES256_GCM_PRE(manager_, key.expose().data(), &key_);
  }
  ~IpsecMbCipher() override { OPENSSL_cleanse(&key_, sizeof key_); }

  void seal(std::span<AeadJob> batch) noexcept override {
    alignas(64) gcm_context_data context;
    for (AeadJob& job : batch) {
      Nonce const nonce = make_nonce(salt_, job);
      IMB_AES256_GCM_ENC(manager_, &key_, &context, job.data.data(), job.data.data(),
                         job.data.size(), nonce.data(), job.aad.data(), job.aad.size(),
                         job.tag.data(), kAeadTagBytes);
    }
    OPENSSL_cleanse(&context, sizeof context);
  }

  void open(std::span<AeadJob> batch) noexcept override {
    alignas(64) gcm_context_data context;
    for (AeadJob& job : batch) {
      Nonce const nonce = make_nonce(salt_, job);
      std::array<std::uint8_t, kAeadTagBytes> tag{};
      IMB_AES256_GCM_DEC(manager_, &key_, &context, job.data.data(), job.data.data(),
                         job.data.size(), nonce.data(), job.aad.data(), job.aad.size(), tag.data(),
                         kAeadTagBytes);
      job.ok = CRYPTO_memcmp(tag.data(), job.tag.data(), kAeadTagBytes) == 0;
      if (!job.ok) refuse(job);
    }
    OPENSSL_cleanse(&context, sizeof context);
  }

 private:
  // The library stores the schedule aligned; its header says so only with -DLINUX.
  alignas(64) gcm_key_data key_{};
  Nonce salt_;
  IMB_MGR* manager_;
};

class OpensslCipher final : public AeadCipher {
 public:
  static Result<std::unique_ptr<AeadCipher>> create(
      Secret<kAeadKeyBytes> const& key, std::span<const std::uint8_t, kAeadSaltBytes> salt) {
    auto cipher = std::make_unique<OpensslCipher>(salt);
    std::uint8_t const* bytes = key.expose().data();
    if (!cipher->seal_ || !cipher->open_ ||
        EVP_EncryptInit_ex2(cipher->seal_.get(), EVP_aes_256_gcm(), bytes, nullptr, nullptr) != 1 ||
        EVP_DecryptInit_ex2(cipher->open_.get(), EVP_aes_256_gcm(), bytes, nullptr, nullptr) != 1) {
      return fail_openssl(Errc::crypto, "AES-256-GCM key");
    }
    return cipher;
  }
  explicit OpensslCipher(std::span<const std::uint8_t, kAeadSaltBytes> salt) noexcept
      : salt_(salt_nonce(salt)), seal_(EVP_CIPHER_CTX_new()), open_(EVP_CIPHER_CTX_new()) {}

  void seal(std::span<AeadJob> batch) noexcept override {
    for (AeadJob& job : batch) {
      Nonce const nonce = make_nonce(salt_, job);
      int size = 0;
      std::uint8_t* data = data_or_dummy(job);
      bool const ok =
          EVP_EncryptInit_ex2(seal_.get(), nullptr, nullptr, nonce.data(), nullptr) == 1 &&
          (job.aad.empty() || EVP_EncryptUpdate(seal_.get(), nullptr, &size, job.aad.data(),
                                                static_cast<int>(job.aad.size())) == 1) &&
          EVP_EncryptUpdate(seal_.get(), data, &size, data, static_cast<int>(job.data.size())) ==
              1 &&
          EVP_EncryptFinal_ex(seal_.get(), data, &size) == 1 &&
          EVP_CIPHER_CTX_ctrl(seal_.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagBytes, job.tag.data()) ==
              1;
      // GCM over memory cannot fail with a set key; if it did, plain text must not leave.
      SHAMON_ASSERT(ok);
    }
  }

  void open(std::span<AeadJob> batch) noexcept override {
    for (AeadJob& job : batch) {
      Nonce const nonce = make_nonce(salt_, job);
      int size = 0;
      std::uint8_t* data = data_or_dummy(job);
      job.ok = EVP_DecryptInit_ex2(open_.get(), nullptr, nullptr, nonce.data(), nullptr) == 1 &&
               (job.aad.empty() || EVP_DecryptUpdate(open_.get(), nullptr, &size, job.aad.data(),
                                                     static_cast<int>(job.aad.size())) == 1) &&
               EVP_DecryptUpdate(open_.get(), data, &size, data,
                                 static_cast<int>(job.data.size())) == 1 &&
               EVP_CIPHER_CTX_ctrl(open_.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes,
                                   job.tag.data()) == 1 &&
               EVP_DecryptFinal_ex(open_.get(), data, &size) == 1;
      if (!job.ok) refuse(job);
    }
  }

 private:
  /// An empty span may hold a null pointer, which an EVP update would take for additional data.
  std::uint8_t* data_or_dummy(AeadJob const& job) noexcept {
    return job.data.empty() ? dummy_.data() : job.data.data();
  }

  Nonce salt_;
  OpensslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> seal_;
  OpensslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> open_;
  std::array<std::uint8_t, 16> dummy_{};
};

}  // namespace

bool aead_engine_available(AeadEngine engine) noexcept {
  switch (engine) {
    case AeadEngine::ipsec_mb: return ipsec_mb().usable;
    case AeadEngine::openssl: return true;
  }
  return false;
}

AeadEngine preferred_aead_engine() noexcept {
  return aead_engine_available(AeadEngine::ipsec_mb) ? AeadEngine::ipsec_mb : AeadEngine::openssl;
}

char const* aead_engine_name(AeadEngine engine) noexcept {
  switch (engine) {
    case AeadEngine::ipsec_mb: return ipsec_mb().manager ? ipsec_mb().name() : "ipsec-mb";
    case AeadEngine::openssl: return "openssl";
  }
  return "unknown";
}

Result<std::unique_ptr<AeadCipher>> create_aead_cipher(
    AeadEngine engine, Secret<kAeadKeyBytes> const& key,
    std::span<const std::uint8_t, kAeadSaltBytes> salt) {
  if (!aead_engine_available(engine)) {
    return fail(Errc::unsupported, "this processor has no AES-NI for ipsec-mb");
  }
  switch (engine) {
    case AeadEngine::ipsec_mb: return std::make_unique<IpsecMbCipher>(key, salt);
    case AeadEngine::openssl: return OpensslCipher::create(key, salt);
  }
  return fail(Errc::internal, "no such AEAD engine");
}

}  // namespace shamon
