#include "crypto/aes_cfb.hpp"

#include "crypto/openssl.hpp"

namespace shamon {
namespace {

using CipherCtxPtr = OpensslPtr<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free>;

Result<Bytes> run(ByteView key, ByteView iv, ByteView in, int encrypting) {
  constexpr std::size_t kInputBytesMax = 1u << 20;
  if ((key.size() != 16 && key.size() != 32) || iv.size() != 16 || in.size() > kInputBytesMax) {
    return fail(Errc::invalid, "AES-CFB takes a 16 or 32 byte key, a 16 byte IV and 1 MiB");
  }
  EVP_CIPHER const* cipher = key.size() == 16 ? EVP_aes_128_cfb128() : EVP_aes_256_cfb128();
  CipherCtxPtr const context(EVP_CIPHER_CTX_new());
  Bytes out(in.size() + 16);
  int size = 0;
  int tail = 0;
  if (!context ||
      EVP_CipherInit_ex2(context.get(), cipher, key.data(), iv.data(), encrypting, nullptr) != 1 ||
      EVP_CipherUpdate(context.get(), out.data(), &size, in.data(), static_cast<int>(in.size())) !=
          1 ||
      EVP_CipherFinal_ex(context.get(), out.data() + size, &tail) != 1) {
    return fail_openssl(Errc::crypto, "AES-CFB");
  }
  out.resize(static_cast<std::size_t>(size + tail));
  return out;
}

}  // namespace

Result<Bytes> aes_cfb_encrypt(ByteView key, ByteView iv, ByteView plain) {
  return run(key, iv, plain, 1);
}
Result<Bytes> aes_cfb_decrypt(ByteView key, ByteView iv, ByteView cipher) {
  return run(key, iv, cipher, 0);
}

}  // namespace shamon
