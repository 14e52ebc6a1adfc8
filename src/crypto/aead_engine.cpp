#include "crypto/aead_engine.hpp"

#include <cstring>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/assert.hpp"
#include "base/secret.hpp"
#include "crypto/openssl.hpp"

namespace shamon {
namespace {

constexpr std::size_t kNonceBytes = kAeadSaltBytes + kAeadIvBytes;

using Nonce = std::array<std::uint8_t, kNonceBytes>;
using Tag = std::array<std::uint8_t, kAeadTagBytes>;

/// Key ‖ salt of the right length for its algorithm.
struct Material {
  AeadAlgorithm algorithm;
  std::span<const std::uint8_t> key;
  std::span<const std::uint8_t> salt;
};

/// RFC 4106 §4, RFC 7634 §2: nonce = salt ‖ IV.
Nonce make_nonce(Nonce const& salt, AeadJob const& job) noexcept {
  SHAMON_ASSERT(job.iv.size() == kAeadIvBytes && job.tag.size() == kAeadTagBytes);
  Nonce nonce = salt;
  std::memcpy(nonce.data() + kAeadSaltBytes, job.iv.data(), kAeadIvBytes);
  return nonce;
}

Nonce salt_nonce(Material const& material) noexcept {
  Nonce nonce{};
  std::copy(material.salt.begin(), material.salt.end(), nonce.begin());
  return nonce;
}

/// What every opening ends with: data without the right tag is nobody's.
void judge(AeadJob& job, bool ok) noexcept {
  job.ok = ok;
  if (!ok) wipe(job.data);
}

bool has_tag(AeadJob const& job, Tag const& computed) noexcept {
  return CRYPTO_memcmp(computed.data(), job.tag.data(), kAeadTagBytes) == 0;
}

/// The library's table of functions for this processor; one for all threads, since the direct
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

/// AES-GCM of one key size: the library has its own functions for each.
class IpsecMbGcm final : public AeadCipher {
 public:
  explicit IpsecMbGcm(Material const& material) noexcept : salt_(salt_nonce(material)) {
    IMB_MGR* const manager = ipsec_mb().manager.get();
    bool const is_256 = material.algorithm == AeadAlgorithm::encr_aes_gcm_16_256;
    seal_ = is_256 ? manager->gcm256_enc : manager->gcm128_enc;
    open_ = is_256 ? manager->gcm256_dec : manager->gcm128_dec;
    (is_256 ? manager->gcm256_pre : manager->gcm128_pre)(material.key.data(), &key_);
  }
  ~IpsecMbGcm() override { OPENSSL_cleanse(&key_, sizeof key_); }

  void seal(std::span<AeadJob> batch) noexcept override {
    alignas(64) gcm_context_data context;
    for (AeadJob& job : batch) run(seal_, context, job, job.tag.data());
    OPENSSL_cleanse(&context, sizeof context);
  }

  void open(std::span<AeadJob> batch) noexcept override {
    alignas(64) gcm_context_data context;
    for (AeadJob& job : batch) {
      Tag tag{};
      run(open_, context, job, tag.data());
      judge(job, has_tag(job, tag));
    }
    OPENSSL_cleanse(&context, sizeof context);
  }

 private:
  void run(aes_gcm_enc_dec_t function, gcm_context_data& context, AeadJob& job,
           std::uint8_t* tag) const noexcept {
    Nonce const nonce = make_nonce(salt_, job);
    function(&key_, &context, job.data.data(), job.data.data(), job.data.size(), nonce.data(),
             job.aad.data(), job.aad.size(), tag, kAeadTagBytes);
  }

  // The library stores the schedule aligned; its header says so only with -DLINUX.
  alignas(64) gcm_key_data key_{};
  Nonce salt_;
  aes_gcm_enc_dec_t seal_ = nullptr;
  aes_gcm_enc_dec_t open_ = nullptr;
};

class IpsecMbChaCha final : public AeadCipher {
 public:
  explicit IpsecMbChaCha(Material const& material) noexcept
      : salt_(salt_nonce(material)), manager_(ipsec_mb().manager.get()) {
    std::copy(material.key.begin(), material.key.end(), key_.begin());
  }
  ~IpsecMbChaCha() override { OPENSSL_cleanse(key_.data(), key_.size()); }

  void seal(std::span<AeadJob> batch) noexcept override {
    alignas(64) chacha20_poly1305_context_data context;
    for (AeadJob& job : batch) {
      run(manager_->chacha20_poly1305_enc_update, context, job, job.tag.data());
    }
    OPENSSL_cleanse(&context, sizeof context);
  }

  void open(std::span<AeadJob> batch) noexcept override {
    alignas(64) chacha20_poly1305_context_data context;
    for (AeadJob& job : batch) {
      Tag tag{};
      run(manager_->chacha20_poly1305_dec_update, context, job, tag.data());
      judge(job, has_tag(job, tag));
    }
    OPENSSL_cleanse(&context, sizeof context);
  }

 private:
  void run(chacha_poly_enc_dec_update_t update, chacha20_poly1305_context_data& context,
           AeadJob& job, std::uint8_t* tag) const noexcept {
    Nonce const nonce = make_nonce(salt_, job);
    manager_->chacha20_poly1305_init(key_.data(), &context, nonce.data(), job.aad.data(),
                                     job.aad.size());
    update(key_.data(), &context, job.data.data(), job.data.data(), job.data.size());
    manager_->chacha20_poly1305_finalize(&context, tag, kAeadTagBytes);
  }

  alignas(64) std::array<std::uint8_t, kAeadKeyBytesMax> key_{};
  Nonce salt_;
  IMB_MGR* manager_;
};

EVP_CIPHER const* openssl_cipher(AeadAlgorithm algorithm) noexcept {
  switch (algorithm) {
    case AeadAlgorithm::encr_aes_gcm_16_256: return EVP_aes_256_gcm();
    case AeadAlgorithm::encr_chacha20_poly1305: return EVP_chacha20_poly1305();
    case AeadAlgorithm::encr_aes_gcm_16_128: return EVP_aes_128_gcm();
  }
  return nullptr;
}

class OpensslCipher final : public AeadCipher {
 public:
  static Result<std::unique_ptr<AeadCipher>> create(Material const& material) {
    auto cipher = std::make_unique<OpensslCipher>(material);
    EVP_CIPHER const* const kind = openssl_cipher(material.algorithm);
    std::uint8_t const* const key = material.key.data();
    if (!cipher->seal_ || !cipher->open_ ||
        EVP_EncryptInit_ex2(cipher->seal_.get(), kind, key, nullptr, nullptr) != 1 ||
        EVP_DecryptInit_ex2(cipher->open_.get(), kind, key, nullptr, nullptr) != 1) {
      return fail_openssl(Errc::crypto, to_string(material.algorithm));
    }
    return cipher;
  }
  explicit OpensslCipher(Material const& material) noexcept
      : salt_(salt_nonce(material)), seal_(EVP_CIPHER_CTX_new()), open_(EVP_CIPHER_CTX_new()) {}

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
      // An AEAD over memory cannot fail with a set key; if it did, plain text must not leave.
      SHAMON_ASSERT(ok);
    }
  }

  void open(std::span<AeadJob> batch) noexcept override {
    for (AeadJob& job : batch) {
      Nonce const nonce = make_nonce(salt_, job);
      int size = 0;
      std::uint8_t* data = data_or_dummy(job);
      bool const ok =
          EVP_DecryptInit_ex2(open_.get(), nullptr, nullptr, nonce.data(), nullptr) == 1 &&
          (job.aad.empty() || EVP_DecryptUpdate(open_.get(), nullptr, &size, job.aad.data(),
                                                static_cast<int>(job.aad.size())) == 1) &&
          EVP_DecryptUpdate(open_.get(), data, &size, data, static_cast<int>(job.data.size())) ==
              1 &&
          EVP_CIPHER_CTX_ctrl(open_.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagBytes, job.tag.data()) ==
              1 &&
          EVP_DecryptFinal_ex(open_.get(), data, &size) == 1;
      judge(job, ok);
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

Result<std::unique_ptr<AeadCipher>> create_aead_cipher(AeadEngine engine, AeadAlgorithm algorithm,
                                                       std::span<const std::uint8_t> material) {
  if (!aead_engine_available(engine)) {
    return fail(Errc::unsupported, "this processor has no AES-NI for ipsec-mb");
  }
  if (!to_aead_algorithm(static_cast<std::uint32_t>(algorithm))) {
    return fail(Errc::invalid, "no such cipher");
  }
  if (material.size() != aead_material_bytes(algorithm)) {
    return fail(Errc::invalid, std::string(to_string(algorithm)) + ": the key material has " +
                                   std::to_string(material.size()) + " bytes");
  }
  std::size_t const key_bytes = aead_key_bytes(algorithm);
  Material const parts{algorithm, material.first(key_bytes), material.subspan(key_bytes)};
  switch (engine) {
    case AeadEngine::ipsec_mb:
      if (algorithm == AeadAlgorithm::encr_chacha20_poly1305) {
        return std::make_unique<IpsecMbChaCha>(parts);
      }
      return std::make_unique<IpsecMbGcm>(parts);
    case AeadEngine::openssl: return OpensslCipher::create(parts);
  }
  return fail(Errc::internal, "no such AEAD engine");
}

}  // namespace shamon
